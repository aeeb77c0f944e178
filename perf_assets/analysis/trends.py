"""Trends: is a series getting better or worse, how fast, and how sure is that.

The slope is taken within the last level (after the last change point), so that a step is not called a trend, on the
deseasonalised regular series. Its error comes from regression with autoregressive noise: restricted likelihood, orders
averaged, and fewer degrees of freedom for a noise that had to be estimated. Where the levels begin is the caller's
knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from perf_assets.analysis.ragged import by_width, medians, offsets_of, side_by_side
from perf_assets.analysis.seasonality import TimeArray, day_of_week, deseasonalise_many, hour_of_day
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray, benjamini_hochberg

FEWEST_BUCKETS = 14
SETTLING_BUCKETS = 3
"""Left out after a change: were it found a little early, the end of the old level would tilt the new one."""

TREND_COLUMNS = (
    "series_id", "as_of", "verdict", "slope_per_day", "slope_low", "slope_high", "robust_slope_per_day",
    "change_per_week", "level", "p_value", "q_value", "points", "effective_points", "autocorrelation", "since",
    "average_7d", "average_30d",
)  # fmt: skip
FIT_COLUMNS = (
    "series_id", "slope_per_day", "slope_low", "slope_high", "robust_slope_per_day", "level", "p_value", "points",
    "effective_points", "autocorrelation", "since",
)  # fmt: skip
_SIGNIFICANT = 0.05
_NOT_ENOUGH = "not enough data"
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")
_OUTLYING = 4.0
"""Robust standard deviations from the robust line, beyond which values are drawn in before the line is fitted."""
_MOST_PAIRS = 2_500
_ROWS = 64
"""Series whose pairs are compared at once: some 1 MB."""

_ORDERS = (1, 2, 3, 4, 6, 10, 15)
_POINTS_AN_ORDER = 8
_NOT_WORTH_FITTING = 6.0
"""Criterion above the best so far, from which a model would count for less than a twentieth."""
_MOST_STEPS = 25
_CLOSE = 1e-4
"""Precision of partial autocorrelations: a hundredth of their usual standard error."""
_EDGE = 0.995
_ROUNDING = 1e-12
"""Share of the values' variance below which what a line leaves over is rounding, not noise."""
_BATCH = 512

IntArray = npt.NDArray[np.intp]
_ENTRIES = ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))
"""Upper triangle of a matrix over the columns 1, time, value."""


@dataclass(frozen=True)
class Slopes:
    """Slopes of k stretches with their evidence; every array has the shape (k,).

    `slope` and its standard `error` in value units per unit of time; `degrees` of freedom for Student's t;
    `autocorrelation` of the noise at lag 1; `effective_points`: independent points that would tell the slope as well;
    `deviance`: -2 log restricted likelihood with AR(1) noise, comparable between versions of the same values.
    """

    slope: FloatArray
    error: FloatArray
    degrees: FloatArray
    autocorrelation: FloatArray
    effective_points: FloatArray
    deviance: FloatArray

    @property
    def p_value(self) -> FloatArray:
        """Of no slope, two-sided."""
        return np.asarray(2.0 * stats.t.sf(np.abs(self.slope) / self.error, self.degrees))

    @property
    def margin(self) -> FloatArray:
        """Half the width of the 95 % interval."""
        return np.asarray(stats.t.ppf(0.975, self.degrees) * self.error)


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
    plain = _drawn_in(_Stretches(days, values[places], offsets, np.zeros(rows.size)), robust)
    parameters = _profile_parameters(ts, values - without, first)[rows] * (end - start)[rows] / (end - first)[rows]
    profiled = np.flatnonzero(parameters > 0)
    adjusted = _Stretches(days, without[places], offsets, parameters).at(profiled)
    slopes = _fit(_with_significant_profiles(plain, _drawn_in(adjusted, robust[profiled]), profiled), _ORDERS)
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
    by_chance = (points - 2.0) * np.log1p(stats.f.ppf(0.95, adjusted.spent, left) * adjusted.spent / left)
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


def robust_slope(times: FloatArray, values: FloatArray) -> float:
    """Median slope of pairs of points at least a quarter of the n points apart, in value units per unit of time.

    Of long series some 2,500 pairs are taken, evenly spread over the distances. A sixth of
    the values may be anything.
    Source: Sen (1968); the choice of far pairs, which know more about the slope: Sievers (1978).
    """
    return float(robust_slopes(times, values, offsets_of([values.size]))[0])


