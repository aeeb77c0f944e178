"""Stretches of many series side by side, as padded arrays.

A block holds k stretches as columns, time down the rows, so that one array operation serves all of them. Sums run down
the rows one value after the other (`totals`): a stretch then gives the same digits whatever lies beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.statistics import FloatArray

IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

_CELLS = 1 << 17
"""Cells of a block: 1 MB an array, so that what one operation writes the next still finds in the cache."""
_WIDE = 300
"""Columns from which adding whole rows is faster than numpy's sums along the first axis."""


@dataclass(frozen=True)
class Block:
    """`values`, shape (w, k), 0 outside; `inside`, shape (w, k); `sizes`, shape (k,): the rows that belong to each."""

    values: FloatArray
    inside: BoolArray
    sizes: IndexArray

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """0 .. w - 1 as a column."""
        return np.arange(self.values.shape[0])[:, None]

    def of(self, columns: IndexArray) -> Block:
        """Some of the stretches."""
        return Block(self.values[:, columns], self.inside[:, columns], self.sizes[columns])

    def masked(self, values: FloatArray) -> FloatArray:
        """`values`, shape (w, k), with 0 outside the stretches."""
        return np.where(self.inside, values, 0.0)


def by_columns(block: Block, *arrays: FloatArray) -> Iterator[tuple[slice, Block, list[FloatArray]]]:
    """The block, and arrays of its shape, a few columns at a time: few enough for what is written to be found in the
    cache again.
    """
    height, count = block.values.shape
    width = max(_CELLS // 2 // height, 1)
    for begin in range(0, count, width):
        part = slice(begin, begin + width)
        own = Block(np.ascontiguousarray(block.values[:, part]), block.inside[:, part], block.sizes[part])
        yield part, own, [np.ascontiguousarray(values[:, part]) for values in arrays]


def totals(values: FloatArray) -> FloatArray:
    """Sums down the rows, shape (k,), adding row after row.

    numpy would add a lone column, or columns that lie in memory one after the other, in pairs.
    """
    if values.shape[1] == 1:
        return np.asarray(np.cumsum(values, axis=0)[-1])
    return np.asarray(np.add.reduce(np.ascontiguousarray(values), axis=0))


def running(values: FloatArray) -> FloatArray:
    """Sums of the values above each row, shape (n + 1, k) of values (n, k)."""
    width = values.shape[1]
    sums = np.zeros((values.shape[0] + 1, width))
    # numpy goes down column by column; the digits are the same in pairs of columns, as one complex number each, and row
    # by row, many columns at once.
    if width >= _WIDE:
        for above, row, own in zip(sums[:-1], values, sums[1:], strict=True):
            np.add(above, row, out=own)
    elif width % 2 == 0 and values.flags.c_contiguous:
        np.cumsum(values.view(np.complex128), axis=0, out=sums[1:].view(np.complex128))
    else:
        np.cumsum(values, axis=0, out=sums[1:])
    return sums


def pack(series: list[FloatArray], outside: float = 0.0) -> Block:
    """One column a series, of one value at least; `outside` stands below the end of each."""
    sizes = np.array([values.size for values in series], dtype=np.intp)
    inside = np.arange(sizes.max())[:, None] < sizes
    if inside.all():
        return Block(np.stack(series, axis=1), inside, sizes)
    values = np.full(inside.shape, outside)
    values.T[inside.T] = np.concatenate(series)
    return Block(values, inside, sizes)


def cut_out(values: FloatArray, column: IndexArray, start: IndexArray, end: IndexArray) -> Block:
    """The stretches [start, end) of the given columns of `values`, shape (n, s)."""
    sizes = end - start
    rows = np.arange(sizes.max())[:, None]
    inside = rows < sizes
    # One index a value, in order of memory, is found in half the time of two.
    down = values.flags.f_contiguous
    flat = values.T.ravel() if down else values.ravel()
    place = column * values.shape[0] + start + rows if down else (start + rows) * values.shape[1] + column
    return Block(np.where(inside, flat.take(place, mode="clip"), 0.0), inside, sizes)


def normalised(series: Sequence[FloatArray]) -> tuple[list[FloatArray], FloatArray, FloatArray]:
    """(values / scale - centre of each, scales, centres), what is not finite as NaN.

    Tiny and huge units then neither under- nor overflow.
    """
    block = pack(list(series))
    finite = block.inside & np.isfinite(block.values)
    counts = np.count_nonzero(finite, axis=0)
    largest = np.max(np.where(finite, np.abs(block.values), 0.0), axis=0)
    scale = np.where(largest > 0, largest, 1.0)
    shares = np.where(finite, block.values, np.nan) / scale
    last = np.where(counts > 0, np.inf, 0.0)
    centre = quantiles(np.sort(np.where(finite, shares, last), axis=0), np.maximum(counts, 1), 0.5)
    rest = np.ascontiguousarray((shares - centre).T)
    return [row[:size] for row, size in zip(rest, block.sizes, strict=True)], scale, centre


def in_blocks(sizes: IndexArray, cells: int = _CELLS, spread: float = 1.3) -> Iterator[IndexArray]:
    """Indices of stretches, shortest first, as many together as make a block of `cells` at most (or one stretch).

    The longest of a block is at most `spread` times as long as the shortest (and some), so that little is padded.
    """
    order = np.argsort(sizes, kind="stable")
    begin = 0
    while begin < order.size:
        # Sizes rise, so each block is closed when its last, longest stretch would make it too large.
        counts = np.arange(1, order.size - begin + 1)
        ahead = sizes[order[begin:]]
        fits = np.flatnonzero((counts * ahead <= cells) & (ahead <= spread * ahead[0] + 8))
        end = begin + max(1, int(fits[-1]) + 1 if fits.size else 1)
        yield order[begin:end]
        begin = end


def ranges(values: FloatArray, inside: BoolArray) -> FloatArray:
    """Highest less lowest of each column, shape (k,), -inf where nothing is `inside`."""
    highest = np.where(inside, values, -np.inf).max(axis=0)
    return np.asarray(highest - np.where(inside, values, np.inf).min(axis=0))


def sorted_down(values: FloatArray, inside: BoolArray) -> FloatArray:
    """Each column ascending, what lies outside last (as infinity)."""
    return np.sort(np.where(inside, values, np.inf), axis=0)


def quantiles(ascending: FloatArray, sizes: IndexArray, share: float) -> FloatArray:
    """Quantiles by linear interpolation of columns from `sorted_down`, shape (k,)."""
    place = share * (sizes - 1)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, sizes - 1)
    column = np.arange(sizes.size)
    lower, upper = ascending[low, column], ascending[high, column]
    return np.asarray(lower + (upper - lower) * (place - low))


def neighbours(column: IndexArray, cut: IndexArray, sizes: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Where the stretch around each cut begins and ends: at the cuts beside it, or with the series."""
    same = column[1:] == column[:-1]
    start, end = np.zeros_like(cut), sizes[column].copy()
    start[1:][same] = cut[:-1][same]
    end[:-1][same] = cut[1:][same]
    return start, end


def lowest(column: IndexArray, value: FloatArray) -> IndexArray:
    """Positions of the lowest value of each distinct column, the first of equals."""
    order = np.lexsort((value, column))
    return order[np.unique(column[order], return_index=True)[1]]
