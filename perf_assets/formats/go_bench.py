"""Go benchmarks: what `go test -bench` prints, also with `-json`, and the benchmark data format of golang.org/x/perf.

Series: function with its sub-benchmarks (`BenchmarkSort/n=10`), package (`pkg:`, as suite), `goos`, `goarch`, and the
number behind the name, which is GOMAXPROCS, as runtime: with another number of processors it is another series. Metric:
by its unit benchmark_time (ns/op), benchmark_memory (B/op) or benchmark_data_rate (MB/s); any other unit is a metric of
its own name (`allocs/op`), and one that ends in a known unit is named by what stands before it (`p99-latency-ns` is
p99-latency in ns). Direction: `better=` of a Unit line before the results, else the catalogue's; of allocs/op lower is
better. Time: `timestamp`, `date` or `time` of the configuration, else `commit-time`, else `upload-time`. Run: the run
id of the configuration, else the file; commit, branch and host come from it as well, other keys are context.

Repetitions: lines of one name (`-count`) are one measurement for each unit, the median of all. A benchmark that failed
is counted as failed, one that was skipped or ran no iterations as skipped or idle. What a benchmark prints may stand
between its name and its result. A line that breaks off is rejected, and so is one with a number that is none.

Limits: a name that itself ends in a hyphen and a number reads as one with GOMAXPROCS, as in Go's own tools.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from perf_assets.catalog import Direction
from perf_assets.formats.benchmark_rows import RunProperties, not_negative, repetitions_merged, run_properties
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import read_json
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Omission,
    Problem,
    Rejection,
    Result,
    TimeSource,
    as_object,
    benchmark_metric,
    chunked,
    described,
    parse_time,
    read_name,
    read_number_text,
    read_text,
    rejection,
)
from perf_assets.formats.recognition import head_of
from perf_assets.formats.text import LONGEST_LINE, read_lines

_TEST_EVENT = re.compile(r'\{("Time":\s*"[^"]*",\s*)?"Action":\s*"')
_RESULT_AT_HEAD = re.compile(r"^Benchmark\S*\s+\d+\s+[\d.]+(e[+-]?\d+)?\s+\S+", re.MULTILINE)
_CONFIGURATION = re.compile(r"(?P<key>[a-z][^\sA-Z:]*):([ \t]+(?P<value>.*))?")
# A name without its result on the same line must be one that a Go function can have.
_NAME = re.compile(r"(?P<name>Benchmark[^a-z\s]\S*)(\s|$)")
_LATE_RESULT = re.compile(r"(?:.*\s)?(?P<result>\d+\s+[\d.]+(e[+-]?\d+)?\s+ns/op\b.*)", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d[\d.]*(e[-+]?\d+)?|Inf|NaN)", re.ASCII)
_ENDED = re.compile(r"(.*\s)?--- (?P<outcome>FAIL|SKIP): Benchmark")
_PROCESSORS = re.compile(r"(?P<name>.+)-(?P<number>\d+)", re.ASCII)
_NAMED_UNIT = re.compile(r"(?P<name>.+)-(?P<unit>(ns|us|ms|sec|B|bytes|MB)(/\w+)?)")
_GOS_OWN_UNITS = ("ns/op", "MB/s", "B/op", "allocs/op")
_BETTER: dict[str, Direction] = {"higher": "higher_is_better", "lower": "lower_is_better"}
_CLOCKS: dict[TimeSource, tuple[str, ...]] = {
    "result": ("timestamp", "date", "time"),
    "commit": ("commit-time", "commit-date"),
    "run": ("upload-time",),
}
_HOST = ("hostname", "host", "node", "machine")
_OWN_KEYS = {"goos", "goarch", "pkg", *_HOST, *(name for names in _CLOCKS.values() for name in names)}


class _Row(NamedTuple):
    """A result: the iterations, then values and units in turn."""

    location: str
    name: str
    fields: list[str]


class _Setting(NamedTuple):
    """What the configuration says at one place of the file."""

    ts: datetime | None
    time_source: TimeSource
    host: str | None
    run: RunProperties
    tags: dict[str, str | None]


def _recognises(head: Head) -> bool:
    if _RESULT_AT_HEAD.search(head.text) is not None or _has_test_events(head):
        return True
    return {"goos:", "goarch:"} <= {line.split(" ")[0] for line in head.lines}


def _has_test_events(head: Head) -> bool:
    return _TEST_EVENT.match(head.text) is not None and '"Package"' in head.first_line


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(repetitions_merged(_results(source)))


def _results(source: Input) -> Iterator[Result]:
    configuration: dict[str, str] = {}
    directions: dict[str, Direction] = {"allocs/op": "lower_is_better"}
    setting: _Setting | None = None
    for event in _events(source.path):
        if isinstance(event, _Row):
            setting = setting or _setting(source, configuration)
            yield from _measurements(setting, directions, event)
        elif isinstance(event, Omission | Rejection):
            yield event
        elif event.startswith("Unit "):
            directions |= _unit_directions(event.split()[1:])
        elif configured := _CONFIGURATION.fullmatch(event):
            # A key without value is one no longer.
            configuration[configured["key"]] = (configured["value"] or "").strip()
            setting = None


def _events(file: Path) -> Iterator[_Row | Omission | Rejection | str]:
    """Results, failures, what breaks off, and the other lines as they are."""
    begun: tuple[str, str] | None = None
    for number, line, is_cut in _lines(file):
        location = f"line {number}"
        if ended := _ENDED.match(line):
            yield Omission("failed" if ended["outcome"] == "FAIL" else "skipped")
            begun = None
            continue
        name = line.split(None, 1)[0] if line.startswith("Benchmark") else ""
        fields = line.split()[1:] if name else []
        if not _is_result(fields):
            # What the benchmark prints stands between its name and its result.
            begun = (location, name) if _NAME.match(line) else begun
            late = _LATE_RESULT.fullmatch(line) if begun else None
            name, fields = (begun[1], late["result"].split()) if begun and late else ("", [])
        if not fields:
            yield line
        elif is_cut and fields[-1] not in _GOS_OWN_UNITS:
            yield rejection(location, "", Problem("truncated", "the last line breaks off"), line)
            begun = None
        else:
            yield _Row(location, name, fields)
            begun = None
    if begun is not None:
        yield rejection(begun[0], "", Problem("truncated", "a benchmark without result"), begun[1])


def _lines(file: Path) -> Iterator[tuple[int, str, bool]]:
    """Lines with their numbers, and of the last one whether it lacks an end and so may be cut."""
    before: tuple[int, str] | None = None
    numbered_lines = read_lines(file)
    if _has_test_events(head_of(file, file.name)):
        numbered_lines = _printed(numbered_lines)
    for numbered in numbered_lines:
        if before is not None:
            yield (*before, False)
        before = numbered
    if before is not None:
        with file.open("rb") as source:
            source.seek(-min(2, file.stat().st_size), 2)
            yield (*before, not source.read().rstrip(b"\0").endswith((b"\n", b"\r")))


def _printed(events: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines that tests printed, a part of a line an event, each with the number of the event that ends it."""
    number, rest = 1, ""
    for number, written in events:
        try:
            event = as_object(read_json(written))
        except ValueError:
            # What the compiler says stands between the events.
            event = {"Action": "output", "Output": written + "\n"}
        output = event.get("Output")
        if event.get("Action") == "output" and isinstance(output, str):
            *lines, rest = (rest + output).split("\n")
            for line in lines:
                yield number, line
            rest = rest[:LONGEST_LINE]
    if rest:
        yield number, rest


