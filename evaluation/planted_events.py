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

from evaluation.markdown import mark, met, number, percent, table
from evaluation.proportions import Check, rate_of, share_of
from perf_assets.advice.recommendations import Findings, breaches_ahead
from perf_assets.settings import Settings
from perf_assets.simulation import Event, simulate_fleet, write_fleet
from perf_assets.warehouse import open_snapshot
from perf_assets.wording.findings import title

MOST_POINTS_OFF = 3
MOST_DAYS_OFF = 3.0
LEAST_CAUSE_RIGHT, MOST_FALSE = 0.90, 0.05
"""Targets: share of planted events whose cause is told right; share of findings that nothing planted explains."""


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
    runs: int
    findings: int
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
    return SeedOutcome(seed, series, _runs(settings), len(findings), tuple(outcomes), unplanted)


def _runs(settings: Settings) -> int:
    with open_snapshot(settings.snapshots) as con:
        row = con.execute("SELECT count(*) FROM runs").fetchone()
    assert row is not None
    return int(row[0])


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
        yield _Finding(title(row), series.loc[members], row.kind, row.cause, at, by_series[row.series_id])
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


def outcome_tables(outcomes: Sequence[SeedOutcome]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """fleets: seed, series, runs, findings; events: seed, kind, named, off, cause_right; unplanted: seed, title."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.seed)
    fleets = [(one.seed, one.series, one.runs, one.findings) for one in ordered]
    events = [
        (one.seed, event.kind, event.named, float("nan") if event.off is None else event.off, event.cause_right)
        for one in ordered
        for event in one.events
    ]
    unplanted = [(one.seed, title) for one in ordered for title in one.unplanted]
    return (
        pd.DataFrame(fleets, columns=["seed", "series", "runs", "findings"]),
        pd.DataFrame(events, columns=["seed", "kind", "named", "off", "cause_right"]),
        pd.DataFrame(unplanted, columns=["seed", "title"]),
    )


def checks(fleets: pd.DataFrame, events: pd.DataFrame, unplanted: pd.DataFrame) -> list[Check]:
    judged = events["cause_right"].dropna()
    findings = int(fleets["findings"].sum())
    return [
        Check("environment or code", share_of(int(judged.sum()), len(judged)), "at least", LEAST_CAUSE_RIGHT),
        Check("findings that are false", share_of(len(unplanted), findings), "at most", MOST_FALSE),
    ]


def chapter(fleets: pd.DataFrame, events: pd.DataFrame, unplanted: pd.DataFrame) -> list[str]:
    cause, false = checks(fleets, events, unplanted)
    seeds = list(fleets["seed"])
    rows = []
    for kind, of_kind in events.groupby("kind", sort=False):
        cells = ["missed" if not event.named else f"{event.off:.1f} d" if kind == "memory_leak" else f"{event.off:.0f}"
                 for event in of_kind.itertuples()]  # fmt: skip
        rows.append([str(kind).replace("_", " "), *cells, f"{of_kind['named'].sum()} of {len(of_kind)}"])
    counts = [str(int((unplanted["seed"] == seed).sum())) for seed in seeds]
    rows.append(["not planted", *counts, f"{len(unplanted) / len(fleets):.1f} a fleet"])
    named, findings, runs = int(events["named"].sum()), int(fleets["findings"].sum()), int(fleets["runs"].sum())
    complete = int(events.groupby("seed")["named"].all().sum())
    measures = [
        ["events named (recall)", "", percent(share_of(named, len(events)))],
        ["findings that were planted (precision)", "", percent(share_of(findings - len(unplanted), findings))],
        ["findings that were not", f"at most {100 * false.target:.0f}", percent(false.figure) + mark(false)],
        ["environment or code told right", f"at least {100 * cause.target:.0f}", percent(cause.figure) + mark(cause)],
    ]
    lines = [
        "## Planted events in simulated fleets",
        "",
        f"{len(fleets)} fleets (seeds {seeds[0]} to {seeds[-1]}) of {fleets['series'].min():,} to "
        f"{fleets['series'].max():,} series over 60 days, seven events each of at most 3 noise standard deviations, "
        "analysed by `perf-assets run`. An event counts as named when a regression, improvement or limit of the "
        "report is "
        f"about its series and starts within {MOST_POINTS_OFF} points of the truth; a breach when its date is within "
        f"{MOST_DAYS_OFF:.0f} days. Cells: points (breach: days) between finding and truth.",
        "",
        *table(["event", *map(str, seeds), "named"], rows),
        "Over all fleets, per cent with 95 % Wilson intervals:",
        "",
        *table(["", "target", "perf_assets"], measures),
        f"All seven events named: {complete} of {len(fleets)} fleets. False alarms: "
        f"{number(rate_of(len(unplanted), runs / 1_000.0))} on 1,000 runs ({runs:,} runs).",
        "",
    ]
    if len(unplanted):
        lines += ["Findings that were not planted:", "", *(f"- {title}" for title in unplanted["title"]), ""]
    return [*lines, met([cause, false]), ""]
