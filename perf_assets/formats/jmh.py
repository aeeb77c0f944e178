"""JMH's JSON (`-rf json`), and what kotlinx-benchmark and other writers of the same fields make.

Series: benchmark with its parameters (and `mode=sample` or `mode=ss`, whose unit is that of avgt), and Java as VM and
feature release (`OpenJDK 64-Bit Server VM 21`), which is another runtime. The primary metric is named after its unit,
benchmark_throughput or benchmark_time; each secondary metric is one of its own name without `·`
(`gc.alloc.rate.norm`). Value and unit: `score` in `scoreUnit`; the spread is `scoreError`, half of the confidence
interval of 99.9 %. Direction of the primary metric: higher is better in mode thrpt, lower in the others; secondary
metrics have none. Repetitions: the iterations of all forks (`rawData`; in mode sample the mean of each iteration's
histogram) are the replicates. Time: none in this format. Run: the file.

A failed benchmark is not in the file. A score that is no finite number is rejected, the others are read; a profile
without number (unit `---`) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from perf_assets.catalog import Direction
from perf_assets.formats.benchmark_rows import not_negative
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
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
    read_text,
    rejection,
    storable,
    with_parameters,
)

_DIRECTIONS: dict[str, Direction] = {
    "thrpt": "higher_is_better",
    "avgt": "lower_is_better",
    "sample": "lower_is_better",
    "ss": "lower_is_better",
}
_NOT_FINITE = ("NaN", "+INF", "-INF", "Infinity", "-Infinity")
_NO_NUMBER = "---"
# What became of the middle dot where a file was written in another encoding than it is read in.
_BEFORE_NAME = re.compile(r"^(?:.*·)?+\W*+(?=\w)", re.DOTALL)
_FEATURE_RELEASE = re.compile(r"(?:1\.)?(?P<release>\d+)", re.ASCII)
_EXPLAINING = (
    "jmhVersion", "jdkVersion", "vmName", "vmVersion", "jvmArgs", "threads", "forks", "warmupIterations",
    "measurementIterations", "measurementTime",
)  # fmt: skip


class _Place(NamedTuple):
    """A metric's benchmark, its field there, and its key if it is a secondary one."""

    location: str
    field: str
    key: str | None


def _recognises(head: Head) -> bool:
    return head.has("[].primaryMetric") or head.has("[].benchmark", "[].mode", "[].forks")


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, "[]"):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
            else:
                yield from _benchmark(record)


def _benchmark(record: Record) -> Iterator[Result]:
    fields = record.value
    if not isinstance(fields, dict):
        problem = Problem("wrong_type", "expected an object with `benchmark` and `primaryMetric`")
        yield rejection(record.path, "", problem, fields)
        return
    name = _test_name(fields)
    if isinstance(name, Problem):
        yield rejection(record.path, "benchmark", name, fields)
        return
    yield _metric(_Place(record.path, "primaryMetric", None), fields.get("primaryMetric"), fields, name)
    for key, metric in as_object(fields.get("secondaryMetrics")).items():
        if as_object(metric).get("scoreUnit") != _NO_NUMBER:
            yield _metric(_Place(record.path, f"secondaryMetrics.{key}", key), metric, fields, name)


def _test_name(fields: dict[str, Any]) -> str | Problem:
    benchmark = read_name(fields.get("benchmark"))
    if isinstance(benchmark, Problem):
        return benchmark
    mode = read_text(fields.get("mode"))
    parameters = as_object(fields.get("params"))
    return read_name(with_parameters(benchmark, parameters | ({"mode": mode} if mode in ("sample", "ss") else {})))


def _metric(place: _Place, metric: object, fields: dict[str, Any], name: str) -> Measurement | Rejection:
    location, field, key = place
    if not isinstance(metric, dict):
        problem = Problem("wrong_type", "expected an object with `score` and `scoreUnit`")
        return rejection(location, field, problem, fields)
    own_name = None if key is None else read_name(_BEFORE_NAME.sub("", key))
    if isinstance(own_name, Problem):
        return rejection(location, field, own_name, fields)
    raw_unit = read_text(metric.get("scoreUnit"))
    if raw_unit is None:
        problem = Problem("wrong_type", "expected a unit as text, such as ops/s or us/op")
        return rejection(location, f"{field}.scoreUnit", problem, metric)
    score = _score(metric.get("score"))
    if key is None:
        score = not_negative(score, "a duration or rate")
    if isinstance(score, Problem):
        return rejection(location, f"{field}.score", score, metric)
    return Measurement(
        location=storable(f"{location}.{field}"),
        metric=own_name or benchmark_metric(raw_unit),
        raw_value=score,
        raw_unit=raw_unit,
        test_name=name,
        test_type="benchmark",
        direction=_DIRECTIONS.get(str(fields.get("mode"))) if key is None else None,
        raw_spread=number_or_none(metric.get("scoreError")),
        raw_replicates=_iterations(metric),
        tags=described({"runtime": _runtime(fields)}),
        context=described({"mode": fields.get("mode"), **{key: fields.get(key) for key in _EXPLAINING}}),
    )


def _score(value: object) -> float | Problem:
    """A number; those that JSON cannot hold are written as text."""
    if value in _NOT_FINITE:
        return Problem("not_finite", "expected a finite number")
    return read_number(value)


def _iterations(metric: dict[str, Any]) -> tuple[float, ...] | None:
    forks = metric.get("rawData")
    if isinstance(forks, list):
        return numbers_in([value for fork in forks if isinstance(fork, list) for value in fork])
    forks = metric.get("rawDataHistogram")
    if isinstance(forks, list):
        return numbers_in([_mean(iteration) for fork in forks if isinstance(fork, list) for iteration in fork])
    return None


def _mean(histogram: object) -> float | None:
    """The mean of pairs of value and count."""
    if not isinstance(histogram, list):
        return None
    pairs = [(numbers_in(pair) or ()) for pair in histogram]
    if not all(len(pair) == 2 for pair in pairs):
        return None
    count = sum(count for _, count in pairs)
    return sum(value * count for value, count in pairs) / count if count > 0 else None


def _runtime(fields: dict[str, Any]) -> str:
    release = _FEATURE_RELEASE.match(read_text(fields.get("jdkVersion")) or "")
    return " ".join(filter(None, (read_text(fields.get("vmName")), release and release["release"])))


FORMAT = Format("jmh", _recognises, _read)
