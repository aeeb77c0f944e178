"""Change points: where a series takes a new level.

Binary segmentation of the CUSUM statistic on values winsorised around a provisional fit, with the noise level and the
autocorrelation estimated from the residuals of that fit, so that neither an outlier nor a slow wave is taken for a
step; a split is accepted only if a step explains the segment better than a line or a bent line does, so that a drift is
no row of steps.

Sources: Vostrikova (1981) for the segmentation; Miller & Siegmund (1982), Maximally selected chi square statistics, for
the p-value of a maximum over positions; Fearnhead & Rigaill (2019) for bounding the influence of outliers; Bayley &
Hammersley (1946) for the variance of autocorrelated means.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from perf_assets.analysis.statistics import (
    FloatArray,
    effective_sample_size,
    lag1_autocorrelation,
    noise_scale,
    robust_scale,
)

IndexArray = npt.NDArray[np.intp]

SIGNIFICANCE = 1e-3
"""p-value from which a split is accepted within one series; the fleet's false-discovery control comes on top."""
SHORTEST = 4
"""Fewest values a level can have."""
WINSORISE_AT = 3.0
"""Noise standard deviations beyond which a residual counts no more."""
NULL_BOUND = 2.5
"""Noise standard deviations at which values count no more in a test, around the level they would have without
change.
"""
_BENDS_TRIED = 12
_LOCATION_DROP = 5.99
"""Fall of the log-likelihood ratio (times 2) that bounds the 95 % interval of a location."""


@dataclass(frozen=True)
class _Noise:
    """Standard deviation of single values, and autocorrelation at lag 1."""

    sd: float
    autocorrelation: float

    @property
    def long_run_variance(self) -> float:
        """n times the variance of the mean of n values."""
        r = max(self.autocorrelation, 0.0)
        return self.sd**2 * (1.0 + r) / (1.0 - r)


def detect(values: npt.ArrayLike) -> IndexArray:
    """0-based indices of the first value of each new level, ascending.

    `values`: shape (n,), in time order; NaN are gaps and never an index. Never raises for finite or missing numbers of
    any length; short, constant and all-missing series have no change point.
    """
    series = np.asarray(values, dtype=np.float64)
    observed = np.flatnonzero(np.isfinite(series))
    return observed[_detect_observed(series[observed])]


def describe(values: npt.ArrayLike, change_points: npt.ArrayLike) -> pd.DataFrame:
    """One row a change point of `values`, shape (n,): index, low, high (95 % interval of the index), before, after,
    size, size_low, size_high (unit of the values), p_value, points_after (observed values at the new level), kind.
    """
    series = np.asarray(values, dtype=np.float64)
    observed = np.flatnonzero(np.isfinite(series))
    x, centre, scale = _normalised(series[observed])
    cuts = np.searchsorted(observed, np.asarray(change_points, dtype=np.intp))
    rows = []
    if cuts.size:
        clean, noise = _winsorised(x, cuts)
        edges = np.concatenate(([0], cuts, [x.size]))
        for left, cut, right in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
            rows.append(_describe_one(x, clean, noise, observed, int(left), int(cut), int(right)))
    table = pd.DataFrame(rows, columns=list(_DESCRIPTION))
    for name in ("before", "after"):
        table[name] = (table[name] + centre) * scale
    for name in ("size", "size_low", "size_high"):
        table[name] *= scale
    return table


_DESCRIPTION = (
    "index", "low", "high", "before", "after", "size", "size_low", "size_high", "p_value", "points_after", "kind",
)  # fmt: skip


