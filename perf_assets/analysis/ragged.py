"""Groups of values end to end in one array, as many as a fleet has: their medians, and the same groups side by side.

Group i is `values[offsets[i]:offsets[i + 1]]`. What a group gives does not depend, not even in the last digit, on the
groups beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.statistics import FloatArray

IndexArray = npt.NDArray[np.intp]

_VALUES = 1 << 16
"""Values of a block: half a megabyte an array, so that what one operation writes the next still finds in the cache."""


def offsets_of(sizes: npt.ArrayLike) -> IndexArray:
    """Where groups of these sizes, shape (k,), begin and the last ends: shape (k + 1,)."""
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.intp)


def runs(*keys: npt.NDArray[np.generic]) -> IndexArray:
    """Where runs of equal keys, arrays of shape (n,), begin, and n; [0] if there is nothing."""
    size = keys[0].size
    begins = np.zeros(size + 1, dtype=bool)
    begins[[0, -1]] = True
    for key in keys:
        begins[1:-1] |= key[1:] != key[:-1]
    return np.flatnonzero(begins)


def blocks(offsets: IndexArray) -> Iterator[slice]:
    """Runs of neighbouring groups: of each, all but the last group have fewer than 65,536 values together."""
    first = np.unique(np.searchsorted(offsets, np.arange(0, offsets[-1] + _VALUES, _VALUES)))
    edges = np.unique(np.concatenate(([0], first[first < offsets.size], [offsets.size - 1])))
    return (slice(int(begin), int(end)) for begin, end in pairwise(edges))


def widths(sizes: IndexArray) -> IndexArray:
    """Widths to pad groups of these sizes to, at most an eighth or 7 values more; each depends on its own size only."""
    magnitude = np.maximum(np.frexp(np.maximum(sizes, 1).astype(np.float64))[1] - 4, 3)
    return np.asarray(-(-sizes >> magnitude) << magnitude, dtype=np.intp)


def by_width(sizes: IndexArray) -> Iterator[tuple[IndexArray, int]]:
    """Indices of the groups of one of the `widths`, and the width; groups without values are left out."""
    padded = widths(sizes)
    for width in sorted(set(padded[sizes > 0].tolist())):
        yield np.flatnonzero(padded == width), width


def side_by_side(values: FloatArray, starts: IndexArray, sizes: IndexArray, width: int, fill: float) -> FloatArray:
    """The stretches of `values` that begin at `starts`, ascending, as rows: shape (k, width), `fill` beyond the end."""
    if (sizes == width).all() and starts[-1] - starts[0] == (sizes.size - 1) * width:
        return values[starts[0] : starts[-1] + width].reshape(-1, width).copy()
    place = np.arange(width)
    table = values[np.minimum(starts[:, None] + place, values.size - 1)]
    table[place >= sizes[:, None]] = fill
    return np.asarray(table)


def quantiles(values: FloatArray, offsets: IndexArray, shares: Sequence[float]) -> FloatArray:
    """Quantiles of each group by linear interpolation, shape (shares, k), of finite values; NaN where a group has none.

    Source: Hyndman & Fan (1996), Sample quantiles in statistical packages, definition 7.
    """
    sizes = np.diff(offsets)
    result = np.full((len(shares), sizes.size), np.nan)
    for rows, width in by_width(sizes):
        size = sizes[rows]
        ascending = side_by_side(values, offsets[rows], size, width, np.inf)
        ascending.sort(axis=1)
        every = np.arange(rows.size)
        for number, share in enumerate(shares):
            place = share * (size - 1)
            below = place.astype(np.intp)
            low, high = ascending[every, below], ascending[every, np.minimum(below + 1, size - 1)]
            result[number, rows] = low + (high - low) * (place - below)
    return result


def medians(values: FloatArray, offsets: IndexArray) -> FloatArray:
    """Median of each group, shape (k,), of finite values; NaN where a group has none."""
    sizes = np.diff(offsets)
    result = np.full(sizes.size, np.nan)
    for rows, width in by_width(sizes):
        size = sizes[rows]
        ascending = side_by_side(values, offsets[rows], size, width, np.inf)
        ascending.sort(axis=1)
        every = np.arange(rows.size)
        result[rows] = (ascending[every, (size - 1) // 2] + ascending[every, size // 2]) / 2.0
    return result
