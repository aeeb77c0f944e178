"""Noise and cycles as fleets have them: autocorrelated, heavy-tailed, daily and weekly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_DEGREES_OF_FREEDOM = 5.0


def autoregressive(rng: np.random.Generator, shape: tuple[int, int], autocorrelation: float) -> FloatArray:
    """AR(1) noise along the last axis with Student t innovations (5 degrees of freedom) and unit variance."""
    scale = np.sqrt((_DEGREES_OF_FREEDOM - 2) / _DEGREES_OF_FREEDOM)
    innovations = rng.standard_t(_DEGREES_OF_FREEDOM, size=shape) * scale
    noise = np.empty(shape)
    noise[:, 0] = innovations[:, 0]
    gain = np.sqrt(1.0 - autocorrelation**2)
    for step in range(1, shape[1]):
        noise[:, step] = autocorrelation * noise[:, step - 1] + gain * innovations[:, step]
    return noise


def cycles(hours: FloatArray, daily: float, weekly: float) -> FloatArray:
    """A working day's curve (peak at 14:00) and a quieter weekend; `hours` count from a Monday 00:00."""
    day = np.sin(2 * np.pi * (hours - 8.0) / 24.0)
    weekend = ((hours // 24) % 7 >= 5).astype(float)
    return daily * day - weekly * weekend
