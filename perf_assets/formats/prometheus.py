"""Prometheus: answers of the HTTP API (v1) to range queries (matrix) and instant queries (vector).

Series: the metric `__name__` on the node `instance` of the node type `job`; `test_name` or `test`, `test_type`,
`project` (or `repository`), `branch` and the tags suite, os, arch and runtime where there are labels of these names.
All other labels tell series apart as parameters of the test name, in alphabetical order: `cpu_usage[cpu=0,mode=idle]`.
Value: the number written as text, in the unit of the catalogue, else in that which the end of the name says
(`_seconds`, `_bytes`, `_ratio`, `_celsius`, `_hertz`), else in none. Time: that of the sample, seconds since 1970 by
the server's clock. Run: the time of the sample, so that what was measured at one time belongs together. Repetitions:
none in this format.

"NaN" says that there is nothing to measure (as 0/0 does) and is counted as idle. "+Inf" and "-Inf" are rejected, as are
series without a name, native histograms, and what is no number. Known limits: an expression drops the name of its
metric; it is kept by `label_replace(expression, "__name__", "metric", "", "")`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from perf_assets.catalog import Catalog
from perf_assets.formats.ci_runs import BrokenFieldError, name_in, path_of, results_of
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record
from perf_assets.formats.measurement import (
    Format,
    Input,
    Measurement,
    Omission,
    Problem,
    Result,
    as_json,
    chunked,
    parse_time,
    read_number,
    read_number_text,
    read_text,
    rejection,
    with_parameters,
)

_TAGS = ("suite", "os", "arch", "runtime")
_TESTS = ("test_name", "test")
_PROJECTS = ("project", "repository")
_OWN_FIELDS = {"__name__", "instance", "job", "test_type", "branch", *_TAGS, *_TESTS, *_PROJECTS}
_UNIT_OF_SUFFIX = {"_seconds": "s", "_bytes": "By", "_ratio": "1", "_celsius": "Cel", "_hertz": "Hz"}
_TYPES = ('"matrix"', '"vector"')


def _recognises(head: Head) -> bool:
    if not head.has("data.resultType", "data.result"):
        return False
    return head.has("data.result[].metric") or any(kind in head.text for kind in _TYPES)


def _results(source: Input) -> Iterator[Result]:
    return results_of(source, ["data.result[]"], lambda record: _series(source, record))


def _series(source: Input, record: Record) -> Iterator[Result]:
    labels = record.value.get("metric")
    if not isinstance(labels, dict):
        raise BrokenFieldError("metric", Problem("wrong_type", "expected labels"))
    measured = _measured(labels, source.catalog)
    values = record.value.get("values")
    if record.value.get("histograms") or record.value.get("histogram"):
        problem = Problem("wrong_type", "a native histogram is no value; query a quantile")
        yield rejection(record.path, "histograms", problem, record.value)
        if values is None and "value" not in record.value:
            return
    if values is None and "value" in record.value:
        yield _sample(f"{record.path}.value", record.value["value"], measured)
        return
    if not isinstance(values, list):
        raise BrokenFieldError("values", Problem("wrong_type", "expected samples"))
    for number, sample in enumerate(values):
        yield _sample(f"{record.path}.values[{number}]", sample, measured)


def _measured(labels: Mapping[str, Any], catalog: Catalog) -> Measurement:
    """What all samples of a series share."""
    metric = name_in(labels, "__name__")
    test = next((name for label in _TESTS if (name := read_text(labels.get(label)))), None)
    others = {name: labels[name] for name in sorted(labels) if name not in _OWN_FIELDS}
    return Measurement(
        location="",
        metric=metric,
        raw_value=0.0,
        raw_unit=catalog[metric].unit or next((u for end, u in _UNIT_OF_SUFFIX.items() if metric.endswith(end)), ""),
        project=next((name for label in _PROJECTS if (name := read_text(labels.get(label)))), None),
        test_name=path_of("metric", with_parameters(test or metric, others)) if others or test else None,
        test_type=read_text(labels.get("test_type")),
        node_id=read_text(labels.get("instance")),
        node_type=read_text(labels.get("job")),
        branch=read_text(labels.get("branch")),
        tags=as_json(tags) if (tags := {name: labels[name] for name in _TAGS if read_text(labels.get(name))}) else None,
    )


def _sample(path: str, sample: object, measured: Measurement) -> Result:
    if not isinstance(sample, list) or len(sample) != 2 or not isinstance(sample[1], str):
        return rejection(path, "", Problem("wrong_type", "expected a time and a number as text"), sample)
    ts = _time(sample[0])
    if isinstance(ts, Problem):
        return rejection(path, "", ts, sample)
    if sample[1] == "NaN":
        return Omission("idle")
    value = read_number_text(sample[1])
    if isinstance(value, Problem):
        return rejection(path, "", value, sample)
    run_key = f"prometheus@{ts.isoformat()}"
    return replace(measured, location=path, raw_value=value, ts=ts, run_key=run_key)


def _time(value: object) -> datetime | Problem:
    """Seconds since 1970, whatever their size."""
    seconds = read_number(value)
    if isinstance(seconds, Problem):
        return Problem("bad_time", "expected seconds since 1970")
    moment = parse_time(seconds) if abs(seconds) < 1e11 else None
    return moment or Problem("bad_time", "expected seconds since 1970")


FORMAT = Format("prometheus", _recognises, lambda source: chunked(_results(source)))
