from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.level_changes import ALL_DAY, CHANGE_COLUMNS, find_change_points
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, hourly, levels, measurements, step, white


def test_a_change_names_the_runs_on_both_sides() -> None:
    ts = pd.date_range(MONDAY, periods=120, freq="10h").to_numpy()
    table = find_change_points(measurements(ts, step(white(120, 1), 80, 4.0)))
    row = table.iloc[0]
    assert (row["index_run_id"], row["previous_run_id"], row["position"]) == (80, 79, 80)
    assert row["changed_at"] == ts[80]
    assert row["part_of_day"] == ALL_DAY


def test_a_change_at_night_is_told_as_one_and_starts_with_its_first_hour() -> None:
    ts = hourly(24 * 60)
    values = 100 + autoregressive(ts.size, 0.4, 2) + 2 * np.sin(2 * np.pi * (np.arange(ts.size) - 8) / 24)
    hour, day = np.arange(ts.size) % 24, np.arange(ts.size) // 24
    values[(hour >= 2) & (hour < 6) & (day >= 40)] += 3.0
    table = find_change_points(measurements(ts, values))
    assert list(table["part_of_day"]) == ["night 00-06 UTC"]
    assert abs(int(table["position"].iloc[0]) - (40 * 24 + 2)) <= 3
    assert table["before"].iloc[0] < table["after"].iloc[0]


def test_a_daily_cycle_is_no_change() -> None:
    ts = hourly(24 * 60)
    values = autoregressive(ts.size, 0.3, 3) + 5 * np.sin(2 * np.pi * np.arange(ts.size) / 24)
    assert find_change_points(measurements(ts, values)).empty


def test_a_family_of_quiet_series_makes_a_doubtful_change_more_doubtful() -> None:
    ts = pd.date_range(MONDAY, periods=60, freq="D").to_numpy()
    one = measurements(ts, step(white(60, 4), 40, 2.0))
    many = pd.concat([one, *(measurements(ts, white(60, 100 + s), series_id=2 + s) for s in range(40))])
    alone = find_change_points(one)["q_value"].iloc[0]
    together = find_change_points(many).set_index("series_id").loc[1, "q_value"]
    assert together > 10 * alone


def test_no_series_gives_the_empty_table() -> None:
    empty = measurements(np.empty(0, dtype="datetime64[us]"), np.empty(0))
    assert list(find_change_points(empty).columns) == list(CHANGE_COLUMNS)


@limits(max_examples=20)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=4, unique=True))
def test_series_do_not_influence_each_others_change_points(seeds: list[int]) -> None:
    ts = pd.date_range(MONDAY, periods=80, freq="D").to_numpy()
    parts = [measurements(ts, step(white(80, seed), 50, 3.0), series_id=seed) for seed in sorted(seeds)]
    together = find_change_points(pd.concat(parts)).drop(columns="q_value")
    apart = [find_change_points(part).drop(columns="q_value") for part in parts]
    pd.testing.assert_frame_equal(together, pd.concat(apart, ignore_index=True), check_dtype=False)


