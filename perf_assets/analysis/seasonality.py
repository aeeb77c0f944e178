"""Daily, weekly and monthly patterns: how strong they are, and series without them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.statistics import FloatArray

DAY = 86_400.0
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FEWEST_CYCLES = 4
_LEAST_STRENGTH = 0.1
"""Share of variance from which a profile is taken out; below it, taking it out would only add its estimation error."""

TimeArray = npt.NDArray[np.datetime64]
PATTERN_COLUMNS = ("series_id", "period", "strength", "amplitude", "peak", "trough", "cycles")


def hour_of_day(timestamps: TimeArray) -> npt.NDArray[np.intp]:
    """UTC hours 0..23 of naive UTC timestamps, shape (n,)."""
    return np.asarray(timestamps.astype("datetime64[h]").astype(np.int64) % 24, dtype=np.intp)


def day_of_week(timestamps: TimeArray) -> npt.NDArray[np.intp]:
    """0 for Monday .. 6 for Sunday, shape (n,)."""
    return np.asarray((timestamps.astype("datetime64[D]").astype(np.int64) + 3) % 7, dtype=np.intp)


def deseasonalise(timestamps: TimeArray, values: FloatArray) -> FloatArray:
    """`values`, shape (n,), without their daily and weekly profile; level and trend stay. NaN stay NaN.

    The profile of an hour (of a weekday) is the median deviation from the day's (week's) own median, so that neither a
    step nor an outlier enters it. A profile is taken out only if it explains a tenth of the variance left.
    """
    time = timestamps.astype("datetime64[us]").astype(np.float64) / (DAY * 1e6)
    days = np.floor(time).astype(np.int64)
    without_day = _without_profile(time, values, days, hour_of_day(timestamps))
    weeks = (days + 3) // 7
    return _without_profile(time, without_day, weeks, day_of_week(timestamps))


def _without_profile(
    time: FloatArray, values: FloatArray, cycle: npt.NDArray[np.int64], slot: npt.NDArray[np.intp]
) -> FloatArray:
    finite = np.isfinite(values)
    _, cycle_index, sizes = np.unique(cycle[finite], return_inverse=True, return_counts=True)
    if sizes.size < _FEWEST_CYCLES or np.median(sizes) < 3:
        return values
    observed, observed_slot = values[finite], slot[finite]
    deviation = _deviations(time[finite], observed, cycle_index)
    slots, slot_index, counts = np.unique(observed_slot, return_inverse=True, return_counts=True)
    if slots.size < 3 or counts.min() < 3:
        return values
    profile = _medians(deviation, slot_index)
    profile -= profile.mean()
    explained = 1.0 - np.var(deviation - profile[slot_index]) / (np.var(deviation) or 1.0)
    if explained < _LEAST_STRENGTH:
        return values
    result = values.copy()
    result[finite] = observed - profile[slot_index]
    return result


def _deviations(time: FloatArray, values: FloatArray, cycle: npt.NDArray[np.intp]) -> FloatArray:
    """Distance from the cycle's median, along the usual slope from cycle to cycle: a trend is no profile."""
    medians, middles = _medians(values, cycle), _medians(time, cycle)
    slope = float(np.median(np.diff(medians) / np.diff(middles)))
    return np.asarray(values - medians[cycle] - slope * (time - middles[cycle]))


def _medians(values: FloatArray, group: npt.NDArray[np.intp]) -> FloatArray:
    """Median of each group 0 .. max(group)."""
    order = np.lexsort((values, group))
    ends = np.cumsum(np.bincount(group))
    starts = np.concatenate(([0], ends[:-1]))
    lower, upper = (starts + ends - 1) // 2, (starts + ends) // 2
    ordered = values[order]
    return np.asarray((ordered[lower] + ordered[upper]) / 2.0)


def seasonal_patterns(buckets: pd.DataFrame, bucket_seconds: pd.Series) -> pd.DataFrame:
    """Strength and shape of the patterns that each series' span allows to see.

    `buckets`: series_id, ts, value, sorted; `bucket_seconds`: by series_id. Returns one row a series and period with
    the columns PATTERN_COLUMNS; amplitude in the series' unit. A period needs four full cycles and three buckets in a
    cycle. Decomposition by STL, and by MSTL where a day and a week can both be seen; gaps are bridged linearly.

    Sources: Cleveland et al. (1990), STL; Bandara, Hyndman & Bergmeir (2021), MSTL; strength: Wang, Smith & Hyndman
    (2006), 1 - Var(remainder) / Var(seasonal + remainder).
    """
    rows = [
        row
        for series_id, group in buckets.groupby("series_id", sort=True)
        for row in _patterns(series_id, group["ts"].to_numpy(), group["value"].to_numpy(), bucket_seconds[series_id])
    ]
    return pd.DataFrame(rows, columns=list(PATTERN_COLUMNS))


def _patterns(series_id: object, ts: TimeArray, values: FloatArray, seconds: float) -> Iterator[tuple[object, ...]]:
    grid, regular = regularise(ts, values, seconds)
    step_days = seconds / DAY
    periods = {
        name: round(days / step_days)
        for name, days in (("daily", 1.0), ("weekly", 7.0), ("monthly", 30.0))
        if days / step_days >= 3 and regular.size * step_days >= _FEWEST_CYCLES * days
    }
    if "daily" in periods:
        periods.pop("monthly", None)  # seen on daily data; on hourly data a month is too long a season to fit
    if not periods or not np.ptp(regular) > 0:
        return
    seasonal, remainder = _decompose(regular, list(periods.values()))
    for (name, period), component in zip(periods.items(), seasonal, strict=True):
        strength = max(0.0, 1.0 - float(np.var(remainder)) / (float(np.var(component + remainder)) or 1.0))
        last = component[-period:]
        labels = [_label(name, grid[-period + index]) for index in (int(np.argmax(last)), int(np.argmin(last)))]
        yield series_id, name, strength, float(np.ptp(last)), *labels, regular.size * step_days / (period * step_days)


def regularise(ts: TimeArray, values: FloatArray, seconds: float) -> tuple[TimeArray, FloatArray]:
    """The full grid between first and last bucket, shape (m,), and values on it, gaps bridged linearly."""
    index = np.round((ts - ts[0]) / np.timedelta64(1, "s") / seconds).astype(np.int64)
    grid = ts[0] + (np.arange(index[-1] + 1) * int(seconds * 1e6)).astype("timedelta64[us]")
    return grid, np.interp(np.arange(index[-1] + 1), index, values)


def _decompose(values: FloatArray, periods: list[int]) -> tuple[list[FloatArray], FloatArray]:
    from statsmodels.tsa.seasonal import MSTL, STL

    # Loess at every seventh of a season and straight lines between, as STL's authors propose: 30 times faster, and
    # strengths differ in the third digit.
    jump = max(1, max(periods) // 7)
    if len(periods) == 1:
        fit = STL(values, period=periods[0], trend_jump=jump, low_pass_jump=jump).fit()
        return [np.asarray(fit.seasonal)], np.asarray(fit.resid)
    many = MSTL(values, periods=periods, stl_kwargs={"trend_jump": jump, "low_pass_jump": jump}).fit()
    return [np.asarray(column) for column in np.asarray(many.seasonal).T], np.asarray(many.resid)


def _label(period: str, moment: np.datetime64) -> str:
    if period == "daily":
        return f"{int(hour_of_day(np.array([moment]))[0]):02d}:00 UTC"
    if period == "weekly":
        return _WEEKDAYS[int(day_of_week(np.array([moment]))[0])]
    return f"day {pd.Timestamp(moment).day}"
