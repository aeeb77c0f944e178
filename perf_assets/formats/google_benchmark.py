"""Google Benchmark: JSON of `--benchmark_out` or `--benchmark_format=json`, also of before 1.5, without `run_type`.

Series: name of the benchmark, executable (as suite), host, and metric: `real_time` is benchmark_time, `cpu_time`
benchmark_cpu_time, `items_per_second` benchmark_throughput, `bytes_per_second` benchmark_data_rate, `max_bytes_used`
benchmark_memory; a counter of the user's is a metric of its own name without unit. Value and unit: times are in
`time_unit`, ns where there is none. Time: `context.date`, in the zone of the source where it names none. Run: the run
id in the context, else the whole context, which has date, host, executable and load. Commit and branch come from
`--benchmark_context` where they have well-known names.

Repetitions: rows of one name are one measurement, the median of all; aggregates beside them are none. Where a file has
aggregates only (`--benchmark_report_aggregates_only`), the value is the median, else the mean, and the spread the
standard deviation; a coefficient of variation, custom statistics and the fit of a complexity (BigO, RMS) are never
values. Rows with `error_occurred` are counted as errored, those with `skipped` as skipped, those of no iterations as
idle. A field that is no finite number, or a negative time, is rejected, the others of its row are read.

Of a file that breaks off, aggregates without repetitions that may lack a row are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import PureWindowsPath
from typing import Any, NamedTuple

from perf_assets.formats.benchmark_rows import (
    RunProperties,
    not_negative,
    records_with,
    repetitions_merged,
    run_properties,
)
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Document, Record, read_documents
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
    chunked,
    described,
    digest_of,
    number_or_none,
    parse_time,
    read_name,
    read_number,
    read_text,
    rejection,
)

_PATTERN = "benchmarks[]"
_TIMES = {"real_time": "benchmark_time", "cpu_time": "benchmark_cpu_time"}
_RATES_AND_SIZES = {
    "items_per_second": ("benchmark_throughput", "1/s"),
    "bytes_per_second": ("benchmark_data_rate", "By/s"),
    "max_bytes_used": ("benchmark_memory", "By"),
}
_KNOWN = {*_TIMES, *_RATES_AND_SIZES}
_DESCRIBING = {
    "name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index",
    "threads", "aggregate_name", "aggregate_unit", "iterations", "time_unit", "error_occurred", "error_message",
    "skipped", "skip_message", "label", "big_o", "cpu_coefficient", "real_coefficient", "rms",
}  # fmt: skip
_OLD_AGGREGATE = re.compile(r"(?P<name>.+)_(?P<statistic>mean|median|stddev|cv|BigO|RMS)")
_COMPLEXITY = ("BigO", "RMS")
_OLD_DATES = (
    (re.compile(r"(?P<m>\d\d)/(?P<d>\d\d)/(?P<y>\d\d) (?P<time>[\d:]+)", re.ASCII), "20{y}-{m}-{d}T{time}"),
    (re.compile(r"(?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d)-(?P<time>[\d:]+)", re.ASCII), "{y}-{m}-{d}T{time}"),
)
"""As builds of before 1.5 wrote it, on Windows and elsewhere."""
_BUILD = ("num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "library_build_type", "library_version", "aslr_enabled")


class _Run(NamedTuple):
    ts: datetime | None
    run_key: str | None
    host: str | None
    suite: str | None
    properties: RunProperties
    build: dict[str, object]


class _Row(NamedTuple):
    """A row of the list: what it measures, or of what it is which statistic."""

    path: str
    name: str
    statistic: str | None
    fields: dict[str, Any]


def _recognises(head: Head) -> bool:
    if head.has("context.library_build_type") or head.has("context.num_cpus", "context.mhz_per_cpu"):
        return True
    return head.has("benchmarks[].real_time", "benchmarks[].cpu_time")


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(repetitions_merged(_results(source)))


def _results(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, _PATTERN):
        context = as_object(as_object(document.root).get("context"))
        run = _run(source, context)
        if run.ts is None and read_text(context.get("date")):
            problem = Problem("bad_time", "expected a time in ISO 8601; its rows have the time of receipt")
            yield rejection(f"{document.place}context", "date", problem, context["date"])
        yield from _rows(source, document, run)


def _rows(source: Input, document: Document, run: _Run) -> Iterator[Result]:
    repeated: set[str] = set()
    aggregates: dict[str, list[_Row]] = {}
    last = ""
    for record in records_with(document, "context"):
        if isinstance(record, Rejection):
            yield record
            if record.reason == "truncated":
                aggregates.pop(last, None)
            continue
        row = _row(record)
        if isinstance(row, Rejection):
            yield row
        elif row.statistic is None:
            repeated.add(row.name)
            yield from _measurements(run, row, {})
        elif row.statistic not in _COMPLEXITY or "real_time" in row.fields:
            last = row.name
            aggregates.setdefault(row.name, []).append(row)
    for name, rows in aggregates.items():
        if not _are_statistics(rows):
            for row in rows:
                yield from _measurements(run, row._replace(name=f"{name}_{row.statistic}"), {})
        elif name not in repeated:
            yield from _aggregated(run, rows)


def _run(source: Input, context: dict[str, Any]) -> _Run:
    date, host, executable = (read_text(context.get(name)) for name in ("date", "host_name", "executable"))
    known = {"date", "host_name", "executable", *_BUILD}
    properties = run_properties(
        {key: value for key, value in context.items() if key not in known and isinstance(value, str)}
    )
    return _Run(
        ts=_time(date, source.zone),
        run_key=properties.run_key or (digest_of(context) if date else None),
        host=host,
        # A path of Windows' may have slashes of either kind.
        suite=PureWindowsPath(executable).name.removesuffix(".exe") or None if executable else None,
        properties=properties,
        build={name: context.get(name) for name in _BUILD},
    )


def _time(date: str | None, zone: tzinfo) -> datetime | None:
    for pattern, written in _OLD_DATES if date else ():
        if (found := pattern.fullmatch(date or "")) is not None:
            return parse_time(written.format(**found.groupdict()), zone)
    return parse_time(date, zone)


def _row(record: Record) -> _Row | Rejection:
    fields = record.value
    if not isinstance(fields, dict):
        problem = Problem("wrong_type", "expected an object with `name` and `real_time`")
        return rejection(record.path, "", problem, fields)
    name = read_name(fields.get("name"))
    if isinstance(name, Problem):
        return rejection(record.path, "name", name, fields)
    if fields.get("time_unit") not in (None, "") and read_text(fields["time_unit"]) is None:
        return rejection(record.path, "time_unit", Problem("wrong_type", "expected a unit as text"), fields)
    statistic = read_text(fields.get("aggregate_name"))
    if statistic is not None:
        own_name = read_text(fields.get("run_name")) or name.removesuffix(f"_{statistic}")
        return _Row(record.path, own_name, statistic, fields)
    old = _OLD_AGGREGATE.fullmatch(name) if "run_type" not in fields else None
    if old is not None:
        return _Row(record.path, old["name"], old["statistic"], fields)
    return _Row(record.path, name, None, fields)


def _are_statistics(rows: list[_Row]) -> bool:
    """Whether names end in `_mean` and the like because the rows are aggregates; before 1.5 their company tells."""
    found = {row.statistic for row in rows}
    return any("aggregate_name" in row.fields for row in rows) or (
        "stddev" in found and not found.isdisjoint({"mean", "median"})
    )


def _aggregated(run: _Run, rows: list[_Row]) -> Iterator[Result]:
    """The one measurement that the statistics of a benchmark stand for."""
    found = {row.statistic: row for row in rows}
    typical = found.get("median") or found.get("mean")
    deviation = found.get("stddev")
    if typical is not None:
        yield from _measurements(run, typical, deviation.fields if deviation else {})


def _measurements(run: _Run, row: _Row, deviation: dict[str, Any]) -> Iterator[Result]:
    outcome = _outcome(row.fields)
    if outcome is not None:
        yield Omission(outcome)
        return
    if "real_time" not in row.fields:
        yield rejection(row.path, "real_time", Problem("missing_value", "no value"), row.fields)
    for field, value in row.fields.items():
        if field not in _DESCRIBING and (field in _KNOWN or type(value) in (int, float)):
            yield _measurement(run, row, field, number_or_none(deviation.get(field)))


def _outcome(fields: dict[str, Any]) -> Outcome | None:
    if fields.get("error_occurred") is True:
        return "errored"
    if fields.get("skipped") is True:
        return "skipped"
    return "idle" if fields.get("iterations") == 0 else None


def _metric(field: str, fields: dict[str, Any]) -> tuple[str | Problem, str]:
    if field in _TIMES:
        return _TIMES[field], read_text(fields.get("time_unit")) or "ns"
    return _RATES_AND_SIZES[field] if field in _RATES_AND_SIZES else (read_name(field), "")


def _measurement(run: _Run, row: _Row, field: str, spread: float | None) -> Measurement | Rejection:
    metric, unit = _metric(field, row.fields)
    if isinstance(metric, Problem):
        return rejection(row.path, field, metric, row.fields)
    value = read_number(row.fields[field])
    if field in _TIMES:
        value = not_negative(value)
    if isinstance(value, Problem):
        return rejection(row.path, field, value, row.fields)
    return Measurement(
        location=f"{row.path}.{field}",
        metric=metric,
        raw_value=value,
        raw_unit=unit,
        ts=run.ts,
        run_key=run.run_key,
        attempt=run.properties.attempt,
        test_name=row.name,
        test_type="benchmark",
        node_id=run.host,
        branch=run.properties.branch,
        commit_id=run.properties.commit_id,
        ci_job_id=run.properties.ci_job_id,
        run_url=run.properties.run_url,
        raw_spread=spread,
        tags=described({"suite": run.suite}),
        context=described(
            {
                **run.properties.others,
                **run.build,
                "threads": row.fields.get("threads"),
                "label": read_text(row.fields.get("label")),
            }
        ),
    )


FORMAT = Format("google-benchmark", _recognises, _read)
