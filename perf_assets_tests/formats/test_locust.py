"""Locust's CSV files: the shared ones, versions, failed and idle rows, and damage."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.locust import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.reading import NAME, SHARED, Reading, assert_helpful, read, read_file

STATISTICS = SHARED / "locust" / "bitcoinapi_results_stats.csv"
HISTORY = SHARED / "locust" / "bitcoinapi_results_stats_history.csv"

Fields = dict[str, Any]


def table(*rows: Fields) -> bytes:
    target = io.StringIO()
    writer = csv.DictWriter(target, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


def total(name: Any = "/login", kind: Any = "GET", **changes: Any) -> Fields:
    """A row of the statistics."""
    fields = {
        "Type": kind, "Name": name, "Request Count": 200, "Failure Count": 50, "Median Response Time": 30.0,
        "Average Response Time": 40.5, "Min Response Time": 1.5, "Max Response Time": 900.0,
        "Average Content Size": 10.0, "Requests/s": 4.0, "Failures/s": 1.0, "50%": 30, "66%": 35, "95%": 80,
        "99%": 200, "100%": 900,
    }  # fmt: skip
    return fields | changes


def current(timestamp: Any = 1_788_242_400, name: str = "/login", kind: str = "GET", **changes: Any) -> Fields:
    """A row of the history."""
    fields = {
        "Timestamp": timestamp, "User Count": 20, "Type": kind, "Name": name, "Requests/s": 8.0, "Failures/s": 2.0,
        "50%": 30, "66%": 35, "95%": 80, "99%": 200, "100%": 900, "Total Request Count": 1000,
        "Total Failure Count": 10, "Total Median Response Time": 25.0, "Total Average Response Time": 33.0,
        "Total Min Response Time": 1.0, "Total Max Response Time": 950.0, "Total Average Content Size": 10.0,
    }  # fmt: skip
    return fields | changes


def values(reading: Reading) -> list[tuple[str, float, str]]:
    return [(row["metric"], row["raw_value"], row["raw_unit"]) for row in reading.rows]


TOTALS = [
    ("total_response_time.med", 30, "ms"),
    ("total_response_time.p95", 80, "ms"),
    ("total_response_time.p99", 200, "ms"),
    ("current_request_rate", 8, "1/s"),
    ("current_failure_ratio", 0.25, "1"),
]
WHOLE = table(total(), total("Aggregated", ""))


@pytest.mark.skipif(not STATISTICS.exists(), reason=f"needs {STATISTICS}")
def test_a_file_of_statistics() -> None:
    reading = read_file(STATISTICS)
    # Eight requests and the sum of all; of /fees/6 every request failed.
    assert len(reading.rows) == 8 * 5 + 1
    assert (reading.rejections, reading.omitted) == ([], {"failed": 1})
    found = {(row["test_name"], row["metric"]): (row["raw_value"], row["raw_unit"]) for row in reading.rows}
    assert {metric: value for (test, metric), value in found.items() if test == "Aggregated"} == {
        "response_time.med": (3, "ms"),
        "response_time.p95": (8, "ms"),
        "response_time.p99": (2000, "ms"),
        "request_rate": (37.30488469320527, "1/s"),
        "failure_ratio": (1607 / 2210, "1"),
    }
    assert {metric: value for (test, metric), value in found.items() if test == "GET /api/v1/health"} == {
        "response_time.med": (4, "ms"),
        "response_time.p95": (9, "ms"),
        "response_time.p99": (2000, "ms"),
        "request_rate": (9.672261958917021, "1/s"),
        "failure_ratio": (0, "1"),
    }
    assert {metric: value for (test, metric), value in found.items() if test == "GET /api/v1/fees/6"} == {
        "failure_ratio": (1, "1")
    }
    assert {(row["ts"], row["run_key"], row["test_type"]) for row in reading.rows} == {(None, None, "load")}


@pytest.mark.skipif(not HISTORY.exists(), reason=f"needs {HISTORY}")
def test_a_file_of_history() -> None:
    reading = read_file(HISTORY)
    # 56 rows: three before the first request, and two that have times but no rate yet.
    assert (reading.rejections, reading.omitted) == ([], {"idle": 3})
    assert values(reading)[:3] == [
        ("total_response_time.med", 2100, "ms"),
        ("total_response_time.p95", 2200, "ms"),
        ("total_response_time.p99", 2200, "ms"),
    ]
    assert values(reading)[9:11] == [("current_request_rate", 0.666667, "1/s"), ("current_failure_ratio", 0, "1")]
    assert len(reading.rows) == 53 * 5 - 2 * 2
    assert (reading.rows[0]["ts"].isoformat(), reading.rows[0]["test_name"]) == ("2026-03-07T02:13:35", "Aggregated")
    assert len({row["run_key"] for row in reading.rows}) == len({row["ts"] for row in reading.rows}) == 53


def test_a_row_gives_times_rate_and_failures() -> None:
    reading = read(table(total()))
    assert values(reading) == [
        ("response_time.med", 30, "ms"),
        ("response_time.p95", 80, "ms"),
        ("response_time.p99", 200, "ms"),
        ("request_rate", 4, "1/s"),
        ("failure_ratio", 0.25, "1"),
    ]
    assert reading.column("direction") == ["lower_is_better"] * 3 + ["higher_is_better", "lower_is_better"]
    assert {row["test_name"] for row in reading.rows} == {"GET /login"}
    assert json.loads(reading.rows[0]["context"]) == {"failures": "50", "requests": "200"}


@pytest.mark.parametrize(
    ("kind", "name", "test"),
    [
        ("GET", "/a", "GET /a"),
        ("", "Aggregated", "Aggregated"),
        ("None", "Aggregated", "Aggregated"),
        ("None", "Total", "Aggregated"),
        ("", "/a", "/a"),
    ],
)
def test_a_test_is_named_by_type_and_name(kind: str, name: str, test: str) -> None:
    assert {row["test_name"] for row in read(table(total(name, kind))).rows} == {test}


def test_old_versions_name_columns_otherwise() -> None:
    old = {
        "Type": "GET", "Name": "/a", "# requests": 200, "# failures": 50, "Median response time": 30,
        "Average response time": 40, "Requests/s": "4.00", "Requests Failed/s": "1.00", "50%": 30, "95%": 80,
        "99%": 200, "99.999": 900,
    }  # fmt: skip
    assert values(read(table(old))) == values(read(table(total())))
    oldest = {"Method": "GET", "Name": "/a", "# requests": 200, "# failures": 50, "Median response time": 30,
              "Requests/s": "4.00"}  # fmt: skip
    assert [metric for metric, _, _ in values(read(table(oldest)))] == [
        "response_time.med", "request_rate", "failure_ratio",
    ]  # fmt: skip
    distribution = {"Name": "GET /a", "# requests": 200, "50%": 30, "95%": 80, "99%": 200}
    assert read(table(distribution)).column("test_name", "metric") == [
        ("GET /a", "response_time.med"), ("GET /a", "response_time.p95"), ("GET /a", "response_time.p99"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [table(total()), table(current())])
def test_quotes_bars_and_line_ends_do_not_matter(content: bytes) -> None:
    plain = read(content)
    quoted = b"\r\n".join(
        b",".join(b'"' + field + b'"' for field in line.split(b",")) for line in content.split(b"\r\n")[:-1]
    )
    for other in (quoted, content.replace(b"\r\n", b"\n"), b"\xef\xbb\xbf" + content, content + b"\r\n"):
        assert read(other) == plain


def test_a_history_gives_what_is_current_and_no_totals() -> None:
    total = [current(second, "Aggregated", "") for second in (1_788_242_400, 1_788_242_401)]
    reading = read(table(*total, current(1_788_242_401, "/a", "GET")))
    assert values(reading)[:5] == [
        ("current_response_time.med", 30, "ms"),
        ("current_response_time.p95", 80, "ms"),
        ("current_response_time.p99", 200, "ms"),
        ("current_request_rate", 8, "1/s"),
        ("current_failure_ratio", 0.25, "1"),
    ]
    assert len(reading.rows) == 15
    assert reading.column("test_name")[::5] == ["Aggregated", "Aggregated", "GET /a"]
    keys = reading.column("run_key")[::5]
    assert keys[0] != keys[1] == keys[2]
    assert (reading.rows[0]["ts"].isoformat(), reading.rows[0]["time_source"]) == ("2026-09-01T06:00:00", "result")
    assert json.loads(reading.rows[0]["context"]) == {"users": "20"}


def test_two_histories_are_runs_of_their_own() -> None:
    first, second = (read(table(current(start), current(1_788_242_500))).rows[-1] for start in (1, 2))
    assert first["ts"] == second["ts"]
    assert first["run_key"] != second["run_key"]


def test_before_1_0_times_in_the_history_are_totals() -> None:
    old = {
        "Type": "GET", "Name": "/a", "Timestamp": 1_788_242_400, "# requests": 200, "# failures": 50,
        "Requests/s": "8.00", "Requests Failed/s": "2.00", "Median response time": 30, "50%": 30, "95%": 80, "99%": 200,
    }  # fmt: skip
    assert values(read(table(old))) == TOTALS
    assert read(table(old | {"Requests/s": "0.00"})).omitted == {"idle": 1}


@pytest.mark.parametrize(
    ("row", "omitted", "left"),
    [
        (total(**{"Request Count": 0, "Failure Count": 0, "50%": "N/A", "95%": "N/A", "99%": "N/A"}), {"idle": 1}, []),
        (total(**{"Failure Count": 200}), {"failed": 1}, [("failure_ratio", 1, "1")]),
        (current(**{"50%": "N/A", "95%": "N/A", "99%": "N/A", "Requests/s": "0.0"}), {"idle": 1}, []),
        (current(**{"Failures/s": "8.000000"}), {"failed": 1}, [("current_failure_ratio", 1, "1")]),
        (current(**{"50%": 0, "95%": 0, "99%": 0, "Requests/s": "0.000000", "Failures/s": "0.0"}), {"idle": 1}, []),
    ],
)
def test_rows_without_performance_are_counted(row: Fields, omitted: dict[str, int], left: Any) -> None:
    reading = read(table(row))
    assert (values(reading), reading.omitted, reading.rejections) == (left, omitted, [])


@pytest.mark.parametrize(
    ("broken", "field", "reason", "left"),
    [
        (total(**{"Median Response Time": "fast"}), "median", "wrong_type", 4),
        (total(**{"95%": "N/A"}), "95%", "wrong_type", 4),
        (total(**{"99%": ""}), "99%", "missing_value", 4),
        (total(**{"99%": -1}), "99%", "impossible_value", 4),
        (total(**{"Requests/s": "NaN"}), "rate", "not_finite", 4),
        (total(**{"Failure Count": "x"}), "failures", "wrong_type", 4),
        (total(**{"Failure Count": 201}), "failures", "impossible_value", 4),
        (total(**{"Request Count": ""}), "failures", "missing_value", 4),
        (total(""), "Name", "missing_identity", 0),
        (total("n" * 1001), "Name", "missing_identity", 0),
    ],
)
def test_a_broken_field_is_rejected_and_the_others_are_read(broken: Fields, field: str, reason: str, left: int) -> None:
    reading = read(table(total("/before"), broken, total("/after")))
    assert len(reading.rows) == 10 + left
    assert reading.problems == [("line 3", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize("timestamp", ["", "soon", "NaN"])
def test_a_row_of_the_history_without_time_is_rejected(timestamp: str) -> None:
    reading = read(table(current(), current(timestamp)))
    assert len(reading.rows) == 5
    assert reading.problems == [("line 3", "Timestamp", "bad_time")]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("line", "reason"), [(b"GET,/b,5", "wrong_type"), (b'GET,"/b', "truncated"), (b",,", "wrong_type")]
)
def test_a_row_of_another_width_is_rejected(line: bytes, reason: str) -> None:
    reading = read(table(total()) + line + b"\r\n" + table(total("/c")).split(b"\r\n", 1)[1])
    assert {row["test_name"] for row in reading.rows} == {"GET /login", "GET /c"}
    assert reading.problems == [("line 3", "", reason)]
    assert_helpful(reading.rejections[0])


def test_times_below_a_millisecond_are_zero_and_values() -> None:
    reading = read(table(current(**{"50%": 0, "95%": 0, "99%": 1})))
    assert [value for _, value, _ in values(reading)] == [0, 0, 1, 8, 0.25]


@pytest.mark.parametrize(
    "header",
    [
        b"Method,Name,Error,Occurrences",
        b"Method,Name,Error,Occurrences,First Seen,Last Seen",
        b"Count,Message,Traceback,Nodes",
        b'"Method","Name","Error","Occurrences"',
    ],
)
def test_failures_and_exceptions_hold_no_measurements(header: bytes) -> None:
    reading = read(header + b"\r\nGET,/a,Error('x'),3\r\n")
    assert (reading.format, reading.rows, reading.rejections, reading.omitted) == ("locust", [], [], {})


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b'"Name'])
def test_a_file_without_header_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match=f"{NAME}, line 1: no header"):
        read(content, FORMAT)


@pytest.mark.parametrize("content", [WHOLE, table(current(), current(1_788_242_401))])
def test_a_file_cut_anywhere_gives_the_rows_before(content: bytes) -> None:
    whole = read(content).rows
    header = content.index(b"\r\n")
    numbers = []
    for end in range(header, len(content)):
        reading = read(content[:end])
        lines = content[:end].split(b"\r\n")
        complete = len(lines[-1].split(b",")) == len(lines[0].split(b","))
        # A number that was cut is a number still.
        sure = reading.rows[: 5 * (len(lines) - 2)]
        assert sure == whole[: len(sure)]
        assert bool(reading.rejections) == (len(lines) > 1 and bool(lines[-1]) and not complete)
        numbers.append(len(sure))
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 5}


cells = st.text(max_size=6) | st.sampled_from(["N/A", "1", "0", "-1", "1e999", "NaN", "GET", '"', "1788242400"])
rows = st.lists(st.lists(cells, min_size=1, max_size=8), max_size=5)


@settings(max_examples=150, deadline=None)
@given(rows, st.booleans())
def test_any_cells_give_rows_and_rejections(found: list[list[str]], is_history: bool) -> None:
    columns = ["Type", "Name", "Requests/s", "Failures/s", "50%", "95%", "Request Count", "Failure Count"]
    target = io.StringIO()
    csv.writer(target).writerows([["Timestamp", *columns[1:]] if is_history else columns, *found])
    reading = read(target.getvalue().encode(errors="replace"), FORMAT)
    for row in reading.rows:
        assert row["value"] >= 0
        assert row["test_name"]
    for rejection in reading.rejections:
        assert_helpful(rejection)


def test_times_of_a_history_without_single_requests_are_totals() -> None:
    reading = read(table(current(name="Aggregated", kind=""), current(1_788_242_401, "Aggregated", "")))
    assert values(reading) == TOTALS * 2
    assert reading.column("direction")[:3] == ["lower_is_better"] * 3


def test_totals_to_which_no_request_was_added_are_idle() -> None:
    still = {"name": "Aggregated", "kind": "", "Requests/s": "0.000000", "Failures/s": "0.000000"}
    counts = (0, 14, 14, 20, 20)
    cells = [{"50%": "N/A", "95%": "N/A", "99%": "N/A"} if count == 0 else {} for count in counts]
    rows = [
        current(second, **still, **{"Total Request Count": count}, **cell)
        for second, (count, cell) in enumerate(zip(counts, cells, strict=True), start=1)
    ]
    reading = read(table(*rows, current(6, "Aggregated", "", **{"Total Request Count": 20})))
    assert reading.omitted == {"idle": 3}
    assert values(reading) == TOTALS[:3] * 2 + TOTALS


def test_zeros_of_requests_that_told_no_time_are_left_out() -> None:
    zeros = {"Median Response Time": 0, "Max Response Time": 0, "50%": 0, "95%": 0, "99%": 0}
    reading = read(table(total(**zeros), total("/b")))
    assert reading.column("test_name", "metric")[:2] == [
        ("GET /login", "request_rate"),
        ("GET /login", "failure_ratio"),
    ]
    assert len(reading.rows) == 2 + 5


def test_the_total_of_the_oldest_versions_is_the_aggregate() -> None:
    content = b'"Name","# requests","50%","95%","99%"\r\n"None Total",5,10,20,30\r\n'
    assert set(read(content).column("test_name")) == {"Aggregated"}
