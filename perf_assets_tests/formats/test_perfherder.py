"""Perfherder's data in logs and as JSON: suites and subtests, what tells series apart, and damage."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.measurement import FormatError
from perf_assets.formats.perfherder import FORMAT
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import NAME, Reading, assert_helpful, read


def subtest(name: Any = "bbc.co.uk", value: Any = 252.5, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "ms"} | more


def suite(*subtests: Any, name: Any = "tp5o", **more: Any) -> dict[str, Any]:
    return {"name": name, "subtests": list(subtests)} | more


def data(*suites: Any, **more: Any) -> dict[str, Any]:
    return {"framework": {"name": "talos"}, "suites": list(suites)} | more


def log(*lines: Any) -> bytes:
    """A log of Taskcluster; what is no text is a line of Perfherder's."""
    begin = "[taskcluster 2026-09-01 08:00:00.123Z] Task ID: fN1SbArXTPSVFNUvaOlinQ"
    before = "[task 2026-09-01T08:00:01.250Z] 08:00:01     INFO -  "
    written = (line if isinstance(line, str) else f"{before}PERFHERDER_DATA: {json.dumps(line)}" for line in lines)
    return "\n".join([begin, *written, ""]).encode()


def values(reading: Reading) -> list[tuple[str, str, float, str]]:
    return reading.column("test_name", "metric", "raw_value", "raw_unit")


WHOLE = json.dumps(data(suite(subtest(), subtest("youtube.com", 3.0), value=300.0, unit="ms"))).encode()


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        json.dumps([json.loads(WHOLE)]).encode(),
        json.dumps({"suites": json.loads(WHOLE)["suites"], "framework": {"name": "talos"}}, indent=4).encode(),
        log("updating", json.loads(WHOLE), "done"),
        b"PERFHERDER_DATA: " + WHOLE,
    ],
)
def test_a_suite_and_its_subtests_are_measurements(content: bytes) -> None:
    reading = read(content)
    assert (reading.format, reading.rejections, reading.omitted) == ("perfherder", [], {})
    assert values(reading) == [
        ("tp5o", "benchmark_time", 300.0, "ms"),
        ("tp5o::bbc.co.uk", "benchmark_time", 252.5, "ms"),
        ("tp5o::youtube.com", "benchmark_time", 3.0, "ms"),
    ]
    assert {(row["tags"], row["direction"], row["test_type"], row["run_key"]) for row in reading.rows} == {
        ('{"suite": "talos"}', "lower_is_better", "benchmark", None)
    }


def test_lines_that_mozilla_wrote() -> None:
    reading = read(
        b"[vcs 2018-11-14T21:13:38.463Z] updated to 6926e117b97c\n"
        b'[vcs 2018-11-14T21:13:38.469Z] PERFHERDER_DATA: {"framework": {"name": "vcs"}, "suites": ['
        b'{"extraOptions": ["m3.xlarge"], "lowerIsBetter": true, "name": "clone", "shouldAlert": false, "subtests": [],'
        b' "value": 156.62339401245117}, {"extraOptions": ["m3.xlarge"], "lowerIsBetter": true, "name": "pull",'
        b' "shouldAlert": false, "subtests": [], "value": 13.032690048217773}]}\n'
        b'22:31:05     INFO -  raptor-output Info: PERFHERDER_DATA: {"framework": {"name": "raptor"}, "suites": '
        b'[{"name":'
        b' "raptor-scn-cpu", "lowerIsBetter": true, "alertThreshold": 2.0, "value": 0, "subtests": [{"lowerIsBetter":'
        b' true, "unit": "%", "name": "cpu-browser_cpu_usage", "value": 0, "alertThreshold": 2.0}], "type": "cpu",'
        b' "unit": "%"}]}\n'
        b'PERFHERDER_DATA: {"framework": {"name": "build_metrics"}, "suites": [{"subtests": [{"name": "libxul.so",'
        b' "value": 99030741}], "name": "installer size", "value": 55555785}]} (kept)\n'
    )
    assert reading.column("test_name", "raw_value", "raw_unit", "tags") == [
        ("clone[m3.xlarge]", 156.62339401245117, "", '{"suite": "vcs"}'),
        ("pull[m3.xlarge]", 13.032690048217773, "", '{"suite": "vcs"}'),
        ("raptor-scn-cpu", 0.0, "%", '{"suite": "raptor"}'),
        ("raptor-scn-cpu::cpu-browser_cpu_usage", 0.0, "%", '{"suite": "raptor"}'),
        ("installer size", 55555785.0, "", '{"suite": "build_metrics"}'),
        ("installer size::libxul.so", 99030741.0, "", '{"suite": "build_metrics"}'),
    ]
    assert [row["ts"] and row["ts"].isoformat() for row in reading.rows] == ["2018-11-14T21:13:38.469000"] * 2 + [
        None
    ] * 4
    assert reading.rows[0]["location"] == "line 2, suites[0].value"
    assert reading.rows[3]["location"] == "line 3, suites[0].subtests[0].value"
    assert json.loads(reading.rows[0]["context"]) == {"should_alert": False}


