"""github-action-benchmark history: `data.js`, or the same as JSON.

Series: repository, suite and benchmark name. Value and unit: `value` in `unit`, converted; `range` is kept as the
spread. Direction: the tool's where it says one, else the unit's. Time: `date` of the entry (epoch ms, the run's own
clock), else the commit's. Run: commit and date, so that two runs of one commit stay two. Repetitions: none in this
format. A bench without name or finite value is rejected, the others of its entry are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    parse_time,
    read_name,
    read_number,
    read_text,
    rejection,
)

_TOOL_DIRECTION: dict[str, Direction] = {
    "customBiggerIsBetter": "higher_is_better",
    "customSmallerIsBetter": "lower_is_better",
}
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)
_BEFORE = re.compile(r"[^{]*(?=\{)")
_REPOSITORY = re.compile(r"^(?:\w+://)?[^/]+/(?P<name>[^?#]+?)/?(?:\.git)?$")


def _recognises(head: Head) -> bool:
    return "BENCHMARK_DATA" in head.text[:200] or ("entries" in head.json_paths and b'"benches"' in head.content)


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Measurement | Rejection]:
    for document in read_documents(source.path, source.name, "entries.*[].benches[]", before=_BEFORE):
        repository = read_text(as_object(document.root).get("repoUrl"))
        named = _REPOSITORY.match(repository) if repository else None
        project = named["name"] if named else None
        for record in document.records:
            yield record if isinstance(record, Rejection) else _bench(source, project, record)


def _bench(source: Input, project: str | None, record: Record) -> Measurement | Rejection:
    bench, run = record.value, record.parents[3]
    if not isinstance(bench, dict):
        problem = Problem("wrong_type", "expected an object with `name` and `value`")
        return rejection(record.path, "", problem, bench)
    test_name, value = read_name(bench.get("name")), read_number(bench.get("value"))
    if isinstance(test_name, Problem):
        return rejection(record.path, "name", test_name, bench)
    if isinstance(value, Problem):
        return rejection(record.path, "value", value, bench)
    raw_unit = read_text(bench.get("unit")) or ""
    if bench.get("unit") not in (None, "") and not raw_unit:
        return rejection(record.path, "unit", Problem("wrong_type", "expected a unit as text"), bench)
    commit = as_object(run.get("commit"))
    commit_id = read_text(commit.get("id"))
    clocks: list[tuple[TimeSource, object]] = [("result", run.get("date")), ("commit", commit.get("timestamp"))]
    times = [(origin, value, ts) for origin, value in clocks if (ts := parse_time(value, source.zone)) is not None]
    time_source, clock, ts = times[0] if times else (None, "", None)
    tool = read_text(run.get("tool")) or ""
    return Measurement(
        location=record.path,
        metric=benchmark_metric(raw_unit),
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
        direction=_TOOL_DIRECTION.get(tool),
        raw_spread=_spread(read_text(bench.get("range"))),
        tags=as_json({"suite": record.keys[1]}),
        context=described({"tool": tool, "extra": read_text(bench.get("extra"))}),
    )


def _spread(text: str | None) -> float | None:
    found = None if text is None or "%" in text else _NUMBER.search(text.replace(",", ""))
    return float(found[0]) if found else None


FORMAT = Format("github-action-benchmark", _recognises, _read)
