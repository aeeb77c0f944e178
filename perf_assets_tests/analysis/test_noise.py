from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from perf_assets.analysis.noise import BimodalNoise, NormalNoise, SkewedNoise, noises, without_outliers
from perf_assets.analysis.stretches import pack
from perf_assets_tests.analysis.signals import FloatArray, white


@limits(max_examples=40, deadline=None)
@given(n=st.integers(5, 80), seed=st.integers(0, 500))
def test_outliers_become_the_median_of_nine_neighbours(n: int, seed: int) -> None:
    values = np.where(np.random.default_rng(seed).random(n) < 0.05, 30.0, white(n, seed))
    cleaned = without_outliers(pack([values, white(90, 1)]))[:, 0]
    # In one dimension scipy reads memory beside values that are fewer than the window.
    [median] = median_filter(values[None], (1, 9), mode="mirror")
    changed = cleaned[:n] != values
    assert np.array_equal(cleaned[:n][changed], median[changed])
    assert not cleaned[n:].any()


def kind_of(values: FloatArray) -> type:
    block = pack([values - np.median(values)])
    [(_, noise)] = noises(block, block.values, block.values, np.zeros(1))
    return type(noise)


def test_the_kind_of_noise_is_told() -> None:
    random = np.random.default_rng(5)
    assert kind_of(white(300, 1)) is NormalNoise
    assert kind_of(np.exp(0.6 * white(300, 2))) is SkewedNoise
    assert kind_of(white(300, 3) + 4.0 * (random.random(300) < 0.3)) is BimodalNoise
    assert kind_of(np.exp(0.6 * white(60, 2))) is NormalNoise  # too few to tell
