"""Models of duration: judged by runs that they have not seen, and saying nothing where these do not bear them out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.duration_models import (
    CANDIDATES,
    MODEL_COLUMNS,
    SHARE_COLUMNS,
    correlated_groups,
    drivers_and_models,
    grouped,
    judge,
    known_runs,
    left_out,
    time_ordered,
    variance_inflation,
)
from perf_assets.analysis.durations import DRIVER_COLUMNS, duration_drivers

FIGURES = [name for name in MODEL_COLUMNS if name.startswith("r_squared")]


def drawn(count: int, seed: int = 1, scenarios: int = 4) -> pd.DataFrame:
    """Runs, an hour apart, whose duration follows nothing but noise."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "project": "own", "run_id": range(count),
            "scenario": [f"scenario-{number}" for number in random.integers(0, scenarios, count)],
            "ts": pd.Timestamp("2026-09-01") + pd.to_timedelta(np.arange(count), "h"),
            "duration": 900.0 + 100.0 * random.standard_normal(count), "nodes": random.uniform(100, 900, count),
            "edges": random.uniform(300, 3_000, count), "observations": random.uniform(50, 300, count),
            "risks": random.integers(0, 4, count).astype(float),
        }
    )  # fmt: skip


def of_risks(count: int = 60, seed: int = 1) -> pd.DataFrame:
    return drawn(count, seed).assign(duration=lambda t: t["duration"] + 300.0 * t["risks"])


def of_scenario(count: int = 60, seed: int = 1) -> pd.DataFrame:
    effects = {"scenario-0": 0.0, "scenario-1": 900.0, "scenario-2": 300.0, "scenario-3": 1_500.0}
    return drawn(count, seed).assign(duration=lambda t: t["duration"] + t["scenario"].map(effects))


def chosen(models: pd.DataFrame) -> pd.Series:
    return models[models["chosen"]].iloc[0]


# Splits


def test_later_runs_are_predicted_from_earlier_ones_alone() -> None:
    runs = drawn(40)
    # Two runs of one time, of which neither is before the other.
    runs.loc[21, "ts"] = runs.loc[22, "ts"]
    known = known_runs(runs.sample(frac=1.0, random_state=0))
    splits = time_ordered(known)
    times = known.runs["ts"].to_numpy()
    assert len(splits) == 5
    assert all(times[split.fitted].max() < times[split.held_out].min() for split in splits)
    held_out = np.sum([split.held_out for split in splits], axis=0)
    assert held_out.tolist() == [0] * 20 + [1] * 20


@pytest.mark.parametrize("times", [pd.NaT, pd.Timestamp("2026-09-01")])
def test_runs_without_times_of_their_own_have_no_order(times: object) -> None:
    _, models = drivers_and_models(of_risks().assign(ts=times))
    assert models["r_squared_time_ordered"].isna().all()
    assert models["r_squared_left_out"].notna().all()
    assert chosen(models)["model"] == "all columns"


@pytest.mark.parametrize(("count", "folds"), [(7, 0), (8, 8), (30, 30), (31, 10)])
def test_each_run_is_left_out_once(count: int, folds: int) -> None:
    splits = left_out(known_runs(drawn(count)))
    assert len(splits) == folds
    assert all(not (split.fitted & split.held_out).any() for split in splits)
    if splits:
        assert np.sum([split.held_out for split in splits], axis=0).tolist() == [1] * count


def test_runs_of_one_scenario_stay_together() -> None:
    known = known_runs(drawn(60, scenarios=15))
    for split in grouped(known):
        assert not set(known.group[split.fitted]) & set(known.group[split.held_out])
    assert grouped(known_runs(drawn(60, scenarios=1))) == []


# Candidates


