"""Vitest's and tinybench's results: all shapes in which they are written, names, outcomes, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.measurement import FormatError
from perf_assets.formats.vitest import FORMAT
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import Reading, assert_helpful, read


def statistics(**changes: Any) -> dict[str, Any]:
    """As tinybench 2 has them."""
    fields = {
        "totalTime": 521.4, "min": 0.8, "max": 1.5, "hz": 1000.0, "period": 1.0, "samples": [0.5, 0.75, 1.75],
        "mean": 1.0, "variance": 0.0625, "sd": 0.25, "sem": 0.02, "df": 92, "critical": 1.98, "moe": 0.05, "rme": 25.0,
        "p75": 1.05, "p99": 1.4,
    }  # fmt: skip
    return {name: value for name, value in (fields | changes).items() if value is not ...}


def bench(name: Any = "quick", **changes: Any) -> dict[str, Any]:
    fields = {"id": "1_0", "name": name, "rank": 1, "sampleCount": 93, "median": 0.75}
    return fields | statistics(samples=[]) | changes


def group(*benchmarks: Any, name: Any = "sort.bench.ts > sorting") -> dict[str, Any]:
    return {"fullName": name, "benchmarks": list(benchmarks)}


def report(*groups: Any, path: str = "/home/runner/project/sort.bench.ts") -> bytes:
    return json.dumps({"files": [{"filepath": path, "groups": list(groups)}]}, indent=2).encode()


def modern(**changes: Any) -> dict[str, Any]:
    """A result of tinybench 3 and later."""
    latency = {"mean": 1.0, "p50": 0.75, "sd": 0.25, "rme": 25.0, "samples": [0.5, 1.5], "samplesCount": 2}
    throughput = {"mean": 1100.0, "p50": 1000.0, "rme": 20.0}
    fields = {"state": "completed", "latency": latency, "throughput": throughput, "period": 1.0, "totalTime": 500.0}
    return fields | {"runtime": "node", "runtimeVersion": "v22.3.0"} | changes


def values(reading: Reading) -> list[tuple[str, str, float, str]]:
    return reading.column("test_name", "metric", "raw_value", "raw_unit")


WHOLE = report(
    group(bench(), bench("slow", median=1.5)), group(bench("other"), name="sort.bench.ts > sorting > nested")
)


def test_a_benchmark_of_vitest() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("vitest", [], {})
    assert values(reading) == [
        ("sort.bench.ts > sorting > quick", "benchmark_time", 0.75, "ms"),
        ("sort.bench.ts > sorting > slow", "benchmark_time", 1.5, "ms"),
        ("sort.bench.ts > sorting > nested > other", "benchmark_time", 0.75, "ms"),
    ]
    first = reading.rows[0]
    assert (first["raw_spread"], first["raw_replicates"], first["value"]) == (0.25, None, pytest.approx(0.00075))
    assert first["location"] == "files[0].groups[0].benchmarks[0].median"
    assert json.loads(first["context"]) == {"rme": 25.0, "samples": 93}
    assert (first["tags"], first["ts"], first["run_key"]) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("test/sort.bench.ts > a", "test/sort.bench.ts > a"),
        ("/home/me/checkout/sort.bench.ts > a", "sort.bench.ts > a"),
        ("C:\\Users\\me\\sort.bench.ts > a", "sort.bench.ts > a"),
        ("C:/Users/me/sort.bench.ts", "sort.bench.ts"),
        ("sort.bench.ts", "sort.bench.ts"),
    ],
)
def test_names_do_not_depend_on_where_the_checkout_lies(written: str, name: str) -> None:
    assert read(report(group(bench(), name=written))).column("test_name") == [f"{name} > quick"]


def test_the_reporter_of_before_version_2() -> None:
    found = {"sorting": [bench(samples="ignore on terminal"), bench("slow", median=...)], "other": [bench("a")]}
    content = {"numTotalTestSuites": 2, "numTotalTests": 3, "testResults": found}
    content["testResults"]["sorting"][1] = {"name": "slow", "rank": 2, **statistics()}
    assert values(read(json.dumps(content).encode())) == [
        ("sorting > quick", "benchmark_time", 0.75, "ms"),
        ("sorting > slow", "benchmark_time", 1.0, "ms"),
        ("other > a", "benchmark_time", 0.75, "ms"),
    ]


@pytest.mark.parametrize(
    ("task", "value", "replicates", "runtime"),
    [
        ({"name": "a", "result": statistics()}, 1.0, [0.5, 0.75, 1.75], None),
        ({"name": "a", **statistics()}, 1.0, [0.5, 0.75, 1.75], None),
        ({"name": "a", "runs": 5, "result": statistics(p50=0.9)}, 0.9, [0.5, 0.75, 1.75], None),
        ({"name": "a", "result": modern()}, 0.75, [0.5, 1.5], "node 22"),
        ({"name": "a", "result": {**statistics(), **modern()}}, 0.75, [0.5, 1.5], "node 22"),
        ({"name": "a", **modern()}, 0.75, [0.5, 1.5], "node 22"),
        ({"name": "a", "latency": {"mean": 2.0, "rme": 1.0}, "throughput": {"mean": 500}}, 2.0, None, None),
    ],
)
@pytest.mark.parametrize("around", ["list", "results", "tasks", "benchmarks"])
def test_tasks_of_tinybench_in_every_shape(
    task: dict[str, Any], value: float, replicates: Any, runtime: str | None, around: str
) -> None:
    reading = read(json.dumps([task] if around == "list" else {around: [task]}).encode())
    assert (reading.format, reading.rejections) == ("vitest", [])
    assert values(reading) == [("a", "benchmark_time", value, "ms")]
    (row,) = reading.rows
    assert row["raw_replicates"] == replicates
    assert row["tags"] == (runtime and json.dumps({"runtime": runtime}))


def test_without_times_the_throughput_is_taken() -> None:
    tasks = [
        {"name": "a", "rme": 1.0, "mean": None, "hz": 50.0},
        {"name": "b", "latency": {"mean": None, "rme": 0}, "throughput": {"mean": 60}},
    ]
    assert values(read(json.dumps(tasks).encode())) == [
        ("a", "benchmark_throughput", 50.0, "ops/s"), ("b", "benchmark_throughput", 60.0, "ops/s"),
    ]  # fmt: skip


def test_very_many_samples_are_not_kept() -> None:
    tasks = [{"name": str(count), "result": statistics(samples=[1.0] * count)} for count in (10_000, 10_001)]
    kept = [row["raw_replicates"] is not None for row in read(json.dumps(tasks).encode()).rows]
    assert kept == [True, False]


NOW = {
    "Latency avg (ns)": "1234.5 ± 0.52%",
    "Latency med (ns)": "1100 ± 10.00",
    "Throughput avg (ops/s)": "812345 ± 0.01%",
}
TABLES = [
    ({"Task name": "a", **NOW, "Samples": 1000}, "benchmark_time", 1100.0, "ns"),
    ({"Task name": "a", "Latency average (ns)": "12.50 ± 1.00%", "Samples": 9}, "benchmark_time", 12.5, "ns"),
    (
        {"Task Name": "a", "ops/sec": "1,234,567", "Average Time (ns)": 810.25, "Margin": "±0.52%", "Samples": 617},
        "benchmark_time", 810.25, "ns",
    ),
    ({"Task Name": "a", "ops/sec": "1,234,567", "Margin": "±0.52%"}, "benchmark_throughput", 1234567.0, "ops/s"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "metric", "value", "unit"), TABLES)
def test_the_rows_of_a_table_as_json(row: dict[str, Any], metric: str, value: float, unit: str) -> None:
    assert values(read(json.dumps([row]).encode())) == [("a", metric, value, unit)]


def printed(*rows: dict[str, Any], quote: str = "'") -> str:
    """As Node's console.table prints them."""
    names = ["(index)", *rows[0]]
    lines = ["┌─────────┬───────┐", "│ " + " │ ".join(names) + " │", "├─────────┼───────┤"]
    for number, row in enumerate(rows):
        cells = [f"{quote}{cell}{quote}" if isinstance(cell, str) else str(cell) for cell in row.values()]
        lines.append("│ " + " │ ".join([str(number), *cells]) + " │")
    return "\n".join([*lines, "└─────────┴───────┘", ""])


