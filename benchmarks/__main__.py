"""`python -m benchmarks`: measure speed, print the tables, write docs/performance.md."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from benchmarks.dagster_overhead import STEPS, Overhead, measure_overhead
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
from benchmarks.pipeline import PipelineRun, measure_pipeline

DOCUMENT = Path("docs/performance.md")
LEAST_TIMES_DETECT, LEAST_TIMES_FINDINGS = 12.0, 10.0
MOST_GROWTH = 10.5
"""CPU of ten times as many series."""
MOST_MB = 2_000


def main() -> int:
    print("Dagster's cost of an empty step", flush=True)
    overhead = measure_overhead()
    print("The main job on the bundled sample", flush=True)
    home = Path("var/benchmarks").absolute()
    shutil.rmtree(home, ignore_errors=True)
    pipeline = measure_pipeline(home)
    print(f"Findings of {SERIES:,} series, beside Apache Otava", flush=True)
    findings = measure_findings()
    text = document(overhead, pipeline, findings)
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {DOCUMENT}")
    return 0


def document(overhead: Overhead, pipeline: PipelineRun, findings: FindingsRun) -> str:
    """docs/performance.md from what was measured."""
    work = sum(seconds for _, seconds in pipeline.steps)
    slowest = sorted(pipeline.steps, key=lambda step: -step[1])[:10]
    lines = [
        "# Performance",
        "",
        f"Measured by `make bench`, which writes this file, on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}. Seconds depend on the machine; shares and ratios less so.",
        "",
        "## What Dagster costs",
        "",
        f"A step that does nothing, in a chain of {STEPS}, in process, with a SQLite instance on disk:",
        "",
        "| | wall s a step | CPU s a step |",
        "|---|---|---|",
        f"| outside a pool | {overhead.wall:.3f} | {overhead.cpu:.3f} |",
        f"| in the warehouse pool | {overhead.wall_in_pool:.3f} | {overhead.cpu_in_pool:.3f} |",
        "",
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
        *findings_chapter(findings),
    ]
    return "\n".join(lines)


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
        "✗ marks a missed target.",
        "",
    ]


def _times(ratio: float, least: float) -> str:
    return f"{ratio:.1f}{'' if ratio >= least else ' ✗'}"


def _growth(ratio: float) -> str:
    return f"{ratio:.1f}{'' if ratio <= MOST_GROWTH else ' ✗'}"


if __name__ == "__main__":
    sys.exit(main())
