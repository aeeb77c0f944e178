"""k6's end-of-test summary: the data of `handleSummary`, `--summary-export` (flat, without types), and the
machine-readable summary of k6 1.5 and later (`--new-machine-readable-summary`, schema 1).

Series: metric and, as test, the script where the summary names it and the tags of a submetric
(`expected_response:true`). The metric is k6's own with the statistic behind it: of a trend `.med`, `.p95` and `.p99`
(`.avg` and `.p90` where none of them was asked for, else whatever was), of a counter `.rate` and `.count`; the ratio
of a rate and the value of a gauge have k6's plain name. Values and units: times in ms, data in bytes, others without
unit. The flat summary tells no units: those of k6's own metrics are known, a trend of the user's has none there.
Direction: lower is better for times and failures, higher for throughput and checks. Repetitions: none. Time: that of
generation in the machine-readable summary, none in the others. Run: that time, else the file.

A trend without samples is counted as idle: k6 writes zeros for it, so a time that is zero in every statistic is one,
and a rate of no events. Thresholds are no values; those that failed are context (`ok: true` means passed in
handleSummary, and `true` means failed in `--summary-export`). A statistic that is no finite number is rejected, the
others are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from perf_assets.catalog import Direction
from perf_assets.formats.benchmark_rows import not_negative, records_with
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Document, Record, read_documents
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
    parse_time,
    read_name,
    read_number,
    read_text,
    rejection,
    storable,
)
from perf_assets.formats.recognition import telling_head

_DATA, _SUMMARY = "metrics.*", "results.metrics[]"
_WANTED = {
    "trend": ({"med": "med", "p(95)": "p95", "p(99)": "p99"}, {"avg": "avg", "p(90)": "p90"}),
    "counter": ({"rate": "rate", "count": "count"},),
}
"""The statistics that become measurements, with what is put behind the metric's name; the second where none is there of
the first."""
_UNITS = {"time": "ms", "data": "By", "default": "1"}
_OWN_TIMES = re.compile(
    r"(http_req_(?!failed)|grpc_req_duration|ws_(?!msgs|sessions)|browser_web_vital_(?!cls)|browser_http_req_duration)"
    r"|(iteration|group)_duration$"
)
_OWN_DATA = re.compile(r"(browser_)?data_(received|sent)$")
_DIRECTIONS: dict[str, Direction] = {
    "http_req_failed": "lower_is_better", "browser_http_req_failed": "lower_is_better",
    "checks_failed": "lower_is_better", "dropped_iterations.count": "lower_is_better",
    "dropped_iterations.rate": "lower_is_better",
    "checks": "higher_is_better", "checks_succeeded": "higher_is_better", "http_reqs.rate": "higher_is_better",
    "iterations.rate": "higher_is_better",
}  # fmt: skip
_OTHER = re.compile(r"p\((?P<percent>[\d.]+)\)")
_NAME = re.compile(r"(?P<name>[^{]+)(\{(?P<tags>.*)\})?", re.DOTALL)


class _Run(NamedTuple):
    ts: datetime | None
    run_key: str | None
    script: str | None
    version: str | None


class _Metric(NamedTuple):
    """A metric of k6's, its statistics where the form at hand has them."""

    location: str
    name: str
    test_name: str | None
    kind: str
    contains: str
    values: dict[str, Any]
    failed_thresholds: list[str]


def _recognises(head: Head) -> bool:
    if _is_summary(head):
        return True
    return head.has("root_group", "metrics") or any(
        head.has(f"metrics.iterations.{place}count", f"metrics.vus.{place}value") for place in ("", "values.")
    )


def _is_summary(head: Head) -> bool:
    return head.has("metadata.k6Version") or head.has("results.metrics[].contains", "results.metrics[].values")


def _read(source: Input) -> Iterator[Chunk]:
    is_summary = _is_summary(telling_head(source.path, source.name, _recognises))
    return chunked(_summary(source) if is_summary else _data(source))


def _data(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, _DATA):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
            else:
                yield from _metric(_Run(None, None, None, None), record.path, record.keys[-1], record.value)


def _summary(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, _SUMMARY):
        run = _run(source, document)
        last: Record | None = None
        for record in records_with(document, "metadata"):
            if isinstance(record, Rejection):
                yield record
                continue
            last = record
            yield from _metric(run, record.path, as_object(record.value).get("name"), record.value)
        checks = as_object(last.parents[1].get("checks")).get("metrics") if last is not None else None
        for key, value in enumerate(checks) if isinstance(checks, list) else as_object(checks).items():
            yield from _metric(run, f"results.checks.metrics[{key}]", as_object(value).get("name"), value)


