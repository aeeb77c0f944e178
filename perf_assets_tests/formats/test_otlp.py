"""OTLP/JSON metrics: the shared file, kinds, temporalities, identity, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.otlp import FORMAT
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import SHARED, Reading, assert_helpful, read, read_file

FILE = SHARED / "otlp" / "metrics.json"
START = 1_788_246_000_000_000_000
"""2026-09-01T07:00:00Z"""
DELTA, CUMULATIVE = 1, 2
HISTOGRAM, EXPONENTIAL = ".histogram.dataPoints[0]", "exponentialHistogram"


def attributes(**named: Any) -> list[dict[str, Any]]:
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in named.items()]


def at(second: float, since: float | None = None, **fields: Any) -> dict[str, Any]:
    """A data point, so many seconds after START."""
    started = {} if since is None else {"startTimeUnixNano": str(START + int(since * 1e9))}
    return {**started, "timeUnixNano": str(START + int(second * 1e9))} | fields


def gauge(*points: Any, **named: Any) -> dict[str, Any]:
    return {"name": "queue.size", "unit": "{job}", "gauge": {"dataPoints": list(points)}} | named


def counter(*points: Any, temporality: Any = CUMULATIVE, monotonic: bool = True, **named: Any) -> dict[str, Any]:
    data = {"dataPoints": list(points), "aggregationTemporality": temporality, "isMonotonic": monotonic}
    return {"name": "requests", "unit": "{request}", "sum": data} | named


def histogram(*points: Any, temporality: Any = DELTA, kind: str = "histogram", **named: Any) -> dict[str, Any]:
    data = {"dataPoints": list(points), "aggregationTemporality": temporality}
    return {"name": "http.server.request.duration", "unit": "s", kind: data} | named


def counts(*numbers: int, bounds: tuple[float, ...] = (1, 2), total: Any = None, **more: Any) -> dict[str, Any]:
    known = {} if total is None else {"sum": total}
    return {
        "count": str(sum(numbers)),
        "bucketCounts": [str(number) for number in numbers],
        "explicitBounds": list(bounds),
    } | known | more  # fmt: skip


def export(*metrics: Any, scope: Any = None, **resource: Any) -> dict[str, Any]:
    named = attributes(**({"service__name": "shop"} | resource))
    inside = {"scope": scope or {"name": "my.library", "version": "1.0"}, "metrics": list(metrics)}
    return {"resourceMetrics": [{"resource": {"attributes": named}, "scopeMetrics": [inside]}]}


def lines(*exports: Any) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in exports)


def values(reading: Reading) -> list[tuple[str, float, str]]:
    return [(row["metric"], row["raw_value"], row["raw_unit"]) for row in reading.rows]


WHOLE = lines(export(gauge(at(0, asInt="5"), at(1, asInt="6")), counter(at(60, since=0, asInt="30"))))


@pytest.mark.skipif(not FILE.exists(), reason=f"needs {FILE}")
def test_the_example_of_the_specification() -> None:
    reading = read_file(FILE)
    assert (reading.rejections, reading.omitted) == ([], {})
    assert [(metric, pytest.approx(value), unit) for metric, value, unit in values(reading)] == [
        ("my.counter", 5.0, "1"),
        ("my.gauge", 10.0, "1"),
        ("my.histogram.mean", 1.0, "1"),
        ("my.histogram.p50", 1.0, "1"),
        ("my.histogram.p95", 1.9, "1"),
        ("my.histogram.p99", 1.98, "1"),
        ("my.exponential.histogram.mean", 10 / 3, "1"),
        ("my.exponential.histogram.p50", 4.25, "1"),
        ("my.exponential.histogram.p95", 4.925, "1"),
        ("my.exponential.histogram.p99", 4.985, "1"),
    ]
    assert [row["test_name"] for row in reading.rows[:3]] == [
        f"{name}[{name}.attr=some value,my.scope.attribute=some scope attribute]"
        for name in ("my.counter", "my.gauge", "my.histogram")
    ]
    assert {(row["project"], row["ts"].isoformat(), row["tags"], row["node_id"]) for row in reading.rows} == {
        ("my.service", "2018-12-13T14:51:00.300000", '{"suite": "my.library"}', None)
    }
    assert len({row["run_key"] for row in reading.rows}) == 1


def test_gauges_are_their_value_at_each_time() -> None:
    reading = read(lines(export(gauge(at(0, asInt="5"), at(1.5, asInt=6), at(2, asDouble=0.5), at(3, asDouble="7.5")))))
    assert values(reading) == [("queue.size", value, "{job}") for value in (5, 6, 0.5, 7.5)]
    assert [row["ts"].isoformat() for row in reading.rows[:2]] == ["2026-09-01T07:00:00", "2026-09-01T07:00:01.500000"]
    assert [row["run_key"] for row in reading.rows[:2]] == [
        "otlp@2026-09-01T07:00:00", "otlp@2026-09-01T07:00:01.500000",
    ]  # fmt: skip
    assert reading.rows[0]["location"] == "resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0]"
    assert (reading.omitted, reading.rejections, reading.rows[0]["direction"]) == ({}, [], None)


def test_times_are_exact_to_the_microsecond_and_a_point_may_have_none() -> None:
    points = [{"asInt": 1, "timeUnixNano": f"{START + 123_456_999}"}, {"asInt": 2}, {"asInt": 3, "timeUnixNano": "0"}]
    reading = read(lines(export(gauge(*points))))
    assert [row["ts"] and row["ts"].isoformat() for row in reading.rows] == ["2026-09-01T07:00:00.123456", None, None]
    assert [row["run_key"] for row in reading.rows[1:]] == [None, None]


@pytest.mark.parametrize(
    "written",
    [
        START,
        float(START),
        {"low": START % 2**32 - 2**32, "high": START >> 32},
        {"low": START % 2**32, "high": START >> 32},
    ],
)
def test_times_are_written_in_several_ways(written: Any) -> None:
    reading = read(lines(export(gauge({"asInt": 1, "timeUnixNano": written}))))
    assert [row["ts"].isoformat() for row in reading.rows] == ["2026-09-01T07:00:00"]


def test_a_counter_is_the_rate_between_points_of_its_stream() -> None:
    reading = read(
        lines(
            export(counter(at(60, since=0, asInt="30"))),
            export(counter(at(120, since=0, asInt="150"))),
            export(counter(at(150, since=0, asInt="150"))),
        )
    )
    assert values(reading) == [("requests.rate", rate, "{request}/s") for rate in (0.5, 2.0, 0.0)]
    assert reading.omitted == {}


def test_streams_are_told_apart_by_all_they_are_known_by() -> None:
    first, second = ({"attributes": attributes(http__route=route)} for route in ("/a", "/b"))
    one = export(counter(at(10, asInt=10, **first), at(10, asInt=1000, **second)))
    two = export(counter(at(20, asInt=20, **first), at(20, asInt=3000, **second)))
    other = export(counter(at(20, asInt=99, **first)), host__name="other")
    reading = read(lines(one, two, other))
    assert reading.column("metric", "test_name", "raw_value") == [
        ("requests.rate", "/a", 1.0),
        ("requests.rate", "/b", 200.0),
    ]
    assert reading.omitted == {"idle": 3}


@pytest.mark.parametrize(
    ("points", "rates", "idle"),
    [
        ([at(10, asInt=5)], [], 1),
        ([at(10, since=10, asInt=5)], [], 1),
        ([at(10, since=0, asInt=5)], [0.5], 0),
        ([at(10, asInt=5), at(20, asInt=25)], [2.0], 1),
        # Begun anew, with and without a start of its own.
        ([at(10, since=0, asInt=50), at(20, since=15, asInt=20)], [5.0, 4.0], 0),
        ([at(10, since=0, asInt=50), at(20, since=15, asInt=70)], [5.0, 14.0], 0),
        ([at(10, since=0, asInt=50), at(20, since=0, asInt=20)], [5.0, 2.0], 0),
        ([at(10, asInt=50), at(20, asInt=20)], [2.0], 1),
        # Repeated, and out of order.
        ([at(10, since=0, asInt=50), at(10, since=0, asInt=50), at(20, since=0, asInt=60)], [5.0, 1.0], 1),
        ([at(20, since=0, asInt=50), at(10, since=0, asInt=40), at(30, since=0, asInt=60)], [2.5, 1.0], 1),
    ],
)
def test_a_cumulative_counter_counts_since_the_point_before_or_its_start(
    points: list[dict[str, Any]], rates: list[float], idle: int
) -> None:
    reading = read(lines(export(counter(*points))))
    assert values(reading) == [("requests.rate", rate, "{request}/s") for rate in rates]
    assert (reading.omitted, reading.rejections) == ({"idle": idle} if idle else {}, [])


def test_a_delta_counts_for_its_interval() -> None:
    points = [at(10, since=0, asInt=20), at(15, since=10, asDouble=20.0), at(20, asInt=7), at(30, since=30, asInt=8)]
    assert values(read(lines(export(counter(*points, temporality="AGGREGATION_TEMPORALITY_DELTA"))))) == [
        ("requests.rate", 2.0, "{request}/s"), ("requests.rate", 4.0, "{request}/s"),
        ("requests", 7.0, "{request}"), ("requests", 8.0, "{request}"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "rate", "raw_unit"), [("s", 0.5, "1"), ("ms", 0.0005, "1"), ("By", 0.5, "By/s"), ("", 0.5, "1/s")]
)
def test_the_unit_of_a_rate(unit: str, rate: float, raw_unit: str) -> None:
    reading = read(lines(export(counter(at(10, since=0, asInt=5), unit=unit))))
    assert values(reading) == [("requests.rate", pytest.approx(rate), raw_unit)]


def test_a_sum_that_is_not_monotonic_is_a_level_or_a_change() -> None:
    points = (at(10, since=0, asInt=5), at(20, since=0, asInt=3))
    reading = read(
        lines(export(counter(*points, monotonic=False), counter(*points, monotonic=False, temporality=DELTA)))
    )
    assert [row[:2] for row in values(reading)] == [
        ("requests", 5.0), ("requests", 3.0), ("requests.change", 5.0), ("requests.change", 3.0),
    ]  # fmt: skip
    without = {"name": "active", "sum": {"dataPoints": [at(0, asInt=1)]}}
    assert values(read(lines(export(without)))) == [("active", 1.0, "")]


def test_a_histogram_is_its_mean_and_percentiles() -> None:
    reading = read(lines(export(histogram(at(10, since=0, **counts(5, 5, 0, total=10.0))))))
    assert values(reading) == [
        ("http.server.request.duration.mean", 1.0, "s"),
        ("http.server.request.duration.p50", 1.0, "s"),
        ("http.server.request.duration.p95", pytest.approx(1.9), "s"),
        ("http.server.request.duration.p99", pytest.approx(1.98), "s"),
    ]
    assert set(reading.column("direction")) == {"lower_is_better"}


@pytest.mark.parametrize(
    ("name", "unit", "direction"),
    [
        ("rpc.server.duration", "ms", "lower_is_better"), ("gc_duration_seconds", "s", "lower_is_better"),
        ("latency", "ns", "lower_is_better"), ("session.age", "s", None), ("duration", "By", None),
    ],
)  # fmt: skip
def test_lower_is_better_for_what_is_called_a_duration(name: str, unit: str, direction: str | None) -> None:
    reading = read(lines(export(histogram(at(10, since=0, **counts(5, 5, 0)), name=name, unit=unit))))
    assert set(reading.column("direction")) == {direction}


@pytest.mark.parametrize(
    ("point", "statistics"),
    [
        (counts(5, 5, 0), ["p50", "p95", "p99"]),
        (counts(0, 0, 5, total=9.0), ["mean"]),
        (counts(9, 0, 1, total=9.0), ["mean", "p50"]),
        (counts(9, 0, 1, total=9.0, max=4.0), ["mean", "p50", "p95", "p99"]),
        (counts(5, bounds=(), total=9.0, min=1.0, max=3.0), ["mean"]),
        ({"count": 5, "sum": 9.0}, ["mean"]),
        ({"count": 5}, []),
        (counts(0, 0, 0, total=0.0), []),
        ({"count": "0"}, []),
    ],
)
def test_what_of_a_histogram_is_not_known_is_left_out(point: dict[str, Any], statistics: list[str]) -> None:
    reading = read(lines(export(histogram(at(10, since=0, **point)))))
    assert [row["metric"].rpartition(".")[2] for row in reading.rows] == statistics
    assert (reading.omitted, reading.rejections) == ({} if statistics else {"idle": 1}, [])


def test_a_cumulative_histogram_is_what_came_since_the_point_before() -> None:
    states = [counts(5, 5, 0, total=10.0, max=2.0), counts(5, 15, 0, total=27.0, max=2.0), counts(5, 15, 0, total=27.0)]
    points = [at(10 * (place + 1), since=0, **state) for place, state in enumerate(states)]
    reading = read(lines(*(export(histogram(point, temporality=CUMULATIVE)) for point in points)))
    assert [(row["metric"].rpartition(".")[2], row["raw_value"]) for row in reading.rows] == [
        ("mean", 1.0), ("p50", 1.0), ("p95", pytest.approx(1.9)), ("p99", pytest.approx(1.98)),
        ("mean", pytest.approx(1.7)), ("p50", 1.5), ("p95", pytest.approx(1.95)), ("p99", pytest.approx(1.99)),
    ]  # fmt: skip
    assert reading.omitted == {"idle": 1}


def exponential(scale: int, positive: list[int], offset: int = 0, **more: Any) -> dict[str, Any]:
    known = {"scale": scale, "positive": {"offset": offset, "bucketCounts": positive}}
    number = sum(positive) + more.get("zeroCount", 0) + sum(more.get("negative", {}).get("bucketCounts", []))
    return {"count": number, **known} | more


@pytest.mark.parametrize(
    ("point", "median"),
    [
        (exponential(0, [4]), 1.5),
        (exponential(1, [4], offset=2), (2 + 2**1.5) / 2),
        (exponential(-1, [4], offset=1), 10.0),
        (exponential(0, [0, 0, 4], offset=-2), 1.5),
        (exponential(0, [1], zeroCount=3), 0.0),
        (exponential(0, [1], zeroCount=3, zeroThreshold=0.5), -0.5 + 1.0 * 2 / 3),
        (exponential(0, [], negative={"offset": 0, "bucketCounts": [0, 4]}), -3.0),
        (exponential(0, [4], min=1.25, max=1.75), 1.5),
    ],
)
def test_an_exponential_histogram(point: dict[str, Any], median: float) -> None:
    reading = read(lines(export(histogram(at(10, since=0, **point), kind=EXPONENTIAL))))
    assert reading.rows[0]["metric"].endswith(".p50")
    assert reading.rows[0]["raw_value"] == pytest.approx(median)


def test_an_exponential_histogram_may_become_coarser() -> None:
    points = [at(10, since=0, **exponential(1, [1, 1, 1, 1])), at(20, since=0, **exponential(0, [2, 2, 4]))]
    reading = read(lines(export(histogram(*points, kind=EXPONENTIAL, temporality=CUMULATIVE))))
    assert [row["raw_value"] for row in reading.rows if row["metric"].endswith("p50")] == [2.0, 6.0]


def test_buckets_beyond_all_numbers_give_no_percentile() -> None:
    point = at(10, since=0, **exponential(-10, [1], offset=3, sum=1.0))
    assert [row[0] for row in values(read(lines(export(histogram(point, kind=EXPONENTIAL)))))] == [
        "http.server.request.duration.mean"
    ]


def test_a_summary_has_its_quantiles() -> None:
    quantiles = [
        {"value": 1.0},
        {"quantile": 0.5, "value": 2.0},
        {"quantile": 0.999, "value": 3},
        {"quantile": 1, "value": 4},
    ]
    empty = [{"quantile": 0.5, "value": "NaN"}]
    points = [
        at(0, count=5, sum=9, quantileValues=quantiles), at(1, count=5, quantileValues=empty),
        at(2, count="0", quantileValues=quantiles), at(3, count=5, quantileValues=[{"quantile": 0.5}]),
    ]  # fmt: skip
    reading = read(lines(export({"name": "rpc", "unit": "ms", "summary": {"dataPoints": points}})))
    assert values(reading) == [
        ("rpc.min", 1.0, "ms"), ("rpc.p50", 2.0, "ms"), ("rpc.p99.9", 3.0, "ms"), ("rpc.max", 4.0, "ms"),
        ("rpc.p50", 0.0, "ms"),
    ]  # fmt: skip
    assert (reading.omitted, reading.rejections) == ({"idle": 2}, [])


def test_points_flagged_as_without_value_are_idle() -> None:
    reading = read(lines(export(gauge(at(0, flags=1), at(1, flags=2, asInt=1), at(2, flags=1, asDouble="NaN")))))
    assert (len(reading.rows), reading.omitted, reading.rejections) == (1, {"idle": 2}, [])


def test_a_resource_tells_project_node_commit_and_run() -> None:
    known = {
        "service__namespace": "web", "host__name": "linux-07", "service__instance__id": "a:1", "os__type": "linux",
        "host__arch": "amd64", "vcs__ref__head__revision": "abc", "vcs__ref__head__name": "main",
        "cicd__pipeline__run__id": "17", "service__version": "1.2", "deployment__environment__name": "prod",
    }  # fmt: skip
    (row,) = read(lines(export(gauge(at(0, asInt=1)), **known))).rows
    assert (row["project"], row["node_id"], row["commit_id"], row["branch"]) == ("web/shop", "linux-07", "abc", "main")
    assert (row["run_key"], row["attempt"]) == ("17", 1)
    assert json.loads(row["tags"]) == {"arch": "amd64", "os": "linux", "suite": "my.library"}
    assert json.loads(row["context"]) == {"service.version": "1.2"}
    assert row["test_name"] == "queue.size[deployment.environment.name=prod]"


@pytest.mark.parametrize(
    ("resource", "node"),
    [
        ({"host__name": "pod-x", "k8s__node__name": "n1"}, "n1"),
        ({"host__name": "h", "cicd__worker__name": "w"}, "w"),
        ({"service__instance__id": "db:9100"}, "db:9100"),
        ({"service__instance__id": "0036f869-f449-42d4-9365-014650823e89"}, None),
        ({"service__instance__id": "0036F869F44942D49365014650823E89"}, None),
    ],
)
def test_the_node_is_one_that_lasts(resource: dict[str, str], node: str | None) -> None:
    assert read(lines(export(gauge(at(0, asInt=1)), **resource))).column("node_id") == [node]


@pytest.mark.parametrize("name", ["unknown_service", "unknown_service:python", ""])
def test_a_service_without_a_name_of_its_own_is_no_project(name: str) -> None:
    content = lines(export(gauge(at(0, asInt=1)), service__name=name, service__namespace="web"))
    assert read(content).column("project") == [None]


def test_of_a_run_later_points_of_a_series_are_known_by_their_time() -> None:
    points = [at(second, asInt=1) for second in (0, 1)]
    content = lines(export(gauge(*points), gauge(*points, name="other"), cicd__pipeline__run__id="17"))
    assert read(content).column("metric", "run_key") == [
        ("queue.size", "17"), ("queue.size", "17@2026-09-01T07:00:01"),
        ("other", "17"), ("other", "17@2026-09-01T07:00:01"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("named", "test_name", "test_type", "suite"),
    [
        ({}, None, None, "my.library"),
        ({"cpu": "0", "a": "b"}, "queue.size[a=b,cpu=0]", None, "my.library"),
        ({"http__route": "/x", "method": "GET"}, "/x[method=GET]", None, "my.library"),
        ({"test__case__name": "adds", "test__suite__name": "sums", "n": "1"}, "adds[n=1]", "test", "sums"),
        ({"test__case__name": "adds", "http__route": "/x"}, "adds[http.route=/x]", "test", "my.library"),
        ({"a": "1,b=2"}, 'queue.size[a="1,b=2"]', None, "my.library"),
        ({"a": "1", "b": "2"}, "queue.size[a=1,b=2]", None, "my.library"),
        ({"a": '"1"'}, 'queue.size[a="\\"1\\""]', None, "my.library"),
    ],
)
def test_attributes_name_the_test(named: dict[str, str], test_name: Any, test_type: Any, suite: str) -> None:
    (row,) = read(lines(export(gauge(at(0, asInt=1, attributes=attributes(**named)))))).rows
    assert (row["test_name"], row["test_type"]) == (test_name, test_type)
    assert json.loads(row["tags"]) == {"suite": suite}


def test_values_of_attributes_of_any_type() -> None:
    typed = [
        {"key": "i", "value": {"intValue": "5"}}, {"key": "j", "value": {"intValue": 5}},
        {"key": "b", "value": {"boolValue": True}}, {"key": "d", "value": {"doubleValue": 0.5}},
        {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
        {"key": "n", "value": {}}, {"key": "o"},
    ]  # fmt: skip
    (row,) = read(lines(export(gauge(at(0, asInt=1, attributes=typed))))).rows
    listed = json.dumps('{"values": [{"stringValue": "x"}]}')
    assert row["test_name"] == f"queue.size[b=true,d=0.5,i=5,j=5,l={listed},n=,o=]"


def snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [snake_case(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake_case(value[key]) for key in value}


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda whole: json.dumps(snake_case(whole)),
        lambda whole: json.dumps([whole]),
        lambda whole: json.dumps([snake_case(whole)]),
        lambda whole: json.dumps(whole, indent=2),
        lambda whole: (
            json.dumps(whole)
            .replace('"scopeMetrics"', '"instrumentationLibraryMetrics"')
            .replace('"scope"', '"instrumentationLibrary"')
        ),
    ],
)
def test_other_spellings_give_the_same(rewritten: Any) -> None:
    whole = export(
        gauge(at(0, asInt="5", attributes=attributes(a_b="c"))),
        counter(at(60, since=0, asInt="30")),
        histogram(at(60, since=0, **counts(5, 5, 0, total=9.0))),
        histogram(at(60, since=0, **exponential(0, [4])), kind=EXPONENTIAL),
        {"name": "rpc", "summary": {"dataPoints": [at(0, quantileValues=[{"quantile": 0.5, "value": 2}])]}},
    )
    expected, reading = read(json.dumps(whole).encode()), read(rewritten(whole).encode())
    ignored = {"location"}
    assert (reading.format, reading.rejections) == ("otlp", [])
    assert [{k: row[k] for k in row if k not in ignored} for row in reading.rows] == [
        {k: row[k] for k in row if k not in ignored} for row in expected.rows
    ]
    assert len(reading.rows) == 10


def test_what_the_python_sdk_prints() -> None:
    def printed(name: str, point: dict[str, Any], **data: Any) -> dict[str, Any]:
        point = {"attributes": {"a_b": 1}, "start_time_unix_nano": START, "time_unix_nano": START + 10**10} | point
        return {"name": name, "description": "", "unit": "s", "data": {"data_points": [point], **data}}

    bounds = {"count": 2, "sum": 2.0, "bucket_counts": [1, 1], "explicit_bounds": [1.0], "min": 0, "max": 2}
    powers = {"count": 1, "sum": 3.0, "scale": 0, "zero_count": 0, "positive": {"offset": 1, "bucket_counts": [1]}}
    metrics = [
        printed("g", {"value": 1, "start_time_unix_nano": None}),
        printed("c", {"value": 5}, aggregation_temporality=2, is_monotonic=True),
        printed("h", bounds, aggregation_temporality=2),
        printed("e", powers, aggregation_temporality=2),
    ]
    inside = {"scope": {"name": "lib", "attributes": None}, "metrics": metrics}
    resource = {"attributes": {"service.name": "shop"}, "schema_url": ""}
    content = json.dumps({"resource_metrics": [{"resource": resource, "scope_metrics": [inside]}]}, indent=4)
    reading = read(content.encode())
    assert [(row["metric"], row["raw_value"]) for row in reading.rows if "p9" not in row["metric"]] == [
        ("g", 1.0), ("c.rate", 0.5), ("h.mean", 1.0), ("h.p50", 1.0), ("e.mean", 3.0), ("e.p50", 3.0),
    ]  # fmt: skip
    assert set(reading.column("project", "tags")) == {("shop", '{"suite": "lib"}')}
    assert reading.rows[0]["test_name"] == "g[a_b=1]"
    assert reading.rejections == []


@pytest.mark.parametrize(
    "other",
    [
        {"resourceSpans": [{"resource": {}, "scopeSpans": []}]}, {}, {"resourceMetrics": []},
        {"resourceMetrics": [{"resource": {}}]}, {"resourceMetrics": [{"scopeMetrics": [{"scope": {}}]}]},
        export({"name": "nothing", "gauge": {}}),
    ],
)  # fmt: skip
def test_lines_without_metrics_say_nothing(other: Any) -> None:
    reading = read(lines(export(gauge(at(0, asInt=1))), other, export(gauge(at(1, asInt=2)))))
    assert (len(reading.rows), reading.rejections) == (2, [])


@pytest.mark.parametrize(
    ("broken", "place", "field", "reason"),
    [
        (gauge(at(0)), ".gauge.dataPoints[0]", "asDouble", "missing_value"),
        (gauge(at(0, asDouble="NaN")), ".gauge.dataPoints[0]", "asDouble", "not_finite"),
        (gauge(at(0, asDouble="-Infinity")), ".gauge.dataPoints[0]", "asDouble", "not_finite"),
        (gauge(at(0, asDouble=float("inf"))), ".gauge.dataPoints[0]", "asDouble", "not_finite"),
        (gauge(at(0, asInt="five")), ".gauge.dataPoints[0]", "asInt", "wrong_type"),
        (gauge(at(0, asInt=True)), ".gauge.dataPoints[0]", "asInt", "wrong_type"),
        (gauge({"asInt": 1, "timeUnixNano": "soon"}), ".gauge.dataPoints[0]", "timeUnixNano", "bad_time"),
        (gauge({"asInt": 1, "timeUnixNano": 2**64}), ".gauge.dataPoints[0]", "timeUnixNano", "bad_time"),
        (gauge({"asInt": 1, "timeUnixNano": {"low": 1}}), ".gauge.dataPoints[0]", "timeUnixNano", "bad_time"),
        (gauge(at(0, asInt=1, attributes=5)), ".gauge.dataPoints[0]", "attributes", "wrong_type"),
        (gauge(at(0, asInt=1, attributes=[5])), ".gauge.dataPoints[0]", "attributes", "missing_identity"),
        (gauge(5), ".gauge.dataPoints[0]", "", "wrong_type"),
        (gauge(name=None), "", "name", "missing_identity"),
        ({"name": "x"}, "", "", "wrong_type"),
        ({"name": "x", "gauge": {"dataPoints": {}}}, "", "gauge.dataPoints", "wrong_type"),
        (counter(at(9, since=0, asInt=1), temporality=0), "", "sum.aggregationTemporality", "wrong_type"),
        (histogram(at(9), temporality=None), "", "histogram.aggregationTemporality", "wrong_type"),
        (counter(at(9, since=0, asInt=-1)), ".sum.dataPoints[0]", "value", "impossible_value"),
        (histogram(at(9, **counts(1, 1))), HISTOGRAM, "bucketCounts", "wrong_type"),
        (histogram(at(9, **counts(1, 1, 1, bounds=(2, 1)))), HISTOGRAM, "explicitBounds", "impossible_value"),
        (histogram(at(9, **counts(1, 1, 1, count=4))), HISTOGRAM, "count", "impossible_value"),
        (histogram(at(9, **counts(1, -1, 1))), HISTOGRAM, "bucketCounts", "wrong_type"),
        (histogram(at(9, **counts(1, 1, 1, total="NaN"))), HISTOGRAM, "sum", "not_finite"),
        (
            histogram(at(9, **exponential(21, [1])), kind=EXPONENTIAL),
            f".{EXPONENTIAL}.dataPoints[0]", "scale", "wrong_type",
        ),
        (5, "", "", "wrong_type"),
    ],
)  # fmt: skip
def test_what_is_broken_is_rejected_and_its_neighbours_are_read(
    broken: Any, place: str, field: str, reason: str
) -> None:
    reading = read(lines(export(gauge(at(0, asInt=1)), broken, gauge(at(1, asInt=2)))))
    assert reading.column("raw_value") == [1.0, 2.0]
    assert reading.problems == [(f"resourceMetrics[0].scopeMetrics[0].metrics[1]{place}", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_broken_resource_rejects_its_metrics() -> None:
    whole = export(gauge(at(0, asInt=1)))
    whole["resourceMetrics"][0]["resource"]["attributes"] = [{"value": 1}]
    reading = read(json.dumps(whole).encode())
    assert (reading.rows, [problem[1:] for problem in reading.problems]) == (
        [], [("resource.attributes", "missing_identity")],
    )  # fmt: skip


def test_a_resource_may_stand_behind_its_metrics_but_must_not_be_lost() -> None:
    (inside,) = export(gauge(at(0, asInt=1)))["resourceMetrics"]
    content = json.dumps(
        {"resourceMetrics": [{"scopeMetrics": inside["scopeMetrics"], "resource": inside["resource"]}]}
    )
    assert read(content.encode()).column("project") == ["shop"]
    reading = read(content[: content.index('"resource":')].encode())
    assert (reading.rows, [problem[2] for problem in reading.problems]) == ([], ["missing_identity", "truncated"])


def test_every_prefix_gives_a_prefix() -> None:
    assert_every_prefix_gives_a_prefix(WHOLE, FORMAT)


EVERYTHING = json.dumps(
    export(
        gauge(at(0, asInt="5", flags=0, attributes=attributes(a="b"))),
        counter(at(60, since=0, asInt="30"), at(90, since=0, asInt=40)),
        histogram(at(60, since=0, **counts(5, 5, 0, total=9.0, min=0.5, max=1.5))),
        histogram(
            at(60, since=0, **exponential(0, [4], zeroCount=1, zeroThreshold=0.1)),
            at(90, since=0, **exponential(-1, [9], negative={"offset": 1, "bucketCounts": [1]})),
            kind=EXPONENTIAL,
            temporality=CUMULATIVE,
        ),
        {"name": "rpc", "summary": {"dataPoints": [at(0, quantileValues=[{"quantile": 0.5, "value": 2}])]}},
    )
).encode()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), anything | st.sampled_from(["-5", 2**63, "NaN", -1e308, 10**400]))
def test_any_value_in_any_place_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(EVERYTHING, FORMAT, place, value)


def test_a_resource_alone_is_read() -> None:
    whole = export(gauge(at(0, asInt="5")), scope={"name": "s"}, **{"service.name": "shop"})
    alone = whole["resourceMetrics"][0]
    one, other = read(lines(whole)), read(lines(alone, alone | {"schemaUrl": ""}))
    assert other.format == "otlp"
    assert other.column("metric", "value", "project", "tags", "ts") == 2 * one.column(
        "metric", "value", "project", "tags", "ts"
    )


def test_the_bounds_of_a_histogram_without_values_may_be_infinite() -> None:
    empty = at(60, since=0, count="0", sum=0, min="Infinity", max="-Infinity", bucketCounts=[0, 0], explicitBounds=[1])
    reading = read(lines(export(histogram(empty))))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], {"idle": 1})
