"""What a series may be doing: a level, and what began on it at one place, with how likely each is.

Belongs here: shapes, their probabilities and what each leaves unexplained. Source: Bayesian model averaging (Hoeting et
al. 1999) over linear regressions with autoregressive noise; the amount of a shape is normal before anything is
measured, and as large as the limit is far (Liang et al. 2008 on such priors).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perf_assets.analysis.ragged import IndexArray
from perf_assets.analysis.statistics import FloatArray

ODDS = {"level": 2.0, "line": 1.25, "young line": 1.5, "flattening": 2.0, "step": 0.7, "ended": 0.7}
"""What each kind counts before anything is measured: nothing but a level; a line that goes on, begun long ago or
lately; one that bends towards a new level; a step; a line that has ended."""
_CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.75, 0.9, 0.97)
"""Of the noise, from one place to the next: one as likely as another before anything is measured."""
_TIMES = (3.0, 6.0, 12.0, 24.0)
"""Places in which a flattening line covers all but 1/e of the way that is left."""
_YOUNG = 12
"""Places since which a line is young."""
_WHOLE_WAY = 30.0
"""Places in which a line usually comes as far as the limit is away."""
_EXACT = 1e-12
"""Share of the squares below which what is left is rounding."""


@dataclass(frozen=True)
class Shapes:
    """k shapes, the level alone being the last, with each of c correlations of the noise, over `size` places and those
    ahead.

    `rows`, shape (c, k, size + ahead): without the level that fits them best, and of unit norm as innovations of that
    noise over the first `size`. `norms`, shape (c, k): how much of a row is the whole shape, 0 for the level.
    `log_odds`, shape (c, k): logarithms of what each counts before anything is measured. `maps`, shape (c, size, size):
    from values to innovations without their level; `fitted`, shape (c, size, k): rows as such innovations. `levels`,
    shape (c, size): what each value counts in the level; `worths`, shape (c,): independent values that the level rests
    on.
    """

    rows: FloatArray
    norms: FloatArray
    log_odds: FloatArray
    maps: FloatArray
    fitted: FloatArray
    levels: FloatArray
    worths: FloatArray

    @property
    def size(self) -> int:
        return int(self.maps.shape[1])

    @property
    def correlations(self) -> FloatArray:
        return np.array(_CORRELATIONS)


@lru_cache(maxsize=16)
def shapes(size: int, ahead: int) -> Shapes:
    """All shapes for histories of `size` places: each may begin at any place near the end and at every second or fourth
    one further back, where it matters less."""
    plain, odds = _plain(size, ahead)
    parts = [_with_noise(plain, odds, size, correlation) for correlation in _CORRELATIONS]
    return Shapes(*(np.stack(part) for part in zip(*parts, strict=True)))


def _plain(size: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    """Shapes, shape (k, size + ahead), as large as they usually are where a limit is 1 away, and what each counts."""
    place = np.arange(size + ahead, dtype=np.float64)
    begins = _places(size - 2, 20, 2)
    corners = _places(size - 3, 24, 4)
    kinds = {
        "line": [np.maximum(place - begin, 0.0) / _WHOLE_WAY for begin in begins if size - begin > _YOUNG],
        "young line": [np.maximum(place - begin, 0.0) / _WHOLE_WAY for begin in begins if size - begin <= _YOUNG],
        "flattening": [1.0 - np.exp(-np.maximum(place - begin, 0.0) / time) for begin in begins for time in _TIMES],
        "step": [np.where(place >= begin, 1.0, 0.0) for begin in range(1, size - 1)],
        "ended": [
            np.clip((place - begin) / (end - begin), 0.0, 1.0)
            for begin in corners
            for end in corners
            if end >= begin + 4
        ],
        "level": [np.zeros(place.size)],
    }
    odds = [np.full(len(rows), ODDS[kind] / max(len(rows), 1)) for kind, rows in kinds.items()]
    return np.stack([row for rows in kinds.values() for row in rows]), np.concatenate(odds)


def _places(stop: int, dense: int, apart: int) -> list[int]:
    """Places from 0 below `stop`: the last `dense`, and before them every so many."""
    near = max(stop - dense, 0)
    return [*range(0, near, apart), *range(near, stop)]


def _with_noise(plain: FloatArray, odds: FloatArray, size: int, correlation: float) -> tuple[FloatArray, ...]:
    """The parts of `Shapes` for noise of one correlation."""
    scale = np.sqrt(1.0 - correlation**2)
    # From values to innovations, of the variance that the noise has; the first value has no other before it.
    innovations = (np.eye(size) - correlation * np.eye(size, k=-1)) / scale
    innovations[0, 0] = 1.0
    flat = innovations.sum(axis=1)
    worth = flat @ flat
    level = flat @ innovations / worth
    without = innovations - np.outer(flat, level)
    rows = plain - (plain[:, :size] @ level)[:, None]
    fitted = without @ plain[:, :size].T
    norms = np.sqrt((fitted**2).sum(axis=0))
    some = norms > 0
    rows = np.divide(rows, norms[:, None], out=np.zeros_like(rows), where=some[:, None])
    fitted = np.divide(fitted, norms, out=np.zeros_like(fitted), where=some)
    # Of two kinds of noise that leave the same squares, values are denser where innovations are the smaller.
    log_odds = np.log(odds) - (size - 1.0) * np.log(scale) - np.log(worth) / 2.0
    return rows, norms, log_odds, without, fitted, level, worth


@dataclass(frozen=True)
class Explained:
    """What the shapes make of s series: the level with each noise (`levels`, shape (s, c)); how much of each row there
    is (`amounts`), the share of the variance of that amount which what is known before leaves (`kept`), how likely each
    shape is (`chances`, adding up to 1) and the sum of squared innovations that it leaves (`left`), shape (s, c, k).
    """

    levels: FloatArray
    amounts: FloatArray
    kept: FloatArray
    chances: FloatArray
    left: FloatArray

    def part(self, rows: IndexArray) -> Explained:
        return Explained(self.levels[rows], self.amounts[rows], self.kept[rows], self.chances[rows], self.left[rows])


def explained(values: FloatArray, away: FloatArray, known: Shapes) -> Explained:
    """`values`, shape (s, known.size), without gaps; `away`: how far the limit of each series is from where it was,
    shape (s,)."""
    freedom = known.size - 2.0
    centred = values - values.mean(axis=1, keepdims=True)
    new = np.einsum("st,cot->cso", centred, known.maps, optimize=True)
    amounts = (new @ known.fitted).swapaxes(0, 1)
    total = (new**2).sum(axis=2).T[:, :, None]
    # What differs by rounding alone has no noise, and every shape explains it as well as any.
    least = np.maximum(_EXACT * total, (1e-9 * np.abs(values).max(axis=1))[:, None, None] ** 2)
    least = np.maximum(least, np.finfo(np.float64).tiny)
    noise = np.maximum(total - amounts**2, least).min(axis=2, keepdims=True) / freedom
    expected = (away[:, None, None] * known.norms) ** 2
    kept = expected / (expected + noise)
    left = np.maximum(total - kept * amounts**2, least)
    chances = known.log_odds + np.log(noise / (expected + noise)) / 2.0 - (freedom + 1.0) / 2.0 * np.log(left)
    chances = np.exp(chances - chances.max(axis=(1, 2), keepdims=True))
    chances /= chances.sum(axis=(1, 2), keepdims=True)
    return Explained(values @ known.levels.T, kept * amounts, kept, chances, np.where(left <= least, 0.0, left))
