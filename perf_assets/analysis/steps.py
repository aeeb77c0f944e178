"""By how much a step at each place explains values better, in autocorrelated noise: what proposes and places cuts.

Generalised least squares for AR(1) noise of given autocorrelation r, in closed form: the whitened step is 1 at its row
and 1 - r after it, so its product with the values follows from their running sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perf_assets.analysis.fits import Sums
from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import Block, BoolArray, IndexArray

SHORTEST = 4
"""Fewest values a level can have."""


def possible(block: Block) -> BoolArray:
    """Rows at which a cut leaves levels long enough on both sides."""
    return (block.rows >= SHORTEST) & (block.rows <= block.sizes - SHORTEST)


def step_gains(sums: Sums, autocorrelation: FloatArray) -> FloatArray:
    """Fall of the residual sum of squares by a step at each row, shape of the block; autocorrelation: shape (k,).

    0 where a level would be shorter than SHORTEST.
    """
    can = possible(sums.block)
    along, length = _along_step(sums, autocorrelation), _length(sums.block, autocorrelation)
    return np.where(can, along**2 / np.where(can, length, 1.0), 0.0)


def step_gains_beside_line(sums: Sums, autocorrelation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """As `step_gains`, and the same for a step on a line, where the residual sum of squares falls from that of a line.

    The bound on where a line tells nothing apart from a step is that of rounding.
    """
    can = possible(sums.block)
    along, length = _along_step(sums, autocorrelation), _length(sums.block, autocorrelation)
    from_level = np.where(can, along**2 / np.where(can, length, 1.0), 0.0)
    line = _whitened_line(sums, autocorrelation)
    beside_line = length - line.along_step**2 / line.norm
    distinct = can & (beside_line > 1e-6 * length)
    left = along - line.along_step * (line.along_values / line.norm)
    return from_level, np.where(distinct, left**2 / np.where(distinct, beside_line, 1.0), 0.0)


def excess_of_windows(
    sums: Sums, autocorrelation: FloatArray, variance: FloatArray, windows: IndexArray, least: FloatArray
) -> FloatArray:
    """The same for short windows around each row, so that a short level in a long stretch is seen: by how much the gain
    of the best of them, as a multiple of `variance`, exceeds the `least` that it needs, shape of the block.

    `windows`: values before and after a row, shape (m, 2); `least`: shape (m, k). Minus infinity where none has room.
    """
    rest = 1.0 - autocorrelation
    both, afterwards = windows.sum(axis=1)[:, None], windows[:, 1:]
    norm, together = rest**2 * (both - 1), rest + rest**2 * (afterwards - 1)
    behind = together / norm * rest
    scale = 1.0 / ((1.0 + rest**2 * (afterwards - 1) - together**2 / norm) * variance)
    # Sums of whitened values up to each row: those of the values, less r times those up to the row before.
    whitened = sums.values[1:] - autocorrelation * sums.values[:-1]
    own = sums.block.values - rest * whitened
    own[1:] -= autocorrelation * sums.block.values[:-1]
    sizes, rows = sums.block.sizes, sums.block.rows
    excess = np.full(own.shape, -np.inf)
    for window, (before, after) in enumerate(windows.tolist()):
        last = len(own) - after + 1
        if last > before:
            gain = (rest - behind[window]) * whitened[before + after - 1 :]
            gain += own[before:last]
            gain += behind[window] * whitened[: last - before]
            gain *= gain
            gain *= scale[window]
            gain -= least[window]
            some_end = max(int(sizes.min()) - before - after + 1, 0)
            gain[some_end:][rows[before:last][some_end:] + after > sizes] = -np.inf
            np.maximum(excess[before:last], gain, out=excess[before:last])
    return excess


def _along_step(sums: Sums, autocorrelation: FloatArray) -> FloatArray:
    """Product of the whitened values, less their level, with the whitened step at each row."""
    block, r, rest = sums.block, autocorrelation, 1.0 - autocorrelation
    total = sums.values[block.sizes, sums.columns]
    first_value, last_value = block.values[0], sums.at(block.sizes - 1)
    level = (1.0 - r**2) * first_value + rest * (total - first_value - r * (total - last_value))
    level /= _level_norm(block, r)
    after = block.sizes - 1.0
    along = -(rest**2) * sums.values[1:]
    along += level * rest**2 * block.rows
    along += rest**2 * total + rest * r * last_value - level * (rest + rest**2 * after)
    along += (1.0 - r * rest) * block.values
    along[1:] -= r * block.values[:-1]
    return np.asarray(along)


@dataclass(frozen=True)
class _WhitenedLine:
    """Row less the middle row, whitened, which is orthogonal to the whitened level: its sum of squares and its product
    with the whitened values, shape (k,), and its product with the whitened step at each row, shape of the block.
    """

    norm: FloatArray
    along_values: FloatArray
    along_step: FloatArray


def _whitened_line(sums: Sums, autocorrelation: FloatArray) -> _WhitenedLine:
    """All in closed form: after its first value the line is (1 - r) (row - middle) + r."""
    block, r, rest = sums.block, autocorrelation, 1.0 - autocorrelation
    size = block.sizes.astype(np.float64)
    middle = (size - 1.0) / 2.0
    norm = (1.0 - r**2) * middle**2 + rest**2 * (size * (size**2 - 1.0) / 12.0 - middle**2)
    norm += 2.0 * r * rest * middle + r**2 * (size - 1.0)
    total = sums.values[block.sizes, sums.columns]
    moment = sums.moments[block.sizes, sums.columns] - middle * total
    first, last = block.values[0], sums.at(block.sizes - 1)
    along_values = -(1.0 - r**2) * first * middle + rest * (moment + first * middle) + r * (total - first)
    along_values -= r * (rest * (moment - last * middle) + total - last)
    constant = -(1.0 - r * rest) * middle + r * (middle + 1.0) + rest**2 * (size - 1.0) / 2.0 + rest * r * middle
    linear = (1.0 - r * rest) - r + rest**2 * (size - 2.0) / 2.0
    along_step = (-(rest**2) / 2.0 * block.rows + linear) * block.rows + constant
    return _WhitenedLine(np.maximum(norm, 1e-300), along_values, along_step)


def _length(block: Block, autocorrelation: FloatArray) -> FloatArray:
    """Sum of squares of the whitened step at each row, less its level."""
    rest = 1.0 - autocorrelation
    after = block.sizes - 1.0 - block.rows
    return np.asarray(1.0 + rest**2 * after - (rest + rest**2 * after) ** 2 / _level_norm(block, autocorrelation))


def _level_norm(block: Block, autocorrelation: FloatArray) -> FloatArray:
    return np.asarray(1.0 - autocorrelation**2 + (1.0 - autocorrelation) ** 2 * (block.sizes - 1))
