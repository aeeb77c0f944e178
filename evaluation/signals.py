"""Series of known truth: the kinds of noise that test results come with, and steps in them.

Noise has standard deviation 1 before outliers, seasons and a second mode are added.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import signal

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

POINTS = 200
LEVEL = 20.0
"""Where the series lie, in noise standard deviations: a coefficient of variation of 5 %, as methods need that go by per
cent. To the others it is nothing.
"""
FIRST_PLACE, LAST_PLACE = 0.15, 0.85
"""Share of the series between which steps lie."""
SEASON, AMPLITUDE = 7, 1.5
DRIFT = 1.5
"""Rise or fall over the whole series."""
_RARE = 0.05
_SECOND_MODE, _SECOND_MODE_SHARE = 3.0, 0.3
_SKEW = 0.6


def clean(kind: str, series: int, seed: int, points: int = POINTS) -> FloatArray:
    """Series without a step around LEVEL, shape (series, points); `kind` is one of KINDS."""
    random = np.random.default_rng([seed, list(KINDS).index(kind), points])
    return LEVEL + KINDS[kind](random, series, points)


def with_steps(values: FloatArray, size: float, seed: int) -> tuple[FloatArray, IndexArray]:
    """The series with a step of `size` up or down each, and the index of the first value after it, shape (series,)."""
    series, points = values.shape
    random = np.random.default_rng([seed, series, points])
    places = random.integers(int(FIRST_PLACE * points), int(LAST_PLACE * points) + 1, series)
    return with_steps_at(values, size, places, random), places


def with_steps_at(values: FloatArray, size: float, places: IndexArray, random: np.random.Generator) -> FloatArray:
    """The series with a step of `size` up or down each at its place."""
    series, points = values.shape
    return values + (np.arange(points) >= places[:, None]) * size * random.choice([-1.0, 1.0], (series, 1))


def autoregressive(innovations: FloatArray, correlation: float) -> FloatArray:
    """Stationary AR(1) along the last axis, with the variance of the innovations."""
    scaled = np.sqrt(1.0 - correlation**2) * innovations
    scaled[..., 0] = innovations[..., 0]
    return np.asarray(signal.lfilter([1.0], [1.0, -correlation], scaled, axis=-1))


def _white(random: np.random.Generator, series: int, points: int) -> FloatArray:
    return random.standard_normal((series, points))


def _autoregressive(correlation: float) -> Callable[[np.random.Generator, int, int], FloatArray]:
    return lambda random, series, points: autoregressive(_white(random, series, points), correlation)


def _outliers(random: np.random.Generator, series: int, points: int) -> FloatArray:
    shape = series, points
    moved = (random.random(shape) < _RARE) * random.choice([-1.0, 1.0], shape) * random.uniform(8.0, 12.0, shape)
    return _white(random, series, points) + moved


def _spikes(random: np.random.Generator, series: int, points: int) -> FloatArray:
    shape = series, points
    return _white(random, series, points) + (random.random(shape) < _RARE) * random.uniform(5.0, 15.0, shape)


def _seasonal(random: np.random.Generator, series: int, points: int) -> FloatArray:
    phase = np.arange(points) / SEASON + random.random((series, 1))
    return _white(random, series, points) + AMPLITUDE * np.sin(2.0 * np.pi * phase)


def _bimodal(random: np.random.Generator, series: int, points: int) -> FloatArray:
    second = random.random((series, points)) < _SECOND_MODE_SHARE
    return _white(random, series, points) + _SECOND_MODE * second


def _lognormal(random: np.random.Generator, series: int, points: int) -> FloatArray:
    variance = _SKEW**2
    values = np.exp(_SKEW * _white(random, series, points))
    return (values - np.exp(variance / 2.0)) / np.sqrt((np.exp(variance) - 1.0) * np.exp(variance))


def _quantised(random: np.random.Generator, series: int, points: int) -> FloatArray:
    return np.round(_white(random, series, points))


def _drift(random: np.random.Generator, series: int, points: int) -> FloatArray:
    slope = random.choice([-1.0, 1.0], (series, 1)) * np.linspace(0.0, DRIFT, points)
    return _white(random, series, points) + slope


KINDS: dict[str, Callable[[np.random.Generator, int, int], FloatArray]] = {
    "white": _white,
    "AR .3": _autoregressive(0.3),
    "AR .6": _autoregressive(0.6),
    "outliers": _outliers,
    "spikes": _spikes,
    "seasonal": _seasonal,
    "bimodal": _bimodal,
    "lognormal": _lognormal,
    "quantised": _quantised,
    "drift": _drift,
}
