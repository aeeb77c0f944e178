from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.forecasts.members import Task, WindowMaps, bent_line, forecasts, profile_before
from perf_assets.analysis.statistics import FloatArray
from perf_assets_tests.analysis.signals import white

SIZE, HORIZON = 84, 14
ORIGINS = (56, 63, 70, 77, SIZE)
WEEK = np.array([0.0, 1.0, 3.0, 2.0, 0.0, -5.0, -1.0])
TIME = np.arange(SIZE + HORIZON, dtype=float)


def task_of(values: FloatArray, longer: int = 0, cycle: int = 7) -> Task:
    return Task(values[:, :SIZE], ORIGINS, 7, HORIZON, cycle, longer)


def said(task: Task) -> dict[str, FloatArray]:
    return dict(forecasts(task, WindowMaps.learned(task)))


def season(level: float = 50.0) -> FloatArray:
    return level + np.resize(WEEK, SIZE + HORIZON)


def test_what_repeats_is_forecast_exactly_by_all_that_know_a_cycle() -> None:
    values = np.stack([season(), 3.0 * season(7.0)])
    for name, ahead in said(task_of(values)).items():
        assert ahead.shape == (len(ORIGINS), 2, HORIZON)
        if name not in ("recent_level", "newest_values"):
            np.testing.assert_allclose(ahead[-1], values[:, SIZE:], atol=1e-6, err_msg=name)
            np.testing.assert_allclose(ahead[0], values[:, 56:70], atol=1e-6, err_msg=name)


def test_a_cycle_within_a_longer_one_is_forecast_exactly() -> None:
    longer = np.resize(np.concatenate((WEEK, WEEK + 4.0, 2.0 * WEEK)), SIZE + HORIZON)[None] + 30.0
    found = said(task_of(longer, longer=21))
    for name in ("longer_naive", "longer_autoregression", "longer_smoothing 0.2 0.3"):
        np.testing.assert_allclose(found[name][-1], longer[:, SIZE:], atol=0.15, err_msg=name)
    assert np.abs(found["seasonal_naive"][-1] - longer[:, SIZE:]).max() > 1.0


@pytest.mark.parametrize("onset", [0, 30, 60])
def test_a_line_goes_on_from_its_bend(onset: int) -> None:
    values = (20.0 + 0.5 * np.maximum(TIME - onset, 0.0) + np.resize(WEEK, TIME.size))[None]
    values[:, :SIZE] += 0.05 * white(SIZE, 1)
    task = task_of(values)
    ahead = bent_line(task, [profile_before(task, origin) for origin in ORIGINS])[-1]
    np.testing.assert_allclose(ahead, values[:, SIZE:], atol=0.8)


def test_noise_is_no_line_and_three_high_values_are_no_steep_one() -> None:
    flat = np.stack([10.0 + white(SIZE + HORIZON, seed) for seed in range(100)])
    burst = flat.copy()
    burst[:, SIZE - 3 : SIZE] += 8.0
    for values, highest in ((flat, 10.4), (burst, 19.0)):
        task = task_of(values)
        ahead = bent_line(task, [profile_before(task, origin) for origin in ORIGINS])[-1]
        assert (ahead[:, -1] < highest).mean() > 0.95


def test_noise_has_no_profile() -> None:
    noise = np.stack([white(SIZE, seed) for seed in range(200)])
    season, _ = profile_before(task_of(noise), SIZE)
    assert (season**2).mean() < 0.5 * noise.reshape(200, -1, 7).mean(axis=1).var(axis=1).mean()


def test_one_map_over_all_series_learns_how_they_go_on() -> None:
    # Each value is half of the one before: what no method knows that looks at one cycle alone.
    random = np.random.default_rng(3)
    values = np.zeros((400, SIZE + HORIZON))
    for place in range(1, SIZE + HORIZON):
        values[:, place] = 0.9 * values[:, place - 1] + random.standard_normal(400)
    found = said(task_of(values))
    best = 0.9 ** np.arange(1, HORIZON + 1) * values[:, [SIZE - 1]]
    error = {name: np.abs(ahead[-1] - values[:, SIZE:]).mean() for name, ahead in found.items()}
    least = np.abs(best - values[:, SIZE:]).mean()
    assert error["window_values"] < 1.06 * least
    assert error["window_differences"] < 1.15 * least
    assert error["seasonal_naive"] > 1.2 * least


def test_an_origin_knows_nothing_of_what_comes_after_it() -> None:
    random = np.random.default_rng(4)
    values = random.standard_normal((30, SIZE)).cumsum(axis=1)
    other = values.copy()
    other[:, 70:] += 100.0 * random.standard_normal((30, SIZE - 70))
    once, twice = said(task_of(values)), said(task_of(other))
    for name, ahead in once.items():
        # Values are drawn in by bounds that the whole series sets.
        if not name.endswith("autoregression"):
            np.testing.assert_allclose(ahead[:3], twice[name][:3], rtol=1e-9, atol=1e-9, err_msg=name)


@limits(max_examples=25, deadline=None)
@given(st.integers(0, 200), st.sampled_from([1e-6, 0.25, 1e6]), st.sampled_from([0.0, -40.0]), st.sampled_from([1, 7]))
def test_unit_and_level_change_nothing_else(seed: int, unit: float, shift: float, cycle: int) -> None:
    random = np.random.default_rng(seed)
    values = 10.0 + random.standard_normal((8, SIZE)) + random.standard_normal((8, 1)) * np.resize(WEEK, SIZE)
    plain, other = said(task_of(values, cycle=cycle)), said(task_of(unit * (values + shift), cycle=cycle))
    for name, ahead in plain.items():
        np.testing.assert_allclose(other[name] / unit - shift, ahead, rtol=1e-6, atol=1e-5, err_msg=name)


@limits(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=SIZE, max_size=SIZE), st.sampled_from([1, 7]))
def test_any_values_have_finite_forecasts(values: list[float], cycle: int) -> None:
    rows = np.array([values, [0.0] * SIZE, [5.0] * SIZE])
    for name, ahead in said(task_of(rows, cycle=cycle)).items():
        assert np.isfinite(ahead).all(), name
        np.testing.assert_allclose(ahead[:, 1], 0.0, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(ahead[:, 2], 5.0, atol=1e-6, err_msg=name)
