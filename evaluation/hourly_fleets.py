"""Fleets measured every hour, with steps planted in their later part: series of every kind of noise and the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.signals import AMPLITUDE, DRIFT, KINDS, LEVEL, FloatArray, clean
from perf_assets.analysis.regressions import RegressionRules

DAY = 24
START = np.datetime64("2026-06-01", "us")
HOUR = np.timedelta64(1, "h")
SMALLEST, LARGEST = 1.5, 4.0
"""Sizes of steps, in noise standard deviations."""
LEAST_NOISE, MOST_NOISE = 0.03, 0.06
"""Standard deviation of the noise as a share of the level."""
CYCLE_SHARE, DRIFT_SHARE = 0.5, 0.2
"""Of the series have a daily cycle of AMPLITUDE, or drift by DRIFT from first to last value."""
FEWEST_MEMBERS = 3
SETTLED = 5 * DAY
"""Values that the last step has at least."""
_METRICS = (
    ("duration", "s", "lower_is_better"), ("peak_memory", "By", "lower_is_better"),
    ("throughput", "{test}/h", "higher_is_better"),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How large a fleet is: every test runs on every node and brings three metrics. Values of each series before the
    replay and during it; steps for the worse and the better in single series.
    """

    nodes: int = 5
    tests: int = 10
    history: int = 20 * DAY
    replayed: int = 30 * DAY
    worse: int = 15
    better: int = 5

    @property
    def series(self) -> int:
        return self.nodes * self.tests * len(_METRICS)

    @property
    def points(self) -> int:
        return self.history + self.replayed


@dataclass(frozen=True)
class Fleet:
    """`series`: as metric_series, and `noise`, the kind; `values`, shape (series, points), one an hour from START.

    `moved`: a row a series and event, with event, series_id, start (index of the first value), worse and change (share
    of the mean before). `events`: event, scope (`series`, `test`, `node`), subject, start, size (noise standard
    deviations), worse, noise, change (median of its series) and matters: large enough by the rules, in a single series
    or in three of a test or node.
    """

    plan: Plan
    series: pd.DataFrame
    values: FloatArray
    events: pd.DataFrame
    moved: pd.DataFrame


@dataclass(frozen=True)
class _Event:
    scope: str
    subject: str
    members: list[int]
    start: int
    size: float
    worse: bool


def simulate(seed: int, plan: Plan) -> Fleet:
    """The fleet of a seed: one test worse on all nodes, one node on all tests, and steps in other single series."""
    random = np.random.default_rng([seed, plan.series, plan.points])
    kinds = random.permutation([list(KINDS)[place % len(KINDS)] for place in range(plan.series)])
    series = _series(plan).assign(noise=kinds)
    level = 10.0 ** random.uniform(0.0, 4.0, (plan.series, 1))
    sd = level * random.uniform(LEAST_NOISE, MOST_NOISE, (plan.series, 1))
    quiet = level + sd * _noise(seed, kinds, plan, random)
    values = quiet.copy()
    rows, moved = [], []
    for number, event in enumerate(_events(series, plan, random)):
        lower_is_better = (series["direction"].iloc[event.members] == "lower_is_better").to_numpy()
        shift = sd[event.members, 0] * event.size * np.where(lower_is_better == event.worse, 1.0, -1.0)
        values[event.members, event.start :] += shift[:, None]
        before = quiet[event.members, : event.start]
        change = np.abs(shift) / before.mean(axis=1)
        noise = np.subtract(*np.quantile(before, [0.75, 0.25], axis=1)) / 1.349
        large = np.count_nonzero((change >= RegressionRules().threshold) & (np.abs(shift) >= noise))
        kind = series["noise"].iloc[event.members[0]] if event.scope == "series" else "several"
        rows.append(
            (number, event.scope, event.subject, event.start, event.size, event.worse, kind, float(np.median(change)),
             bool(large >= min(FEWEST_MEMBERS, len(event.members))))
        )  # fmt: skip
        moved += [
            (number, int(series["series_id"].iloc[member]), event.start, event.worse, float(share))
            for member, share in zip(event.members, change, strict=True)
        ]
    names = ["event", "scope", "subject", "start", "size", "worse", "noise", "change", "matters"]
    return Fleet(
        plan, series, values, pd.DataFrame(rows, columns=names),
        pd.DataFrame(moved, columns=["event", "series_id", "start", "worse", "change"]),
    )  # fmt: skip


def _series(plan: Plan) -> pd.DataFrame:
    keys = [
        (f"node-{node}", f"test-{test}", *metric)
        for node in range(plan.nodes)
        for test in range(plan.tests)
        for metric in _METRICS
    ]
    table = pd.DataFrame(keys, columns=["node_id", "test_name", "metric", "unit", "direction"])
    return table.assign(
        series_id=np.arange(len(table)),
        project="fleet",
        node_type=np.where(table["node_id"].str[-1].astype(int) % 2 == 0, "large", "small"),
        title=table["metric"] + " of " + table["test_name"] + " on " + table["node_id"],
        simulated=True,
        first_seen=START,
    )


def _noise(seed: int, kinds: np.ndarray, plan: Plan, random: np.random.Generator) -> FloatArray:
    """Noise of each series' kind around 0 in its standard deviations, with the daily cycles and drifts."""
    noise = np.empty((plan.series, plan.points))
    for kind in KINDS:
        own = np.flatnonzero(kinds == kind)
        noise[own] = clean(kind, own.size, seed, plan.points) - LEVEL
    one_each = (plan.series, 1)
    phase = np.arange(plan.points) / DAY + random.random(one_each)
    noise += (random.random(one_each) < CYCLE_SHARE) * AMPLITUDE * np.sin(2.0 * np.pi * phase)
    slope = random.choice([-1.0, 1.0], one_each) * (random.random(one_each) < DRIFT_SHARE)
    return noise + slope * np.linspace(0.0, DRIFT, plan.points)


def _events(series: pd.DataFrame, plan: Plan, random: np.random.Generator) -> Iterator[_Event]:
    first, last = plan.history, plan.points - min(SETTLED, plan.replayed // 2)
    middle = (first + last) // 2
    grouped: list[int] = []
    for scope, column, begin, end in (("test", "test_name", first, middle), ("node", "node_id", middle, last)):
        subject = str(random.choice(series[column].unique()))
        members = np.flatnonzero(series[column] == subject).tolist()
        grouped += members
        yield _Event(scope, subject, members, int(random.integers(begin, end)), _size(random), True)
    single = random.choice(np.setdiff1d(np.arange(plan.series), grouped), plan.worse + plan.better, replace=False)
    for number, member in enumerate(single.tolist()):
        start = int(random.integers(first, last))
        title = str(series["title"].iloc[member])
        yield _Event("series", title, [member], start, _size(random), number < plan.worse)


def _size(random: np.random.Generator) -> float:
    return float(random.uniform(SMALLEST, LARGEST))
