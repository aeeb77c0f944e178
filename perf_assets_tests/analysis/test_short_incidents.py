"""Some hours far from usual, in whatever shape: an incident that no change of level tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.anomalies import find_anomalies
from perf_assets.analysis.regressions import MEMBER_COLUMNS, REGRESSION_COLUMNS, RegressionRules
from perf_assets.analysis.short_incidents import find_short_incidents
from perf_assets_tests.analysis.signals import MONDAY, FloatArray, autoregressive, white

POINTS, BEGIN = 400, 240
RAMP = np.arange(2.0, 10.0)
NOTHING = pd.DataFrame(
    {"series_id": pd.Series(dtype="int64"), "changed_at": pd.Series(dtype="datetime64[us]"), "q_value": 0.0}
)


def hourly(*ramps: int, rise: FloatArray = RAMP, seed: int = 1, points: int = POINTS) -> FloatArray:
    """Values of about 1, and for some hours from each of the places on `rise` times as much."""
    values = 1.0 + 0.03 * white(points, seed)
    for begin in ramps:
        values[begin : begin + rise.size] *= rise[: points - begin]
    return values


def incidents(
    series: Sequence[FloatArray],
    changes: pd.DataFrame = NOTHING,
    members: pd.DataFrame = NOTHING,
    width: str = "1h",
    anchors: pd.DataFrame | None = None,
    nodes: Sequence[str] | None = None,
    **about: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Findings and members; `about` a value or one for each series."""
    buckets = pd.concat(
        [
            pd.DataFrame({"series_id": number, "ts": pd.date_range(MONDAY, periods=values.size, freq=width),
                          "value": values})
            for number, values in enumerate(series)
        ]
    )  # fmt: skip
    last = buckets.groupby("series_id")["ts"].max()
    rows = [
        {"series_id": number, "project": "p", "metric": "freshness_delay", "unit": "s",
         "direction": "lower_is_better", "test_name": f"test-{number}", "node_id": None, "node_type": None,
         "title": f"title {number}", "simulated": False, "buckets": values.size, "first_seen": MONDAY,
         "last_seen": last[number],
         "bucket_seconds": int(pd.Timedelta(width).total_seconds())} | about
        for number, values in enumerate(series)
    ]  # fmt: skip
    table = pd.DataFrame(rows).assign(node_id=nodes)
    return find_short_incidents(find_anomalies(buckets), changes, members, table, RegressionRules(), anchors)


def hour(number: int) -> pd.Timestamp:
    return MONDAY + pd.Timedelta(hours=number)


def test_a_ramp_that_is_over_is_an_incident_that_has_recovered() -> None:
    table, members = incidents([hourly(BEGIN, BEGIN + 100)])
    assert list(table.columns) == list(REGRESSION_COLUMNS)
    assert list(members.columns) == list(MEMBER_COLUMNS)
    first, second = table.sort_values("first_bad_at").itertuples()
    assert (first.shape, first.kind, first.state, first.scope) == ("incident", "regression", "confirmed", "series")
    assert first.scope_name == "title 0"
    assert (first.first_bad_at, first.recovered_at) == (hour(BEGIN), hour(BEGIN + 8))
    assert (second.first_bad_at, second.recovered_at) == (hour(BEGIN + 100), hour(BEGIN + 108))
    assert first.before == pytest.approx(1.0, abs=0.05)
    assert first.after == pytest.approx(9.0, rel=0.1)
    assert first.change == pytest.approx(first.after / first.before - 1.0)
    assert first.explanation.startswith(
        "8 values one after the other went further from what is usual than any values before them"
    )
    assert members["changed_at"].tolist() == table["first_bad_at"].tolist()


def test_it_stands_while_it_lasts_and_keeps_its_id() -> None:
    ids = set()
    for points in range(BEGIN + 4, BEGIN + 9):
        (row,) = incidents([hourly(BEGIN, points=points)])[0].itertuples()
        assert pd.isna(row.recovered_at)
        ids.add(row.regression_id)
    (row,) = incidents([hourly(BEGIN, points=BEGIN + 9)])[0].itertuples()
    assert row.recovered_at == hour(BEGIN + 8)
    assert ids == {row.regression_id}


@pytest.mark.parametrize(
    "quiet",
    [
        {"rise": RAMP[:3]}, {"rise": 1.0 / RAMP}, {"rise": 1.0 + 0.01 * RAMP}, {"rise": np.full(30, 9.0)},
    ],
    ids=["three values", "for the better", "small", "longer than a day"],
)  # fmt: skip
def test_what_is_no_incident(quiet: dict[str, FloatArray]) -> None:
    assert incidents([hourly(BEGIN, **quiet)])[0].empty


@pytest.mark.parametrize("about", [{"direction": "neutral"}, {"width": "12h"}], ids=["no direction", "twice a day"])
def test_where_nothing_is_worse_or_values_are_rare_there_are_none(about: dict[str, Any]) -> None:
    assert incidents([hourly(BEGIN)], **about)[0].empty


