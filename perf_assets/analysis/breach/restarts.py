"""Series that rise and fall back again and again, as the memory of a service that is restarted: where they go on.

Belongs here: finding the cycles of one series, and courses through further ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perf_assets.analysis.breach.courses import DRAWS, chance
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray

_FEWEST_CYCLES = 3
"""Whole cycles that make a habit."""
_CLEAR = 6.0
"""Times the noise that a fall is large, at least."""
_ALIKE = 0.4
"""Share of the usual fall that each one is large, and that a cycle rises, at least."""
_SCATTER = 0.25
"""Share of the usual fall that values scatter around their lines, at most."""
_SHORTEST = 2


@dataclass(frozen=True)
class Cycles:
    """Whole cycles of a series, shape (c,) each: places, first level, and rise a place; the same of the present one,
    which has lasted `age` places; and the deviation of values from their lines.
    """

    lengths: FloatArray
    bases: FloatArray
    slopes: FloatArray
    age: int
    base: float
    slope: float
    noise: float


def cycles(values: FloatArray) -> Cycles | None:
    """The cycles of a series that rises and falls back, `values`, shape (t,); None for any other."""
    change = np.diff(values)
    usual = MAD_TO_SD * float(np.median(np.abs(change - np.median(change)))) if change.size else 0.0
    deepest = float(-change.min()) if change.size else 0.0
    if deepest <= _CLEAR * usual or deepest <= 0:
        return None
    falls = np.flatnonzero(change <= -max(_ALIKE * deepest, _CLEAR * usual)) + 1
    if falls.size < _FEWEST_CYCLES + 1:
        return None
    parts = [values[begin:end] for begin, end in zip(falls, [*falls[1:], values.size], strict=True)]
    whole = [part for part in parts[:-1] if part.size >= _SHORTEST]
    if len(whole) < _FEWEST_CYCLES:
        return None
    lines = np.array([_line(part) for part in whole])
    lengths = np.array([part.size for part in whole], dtype=np.float64)
    usual_fall = float(np.median(-change[falls - 1]))
    if np.median(lines[:, 1] * lengths) < _ALIKE * usual_fall:
        return None
    residuals = np.concatenate([_residuals(part, *line) for part, line in zip(whole, lines, strict=True)])
    freedom = max(residuals.size - 2 * len(whole), 1)
    noise = float(np.sqrt((residuals**2).sum() / freedom))
    if noise > _SCATTER * usual_fall:
        return None
    now, slope = parts[-1], float(np.median(lines[:, 1]))
    # Its own line counts as many values as it has beside what the slopes of the others say.
    if now.size > _SHORTEST:
        own, error = _line(now)[1], noise * np.sqrt(12.0 / now.size**3)
        apart = max(float(np.std(lines[:, 1])), 1e-3 * abs(slope))
        slope += (own - slope) * apart**2 / (apart**2 + error**2)
    base = float(now.mean() - slope * (now.size - 1) / 2.0)
    return Cycles(lengths, lines[:, 0], lines[:, 1], now.size, base, slope, noise)


def _line(values: FloatArray) -> tuple[float, float]:
    """First value and slope of a least-squares line."""
    place = np.arange(values.size) - (values.size - 1) / 2.0
    slope = float(place @ values / (place @ place))
    return float(values.mean() + slope * place[0]), slope


def _residuals(values: FloatArray, base: float, slope: float) -> FloatArray:
    return np.asarray(values - base - slope * np.arange(values.size))


def courses_of_cycles(found: Cycles, ahead: int) -> FloatArray:
    """Shape (draws, ahead): the present cycle and further ones, each as long as one of those before, or as high where
    heights differ less than lengths."""
    drawn = chance()
    count = found.lengths.size
    heights = found.bases + found.slopes * (found.lengths - 1.0)
    rises = heights - found.bases
    by_height = _spread(rises) < _spread(found.lengths)
    slope = np.full(DRAWS, found.slope)
    slope = slope * (1.0 + _spread(found.slopes) / np.sqrt(found.age) * drawn.normal[0])
    base, age = np.full(DRAWS, found.base), np.full(DRAWS, float(found.age))
    which = (drawn.even * count).astype(np.intp)
    # A cycle that is longer already than the one drawn ends at the next place.
    path = np.empty((DRAWS, ahead))
    for place in range(ahead):
        over = base + slope * age > heights[which] if by_height else age >= found.lengths[which]
        which = np.where(over, (drawn.picks[:, place] * count).astype(np.intp), which)
        base, slope = np.where(over, found.bases[which], base), np.where(over, found.slopes[which], slope)
        age = np.where(over, 0.0, age)
        path[:, place] = base + slope * age + found.noise * drawn.noise[:, place]
        age += 1.0
    return path


def _spread(values: FloatArray) -> float:
    middle = abs(float(np.median(values)))
    return float(np.std(values)) / middle if middle > 0 else np.inf
