from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.cycles import without_cycles
from perf_assets_tests.analysis.signals import autoregressive, step, white


@pytest.mark.parametrize(("period", "amplitude"), [(7, 1.5), (12, 2.0), (24, 2.0)])
def test_a_cycle_is_taken_out_and_the_noise_is_left(period: int, amplitude: float) -> None:
    noise = white(240, 1)
    cycle = amplitude * np.sin(2 * np.pi * np.arange(240) / period)
    [rest] = without_cycles([noise + cycle])
    assert np.std(rest - noise) < np.sqrt(period / 240) * 1.5
    assert abs(np.mean(rest) - np.mean(noise + cycle)) < 0.05


def test_a_day_within_a_week_is_taken_out_too() -> None:
    place = np.arange(700)
    noise = white(700, 2)
    [rest] = without_cycles([noise + 4.0 * (place % 7 >= 5) + 2.0 * np.sin(2 * np.pi * place / 4)])
    assert np.std(rest) < 1.15


def test_noise_is_left_as_it_is() -> None:
    series = [make for seed in range(60) for make in (white(200, seed), autoregressive(200, 0.6, seed))]
    unchanged = [np.array_equal(one, rest) for one, rest in zip(series, without_cycles(series), strict=True)]
    assert sum(unchanged) >= 117


def test_a_step_stays_beside_the_cycle() -> None:
    cycle = 3.0 * np.sin(2 * np.pi * np.arange(210) / 7)
    [rest] = without_cycles([step(white(210, 5), 100, 4.0) + cycle])
    assert abs(rest[100:].mean() - rest[:100].mean() - 4.0) < 0.5


@limits(max_examples=40, deadline=None)
@given(arrays(np.float64, st.integers(0, 120), elements=st.floats(-1, 1) | st.just(float("nan"))))
def test_gaps_stay_gaps_and_nothing_breaks(values: np.ndarray) -> None:
    [rest] = without_cycles([values])
    assert np.array_equal(np.isnan(rest), np.isnan(values))


def test_a_series_has_the_same_answer_alone_and_beside_others() -> None:
    place = np.arange(150)
    series = [white(150, seed) + (seed % 3) * np.sin(2 * np.pi * place / (5 + seed)) for seed in range(12)]
    series[4][30:40] = np.nan
    for alone, together in zip(series, without_cycles(series), strict=True):
        assert np.array_equal(without_cycles([alone])[0], together, equal_nan=True)
