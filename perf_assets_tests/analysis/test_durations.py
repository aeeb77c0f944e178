from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.durations import (
    DRIVERS,
    describe_runs,
    duration_drivers,
    fit_duration_model,
    largest_influence,
    run_correlations,
    run_outliers,
    scenario_efficiency,
)


@pytest.fixture(scope="module")
def sample_runs() -> pd.DataFrame:
    """The specification's 14 runs."""
    text = resources.files("perf_assets").joinpath("samples/scenario_runs.json").read_text()
    runs = pd.DataFrame(json.loads(text)["results"])
    return pd.DataFrame(
        {
            "project": "scenario-runs", "run_id": range(len(runs)), "scenario": runs["scenario"],
            "duration": runs["overmindDurationMs"] / 1000, "nodes": runs["blastRadiusNodes"].astype(float),
            "edges": runs["blastRadiusEdges"].astype(float), "observations": runs["observations"].astype(float),
            "risks": runs["riskCount"].astype(float),
        }
    )  # fmt: skip


def test_the_specifications_figures(sample_runs: pd.DataFrame) -> None:
    table = duration_drivers(sample_runs).set_index("driver")
    assert table["r_squared"].iloc[0] == pytest.approx(0.757, abs=0.001)
    assert table["r_squared_cross_validated"].iloc[0] == pytest.approx(0.160, abs=0.001)
    assert table["correlation"].loc[["nodes", "edges", "observations"]].round(3).tolist() == [0.628, 0.437, 0.773]
    assert table["strength"].loc[["nodes", "edges", "observations", "risks"]].tolist() == [
        "moderate", "moderate", "strong", "weak",
    ]  # fmt: skip
    assert table["importance"].sum() == pytest.approx(1)


def test_leave_one_out_is_what_a_model_without_the_run_expects(sample_runs: pd.DataFrame) -> None:
    model = fit_duration_model(sample_runs)
    assert model is not None
    for left_out in range(len(sample_runs)):
        rest = fit_duration_model(sample_runs.drop(index=left_out))
        assert rest is not None
        features = sample_runs.loc[left_out, ["nodes", "edges", "observations"]].to_numpy(dtype=float)
        expected = rest.intercept + float(features @ rest.coefficients)
        assert model.leave_one_out[left_out] == pytest.approx(expected)


def test_what_one_run_decides_is_what_a_model_without_it_says(sample_runs: pd.DataFrame) -> None:
    model = fit_duration_model(sample_runs)
    assert model is not None
    influence = largest_influence(sample_runs, model)
    assert influence is not None
    rest = fit_duration_model(sample_runs.drop(index=influence.run))
    assert rest is not None
    assert (sample_runs.loc[influence.run, "scenario"], influence.feature) == ("lambda_timeout", "edges")
    assert influence.with_it == model.coefficients[1]
    assert influence.without_it == pytest.approx(rest.coefficients[1])
    assert influence.leverage == model.leverages.max()
    assert influence.overwhelming


def test_the_only_run_of_a_scenario_is_beyond_the_model(sample_runs: pd.DataFrame) -> None:
    assert not run_outliers(sample_runs)["beyond_model"].any()
    single = run_outliers(sample_runs.assign(scenario=[*sample_runs["scenario"][:-1], "new"]))
    # The other run of what was the last run's scenario has become the only one too.
    assert single.loc[single["beyond_model"], "scenario"].tolist() == ["shared_sg_open", "new"]


def test_the_interval_holds_what_new_runs_bear_out(sample_runs: pd.DataFrame) -> None:
    model = fit_duration_model(sample_runs)
    assert model is not None
    low, high = model.r_squared_interval
    assert low < model.r_squared_cross_validated < high <= 1.0


def test_runs_beyond_a_fifth_of_the_expectation_stand_out(sample_runs: pd.DataFrame) -> None:
    table = run_outliers(sample_runs)
    assert len(table) == 14
    assert (table.loc[table["verdict"] == "slower", "residual_share"] > 0.2).all()
    assert (table.loc[table["verdict"] == "faster", "residual_share"] < -0.2).all()
    assert set(table["verdict"]) == {"slower", "faster", "as expected"}


def test_efficiency_is_the_mean_of_each_runs_ratio(sample_runs: pd.DataFrame) -> None:
    table = scenario_efficiency(sample_runs).set_index("scenario")
    own = sample_runs[sample_runs["scenario"] == "lambda_timeout"]
    assert table.loc["lambda_timeout", "seconds_per_node"] == pytest.approx((own["duration"] / own["nodes"]).mean())
    assert table.loc["lambda_timeout", "duration_sd"] == pytest.approx(own["duration"].std())
    assert table["seconds_per_1k_edges"].is_monotonic_decreasing


def test_missing_is_left_out_never_zero(sample_runs: pd.DataFrame) -> None:
    holed = sample_runs.copy()
    holed.loc[0, "nodes"] = np.nan
    assert duration_drivers(holed)["runs"].iloc[0] == 13
    assert scenario_efficiency(holed).set_index("scenario").loc["kms_orphan_simulation", "nodes_mean"] == 768


def test_too_few_runs_have_no_model(sample_runs: pd.DataFrame) -> None:
    few = duration_drivers(sample_runs.head(4))
    assert few["r_squared"].isna().all()
    assert not few["in_model"].any()
    assert run_outliers(sample_runs.head(4)).empty


@limits(max_examples=30)
@given(st.integers(0, 1_000), st.floats(0.1, 100))
def test_the_unit_of_duration_does_not_change_the_fit(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    runs = pd.DataFrame(rng.uniform(1, 100, (12, 4)), columns=["duration", "nodes", "edges", "observations"])
    first = fit_duration_model(runs)
    second = fit_duration_model(runs.assign(duration=runs["duration"] * factor))
    assert first is not None
    assert second is not None
    assert second.r_squared == pytest.approx(first.r_squared)
    assert first.r_squared_cross_validated <= first.r_squared <= 1


def test_the_runs_described_and_correlated(sample_runs: pd.DataFrame) -> None:
    table = describe_runs(sample_runs).set_index("column")
    assert table.index.tolist() == ["duration", *DRIVERS]
    duration = sample_runs["duration"]
    assert table.loc["duration", "runs"] == 14
    assert table.loc["duration", "median"] == pytest.approx(duration.median())
    assert table.loc["duration", "sd"] == pytest.approx(duration.std())
    assert (table["lowest"] <= table["quarter"]).all()
    assert (table["three_quarters"] <= table["highest"]).all()
    known = run_correlations(sample_runs)
    assert known.loc["duration", ["nodes", "edges", "observations"]].round(3).tolist() == [0.628, 0.437, 0.773]
    assert known.shape == (5, 5)


@given(seed=st.integers(0, 1000), missing=st.floats(0, 1))
def test_correlations_are_symmetric_and_what_is_missing_is_not_counted(seed: int, missing: float) -> None:
    random = np.random.default_rng(seed)
    runs = pd.DataFrame(random.normal(size=(12, 5)), columns=["duration", *DRIVERS])
    runs = runs.mask(random.uniform(size=runs.shape) < missing)
    known = run_correlations(runs)
    assert np.array_equal(known, known.T, equal_nan=True)
    assert (known.abs().stack().dropna() <= 1 + 1e-9).all()
    described = describe_runs(runs).set_index("column")["runs"]
    assert described.to_dict() == {name: int(n) for name, n in runs.notna().sum().items() if n}
