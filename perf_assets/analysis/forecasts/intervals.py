"""How wide the intervals of a forecast are, from the errors that forecasts made alike had at earlier origins.

Belongs here: scales on which errors are alike, and widths. Source: split conformal prediction (Vovk et al. 2005; Lei et
al. 2018), with errors in units of each series' own (locally weighted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.forecasts.weights import recency
from perf_assets.analysis.statistics import FloatArray

_LARGEST_EXPONENT = 100.0
"""Values are of the size of 1."""
PLAIN, LOGARITHM, ROOT, SHARE = 0, 1, 2, 3
"""Scales: values as they are; of what is positive and grows by ratios; of counts; of shares of a whole."""
_CLOSE_TO_ZERO = 0.05
"""Share of the median below which the smallest value makes a logarithm of no use."""
_OF_FLEET = 1.3
"""Origins that the fleet counts as beside a series' own, in the log ratio of its error to that of the naive forecast.
"""
_ASSUMED, _INDEPENDENT, _FREEDOM = 20.0, 2.0, 4.0
"""Errors of Student's t that stand beside those measured, its degrees of freedom, and how many independent ones the
errors of one series at one origin are worth."""
_ALIKE, _MOST_GROUPS = 40, 5
"""Series in a group whose errors are spread alike, at least, and groups at most."""
_FURTHEST = 10.0
"""How many times larger or smaller than on the whole errors may be at a step."""
_ASSUMED_BY_STEP = 20.0
"""Errors for which all steps are assumed to be alike."""


@dataclass(frozen=True)
class Scales:
    """The scale of each of s series, shape (s,), and its bounds, infinite where there is none."""

    kind: npt.NDArray[np.int8]
    lowest: FloatArray
    highest: FloatArray
    smallest: FloatArray

    @classmethod
    def of(cls, values: FloatArray, lowest: FloatArray, highest: FloatArray) -> Scales:
        """Of `values`, shape (s, t), without gaps, with bounds that none lies beyond, shape (s,)."""
        smallest = values.min(axis=1)
        kind = np.full(len(values), PLAIN, dtype=np.int8)
        bounded = np.flatnonzero(lowest == 0)
        if bounded.size:
            low, usual, high = np.quantile(values[bounded], [0.1, 0.5, 0.9], axis=1)
            positive = np.where(smallest[bounded] > _CLOSE_TO_ZERO * usual, LOGARITHM, ROOT)
            # What falls further than it rises has errors that are no ratios: a log scale would turn them upwards.
            own = np.where(high - usual >= usual - low, positive, PLAIN)
            kind[bounded] = np.where(np.isfinite(highest[bounded]), SHARE, own)
        return cls(kind, lowest, highest, smallest)

    @classmethod
    def joined(cls, parts: Sequence[Scales]) -> Scales:
        """Those of some series, then those of others."""
        return cls(
            np.concatenate([part.kind for part in parts]),
            np.concatenate([part.lowest for part in parts]),
            np.concatenate([part.highest for part in parts]),
            np.concatenate([part.smallest for part in parts]),
        )

    def within(self, values: FloatArray) -> FloatArray:
        """`values`, shape (s, ...), each drawn to the bounds of its series."""
        shape = (-1,) + (1,) * (values.ndim - 1)
        return np.clip(values, self.lowest.reshape(shape), self.highest.reshape(shape))

    def on(self, values: FloatArray) -> FloatArray:
        """`values`, shape (s, ...), within the bounds, on the scales."""
        result = self.within(values)
        for kind, rows in self._rows():
            own = result[rows]
            if kind == LOGARITHM:
                # A forecast may reach 0, which has no logarithm.
                least = 0.1 * self.smallest[rows].reshape((-1,) + (1,) * (values.ndim - 1))
                result[rows] = np.log(np.maximum(own, least))
            elif kind == ROOT:
                result[rows] = np.sqrt(own)
            elif kind == SHARE:
                result[rows] = np.arcsin(np.sqrt(own / self._whole(rows, values.ndim)))
        return result

    def back(self, values: FloatArray) -> FloatArray:
        """What `on` made of values, as values."""
        result = values.copy()
        for kind, rows in self._rows():
            own = values[rows]
            if kind == LOGARITHM:
                result[rows] = np.exp(np.minimum(own, _LARGEST_EXPONENT))
            elif kind == ROOT:
                result[rows] = np.maximum(own, 0.0) ** 2
            elif kind == SHARE:
                result[rows] = np.sin(np.clip(own, 0.0, np.pi / 2.0)) ** 2 * self._whole(rows, values.ndim)
        return self.within(result)

    def _whole(self, rows: npt.NDArray[np.bool_], dimensions: int) -> FloatArray:
        return self.highest[rows].reshape((-1,) + (1,) * (dimensions - 1))

    def _rows(self) -> Sequence[tuple[int, npt.NDArray[np.bool_]]]:
        return [(kind, self.kind == kind) for kind in (LOGARITHM, ROOT, SHARE) if (self.kind == kind).any()]

    def part(self, rows: slice) -> Scales:
        return Scales(self.kind[rows], self.lowest[rows], self.highest[rows], self.smallest[rows])


@dataclass(frozen=True)
class Widths:
    """`half` of the central intervals that hold each of some shares, shape (levels, s, horizon), and the share of the
    errors that they were taken from, each without its own series at that origin, that lie `inside`, shape (levels, s).
    """

    half: FloatArray
    inside: FloatArray


def widths_of(
    errors: FloatArray, unit: FloatArray, levels: Sequence[float], rounding: FloatArray | float = 0.0
) -> Widths:
    """Half widths that hold each of `levels` (shares).

    `errors`, shape (origins, s, horizon), the oldest origin first: of forecasts that did not know their own, NaN where
    nothing was measured. Older ones count less (Barber et al. 2023): methods knew less then, and times change;
    errors up to `rounding`, shape (s,), are none;
    `unit`, shape (origins + 1, s): error of a naive forecast of each series within what was known at each origin, and
    within all. Each error is taken in units of what the series' other errors tell and what was known, and the quantiles
    are those of all series whose errors are spread alike (Mondrian conformal prediction; Vovk et al. 2005): where most
    errors are small and few are large, the inner interval is narrow and the outer wide. Series that have repeated
    exactly so far are a group of their own.
    """
    size = np.abs(errors)
    known = np.isfinite(size)
    least = np.broadcast_to(rounding, unit.shape[1:])
    size[known & (size <= least[:, None])] = 0.0
    unit = np.where(unit <= least, 0.0, unit)
    counted = recency(len(errors))
    share = counted[:, None]
    sums, counts = share * np.where(known, size, 0.0).sum(axis=2), share * known.sum(axis=2)
    own = _unit(sums.sum(axis=0), counts.sum(axis=0), unit[-1], len(errors))
    ratio = np.full_like(size, np.nan)
    for origin in range(len(errors)):
        rest = np.arange(len(errors)) != origin
        others = _unit(sums[rest].sum(axis=0), counts[rest].sum(axis=0), unit[origin], len(errors) - 1)
        ratio[origin] = np.divide(size[origin], others[:, None], out=ratio[origin], where=others[:, None] > 0)
    half, inside = np.empty((len(levels), *size.shape[1:])), np.empty((len(levels), size.shape[1]))
    exact = own == 0.0
    half[:, exact] = _of_exact(size, unit, counted, levels)[:, None, None]
    for alike in _spread_alike(size):
        steps = _by_step(ratio[:, alike])
        of_step = ratio[:, alike] / steps
        worth = np.broadcast_to(counted[:, None, None] * _INDEPENDENT / max(errors.shape[2], 1), of_step.shape)
        quantile = _quantiles(of_step.ravel(), worth.ravel(), levels)
        half[:, alike] = np.where(
            exact[None, alike, None], half[:, alike], quantile[:, None, None] * own[None, alike, None] * steps
        )
        measured = np.isfinite(of_step)
        within = (of_step <= quantile[:, None, None, None]) & measured
        count = measured.sum(axis=(0, 2))
        inside[:, alike] = np.where(count > 0, within.sum(axis=(1, 3)) / np.maximum(count, 1), np.nan)
    return Widths(half, inside)


def _of_exact(size: FloatArray, unit: FloatArray, counted: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Half widths for series that have repeated exactly so far: how far those were off that had done so at an earlier
    origin, most of which also go on. Shape (levels,)."""
    then = (unit[:-1] == 0.0)[:, :, None] & np.isfinite(size)
    worth = np.broadcast_to(counted[:, None, None] * _INDEPENDENT / max(size.shape[2], 1), size.shape)
    # Without any such series nothing is known but that it repeats.
    return _quantiles_of(np.append(size[then], 0.0), np.append(worth[then], _ASSUMED), levels)


