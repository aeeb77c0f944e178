"""Trends: is a series getting better or worse, how fast, and how sure is that.

The slope is taken within the last level (after the last change point), so that a step is not called a trend, on the
deseasonalised regular series. Its error comes from regression with autoregressive noise: restricted likelihood, orders
averaged, and fewer degrees of freedom for a noise that had to be estimated. Where the levels begin is the caller's
knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from perf_assets.analysis.autoregression import ORDERS, IntArray, Slopes, fit_slopes
from perf_assets.analysis.ragged import medians, offsets_of
from perf_assets.analysis.robust_slopes import robust_slopes
from perf_assets.analysis.seasonality import TimeArray, day_of_week, deseasonalise_many, hour_of_day
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray, benjamini_hochberg
from perf_assets.tables import METRIC_TRENDS

FEWEST_BUCKETS = 14
SETTLING_BUCKETS = 3
"""Left out after a change: were it found a little early, the end of the old level would tilt the new one."""

TREND_COLUMNS = METRIC_TRENDS.names
FIT_COLUMNS = METRIC_TRENDS.names_without("as_of", "verdict", "change_per_week", "q_value", "average_7d", "average_30d")
_SIGNIFICANT = 0.05
_NOT_ENOUGH = "not enough data"
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")
_OUTLYING = 4.0
"""Robust standard deviations from the robust line, beyond which values are drawn in before the line is fitted."""


def fit_trends(buckets: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Each series by itself: one row a series of `buckets` with the columns FIT_COLUMNS, in their order.

    `buckets`: series_id, ts, value (regular, gaps absent), sorted; `changes`: series_id, changed_at of change points.
    Slopes in the series' unit a day, with 95 % interval, by `fit_slopes`;
    `robust_slope_per_day` by `robust_slope`; `level` is the median of the stretch, of its last value where none is
    left; `since` the beginning of the stretch.
    """
    usable = np.flatnonzero(np.isfinite(buckets["value"].to_numpy(dtype=np.float64)))
    ids = buckets["series_id"].to_numpy()[usable]
    first = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1)).astype(np.intp)[: ids.size]
    end = np.append(first[1:], ids.size).astype(np.intp)[: first.size]
    ts = buckets["ts"].to_numpy()[usable]
    values = buckets["value"].to_numpy(dtype=np.float64)[usable]
    owner = np.repeat(np.arange(first.size), end - first)
    start = first + _level_starts(pd.Series(ids[first]), ts, owner, changes)
    begin = np.minimum(start, end - 1)
    level = medians(values[np.arange(values.size) >= begin[owner]], np.append(0, np.cumsum(end - begin)))
    table = pd.DataFrame(
        {
            "series_id": ids[first],
            "level": level,
            "points": end - start,
            "since": ts[begin],
        }
    )
    return pd.concat((table, _fitted(ts, values, first, start, end)), axis=1)[list(FIT_COLUMNS)]


def judge_trends(fits: pd.DataFrame, series: pd.DataFrame, averages: pd.DataFrame) -> pd.DataFrame:
    """The fleet as a whole: one row a series of both tables, in the order of `series`, with the columns TREND_COLUMNS.

    `fits`: as `fit_trends` gives them; `series`: series_id, direction, as_of; `averages`: series_id, average_7d,
    average_30d. `change_per_week` is a share of that level; q-values are over all series tested (Benjamini &
    Hochberg 1995). A verdict needs q of at most 0.05.
    """
    table = series[["series_id", "as_of", "direction"]].merge(fits, on="series_id")
    table = table.merge(averages, on="series_id", how="left")
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64))
    table["change_per_week"] = 7.0 * table["slope_per_day"] / table["level"].abs().replace(0.0, np.nan)
    table["verdict"] = _verdicts(table)
    return table[list(TREND_COLUMNS)]


def _level_starts(ids: pd.Series, ts: TimeArray, owner: IntArray, changes: pd.DataFrame) -> IntArray:
    """Buckets of each series that come before the stretch to be judged."""
    # A table without rows may have columns without a type.
    latest = pd.to_datetime(changes["changed_at"]).groupby(changes["series_id"]).max()
    last: TimeArray = latest.reindex(ids).to_numpy(dtype="datetime64[us]")
    with_change = ~np.isnat(last)
    earlier = np.bincount(owner[ts < last[owner]], minlength=len(ids))
    sizes = np.bincount(owner, minlength=len(ids))
    return np.where(with_change & (earlier > 0), np.minimum(earlier + SETTLING_BUCKETS, sizes), 0).astype(np.intp)


def _verdicts(table: pd.DataFrame) -> npt.NDArray[np.str_]:
    rising = (table["slope_per_day"] > 0).to_numpy()
    direction = table["direction"].to_numpy()
    worse = np.where(rising, direction == "lower_is_better", direction == "higher_is_better")
    judged = np.isin(direction, ["lower_is_better", "higher_is_better"])
    named = np.where(judged, np.where(worse, "worse", "better"), np.where(rising, "rising", "falling"))
    q_value = table["q_value"].to_numpy(dtype=np.float64)
    faint = (q_value > _SIGNIFICANT) | (table["slope_per_day"] == 0).to_numpy()
    return np.select([~np.isfinite(q_value), faint], [_NOT_ENOUGH, "no trend"], named)


# What is fitted


