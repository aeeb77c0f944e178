from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from perf_assets.analysis.long_run import long_run_excess
from perf_assets_tests.analysis.signals import autoregressive, white


def excess(*many: np.ndarray) -> np.ndarray:
    """Of stretches side by side, the shorter ones padded."""
    sizes = np.array([values.size for values in many], dtype=np.intp)
    table = np.zeros((sizes.max(), len(many)))
    for column, values in enumerate(many):
        table[: values.size, column] = values - values.mean()
    return long_run_excess(table, sizes)


def slow_under_fast(n: int, seed: int) -> np.ndarray:
    """ARMA(1,1): its mean varies 3.7 times as much as its lag-1 autocorrelation of .48 tells."""
    return np.asarray(signal.lfilter([1.0, -0.6], [1.0, -0.9], white(n + 300, seed))[300:])


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
def test_autoregressive_noise_has_little(correlation: float) -> None:
    found = excess(*(autoregressive(400, correlation, seed) for seed in range(60)))
    assert np.median(found) < 1.1
    assert np.quantile(found, 0.9) < 1.7


def test_a_slow_wave_under_fast_noise_has_much() -> None:
    found = excess(*(slow_under_fast(1_000, seed) for seed in range(30)))
    assert 2.0 < np.median(found) < 4.5


def test_a_strong_autocorrelation_is_taken_for_more_where_values_are_few() -> None:
    few, many = (excess(*(autoregressive(n, 0.9, seed) for seed in range(40))) for n in (100, 2_000))
    assert np.median(few) > 1.3 > np.median(many)


def test_constants_have_none() -> None:
    assert excess(np.ones(50), white(50, 1))[0] == 1.0


@given(st.integers(0, 1_000), st.floats(1e-6, 1e6), st.integers(2, 300))
def test_neither_unit_nor_sign_nor_neighbours_matter(seed: int, unit: float, size: int) -> None:
    values = autoregressive(150, 0.5, seed)
    alone = excess(values)[0]
    assert alone >= 1.0
    assert excess(values, white(size, seed))[0] == alone
    assert excess(-unit * values)[0] == pytest.approx(alone, rel=1e-6)
