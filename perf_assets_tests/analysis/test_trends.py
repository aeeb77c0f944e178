from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.trends import find_trends
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, daily_buckets, white

NO_CHANGES = pd.DataFrame({"series_id": pd.Series(dtype="int64"), "changed_at": pd.Series(dtype="datetime64[us]")})


def trend_of(values: np.ndarray, direction: str = "lower_is_better", changes: pd.DataFrame = NO_CHANGES) -> pd.Series:
    buckets = daily_buckets(values)
    series = pd.DataFrame({"series_id": [1], "direction": [direction], "as_of": [buckets["ts"].max()]})
    return find_trends(buckets, series, changes).iloc[0]


@pytest.mark.parametrize(
    ("direction", "slope", "verdict"),
    [("lower_is_better", 0.1, "worse"), ("lower_is_better", -0.1, "better"), ("higher_is_better", 0.1, "better"),
     ("higher_is_better", -0.1, "worse"), ("neutral", 0.1, "rising"), ("neutral", -0.1, "falling"),
     ("lower_is_better", 0.0, "no trend")],
)  # fmt: skip
def test_the_direction_decides_what_a_slope_means(direction: str, slope: float, verdict: str) -> None:
    assert trend_of(50 + slope * np.arange(60) + 0.3 * white(60, 1), direction)["verdict"] == verdict


def test_change_per_week_is_relative_to_the_level_not_to_an_intercept() -> None:
    found = trend_of(0.01 * (np.arange(60) - 29.5) + 10)
    assert found["change_per_week"] == pytest.approx(0.07 / 10)


def test_the_interval_holds_the_slope() -> None:
    inside = 0
    for seed in range(60):
        found = trend_of(100 + 0.05 * np.arange(90) + autoregressive(90, 0.4, seed))
        inside += found["slope_low"] <= 0.05 <= found["slope_high"]
    assert inside >= 53


def test_autocorrelated_noise_without_trend_stays_near_the_nominal_rate() -> None:
    false = sum(trend_of(100 + autoregressive(336, 0.6, seed))["p_value"] < 0.05 for seed in range(100))
    assert false <= 12


def test_a_step_is_no_trend_once_its_change_point_is_known() -> None:
    values = np.concatenate((white(40, 2), 8 + white(40, 3)))
    changes = pd.DataFrame({"series_id": [1], "changed_at": [MONDAY + pd.Timedelta(days=40)]})
    assert trend_of(values)["verdict"] == "worse"
    assert trend_of(values, changes=changes)["verdict"] == "no trend"


def test_a_short_level_has_not_enough_data() -> None:
    changes = pd.DataFrame({"series_id": [1], "changed_at": [MONDAY + pd.Timedelta(days=55)]})
    found = trend_of(white(60, 4), changes=changes)
    assert found["verdict"] == "not enough data"
    assert np.isnan(found["p_value"])


def test_moving_averages_are_of_the_last_days() -> None:
    found = trend_of(np.arange(60, dtype=float))
    assert found["average_7d"] == pytest.approx(np.mean(np.arange(53, 60)))
    assert found["average_30d"] == pytest.approx(np.mean(np.arange(30, 60)))


@limits(max_examples=40)
@given(st.integers(0, 1_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_unit_and_level_do_not_change_the_evidence(seed: int, factor: float, shift: float) -> None:
    values = autoregressive(60, 0.3, seed) + 0.02 * np.arange(60)
    first, second = trend_of(values), trend_of(values * factor + shift)
    assert second["p_value"] == pytest.approx(first["p_value"], rel=1e-4, abs=1e-12)
    assert second["slope_per_day"] == pytest.approx(first["slope_per_day"] * factor, rel=1e-6, abs=1e-9 * factor)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_any_values_give_one_row(values: list[float]) -> None:
    assert trend_of(np.array(values))["points"] == len(values)
