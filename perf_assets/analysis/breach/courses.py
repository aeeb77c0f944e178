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
    amount and mean, shape (2, draws); uniform ones for the variance, shape (draws,); normal ones for the noise, shape
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
    """Shape (s, draws, ahead): of each draw a shape by its probability, an amount and a mean of it from their Student's
    t, and autoregressive noise that begins at what is left of the `last` value, shape (s,).
    """
    from scipy.special import chdtri

    drawn = chance()
    rows = np.arange(len(last))[:, None]
    picked = _picked(found.chances, drawn.even)
    freedom = np.maximum(found.worth - 2.0, 2.0)[:, None]
    worth = found.worth[:, None]
    variance = found.left[rows, picked] * worth / np.maximum(worth - 1.0, 1.0)
    variance *= freedom / np.maximum(chdtri(freedom, drawn.uniform[None, :]), 1e-3)
    size = known.size
    spread = np.sqrt(variance * size / worth)
    amount = found.amounts[rows, picked] + spread * drawn.normal[0] * (picked < len(known.rows))
    mean = found.mean[:, None] + spread / np.sqrt(size) * drawn.normal[1]
    rows_of_shapes = np.concatenate((known.rows, np.zeros((1, known.rows.shape[1]))))[:, size - 1 : size + ahead]
    path = mean[:, :, None] + amount[:, :, None] * rows_of_shapes[picked]
    own = last[:, None] - path[:, :, 0]
    correlation = found.correlation[:, None]
    step = np.sqrt(variance * (1.0 - correlation**2))
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


def reach(found: Explained, known: Shapes, ahead: int, fewest: float = 1e-3) -> tuple[FloatArray, FloatArray]:
    """(smallest, largest) values that any shape with a chance of at least `fewest` comes to within the places ahead,
    eight standard deviations of noise included, shape (s,) each: beyond them no course leads.
    """
    future = known.rows[:, known.size : known.size + ahead]
    low, high = np.append(future.min(axis=1), 0.0), np.append(future.max(axis=1), 0.0)
    spread = np.sqrt(found.left * (known.size / found.worth)[:, None])
    likely = found.chances >= fewest
    # The amount of a shape is unsure by as much as the noise.
    unsure = spread * np.maximum(np.abs(low), np.abs(high)) + np.sqrt(found.left) + spread / np.sqrt(known.size)
    up = np.maximum(found.amounts * low, found.amounts * high) + 8.0 * unsure
    down = np.minimum(found.amounts * low, found.amounts * high) - 8.0 * unsure
    return (
        found.mean + np.where(likely, down, np.inf).min(axis=1),
        found.mean + np.where(likely, up, -np.inf).max(axis=1),
    )
