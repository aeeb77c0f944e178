"""Trends: is a series getting better or worse, how fast, and how sure is that.

The slope is taken within the last level (after the last change point), so that a step is not called a trend, on the
deseasonalised regular series; its error allows for autocorrelated residuals by the effective sample size.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from perf_assets.analysis.seasonality import TimeArray, deseasonalise
from perf_assets.analysis.statistics import (
    FloatArray,
    benjamini_hochberg,
    effective_sample_size,
    lag1_autocorrelation,
)

FEWEST_BUCKETS = 14
TREND_COLUMNS = (
    "series_id", "as_of", "verdict", "slope_per_day", "slope_low", "slope_high", "change_per_week", "level", "p_value",
    "q_value", "points", "effective_points", "autocorrelation", "since", "average_7d", "average_30d",
)  # fmt: skip
_SIGNIFICANT = 0.05
_NOT_ENOUGH = "not enough data"
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")


def find_trends(buckets: pd.DataFrame, series: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """One row a series with the columns TREND_COLUMNS.

    `buckets`: series_id, ts, value (regular, gaps absent), sorted; `series`: series_id, direction, as_of; `changes`:
    series_id, changed_at of change points. Slopes in the series' unit a day with 95 % interval; `change_per_week`
    is a share of
    the series' median; p-values by Student's t with the effective sample size of AR(1) residuals (Bayley & Hammersley
    1946), q-values over all series tested (Benjamini & Hochberg 1995). A verdict needs q of at most 0.05.
    """
    last_change = (
        changes.groupby("series_id")["changed_at"].max() if len(changes) else pd.Series(dtype="datetime64[us]")
    )
    grouped = dict(iter(buckets.groupby("series_id", sort=False)))
    rows = []
    for row in series.itertuples():
        group = grouped.get(row.series_id)
        if group is None:
            continue
        ts, values = group["ts"].to_numpy(), group["value"].to_numpy(dtype=np.float64)
        since = last_change.get(row.series_id)
        rows.append(
            {
                "series_id": row.series_id,
                "as_of": row.as_of,
                "level": float(np.median(values)),
                "average_7d": _recent_mean(ts, values, row.as_of, 7),
                "average_30d": _recent_mean(ts, values, row.as_of, 30),
                **_slope(ts, values, since),
                "direction": row.direction,
            }
        )
    table = pd.DataFrame(rows, columns=[*TREND_COLUMNS, "direction"])
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64))
    level = table["level"].abs().to_numpy(dtype=np.float64)
    weekly = 7.0 * table["slope_per_day"].to_numpy(dtype=np.float64)
    table["change_per_week"] = np.where(level > 0, weekly / np.where(level > 0, level, 1.0), np.nan)
    table["verdict"] = [
        _verdict(slope, q, direction)
        for slope, q, direction in zip(table["slope_per_day"], table["q_value"], table["direction"], strict=True)
    ]
    return table[list(TREND_COLUMNS)]


def _slope(ts: TimeArray, values: FloatArray, since: object) -> dict[str, object]:
    start = 0 if since is None else int(np.searchsorted(ts, np.datetime64(pd.Timestamp(str(since)))))
    x, y = ts[start:], deseasonalise(ts, values)[start:]
    empty = dict.fromkeys(
        ("slope_per_day", "slope_low", "slope_high", "p_value", "effective_points", "autocorrelation"), np.nan
    )
    if y.size < FEWEST_BUCKETS:
        return empty | {"points": y.size, "since": x[0] if y.size else ts[-1]}
    days = (x - x[0]).astype("timedelta64[us]").astype(np.float64) / _DAY
    centred = days - days.mean()
    spread = float(np.sum(centred**2))
    slope = float(np.sum(centred * y)) / spread
    residuals = y - y.mean() - slope * centred
    r = lag1_autocorrelation(residuals)
    effective = effective_sample_size(y.size, r)
    degrees = max(effective - 2.0, 1.0)
    variance = float(np.sum(residuals**2)) / (y.size - 2)
    error = float(np.sqrt(variance / spread * y.size / effective))
    error = max(error, 1e-12 * float(np.max(np.abs(y)) or 1.0) / max(float(np.ptp(days)), 1e-9))
    margin = float(stats.t.ppf(0.975, degrees)) * error
    return {
        "slope_per_day": slope,
        "slope_low": slope - margin,
        "slope_high": slope + margin,
        "p_value": float(2.0 * stats.t.sf(abs(slope) / error, degrees)),
        "points": y.size,
        "effective_points": effective,
        "autocorrelation": r,
        "since": x[0],
    }


def _recent_mean(ts: TimeArray, values: FloatArray, as_of: object, days: int) -> float:
    start = np.datetime64(pd.Timestamp(str(as_of)) - pd.Timedelta(days=days))
    recent = values[ts > start]
    return float(recent.mean()) if recent.size else float("nan")


def _verdict(slope: float, q_value: float, direction: str) -> str:
    if not np.isfinite(q_value):
        return _NOT_ENOUGH
    if q_value > _SIGNIFICANT or slope == 0:
        return "no trend"
    if direction == "lower_is_better":
        return "worse" if slope > 0 else "better"
    if direction == "higher_is_better":
        return "better" if slope > 0 else "worse"
    return "rising" if slope > 0 else "falling"
