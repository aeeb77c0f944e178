"""`python -m benchmarks`: measure speed, print the tables, write docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.dagster_overhead import STEPS, measure_overhead
from benchmarks.findings import (
    OTAVA_SERIES,
    POINTS,
    SEED,
    SERIES,
    TIMES_FEWER,
    TIMES_MORE,
    TURNS,
    FindingsRun,
    measure_findings,
)
from benchmarks.forecasts import PROPHET_SERIES, SIZES, Cost, measure_forecasts
from benchmarks.ingest import CASES, FILES, LEVELS, QUERY_TURNS, ROWS, IngestRun, measure_ingest
from benchmarks.ingest import SERIES as INGESTED_SERIES
from benchmarks.ingest import TURNS as INGEST_TURNS
from benchmarks.pipeline import measure_pipeline

DOCUMENT = Path("docs/performance.md")
LEAST_TIMES_DETECT, LEAST_TIMES_FINDINGS = 12.0, 5.0
MOST_GROWTH = 10.5
"""CPU of ten times as many series."""
MOST_MB = 2_000
LEAST_SHARE = 0.5
"""Of a bare copy's rows a second."""
MOST_SMALL_SECONDS = 300.0
MOST_QUERY_SECONDS = {
    "30 days of one series": 0.02,
    "slope statistics over all series": 0.5,
    "quantiles per hour of one metric": 0.06,
}
MOST_MILLISECONDS, MOST_FORECAST_MB = (0.5, 0.2, 0.2), 1_000
LEAST_TIMES_PROPHET = 300.0
_HOME = Path("var/benchmarks")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(CHAPTERS), help=f"chapters to measure, of {', '.join(CHAPTERS)}")
    only = parser.parse_args().only.split(",")
    unknown = sorted(set(only) - set(CHAPTERS))
    if unknown:
        parser.error(f"no chapter is called {', '.join(unknown)}; there are {', '.join(CHAPTERS)}")
    before = chapters_of(DOCUMENT.read_text(encoding="utf-8")) if DOCUMENT.exists() else {}
    for name in only:
        print(f"{name}: measuring", flush=True)
        lines = CHAPTERS[name]()
        before |= chapters_of("\n".join(lines))
        DOCUMENT.write_text(document(before), encoding="utf-8")
    print(f"\n{document(before)}\nWritten to {DOCUMENT}")
    return 0


def chapters_of(text: str) -> dict[str, str]:
    """The chapters of a document by their headings; those that are not measured now stay as they were."""
    parts = re.split(r"(?m)^## (.+)$", text)[1:]
    return {heading: body.strip() for heading, body in zip(parts[::2], parts[1::2], strict=True)}


def document(chapters: Mapping[str, str]) -> str:
    """docs/performance.md."""
    lines = [
        "# Performance",
        "",
        f"Measured by `make bench`, which writes this file, on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; `make bench ONLY={','.join(CHAPTERS)}` measures single chapters. Seconds depend "
        "on the machine; shares and ratios less so. ✗ marks a missed target.",
        "",
    ]
    for heading, body in chapters.items():
        lines += [f"## {heading}", "", body, ""]
    return "\n".join(lines)


def _dagster() -> list[str]:
    overhead = measure_overhead()
    return [
        "## What Dagster costs",
        "",
        f"A step that does nothing, in a chain of {STEPS}, in process, with a SQLite instance on disk:",
        "",
        "| | wall s a step | CPU s a step |",
        "|---|---|---|",
        f"| outside a pool | {overhead.wall:.3f} | {overhead.cpu:.3f} |",
        f"| in the warehouse pool | {overhead.wall_in_pool:.3f} | {overhead.cpu_in_pool:.3f} |",
        "",
    ]


