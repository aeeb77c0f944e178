from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.forecasts.weights import Fleet, weights

METHODS, ORIGINS = 4, 5


def errors(series: int, seed: int, *better: float, spread: float = 0.3) -> np.ndarray:
    """Errors of about 1 of all methods, of the first ones `better` times that; shape (methods, origins, series)."""
    random = np.random.default_rng(seed)
    factor = np.array([*better, *[1.0] * (METHODS - len(better))])[:, None, None]
    return factor * np.exp(spread * random.standard_normal((METHODS, ORIGINS, series)))


def test_what_did_better_weighs_more_and_all_weights_are_a_whole() -> None:
    tried = errors(200, 1, 0.5, 0.8)
    weight = weights(tried, Fleet.of(tried))
    assert weight.shape == (METHODS, 200)
    np.testing.assert_allclose(weight.sum(axis=0), 1.0)
    usual = weight.mean(axis=1)
    assert usual[0] > 0.8 > usual[1] > usual[2]


def test_where_series_differ_by_chance_the_fleet_decides() -> None:
    tried = errors(500, 2, 0.7, spread=1.0)
    weight = weights(tried, Fleet.of(tried))
    assert (tried.mean(axis=1).argmin(axis=0) == 0).mean() < 0.6
    assert (weight.argmax(axis=0) == 0).mean() > 0.95


def test_where_series_differ_each_decides_by_itself() -> None:
    tried = np.concatenate(
        (errors(100, 3, 0.3), errors(100, 4)[::-1] * np.array([1, 1, 1, 0.3])[:, None, None]), axis=2
    )
    weight = weights(tried, Fleet.of(tried))
    assert weight[0, :100].mean() > 0.9
    assert weight[3, 100:].mean() > 0.9


def test_the_newest_origin_counts_most() -> None:
    tried = errors(50, 5, spread=0.01)
    tried[0, -1], tried[1, 0] = 0.4, 0.4
    weight = weights(tried, Fleet.of(tried)).mean(axis=1)
    assert weight[0] > 2.0 * weight[1] > 2.0 * weight[2]


@pytest.mark.parametrize("series", [1, 3])
def test_few_series_and_one_origin_are_enough(series: int) -> None:
    tried = errors(series, 6, 0.2, spread=0.1)[:, :1]
    weight = weights(tried, Fleet.of(tried))
    assert (weight.argmax(axis=0) == 0).all()
    assert Fleet.of(tried).usual(3).shape == (METHODS, 3)


def test_no_errors_at_all_are_no_difference() -> None:
    nothing = np.zeros((METHODS, ORIGINS, 3))
    np.testing.assert_allclose(weights(nothing, Fleet.of(nothing)), 1.0 / METHODS)


@given(st.integers(0, 100), st.sampled_from([1e-9, 0.125, 1e9]))
def test_the_unit_does_not_matter(seed: int, unit: float) -> None:
    tried = errors(20, seed, 0.6)
    np.testing.assert_allclose(
        weights(tried, Fleet.of(tried)), weights(unit * tried, Fleet.of(unit * tried)), rtol=1e-9
    )