def _run(source: Input, document: Document) -> _Run:
    root = as_object(document.root)
    metadata = as_object(root.get("metadata"))
    ts = parse_time(metadata.get("generatedAt"), source.zone)
    script = read_text(as_object(root.get("config")).get("script"))
    name = PurePosixPath(script.strip().replace("\\", "/")).name if script else None
    return _Run(ts, None if ts is None else digest_of(ts, name), name, read_text(metadata.get("k6Version")))


def _metric(run: _Run, location: str, full_name: object, fields: object) -> Iterator[Result]:
    metric = _described_metric(run, storable(location), full_name, fields)
    if isinstance(metric, Rejection):
        yield metric
    elif _without_samples(metric):
        yield Omission("idle")
    else:
        for statistic, name in _statistics(metric).items():
            yield _measurement(run, metric, statistic, name)


def _described_metric(run: _Run, location: str, full_name: object, fields: object) -> _Metric | Rejection:
    if not isinstance(fields, dict):
        return rejection(location, "", Problem("wrong_type", "expected an object with statistics"), fields)
    full_name = read_name(full_name)
    found = _NAME.fullmatch(full_name) if isinstance(full_name, str) else None
    if found is None:
        problem = full_name if isinstance(full_name, Problem) else Problem("missing_identity", "expected a name")
        return rejection(location, "name", problem, fields)
    name, tags = found["name"].strip(), found["tags"]
    values = fields["values"] if isinstance(fields.get("values"), dict) else fields
    kind = read_text(fields.get("type")) or _kind(values)
    thresholds = as_object(fields.get("thresholds"))
    return _Metric(
        location=location,
        name=name,
        test_name=f"{run.script}{{{tags}}}" if run.script and tags else tags or run.script,
        kind=kind,
        contains=read_text(fields.get("contains")) or _contains(name, kind),
        values=values,
        failed_thresholds=[rule for rule, state in thresholds.items() if _failed(state)],
    )


def _kind(values: dict[str, Any]) -> str:
    """What a metric of the flat form is, which has no types."""
    if "passes" in values and "fails" in values:
        return "rate"
    if "avg" in values or "med" in values or any(name.startswith("p(") for name in values):
        return "trend"
    return "counter" if "count" in values else "gauge"


def _contains(name: str, kind: str) -> str:
    """What a metric of the flat form contains; of a trend of the user's nobody knows."""
    if _OWN_TIMES.match(name):
        return "time"
    if _OWN_DATA.match(name):
        return "data"
    return "" if kind == "trend" else "default"


def _failed(state: object) -> bool:
    return state is True or as_object(state).get("ok") is False


def _without_samples(metric: _Metric) -> bool:
    values = metric.values
    if metric.kind == "trend":
        numbers = [number_or_none(values[name]) for name in values if name not in ("thresholds", "count")]
        return not numbers or values.get("count") == 0 or (metric.contains == "time" and set(numbers) == {0})
    if metric.kind == "rate":
        return values.get("total") == 0 or (values.get("passes") == 0 and values.get("fails") == 0)
    return False


def _statistics(metric: _Metric) -> dict[str, str]:
    """The statistics that become measurements, with the names of their metrics."""
    if metric.kind not in _WANTED:
        return {"rate" if metric.kind == "rate" and "rate" in metric.values else "value": metric.name}
    others = {name: _OTHER.sub(r"p\g<percent>", name) for name in metric.values if name not in ("count", "thresholds")}
    choices = [
        {statistic: f"{metric.name}.{short}" for statistic, short in wanted.items() if statistic in metric.values}
        for wanted in (*_WANTED[metric.kind], *([others] if metric.kind == "trend" else []))
    ]
    return next((found for found in choices if found), {next(iter(_WANTED[metric.kind][0])): metric.name})


def _unit(metric: _Metric, statistic: str) -> str:
    if metric.kind == "rate":
        return "1"
    if metric.kind == "counter" and statistic == "rate":
        return "By/s" if metric.contains == "data" else "1/s"
    return _UNITS.get(metric.contains, "")


def _measurement(run: _Run, metric: _Metric, statistic: str, name: str) -> Measurement | Rejection:
    value = read_number(metric.values.get(statistic))
    if metric.contains in ("time", "data"):
        value = not_negative(value, "a duration or size")
    if isinstance(value, Problem):
        return rejection(metric.location, statistic, value, metric.values)
    is_time = metric.kind == "trend" and metric.contains == "time"
    return Measurement(
        location=f"{metric.location}.{statistic}",
        metric=name,
        raw_value=value,
        raw_unit=_unit(metric, statistic),
        ts=run.ts,
        run_key=run.run_key,
        test_name=metric.test_name,
        test_type="load",
        direction="lower_is_better" if is_time else _DIRECTIONS.get(name),
        context=described({"failed_thresholds": metric.failed_thresholds, "k6_version": run.version}),
    )


FORMAT = Format("k6", _recognises, _read)
