"""Least-squares fits of levels and lines to many stretches at once, and what they leave, from running sums alone.

A fit is linear piece by piece, so its residual sum of squares, and the sum of products of residuals side by side,
follow from sums of the values over each piece: a hypothesis is judged without an array of residuals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import Block, IndexArray, running

_MOST_BENDS = 24
"""Places tried for the bend of a line before those beside the best of them."""


class Sums:
    """Running sums of the values of a block, (w + 1, k): up to each row, that row excluded."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.columns = np.arange(block.sizes.size)

    @cached_property
    def values(self) -> FloatArray:
        return running(self.block.values)

    @cached_property
    def moments(self) -> FloatArray:
        """Of value times row."""
        return running(self.block.values * self.block.rows)

    @cached_property
    def squares(self) -> FloatArray:
        return running(self.block.values**2)

    @cached_property
    def products(self) -> FloatArray:
        """Of each value with the one before it."""
        return running(_beside(self.block.values))

    def between(self, sums: FloatArray, start: IndexArray, end: IndexArray) -> FloatArray:
        """Sums over rows [start, end), each of shape (k,) or (p, k)."""
        return np.asarray(sums[end, self.columns] - sums[start, self.columns])

    def within(self, sums: FloatArray, edges: IndexArray) -> FloatArray:
        """Sums over the rows between each edge and the next, shape (p, k), of edges (p + 1, k)."""
        return np.diff(sums[edges, self.columns], axis=0)

    def at(self, row: IndexArray) -> FloatArray:
        return np.asarray(self.block.values[row, self.columns])


@dataclass(frozen=True)
class Lines:
    """A line for each piece of k stretches: piece p holds rows edges[p] to edges[p + 1], at origin[p] + slope[p] * row.

    Shapes: edges (p + 1, k), origin and slope (p, k).
    """

    edges: IndexArray
    origin: FloatArray
    slope: FloatArray

    def residuals(self, block: Block, values: FloatArray) -> FloatArray:
        """`values` less the fit, shape of the block, 0 outside."""
        return block.masked(values - self.fitted(block))

    def fitted(self, block: Block) -> FloatArray:
        """Value of the fit at each row, shape of the block."""
        fit = self.origin[0] + self.slope[0] * block.rows
        for start, origin, slope in zip(self.edges[1:-1], self.origin[1:], self.slope[1:], strict=True):
            fit = np.where(block.rows >= start, origin + slope * block.rows, fit)
        return np.asarray(fit)

    def left_over(self, sums: Sums) -> tuple[FloatArray, FloatArray]:
        """(residual sum of squares, sum of the products of each residual with the one before it), each (k,)."""
        start, end, last = self.edges[:-1], self.edges[1:], self.edges[1:] - 1
        size, middle = (end - start).astype(np.float64), (start + end - 1) / 2.0
        pairs, total = size - 1.0, sums.within(sums.values, self.edges)
        level = self.origin + self.slope * middle
        first_value, last_value = sums.at(start), sums.at(last)
        first_fit, last_fit = self.origin + self.slope * start, self.origin + self.slope * last
        left = sums.within(sums.squares, self.edges) - 2.0 * level * total + size * level**2
        mixed = 2.0 * level * total - first_value * first_fit - last_value * last_fit
        of_fit = pairs * level**2
        if self.slope.any():
            moment, steepness = sums.within(sums.moments, self.edges) - middle * total, self.slope**2
            left += steepness * size * (size**2 - 1.0) / 12.0 - 2.0 * self.slope * moment
            mixed += 2.0 * self.slope * moment + self.slope * (first_value - last_value)
            # The product of two neighbours on a line is the square of its value between them, less slope^2 / 4.
            of_fit += steepness * pairs * (pairs**2 - 1.0) / 12.0 - pairs * steepness / 4.0
        within = sums.between(sums.products, start + 1, end) - mixed + of_fit
        across = (first_value - first_fit)[1:] * (last_value - last_fit)[:-1]
        empty = last < start
        if empty.any():
            within, across = np.where(empty, 0.0, within), np.where(empty[1:] | empty[:-1], 0.0, across)
        return np.maximum(_total(left), 0.0), _total(within) + _total(across)


Fit = Callable[[Sums], Lines]


def levels(*cuts: IndexArray) -> Fit:
    """A level for each part between the cuts (each of shape (k,), ascending)."""

    def fit(sums: Sums) -> Lines:
        edges = _edges(sums, cuts)
        mean = sums.within(sums.values, edges) / np.maximum(np.diff(edges, axis=0), 1)
        return Lines(edges, mean, np.zeros_like(mean))

    return fit


def lines(*cuts: IndexArray) -> Fit:
    """A line of its own for each part between the cuts."""

    def fit(sums: Sums) -> Lines:
        edges = _edges(sums, cuts)
        start, end = edges[:-1], edges[1:]
        size = np.maximum(end - start, 1).astype(np.float64)
        middle, spread = (start + end - 1) / 2.0, _spread(size)
        total = sums.within(sums.values, edges)
        moment = sums.within(sums.moments, edges) - middle * total
        slope = np.where(size > 1, moment / spread, 0.0)
        return Lines(edges, total / size - slope * middle, slope)

    return fit


