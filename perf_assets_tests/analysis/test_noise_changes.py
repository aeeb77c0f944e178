"""Where the noise of a series changes, whatever its level does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.noise_changes import noise_changes
from perf_assets.analysis.stretches import pack
from perf_assets_tests.analysis.signals import FloatArray, autoregressive, levels, step, white


def changes(series: Sequence[FloatArray]) -> list[int]:
    return [int(place) for place in noise_changes(pack(list(series)))]


@pytest.mark.parametrize("louder", [5.0, 10.0, 100.0])
@pytest.mark.parametrize("first", [True, False])
def test_the_noise_changes_where_it_does(louder: float, first: bool) -> None:
    spread = (louder, 1.0) if first else (1.0, louder)
    found = changes([levels(seed, (60, 0.0, spread[0]), (80, 0.0, spread[1])) for seed in range(60)])
    assert sum(abs(place - 60) <= 4 for place in found) >= 57


def test_a_change_of_level_beside_it_hides_it_not() -> None:
    found = changes([levels(seed, (60, 0.0, 1.0), (80, 40.0, 8.0)) for seed in range(60)])
    assert sum(abs(place - 60) <= 1 for place in found) >= 57


@pytest.mark.parametrize(
    "even",
    [
        lambda seed: white(200, seed), lambda seed: autoregressive(200, 0.8, seed), lambda seed: 8 * white(23, seed),
        lambda seed: step(white(200, seed), 90, 30.0), lambda seed: np.exp(0.8 * white(200, seed)),
        lambda seed: np.cumsum(white(200, seed)),
    ],
    ids=["white", "AR .8", "short", "step", "lognormal", "random walk"],
)  # fmt: skip
def test_even_noise_does_not_change(even) -> None:
    assert np.count_nonzero(changes([even(seed) for seed in range(200)])) <= 4


def test_less_than_two_and_a_half_times_the_noise_is_the_same() -> None:
    assert np.count_nonzero(changes([levels(seed, (100, 0.0, 1.0), (100, 0.0, 1.5)) for seed in range(60)])) <= 2


def test_outliers_are_no_noise() -> None:
    series = []
    for seed in range(60):
        values = white(200, seed)
        values[np.random.default_rng(seed).choice(60, 6, replace=False)] += 40.0
        series.append(values)
    assert np.count_nonzero(changes(series)) <= 3


def test_a_fifth_of_outliers_is_seldom_another_noise() -> None:
    series = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        values = white(240, seed)
        values[:120] += 15.0 * random.standard_normal(120) * (random.random(120) < 0.2)
        series.append(values)
    assert np.count_nonzero(changes(series)) <= 18


def test_values_that_do_not_vary_have_no_noise_to_change() -> None:
    repeated = np.repeat([50.0, 70.0], 30)
    assert changes([np.zeros(40), np.full(40, 7.0), repeated, white(10, 1), np.array([1.0])]) == [0, 0, 0, 0, 0]


def test_exact_repetition_after_noise_is_quiet() -> None:
    (place,) = changes([np.concatenate((50.0 + white(50, 1), np.full(50, 50.0)))])
    assert abs(place - 50) <= 2


@limits(max_examples=20)
@given(st.integers(0, 1_000), st.sampled_from([1e-6, 3.0, 1e6]), st.booleans())
def test_neither_unit_nor_sign_nor_company_matters(seed: int, factor: float, mirrored: bool) -> None:
    values = levels(seed, (50, 0.0, 6.0), (90, 1.0, 1.0))
    (alone,) = changes([values])
    assert changes([white(300, 1), values * (-factor if mirrored else factor)])[1] == alone


@limits(max_examples=20)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_any_place_leaves_a_dozen_values_on_both_sides(values: list[float]) -> None:
    (place,) = changes([np.array(values)])
    assert place == 0 or 12 <= place <= len(values) - 12
