from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.statistics import (
    benjamini_hochberg,
    effective_sample_size,
    lag1_autocorrelation,
    noise_scale,
    robust_scale,
)
from perf_assets_tests.analysis.signals import autoregressive, step, white

FLOATS = st.integers(-(10**6), 10**6).map(float)


def test_scales_estimate_the_standard_deviation_of_normal_noise() -> None:
    assert abs(robust_scale(white(20_000, 1)) - 1) < 0.03
    assert abs(noise_scale(white(20_000, 2)) - 1) < 0.03


def test_noise_scale_is_blind_to_a_step_where_the_spread_is_not() -> None:
    values = step(white(200, 3), 100, 10.0)
    assert noise_scale(values) < 1.3
    assert robust_scale(values) > 4


def test_autocorrelation_is_found_and_gaps_do_not_hide_it() -> None:
    values = autoregressive(5_000, 0.6, 4)
    values[::10] = np.nan
    assert abs(lag1_autocorrelation(values) - 0.6) < 0.05


@given(st.integers(1, 10_000), st.floats(-0.95, 0.95))
def test_effective_size_is_between_one_and_the_count(count: int, correlation: float) -> None:
    assert 1 <= effective_sample_size(count, correlation) <= count


@given(arrays(np.float64, st.integers(0, 40), elements=st.floats(0, 1)))
def test_q_values_keep_the_order_of_p_values_and_are_never_below_them(p_values: np.ndarray) -> None:
    q_values = benjamini_hochberg(p_values)
    assert (q_values >= p_values - 1e-12).all()
    order = np.argsort(p_values)
    assert (np.diff(q_values[order]) >= -1e-12).all()


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1)), st.integers(0, 5))
def test_tests_that_were_not_made_change_no_q_value(p_values: np.ndarray, missing: int) -> None:
    padded = np.concatenate((p_values, np.full(missing, np.nan)))
    assert np.allclose(benjamini_hochberg(padded)[: p_values.size], benjamini_hochberg(p_values))


@given(arrays(np.float64, st.integers(0, 30), elements=FLOATS), st.floats(0.01, 100), FLOATS)
def test_scales_follow_the_unit_and_ignore_the_level(values: np.ndarray, factor: float, shift: float) -> None:
    tolerance = 1e-9 * (1 + abs(shift) + float(np.abs(values).max(initial=0)) * factor)
    for scale in (robust_scale, noise_scale):
        assert abs(scale(values * factor + shift) - factor * scale(values)) <= tolerance
