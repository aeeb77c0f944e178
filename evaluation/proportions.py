"""Shares and means with their intervals, and whether a target is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Limit = Literal["at most", "at least"]


@dataclass(frozen=True)
class Proportion:
    """A share with its 95 % interval (Wilson 1927); NaN of no trials."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        return self.hits / self.trials if self.trials else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        from scipy.stats import binomtest

        if not self.trials:
            return float("nan"), float("nan")
        interval = binomtest(self.hits, self.trials).proportion_ci(0.95, method="wilson")
        return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; both ends are the figure itself where nothing was drawn at random."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Check:
    """A figure held against its target. It is missed when the interval excludes the target."""

    what: str
    figure: Estimate
    limit: Limit
    target: float

    @property
    def missed(self) -> bool:
        """Also where there is no figure."""
        within = self.figure.low <= self.target if self.limit == "at most" else self.figure.high >= self.target
        return not within


def share_of(hits: int, trials: int) -> Estimate:
    proportion = Proportion(hits, trials)
    return Estimate(proportion.share, *proportion.interval)


def exactly(value: float) -> Estimate:
    return Estimate(value, value, value)


def mean_of(values: npt.ArrayLike) -> Estimate:
    """Mean with its normal interval; NaN of fewer than two values."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return exactly(float("nan"))
    mean = float(array.mean())
    reach = 1.96 * float(array.std(ddof=1)) / float(np.sqrt(array.size))
    return Estimate(mean, mean - reach, mean + reach)


def median_of(values: npt.ArrayLike) -> Estimate:
    """Median with its interval by order statistics (David & Nagaraja 2003); infinite values count as the largest."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not ordered.size:
        return exactly(float("nan"))
    reach = 0.98 * np.sqrt(ordered.size)
    low = max(int(np.floor(ordered.size / 2 - reach)), 0)
    high = ordered.size - 1 - low
    # The lower middle one, as the mean of a finite and an infinite delay says nothing.
    return Estimate(float(ordered[(ordered.size - 1) // 2]), float(ordered[low]), float(ordered[high]))


def rate_of(count: int, exposure: float) -> Estimate:
    """Events a unit of exposure with the interval of a Poisson count (Garwood 1936)."""
    from scipy.stats import chi2

    low = float(chi2.ppf(0.025, 2 * count)) / 2.0 if count else 0.0
    return Estimate(count / exposure, low / exposure, float(chi2.ppf(0.975, 2 * count + 2)) / 2.0 / exposure)
