"""Creeping change: a finding of its own, counted since the last step, one for what drifts together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.drifts import drift_anchors, find_drifts, withdrawn_drifts
from perf_assets.analysis.regressions import MEMBER_COLUMNS, REGRESSION_COLUMNS, RegressionRules
from perf_assets_tests.analysis.signals import MONDAY, FloatArray, daily_buckets, white


def staircase(seed: int, share: float = 0.04) -> FloatArray:
    """Seven levels of ten runs, each so much above the one before."""
    return 100.0 * (1.0 + share) ** np.repeat(np.arange(7), 10) * (1.0 + 0.01 * white(70, seed))


def slope(seed: int, share: float = 0.005, size: int = 70) -> FloatArray:
    return 100.0 * (1.0 + share) ** np.arange(size) * (1.0 + 0.01 * white(size, seed))


def drifts(
    series: Sequence[FloatArray],
    steps: dict[int, int] | None = None,
    rules: RegressionRules | None = None,
    anchors: pd.DataFrame | None = None,
    **about: object,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Findings and members; `steps` by number of the series, `about` a value or one for each."""
    buckets = pd.concat([daily_buckets(values, number) for number, values in enumerate(series)])
    at = [(number, MONDAY + pd.Timedelta(days=place)) for number, place in (steps or {}).items()]
    rows = [
        {"series_id": number, "project": "p", "metric": "benchmark_time", "unit": "s", "direction": "lower_is_better",
         "test_name": f"test-{number}", "node_id": f"node-{number}", "node_type": None, "title": f"title {number}",
         "simulated": False, "level": float(np.median(values)), "noise": 1.0}
        | {name: value[number] if isinstance(value, list) else value for name, value in about.items()}
        for number, values in enumerate(series)
    ]  # fmt: skip
    limits_of = pd.DataFrame({"series_id": np.arange(len(series)), "smallest_detectable": 0.03})
    known = pd.DataFrame(at, columns=["series_id", "changed_at"]).astype({"changed_at": "datetime64[us]"})
    return find_drifts(buckets, known, pd.DataFrame(rows), limits_of, rules or RegressionRules(), anchors)


@pytest.mark.parametrize(("history", "change"), [(staircase, 0.29), (slope, 0.40)])
@pytest.mark.parametrize("direction", ["lower_is_better", "higher_is_better"])
def test_what_creeps_is_one_finding_since_the_beginning(history, change: float, direction: str) -> None:
    for seed in range(5):
        table, members = drifts([history(seed)], direction=direction)
        (row,) = table.itertuples()
        assert (row.shape, row.scope, row.scope_name, row.state) == ("drift", "series", "title 0", "confirmed")
        assert row.kind == ("regression" if direction == "lower_is_better" else "improvement")
        assert row.first_bad_at == MONDAY
        assert row.change == pytest.approx(change, abs=0.05)
        assert row.change_low < row.change < row.change_high
        assert row.after / row.before == pytest.approx(1.0 + row.change)
        assert row.smallest_detectable == 0.03
        assert members[["series_id", "regression_id"]].to_numpy().tolist() == [[0, row.regression_id]]
        assert tuple(table.columns) == REGRESSION_COLUMNS
        assert tuple(members.columns) == MEMBER_COLUMNS


def test_the_explanation_says_how_fast_and_how_long() -> None:
    table, _ = drifts([slope(1)])
    assert table["explanation"].tolist() == [
        "It has changed little by little, by +4.2 % a week for 10 weeks, with no step that counts by itself."
    ]


@pytest.mark.parametrize("far", [0.5, 1.8])
def test_outliers_at_the_end_make_a_drift_neither_larger_nor_smaller(far: float) -> None:
    for seed in range(5):
        values = 100.0 * 1.0006 ** np.arange(240) * (1.0 + 0.012 * white(240, seed))
        values[np.random.default_rng(seed).permutation(np.arange(160, 240, 3))[:14]] *= far
        (row,) = drifts([values])[0].itertuples()
        assert row.change == pytest.approx(1.0006**239 - 1.0, abs=0.008)


def test_odd_values_at_the_end_are_no_drift() -> None:
    values = 100.0 * (1.0 + 0.01 * white(150, 1))
    values[[104, 111, 117, 123, 130, 136, 143, 148]] *= 1.6
    assert drifts([values])[0].empty


