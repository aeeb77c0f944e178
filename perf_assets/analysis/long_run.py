"""How much more a level wanders than its lag-1 autocorrelation tells: what a change must exceed where noise is slow.

Likelihoods of AR(1) noise take a slow wave under fast noise (load that comes and goes under the scatter of single runs)
for nearly independent values, as that is what neighbours look like. How much the mean of a stretch varies depends on
the sum of all autocorrelations.
"""

from __future__ import annotations

import numpy as np

from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import IndexArray, totals

_MOST_ORDER = 12
_VALUES_AN_ORDER = 12
_COST = 2.5
"""Of each coefficient, in 2 log likelihood."""
_EDGE = 0.98
_LEVELS = 2.0
"""Levels fitted, each of which lowers the autocorrelation found."""


def long_run_excess(residuals: FloatArray, sizes: IndexArray) -> FloatArray:
    """Long-run variance as a multiple of that of AR(1) noise with the autocorrelation found, at least 1; shape (k,).

    `residuals`: of k stretches of at least 2 values around 0, shape (w, k), 0 beyond their `sizes`. From an
    autoregression of the order that is worth its coefficients, up to 12 and a twelfth of the values, or of order 1 with
    the bias of its coefficient undone, whichever is more. Source: den Haan & Levin (1997), A practitioner's guide to
    robust covariance matrix estimation (the VARHAC estimator); coefficients by Levinson and Durbin.
    """
    count = sizes.astype(np.float64)
    orders = min(_MOST_ORDER, residuals.shape[0] - 1)
    covariances = [totals(residuals[lag:] * residuals[: residuals.shape[0] - lag]) / count for lag in range(orders + 1)]
    varied = covariances[0] > 0
    variance = np.where(varied, covariances[0], 1.0)
    coefficients = np.zeros((orders, count.size))
    best, chosen, first = np.full(count.size, np.inf), np.ones(count.size), np.ones(count.size)
    for order in range(1, orders + 1):
        before = coefficients[: order - 1].copy()
        told = sum((before[lag] * covariances[order - 1 - lag] for lag in range(order - 1)), np.zeros(count.size))
        partial = np.clip((covariances[order] - told) / variance, -_EDGE, _EDGE)
        coefficients[: order - 1] = before - partial * before[::-1]
        coefficients[order - 1] = partial
        variance = variance * (1.0 - partial**2)
        long_run = variance / (1.0 - totals(coefficients[:order])) ** 2
        if order == 1:
            first = long_run
        cost = count * np.log(variance) + _COST * order
        better = (cost < best) & ((order == 1) | (order * _VALUES_AN_ORDER <= count))
        best, chosen = np.where(better, cost, best), np.where(better, long_run, chosen)
    autocorrelation = covariances[1] / np.where(varied, covariances[0], 1.0)
    return np.where(varied, np.maximum(chosen / first, _of_bias(autocorrelation, count)), 1.0)


def _of_bias(autocorrelation: FloatArray, count: FloatArray) -> FloatArray:
    """What the long-run variance of AR(1) noise is underestimated by, as its autocorrelation is.

    Source: Marriott & Pope (1954) for the bias that one mean makes.
    """
    r = np.clip(autocorrelation, 0.0, _EDGE)
    corrected = np.minimum(r + _LEVELS * (1.0 + 3.0 * r) / count, _EDGE)
    return np.asarray((1.0 + corrected) / (1.0 - corrected) * (1.0 - r) / (1.0 + r))
