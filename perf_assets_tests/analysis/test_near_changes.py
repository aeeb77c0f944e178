"""Changes that are no finding: which are listed, in what order, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.near_changes import NEAR_COLUMNS, near_changes
from perf_assets.analysis.regressions import RegressionRules, find_regressions

START = pd.Timestamp("2026-01-01")
RULES = RegressionRules(threshold=0.10, thresholds={"loose": 0.40})
NO_MEMBERS = pd.DataFrame({"series_id": pd.Series(dtype="int64"), "changed_at": pd.Series(dtype="datetime64[us]")})


def series(*rows: dict[str, Any]) -> pd.DataFrame:
    common = {
        "project": "p", "metric": "time", "unit": "s", "direction": "lower_is_better", "measurements": 100,
        "level": 10.0,
        "test_name": "login", "node_id": None, "node_type": None, "simulated": False, "first_seen": START,
        "last_seen": START + pd.Timedelta(days=99), "as_of": START + pd.Timedelta(days=99),
    }  # fmt: skip
    return pd.DataFrame(
        [common | {"series_id": number, "title": f"s{number}"} | row for number, row in enumerate(rows)]
    )


def change(series_id: int = 0, size: float = 2.0, position: int = 90, **more: Any) -> dict[str, Any]:
    """A change from 10; 100 values, one a day."""
    at = START + pd.Timedelta(days=position)
    return {
        "series_id": series_id, "index_run_id": position, "previous_run_id": position - 1, "part_of_day": "all day",
        "position": position, "changed_at": at, "changed_at_low": at, "changed_at_high": at,
        "previous_at": at - pd.Timedelta(days=1), "before": 10.0, "after": 10.0 + size, "size": size,
        "size_low": 0.9 * size, "size_high": 1.1 * size, "noise": 0.1, "p_value": 1e-6, "q_value": 1e-5,
        "confirmed": True, "sharp": True, "settles_after": 12, "points_after": 100 - position,
        "second_mode": None, "mode_before": None, "mode_after": None,
    } | more  # fmt: skip


def listed(
    changes: Sequence[dict[str, Any]], fleet: pd.DataFrame | None = None, members: pd.DataFrame = NO_MEMBERS
) -> pd.DataFrame:
    table = near_changes(pd.DataFrame(changes), series({}) if fleet is None else fleet, members, RULES)
    assert tuple(table.columns) == NEAR_COLUMNS
    return table


@pytest.mark.parametrize(
    ("fields", "of_series", "reason"),
    [
        (
            {"q_value": 0.12},
            {},
            "too little evidence: of such changes 12 % are chance, of findings at most 5 %; 10 values at the new level",
        ),
        (
            {"q_value": 1.0, "points_after": 1},
            {},
            "too little evidence: of such changes 99 % are chance, of findings at most 5 %; 1 value at the new level",
        ),
        ({"size": 0.7}, {}, "smaller than the 10 % from which this metric matters"),
        ({"size": 3.0}, {"metric": "loose"}, "smaller than the 40 % from which this metric matters"),
        ({"noise": 3.0}, {}, "smaller than the noise of one measurement"),
        ({}, {"direction": "neutral"}, "the metric has no direction, so this is neither better nor worse"),
        ({}, {}, "may be chance among the series that no common cause explains"),
    ],
)
def test_the_reason_is_the_rule_that_kept_it_out(
    fields: dict[str, Any], of_series: dict[str, Any], reason: str
) -> None:
    table = listed([change(**fields)], series(of_series))
    assert table["reason"].tolist() == [reason]
    assert table["change"].iloc[0] == pytest.approx(fields.get("size", 2.0) / 10.0)


def test_what_nobody_sees_or_asks_for_is_not_listed() -> None:
    assert listed([change(size=0.4)]).empty  # less than half of the threshold
    assert listed([change(size=1.0, position=60)]).empty  # not recent
    assert len(listed([change(size=1.0, position=70)])) == 1  # one of the last 30 values
    assert len(listed([change(size=1.0, position=810)], series({"measurements": 1000}))) == 1  # of the last fifth
    assert len(listed([change(size=-2.5, position=10)])) == 1  # large


def test_a_change_from_zero_is_large_and_has_no_share() -> None:
    table = listed(
        [change(before=0.0, after=2.0, position=5, q_value=0.5), change(before=1e-9, after=2.0, q_value=0.5)]
    )
    assert len(table) == 2
    assert table["change"].isna().all()


def test_members_are_not_listed_again_even_if_found_twice() -> None:
    at = START + pd.Timedelta(days=90)
    twice = change(position=89, part_of_day="night 00-06 UTC", changed_at_high=at + pd.Timedelta(days=1))
    members = pd.DataFrame({"series_id": [0], "changed_at": [at]})
    fleet = series({}, {})
    assert listed([change(), twice], fleet, members).empty
    assert listed([change(), twice, change(1)], fleet, members)["series_id"].tolist() == [1]


def test_the_newest_come_first_and_of_these_the_largest() -> None:
    changes = [change(0, 1.0, 80), change(1, 1.5, 95), change(2, -3.0, 95), change(3, 1.0, 99)]
    assert listed(changes, series({}, {}, {}, {}))["series_id"].tolist() == [3, 2, 1, 0]


def test_without_changes_or_series_there_is_nothing() -> None:
    none = pd.DataFrame([change()]).iloc[:0]
    assert near_changes(none, series({}), NO_MEMBERS, RULES).empty
    assert near_changes(none, series({}).iloc[:0], NO_MEMBERS, RULES).empty


CHANGES = st.lists(
    st.builds(
        change,
        series_id=st.integers(0, 3),
        size=st.floats(-9.0, 40.0).filter(lambda size: abs(size) > 0.01),
        position=st.integers(1, 99),
        q_value=st.floats(0.0, 1.0),
        p_value=st.floats(0.0, 1.0),
        noise=st.floats(0.0, 5.0),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: (row["series_id"], row["position"]),
)


@given(CHANGES)
def test_every_large_change_is_a_finding_or_listed_with_a_reason_and_never_both(changes: list[dict[str, Any]]) -> None:
    fleet, table = series({}, {}, {"direction": "neutral"}, {"metric": "loose"}), pd.DataFrame(changes)
    runs = pd.DataFrame({"run_id": range(100), "run_key": [f"r{n}" for n in range(100)], "commit_id": None})
    limits = pd.DataFrame({"series_id": range(4), "smallest_detectable": 0.01})
    members = find_regressions(table, fleet, runs.assign(context=None), limits, RULES).members
    near = near_changes(table, fleet, members, RULES)
    told = set(zip(members["series_id"], members["changed_at"], strict=True))
    shown = set(zip(near["series_id"], near["changed_at"], strict=True))
    assert not told & shown
    large = table[np.abs(table["size"]) >= 8.0]  # twice the highest threshold, from 10
    assert set(zip(large["series_id"], large["changed_at"], strict=True)) <= told | shown
    assert near["reason"].str.len().gt(20).all()
    pd.testing.assert_frame_equal(near_changes(table.iloc[::-1], fleet, members, RULES), near)