def robust_slopes(times: FloatArray, values: FloatArray, offsets: IntArray) -> FloatArray:
    """`robust_slope` of each stretch `offsets[i]:offsets[i + 1]` of at least two points, shape (k,)."""
    slopes = np.empty(offsets.size - 1)
    sizes = np.diff(offsets)
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        distances = _far_distances(int(size))
        for begin in range(0, alike.size, _ROWS):
            rows = alike[begin : begin + _ROWS]
            time, value = (side_by_side(each, offsets[rows], sizes[rows], int(size), 0.0) for each in (times, values))
            if (time == time[0]).all():
                time = time[:1]
            pairs = _rises(value, distances) / _rises(time, distances)
            middle = (pairs.shape[1] - 1) // 2, pairs.shape[1] // 2
            pairs.partition(middle, axis=1)
            slopes[rows] = (pairs[:, middle[0]] + pairs[:, middle[1]]) / 2.0
    return slopes


def _far_distances(count: int) -> IntArray:
    distances = np.arange(max(count // 4, 1), count)
    every = int(np.ceil(np.sum(count - distances) / _MOST_PAIRS))
    return distances[:: max(every, 1)]


def _rises(values: FloatArray, distances: IntArray) -> FloatArray:
    """Differences of each row, shape (k, n), over each of the distances: shape (k, pairs)."""
    return np.concatenate([values[:, distance:] - values[:, :-distance] for distance in distances], axis=1)


def _drawn_in(stretches: _Stretches, slopes: FloatArray) -> _Stretches:
    """`stretches` with values far from the robust line moved to the edge of what is usual around it."""
    sizes = np.diff(stretches.offsets)
    line = np.repeat(slopes, sizes) * stretches.days
    line += np.repeat(medians(stretches.values - line, stretches.offsets), sizes)
    apart = np.abs(stretches.values - line)
    usual = medians(apart, stretches.offsets)
    mean = np.add.reduceat(apart, stretches.offsets[:-1]) / sizes if sizes.size else usual
    most = np.repeat(_OUTLYING * np.where(usual > 0, usual * MAD_TO_SD, mean * 1.2533), sizes)
    return replace(stretches, values=np.clip(stretches.values, line - most, line + most))


# Regression on time with autoregressive noise


def fit_slopes(
    times: FloatArray, values: FloatArray, offsets: IntArray, spent: FloatArray, orders: tuple[int, ...] = _ORDERS
) -> Slopes:
    """Slope of each stretch `offsets[i]:offsets[i + 1]` of `times` and `values` (both finite, shape (n,)).

    Each stretch has at least 8 points at increasing times; for the noise they are taken as regular. `spent`, shape
    (k,): parameters taken out of the values before (profiles), for which degrees of freedom are given up. `orders`, of
    the noise, ascending from 1; order p is tried from 8 p points on.

    Line and AR(p) noise by restricted maximum likelihood, which corrects the autocorrelation for the line taken out
    (Patterson & Thompson 1971; Cheang & Reinsel 2000); the exact likelihood is a quadratic form in the coefficients
    (Box & Jenkins 1976, appendix A7.4), maximised in partial autocorrelations, so that the noise stays stationary
    (Barndorff-Nielsen & Schou 1973). Orders are averaged by their AICc (Buckland, Burnham & Augustin 1997), degrees of
    freedom are Satterthwaite's from the curvature of the likelihood (Kenward & Roger 1997).
    """
    sizes = np.diff(offsets)
    by_size = np.argsort(sizes, kind="stable")
    columns = np.empty((len(fields(Slopes)), sizes.size))
    for begin in range(0, sizes.size, _BATCH):
        rows = by_size[begin : begin + _BATCH]
        products, units = _summed(times, values, offsets[rows], sizes[rows], orders)
        columns[:, rows] = _fit_batch(products, units, sizes[rows], spent[rows], orders)
    return Slopes(*columns)


def _summed(
    times: FloatArray, values: FloatArray, starts: IntArray, sizes: IntArray, orders: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """`_products` of k stretches, 0 for orders that they are too short for, and the units of time and value, shape
    (2, k).
    """
    most = max(_possible(orders, sizes))
    products, units = np.zeros((sizes.size, most + 1, most + 1, len(_ENTRIES))), np.empty((2, sizes.size))
    for rows, width in by_width(sizes):
        size = sizes[rows]
        inside = np.arange(width) < size[:, None]
        standardised = [inside.astype(np.float64)]
        for place, each in enumerate((times, values)):
            scaled, units[place, rows] = _standardised(side_by_side(each, starts[rows], size, width, 0.0), inside, size)
            standardised.append(scaled)
        own = max(_possible(orders, size))
        products[rows, : own + 1, : own + 1] = _products(np.stack(standardised, axis=1), size, own)
    return products, units


def _possible(orders: tuple[int, ...], sizes: IntArray) -> list[int]:
    return [order for order in orders if order == 1 or order * _POINTS_AN_ORDER <= sizes.max()]


def _fit_batch(
    products: FloatArray, units: FloatArray, sizes: IntArray, spent: FloatArray, orders: tuple[int, ...]
) -> FloatArray:
    """The columns of Slopes, shape (6, k)."""
    freedom = np.asarray(sizes - 2.0, dtype=np.float64)
    slope, variance, doubt, correlation, criterion = _models(products, freedom, spent, _possible(orders, sizes))
    weight = np.exp((criterion.min(axis=0) - criterion) / 2.0)
    weight /= weight.sum(axis=0)
    mean = np.sum(weight * slope, axis=0)
    error = np.sqrt(np.sum(weight * (variance + (slope - mean) ** 2), axis=0))
    independent = _line(products[:, 0, 0])
    if_independent = independent.rest / freedom * independent.inverse[:, 2]
    time_unit, value_unit = units
    unit = value_unit / time_unit
    deviance = criterion[0] - _penalty(1, freedom, spent) + 2.0 * freedom * np.log(value_unit)
    return np.stack(
        (
            unit * mean,
            unit * error,
            np.maximum(2.0 / np.sum(weight * doubt, axis=0), 1.0),
            np.sum(weight * correlation, axis=0),
            np.clip(sizes * if_independent / error**2, 1.0, sizes),
            deviance,
        )
    )


def _models(products: FloatArray, freedom: FloatArray, spent: FloatArray, orders: list[int]) -> FloatArray:
    """What `_judged` says of each order for each stretch, shape (5, orders, k); infinite criterion: not fitted."""
    models = np.zeros((5, len(orders), freedom.size))
    models[4] = np.inf
    best = np.full(freedom.size, np.inf)
    partial = np.zeros((freedom.size, max(orders)))
    for place, order in enumerate(orders):
        allowed = np.flatnonzero((order == 1) | (order * _POINTS_AN_ORDER <= freedom + 2.0))
        current = products[allowed, : order + 1, : order + 1]
        start = _noise(current, freedom[allowed], partial[allowed, :order])
        gradient, curvature = _derivatives(current, freedom[allowed], start)
        gain = np.sum(gradient * np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0], axis=1) / 2.0
        hoped = start.deviance - gain + _penalty(order, freedom[allowed], spent[allowed])
        promising = np.flatnonzero((order == 1) | (hoped < best[allowed] + _NOT_WORTH_FITTING))
        if not promising.size:
            continue
        rows, current = allowed[promising], current[promising]
        fit = _maximised(current, freedom[rows], partial[rows, :order])
        partial[rows, :order] = fit.partial
        models[:, place, rows] = _judged(current, fit, freedom[rows], spent[rows])
        best[rows] = np.minimum(best[rows], models[4, place, rows])
    return models


def _penalty(order: int, freedom: FloatArray, spent: FloatArray) -> FloatArray:
    """Three quarters of AICc's (Hurvich & Tsai 1989): an order too low makes false trends, one too high costs little.

    Parameters are the noise's variance and coefficients, and profiles taken out before.
    """
    parameters = order + 1.0 + spent
    return np.asarray(1.5 * parameters * freedom / np.maximum(freedom - parameters - 1.0, 1.0))


def _standardised(values: FloatArray, inside: npt.NDArray[np.bool_], sizes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Rows around 0 within [-1, 1], zero where they have no value, and the unit of each; constants become 0."""
    centred = np.where(inside, values - (values.sum(axis=1) / sizes)[:, None], 0.0)
    unit = np.abs(centred).max(axis=1)
    unit = np.where(unit > _ROUNDING * np.abs(values).max(axis=1), unit, 0.0)
    scaled = np.where(unit[:, None] > 0, centred / np.where(unit > 0, unit, 1.0)[:, None], 0.0)
    return scaled, np.where(unit > 0, unit, 1.0)


def _products(columns: FloatArray, sizes: IntArray, most: int) -> FloatArray:
    """D[i, j] = sum of w(t + i) w(t + j) over the t for which t + i + j stays inside: shape (k, p + 1, p + 1, 6).

    `columns`: w, shape (k, 3, n), zero beyond the end. With a = (1, -phi), the sum of a[i] a[j] D[i, j] is
    w' inverse(correlation) w for AR(p) noise with innovations of variance 1 (Box & Jenkins 1976, A7.4.16).
    """
    count, _, length = columns.shape
    left, right = (list(entry) for entry in zip(*_ENTRIES, strict=True))
    head = columns[:, :, :most].transpose(0, 2, 1)
    tail = columns[np.arange(count)[:, None], :, sizes[:, None] - 1 - np.arange(most)]
    one, other = (np.stack((head[..., entry], tail[..., entry])) for entry in (left, right))
    result = np.empty((count, most + 1, most + 1, len(_ENTRIES)))
    for lag in range(most + 1):
        whole = np.matmul(columns[:, :, : length - lag], columns[:, :, lag:].transpose(0, 2, 1))
        near, far = slice(most - lag), slice(lag, most)
        ends = (one[:, :, near] * other[:, :, far] + other[:, :, near] * one[:, :, far]).sum(axis=0)
        both = np.empty((count, most + 1 - lag, len(_ENTRIES)))
        both[:] = (whole[:, left, right] + whole[:, right, left])[:, None]
        both[:, 1:] -= np.cumsum(ends, axis=1)
        both /= 2.0
        for triangle in (result[:, : most + 1 - lag, lag:], result[:, lag:, : most + 1 - lag]):
            np.einsum("kiic->kic", triangle)[...] = both
    place = np.arange(most + 1)
    result[:, place, place, -1] += _ROUNDING * sizes[:, None]
    return result


@dataclass(frozen=True)
class _Line:
    """Least squares of value on 1 and time from 6 sums of products each, arrays of shape (k,)."""

    determinant: FloatArray
    intercept: FloatArray
    slope: FloatArray
    rest: FloatArray
    inverse: FloatArray
    """Of the 2 x 2 matrix of 1 and time: its entries 00, 01, 11; shape (k, 3)."""


def _line(sums: FloatArray) -> _Line:
    ones, mixed, squares, value, value_time, value_squares = sums.T
    determinant = ones * squares - mixed**2
    inverse = np.stack((squares, -mixed, ones), axis=1) / determinant[:, None]
    intercept = inverse[:, 0] * value + inverse[:, 1] * value_time
    slope = inverse[:, 1] * value + inverse[:, 2] * value_time
    rest = value_squares - intercept * value - slope * value_time
    return _Line(determinant, intercept, slope, np.maximum(rest, 1e-3 * _ROUNDING), inverse)


@dataclass(frozen=True)
class _Noise:
    """AR(p) noise of k stretches at given partial autocorrelations, and the line it leads to."""

    partial: FloatArray
    coefficients: FloatArray
    """(1, -phi), shape (k, p + 1)."""
    jacobian: FloatArray
    """Of phi by the partial autocorrelations, shape (k, p, p)."""
    sums: FloatArray
    """Sum over j of a[j] D[i, j], shape (k, p + 1, 6)."""
    line: _Line
    deviance: FloatArray
    """-2 log restricted likelihood, up to a constant; shape (k,)."""


def _noise(products: FloatArray, freedom: FloatArray, partial: FloatArray) -> _Noise:
    phi, jacobian = _levinson_slopes(partial)
    coefficients, sums, line = _fitted_line(products, phi)
    return _Noise(partial, coefficients, jacobian, sums, line, _deviance(line, freedom, partial))


def _fitted_line(products: FloatArray, phi: FloatArray) -> tuple[FloatArray, FloatArray, _Line]:
    """The first of what `_Noise` holds: coefficients, sums, line."""
    count, rows = products.shape[:2]
    coefficients = np.concatenate((np.ones((count, 1)), -phi), axis=1)
    # Not by matmul: the last digit of what BLAS returns depends on where in memory a stretch lies.
    sums = np.einsum("ki,kim->km", coefficients, products.reshape(count, rows, -1)).reshape(count, rows, -1)
    return coefficients, sums, _line(np.einsum("ki,kic->kc", coefficients, sums))


def _deviance(line: _Line, freedom: FloatArray, partial: FloatArray) -> FloatArray:
    lags = np.arange(1, partial.shape[1] + 1)
    return np.asarray(
        freedom * np.log(line.rest) + np.log(line.determinant) - np.sum(lags * np.log1p(-(partial**2)), axis=1)
    )


def _levinson(partial: FloatArray) -> FloatArray:
    """AR coefficients of partial autocorrelations, shape (k, p)."""
    phi = np.zeros((partial.shape[1], partial.shape[0]))
    for lag, last in enumerate(partial.T):
        phi[:lag] -= last * phi[:lag][::-1]
        phi[lag] = last
    return phi.T


def _levinson_slopes(partial: FloatArray) -> tuple[FloatArray, FloatArray]:
    """AR coefficients of partial autocorrelations, shape (k, p), and their derivatives, shape (k, p, p)."""
    count, order = partial.shape
    phi, jacobian = np.zeros((order, count)), np.zeros((order, order, count))
    for lag, last in enumerate(partial.T):
        before = phi[:lag].copy()
        jacobian[:lag, :lag] -= last * jacobian[:lag, :lag][::-1]
        jacobian[:lag, lag] = -before[::-1]
        jacobian[lag, lag] = 1.0
        phi[:lag] = before - last * before[::-1]
        phi[lag] = last
    return phi.T, jacobian.transpose(2, 0, 1).copy()


def _maximised(products: FloatArray, freedom: FloatArray, start: FloatArray) -> _Noise:
    """The restricted likelihood's maximum, by damped scoring from `start`, each stretch until it rests."""
    partial = start.copy()
    damping = np.zeros(freedom.size)
    moving, part = np.arange(freedom.size), products
    place = np.arange(partial.shape[1])
    for _ in range(_MOST_STEPS):
        here = _noise(part, freedom[moving], partial[moving])
        gradient, curvature = _derivatives(part, freedom[moving], here)
        curvature[:, place, place] *= 1.0 + damping[moving, None]
        step = -np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        trial = np.clip(here.partial + step, -_EDGE, _EDGE)
        _, _, line = _fitted_line(part, _levinson(trial))
        better = _deviance(line, freedom[moving], trial) <= here.deviance
        partial[moving[better]] = trial[better]
        damping[moving] = np.where(better, damping[moving] / 10.0, np.maximum(10.0 * damping[moving], 0.1))
        still = np.abs(trial - here.partial).max(axis=1) > _CLOSE
        moving = moving[still]
        if not moving.size:
            break
        part = part if still.all() else part[still]
    return _noise(products, freedom, partial)


def _derivatives(products: FloatArray, freedom: FloatArray, noise: _Noise) -> tuple[FloatArray, FloatArray]:
    """Gradient, shape (k, p), and approximate curvature, shape (k, p, p), of the deviance."""
    line, partial = noise.line, noise.partial
    left, right = (-line.intercept, -line.slope, np.ones_like(line.slope)), _ENTRIES
    residual = np.stack([left[i] * left[j] * (1.0 if i == j else 2.0) for i, j in right], axis=1)
    of_rest = residual * (freedom / line.rest)[:, None]
    of_both = of_rest.copy()
    of_both[:, :3] += line.inverse * np.array([1.0, 2.0, 1.0])
    lags = np.arange(1, partial.shape[1] + 1)
    by_phi = -2.0 * np.matmul(of_both[:, None], noise.sums[:, 1:].transpose(0, 2, 1))
    gradient = np.matmul(by_phi, noise.jacobian)[:, 0] + 2 * lags * partial / (1 - partial**2)
    count, rows = products.shape[:2]
    second = 2.0 * np.matmul(products.reshape(count, -1, len(_ENTRIES)), of_rest[:, :, None])
    second = second.reshape(count, rows, rows)[:, 1:, 1:]
    curvature = np.matmul(np.matmul(noise.jacobian.transpose(0, 2, 1), second), noise.jacobian)
    place = np.arange(partial.shape[1])
    curvature[:, place, place] += 2 * lags * (1 + partial**2) / (1 - partial**2) ** 2
    return gradient, curvature


def _judged(products: FloatArray, noise: _Noise, freedom: FloatArray, spent: FloatArray) -> FloatArray:
    """Slope, its variance, the variance of that variance's logarithm, lag-1 autocorrelation, criterion; shape (5, k).

    The variance is an estimate: its logarithm varies by 2 / freedom for the innovations' variance, and by what the
    coefficients of the noise add. Lowered by half of that, it has the mean logarithm of the chi-squared variance that
    Student's t expects.
    """
    order = noise.partial.shape[1]
    left = np.maximum(freedom - spent, 1.0)
    _, curvature = _derivatives(products, freedom, noise)
    first, second = noise.line.inverse[:, 1], noise.line.inverse[:, 2]
    along = np.stack((first**2, 2 * first * second, second**2), axis=1) / second[:, None]
    by_phi = 2.0 * np.einsum("kic,kc->ki", noise.sums[:, 1:, :3], along)
    by_partial = np.einsum("kil,ki->kl", noise.jacobian, by_phi)
    spread = np.einsum("kl,kl->k", by_partial, np.linalg.solve(curvature, by_partial[:, :, None])[:, :, 0])
    doubt = 2.0 / left + 2.0 * spread
    variance = noise.line.rest / left * second * np.exp(-doubt / 2.0)
    criterion = noise.deviance + _penalty(order, freedom, spent)
    return np.stack((noise.line.slope, variance, doubt, noise.partial[:, 0], criterion))
