"""data.js as github-action-benchmark publishes it: the real file, and what can be wrong with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.reading import NAME, assert_helpful, read

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "histories" / "hyper_data.js"


def bench(name: str = "parse", value: Any = 100, unit: Any = "ns/iter", **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, **more}


def run(*benches: Any, commit: str = "c1", date: Any = 1_700_000_000_000, **more: Any) -> dict[str, Any]:
    described = {"id": commit, "timestamp": "2023-11-14T20:00:00+02:00", "url": f"https://host/{commit}"}
    return {"commit": described, "date": date, "tool": "cargo", "benches": list(benches), **more}


def published(*runs: Any, suite: str = "Rust") -> bytes:
    history = {"lastUpdate": 1, "repoUrl": "https://github.com/org/repo", "entries": {suite: list(runs)}}
    return b"window.BENCHMARK_DATA = " + json.dumps(history, indent=2).encode()


@pytest.mark.skipif(not REAL.exists(), reason=f"needs the shared history {REAL}")
def test_the_real_history_is_read_whole() -> None:
    content = REAL.read_bytes()
    entries = json.loads(content[content.index(b"{") :])["entries"]
    reading = read(content)
    assert len({run["commit"]["id"] for runs in entries.values() for run in runs}) == 440
    assert len({row["commit_id"] for row in reading.rows}) == 440
    assert len({(row["test_name"], row["tags"]) for row in reading.rows}) == 27
    assert len(reading.rows) == 7603
    assert reading.rejections == []


def test_a_benchmark_becomes_a_measurement_in_canonical_units() -> None:
    (row,) = read(published(run(bench(range="± 12", extra="warm")))).rows
    assert (row["project"], row["metric"], row["unit"], row["test_name"]) == (
        "org/repo",
        "benchmark_time",
        "s",
        "parse",
    )
    assert (row["value"], row["raw_value"], row["raw_unit"]) == (pytest.approx(1e-7), 100.0, "ns/iter")
    assert row["spread"] == pytest.approx(12e-9)
    assert (row["ts"].isoformat(), row["time_source"]) == ("2023-11-14T22:13:20", "result")
    assert json.loads(row["context"]) == {"extra": "warm", "tool": "cargo"}


@pytest.mark.parametrize(
    ("written", "value", "unit", "spread"),
    [
        ("± 1,250", 1e6, "ns", 1.25e-6),
        ("±0.50%", 1000.0, "ops/sec", 5.0),
        ("stddev: 0.0002", 100.0, "iter/sec", 2.0),
        ("stddev: 0.5", 100.0, "ns", 0.5e-9),
        ("±1e308%", 1e300, "ops/sec", None),
        ("none", 1.0, "ns", None),
    ],
)
def test_the_range_is_the_spread_in_the_unit_of_the_value(
    written: str, value: float, unit: str, spread: float | None
) -> None:
    (row,) = read(published(run(bench(value=value, unit=unit, range=written)))).rows
    assert row["spread"] == (None if spread is None else pytest.approx(spread))


@pytest.mark.parametrize(
    ("tool", "unit", "direction"),
    [
        ("customBiggerIsBetter", "ns", "higher_is_better"),
        ("customSmallerIsBetter", "widgets", "lower_is_better"),
        ("go", "allocs/op", "lower_is_better"),
        ("go", "tokens/s", None),
        ("go", "MB/s", None),
        ("pytest", "iter/sec", None),
        ("benchmarkjs", "widgets", "higher_is_better"),
        ("another", "widgets", None),
    ],
)
def test_the_tool_tells_the_direction_where_the_unit_does_not(tool: str, unit: str, direction: str | None) -> None:
    (row,) = read(published(run(bench(unit=unit), tool=tool))).rows
    assert row["direction"] == direction


def test_two_runs_of_one_commit_stay_two() -> None:
    rows = read(published(run(bench()), run(bench(), date=1_700_000_060_000))).rows
    assert len({row["run_key"] for row in rows}) == 2


@pytest.mark.parametrize(
    ("date", "commit", "time_source", "ts"),
    [
        (None, "2023-11-14T20:00:00+02:00", "commit", "2023-11-14T18:00:00"),
        ("soon", "2023-11-14T20:00:00", "commit", "2023-11-14T20:00:00"),
        (None, "x", "receipt", None),
    ],
)
def test_the_time_is_the_runs_else_the_commits_else_that_of_receipt(
    date: Any, commit: str, time_source: str, ts: str | None
) -> None:
    entry = run(bench(), date=date)
    entry["commit"]["timestamp"] = commit
    (row,) = read(published(entry)).rows
    assert (row["time_source"], row["ts"] and row["ts"].isoformat()) == (time_source, ts)


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (bench(value="fast"), "value", "wrong_type"),
        (bench(value=True), "value", "wrong_type"),
        (bench(value=None), "value", "missing_value"),
        (bench(value=float("nan")), "value", "not_finite"),
        (bench(value=float("inf")), "value", "not_finite"),
        (bench(value=10**400), "value", "not_finite"),
        (bench(name=" "), "name", "missing_identity"),
        (bench(name="\ud800"), "name", "missing_identity"),
        ({"value": 1}, "name", "missing_identity"),
        (bench(unit=5), "unit", "wrong_type"),
        ("fast", "", "wrong_type"),
    ],
)
def test_a_broken_benchmark_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(published(run(bench("before"), broken, bench("after"))))
    assert [row["test_name"] for row in reading.rows] == ["before", "after"]
    assert reading.problems == [("entries.Rust[0].benches[1]", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "location", "field"),
    [
        (5, "entries.Rust[0]", ""),
        ({"commit": {}, "benches": {}}, "entries.Rust[0].benches", ""),
        ({"commit": {}}, "entries.Rust[0]", "benches"),
    ],
)
def test_a_broken_run_is_rejected_and_the_next_is_read(broken: Any, location: str, field: str) -> None:
    reading = read(published(broken, run(bench())))
    assert len(reading.rows) == 1
    assert reading.problems == [(location, field, "wrong_type")]
    assert_helpful(reading.rejections[0])


def test_bytes_that_are_not_utf_8_reject_the_benchmark_they_stand_in() -> None:
    content = published(run(bench("good"), bench("bad!"))).replace(b"bad!", b"bad\xff")
    reading = read(content)
    assert [row["test_name"] for row in reading.rows] == ["good"]
    assert reading.problems == [("entries.Rust[0].benches[1]", "name", "missing_identity")]


@pytest.mark.parametrize(
    "change", [lambda c: b"\xef\xbb\xbf" + c, lambda c: c.replace(b"\n", b"\r\n"), lambda c: c + b";\n"]
)
def test_byte_order_mark_line_ends_and_semicolon_do_not_matter(change: Any) -> None:
    content = published(run(bench()), run(bench(), commit="c2"))
    assert read(change(content)) == read(content)


def test_a_file_cut_anywhere_gives_a_part_of_its_measurements_and_says_so() -> None:
    content = published(run(bench("a"), bench("b", 12.75, "ops/s")), run(bench("a", 101), commit="c2")) + b"\n"
    whole = read(content).rows
    numbers = []
    for end in range(len(content) - 1):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert error.reason in ("unknown_format", "unreadable", "truncated")
            assert NAME in str(error)
            continue
        assert reading.rows == whole[: len(reading.rows)]
        if end < len(content) - 1 and reading.rows != whole:
            assert [rejection.reason for rejection in reading.rejections] == ["truncated"]
            assert_helpful(reading.rejections[0])
        numbers.append(len(reading.rows))
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2, 3}


@pytest.mark.parametrize("content", [b"window.BENCHMARK_DATA = 5", b'{"entries": {"a": [{"benches": 5}]}}'])
def test_a_file_without_entries_says_what_was_expected(content: bytes) -> None:
    try:
        rejections = read(content).rejections
    except FormatError as error:
        assert (error.reason, NAME in str(error)) == ("unreadable", True)
        return
    assert [rejection.reason for rejection in rejections] == ["wrong_type"]
    assert "expected a" in rejections[0].message


def test_the_rest_of_a_line_of_go_is_no_unit() -> None:
    rest = "ns/op\t3103.57 MB/s\t       8 B/op\t 2 allocs/op"
    reading = read(published(run(bench("BenchmarkX", 19.01, rest, range="± 2"), tool="go")))
    assert reading.column("test_name", "metric", "raw_value", "raw_unit") == [
        ("BenchmarkX", "benchmark_time", 19.01, "ns/op"),
        ("BenchmarkX - MB/s", "benchmark_data_rate", 3103.57, "MB/s"),
        ("BenchmarkX - B/op", "benchmark_memory", 8.0, "B/op"),
        ("BenchmarkX - allocs/op", "benchmark_value", 2.0, "allocs/op"),
    ]
    assert reading.rows[3]["direction"] == "lower_is_better"
    assert reading.column("raw_spread") == [2.0, None, None, None]


def test_custom_tools_may_write_numbers_as_text_and_ranges_as_numbers() -> None:
    (row,) = read(published(run(bench(value="12.5", range=2)))).rows
    assert (row["raw_value"], row["raw_spread"]) == (12.5, 2.0)
