"""Two modes that values take in turn, and what goes beyond them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.change_points import detect
from perf_assets.analysis.modes import Modes, between_modes, second_mode
from perf_assets_tests.analysis.signals import FloatArray, step, two_modes, white

SERIES = 100


def place(*cuts: int) -> np.ndarray:
    return np.array(cuts, dtype=np.intp)


def with_second_mode(seed: int, since: int, share: float = 0.5, points: int = 200) -> FloatArray:
    """A second mode 10 higher from `since` on, drawn for each value by itself."""
    second = (np.random.default_rng([seed, 1]).random(points) < share) & (np.arange(points) >= since)
    return white(points, seed) + 10.0 * second


def test_modes_are_known_by_their_values() -> None:
    modes = Modes.of(np.array([1.0, 9.0, 1.1, 8.9, 0.9, 9.1]))
    assert modes is not None
    assert (modes.lower, modes.upper) == (pytest.approx(1.0), pytest.approx(9.0))
    assert modes.in_upper.tolist() == [False, True, False, True, False, True]


@pytest.mark.parametrize(
    "values",
    [
        np.empty(0), np.ones(1), np.ones(50), white(200, 1), np.exp(0.6 * white(200, 1)), np.arange(50.0),
        np.where(np.arange(200) % 20 == 0, 30.0, 0.0) + white(200, 1),
    ],
    ids=["none", "one", "equal", "white", "skewed", "line", "outliers"],
)  # fmt: skip
def test_what_has_no_two_modes(values: FloatArray) -> None:
    assert Modes.of(values) is None


@pytest.mark.parametrize("stay", [2.0, 5.0])
def test_modes_in_turn_are_no_levels(stay: float) -> None:
    drawn = [two_modes(200, stay, 10.0, seed) for seed in range(SERIES)]
    told = [between_modes(values, place(cut)) for values in drawn for cut in (60, 100, 140)]
    assert np.mean(told) >= 0.7
    assert sum(detect(values).size > 0 for values in drawn) <= 20


@pytest.mark.parametrize("size", [8.0, -8.0])
def test_a_step_of_both_modes_is_a_level(size: float) -> None:
    drawn = [step(two_modes(200, 2.0, 10.0, seed), 100, size) for seed in range(SERIES)]
    assert not any(between_modes(values, place(100))[0] for values in drawn)


def test_a_mode_that_appears_or_goes_is_a_level() -> None:
    drawn = [with_second_mode(seed, 100) for seed in range(SERIES)]
    assert sum(between_modes(values, place(100))[0] for values in drawn) <= 2
    assert sum(between_modes(values[::-1], place(100))[0] for values in drawn) <= 2


def test_levels_that_are_kept_are_no_modes() -> None:
    kept = np.repeat([0.0, 10.0, 0.0, 10.0, 0.0, 10.0, 0.0, 10.0], 25)
    values = kept + white(200, 3)
    assert not between_modes(values, place(*range(25, 200, 25))).any()
    assert np.abs(detect(values) - np.arange(25, 200, 25)).max() <= 1


def test_without_cuts_nothing_is_told() -> None:
    assert between_modes(two_modes(200, 3.0, 10.0, 1), place()).shape == (0,)


def test_a_step_with_a_few_strays_is_a_level() -> None:
    values = step(white(60, 4), 40, 20.0)
    values[[33, 37]] += 20.0
    values[[46, 55]] -= 20.0
    assert not between_modes(values, place(40)).any()
    assert detect(values).tolist() == [40]


def test_a_mode_that_appeared_begins_with_its_first_value() -> None:
    before, after = white(40, 5), white(40, 6)
    after[3::2] += 10.0
    found = second_mode(before, after)
    assert found is not None
    assert found.level == pytest.approx(10.0, abs=0.7)
    assert (found.share_before, found.share_after, found.delay) == (0.0, pytest.approx(19 / 40), 3)


def test_a_mode_that_went_or_became_rarer_is_told_by_its_shares() -> None:
    mixed, rare = white(40, 5), white(40, 6)
    mixed[::2] += 10.0
    rare[[4, 14, 24, 34]] += 10.0
    gone = second_mode(mixed, white(40, 7))
    assert gone is not None
    assert gone.level == pytest.approx(0.0, abs=0.7)
    assert (gone.share_before, gone.share_after, gone.delay) == (0.5, 1.0, 0)
    rarer = second_mode(mixed, rare)
    assert rarer is not None
    assert (rarer.share_before, rarer.share_after, rarer.delay) == (0.5, 0.9, 0)


@pytest.mark.parametrize("size", [0.0, 3.0, 30.0, -30.0])
def test_a_level_that_moved_as_a_whole_has_no_second_mode(size: float) -> None:
    values = step(white(120, 8), 60, size)
    assert second_mode(values[:60], values[60:]) is None
    assert second_mode(values[:60], values[60:64]) is None


@given(st.integers(0, 10_000), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3), st.booleans())
@limits(max_examples=50)
def test_unit_offset_and_sign_change_nothing(seed: int, unit: float, offset: float, turned: bool) -> None:
    values = two_modes(120, 4.0, 10.0, seed)
    moved = unit * (offset + (-values if turned else values))
    cuts = place(30, 60, 90)
    assert between_modes(moved, cuts).tolist() == between_modes(values, cuts).tolist()


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.data())
def test_each_cut_gets_one_answer(values: list[float], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(1, len(values) - 1), unique=True, max_size=5).map(sorted))
    assert between_modes(np.array(values), place(*cuts)).shape == (len(cuts),)
