"""TRX as mstest, vstest and dotnet test write it: names, outcomes, data rows, and damage."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.measurement import FormatError
from perf_assets.formats.trx import FORMAT
from perf_assets_tests.formats.reading import Reading, assert_helpful, read
from perf_assets_tests.formats.test_junit import element

NAMESPACE = "http://microsoft.com/schemas/VisualStudio/TeamTest/2010"
ASSEMBLY = "Shop.Tests, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null"


def result(*inside: str, tag: str = "UnitTestResult", **changes: Any) -> str:
    told = {
        "testId": "t1", "testName": "Adds", "computerName": "WIN-01", "duration": "00:00:01.5000000",
        "startTime": "2026-09-01T08:00:00.0000000+02:00", "outcome": "Passed",
    }  # fmt: skip
    return element(tag, *inside, **(told | changes))


def definition(test_id: str = "t1", class_name: str = f"Shop.CartTests, {ASSEMBLY}", name: str = "Adds") -> str:
    return element("UnitTest", element("TestMethod", className=class_name, name=name), name=name, id=test_id)


def run(*results: str, definitions: tuple[str, ...] = (definition(),), times: str | None = None) -> bytes:
    """A run as dotnet test writes it: definitions behind the results."""
    times = element("Times", creation="2026-09-01T07:00:00+00:00", start="2026-09-01T07:30:00+00:00") + (times or "")
    inside = (times, element("Results", *results), element("TestDefinitions", *definitions))
    return element("TestRun", *inside, xmlns=NAMESPACE, id="run-1", name="me@WIN-01 2026-09-01").encode()


WHOLE = run(result(), result(testName="Removes"))


def test_a_passed_test_is_a_measurement_of_its_run() -> None:
    (row,) = read(run(result())).rows
    assert (row["metric"], row["value"], row["unit"], row["test_type"]) == ("test_execution_time", 1.5, "s", "test")
    assert (row["test_name"], row["node_id"], row["run_key"]) == ("Shop.CartTests::Adds", "WIN-01", "run-1")
    assert (row["ts"].isoformat(), row["time_source"]) == ("2026-09-01T06:00:00", "result")
    assert row["location"] == "result 1, line 1"


def test_definitions_may_stand_before_the_results() -> None:
    content = element(
        "TestRun", element("TestDefinitions", definition()), element("Results", result()), xmlns=NAMESPACE
    )
    assert read(content.encode()).column("test_name", "run_key") == [("Shop.CartTests::Adds", None)]


@pytest.mark.parametrize(
    ("written", "class_name", "name"),
    [
        ("Adds(expected: 1.5)", "Shop.CartTests", "Shop.CartTests::Adds(expected: 1.5)"),
        ("Shop.CartTests.Adds(expected: False)", "Shop.CartTests", "Shop.CartTests.Adds(expected: False)"),
        ("Adds", f"Shop.CartTests, {ASSEMBLY}", "Shop.CartTests::Adds"),
        ("Adds", "", "Adds"),
    ],
)
def test_the_name_has_the_class_once(written: str, class_name: str, name: str) -> None:
    reading = read(run(result(testName=written), definitions=(definition(class_name=class_name),)))
    assert reading.column("test_name") == [name]


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        ("Failed", "failed"),
        ("Error", "errored"),
        ("Timeout", "errored"),
        ("Aborted", "errored"),
        ("Disconnected", "errored"),
        ("Exploded", "errored"),
        (None, "errored"),
        ("NotExecuted", "skipped"),
        ("NotRunnable", "skipped"),
        ("Inconclusive", "skipped"),
        ("Pending", "skipped"),
        ("InProgress", "skipped"),
    ],
)
def test_what_did_not_pass_is_counted_and_no_value(outcome: str | None, counted: str) -> None:
    reading = read(run(result(outcome=outcome), result(testName="Removes")))
    assert reading.column("test_name") == ["Shop.CartTests::Removes"]
    assert (reading.omitted, reading.rejections) == ({counted: 1}, [])


@pytest.mark.parametrize("outcome", ["Passed", "passed", "PassedButRunAborted", "Warning", "Completed"])
def test_what_passed_is_a_value(outcome: str) -> None:
    assert read(run(result(outcome=outcome))).column("value") == [1.5]


def test_without_duration_nothing_was_measured() -> None:
    reading = read(run(result(duration=None)))
    assert (reading.rows, reading.omitted, reading.rejections) == ([], {"idle": 1}, [])


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("00:00:00", 0.0),
        ("00:00:00.0000012", 1.2e-6),
        ("01:02:03.25", 3723.25),
        ("1.00:00:01", 86401.0),
        ("-00:00:00.0000000", 0.0),
    ],
)
def test_a_duration_is_a_time_span(written: str, seconds: float) -> None:
    assert read(run(result(duration=written))).column("value") == [pytest.approx(seconds)]


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (result(duration=""), "duration", "missing_value"),
        (result(duration="1.5"), "duration", "wrong_type"),
        (result(duration="00:00:٠١"), "duration", "wrong_type"),
        (result(duration="-00:00:01"), "duration", "impossible_value"),
        (result(testName=None), "testName", "missing_identity"),
        (result(testName="n" * 990), "testName", "missing_identity"),
    ],
)
def test_a_broken_result_is_rejected_and_its_neighbours_are_read(broken: str, field: str, reason: str) -> None:
    reading = read(run(result(), broken, result(testName="Removes")))
    assert reading.column("test_name") == ["Shop.CartTests::Adds", "Shop.CartTests::Removes"]
    assert reading.problems == [("result 2, line 1", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize("start", [None, "soon", "0001-01-01T00:00:00.0000000+00:00"])
def test_a_result_without_a_time_has_that_of_its_run(start: str | None) -> None:
    (row,) = read(run(result(startTime=start))).rows
    assert row["ts"].isoformat() == "2026-09-01T07:30:00"


def test_a_time_without_zone_is_in_the_zone_of_the_source() -> None:
    (row,) = read(run(result(startTime="2026-09-01T08:00:00")), zone=timezone(timedelta(hours=-3))).rows
    assert row["ts"].isoformat() == "2026-09-01T11:00:00"


def test_rows_of_a_data_driven_test_are_tests_and_their_sum_is_none() -> None:
    rows = element(
        "InnerResults",
        result(testName="Adds (1)", duration="00:00:01"),
        result(testName="Adds (2)", duration="00:00:02", outcome="Failed"),
    )
    reading = read(run(result(rows, duration="00:00:03", outcome="Failed"), result(testName="Removes")))
    assert reading.column("test_name", "value") == [("Shop.CartTests::Adds (1)", 1.0), ("Shop.CartTests::Removes", 1.5)]
    assert (reading.omitted, reading.rejections) == ({"failed": 1}, [])


def test_other_kinds_of_result_are_read() -> None:
    ordered = element("InnerResults", result(tag="UnitTestResult"))
    reading = read(run(result(ordered, tag="TestResultAggregation"), result(tag="GenericTestResult", testName="Runs")))
    assert reading.column("test_name") == ["Shop.CartTests::Adds", "Shop.CartTests::Runs"]


def test_repetitions_are_one_measurement() -> None:
    reading = read(run(*(result(duration=f"00:00:0{seconds}") for seconds in (5, 1, 2))))
    assert reading.column("value", "replicates") == [(2.0, [5.0, 1.0, 2.0])]


def test_a_file_cut_anywhere_gives_results_of_sure_identity_and_says_so() -> None:
    qualified = "Shop.CartTests.Adds"
    content = run(result(testName=qualified), result(testName=f"{qualified}(1.5)"), result(testName="Short"))
    whole = read(content).rows
    numbers = []
    for end in range(len(content)):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert reading.rejections[-1].reason == "truncated"
        numbers.append(len(reading.rows))
        for rejection in reading.rejections:
            assert_helpful(rejection)
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2, 3}


def cut_before_definitions(*results: str) -> Reading:
    content = run(*results)
    return read(content[: content.index(b"<TestDefinitions>")])


def test_a_result_that_lost_the_definition_of_its_class_is_rejected() -> None:
    reading = cut_before_definitions(result(testName="Adds(1.5)"), result(testName="Shop.CartTests.Adds"))
    assert reading.column("test_name") == ["Shop.CartTests.Adds"]
    assert reading.problems == [("result 1, line 1", "testName", "missing_identity"), ("line 1", "", "truncated")]


texts = st.text(max_size=8) | st.sampled_from(["Passed", "00:00:01", "-00:00:01", "1", "2026-09-01T00:00:00", "t1"])
tags = st.sampled_from(
    ["Results", "UnitTestResult", "InnerResults", "TestDefinitions", "UnitTest", "TestMethod", "Times"]
)
names = st.sampled_from(["testId", "id", "testName", "duration", "outcome", "startTime", "start", "className"])
trees = st.recursive(
    st.builds(lambda tag, told: element(tag, **told), tags, st.dictionaries(names, texts, max_size=6)),
    lambda inner: st.builds(lambda tag, inside: element(tag, *inside), tags, st.lists(inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_elements_give_rows_and_rejections(tree: str) -> None:
    reading = read(element("TestRun", tree).encode(), FORMAT)
    for row in reading.rows:
        assert row["value"] >= 0
        assert row["test_name"]
    for rejection in reading.rejections:
        assert rejection.location
