"""asv's result files: the shared folder with its odd files, both versions, environments, and damage."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.asv import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.json_values import json_values
from perf_assets_tests.formats.reading import NAME, SHARED, Reading, assert_helpful, read, read_file

FOLDER = SHARED / "asv"
CHEETAH = FOLDER / "cheetah"
needs_files = pytest.mark.skipif(not FOLDER.exists(), reason=f"needs {FOLDER}")
COLUMNS = [
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
]  # fmt: skip
MACHINE = {"arch": "x86_64", "cpu": "Some CPU", "machine": "bench-1", "os": "Linux 6.1", "ram": "16GB", "num_cpu": "4"}


def results_of(results: Any, **changes: Any) -> bytes:
    """A file of version 2."""
    run = {
        "commit_hash": "abc", "env_name": "virtualenv-py3.12-numpy", "date": 1_788_242_400_000, "params": MACHINE,
        "python": "3.12", "requirements": {"numpy": "2.2"}, "env_vars": {}, "result_columns": COLUMNS,
        "results": results, "durations": {"<build>": 3.5}, "version": 2,
    }  # fmt: skip
    return json.dumps(run | changes).encode()


def old_results_of(results: Any, **changes: Any) -> bytes:
    """A file of version 1."""
    run = {
        "benchmark_version": {}, "commit_hash": "abc", "date": 1_788_242_400_000, "params": MACHINE, "python": "3.12",
        "requirements": {"numpy": "2.2"}, "results": results, "started_at": {}, "version": 1,
    }  # fmt: skip
    return json.dumps(run | changes).encode()


def described(**benchmarks: Any) -> bytes:
    return json.dumps(benchmarks | {"version": 2}).encode()


def values(reading: Reading) -> list[tuple[str, float]]:
    return [(row["test_name"], row["raw_value"]) for row in reading.rows]


WHOLE = results_of({"sort.time_quick": [[0.5], [], "v1"], "sort.time_merge": [[0.25, 0.75], [["1", "2"]], "v1"]})


@needs_files
def test_a_whole_folder() -> None:
    rows: list[dict[str, Any]] = []
    omitted: Counter[str] = Counter()
    problems = {}
    for file in sorted(CHEETAH.glob("*-*.json")):
        try:
            reading = read_file(file)
        except FormatError as error:
            problems[file.name[:8]] = error.reason
            continue
        rows += reading.rows
        omitted.update(reading.omitted)
        problems |= {file.name[:8]: rejection.reason for rejection in reading.rejections}
    assert problems == {"aaaaaaaa": "unknown_format", "bbbbbbbb": "unknown_format", "cccccccc": "missing_identity"}
    assert len(rows) == 425
    assert omitted == {"failed": 45, "skipped": 2}
    # The same commit in several environments: none of them is another's series.
    runtimes = Counter(json.loads(row["tags"])["runtime"] for row in rows)
    assert runtimes == {
        "python 2.7, Cython, numpy 1.8": 372,
        "python 2.7, numpy 1.8": 52,
        "python 2.7, foo, numpy 1.8": 1,
    }
    assert {(row["node_id"], row["node_type"], row["time_source"]) for row in rows} == {
        ("cheetah", "Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz (4 cores)", "commit")
    }


@needs_files
def test_a_file_with_all_kinds_of_results() -> None:
    reading = read_file(CHEETAH / "fcf8c079-py2.7-Cython-numpy1.8.json")
    assert (reading.omitted, reading.rejections) == ({"failed": 4, "skipped": 1}, [])
    found = {row["test_name"]: row for row in reading.rows}
    assert len(found) == len(reading.rows) == 19
    assert found["time_quantity.time_quantity_array_conversion"]["value"] == 0.15283851623535155
    assert [found[f"time_other.time_parameterized[param1={n}]"]["value"] for n in (1, 2)] == [1, 4]
    assert found["time_ci_small"]["spread"] == pytest.approx(0.4)
    versions = ("time_with_version_match", "time_with_version_mismatch_bench", "time_with_version_mismatch_other")
    assert [found[name]["benchmark_version"] for name in versions] == ["1", "1", "2"]
    # benchmarks.json says seconds of this one, whatever its name.
    assert (found["time_units.mem_unit"]["raw_value"], found["time_units.mem_unit"]["unit"]) == (344, "s")
    assert (found["time_secondary.track_value"]["metric"], found["time_secondary.track_value"]["unit"]) == (
        "benchmark_value", "",
    )  # fmt: skip
    assert {(row["commit_id"], row["ts"].isoformat()) for row in reading.rows} == {
        ("fcf8c079fae7ebad9f27bd31a819f0e4fdd85b99", "2013-04-28T05:38:39")
    }


@needs_files
def test_a_file_of_another_machine_is_told() -> None:
    reading = read_file(CHEETAH / "cccccccc-py2.7-Cython-numpy1.8.json")
    assert (reading.rows, reading.problems) == ([], [("params", "machine", "missing_identity")])
    assert "cheetah" in reading.rejections[0].message
    assert_helpful(reading.rejections[0])


@needs_files
@pytest.mark.parametrize("file", [FOLDER / "benchmarks.json", CHEETAH / "machine.json"])
def test_descriptions_hold_no_results(file: Path) -> None:
    reading = read_file(file)
    assert (reading.format, reading.rows, reading.rejections, reading.omitted) == ("asv", [], [], {})


@pytest.mark.parametrize("machine", [MACHINE | {"version": 1}, {"machine": "bench-1", "version": 1}])
def test_a_machine_may_be_described_by_its_name_alone(machine: dict[str, Any]) -> None:
    reading = read(json.dumps(machine).encode())
    assert (reading.format, reading.rows, reading.rejections) == ("asv", [], [])
    with pytest.raises(FormatError, match=NAME) as caught:
        read(json.dumps(machine | {"other": 1}).encode())
    assert caught.value.reason == "unknown_format"


def test_a_result_of_version_2_becomes_a_measurement() -> None:
    columns = [[0.5], [], "v1", 1, 2.5, [0.4], [0.8], [0.45], [0.55], [10], [3], [[0.4, 0.5, 0.6]]]
    reading = read(results_of({"sort.Suite.time_quick": columns}))
    (row,) = reading.rows
    assert (row["test_name"], row["metric"], row["value"], row["unit"]) == (
        "sort.Suite.time_quick", "benchmark_time", 0.5, "s",
    )  # fmt: skip
    assert (row["spread"], row["replicates"]) == (pytest.approx(0.2), [0.4, 0.5, 0.6])
    assert (row["ts"].isoformat(), row["time_source"], row["commit_id"]) == ("2026-09-01T06:00:00", "commit", "abc")
    assert (row["benchmark_version"], row["test_type"], row["location"]) == (
        "v1", "benchmark", "results.sort.Suite.time_quick",
    )  # fmt: skip
    assert (row["node_id"], row["node_type"]) == ("bench-1", "Some CPU")
    assert json.loads(row["tags"]) == {"arch": "x86_64", "os": "Linux 6.1", "runtime": "python 3.12, numpy 2.2"}
    assert json.loads(row["context"]) == {"env_name": "virtualenv-py3.12-numpy", "num_cpu": "4", "ram": "16GB"}


def test_both_versions_give_the_same() -> None:
    stats = {"ci_99": [0.4, 0.8], "q_25": 0.45, "q_75": 0.55}
    old = {"sort.time_quick": {"result": 0.5, "stats": [stats], "samples": [[0.4, 0.6]]}, "sort.time_merge": 0.25}
    columns = [[0.5], [], "v1", None, None, [0.4], [0.8], [0.45], [0.55], None, None, [[0.4, 0.6]]]
    new = {"sort.time_quick": columns, "sort.time_merge": [[0.25]]}
    first = read(old_results_of(old, benchmark_version={"sort.time_quick": "v1"}, env_name="virtualenv-py3.12-numpy"))
    assert first.rows == read(results_of(new)).rows


def test_cases_stand_in_the_order_of_the_product() -> None:
    results = {"sort.time_quick": [[1.0, 2.0, None, float("nan")], [["10", "20"], ["'a'", "'b'"]]]}
    names = {"param_names": ["n", "kind"], "unit": "seconds"}
    reading = read(results_of(results), benchmarks=described(**{"sort.time_quick": names}))
    assert values(reading) == [("sort.time_quick[n=10,kind='a']", 1), ("sort.time_quick[n=10,kind='b']", 2)]
    assert reading.column("location") == ["results.sort.time_quick[0]", "results.sort.time_quick[1]"]
    assert (reading.omitted, reading.rejections) == ({"failed": 1, "skipped": 1}, [])
    old = {"sort.time_quick": {"params": [["10", "20"], ["'a'", "'b'"]], "result": [1.0, 2.0, None, float("nan")]}}
    assert values(read(old_results_of(old)))[1] == ("sort.time_quick[param1=10,param2='b']", 2)


@pytest.mark.parametrize("result", [[None], [[None]], [[]], []])
def test_a_benchmark_without_result_failed(result: Any) -> None:
    reading = read(results_of({"time_a": result, "time_b": [[0.5]]}))
    assert values(reading) == [("time_b", 0.5)]
    assert reading.omitted == ({"failed": 1} if result != [[]] else {})


@pytest.mark.parametrize(("result", "outcome"), [(None, "failed"), (float("nan"), "skipped")])
def test_a_result_of_version_1_may_be_none(result: Any, outcome: str) -> None:
    assert read(old_results_of({"time_a": result})).omitted == {outcome: 1}


@pytest.mark.parametrize(
    ("name", "unit", "metric", "canonical"),
    [
        ("a.time_x", None, "benchmark_time", "s"),
        ("a.Suite.timeraw_x", None, "benchmark_time", "s"),
        ("a.TimeX", None, "benchmark_time", "s"),
        ("a.mem_x", None, "benchmark_memory", "By"),
        ("a.peakmem_x", None, "benchmark_memory", "By"),
        ("a.track_x", None, "benchmark_value", ""),
        ("time_a.other", None, "benchmark_value", ""),
        ("a.track_x", "unit", "benchmark_value", ""),
        ("a.track_x", "MB/s", "benchmark_data_rate", "By/s"),
        ("a.time_x", "bytes", "benchmark_memory", "By"),
    ],
)
def test_the_unit_is_the_described_one_else_that_of_the_name(name: str, unit: Any, metric: str, canonical: str) -> None:
    benchmarks = described(**({name: {"unit": unit}} if unit else {}))
    (row,) = read(results_of({name: [[8.0]]}), benchmarks=benchmarks).rows
    assert (row["metric"], row["unit"]) == (metric, canonical)


@pytest.mark.parametrize(
    "changes",
    [
        {"python": "3.13"},
        {"requirements": {"numpy": "2.3"}},
        {"requirements": {"numpy": "2.2", "scipy": ""}},
        {"env_vars": {"OMP_NUM_THREADS": "1"}},
        {"params": MACHINE | {"machine": "bench-2"}},
        {"params": MACHINE | {"cpu": "Other CPU"}},
        {"params": MACHINE | {"os": "Linux 6.2"}},
        {"params": MACHINE | {"arch": "arm64"}},
    ],
)
def test_two_environments_never_mix(changes: dict[str, Any]) -> None:
    def identity(content: bytes) -> tuple[Any, ...]:
        (row,) = read(content).rows
        return tuple(row[name] for name in ("test_name", "node_id", "node_type", "tags"))

    first, second = results_of({"time_a": [[0.5]]}), results_of({"time_a": [[0.5]]}, **changes)
    assert identity(first) != identity(second)
    assert read(first).rows[0]["run_key"] != read(second).rows[0]["run_key"]


def test_a_requirement_of_any_version_is_one_however_it_is_written() -> None:
    readings = [read(results_of({"time_a": [[0.5]]}, requirements={"numpy": version})) for version in ("", None)]
    assert readings[0].rows == readings[1].rows


def test_a_file_that_grew_is_the_same_run() -> None:
    first = read(results_of({"time_a": [[0.5]]})).rows[0]
    grown = read(results_of({"time_a": [[0.5]], "time_b": [[0.5]]}, durations={})).rows
    assert {row["run_key"] for row in grown} == {first["run_key"]}
    assert read(results_of({"time_a": [[0.5]]}, commit_hash="abd")).rows[0]["run_key"] != first["run_key"]


@pytest.mark.parametrize(
    ("machine", "rows"), [(b'{"machine": "bench-1"}', 1), (b'{"machine": "other"}', 0), (b"{", 1), (b"[]", 1)]
)
def test_the_machine_must_be_that_of_its_folder(machine: bytes, rows: int) -> None:
    assert len(read(results_of({"time_a": [[0.5]]}), machine=machine).rows) == rows


@pytest.mark.parametrize(
    ("stats", "spread"),
    [
        ([[0.25], [0.75], [0.4], [0.6]], 0.25),
        ([[float("-inf")], [float("inf")], [0.4], [0.6]], 0.1),
        ([[None], [None], [0.4], [0.6]], 0.1),
        ([[], None, 5, [None]], None),
    ],
)
def test_the_spread_is_half_an_interval(stats: list[Any], spread: float | None) -> None:
    (row,) = read(results_of({"time_a": [[0.5], [], "v1", 1, 1, *stats]})).rows
    assert row["spread"] == (spread and pytest.approx(spread))


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        ([["0.5"]], "result", "wrong_type"),
        ([[True]], "result", "wrong_type"),
        ([[float("inf")]], "result", "not_finite"),
        ([[-0.5]], "result", "impossible_value"),
        ([[0.5, 0.5]], "result", "wrong_type"),
        ([[0.5], [["1", "2"]]], "result", "wrong_type"),
        ([[0.5], ["1"]], "result", "wrong_type"),
        ([0.5], "result", "wrong_type"),
        ([[0.5], [["x" * 1000]]], "params", "missing_identity"),
    ],
)
def test_a_broken_result_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(results_of({"time_before": [[0.5]], "time_b": broken, "time_after": [[0.5]]}))
    assert values(reading) == [("time_before", 0.5), ("time_after", 0.5)]
    assert [problem[1:] for problem in reading.problems] == [(field, reason)]
    assert reading.rejections[0].location.startswith("results.time_b")
    assert_helpful(reading.rejections[0])


def test_a_number_that_is_no_time_may_be_negative() -> None:
    assert values(read(results_of({"track_a": [[-5]]}))) == [("track_a", -5)]


def test_bytes_that_are_not_utf_8_reject_the_benchmark_they_name() -> None:
    reading = read(results_of({"time_good": [[0.5]], "time_bad!": [[0.5]]}).replace(b"!", b"\xff"))
    assert values(reading) == [("time_good", 0.5)]
    assert [reason for _, _, reason in reading.problems] == ["missing_identity"]


@pytest.mark.parametrize("content", [WHOLE, old_results_of({"time_a": 0.5, "time_b": {"result": [0.25]}})])
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


def test_a_file_that_lost_its_date_gives_no_measurements() -> None:
    run = json.loads(WHOLE)
    date = run.pop("date")
    content = json.dumps(run | {"date": date}).encode()
    assert read(content).rows == read(WHOLE).rows
    reading = read(content[: content.index(b'"date"')])
    assert reading.rows == []
    assert [rejection.reason for rejection in reading.rejections] == ["missing_time"] * 2 + ["truncated"]


found_results = (
    st.dictionaries(st.text(max_size=5), json_values | st.lists(json_values, max_size=9), max_size=4) | json_values
)
changed = st.dictionaries(
    st.sampled_from(["params", "date", "python", "requirements", "env_vars", "benchmark_version", "result_columns"]),
    json_values,
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(found_results, changed, json_values, st.booleans())
def test_any_fields_give_rows_and_rejections(results: Any, changes: Any, benchmarks: Any, is_old: bool) -> None:
    content = (old_results_of if is_old else results_of)(results, **changes)
    reading = read(content, FORMAT, benchmarks=json.dumps(benchmarks).encode())
    for row in reading.rows:
        assert row["test_name"]
        assert row["unit"] not in ("s", "By") or row["value"] >= 0
    for rejection in reading.rejections:
        assert rejection.message


def test_a_file_that_breaks_off_before_its_commit_says_so() -> None:
    reading = read(b'{"results": {"sort.time_quick": 0.5, "sort.time_merge": 0.', FORMAT)
    assert reading.rows == []
    assert [rejection.reason for rejection in reading.rejections] == ["truncated"]
