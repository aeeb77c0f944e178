"""Ways to find change points that are held against each other: the product, its peers, and the naive methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.peers import ask, peer_version
from evaluation.signals import FloatArray, IndexArray
from perf_assets.analysis.change_points import detect_many

PERCENT = 10.0
"""`regression_threshold_percent` of the specification."""
NEWEST, BASELINE = 5, 20
"""Values of the specification's two moving averages."""
_SIGMAS = 3.0
_TIMES = 2.0


@dataclass(frozen=True)
class Method:
    """`find` takes series, NaN are gaps, and gives the indices of the first value of each new level. At most
    `most_series` of a kind are given to it.
    """

    name: str
    most_series: int
    find: Callable[[Sequence[FloatArray]], list[IndexArray]]


def ours(series: Sequence[FloatArray]) -> list[IndexArray]:
    offsets = np.cumsum([0, *(values.size for values in series)])
    return detect_many(np.concatenate(series) if series else np.empty(0), offsets)


def beyond_percent(series: Sequence[FloatArray]) -> list[IndexArray]:
    """The specification's way: the moving average of 5 values leaves that of the 20 before by more than 10 %."""
    return [_beyond_percent(pd.Series(values)) for values in series]


def beyond_sigmas(series: Sequence[FloatArray]) -> list[IndexArray]:
    """A value further than 3 standard deviations from the mean of the 20 before."""
    return [first_of_runs(_beyond_sigmas(pd.Series(values))) for values in series]


def doubled(series: Sequence[FloatArray], higher_is_better: Sequence[bool]) -> list[IndexArray]:
    """github-action-benchmark's rule: a value worse than 200 % of the one before; from 0 anything worse is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = [values[:-1] / values[1:] if higher else values[1:] / values[:-1]
                  for values, higher in zip(series, higher_is_better, strict=True)]  # fmt: skip
    return [np.flatnonzero(ratio > _TIMES) + 1 for ratio in ratios]


def first_of_runs(flags: FloatArray | np.ndarray) -> IndexArray:
    """Where each unbroken row of alarms begins."""
    return np.flatnonzero(flags & ~np.concatenate(([False], flags[:-1])))


def percent_above(values: pd.Series) -> np.ndarray:
    """By how many per cent the mean of the newest 5 values lies above that of the 20 before, at each value."""
    newest = values.rolling(NEWEST).mean()
    baseline = values.rolling(BASELINE).mean().shift(NEWEST)
    return np.asarray(100.0 * (newest - baseline) / baseline.abs())


def _beyond_percent(values: pd.Series) -> IndexArray:
    return first_of_runs(np.abs(percent_above(values)) > PERCENT) - (NEWEST - 1)


def _beyond_sigmas(values: pd.Series) -> np.ndarray:
    before = values.rolling(BASELINE)
    return ((values - before.mean().shift(1)).abs() > _SIGMAS * before.std().shift(1)).to_numpy()


OURS = "perf_assets"
METHODS = (
    Method(OURS, 2_000, ours),
    Method("Otava", 500, lambda series: ask("otava", series).change_points),
    Method("KernelCPD rbf", 2_000, lambda series: ask("rbf", series).change_points),
    Method("PELT l2", 2_000, lambda series: ask("pelt", series).change_points),
    Method("mean ± 10 %", 2_000, beyond_percent),
    Method("mean ± 3 sd", 2_000, beyond_sigmas),
)
DESCRIPTION = (
    f"Otava: apache-otava {peer_version('apache-otava')}, its defaults (window 50, p at most .001). KernelCPD rbf: "
    f"ruptures {peer_version('ruptures')}, Gaussian kernel of median bandwidth, "
    "penalty ln n. PELT l2: ruptures, squared errors, BIC penalty 2 s² ln n with s from the median absolute "
    "difference (computed by the linear kernel, which has the same minimum as PELT). Mean ± 10 %: the specification's "
    "moving averages with its regression threshold: the mean of 5 values leaves that of the 20 before by more than "
    "10 %. Mean ± 3 sd: a value further than 3 standard deviations from the mean of the 20 before."
)
