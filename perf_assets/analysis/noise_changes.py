"""Where the noise of a series changes, whatever its level does: beyond that place it is judged by another noise.

A machine is replaced, a load on it ends, a second mode appears: from then on values scatter several times as much or as
little. One variance for both parts makes the noise of one of them look like steps, and hides the steps of the other.
"""

from __future__ import annotations

import numpy as np

from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import Block, BoolArray, IndexArray, quantiles, running, sorted_down, totals

_FEWEST = 12
"""Values on either side by which a noise is known."""
_CHUNKS, _CHUNKS_DIFFER = 6, 3.0
"""Where the scatter of no sixth is three times that of another, nothing is looked for."""
_LEAST_RATIO = 2.5
"""Of the median difference between neighbouring values on one side to that on the other."""
_NEAR = 10
"""Values around the best place by ranks among which the likeliest one is taken."""
_EVIDENCE = 30.0
"""Square of the rank-sum statistic that the differences must bring; it is about 15 at the best place of even noise."""


def noise_changes(block: Block) -> IndexArray:
    """First row of the second noise of each series, shape (k,), 0 where there is but one.

    `block`: k series. Noise is compared by the ranks of the absolute differences of neighbouring values, which neither
    see the level nor care for outliers. Source: Pettitt (1979), A non-parametric approach to the change-point problem.
    """
    found = np.zeros(block.sizes.size, dtype=np.intp)
    scatter = np.abs(np.diff(block.values, axis=0))
    uneven = np.flatnonzero((block.sizes >= 2 * _FEWEST) & _uneven(scatter, block.inside[1:], block.sizes))
    if uneven.size:
        part = block.of(uneven)
        place, differs = _place(part, scatter[:, uneven])
        found[uneven[differs]] = _relocated(part, place)[differs]
    return found


def _uneven(scatter: FloatArray, inside: BoolArray, sizes: IndexArray) -> BoolArray:
    sums = running(np.where(inside, scatter, 0.0))
    edges = (np.arange(_CHUNKS + 1)[:, None] * (sizes - 1)) // _CHUNKS
    within = np.diff(np.take_along_axis(sums, edges, axis=0), axis=0)
    return np.asarray(within.max(axis=0) > _CHUNKS_DIFFER * within.min(axis=0))


def _place(block: Block, scatter: FloatArray) -> tuple[IndexArray, BoolArray]:
    """(row of the best place, do the differences before and after it have another scale?), each of shape (k,)."""
    inside, rows, count = block.inside[1:], block.rows[:-1], (block.sizes - 1).astype(np.float64)
    order = np.where(inside, scatter, np.inf).argsort(axis=0, kind="stable")
    ranks = np.empty(scatter.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, scatter.shape[0] + 1.0)[:, None], axis=0)
    # Row i is the difference between values i and i + 1: those before row i belong to the first i + 1 values.
    sums = np.cumsum(ranks, axis=0) - ranks
    possible = (rows >= _FEWEST) & (rows <= count - _FEWEST)
    spread = np.where(possible, rows * (count - rows) * (count + 1.0) / 12.0, np.inf)
    evidence = (sums - rows * (count + 1.0) / 2.0) ** 2 / spread
    place = np.maximum(evidence.argmax(axis=0), _FEWEST)
    sides = inside & (rows < place), inside & (rows > place)
    typical = [quantiles(sorted_down(scatter, side), np.count_nonzero(side, axis=0), 0.5) for side in sides]
    ratio = np.maximum(*typical) / np.maximum(np.minimum(*typical), 1e-300)
    differs = (evidence[place, np.arange(place.size)] >= _EVIDENCE) & (ratio >= _LEAST_RATIO)
    return place + 1, differs


def _relocated(block: Block, place: IndexArray) -> IndexArray:
    """The row up to `_NEAR` from each place at which two levels, each with a variance of its own, are likeliest.

    Source: Chen & Gupta (2012), Parametric Statistical Change Point Analysis, for mean and variance at once.
    """
    columns, count = np.arange(place.size), block.rows.astype(np.float64)
    sums, squares = (np.cumsum(block.values**power, axis=0) - block.values**power for power in (1, 2))
    rest = np.maximum(block.sizes - count, 1.0)
    before = _variance(sums, squares, np.maximum(count, 1.0))
    after = _variance(totals(block.values) - sums, totals(block.values**2) - squares, rest)
    least = 1e-12 * (before[place, columns] + after[place, columns]) + 1e-300
    cost = count * np.log(before + least) + rest * np.log(after + least)
    near = np.abs(block.rows - place) <= _NEAR
    near &= (block.rows >= _FEWEST) & (block.rows <= block.sizes - _FEWEST)
    return np.asarray(np.where(near, cost, np.inf).argmin(axis=0))


def _variance(sums: FloatArray, squares: FloatArray, count: FloatArray) -> FloatArray:
    return np.maximum(squares / count - (sums / count) ** 2, 0.0)