@pytest.mark.parametrize(
    ("fields", "direction"),
    [
        ({}, "lower_is_better"),
        ({"lowerIsBetter": True}, "lower_is_better"),
        ({"lowerIsBetter": False}, "higher_is_better"),
        ({"lowerIsBetter": None}, "lower_is_better"),
    ],
)
def test_lower_is_better_unless_said_otherwise(fields: dict[str, Any], direction: str) -> None:
    reading = read(json.dumps(data(suite(subtest(**fields), value=1, lowerIsBetter=False))).encode())
    assert reading.column("direction") == ["higher_is_better", direction]


@pytest.mark.parametrize(
    ("unit", "metric", "canonical"),
    [
        ("ms", "benchmark_time", "s"), ("MB", "benchmark_memory", "By"), ("score", "benchmark_value", "score"),
        ("%", "benchmark_value", "1"), (None, "benchmark_value", ""),
    ],
)  # fmt: skip
def test_the_unit_names_the_metric_and_is_not_inherited(unit: Any, metric: str, canonical: str) -> None:
    reading = read(json.dumps(data(suite(subtest(unit=unit), value=1, unit="fps"))).encode())
    assert reading.column("metric", "unit") == [("benchmark_value", "fps"), (metric, canonical)]


def test_options_and_application_tell_series_apart_and_versions_explain() -> None:
    (row,) = read(
        json.dumps(
            data(
                suite(subtest(alertThreshold=2.0, shouldAlert=True), extraOptions=["webrender", "e10s"], tags=["a11y"]),
                application={"name": "firefox", "version": "132.0"},
                os={"name": "linux", "platform_version": "22.04"},
            )
        ).encode()
    ).rows
    assert row["test_name"] == "tp5o::bbc.co.uk[e10s,webrender]"
    assert json.loads(row["tags"]) == {"os": "linux", "runtime": "firefox", "suite": "talos"}
    assert json.loads(row["context"]) == {
        "alert_threshold": 2.0, "application_version": "132.0", "labels": ["a11y"], "os_version": "22.04",
        "should_alert": True,
    }  # fmt: skip


def test_replicates_are_those_of_a_subtest() -> None:
    reading = read(
        json.dumps(data(suite(subtest(replicates=[3, 1, 2.5]), subtest("b", replicates=[1]), value=4))).encode()
    )
    assert reading.column("raw_replicates") == [None, [3.0, 1.0, 2.5], None]


def test_what_a_log_has_several_times_is_one_measurement() -> None:
    runs = [data(suite(subtest(value=value))) for value in (5.0, 9.0, 6.0)]
    assert read(log(*runs)).column("raw_value", "raw_replicates") == [(6.0, [5.0, 9.0, 6.0])]


def test_data_that_a_log_has_twice_is_there_once() -> None:
    blob = data(suite(subtest(replicates=[90, 100, 110])))
    reading = read(log(blob, blob))
    assert reading.column("raw_value", "raw_replicates") == [(252.5, [90.0, 100.0, 110.0])]


def test_a_log_is_told_by_a_line_far_down_and_has_the_clock_before_it() -> None:
    lines = "[log] nothing to see\n" * 10_000
    written = f"{lines}2026-09-01T08:00:00.1234567Z PERFHERDER_DATA: {json.dumps(data(suite(subtest())))}\n"
    (row,) = read(written.encode()).rows
    assert (row["ts"].isoformat(timespec="seconds"), row["location"]) == (
        "2026-09-01T08:00:00",
        "line 10001, suites[0].subtests[0].value",
    )


@pytest.mark.parametrize(
    ("content", "ts", "time_source"),
    [
        (log(data(suite(subtest()), pushTimestamp=1788249600)), "2026-09-01T08:00:01.250000", "result"),
        (json.dumps(data(suite(subtest()), pushTimestamp=1788249600)).encode(), "2026-09-01T08:00:00", "commit"),
        (b"[task 2026-09-01 10:00:00] PERFHERDER_DATA: " + WHOLE, "2026-09-01T08:00:00", "result"),
        (b"[task 2026-09-01T08:00:00.000+00:00] PERFHERDER_DATA: " + WHOLE, "2026-09-01T08:00:00", "result"),
        (b"2026-09-01 10:00:00,000 INFO PERFHERDER_DATA: " + WHOLE, "2026-09-01T08:00:00", "result"),
        (b"[2026-09-01 10:00:00.000] PERFHERDER_DATA: " + WHOLE, "2026-09-01T08:00:00", "result"),
        (WHOLE, None, "result"),
    ],
)
def test_the_time_is_that_of_the_line_or_of_the_push(content: bytes, ts: str | None, time_source: str) -> None:
    (row, *_) = read(content, zone=timezone(timedelta(hours=2))).rows
    assert ((row["ts"] and row["ts"].isoformat()), row["time_source"]) == (ts, time_source)


