from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perf_assets.analysis.season_words import Extreme, extreme, label, size, stretch

HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(
    ("period", "first", "last", "seconds", "words"),
    [
        ("daily", 9, 10, HOUR, "09:00 to 11:00"),
        ("daily", 23, 0, HOUR, "23:00 to 01:00"),
        ("daily", 8, 10, 2 * HOUR, "08:00 to 12:00"),
        ("daily", 18, 18, 6 * HOUR, "18:00 to 00:00"),
        ("weekly", 0, 0, HOUR, "Mondays"),
        ("weekly", 5, 6, HOUR, "Saturdays and Sundays"),
        ("weekly", 6, 0, DAY, "Sundays and Mondays"),
        ("weekly", 4, 0, DAY, "Fridays to Mondays"),
        ("monthly", 4, 4, DAY, "day 5 of the month"),
        ("monthly", 29, 1, DAY, "days 30 to 2 of the month"),
        ("30d", 4, 4, 6 * HOUR, "day 5 of 30"),
        ("30d", 28, 0, HOUR, "days 29 to 1 of 30"),
        ("12h", 2, 4, HOUR, "hours 3 to 5 of 12"),
        ("50h", 24, 24, HOUR, "hours 49 to 50 of 50"),
    ],
)
def test_stretches_of_slots_have_names(period: str, first: int, last: int, seconds: int, words: str) -> None:
    assert stretch(period, Extreme(first, last, 0.0), seconds) == words


def test_slots_have_labels() -> None:
    assert label("daily", 9, HOUR) == "09:00"
    assert label("weekly", 6, DAY) == "Sunday"
    assert label("monthly", 4, DAY) == "day 5"
    assert label("30d", 4, 6 * HOUR) == "day 5 of 30"


@pytest.mark.parametrize(
    ("above", "median", "words"),
    [
        (38.0, 100.0, "38 % above the median"),
        (-12.0, 100.0, "12 % below the median"),
        (0.51, 100.0, "0.51 % above the median"),
        (1_100.0, 100.0, "12 times the median"),
        (2.5, 0.0, "2.5 above the median"),
        (-2.5, -7.0, "2.5 below the median"),
    ],
)
def test_sizes_are_shares_of_the_median_where_it_is_above_0(above: float, median: float, words: str) -> None:
    assert size(above, median) == words


def test_a_peak_goes_round_the_end_of_the_cycle() -> None:
    levels = [8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0]
    assert extreme(levels, "peak") == Extreme(6, 0, 9.0)
    assert extreme(levels, "peak").slots(7) == [6, 0]


def test_a_peak_ends_where_half_its_height_does() -> None:
    assert extreme([0.0, 0.0, 4.0, 10.0, 6.0, 0.0, 0.0], "peak") == Extreme(3, 4, 8.0)
    assert extreme([0.0, 0.0, -4.0, -10.0, -6.0, 0.0, 0.0], "trough") == Extreme(3, 4, -8.0)


def test_slots_without_values_are_passed_over() -> None:
    assert extreme([0.0, math.nan, 5.0, math.nan, 5.0, math.nan, 0.0, 0.0, 0.0], "peak") == Extreme(2, 4, 5.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=31), st.sampled_from([0.5, 4.0, 1_024.0]))
@example([-1.0, -2.2e-297, -1.0, 0.0], 0.5)
def test_the_extreme_is_inside_its_stretch_whatever_the_unit(levels: list[float], factor: float) -> None:
    found = extreme(levels, "peak")
    assert levels.index(max(levels)) in found.slots(len(levels))
    scaled = extreme([factor * level for level in levels], "peak")
    assert (scaled.first, scaled.last) == (found.first, found.last)
    assert found.size >= 0
