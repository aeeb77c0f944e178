from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.seasonality import deseasonalise, seasonal_patterns
from perf_assets_tests.analysis.signals import MONDAY, hourly, white


def patterns(values: np.ndarray, seconds: int) -> pd.DataFrame:
    ts = pd.date_range(MONDAY, periods=values.size, freq=pd.Timedelta(seconds=seconds))
    buckets = pd.DataFrame({"series_id": 1, "ts": ts, "value": values})
    return seasonal_patterns(buckets, pd.Series({1: seconds})).set_index("period")


def test_a_daily_cycle_is_strong_and_its_peak_is_named() -> None:
    hours = np.arange(24 * 30)
    found = patterns(10 * np.sin(2 * np.pi * (hours - 8) / 24) + white(hours.size, 1), 3_600)
    assert found.loc["daily", "strength"] > 0.9
    assert found.loc["daily", "peak"] in {"13:00 UTC", "14:00 UTC", "15:00 UTC"}
    assert 17 < found.loc["daily", "amplitude"] < 25
    assert found.loc["weekly", "strength"] < 0.6


def test_a_quiet_weekend_is_a_weekly_pattern() -> None:
    days = np.arange(84)
    found = patterns(np.where(days % 7 >= 5, -5.0, 0.0) + 0.5 * white(84, 2), 86_400)
    assert found.loc["weekly", "strength"] > 0.9
    assert found.loc["weekly", "trough"] in {"Saturday", "Sunday"}


def test_a_month_needs_four_months() -> None:
    days = np.arange(150)
    wave = 5 * np.sin(2 * np.pi * days / 30)
    assert patterns(wave + 0.3 * white(150, 3), 86_400).loc["monthly", "strength"] > 0.8
    assert "monthly" not in patterns(wave[:100], 86_400).index


def test_short_or_constant_series_have_no_pattern() -> None:
    assert patterns(white(20, 4), 86_400).empty
    assert patterns(np.full(100, 3.0), 86_400).empty


def test_deseasonalising_takes_the_cycle_and_leaves_the_step() -> None:
    ts = hourly(24 * 30)
    noise = white(ts.size, 5)
    cycle = 5 * np.sin(2 * np.pi * np.arange(ts.size) / 24)
    step = np.where(np.arange(ts.size) >= 400, 3.0, 0.0)
    clean = deseasonalise(ts, noise + cycle + step)
    assert abs(np.corrcoef(clean, cycle)[0, 1]) < 0.05
    assert abs((clean[400:].mean() - clean[:400].mean()) - 3.0) < 0.2


def test_noise_without_cycle_is_left_as_it_is() -> None:
    values = white(24 * 30, 6)
    assert np.array_equal(deseasonalise(hourly(values.size), values), values)


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), max_size=80))
def test_gaps_stay_gaps_and_values_stay_values(values: list[float]) -> None:
    series = np.array(values)
    clean = deseasonalise(hourly(series.size), series)
    assert np.array_equal(np.isnan(clean), np.isnan(series))