@pytest.mark.parametrize(("row", "metric", "value", "unit"), TABLES)
@pytest.mark.parametrize("quote", ["'", '"', ""])
def test_tables_as_they_are_printed(row: dict[str, Any], metric: str, value: float, unit: str, quote: str) -> None:
    other = {**row, next(iter(row)): "other task"}
    reading = read(f"> node bench.js\n\n{printed(row, other, quote=quote)}\ndone │ really\n{printed(row)}".encode())
    assert (reading.format, reading.rejections) == ("vitest", [])
    assert values(reading) == [(name, metric, value, unit) for name in ("a", "other task", "a")]
    assert reading.rows[0]["location"].startswith("line 6.")


def test_a_table_that_breaks_off_is_told() -> None:
    whole = printed({"Task name": "a", **NOW}, {"Task name": "b", **NOW})
    for end in range(whole.index("│ 1") + 1, whole.rindex("│")):
        reading = read(whole[:end].encode())
        assert reading.column("test_name") == ["a"]
        assert [problem[2] for problem in reading.problems] == ["truncated"]


@pytest.mark.parametrize(
    ("task", "outcome"),
    [
        ({"name": "x", "result": {"error": {"message": "boom"}}}, "errored"),
        ({"name": "x", "result": statistics(error={})}, None),
        ({"name": "x", "result": {"error": {}}}, "errored"),
        ({"name": "x", "result": {"aborted": True}}, "skipped"),
        ({"name": "x", "result": {"state": "errored", "error": {}}}, "errored"),
        ({"name": "x", "result": {"state": "aborted"}}, "skipped"),
        ({"name": "x", "result": {"state": "not-started"}}, "skipped"),
        ({"name": "x", "result": modern(state="aborted-with-statistics")}, None),
        ({"name": "x", "result": None}, "idle"),
        ({"name": "x", "rank": 0, "rme": 0, "samples": []}, "idle"),
        (bench(sampleCount=0), "idle"),
        ({"Task name": "x", "Error": "boom", "Stack": "at x"}, "errored"),
        ({"Task name": "x", "Latency avg (ns)": "N/A", "Latency med (ns)": "N/A", "Remarks": "aborted"}, "skipped"),
    ],
)
def test_what_did_not_run_is_counted_and_no_value(task: dict[str, Any], outcome: str | None) -> None:
    reading = read(json.dumps([{"name": "a", "result": statistics()}, task]).encode())
    assert (reading.omitted, reading.rejections) == ({outcome: 1} if outcome else {}, [])
    assert len(reading.rows) == (1 if outcome else 2)


