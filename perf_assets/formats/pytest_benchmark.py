"""pytest-benchmark: what `--benchmark-json`, `--benchmark-save` and `--benchmark-autosave` write, versions 2.5 to 5.

Series: project and `fullname` of the benchmark, node, operating system, architecture, and Python as implementation and
minor version (`CPython 3.12`), which is another runtime. Value and unit: the median of the rounds, in seconds; the
standard deviation is the spread. Repetitions: the rounds are the replicates where the file has them (`stats.data`).
Time: `datetime`, naive UTC, else that of the commit. Run: time, node and commit. A `dirty` tree is not its commit: that
is kept as `base_commit` in the context.

A benchmark of no rounds is counted as idle; one that failed is not in the file. One without name, or without a finite
median that is not negative, is rejected, the others are read. `datetime` stands behind the benchmarks: of a file that
breaks off before it all benchmarks are rejected, as their run is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from perf_assets.formats.benchmark_rows import not_negative, records_with
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Omission,
    Problem,
    Rejection,
    Result,
    as_object,
    chunked,
    described,
    digest_of,
    number_or_none,
    numbers_in,
    parse_time,
    read_name,
    read_number,
    read_text,
    rejection,
)

_PATTERN = "benchmarks[]"
_MINOR = re.compile(r"\d+\.\d+")
_NO_COMMIT = ("unversioned", "unknown")


def _recognises(head: Head) -> bool:
    return head.has("benchmarks[].fullname", "benchmarks[].stats") or head.has("machine_info", "commit_info")


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, _PATTERN):
        for record in records_with(document, "datetime"):
            yield record if isinstance(record, Rejection) else _benchmark(source, as_object(document.root), record)


def _benchmark(source: Input, run: dict[str, Any], record: Record) -> Result:
    benchmark = record.value
    if not isinstance(benchmark, dict):
        problem = Problem("wrong_type", "expected an object with `fullname` and `stats`")
        return rejection(record.path, "", problem, benchmark)
    name = read_name(benchmark.get("fullname") or benchmark.get("name"))
    if isinstance(name, Problem):
        return rejection(record.path, "fullname", name, benchmark)
    stats = benchmark.get("stats")
    if not isinstance(stats, dict):
        return rejection(record.path, "stats", Problem("wrong_type", "expected an object with `median`"), benchmark)
    if "rounds" in stats and stats["rounds"] in (None, 0):
        return Omission("idle")
    median = not_negative(read_number(stats.get("median")))
    if isinstance(median, Problem):
        return rejection(record.path, "stats.median", median, benchmark)
    return _measurement(source, run, benchmark, record.path, name, median)


def _measurement(
    source: Input, run: dict[str, Any], benchmark: dict[str, Any], location: str, name: str, median: float
) -> Measurement:
    stats = benchmark["stats"]
    machine, commit = as_object(run.get("machine_info")), as_object(run.get("commit_info"))
    node, revision = read_text(machine.get("node")), _revision(commit)
    dirty = bool(commit.get("dirty"))
    own_time, commit_time = parse_time(run.get("datetime")), parse_time(commit.get("time"), source.zone)
    return Measurement(
        location=location,
        metric="benchmark_time",
        raw_value=median,
        raw_unit="s",
        ts=own_time or commit_time,
        time_source="commit" if own_time is None and commit_time is not None else "result",
        project=read_text(commit.get("project")),
        run_key=None if own_time is None else digest_of(own_time, node, revision, dirty),
        test_name=name,
        test_type="benchmark",
        node_id=node,
        branch=_branch(commit),
        commit_id=None if dirty else revision,
        raw_spread=number_or_none(stats.get("stddev")),
        raw_replicates=numbers_in(stats.get("data")),
        tags=described(_tags(machine)),
        context=described(
            {
                "base_commit": revision if dirty else None,
                "group": benchmark.get("group"),
                "params": benchmark.get("params"),
                "extra_info": benchmark.get("extra_info"),
                "rounds": stats.get("rounds"),
                "iterations": stats.get("iterations"),
                "python_version": machine.get("python_version"),
                "os_release": machine.get("release"),
                "cpu": _processor(machine),
                "pytest_benchmark": run.get("version"),
            }
        ),
    )


def _revision(commit: dict[str, Any]) -> str | None:
    found = read_text(commit.get("id"))
    return None if found in _NO_COMMIT else found


def _branch(commit: dict[str, Any]) -> str | None:
    """The branch; what is written in brackets says why there is none."""
    found = read_text(commit.get("branch"))
    return None if found is None or found.startswith("(") else found


def _tags(machine: dict[str, Any]) -> dict[str, object]:
    version = _MINOR.match(read_text(machine.get("python_version")) or "")
    runtime = (read_text(machine.get("python_implementation")), version and version[0])
    return {
        "os": read_text(machine.get("system")),
        "arch": read_text(machine.get("machine")),
        "runtime": " ".join(filter(None, runtime)),
    }


def _processor(machine: dict[str, Any]) -> object:
    cpu = as_object(machine.get("cpu"))
    return cpu.get("brand_raw") or cpu.get("brand")


FORMAT = Format("pytest-benchmark", _recognises, _read)