@pytest.mark.parametrize("name", CANDIDATES)
def test_each_candidate_finds_what_it_is_made_for(name: str) -> None:
    runs, later = drawn(120, 1), drawn(200, 2)
    causes = {
        "three features": lambda t: 1.0 * t["nodes"] + 0.4 * t["edges"],
        "all columns": lambda t: 300.0 * t["risks"] + 400.0 * (t["scenario"] == "scenario-2"),
        "logarithms": lambda t: 2.0 * t["nodes"] * np.sqrt(t["edges"]) / 20.0,
        "gradient boosting": lambda t: 900.0 * (t["nodes"].between(300, 700)),
    }
    cause = causes[name]
    known = known_runs(runs.assign(duration=100.0 + cause(runs)))
    columns = list(known.columns)
    predict = CANDIDATES[name](known.numeric, known.scenarios, known.duration)
    indicators = (later["scenario"].to_numpy()[:, None] == np.array(known.names)).astype(float)
    errors = 100.0 + cause(later) - predict(later[columns].to_numpy(), indicators)
    assert errors.var() < 0.1 * cause(later).var()


def test_the_effect_of_a_scenario_of_one_run_is_drawn_to_none() -> None:
    runs = drawn(40, scenarios=2)
    runs.loc[0, ["scenario", "duration"]] = "once", 5_000.0
    known = known_runs(runs)
    predict = CANDIDATES["all columns"](known.numeric, known.scenarios, known.duration)
    mean = known.numeric.mean(axis=0)[None]
    effect = predict(mean, np.array([[1.0, 0.0, 0.0]])) - predict(mean, np.array([[0.0, 1.0, 0.0]]))
    assert known.names[0] == "once"
    assert 500.0 < effect[0] < 2_600.0


def test_logarithms_are_back_transformed_to_the_mean() -> None:
    random = np.random.default_rng(5)
    runs = drawn(400).assign(duration=np.exp(random.normal(5.0, 1.0, 400)))
    known = known_runs(runs)
    predict = CANDIDATES["logarithms"](known.numeric, known.scenarios, known.duration)
    expected = predict(known.numeric, known.scenarios)
    # The median would be less by a factor of exp(1/2).
    assert expected.mean() == pytest.approx(known.duration.mean(), rel=0.1)


def test_nothing_is_extrapolated() -> None:
    runs = drawn(60).assign(duration=lambda t: t["edges"])
    judged = judge(runs)
    far = runs.head(1).assign(edges=1e9)
    assert judged.expect(far)["expected"].iloc[0] <= runs["duration"].max() * 1.01


# Judging


def test_the_cause_is_chosen_and_borne_out_by_later_runs() -> None:
    for runs, names in ((of_risks(), ["all columns"]), (of_scenario(), ["all columns", "gradient boosting"])):
        _, models = drivers_and_models(runs)
        best = chosen(models)
        assert best["model"] in names
        assert best["r_squared_time_ordered_low"] < best["r_squared_time_ordered"] < best["r_squared_time_ordered_high"]
        assert best["borne_out"] > 0.3
        assert models["chosen"].sum() == 1
    # A cause that is the scenario itself says nothing of scenarios that were left out.
    assert best["r_squared_grouped_low"] < 0


def test_the_simplest_is_chosen_among_equals() -> None:
    runs = drawn(80).assign(duration=lambda t: 0.2 * t["duration"] + t["nodes"] + 0.3 * t["edges"])
    assert chosen(drivers_and_models(runs)[1])["model"] == "three features"


def test_a_cause_that_ceased_is_not_borne_out_by_later_runs() -> None:
    runs = of_risks(100)
    runs["duration"] -= 300.0 * runs["risks"] * (np.arange(100) >= 50)
    _, models = drivers_and_models(runs)
    assert (models["borne_out"] < 0).all()


def test_a_run_of_overwhelming_leverage_is_named_and_judged_without() -> None:
    runs = drawn(30)
    runs.loc[7, ["edges", "duration"]] = 60_000.0, 20_000.0
    drivers, models = drivers_and_models(runs)
    assert drivers["r_squared"].iloc[0] > 0.9
    assert (models["without_run"] == 7).all()
    assert models["r_squared_without_run"].notna().all()
    assert (models["borne_out"] <= models["r_squared_without_run_low"]).all()
    assert (models["borne_out"] <= models["r_squared_left_out_low"]).all()
    assert (models["borne_out"] <= models["r_squared_time_ordered"]).all()
    assert drivers["share"].isna().all()
    assert drivers_and_models(drawn(60))[1]["without_run"].isna().all()


