"""OpenTelemetry metrics as OTLP/JSON: one export, several (one a line, as the collector's file exporter writes them)
or a list; and the resource alone, as Java's logging exporter writes it. Also of before OTLP 0.15
(`instrumentationLibraryMetrics`), in snake case, and as the Python SDK prints them.

Series: project is `service.namespace/service.name`; node is the first of `cicd.worker.name`, `k8s.node.name`,
`host.name` and a `service.instance.id` that is no UUID; suite is `test.suite.name`, else the name of the
instrumentation scope; test is `test.case.name`, else `http.route`, else `rpc.method`, else the metric. All other
attributes of the data point and of the scope, and those of the resource that last (environment, container, executable
and the like), are parameters of the test in alphabetical order, quoted where they have signs of their own, so that no
two sets of attributes are one series. What else the resource has is context.

Metric: the producer's name. A gauge has it plainly, and so has a sum that is not monotonic; what such a sum changed
by, where its points are of temporality delta, is `.change`. A monotonic sum is the rate of its increase, `.rate`, in
its unit a second: exports differ in length, so their increases could not be compared. The rate of a time (processor
time in s) is a ratio. Where the interval of a delta is not told or has no length, the value is the increase, in the
plain name. Of histograms `.mean`, `.p50`, `.p95` and `.p99` are worked out, linearly within a bucket, which `min` and
`max` narrow, unless they are of a longer time; a percentile in a bucket that stays open is left out, a first one up
to a positive bound begins at zero. A summary has its quantiles (`.p50`, `.min` for 0, `.max` for 1). Unit: that of
the metric, in UCUM.

A cumulative point counts for what was added since the point before it of the same stream in the file. The first one
counts since its start, and so does the first one with another start; after a fall without one, all of the value was
added since the point before. A first point without start, and one that is not newer than the point before, have no
value and are counted as idle, as are points that are flagged as without value, histograms and summaries of count 0,
and summaries whose quantiles are NaN. Direction: lower is better for histograms and summaries of times whose metric
is called a duration or latency; others have none. Time: `timeUnixNano`, the producer's clock. Run:
`cicd.pipeline.run.id`; the second and later points of a series in that run, and all points where there is none, are
runs of their own, known by their time. Repetitions: none; of two points of a series at one time one stays. Commit and
branch: `vcs.ref.head.*` of the resource. A broken point is rejected, the others are read.

Limits: resources that differ in nothing that lasts (two pods of one service) are one series. What a stream had
reached before the file begins is not known.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from perf_assets.catalog import canonical_unit
from perf_assets.formats.benchmark_rows import not_negative, run_properties
from perf_assets.formats.ci_runs import BrokenFieldError, guarded, name_in
from perf_assets.formats.head import Head
from perf_assets.formats.histograms import OPEN, Buckets, added_between, mean, percentile
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
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
    read_name,
    read_number,
    read_number_or_text,
    read_text,
    rejection,
    with_parameters,
)
from perf_assets.formats.recognition import telling_head

Temporality = Literal["delta", "cumulative"]

_ROOTS = ("resourceMetrics", "resource_metrics")
_SCOPES = ("scopeMetrics", "scope_metrics", "instrumentationLibraryMetrics", "instrumentation_library_metrics")
_LISTS = (*_ROOTS, *_SCOPES, "metrics")
"""Protobuf leaves out those that are empty."""
_DISTRIBUTIONS = ("histogram", "exponentialHistogram", "summary")
_KINDS = ("gauge", "sum", *_DISTRIBUTIONS)
_TEMPORALITIES: dict[int | str, Temporality] = {
    1: "delta", "AGGREGATION_TEMPORALITY_DELTA": "delta",
    2: "cumulative", "AGGREGATION_TEMPORALITY_CUMULATIVE": "cumulative",
}  # fmt: skip
_VALUES = ("asDouble", "asInt", "value")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_NODES = ("cicd.worker.name", "k8s.node.name", "host.name", "service.instance.id")
_SUITE = "test.suite.name"
_TESTS = ("test.case.name", "http.route", "rpc.method")
_LASTING = (
    "cloud.region", "container.name", "deployment.environment", "deployment.environment.name", "faas.name",
    "k8s.cluster.name", "k8s.container.name", "k8s.cronjob.name", "k8s.daemonset.name", "k8s.deployment.name",
    "k8s.namespace.name", "k8s.statefulset.name", "process.executable.name",
)  # fmt: skip
_USED = {"service.name", "service.namespace", "os.type", "host.arch", _SUITE, *_NODES, *_LASTING}
_UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
_DURATION = re.compile(r"(^|[._])(duration|latency)([._](s|ms|us|ns|seconds|milliseconds))?$")
_WHOLE_NUMBER = re.compile(r"-?\d{1,20}", re.ASCII)
_SIGNS = re.compile(r'[\[\],="]')
_HUMP = re.compile(r"_([a-z])")
_DEEPEST_NAMES = 12
_EPOCH = datetime.fromisoformat("1970-01-01")


class _Metric(NamedTuple):
    """A metric of a resource: what its measurements share, and what they are read from."""

    place: str
    kind: str
    data: dict[str, Any]
    temporality: Temporality | None
    common: Measurement
    lasting: dict[str, str]
    stream: str


class _Total(NamedTuple):
    """What a stream has reached at a time, since `start`, in nanoseconds since 1970; 0 where the file does not tell."""

    start: int
    time: int
    value: float | Buckets


class _Added(NamedTuple):
    """What came to a stream, and in how many nanoseconds."""

    value: float | Buckets
    nanoseconds: int


@dataclass
class _Seen:
    """The last point of each cumulative stream, and which series have a point in the run of a pipeline."""

    totals: dict[str, _Total] = field(default_factory=dict)
    in_runs: set[str] = field(default_factory=set)


def _recognises(head: Head) -> bool:
    exported = any(head.has(f"{before}{root}") for before in ("", "[].") for root in _ROOTS)
    return exported or any(head.has("resource", f"{scopes}[].metrics") for scopes in _SCOPES)


def _results(source: Input) -> Iterator[Result]:
    seen = _Seen()
    patterns = _patterns(telling_head(source.path, source.name, _recognises))
    for document in read_documents(source.path, source.name, *patterns):
        for record in document.records:
            if isinstance(record, Rejection):
                if record.field not in _LISTS:
                    yield record
            elif document.damaged and "resource" not in record.parents[-4]:
                problem = Problem("missing_identity", "its resource may lie behind the break of the file")
                yield rejection(record.path, "", problem, record.value)
            else:
                yield from guarded(record.path, record.value, _measurements(seen, record))


def _patterns(head: Head) -> list[str]:
    """Where the metrics are in an export, and in a list of exports."""
    names = {name for path in head.json_paths for name in path.split(".")}
    root = next((root for root in _ROOTS if not names.isdisjoint((root, f"{root}[]"))), _ROOTS[0])
    scopes = next((name for name in _SCOPES if not names.isdisjoint((name, f"{name}[]"))), _SCOPES[0])
    alone = any(path.startswith(f"{scopes}[]") for path in head.json_paths)
    metrics = f"{scopes}[].metrics[]" if alone else f"{root}[].{scopes}[].metrics[]"
    return [metrics, f"[].{metrics}"]


def _measurements(seen: _Seen, record: Record) -> Iterator[Result]:
    metric = _metric(record)
    points = metric.data.get("dataPoints", [])
    if not isinstance(points, list):
        raise BrokenFieldError(f"{metric.kind}.dataPoints", Problem("wrong_type", "expected a list"))
    for number, point in enumerate(points):
        place = f"{metric.place}[{number}]"
        if isinstance(point, dict):
            yield from guarded(place, point, _point(seen, metric, place, point))
        else:
            yield rejection(place, "", Problem("wrong_type", "expected an object"), point)


def _metric(record: Record) -> _Metric:
    resource, scope, fields = record.parents[-4], record.parents[-2], record.value
    if _ROOTS[1] in record.keys:
        resource, scope, fields = (_camel_case(each) for each in (resource, scope, fields))
    if not isinstance(fields, dict):
        raise BrokenFieldError("", Problem("wrong_type", "expected an object with `name` and data points"))
    name, unit = name_in(fields, "name"), read_text(fields.get("unit")) or ""
    kind = _kind(fields)
    data = as_object(fields.get(kind, fields.get("data")))
    of_resource = _attributes(as_object(resource.get("resource")), "resource.attributes")
    library = as_object(scope.get("scope") or scope.get("instrumentationLibrary"))
    of_scope, scope_name = _attributes(library, "scope.attributes"), read_text(library.get("name"))
    common = _described(name, unit, of_resource, scope_name)
    if kind in _DISTRIBUTIONS and canonical_unit(unit).unit == "s" and _DURATION.search(name):
        common = replace(common, direction="lower_is_better")
    return _Metric(
        place=f"{record.path}.{kind}.dataPoints",
        kind=kind,
        data=data,
        temporality=_temporality(kind, data),
        common=common,
        lasting={**{key: of_resource[key] for key in _LASTING if key in of_resource}, **of_scope},
        stream=digest_of(name, unit, kind, of_resource, scope_name, of_scope),
    )


def _camel_case(value: Any, depth: int = _DEEPEST_NAMES) -> Any:
    """`value` with `time_unix_nano` called `timeUnixNano`; names of attributes stay as they are."""
    if isinstance(value, list) and depth:
        return [_camel_case(element, depth - 1) for element in value]
    if not isinstance(value, dict) or not depth:
        return value
    return {
        _HUMP.sub(lambda found: found[1].upper(), key): member
        if key == "attributes" and isinstance(member, dict)
        else _camel_case(member, depth - 1)
        for key, member in value.items()
    }


def _kind(fields: dict[str, Any]) -> str:
    found = next((kind for kind in _KINDS if isinstance(fields.get(kind), dict)), None)
    if found is not None:
        return found
    # The Python SDK prints the points of any kind as `data`.
    data = as_object(fields.get("data"))
    points = data.get("dataPoints")
    if not isinstance(points, list):
        raise BrokenFieldError("", Problem("wrong_type", f"expected one of {', '.join(_KINDS)}"))
    names = {name for point in points if isinstance(point, dict) for name in point}
    if "scale" in names:
        return "exponentialHistogram"
    if "bucketCounts" in names:
        return "histogram"
    return "sum" if "isMonotonic" in data else "gauge"


def _temporality(kind: str, data: dict[str, Any]) -> Temporality | None:
    """What the points of a metric are counted from; None where that makes no difference."""
    written = data.get("aggregationTemporality")
    found = _TEMPORALITIES.get(written) if isinstance(written, int | str) else None
    if found is None and (kind in ("histogram", "exponentialHistogram") or data.get("isMonotonic") is True):
        problem = Problem("wrong_type", "expected 1 (delta) or 2 (cumulative)")
        raise BrokenFieldError(f"{kind}.aggregationTemporality", problem)
    return found


def _attributes(thing: dict[str, Any], place: str) -> dict[str, str]:
    """Attributes by name, as text; plain objects where the Python SDK printed them."""
    listed = thing.get("attributes") or []
    if isinstance(listed, dict):
        listed = [{"key": key, "value": value} for key, value in listed.items()]
    if not isinstance(listed, list):
        raise BrokenFieldError(place, Problem("wrong_type", "expected a list of keys and values"))
    found: dict[str, str] = {}
    for attribute in listed:
        key = read_name(as_object(attribute).get("key"))
        if isinstance(key, Problem):
            raise BrokenFieldError(place, key)
        found[key] = _attribute_text(as_object(attribute).get("value"))
    return found


def _attribute_text(value: object) -> str:
    """The value of an attribute, which is an object that names its type; what has parts stays JSON."""
    plain = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value
    if isinstance(plain, str):
        return plain
    return "" if plain in (None, {}) else json.dumps(plain, sort_keys=True)


def _described(name: str, unit: str, resource: dict[str, str], scope: str | None) -> Measurement:
    """What a metric and its resource say of every measurement."""
    run = run_properties({key: value for key, value in resource.items() if key not in _USED})
    service, namespace = (read_text(resource.get(f"service.{what}")) for what in ("name", "namespace"))
    if service is not None and service.startswith("unknown_service"):
        service = None
    nodes = (read_text(resource.get(key)) for key in _NODES)
    return Measurement(
        location="",
        metric=name,
        raw_value=0.0,
        raw_unit=unit,
        project="/".join(part.strip() for part in (namespace, service) if part) if service else None,
        run_key=run.run_key,
        attempt=run.attempt,
        node_id=next((node for node in nodes if node is not None and not _UUID.fullmatch(node.strip())), None),
        branch=run.branch,
        commit_id=run.commit_id,
        ci_job_id=run.ci_job_id,
        run_url=run.run_url,
        tags=described(
            {
                "suite": read_text(resource.get(_SUITE)) or scope,
                "os": read_text(resource.get("os.type")),
                "arch": read_text(resource.get("host.arch")),
            }
        ),
        context=described(run.others),
    )


def _point(seen: _Seen, metric: _Metric, place: str, point: dict[str, Any]) -> Iterator[Result]:
    flags = point.get("flags")
    if isinstance(flags, int) and flags & 1:
        yield Omission("idle")
        return
    attributes = _attributes(point, "attributes")
    start, time = _nanoseconds(point, "startTimeUnixNano"), _nanoseconds(point, "timeUnixNano")
    series = _series(metric, place, attributes, time)
    values = _values(seen, metric, point, attributes, start, time)
    if not values:
        yield Omission("idle")
    for statistic, (unit, value) in values.items():
        metric_name = f"{series.metric}.{statistic}" if statistic else series.metric
        number = read_number(value)
        if isinstance(number, Problem):
            yield rejection(place, metric_name, number, point)
        else:
            run_key = _run_key(seen, series, metric_name)
            yield replace(series, metric=metric_name, raw_value=number, raw_unit=unit, run_key=run_key)


def _series(metric: _Metric, place: str, attributes: dict[str, str], time: int) -> Measurement:
    """The measurement of a point, as yet without its value."""
    common = metric.common
    used = next((key for key in _TESTS if read_text(attributes.get(key))), None)
    parameters = metric.lasting | {key: attributes[key] for key in attributes if key not in (used, _SUITE)}
    test_name: str | Problem | None = None
    if used or parameters:
        quoted = {_quoted(key): _quoted(parameters[key]) for key in sorted(parameters)}
        test_name = read_name(with_parameters(attributes[used] if used else common.metric, quoted))
    if isinstance(test_name, Problem):
        raise BrokenFieldError("attributes", test_name)
    suite = read_text(attributes.get(_SUITE))
    return replace(
        common,
        location=place,
        test_name=test_name,
        test_type="test" if used == "test.case.name" else None,
        tags=described({**json.loads(common.tags or "{}"), "suite": suite}) if suite else common.tags,
        ts=_EPOCH + timedelta(microseconds=time // 1000) if time else None,
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if _SIGNS.search(text) else text


def _run_key(seen: _Seen, series: Measurement, metric: str) -> str | None:
    """That of the pipeline has one value of a series; later ones are known by their time as well."""
    if series.ts is None:
        return series.run_key
    if series.run_key is None:
        return f"otlp@{series.ts.isoformat()}"
    key = digest_of(series.project, series.run_key, metric, series.test_name, series.node_id, series.tags)
    later = key in seen.in_runs
    seen.in_runs.add(key)
    return f"{series.run_key}@{series.ts.isoformat()}" if later else series.run_key


def _values(
    seen: _Seen, metric: _Metric, point: dict[str, Any], attributes: dict[str, str], start: int, time: int
) -> dict[str, tuple[str, float]]:
    """What a point measured: unit and value by statistic; nothing where it measured nothing."""
    unit = metric.common.raw_unit
    if metric.kind == "summary":
        return _quantiles(unit, point)
    if metric.kind in ("gauge", "sum") and metric.data.get("isMonotonic") is not True:
        return {"change" if metric.temporality == "delta" else "": (unit, _number_in(point, *_VALUES))}
    reached = _reached(metric.kind, point)
    added: _Added | None = _Added(reached, time - start if start else 0)
    if metric.temporality == "cumulative":
        added = _added(seen.totals, _key(metric.stream, attributes), _Total(start, time, reached))
    if added is None:
        return {}
    value = added.value
    return _statistics(unit, value) if isinstance(value, Buckets) else _rate(unit, value, added.nanoseconds)


def _key(stream: str, attributes: dict[str, str]) -> str:
    return "\0".join([stream, *(f"{key}\0{attributes[key]}" for key in sorted(attributes))])


def _reached(kind: str, point: dict[str, Any]) -> float | Buckets:
    """Where a counter or a histogram stands."""
    if kind == "histogram":
        return _buckets(point, _explicit(point))
    if kind == "exponentialHistogram":
        return _buckets(point, _exponential(point))
    value = not_negative(_number_in(point, *_VALUES), "a monotonic sum")
    if isinstance(value, Problem):
        raise BrokenFieldError("value", value)
    return value


def _added(totals: dict[str, _Total], stream: str, now: _Total) -> _Added | None:
    """What came to a stream since its point before, whose place `now` takes."""
    before = totals.get(stream)
    if before is not None and now.time <= before.time:
        return None
    totals[stream] = now
    if before is None or (now.start and now.start != before.start):
        return _Added(now.value, now.time - now.start) if 0 < now.start < now.time else None
    difference = _difference(before.value, now.value)
    return _Added(now.value if difference is None else difference, now.time - before.time)


def _difference(before: float | Buckets, now: float | Buckets) -> float | Buckets | None:
    """`now` without `before`; None where it fell."""
    if isinstance(now, Buckets) or isinstance(before, Buckets):
        return added_between(before, now) if isinstance(now, Buckets) and isinstance(before, Buckets) else None
    return now - before if now >= before else None


def _rate(unit: str, increase: float, nanoseconds: int) -> dict[str, tuple[str, float]]:
    if nanoseconds <= 0:
        return {"": (unit, increase)}
    rate, canonical = increase / (nanoseconds / 1e9), canonical_unit(unit)
    if canonical.unit == "s":
        return {"rate": ("1", rate * canonical.factor)}
    return {"rate": (f"{unit or 1}/s", rate)}


def _statistics(unit: str, buckets: Buckets) -> dict[str, tuple[str, float]]:
    if buckets.size == 0:
        return {}
    found = {"mean": mean(buckets)}
    if OPEN not in buckets.counts:
        found |= {name: percentile(buckets, share) for name, share in _PERCENTILES.items()}
    return {name: (unit, value) for name, value in found.items() if value is not None}


def _quantiles(unit: str, point: dict[str, Any]) -> dict[str, tuple[str, float]]:
    if "count" in point and _whole_number(point["count"]) == 0:
        return {}
    found = {}
    for element in _list_in(point, "quantileValues"):
        quantile, value = as_object(element).get("quantile", 0), as_object(element).get("value", 0)
        share = _number_in({"quantileValues": quantile}, "quantileValues")
        if value != "NaN":
            name = {0.0: "min", 1.0: "max"}.get(share, f"p{round(share * 100, 6):g}")
            found[name] = (unit, _number_in({"quantileValues": value}, "quantileValues"))
    return found


def _explicit(point: dict[str, Any]) -> dict[tuple[float, float], int]:
    bounds = [_number_in({"explicitBounds": bound}, "explicitBounds") for bound in _list_in(point, "explicitBounds")]
    if any(low >= high for low, high in pairwise(bounds)):
        raise BrokenFieldError("explicitBounds", Problem("impossible_value", "expected bounds from low to high"))
    counts = _counts_in(point, "bucketCounts")
    if counts and len(counts) != len(bounds) + 1:
        raise BrokenFieldError("bucketCounts", Problem("wrong_type", "expected one count more than bounds"))
    intervals = pairwise([-math.inf, *bounds, math.inf])
    return {interval: count for interval, count in zip(intervals, counts, strict=False) if count}


def _exponential(point: dict[str, Any]) -> dict[tuple[float, float], int]:
    scale = _whole_number(point.get("scale", 0))
    if isinstance(scale, Problem) or abs(scale) > 20:
        raise BrokenFieldError("scale", Problem("wrong_type", "expected a whole number from -20 to 20"))
    edge = abs(_number_in(point, "zeroThreshold")) if "zeroThreshold" in point else 0.0
    (zeros,) = _counts_in({"zeroCount": [point.get("zeroCount", 0)]}, "zeroCount")
    above = _one_sign(point, "positive", scale)
    below = reversed(_one_sign(point, "negative", scale).items())
    return {
        **{(-high, -low): count for (low, high), count in below},
        **({(-edge, edge): zeros} if zeros else {}),
        **above,
    }


def _one_sign(point: dict[str, Any], sign: str, scale: int) -> dict[tuple[float, float], int]:
    """Bucket i reaches from base ** i to base ** (i + 1), base being 2 ** (2 ** -scale)."""
    buckets = as_object(point.get(sign))
    offset = _whole_number(buckets.get("offset", 0))
    if isinstance(offset, Problem):
        raise BrokenFieldError(f"{sign}.offset", offset)
    counts = enumerate(_counts_in(buckets, "bucketCounts"), offset)
    return {(_power(scale, index), _power(scale, index + 1)): count for index, count in counts if count}


def _power(scale: int, index: int) -> float:
    exponent = index * 2.0**-scale
    return math.inf if exponent >= 1024 else 2.0**exponent


def _buckets(point: dict[str, Any], counts: dict[tuple[float, float], int]) -> Buckets:
    (size,) = _counts_in({"count": [point.get("count", 0)]}, "count")
    if counts and sum(counts.values()) != size:
        raise BrokenFieldError("count", Problem("impossible_value", "expected as many values as lie in the buckets"))
    if not size:
        # The smallest and the largest of no values are infinite.
        return Buckets(0, 0.0, {})
    known = (_number_in(point, name) if point.get(name) is not None else None for name in ("sum", "min", "max"))
    total, lowest, highest = known
    return Buckets(size, total, counts, lowest, highest)


def _list_in(fields: Mapping[str, Any], name: str) -> list[Any]:
    found = fields.get(name)
    if found is not None and not isinstance(found, list):
        raise BrokenFieldError(name, Problem("wrong_type", "expected a list"))
    return found or []


def _counts_in(fields: Mapping[str, Any], name: str) -> list[int]:
    counts = []
    for element in _list_in(fields, name):
        count = _whole_number(element)
        if isinstance(count, Problem) or count < 0:
            raise BrokenFieldError(name, Problem("wrong_type", "expected counts"))
        counts.append(count)
    return counts


def _number_in(fields: Mapping[str, Any], *names: str) -> float:
    """The first of these fields that is there, as a number; what JSON cannot hold is text."""
    name = next((name for name in names if name in fields), names[0])
    value = fields.get(name)
    if value in _NOT_FINITE:
        raise BrokenFieldError(name, Problem("not_finite", "expected a finite number"))
    number = read_number_or_text(value)
    if isinstance(number, Problem):
        raise BrokenFieldError(name, number)
    return number


def _nanoseconds(point: Mapping[str, Any], name: str) -> int:
    """A time in nanoseconds since 1970; 0 is that of a point that has none."""
    value = point.get(name) or 0
    if isinstance(value, dict):
        # The JavaScript SDK wrote the two halves of it for a while.
        low, high = _whole_number(value.get("low")), _whole_number(value.get("high"))
        if isinstance(low, int) and isinstance(high, int):
            value = (high % 2**32) * 2**32 + low % 2**32
    number = _whole_number(value)
    if isinstance(number, Problem):
        raise BrokenFieldError(name, Problem("bad_time", "expected nanoseconds since 1970"))
    return number


def _whole_number(value: object) -> int | Problem:
    """A number of 64 bits, which JSON has as text."""
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        return _whole_number(int(value))
    if isinstance(value, float) and value.is_integer():
        return _whole_number(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64:
        return value
    return Problem("wrong_type", "expected a whole number of 64 bits")


_MARK = re.compile(rb'"(resourceMetrics|resource_metrics)"')
"""One file may have the other signals before."""
FORMAT = Format("otlp", _recognises, lambda source: chunked(_results(source)), mark=_MARK)
