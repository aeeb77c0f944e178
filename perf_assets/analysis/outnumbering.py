"""What tells a level from a few outliers: how many values are how large, whatever their distance.

A few values of a heavy tail side by side look like a level to a likelihood that goes by distances.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import Block, IndexArray, sorted_down, totals


def evidence_of_numbers(block: Block, row: IndexArray, middle: FloatArray) -> FloatArray:
    """2 log likelihood ratio for a step at `row`, shape (k,), of independent values: of their ranks, or of how many lie
    beyond the middle of the two levels, shape (k,), which knows more about large steps.
    """
    return np.maximum(_rank_evidence(block, row), _share_evidence(block, row, middle))


def _share_evidence(block: Block, row: IndexArray, middle: FloatArray) -> FloatArray:
    """Of the shares of the values before and after that lie above the middle, as against one share.

    Source: Mood (1950), Introduction to the Theory of Statistics (median test), as likelihood ratio.
    """
    above, before = (block.values > middle) & block.inside, block.rows < row
    numbers = np.stack([np.count_nonzero(above & before, axis=0), np.count_nonzero(above & ~before, axis=0)])
    sizes = np.stack([row, block.sizes - row])
    apart = special.xlogy(numbers, numbers / sizes) + special.xlogy(sizes - numbers, 1.0 - numbers / sizes)
    number, size = numbers.sum(axis=0), block.sizes
    together = special.xlogy(number, number / size) + special.xlogy(size - number, 1.0 - number / size)
    return np.asarray(2.0 * (apart.sum(axis=0) - together))


def _rank_evidence(block: Block, row: IndexArray) -> FloatArray:
    """Of the ranks: the square of the rank-sum statistic.

    Source: Wilcoxon (1945); for values of equal rank the mean of theirs.
    """
    size = block.sizes.astype(np.float64)
    ascending = sorted_down(block.values, block.inside)
    ranks = np.empty(block.values.shape)
    for k in range(block.sizes.size):
        own = ascending[: block.sizes[k], k]
        values = block.values[:, k]
        ranks[:, k] = (np.searchsorted(own, values, "left") + np.searchsorted(own, values, "right") + 1) / 2.0
    first = block.masked(np.where(block.rows < row, ranks, 0.0))
    expected = row * (size + 1.0) / 2.0
    variance = row * (size - row) * (size + 1.0) / 12.0
    return np.asarray((totals(first) - expected) ** 2 / variance)
