"""Vitest's benchmarks (`vitest bench --outputJson`, and the json reporter of before 2.0), and the results of
tinybench, with which it measures: tasks as JSON in the shape of version 2 and before (`result.mean`) and of 3 and
later (`latency.mean`), and the rows of `bench.table()` as JSON or as console.table prints them.

Series: in Vitest the file, relative to the root, the groups and the benchmark (`sort.bench.ts > sorting > quick`); a
file that is written with its whole path is called by its last part. In tinybench the name of the task. The JavaScript
runtime with its major version (`node 22`) is another runtime, where the results tell it. Value and unit: the median
time in ms, else the mean, and in ns of a table; where there are no times, the throughput in operations a second. The
spread is the standard deviation. Repetitions: the samples, up to 10,000. Time: none in these formats. Run: the file.

A task that threw is counted as errored, one that was aborted or not started as skipped, and one without samples,
which Vitest also writes for a benchmark that failed, as idle. A number that is not finite (JSON has null for it), or
negative, is rejected, the others are read.

Limits: the rows of a table are rounded. Of results without names (`bench.results`) nothing can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from perf_assets.formats.benchmark_rows import not_negative
from perf_assets.formats.ci_runs import BrokenFieldError, guarded
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Omission,
    Outcome,
    Problem,
    Rejection,
    Result,
    as_object,
    benchmark_metric,
    chunked,
    described,
    number_or_none,
    numbers_in,
    read_name,
    read_number,
    read_number_text,
    read_text,
    rejection,
)
from perf_assets.formats.recognition import telling_head
from perf_assets.formats.text import read_lines

MOST_SAMPLES = 10_000
"""Tinybench keeps every one of a fast function; more are not kept here."""

_VITEST = "files[].groups[].benchmarks[]"
_REPORTER = "testResults.*[]"
_LISTS = ("[]", "results[]", "tasks[]", "benchmarks[]")
_WITHIN = " > "
_NAMES = ("Task name", "Task Name", "name")
_COLUMNS = {
    "Latency med (ns)": "ns", "Latency median (ns)": "ns", "Latency avg (ns)": "ns", "Latency average (ns)": "ns",
    "Average Time (ns)": "ns", "Throughput med (ops/s)": "ops/s", "Throughput median (ops/s)": "ops/s",
    "Throughput avg (ops/s)": "ops/s", "Throughput average (ops/s)": "ops/s", "ops/sec": "ops/s",
}  # fmt: skip
"""The columns of tables that have a value; the first one counts that a table has."""
_TIMES = ("median", "p50", "mean")
_STATES: dict[str, Outcome] = {
    "errored": "errored", "aborted": "skipped", "not-started": "skipped", "started": "skipped",
}  # fmt: skip
_BEFORE_MARGIN = re.compile(r"\s*(?P<number>[^±]*?)\s*(±.*)?", re.DOTALL)
_MAJOR = re.compile(r"v?(?P<version>\d+)", re.ASCII)
_FRAME = "│"


def _recognises(head: Head) -> bool:
    return _is_printed(head) or bool(_patterns(head))


def _is_printed(head: Head) -> bool:
    return _FRAME in head.text and any(_is_header(_cells(line)) for line in head.lines)


def _is_header(cells: list[str]) -> bool:
    return not set(_NAMES[:2]).isdisjoint(cells) and not _COLUMNS.keys().isdisjoint(cells)


def _patterns(head: Head) -> list[str]:
    """Where the results are."""
    if head.has("files[].filepath", "files[].groups") or head.has("files[].groups[].benchmarks"):
        return [_VITEST]
    if any(path.startswith("testResults.") and path.endswith(("[].rme", "[].hz")) for path in head.json_paths):
        return [_REPORTER]
    return [pattern for pattern in _LISTS if _are_tasks(head, f"{pattern}.")][:1]


def _are_tasks(head: Head, before: str) -> bool:
    """Whether what lies there are tasks of tinybench, or rows of its table."""
    if any(head.has(f"{before}{name}") for name in _NAMES[:2]):
        return any(head.has(f"{before}{column}") for column in (*_COLUMNS, "Error"))
    places = ("result.latency.", "latency.", "result.", "")
    measured = any(head.has(f"{before}{place}mean", f"{before}{place}rme") for place in places)
    return head.has(f"{before}name") and (measured or head.has(f"{before}result.error"))


def _read(source: Input) -> Iterator[Chunk]:
    head = telling_head(source.path, source.name, _recognises)
    if _is_printed(head):
        return chunked(_printed(source))
    return chunked(_listed(source, _patterns(head) or [_VITEST, "[]"]))


def _listed(source: Input, patterns: list[str]) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, *patterns):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
            elif not isinstance(record.value, dict):
                problem = Problem("wrong_type", "expected an object with `name` and statistics")
                yield rejection(record.path, "", problem, record.value)
            elif document.damaged and record.keys[0] == "files" and "fullName" not in record.parents[-2]:
                problem = Problem("missing_identity", "the name of its group lies behind the break of the file")
                yield rejection(record.path, "fullName", problem, record.value)
            else:
                yield from guarded(record.path, record.value, _task(record.path, _groups(record), record.value))


def _groups(record: Record) -> object:
    """The name of what a benchmark lies in; None where it lies in nothing."""
    if record.keys[0] == "files":
        return record.parents[-2].get("fullName") or ""
    # The reporter puts what lies in no group under the empty name.
    return (record.keys[1] or None) if record.keys[0] == "testResults" else None


def _printed(source: Input) -> Iterator[Result]:
    """The rows of tables in a text."""
    header: list[str] = []
    for number, line in read_lines(source.path):
        cells = _cells(line)
        if _is_header(cells):
            header = cells
        elif header and len(cells) == len(header):
            fields = dict(zip(header, cells, strict=True))
            yield from guarded(f"line {number}", fields, _task(f"line {number}", None, fields))
        elif header and _FRAME in line:
            problem = Problem("truncated", f"expected {len(header)} columns")
            yield rejection(f"line {number}", "", problem, line)
        elif "├" not in line:
            header = []


def _cells(line: str) -> list[str]:
    """The cells of a line of a table; the signs around a text are not its own."""
    cells = [cell.strip() for cell in line.split(_FRAME)[1:-1]]
    return [cell[1:-1] if cell[:1] in ("'", '"') and cell[-1:] == cell[:1] else cell for cell in cells]


def _task(path: str, groups: object, fields: dict[str, Any]) -> Iterator[Measurement | Omission]:
    result = as_object(fields.get("result")) or fields
    outcome = _outcome(fields, result)
    if outcome is not None:
        yield Omission(outcome)
        return
    place, value, unit = _value(result)
    latency = as_object(result.get("latency")) or result
    samples = latency.get("samples")
    yield Measurement(
        location=f"{path}.{place}",
        metric=benchmark_metric(unit),
        raw_value=value,
        raw_unit=unit,
        test_name=_test_name(groups, fields),
        test_type="benchmark",
        raw_spread=number_or_none(latency.get("sd")) if unit == "ms" else None,
        raw_replicates=numbers_in(samples) if isinstance(samples, list) and len(samples) <= MOST_SAMPLES else None,
        tags=described({"runtime": _runtime(result)}),
        context=described({"samples": _count(latency), "rme": number_or_none(latency.get("rme"))}),
    )


def _outcome(fields: dict[str, Any], result: dict[str, Any]) -> Outcome | None:
    if result.get("error") or fields.get("Error"):
        return "errored"
    state = result.get("state")
    if isinstance(state, str) and state in _STATES:
        return _STATES[state]
    columns = [column for column in _COLUMNS if column in result]
    if columns and all(result[column] == "N/A" for column in columns):
        return "skipped"
    latency = as_object(result.get("latency")) or result
    measured = {*_TIMES, "hz", "throughput", *_COLUMNS}
    if _count(latency) == 0 or (measured.isdisjoint(latency) and measured.isdisjoint(result)):
        # JSON has nothing of an Error but its braces.
        is_error = isinstance(result.get("error"), dict)
        return "errored" if is_error else "skipped" if result.get("aborted") is True else "idle"
    return None


def _count(latency: dict[str, Any]) -> object:
    return next((latency[name] for name in ("sampleCount", "samplesCount", "Samples") if name in latency), None)


def _value(result: dict[str, Any]) -> tuple[str, float, str]:
    """Where the value of a task stands, the value, and its unit."""
    latency, throughput = as_object(result.get("latency")), as_object(result.get("throughput"))
    places = [(f"latency.{name}", latency, name, "ms") for name in _TIMES if name in latency]
    places += [(name, result, name, "ms") for name in _TIMES if name in result]
    places += [(column, result, column, unit) for column, unit in _COLUMNS.items() if column in result]
    places += [("throughput.mean", throughput, "mean", "ops/s"), ("hz", result, "hz", "ops/s")]
    place, fields, name, unit = next((each for each in places if each[1].get(each[2]) is not None), places[0])
    value = not_negative(_number(fields.get(name)), "a time or rate")
    if isinstance(value, Problem):
        raise BrokenFieldError(place, value)
    return place, value, unit


def _number(value: object) -> float | Problem:
    """A number; in a table it may be text, with commas between thousands and a margin behind it."""
    if not isinstance(value, str):
        return read_number(value)
    found = _BEFORE_MARGIN.fullmatch(value)
    return read_number_text((found["number"] if found else value).replace(",", ""))


def _test_name(groups: object, fields: dict[str, Any]) -> str:
    field = next((name for name in _NAMES if name in fields), "name")
    name = read_name(fields.get(field))
    if isinstance(name, Problem):
        raise BrokenFieldError(field, name)
    if groups is None:
        return name
    around = read_name(groups)
    if isinstance(around, Problem):
        raise BrokenFieldError("fullName", around)
    file, *inside = around.split(_WITHIN)
    full_name = read_name(_WITHIN.join([_without_checkout(file), *inside, name]))
    if isinstance(full_name, Problem):
        raise BrokenFieldError(field, full_name)
    return full_name


def _without_checkout(file: str) -> str:
    """A path that does not depend on where a checkout lies."""
    path = PureWindowsPath(file) if PureWindowsPath(file).drive else PurePosixPath(file)
    return path.name if path.is_absolute() else file


def _runtime(result: dict[str, Any]) -> str:
    version = _MAJOR.match(read_text(result.get("runtimeVersion")) or "")
    return " ".join(filter(None, (read_text(result.get("runtime")), version and version["version"])))


FORMAT = Format("vitest", _recognises, _read)