def _pipeline() -> list[str]:
    home = _HOME.absolute()
    shutil.rmtree(home, ignore_errors=True)
    pipeline = measure_pipeline(home)
    work = sum(seconds for _, seconds in pipeline.steps)
    slowest = sorted(pipeline.steps, key=lambda step: -step[1])[:10]
    return [
        "## The main job on the bundled sample",
        "",
        f"{pipeline.wall:.0f} s wall, {pipeline.cpu:.0f} s CPU, {pipeline.peak_mb:,.0f} MB at the peak; "
        f"{pipeline.wall - work:.0f} s of it outside the steps' own work (imports, Dagster, publishing the snapshot). "
        f"A second `perf-assets run` starts work after {pipeline.starts_after:.1f} s.",
        "",
        "| step | s | share of the job |",
        "|---|---|---|",
        *(f"| {name} | {seconds:.1f} | {seconds / pipeline.wall:.0%} |" for name, seconds in slowest),
        f"| {len(pipeline.steps) - len(slowest)} others | {work - sum(s for _, s in slowest):.1f} | "
        f"{(work - sum(s for _, s in slowest)) / pipeline.wall:.0%} |",
        "",
    ]


def _findings() -> list[str]:
    return findings_chapter(measure_findings())


def _forecasts() -> list[str]:
    return forecasts_chapter(*measure_forecasts())


def forecasts_chapter(ours: list[Cost], prophets: list[Cost]) -> list[str]:
    rows = []
    for place, ((series, points, horizon), cost) in enumerate(zip(SIZES, ours, strict=True)):
        most, times = MOST_MILLISECONDS[place], ""
        if place < len(prophets):
            times = _times(prophets[place].milliseconds / cost.milliseconds, LEAST_TIMES_PROPHET)
        slow, large = cost.milliseconds > most, place == len(SIZES) - 1 and cost.peak_mb > MOST_FORECAST_MB
        rows.append(
            f"| {series:,} x {points}, {horizon} ahead | {cost.milliseconds:.2f}{_missed(slow)} | at most {most} | "
            f"{times} | {cost.peak_mb:,.0f}{_missed(large)} | {cost.before_mb:,.0f} |"
        )
    figures = ", ".join(
        f"{cost.milliseconds:.0f} ms for {points} points" for (_, points, _), cost in zip(SIZES, prophets, strict=False)
    )
    return [
        "## Forecasts of whole fleets, beside Prophet",
        "",
        "Hourly series with a daily cycle; backtest, weights and intervals included, CPU of one core, imports "
        f"excluded. Prophet: one fit a series without a backtest, {PROPHET_SERIES} series: {figures}; at least "
        f"{LEAST_TIMES_PROPHET:.0f} times ours is the target, and at most {MOST_FORECAST_MB:,} MB for the largest "
        "fleet, its history included.",
        "",
        "| series x points | CPU ms a series | target | Prophet takes, times as long | peak MB | of it before |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    ]


def _ingest() -> list[str]:
    return ingest_chapter(measure_ingest(_HOME.absolute() / "ingest"))


def ingest_chapter(run: IngestRun) -> list[str]:
    most = MOST_SMALL_SECONDS
    return [
        "## Ingestion, beside bare DuckDB",
        "",
        f"{ROWS:,} rows of `performance_metrics`, {INGESTED_SERIES:,} series, {len(LEVELS)} metrics a run: into the "
        "warehouse, with identity, units, checks and duplicates, beside `INSERT ... SELECT` of the same file into an "
        f"unindexed table; in turn, the middle of {INGEST_TURNS} pairs by wall time. Landing (copy, hash, sync) has a "
        "column of its own. Filled: the warehouse holds as many earlier rows of the same series.",
        "",
        "| | bare, s | landing, s | load, s | rows a second | share of bare | target | peak MB |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {name} | {load.bare.wall:.1f} | {load.landing:.1f} | {load.loaded.wall:.1f} | "
            f"{load.rows / load.loaded.wall:,.0f} | {load.share:.2f}{_missed(load.share < LEAST_SHARE)} | "
            f"at least {LEAST_SHARE} | {load.loaded.peak_mb:,.0f} |"
            for name, load in run.loads.items()
        ),
        "",
        f"Small files: `perf-assets ingest` of JUnit files with {CASES} cases in one command, durable landing, Dagster "
        "and the published snapshot included.",
        "",
        "| files | s | files a second | target | peak MB |",
        "|---|---|---|---|---|",
        f"| {FILES // 10:,} | {run.fewer.wall:.0f} | {FILES / 10 / run.fewer.wall:,.0f} | | {run.fewer.peak_mb:,.0f} |",
        f"| {FILES:,} | {run.small.wall:.0f}{_missed(run.small.wall > most)} | {FILES / run.small.wall:,.0f} | "
        f"at most {most:.0f} s | {run.small.peak_mb:,.0f} |",
        "",
        f"Reading back, {ROWS:,} rows of {INGESTED_SERIES:,} series in the warehouse, median of {QUERY_TURNS} warm "
        "turns:",
        "",
        "| | ms | target |",
        "|---|---|---|",
        *(
            f"| {name} | {seconds * 1e3:.1f}{_missed(seconds > MOST_QUERY_SECONDS[name])} | "
            f"at most {MOST_QUERY_SECONDS[name] * 1e3:.0f} |"
            for name, seconds in run.queries.items()
        ),
        "",
    ]


