"""Google Benchmark's JSON: the shared files, repetitions, aggregates, counters, and damage."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.google_benchmark import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.json_values import json_values
from perf_assets_tests.formats.reading import NAME, SHARED, Reading, assert_helpful, read, read_file

FOLDER = SHARED / "google_benchmark"
needs_files = pytest.mark.skipif(not FOLDER.exists(), reason=f"needs {FOLDER}")
CONTEXT = {
    "date": "2026-09-01T10:00:00+02:00", "host_name": "bench-1", "executable": "./build/sort_bench", "num_cpus": 4,
    "mhz_per_cpu": 2700, "cpu_scaling_enabled": False, "caches": [], "load_avg": [1.5], "library_build_type": "release",
}  # fmt: skip


def row(name: str = "BM_Sort/8", **changes: Any) -> dict[str, Any]:
    fields = {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1, "threads": 1}
    return fields | {"iterations": 100, "real_time": 20.0, "cpu_time": 10.0, "time_unit": "ns"} | changes


def aggregate(statistic: str, name: str = "BM_Sort/8", **changes: Any) -> dict[str, Any]:
    kind = {"name": f"{name}_{statistic}", "run_name": name, "run_type": "aggregate", "aggregate_name": statistic}
    return row() | kind | changes


def old(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "iterations": 100, "real_time": 20.0, "cpu_time": 10.0} | changes


def written(*rows: Any, **changes: Any) -> bytes:
    return json.dumps({"context": CONTEXT | changes, "benchmarks": list(rows)}, indent=2).encode()


def times(reading: Reading) -> list[tuple[str, float]]:
    return [(row["test_name"], row["raw_value"]) for row in reading.rows if row["metric"] == "benchmark_time"]


WHOLE = written(row(), row("BM_Copy", items_per_second=5.0))


@needs_files
def test_a_file_of_version_1_5() -> None:
    reading = read_file(FOLDER / "gab_googlecpp_output.json")
    assert reading.column("test_name", "metric", "raw_value", "raw_unit") == [
        ("fib_10", "benchmark_time", 214.98980114547953, "ns"),
        ("fib_10", "benchmark_cpu_time", 213.65507206163295, "ns"),
        ("fib_20", "benchmark_time", 27455.600415007055, "ns"),
        ("fib_20", "benchmark_cpu_time", 27364.90320427236, "ns"),
    ]
    assert (reading.rejections, reading.omitted) == ([], {})
    assert {(row["ts"].isoformat(), row["node_id"], row["tags"], row["unit"]) for row in reading.rows} == {
        ("2019-11-29T21:26:59", "Corgi.local", '{"suite": "a.out"}', "s")
    }
    assert len({row["run_key"] for row in reading.rows}) == 1


@needs_files
def test_an_old_file_with_several_units_and_a_fit() -> None:
    reading = read_file(FOLDER / "test1_run1.json")
    assert (reading.rejections, reading.omitted) == ([], {})
    assert len(reading.rows) == 28
    assert times(reading) == [
        ("BM_SameTimes", 10), ("BM_2xFaster", 50), ("BM_2xSlower", 50), ("BM_1PercentFaster", 100),
        ("BM_1PercentSlower", 100), ("BM_10PercentFaster", 100), ("BM_10PercentSlower", 100), ("BM_100xSlower", 100),
        ("BM_100xFaster", 10000), ("BM_10PercentCPUToTime", 100), ("BM_ThirdFaster", 100), ("BM_NotBadTimeUnit", 0.4),
        ("BM_DifferentTimeUnit", 1), ("BM_hasLabel", 1),
    ]  # fmt: skip
    assert [row["value"] for row in reading.rows[-6:]] == [0.4, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert json.loads(reading.rows[-1]["context"])["label"] == "a label"
    assert {(row["ts"].isoformat(), row["node_id"], row["tags"]) for row in reading.rows} == {
        ("2016-08-02T17:44:46", None, None)
    }


def test_each_field_of_a_row_is_a_metric() -> None:
    fields = {"items_per_second": 4.0, "bytes_per_second": 8.0, "max_bytes_used": 16, "allocs_per_iter": 2.0, "hits": 3}
    reading = read(written(row(time_unit="us", label="warm", **fields)))
    assert reading.column("metric", "value", "unit") == [
        ("benchmark_time", pytest.approx(20e-6), "s"),
        ("benchmark_cpu_time", pytest.approx(10e-6), "s"),
        ("benchmark_throughput", 4.0, "1/s"),
        ("benchmark_data_rate", 8.0, "By/s"),
        ("benchmark_memory", 16.0, "By"),
        ("allocs_per_iter", 2.0, ""),
        ("hits", 3.0, ""),
    ]
    first = reading.rows[0]
    assert (first["location"], first["test_type"], first["node_id"]) == (
        "benchmarks[0].real_time",
        "benchmark",
        "bench-1",
    )
    assert json.loads(first["tags"]) == {"suite": "sort_bench"}
    assert json.loads(first["context"]) == {
        "cpu_scaling_enabled": False, "label": "warm", "library_build_type": "release", "mhz_per_cpu": 2700,
        "num_cpus": 4, "threads": 1,
    }  # fmt: skip


@pytest.mark.parametrize("unit", [None, ""])
def test_without_a_unit_a_time_is_in_nanoseconds(unit: Any) -> None:
    assert read(written(row(time_unit=unit))).rows[0]["value"] == pytest.approx(20e-9)


@pytest.mark.parametrize(
    ("date", "ts"),
    [
        ("2026-09-01T10:00:00+02:00", "2026-09-01T08:00:00"),
        ("2026-09-01 10:00:00", "2026-09-01T13:00:00"),
        ("08/02/16 17:44:46", "2016-08-02T20:44:46"),
        ("2015/03/17-18:40:25", "2015-03-17T21:40:25"),
        (None, None),
    ],
)
def test_a_date_without_zone_is_in_the_zone_of_the_source(date: Any, ts: str | None) -> None:
    (first, *_) = read(written(row(), date=date), zone=timezone(timedelta(hours=-3))).rows
    assert (first["ts"] and first["ts"].isoformat()) == ts
    assert (first["run_key"] is None) == (date is None)


def test_a_date_that_cannot_be_read_is_told_and_takes_no_row_along() -> None:
    reading = read(written(row(), date="17.03.2015"))
    assert reading.problems == [("context", "date", "bad_time")]
    assert {row["ts"] for row in reading.rows} == {None}


def test_a_run_is_known_by_its_context() -> None:
    changes: list[dict[str, Any]] = [{"load_avg": [9]}, {"host_name": "b"}, {"date": "2026"}, {"executable": "c"}]
    first = read(written(row())).rows[0]["run_key"]
    assert read(written(row("b"), row("a"))).rows[0]["run_key"] == first
    assert len({first, *(read(written(row(), **change)).rows[0]["run_key"] for change in changes)}) == 5


def test_context_of_ones_own_tells_the_commit_and_explains() -> None:
    (first, *_) = read(written(row(), git_commit="abc", GITHUB_REF_NAME="main", GITHUB_RUN_ID="17", colour="red")).rows
    assert (first["commit_id"], first["branch"], first["run_key"]) == ("abc", "main", "17")
    assert json.loads(first["context"])["colour"] == "red"


@pytest.mark.parametrize(
    ("executable", "suite"), [("C:\\build\\sort_bench.exe", "sort_bench"), ("/a/b c", "b c"), ("a", "a"), ("/", None)]
)
def test_the_suite_is_the_executable_wherever_it_was_built(executable: str, suite: str | None) -> None:
    (first, *_) = read(written(row(), executable=executable)).rows
    assert first["tags"] == (suite and json.dumps({"suite": suite}))


def test_repetitions_are_one_measurement_and_aggregates_beside_them_none() -> None:
    repeated = [
        row(repetitions=3, repetition_index=index, real_time=time) for index, time in enumerate((3.0, 9.0, 4.0))
    ]
    aggregates = [aggregate(name, repetitions=3) for name in ("mean", "median", "stddev", "cv", "p99")]
    reading = read(written(*repeated, *aggregates, row("BM_Copy")))
    assert times(reading) == [("BM_Sort/8", 4.0), ("BM_Copy", 20.0)]
    assert reading.rows[0]["replicates"] == pytest.approx([3e-9, 9e-9, 4e-9])
    assert (reading.rejections, reading.omitted) == ([], {})


def test_interleaved_repetitions_are_one_measurement() -> None:
    rows = [row(name, real_time=time) for time in (1.0, 2.0, 6.0) for name in ("a", "b")]
    assert times(read(written(*rows))) == [("a", 2.0), ("b", 2.0)]


@pytest.mark.parametrize(
    ("statistics", "value", "spread"),
    [
        (("mean", "median", "stddev", "cv"), 5.0, 2.0),
        (("mean", "stddev"), 4.0, 2.0),
        (("median",), 5.0, None),
        (("cv", "BigO", "p99"), None, None),
    ],
)
def test_aggregates_without_repetitions_are_one_measurement(
    statistics: tuple[str, ...], value: float | None, spread: float | None
) -> None:
    number = {"mean": 4.0, "median": 5.0, "stddev": 2.0, "cv": 0.5, "p99": 9.0, "BigO": 1.0}
    rows = [aggregate(name, real_time=number[name], items_per_second=number[name] * 10) for name in statistics]
    reading = read(written(*rows))
    assert times(reading) == ([] if value is None else [("BM_Sort/8", value)])
    if value is not None:
        assert reading.column("metric", "raw_value", "raw_spread") == [
            ("benchmark_time", value, spread),
            ("benchmark_cpu_time", 10.0, None if spread is None else 10.0),
            ("benchmark_throughput", value * 10, None if spread is None else 20.0),
        ]
    assert reading.rejections == []


def test_a_fit_is_no_measurement() -> None:
    fit = {"run_type": "aggregate", "aggregate_name": "BigO", "cpu_coefficient": 4.2, "big_o": "N", "time_unit": "ns"}
    root = {"run_type": "aggregate", "aggregate_name": "RMS", "rms": 0.4}
    reading = read(written(row(), {"name": "Sort_BigO", **fit}, {"name": "Sort_RMS", **root}))
    assert (len(reading.rows), reading.rejections) == (2, [])
    reading = read(written(row(), {"name": "Sort_BigO", "real_coefficient": 1.5}, {"name": "Sort_RMS", "rms": 0.4}))
    assert (len(reading.rows), reading.rejections) == (2, [])


def test_before_1_5_the_company_of_a_name_tells_what_it_means() -> None:
    rows = [old("Sort"), old("Sort", real_time=30.0), old("Sort_mean"), old("Sort_median"), old("Sort_stddev")]
    assert times(read(written(*rows))) == [("Sort", 25.0)]
    assert times(read(written(old("Sort_mean", real_time=7.0), old("Sort_stddev")))) == [("Sort", 7.0)]
    assert times(read(written(old("Geo"), old("Geo_mean", real_time=7.0)))) == [("Geo", 20.0), ("Geo_mean", 7.0)]
    assert times(read(written(old("Filter_RMS", real_time=7.0)))) == [("Filter_RMS", 7.0)]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"error_occurred": True, "error_message": "x", "real_time": 0.0, "iterations": 0}, "errored"),
        ({"skipped": True, "skip_message": "x"}, "skipped"),
        ({"iterations": 0}, "idle"),
    ],
)
def test_what_did_not_run_is_counted_and_no_value(changes: dict[str, Any], outcome: str) -> None:
    reading = read(written(row("before"), row(**changes), row("after", error_occurred=False)))
    assert times(reading) == [("before", 20.0), ("after", 20.0)]
    assert (reading.omitted, reading.rejections) == ({outcome: 1}, [])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        ({"real_time": None}, "real_time", "missing_value"),
        ({"real_time": "20"}, "real_time", "wrong_type"),
        ({"real_time": float("nan")}, "real_time", "not_finite"),
        ({"real_time": -1.0}, "real_time", "impossible_value"),
        ({"cpu_time": float("inf")}, "cpu_time", "not_finite"),
        ({"items_per_second": "fast"}, "items_per_second", "wrong_type"),
        ({"hits": float("-inf")}, "hits", "not_finite"),
    ],
)
def test_a_broken_field_is_rejected_and_the_others_are_read(broken: dict[str, Any], field: str, reason: str) -> None:
    reading = read(written(row(items_per_second=1.0, hits=2.0) | broken))
    assert len(reading.rows) == 3
    assert reading.problems == [("benchmarks[0]", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        ({"name": "x"}, "real_time", "missing_value"),
        (row(" "), "name", "missing_identity"),
        (row(time_unit=5), "time_unit", "wrong_type"),
        (5, "", "wrong_type"),
    ],
)
def test_a_broken_row_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(written(row("before"), broken, row("after")))
    assert times(reading) == [("before", 20.0), ("after", 20.0)]
    assert reading.problems == [("benchmarks[1]", field, reason)]
    assert_helpful(reading.rejections[0])


def test_fields_that_are_no_numbers_explain_or_are_left_out() -> None:
    assert len(read(written(row(note="x", family={"a": 1}, flags=[1], empty=None))).rows) == 2


def test_the_context_may_stand_behind_the_rows_but_must_not_be_lost() -> None:
    content = json.dumps({"benchmarks": [row()], "context": CONTEXT}).encode()
    assert len(read(content).rows) == 2
    reading = read(content[: content.index(b'"context"')], FORMAT)
    assert reading.rows == []
    assert [rejection.reason for rejection in reading.rejections] == ["missing_time", "truncated"]


def test_a_file_cut_anywhere_gives_a_part_of_its_measurements_and_says_so() -> None:
    content = written(row("a"), *(aggregate(name, "b", real_time=9.0) for name in ("mean", "median")), row("c"))
    whole = times(read(content))
    assert whole == [("a", 20.0), ("c", 20.0), ("b", 9.0)]
    found = set()
    for end in range(len(content)):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            assert NAME in str(error)
            continue
        assert set(times(reading)) <= set(whole)
        assert reading.rejections[-1].reason == "truncated"
        found.add(len(reading.rows))
    assert found == {0, 2, 4}


rows = st.builds(
    lambda plain, changes: plain | changes,
    st.sampled_from([row(), old("a"), old("a_mean"), old("a_stddev"), aggregate("mean"), aggregate("cv", "b")]),
    st.dictionaries(st.sampled_from([*row(), "aggregate_name", "error_occurred", "hits"]), json_values, max_size=3),
)
files = st.fixed_dictionaries(
    {"benchmarks": st.lists(rows | json_values, max_size=4) | json_values},
    optional={"context": json_values | st.dictionaries(st.sampled_from([*CONTEXT]), json_values)},
)


@settings(max_examples=200, deadline=None)
@given(files)
def test_any_fields_give_rows_and_rejections(file: dict[str, Any]) -> None:
    reading = read(json.dumps(file).encode(), FORMAT)
    for found in reading.rows:
        assert found["value"] >= 0 or found["metric"] not in ("benchmark_time", "benchmark_cpu_time")
        assert found["test_name"]
    for rejection in reading.rejections:
        assert_helpful(rejection)
