"""Catch2's XML: benchmarks in sections, durations of test cases, outcomes, and damage."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.catch2 import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.reading import Reading, assert_helpful, read


def element(tag: str, *inside: str, **attributes: Any) -> str:
    told = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items() if value is not None)
    return f"<{tag}{told}>{''.join(inside)}</{tag}>"


def benchmark(name: Any = "sort", mean: Any = "6.5", deviation: Any = "0.5") -> str:
    return element(
        "BenchmarkResults",
        "<!--All values in nano seconds-->",
        element("mean", value=mean, lowerBound="6", upperBound="7", ci="0.95"),
        element("standardDeviation", value=deviation, lowerBound="0.4", upperBound="0.6", ci="0.95"),
        element("outliers", variance="0.1", lowMild="0", lowSevere="0", highMild="2", highSevere="1"),
        name=name, samples="100", resamples="100000", iterations="22", clockResolution="19.5", estimatedDuration="4400",
    )  # fmt: skip


def failed(name: str = "sort") -> str:
    return element("BenchmarkResults", element("failed", message="boom"), name=name)


def case(*inside: str, name: Any = "sorting", success: Any = "true", seconds: Any = "1.5", skips: Any = "0") -> str:
    overall = element("OverallResult", success=success, skips=skips, durationInSeconds=seconds)
    return element("TestCase", *inside, overall, name=name, tags="[!benchmark]", filename="sort.cpp", line="5")


def section(*inside: str, name: Any = "of ints") -> str:
    overall = element("OverallResults", successes="1", failures="0", expectedFailures="0", durationInSeconds="0.25")
    return element("Section", *inside, overall, name=name, filename="sort.cpp", line="9")


def run(*cases: str, root: str = "Catch2TestRun", name: Any = "bench") -> bytes:
    inside = [
        *cases,
        element("OverallResults", successes="5", failures="0"),
        element("OverallResultsCases", successes="1"),
    ]
    head = {"rng-seed": 1, "xml-format-version": 3, "catch2-version": "3.7.1"}
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + element(root, *inside, name=name, **head)).encode()


def values(reading: Reading) -> list[tuple[str, str, float, str]]:
    return reading.column("test_name", "metric", "raw_value", "raw_unit")


WHOLE = run(case(section(benchmark()), benchmark("copy", "3.25")))


def test_benchmarks_have_the_path_of_their_sections_and_test_cases_a_duration() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("catch2", [], {})
    assert values(reading) == [
        ("sorting::of ints::sort", "benchmark_time", 6.5, "ns"),
        ("sorting::copy", "benchmark_time", 3.25, "ns"),
        ("sorting", "test_execution_time", 1.5, "s"),
    ]
    first = reading.rows[0]
    assert (first["raw_spread"], first["location"], first["value"]) == (0.5, "BenchmarkResults 1, line 2", 6.5e-9)
    assert json.loads(first["context"]) == {"iterations": "22", "samples": "100"}
    assert {(row["tags"], row["ts"], row["run_key"]) for row in reading.rows} == {('{"suite": "bench"}', None, None)}
    assert reading.column("test_type") == ["benchmark", "benchmark", "test"]


def test_version_2_has_groups() -> None:
    reading = read(run(element("Group", case(section(benchmark())), name="bench"), root="Catch"))
    assert values(reading)[0] == ("sorting::of ints::sort", "benchmark_time", 6.5, "ns")
    assert len(reading.rows) == 2


@pytest.mark.parametrize(
    ("broken", "omitted"),
    [
        (case(failed()), {"failed": 1}),
        (case(success="false"), {"failed": 1}),
        (case(failed(), success="false"), {"failed": 2}),
        (case(skips="1"), {"skipped": 1}),
        (case(success="false", skips="1"), {"failed": 1}),
        (case(seconds=None), {"idle": 1}),
        (case(skips=None, seconds=None), {"idle": 1}),
    ],
)
def test_what_did_not_pass_is_counted_and_no_value(broken: str, omitted: dict[str, int]) -> None:
    reading = read(run(case(name="before"), broken, case(name="after")))
    assert [row["test_name"] for row in reading.rows if row["test_name"] != "sorting"] == ["before", "after"]
    assert (reading.omitted, reading.rejections) == (omitted, [])


def test_a_benchmark_beside_one_that_failed_is_read() -> None:
    reading = read(run(case(failed("a"), benchmark("b"), success="false")))
    assert (reading.column("test_name"), reading.omitted) == (["sorting::b"], {"failed": 2})


def test_what_is_repeated_is_one_measurement() -> None:
    sections = [section(benchmark(mean=mean)) for mean in ("3", "9", "4")]
    reading = read(run(case(*sections)))
    assert reading.column("test_name", "raw_value", "raw_replicates")[0] == (
        "sorting::of ints::sort",
        4.0,
        [3.0, 9.0, 4.0],
    )
    assert len(reading.rows) == 2


def test_names_are_as_they_are_without_the_space_around_them() -> None:
    reading = read(run(case(section(benchmark("a<int> & b"), name=None), name=" vectors "), name=None))
    assert reading.column("test_name", "tags") == [("vectors::a<int> & b", None), ("vectors", None)]


def test_without_deviation_there_is_no_spread() -> None:
    assert read(run(case(benchmark(deviation="nan")))).rows[0]["raw_spread"] is None


@pytest.mark.parametrize(
    ("broken", "location", "field", "reason"),
    [
        (benchmark(mean="fast"), "BenchmarkResults 2", "mean", "wrong_type"),
        (benchmark(mean="nan"), "BenchmarkResults 2", "mean", "not_finite"),
        (benchmark(mean="-1"), "BenchmarkResults 2", "mean", "impossible_value"),
        (benchmark(mean=None), "BenchmarkResults 2", "mean", "missing_value"),
        (element("BenchmarkResults", name="x"), "BenchmarkResults 2", "mean", "missing_value"),
        (benchmark(None), "BenchmarkResults 2", "name", "missing_identity"),
        (benchmark("n" * 1_000), "BenchmarkResults 2", "name", "missing_identity"),
    ],
)
def test_a_broken_benchmark_is_rejected_and_its_neighbours_are_read(
    broken: str, location: str, field: str, reason: str
) -> None:
    reading = read(run(case(benchmark("a"), broken, benchmark("b"))))
    assert reading.column("test_name") == ["sorting::a", "sorting::b", "sorting"]
    assert reading.problems == [(f"{location}, line 2", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (case(seconds="-1"), "durationInSeconds", "impossible_value"),
        (case(seconds="x"), "durationInSeconds", "wrong_type"),
        (case(seconds=""), "durationInSeconds", "missing_value"),
        (case(name=None), "name", "missing_identity"),
        (element("TestCase", name="x"), "OverallResult", "missing_value"),
    ],
)
def test_a_broken_case_is_rejected_and_its_neighbours_are_read(broken: str, field: str, reason: str) -> None:
    reading = read(run(case(name="before"), broken, case(name="after")))
    assert reading.column("test_name") == ["before", "after"]
    assert reading.problems == [("TestCase 2, line 2", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_file_without_cases_measures_nothing() -> None:
    reading = read(run())
    assert (reading.format, reading.rows, reading.rejections, reading.omitted) == ("catch2", [], [], {})


def test_a_file_cut_anywhere_gives_what_is_whole_before_and_says_so() -> None:
    whole = read(WHOLE).rows
    numbers = []
    for end in range(WHOLE.index(b"<Catch2TestRun"), len(WHOLE)):
        try:
            reading = read(WHOLE[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert [rejection.reason for rejection in reading.rejections] == ["truncated"]
        numbers.append(len(reading.rows))
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2, 3}


texts = st.text(max_size=6) | st.sampled_from(["1", "-1", "nan", "true", "false"])
tags = st.sampled_from(["TestCase", "Section", "BenchmarkResults", "mean", "failed", "OverallResult", "Group"])
names = st.sampled_from(["name", "value", "success", "durationInSeconds", "skips"])
trees = st.recursive(
    st.builds(lambda tag, told: (tag, told, []), tags, st.dictionaries(names, texts, max_size=4)),
    lambda inner: st.builds(
        lambda tag, told, inside: (tag, told, inside), tags, st.dictionaries(names, texts, max_size=4),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)  # fmt: skip


def written(tree: Any) -> str:
    tag, told, inside = tree
    return element(tag, *(written(each) for each in inside), **told)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_elements_give_rows_and_rejections(tree: Any) -> None:
    reading = read(run(written(tree)), FORMAT)
    for row in reading.rows:
        assert row["value"] >= 0
        assert row["test_name"]
    for rejection in reading.rejections:
        assert rejection.location
