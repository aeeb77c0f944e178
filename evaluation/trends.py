"""Trend tests on simulated series: how often they see a trend where there is none, and one where there is.

Beside the product stand the naive methods: the specification's regression, Newey & West's errors, and the effective
number of points of AR(1) noise. Noise has standard deviation 1 before its variance drifts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import signal, stats

from evaluation.markdown import mark, met, percent, table
from evaluation.methods import OURS
from evaluation.proportions import Check, Estimate, share_of
from evaluation.signals import FloatArray, autoregressive
from perf_assets.analysis.change_points import find_many
from perf_assets.analysis.seasonality import TimeArray, deseasonalise
from perf_assets.analysis.statistics import effective_sample_size, lag1_autocorrelation
from perf_assets.analysis.trends import fit_trends

POINTS = 336
"""Two weeks of hours."""
DRIFT_POINTS = 100
LEVEL = 0.05
MOST_FALSE, LEAST_POWER = 0.07, 0.75
_WARM_UP = 300
_START = np.datetime64("2026-06-01", "us")
_FEWEST_BETWEEN_SHIFTS = 20


@dataclass(frozen=True)
class Sample:
    """Hourly series of one kind: `values` of shape (series, points), and where their levels truly change."""

    kind: str
    values: FloatArray
    trend: bool
    shifts: tuple[tuple[int, ...], ...]

    @property
    def times(self) -> TimeArray:
        return _START + np.arange(self.values.shape[1]) * np.timedelta64(1, "h")


def samples(count: int, seed: int) -> Iterator[Sample]:
    """`count` series of each kind; the last has a drift of 2 standard deviations over 100 points, the others none."""
    random = np.random.default_rng(seed)
    rising = np.linspace(0.0, 1.0, POINTS)

    def noise(correlation: float, points: int = POINTS) -> FloatArray:
        return autoregressive(random.standard_normal((count, points)), correlation)

    def arma(ma: list[float], ar: list[float]) -> FloatArray:
        return _filtered(random.standard_normal((count, POINTS + _WARM_UP)), ma, ar)

    def heavy(correlation: float) -> FloatArray:
        innovations = random.standard_t(3, (count, POINTS + _WARM_UP)) / np.sqrt(3.0)
        return _filtered(innovations, [1.0], [1.0, -correlation])

    def cycle() -> FloatArray:
        return 3.0 * np.sin(2.0 * np.pi * (np.arange(POINTS) / 24.0 + random.random((count, 1))))

    for correlation in (0.0, 0.3, 0.6, 0.9):
        yield _steady(f"AR(1) {correlation}" if correlation else "white", noise(correlation))
    yield _steady("ARMA(1,1) .7, .4", arma([1.0, 0.4], [1.0, -0.7]))
    yield _steady("ARMA(1,1) .8, -.4", arma([1.0, -0.4], [1.0, -0.8]))
    yield _steady("MA(5) equal", arma([1.0] * 6, [1.0]))
    yield _steady("MA(5) falling", arma([1.0, 0.8, 0.6, 0.4, 0.3, 0.2], [1.0]))
    yield _steady("heavy-tailed AR .6", heavy(0.6))
    yield _steady("variance drift, white", noise(0.0) * (1.0 + 2.0 * rising))
    yield _steady("variance drift, AR .6", noise(0.6) * (1.0 + 2.0 * rising))
    yield _steady("daily cycle, white", noise(0.0) + cycle())
    yield _steady("daily cycle, AR .6", noise(0.6) + cycle())
    yield _shifted("level shifts, white", noise(0.0), random)
    yield _shifted("level shifts, AR .3", noise(0.3), random)
    drift = np.linspace(0.0, 2.0, DRIFT_POINTS)
    yield Sample("drift of 2 sd, AR .6", noise(0.6, DRIFT_POINTS) + drift, True, ((),) * count)


def _filtered(innovations: FloatArray, ma: list[float], ar: list[float]) -> FloatArray:
    """Stationary noise of unit variance."""
    weights = signal.lfilter(ma, ar, np.eye(1, 10_000)[0])
    noise = signal.lfilter(ma, ar, innovations, axis=1)[:, _WARM_UP:]
    return np.asarray(noise / np.sqrt(np.sum(weights**2)))


def _steady(kind: str, values: FloatArray) -> Sample:
    return Sample(kind, values, False, ((),) * values.shape[0])


def _shifted(kind: str, noise: FloatArray, random: np.random.Generator) -> Sample:
    """One to three shifts of 3 to 8 standard deviations either way, 20 points or more apart and from the ends."""
    values, shifts = noise.copy(), []
    for row in values:
        number = int(random.integers(1, 4))
        room = row.size - (number + 1) * _FEWEST_BETWEEN_SHIFTS
        places = np.sort(random.integers(0, room + 1, number)) + _FEWEST_BETWEEN_SHIFTS * np.arange(1, number + 1)
        for place in places:
            row[place:] += random.choice([-1.0, 1.0]) * random.uniform(3.0, 8.0)
        shifts.append(tuple(int(place) for place in places))
    return Sample(kind, values, False, tuple(shifts))


# Methods: p-values of a sample, NaN where there is not enough to test


def ours(sample: Sample) -> FloatArray:
    """The product as it runs: its own sure change points, then its trends."""
    count, points = sample.values.shape
    level = np.concatenate([deseasonalise(sample.times, row) for row in sample.values])
    offsets = np.arange(count + 1) * points
    table = find_many(level, offsets)
    sure = table[(table["confirmed"] & table["sharp"]).astype(bool)]
    return _trends(sample, tuple(tuple(sure.loc[sure["series"] == i, "index"]) for i in range(count)))


def ours_with_known_shifts(sample: Sample) -> FloatArray:
    """The product's trends, told where the levels truly change."""
    return _trends(sample, sample.shifts)