def _is_result(fields: list[str]) -> bool:
    """Whether what follows a name begins as a result does: a count and a number."""
    return len(fields) > 1 and fields[0].isdecimal() and _NUMBER.fullmatch(fields[1]) is not None


def _unit_directions(fields: list[str]) -> dict[str, Direction]:
    better = [field.removeprefix("better=") for field in fields[1:] if field.startswith("better=")]
    return {fields[0]: _BETTER[better[0]]} if better and better[0] in _BETTER else {}


def _setting(source: Input, configuration: dict[str, str]) -> _Setting:
    clocks: list[tuple[TimeSource, datetime]] = [
        (time_source, ts)
        for time_source, names in _CLOCKS.items()
        for name in names
        if (ts := parse_time(configuration.get(name), source.zone)) is not None
    ]
    host = next((configuration[name] for name in _HOST if configuration.get(name)), None)
    return _Setting(
        ts=clocks[0][1] if clocks else None,
        time_source=clocks[0][0] if clocks else "result",
        host=read_text(host),
        run=run_properties({key: value for key, value in configuration.items() if key not in _OWN_KEYS}),
        tags={
            tag: read_text(configuration.get(key))
            for tag, key in (("os", "goos"), ("arch", "goarch"), ("suite", "pkg"))
        },
    )


def _measurements(setting: _Setting, directions: dict[str, Direction], row: _Row) -> Iterator[Result]:
    values, units = row.fields[1::2], row.fields[2::2]
    found = _PROCESSORS.fullmatch(row.name)
    name = read_name(found["name"] if found else row.name)
    if isinstance(name, Problem):
        yield rejection(row.location, "name", name, row.name)
        return
    if set(row.fields[0]) == {"0"}:
        yield Omission("idle")
        return
    whole = " ".join(row.fields)
    for written, unit in zip(values, units, strict=False):
        value = read_number_text(written) if read_text(unit) else Problem("wrong_type", "expected a unit in UTF-8")
        if unit in _GOS_OWN_UNITS:
            value = not_negative(value, "a duration or size")
        if isinstance(value, Problem):
            yield rejection(row.location, unit, value, whole)
        else:
            processors = found["number"] if found else None
            yield _measurement(setting, directions.get(unit), row.location, name, processors, value, unit)
    if len(values) > len(units):
        yield rejection(row.location, "", Problem("truncated", "a value without unit"), whole)


def _measurement(
    setting: _Setting,
    direction: Direction | None,
    location: str,
    name: str,
    processors: str | None,
    value: float,
    unit: str,
) -> Measurement:
    metric, raw_unit = _metric(unit)
    run = setting.run
    return Measurement(
        location=f"{location}, {unit}",
        metric=metric,
        raw_value=value,
        raw_unit=raw_unit,
        ts=setting.ts,
        time_source=setting.time_source,
        run_key=run.run_key,
        attempt=run.attempt,
        test_name=name,
        test_type="benchmark",
        node_id=setting.host,
        branch=run.branch,
        commit_id=run.commit_id,
        ci_job_id=run.ci_job_id,
        run_url=run.run_url,
        direction=direction,
        tags=described(setting.tags | {"runtime": processors and f"GOMAXPROCS={processors}"}),
        context=described(run.others),
    )


def _metric(unit: str) -> tuple[str, str]:
    """Metric and unit of a unit as it is written, which may have the name of what is measured before it."""
    if (metric := benchmark_metric(unit)) != "benchmark_value":
        return metric, unit
    named = _NAMED_UNIT.fullmatch(unit)
    return (named["name"], named["unit"]) if named else (unit, unit)


FORMAT = Format("go-bench", _recognises, _read, mark=re.compile(rb"^Benchmark\S*\s+\d+\s+[\d.]+ ns/op\b", re.MULTILINE))
