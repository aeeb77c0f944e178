"""github-action-benchmark history: `data.js`, or the same as JSON.

Series: repository, suite and benchmark name. Value and unit: `value` in `unit`, converted; `range` is kept as the
spread: a share is one of the value, and pytest's, in seconds beside iterations a second, is converted. Direction:
that of the custom tools; else that of the unit, and where it has none that of the tool. Time: `date` of the entry
(epoch ms, the run's own clock), else the commit's. Run: commit and date, so that two runs of one commit stay two.
Repetitions: none in this format. Where the unit is the rest of a line of `go test`, what else that measured is a
benchmark named as the action names it (`BenchmarkX - B/op`). A bench without name or finite value is rejected, the
others of its entry are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

from perf_assets.catalog import Direction
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Problem,
    Rejection,
    TimeSource,
    as_json,
    as_object,
    benchmark_metric,
    chunked,
    described,
    digest_of,
    number_or_none,
    parse_time,
    read_name,
    read_number_or_text,
    read_number_text,
    read_text,
    rejection,
)

_TOOL_DIRECTION: dict[str, Direction] = {
    "customBiggerIsBetter": "higher_is_better",
    "customSmallerIsBetter": "lower_is_better",
}
_OF_RATES = ("benchmarkjs", "pytest")
_OF_TIMES = ("cargo", "go", "googlecpp", "catch2", "julia", "jmh", "benchmarkdotnet", "benchmarkluau")
"""Tools by what they report for the better."""
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)
_BEFORE = re.compile(r"[^{]*(?=\{)")
_REPOSITORY = re.compile(r"^(?:\w+://)?[^/]+/(?P<name>[^?#]+?)/?(?:\.git)?$")


def _recognises(head: Head) -> bool:
    if "BENCHMARK_DATA" in head.text[:200]:
        return True
    return any(path.startswith("entries.") and path.endswith("[].benches") for path in head.json_paths)


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Measurement | Rejection]:
    for document in read_documents(source.path, source.name, "entries.*[].benches[]", before=_BEFORE):
        repository = read_text(as_object(document.root).get("repoUrl"))
        named = _REPOSITORY.match(repository) if repository else None
        project = named["name"] if named else None
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
                continue
            measured = _bench(source, project, record)
            yield measured
            if isinstance(measured, Measurement):
                yield from _further(measured, as_object(record.value).get("unit"))


def _further(first: Measurement, unit: object) -> Iterator[Measurement]:
    """What else a line of `go test` measured: the action takes the rest of it for the unit, and names it so."""
    rest = str(unit).split()[1:] if "\t" in str(unit) else []
    for number, of_number in zip(rest[::2], rest[1::2], strict=False):
        value = read_number_text(number)
        if isinstance(value, float):
            metric = benchmark_metric(of_number)
            yield replace(
                first,
                metric=metric,
                raw_value=value,
                raw_unit=of_number,
                raw_spread=None,
                test_name=f"{first.test_name} - {of_number}",
                direction=_direction("go", metric, of_number),
            )


def _bench(source: Input, project: str | None, record: Record) -> Measurement | Rejection:
    bench, run = record.value, record.parents[3]
    if not isinstance(bench, dict):
        problem = Problem("wrong_type", "expected an object with `name` and `value`")
        return rejection(record.path, "", problem, bench)
    # The action passes on what custom tools write, be it text.
    test_name, value = read_name(bench.get("name")), read_number_or_text(bench.get("value"))
    if isinstance(test_name, Problem):
        return rejection(record.path, "name", test_name, bench)
    if isinstance(value, Problem):
        return rejection(record.path, "value", value, bench)
    raw_unit = (read_text(bench.get("unit")) or "").partition("\t")[0]
    if bench.get("unit") not in (None, "") and not raw_unit:
        return rejection(record.path, "unit", Problem("wrong_type", "expected a unit as text"), bench)
    commit = as_object(run.get("commit"))
    commit_id = read_text(commit.get("id"))
    clocks: list[tuple[TimeSource, object]] = [("result", run.get("date")), ("commit", commit.get("timestamp"))]
    times = [(origin, value, ts) for origin, value in clocks if (ts := parse_time(value, source.zone)) is not None]
    time_source, clock, ts = times[0] if times else (None, "", None)
    tool = read_text(run.get("tool")) or ""
    metric = benchmark_metric(raw_unit)
    return Measurement(
        location=record.path,
        metric=metric,
        raw_value=value,
        raw_unit=raw_unit,
        ts=ts,
        time_source=time_source or "receipt",
        project=project,
        run_key=f"{commit_id or digest_of(run)}@{clock}",
        test_name=test_name,
        test_type="benchmark",
        commit_id=commit_id,
        run_url=read_text(commit.get("url")),
        direction=_direction(tool, metric, raw_unit),
        raw_spread=_spread(bench.get("range"), value, raw_unit),
        tags=as_json({"suite": record.keys[1]}),
        context=described({"tool": tool, "extra": read_text(bench.get("extra"))}),
    )


def _direction(tool: str, metric: str, unit: str) -> Direction | None:
    if tool in _TOOL_DIRECTION or metric != "benchmark_value":
        return _TOOL_DIRECTION.get(tool)
    if tool in _OF_RATES:
        return "higher_is_better"
    # What a benchmark counts by the second, tools that measure time report as well.
    return "lower_is_better" if tool in _OF_TIMES and not unit.endswith(("/s", "/sec")) else None


def _spread(written: object, value: float, unit: str) -> float | None:
    number = number_or_none(written)
    text = read_text(written) if number is None else str(abs(number))
    found = None if text is None else _NUMBER.search(text.replace(",", ""))
    if text is None or found is None:
        return None
    spread = float(found[0])
    if "%" in text:
        spread = abs(value) * spread / 100
    elif text.startswith("stddev") and unit == "iter/sec":
        spread *= value**2
    return spread if isfinite(spread) else None


FORMAT = Format("github-action-benchmark", _recognises, _read)