def test_a_drift_down_is_the_other_kind() -> None:
    table, _ = drifts([slope(1, -0.005), 200.0 - slope(2)], direction=["lower_is_better", "higher_is_better"])
    assert dict(zip(table["series_id"], table["kind"], strict=True)) == {0: "improvement", 1: "regression"}


@pytest.mark.parametrize("seed", range(5))
def test_a_drift_of_five_percent_in_all_is_no_finding(seed: int) -> None:
    table, members = drifts([slope(seed, 0.05 / 70)])
    assert table.empty
    assert members.empty
    assert len(drifts([slope(seed, 0.05 / 70)], rules=RegressionRules(threshold=0.03))[0]) == 1


def test_noise_is_no_drift() -> None:
    table, _ = drifts([100.0 * (1.0 + 0.05 * white(70, seed)) for seed in range(100)])
    assert len(table) <= 1


def test_a_drift_smaller_than_the_noise_of_one_measurement_is_none() -> None:
    assert len(drifts([slope(1)], noise=30.0)[0]) == 1
    assert drifts([slope(1)], noise=50.0)[0].empty


def test_a_drift_is_counted_since_the_step() -> None:
    for seed in range(5):
        flat = np.concatenate((100.0 + white(40, seed), 130.0 + white(40, seed + 50)))
        assert drifts([flat], {0: 40})[0].empty
        drifting = np.concatenate((100.0 + white(40, seed), 1.3 * slope(seed)))
        (row,) = drifts([drifting], {0: 40})[0].itertuples()
        assert MONDAY + pd.Timedelta(days=40) <= row.first_bad_at <= MONDAY + pd.Timedelta(days=43)
        assert row.change == pytest.approx(0.4, abs=0.05)


def test_nodes_of_one_test_that_drift_alike_are_one_finding() -> None:
    series = [slope(1), slope(2, 0.006), slope(3), slope(4, -0.004), slope(5)]
    tests = ["login", "login", "login", "login", "search"]
    table, members = drifts(series, test_name=tests)
    told = table.set_index(["test_name", "kind"])[["members", "scope", "scope_name"]].to_dict("index")
    assert told == {
        ("login", "regression"): {"members": 3, "scope": "test", "scope_name": "login"},
        ("login", "improvement"): {"members": 1, "scope": "series", "scope_name": "title 3"},
        ("search", "regression"): {"members": 1, "scope": "series", "scope_name": "title 4"},
    }
    by_id = members.groupby("regression_id")["series_id"].apply(sorted).to_dict()
    assert sorted(by_id.values()) == [[0, 1, 2], [3], [4]]
    together = table.loc[table["members"] == 3, "explanation"].iloc[0]
    assert together.endswith(" On 3 series alike.")


def test_series_without_a_test_have_nothing_in_common() -> None:
    for name in (None, ""):
        table, _ = drifts([slope(1), slope(2)], test_name=name)
        assert table["members"].tolist() == [1, 1]


def test_a_neutral_metric_does_not_drift_for_better_or_worse() -> None:
    assert drifts([slope(1)], direction="neutral")[0].empty


def test_a_line_that_would_begin_beyond_zero_says_nothing() -> None:
    assert drifts([np.linspace(-5.0, 50.0, 70) + white(70, 1)])[0].empty


def test_many_quiet_series_make_a_doubtful_drift_more_doubtful() -> None:
    doubtful = 100.0 + np.linspace(0.0, 12.0, 70) + 8.0 * white(70, 6)
    rules = RegressionRules(threshold=0.03)
    alone, _ = drifts([doubtful], rules=rules)
    beside, _ = drifts([doubtful, *(100.0 + 8.0 * white(70, 100 + n) for n in range(60))], rules=rules)
    assert len(alone) == 1
    assert beside.empty or beside["q_value"].iloc[0] > 10.0 * alone["q_value"].iloc[0]


@limits(max_examples=15)
@given(st.integers(0, 1_000), st.sampled_from([1e-9, 1e-3, 1e9]))
def test_the_unit_does_not_matter(seed: int, factor: float) -> None:
    plain, _ = drifts([slope(seed)])
    scaled, _ = drifts([slope(seed) * factor], noise=factor)
    assert scaled["regression_id"].tolist() == plain["regression_id"].tolist()
    shares = ["change", "change_low", "change_high", "q_value"]
    np.testing.assert_allclose(
        scaled[shares].to_numpy(dtype=float), plain[shares].to_numpy(dtype=float), rtol=1e-6, atol=1e-12
    )


