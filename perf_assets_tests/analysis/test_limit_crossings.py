"""A limit that is crossed is a finding where no step and no drift tells it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.limit_crossings import find_limit_crossings
from perf_assets.analysis.regressions import MEMBER_COLUMNS, REGRESSION_COLUMNS, RegressionRules
from perf_assets_tests.analysis.signals import MONDAY, FloatArray, daily_buckets, white

LIMIT = 0.9
NOBODY = pd.DataFrame({"series_id": pd.Series(dtype="int64")})


def crossings(
    series: Sequence[FloatArray], standing: Sequence[int] = (), side: str = "upper", limit: float = LIMIT
) -> tuple[pd.DataFrame, pd.DataFrame]:
    buckets = pd.concat([daily_buckets(values, number) for number, values in enumerate(series)])
    rows = [
        {"series_id": number, "project": "p", "metric": "memory_usage", "unit": "1", "direction": "lower_is_better",
         "test_name": None, "node_id": f"node-{number}", "node_type": None, "title": f"title {number}",
         "simulated": False}
        for number in range(len(series))
    ]  # fmt: skip
    of_series = pd.DataFrame({"series_id": np.arange(len(series)), "limit_value": limit, "side": side})
    told = pd.DataFrame({"series_id": pd.Series(standing, dtype="int64")})
    return find_limit_crossings(buckets, of_series, told, pd.DataFrame(rows), RegressionRules())


def crossed(place: int = 60, count: int = 80, seed: int = 1) -> FloatArray:
    """Just below the limit, from `place` on just above it."""
    return np.where(np.arange(count) < place, 0.88, 0.93) + 0.005 * white(count, seed)


def test_a_limit_that_is_crossed_is_a_regression_since_then() -> None:
    table, members = crossings([crossed()])
    assert list(table.columns) == list(REGRESSION_COLUMNS)
    assert list(members.columns) == list(MEMBER_COLUMNS)
    (row,) = table.itertuples()
    assert (row.shape, row.kind, row.state, row.scope) == ("limit", "regression", "confirmed", "series")
    assert row.scope_name == "title 0"
    assert (row.first_bad_at, row.last_good_at) == (MONDAY + pd.Timedelta(days=60), MONDAY + pd.Timedelta(days=59))
    assert (row.before, row.after) == (pytest.approx(0.88, abs=0.01), pytest.approx(0.93, abs=0.01))
    assert row.change == pytest.approx(row.after / row.before - 1.0)
    assert row.explanation == "20 of the newest 20 values are beyond its limit of 90 %, and nearly none did before."
    assert members["changed_at"].tolist() == [row.first_bad_at]


def test_a_lower_limit_is_crossed_downwards() -> None:
    table, _ = crossings([1.0 - crossed()], side="lower", limit=0.1)
    assert len(table) == 1
    assert crossings([crossed()], side="lower", limit=0.5)[0].empty


@pytest.mark.parametrize(
    "values",
    [
        np.full(80, 0.95), np.full(80, 0.8), np.append(np.full(60, 0.8), np.full(6, 0.95)),
        np.concatenate((np.full(40, 0.8), np.full(20, 0.95), np.full(25, 0.8))),
        np.where(np.arange(80) % 2 == 0, 0.95, 0.85),
        np.append(np.where(np.arange(60) % 3 == 0, 0.95, 0.8), [0.95] * 9),
    ],
    ids=["always", "never", "six values", "over", "every second value", "often before"],
)  # fmt: skip
def test_what_crossed_nothing(values: FloatArray) -> None:
    assert crossings([values])[0].empty


def test_what_another_finding_tells_is_not_told_again() -> None:
    table, _ = crossings([crossed(), crossed(seed=2)], standing=[1])
    assert table["scope_name"].tolist() == ["title 0"]


def test_without_series_there_are_none() -> None:
    table, members = find_limit_crossings(
        daily_buckets(crossed(), 1).head(0),
        pd.DataFrame({"series_id": [], "limit_value": [], "side": []}).astype({"series_id": "int64"}),
        NOBODY,
        pd.DataFrame({"series_id": [], "direction": []}).astype({"series_id": "int64"}),
        RegressionRules(),
    )
    assert table.empty
    assert members.empty


def test_values_about_the_limit_seldom_cross_it() -> None:
    drawn = [LIMIT + 0.01 * white(120, seed) for seed in range(200)]
    assert len(crossings(drawn)[0]) <= 2


@given(st.integers(20, 73), st.integers(0, 1_000))
@limits(max_examples=30)
def test_more_values_beyond_the_limit_move_nothing(place: int, seed: int) -> None:
    (now,) = crossings([crossed(place, 80, seed)])[0].itertuples()
    (later,) = crossings([np.append(crossed(place, 80, seed), [0.97] * 20)])[0].itertuples()
    assert (now.regression_id, now.first_bad_at) == (later.regression_id, later.first_bad_at)
    assert later.p_value <= now.p_value
