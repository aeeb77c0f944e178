"""Least-squares fits of levels and lines to many stretches at once, and what they leave, from running sums alone.

A fit is linear piece by piece, so its residual sum of squares, and the sum of products of residuals side by side,
follow from sums of the values over each piece: a hypothesis is judged without an array of residuals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import Block, IndexArray

_MOST_BENDS = 24
"""Places tried for the bend of a line before those beside the best of them."""


class Sums:
    """Running sums of the values of a block, (w + 1, k): up to each row, that row excluded."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.columns = np.arange(block.sizes.size)

    @cached_property
    def values(self) -> FloatArray:
        return _running(self.block.values)

    @cached_property
    def moments(self) -> FloatArray:
        """Of value times row."""
        return _running(self.block.values * self.block.rows)

    @cached_property
    def squares(self) -> FloatArray:
        return _running(self.block.values**2)

    @cached_property
    def products(self) -> FloatArray:
        """Of each value with the one before it."""
        return _running(_beside(self.block.values))

    def between(self, running: FloatArray, start: IndexArray, end: IndexArray) -> FloatArray:
        """Sums over rows [start, end), each of shape (k,) or (p, k)."""
        return np.asarray(running[end, self.columns] - running[start, self.columns])

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

    def squares(self, sums: Sums) -> FloatArray:
        """Residual sum of squares, shape (k,)."""
        total, moment, level = self._of_pieces(sums)
        squares = sums.between(sums.squares, self.edges[:-1], self.edges[1:])
        size = np.diff(self.edges, axis=0).astype(np.float64)
        left = squares - 2.0 * level * total - 2.0 * self.slope * moment
        left += size * level**2 + self.slope**2 * size * (size**2 - 1.0) / 12.0
        return np.maximum(_total(left), 0.0)

    def products(self, sums: Sums) -> FloatArray:
        """Sum of the products of each residual with the one before it, shape (k,)."""
        total, moment, level = self._of_pieces(sums)
        start, last = self.edges[:-1], self.edges[1:] - 1
        pairs = (last - start).astype(np.float64)
        first_value, last_value = sums.at(start), sums.at(last)
        first_fit, last_fit = self.origin + self.slope * start, self.origin + self.slope * last
        # The product of two neighbouring values of a line is the square of its value between them, less slope^2 / 4.
        of_fit = pairs * (level**2 - self.slope**2 / 4.0) + self.slope**2 * pairs * (pairs**2 - 1.0) / 12.0
        mixed = 2.0 * (level * total + self.slope * moment) - first_value * first_fit - last_value * last_fit
        mixed += self.slope * (first_value - last_value)
        within = sums.between(sums.products, start + 1, last + 1) - mixed + of_fit
        across = (first_value - first_fit)[1:] * (last_value - last_fit)[:-1]
        empty = last < start
        return _total(np.where(empty, 0.0, within)) + _total(np.where(empty[1:] | empty[:-1], 0.0, across))

    def _of_pieces(self, sums: Sums) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(sum of values, their moment about the middle of the piece, the fit there), each (p, k)."""
        start, end = self.edges[:-1], self.edges[1:]
        middle = (start + end - 1) / 2.0
        total = sums.between(sums.values, start, end)
        moment = sums.between(sums.moments, start, end) - middle * total
        return total, moment, self.origin + self.slope * middle


Fit = Callable[[Sums], Lines]


def levels(*cuts: IndexArray) -> Fit:
    """A level for each part between the cuts (each of shape (k,), ascending)."""

    def fit(sums: Sums) -> Lines:
        edges = _edges(sums, cuts)
        mean = sums.between(sums.values, edges[:-1], edges[1:]) / np.maximum(np.diff(edges, axis=0), 1)
        return Lines(edges, mean, np.zeros_like(mean))

    return fit


def lines(*cuts: IndexArray) -> Fit:
    """A line of its own for each part between the cuts."""

    def fit(sums: Sums) -> Lines:
        edges = _edges(sums, cuts)
        start, end = edges[:-1], edges[1:]
        size = np.maximum(end - start, 1).astype(np.float64)
        middle, spread = (start + end - 1) / 2.0, _spread(size)
        total = sums.between(sums.values, start, end)
        moment = sums.between(sums.moments, start, end) - middle * total
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
    coarse = _Hinges.at(sums, line, np.minimum(np.arange(int((sizes // apart).max()) + 1)[:, None] * apart, sizes - 1))
    around = np.arange(-int(apart.max()), int(apart.max()) + 1)[:, None]
    nearby = coarse.bend[coarse.gain.argmax(axis=0), sums.columns] + np.clip(around, -apart, apart)
    fine = _Hinges.at(sums, line, np.clip(nearby, 0, sizes - 1))
    best = (fine.gain.argmax(axis=0), sums.columns)
    turn, bend = fine.turn[best], fine.bend[best]
    size = sizes.astype(np.float64)
    middle = (size - 1.0) / 2.0
    slope = line.slope[0] - turn * fine.along[best] / _spread(size)
    origin = line.origin[0] + line.slope[0] * middle - turn * fine.total[best] / size - slope * middle
    return Lines(_edges(sums, (bend,)), np.stack((origin, origin - turn * bend)), np.stack((slope, slope + turn)))


@dataclass(frozen=True)
class _Hinges:
    """Bends max(row - bend, 0) beside a line, several a stretch, each array of shape (places, k): the sum of the bend,
    its moment about the middle, the turn of the line there that fits best, and how much that explains.
    """

    bend: IndexArray
    total: FloatArray
    along: FloatArray
    turn: FloatArray
    gain: FloatArray

    @classmethod
    def at(cls, sums: Sums, line: Lines, bend: IndexArray) -> _Hinges:
        size = sums.block.sizes.astype(np.float64)
        after = np.maximum(size - 1.0 - bend, 0.0)
        total, squares = after * (after + 1.0) / 2.0, after * (after + 1.0) * (2.0 * after + 1.0) / 6.0
        along = after * (after + 1.0) * (3.0 * size - 1.0 - 2.0 * after) / 12.0
        norm = squares - total**2 / size - along**2 / _spread(size)
        moment = sums.between(sums.moments, bend, sums.block.sizes)
        moment -= bend * sums.between(sums.values, bend, sums.block.sizes)
        product = moment - (line.origin[0] + line.slope[0] * (size - 1.0) / 2.0) * total - line.slope[0] * along
        possible = (norm > 1e-6 * squares) & (after >= 2) & (bend >= 2)
        turn = np.where(possible, product / np.where(possible, norm, 1.0), 0.0)
        return cls(bend, total, along, turn, turn * np.where(possible, product, 0.0))


def _edges(sums: Sums, cuts: tuple[IndexArray, ...]) -> IndexArray:
    return np.stack([np.zeros_like(sums.block.sizes), *cuts, sums.block.sizes])


def _spread(size: FloatArray) -> FloatArray:
    """Sum of squares of 0 .. size - 1 about their middle."""
    return np.maximum(size * (size**2 - 1.0) / 12.0, 1e-300)


def _running(values: FloatArray) -> FloatArray:
    running = np.zeros((values.shape[0] + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=running[1:])
    return running


def _beside(values: FloatArray) -> FloatArray:
    products = np.zeros(values.shape)
    np.multiply(values[1:], values[:-1], out=products[1:])
    return products


def _total(pieces: FloatArray) -> FloatArray:
    """Sum over the pieces, in their order."""
    return np.asarray(np.cumsum(pieces, axis=0)[-1]) if pieces.shape[0] else np.zeros(pieces.shape[1])
