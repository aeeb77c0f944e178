"""Steps held against the levels beside them alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.local_steps import LocalStep, Sides, clear_steps, ends_in_step, relocated, unsupported
from perf_assets_tests.analysis.signals import FloatArray, autoregressive, levels, step, white

ROUNDING = np.array([1e-12])


def at(values: FloatArray, *cuts: int) -> tuple[FloatArray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Arguments of `clear_steps` for one series and these cuts."""
    return values[:, None], np.array([values.size]), ROUNDING, np.zeros(len(cuts), dtype=np.intp), np.array(cuts)


def moved_to(values: FloatArray, cuts: list[int]) -> list[int]:
    """Where `relocated` puts the cuts of one series."""
    size, column = np.array([values.size]), np.zeros(len(cuts), dtype=np.intp)
    return relocated(values[:, None], size, column, np.array(cuts, dtype=np.intp)).tolist()


def local(values: FloatArray, *cuts: int) -> LocalStep:
    return LocalStep.of(*at(values, *cuts))


def test_a_step_is_clear_by_its_own_levels_whatever_the_rest_does() -> None:
    values = levels(1, (40, 500.0, 60.0), (40, 10.0, 0.1), (40, 12.0, 0.1))
    assert clear_steps(*at(values, 40, 80)).tolist() == [True, True]
    assert clear_steps(*at(values, 40, 60)).tolist() == [True, False]


@pytest.mark.parametrize(
    "noise",
    [lambda seed: white(100, seed), lambda seed: autoregressive(100, 0.9, seed),
     lambda seed: white(100, seed) + 8.0 * (np.random.default_rng(seed).random(100) < 0.4)],
    ids=["white", "AR .9", "two modes"],
)  # fmt: skip
def test_no_place_in_noise_is_clear(noise) -> None:
    clear = [clear_steps(*at(noise(seed), place)).any() for seed in range(60) for place in (20, 50, 80)]
    assert sum(clear) <= 2


def test_a_step_is_described_by_its_own_levels() -> None:
    inside = 0
    for seed in range(60):
        values = levels(seed, (40, 500.0, 60.0), (40, 10.0, 0.1), (40, 12.0, 0.1))
        found = local(values, 40, 80)
        assert found.before[1] == pytest.approx(10.0, abs=0.1)
        assert found.noise[1] < 0.2
        assert found.p_value[1] < 1e-12
        inside += abs(found.after[1] - found.before[1] - 2.0) <= found.margin[1]
    assert inside >= 53


def test_a_chance_is_small_by_chance_no_more_often_than_it_says() -> None:
    chances = np.array([local(levels(seed, (30, 0.0, 1.0), (30, 0.0, 1.0)), 30).p_value[0] for seed in range(400)])
    assert 0.01 <= np.mean(chances < 0.05) <= 0.08
    wandering = np.array([local(autoregressive(80, 0.6, seed), 40).p_value[0] for seed in range(400)])
    assert np.mean(wandering < 0.05) <= 0.12


def test_values_that_wander_are_worth_fewer() -> None:
    independent, wandering = (np.median([local(noise(seed), 100).repeated[0] for seed in range(20)]) for noise in (
        lambda seed: white(200, seed), lambda seed: autoregressive(200, 0.8, seed)
    ))  # fmt: skip
    assert independent < 1.3
    # (1 + r) / (1 - r) is 9.
    assert 6.0 < wandering < 12.0


def test_a_turn_of_a_wandering_path_bears_no_step() -> None:
    turns = [unsupported(*at(np.cumsum(white(120, seed)), 60))[0] for seed in range(60)]
    assert sum(turns) >= 54
    assert not unsupported(*at(levels(1, (60, 0.0, 1.0), (60, 3.0, 1.0)), 60))[0]
    assert not unsupported(*at(step(white(120, 1) + 0.1 * np.arange(120), 60, 6.0), 60))[0]


def test_the_line_that_sides_share_is_told_from_the_step() -> None:
    values = step(white(120, 1) + 0.1 * np.arange(120), 60, 6.0)
    zero, cut, end = np.array([0]), np.array([60]), np.array([120])
    plain, on_line = (way(values[:, None], zero, zero, cut, end) for way in (Sides.of, Sides.on_line))
    assert plain.size[0] == pytest.approx(12.0, abs=0.6)
    assert on_line.size[0] == pytest.approx(6.0, abs=0.8)
    assert on_line.variance.max() < 1.6 < plain.variance.min()


