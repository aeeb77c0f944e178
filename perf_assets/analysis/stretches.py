"""Stretches of many series side by side: padded arrays, and least-squares fits of levels and lines to them.

A block holds k stretches as columns, time down the rows, so that one array operation serves all of them. Sums run down
the rows one value after the other (`totals`): a stretch then gives the same digits whatever lies beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.statistics import FloatArray

IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

_CELLS = 1 << 17
"""Cells of a block: 1 MB an array, so that what one operation writes the next still finds in the cache."""


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

    def masked(self, values: FloatArray) -> FloatArray:
        """`values`, shape (w, k), with 0 outside the stretches."""
        return np.where(self.inside, values, 0.0)


def totals(values: FloatArray) -> FloatArray:
    """Sums down the rows, shape (k,), adding row after row: numpy would add a lone column in pairs."""
    if values.shape[1] == 1:
        return np.asarray(np.cumsum(values, axis=0)[-1])
    return np.asarray(np.add.reduce(values, axis=0))


def normalised(series: FloatArray) -> tuple[FloatArray, float, float]:
    """(values / scale - centre, scale, centre), what is not finite as NaN: tiny and huge units then neither under- nor
    overflow.
    """
    finite = np.isfinite(series)
    if not finite.any():
        return np.full(series.shape, np.nan), 1.0, 0.0
    scale = float(np.max(np.abs(series[finite]))) or 1.0
    shares = np.where(finite, series, np.nan) / scale
    centre = float(np.median(shares[finite]))
    return np.asarray(shares - centre), scale, centre


def pack(series: list[FloatArray]) -> Block:
    """One column a series; every series has at least one value."""
    sizes = np.array([values.size for values in series], dtype=np.intp)
    inside = np.arange(sizes.max())[:, None] < sizes
    values = np.zeros(inside.shape)
    values.T[inside.T] = np.concatenate(series)
    return Block(values, inside, sizes)


def cut_out(values: FloatArray, column: IndexArray, start: IndexArray, end: IndexArray) -> Block:
    """The stretches [start, end) of the given columns of `values`, shape (n, s)."""
    sizes = end - start
    rows = np.arange(sizes.max())[:, None]
    inside = rows < sizes
    taken = values[np.minimum(start + rows, values.shape[0] - 1), column]
    return Block(np.where(inside, taken, 0.0), inside, sizes)


def in_blocks(sizes: IndexArray) -> Iterator[IndexArray]:
    """Indices of stretches, those of like size together and no more of them than keep a block small."""
    order = np.argsort(sizes, kind="stable")
    begin = 0
    while begin < order.size:
        # Sizes rise, so each block is closed when its last, longest stretch would make it too large.
        counts = np.arange(1, order.size - begin + 1)
        ahead = sizes[order[begin:]]
        fits = np.flatnonzero((counts * ahead <= _CELLS) & (ahead <= 1.3 * ahead[0] + 8))
        end = begin + max(1, int(fits[-1]) + 1 if fits.size else 1)
        yield order[begin:end]
        begin = end


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


class Sums:
    """Running sums of a block, from which a level or a line of any part of each stretch follows at once."""

    def __init__(self, block: Block, values: FloatArray) -> None:
        """`values`: shape of the block, 0 outside."""
        width, count = values.shape
        self.block = block
        self._values = np.zeros((width + 1, count))
        self._moments = np.zeros((width + 1, count))
        np.cumsum(values, axis=0, out=self._values[1:])
        np.cumsum(values * block.rows, axis=0, out=self._moments[1:])
        self._columns = np.arange(count)

    def level(self, start: IndexArray, end: IndexArray) -> FloatArray:
        """Means of rows [start, end), shape (k,)."""
        return np.asarray(self._between(self._values, start, end) / np.maximum(end - start, 1))

    def line(self, start: IndexArray, end: IndexArray) -> tuple[FloatArray, FloatArray]:
        """(value at row 0, slope a row) of the least-squares line through rows [start, end), each of shape (k,)."""
        size = np.maximum(end - start, 1).astype(np.float64)
        middle = (start + end - 1) / 2.0
        mean = self.level(start, end)
        spread = size * (size**2 - 1.0) / 12.0
        product = self._between(self._moments, start, end) - middle * self._between(self._values, start, end)
        slope = np.where(spread > 0, product / np.where(spread > 0, spread, 1.0), 0.0)
        return np.asarray(mean - slope * middle), np.asarray(slope)

    def _between(self, running: FloatArray, start: IndexArray, end: IndexArray) -> FloatArray:
        return np.asarray(running[end, self._columns] - running[start, self._columns])


def levels_left(block: Block, values: FloatArray, *cuts: IndexArray) -> FloatArray:
    """Residuals of a level for each part between the `cuts` (each of shape (k,), ascending), shape of the block."""
    sums, fit = Sums(block, values), np.zeros(block.values.shape)
    for start, end in _parts(block, cuts):
        fit = np.where(block.rows >= start, sums.level(start, end), fit)
    return block.masked(values - fit)


def levels_around(cut: IndexArray, block: Block, values: FloatArray) -> FloatArray:
    """`levels_left` with the cut first, to be bound before the block is known."""
    return levels_left(block, values, cut)


def lines_left(block: Block, values: FloatArray, *cuts: IndexArray) -> FloatArray:
    """Residuals of a line of its own for each part between the `cuts`, shape of the block."""
    sums, fit = Sums(block, values), np.zeros(block.values.shape)
    for start, end in _parts(block, cuts):
        origin, slope = sums.line(start, end)
        fit = np.where(block.rows >= start, origin + slope * block.rows, fit)
    return block.masked(values - fit)


def step_on_line_left(block: Block, values: FloatArray, cut: IndexArray) -> FloatArray:
    """Residuals of one line that is raised by a step at row `cut`, shape (k,)."""
    no_cut = lines_left(block, values)
    step = lines_left(block, block.masked((block.rows >= cut).astype(np.float64)))
    size = totals(step * no_cut) / np.maximum(totals(step * step), 1e-300)
    return np.asarray(no_cut - size * step)


def bent_line_left(block: Block, values: FloatArray) -> FloatArray:
    """Residuals of a line with one bend, at the row where it fits best; the line does not jump there."""
    rest = lines_left(block, values)
    size = block.sizes.astype(np.float64)
    sums, moments = np.cumsum(rest, axis=0), np.cumsum(rest * block.rows, axis=0)
    after = np.maximum(size - 1.0 - block.rows, 0.0)
    # The hinge max(row - bend, 0), without its own line: sums of 1 .. d and of their squares.
    first, second = after * (after + 1.0) / 2.0, after * (after + 1.0) * (2.0 * after + 1.0) / 6.0
    middle, spread = (size - 1.0) / 2.0, np.maximum(size * (size**2 - 1.0) / 12.0, 1e-300)
    along = second + (block.rows - middle) * first
    norm = second - first**2 / size - along**2 / spread
    product = (moments[-1] - moments) - block.rows * (sums[-1] - sums)
    possible = (norm > 1e-6 * second) & (after >= 2) & (block.rows >= 2)
    gain = np.where(possible, product**2 / np.where(possible, norm, 1.0), 0.0)
    bend = gain.argmax(axis=0)
    hinge = lines_left(block, block.masked(np.maximum(block.rows - bend, 0).astype(np.float64)))
    slope = totals(hinge * rest) / np.maximum(totals(hinge * hinge), 1e-300)
    return np.asarray(rest - slope * hinge)


def _parts(block: Block, cuts: tuple[IndexArray, ...]) -> Iterator[tuple[IndexArray, IndexArray]]:
    edges = [np.zeros_like(block.sizes), *cuts, block.sizes]
    return pairwise(edges)
