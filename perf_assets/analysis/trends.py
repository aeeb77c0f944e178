"""Trends: is a series getting better or worse, how fast, and how sure is that.

The slope is taken within the last level (after the last change point), so that a step is not called a trend, on the
deseasonalised regular series. Its error comes from regression with autoregressive noise: restricted likelihood, orders
averaged, and fewer degrees of freedom for a noise that had to be estimated. Where the levels begin is the caller's
knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from perf_assets.analysis.seasonality import TimeArray, day_of_week, deseasonalise, hour_of_day
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg, robust_scale

FEWEST_BUCKETS = 14
SETTLING_BUCKETS = 3
"""Left out after a change: were it found a little early, the end of the old level would tilt the new one."""

TREND_COLUMNS = (
    "series_id", "as_of", "verdict", "slope_per_day", "slope_low", "slope_high", "robust_slope_per_day",
    "change_per_week", "level", "p_value", "q_value", "points", "effective_points", "autocorrelation", "since",
    "average_7d", "average_30d",
)  # fmt: skip
_SIGNIFICANT = 0.05
_NOT_ENOUGH = "not enough data"
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")
_OUTLYING = 4.0
"""Robust standard deviations from the robust line, beyond which values are drawn in before the line is fitted."""
_MOST_PAIRS = 2_500

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


def find_trends(buckets: pd.DataFrame, series: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """One row a series that has buckets, in the order of `series`, with the columns TREND_COLUMNS.

    `buckets`: series_id, ts, value (regular, gaps absent), sorted; `series`: series_id, direction, as_of; `changes`:
    series_id, changed_at of change points. Slopes in the series' unit a day, with 95 % interval, by `fit_slopes`;
    `robust_slope_per_day` by `robust_slope`; `change_per_week` is a share of the series' median; q-values are over all
    series tested (Benjamini & Hochberg 1995). A verdict needs q of at most 0.05.
    """
    rows = pd.Index(series["series_id"]).get_indexer(pd.Index(buckets["series_id"]))
    usable = np.flatnonzero((rows >= 0) & np.isfinite(buckets["value"].to_numpy(dtype=np.float64)))
    usable = usable[np.argsort(rows[usable], kind="stable")]
    counts = np.bincount(rows[usable], minlength=len(series))
    table = series.loc[counts > 0, ["series_id", "as_of", "direction"]].reset_index(drop=True)
    counts = counts[counts > 0]
    ts = buckets["ts"].to_numpy()[usable]
    values = buckets["value"].to_numpy(dtype=np.float64)[usable]
    owner = np.repeat(np.arange(counts.size), counts)
    first = np.cumsum(counts) - counts
    start = first + _level_starts(table["series_id"], ts, owner, changes)
    table = table.assign(
        level=pd.Series(values).groupby(owner).median(),
        average_7d=_recent_means(table["as_of"], ts, values, owner, 7),
        average_30d=_recent_means(table["as_of"], ts, values, owner, 30),
        points=first + counts - start,
        since=ts[np.minimum(start, first + counts - 1)],
    )
    table = pd.concat((table, _fitted(ts, values, first, start, first + counts)), axis=1)
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64))
    table["change_per_week"] = 7.0 * table["slope_per_day"] / table["level"].abs().replace(0.0, np.nan)
    table["verdict"] = _verdicts(table)
    return table[list(TREND_COLUMNS)]


def _level_starts(ids: pd.Series, ts: TimeArray, owner: IntArray, changes: pd.DataFrame) -> IntArray:
    """Buckets of each series that come before the stretch to be judged."""
    last: TimeArray = changes.groupby("series_id")["changed_at"].max().reindex(ids).to_numpy(dtype="datetime64[us]")
    with_change = ~np.isnat(last)
    earlier = np.bincount(owner[ts < last[owner]], minlength=len(ids))
    sizes = np.bincount(owner, minlength=len(ids))
    return np.where(with_change & (earlier > 0), np.minimum(earlier + SETTLING_BUCKETS, sizes), 0).astype(np.intp)


def _recent_means(as_of: pd.Series, ts: TimeArray, values: FloatArray, owner: IntArray, days: int) -> FloatArray:
    newest: TimeArray = as_of.to_numpy(dtype="datetime64[us]")
    start: TimeArray = newest - np.timedelta64(days, "D")
    recent = ts > start[owner]
    counts = np.bincount(owner[recent], minlength=len(as_of))
    sums = np.bincount(owner[recent], weights=values[recent], minlength=len(as_of))
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


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
class _Stretch:
    """The last level of one series, in days since it began, and the parameters its profile has used up."""

    days: FloatArray
    values: FloatArray
    spent: float


def _fitted(ts: TimeArray, values: FloatArray, first: IntArray, start: IntArray, end: IntArray) -> pd.DataFrame:
    """Columns of TREND_COLUMNS that come from the fit, one row a series; NaN where the stretch is too short."""
    rows = np.flatnonzero(end - start >= FEWEST_BUCKETS)
    plain: list[_Stretch] = []
    adjusted: list[_Stretch] = []
    with_profile: list[int] = []
    robust = np.empty(rows.size)
    for place, row in enumerate(rows):
        whole, skipped = slice(first[row], end[row]), start[row] - first[row]
        moments, observed = ts[whole], values[whole]
        days = (moments[skipped:] - moments[skipped]).astype("timedelta64[us]").astype(np.float64) / _DAY
        without = deseasonalise(moments, observed)
        slope = robust[place] = robust_slope(days, without[skipped:])
        plain.append(_Stretch(days, _drawn_in(days, observed[skipped:], slope), 0.0))
        if not np.array_equal(without, observed):
            parameters = _profile_parameters(moments, observed - without) * days.size / observed.size
            adjusted.append(_Stretch(days, _drawn_in(days, without[skipped:], slope), parameters))
            with_profile.append(place)
    chosen = list(plain)
    better = _profile_is_significant([plain[place] for place in with_profile], adjusted)
    for place, stretch, significant in zip(with_profile, adjusted, better, strict=True):
        chosen[place] = stretch if significant else plain[place]
    slopes = _fit(chosen, _ORDERS)
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


def _profile_is_significant(plain: list[_Stretch], adjusted: list[_Stretch]) -> npt.NDArray[np.bool_]:
    """Whether the profiles taken out of `plain` to give `adjusted` are significant at 5 % in AR(1) noise.

    In a few days of autocorrelated noise every hour has its own level by chance; taken out, it would take noise along.
    """
    points = np.array([stretch.days.size for stretch in adjusted], dtype=np.float64)
    spent = np.array([stretch.spent for stretch in adjusted])
    left = np.maximum(points - 2.0 - spent, 1.0)
    by_chance = (points - 2.0) * np.log1p(stats.f.ppf(0.95, spent, left) * spent / left)
    return np.asarray(_fit(plain, (1,)).deviance - _fit(adjusted, (1,)).deviance > by_chance)


def _fit(stretches: list[_Stretch], orders: tuple[int, ...]) -> Slopes:
    sizes = np.array([stretch.days.size for stretch in stretches], dtype=np.intp)
    nothing = [np.empty(0)]
    return fit_slopes(
        np.concatenate([stretch.days for stretch in stretches] or nothing),
        np.concatenate([stretch.values for stretch in stretches] or nothing),
        np.concatenate(([0], np.cumsum(sizes))),
        np.array([stretch.spent for stretch in stretches]),
        orders,
    )


def _profile_parameters(ts: TimeArray, profile: FloatArray) -> float:
    """Parameters of the daily and weekly profile that were taken out."""
    tolerance = 1e-9 * float(np.max(np.abs(profile)))
    spent = 0
    for slot, other in ((hour_of_day(ts), day_of_week(ts)), (day_of_week(ts), hour_of_day(ts))):
        within = profile - (np.bincount(other, weights=profile) / np.maximum(np.bincount(other), 1))[other]
        if np.any(np.abs(within) > tolerance):
            spent += np.unique(slot).size - 1
    return float(spent)


def robust_slope(times: FloatArray, values: FloatArray) -> float:
    """Median slope of pairs of points at least a quarter of the n points apart, in value units per unit of time.

    Of long series some 2,500 pairs are taken, evenly spread over the distances. A sixth of
    the values may be anything.
    Source: Sen (1968); the choice of far pairs, which know more about the slope: Sievers (1978).
    """
    left, right = _far_pairs(values.size)
    return float(np.median((values[right] - values[left]) / (times[right] - times[left])))


@lru_cache(maxsize=256)
def _far_pairs(count: int) -> tuple[IntArray, IntArray]:
    nearest = max(count // 4, 1)
    distances = np.arange(nearest, count)
    every = int(np.ceil(np.sum(count - distances) / _MOST_PAIRS))
    distances = distances[:: max(every, 1)]
    left = np.concatenate([np.arange(count - distance) for distance in distances])
    return left, left + np.repeat(distances, count - distances)


def _drawn_in(days: FloatArray, values: FloatArray, slope: float) -> FloatArray:
    """`values` with those far from the robust line moved to the edge of what is usual around it."""
    line = slope * days
    line += np.median(values - line)
    most = _OUTLYING * robust_scale(values - line)
    return np.asarray(np.clip(values, line - most, line + most))


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
        time, value = _padded(times, offsets, rows), _padded(values, offsets, rows)
        columns[:, rows] = _fit_batch(time, value, sizes[rows], spent[rows], orders)
    return Slopes(*columns)


def _padded(values: FloatArray, offsets: IntArray, rows: IntArray) -> FloatArray:
    """Stretches `rows` side by side, shape (len(rows), longest), zero beyond the end of each."""
    sizes = np.diff(offsets)[rows]
    place = np.arange(int(sizes.max()))
    inside = place < sizes[:, None]
    taken = np.where(inside, offsets[rows][:, None] + place, 0)
    return np.asarray(np.where(inside, values[taken], 0.0))


def _fit_batch(
    times: FloatArray, values: FloatArray, sizes: IntArray, spent: FloatArray, orders: tuple[int, ...]
) -> FloatArray:
    """The columns of Slopes, shape (6, k), of k padded stretches."""
    inside = np.arange(times.shape[1]) < sizes[:, None]
    time, time_unit = _standardised(times, inside, sizes)
    value, value_unit = _standardised(values, inside, sizes)
    possible = [order for order in orders if order == 1 or order * _POINTS_AN_ORDER <= sizes.max()]
    products = _products(np.stack((inside.astype(np.float64), time, value), axis=2), sizes, max(possible))
    freedom = np.asarray(sizes - 2.0, dtype=np.float64)
    slope, variance, doubt, correlation, criterion = _models(products, freedom, spent, possible)
    weight = np.exp((criterion.min(axis=0) - criterion) / 2.0)
    weight /= weight.sum(axis=0)
    mean = np.sum(weight * slope, axis=0)
    error = np.sqrt(np.sum(weight * (variance + (slope - mean) ** 2), axis=0))
    independent = _line(products[:, 0, 0])
    if_independent = independent.rest / freedom * independent.inverse[:, 2]
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
        current = products[:, : order + 1, : order + 1]
        allowed = np.flatnonzero((order == 1) | (order * _POINTS_AN_ORDER <= freedom + 2.0))
        start = _noise(current[allowed], freedom[allowed], partial[allowed, :order])
        gradient, curvature = _derivatives(current[allowed], freedom[allowed], start)
        gain = np.sum(gradient * np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0], axis=1) / 2.0
        hoped = start.deviance - gain + _penalty(order, freedom[allowed], spent[allowed])
        rows = allowed[(order == 1) | (hoped < best[allowed] + _NOT_WORTH_FITTING)]
        fit = _maximised(current[rows], freedom[rows], partial[rows, :order])
        partial[rows, :order] = fit.partial
        models[:, place, rows] = _judged(current[rows], fit, freedom[rows], spent[rows])
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

    `columns`: w, shape (k, n, 3), zero beyond the end. With a = (1, -phi), the sum of a[i] a[j] D[i, j] is
    w' inverse(correlation) w for AR(p) noise with innovations of variance 1 (Box & Jenkins 1976, A7.4.16).
    """
    count, length = columns.shape[:2]
    rows = np.arange(count)[:, None]
    head = columns[:, :most]
    tail = columns[rows, sizes[:, None] - 1 - np.arange(most)]
    result = np.empty((count, most + 1, most + 1, len(_ENTRIES)))
    left_entry, right_entry = (list(entry) for entry in zip(*_ENTRIES, strict=True))
    for lag in range(most + 1):
        whole = np.matmul(columns[:, : length - lag].transpose(0, 2, 1), columns[:, lag:])
        for i in range(most + 1 - lag):
            if i > 0:
                whole = whole - head[:, i - 1, :, None] * head[:, i - 1 + lag, None, :]
                whole = whole - tail[:, i - 1 + lag, :, None] * tail[:, i - 1, None, :]
            both = (whole + whole.transpose(0, 2, 1))[:, left_entry, right_entry] / 2.0
            result[:, i, i + lag] = result[:, i + lag, i] = both
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
    phi, jacobian = _levinson(partial)
    coefficients = np.concatenate((np.ones((phi.shape[0], 1)), -phi), axis=1)
    sums = np.einsum("kijc,kj->kic", products, coefficients)
    line = _line(np.einsum("kic,ki->kc", sums, coefficients))
    lags = np.arange(1, partial.shape[1] + 1)
    deviance = freedom * np.log(line.rest) + np.log(line.determinant) - np.sum(lags * np.log1p(-(partial**2)), axis=1)
    return _Noise(partial, coefficients, jacobian, sums, line, deviance)