@limits(max_examples=15)
@given(st.lists(st.one_of(st.floats(-1e9, 1e9), st.just(np.nan)), min_size=1, max_size=40))
def test_any_numbers_give_sound_findings_or_none(values: list[float]) -> None:
    series = np.array(values)
    if np.isnan(series).all():
        return
    table, members = drifts([series], level=float(np.nanmedian(series)), noise=0.0)
    assert len(table) <= 1
    assert len(members) == len(table)
    assert np.isfinite(table[["before", "after", "change"]].to_numpy(dtype=float)).all()


def test_no_series_gives_empty_tables() -> None:
    table, members = drifts([white(3, 1)], direction="neutral")
    assert tuple(table.columns) == REGRESSION_COLUMNS
    assert tuple(members.columns) == MEMBER_COLUMNS


def flat_then_slope(seed: int, flat: int, weekly: float = 0.036, size: int = 70, noise: float = 0.01) -> FloatArray:
    rows = np.maximum(np.arange(flat + size) - flat, 0)
    return 100.0 * (1.0 + weekly / 7.0) ** rows * (1.0 + noise * white(flat + size, seed))


@pytest.mark.parametrize("flat", [30, 50, 100])
def test_a_drift_after_a_flat_stretch_is_counted_from_where_it_began(flat: int) -> None:
    off = []
    for seed in range(8):
        (row,) = drifts([flat_then_slope(seed, flat)])[0].itertuples()
        off.append((row.first_bad_at - MONDAY) / pd.Timedelta(days=1) - flat)
        assert row.change == pytest.approx(0.42, abs=0.1)
        assert row.before == pytest.approx(100.0, rel=0.04)
    assert abs(np.median(off)) <= 6


def test_a_drift_that_has_ended_stands_until_the_values_come_back() -> None:
    for seed in range(5):
        rise = flat_then_slope(seed, 0)
        plateau = np.append(rise, 142.0 * (1.0 + 0.01 * white(60, seed + 50)))
        (row,) = drifts([plateau])[0].itertuples()
        assert (row.first_bad_at - MONDAY) / pd.Timedelta(days=1) <= 6
        assert row.change == pytest.approx(0.42, abs=0.1)
        assert " until 2026-" in row.explanation
        assert drifts([np.append(rise, 100.0 * (1.0 + 0.01 * white(20, seed + 50)))], {0: 70})[0].empty


def test_a_drift_is_not_lost_when_a_step_comes_on_top() -> None:
    for seed in range(5):
        values = np.append(flat_then_slope(seed, 30), [170.0, 171.0, 170.5, 171.5])
        (row,) = drifts([values], {0: 100})[0].itertuples()
        assert row.change == pytest.approx(0.42, abs=0.1)


def test_a_drift_keeps_its_id_while_it_goes_on_and_is_withdrawn_when_it_is_gone() -> None:
    def found(values: FloatArray, anchors: pd.DataFrame | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        table, members = drifts([values], anchors=anchors)
        return table.assign(first_bad_run="run-1"), members

    end = MONDAY + pd.Timedelta(days=99)
    fleet = pd.DataFrame(
        {"series_id": [0], "project": "p", "metric": "m", "title": "t", "last_seen": [end], "as_of": [end]}
    )
    first, members = found(flat_then_slope(3, 30, size=60))
    anchors = drift_anchors(first, members, fleet)
    assert anchors["part_of_day"].tolist() == ["drift"]
    for size in (62, 66, 80):
        later, members = found(flat_then_slope(3, 30, size=size), anchors)
        assert later["regression_id"].tolist() == first["regression_id"].tolist()
        assert withdrawn_drifts(anchors, later, members, fleet).empty
    gone, members = found(100.0 + white(90, 3), anchors)
    assert gone.empty
    (row,) = withdrawn_drifts(anchors, gone, members, fleet).itertuples()
    assert row.regression_id == first["regression_id"].iloc[0]
    assert "no slope beyond chance" in row.reason
    step = first.assign(regression_id=7), members.assign(regression_id=7)
    told = pd.DataFrame({"regression_id": [7], "series_id": [0], "changed_at": [MONDAY + pd.Timedelta(days=80)]})
    (row,) = withdrawn_drifts(anchors, step[0], told, fleet).itertuples()
    assert row.reason == "With the newer measurements it is reported as a step."
