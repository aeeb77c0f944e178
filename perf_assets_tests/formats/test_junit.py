"""JUnit XML of many writers: real files, outcomes, names, times, and damage."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.junit import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.reading import NAME, SHARED, Reading, assert_helpful, read, read_file

FOLDER = SHARED / "junit"
needs_files = pytest.mark.skipif(not FOLDER.exists(), reason=f"needs {FOLDER}")


def element(tag: str, *inside: str, **attributes: Any) -> str:
    told = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items() if value is not None)
    return f"<{tag}{told}>{''.join(inside)}</{tag}>"


def case(*inside: str, name: Any = "test_a", classname: Any = "pkg.Test", time: Any = "1.5", **more: Any) -> str:
    return element("testcase", *inside, name=name, classname=classname, time=time, **more)


def suite(*inside: str, name: Any = "pytest", **attributes: Any) -> str:
    return element("testsuite", *inside, name=name, **attributes)


def file(*inside: str, **attributes: Any) -> bytes:
    return ('<?xml version="1.0" encoding="utf-8"?>\n' + element("testsuites", *inside, **attributes)).encode()


def read_cases(*cases: str, **attributes: Any) -> Reading:
    return read(file(suite(*cases, **attributes)))


WHOLE = file(suite(case(), case(name="test_b", time="0.25"), timestamp="2026-09-01T08:00:00", hostname="linux-07"))


@needs_files
def test_nested_suites_below_a_root_suite_give_every_case_once() -> None:
    reading = read_file(FOLDER / "testsuite-root.xml")
    assert reading.column("test_name", "value") == [
        ("someName::TestCase1", 1.32159),
        ("someName::TestCase2", 1.321319),
        ("someName::TestCase3", 1.08817),
        ("someName::TestCase4", 0.98817),
        ("someName::TestCase5", 0.08817),
    ]
    assert (reading.rejections, reading.omitted) == ([], {})
    assert {(row["metric"], row["unit"], row["test_type"], row["node_id"]) for row in reading.rows} == {
        ("test_execution_time", "s", "test", None)
    }


@needs_files
def test_of_a_file_that_breaks_off_the_cases_before_are_read() -> None:
    reading = read_file(FOLDER / "corrupt-xml.xml")
    (row,) = reading.rows
    assert (row["test_name"], row["value"]) == ("test.test_spark.SparkTests::test_check_shape_compatibility", 6.435)
    assert (row["ts"].isoformat(), row["node_id"]) == ("2020-09-04T16:18:04.966371", "3f909e363d82")
    assert reading.omitted == {}
    assert reading.problems == [("line 11", "", "truncated")]
    assert_helpful(reading.rejections[0])


@needs_files
def test_of_several_results_of_a_case_the_worst_counts() -> None:
    reading = read_file(FOLDER / "junit.multiresult.xml")
    assert reading.column("test_name", "value", "location") == [
        ("test class::test that succeeds", 0.456, "testcase 4, line 17")
    ]
    assert reading.omitted == {"errored": 1, "failed": 1, "skipped": 1}
    assert reading.rejections == []


@needs_files
def test_a_file_of_pytest_is_read_whole() -> None:
    reading = read_file(FOLDER / "junit.gloo.standalone.xml")
    assert len(reading.rows) == len({row["test_name"] for row in reading.rows}) == 80
    assert sum(row["value"] for row in reading.rows) == pytest.approx(198.213)
    assert {(row["ts"].isoformat(), row["node_id"]) for row in reading.rows} == {
        ("2020-08-31T09:24:41.605653", "5528853fbe73")
    }
    assert reading.rows[0]["test_name"] == "test.test_spark.SparkTests::test_check_shape_compatibility"
    assert (reading.omitted, reading.rejections) == ({"skipped": 17}, [])


@pytest.mark.parametrize(
    ("broken", "outcome"),
    [
        (case(element("failure", "assert 1 == 2", message="x")), "failed"),
        (case(element("error")), "errored"),
        (case(element("skipped")), "skipped"),
        (case(element("skipped"), element("failure"), element("error")), "errored"),
        (case(element("failure"), element("skipped")), "failed"),
        (case(status="disabled"), "skipped"),
        (case(status="notrun"), "skipped"),
        (case(status="run", result="suppressed"), "skipped"),
        (case(status="fail"), "failed"),
        (case(element("error"), element("rerunError")), "errored"),
        (case(element("failure"), element("rerunFailure")), "failed"),
        (case(element("failure"), name=None, time="x"), "failed"),
        (case(time=None), "idle"),
        (case(time=None, name=None), "idle"),
    ],
)
def test_what_did_not_pass_is_counted_and_no_value(broken: str, outcome: str) -> None:
    reading = read_cases(case(name="before"), broken, case(name="after"))
    assert reading.column("test_name") == ["pkg.Test::before", "pkg.Test::after"]
    assert (reading.omitted, reading.rejections) == ({outcome: 1}, [])


@pytest.mark.parametrize(
    "passed",
    [
        case(element("flakyFailure", element("stackTrace", "x"), element("system-out", "y"), message="z")),
        case(element("flakyError"), element("flakyFailure")),
        case(element("system-out", "x"), element("system-err", "failure")),
        case(element("properties", element("property", name="failure", value="x"))),
        case(status="run", result="completed"),
        case(status="passed"),
    ],
)
def test_a_test_that_passed_in_the_end_passed(passed: str) -> None:
    reading = read_cases(passed)
    assert reading.column("value") == [1.5]
    assert (reading.omitted, reading.rejections) == ({}, [])


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"classname": "tests.test_a.TestB", "name": "test_c[1]"}, "tests.test_a.TestB::test_c[1]"),
        ({"classname": "com.Foo", "name": "com.Foo.test"}, "com.Foo.test"),
        ({"classname": "adds numbers", "name": "adds numbers"}, "adds numbers"),
        ({"classname": "adds", "name": "Calculator adds"}, "Calculator adds"),
        ({"classname": "Adds", "name": "AddsNumbers"}, "Adds::AddsNumbers"),
        ({"classname": "a", "name": "is a list"}, "a::is a list"),
        ({"classname": " ", "name": " test "}, "outer::inner::test"),
        ({"classname": None, "name": "test"}, "outer::inner::test"),
        ({"classname": None, "class": "C", "name": "test"}, "C::test"),
    ],
)
def test_the_name_has_the_class_once_else_the_path_of_suites(attributes: dict[str, Any], name: str) -> None:
    reading = read(file(suite(suite(case(**attributes), name="inner"), name="outer"), name="all of today"))
    assert reading.column("test_name") == [name]


def test_the_attribute_of_a_nameless_suite_is_left_out_of_the_path() -> None:
    assert read(file(suite(case(classname=None, name="t"), name=None))).column("test_name") == ["t"]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0.0),
        ("0.001", 0.001),
        ("1,234.5", 1234.5),
        ("1,234,567.25", 1234567.25),
        ("12,345", 12345.0),
        ("1e-05", 1e-5),
    ],
)
def test_a_time_is_in_seconds(written: str, seconds: float) -> None:
    assert read_cases(case(time=written)).column("value", "unit") == [(seconds, "s")]


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (case(time=""), "time", "missing_value"),
        (case(time="  "), "time", "missing_value"),
        (case(time="fast"), "time", "wrong_type"),
        (case(time="0,123"), "time", "wrong_type"),
        (case(time="1,2"), "time", "wrong_type"),
        (case(time="NaN"), "time", "not_finite"),
        (case(time="1e999"), "time", "not_finite"),
        (case(time="-0.5"), "time", "impossible_value"),
        (case(time="-1,234.5"), "time", "impossible_value"),
        (case(name=None), "name", "missing_identity"),
        (case(name=" "), "name", "missing_identity"),
        (case(name="n" * 995), "name", "missing_identity"),
    ],
)
def test_a_broken_case_is_rejected_and_its_neighbours_are_read(broken: str, field: str, reason: str) -> None:
    reading = read_cases(case(name="before"), broken, case(name="after"))
    assert reading.column("test_name") == ["pkg.Test::before", "pkg.Test::after"]
    assert reading.problems == [("testcase 2, line 2", field, reason)]
    assert_helpful(reading.rejections[0])


def test_the_time_is_the_nearest_one() -> None:
    reading = read(
        file(
            suite(
                suite(case(name="a")), case(name="b", timestamp="2026-09-03T00:00:00Z"), timestamp="2026-09-02T00:00:00"
            ),
            suite(case(name="c")),
            timestamp="2026-09-01T00:00:00",
        )
    )
    assert [row["ts"].day for row in reading.rows] == [2, 3, 1]


@pytest.mark.parametrize(
    ("written", "ts"),
    [
        ("2026-09-01T08:00:00", "2026-09-01T06:00:00"),
        ("2026-09-01T08:00:00.25Z", "2026-09-01T08:00:00.250000"),
        ("2026-09-01T08:00:00-01:00", "2026-09-01T09:00:00"),
        ("Tue, 01 Sep 2026 08:00:00 +0000", "2026-09-01T08:00:00"),
        ("Tue, 1 Sep 2026 08:00:00 GMT", "2026-09-01T08:00:00"),
        ("1788242400000", "2026-09-01T06:00:00"),
    ],
)
def test_a_time_without_zone_is_in_the_zone_of_the_source(written: str, ts: str) -> None:
    reading = read(file(suite(case(), timestamp=written)), zone=timezone(timedelta(hours=2)))
    assert [row["ts"].isoformat() for row in reading.rows] == [ts]


def test_a_broken_time_is_told_once_and_the_one_around_it_is_taken() -> None:
    reading = read(file(suite(case(), case(name="b"), timestamp="noon"), timestamp="2026-09-01T00:00:00"))
    assert [row["ts"].day for row in reading.rows] == [1, 1]
    assert reading.problems == [("testsuite, line 2", "timestamp", "bad_time")]
    assert_helpful(reading.rejections[0])


def test_a_file_without_time_or_run_leaves_both_open() -> None:
    (row,) = read_cases(case()).rows
    assert (row["run_key"], row["project"], row["attempt"]) == (None, None, 1)


def test_the_node_is_the_nearest_host() -> None:
    reading = read(file(suite(suite(case(), hostname="inner"), case(), hostname="outer"), suite(case())))
    assert reading.column("node_id") == ["inner", "outer", None]


def properties(**named: str) -> str:
    return element("properties", *(element("property", name=name, value=value) for name, value in named.items()))


def test_properties_name_the_run_and_explain() -> None:
    reading = read(
        file(
            suite(
                properties(GIT_COMMIT="abc", GIT_BRANCH="origin/main", GITHUB_RUN_ID="17", seed="1", colour="red"),
                "<properties><property name='note'> as text </property><property value='nameless'/></properties>",
                case(properties(seed="2")),
                case(name="b"),
            ),
            properties(after="the suite"),
        )
    )
    first, second = reading.rows
    assert {(row["commit_id"], row["branch"], row["run_key"]) for row in reading.rows} == {("abc", "main", "17")}
    assert json.loads(first["context"]) == {"colour": "red", "note": " as text ", "seed": "2"}
    assert json.loads(second["context"]) == {"colour": "red", "note": " as text ", "seed": "1"}


def test_repetitions_in_any_suite_are_one_measurement_and_other_nodes_are_not() -> None:
    reading = read(
        file(
            suite(case(time="3"), case(time="1"), case(name="b", time="9"), hostname="x"),
            suite(case(time="8"), case(element("failure"), time="0"), hostname="x", name="again"),
            suite(case(time="5"), hostname="y"),
        )
    )
    assert reading.column("test_name", "node_id", "value", "replicates") == [
        ("pkg.Test::test_a", "x", 3.0, [3.0, 1.0, 8.0]),
        ("pkg.Test::b", "x", 9.0, None),
        ("pkg.Test::test_a", "y", 5.0, None),
    ]
    assert reading.omitted == {"failed": 1}


@pytest.mark.parametrize("content", [b"<testsuites/>", b"<testsuite name='x' tests='5' time='3'/>"])
def test_a_file_without_cases_measures_nothing(content: bytes) -> None:
    reading = read(content)
    assert (reading.format, reading.rows, reading.rejections, reading.omitted) == ("junit", [], [], {})


@pytest.mark.parametrize(
    "content",
    [
        b'<!-- by hand --><x:testsuite xmlns:x="urn:x"><x:testcase name="a" time="1"/></x:testsuite>',
        "\ufeff<testsuite><testcase name='a' time='1'/></testsuite>".encode(),
        "\ufeff<testsuite><testcase name='a' time='1'/></testsuite>".encode("utf-16-le"),
        b"<?xml version='1.0' encoding='iso-8859-1'?><testsuite name='\xe9'><testcase name='a' time='1'/></testsuite>",
        b"<testsuite><testcase name='a' time='1'><system-out>\x1b[31mred\x1b[0m</system-out></testcase></testsuite>",
    ],
)
def test_writers_differ_in_encoding_and_prefix(content: bytes) -> None:
    assert read(content).column("value") == [1.0]


def test_declared_entities_are_refused() -> None:
    with pytest.raises(FormatError, match=NAME) as caught:
        read(b"<!DOCTYPE testsuite [<!ENTITY a 'b'>]><testsuite><testcase name='&a;' time='1'/></testsuite>")
    assert caught.value.reason == "unsafe"


def test_a_file_cut_anywhere_gives_the_cases_before_and_says_so() -> None:
    content = WHOLE
    whole = read(content).rows
    numbers = []
    for end in range(content.index(b"<testsuites"), len(content)):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert [rejection.reason for rejection in reading.rejections] == ["truncated"]
        assert_helpful(reading.rejections[0])
        numbers.append(len(reading.rows))
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}


texts = st.text(max_size=8) | st.sampled_from(["1", "1,234", "-1", "NaN", "failed", "2026-09-01T00:00:00", "٣"])
tags = st.sampled_from(["testsuites", "testsuite", "testcase", "failure", "skipped", "properties", "property", "x"])
names = st.sampled_from(["name", "classname", "time", "timestamp", "hostname", "status", "value"])
trees = st.recursive(
    st.builds(lambda tag, told: (tag, told, []), tags, st.dictionaries(names, texts, max_size=5)),
    lambda inner: st.builds(
        lambda tag, told, inside: (tag, told, inside),
        tags,
        st.dictionaries(names, texts, max_size=5),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


def written(tree: Any) -> str:
    tag, told, inside = tree
    return element(tag, *(written(each) for each in inside), **told)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_elements_give_rows_and_rejections(tree: Any) -> None:
    reading = read(written(("testsuites", {}, [tree])).encode(), FORMAT)
    for row in reading.rows:
        assert row["value"] >= 0
        assert row["test_name"]
    for rejection in reading.rejections:
        assert rejection.location


def test_tests_of_node_are_known_by_their_suites() -> None:
    inner = [
        suite(case(name="works", classname="test", time=seconds), name=name) for name, seconds in [("A", 1), ("B", 2)]
    ]
    reading = read(file(*inner))
    assert reading.column("test_name", "value") == [("A::works", 1.0), ("B::works", 2.0)]
