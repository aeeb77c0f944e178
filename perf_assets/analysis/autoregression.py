"""Regression on time with autoregressive noise: slopes of many stretches at once, and how sure they are.

Belongs here: the likelihood and its maximum. Does not belong here: which stretch a slope is taken over (trends).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import special

from perf_assets.analysis.ragged import by_width, side_by_side
from perf_assets.analysis.statistics import FloatArray

ORDERS = (1, 2, 3, 4, 6, 10, 15)
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
        return np.asarray(2.0 * special.stdtr(self.degrees, -np.abs(self.slope) / self.error))

    @property
    def margin(self) -> FloatArray:
        """Half the width of the 95 % interval."""
        return np.asarray(special.stdtrit(self.degrees, 0.975) * self.error)


def fit_slopes(
    times: FloatArray, values: FloatArray, offsets: IntArray, spent: FloatArray, orders: tuple[int, ...] = ORDERS
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
