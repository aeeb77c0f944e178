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
_STAY, _FEWEST_CHANGES = 10, 6
"""Values that a mode is kept at most, on average; and changes of mode, but for single values, from which
they are in turn."""
_AROUND, _FEWEST_BESIDE = 40, 6
"""Values to either side of a cut within which changes of mode are counted, and the fewest of them."""
_CHANCE = 0.01
"""That modes change as rarely on one side as they do, from which they go on as before."""
_EXPLAINED = 0.5
"""Share of a step that must be gone once each value is held against its own mode."""
_FEWEST_VALUES, _MOST_VALUES = 8, 100
"""Values of a level, those next to the change, by which its modes are known."""
_SECOND = 0.2
"""Share of the values of one of two levels in its rarer mode: fewer are strays of a level that moved as a whole."""
_STRAY = 0.05
"""Share of the values before that may lie in a mode that appeared."""


@dataclass(frozen=True)
class Modes:
    """Two modes of a series: their means, the lower first, and which values, shape (n,), belong to the upper one."""

    lower: float
    upper: float
    in_upper: BoolArray

    @classmethod
    def of(cls, values: FloatArray, least_share: float = _LEAST_SHARE) -> Modes | None:
        """The two modes of n finite values that are far apart and both frequent, each `least_share` of the values, if
        there are such.

        Source: Otsu (1979), A threshold selection method from gray-level histograms, on the values themselves.
        """
        count = values.size
        ordered = np.sort(values)
        fewest = max(int(least_share * count), 1)
        if count < 2 * fewest:
            return None
        below = np.arange(fewest, count - fewest + 1)
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


@dataclass(frozen=True)
class SecondMode:
    """Where values of two levels lie in two modes: the level of the one that became more frequent, its share of the
    values before the change and after it, and, if it appeared, how many values after the change its first one came.
    """

    level: float
    share_before: float
    share_after: float
    delay: int


def second_mode(before: FloatArray, after: FloatArray) -> SecondMode | None:
    """The mode that appeared, went or became more or less frequent, if that is what tells two levels (finite values in
    order of time) from each other; nothing where the values as a whole went from the one level to the other.
    """
    count = min(before.size, after.size, _MOST_VALUES)
    if count < _FEWEST_VALUES:
        return None
    values = np.concatenate((before[-count:], after[:count]))
    modes = Modes.of(values, _SECOND / 2.0)
    if modes is None:
        return None
    rises = modes.in_upper[count:].mean() > modes.in_upper[:count].mean()
    more = modes.in_upper if rises else ~modes.in_upper
    share_before, share_after = float(more[:count].mean()), float(more[count:].mean())
    if max(min(share, 1.0 - share) for share in (share_before, share_after)) < _SECOND:
        return None
    delay = int(more[count:].argmax()) if share_before <= _STRAY else 0
    return SecondMode(float(np.median(values[more])), share_before, share_after, delay)


def between_modes(values: FloatArray, cuts: IndexArray) -> BoolArray:
    """Which cuts of a series of n finite values, shape (k,), ascending, lie between two modes that it takes in turn.

    That is so where the modes are kept for ten values at most, on average, change as often before the cut as after it
    (by the binomial test of two rates; Przyborowski & Wilenski 1940), and leave less than half of the step once each
    value is held against its own mode: else the modes came, went or moved.
    """
    turns = np.zeros(cuts.size, dtype=bool)
    modes = Modes.of(values) if cuts.size and values.size >= 2 * _FEWEST_CHANGES else None
    if modes is None:
        return turns
    changes = _changes(modes.in_upper)
    if _changes(_without_strays(modes.in_upper))[-1] < _FEWEST_CHANGES or changes[-1] < values.size / _STAY:
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


def _changes(in_upper: BoolArray) -> IndexArray:
    """How often the mode has changed up to each value."""
    return np.append(0, np.cumsum(in_upper[1:] != in_upper[:-1])).astype(np.intp)


def _without_strays(in_upper: BoolArray) -> BoolArray:
    """Of each value whether it lies in the upper mode, single ones between two pairs of the other taken for those."""
    far_left, left, own, right, far_right = (in_upper[k : in_upper.size - 4 + k] for k in range(5))
    kept = in_upper.copy()
    alone = (own != left) & (left == far_left) & (left == right) & (right == far_right)
    kept[2:-2][alone] = left[alone]
    return kept
