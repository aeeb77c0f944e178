from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.ragged import offsets_of
from perf_assets.analysis.seasonality import day_of_week, deseasonalise, deseasonalise_many
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, hourly, white


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
