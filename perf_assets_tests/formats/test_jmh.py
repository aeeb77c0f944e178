"""JMH's JSON: the shared files, modes, secondary metrics, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.jmh import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.damage import assert_read_quickly
from perf_assets_tests.formats.json_values import json_values
from perf_assets_tests.formats.reading import NAME, SHARED, assert_helpful, read, read_file

FOLDER = SHARED / "jmh"
needs_files = pytest.mark.skipif(not FOLDER.exists(), reason=f"needs {FOLDER}")


def metric(score: Any = 2.5, unit: Any = "us/op", **changes: Any) -> dict[str, Any]:
    return {"score": score, "scoreError": 0.5, "scoreUnit": unit, "rawData": [[2.0, 3.0], [2.5]]} | changes


def benchmark(name: Any = "org.Sort.quick", mode: Any = "avgt", **changes: Any) -> dict[str, Any]:
    run = {"jmhVersion": "1.37", "mode": mode, "threads": 1, "forks": 2, "jdkVersion": "21.0.2", "vmName": "Some VM"}
    return run | {"benchmark": name, "primaryMetric": metric(), "secondaryMetrics": {}} | changes


def written(*benchmarks: Any) -> bytes:
    return json.dumps(benchmarks, indent=4).encode()


WHOLE = written(benchmark(), benchmark("org.Sort.merge", secondaryMetrics={"gc.count": metric(3, "counts")}))


@needs_files
def test_a_file_of_throughput() -> None:
    reading = read_file(FOLDER / "bencher_throughput.json")
    (row,) = reading.rows
    assert (reading.rejections, reading.omitted) == ([], {})
    assert row["test_name"] == "org.openjdk.jmh.samples.JMHSample_01_HelloWorld.wellHelloThere"
    assert (row["metric"], row["value"], row["unit"]) == ("benchmark_throughput", 3376238873.1228185, "1/s")
    assert (row["spread"], row["direction"], row["ts"], row["run_key"]) == (
        14287985.743935993, "higher_is_better", None, None,
    )  # fmt: skip
    assert row["replicates"] == [3.376842765688582e9, 3.37651988895058e9, 3.375353964729294e9]
    assert json.loads(row["tags"]) == {"runtime": "Java HotSpot(TM) 64-Bit Server VM 8"}


@needs_files
def test_a_file_of_several_forks() -> None:
    reading = read_file(FOLDER / "fs2_jmh-result.json")
    assert (reading.rejections, reading.omitted) == ([], {})
    assert [(row["test_name"].removeprefix("fs2.benchmarks.Benchmarks."), row["value"]) for row in reading.rows] == [
        ("listParJoin2", 61.13783674481722),
        ("listParJoinUnbounded", 353.08194686118384),
        ("listParJoinWithEmpty", 70.0506665732293),
        ("merge2", 11.617974117892969),
        ("mergeWithEmpty", 13.939766318671918),
        ("noopJoinWithEmpty", 2864.9607954730554),
        ("streamParJoin2", 33.75930851290414),
        ("streamParJoinUnbounded", 50.42032450759807),
        ("streamParJoinWithEmpty", 38.1367918951939),
    ]
    assert {len(row["replicates"]) for row in reading.rows} == {25}
    assert {(row["unit"], row["tags"]) for row in reading.rows} == {
        ("1/s", '{"runtime": "OpenJDK 64-Bit Server VM 21"}')
    }


@pytest.mark.parametrize(
    ("mode", "unit", "metric_name", "direction", "name"),
    [
        ("thrpt", "ops/ms", "benchmark_throughput", "higher_is_better", "org.Sort.quick"),
        ("avgt", "us/op", "benchmark_time", "lower_is_better", "org.Sort.quick"),
        ("sample", "ns/op", "benchmark_time", "lower_is_better", "org.Sort.quick[mode=sample]"),
        ("ss", "s/op", "benchmark_time", "lower_is_better", "org.Sort.quick[mode=ss]"),
        (None, "us/op", "benchmark_time", None, "org.Sort.quick"),
    ],
)
def test_the_mode_gives_the_direction(mode: Any, unit: str, metric_name: str, direction: Any, name: str) -> None:
    (row,) = read(written(benchmark(mode=mode, primaryMetric=metric(unit=unit)))).rows
    assert (row["metric"], row["direction"], row["test_name"]) == (metric_name, direction, name)


def test_values_spread_and_iterations_are_of_one_unit() -> None:
    (row,) = read(written(benchmark())).rows
    assert (row["value"], row["spread"], row["unit"]) == (pytest.approx(2.5e-6), pytest.approx(0.5e-6), "s")
    assert row["replicates"] == pytest.approx([2e-6, 3e-6, 2.5e-6])
    assert (row["location"], row["test_type"]) == ("[0].primaryMetric", "benchmark")
    assert json.loads(row["context"]) == {
        "forks": 2, "jdkVersion": "21.0.2", "jmhVersion": "1.37", "mode": "avgt", "threads": 1, "vmName": "Some VM",
    }  # fmt: skip


def test_parameters_are_part_of_the_name() -> None:
    (first, second) = read(
        written(benchmark(params={"size": "10", "kind": "a"}), benchmark(mode="ss", params={"size": "10"}))
    ).rows
    assert first["test_name"] == "org.Sort.quick[size=10,kind=a]"
    assert second["test_name"] == "org.Sort.quick[size=10,mode=ss]"


def test_a_histogram_gives_a_replicate_an_iteration() -> None:
    forks = [[[[1.0, 3], [5.0, 1]], [[4.0, 2]]], [[[6.0, 1]]]]
    sampled = metric(rawDataHistogram=forks)
    del sampled["rawData"]
    (row,) = read(written(benchmark(mode="sample", primaryMetric=sampled))).rows
    assert row["replicates"] == pytest.approx([2e-6, 4e-6, 6e-6])


@pytest.mark.parametrize("raw", ["NaN", [["NaN", 1.0]], [[1.0]], [], None, [5, [1.0]]])
def test_iterations_that_are_no_numbers_are_left_out(raw: Any) -> None:
    assert read(written(benchmark(primaryMetric=metric(rawData=raw)))).column("replicates") == [None]


@pytest.mark.parametrize("histogram", [[[[[1.0]]]], [[5]], [[[["a", 1]], [[1.0, 0]]]], "NaN"])
def test_a_broken_histogram_is_left_out(histogram: Any) -> None:
    sampled = metric(rawData=None, rawDataHistogram=histogram)
    assert read(written(benchmark(primaryMetric=sampled))).column("replicates") == [None]


@pytest.mark.parametrize("error", ["NaN", float("nan"), None])
def test_one_iteration_has_no_error(error: Any) -> None:
    assert read(written(benchmark(primaryMetric=metric(scoreError=error)))).column("spread") == [None]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("·gc.alloc.rate.norm", "gc.alloc.rate.norm"),
        ("gc.alloc.rate.norm", "gc.alloc.rate.norm"),
        ("Â·gc.alloc.rate.norm", "gc.alloc.rate.norm"),
        ("?gc.alloc.rate.norm", "gc.alloc.rate.norm"),
        ("\ufffdgc.alloc.rate.norm", "gc.alloc.rate.norm"),
        ("sort:·p0.50", "p0.50"),
        ("hits", "hits"),
    ],
)
def test_a_secondary_metric_has_a_name_without_dot_and_no_direction(key: str, name: str) -> None:
    primary, second = read(written(benchmark(secondaryMetrics={key: metric(16.0, "B/op")}))).rows
    assert (second["metric"], second["value"], second["unit"], second["direction"]) == (name, 16.0, "By", None)
    assert second["test_name"] == primary["test_name"]
    assert second["location"] == f"[0].secondaryMetrics.{key}"


def test_a_dot_that_is_no_utf_8_is_left_out_as_well() -> None:
    content = written(benchmark(secondaryMetrics={"@gc.count": metric(3, "counts")})).replace(b"@", b"\xb7")
    assert read(content).column("metric") == ["benchmark_time", "gc.count"]


def test_a_profile_without_number_is_left_out() -> None:
    reading = read(written(benchmark(secondaryMetrics={"·stack": metric("NaN", "---"), "b": metric(1, "MB/sec")})))
    assert reading.column("metric", "value", "unit") == [
        ("benchmark_time", pytest.approx(2.5e-6), "s"),
        ("b", 1e6, "By/s"),
    ]
    assert reading.rejections == []


@pytest.mark.parametrize(
    ("version", "runtime"),
    [("1.8.0_202", "Some VM 8"), ("17", "Some VM 17"), ("9-internal", "Some VM 9"), (None, "Some VM"), (8, "Some VM")],
)
def test_a_runtime_is_a_feature_release(version: Any, runtime: str) -> None:
    (row,) = read(written(benchmark(jdkVersion=version))).rows
    assert json.loads(row["tags"]) == {"runtime": runtime}


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (benchmark(None), "benchmark", "missing_identity"),
        (benchmark("n" * 1001), "benchmark", "missing_identity"),
        (benchmark(primaryMetric=None), "primaryMetric", "wrong_type"),
        (benchmark(primaryMetric=metric(unit=None)), "primaryMetric.scoreUnit", "wrong_type"),
        (benchmark(primaryMetric=metric("NaN")), "primaryMetric.score", "not_finite"),
        (benchmark(primaryMetric=metric("+INF")), "primaryMetric.score", "not_finite"),
        (benchmark(primaryMetric=metric("2.5")), "primaryMetric.score", "wrong_type"),
        (benchmark(primaryMetric=metric(None)), "primaryMetric.score", "missing_value"),
        (benchmark(primaryMetric=metric(-1)), "primaryMetric.score", "impossible_value"),
        (5, "", "wrong_type"),
    ],
)
def test_a_broken_benchmark_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(written(benchmark("before"), broken, benchmark("after")))
    assert reading.column("test_name") == ["before", "after"]
    assert reading.problems == [("[1]", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        ({"gc.time": metric("NaN")}, "secondaryMetrics.gc.time.score", "not_finite"),
        ({"gc.time": 5}, "secondaryMetrics.gc.time", "wrong_type"),
        ({"": metric()}, "secondaryMetrics.", "missing_identity"),
    ],
)
def test_a_broken_secondary_metric_leaves_the_primary_one(broken: Any, field: str, reason: str) -> None:
    reading = read(written(benchmark(secondaryMetrics=broken)))
    assert reading.column("metric") == ["benchmark_time"]
    assert reading.problems == [("[0]", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_file_cut_anywhere_gives_a_part_of_its_measurements_and_says_so() -> None:
    whole = read(WHOLE).rows
    numbers = []
    for end in range(len(WHOLE)):
        try:
            reading = read(WHOLE[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            assert NAME in str(error)
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert [rejection.reason for rejection in reading.rejections] == ["truncated"]
        numbers.append(len(reading.rows))
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 3}


metrics = json_values | st.builds(
    lambda changes: metric() | changes, st.dictionaries(st.sampled_from([*metric()]), json_values)
)
benchmarks = json_values | st.builds(
    lambda changes, primary, secondary: benchmark(primaryMetric=primary, secondaryMetrics=secondary) | changes,
    st.dictionaries(st.sampled_from(["benchmark", "mode", "params", "jdkVersion", "vmName"]), json_values, max_size=2),
    metrics,
    st.dictionaries(st.text(max_size=3), metrics, max_size=2),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(benchmarks, max_size=3))
def test_any_fields_give_rows_and_rejections(file: list[Any]) -> None:
    reading = read(json.dumps(file).encode(), FORMAT)
    for row in reading.rows:
        assert row["metric"]
        assert row["test_name"]
    for rejection in reading.rejections:
        assert rejection.message


def test_a_name_that_utf_8_cannot_hold_is_told_with_what_can_be_held() -> None:
    reading = read(written(benchmark(secondaryMetrics={"gc.\ud800": metric("many")})))
    [rejection] = reading.rejections
    assert rejection.field == rejection.field.encode(errors="replace").decode() == "secondaryMetrics.gc.?"


def test_a_long_name_of_dots_is_read_quickly() -> None:
    assert_read_quickly(written(benchmark(secondaryMetrics={"·" * 30_000: metric()})), FORMAT)


def test_many_broken_metrics_of_a_benchmark_are_told_quickly() -> None:
    content = written(benchmark(secondaryMetrics={f"m{number}": number for number in range(8_000)}))
    assert_read_quickly(content, FORMAT)
    assert len(read(content).rejections) == 8_000


def test_line_ends_that_old_versions_put_into_parameters_are_read() -> None:
    old = written(benchmark(params={"sizes": "10, 20"}), benchmark("org.Sort.merge")).replace(
        b"10, ", b"10,\n            "
    )
    reading = read(old)
    assert reading.column("test_name") == ["org.Sort.quick[sizes=10,\n            20]", "org.Sort.merge"]
    assert reading.rejections == []


def test_hours_are_called_hr() -> None:
    (row,) = read(written(benchmark(primaryMetric=metric(2.0, "hr/op")))).rows
    assert (row["metric"], row["value"], row["unit"]) == ("benchmark_time", 7200.0, "s")
