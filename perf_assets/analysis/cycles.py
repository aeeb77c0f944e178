"""Cycles of unknown period in evenly spaced values, found and taken out so that levels can be seen.

For values that have times, `seasonality` knows what a day and a week are; here there are only positions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from perf_assets.analysis.statistics import MAD_TO_SD, MEAN_DEVIATION_TO_SD, FloatArray
from perf_assets.analysis.stretches import BoolArray, IndexArray, quantiles

_FEWEST_CYCLES = 6
_LONGEST_PERIOD = 64
_CLEAR = 9.0
"""Excess of the highest ordinate over what the highest of as many is in noise: e to the minus 9 by chance."""
_NEARBY, _EVERY = 25, 8
"""Frequencies around one that tell the noise there, and every how many of them it is asked."""
_ROUNDING = 1e-24
"""Share of the highest power below which power is rounding."""
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
    spans = [_span(values) for values in series]
    sizes = np.array([span.stop - span.start for span in spans], dtype=np.intp)
    for size in np.unique(sizes[sizes >= 4 * _FEWEST_CYCLES]):
        alike = np.flatnonzero(sizes == size)
        together = np.stack([cleaned[i][spans[i]] for i in alike])
        for row in _take_out_cycles(together):
            i = alike[row]
            cleaned[i] = cleaned[i].copy()
            cleaned[i][spans[i]] = together[row]
    return cleaned


def _span(values: FloatArray) -> slice:
    """From the first to the last finite value."""
    if np.isfinite(values[:1]).all() and np.isfinite(values[-1:]).all():
        return slice(0, values.size)
    known = np.flatnonzero(np.isfinite(values))
    return slice(int(known[0]), int(known[-1]) + 1) if known.size else slice(0, 0)


def _take_out_cycles(values: FloatArray) -> IndexArray:
    """Take the cycles out of `values`, shape (k, n), in place; gives the rows that had one."""
    rows = np.flatnonzero(np.count_nonzero(np.isfinite(values), axis=1) >= 4 * _FEWEST_CYCLES)
    changed = []
    for _ in range(_MOST_CYCLES):
        peak, frequency = _peaks(values[rows])
        rows = rows[peak]
        cycle, worth = _best_cycles(values[rows], frequency)
        values[rows[worth]] -= cycle[worth]
        rows = rows[worth]
        changed.append(rows)
    return np.unique(np.concatenate(changed))


def _peaks(values: FloatArray) -> tuple[IndexArray, FloatArray]:
    """Rows whose differences have a periodic part that stands out, and its frequency in cycles a value."""
    power = np.abs(np.fft.rfft(_differences(values), axis=1)) ** 2
    usable = power[:, _FEWEST_CYCLES:]
    floor = np.maximum(_floor(power), _ROUNDING * power.max(axis=1, keepdims=True))[:, _FEWEST_CYCLES:]
    known = floor > 0
    height = np.where(known, usable / np.where(known, floor, 1.0), np.where(usable > 0, np.inf, 0.0))
    rows = np.flatnonzero(height.max(axis=1) > np.log(usable.shape[1]) + _CLEAR)
    return rows, (height[rows].argmax(axis=1) + _FEWEST_CYCLES) / (values.shape[1] - 1)


def _floor(power: FloatArray) -> FloatArray:
    """Mean power of the noise near each frequency, shape of `power`: the median of an exponential is log 2."""
    half = min(_NEARBY // 2, power.shape[1] - 1)
    around = np.pad(power, ((0, 0), (half, half)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * half + 1, axis=1)[:, ::_EVERY]
    medians = np.partition(windows, half, axis=2)[:, :, half] / np.log(2.0)
    return np.repeat(medians, _EVERY, axis=1)[:, : power.shape[1]]


def _differences(values: FloatArray) -> FloatArray:
    """First differences along the rows, 0 beside gaps, bounded so that neither steps nor outliers fill the spectrum."""
    steps = np.diff(values, axis=1)
    steps = np.where(np.isfinite(steps), steps, 0.0)
    places = [int(share * (steps.shape[1] - 1)) for share in (0.5, 0.9)]
    ascending = np.partition(np.abs(steps), places, axis=1)
    usual, large = (ascending[:, place] for place in places)
    bound = np.maximum(_OUTLYING * MAD_TO_SD * usual, large)[:, None]
    return np.clip(steps, -bound, bound)


def _best_cycles(values: FloatArray, frequency: FloatArray) -> tuple[FloatArray, BoolArray]:
    """(cycle near the frequency of each row that is worth most, repeated to the shape of `values`; is it worth it?)"""
    size = values.shape[1]
    candidates = [_periods(one, size) for one in frequency]
    best, cycle = np.zeros(len(values)), np.zeros(values.shape)
    for period in sorted({period for periods in candidates for period in periods}):
        rows = np.array([row for row, periods in enumerate(candidates) if period in periods])
        profile, gain = _profiles(values[rows], period)
        better = gain > best[rows]
        best[rows[better]] = gain[better]
        cycle[rows[better]] = np.tile(profile[better], -(-size // period))[:, :size]
    return cycle, best > 0


def _periods(frequency: float, size: int) -> set[int]:
    """Whole periods whose first, second or third harmonic has this frequency, as far as `size` values tell."""
    longest = min(_LONGEST_PERIOD, size // _FEWEST_CYCLES)
    spans = [
        (harmonic / (frequency + 1.0 / size), harmonic / max(frequency - 1.0 / size, 1.0 / size))
        for harmonic in range(1, _HARMONICS + 1)
    ]
    found = {period for low, high in spans for period in range(int(low), int(np.ceil(high)) + 1)}
    return {period for period in found if 2 <= period <= longest}


def _profiles(values: FloatArray, period: int) -> tuple[FloatArray, FloatArray]:
    """(mean deviation at each of `period` places, shape (k, period); by how much it is worth its parameters, (k,))."""
    finite = np.isfinite(values)
    # Near the ends there is no whole period around a value.
    place, half = np.arange(values.shape[1]), period // 2
    known = finite & (place >= half) & (place < place.size - half)
    count = np.maximum(np.count_nonzero(known, axis=1), 1)
    deviation = np.where(known, values - _moving_mean(values, finite, period), 0.0)
    bound = _bounds(deviation, known, count)[:, None]
    deviation = np.clip(deviation, -bound, bound)
    profile = _by_place(deviation, period) / np.maximum(_by_place(known.astype(np.float64), period), 1.0)
    profile -= profile.mean(axis=1, keepdims=True)
    cycle = np.tile(profile, -(-values.shape[1] // period))[:, : values.shape[1]]
    before = np.sum(deviation**2, axis=1)
    after = np.sum(np.where(known, deviation - cycle, 0.0) ** 2, axis=1)
    varied = before > 0
    ratio = np.where(varied, before, 1.0) / np.where(varied, np.maximum(after, 1e-12 * before), 1.0)
    return profile, np.where(varied, count * np.log(ratio) - (period - 1) * np.log(count), 0.0)


def _bounds(deviation: FloatArray, known: BoolArray, count: IndexArray) -> FloatArray:
    """Deviation up to which a value counts in full, shape (k,)."""

    def quantile(values: FloatArray, share: float) -> FloatArray:
        return quantiles(np.sort(np.where(known, values, np.inf), axis=1).T, count, share)

    median = quantile(deviation, 0.5)
    off = np.where(known, np.abs(deviation - median[:, None]), 0.0)
    mad = quantile(off, 0.5)
    scale = np.where(mad > 0, MAD_TO_SD * mad, MEAN_DEVIATION_TO_SD * off.sum(axis=1) / count)
    return np.maximum(_OUTLYING * scale, quantile(np.abs(deviation), 0.9))


def _by_place(values: FloatArray, period: int) -> FloatArray:
    """Sums over the values at each place of the cycle, shape (k, period)."""
    rows, size = values.shape
    whole = np.zeros((rows, -(-size // period) * period))
    whole[:, :size] = values
    return np.asarray(whole.reshape(rows, -1, period).sum(axis=1))


def _moving_mean(values: FloatArray, known: BoolArray, period: int) -> FloatArray:
    """Mean of about one period around each value, so that the cycle itself averages out."""
    sums = uniform_filter1d(np.where(known, values, 0.0), period, axis=1, mode="reflect")
    weights = uniform_filter1d(known.astype(np.float64), period, axis=1, mode="reflect")
    if period % 2 == 0:  # centred: the mean of the two windows that lie half a place off to either side
        for window in (sums, weights):
            window[:, :-1] = (window[:, :-1] + window[:, 1:]) / 2.0
            window[:, -1] = window[:, -2]
    return np.asarray(sums / np.maximum(weights, 1e-12))