@pytest.mark.parametrize("size", [3.0, 6.0, 12.0])
def test_a_change_of_one_part_of_the_day_is_that_and_nothing_else(size: float) -> None:
    for seed in range(4):
        place = np.arange(24 * 60)
        night = (place % 24 < 6) & (place // 24 >= 30)
        found = find_change_points(measurements(hourly(place.size), 50.0 + white(place.size, seed) + size * night))
        assert found["part_of_day"].tolist() == ["night 00-06 UTC"]
        assert found["position"].tolist() == [24 * 30]


@pytest.mark.parametrize("days", [22, 24, 26])
@pytest.mark.parametrize(("first", "second"), [(5, 8), (8, 4), (8, 8)])
def test_steps_within_the_first_weeks_are_no_pattern_of_the_week(days: int, first: int, second: int) -> None:
    ts = pd.date_range(MONDAY, periods=days, freq="D").to_numpy()
    for seed in range(3):
        values = levels(seed, (first, 100.0, 0.5), (second, 85.0, 0.5), (days - first - second, 40.0, 0.5))
        assert find_change_points(measurements(ts, values))["position"].tolist() == [first, first + second], seed


def test_a_second_mode_begins_with_its_first_value_and_is_told_by_its_shares() -> None:
    ts = pd.date_range(MONDAY, periods=160, freq="10h").to_numpy()
    values = 50.0 + white(160, 5)
    second = (np.random.default_rng(5).random(160) < 0.5) & (np.arange(160) >= 100)
    values[second] += 40.0
    (row,) = find_change_points(measurements(ts, values)).itertuples()
    first = int(np.flatnonzero(second)[0])
    assert (row.position, row.previous_run_id, row.points_after) == (first, first - 1, 160 - first)
    assert row.second_mode == pytest.approx(90.0, abs=1.0)
    assert (row.mode_before, row.mode_after) == (0.0, pytest.approx(second.sum() / (160 - first), abs=0.02))


def test_a_new_level_has_no_second_mode() -> None:
    ts = pd.date_range(MONDAY, periods=160, freq="10h").to_numpy()
    (row,) = find_change_points(measurements(ts, step(white(160, 5), 100, 40.0))).itertuples()
    assert np.isnan([row.second_mode, row.mode_before, row.mode_after]).all()


MOMENTS = {
    "daily": lambda count, random: np.arange(count) * 86_400.0,
    "three hours": lambda count, random: np.arange(count) * 10_800.0,
    "commits": lambda count, random: np.cumsum(
        np.where(random.random(count) < 0.6, random.exponential(10_800, count), random.exponential(216_000, count)) + 60
    ),
}
STEPPED = {
    "one step": ((40, 50.0, 1.0), (25, 75.0, 1.0)),
    "two steps up": ((20, 50.0, 1.0), (15, 60.0, 1.0), (8, 70.0, 1.0)),
    "up and down": ((20, 50.0, 1.0), (20, 80.0, 1.0), (12, 20.0, 1.0)),
    "zeros": ((60, 100.0, 1.0), (8, 0.0, 0.0), (40, 100.0, 1.0)),
    "exact": ((20, 50.0, 0.0), (8, 70.0, 0.0), (5, 88.0, 0.0)),
}


@pytest.mark.parametrize("rhythm", MOMENTS)
@pytest.mark.parametrize("kind", STEPPED)
def test_steps_make_no_season(kind: str, rhythm: str) -> None:
    stretches = STEPPED[kind]
    sizes, heights = [size for size, *_ in stretches], [height for _, height, _ in stretches]
    for seed in range(15):
        seconds = MOMENTS[rhythm](sum(sizes), np.random.default_rng(seed))
        ts = np.datetime64(MONDAY, "us") + (seconds * 1e6).astype("timedelta64[us]")
        found = find_change_points(measurements(ts, levels(seed, *stretches)))
        assert np.abs(found["position"].to_numpy() - np.cumsum(sizes)[:-1]).max() <= 1
        np.testing.assert_allclose(found["before"], heights[:-1], atol=1.0)
        np.testing.assert_allclose(found["after"], heights[1:], atol=1.0)


def test_a_weekly_pattern_is_taken_out_around_a_step() -> None:
    ts = pd.date_range(MONDAY, periods=140, freq="D").to_numpy()
    pattern = np.tile([0.0, 0.0, 0.0, 0.0, 0.0, -6.0, -6.0], 20)
    found = [
        find_change_points(measurements(ts, step(50.0 + white(140, seed) + pattern, 80, 4.0))) for seed in range(10)
    ]
    assert [len(table) for table in found] == [1] * 10
    assert max(abs(int(table["position"].iloc[0]) - 80) for table in found) <= 2
