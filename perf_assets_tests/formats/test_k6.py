"""k6's summaries in their three forms: the shared file, statistics, thresholds, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.k6 import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.json_values import json_values
from perf_assets_tests.formats.reading import NAME, SHARED, Reading, assert_helpful, read, read_file

FILE = SHARED / "k6" / "k6reporter_simple.json"
TREND = {"avg": 12.0, "min": 1.0, "med": 10.0, "max": 90.0, "p(90)": 30.0, "p(95)": 40.0, "p(99)": 80.0}
COUNTER = {"count": 600, "rate": 10.0}
KINDS = {"trend": TREND, "counter": COUNTER, "rate": {"rate": 0.25, "passes": 1, "fails": 3}, "gauge": {"value": 5.0}}


def metric(kind: str = "trend", contains: str = "time", **more: Any) -> dict[str, Any]:
    return {"type": kind, "contains": contains, "values": KINDS[kind]} | more


def data(**metrics: Any) -> bytes:
    """What handleSummary is given."""
    state = {"isStdOutTTY": False, "testRunDurationMs": 60_000.0}
    run = {"options": {"summaryTimeUnit": "s"}, "state": state, "metrics": metrics, "root_group": {"name": ""}}
    return json.dumps(run, indent=2).encode()


def flat(**metrics: Any) -> bytes:
    """What --summary-export writes."""
    return json.dumps({"root_group": {"name": "", "groups": {}}, "metrics": metrics}, indent=2).encode()


def summary(*metrics: Any, **changes: Any) -> bytes:
    """The machine-readable summary."""
    run = {
        "config": {"duration": 60.0, "execution": "local", "script": "/home/me/checkout.js"},
        "metadata": {"generatedAt": "2026-09-01T10:00:00+02:00", "k6Version": "1.5.0"},
        "results": {"metrics": list(metrics)},
        "version": "1.0.0",
    }  # fmt: skip
    return json.dumps(run | changes, indent=2).encode()


def values(reading: Reading) -> list[tuple[str, float, str]]:
    return [(row["metric"], row["raw_value"], row["raw_unit"]) for row in reading.rows]


WHOLE = data(http_req_duration=metric(), http_reqs=metric("counter", "default"))


@pytest.mark.skipif(not FILE.exists(), reason=f"needs {FILE}")
def test_the_data_of_handle_summary() -> None:
    reading = read_file(FILE)
    assert (reading.rejections, reading.omitted) == ([], {})
    assert len(reading.rows) == 9 * 3 + 4 * 2 + 2 + 2 + 1 * 3
    found = {(row["metric"], row["test_name"]): (row["raw_value"], row["raw_unit"]) for row in reading.rows}
    assert len(found) == 42
    assert {key: value for key, value in found.items() if key[0].startswith(("http_req_duration", "http_reqs"))} == {
        ("http_reqs.rate", None): (35.94634922417172, "1/s"),
        ("http_reqs.count", None): (878, "1"),
        ("http_req_duration.med", "expected_response:true"): (20.233564, "ms"),
        ("http_req_duration.p95", "expected_response:true"): (28.97347239999998, "ms"),
        ("http_req_duration.p99", "expected_response:true"): (36.64458528, "ms"),
        ("http_req_duration.med", None): (20.090773, "ms"),
        ("http_req_duration.p95", None): (30.0256841, "ms"),
        ("http_req_duration.p99", None): (39.577136380000084, "ms"),
    }
    assert found[("http_req_failed", None)] == (0.39749430523917995, "1")
    assert found[("checks", None)] == (0.60250569476082, "1")
    assert found[("vus", None)] == (20, "1")
    assert found[("data_received.rate", None)] == (195178.97322943222, "By/s")
    assert found[("data_sent.count", None)] == (78664, "By")
    assert found[("http_req_connecting.p99", None)] == (16.134970360000008, "ms")
    assert {(row["test_type"], row["ts"], row["context"]) for row in reading.rows} == {("load", None, None)}


@pytest.mark.parametrize(
    ("kind", "contains", "expected"),
    [
        ("trend", "time", [("m.med", 10.0, "ms"), ("m.p95", 40.0, "ms"), ("m.p99", 80.0, "ms")]),
        ("trend", "default", [("m.med", 10.0, "1"), ("m.p95", 40.0, "1"), ("m.p99", 80.0, "1")]),
        ("trend", "data", [("m.med", 10.0, "By"), ("m.p95", 40.0, "By"), ("m.p99", 80.0, "By")]),
        ("counter", "default", [("m.rate", 10.0, "1/s"), ("m.count", 600, "1")]),
        ("counter", "data", [("m.rate", 10.0, "By/s"), ("m.count", 600, "By")]),
        ("rate", "default", [("m", 0.25, "1")]),
        ("gauge", "default", [("m", 5.0, "1")]),
        ("gauge", "time", [("m", 5.0, "ms")]),
    ],
)
def test_the_kind_of_a_metric_gives_statistics_and_units(kind: str, contains: str, expected: Any) -> None:
    assert values(read(data(m=metric(kind, contains)))) == expected
    assert values(read(summary({"name": "m", **metric(kind, contains)}))) == expected


def test_times_are_milliseconds_whatever_unit_is_displayed() -> None:
    assert read(data(http_req_duration=metric())).column("value")[0] == pytest.approx(0.01)


def test_the_flat_form_gives_the_same_series() -> None:
    typed = data(
        http_req_duration=metric(),
        iteration_duration=metric(),
        data_sent=metric("counter", "data"),
        http_reqs=metric("counter", "default"),
        checks=metric("rate", "default"),
        vus=metric("gauge", "default"),
        my_counter=metric("counter", "default"),
    )
    untyped = flat(
        http_req_duration=TREND,
        iteration_duration=TREND,
        data_sent=COUNTER,
        http_reqs=COUNTER,
        checks={"passes": 1, "fails": 3, "value": 0.25},
        vus={"value": 5.0, "min": 1, "max": 5},
        my_counter=COUNTER,
    )
    assert values(read(typed)) == values(read(untyped))
    assert read(typed).column("direction") == read(untyped).column("direction")


def test_the_flat_form_does_not_tell_the_unit_of_a_trend_of_ones_own() -> None:
    assert values(read(flat(vus={"value": 1}, my_trend={"med": 1.0}))) == [("vus", 1, "1"), ("my_trend.med", 1.0, "")]


@pytest.mark.parametrize(
    ("name", "flat_unit"),
    [
        ("http_req_waiting", "ms"), ("grpc_req_duration", "ms"), ("ws_session_duration", "ms"), ("ws_connecting", "ms"),
        ("group_duration", "ms"), ("browser_web_vital_lcp", "ms"), ("browser_web_vital_cls", ""),
    ],
)  # fmt: skip
def test_the_units_of_k6s_own_trends_are_known(name: str, flat_unit: str) -> None:
    assert values(read(flat(vus={"value": 1}, **{name: {"med": 1.0}})))[1] == (f"{name}.med", 1.0, flat_unit)


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [
        ({"avg": 1.0, "med": 2.0, "p(99.9)": 9.0}, [("m.med", 2.0)]),
        ({"avg": 1.0, "min": 0.5, "p(90)": 3.0}, [("m.avg", 1.0), ("m.p90", 3.0)]),
        ({"p(95)": 4.0}, [("m.p95", 4.0)]),
    ],
)
def test_a_trend_gives_the_statistics_that_were_asked_for(statistics: Any, expected: Any) -> None:
    reading = read(data(m=metric(values=statistics)))
    assert [(name, value) for name, value, _ in values(reading)] == expected


@pytest.mark.parametrize(
    ("name", "kind", "contains", "directions"),
    [
        ("my_time", "trend", "time", ["lower_is_better"] * 3),
        ("my_size", "trend", "default", [None] * 3),
        ("http_req_failed", "rate", "default", ["lower_is_better"]),
        ("checks", "rate", "default", ["higher_is_better"]),
        ("http_reqs", "counter", "default", ["higher_is_better", None]),
        ("dropped_iterations", "counter", "default", ["lower_is_better"] * 2),
        ("vus", "gauge", "default", [None]),
    ],
)
def test_directions_are_those_k6_means(name: str, kind: str, contains: str, directions: Any) -> None:
    assert read(data(**{name: metric(kind, contains)})).column("direction") == directions


def test_tags_of_a_submetric_tell_tests_apart() -> None:
    names = ("http_req_duration", "http_req_duration{scenario:buy}", "http_req_duration{name:GET /a,method:GET}")
    assert read(data(**dict.fromkeys(names, metric()))).column("metric", "test_name")[::3] == [
        ("http_req_duration.med", None),
        ("http_req_duration.med", "scenario:buy"),
        ("http_req_duration.med", "name:GET /a,method:GET"),
    ]
    named = [{"name": name, **metric("gauge")} for name in names]
    assert read(summary(*named)).column("test_name") == [
        "checkout.js", "checkout.js{scenario:buy}", "checkout.js{name:GET /a,method:GET}",
    ]  # fmt: skip


def test_the_machine_readable_summary_tells_time_and_run() -> None:
    entry = {"name": "vus", **metric("gauge", "default")}
    (row,) = read(summary(entry)).rows
    assert (row["ts"].isoformat(), row["time_source"]) == ("2026-09-01T08:00:00", "result")
    assert json.loads(row["context"]) == {"k6_version": "1.5.0"}
    later = summary(entry, metadata={"generatedAt": "2026-09-01T10:00:01+02:00", "k6Version": "1.5.0"})
    assert row["run_key"] != read(later).rows[0]["run_key"]
    (row,) = read(summary(entry, metadata={"k6Version": "1.5.0"}, config={})).rows
    assert (row["ts"], row["run_key"], row["test_name"]) == (None, None, None)


@pytest.mark.parametrize(
    ("rate", "omitted"),
    [({"matches": 1, "total": 4, "rate": 0.25}, {}), ({"matches": 0, "total": 0, "rate": 0}, {"idle": 1})],
)
def test_a_rate_of_the_machine_readable_summary(rate: Any, omitted: Any) -> None:
    reading = read(summary({"name": "checks", **metric("rate", "default", values=rate)}))
    assert reading.omitted == omitted
    assert values(reading) == ([] if omitted else [("checks", 0.25, "1")])


@pytest.mark.parametrize("as_list", [True, False])
def test_checks_stand_apart_in_the_machine_readable_summary(as_list: bool) -> None:
    succeeded = {"name": "checks_succeeded", **metric("rate", "default")}
    metrics: Any = [succeeded] if as_list else {"checksSucceeded": succeeded}
    results = {"checks": {"metrics": metrics}, "metrics": [{"name": "vus", **metric("gauge", "default")}]}
    reading = read(summary(results=results))
    assert values(reading) == [("vus", 5.0, "1"), ("checks_succeeded", 0.25, "1")]
    assert reading.rows[1]["direction"] == "higher_is_better"


ZEROS = dict.fromkeys(TREND, 0)


@pytest.mark.parametrize(
    "idle",
    [
        metric(values=ZEROS),
        metric(values=ZEROS | {"count": 0}),
        metric("trend", "default", values=ZEROS | {"count": 0}),
        metric("rate", "default", values={"rate": 0, "passes": 0, "fails": 0}),
    ],
)
def test_a_metric_without_samples_is_counted_and_no_value(idle: Any) -> None:
    reading = read(data(m=idle, vus=metric("gauge", "default")))
    assert (values(reading), reading.omitted, reading.rejections) == ([("vus", 5.0, "1")], {"idle": 1}, [])


@pytest.mark.parametrize(
    "zero",
    [
        metric("trend", "default", values=ZEROS),
        metric(values=ZEROS | {"max": 1.0}),
        metric("counter", "default", values={"count": 0, "rate": 0}),
        metric("rate", "default", values={"rate": 0, "passes": 0, "fails": 3}),
        metric("gauge", "default", values={"value": 0, "min": 0, "max": 0}),
    ],
)
def test_a_zero_that_was_measured_is_a_value(zero: Any) -> None:
    reading = read(data(m=zero))
    assert set(reading.column("value")) == {0.0}
    assert reading.omitted == {}


def test_thresholds_are_no_values_and_failed_ones_are_context() -> None:
    rules = {"p(95)<500": {"ok": True}, "p(99)<900": {"ok": False}}
    reading = read(data(m=metric(thresholds=rules)))
    assert {row["context"] for row in reading.rows} == {'{"failed_thresholds": ["p(99)<900"]}'}
    assert len(reading.rows) == 3
    reading = read(flat(http_req_duration=TREND | {"thresholds": {"p(95)<500": False, "p(99)<900": True}}))
    assert {row["context"] for row in reading.rows} == {'{"failed_thresholds": ["p(99)<900"]}'}
    assert len(reading.rows) == 3


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (metric(values=TREND | {"med": None}), "med", "missing_value"),
        (metric(values=TREND | {"med": "10"}), "med", "wrong_type"),
        (metric(values=TREND | {"med": float("nan")}), "med", "not_finite"),
        (metric(values=TREND | {"med": -1}), "med", "impossible_value"),
        (metric(values={"max": "1"}), "max", "wrong_type"),
        (metric("counter", values={}), "rate", "missing_value"),
        (metric("rate", values={"passes": 1}), "value", "missing_value"),
        (metric("gauge", values={}), "value", "missing_value"),
        (5, "", "wrong_type"),
    ],
)
def test_a_broken_statistic_is_rejected_and_the_others_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(data(before=metric("gauge"), m=broken, after=metric("gauge")))
    assert {"before", "after"} <= set(reading.column("metric"))
    assert [problem[2] for problem in reading.problems] == [reason]
    assert [problem[1] for problem in reading.problems] == [field]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize("name", [None, "", 5, "{a:b}"])
def test_a_metric_without_name_is_rejected(name: Any) -> None:
    reading = read(summary({"name": name, **metric()}, {"name": "vus", **metric("gauge")}))
    assert reading.column("metric") == ["vus"]
    assert reading.problems == [("results.metrics[0]", "name", "missing_identity")]


def test_bytes_that_are_not_utf_8_reject_the_metric_they_name() -> None:
    reading = read(data(good=metric("gauge"), bad=metric("gauge")).replace(b"bad", b"b\xff"))
    assert reading.column("metric") == ["good"]
    assert [problem[2] for problem in reading.problems] == ["missing_identity"]


@pytest.mark.parametrize("content", [WHOLE, summary({"name": "vus", **metric("gauge")}, {"name": "m", **metric()})])
def test_a_file_cut_anywhere_gives_a_part_of_its_measurements_and_says_so(content: bytes) -> None:
    whole = read(content).rows
    numbers = []
    for end in range(len(content)):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            assert NAME in str(error)
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert reading.rejections[-1].reason == "truncated"
        numbers.append(len(reading.rows))
    assert numbers == sorted(numbers)
    assert numbers[-1] == len(whole)


def test_a_summary_that_lost_its_time_gives_no_measurements() -> None:
    run = json.loads(summary({"name": "vus", **metric("gauge")}))
    content = json.dumps({"results": run["results"], "metadata": run["metadata"]}).encode()
    reading = read(content[: content.index(b'"metadata"')])
    assert reading.rows == []
    assert [rejection.reason for rejection in reading.rejections] == ["missing_time", "truncated"]


statistics = st.dictionaries(st.sampled_from([*TREND, *COUNTER, "value", "passes", "fails"]), json_values, max_size=4)
typed = {"type": json_values | st.sampled_from([*KINDS]), "contains": json_values, "values": statistics | json_values}
metrics = json_values | statistics | st.fixed_dictionaries({}, optional=typed)
names = st.text(max_size=5) | st.sampled_from(["http_reqs", "http_req_duration{a:b}", "vus"])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(names, metrics, max_size=4), json_values, st.booleans())
def test_any_fields_give_rows_and_rejections(found: dict[str, Any], more: Any, as_summary: bool) -> None:
    if as_summary:
        listed = [{"name": name, **value} if isinstance(value, dict) else value for name, value in found.items()]
        content = summary(results={"metrics": listed, "checks": more}, metadata={"k6Version": "1", "generatedAt": more})
    else:
        content = data(**found)
    reading = read(content, FORMAT)
    for row in reading.rows:
        assert row["metric"]
    for rejection in reading.rejections:
        assert rejection.message


def test_other_statistics_of_a_trend_are_read_where_none_of_the_usual_was_asked_for() -> None:
    asked = {"min": 1.0, "max": 90.0, "p(99.9)": 85.0, "count": 7}
    assert values(read(data(http_req_duration=metric(values=asked)))) == [
        ("http_req_duration.min", 1.0, "ms"),
        ("http_req_duration.max", 90.0, "ms"),
        ("http_req_duration.p99.9", 85.0, "ms"),
    ]


def test_a_trend_without_any_statistic_is_idle() -> None:
    reading = read(data(http_req_duration=metric(values={}), http_reqs=metric("counter", "default")))
    assert (reading.omitted, reading.rejections) == ({"idle": 1}, [])