def _describe_one(
    x: FloatArray, clean: FloatArray, noise: _Noise, observed: IndexArray, left: int, cut: int, right: int
) -> dict[str, object]:
    before, after = clean[left:cut], clean[cut:right]
    size = float(after.mean() - before.mean())
    n_before, n_after = cut - left, right - cut
    error = np.sqrt(noise.long_run_variance * (1.0 / n_before + 1.0 / n_after))
    degrees = max(effective_sample_size(right - left, noise.autocorrelation) - 2.0, 1.0)
    margin = float(special.stdtrit(degrees, 0.975)) * error
    low, high = _location_interval(clean[left:right], cut - left, noise)
    return {
        "index": int(observed[cut]),
        "low": int(observed[left + low]),
        "high": int(observed[left + high]),
        "before": float(np.median(x[left:cut])) if n_before < 3 else float(before.mean()),
        "after": float(after.mean()),
        "size": size,
        "size_low": size - margin,
        "size_high": size + margin,
        "p_value": _p_value(clean[left:right], cut - left, noise),
        "points_after": n_after,
        "kind": "step",
    }


def _detect_observed(x: FloatArray) -> IndexArray:
    x, _, _ = _normalised(x)
    if x.size < 2 * SHORTEST or not np.ptp(x) > 0:
        return np.empty(0, dtype=np.intp)
    provisional = _segment(*_winsorised(x, np.empty(0, dtype=np.intp), noise_scale(x)))
    cuts = provisional
    for _ in range(3):
        clean, noise = _winsorised(x, cuts)
        improved = _refined(clean, _segment(clean, noise), noise)
        if np.array_equal(improved, cuts):
            break
        cuts = improved
    return cuts


def _normalised(x: FloatArray) -> tuple[FloatArray, float, float]:
    """(values / scale - centre, centre, scale), so that neither tiny nor huge units under- or overflow."""
    scale = float(np.max(np.abs(x), initial=0.0)) or 1.0
    centre = float(np.median(x / scale)) if x.size else 0.0
    return x / scale - centre, centre, scale


def _winsorised(x: FloatArray, cuts: IndexArray, scale: float | None = None) -> tuple[FloatArray, _Noise]:
    """Values with residuals bounded around the level of their segment, and the noise of those residuals."""
    fit = np.empty_like(x)
    edges = np.concatenate(([0], cuts, [x.size]))
    for left, right in pairwise(edges):
        fit[left:right] = _local_level(x[left:right]) if scale is not None else np.median(x[left:right])
    residuals = x - fit
    bound = WINSORISE_AT * (scale if scale else robust_scale(residuals))
    if bound > 0:
        residuals = np.clip(residuals, -bound, bound)
    sd = float(np.sqrt(np.mean(residuals**2)))
    smallest = 1e-9 * (float(np.ptp(x)) or 1.0)
    noise = _Noise(max(sd if scale is None else max(scale, smallest), smallest), lag1_autocorrelation(residuals))
    return fit + residuals, noise