def test_a_scenario_never_seen_is_beyond_the_model() -> None:
    runs = of_scenario()
    wanted = runs.head(2).assign(scenario=["scenario-1", "new"])
    found = judge(runs).expect(wanted)
    assert found["beyond_model"].tolist() == [False, True]
    assert found["expected"].notna().all()
    missing = judge(runs).expect(wanted.assign(nodes=[np.nan, 400.0]))
    assert missing["expected"].isna().tolist() == [True, False]
    with pytest.raises(ValueError, match="none was chosen"):
        judge(runs.head(5)).expect(wanted)


def test_risks_count_where_nearly_all_runs_have_them() -> None:
    runs = of_risks()
    assert known_runs(runs.assign(risks=np.nan)).columns == ("nodes", "edges", "observations")
    few = runs.assign(risks=runs["risks"].where(np.arange(60) >= 5))
    assert known_runs(few).columns == ("nodes", "edges", "observations", "risks")
    assert known_runs(few).duration.size == 55
    many = runs.assign(risks=runs["risks"].where(np.arange(60) >= 20))
    assert known_runs(many).columns == ("nodes", "edges", "observations")
    assert known_runs(many).duration.size == 60


# Shares


def test_shares_are_of_the_cause() -> None:
    for runs, cause in ((of_risks(), "risks"), (of_scenario(), "scenario")):
        drivers, _ = drivers_and_models(runs)
        own = drivers.set_index("driver").loc[cause]
        assert own["share"] > 0.9
        assert own["share_low"] <= own["share"] <= own["share_high"]


def test_nothing_explained_has_no_shares() -> None:
    for seed in range(3):
        drivers, models = drivers_and_models(drawn(60, seed))
        assert drivers[["share", "share_low", "share_high"]].isna().all(axis=None)
        assert chosen(models)["borne_out"] < 0


def test_correlated_features_share() -> None:
    runs = drawn(80)
    runs["nodes"] = 3.0 * runs["observations"] + np.random.default_rng(1).normal(0, 5, 80)
    runs["duration"] += 4.0 * runs["observations"]
    drivers = drivers_and_models(runs)[0].set_index("driver")
    assert drivers.loc["nodes", "permuted_together"] == drivers.loc["observations", "permuted_together"]
    assert drivers.loc["nodes", "permuted_together"] == "nodes, observations"
    assert drivers.loc["nodes", "share"] == drivers.loc["observations", "share"]
    assert drivers.loc["nodes", "share"] > 0.9
    assert drivers.loc["nodes", "vif"] > 100
    assert drivers.loc["edges", "vif"] < 1.5


def test_a_feature_that_the_scenario_decides_is_permuted_with_it() -> None:
    runs = drawn(60)
    known = known_runs(runs.assign(edges=runs["scenario"].str[-1].astype(float) * 1_000 + runs["nodes"] / 10))
    groups = correlated_groups(known, ("nodes", "edges", "observations", "risks", "scenario"))
    assert groups == [("nodes",), ("edges", "scenario"), ("observations",), ("risks",)]
    # A scenario each says nothing of what scenarios decide.
    alone = known_runs(runs.assign(scenario=[f"s{number}" for number in range(60)]))
    assert ("scenario",) in correlated_groups(alone, ("nodes", "edges", "scenario"))


def test_variance_inflation_is_that_of_the_correlation() -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((500, 2))
    both = np.column_stack((x[:, 0], 0.8 * x[:, 0] + 0.6 * x[:, 1]))
    r = np.corrcoef(both.T)[0, 1]
    assert variance_inflation(both) == pytest.approx([1 / (1 - r**2)] * 2)
    found = variance_inflation(np.column_stack((x, x.sum(axis=1), np.ones(500))))
    assert np.isinf(found[:3]).all()
    assert np.isnan(found[3])


