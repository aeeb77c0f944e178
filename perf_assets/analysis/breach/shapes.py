"""What a series may be doing: a level, and what began on it at one place, with how likely each is.

Belongs here: shapes, their probabilities and what each leaves unexplained. Source: Bayesian model averaging (Hoeting et
al. 1999) with the Bayesian information criterion's likelihoods (Schwarz 1978), autocorrelated residuals counted as
their effective number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perf_assets.analysis.ragged import IndexArray
from perf_assets.analysis.statistics import FloatArray

ODDS = {"level": 2.0, "line": 0.6, "flattening": 0.4, "step": 0.1, "ended": 0.1}
"""What each kind counts before anything is measured: nothing but a level; a line that goes on; one that bends towards a
new level; a step; a line that has ended."""
_TIMES = (3.0, 6.0, 12.0, 24.0)
"""Places in which a flattening line covers all but 1/e of the way that is left."""
_FEWEST_TO_BEND, _OFTEN_BENT = 7, 10
"""Places behind its beginning that a line needs to bend; places from which it bends as often as any: of a younger one
nobody can say whether it will, and nearly all go on for a while."""
_YOUNG, _YOUNG_ODDS = 12, 4.0
"""Places since which a line is young, and how much more often one begins there than at a place further back: an old one
has been foreseen, and most have been ended, by the time that it is old."""
_MOST_CORRELATED = 0.97
_FEWEST_WORTH = 4.0
_EXACT = 1e-12
"""Share of the squares below which what is left is rounding."""


@dataclass(frozen=True)
class Shapes:
    """k shapes over `size` places and those ahead: `rows`, shape (k, size + ahead), of mean 0 and unit norm over the
    first `size`; logarithms of what each counts, shape (k + 1,), that of the level alone last.
    """

    rows: FloatArray
    log_odds: FloatArray
    size: int


@lru_cache(maxsize=64)
def shapes(size: int, ahead: int) -> Shapes:
    """All shapes for histories of `size` places: each may begin at any place near the end and at every second or fourth
    one further back, where it matters less."""
    place = np.arange(size + ahead, dtype=np.float64)
    begins = _places(size - 2, 20, 2)
    steps = np.arange(1, size - 1)
    bends = [(begin, time) for begin in begins if size - begin >= _FEWEST_TO_BEND for time in _TIMES]
    corners = _places(size - 3, 24, 4)
    ended = [(begin, end) for begin in corners for end in corners if end >= begin + 4]
    kinds = {
        "line": (
            [np.maximum(place - begin, 0.0) for begin in begins],
            np.array([_YOUNG_ODDS if size - begin <= _YOUNG else 1.0 for begin in begins]),
        ),
        "flattening": (
            [1.0 - np.exp(-np.maximum(place - begin, 0.0) / time) for begin, time in bends],
            np.array([min((size - begin) / _OFTEN_BENT, 1.0) ** 2 for begin, _ in bends]),
        ),
        "step": ([np.where(place >= begin, 1.0, 0.0) for begin in steps], np.ones(len(steps))),
        "ended": ([np.clip(place - begin, 0.0, end - begin) for begin, end in ended], np.ones(len(ended))),
    }
    odds = [ODDS[kind] * weights / max(weights.sum(), 1.0) for kind, (_, weights) in kinds.items()]
    found = [row for rows, _ in kinds.values() for row in rows]
    rows = np.stack(found) if found else np.empty((0, place.size))
    rows -= rows[:, :size].mean(axis=1, keepdims=True)
    rows /= np.sqrt((rows[:, :size] ** 2).sum(axis=1, keepdims=True))
    return Shapes(rows, np.log(np.append(np.concatenate(odds), ODDS["level"])), size)


def _places(stop: int, dense: int, apart: int) -> list[int]:
    """Places from 0 below `stop`: the last `dense`, and before them every so many."""
    near = max(stop - dense, 0)
    return [*range(0, near, apart), *range(near, stop)]


@dataclass(frozen=True)
class Explained:
    """What the shapes make of s series, the level alone being the last: `mean` of the values, shape (s,); how much of
    each shape there is (`amounts`, 0 of the level), how likely it is (`chances`, adding up to 1) and the variance that
    it leaves (`left`), shape (s, k + 1); what the residuals are worth in independent values (`worth`) and their
    autocorrelation, shape (s,).
    """

    mean: FloatArray
    amounts: FloatArray
    chances: FloatArray
    left: FloatArray
    worth: FloatArray
    correlation: FloatArray

    def part(self, rows: IndexArray) -> Explained:
        return Explained(
            self.mean[rows], self.amounts[rows], self.chances[rows], self.left[rows], self.worth[rows],
            self.correlation[rows],
        )  # fmt: skip


def explained(values: FloatArray, known: Shapes) -> Explained:
    """`values`, shape (s, known.size), without gaps."""
    count, size = values.shape
    mean = values.mean(axis=1)
    centred = values - mean[:, None]
    basis = known.rows[:, :size]
    amounts = np.concatenate((centred @ basis.T, np.zeros((count, 1))), axis=1)
    total = (centred**2).sum(axis=1, keepdims=True)
    # What differs by rounding alone has no noise, and every shape explains it as well as any.
    least = np.maximum(_EXACT * total, (1e-9 * np.abs(values).max(axis=1, keepdims=True)) ** 2)
    left = np.maximum(total - amounts**2, least)
    exact = left <= least
    best = left.argmin(axis=1)
    rows = np.arange(count)
    fitted = np.concatenate((basis, np.zeros((1, size))))[best]
    correlation = _autocorrelation(centred - amounts[rows, best][:, None] * fitted)
    worth = np.maximum(size * (1.0 - correlation) / (1.0 + correlation), _FEWEST_WORTH)
    smallest = np.maximum(left[rows, best], np.finfo(np.float64).tiny)[:, None]
    ratio = np.maximum(left, smallest) / smallest
    chances = -worth[:, None] / 2.0 * np.log(ratio) + known.log_odds
    chances = np.exp(chances - chances.max(axis=1, keepdims=True))
    left = np.where(exact, 0.0, left / size)
    return Explained(mean, amounts, chances / chances.sum(axis=1, keepdims=True), left, worth, correlation)


def _autocorrelation(residuals: FloatArray) -> FloatArray:
    """From one place to the next, corrected for its bias (Kendall 1954), shape (s,)."""
    power = (residuals**2).sum(axis=1)
    together = (residuals[:, 1:] * residuals[:, :-1]).sum(axis=1)
    own = np.divide(together, power, out=np.zeros_like(power), where=power > 0)
    return np.asarray(np.clip(own + (1.0 + 3.0 * own) / residuals.shape[1], 0.0, _MOST_CORRELATED))
