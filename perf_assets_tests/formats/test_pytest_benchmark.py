"""pytest-benchmark's JSON: the shared files, versions, dirty trees, and damage."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.measurement import FormatError
from perf_assets.formats.pytest_benchmark import FORMAT
from perf_assets_tests.formats.json_values import json_values
from perf_assets_tests.formats.reading import NAME, SHARED, assert_helpful, read, read_file

FOLDER = SHARED / "pytest_benchmark"
OLD = FOLDER / "0001_b87b9aae14ff14a7887a6bbaa9731b9a8760555d_20150814_190343_uncommitted-changes.json"
NEW = FOLDER / "gab_pytest_output.json"
MACHINE = {
    "node": "bench-1", "system": "Linux", "machine": "x86_64", "release": "6.1", "python_implementation": "CPython",
    "python_version": "3.12.4", "cpu": {"brand_raw": "Some CPU"},
}  # fmt: skip
COMMIT = {
    "id": "abc", "time": "2026-09-01T10:00:00+02:00", "dirty": False, "project": "shop", "branch": "main",
}  # fmt: skip


def bench(name: Any = "bench.py::test_a", **changes: Any) -> dict[str, Any]:
    stats = {"median": 0.5, "mean": 0.6, "stddev": 0.1, "rounds": 3, "iterations": 1} | changes.pop("stats", {})
    return {
        "name": "test_a",
        "fullname": name,
        "group": None,
        "params": None,
        "extra_info": {},
        "stats": stats,
    } | changes


def saved(*benchmarks: Any, **changes: Any) -> bytes:
    run = {
        "machine_info": MACHINE, "commit_info": COMMIT, "benchmarks": list(benchmarks),
        "datetime": "2026-09-01T09:00:00.5", "version": "5.1.0",
    }  # fmt: skip
    return json.dumps(run | changes, indent=4).encode()


WHOLE = saved(bench(), bench("bench.py::test_b"))


@pytest.mark.skipif(not OLD.exists(), reason=f"needs {OLD}")
def test_a_file_of_version_2_of_a_dirty_tree() -> None:
    reading = read_file(OLD)
    (row,) = reading.rows
    assert (reading.rejections, reading.omitted) == ([], {})
    assert (row["test_name"], row["metric"], row["unit"]) == (
        "tests/test_normal.py::test_xfast_parametrized[0]", "benchmark_time", "s",
    )  # fmt: skip
    assert (row["value"], row["spread"], row["replicates"]) == (2.2016643907464864e-07, 2.140441942118885e-07, None)
    assert (row["ts"].isoformat(), row["time_source"]) == ("2015-08-15T00:01:46.250433", "result")
    assert (row["node_id"], row["commit_id"], row["project"]) == ("minibox", None, None)
    assert json.loads(row["tags"]) == {"arch": "x86_64", "os": "Linux", "runtime": "CPython 2.7"}
    assert json.loads(row["context"])["base_commit"] == "5b78858eb718649a31fb93d8dc96ca2cee41a4cd"


@pytest.mark.skipif(not NEW.exists(), reason=f"needs {NEW}")
def test_a_file_of_version_3() -> None:
    reading = read_file(NEW)
    assert reading.column("test_name", "value", "spread") == [
        ("bench.py::test_fib_10", 2.2300000000363696e-05, 6.175090189861328e-06),
        ("bench.py::test_fib_20", 0.0029605825000003083, 0.0001745301654140968),
    ]
    assert (reading.rejections, reading.omitted) == ([], {})
    assert {(row["ts"].isoformat(), row["node_id"], row["project"], row["branch"]) for row in reading.rows} == {
        ("2019-11-17T02:22:16.817862", "Corgi.local", "github-action-benchmark", "pytest")
    }
    assert {row["commit_id"] for row in reading.rows} == {None}
    # A list that was shortened by hand is no list of rounds.
    assert {row["replicates"] for row in reading.rows} == {None}
    assert len({row["run_key"] for row in reading.rows}) == 1


def test_a_benchmark_becomes_a_measurement_with_all_that_explains_it() -> None:
    entry = bench(params={"n": 3}, group="fast", extra_info={"seed": 1}, stats={"data": [0.4, 0.5, 0.9]})
    (row,) = read(saved(entry)).rows
    assert (row["value"], row["spread"], row["replicates"]) == (0.5, 0.1, [0.4, 0.5, 0.9])
    assert (row["commit_id"], row["branch"], row["project"], row["test_type"]) == ("abc", "main", "shop", "benchmark")
    assert json.loads(row["tags"]) == {"arch": "x86_64", "os": "Linux", "runtime": "CPython 3.12"}
    assert json.loads(row["context"]) == {
        "cpu": "Some CPU", "extra_info": {"seed": 1}, "group": "fast", "iterations": 1, "os_release": "6.1",
        "params": {"n": 3}, "pytest_benchmark": "5.1.0", "python_version": "3.12.4", "rounds": 3,
    }  # fmt: skip


def test_the_name_without_its_file_is_taken_where_there_is_no_other() -> None:
    assert read(saved(bench(None))).column("test_name") == ["test_a"]


def test_a_time_is_utc_whatever_the_zone_of_the_source() -> None:
    (row,) = read(saved(bench()), zone=timezone(timedelta(hours=5))).rows
    assert row["ts"].isoformat() == "2026-09-01T09:00:00.500000"


@pytest.mark.parametrize("datetime", [None, "soon", ""])
def test_without_a_time_of_its_own_a_run_has_that_of_its_commit(datetime: Any) -> None:
    (row,) = read(saved(bench(), datetime=datetime)).rows
    assert (row["ts"].isoformat(), row["time_source"], row["run_key"]) == ("2026-09-01T08:00:00", "commit", None)


def test_one_run_is_known_in_any_file_and_another_is_another() -> None:
    run_keys = [
        read(saved(bench(name), **changes)).rows[0]["run_key"]
        for name, changes in [
            ("a", {}),
            ("b", {"version": "4.0.0"}),
            ("a", {"datetime": "2026-09-01T09:00:00.6"}),
            ("a", {"machine_info": MACHINE | {"node": "bench-2"}}),
        ]
    ]
    assert run_keys[0] == run_keys[1]
    assert len(set(run_keys)) == 3


@pytest.mark.parametrize(
    ("commit", "commit_id", "branch", "context"),
    [
        (COMMIT | {"dirty": True}, None, "main", {"base_commit": "abc"}),
        (COMMIT | {"branch": "(detached head)"}, "abc", None, {}),
        (COMMIT | {"id": "unversioned", "branch": "(unknown)"}, None, None, {}),
        ({"error": "CalledProcessError"}, None, None, {}),
        (None, None, None, {}),
    ],
)
def test_a_dirty_or_unknown_tree_is_no_commit(
    commit: Any, commit_id: str | None, branch: str | None, context: dict[str, str]
) -> None:
    (row,) = read(saved(bench(), commit_info=commit)).rows
    assert (row["commit_id"], row["branch"]) == (commit_id, branch)
    assert {key: value for key, value in json.loads(row["context"]).items() if key == "base_commit"} == context


@pytest.mark.parametrize("machine", [None, {}, {"node": 5, "python_version": 3}])
def test_a_run_may_lack_its_machine(machine: Any) -> None:
    (row,) = read(saved(bench(), machine_info=machine)).rows
    assert (row["node_id"], row["tags"]) == (None, None)


@pytest.mark.parametrize("rounds", [0, None])
def test_without_rounds_nothing_was_measured(rounds: Any) -> None:
    reading = read(saved(bench(stats={"rounds": rounds, "median": None}), bench("b")))
    assert (reading.column("test_name"), reading.omitted, reading.rejections) == (["b"], {"idle": 1}, [])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (bench(stats={"median": None}), "stats.median", "missing_value"),
        (bench(stats={"median": "0.5"}), "stats.median", "wrong_type"),
        (bench(stats={"median": float("nan")}), "stats.median", "not_finite"),
        (bench(stats={"median": -0.5}), "stats.median", "impossible_value"),
        (bench() | {"stats": None}, "stats", "wrong_type"),
        (bench(None) | {"name": " "}, "fullname", "missing_identity"),
        ("fast", "", "wrong_type"),
    ],
)
def test_a_broken_benchmark_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(saved(bench("before"), broken, bench("after")))
    assert reading.column("test_name") == ["before", "after"]
    assert reading.problems == [("benchmarks[1]", field, reason)]
    assert_helpful(reading.rejections[0])


def test_what_goes_with_a_value_may_be_broken() -> None:
    (row,) = read(saved(bench(stats={"stddev": float("inf"), "data": [1, None]}))).rows
    assert (row["value"], row["spread"], row["replicates"]) == (0.5, None, None)


def test_a_file_without_benchmarks_measures_nothing() -> None:
    reading = read(saved())
    assert (reading.format, reading.rows, reading.rejections) == ("pytest-benchmark", [], [])


def test_a_file_that_lost_the_time_of_its_run_gives_no_measurements() -> None:
    content = WHOLE[: WHOLE.index(b'"datetime"')]
    reading = read(content)
    assert reading.rows == []
    assert reading.problems[:2] == [
        ("benchmarks[0]", "datetime", "missing_time"),
        ("benchmarks[1]", "datetime", "missing_time"),
    ]
    assert [rejection.reason for rejection in reading.rejections[2:]] == ["truncated"]


def test_a_file_cut_anywhere_gives_a_part_of_its_measurements_and_says_so() -> None:
    run = json.loads(WHOLE)
    benchmarks = run.pop("benchmarks")
    content = json.dumps(run | {"benchmarks": benchmarks}).encode()
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
    assert set(numbers) == {0, 1, 2}


statistics = st.dictionaries(st.sampled_from(["median", "stddev", "rounds", "data"]), json_values)
fields = st.dictionaries(st.sampled_from(["fullname", "name", "params"]), json_values)
entries = fields | json_values
benchmarks = st.builds(
    lambda entry, stats: entry | {"stats": stats} if isinstance(entry, dict) else entry, entries, statistics
)
runs = st.fixed_dictionaries(
    {"benchmarks": st.lists(benchmarks, max_size=3) | json_values},
    optional={
        "datetime": json_values,
        "machine_info": json_values | st.dictionaries(st.sampled_from([*MACHINE]), json_values),
        "commit_info": json_values | st.dictionaries(st.sampled_from([*COMMIT]), json_values),
    },
)


@settings(max_examples=150, deadline=None)
@given(runs)
def test_any_fields_give_rows_and_rejections(run: dict[str, Any]) -> None:
    reading = read(json.dumps(run).encode(), FORMAT)
    for row in reading.rows:
        assert row["value"] >= 0
        assert row["test_name"]
    for rejection in reading.rejections:
        assert_helpful(rejection)
