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
    """One row per limit of a series that has a forecast, or that is beyond its limit now; of other series, and for a
    limit that is NaN, there is none.

    `forecasts` is the table of that name of `Forecasts`, `limits` has unique_id, limit (unit of the series) and side
    ("upper" or "lower": on which side it is bad; the limit itself is still good), `history` is what was forecast,
    with stepped_at where there is one.

    Columns: unique_id, limit, side, last_value (median of the last 7 observations since the last step),
    already_breached (that value is beyond the limit), breach_date (when the mean crosses, linear between steps; NaT if
    it does not within the horizon, the first step if it is beyond from there on), earliest and latest (the same for the
    edge of the 95 % interval that crosses first and the one that crosses last), probability (largest over the steps of
    a normal distribution as wide as the 95 % interval lying beyond the limit), horizon_end (date of the last step).
    Without a forecast all dates are that of the last observation, and the probability is 1.

    Raises ValueError for missing columns, and, naming the series, for an unknown side and for a forecast series
    without a history.
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
    usable = limits[limits["limit"].notna() & limits["unique_id"].isin([*ahead, *recent.index])]
    unmeasured = set(usable["unique_id"]) - set(recent.index)
    if unmeasured:
        raise ValueError(f"history has no observation of the forecast series {sorted(unmeasured)}")
    rows = [
        _outlook(str(unique_id), float(limit), str(side), ahead.get(str(unique_id)), recent.loc[str(unique_id)])
        for unique_id, limit, side in zip(usable["unique_id"], usable["limit"], usable["side"], strict=True)
    ]
    rows = [row for row in rows if row["breach_date"] is not None or row["unique_id"] in ahead]
    return pd.DataFrame(rows, columns=list(BREACH_COLUMNS)).astype(
        dict.fromkeys(("breach_date", "earliest", "latest", "horizon_end"), "datetime64[us]")
    )


def _recent_values(history: pd.DataFrame) -> pd.DataFrame:
    """By unique_id: `value`, the median of the last observations since the last step, and `ds` of the last one."""
    observed = history[np.isfinite(history["y"].to_numpy(dtype=float))].sort_values(["unique_id", "ds"])
    if "stepped_at" in observed:
        # Of a step within the last bucket, that bucket is all there is.
        newest = observed["ds"] == observed.groupby("unique_id")["ds"].transform("max")
        observed = observed[newest | observed["stepped_at"].isna() | (observed["ds"] >= observed["stepped_at"])]
    last = observed.groupby("unique_id").tail(RECENT_POINTS)
    return last.groupby("unique_id").agg(value=("y", "median"), ds=("ds", "max"))


def _outlook(
    unique_id: str, limit: float, side: str, ahead: pd.DataFrame | None, recent: pd.Series
) -> dict[str, object]:
    sign, last_value = SIDES[side], float(recent["value"])
    beyond = bool(sign * (last_value - limit) > 0)
    return {
        "unique_id": unique_id,
        "limit": limit,
        "side": side,
        "last_value": last_value,
        "already_breached": beyond,
        **(_seen(recent["ds"], beyond) if ahead is None else _foreseen(limit, sign, ahead)),
    }


def _seen(date: pd.Timestamp, beyond: bool) -> dict[str, object]:
    when = date if beyond else None
    return {
        "breach_date": when, "earliest": when, "latest": when, "probability": float(beyond), "horizon_end": date
    }  # fmt: skip


def _foreseen(limit: float, sign: float, ahead: pd.DataFrame) -> dict[str, object]:
    dates = pd.DatetimeIndex(ahead["ds"])
    mean, low, high = (ahead[name].to_numpy(dtype=float) for name in ("mean", "lo-95", "hi-95"))
    near, far = (high, low) if sign > 0 else (low, high)
    return {
        "breach_date": _crossing(dates, sign * (mean - limit)),
        "earliest": _crossing(dates, sign * (near - limit)),
        "latest": _crossing(dates, sign * (far - limit)),
        # A bound of the values cuts one half of the interval off; the other one is as wide as the forecast is unsure.
        "probability": _probability(
            sign * (mean - limit), sign * (near - limit), np.maximum(high - mean, mean - low)
        ),
        "horizon_end": dates[-1],
    }  # fmt: skip


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


def _probability(excess: FloatArray, of_near_end: FloatArray, half_width: FloatArray) -> float:
    """Largest probability over the steps that a value lies beyond; 0 or 1 where the interval has no width.

    `excess` is how far the mean is beyond the limit, `of_near_end` the same of the end of the 95 % interval on that
    side, `half_width` half of that interval. Beyond an end lie at most 2.5 %, so of a limit that is a bound of the
    values no more is said.
    """
    from scipy.stats import norm

    sd = half_width / float(norm.ppf(0.975))
    certain = np.where(excess > 0, np.inf, -np.inf)
    scores = np.divide(excess, sd, out=certain, where=sd > 0)
    chances = np.where(of_near_end > 0, norm.cdf(scores), np.minimum(norm.cdf(scores), 0.025))
    return float(chances.max())
