"""Where a drift begins or ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.bends import bends_of_levels, find_bends
from perf_assets.analysis.change_points import detect
from perf_assets_tests.analysis.signals import FloatArray, autoregressive, step, white

SERIES = 60


def bent(seed: int, *places: int, slope: float = 0.06, points: int = 200) -> FloatArray:
    """Noise over a line that is level at first and turns at each of the places, up and level by turns."""
    rows = np.arange(points)
    turns = [slope * (-1) ** number * np.maximum(rows - place, 0) for number, place in enumerate(places)]
    return white(points, seed) + np.sum(turns, axis=0)


@pytest.mark.parametrize("place", [60, 100, 140])
def test_a_drift_that_begins_is_found_where_it_does(place: int) -> None:
    found = [find_bends(bent(seed, place, slope=0.1)) for seed in range(SERIES)]
    assert sum(bends.size == 1 for bends in found) >= 0.95 * SERIES
    assert np.median([abs(int(bends[0]) - place) for bends in found if bends.size]) <= 6


def test_a_drift_that_begins_and_ends_has_two_bends() -> None:
    found = [find_bends(bent(seed, 60, 120, slope=0.2)) for seed in range(SERIES)]
    both = [bends for bends in found if bends.size == 2]
    # A steep rise is a step as well, in the middle; what is left of it on either side is short.
    assert len(both) >= 0.75 * SERIES
    assert np.abs(np.median(both, axis=0) - [60, 120]).max() <= 6


@pytest.mark.parametrize(
    "straight",
    [
        lambda seed: white(200, seed), lambda seed: autoregressive(200, 0.6, seed),
        lambda seed: white(200, seed) + 0.03 * np.arange(200), lambda seed: step(white(200, seed), 90, 4.0),
        lambda seed: np.exp(0.6 * white(200, seed)), lambda seed: white(19, seed),
    ],
    ids=["level", "AR .6", "line", "step", "lognormal", "short"],
)  # fmt: skip
def test_what_has_no_bend(straight) -> None:
    assert sum(find_bends(straight(seed)).size > 0 for seed in range(2 * SERIES)) <= 2


def test_a_bend_is_looked_for_on_both_sides_of_a_step() -> None:
    found = [find_bends(step(bent(seed, 150, slope=0.2), 80, 12.0)) for seed in range(SERIES)]
    assert sum(bends.size == 1 and abs(int(bends[0]) - 150) <= 10 for bends in found) >= 0.9 * SERIES


@pytest.mark.parametrize("values", [[], [1.0], [np.nan] * 40, [2.0] * 40, np.arange(40.0).tolist()])
def test_series_without_noise_or_values_have_none(values: list[float]) -> None:
    assert find_bends(values).size == 0


def test_without_noise_a_bend_is_found_exactly() -> None:
    assert abs(int(find_bends(np.maximum(np.arange(100.0) - 60.0, 0.0))[0]) - 60) <= 1


@given(st.integers(0, 1_000), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3), st.lists(st.integers(0, 199), max_size=30))
@limits(max_examples=40)
def test_unit_and_offset_change_nothing_and_gaps_are_never_a_bend(
    seed: int, unit: float, offset: float, gaps: list[int]
) -> None:
    values = bent(seed, 100, slope=0.1)
    values[gaps] = np.nan
    found = find_bends(values)
    assert find_bends(unit * (offset + values)).tolist() == found.tolist()
    assert np.isfinite(values[found]).all()
    assert not set(found) & set(detect(values))


@limits(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 120), min_size=1, max_size=6))
def test_levels_have_the_same_bends_alone_and_beside_others(seed: int, sizes: list[int]) -> None:
    levels = [bent(seed + k, size // 2, slope=0.3, points=size) for k, size in enumerate(sizes)]
    assert bends_of_levels(levels) == [bends_of_levels([level])[0] for level in levels]
