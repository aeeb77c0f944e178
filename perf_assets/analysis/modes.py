"""Two modes that values take in turn, for a few values each: a change from one to the other is no new level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import BoolArray, IndexArray

_APART = 4.0
"""Standard deviations of a value of either mode that the two lie apart."""
_LEAST_SHARE = 0.2
"""Of the values in the rarer mode; fewer are outliers."""
_STAY, _FEWEST_CHANGES = 10, 8
"""Values that a mode is kept at most, on average; and changes of mode from which they are in turn:
three outliers make six."""
_AROUND, _FEWEST_BESIDE = 40, 6
"""Values to either side of a cut within which changes of mode are counted, and the fewest of them."""
_CHANCE = 0.01
"""That modes change as rarely on one side as they do, from which they go on as before."""
_EXPLAINED = 0.5
"""Share of a step that must be gone once each value is held against its own mode."""


@dataclass(frozen=True)
class Modes:
    """Two modes of a series: their means, the lower first, and which values, shape (n,), belong to the upper one."""

    lower: float
    upper: float
    in_upper: BoolArray

    @classmethod
    def of(cls, values: FloatArray) -> Modes | None:
        """The two modes of n finite values that are far apart and both frequent, if there are such.

        Source: Otsu (1979), A threshold selection method from gray-level histograms, on the values themselves.
        """
        count = values.size
        ordered = np.sort(values)
        first, last = max(int(_LEAST_SHARE * count), 1), count - max(int(_LEAST_SHARE * count), 1)
        if last <= first:
            return None
        below = np.arange(first, last + 1)
        total = ordered.sum()
        sums = np.cumsum(ordered)[below - 1]
        lower, upper = sums / below, (total - sums) / (count - below)
        apart = upper - lower
        between = below * (count - below) / count * apart**2
        best = int(between.argmax())
        within = max(float(np.square(ordered - total / count).sum() - between[best]), 0.0) / count
        if apart[best] <= 0 or apart[best] < _APART * np.sqrt(within):
            return None
        return cls(float(lower[best]), float(upper[best]), values > (lower[best] + upper[best]) / 2.0)


def between_modes(values: FloatArray, cuts: IndexArray) -> BoolArray:
    """Which cuts of a series of n finite values, shape (k,), ascending, lie between two modes that it takes in turn.

    That is so where the modes are kept for ten values at most, on average, change as often before the cut as after it
    (by the binomial test of two rates; Przyborowski & Wilenski 1940), and leave less than half of the step once each
    value is held against its own mode: else the modes came, went or moved.
    """
    turns = np.zeros(cuts.size, dtype=bool)
    modes = Modes.of(values) if cuts.size else None
    if modes is None:
        return turns
    changes = np.concatenate(([0], np.cumsum(modes.in_upper[1:] != modes.in_upper[:-1]), [0]))
    if changes[-2] < max(_FEWEST_CHANGES, values.size / _STAY):
        return turns
    left, right = np.maximum(cuts - _AROUND, 0), np.minimum(cuts + _AROUND, values.size) - 1
    before, after = changes[cuts - 1] - changes[left], changes[right] - changes[cuts]
    both = before + after
    share = (cuts - left) / (right - left + 1)
    rarer = np.minimum(special.bdtr(before, both, share), special.bdtr(after, both, 1.0 - share))
    turns = (both >= _FEWEST_BESIDE) & (rarer >= _CHANCE)
    if turns.any():
        left_over = values - np.where(modes.in_upper, modes.upper, modes.lower)
        edges = np.concatenate(([0], cuts, [values.size]))
        steps, rest = (np.diff(np.add.reduceat(each, edges[:-1]) / np.diff(edges)) for each in (values, left_over))
        turns &= np.abs(rest) < _EXPLAINED * np.abs(steps)
    return np.asarray(turns)