def _spread_alike(size: FloatArray) -> Sequence[npt.NDArray[np.intp]]:
    """Series in groups by how much smaller the usual error is than the mean one; few series are one group."""
    count = size.shape[1]
    groups = min(max(count // _ALIKE, 1), _MOST_GROUPS)
    if groups == 1:
        return [np.arange(count)]
    flat = size.transpose(1, 0, 2).reshape(count, -1)
    known = np.isfinite(flat)
    mean = np.where(known, flat, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    flat = np.sort(np.where(known, flat, np.inf), axis=1)
    usual = flat[np.arange(count), np.maximum(known.sum(axis=1) - 1, 0) // 2]
    usual = np.where(np.isfinite(usual), usual, 0.0)
    shape = np.divide(usual, mean, out=np.ones(count), where=mean > 0)
    return np.array_split(np.argsort(shape, kind="stable"), groups)


def _unit(sums: FloatArray, counts: FloatArray, unit: FloatArray, origins: int) -> FloatArray:
    """Mean absolute error of each series, drawn towards what it would be if the series were like the fleet."""
    usable = (counts > 0) & (sums > 0) & (unit > 0)
    if not usable.any():
        return np.where(counts > 0, sums / np.where(counts > 0, counts, 1.0), unit)
    ratio = np.log(np.where(usable, sums / np.where(usable, counts, 1.0), 1.0) / np.where(usable, unit, 1.0))
    usual = float(np.median(ratio[usable]))
    kept = origins / (origins + _OF_FLEET)
    return np.where(usable, unit * np.exp(usual + kept * (ratio - usual)), unit * np.exp(usual))


def _by_step(ratio: FloatArray) -> FloatArray:
    """How much larger errors are at each step than on the whole, shape (horizon,)."""
    horizon = ratio.shape[2]
    counts = np.isfinite(ratio).sum(axis=(0, 1))
    steps = np.ones(horizon)
    if not counts.any():
        return steps
    measured = counts > 0
    flat = ratio.reshape(-1, horizon)[:, measured]
    middle = np.nanmedian(flat, axis=0) if flat.size else np.ones(int(measured.sum()))
    whole = float(np.median(middle))
    if whole == 0.0:
        return steps
    middle = np.clip(middle, whole / _FURTHEST, whole * _FURTHEST)
    steps[measured] = (counts[measured] * middle / whole + _ASSUMED_BY_STEP) / (counts[measured] + _ASSUMED_BY_STEP)
    last = int(np.flatnonzero(measured)[-1])
    # Beyond the furthest step that was measured errors grow as those of a random walk.
    steps[last + 1 :] = steps[last] * np.sqrt(np.arange(last + 2, horizon + 1) / (last + 1))
    around = np.pad(steps, 2, mode="edge")
    return np.asarray(np.convolve(around, np.full(5, 0.2), "valid"))


def _quantiles(ratio: FloatArray, worth: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Quantiles of measured ratios, each worth so many independent ones, and of those assumed."""
    from scipy.special import stdtrit

    known = np.isfinite(ratio)
    grid = (np.arange(400) + 0.5) / 400.0
    assumed = stdtrit(_FREEDOM, 0.5 + grid / 2.0)
    assumed /= assumed.mean()
    values = np.concatenate((ratio[known], assumed))
    return _quantiles_of(values, np.concatenate((worth[known], np.full(grid.size, _ASSUMED / grid.size))), levels)


def _quantiles_of(values: FloatArray, weight: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Weighted quantiles of `values`, shape (n,)."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order]) - weight[order] / 2.0
    return np.asarray(np.interp(np.asarray(levels) * weight.sum(), share, values[order]))
