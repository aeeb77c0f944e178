"""Courses that series may take from here: draws of what they may be doing, and of the noise on it.

Belongs here: sampling. The same random numbers serve all series, so that what is said of one does not depend on others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from perf_assets.analysis.breach.shapes import Explained, Shapes
from perf_assets.analysis.ragged import IndexArray
from perf_assets.analysis.statistics import FloatArray

DRAWS = 500
_SEED = 0
_MOST_AHEAD = 64


@dataclass(frozen=True)
class Chance:
    """Random numbers for DRAWS courses: evenly spread and in random order in (0, 1), shape (draws,); normal ones for
    amount and level, shape (2, draws); uniform ones for the variance, shape (draws,); normal ones for the noise, shape
    (draws, places); uniform ones that pick among what was seen, shape (draws, places).
    """

    even: FloatArray
    normal: FloatArray
    uniform: FloatArray
    noise: FloatArray
    picks: FloatArray


@cache
def chance() -> Chance:
    random = np.random.default_rng(_SEED)
    return Chance(
        even=random.permutation((np.arange(DRAWS) + 0.5) / DRAWS),
        normal=random.standard_normal((2, DRAWS)),
        uniform=random.permutation((np.arange(DRAWS) + 0.5) / DRAWS),
        noise=random.standard_normal((DRAWS, _MOST_AHEAD)),
        picks=random.random((DRAWS, _MOST_AHEAD)),
    )


def courses(last: FloatArray, found: Explained, known: Shapes, ahead: int) -> FloatArray:
    """Shape (s, draws, ahead): of each draw a shape by its probability, an amount of it and a level from their
    Student's t, and autoregressive noise that begins at what is left of the `last` value, shape (s,).
    """
    from scipy.special import chdtri

    drawn, each = chance(), known.rows.shape[1]
    series = np.arange(len(last))[:, None]
    noise, shape = np.divmod(_picked(found.chances.reshape(len(last), -1), drawn.even), each)
    variance = found.left[series, noise, shape] / np.maximum(chdtri(known.size - 2.0, drawn.uniform), 1e-3)
    spread = np.sqrt(variance)
    amount = found.amounts[series, noise, shape]
    amount += spread * np.sqrt(found.kept[series, noise, shape]) * drawn.normal[0]
    level = found.levels[series, noise] + spread / np.sqrt(known.worths[noise]) * drawn.normal[1]
    path = level[:, :, None] + amount[:, :, None] * known.rows[:, :, known.size - 1 : known.size + ahead][noise, shape]
    own = last[:, None] - path[:, :, 0]
    correlation = known.correlations[noise]
    step = spread * np.sqrt(1.0 - correlation**2)
    for place in range(ahead):
        own = correlation * own + step * drawn.noise[:, place]
        path[:, :, place + 1] += own
    return np.asarray(path[:, :, 1:])


def _picked(chances: FloatArray, even: FloatArray) -> IndexArray:
    """Which of the shapes each draw is of, shape (s, draws)."""
    upper = np.cumsum(chances, axis=1)
    upper /= upper[:, -1:]
    # Rows apart by 1 are one ascending array.
    flat = (upper + np.arange(len(upper))[:, None]).ravel()
    sought = (even[None, :] + np.arange(len(upper))[:, None]).ravel()
    places = np.searchsorted(flat, sought).reshape(len(upper), -1) - np.arange(len(upper))[:, None] * upper.shape[1]
    return np.asarray(np.minimum(places, upper.shape[1] - 1))


def reach(found: Explained, known: Shapes, ahead: int, fewest: float = 1e-5) -> tuple[FloatArray, FloatArray]:
    """(smallest, largest) values that any shape with a chance of at least `fewest` comes to within the places ahead,
    eight standard deviations of noise included, shape (s,) each: beyond them no course leads.
    """
    future = known.rows[:, :, known.size : known.size + ahead]
    low, high = future.min(axis=2), future.max(axis=2)
    likely = found.chances >= fewest
    spread = np.sqrt(found.left / (known.size - 2.0))
    # The amount of a shape is unsure by as much as the noise.
    unsure = spread * (1.0 + np.maximum(np.abs(low), np.abs(high)) + 1.0 / np.sqrt(known.worths)[:, None])
    level = found.levels[:, :, None]
    up = level + np.maximum(found.amounts * low, found.amounts * high) + 8.0 * unsure
    down = level + np.minimum(found.amounts * low, found.amounts * high) - 8.0 * unsure
    return np.where(likely, down, np.inf).min(axis=(1, 2)), np.where(likely, up, -np.inf).max(axis=(1, 2))
