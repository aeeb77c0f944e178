"""`python -m benchmarks`: measure speed, print the tables, write docs/performance.md."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from benchmarks.dagster_overhead import STEPS, Overhead, measure_overhead
from benchmarks.pipeline import PipelineRun, measure_pipeline

DOCUMENT = Path("docs/performance.md")


def main() -> int:
    print("Dagster's cost of an empty step", flush=True)
    overhead = measure_overhead()
    print("The main job on the bundled sample", flush=True)
    home = Path("var/benchmarks").absolute()
    shutil.rmtree(home, ignore_errors=True)
    pipeline = measure_pipeline(home)
    text = document(overhead, pipeline)
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {DOCUMENT}")
    return 0


def document(overhead: Overhead, pipeline: PipelineRun) -> str:
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
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
