"""The whole product on simulated fleets: does the report name what was planted, and nothing else?

Each seed is a fleet of its own, analysed by `perf-assets run` in a home of its own, as a user would.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from perf_assets.advice.insights import change_title
from perf_assets.advice.recommendations import Findings, breaches_ahead
from perf_assets.settings import Settings
from perf_assets.simulation import Event, simulate_fleet, write_fleet
from perf_assets.warehouse import open_snapshot

MOST_POINTS_OFF = 3
MOST_DAYS_OFF = 3.0


@dataclass(frozen=True)
class EventOutcome:
    """Was one planted event named, and how far off: points of its series, or days for a breach."""

    seed: int
    kind: str
    subject: str
    named: bool
    off: float | None
    cause_right: bool | None


@dataclass(frozen=True)
class SeedOutcome:
    """What the report of one fleet named: the events, and findings that nothing planted explains."""

    seed: int
    series: int
    events: tuple[EventOutcome, ...]
    unplanted: tuple[str, ...]


def evaluate_fleets(seeds: Sequence[int], folder: Path) -> Iterator[SeedOutcome]:
    """One outcome a seed, as they become known; two fleets are analysed at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        pending = [pool.submit(evaluate_fleet, seed, folder / f"seed-{seed}") for seed in seeds]
        for done in as_completed(pending):
            yield done.result()


def evaluate_fleet(seed: int, home: Path) -> SeedOutcome:
    """Simulate, run the product on it in a fresh home, and compare its findings with the truth."""
    shutil.rmtree(home, ignore_errors=True)
    fleet = simulate_fleet(seed)
    data, _ = write_fleet(fleet, home / "input")
    environment = {**os.environ, "PERF_ASSETS_HOME": str(home / "var"), "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-m", "perf_assets.cli.main", "run", str(data)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"seed {seed}: the run ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    outcome = _compare(seed, fleet.series, fleet.events, Settings(home=home / "var"))
    shutil.rmtree(home / "var")
    return outcome


@dataclass(frozen=True)
class _Finding:
    """Something the report names: a change with its members and time, or a breach with its date."""

    title: str
    series: pd.DataFrame
    kind: str
    cause: str | None
    at: pd.Timestamp
    times: pd.Series


def _compare(seed: int, series: int, events: Sequence[Event], settings: Settings) -> SeedOutcome:
    findings = list(_findings(settings))
    outcomes = []
    explained: set[int] = set()
    for event in events:
        best: tuple[float, int] | None = None
        for position, finding in enumerate(findings):
            distance = _distance(event, finding)
            if distance is not None and distance <= _tolerance(event):
                explained.add(position)
                best = min(best or (distance, position), (distance, position))
        cause = findings[best[1]].cause if best else None
        wanted = {"code_regression": "code", "slow_node": "environment", "runner_image_change": "environment"}
        outcomes.append(
            EventOutcome(
                seed, event.kind, event.subject, best is not None, best[0] if best else None,
                (cause == wanted[event.kind]) if best and event.kind in wanted else None,
            )
        )  # fmt: skip
    unplanted = tuple(f.title for position, f in enumerate(findings) if position not in explained)
    return SeedOutcome(seed, series, tuple(outcomes), unplanted)


def _findings(settings: Settings) -> Iterator[_Finding]:
    with open_snapshot(settings.snapshots) as con:
        tables = {
            name: con.execute(f"SELECT * FROM {name}").df()  # noqa: S608 - names of this function
            for name in (
                "metric_series",
                "regressions",
                "regression_members",
                "breach_outlook",
                "metric_trends",
                "node_scores",
            )
        }
        times = con.execute("SELECT series_id, ts FROM analysed_measurements ORDER BY series_id, ts").df()
    series = tables["metric_series"].set_index("series_id", drop=False)
    by_series = dict(iter(times.groupby("series_id")["ts"]))
    for row in tables["regressions"].itertuples():
        members = tables["regression_members"].query("regression_id == @row.regression_id")["series_id"]
        at = pd.Timestamp(row.first_bad_at)
        yield _Finding(change_title(row), series.loc[members], row.kind, row.cause, at, by_series[row.series_id])
    findings = Findings(
        tables["metric_series"],
        tables["regressions"],
        tables["breach_outlook"],
        tables["metric_trends"],
        tables["node_scores"],
    )
    for row in breaches_ahead(findings).itertuples():
        at = pd.Timestamp(row.breach_date) if pd.notna(row.breach_date) else pd.Timestamp(row.as_of)
        yield _Finding(
            f"{row.title} breaches {at:%Y-%m-%d}",
            series.loc[[row.series_id]],
            "breach",
            None,
            at,
            by_series[row.series_id],
        )


def _tolerance(event: Event) -> float:
    return MOST_DAYS_OFF if event.kind == "memory_leak" else MOST_POINTS_OFF


def _distance(event: Event, finding: _Finding) -> float | None:
    """Points (days for a breach) between finding and truth; None if it is about something else."""
    if float(_affected(event, finding.series).mean()) < 0.5:
        return None
    if event.kind == "memory_leak":
        return (
            abs((finding.at - pd.Timestamp(event.breach_at)).total_seconds()) / 86400
            if finding.kind == "breach"
            else None
        )
    if finding.kind != ("improvement" if event.kind == "improvement" else "regression"):
        return None
    times = finding.times
    if event.hours is not None:
        # The first measurement the event touched: only some hours of the day are.
        times = times[(times.dt.hour >= event.hours[0]) & (times.dt.hour < event.hours[1]) | (times < event.started_at)]
    first_affected = int((times < event.started_at).sum())
    return float(abs(int((times < finding.at).sum()) - first_affected))


def _affected(event: Event, series: pd.DataFrame) -> pd.Series:
    """Which series the event moved."""
    of_metric = series["metric"] == event.metric if event.metric is not None else True
    column = {"test": "test_name", "node": "node_id", "node_type": "node_type"}[event.scope]
    return (series[column] == event.subject) & of_metric
