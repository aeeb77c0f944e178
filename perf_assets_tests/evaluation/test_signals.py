from __future__ import annotations

import numpy as np
import pytest

from evaluation.signals import AMPLITUDE, DRIFT, KINDS, LEVEL, autoregressive, clean, with_steps

MANY = 2_000
VARIANCES = {
    "white": 1.0, "AR .3": 1.0, "AR .6": 1.0, "outliers": 1.0 + 0.05 * (10.0**2 + 16.0 / 12.0),
    "spikes": 1.0 + 0.05 * (10.0**2 + 100.0 / 12.0) - (0.05 * 10.0) ** 2, "seasonal": 1.0 + AMPLITUDE**2 / 2.0,
    "bimodal": 1.0 + 9.0 * 0.3 * 0.7, "lognormal": 1.0, "quantised": 1.0 + 1.0 / 12.0,
    "drift": 1.0 + DRIFT**2 / 3.0,
}  # fmt: skip
"""Around LEVEL, or around the mean where outliers and the second mode lie to one side."""


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_kind_has_the_variance_that_it_is_described_with(kind: str) -> None:
    values = clean(kind, MANY, 1) - LEVEL
    centre = values.mean() if kind in ("spikes", "bimodal") else 0.0
    assert np.mean((values - centre) ** 2) == pytest.approx(VARIANCES[kind], rel=0.04)


def test_autoregressive_noise_is_stationary_and_correlated() -> None:
    values = autoregressive(np.random.default_rng(1).standard_normal((20_000, 30)), 0.6)
    assert np.allclose(values.var(axis=0), 1.0, atol=0.05)
    assert np.corrcoef(values[:, 0], values[:, 1])[0, 1] == pytest.approx(0.6, abs=0.03)
    assert np.corrcoef(values[:, 20], values[:, 22])[0, 1] == pytest.approx(0.36, abs=0.03)


def test_steps_lie_in_the_middle_and_go_both_ways() -> None:
    flat = np.zeros((MANY, 200))
    values, places = with_steps(flat, 2.0, 3)
    assert (places.min(), places.max()) == (30, 170)
    rows = np.arange(MANY)
    assert not values[rows, places - 1].any()
    assert set(np.unique(values[rows, places])) == {-2.0, 2.0}
    assert np.array_equal(values[rows, places], values[:, -1])


def test_the_same_seed_gives_the_same_series_and_kinds_have_noise_of_their_own() -> None:
    assert np.array_equal(clean("white", 3, 5), clean("white", 3, 5))
    assert not np.array_equal(clean("white", 3, 5), clean("white", 3, 6))
    assert not np.array_equal(np.round(clean("white", 3, 5)), clean("quantised", 3, 5))
