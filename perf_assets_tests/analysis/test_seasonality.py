from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.ragged import offsets_of
from perf_assets.analysis.seasonality import (
    PATTERN_COLUMNS,
    day_of_week,
    deseasonalise,
    deseasonalise_many,
    seasonal_patterns,
)
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, hourly, white


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


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_noise_alone_has_hardly_any_strength(correlation: float) -> None:
    many = [autoregressive(500, correlation, seed) for seed in range(30)]
    found = pd.concat([patterns(values, 3_600) for values in many])
    assert len(found) == 30
    assert found["strength"].mean() < 0.01


@pytest.mark.parametrize(("amplitude", "strength"), [(0.5, 1 / 9), (1.0, 1 / 3), (3.0, 9 / 11)])
def test_strength_is_the_share_of_variance(amplitude: float, strength: float) -> None:
    wave = amplitude * np.sin(2 * np.pi * np.arange(500) / 24)
    found = pd.concat([patterns(wave + white(500, seed), 3_600) for seed in range(30)])
    assert found["strength"].mean() == pytest.approx(strength, abs=0.03)


def test_a_trend_is_no_pattern() -> None:
    assert (patterns(0.05 * np.arange(500) + 0.1 * white(500, 1), 3_600)["strength"] < 0.05).all()
    assert (patterns(0.05 * np.arange(500), 3_600)["strength"] == 0).all()


def test_gaps_leave_the_pattern() -> None:
    ts = hourly(24 * 28)
    values = 5 * np.sin(2 * np.pi * (np.arange(ts.size) - 8) / 24) + white(ts.size, 7)
    kept = np.random.default_rng(8).random(ts.size) > 0.3
    kept[0] = kept[-1] = True
    buckets = pd.DataFrame({"series_id": 5, "ts": ts[kept], "value": values[kept]})
    found = seasonal_patterns(buckets, pd.Series({5: 3_600})).set_index("period")
    assert found.loc["daily", "strength"] > 0.8
    assert found.loc["daily", "peak"] in {"13:00 UTC", "14:00 UTC", "15:00 UTC"}
    assert found.loc["daily", "cycles"] == 28


def test_each_series_has_the_patterns_it_would_have_alone() -> None:
    widths = {1: 3_600, 2: 86_400, 3: 3_600, 7: 21_600, 9: 3_600}
    parts = []
    for number, seconds in widths.items():
        ts = pd.date_range(MONDAY, periods=150 * number, freq=pd.Timedelta(seconds=seconds))
        parts.append(pd.DataFrame({"series_id": number, "ts": ts, "value": white(ts.size, number)}))
    seconds = pd.Series(widths)
    together = seasonal_patterns(pd.concat(parts), seconds)
    alone = pd.concat([seasonal_patterns(part, seconds) for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
    assert list(together.columns) == list(PATTERN_COLUMNS)
    assert list(together.loc[together["series_id"] == 2, "period"]) == ["weekly", "monthly"]
    assert list(together.loc[together["series_id"] == 9, "period"]) == ["daily", "weekly"]


def test_nothing_has_no_patterns_but_the_columns() -> None:
    nothing = pd.DataFrame({"series_id": [], "ts": pd.to_datetime([]), "value": []})
    assert list(seasonal_patterns(nothing, pd.Series(dtype="float64")).columns) == list(PATTERN_COLUMNS)


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


@limits(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 700), st.sampled_from([20, 60, 180, 480, 1_440])), max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_many_are_deseasonalised_as_each_alone(shapes: list[tuple[int, int]], seed: int) -> None:
    random = np.random.default_rng(seed)
    moments, many = [], []
    for size, minutes in shapes:
        ts = hourly(1)[0] + np.cumsum(random.integers(1, 2 * minutes, size)).astype("timedelta64[m]")
        hours = (ts - hourly(1)[0]) / np.timedelta64(1, "h")
        values = (
            random.choice([0.0, 3.0]) * np.sin(hours * np.pi / 12) + (hours // 24 % 7 >= 5) + random.normal(size=size)
        )
        moments.append(ts)
        many.append(np.where(random.random(size) < 0.05, np.nan, values))
    nothing = [np.empty(0)]
    together = deseasonalise_many(
        np.concatenate([*moments, hourly(0)]), np.concatenate(many or nothing), offsets_of([v.size for v in many])
    )
    alone = [deseasonalise(ts, values) for ts, values in zip(moments, many, strict=True)]
    assert np.array_equal(together, np.concatenate(alone or nothing), equal_nan=True)


def test_a_few_outliers_do_not_hide_a_daily_cycle() -> None:
    wave = np.sin(2 * np.pi * np.arange(960) / 24)
    values = 10 + wave + white(960, 5)
    values[::190] *= 6
    left = deseasonalise(hourly(960), values)
    assert np.corrcoef(values - left, wave)[0, 1] > 0.95
    assert patterns(values, 3_600).loc["daily", "strength"] == pytest.approx(1 / 3, abs=0.1)


@pytest.mark.parametrize(("days", "first"), [(14, 0), (14, 3), (20, 0), (24, 5)])
def test_weekends_are_known_from_the_second_week_on(days: int, first: int) -> None:
    hours = hourly((days + first) * 24)[first * 24 :]
    weekend = 15.0 * (day_of_week(hours) >= 5)
    left = deseasonalise(hours, 100 + weekend + 5 * white(hours.size, 7))
    assert abs(left[weekend > 0].mean() - left[weekend == 0].mean()) < 2.0


@pytest.mark.parametrize("days", [10, 14, 20])
def test_a_step_is_no_weekend(days: int) -> None:
    for place in (0.4, 0.5, 0.7):
        values = 100 + 5 * white(days * 24, 8)
        values[int(place * values.size) :] += 15.0
        left = deseasonalise(hourly(values.size), values)
        assert abs(left[-24:].mean() - left[:24].mean()) > 10.0


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_weekdays_that_differ_by_chance_are_left_alone(correlation: float) -> None:
    taken_out = 0
    for seed in range(60):
        values = autoregressive(14 * 24, correlation, seed)
        by_day = (values - deseasonalise(hourly(values.size), values)).reshape(14, 24).mean(axis=1)
        taken_out += bool(np.ptp(by_day) > 1e-9)
    assert taken_out <= 6


@pytest.mark.parametrize("correlation", [0.6, 0.9, 1.0])
@pytest.mark.parametrize("days", [5, 28])
def test_what_wanders_over_hours_has_no_days_or_weeks(correlation: float, days: int) -> None:
    hours = MONDAY.to_numpy() + np.arange(24 * days) * np.timedelta64(1, "h")
    taken = []
    for seed in range(60):
        walk = white(24 * days, seed).cumsum() if correlation == 1.0 else autoregressive(24 * days, correlation, seed)
        taken.append(not np.allclose(deseasonalise(hours, walk), walk))
    assert np.mean(taken) <= 0.07