@pytest.mark.parametrize(("place", "told"), [(BEGIN - 2, True), (BEGIN + 30, True), (BEGIN - 30, False)])
def test_what_a_change_of_level_tells_is_not_told_again(place: int, told: bool) -> None:
    change = pd.DataFrame({"series_id": [0], "changed_at": [hour(place)], "q_value": 0.01})
    assert incidents([hourly(BEGIN)], changes=change)[0].empty == told
    assert incidents([hourly(BEGIN)], members=change)[0].empty == told
    assert len(incidents([hourly(BEGIN)], changes=change.assign(q_value=0.2))[0]) == 1


def test_from_nothing_there_is_no_share() -> None:
    values = 0.01 * white(POINTS, 1)
    values[BEGIN : BEGIN + 8] += RAMP
    (row,) = incidents([values])[0].itertuples()
    assert (row.before, row.after) == (pytest.approx(0.0, abs=0.01), pytest.approx(9.0, abs=0.03))
    assert np.isnan(row.change)


def test_noise_of_any_kind_is_no_incident() -> None:
    heavy = np.random.default_rng(5).standard_t(2.5, (60, POINTS))
    kinds = [
        *(10.0 + white(POINTS, seed) for seed in range(60)), *(10.0 + one for one in heavy),
        *(10.0 + autoregressive(POINTS, 0.9, seed) for seed in range(60)),
        *(np.exp(white(POINTS, seed)) for seed in range(60)),
    ]  # fmt: skip
    assert len(incidents(kinds)[0]) <= 1


@given(st.integers(70, POINTS - 1), st.floats(1e-6, 1e6))
@limits(max_examples=25)
def test_the_unit_changes_nothing_but_levels(begin: int, unit: float) -> None:
    plain, scaled = (incidents([times * hourly(begin)])[0] for times in (1.0, unit))
    assert plain["regression_id"].tolist() == scaled["regression_id"].tolist()
    for name, times in (("change", 1.0), ("after", unit)):
        np.testing.assert_allclose(plain[name].astype(float) * times, scaled[name].astype(float))


SHORT = np.full(3, 1.6)


def of_node(odd: int, rise: FloatArray = SHORT, others: int = 12) -> list[FloatArray]:
    """Ten series of one node, the first `odd` of which rise for three hours, and those of another node."""
    return [hourly(*[BEGIN] * (place < odd), rise=rise, seed=place) for place in range(10 + others)]


def at_node(odd: int, anchors: pd.DataFrame | None = None, **about: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    return incidents(of_node(odd), anchors=anchors, nodes=[f"n{place // 10}" for place in range(22)], **about)


def test_three_values_are_an_incident_where_most_series_of_a_node_are_odd_at_once() -> None:
    table, members = at_node(9)
    (row,) = table.itertuples()
    assert (row.scope, row.scope_name, row.members, row.state) == ("node", "n0", 9, "confirmed")
    assert (row.first_bad_at, row.recovered_at) == (hour(BEGIN), hour(BEGIN + 3))
    assert row.change == pytest.approx(0.6, abs=0.1)
    assert row.explanation == "9 series of node n0 went further from what is usual than before at one time."
    assert sorted(members["series_id"]) == list(range(9))
    assert set(members["regression_id"]) == {row.regression_id}


def test_a_few_series_of_a_node_are_no_incident_of_it() -> None:
    assert at_node(4)[0].empty


def test_a_whole_project_is_named_before_its_nodes() -> None:
    table, _ = incidents(of_node(10, others=0), nodes=["n0"] * 5 + ["n1"] * 5)
    assert table[["scope", "scope_name", "members"]].values.tolist() == [["project", "p", 10]]


def test_what_was_confirmed_while_it_lasted_is_an_incident_with_its_id() -> None:
    lasted = {"low_ts": hour(BEGIN - 1), "high_ts": hour(BEGIN), "kind": "regression"}
    anchors = pd.DataFrame({"series_id": [str(place) for place in range(9)], "regression_id": "77", **lasted})
    assert at_node(9, anchors)[0]["regression_id"].tolist() == [77]
    (row,) = at_node(2, anchors)[0].itertuples()
    assert (row.regression_id, row.scope, row.members, row.explanation) == (
        77, "series", 2, "It was over within a day.",
    )  # fmt: skip
    assert at_node(2, anchors.assign(low_ts=hour(10), high_ts=hour(11)))[0].empty
    assert at_node(2, anchors.assign(kind="improvement"))[0].empty


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_what_nodes_have_in_common_is_no_incident_by_chance(correlation: float) -> None:
    noise = [10.0 + autoregressive(POINTS, correlation, seed) for seed in range(120)]
    assert incidents(noise, nodes=[f"n{place // 3}" for place in range(120)])[0].empty