def _local_level(x: FloatArray) -> FloatArray:
    """Running median of 9 values: follows steps, ignores single outliers."""
    width = min(9, x.size - 1 + x.size % 2)
    padded = np.pad(x, width // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)[: x.size])


def _segment(x: FloatArray, noise: _Noise) -> IndexArray:
    found: list[int] = []
    pending = [(0, x.size)]
    while pending:
        left, right = pending.pop()
        if right - left < 2 * SHORTEST:
            continue
        part = x[left:right]
        cut = _best_cut(part)
        if _p_value(part, cut, noise) > SIGNIFICANCE:
            continue
        if _drifts(part, cut, noise):
            rest = part - _bent_line(part)
            cut = _best_cut(rest)
            if _p_value(rest, cut, noise) > SIGNIFICANCE or _drifts(rest, cut, noise):
                continue
        found.append(left + cut)
        pending += [(left, left + cut), (left + cut, right)]
    return np.array(sorted(found), dtype=np.intp)


def _refined(x: FloatArray, cuts: IndexArray, noise: _Noise) -> IndexArray:
    """Move each cut to its best place between its neighbours and drop those that no longer stand."""
    for _ in range(2):
        kept: list[int] = []
        for position, cut in enumerate(cuts):
            left = kept[-1] if kept else 0
            right = int(cuts[position + 1]) if position + 1 < cuts.size else x.size
            if right - left < 2 * SHORTEST or not left < cut < right:
                continue
            part = x[left:right]
            best = _best_cut(part)
            if _p_value(part, best, noise) <= SIGNIFICANCE and not _drifts(part, best, noise):
                kept.append(left + best)
        moved = np.array(kept, dtype=np.intp)
        if np.array_equal(moved, cuts):
            break
        cuts = moved
    return cuts


def _gains(x: FloatArray) -> FloatArray:
    """Reduction of the residual sum of squares by a step before each index SHORTEST .. n - SHORTEST."""
    n = x.size
    sums = np.cumsum(x - x.mean())
    k = np.arange(SHORTEST, n - SHORTEST + 1)
    return np.asarray(sums[k - 1] ** 2 * n / (k * (n - k)))


def _best_cut(x: FloatArray) -> int:
    return SHORTEST + int(np.argmax(_gains(x)))


def _p_value(x: FloatArray, cut: int, noise: _Noise) -> float:
    """Of the largest standardised CUSUM over all positions (Miller & Siegmund 1982), small samples by Student's t.

    Values are bounded around their common median first: were there no change, a few heavy-tailed values could not
    make one; where there is one, the bound costs little.
    """
    n = x.size
    bounded = np.clip(x - np.median(x), -NULL_BOUND * noise.sd, NULL_BOUND * noise.sd)
    mean_before, mean_after = float(bounded[:cut].mean()), float(bounded[cut:].mean())
    statistic = abs(mean_after - mean_before) / np.sqrt(noise.long_run_variance * (1.0 / cut + 1.0 / (n - cut)))
    degrees = max(effective_sample_size(n, noise.autocorrelation) - 2.0, 1.0)
    b = float(-special.ndtri(special.stdtr(degrees, -statistic))) if degrees < 200 else float(statistic)
    if not np.isfinite(b) or b > 37:
        return 0.0
    if b < 1.5:
        return 1.0
    inner = SHORTEST / n
    spread = 2.0 * np.log((1.0 - inner) / inner)
    return float(min(1.0, b * np.exp(-(b**2) / 2.0) / np.sqrt(2.0 * np.pi) * ((1.0 - b**-2) * spread + 4.0 * b**-2)))


def _drifts(x: FloatArray, cut: int, noise: _Noise) -> bool:
    """Does a line, straight or bent once, explain the values better than a step at `cut`, or that and one more?

    A bent line has one coefficient more than a step, so it must explain one noise variance more; a second step has two
    more, for which it must explain log(n) variances more (Schwarz 1978). Without the second step a level that rose and
    came back would pass for a drift up and down.
    """
    n = x.size
    if n < 4 * SHORTEST:
        return False
    step = float(_gains(x)[cut - SHORTEST])
    second = max(float(_gains(part).max()) if part.size >= 2 * SHORTEST else 0.0 for part in (x[:cut], x[cut:]))
    bent = float(np.sum((x - x.mean()) ** 2)) - float(np.sum((x - _bent_line(x)) ** 2))
    variance = noise.long_run_variance
    return bent > step + max(variance, second - float(np.log(n)) * variance)


def _bent_line(x: FloatArray) -> FloatArray:
    """Least-squares line with one bend, the bend chosen from a grid (shape of x)."""
    n = x.size
    t = np.arange(n) / n
    best, best_error = np.full(n, x.mean()), np.inf
    for bend in np.linspace(0.0, 0.9, _BENDS_TRIED):
        design = np.column_stack((np.ones(n), t, np.clip(t - bend, 0, None)) if bend > 0 else (np.ones(n), t))
        fit = design @ np.linalg.lstsq(design, x, rcond=None)[0]
        error = float(np.sum((x - fit) ** 2))
        if error < best_error:
            best, best_error = fit, error
    return best


def _location_interval(x: FloatArray, cut: int, noise: _Noise) -> tuple[int, int]:
    gains = _gains(x)
    likely = np.flatnonzero(gains >= gains[cut - SHORTEST] - _LOCATION_DROP * noise.long_run_variance) + SHORTEST
    return int(min(likely.min(), cut)), int(max(likely.max(), cut))