def _missed(missed: bool) -> str:
    return " ✗" if missed else ""


def findings_chapter(run: FindingsRun) -> list[str]:
    otava, detect, findings = run.otava_scaled, run.detect.cpu, run.findings.cpu
    more, fewer = SERIES * TIMES_MORE, SERIES // TIMES_FEWER
    slowest = ", ".join(f"`{name}` {seconds:.1f}" for name, seconds in run.findings.steps)
    return [
        "## Findings of many series, beside Apache Otava",
        "",
        f"{SERIES:,} series of {POINTS} hourly points, of the ten kinds of noise that docs/accuracy.md describes, half "
        f"of them with a 2-sigma step (seed {SEED}); CPU seconds of one core, imports excluded. Apache Otava "
        f"{run.otava_version} finds change points only; it was given the first {OTAVA_SERIES}, which have "
        f"the kinds and steps in the same shares, and its {run.otava_seconds:.2f} s are scaled to {SERIES:,}; of "
        f"{TURNS} turns of it and of `detect_many` the middle one counts.",
        "",
        "| | CPU s | Otava takes, times as long | target |",
        "|---|---|---|---|",
        f"| Apache Otava | {otava:.1f} | | |",
        f"| `detect_many` alone | {detect:.1f} | {_times(otava / detect, LEAST_TIMES_DETECT)} | "
        f"at least {LEAST_TIMES_DETECT:.0f} |",
        f"| reading the rows alone, in bare DuckDB | {run.reading.cpu:.1f} | {otava / run.reading.cpu:.1f} | |",
        f"| all findings, warehouse to warehouse | {findings:.1f} | {_times(otava / findings, LEAST_TIMES_FINDINGS)} | "
        f"at least {LEAST_TIMES_FINDINGS:.0f} |",
        "",
        f"All findings are the assets of the group trends, run by Dagster: the series are read from the warehouse, "
        f"and tables, pictures and a published snapshot written. Wall seconds of the steps: {slowest}.",
        "",
        "| | figure | target |",
        "|---|---|---|",
        f"| peak memory of `detect_many`, {SERIES:,} series | {run.detect.peak_mb:,.0f} MB"
        f"{'' if run.detect.peak_mb <= MOST_MB else ' ✗'} | at most {MOST_MB:,} MB |",
        f"| peak memory of all findings, {SERIES:,} series | {run.findings.peak_mb:,.0f} MB"
        f"{'' if run.findings.peak_mb <= MOST_MB else ' ✗'} | at most {MOST_MB:,} MB |",
        f"| CPU of `detect_many`, {more:,} series by {SERIES:,} | {_growth(run.detect_more.cpu / detect)} | "
        f"at most {MOST_GROWTH} |",
        f"| CPU of all findings, {SERIES:,} series by {fewer:,} | {_growth(findings / run.findings_of_fewer.cpu)} | "
        f"at most {MOST_GROWTH} |",
        "",
    ]


def _times(ratio: float, least: float) -> str:
    return f"{ratio:.1f}{'' if ratio >= least else ' ✗'}"


def _growth(ratio: float) -> str:
    return f"{ratio:.1f}{'' if ratio <= MOST_GROWTH else ' ✗'}"


CHAPTERS: dict[str, Callable[[], list[str]]] = {
    "dagster": _dagster,
    "pipeline": _pipeline,
    "findings": _findings,
    "forecasts": _forecasts,
    "ingest": _ingest,
}


if __name__ == "__main__":
    sys.exit(main())
