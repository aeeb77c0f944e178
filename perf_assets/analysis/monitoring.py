"""Change points in values that come one at a time: the false alarms of 200 looks together are bounded.

`change_points.detect` looks once, at everything, and may see it differently tomorrow. A `Monitor` looks at every new
value, so its bar is higher; what it has confirmed stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from perf_assets.analysis import fits
from perf_assets.analysis.fits import Sums
from perf_assets.analysis.noise import autocorrelation_of, rounding_variance
from perf_assets.analysis.segmentation import LINE
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray
from perf_assets.analysis.steps import SHORTEST, step_gains
from perf_assets.analysis.stretches import (
    Block,
    BoolArray,
    IndexArray,
    in_blocks,
    normalised,
    pack,
    quantiles,
    sorted_down,
    totals,
)

CONFIRMED = 12.7
"""Bar for the evidence once much is known; `_bar` raises it for short histories and autocorrelated noise."""
FEWEST_BEFORE = 12
"""Values of the old level from which a change is looked for."""
MOST_AFTER = 25
"""Newest values among which the change may lie: what has stayed unclear for longer is for `detect` to find."""
_LONGEST_MEMORY = 400
_PRIOR_AUTOCORRELATION, _PRIOR_VALUES = 0.5, 30.0
_UNCHANGED_SHARE = 0.25
_SHORT_HISTORY = 30.0
_AUTOCORRELATION_RAISES = 0.45
_PARAMETERS = 4.0
_BOUND, _FAR = 3.0, 5.0
"""Robust standard deviations around the median of the level."""


@dataclass(frozen=True)
class Confirmation:
    """A change that stands: first `index` of the new level (counting every value given, gaps too), and the index of the
    value that made it clear; levels in the unit of the values.
    """

    index: int
    confirmed_at: int
    before: float
    after: float


@dataclass
class Monitor:
    """Watches one series. Feed the values in time order; the same values give the same answers.

    The evidence for a step is the likelihood ratio at its best place among the newest values, against one level and
    against a line, in AR(1) noise whose autocorrelation is drawn towards 0.5 while little is known. Over 200 values at
    most 1 % of series without change ever raise an alarm (3 % where the autocorrelation is 0.6).

    Source: Lai (1998), Information bounds and quick detection of parameter changes, for the window-limited ratio.
    """

    confirmed: list[Confirmation] = field(default_factory=list)
    _level: list[float] = field(default_factory=list)
    _places: list[int] = field(default_factory=list)
    _seen: int = 0

    def update(self, value: float) -> Confirmation | None:
        """Take in the next value, NaN for a gap; returns the change that it confirms, if any."""
        return self._conclude(_confirmed_cuts([self._level])[0]) if self._take(value) else None

    def _take(self, value: float) -> bool:
        self._seen += 1
        if not np.isfinite(value):
            return False
        self._level.append(float(value))
        self._places.append(self._seen - 1)
        del self._level[:-_LONGEST_MEMORY], self._places[:-_LONGEST_MEMORY]
        return True

    def _conclude(self, cut: int) -> Confirmation | None:
        if not cut:
            return None
        before, after = self._level[:cut], self._level[cut:]
        found = Confirmation(self._places[cut], self._seen - 1, float(np.median(before)), float(np.median(after)))
        self.confirmed.append(found)
        self._level, self._places = after, self._places[cut:]
        return found


def replay(series: Sequence[npt.ArrayLike]) -> list[list[Confirmation]]:
    """What a Monitor of each series would have confirmed, all of them a value at a time and side by side."""
    histories = [np.asarray(values, dtype=np.float64) for values in series]
    monitors = [Monitor() for _ in histories]
    for look in range(max((values.size for values in histories), default=0)):
        watching = [m for m, values in zip(monitors, histories, strict=True) if look < values.size]
        values = [float(values[look]) for values in histories if look < values.size]
        took = [m for m, value in zip(watching, values, strict=True) if m._take(value)]
        for monitor, cut in zip(took, _confirmed_cuts([m._level for m in took]), strict=True):
            monitor._conclude(cut)
    return [monitor.confirmed for monitor in monitors]


def _confirmed_cuts(levels: Sequence[Sequence[float]]) -> list[int]:
    """Where the newest of these finite values began a new level, if that is beyond doubt, or else 0."""
    arrays = [np.array(level) for level in levels]
    cuts = [0] * len(arrays)
    judged = [
        i for i, level in enumerate(arrays) if level.size >= FEWEST_BEFORE + SHORTEST and np.min(level) < np.max(level)
    ]
    for chosen in in_blocks(np.array([arrays[i].size for i in judged], dtype=np.intp)):
        for position, cut in zip(chosen, _judged([arrays[judged[k]] for k in chosen]), strict=True):
            cuts[judged[position]] = int(cut)
    return cuts


def _judged(levels: list[FloatArray]) -> IndexArray:
    raw = pack(normalised(levels)[0])
    block = Block(_calmed(raw), raw.inside, raw.sizes)
    size = block.sizes
    least = rounding_variance(raw, block.values) * size
    places = (block.rows >= np.maximum(FEWEST_BEFORE, size - MOST_AFTER)) & (block.rows <= size - SHORTEST)
    r = _autocorrelation_beside_step(block, places)
    r = (r * size + _PRIOR_AUTOCORRELATION * _PRIOR_VALUES) / (size + _PRIOR_VALUES)
    sums = Sums(block)
    gains = np.where(places, step_gains(sums, r), 0.0)
    cut, gain = gains.argmax(axis=0), gains.max(axis=0)
    level = _innovations(block, fits.levels()(sums), r) + least
    line = _innovations(block, fits.lines()(sums), r) + least
    step = np.maximum(level - gain, least)
    evidence = (size - _PARAMETERS) * np.log(level / step)
    over_line = (size - _PARAMETERS) * np.log(line / step)
    bar = CONFIRMED * (1.0 + _SHORT_HISTORY / size) * (1.0 + _AUTOCORRELATION_RAISES * r)
    return np.where((evidence > bar) & (over_line > LINE), cut, 0)


def _calmed(block: Block) -> FloatArray:
    """Values bounded around the median of the level; a lone one far off counts as the median.

    Unlike a running median this treats the newest values as it does the others: what shrinks the spread of the past
    alone would make the present stand out.
    """
    median = quantiles(sorted_down(block.values, block.inside), block.sizes, 0.5)
    off = block.masked(block.values - median)
    distance = np.abs(off)
    sd = MAD_TO_SD * quantiles(sorted_down(distance, block.inside), block.sizes, 0.5)
    sd = np.where(sd > 0, sd, np.inf)
    far = distance > _BOUND * sd
    before, after = np.zeros_like(far), np.zeros_like(far)
    before[1:], after[:-1] = far[:-1], far[1:]
    alone = (distance > _FAR * sd) & ~before & ~after
    return block.masked(np.where(alone, median, median + np.clip(off, -_BOUND * sd, _BOUND * sd)))


def _autocorrelation_beside_step(block: Block, places: BoolArray) -> FloatArray:
    """Of what the best step leaves, a quarter of it as if nothing had changed."""
    sums = Sums(block)
    unchanged = autocorrelation_of(fits.levels()(sums).residuals(block, block.values))
    r = 0.8 * unchanged
    for _ in range(2):
        cut = np.where(places, step_gains(sums, r), 0.0).argmax(axis=0)
        r = autocorrelation_of(fits.levels(cut)(sums).residuals(block, block.values))
    return np.asarray(r + _UNCHANGED_SHARE * (unchanged - r))


def _innovations(block: Block, fit: fits.Lines, autocorrelation: FloatArray) -> FloatArray:
    """Residual sum of squares of AR(1) innovations."""
    residuals = fit.residuals(block, block.values)
    rest = np.where(block.inside[1:], residuals[1:] - autocorrelation * residuals[:-1], 0.0)
    return np.asarray((1.0 - autocorrelation**2) * residuals[0] ** 2 + totals(rest**2))
