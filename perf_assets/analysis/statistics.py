"""Estimators that more than one analysis rests on: robust scale, autocorrelation, false-discovery control."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

MAD_TO_SD = 1.4826
"""Factor that makes the median absolute deviation estimate the standard deviation of a normal sample."""

MEAN_DEVIATION_TO_SD = 1.2533
"""The same for the mean absolute deviation."""


def robust_scale(values: FloatArray) -> float:
    """Standard deviation of the bulk of `values` (any shape, NaN ignored), from the median absolute deviation.

    Falls back to the mean absolute deviation where more than half of the values are equal, and is 0.0 only
    for constants and empty input. Source: Rousseeuw & Croux (1993), Alternatives to the Median Absolute Deviation.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0
    deviation = np.abs(finite - np.median(finite))
    mad = float(np.median(deviation))
    return mad * MAD_TO_SD if mad > 0 else float(deviation.mean()) * MEAN_DEVIATION_TO_SD


def noise_scale(values: FloatArray) -> float:
    """Standard deviation of the point-to-point noise, blind to steps and slow drifts.

    Taken from first differences (divided by sqrt 2), so a series with a change in level has the same noise as
    one without. Source: von Neumann (1941); the robust form is Gather & Fried (2003).
    """
    finite = values[np.isfinite(values)]
    if finite.size < 3:
        return 0.0
    return robust_scale(np.diff(finite)) / float(np.sqrt(2.0))


def lag1_autocorrelation(residuals: FloatArray) -> float:
    """Lag-1 autocorrelation of residuals in time order; gaps (NaN) drop the pairs they touch.

    Corrected for the small-sample bias of -(1 + 4 r) / n (Marriott & Pope 1954) and kept within [-0.95, 0.95].
    """
    centred = residuals - np.nanmean(residuals) if np.isfinite(residuals).any() else residuals
    left, right = centred[:-1], centred[1:]
    both = np.isfinite(left) & np.isfinite(right)
    count = int(both.sum())
    if count < 4:
        return 0.0
    variance = float(np.nanmean(centred**2))
    if variance == 0.0:
        return 0.0
    raw = float(np.mean(left[both] * right[both])) / variance
    return float(np.clip(raw + (1.0 + 4.0 * raw) / count, -0.95, 0.95))


def effective_sample_size(count: int, autocorrelation: float) -> float:
    """Number of independent values that carry as much about the mean as `count` AR(1) values.

    n (1 - r) / (1 + r), never above n (negative autocorrelation is not taken as extra evidence) and never below 1.
    Source: Bayley & Hammersley (1946).
    """
    r = max(autocorrelation, 0.0)
    return float(np.clip(count * (1.0 - r) / (1.0 + r), 1.0, max(count, 1)))


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """q-values of a family of tests, shape (n,); NaN marks a test that was not made and stays NaN.

    Source: Benjamini & Hochberg (1995), Controlling the False Discovery Rate.
    """
    q_values = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    if tested.size == 0:
        return q_values
    order = tested[np.argsort(p_values[tested], kind="stable")]
    ranks = np.arange(1, order.size + 1)
    stepped = p_values[order] * order.size / ranks
    q_values[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return q_values
