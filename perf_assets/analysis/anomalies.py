"""Anomalies: values that the past of their own series made unlikely.

A first, causal detector: the value under test is held against the median of the same hour on the days before and the
level of the values just before, in units of the recent noise; it and what follows never inform what it is held against.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from perf_assets.analysis.seasonality import TimeArray, hour_of_day
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray

ALARM = 0.5
ALARM_AT = 6.0
"""Distance, in standard deviations of the noise, that scores 0.5."""
EPISODE_COLUMNS = ("series_id", "episode_start", "episode_end", "buckets", "score", "value", "expected", "side")
_DAYS_BACK = 14
_VALUES_BACK = 28
_RECENT = 5
_FEWEST_BACK = 10
_COOL_DOWN = np.timedelta64(1, "D")


def score(timestamps: TimeArray, values: FloatArray) -> FloatArray:
    """How anomalous each value is, shape (n,), in [0, 1]; alarm at ALARM.

    `timestamps`: naive UTC, ascending; `values`: NaN are gaps and score 0, as do values with too short a past.
    """
    return _scored(timestamps, values)[0]


def find_anomalies(buckets: pd.DataFrame) -> pd.DataFrame:
    """Episodes of all series, with the columns EPISODE_COLUMNS.

    `buckets`: series_id, ts, value, sorted by series and time. Alarms less than a day apart are one episode.
    """
    rows = [
        row
        for series_id, group in buckets.groupby("series_id", sort=True)
        for row in _episodes(series_id, group["ts"].to_numpy(), group["value"].to_numpy(dtype=np.float64))
    ]
    return pd.DataFrame(rows, columns=list(EPISODE_COLUMNS))


def _episodes(series_id: object, ts: TimeArray, values: FloatArray) -> list[tuple[object, ...]]:
    scores, expected = _scored(ts, values)
    alarms = np.flatnonzero(scores >= ALARM)
    if alarms.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(ts[alarms]) > _COOL_DOWN) + 1
    rows: list[tuple[object, ...]] = []
    for episode in np.split(alarms, breaks):
        worst = episode[int(np.argmax(scores[episode]))]
        side = "high" if values[worst] > expected[worst] else "low"
        rows.append(
            (
                series_id,
                ts[episode[0]],
                ts[episode[-1]],
                episode.size,
                scores[worst],
                values[worst],
                expected[worst],
                side,
            )
        )
    return rows


def _scored(ts: TimeArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0:
        return np.zeros(0), np.zeros(0)
    seasonal = _same_hour_before(np.asarray(ts), values)
    residuals = values - seasonal
    level = _trailing_median(residuals, _RECENT)
    surprises = residuals - level
    noise = MAD_TO_SD * _trailing_median(np.abs(surprises), _VALUES_BACK)
    # Quantised values have no spread most of the time: one step of the grid is then the least noise.
    noise = np.maximum(noise, _smallest_step(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(surprises) / noise
    known = np.isfinite(distance)
    squared = np.where(known, np.minimum(distance, 1e6), 0.0) ** 2
    return squared / (squared + ALARM_AT**2), np.where(np.isfinite(level), seasonal + level, np.nan)


def _same_hour_before(ts: TimeArray, values: FloatArray) -> FloatArray:
    """Median of the values at the same hour on the 14 days before; for daily and rarer data 0."""
    days = ts.astype("datetime64[D]").astype(np.int64)
    day = days - days[0]
    hours, slot = np.unique(hour_of_day(ts), return_inverse=True)
    if hours.size < 3 or day[-1] < 7:
        return np.zeros(values.size)
    table = np.full((int(day[-1]) + 1 + _DAYS_BACK, hours.size), np.nan)
    table[day + _DAYS_BACK, slot] = values
    windows = np.lib.stride_tricks.sliding_window_view(table[:-1], _DAYS_BACK, axis=0)
    medians = _nan_median(windows, 3)
    return np.asarray(medians[day, slot])


def _trailing_median(values: FloatArray, width: int) -> FloatArray:
    """Median of the `width` values before each one; NaN where fewer than half of them (at most 10) are known."""
    padded = np.concatenate((np.full(width, np.nan), values[:-1]))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    return _nan_median(windows, min(_FEWEST_BACK, width // 2))


def _nan_median(windows: FloatArray, fewest: int) -> FloatArray:
    """Median over the last axis without NaN; NaN where fewer than `fewest` are left."""
    ordered = np.sort(windows, axis=-1)  # NaN last
    counts = np.isfinite(ordered).sum(axis=-1)
    top = np.maximum(counts, 1)
    low = np.take_along_axis(ordered, ((top - 1) // 2)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, (top // 2)[..., None], axis=-1)[..., 0]
    return np.where(counts >= fewest, (low + high) / 2.0, np.nan)


def _smallest_step(values: FloatArray) -> float:
    distinct = np.unique(values[np.isfinite(values)])
    if distinct.size < 2:
        return 1e-9 * float(np.abs(distinct).max(initial=1.0))
    return float(np.diff(distinct).min()) if distinct.size <= values.size / 4 else 1e-9 * float(np.ptp(distinct))
