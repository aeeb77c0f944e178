"""Seasons on simulated series: patterns seen where there are none, those found that are there, and changes of pattern.

Beside the product stands the strength of a decomposition by loess (STL, Cleveland et al. 1990), by which a series is
customarily taken for seasonal from .64 on. Noise has standard deviation 1 before steps are added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.markdown import mark, met, number, percent, table
from evaluation.methods import OURS
from evaluation.proportions import Check, Limit, exactly, median_of, share_of
from evaluation.signals import FloatArray, autoregressive
from perf_assets.analysis.season_patterns import find_seasons

AT_MOST: Limit = "at most"
AT_LEAST: Limit = "at least"
MOST_FALSE, LEAST_FOUND, LEAST_CHANGES = 0.05, 0.95, 0.90
CUSTOMARY = 0.64
"""Strength from which STL takes a series for seasonal (Wang, Smith & Hyndman 2006, as used in R's nsdiffs)."""
_HOUR, _DAY = 1, 24
_START = np.datetime64("2026-06-15", "us")
"""A Monday in the middle of a month, so that the first and the last calendar month are not whole."""
_LENGTHS = {"daily": 24, "weekly": 168, "monthly": 720}
_WALK = 1.0


@dataclass(frozen=True)
class Sample:
    """Series of one kind, values of shape (series, points), `hours` apart. `period` is that of the pattern they have,
    or of the one the peer looks for; `changed`: the number of the cycle from which on there is another pattern.
    """

    kind: str
    values: FloatArray
    hours: int
    period: str
    pattern: bool
    target: float = np.nan
    changed: int | None = None

    @property
    def times(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(_START + np.arange(self.values.shape[1]) * np.timedelta64(self.hours, "h"))


def samples(count: int, seed: int) -> Iterator[Sample]:
    """`count` series of each kind: noise, noise with two steps of 3 to 8 standard deviations, and sines in noise."""
    random = np.random.default_rng(seed)

    def noise(correlation: float, days: int, hours: int) -> FloatArray:
        innovations = random.standard_normal((count, days * 24 // hours))
        return innovations.cumsum(axis=1) if correlation == _WALK else autoregressive(innovations, correlation)

    def stepped(correlation: float, days: int, hours: int) -> FloatArray:
        values = noise(correlation, days, hours)
        points = values.shape[1]
        for row in values:
            for place in random.integers(points // 10, points - points // 10, 2):
                row[place:] += random.choice([-1.0, 1.0]) * random.uniform(3.0, 8.0)
        return values

    def sine(period: str, strength: float, days: int, hours: int) -> FloatArray:
        phase = np.arange(days * 24 // hours) * hours / _LENGTHS[period] + random.random((count, 1))
        return np.asarray(np.sqrt(2.0 * strength / (1.0 - strength)) * np.sin(2.0 * np.pi * phase))

    for days in (5, 7, 14):
        yield Sample(f"white, hourly, {days} days", noise(0.0, days, _HOUR), _HOUR, "daily", False, MOST_FALSE)
    for name, correlation in (("AR .6", 0.6), ("AR .9", 0.9), ("random walk", _WALK)):
        for hours, often in ((_HOUR, "hourly"), (_DAY, "daily")):
            kind = f"{name}, {often}, 28 days"
            yield Sample(kind, noise(correlation, 28, hours), hours, "weekly", False, MOST_FALSE)
        yield Sample(f"{name}, 6-hourly, 120 days", noise(correlation, 120, 6), 6, "monthly", False, MOST_FALSE)
    yield Sample("white with steps, hourly, 28 days", stepped(0.0, 28, _HOUR), _HOUR, "weekly", False, MOST_FALSE)
    yield Sample("AR .6 with steps, 6-hourly, 120 days", stepped(0.6, 120, 6), 6, "monthly", False, MOST_FALSE)
    for strength in (0.1, 0.3, 0.5):
        for period, days, hours, often in (("daily", 14, _HOUR, "hourly"), ("weekly", 56, _DAY, "daily")):
            kind = f"{period} of strength {strength:g}, {often}, {days} days"
            values = noise(0.0, days, hours) + sine(period, strength, days, hours)
            yield Sample(kind, values, hours, period, True)
    for strength in (0.3, 0.5):
        values = noise(0.0, 120, 6) + sine("monthly", strength, 120, 6)
        yield Sample(f"30 days of strength {strength:g}, 6-hourly, 120 days", values, 6, "monthly", True, LEAST_FOUND)


def changing_samples(count: int, seed: int) -> Iterator[Sample]:
    """`count` series of each kind: patterns of strength .5 that stay, that move by half a cycle, and that double.

    Each begins anywhere in its cycle and changes with a cycle, after half of 20 days or of 12 weeks.
    """
    random = np.random.default_rng([seed, 1])
    for period, cycles, hours in (("daily", 20, _HOUR), ("weekly", 12, _HOUR), ("weekly", 12, _DAY)):
        length = _LENGTHS[period] // hours
        points = cycles * length
        later = np.arange(points) >= points // 2
        name = f"{period}, {'hourly' if hours == _HOUR else 'daily'} values"
        sine = np.sqrt(2.0) * np.sin(2.0 * np.pi * (np.arange(points) / length + random.random((count, 1))))
        for correlation, noise_name in ((0.0, "white"), (0.6, "AR .6")):
            innovations = random.standard_normal((4, count, points))
            noise = autoregressive(innovations, correlation)
            about = f"{name}, {noise_name}"
            yield Sample(f"no pattern: {about}", noise[0], hours, period, False, MOST_FALSE)
            yield Sample(f"stays: {about}", noise[1] + sine, hours, period, False, MOST_FALSE)
            target = LEAST_CHANGES if correlation == 0.0 else np.nan
            moved, doubled = np.where(later, -1.0, 1.0) * sine, np.where(later, 2.0, 1.0) * sine
            yield Sample(f"moves: {about}", noise[2] + moved, hours, period, True, target, cycles // 2)
            yield Sample(f"doubles: {about}", noise[3] + doubled, hours, period, True, target, cycles // 2)


def evaluate_patterns(count: int, seed: int) -> pd.DataFrame:
    """One row a kind: kind, pattern, target, series, found (any significant pattern where there is none, the pattern of
    the period where there is one), stl (series whose strength by STL is at least .64, at the period of the kind).
    """
    rows = []
    for sample in samples(count, seed):
        print(f"  seasons: {sample.kind}", flush=True)
        patterns = find_seasons(*_buckets(sample)).patterns
        significant = patterns[patterns["significant"].astype(bool)]
        if sample.pattern:
            significant = significant[significant["period"] == sample.period]
        found = int(significant["series_id"].nunique())
        rows.append((sample.kind, sample.pattern, sample.target, count, found, _seasonal_by_stl(sample)))
    return pd.DataFrame(rows, columns=["kind", "pattern", "target", "series", "found", "stl"])


def evaluate_changes(count: int, seed: int) -> pd.DataFrame:
    """One row a kind: kind, pattern, target, series, found (series with a change of a pattern of the period), days_off
    (median distance of the date, in days).
    """
    rows = []
    for sample in changing_samples(count, seed):
        print(f"  seasons: {sample.kind}", flush=True)
        changes = find_seasons(*_buckets(sample)).changes
        own = changes[changes["period"] == sample.period].drop_duplicates("series_id")
        off = np.nan
        if sample.changed is not None and len(own):
            at = _START + np.timedelta64(sample.changed * _LENGTHS[sample.period], "h")
            distance = np.abs(pd.to_datetime(own["changed_at"]) - pd.Timestamp(at))
            off = median_of(distance / pd.Timedelta(days=1)).value
        rows.append((sample.kind, sample.pattern, sample.target, count, len(own), off))
    return pd.DataFrame(rows, columns=["kind", "pattern", "target", "series", "found", "days_off"])


def _buckets(sample: Sample) -> tuple[pd.DataFrame, pd.Series]:
    count, points = sample.values.shape
    ids = np.arange(count)
    buckets = pd.DataFrame(
        {"series_id": np.repeat(ids, points), "ts": np.tile(sample.times, count), "value": sample.values.ravel()}
    )
    return buckets, pd.Series(3600 * sample.hours, index=ids)


def _seasonal_by_stl(sample: Sample) -> int:
    from statsmodels.tsa.seasonal import STL

    period = _LENGTHS[sample.period] // sample.hours
    seasonal = 0
    for row in sample.values:
        parts = STL(row, period=period, robust=False).fit()
        strength = 1.0 - np.var(parts.resid) / np.var(parts.resid + parts.seasonal)
        seasonal += bool(strength >= CUSTOMARY)
    return seasonal


def checks(patterns: pd.DataFrame, changes: pd.DataFrame) -> list[Check]:
    return [check for table in (patterns, changes) for check in map(_check, table.itertuples()) if check is not None]


def chapter(patterns: pd.DataFrame, changes: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(patterns, changes)
    seen = [
        [row.kind, *_target_and_share(row), percent(share_of(int(row.stl), int(row.series)))]
        for row in patterns.itertuples()
    ]
    moved = [
        [row.kind, *_target_and_share(row), "" if np.isnan(row.days_off) else number(exactly(row.days_off), 1)]
        for row in changes.itertuples()
    ]
    return [
        "## Seasons",
        "",
        f"Share of series with a significant pattern: {patterns['series'].max():,} series a kind, noise of standard "
        f"deviation 1 and sines of any phase in it, beginning in the middle of a month; seed {seed}. The strength is "
        "the share of the variance that the sine is. Of noise, a pattern of the day, the week or the month counts as "
        "false; of a sine, only its own period counts as found. Steps: two of 3 to 8 standard deviations. Per cent, "
        f"95 % Wilson intervals. STL: strength of statsmodels' STL, not robust, of at least the customary "
        f"{CUSTOMARY:g}, at the one period that is sought (of noise: the longest of day, week and 30 days that the "
        "kind's span allows to test).",
        "",
        *table(["series", "target", OURS, "STL"], seen),
        "Share of series with a change of pattern: sines of strength .5 that stay, move by half a cycle or double, "
        "after 10 of 20 days or 6 of 12 weeks, at the 5 % level of each series. Days off: median distance of the date.",
        "",
        *table(["series", "target", OURS, "days off"], moved),
        met(judged),
        "",
    ]


def _target_and_share(row: Any) -> tuple[str, str]:
    check = _check(row)
    figure = percent(share_of(int(row.found), int(row.series)))
    return ("", figure) if check is None else (f"{check.limit} {100 * check.target:.0f}", figure + mark(check))


def _check(row: Any) -> Check | None:
    if np.isnan(row.target):
        return None
    what, limit = ("found", AT_LEAST) if row.pattern else ("false", AT_MOST)
    return Check(f"{what}: {row.kind}", share_of(int(row.found), int(row.series)), limit, float(row.target))
