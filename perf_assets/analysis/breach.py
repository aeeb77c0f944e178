"""When a forecast reaches a limit, and how likely that is.

Belongs here: reading a crossing off a forecast and its intervals. The forecasts themselves are in `forecasting`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from perf_assets.analysis.statistics import FloatArray

RECENT_POINTS = 7
SIDES = {"upper": 1.0, "lower": -1.0}

BREACH_COLUMNS = (
    "unique_id",
    "limit",
    "side",
    "last_value",
    "already_breached",
    "breach_date",
    "earliest",
    "latest",
    "probability",
    "horizon_end",
)


def breach_outlook(forecasts: pd.DataFrame, limits: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """One row per limit of a series that has a forecast; a series without one, or a limit that is NaN, gives none.

    `forecasts` is the table of that name of `Forecasts`, `limits` has unique_id, limit (unit of the series) and side
    ("upper" or "lower": on which side it is bad; the limit itself is still good), `history` is what was forecast.

    Columns: unique_id, limit, side, last_value (median of the last 7 observations), already_breached (that value is
    beyond the limit), breach_date (when the mean crosses, linear between steps; NaT if it does not within the
    horizon, the first step if it is beyond from there on), earliest and latest (the same for the edge of the 95 %
    interval that crosses first and the one that crosses last), probability (largest over the steps of a normal
    distribution as wide as the 95 % interval lying beyond the limit), horizon_end (date of the last step).

    Raises ValueError for missing columns, and, naming the series, for an unknown side and for a missing history.
    """
    missing = {"unique_id", "limit", "side"} - set(limits.columns)
    if missing:
        raise ValueError(f"limits lack the columns {sorted(missing)}")
    unknown = limits[~limits["side"].isin(list(SIDES))]
    if not unknown.empty:
        first = unknown.iloc[0]
        raise ValueError(f"limit of series {first['unique_id']!r}: side is {first['side']!r}, not 'upper' or 'lower'")
    ahead = {str(unique_id): table.sort_values("step") for unique_id, table in forecasts.groupby("unique_id")}
    recent = _recent_values(history)
    usable = limits[limits["limit"].notna() & limits["unique_id"].isin(list(ahead))]
    unmeasured = set(usable["unique_id"]) - set(recent.index)
    if unmeasured:
        raise ValueError(f"history has no observation of the forecast series {sorted(unmeasured)}")
    rows = [
        _outlook(str(unique_id), float(limit), str(side), ahead[str(unique_id)], float(recent[str(unique_id)]))
        for unique_id, limit, side in zip(usable["unique_id"], usable["limit"], usable["side"], strict=True)
    ]
    return pd.DataFrame(rows, columns=list(BREACH_COLUMNS)).astype(
        {"breach_date": "datetime64[us]", "earliest": "datetime64[us]", "latest": "datetime64[us]"}
    )


def _recent_values(history: pd.DataFrame) -> pd.Series[float]:
    observed = history[np.isfinite(history["y"].to_numpy(dtype=float))].sort_values(["unique_id", "ds"])
    recent: pd.Series[float] = observed.groupby("unique_id").tail(RECENT_POINTS).groupby("unique_id")["y"].median()
    return recent


def _outlook(unique_id: str, limit: float, side: str, ahead: pd.DataFrame, last_value: float) -> dict[str, object]:
    sign = SIDES[side]
    dates = pd.DatetimeIndex(ahead["ds"])
    mean, low, high = (ahead[name].to_numpy(dtype=float) for name in ("mean", "lo-95", "hi-95"))
    near, far = (high, low) if sign > 0 else (low, high)
    return {
        "unique_id": unique_id,
        "limit": limit,
        "side": side,
        "last_value": last_value,
        "already_breached": bool(sign * (last_value - limit) > 0),
        "breach_date": _crossing(dates, sign * (mean - limit)),
        "earliest": _crossing(dates, sign * (near - limit)),
        "latest": _crossing(dates, sign * (far - limit)),
        "probability": _probability(sign * (mean - limit), high - low),
        "horizon_end": dates[-1],
    }


def _crossing(dates: pd.DatetimeIndex, excess: FloatArray) -> pd.Timestamp | None:
    """When `excess` (one value per date) first exceeds 0, to the second; None if it does not."""
    beyond = np.flatnonzero(excess > 0)
    if beyond.size == 0:
        return None
    after = int(beyond[0])
    if after == 0:
        return pd.Timestamp(dates[0])
    before = after - 1
    share = float(-excess[before] / (excess[after] - excess[before]))
    return pd.Timestamp(dates[before] + (dates[after] - dates[before]) * share).round("s")


def _probability(excess: FloatArray, width_95: FloatArray) -> float:
    """Largest probability over the steps that a value lies beyond; 0 or 1 where the interval has no width."""
    from scipy.stats import norm

    sd = width_95 / (2.0 * float(norm.ppf(0.975)))
    certain = np.where(excess > 0, np.inf, -np.inf)
    scores = np.divide(excess, sd, out=certain, where=sd > 0)
    return float(norm.cdf(scores.max()))
