"""Slopes that no outlier moves: medians over pairs of points.

Source: Theil (1950), Sen (1968).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.ragged import offsets_of, side_by_side
from perf_assets.analysis.statistics import FloatArray

_MOST_PAIRS = 2_500
_ROWS = 64
"""Series whose pairs are compared at once: some 1 MB."""

IntArray = npt.NDArray[np.intp]


def robust_slope(times: FloatArray, values: FloatArray) -> float:
    """Median slope of pairs of points at least a quarter of the n points apart, in value units per unit of time.

    Of long series some 2,500 pairs are taken, evenly spread over the distances. A sixth of
    the values may be anything.
    Source: Sen (1968); the choice of far pairs, which know more about the slope: Sievers (1978).
    """
    return float(robust_slopes(times, values, offsets_of([values.size]))[0])


def robust_slopes(times: FloatArray, values: FloatArray, offsets: IntArray) -> FloatArray:
    """`robust_slope` of each stretch `offsets[i]:offsets[i + 1]` of at least two points, shape (k,)."""
    slopes = np.empty(offsets.size - 1)
    sizes = np.diff(offsets)
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        distances = _far_distances(int(size))
        for begin in range(0, alike.size, _ROWS):
            rows = alike[begin : begin + _ROWS]
            time, value = (side_by_side(each, offsets[rows], sizes[rows], int(size), 0.0) for each in (times, values))
            if (time == time[0]).all():
                time = time[:1]
            pairs = _rises(value, distances) / _rises(time, distances)
            middle = (pairs.shape[1] - 1) // 2, pairs.shape[1] // 2
            pairs.partition(middle, axis=1)
            slopes[rows] = (pairs[:, middle[0]] + pairs[:, middle[1]]) / 2.0
    return slopes


def _far_distances(count: int) -> IntArray:
    distances = np.arange(max(count // 4, 1), count)
    every = int(np.ceil(np.sum(count - distances) / _MOST_PAIRS))
    return distances[:: max(every, 1)]


def _rises(values: FloatArray, distances: IntArray) -> FloatArray:
    """Differences of each row, shape (k, n), over each of the distances: shape (k, pairs)."""
    return np.concatenate([values[:, distance:] - values[:, :-distance] for distance in distances], axis=1)