@pytest.mark.parametrize(
    "content",
    [
        b'{"testResults": [{"assertionResults": [], "name": "a"}], "numTotalTests": 1}',
        b'[{"name": "a", "mean": 1}]',
        b'[{"name": "a", "stats": {"mean": 1, "rme": 2}}]',
        b'{"results": [{"command": "ls", "mean": 1.0, "times": [1.0]}]}',
        b'{"files": [{"filepath": "a"}]}',
        "│ a │ b │\n│ 1 │ 2 │\n".encode(),
    ],
)
def test_other_files_are_none(content: bytes) -> None:
    try:
        assert read(content).format != "vitest"
    except FormatError as error:
        assert error.reason == "unknown_format"


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (bench(None), "name", "missing_identity"),
        (bench("n" * 1_000), "name", "missing_identity"),
        (bench(median=None, mean=None, hz=None), "median", "missing_value"),
        (bench(median="fast"), "median", "wrong_type"),
        (bench(median=float("inf")), "median", "not_finite"),
        (bench(median=-1), "median", "impossible_value"),
        (5, "", "wrong_type"),
    ],
)
def test_a_broken_benchmark_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(report(group(bench("before"), broken, bench("after"))))
    assert [row["test_name"].rpartition(" > ")[2] for row in reading.rows] == ["before", "after"]
    assert reading.problems == [("files[0].groups[0].benchmarks[1]", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_report_without_benchmarks_measures_nothing() -> None:
    reading = read(report())
    assert (reading.format, reading.rows, reading.rejections) == ("vitest", [], [])


@pytest.mark.parametrize("name", [None, "", 5, ...])
def test_a_group_without_name_has_no_benchmarks(name: Any) -> None:
    broken = group(bench(), name=name) if name is not ... else {"benchmarks": [bench()]}
    reading = read(report(group(bench()), broken))
    assert len(reading.rows) == 1
    assert reading.problems == [("files[0].groups[1].benchmarks[0]", "fullName", "missing_identity")]


def test_a_group_may_be_named_behind_its_benchmarks_but_must_not_lose_its_name() -> None:
    content = json.dumps({"files": [{"groups": [{"benchmarks": [bench()], "fullName": "a.ts > b"}]}]}).encode()
    assert read(content).column("test_name") == ["a.ts > b > quick"]
    reading = read(content[: content.index(b'"fullName"')])
    assert (reading.rows, [problem[2] for problem in reading.problems]) == ([], ["missing_identity", "truncated"])


@pytest.mark.parametrize("content", [WHOLE, json.dumps([{"name": n, "result": modern()} for n in "abc"]).encode()])
def test_every_prefix_gives_a_prefix(content: bytes) -> None:
    assert_every_prefix_gives_a_prefix(content, FORMAT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), anything, st.booleans())
def test_any_value_in_any_place_is_borne(place: int, value: Any, of_vitest: bool) -> None:
    tasks = [{"name": "a", "result": modern()}, {"name": "b", "result": statistics()}, {"Task name": "c", **NOW}]
    content = WHOLE if of_vitest else json.dumps(tasks).encode()
    assert_broken_anywhere_is_borne(content, FORMAT, place, value)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20), st.integers(0, 200))
def test_any_text_in_a_table_is_borne(text: str, place: int) -> None:
    content = printed({"Task name": "a", **NOW})
    for row in read((content[:place] + text + content[place:]).encode(errors="replace"), FORMAT).rows:
        assert row["test_name"]


def test_a_benchmark_outside_all_groups_of_the_old_reporter() -> None:
    report = {"numTotalTestSuites": 1, "testResults": {"": [bench("top")], "sort": [bench("quick")]}}
    assert read(json.dumps(report).encode()).column("test_name") == ["top", "sort > quick"]


def test_a_file_in_which_every_task_threw() -> None:
    reading = read(json.dumps([{"name": "a", "result": {"error": {}}}]).encode())
    assert (reading.format, reading.rows, reading.omitted) == ("vitest", [], {"errored": 1})
