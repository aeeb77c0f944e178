from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.season_patterns import (
    CHANGE_COLUMNS,
    PATTERN_COLUMNS,
    PROFILE_COLUMNS,
    Seasons,
    find_seasons,
    with_q_values,
)
from perf_assets.analysis.seasonality import day_of_week, deseasonalise
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, hourly, white

HOUR, DAY = 3_600, 86_400


def seasons(
    values: np.ndarray, seconds: int = HOUR, periods: Sequence[str] = (), start: pd.Timestamp = MONDAY
) -> Seasons:
    ts = pd.date_range(start, periods=values.size, freq=pd.Timedelta(seconds=seconds))
    buckets = pd.DataFrame({"series_id": 1, "ts": ts, "value": values})
    return find_seasons(buckets, pd.Series({1: seconds}), periods)


def patterns(values: np.ndarray, seconds: int = HOUR, periods: Sequence[str] = ()) -> pd.DataFrame:
    return seasons(values, seconds, periods).patterns.set_index("period")


def significant(values: np.ndarray, seconds: int = HOUR, periods: Sequence[str] = ()) -> set[str]:
    found = patterns(values, seconds, periods)
    return set(found.index[found["significant"].astype(bool)])


def many(series: Sequence[np.ndarray], seconds: int = HOUR, periods: Sequence[str] = ()) -> Seasons:
    """Series of the same length."""
    ts = pd.date_range(MONDAY, periods=series[0].size, freq=pd.Timedelta(seconds=seconds))
    ids = np.arange(len(series))
    buckets = pd.DataFrame(
        {"series_id": np.repeat(ids, ts.size), "ts": np.tile(ts, ids.size), "value": np.concatenate(series)}
    )
    return find_seasons(buckets, pd.Series(seconds, index=ids), periods)


def noise(n: int, correlation: float, seed: int) -> np.ndarray:
    """AR(1), or the random walk that a correlation of 1 makes."""
    return white(n, seed).cumsum() if correlation == 1.0 else autoregressive(n, correlation, seed)


def job(days: int, hour: int, height: float, seed: int = 1) -> np.ndarray:
    """Hourly values around 100 with a job of three hours each day."""
    hours = np.arange(24 * days) % 24
    return 100 + white(24 * days, seed) + height * ((hours >= hour) & (hours < hour + 3))


def test_a_daily_peak_is_named_with_its_hours_and_size() -> None:
    row = patterns(job(30, 9, 38.0)).loc["daily"]
    assert row["significant"]
    assert row["p_value"] < 1e-6
    assert row["strength"] > 0.9
    assert row["peak"] == "09:00 to 12:00, 38 % above the median"
    assert 36 < row["amplitude"] < 42
    assert row["cycles"] == 30


def test_a_quiet_weekend_is_a_weekly_pattern() -> None:
    days = np.arange(84)
    row = patterns(20 + np.where(days % 7 >= 5, -5.0, 0.0) + 0.3 * white(84, 2), DAY).loc["weekly"]
    assert row["significant"]
    assert row["strength"] > 0.9
    assert row["trough"].startswith("Saturdays and Sundays, 2")
    assert row["trough"].endswith(" % below the median")