def step_on_line(cut: IndexArray) -> Fit:
    """One line that is raised by a step at row `cut`, shape (k,)."""

    def fit(sums: Sums) -> Lines:
        size = sums.block.sizes.astype(np.float64)
        line, edges = lines()(sums), _edges(sums, (cut,))
        origin, slope = line.origin[0], line.slope[0]
        middle, spread, after = (size - 1.0) / 2.0, _spread(size), size - cut
        # The step without its own level and line: after / size is its mean, `along` its moment about the middle.
        along = after * cut / 2.0
        norm = after - after**2 / size - along**2 / spread
        mean = origin + slope * middle
        product = sums.between(sums.values, cut, sums.block.sizes) - after * mean - along * slope
        height = np.where(norm > 1e-9 * after, product / np.where(norm > 0, norm, 1.0), 0.0)
        slope = slope - height * along / spread
        origin = mean - height * after / size - slope * middle
        return Lines(edges, np.stack((origin, origin + height)), np.stack((slope, slope)))

    return fit


def bent_line(sums: Sums) -> Lines:
    """A line with one bend, at the row where it fits best; the line does not jump there."""
    line = lines()(sums)
    sizes = sums.block.sizes
    apart = np.maximum(sizes // _MOST_BENDS, 1)
    coarse = np.minimum(np.arange(int((sizes // apart).max()) + 1)[:, None] * apart, sizes - 1)
    around = np.clip(np.arange(-int(apart.max()), int(apart.max()) + 1)[:, None], -apart, apart)
    nearby = _best_bend(sums.values, sums.moments, sizes, line.origin[0], line.slope[0], coarse)[0] + around
    nearby = np.clip(nearby, 0, sizes - 1)
    bend, turn = _best_bend(sums.values, sums.moments, sizes, line.origin[0], line.slope[0], nearby)
    size = sizes.astype(np.float64)
    middle = (size - 1.0) / 2.0
    total, _, along = _bend(size, bend)
    slope = line.slope[0] - turn * along / _spread(size)
    origin = line.origin[0] + line.slope[0] * middle - turn * total / size - slope * middle
    return Lines(_edges(sums, (bend,)), np.stack((origin, origin - turn * bend)), np.stack((slope, slope + turn)))


def _bend(size: FloatArray, bend: IndexArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sum and sum of squares of max(row - bend, 0) over `size` rows, and its moment about the middle row."""
    after = np.maximum(size - 1.0 - bend, 0.0)
    total = after * (after + 1.0) / 2.0
    along = after * (after + 1.0) * (3.0 * size - 1.0 - 2.0 * after) / 12.0
    return total, after * (after + 1.0) * (2.0 * after + 1.0) / 6.0, along


def _best_bend(
    values: FloatArray,
    moments: FloatArray,
    sizes: IndexArray,
    origin: FloatArray,
    slope: FloatArray,
    bends: IndexArray,
) -> tuple[IndexArray, FloatArray]:
    """(bend, turn of the line there) that explains most, of several a stretch, shape (places, k), beside lines.

    `values` and `moments`: running sums; the turn is that of max(row - bend, 0) which fits best.
    """
    columns, size = np.arange(sizes.size), sizes.astype(np.float64)
    total, squares, along = _bend(size, bends)
    norm = squares - total**2 / size - along**2 / _spread(size)
    moment = moments[sizes, columns] - moments[bends, columns]
    moment -= bends * (values[sizes, columns] - values[bends, columns])
    product = moment - (origin + slope * (size - 1.0) / 2.0) * total - slope * along
    possible = (norm > 1e-6 * squares) & (size - 1.0 - bends >= 2) & (bends >= 2)
    turn = np.where(possible, product / np.where(possible, norm, 1.0), 0.0)
    best = (turn * np.where(possible, product, 0.0)).argmax(axis=0), columns
    return bends[best], turn[best]


def _edges(sums: Sums, cuts: tuple[IndexArray, ...]) -> IndexArray:
    edges = np.zeros((len(cuts) + 2, sums.block.sizes.size), dtype=np.intp)
    for own, cut in zip(edges[1:], (*cuts, sums.block.sizes), strict=True):
        own[:] = cut
    return edges


def _spread(size: FloatArray) -> FloatArray:
    """Sum of squares of 0 .. size - 1 about their middle."""
    return np.maximum(size * (size**2 - 1.0) / 12.0, 1e-300)


def _beside(values: FloatArray) -> FloatArray:
    products = np.zeros(values.shape)
    np.multiply(values[1:], values[:-1], out=products[1:])
    return products


def _total(pieces: FloatArray) -> FloatArray:
    """Sum over the pieces, in their order."""
    return reduce(np.add, pieces) if len(pieces) else np.zeros(pieces.shape[1])
