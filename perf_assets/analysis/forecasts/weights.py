"""How far to trust each method for each series, from how it did at earlier origins.

Belongs here: weights. Source of the shrinkage: Efron & Morris (1975), Data analysis using Stein's estimator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perf_assets.analysis.statistics import FloatArray

SHARPNESS = 10.0
"""What a mean log ratio of errors counts in the exponent of a weight."""
RECENCY = 0.6
"""How much less an origin counts than the one after it."""
_MOST = 3.0
"""Log ratio of a method's error to that of the median one beyond which it is drawn in."""
_LEAST_ERROR = 1e-3
"""Error, as a share of the mean one of the median method, below which errors are taken for as large."""
_KNOWN_SERIES, _KNOWN_SPREAD = 5.0, 0.05
"""Series that the assumption counts as, and variance of the log ratio between series that it makes."""


@dataclass(frozen=True)
class Fleet:
    """What all series say of each method: mean log ratio, and the share of a series' own ratio that is its own rather
    than chance, for one origin; shape (methods, 1) each.
    """

    mean: FloatArray
    between: FloatArray
    within: FloatArray

    @classmethod
    def of(cls, errors: FloatArray) -> Fleet:
        """From mean absolute errors, shape (methods, origins, s)."""
        ratio = _log_ratios(errors)
        series, share = ratio.shape[2], _shares(ratio.shape[1])
        own = np.einsum("mos,o->ms", ratio, share)
        spread, together = own.var(axis=1), float((share**2).sum())
        if len(share) > 1:
            around = np.einsum("mos,o->ms", (ratio - own[:, None]) ** 2, share) / (1.0 - together)
            # The median: series whose best method changes, as a leak begins, are no measure of chance.
            within = np.median(around, axis=1)
        else:
            # With one origin, half of what series differ by counts as chance.
            within = spread / 2.0
        between = np.maximum(spread - within * together, 0.0)
        between = (series * between + _KNOWN_SERIES * _KNOWN_SPREAD) / (series + _KNOWN_SERIES)
        mean = own.mean(axis=1) * series / (series + _KNOWN_SERIES)
        return cls(mean[:, None], between[:, None], within[:, None])

    def usual(self, count: int) -> FloatArray:
        """Weights of `count` series that nothing is known of, shape (methods, count)."""
        return np.repeat(_weights(self.mean), count, axis=1)


def recency(count: int) -> FloatArray:
    """What each of so many origins counts, the oldest first, beside the newest, which counts 1."""
    return np.asarray(RECENCY ** np.arange(count, dtype=np.float64)[::-1])


def _shares(count: int) -> FloatArray:
    counted = recency(count)
    return np.asarray(counted / counted.sum())


def _log_ratios(errors: FloatArray) -> FloatArray:
    middle = np.median(errors, axis=0, keepdims=True)
    least = _LEAST_ERROR * middle.mean(axis=1, keepdims=True)
    least = np.where(least > 0, least, 1.0)
    ratio = np.log(np.maximum(errors, least) / np.maximum(middle, least))
    return np.clip(ratio, -_MOST, _MOST)


def weights(errors: FloatArray, fleet: Fleet) -> FloatArray:
    """Shape (methods, s), summing to 1, from mean absolute errors, shape (methods, origins, s), of one origin or more,
    the oldest first."""
    share = _shares(errors.shape[1])
    own = np.einsum("mos,o->ms", _log_ratios(errors), share)
    variance = fleet.within * float((share**2).sum())
    kept = np.divide(fleet.between, fleet.between + variance, out=np.ones_like(variance), where=fleet.between > 0)
    ratio = fleet.mean + kept * (own - fleet.mean)
    return _weights(ratio)


def _weights(ratio: FloatArray) -> FloatArray:
    weight = np.exp(-SHARPNESS * (ratio - ratio.min(axis=0)))
    return np.asarray(weight / weight.sum(axis=0))
