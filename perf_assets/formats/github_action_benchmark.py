"""github-action-benchmark history: `data.js`, or the same as JSON.

Series: repository, suite and benchmark name. Value and unit: `value` in `unit`, converted; `range` is kept as the
spread. Direction: the tool's where it says one, else the unit's. Time: `date` of the entry (epoch ms, the run's own
clock), else the commit's. Run: commit and date, so that two runs of one commit stay two. Repetitions: none in this
format. A bench without name or finite value is rejected, the others of its entry are read.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator

from perf_assets.catalog import Direction, canonical_unit
from perf_assets.formats.json_stream import damage_rejection, read_characters, read_json
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    FormatError,
    Input,
    Measurement,
    Problem,
    Rejection,
    TimeSource,
    as_chunk,
    as_json,
    parse_time,
    read_number,
    read_text,
    rejection,
)

_TOOL_DIRECTION: dict[str, Direction] = {
    "customBiggerIsBetter": "higher_is_better",
    "customSmallerIsBetter": "lower_is_better",
}
_METRIC_OF_UNIT = {
    "s": "benchmark_time",
    "1/s": "benchmark_throughput",
    "By": "benchmark_memory",
    "By/s": "benchmark_data_rate",
}
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)
_REPOSITORY = re.compile(r"^(?:\w+://)?[^/]+/(?P<name>[^?#]+?)/?(?:\.git)?$")


def _recognises(head: bytes, name: str) -> bool:
    return b"BENCHMARK_DATA" in head[:200] or (b'"entries"' in head and b'"benches"' in head)


def _read(source: Input) -> Iterator[Chunk]:
    text = read_characters(source.path)
    start = text.find("{")
    if start < 0:
        raise FormatError("unreadable", f"{source.name}: no JSON object in the file; expected data.js as published")
    history, _, damage = read_json(text, start)
    entries = history.get("entries") if isinstance(history, dict) else None
    if not isinstance(history, dict) or not isinstance(entries, dict):
        raise FormatError(
            "wrong_type" if damage is None else "truncated",
            f"{source.name}, entries: no whole object `entries`; send data.js as published",
            "entries",
        )
    repository = read_text(history.get("repoUrl"))
    found = _REPOSITORY.match(repository) if repository else None
    project = found["name"] if found else "benchmarks"
    for suite, runs in entries.items():
        yield _suite(source, project, suite, runs)
    if damage is not None:
        yield as_chunk([], [damage_rejection(source.name, text, "", damage)])


def _suite(source: Input, project: str, suite: str, runs: object) -> Chunk:
    place = f"entries.{suite}"
    if read_text(suite) is None:
        return as_chunk([], [rejection(place, "", Problem("missing_identity", "a suite needs a name in UTF-8"), runs)])
    if not isinstance(runs, list):
        return as_chunk([], [rejection(place, "", Problem("wrong_type", "expected a list of runs"), runs)])
    results = [result for index, run in enumerate(runs) for result in _run(source, project, suite, index, run)]
    return as_chunk(
        [result for result in results if isinstance(result, Measurement)],
        [result for result in results if isinstance(result, Rejection)],
    )


def _run(source: Input, project: str, suite: str, index: int, run: object) -> Iterator[Measurement | Rejection]:
    place = f"entries.{suite}[{index}]"
    if not isinstance(run, dict):
        problem = Problem("wrong_type", "expected an object with `commit`, `date` and `benches`")
        yield rejection(place, "", problem, run)
        return
    benches = run.get("benches")
    if not isinstance(benches, list):
        yield rejection(place, "benches", Problem("wrong_type", "expected a list of benchmarks"), run)
        return
    described = run.get("commit")
    commit = described if isinstance(described, dict) else {}
    commit_id = read_text(commit.get("id"))
    clocks: list[tuple[TimeSource, object]] = [("result", run.get("date")), ("commit", commit.get("timestamp"))]
    times = [(origin, value, parsed) for origin, value in clocks if (parsed := parse_time(value)) is not None]
    time_source, clock, ts = times[0] if times else ("receipt", "", source.received_at)
    run_key = f"{commit_id or _digest(run)}@{clock}"
    tool = read_text(run.get("tool")) or ""
    for number, bench in enumerate(benches):
        where = f"{place}.benches[{number}]"
        if not isinstance(bench, dict):
            yield rejection(where, "", Problem("wrong_type", "expected an object with `name` and `value`"), bench)
            continue
        test_name, value = read_text(bench.get("name")), read_number(bench.get("value"))
        if test_name is None:
            yield rejection(where, "name", Problem("missing_identity", "a benchmark needs a name in UTF-8"), bench)
            continue
        if isinstance(value, Problem):
            absent = bench.get("value") is None
            yield rejection(where, "value", Problem("missing_value", "no value") if absent else value, bench)
            continue
        raw_unit = read_text(bench.get("unit")) or ""
        if bench.get("unit") not in (None, "") and not raw_unit:
            yield rejection(where, "unit", Problem("wrong_type", "expected a unit as text"), bench)
            continue
        unit = canonical_unit(raw_unit)
        extra = {"tool": tool, "extra": read_text(bench.get("extra"))}
        yield Measurement(
            location=where,
            ts=ts,
            time_source=time_source,
            project=project,
            metric=_METRIC_OF_UNIT.get(unit.unit, "benchmark_value"),
            unit=unit.unit,
            value=value * unit.factor,
            raw_value=value,
            raw_unit=raw_unit,
            run_key=run_key,
            test_name=test_name,
            test_type="benchmark",
            commit_id=commit_id,
            run_url=read_text(commit.get("url")),
            direction=_TOOL_DIRECTION.get(tool),
            spread=_spread(read_text(bench.get("range")), unit.factor),
            tags=as_json({"suite": suite}),
            context=as_json({key: text for key, text in extra.items() if text}),
        )


def _digest(run: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:24]


def _spread(text: str | None, factor: float) -> float | None:
    found = None if text is None or "%" in text else _NUMBER.search(text.replace(",", ""))
    spread = float(found[0]) * factor if found else math.inf
    return spread if math.isfinite(spread) else None


FORMAT = Format("github-action-benchmark", _recognises, _read)