@pytest.mark.parametrize(("hours", "words"), [((9, 20), "Mondays 09:00 to 20:00, "), ((0, 24), "Mondays, ")])
def test_a_weekday_is_named_with_its_hours_where_only_these_are_high(hours: tuple[int, int], words: str) -> None:
    at = np.arange(24 * 56)
    monday = (at // 24 % 7 == 0) & (at % 24 >= hours[0]) & (at % 24 < hours[1])
    row = patterns(100 + 20.0 * monday + 5 * white(at.size, 3)).loc["weekly"]
    assert row["significant"]
    assert row["peak"].startswith(words)


@pytest.mark.parametrize("days", [14, 20])
def test_weekends_are_reported_from_the_second_week_on_as_they_are_taken_out(days: int) -> None:
    hours = hourly(24 * days)
    values = 100 + 15.0 * (day_of_week(hours) >= 5) + 5 * white(hours.size, 7)
    assert not np.array_equal(deseasonalise(hours, values), values)
    assert significant(values) == {"weekly"}


@pytest.mark.parametrize("height", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_what_is_reported_is_what_detection_takes_out(height: float) -> None:
    for seed in range(12):
        values = autoregressive(24 * 28, 0.6, seed) + height * np.sin(np.arange(24 * 28) * np.pi / 12)
        taken = not np.array_equal(deseasonalise(hourly(values.size), values), values)
        assert bool(significant(values)) == taken


def test_a_cycle_of_30_days_is_found_in_four_values_a_day() -> None:
    wave = np.sin(2 * np.pi * np.arange(480) / 120)
    assert significant(wave + white(480, 3), 6 * HOUR) == {"monthly"}
    assert significant(wave + white(480, 3), 6 * HOUR, ["30d"]) == {"monthly", "30d"}
    assert "30d" not in patterns(wave[:470] + white(470, 3), 6 * HOUR, ["30d"]).index


def test_the_days_of_a_calendar_month_are_named() -> None:
    days = pd.date_range(MONDAY, periods=183)
    values = 50 + 10.0 * ((days.day >= 5) & (days.day <= 7)) + 0.3 * white(183, 4)
    found = seasons(np.asarray(values), DAY)
    row = found.patterns.set_index("period").loc["monthly"]
    assert row["significant"]
    assert row["peak"].startswith("days 5 to 7 of the month, ")
    assert "day 5" in set(found.profiles["label"])


def test_a_month_needs_three_months() -> None:
    assert "monthly" in patterns(white(92, 5), DAY).index
    assert "monthly" not in patterns(white(60, 5), DAY).index


def test_half_a_day_is_sought_in_the_values_as_they_are() -> None:
    at = np.arange(24 * 14)
    values = 100 + 10.0 * (at % 12 == 3) + white(at.size, 6)
    row = patterns(values, HOUR, ["12h"]).loc["12h"]
    assert row["significant"]
    # Monday 1970-01-05, from which periods are counted, begins at midnight.
    assert row["peak"].startswith("hour 4 of 12, ")
    assert "12h" not in significant(white(at.size, 6), HOUR, ["12h"])


def test_long_periods_have_slots_of_several_buckets() -> None:
    at = np.arange(24 * 16)
    found = seasons(100 + 9.0 * (at // 2 % 24 == 5) + white(at.size, 7), HOUR, ["2d"])
    own = found.profiles[found.profiles["period"] == "2d"]
    assert len(own) == 24
    assert own["label"].iloc[5] == "hours 11 to 12 of 48"


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9, 1.0])
@pytest.mark.parametrize(("points", "seconds"), [(120, HOUR), (672, HOUR), (28, DAY), (480, 6 * HOUR)])
def test_noise_has_no_pattern(correlation: float, points: int, seconds: int) -> None:
    found = many([noise(points, correlation, seed) for seed in range(100)], seconds, ["30d"]).patterns
    assert found.loc[found["significant"].astype(bool), "series_id"].nunique() <= 8
    assert (found["p_value"] <= 0.05).mean() <= 0.07


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_noise_alone_has_hardly_any_strength(correlation: float) -> None:
    found = many([noise(500, correlation, seed) for seed in range(30)]).patterns
    daily = found[found["period"] == "daily"]
    assert len(daily) == 30
    assert daily["strength"].mean() < 0.01


@pytest.mark.parametrize(("amplitude", "strength"), [(0.5, 1 / 9), (1.0, 1 / 3), (3.0, 9 / 11)])
def test_strength_is_the_share_of_variance(amplitude: float, strength: float) -> None:
    wave = amplitude * np.sin(2 * np.pi * np.arange(500) / 24)
    found = many([wave + white(500, seed) for seed in range(30)]).patterns
    daily = found[found["period"] == "daily"]
    assert daily["strength"].mean() == pytest.approx(strength, abs=0.03)


def test_a_few_outliers_do_not_hide_the_strength() -> None:
    values = 10 + np.sin(2 * np.pi * np.arange(960) / 24) + white(960, 5)
    values[::190] *= 6
    assert patterns(values).loc["daily", "strength"] == pytest.approx(1 / 3, abs=0.1)


def test_a_trend_is_no_pattern() -> None:
    assert significant(0.05 * np.arange(500) + 0.1 * white(500, 1)) == set()
    assert significant(0.05 * np.arange(500)) == set()


def test_gaps_leave_the_pattern() -> None:
    ts = hourly(24 * 28)
    values = job(28, 13, 10.0)
    kept = np.random.default_rng(8).random(ts.size) > 0.3
    kept[0] = kept[-1] = True
    buckets = pd.DataFrame({"series_id": 5, "ts": ts[kept], "value": values[kept]})
    row = find_seasons(buckets, pd.Series({5: HOUR})).patterns.set_index("period").loc["daily"]
    assert row["peak"].startswith("13:00 to 16:00, ")
    assert row["cycles"] == 28


def test_profiles_have_intervals_that_cover_the_truth() -> None:
    truth = 3.0 * np.sin(2 * np.pi * np.arange(24) / 24)
    inside = []
    for seed in range(20):
        found = seasons(np.tile(truth, 20) + white(480, seed)).profiles
        own = found[found["period"] == "daily"]
        assert list(own["slot"]) == list(range(24))
        assert list(own["count"]) == [20] * 24
        inside += list((own["low"] <= truth) & (own["high"] >= truth))
    assert 0.92 <= np.mean(inside) <= 0.99


def test_only_patterns_have_words_and_profiles() -> None:
    found = seasons(white(480, 1))
    assert found.patterns["peak"].isna().all()
    assert found.profiles.empty
    assert found.changes.empty
    assert list(found.profiles.columns) == list(PROFILE_COLUMNS)


def test_a_job_that_moved_is_a_change_of_pattern() -> None:
    moved = np.concatenate((job(12, 2, 40.0, 1), job(12, 14, 40.0, 2)))
    (row,) = seasons(moved).changes.to_dict("records")
    assert row["period"] == "daily"
    assert row["changed_at"] == MONDAY + pd.Timedelta(days=12)
    assert row["p_value"] < 1e-6
    assert row["sentence"] == (
        "The daily pattern changed on 2026-06-13: before, peak 02:00 to 05:00, 40 % above the median; since then, "
        "peak 14:00 to 17:00, 40 % above the median."
    )


def test_a_job_that_grew_is_a_change_of_pattern() -> None:
    grown = np.concatenate((job(20, 2, 20.0, 1), job(10, 2, 40.0, 2)))
    (row,) = seasons(grown).changes.to_dict("records")
    assert row["changed_at"] == MONDAY + pd.Timedelta(days=20)
    assert row["before"] == "peak 02:00 to 05:00, 20 % above the median"
    assert row["after"] == "peak 02:00 to 05:00, 40 % above the median"


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_a_pattern_that_stays_has_not_changed(correlation: float) -> None:
    at = np.arange(24 * 20)
    wave = np.sin(2 * np.pi * at / 24) * np.sqrt(2)
    step = 5.0 * (at >= 300)
    found = many([noise(at.size, correlation, seed) + wave + step for seed in range(100)])
    assert found.changes["series_id"].nunique() <= 9


def test_a_weekly_pattern_of_few_values_that_doubled_has_changed() -> None:
    # Six weeks and six weeks: too few to see that any weekday differs, enough to see that all differ by more.
    week = np.arange(84) / 7.0
    sine = np.sqrt(2.0) * np.where(week >= 6, 2.0, 1.0)
    series = [sine * np.sin(2 * np.pi * (week + seed / 7)) + white(84, seed) for seed in range(60)]
    changes = many(series, DAY).changes
    assert (changes["period"] == "weekly").all()
    assert changes["series_id"].nunique() >= 50


def test_steps_in_two_of_four_weeks_are_no_weekly_pattern() -> None:
    random = np.random.default_rng(3)
    series = [white(28 * 24, seed) for seed in range(100)]
    for values in series:
        for place in random.integers(67, 605, 2):
            values[place:] += random.choice([-1.0, 1.0]) * random.uniform(3.0, 8.0)
    found = many(series).patterns
    assert found.loc[found["significant"].astype(bool), "series_id"].nunique() <= 6


def test_two_days_that_differ_are_no_new_pattern() -> None:
    values = np.concatenate((job(20, 2, 20.0, 1), job(2, 14, 20.0, 2)))
    assert seasons(values).changes.empty


def test_each_series_has_the_patterns_it_would_have_alone() -> None:
    widths = {1: HOUR, 2: DAY, 3: HOUR, 7: 21_600, 9: HOUR}
    parts = []
    for number, seconds in widths.items():
        ts = pd.date_range(MONDAY, periods=150 * number, freq=pd.Timedelta(seconds=seconds))
        wave = np.sin(np.arange(ts.size) * 2 * np.pi * seconds / DAY) * 2.0 * np.where(ts < ts[ts.size // 2], 1.0, 3.0)
        parts.append(pd.DataFrame({"series_id": number, "ts": ts, "value": white(ts.size, number) + wave}))
    seconds = pd.Series(widths)
    together = find_seasons(pd.concat(parts), seconds, ["2d"])
    alone = [find_seasons(part, seconds, ["2d"]) for part in parts]
    for name, columns in (("patterns", PATTERN_COLUMNS), ("profiles", PROFILE_COLUMNS), ("changes", CHANGE_COLUMNS)):
        table = getattr(together, name)
        expected = [getattr(one, name) for one in alone if len(getattr(one, name))]
        pd.testing.assert_frame_equal(table, pd.concat(expected, ignore_index=True), check_exact=True)
        assert list(table.columns) == list(columns)
    assert set(together.patterns["series_id"]) == set(widths)


def test_nothing_has_no_patterns_but_the_columns() -> None:
    found = find_seasons(
        pd.DataFrame({"series_id": [], "ts": pd.to_datetime([]), "value": []}), pd.Series(dtype="float64")
    )
    assert list(found.patterns.columns) == list(PATTERN_COLUMNS)
    assert list(found.changes.columns) == list(CHANGE_COLUMNS)
    assert patterns(np.full(100, 3.0), DAY).empty
    assert patterns(white(5, 4), DAY).empty


def test_q_values_count_the_tests_that_found_nothing() -> None:
    table = pd.DataFrame({"p_value": [0.01, 0.02]})
    assert list(with_q_values(table, 10)["q_value"]) == pytest.approx([0.1, 0.1])
    assert list(with_q_values(table, 2)["q_value"]) == pytest.approx([0.02, 0.02])


VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([float("nan"), 0.0, 3.0])), max_size=400)


@limits(max_examples=40, deadline=None)
@given(VALUES, st.lists(st.integers(1, 40), max_size=400), st.sampled_from([HOUR, 6 * HOUR, DAY, 7 * DAY]))
def test_any_values_at_any_times_have_patterns_or_none(values: list[float], apart: list[int], seconds: int) -> None:
    size = min(len(values), len(apart))
    ts = MONDAY + pd.to_timedelta(np.cumsum(apart[:size]) * seconds, unit="s")
    buckets = pd.DataFrame({"series_id": 1, "ts": ts, "value": np.array(values[:size], dtype=float)})
    found = find_seasons(buckets, pd.Series({1: seconds}), ["12h", "30d", "2w"])
    assert found.patterns["strength"].between(0, 1).all()
    assert found.patterns["p_value"].between(0, 1).all()
    assert (found.profiles["low"] <= found.profiles["level"]).all()


@limits(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0), st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**30]))
def test_scaling_changes_sizes_only(seed: int, height: float, factor: float) -> None:
    values = 50 + white(24 * 28, seed) + height * np.sin(np.arange(24 * 28) * np.pi / 12)
    one, other = seasons(values), seasons(factor * values)
    same = ["period", "significant", "peak", "trough", "cycles"]
    pd.testing.assert_frame_equal(one.patterns[same], other.patterns[same])
    np.testing.assert_allclose(one.patterns["p_value"], other.patterns["p_value"], rtol=1e-6, atol=1e-300)
    np.testing.assert_allclose(
        factor * one.patterns["amplitude"].astype(float), other.patterns["amplitude"].astype(float)
    )
    np.testing.assert_allclose(factor * one.profiles["low"].astype(float), other.profiles["low"].astype(float))


@limits(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0), st.integers(-60, 60))
def test_shifting_by_whole_weeks_changes_no_day_or_week(seed: int, height: float, weeks: int) -> None:
    values = 50 + white(24 * 28, seed) + height * np.sin(np.arange(24 * 28) * np.pi / 12)
    one, other = seasons(values), seasons(values, start=MONDAY + pd.Timedelta(weeks=weeks))
    # Times in days are rounded differently, which reaches the slope in the last digits.
    pd.testing.assert_frame_equal(one.patterns, other.patterns, rtol=1e-6)
    pd.testing.assert_frame_equal(one.profiles, other.profiles, rtol=1e-6)
