"""Criterion.rs in its three forms: the folder, messages of cargo-criterion, and printed text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.catalog import load_catalog
from perf_assets.formats.criterion import FORMAT
from perf_assets.formats.measurement import FormatError, Input
from perf_assets_tests.formats.damage import assert_read_quickly
from perf_assets_tests.formats.json_values import json_values
from perf_assets_tests.formats.reading import NAME, RECEIVED_AT, SHARED, Reading, assert_helpful, read, read_file

PRINTED = SHARED / "criterion" / "bencher_many.txt"


def statistic(value: Any, low: Any = None, high: Any = None) -> dict[str, Any]:
    low, high = (value - 2 if low is None else low), (value + 4 if high is None else high)
    interval = {"confidence_level": 0.95, "lower_bound": low, "upper_bound": high}
    return {"confidence_interval": interval, "point_estimate": value, "standard_error": 1.0}


def estimates(**changes: Any) -> bytes:
    found = {"mean": statistic(110.0), "median": statistic(105.0), "slope": statistic(100.0), "std_dev": statistic(9.0)}
    return json.dumps(found | changes).encode()


def described(**changes: Any) -> bytes:
    fields = {
        "group_id": "sort",
        "function_id": "quick",
        "value_str": "8",
        "throughput": None,
        "full_id": "sort/quick/8",
    }
    return json.dumps(fields | changes).encode()


def sampled(iters: Any = (1.0, 2.0, 4.0), times: Any = (90.0, 220.0, 400.0)) -> bytes:
    return json.dumps({"sampling_mode": "Linear", "iters": iters, "times": times}).encode()


def message(**changes: Any) -> str:
    typical = {"estimate": 100.0, "lower_bound": 98.0, "upper_bound": 104.0, "unit": "ns"}
    fields = {
        "reason": "benchmark-complete", "id": "sort/quick/8", "report_directory": "target/x", "unit": "ns",
        "iteration_count": [1, 2, 4], "measured_values": [90.0, 220.0, 400.0], "throughput": [], "typical": typical,
        "mean": typical, "median": typical, "slope": None, "change": None,
    }  # fmt: skip
    return json.dumps(fields | changes) + "\n"


def printed(name: str, interval: str = "98.00 ns 100.00 ns 104.00 ns") -> str:
    time = f"time:   [{interval}]\n"
    return f"{name}\n{' ' * 24}{time}" if len(name) > 23 else f"{name:<24}{time}"


def read_folder(content: bytes | None = None, benchmark: bytes | None = None, **companions: bytes) -> Reading:
    return read(content or estimates(), benchmark=benchmark or described(), **companions)


WHOLE = (printed("fib 20") + printed("a benchmark with a long name/20")).encode()


@pytest.mark.skipif(not PRINTED.exists(), reason=f"needs {PRINTED}")
def test_a_printed_file_with_mixed_units() -> None:
    reading = read_file(PRINTED)
    assert reading.column("test_name", "raw_value", "raw_unit", "location") == [
        ("file", 323.9, "ps", "line 20"),
        ("rolling_file", 429.66, "ps", "line 31"),
        ("tracing_file", 18.019, "µs", "line 43"),
        ("tracing_rolling_file", 20.93, "µs", "line 54"),
        ("benchmark: name with spaces", 20.93, "ns", "line 65"),
    ]
    assert reading.column("value") == pytest.approx([323.9e-12, 429.66e-12, 18.019e-6, 20.93e-6, 20.93e-9])
    assert reading.rows[0]["spread"] == pytest.approx((327.55 - 320.62) / 2 * 1e-12)
    assert {(row["metric"], row["unit"], row["ts"], row["run_key"]) for row in reading.rows} == {
        ("benchmark_time", "s", None, None)
    }
    assert (reading.rejections, reading.omitted) == ([], {})


def test_one_benchmark_is_one_series_and_value_in_all_three_forms() -> None:
    readings = [
        read_folder(sample=sampled()),
        read(message().encode()),
        read(printed("sort/quick/8").encode()),
    ]
    same = ("test_name", "metric", "raw_value", "raw_unit", "raw_spread", "test_type", "context", "tags")
    assert [reading.column(*same) for reading in readings] == [
        [("sort/quick/8", "benchmark_time", 100.0, "ns", 3.0, "benchmark", None, None)]
    ] * 3
    assert [reading.column("raw_replicates") for reading in readings] == [
        [[90.0, 110.0, 100.0]], [[90.0, 110.0, 100.0]], [None],
    ]  # fmt: skip
    assert {reading.format for reading in readings} == {"criterion"}


@pytest.mark.parametrize("slope", [None, "absent"])
def test_without_a_slope_the_mean_is_typical(slope: Any) -> None:
    content = json.loads(estimates(slope=None))
    if slope == "absent":
        del content["slope"]
    assert read_folder(json.dumps(content).encode()).column("raw_value", "raw_spread") == [(110.0, 3.0)]


def test_estimates_of_old_versions_have_other_names() -> None:
    old = {"Mean": statistic(110.0), "Median": statistic(105.0), "Slope": statistic(100.0), "StdDev": statistic(9.0)}
    assert read_folder(json.dumps(old).encode()).column("raw_value") == [100.0]


def test_throughput_is_context() -> None:
    (row,) = read_folder(benchmark=described(throughput={"Bytes": 1024})).rows
    assert json.loads(row["context"]) == {"throughput": {"Bytes": 1024}}
    (row,) = read(message(throughput=[{"per_iteration": 1024, "unit": "bytes"}]).encode()).rows
    assert json.loads(row["context"]) == {"throughput": [{"per_iteration": 1024, "unit": "bytes"}]}


@pytest.mark.parametrize(
    "sample",
    [b"", b"{", b"[]", sampled(iters=[1]), sampled(iters=[0, 1, 2]), sampled(times=["a", 1, 2]), sampled(times=None)],
)
def test_samples_that_cannot_be_read_are_left_out(sample: bytes) -> None:
    assert read_folder(sample=sample).column("raw_value", "raw_replicates") == [(100.0, None)]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("target/criterion/sort/quick/8/new/estimates.json", "sort/quick/8"),
        ("criterion/sort/new/estimates.json", "sort"),
        ("criterion/criterion/new/estimates.json", "criterion"),
    ],
)
def test_without_a_description_the_folders_name_the_benchmark(tmp_path: Path, place: str, name: str) -> None:
    file = tmp_path / "content"
    file.write_bytes(estimates())
    source = Input(file, f"results.zip/{place}", RECEIVED_AT, load_catalog())
    (chunk,) = FORMAT.read(source)
    assert chunk.measurements["test_name"].to_pylist() == [name]
    (chunk,) = FORMAT.read(replace(source, name="estimates.json"))
    assert chunk.measurements.num_rows == 0
    assert [rejection.reason for rejection in chunk.rejections] == ["missing_identity"]


@pytest.mark.parametrize("benchmark", [b"{", b"[]", described(full_id=None), described(full_id=" ")])
def test_a_result_that_nothing_names_is_rejected(benchmark: bytes) -> None:
    reading = read_folder(benchmark=benchmark)
    assert (reading.rows, reading.problems) == ([], [("whole file", "id", "missing_identity")])
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (statistic(100.0) | {"point_estimate": None}, "slope", "missing_value"),
        (statistic(100.0) | {"point_estimate": "100"}, "slope", "wrong_type"),
        (statistic(100.0) | {"point_estimate": float("nan")}, "slope", "not_finite"),
        (statistic(-100.0), "slope", "impossible_value"),
    ],
)
def test_a_broken_estimate_is_rejected(broken: Any, field: str, reason: str) -> None:
    reading = read_folder(estimates(slope=broken))
    assert (reading.rows, reading.problems) == ([], [("whole file", field, reason)])
    assert_helpful(reading.rejections[0])


def test_bounds_that_are_no_numbers_give_no_spread() -> None:
    assert read_folder(estimates(slope=statistic(100.0, "low", float("inf")))).column("spread") == [None]


def test_estimates_that_break_off_are_rejected() -> None:
    content = estimates()
    for end in range(1, len(content)):
        try:
            reading = read(content[:end], benchmark=described())
        except FormatError as error:
            assert error.reason == "unknown_format"
            assert NAME in str(error)
            continue
        assert (reading.rows, [rejection.reason for rejection in reading.rejections]) == ([], ["truncated"])


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("target/criterion/sort/8/new/estimates.json", False),
        ("target/criterion/sort/8/new/benchmark.json", True),
        ("target/criterion/sort/8/new/sample.json", True),
        ("target/criterion/sort/8/new/tukey.json", True),
        ("target/criterion/sort/8/new/raw.csv", True),
        ("sort/base/estimates.json", True),
        ("sort/base/raw.csv", True),
        ("sort/change/estimates.json", True),
        ("target/criterion/sort/8/main/estimates.json", True),
        ("target/criterion/sort/report/index.html", True),
        ("target/criterion/report/index.html", True),
        ("sort/report/pdf.svg", True),
        ("new/estimates.json", False),
        ("estimates.json", False),
        ("benchmark.json", False),
        ("results/benchmark.json", False),
        ("base/junit.xml", False),
        ("report/junit.xml", False),
        ("raw.csv", False),
    ],
)
def test_only_new_estimates_are_results_and_other_files_are_let_alone(path: str, part: bool) -> None:
    assert FORMAT.is_part(Path(path)) is part


def test_a_change_alone_is_no_known_format() -> None:
    with pytest.raises(FormatError, match=NAME) as caught:
        read(json.dumps({"mean": statistic(-0.01), "median": statistic(0.02)}).encode())
    assert caught.value.reason == "unknown_format"


def test_other_messages_and_text_between_them_are_passed_over() -> None:
    group = '{"reason":"group-complete","group_name":"sort","benchmarks":["a"],"report_directory":"x"}\n'
    for before in (group, "   Compiling x\n", "{ in a shell\n"):
        reading = read(f"{before}   Compiling x\n{message()}\n{group}{message(id='b')}".encode())
        assert reading.column("test_name", "location") == [("sort/quick/8", "line 3"), ("b", "line 6")]
        assert reading.rejections == []


def test_other_measurements_keep_their_unit() -> None:
    typical = {"estimate": 5.0, "lower_bound": 4.0, "upper_bound": 6.0, "unit": "cycles"}
    (row,) = read(message(typical=typical).encode()).rows
    assert (row["metric"], row["raw_unit"], row["raw_replicates"]) == ("benchmark_value", "cycles", None)


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        ({"id": None}, "id", "missing_identity"),
        ({"typical": None}, "typical", "wrong_type"),
        ({"typical": {"unit": "ns"}}, "typical", "missing_value"),
        ({"typical": {"unit": "ns", "estimate": "1"}}, "typical", "wrong_type"),
        ({"typical": {"unit": 5, "estimate": 1}}, "typical", "wrong_type"),
    ],
)
def test_a_broken_message_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read((message(id="before") + message(**broken) + message(id="after")).encode())
    assert reading.column("test_name") == ["before", "after"]
    assert reading.problems == [("line 2", field, reason)]
    assert_helpful(reading.rejections[0])


def test_messages_cut_anywhere_give_those_before_and_say_so() -> None:
    content = (message(id="a") + message(id="b")).encode()
    whole = read(content).rows
    numbers = []
    for end in range(1, len(content)):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert len(reading.rejections) == (content[:end].rstrip()[-2:] != b"l}")
        numbers.append(len(reading.rows))
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}


@pytest.mark.parametrize(
    ("interval", "value", "spread"),
    [
        ("1.0 s 1.5 s 2.0 s", 1.5, 0.5),
        ("900.00 ns 1.0 us 1.1 us", 1e-6, 1e-7),
        ("999.00 µs 1.0 ms 1.001 ms", 1e-3, 1e-6),
        ("1.0 ps 2.0 ps 3.0 ps", 2e-12, 1e-12),
        ("1.0 cycles 2.0 ns 3.0 ns", 2e-9, None),
    ],
)
def test_each_number_has_a_unit_of_its_own(interval: str, value: float, spread: float | None) -> None:
    reading = read(printed("fib", interval).encode())
    assert reading.column("value", "spread") == [(pytest.approx(value), spread and pytest.approx(spread))]


def test_names_stand_before_a_time_or_above_it() -> None:
    names = ["fib", "exactly 23 characters..", "a group with a long name/function/20"]
    noise = "Benchmarking fib\nBenchmarking fib: Analyzing\n"
    assert read((noise + noise.join(printed(name) for name in names)).encode()).column("test_name") == names


def test_a_status_on_the_line_of_a_name_gives_the_name() -> None:
    content = f"Benchmarking fib: Analyzing\n{' ' * 24}time:   [1.0 ns 2.0 ns 3.0 ns]\n"
    assert read(content.encode()).column("test_name") == ["fib"]


def test_changes_and_throughput_are_left_out() -> None:
    content = printed("fib") + (
        "                        thrpt:  [391.34 MiB/s 395.17 MiB/s 398.51 MiB/s]\n"
        "                 change:\n"
        "                        time:   [-38.292% -37.342% -36.524%] (p = 0.00 < 0.05)\n"
        "                        thrpt:  [+57.538% +59.598% +62.050%]\n"
        "                        Performance has improved.\n"
        "slope  [2.5094 ms 2.5553 ms] R^2            [0.8660614 0.8640630]\n"
    )
    reading = read(content.encode())
    assert (reading.column("test_name"), reading.rejections) == (["fib"], [])


def test_colours_and_line_ends_do_not_matter() -> None:
    content = (
        f"\x1b[32mfib\x1b[0m{' ' * 20}time:   [\x1b[2m98.0 ns\x1b[0m \x1b[1m100.0 ns\x1b[0m \x1b[2m104.0 ns\x1b[0m]\r\n"
    )
    assert read(content.encode()).column("test_name", "raw_value") == [("fib", 100.0)]
    assert read(content.encode("utf-16")).column("test_name", "raw_value") == [("fib", 100.0)]


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (printed("fib", "1.0 ns 2.0 ns"), "time", "truncated"),
        (printed("fib", "1.0 ns 2.0 ns 3."), "time", "truncated"),
        (printed("fib", "1.0 ns x ns 3.0 ns"), "time", "wrong_type"),
        (printed("fib", "1.0 ns NaN ns 3.0 ns"), "time", "not_finite"),
        (printed("fib", "1.0 ns -2.0 ns 3.0 ns"), "time", "impossible_value"),
        ("\n" + printed("", "1.0 ns 2.0 ns 3.0 ns"), "id", "missing_identity"),
    ],
)
def test_a_broken_line_is_rejected_and_its_neighbours_are_read(broken: str, field: str, reason: str) -> None:
    reading = read((printed("before") + broken + printed("after")).encode())
    assert reading.column("test_name") == ["before", "after"]
    assert [(problem[1], problem[2]) for problem in reading.problems] == [(field, reason)]
    assert_helpful(reading.rejections[0])


def test_text_cut_anywhere_gives_the_times_before() -> None:
    whole = read(WHOLE).rows
    numbers = []
    for end in range(len(WHOLE)):
        try:
            reading = read(WHOLE[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            continue
        assert reading.rows == whole[: len(reading.rows)]
        assert len(reading.rejections) <= 1
        numbers.append(len(reading.rows))
    assert numbers == sorted(numbers)
    assert set(numbers) == {1, 2}


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["mean", "slope", "std_dev"]), json_values | st.builds(statistic, st.floats())),
    json_values,
    json_values,
)
def test_any_folder_gives_rows_and_rejections(found: dict[str, Any], benchmark: Any, sample: Any) -> None:
    content = json.dumps({"mean": {"point_estimate": 1}, "std_dev": {}} | found).encode()
    reading = read(content, FORMAT, benchmark=json.dumps(benchmark).encode(), sample=json.dumps(sample).encode())
    assert len(reading.rows) + len(reading.rejections) <= 1


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from([*json.loads(message())]), json_values))
def test_any_message_gives_rows_and_rejections(changes: dict[str, Any]) -> None:
    reading = read((message() + message(**changes)).encode(), FORMAT)
    assert reading.rows[0]["test_name"] == "sort/quick/8"


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab \n[]time:0123456789.nsµ%-\x1b"), max_size=200))
def test_any_text_gives_rows_and_rejections(text: str) -> None:
    reading = read((printed("fib") + text).encode(), FORMAT)
    assert reading.rows[0]["test_name"] == "fib"


def test_a_long_line_of_spaces_is_read_quickly() -> None:
    assert_read_quickly(WHOLE + b" " * 40_000 + b"\n", FORMAT)


def test_lines_of_the_bencher_format() -> None:
    content = (
        "running 2 tests\n"
        "test sort/quick  ... bench:     1,672,496 ns/iter (+/- 10,166)\n"
        "test two words ... bench:          12.5 ns/iter (+/- 0.25) = 80 MB/s\n"
        "test tests::one ... ignored\n"
    )
    reading = read(content.encode())
    assert reading.column("test_name", "metric", "raw_value", "raw_unit", "raw_spread") == [
        ("sort/quick", "benchmark_time", 1_672_496.0, "ns/iter", 10_166.0),
        ("two words", "benchmark_time", 12.5, "ns/iter", 0.25),
    ]


@pytest.mark.parametrize("part", ["test a", " ... bench: ", " ", "9", "time:   ["])
def test_lines_of_the_bencher_format_are_read_quickly(part: str) -> None:
    content = printed("a") + "test a ... bench: " + part * (1 << 16)
    assert_read_quickly(content.encode(), FORMAT)


def test_samples_of_old_versions_are_two_lists() -> None:
    (row,) = read_folder(sample=json.dumps([[1.0, 2.0, 4.0], [90.0, 220.0, 400.0]]).encode()).rows
    assert row["raw_replicates"] == [90.0, 110.0, 100.0]
    (row,) = read_folder(sample=b"[[1.0]]").rows
    assert row["raw_replicates"] is None
