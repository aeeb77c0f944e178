"""hyperfine's JSON: the shared file, failed runs, parameters, memory, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.hyperfine import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.json_values import json_values
from perf_assets_tests.formats.reading import NAME, SHARED, assert_helpful, read, read_file

FILE = SHARED / "hyperfine" / "bencher_two.json"


def result(command: Any = "sleep 0.1", times: Any = (0.3, 0.1, 0.2), **changes: Any) -> dict[str, Any]:
    fields = {
        "command": command, "mean": 0.2, "stddev": 0.05, "median": 0.2, "user": 0.01, "system": 0.02, "min": 0.1,
        "max": 0.3, "times": times, "exit_codes": [0, 0, 0],
    }  # fmt: skip
    return fields | changes


def exported(*results: Any) -> bytes:
    return json.dumps({"results": results}, indent=2).encode()


WHOLE = exported(result(), result("sleep 0.2"))


@pytest.mark.skipif(not FILE.exists(), reason=f"needs {FILE}")
def test_a_file_of_two_commands() -> None:
    reading = read_file(FILE)
    assert reading.column("test_name", "metric", "value", "spread") == [
        ("sleep 0.1", "benchmark_time", 0.10652535172000001, 0.0032178771150522725),
        ("sleep 0.1", "benchmark_cpu_time", pytest.approx(0.0007174962962962964 + 0.0013508844444444443), None),
        ("sleep 0.2", "benchmark_time", 0.20866151872000002, 0.003728441448463812),
        ("sleep 0.2", "benchmark_cpu_time", pytest.approx(0.001013969230769231 + 0.0020861323076923075), None),
    ]
    assert [len(row["replicates"] or ()) for row in reading.rows] == [27, 0, 13, 0]
    assert {(row["unit"], row["ts"], row["run_key"], row["test_type"]) for row in reading.rows} == {
        ("s", None, None, "benchmark")
    }
    assert (reading.rejections, reading.omitted) == ([], {})


def test_parameters_are_part_of_the_name() -> None:
    assert read(exported(result(parameters={"n": "3", "kind": "a"}))).rows[0]["test_name"] == "sleep 0.1[n=3,kind=a]"


def test_one_run_has_no_spread() -> None:
    (row, _) = read(exported(result(times=[0.3], stddev=None, exit_codes=[0]))).rows
    assert (row["value"], row["spread"], row["replicates"]) == (0.3, None, None)


@pytest.mark.parametrize("times", [None, "absent"])
def test_without_times_the_median_of_the_file_is_taken(times: Any) -> None:
    fields = result(times=None, median=0.25)
    if times == "absent":
        del fields["times"]
    (row, _) = read(exported(fields)).rows
    assert (row["value"], row["spread"], row["replicates"], row["location"]) == (0.25, 0.05, None, "results[0].median")


@pytest.mark.parametrize("codes", [[0, 1, 0], [0, None, 0], [0, 137, 0]])
def test_runs_that_failed_are_left_out(codes: list[Any]) -> None:
    reading = read(exported(result(exit_codes=codes, memory_usage_byte=[100, 900, 300])))
    assert reading.column("metric", "value", "replicates", "spread") == [
        ("benchmark_time", 0.25, [0.3, 0.2], None),
        ("benchmark_memory", 200.0, [100.0, 300.0], None),
    ]
    assert json.loads(reading.rows[0]["context"]) == {"failed_runs": 1}
    assert (reading.rejections, reading.omitted) == ([], {})


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"exit_codes": [1, 1, None]}, "failed"),
        ({"exit_codes": [1], "times": []}, "failed"),
        ({"exit_codes": [2], "times": None}, "failed"),
        ({"times": [], "exit_codes": [], "median": None}, "idle"),
    ],
)
def test_a_command_without_a_good_run_is_counted(changes: dict[str, Any], outcome: str) -> None:
    reading = read(exported(result("before"), result(**changes), result("after")))
    assert {row["test_name"] for row in reading.rows} == {"before", "after"}
    assert (reading.omitted, reading.rejections) == ({outcome: 1}, [])


@pytest.mark.parametrize("codes", [None, "absent", []])
def test_old_versions_keep_no_exit_codes(codes: Any) -> None:
    fields = result(exit_codes=codes)
    if codes == "absent":
        del fields["exit_codes"]
    assert read(exported(fields)).rows[0]["value"] == 0.2


def test_memory_is_a_metric() -> None:
    (*_, row) = read(exported(result(memory_usage_byte=[1024, 4096, 2048]))).rows
    assert (row["metric"], row["value"], row["unit"], row["replicates"]) == (
        "benchmark_memory", 2048.0, "By", [1024.0, 4096.0, 2048.0],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field", "reason", "left"),
    [
        ({"times": [0.1, None, 0.2]}, "times", "missing_value", ["benchmark_cpu_time"]),
        ({"times": [0.1, "0.2", 0.2]}, "times", "wrong_type", ["benchmark_cpu_time"]),
        ({"times": [0.1, float("nan"), 0.2]}, "times", "not_finite", ["benchmark_cpu_time"]),
        ({"times": [0.1, -0.2, 0.2]}, "times", "impossible_value", ["benchmark_cpu_time"]),
        ({"times": 5}, "times", "missing_value", ["benchmark_cpu_time"]),
        ({"times": None, "median": None}, "median", "missing_value", ["benchmark_cpu_time"]),
        ({"times": None, "median": -1}, "median", "impossible_value", ["benchmark_cpu_time"]),
        ({"times": None, "exit_codes": [0, 1]}, "times", "missing_value", []),
        ({"exit_codes": [0, 1]}, "times", "wrong_type", []),
        ({"user": None}, "user", "missing_value", ["benchmark_time"]),
        ({"system": "0.1"}, "user", "wrong_type", ["benchmark_time"]),
        (
            {"memory_usage_byte": [1, 2, -3]},
            "memory_usage_byte",
            "impossible_value",
            ["benchmark_time", "benchmark_cpu_time"],
        ),
    ],
)
def test_a_broken_field_is_rejected_and_the_others_are_read(
    changes: dict[str, Any], field: str, reason: str, left: list[str]
) -> None:
    reading = read(exported(result(**changes)))
    assert reading.column("metric") == left
    assert reading.problems == [("results[0]", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (result(None), "command", "missing_identity"),
        (result(" "), "command", "missing_identity"),
        (result(parameters={"n": "x" * 1000}), "command", "missing_identity"),
        (5, "", "wrong_type"),
    ],
)
def test_a_broken_command_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(exported(result("before"), broken, result("after")))
    assert {row["test_name"] for row in reading.rows} == {"before", "after"}
    assert reading.problems == [("results[1]", field, reason)]
    assert_helpful(reading.rejections[0])


def test_broken_memory_leaves_the_times() -> None:
    reading = read(exported(result(memory_usage_byte=[1, 2, -3])))
    assert reading.column("metric") == ["benchmark_time", "benchmark_cpu_time"]
    assert reading.problems == [("results[0]", "memory_usage_byte", "impossible_value")]


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
    assert set(numbers) == {0, 2, 4}


numbers = st.lists(st.floats() | st.integers(0, 3) | st.none(), max_size=3)
changes = st.dictionaries(
    st.sampled_from([*result(), "memory_usage_byte", "parameters"]), json_values | numbers, max_size=4
)


@settings(max_examples=200, deadline=None)
@given(st.lists(json_values | changes.map(lambda change: result() | change), max_size=3))
def test_any_fields_give_rows_and_rejections(results: list[Any]) -> None:
    reading = read(json.dumps({"results": results}).encode(), FORMAT)
    for row in reading.rows:
        assert row["value"] >= 0
        assert row["test_name"]
    for rejection in reading.rejections:
        assert_helpful(rejection)


def test_the_one_parameter_of_old_versions_tells_commands_apart() -> None:
    reading = read(exported(*(result("make", parameter=jobs) for jobs in ("1", "2"))))
    assert reading.column("test_name")[::2] == ["make[parameter=1]", "make[parameter=2]"]