def _levinson(partial: FloatArray) -> tuple[FloatArray, FloatArray]:
    """AR coefficients of partial autocorrelations, shape (k, p), and their derivatives, shape (k, p, p)."""
    count, order = partial.shape
    phi, jacobian = np.zeros((count, order)), np.zeros((count, order, order))
    for lag in range(order):
        last, before, slopes = partial[:, lag, None], phi[:, :lag].copy(), jacobian[:, :lag].copy()
        phi[:, :lag] = before - last * before[:, ::-1]
        phi[:, lag] = last[:, 0]
        jacobian[:, :lag] = slopes - last[:, :, None] * slopes[:, ::-1]
        jacobian[:, :lag, lag] = -before[:, ::-1]
        jacobian[:, lag, lag] = 1.0
    return phi, jacobian


def _maximised(products: FloatArray, freedom: FloatArray, start: FloatArray) -> _Noise:
    """The restricted likelihood's maximum, by damped scoring from `start`, each stretch until it rests."""
    partial = start.copy()
    damping = np.zeros(freedom.size)
    moving = np.arange(freedom.size)
    place = np.arange(partial.shape[1])
    for _ in range(_MOST_STEPS):
        here = _noise(products[moving], freedom[moving], partial[moving])
        gradient, curvature = _derivatives(products[moving], freedom[moving], here)
        curvature[:, place, place] *= 1.0 + damping[moving, None]
        step = -np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        trial = np.clip(here.partial + step, -_EDGE, _EDGE)
        better = _noise(products[moving], freedom[moving], trial).deviance <= here.deviance
        partial[moving[better]] = trial[better]
        damping[moving] = np.where(better, damping[moving] / 10.0, np.maximum(10.0 * damping[moving], 0.1))
        moving = moving[np.abs(trial - here.partial).max(axis=1) > _CLOSE]
        if not moving.size:
            break
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
    by_phi = -2.0 * np.einsum("kic,kc->ki", noise.sums[:, 1:], of_both)
    gradient = np.einsum("kil,ki->kl", noise.jacobian, by_phi) + 2 * lags * partial / (1 - partial**2)
    second = 2.0 * np.einsum("kijc,kc->kij", products[:, 1:, 1:], of_rest)
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
