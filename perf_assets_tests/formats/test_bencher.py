"""Bencher Metric Format: both versions, what is told from it, measures, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.bencher import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import Reading, assert_helpful, read


def written(benchmarks: dict[str, Any]) -> bytes:
    return json.dumps(benchmarks, indent=2).encode()


def case(measures: Any, **parameters: Any) -> dict[str, Any]:
    return {"parameters": parameters, "measures": measures}


def values(reading: Reading) -> list[tuple[str, str, float, str]]:
    return reading.column("test_name", "metric", "raw_value", "raw_unit")


WHOLE = written(
    {
        "sort": {"latency": {"value": 88.0, "lower_value": 87.0, "upper_value": 90.0}, "throughput": {"value": 5.5}},
        "copy": {"latency": {"value": 7.0}},
    }
)


def test_a_measure_is_a_metric_of_its_benchmark() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("bencher", [], {})
    assert reading.column("test_name", "metric", "value", "unit", "raw_spread") == [
        ("sort", "benchmark_time", pytest.approx(88e-9), "s", 1.5),
        ("sort", "benchmark_throughput", 5.5, "1/s", None),
        ("copy", "benchmark_time", pytest.approx(7e-9), "s", None),
    ]
    first = reading.rows[0]
    assert (first["location"], first["test_type"], first["ts"], first["run_key"]) == (
        "sort.latency.value", "benchmark", None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "metric", "unit"),
    [
        ("latency", "benchmark_time", "ns"), ("Latency", "benchmark_time", "ns"),
        ("build-time", "build_time", "s"), ("Build Time", "build_time", "s"), ("file-size", "artifact_size", "By"),
        ("Total bytes", "Total bytes", "By"), ("instructions", "instructions", ""), ("Max Blocks", "Max Blocks", ""),
        ("31aba8a9-977a-47d1-9fb6-e6b94b428471", "31aba8a9-977a-47d1-9fb6-e6b94b428471", ""),
    ],
)  # fmt: skip
def test_measures_of_benchers_own_have_its_units(measure: str, metric: str, unit: str) -> None:
    assert values(read(written({"a": {measure: {"value": 0}}}))) == [("a", metric, 0.0, unit)]


@pytest.mark.parametrize(
    ("numbers", "spread"),
    [
        ({"value": 5.0, "lower_value": 4.0, "upper_value": 8.0}, 2.0),
        ({"value": 5.0, "lower_value": 5.0, "upper_value": 5.0}, 0.0),
        ({"value": 3247.0, "lower_value": 1044.0, "upper_value": 1044.0}, None),
        ({"value": 5.0, "lower_value": 4.0}, None),
        ({"value": 5.0, "lower_value": 4.0, "upper_value": None}, None),
    ],
)
def test_the_spread_is_half_of_what_lies_between_the_bounds(numbers: dict[str, Any], spread: float | None) -> None:
    assert read(written({"a": {"latency": {"value": 1}}, "b": {"latency": numbers}})).rows[1]["raw_spread"] == spread


def test_a_suffix_that_silences_bencher_is_no_part_of_the_name() -> None:
    reading = read(written({"sort-bencher-ignore": {"latency": {"value": 1}}}))
    assert reading.column("test_name") == ["sort"]


def test_version_1_has_cases_with_parameters_and_numbers_with_names() -> None:
    content = written(
        {
            "read": [
                case({"latency": {"value": 42.0, "p99": 97.0}}, size_mb=16, op="seq"),
                case({"latency": {"value": 55.0}}, op="seq", size_mb=32),
                {"measures": {"throughput": {"p50": 5}}},
            ]
        }
    )
    reading = read(content)
    assert values(reading) == [
        ("read[op=seq,size_mb=16]", "benchmark_time", 42.0, "ns"),
        ("read[op=seq,size_mb=16]", "benchmark_time.p99", 97.0, "ns"),
        ("read[op=seq,size_mb=32]", "benchmark_time", 55.0, "ns"),
        ("read", "benchmark_throughput.p50", 5.0, "ops/s"),
    ]
    assert reading.column("direction") == [None, "lower_is_better", None, "higher_is_better"]
    assert reading.rows[0]["location"] == "read[0].measures.latency.value"


def test_cases_with_the_same_parameters_are_one_and_the_later_number_counts() -> None:
    content = written(
        {
            "read": [
                case({"latency": {"value": 1.0, "p50": 10.0}}, size_mb=16, op="read"),
                case({"latency": {"value": 2.0, "p90": 20.0}, "throughput": {"value": 100.0}}, op="read", size_mb=16.0),
                {"measures": {"latency": {"value": 7.0}}}, case({"throughput": {"value": 8.0}}),
            ]
        }
    )  # fmt: skip
    assert values(read(content)) == [
        ("read[op=read,size_mb=16]", "benchmark_time", 2.0, "ns"),
        ("read[op=read,size_mb=16]", "benchmark_time.p50", 10.0, "ns"),
        ("read[op=read,size_mb=16]", "benchmark_time.p90", 20.0, "ns"),
        ("read[op=read,size_mb=16]", "benchmark_throughput", 100.0, "ops/s"),
        ("read", "benchmark_time", 7.0, "ns"),
        ("read", "benchmark_throughput", 8.0, "ops/s"),
    ]


def test_parameters_of_any_type_and_versions_beside_each_other() -> None:
    content = written({"a": [case({"m": {"value": 1}}, b=True, f=0.5, s="x", n=None)], "b": {"m": {"value": 2}}})
    assert read(content).column("test_name") == ["a[b=true,f=0.5,n=null,s=x]", "b"]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"a": 1},
        {"a": {"b": 1}},
        {"a": {"b": {}}},
        {"a": {}},
        {"a": []},
        {"a": [1]},
        {"a": {"b": {"value": "1"}}},
        {"a": {"b": {"value": 1, "unit": "ms"}}},
        {"a": {"b": {"lower_value": 1}}},
        {"a": {"b": {"value": 1}, "c": 5}},
        {"a": {"b": {"value": 1}}, "version": 2},
        [{"a": {"b": {"value": 1}}}],
        {"metrics": {"vus": {"value": 5, "min": 1, "max": 5}}},
    ],
)
def test_other_json_is_none(content: Any) -> None:
    with pytest.raises(FormatError) as caught:
        read(json.dumps(content).encode())
    assert caught.value.reason == "unknown_format"


def test_a_file_longer_than_its_head_is_told_by_its_first_benchmarks() -> None:
    content = written({f"benchmark {number}": {"latency": {"value": number}} for number in range(5_000)})
    assert len(content) > 200_000
    assert read(content).column("raw_value") == [float(number) for number in range(5_000)]


@pytest.mark.parametrize(
    ("broken", "place", "field", "reason"),
    [
        ({"latency": {"value": None}}, ".latency", "value", "missing_value"),
        ({"latency": {"value": float("nan")}}, ".latency", "value", "not_finite"),
        ({"latency": {"value": "5"}}, ".latency", "value", "wrong_type"),
        ({"latency": {"value": -1}}, ".latency", "value", "impossible_value"),
        ({"latency": {"lower_value": 1}}, ".latency", "value", "missing_value"),
        ({"latency": 5}, ".latency", "", "wrong_type"),
        ({" ": {"value": 5}}, ". ", "", "missing_identity"),
        ([{"measures": {"latency": {"p99": None}}}], "[0].measures.latency", "p99", "missing_value"),
        ([{"measures": {"latency": {" ": float("inf")}}}], "[0].measures.latency", " ", "not_finite"),
        ([{"measures": 5}], "[0]", "", "wrong_type"),
        ([5], "[0]", "", "wrong_type"),
        ([case({}, a=1) | {"parameters": [1]}], "[0]", "", "wrong_type"),
    ],
)
def test_a_broken_measure_is_rejected_and_its_neighbours_are_read(
    broken: Any, place: str, field: str, reason: str
) -> None:
    whole = {"latency": {"value": 1}}
    reading = read(written({"before": whole, "b": broken, "after": whole}))
    assert reading.column("test_name") == ["before", "after"]
    assert reading.problems == [(f"b{place}", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_name_of_a_case_may_become_too_long() -> None:
    reading = read(written({"a": [case({"m": {"value": 1}}, p="x" * 1_000), case({"m": {"value": 2}})]}))
    assert reading.column("raw_value") == [2.0]
    assert [problem[2] for problem in reading.problems] == ["missing_identity"]


@pytest.mark.parametrize(
    "content", [WHOLE, written({"a": [case({"m": {"value": 1, "p99": 2}}, n=1)], "b": {"m": {"value": 1}}})]
)
def test_every_prefix_gives_a_prefix(content: bytes) -> None:
    assert_every_prefix_gives_a_prefix(content, FORMAT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), anything)
def test_any_value_in_any_place_is_borne(place: int, value: Any) -> None:
    content = written(
        {"a": {"latency": {"value": 1, "lower_value": 0, "upper_value": 2}}, "b": [case({"m": {"p": 1}}, n=1)]}
    )
    assert_broken_anywhere_is_borne(content, FORMAT, place, value)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=5), anything, max_size=4))
def test_any_names_are_borne(found: dict[str, Any]) -> None:
    reading = read(json.dumps(found).encode(), FORMAT)
    for row in reading.rows:
        assert row["test_name"]