# Properties


@limits(max_examples=5)
@given(st.integers(0, 1_000), st.floats(0.01, 1_000))
def test_the_unit_of_duration_changes_no_figure(seed: int, factor: float) -> None:
    runs = of_risks(32, seed)
    first, second = (drivers_and_models(own) for own in (runs, runs.assign(duration=runs["duration"] * factor)))
    pd.testing.assert_frame_equal(first[1], second[1], rtol=1e-6)
    columns = list(SHARE_COLUMNS)
    pd.testing.assert_frame_equal(first[0][columns], second[0][columns], rtol=1e-6)


@limits(max_examples=5)
@given(st.integers(0, 1_000), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(seed: int, random: object) -> None:
    runs = of_scenario(32, seed)
    order = list(range(32))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, second = drivers_and_models(runs), drivers_and_models(runs.iloc[order])
    pd.testing.assert_frame_equal(first[1], second[1])
    columns = list(SHARE_COLUMNS)
    pd.testing.assert_frame_equal(first[0][columns], second[0][columns])


def test_the_order_in_time_changes_time_ordered_figures_alone() -> None:
    runs = of_risks(100)
    backwards = runs.assign(ts=runs["ts"].to_numpy()[::-1])
    first, second = (drivers_and_models(own)[1].set_index("model") for own in (runs, backwards))
    linear = ["three features", "all columns", "logarithms"]
    columns = ["r_squared_grouped"]
    # Folds of runs left out are of one order of time, so they are others backwards.
    pd.testing.assert_frame_equal(first.loc[linear, columns], second.loc[linear, columns])
    assert (first["r_squared_time_ordered"] != second["r_squared_time_ordered"]).all()


@limits(max_examples=20)
@given(
    st.integers(0, 40), st.integers(0, 1_000), st.integers(1, 8),
    st.lists(st.sampled_from(["nodes", "edges", "observations", "risks", "duration", "ts"]), max_size=3),
    st.booleans(),
)  # fmt: skip
def test_any_runs_have_tables(count: int, seed: int, scenarios: int, holed: list[str], whole: bool) -> None:
    runs = drawn(count, seed, scenarios)
    random = np.random.default_rng(seed)
    for column in holed:
        runs[column] = runs[column].where(random.random(count) < (0.0 if whole else 0.7))
    drivers, models = drivers_and_models(runs)
    assert list(drivers.columns) == [*DRIVER_COLUMNS, *SHARE_COLUMNS[2:]]
    assert list(models.columns) == list(MODEL_COLUMNS)
    assert len(models) == (len(CANDIDATES) if count else 0)
    pd.testing.assert_frame_equal(drivers[list(DRIVER_COLUMNS)], duration_drivers(runs))
    assert (models[FIGURES].isna() | (models[FIGURES] <= 1.0)).all(axis=None)
    known = drivers.dropna(subset=["share"])
    if len(known):
        assert known[["share", "share_low", "share_high"]].map(lambda value: 0 <= value <= 1).all(axis=None)
        assert known.drop_duplicates("permuted_together")["share"].sum() == pytest.approx(1)


def test_columns_that_were_never_recorded_are_missing() -> None:
    runs = of_scenario(30).drop(columns=["ts", "run_id"])
    _, models = drivers_and_models(runs)
    assert models["r_squared_left_out"].notna().all()
    assert models["chosen"].sum() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"duration": 700.0}, {"nodes": 5.0, "edges": 5.0, "observations": 0.0, "risks": 0.0}, {"scenario": None},
        {"duration": lambda t: t["duration"] - 900.0},
    ],
)  # fmt: skip
def test_degenerate_runs_have_figures_or_none(change: dict[str, object]) -> None:
    _, models = drivers_and_models(of_risks(30).assign(**change))
    assert (models[FIGURES].isna() | (models[FIGURES] <= 1.0)).all(axis=None)
