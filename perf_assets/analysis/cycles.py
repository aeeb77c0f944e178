"""Cycles of unknown period in evenly spaced values, found and taken out so that levels can be seen.

For values that have times, `seasonality` knows what a day and a week are; here there are only positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray, robust_scale

_FEWEST_CYCLES = 6
_LONGEST_PERIOD = 64
_CLEAR = 9.0
"""Excess of the highest ordinate over what the highest of as many is in noise: e to the minus 9 by chance."""
_NEARBY = 25
_MOST_CYCLES = 2
_HARMONICS = 3
_OUTLYING = 3.5


def without_cycles(series: Sequence[FloatArray]) -> list[FloatArray]:
    """Each series, NaN for gaps, without its one or two clearest cycles; the level is kept.

    A cycle of 2 to 64 values is sought where the periodogram has a peak, and taken out as the mean deviation at each
    place of the cycle if that explains more than its parameters cost (Schwarz 1978). Nothing is done to series of fewer
    than six cycles, nor to those without a peak.
    """
    cleaned = list(series)
    waiting = [i for i, values in enumerate(cleaned) if np.count_nonzero(np.isfinite(values)) >= 4 * _FEWEST_CYCLES]
    for _ in range(_MOST_CYCLES):
        peaks = _peaks(cleaned, waiting)
        waiting = [i for i, frequency in peaks if _takes_out_a_cycle(cleaned, i, frequency)]
    return cleaned


def _peaks(series: Sequence[FloatArray], candidates: Sequence[int]) -> list[tuple[int, float]]:
    """Candidates whose differences have a periodic part that stands out, with its frequency (cycles a value)."""
    found: list[tuple[int, float]] = []
    sizes = np.array([series[i].size for i in candidates])
    for size in np.unique(sizes):
        alike = [i for i, n in zip(candidates, sizes, strict=True) if n == size]
        steps = _differences(np.stack([series[i] for i in alike]))
        power = np.abs(np.fft.rfft(steps, axis=1)) ** 2
        floor = median_filter(power, size=(1, _NEARBY), mode="reflect") / np.log(2.0)
        usable = power[:, _FEWEST_CYCLES:]
        floor = floor[:, _FEWEST_CYCLES:]
        known = floor > 0
        height = np.where(known, usable / np.where(known, floor, 1.0), np.where(usable > 0, np.inf, 0.0))
        frequency = (height.argmax(axis=1) + _FEWEST_CYCLES) / steps.shape[1]
        clear = height.max(axis=1) > np.log(usable.shape[1]) + _CLEAR
        found += [(i, float(f)) for i, f, peak in zip(alike, frequency, clear, strict=True) if peak]
    return sorted(found)


def _differences(values: FloatArray) -> FloatArray:
    """First differences along the rows, 0 beside gaps, bounded so that neither steps nor outliers fill the spectrum."""
    steps = np.diff(values, axis=1)
    steps = np.where(np.isfinite(steps), steps, 0.0)
    ascending = np.sort(np.abs(steps), axis=1)
    usual, large = (ascending[:, int(share * (ascending.shape[1] - 1))] for share in (0.5, 0.9))
    bound = np.maximum(_OUTLYING * MAD_TO_SD * usual, large)[:, None]
    return np.clip(steps, -bound, bound)


def _takes_out_a_cycle(series: list[FloatArray], index: int, frequency: float) -> bool:
    values = series[index]
    best, best_profile = 0.0, None
    for period in _periods(frequency, values.size):
        profile, gain = _profile(values, period)
        if gain > best:
            best, best_profile = gain, profile
    if best_profile is None:
        return False
    series[index] = values - np.resize(best_profile, values.size)
    return True


def _periods(frequency: float, size: int) -> list[int]:
    """Whole periods whose first, second or third harmonic has this frequency, as far as `size` values tell."""
    longest = min(_LONGEST_PERIOD, size // _FEWEST_CYCLES)
    spans = [
        (harmonic / (frequency + 1.0 / size), harmonic / max(frequency - 1.0 / size, 1.0 / size))
        for harmonic in range(1, _HARMONICS + 1)
    ]
    found = {period for low, high in spans for period in range(int(low), int(np.ceil(high)) + 1)}
    return sorted(period for period in found if 2 <= period <= longest)


def _profile(values: FloatArray, period: int) -> tuple[FloatArray, float]:
    """(mean deviation at each of `period` places, by how much it is worth its parameters)."""
    known = np.isfinite(values)
    level = _moving_mean(values, known, period)
    deviation = np.where(known, values - level, 0.0)
    bound = max(_OUTLYING * robust_scale(deviation[known]), float(np.quantile(np.abs(deviation[known]), 0.9)))
    deviation = np.clip(deviation, -bound, bound)
    place = np.arange(values.size) % period
    counts = np.maximum(np.bincount(place, weights=known, minlength=period), 1.0)
    profile = np.bincount(place, weights=deviation, minlength=period) / counts
    profile -= profile.mean()
    before = float(np.sum(deviation**2))
    after = float(np.sum(np.where(known, deviation - profile[place], 0.0) ** 2))
    count = int(np.count_nonzero(known))
    least = 1e-12 * before
    gain = count * np.log(before / max(after, least)) - (period - 1) * np.log(count) if before > 0 else 0.0
    return profile, float(gain)


def _moving_mean(values: FloatArray, known: np.ndarray, period: int) -> FloatArray:
    """Mean of about one period around each value, so that the cycle itself averages out."""
    sums = uniform_filter1d(np.where(known, values, 0.0), period, mode="reflect")
    weights = uniform_filter1d(known.astype(np.float64), period, mode="reflect")
    if period % 2 == 0:  # centred: the mean of the two windows that lie half a place off to either side
        sums = (sums + np.roll(sums, -1)) / 2.0
        weights = (weights + np.roll(weights, -1)) / 2.0
        sums[-1], weights[-1] = sums[-2], weights[-2]
    return np.asarray(sums / np.maximum(weights, 1e-12))