@dataclass(frozen=True)
class _Stretches:
    """Last levels of k series end to end: `days` since each began and `values`, shape (n,); `offsets`, shape (k + 1,);
    `spent`, shape (k,): parameters that their profiles have used up.
    """

    days: FloatArray
    values: FloatArray
    offsets: IntArray
    spent: FloatArray

    def places(self, rows: IntArray) -> IntArray:
        """Positions of all values of the stretches `rows`."""
        return _places(self.offsets[rows], self.offsets[rows + 1])

    def at(self, rows: IntArray) -> _Stretches:
        places, sizes = self.places(rows), np.diff(self.offsets)[rows]
        return _Stretches(self.days[places], self.values[places], offsets_of(sizes), self.spent[rows])


def _places(starts: IntArray, ends: IntArray) -> IntArray:
    offsets = offsets_of(ends - starts)
    return np.asarray(np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], ends - starts))


def _fitted(ts: TimeArray, values: FloatArray, first: IntArray, start: IntArray, end: IntArray) -> pd.DataFrame:
    """Columns of TREND_COLUMNS that come from the fit, one row a series; NaN where the stretch is too short."""
    rows = np.flatnonzero(end - start >= FEWEST_BUCKETS)
    without = deseasonalise_many(ts, values, np.append(first, values.size))
    places, offsets = _places(start[rows], end[rows]), offsets_of((end - start)[rows])
    since = ts[places] - np.repeat(ts[start[rows]], np.diff(offsets))
    days = since.astype("timedelta64[us]").astype(np.float64) / _DAY
    robust = robust_slopes(days, without[places], offsets)
    plain = _winsorised(_Stretches(days, values[places], offsets, np.zeros(rows.size)), robust)
    parameters = _profile_parameters(ts, values - without, first)[rows] * (end - start)[rows] / (end - first)[rows]
    profiled = np.flatnonzero(parameters > 0)
    adjusted = _Stretches(days, without[places], offsets, parameters).at(profiled)
    slopes = _fit(_with_significant_profiles(plain, _winsorised(adjusted, robust[profiled]), profiled), ORDERS)
    fitted = pd.DataFrame(
        {
            "slope_per_day": slopes.slope,
            "slope_low": slopes.slope - slopes.margin,
            "slope_high": slopes.slope + slopes.margin,
            "robust_slope_per_day": robust,
            "p_value": slopes.p_value,
            "effective_points": slopes.effective_points,
            "autocorrelation": slopes.autocorrelation,
        },
        index=rows,
    )
    return fitted.reindex(np.arange(first.size))


def _with_significant_profiles(plain: _Stretches, adjusted: _Stretches, profiled: IntArray) -> _Stretches:
    """`plain`, with those of its stretches `profiled` replaced by `adjusted` whose profile is significant at 5 % in
    AR(1) noise.

    In a few days of autocorrelated noise every hour has its own level by chance; taken out, it would take noise along.
    """
    points = np.diff(adjusted.offsets).astype(np.float64)
    left = np.maximum(points - 2.0 - adjusted.spent, 1.0)
    by_chance = (points - 2.0) * np.log1p(special.fdtri(adjusted.spent, left, 0.95) * adjusted.spent / left)
    gain = _fit(plain.at(profiled), (1,)).deviance - _fit(adjusted, (1,)).deviance
    better = np.flatnonzero(gain > by_chance)
    values, spent = plain.values.copy(), plain.spent.copy()
    values[plain.places(profiled[better])] = adjusted.values[adjusted.places(better)]
    spent[profiled[better]] = adjusted.spent[better]
    return replace(plain, values=values, spent=spent)


def _fit(stretches: _Stretches, orders: tuple[int, ...]) -> Slopes:
    return fit_slopes(stretches.days, stretches.values, stretches.offsets, stretches.spent, orders)


def _profile_parameters(ts: TimeArray, profile: FloatArray, first: IntArray) -> FloatArray:
    """Parameters of the daily and weekly profile that were taken out of each series, shape (k,)."""
    parameters = np.zeros(first.size)
    largest = np.maximum.reduceat(np.abs(profile), first) if first.size else parameters
    seasonal = np.flatnonzero(largest > 0)
    places = _places(first[seasonal], np.append(first, profile.size)[seasonal + 1])
    owner = np.repeat(np.arange(seasonal.size), np.diff(np.append(first, profile.size))[seasonal])
    hour, day, taken = hour_of_day(ts[places]), day_of_week(ts[places]), profile[places]
    for slot, slots, other, others in ((hour, 24, day, 7), (day, 7, hour, 24)):
        cell = owner * others + other
        means = np.bincount(cell, weights=taken) / np.maximum(np.bincount(cell), 1)
        varied = np.abs(taken - means[cell]) > 1e-9 * largest[seasonal][owner]
        varies = np.bincount(owner[varied], minlength=seasonal.size) > 0
        seen = np.bincount(owner * slots + slot, minlength=seasonal.size * slots).reshape(-1, slots) > 0
        parameters[seasonal] += np.where(varies, np.count_nonzero(seen, axis=1) - 1, 0)
    return parameters


def _winsorised(stretches: _Stretches, slopes: FloatArray) -> _Stretches:
    """`stretches` with values far from the robust line moved to the edge of what is usual around it."""
    sizes = np.diff(stretches.offsets)
    line = np.repeat(slopes, sizes) * stretches.days
    line += np.repeat(medians(stretches.values - line, stretches.offsets), sizes)
    apart = np.abs(stretches.values - line)
    usual = medians(apart, stretches.offsets)
    mean = np.add.reduceat(apart, stretches.offsets[:-1]) / sizes if sizes.size else usual
    most = np.repeat(_OUTLYING * np.where(usual > 0, usual * MAD_TO_SD, mean * 1.2533), sizes)
    return replace(stretches, values=np.clip(stretches.values, line - most, line + most))