@pytest.mark.parametrize(
    "content", [log("no results", "at all"), json.dumps(data()).encode(), json.dumps(data(suite())).encode()]
)
def test_without_results_nothing_was_measured(content: bytes) -> None:
    reading = read(content)
    assert (reading.format, reading.rows, reading.rejections) == ("perfherder", [], [])


def test_a_comparison_of_two_pages_has_a_subtest_without_name() -> None:
    assert read(json.dumps(data(suite(subtest(""), name="bloom_basic"))).encode()).column("test_name") == [
        "bloom_basic"
    ]


@pytest.mark.parametrize(
    ("broken", "place", "field", "reason"),
    [
        (suite(subtest(None)), ".subtests[0]", "name", "missing_identity"),
        (suite(subtest(value=None)), ".subtests[0]", "value", "missing_value"),
        (suite({"name": "x"}), ".subtests[0]", "value", "missing_value"),
        (suite(subtest(value=float("nan"))), ".subtests[0]", "value", "not_finite"),
        (suite(subtest(value="3")), ".subtests[0]", "value", "wrong_type"),
        (suite(subtest(value=-1)), ".subtests[0]", "value", "impossible_value"),
        (suite(5), ".subtests[0]", "", "wrong_type"),
        (suite(value="x"), "", "value", "wrong_type"),
        (suite(subtest(), name=None), "", "name", "missing_identity"),
        (suite(name="n" * 1_001, value=1), "", "name", "missing_identity"),
        (suite(extraOptions="e10s"), "", "extraOptions", "wrong_type"),
        (suite(extraOptions=["e10s", 5]), "", "extraOptions", "wrong_type"),
        ({"name": "x", "subtests": {}}, "", "subtests", "wrong_type"),
        (5, "", "", "wrong_type"),
    ],
)
def test_what_is_broken_is_rejected_and_its_neighbours_are_read(
    broken: Any, place: str, field: str, reason: str
) -> None:
    whole = data(suite(subtest("before")), broken, suite(subtest("after")))
    for content, before in ((json.dumps(whole).encode(), ""), (log(whole), "line 2, ")):
        reading = read(content)
        assert reading.column("test_name") == ["tp5o::before", "tp5o::after"]
        assert reading.problems == [(f"{before}suites[1]{place}", field, reason)]
        assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('PERFHERDER_DATA: {"suites": [', ("line 3", "", "truncated")),
        ('PERFHERDER_DATA: {"suites": 5}', ("line 3", "suites", "wrong_type")),
        ("PERFHERDER_DATA: {}", ("line 3", "suites", "wrong_type")),
    ],
)
def test_a_broken_line_is_rejected_and_the_others_are_read(line: str, problem: tuple[str, str, str]) -> None:
    reading = read(log(data(suite(subtest("a"))), line, data(suite(subtest("b"))), "about PERFHERDER_DATA: nothing"))
    assert reading.column("test_name") == ["tp5o::a", "tp5o::b"]
    assert reading.problems == [problem]
    assert_helpful(reading.rejections[0])


def test_a_framework_may_stand_behind_its_suites_but_must_not_be_lost() -> None:
    content = json.dumps({"suites": [suite(subtest())], "framework": {"name": "talos"}}).encode()
    assert read(content).column("tags") == ['{"suite": "talos"}']
    reading = read(content[: content.index(b'"framework"')])
    assert (reading.rows, [problem[2] for problem in reading.problems]) == ([], ["missing_identity", "truncated"])


def test_every_prefix_gives_a_prefix() -> None:
    assert_every_prefix_gives_a_prefix(json.dumps(data(suite(subtest()), suite(subtest("b")))).encode(), FORMAT)


def test_a_log_cut_anywhere_gives_the_lines_before() -> None:
    content = log(data(suite(subtest("a"))), "between", data(suite(subtest("b"))))
    whole = read(content).rows
    numbers = set()
    for end in range(len(content)):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert NAME in str(error)
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert {rejection.reason for rejection in reading.rejections} <= {"truncated"}
        numbers.add(len(reading.rows))
    assert numbers == {0, 1, 2}


EVERYTHING = json.dumps(
    data(
        suite(subtest(replicates=[1, 2], lowerIsBetter=False), value=1, unit="ms", extraOptions=["e10s"], tags=["x"]),
        application={"name": "firefox", "version": "1"}, os={"name": "linux"}, pushTimestamp=1,
    )
).encode()  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), anything)
def test_any_value_in_any_place_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(EVERYTHING, FORMAT, place, value)


@settings(max_examples=100, deadline=None)
@given(st.lists(anything | st.text(max_size=8).map(lambda text: f"PERFHERDER_DATA: {{{text}"), max_size=3))
def test_any_lines_are_borne(lines: list[Any]) -> None:
    for row in read(log(*lines), FORMAT).rows:
        assert row["test_name"]