def _trends(sample: Sample, shifts: tuple[tuple[int, ...], ...]) -> FloatArray:
    count, points = sample.values.shape
    ids = np.arange(count)
    buckets = pd.DataFrame(
        {"series_id": np.repeat(ids, points), "ts": np.tile(sample.times, count), "value": sample.values.ravel()}
    )
    changed = [(number, sample.times[place]) for number, places in enumerate(shifts) for place in places]
    changes = pd.DataFrame(changed, columns=["series_id", "changed_at"]).astype(
        {"series_id": "int64", "changed_at": "datetime64[us]"}
    )
    return fit_trends(buckets, changes)["p_value"].to_numpy(dtype=np.float64)


def plain_regression(sample: Sample) -> FloatArray:
    """The specification's way: least squares over the whole series, errors as if points were independent."""
    time = np.arange(sample.values.shape[1])
    return np.array([stats.linregress(time, row).pvalue for row in sample.values])


def newey_west(sample: Sample) -> FloatArray:
    """Least squares with Newey & West's (1987) errors, floor(4 (n / 100)^(2/9)) lags."""
    import statsmodels.api as sm

    points = sample.values.shape[1]
    design = sm.add_constant(np.arange(points, dtype=np.float64))
    options = {"maxlags": int(4 * (points / 100) ** (2 / 9))}
    return np.array([sm.OLS(row, design).fit(cov_type="HAC", cov_kwds=options).pvalues[1] for row in sample.values])


def effective_points(sample: Sample) -> FloatArray:
    """Least squares with as many points as AR(1) residuals are worth (Bayley & Hammersley 1946)."""
    time = np.arange(sample.values.shape[1], dtype=np.float64)
    time -= time.mean()
    p_values = []
    for row in sample.values:
        slope = float(time @ row) / float(time @ time)
        residuals = row - row.mean() - slope * time
        worth = effective_sample_size(row.size, lag1_autocorrelation(residuals))
        error = np.sqrt(residuals @ residuals / (row.size - 2) / (time @ time) * row.size / worth)
        p_values.append(2.0 * stats.t.sf(abs(slope) / error, max(worth - 2.0, 1.0)))
    return np.array(p_values)


METHODS: dict[str, Callable[[Sample], FloatArray]] = {
    OURS: ours,
    f"{OURS}, shifts known": ours_with_known_shifts,
    "plain regression": plain_regression,
    "Newey-West": newey_west,
    "effective points": effective_points,
}


def evaluate_trends(count: int, seed: int) -> pd.DataFrame:
    """One row a kind and method: kind, method, trend, series (tested), found (those of p < .05).

    Those found are false where `trend` is false. A series that a method declines to test counts as none found.
    """
    rows = []
    for sample in samples(count, seed):
        print(f"  trends: {sample.kind}", flush=True)
        for name, method in METHODS.items():
            rows.append((sample.kind, name, sample.trend, count, int(np.sum(method(sample) < LEVEL))))
    return pd.DataFrame(rows, columns=["kind", "method", "trend", "series", "found"])


def checks(results: pd.DataFrame) -> list[Check]:
    return [
        Check(f"power: {row.kind}", share_of(row.found, row.series), "at least", LEAST_POWER)
        if row.trend
        else Check(f"false trends: {row.kind}", share_of(row.found, row.series), "at most", MOST_FALSE)
        for row in results[results["method"] == OURS].itertuples()
    ]


def chapter(results: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results)
    methods = list(results["method"].unique())
    rows = []
    for check, kind in zip(judged, results["kind"].unique(), strict=True):
        cells = [percent(_share(results, kind, method)) for method in methods]
        rows.append([kind, f"{check.limit} {100 * check.target:.0f}", cells[0] + mark(check), *cells[1:]])
    worst = {
        method: max(_share(results, kind, method).value for kind in results.loc[~results["trend"], "kind"].unique())
        for method in methods
    }
    naive = [method for method in methods if not method.startswith(OURS)]
    return [
        "## Trends",
        "",
        f"Share of series in which a test at the 5 % level sees a trend: {results['series'].max():,} series a kind of "
        f"{POINTS} hourly points without trend, and of {DRIFT_POINTS} points with a drift of 2 standard deviations "
        "in all; "
        f"seed {seed}. Per cent, 95 % Wilson intervals. {OURS} as it runs, with the change points that it finds "
        "itself, and "
        "told where levels truly change; plain regression is the specification's way; Newey-West errors with the usual "
        "number of lags; effective points: as many as AR(1) residuals are worth.",
        "",
        *table(["series", "target", *methods], rows),
        f"{met(judged)} In its worst noise {OURS} calls {100 * worst[OURS]:.0f} % of series without a trend one, "
        f"{', '.join(f'{name} {100 * worst[name]:.0f} %' for name in naive)}.",
        "",
    ]


def _share(results: pd.DataFrame, kind: str, method: str) -> Estimate:
    row = results[(results["kind"] == kind) & (results["method"] == method)].iloc[0]
    return share_of(int(row["found"]), int(row["series"]))
