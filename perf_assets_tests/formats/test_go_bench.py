"""Output of go test -bench and benchfmt: the shared files, names, units, interleaved output, and damage."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.go_bench import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.damage import assert_read_quickly
from perf_assets_tests.formats.reading import NAME, SHARED, Reading, assert_helpful, read, read_file

FOLDER = SHARED / "go_bench"
needs_files = pytest.mark.skipif(not FOLDER.exists(), reason=f"needs {FOLDER}")
HEADER = "goos: linux\ngoarch: amd64\npkg: example.com/sort\ncpu: Some CPU\n"


def result(name: str = "BenchmarkSort-8", values: str = "325 ns/op", iterations: str = "5000000") -> str:
    return f"{name}   \t{iterations}\t\t{values}\n"


def output(*lines: str, header: str = HEADER) -> bytes:
    return (header + "".join(lines) + "PASS\nok  \texample.com/sort\t3.614s\n").encode()


def values(reading: Reading) -> list[tuple[str, float, str]]:
    return [(row["metric"], row["raw_value"], row["raw_unit"]) for row in reading.rows]


def tags(row: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = json.loads(row["tags"])
    return found


def as_events(*printed: str) -> bytes:
    """The same as `go test -json` has it: a piece of a line an event."""
    start = {"Time": "2026-09-01T00:00:00Z", "Action": "start", "Package": "p"}
    events = [start, *({"Action": "output", "Package": "p", "Output": text} for text in printed)]
    return "".join(json.dumps(event) + "\n" for event in events).encode()


WHOLE = output(result(), result("BenchmarkCopy-8", "40.5 ns/op\t  24.68 MB/s\t  16 B/op\t  2 allocs/op"))


@needs_files
def test_output_of_several_names_and_units() -> None:
    reading = read_file(FOLDER / "gab_go_output.txt")
    assert reading.column("test_name", "metric", "raw_value", "raw_unit") == [
        ("BenchmarkFib10", "benchmark_time", 325, "ns/op"),
        ("BenchmarkFib20", "benchmark_time", 40537.123, "ns/op"),
        ("BenchmarkFib/my_tabled_benchmark_-_10", "benchmark_time", 325, "ns/op"),
        ("BenchmarkFib/my_tabled_benchmark_-_20", "benchmark_time", 40537.123, "ns/op"),
        ("BenchmarkFib/my/tabled/benchmark_-_20", "benchmark_time", 40537.456, "ns/op"),
        ("BenchmarkFib/my/tabled/benchmark_-_20,var1=13,var2=14", "benchmark_time", 40537.456, "ns/op"),
        ("BenchmarkFib11", "benchmark_time", 262.7, "ns/op"),
        ("BenchmarkFib11", "auxMetricUnits", 3, "auxMetricUnits"),
        ("BenchmarkFib22", "benchmark_time", 31915, "ns/op"),
        ("BenchmarkFib22", "auxMetricUnits", 4, "auxMetricUnits"),
    ]
    assert [tags(row).get("runtime") for row in reading.rows] == [
        "GOMAXPROCS=8", None, "GOMAXPROCS=8", None, None, None, *["GOMAXPROCS=16"] * 4,
    ]  # fmt: skip
    assert {(tags(row)["os"], tags(row)["arch"]) for row in reading.rows} == {("darwin", "amd64")}
    assert (reading.rejections, reading.omitted) == ([], {})


@needs_files
def test_ten_repetitions_of_forty_two_benchmarks() -> None:
    reading = read_file(FOLDER / "suffixarray.bench")
    assert (reading.rejections, reading.omitted) == ([], {})
    assert len(reading.rows) == 42 * 4
    assert {len(row["replicates"]) for row in reading.rows} == {10}
    first = reading.rows[0]
    assert (first["test_name"], first["raw_value"]) == ("BenchmarkNew/text=opticks/size=100K/bits=32", 4076368)
    assert first["raw_replicates"] == [
        4052123, 4072122, 4236652, 4033154, 4039300, 4047106, 4080614, 4628050, 4858420, 4775885,
    ]  # fmt: skip
    assert [row["metric"] for row in reading.rows[:4]] == [
        "benchmark_time", "benchmark_data_rate", "benchmark_memory", "allocs/op",
    ]  # fmt: skip
    assert {row["tags"] for row in reading.rows} == {
        '{"arch": "amd64", "os": "linux", "runtime": "GOMAXPROCS=8", "suite": "index/suffixarray"}'
    }
    assert {row["context"] for row in reading.rows} == {'{"cpu": "Intel(R) Core(TM) i7-8665U CPU @ 1.90GHz"}'}


@pytest.mark.parametrize(
    ("unit", "metric", "raw_unit", "canonical"),
    [
        ("ns/op", "benchmark_time", "ns/op", "s"),
        ("MB/s", "benchmark_data_rate", "MB/s", "By/s"),
        ("B/op", "benchmark_memory", "B/op", "By"),
        ("allocs/op", "allocs/op", "allocs/op", "allocs"),
        ("p99-latency-ns", "p99-latency", "ns", "s"),
        ("build-real-ns/op", "build-real", "ns/op", "s"),
        ("peak-RSS-bytes", "peak-RSS", "bytes", "By"),
        ("inputs-quality", "inputs-quality", "inputs-quality", "inputs-quality"),
        ("ns/GC", "ns/GC", "ns/GC", "ns/GC"),
    ],
)
def test_a_unit_names_the_metric(unit: str, metric: str, raw_unit: str, canonical: str) -> None:
    (row,) = read(output(result(values=f"3.5 {unit}"))).rows
    assert (row["metric"], row["raw_unit"], row["unit"]) == (metric, raw_unit, canonical)


def test_a_result_is_known_by_what_stands_before_it() -> None:
    other = "pkg: example.com/copy\ngoos: plan9\ncpu:\n"
    first, second = read(output(result(), other, result())).rows
    assert tags(first) == {
        "arch": "amd64", "os": "linux", "runtime": "GOMAXPROCS=8", "suite": "example.com/sort",
    }  # fmt: skip
    assert tags(second) == {
        "arch": "amd64", "os": "plan9", "runtime": "GOMAXPROCS=8", "suite": "example.com/copy",
    }  # fmt: skip
    assert (first["context"], second["context"]) == ('{"cpu": "Some CPU"}', None)
    assert (first["test_type"], first["ts"], first["run_key"]) == ("benchmark", None, None)


def test_the_configuration_tells_run_commit_and_time() -> None:
    times = "commit-time: 2026-09-01T08:00:00Z\nupload-time: 2026-09-02T08:00:00Z\n"
    lines = f"commit: abc\nbranch: main\nhostname: bench-1\n{times}note: fast\nrun-id: 17\n"
    (row,) = read(output(lines, result())).rows
    assert (row["commit_id"], row["branch"], row["node_id"], row["run_key"]) == ("abc", "main", "bench-1", "17")
    assert (row["ts"].isoformat(), row["time_source"]) == ("2026-09-01T08:00:00", "commit")
    assert json.loads(row["context"]) == {"cpu": "Some CPU", "note": "fast"}
    own = "date: 2026-09-03T08:00:00\n"
    (row,) = read(output(lines, own, result()), zone=timezone(timedelta(hours=2))).rows
    assert (row["ts"].isoformat(), row["time_source"]) == ("2026-09-03T06:00:00", "result")


def test_repetitions_are_one_measurement_for_each_unit() -> None:
    lines = [result(values=f"{time} ns/op {size} B/op") for time, size in ((3, 16), (9, 16), (4, 32))]
    reading = read(output(*lines))
    assert reading.column("metric", "raw_value", "raw_replicates") == [
        ("benchmark_time", 4.0, [3.0, 9.0, 4.0]),
        ("benchmark_memory", 16.0, [16.0, 16.0, 32.0]),
    ]


def test_other_numbers_of_processors_are_other_series() -> None:
    reading = read(output(result("BenchmarkSort"), result("BenchmarkSort-2"), result("BenchmarkSort-4")))
    assert {row["test_name"] for row in reading.rows} == {"BenchmarkSort"}
    assert len({row["tags"] for row in reading.rows}) == 3
    assert [row["replicates"] for row in reading.rows] == [None] * 3


def test_unit_lines_give_directions() -> None:
    lines = (
        "Unit score better=higher assume=exact\nUnit waste better=lower\nUnit odd better=sideways\nUnit\nUnit ns/op\n"
    )
    found = read(output(lines, result(values="1 ns/op 2 score 3 waste 4 odd 5 allocs/op")))
    assert found.column("direction") == [None, "higher_is_better", "lower_is_better", None, "lower_is_better"]


def test_what_a_benchmark_prints_may_stand_before_its_result() -> None:
    lines = (
        "BenchmarkQuiet\nBenchmarkQuiet-8   \t 100\t  1 ns/op\n",
        "BenchmarkLoud-8   \thello\nworld: 5 200\n     100\t         2 ns/op\t  3 B/op\n",
        "BenchmarkLouder-8   \tno line end     100\t  4 ns/op\n",
        "BenchmarkDated-8   \t2026/09/01 10:00:00 started\n2026/09/01 10:00:01 done     100\t  5.5e+03 ns/op\n",
        "    bench_test.go:5: 100 items\n--- BENCH: BenchmarkLogged-8\n",
        result("BenchmarkLast-8"),
    )
    reading = read(output(*lines))
    assert reading.column("test_name", "raw_value") == [
        ("BenchmarkQuiet", 1), ("BenchmarkLoud", 2), ("BenchmarkLoud", 3), ("BenchmarkLouder", 4),
        ("BenchmarkDated", 5500), ("BenchmarkLast", 325),
    ]  # fmt: skip
    assert reading.rejections == []


def test_failed_and_skipped_benchmarks_are_counted_and_no_values() -> None:
    lines = (
        result("BenchmarkGood-8"),
        "BenchmarkBad-8   \t--- FAIL: BenchmarkBad-8\n    bench_test.go:9: broken\n",
        "BenchmarkWorse-8   \t\n--- FAIL: BenchmarkWorse-8\n",
        "BenchmarkLater\n--- SKIP: BenchmarkLater\n",
        "--- FAIL: TestNoBenchmark (0.00s)\nFAIL\nexit status 1\nFAIL\texample.com/sort\t0.5s\n",
        result("BenchmarkZero-8", iterations="0"),
    )
    reading = read(output(*lines))
    assert reading.column("test_name") == ["BenchmarkGood"]
    assert (reading.omitted, reading.rejections) == ({"failed": 2, "skipped": 1, "idle": 1}, [])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (result(values="NaN ns/op"), "ns/op", "not_finite"),
        (result(values="+Inf ns/op"), "ns/op", "not_finite"),
        (result(values="1.2.3 ns/op"), "ns/op", "wrong_type"),
        (result(values="-5 ns/op"), "ns/op", "impossible_value"),
        (result(values="325"), "", "truncated"),
        (result("Benchmark" + "n" * 1000), "name", "missing_identity"),
    ],
)
def test_a_broken_line_is_rejected_and_its_neighbours_are_read(broken: str, field: str, reason: str) -> None:
    reading = read(output(result("BenchmarkBefore"), broken, result("BenchmarkAfter")))
    assert reading.column("test_name") == ["BenchmarkBefore", "BenchmarkAfter"]
    assert reading.problems == [("line 6", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_broken_value_leaves_the_others_of_its_line() -> None:
    reading = read(output(result(values="1 ns/op x B/op 3 allocs/op 4")))
    assert values(reading) == [("benchmark_time", 1, "ns/op"), ("allocs/op", 3, "allocs/op")]
    assert [(field, reason) for _, field, reason in reading.problems] == [("B/op", "wrong_type"), ("", "truncated")]


def test_bytes_that_are_not_utf_8_reject_what_they_name() -> None:
    content = output(result("BenchmarkBad!"), result(values="1 good 2 bad!")).replace(b"!", b"\xff")
    reading = read(content)
    assert values(reading) == [("good", 1, "good")]
    assert [reason for _, _, reason in reading.problems] == ["missing_identity", "wrong_type"]


def test_text_that_only_looks_like_a_benchmark_is_passed_over() -> None:
    lines = ("Benchmarks are running\n", "Benchmark results: 5 of 6\n", "Benchmarking 5 things\n", "benchmark: 5\n")
    reading = read(output(*lines, result(), *lines))
    assert reading.column("test_name", "tags") == [
        ("BenchmarkSort", read(output(result())).rows[0]["tags"])
    ]  # fmt: skip
    assert reading.rejections == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encoding_and_line_ends_do_not_matter(encoding: str, end: str) -> None:
    content = WHOLE.decode().replace("\n", end).encode(encoding)
    assert read(content).rows == read(WHOLE).rows


@pytest.mark.parametrize(
    ("last", "rows", "problems"),
    [
        ("BenchmarkSort-8 100 325 ns/op", 1, 0),
        ("BenchmarkSort-8 100 325 ns/op 16 B/op", 2, 0),
        ("BenchmarkSort-8 100 325 ns/op 16 scor", 0, 1),
        ("BenchmarkSort-8 100 325 ns/", 0, 1),
        ("BenchmarkSort-8 100 325", 0, 1),
        ("BenchmarkSort-8 100", 0, 1),
        ("BenchmarkSort-8", 0, 1),
        ("Bench", 0, 0),
    ],
)
def test_a_last_line_without_end_may_break_off(last: str, rows: int, problems: int) -> None:
    reading = read((HEADER + last).encode())
    assert (len(reading.rows), len(reading.rejections)) == (rows, problems)
    assert {rejection.reason for rejection in reading.rejections} <= {"truncated"}


def test_a_file_cut_anywhere_gives_a_part_of_its_measurements() -> None:
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
        assert len(reading.rejections) <= 1
        numbers.append(len(reading.rows))
    assert set(numbers) == {0, 1, 2, 3, 4, 5}
    assert numbers[-1] == 5


pieces = st.sampled_from(
    [result(), "Unit a better=lower\n", "pkg: x\n", "BenchmarkA-8 \t", "5\t 6 ns/op\n", "--- FAIL: BenchmarkA\n"]
)
noise = st.text(st.sampled_from("Benchmark-8 \t\n0123456789.ns/op:NaNgoUnit="), max_size=30)
lines = st.lists(pieces | noise, max_size=8)


@settings(max_examples=200, deadline=None)
@given(lines)
def test_any_lines_give_rows_and_rejections(found: list[str]) -> None:
    reading = read((HEADER + "".join(found)).encode(), FORMAT)
    for row in reading.rows:
        assert row["metric"]
        assert row["test_name"].startswith("Benchmark")
    for rejection in reading.rejections:
        assert_helpful(rejection)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_give_rows_and_rejections(content: bytes) -> None:
    read(HEADER.encode() + b"Benchmark" + content, FORMAT)


@pytest.mark.parametrize("values", ["1 ns" + " ns" * 60_000, "1 ns" + "/op" * 60_000, "1 " * 100_000])
def test_a_long_line_is_read_quickly(values: str) -> None:
    assert_read_quickly(output(result(values=values)), FORMAT)


def test_what_go_test_says_in_json_is_what_it_prints() -> None:
    line = result()
    printed = [*(f"{line}\n" for line in HEADER.splitlines()), "BenchmarkSort\n", line[:14], line[14:], "PASS\n"]
    reading = read(as_events(*printed) + b"# a warning of the compiler\n")
    assert values(reading) == [("benchmark_time", 325.0, "ns/op")]
    assert tags(reading.rows[0])["suite"] == "example.com/sort"
    assert reading.rejections == []


def test_events_of_go_test_without_benchmarks_are_no_rows() -> None:
    assert read(as_events("=== RUN   TestSort\n", "--- PASS: TestSort (0.00s)\n")).rows == []