# Places


@pytest.mark.parametrize("off", [-3, -2, -1, 0, 1, 2, 3])
def test_a_cut_that_is_a_little_off_is_moved_to_the_step(off: int) -> None:
    values = levels(1, (30, 50.0, 1.0), (30, 70.0, 1.0))
    assert moved_to(values, [30 + off]) == [30]
    assert moved_to(-values, [30 + off]) == [30]


def test_a_cut_between_levels_that_are_not_far_apart_stays() -> None:
    values = levels(1, (30, 50.0, 1.0), (30, 52.0, 1.0))
    assert moved_to(values, [28]) == [28]


@limits(max_examples=40)
@given(st.integers(0, 1_000), st.lists(st.integers(3, 57), min_size=1, max_size=6, unique=True).map(sorted))
def test_cuts_stay_in_order_and_leave_three_values(seed: int, cuts: list[int]) -> None:
    values = step(white(60, seed), 30, 8.0)
    kept = [cut for number, cut in enumerate(cuts) if number == 0 or cut - cuts[number - 1] >= 4]
    moved = moved_to(values, kept)
    assert len(moved) == len(kept)
    assert all(abs(new - old) <= 3 for new, old in zip(moved, kept, strict=True))
    assert (np.diff([0, *moved, 60]) >= 1).all()


# The newest three values


@pytest.mark.parametrize(("newest", "is_step"), [
    ([70.0, 71.0, 69.0], True), ([30.0, 31.0, 29.0], True), ([70.0, 71.0, 50.0], False), ([70.0, 120.0, 200.0], False),
    ([54.0, 54.1, 53.9], False), ([50.0, 50.0, 50.0], False),
])  # fmt: skip
def test_three_values_far_off_and_close_together_are_a_level(newest: list[float], is_step: bool) -> None:
    assert ends_in_step(np.concatenate((levels(1, (30, 50.0, 1.0)), newest))) is is_step


def test_three_values_need_eight_before_them() -> None:
    steady = np.full(8, 50.0)
    assert ends_in_step(np.concatenate((steady, [70.0] * 3)))
    assert not ends_in_step(np.concatenate((steady[:7], [70.0] * 3)))
    # Beyond all of those before, or it was seen already.
    assert not ends_in_step(np.concatenate((steady, [75.0], steady, [70.0] * 3)))


@pytest.mark.parametrize(("before", "least"), [(8, 0.9), (20, 0.94), (60, 0.95)])
def test_three_values_eight_standard_deviations_away_are_nearly_always_a_level(before: int, least: float) -> None:
    found = [ends_in_step(levels(seed, (before, 50.0, 1.0), (3, 58.0, 1.0))) for seed in range(300)]
    assert np.mean(found) >= least


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9, 0.99])
def test_the_newest_values_of_noise_are_hardly_ever_a_level(correlation: float) -> None:
    found = [ends_in_step(autoregressive(30, correlation, seed)) for seed in range(1000)]
    assert sum(found) <= 4


# Levels that are not one


def test_a_step_is_described_by_the_values_next_to_it_where_a_level_holds_more_than_one() -> None:
    for seed in range(40):
        # What a few values of other levels leave inside a level is no noise of the step.
        before = levels(seed, (9, 6.1, 0.1), (6, 4.2, 0.1), (20, 4.9, 0.05))
        values = np.concatenate((before, levels(seed + 1, (30, 4.3, 0.05), (30, 6.8, 0.3))))
        found = local(values, before.size)
        assert found.before[0] == pytest.approx(4.9, abs=0.05)
        assert found.after[0] == pytest.approx(4.3, abs=0.05)
        assert found.noise[0] < 0.1
        assert found.p_value[0] < 1e-8


def test_a_level_of_even_noise_is_described_by_all_of_its_values() -> None:
    # Fifteen values are less than half as noisy as all by chance, though seldom.
    sizes = np.random.default_rng(3).integers(10, 61, size=(400, 2))
    described = []
    for seed, (before, after) in enumerate(sizes):
        values = levels(seed, (before, 10.0, 1.0), (after, 14.0, 1.0))
        found = local(values, before)
        whole = values[:before].mean(), values[before:].mean()
        described.append(np.allclose((found.before[0], found.after[0]), whole, rtol=1e-9))
    assert np.mean(described) >= 0.99
