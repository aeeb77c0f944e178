"""Long tables in CSV, JSON Lines and Parquet: what is read, what is rejected, and where."""

from __future__ import annotations

import io
import json
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.long_table import ARROW
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.reading import NAME, assert_helpful, read

HEADER = "timestamp,metric_name,metric_value,test_name,node_id,test_run_id\n"
GOOD = "2026-09-10T06:00:00Z,test_execution_time,4.5,login,n1,r1\n"
ALSO_GOOD = "2026-09-10T07:00:00Z,test_execution_time,4.6,login,n1,r2\n"


def json_line(**fields: Any) -> str:
    row = {"timestamp": "2026-09-10T06:00:00Z", "metric_name": "cpu_usage", "metric_value": 0.5} | fields
    return json.dumps(row) + "\n"


def parquet(**columns: Any) -> bytes:
    return parquet_of(
        {"timestamp": ["2026-09-10T06:00:00Z"], "metric_name": ["cpu_usage"], "metric_value": [0.5]} | columns
    )


def parquet_of(columns: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


def arrow(**columns: Any) -> bytes:
    table = pq.read_table(io.BytesIO(parquet(**columns)))
    target = io.BytesIO()
    with pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)
    return target.getvalue()


def test_a_row_becomes_a_measurement() -> None:
    (row,) = read((HEADER + GOOD).encode()).rows
    assert (row["location"], row["ts"].isoformat(), row["time_source"]) == ("line 2", "2026-09-10T06:00:00", "result")
    assert (row["project"], row["metric"], row["unit"], row["value"]) == (None, "test_execution_time", "s", 4.5)
    assert (row["test_name"], row["node_id"], row["run_key"], row["attempt"]) == ("login", "n1", "r1", 1)
    assert row["context"] is None


def test_a_unit_in_the_row_is_converted_and_the_catalogues_is_the_default() -> None:
    lines = json_line(metric_name="queue_wait_time", metric_value=90, unit="ms") + json_line(
        metric_name="queue_wait_time"
    )
    first, second = sorted(read(lines.encode()).rows, key=lambda row: row["location"])
    assert (first["value"], first["unit"], first["raw_value"], first["raw_unit"]) == (0.09, "s", 90.0, "ms")
    assert (second["value"], second["unit"], second["raw_unit"]) == (0.5, "s", "s")


def test_an_unknown_metric_is_read_without_a_unit() -> None:
    (row,) = read(json_line(metric_name="frobs").encode()).rows
    assert (row["metric"], row["unit"]) == ("frobs", "")


def test_the_context_may_say_what_has_no_column() -> None:
    context = {"project": "p", "branch": "main", "commit_id": "c", "attempt": 2, "unit": "%", "benchmark_version": "3"}
    (row,) = read(json_line(context_data=context, direction="lower_is_better").encode()).rows
    assert (row["project"], row["branch"], row["commit_id"], row["attempt"]) == ("p", "main", "c", 2)
    assert (row["value"], row["benchmark_version"], row["direction"]) == (0.005, "3", "lower_is_better")
    assert json.loads(row["context"]) == context


def test_a_column_goes_before_the_context() -> None:
    (row,) = read(json_line(project="column", context_data={"project": "context"}).encode()).rows
    assert row["project"] == "column"


def test_other_columns_become_context() -> None:
    header = "timestamp,metric_name,metric_value,region,Region,context_data\n"
    text = header + '2026-09-10,cpu_usage,0.5,eu,us,"{""os"": ""linux""}"\n2026-09-10,cpu_usage,0.6,,,\n'
    first, second = sorted(read(text.encode()).rows, key=lambda row: row["location"])
    assert json.loads(first["context"]) == {"os": "linux", "region": "eu", "Region": "us"}
    assert second["context"] is None


def test_columns_are_known_in_any_case() -> None:
    header = "Timestamp,METRIC_NAME,metric_value,Test_Name,Unit\n"
    fields = {"METRIC_NAME": "queue_wait_time", "Unit": "ms", "Test_Name": "login"}
    line = {"Timestamp": "2026-09-10T06:00:00Z", "metric_value": 90.0} | fields
    contents = (
        (header + "2026-09-10T06:00:00Z,queue_wait_time,90,login,ms\n").encode(),
        json.dumps(line).encode(),
        parquet_of({name: [value] for name, value in line.items()}),
    )
    for content in contents:
        (row,) = read(content).rows
        assert (row["test_name"], row["value"], row["unit"], row["context"]) == ("login", 0.09, "s", None)


def test_a_column_that_is_there_in_two_cases_is_the_one_that_is_written_as_known() -> None:
    exact = json.dumps({"timestamp": 1, "metric_name": "a", "metric_value": 1, "unit": "ms", "Unit": "us"})
    neither = json.dumps({"timestamp": 1, "metric_name": "a", "metric_value": 1, "UNIT": "ms", "Unit": "us"})
    first, second = read(f"{exact}\n{neither}\n".encode()).rows
    assert (first["raw_unit"], json.loads(first["context"])) == ("ms", {"Unit": "us"})
    assert (second["raw_unit"], json.loads(second["context"])) == ("", {"UNIT": "ms", "Unit": "us"})


@pytest.mark.parametrize("direction", ["down", "lower"])
def test_a_direction_that_is_none_is_rejected(direction: str) -> None:
    lines = json_line(direction=direction) + json_line(direction=" lower_is_better ") + json_line(direction="")
    reading = read(lines.encode())
    assert reading.column("direction") == ["lower_is_better", None]
    assert reading.problems == [("line 1", "direction", "wrong_type")]
    assert "higher_is_better" in reading.rejections[0].message


def test_a_direction_in_the_context_may_mean_something_else() -> None:
    (row,) = read(json_line(context_data={"direction": "ingress"}).encode()).rows
    assert row["direction"] is None


def test_a_table_with_other_names_is_told_what_they_must_be() -> None:
    with pytest.raises(FormatError, match="needs timestamp, metric_name, metric_value"):
        read(b"time,metric,value,test\n2026-09-10T06:00:00Z,cpu_usage,0.5,a\n")


@pytest.mark.parametrize("context", ["not json", "[1]", "5"])
def test_context_that_is_no_object_is_kept_as_text(context: str) -> None:
    (row,) = read(json_line(context_data=context).encode()).rows
    assert json.loads(row["context"]) == {"context_data": context}


@pytest.mark.parametrize(
    "written",
    [
        "2026-09-10T06:00:00Z", "2026-09-10T08:00:00+02:00", "2026-09-10 06:00:00", "1789020000", "1789020000000",
        1789020000, 1789020000.0, 1789020000000, 1789020000000000, "1789020000000000000", "1.78902e9", 1.78902e9,
        "2026-09-10T06:00Z", "2026-09-10T06Z", "20260910T060000Z", "2026-09-10T06:00:00,000Z", "2026-09-10t06:00:00z",
        "20260910T080000+0200",
    ],
)  # fmt: skip
def test_times_are_iso_8601_or_epoch(written: Any) -> None:
    (row,) = read(json_line(timestamp=written).encode()).rows
    assert row["ts"].isoformat() == "2026-09-10T06:00:00"


def test_rows_without_run_id_are_one_run_where_time_and_place_are() -> None:
    lines = (
        json_line(node_id="n1") + json_line(node_id="n1", metric_name="memory_usage")
        + json_line(node_id="n1", metric_value=0.6) + json_line(node_id="n1", metric_value=0.6)
        + json_line(node_id="n2")
    )  # fmt: skip
    cpu, memory, cpu_again, equal, elsewhere = sorted(
        read(lines.encode()).rows, key=lambda row: int(row["location"].removeprefix("line "))
    )
    assert cpu["run_key"] == memory["run_key"] == cpu_again["run_key"]
    assert len({cpu["run_key"], equal["run_key"], elsewhere["run_key"]}) == 3


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"metric_value": "fast"}, "metric_value", "wrong_type"),
        ({"metric_value": "1,5"}, "metric_value", "wrong_type"),
        ({"metric_value": True}, "metric_value", "wrong_type"),
        ({"metric_value": [1]}, "metric_value", "wrong_type"),
        ({"metric_value": None}, "metric_value", "missing_value"),
        ({"metric_value": ""}, "metric_value", "missing_value"),
        ({"metric_value": float("nan")}, "metric_value", "not_finite"),
        ({"metric_value": "-inf"}, "metric_value", "not_finite"),
        ({"metric_value": "1e999"}, "metric_value", None),
        ({"metric_name": " "}, "metric_name", "missing_identity"),
        ({"metric_name": None}, "metric_name", "missing_identity"),
        ({"timestamp": None}, "timestamp", "missing_time"),
        ({"timestamp": "yesterday"}, "timestamp", "bad_time"),
        ({"timestamp": "infinity"}, "timestamp", "bad_time"),
        ({"timestamp": "9" * 30}, "timestamp", "bad_time"),
        ({"timestamp": {"at": 1}}, "timestamp", "bad_time"),
        ({"attempt": "second"}, "attempt", "wrong_type"),
        ({"attempt": 0}, "attempt", "wrong_type"),
        ({"attempt": 10**12}, "attempt", "wrong_type"),
    ],
)
def test_a_broken_field_rejects_its_row_and_no_other(fields: dict[str, Any], field: str, reason: str | None) -> None:
    reading = read((json_line(test_name="a") + json_line(**fields) + json_line(test_name="b")).encode())
    assert {row["test_name"] for row in reading.rows} == {"a", "b"}
    ((location, found_field, found_reason),) = reading.problems
    assert (location, found_field) == ("line 2", field)
    assert found_reason == (reason or found_reason)
    assert_helpful(reading.rejections[0])


def test_numbers_written_as_text_are_read() -> None:
    (row,) = read(json_line(metric_value=" 1.5e3 ", attempt="2").encode()).rows
    assert (row["value"], row["attempt"]) == (1500.0, 2)


# CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_told_from_the_header(delimiter: str) -> None:
    assert read((HEADER + GOOD).replace(",", delimiter).encode()) == read((HEADER + GOOD).encode())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.rstrip(),
        lambda text: text.replace(b"login", b'"login"'),
    ],
)
def test_byte_order_mark_line_ends_and_quotes_do_not_matter(change: Any) -> None:
    content = (HEADER + GOOD + ALSO_GOOD).encode()
    assert read(change(content)) == read(content)


def test_blank_lines_are_passed_over() -> None:
    reading = read(("\n" + HEADER + "\n" + GOOD + "  \n" + ALSO_GOOD).encode())
    assert [row["location"] for row in reading.rows] == ["line 4", "line 6"]
    assert reading.rejections == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-09-10T06:00:00Z,cpu_usage,1,a,b\n", "wrong_type"),
        ("2026-09-10T06:00:00Z,cpu_usage,1,a,b,c,d\n", "wrong_type"),
        ('2026-09-10T06:00:00Z,cpu_usage,1,"a"b,n,r\n', "unreadable"),
        ('2026-09-10T06:00:00Z,cpu_usage,1,"a,n,r\n', "unreadable"),
    ],
)
def test_a_broken_line_takes_no_other_along(line: str, reason: str) -> None:
    reading = read((HEADER + GOOD + line + ALSO_GOOD).encode())
    assert [row["location"] for row in reading.rows] == ["line 2", "line 4"]
    assert reading.problems == [("line 3", "", reason)]
    assert_helpful(reading.rejections[0])


def test_a_line_that_is_not_utf_8_is_rejected() -> None:
    content = (HEADER + GOOD).encode() + GOOD.encode().replace(b"login", b"log\xff") + ALSO_GOOD.encode()
    reading = read(content)
    assert [row["location"] for row in reading.rows] == ["line 2", "line 4"]
    assert reading.problems == [("line 3", "", "unreadable")]


def test_line_numbers_count_lines_inside_quotes() -> None:
    row = GOOD.replace("login", '"a\nb\nc"')
    reading = read((HEADER + row + GOOD.replace("4.5", "x") + ALSO_GOOD).encode())
    assert [(found["location"], found["test_name"]) for found in reading.rows] == [
        ("line 2", "a\nb\nc"),
        ("line 6", "login"),
    ]
    assert reading.problems == [("line 5", "metric_value", "wrong_type")]


@pytest.mark.parametrize("missing", ["timestamp", "metric_name", "metric_value"])
def test_a_missing_column_is_named(missing: str) -> None:
    with pytest.raises(FormatError, match=f"{NAME}: no column '{missing}'") as caught:
        read((HEADER + GOOD).replace(missing, "other").encode())
    assert caught.value.reason == "missing_identity"


def test_more_columns_than_a_table_has_are_refused_and_as_keys_are_context() -> None:
    names = [f"c{number}" for number in range(5_000)]
    with pytest.raises(FormatError, match=f"{NAME}: 5,006 columns") as caught:
        read((HEADER.strip() + "," + ",".join(names) + "\n").encode())
    assert caught.value.reason == "unreadable"
    with pytest.raises(FormatError, match=f"{NAME}: 5,003 columns"):
        read(parquet(**{name: [1] for name in names}))
    (row,) = read(json_line(**dict.fromkeys(names, 1)).encode()).rows
    assert json.loads(row["context"]) == dict.fromkeys(names, 1)


def test_a_csv_cut_anywhere_keeps_the_lines_before_the_cut() -> None:
    content = (HEADER + GOOD + ALSO_GOOD).encode()
    whole = read(content).rows
    for end in range(len(HEADER), len(content), 2):
        reading = read(content[:end])
        lines_before = content[:end].count(b"\n") - 1
        assert reading.rows[:lines_before] == whole[:lines_before]
        assert len(reading.rows) + len(reading.rejections) <= lines_before + 1


def test_a_field_longer_than_can_be_is_rejected() -> None:
    # The quotation marks around a field leave the reading to Python's csv, whose fields have a limit.
    reading = read((HEADER + GOOD.replace("login", f'"a\n{"x" * 200_000}"') + ALSO_GOOD).encode())
    assert len(reading.rows) == 1
    assert reading.problems == [("line 2", "", "unreadable"), ("line 3", "", "unreadable")]
    assert len(reading.rejections[1].fragment) == 500


# JSON Lines


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"timestamp": 1,', "unreadable"),
        ("[1, 2]", "wrong_type"),
        ("5", "wrong_type"),
        ('{"metric_name": "\\ud800"}', "unreadable"),
        ("[" * 100_000, "unreadable"),
        ('{"metric_value": ' + "9" * 5000 + "}", "unreadable"),
    ],
)
def test_a_broken_json_line_takes_no_other_along(line: str, reason: str) -> None:
    reading = read((json_line() + line + "\n\n" + json_line()).encode())
    assert {row["location"] for row in reading.rows} == {"line 1", "line 4"}
    assert reading.problems == [("line 2", "", reason)]
    assert_helpful(reading.rejections[0])


def test_a_json_line_that_is_not_utf_8_is_rejected() -> None:
    content = json_line().encode() + json_line(test_name="bad!").encode().replace(b"bad!", b"bad\xff")
    reading = read(content)
    assert len(reading.rows) == 1
    assert reading.problems == [("line 2", "", "unreadable")]


def test_json_lines_with_byte_order_mark_and_other_line_ends_are_the_same() -> None:
    content = (json_line() + json_line(test_name="ü\u2028x")).encode()
    assert read(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")) == read(content)


@given(
    st.lists(st.tuples(st.sampled_from(["", "\n", " \n", "  "]), st.sampled_from(["", " ", "\r"])), max_size=5),
    st.sampled_from(["\n", "", "\n\n", " "]),
)
def test_places_of_json_objects_are_their_lines(around: list[tuple[str, str]], end: str) -> None:
    lines = [
        before + json_line(test_run_id=str(number)).strip() + after for number, (before, after) in enumerate(around)
    ]
    text = "\n".join([*lines, json_line(test_run_id="last").strip()]) + end
    expected = {f"line {number}" for number, line in enumerate(text.split("\n"), 1) if line.strip()}
    assert {row["location"] for row in read(text.encode()).rows} == expected


def test_json_lines_cut_anywhere_keep_the_lines_before_the_cut() -> None:
    content = (json_line(test_run_id="1") + json_line(test_run_id="2")).encode()
    whole = read(content).rows
    for end in range(len(json_line(test_run_id="1")), len(content) - 2, 3):
        reading = read(content[:end])
        assert reading.rows == whole[:1]
        assert len(reading.rejections) == (0 if content[:end].endswith(b"\n") else 1)


# Parquet


@pytest.mark.parametrize(
    "times",
    [
        pa.array([datetime.fromisoformat("2026-09-10T06:00:00")], pa.timestamp("us")),
        pa.array([datetime.fromisoformat("2026-09-10T06:00:00")], pa.timestamp("ns")),
        pa.array([datetime.fromisoformat("2026-09-10T06:00:00")], pa.timestamp("ms")),
        pa.array(
            [datetime(2026, 9, 10, 8, tzinfo=timezone(timedelta(hours=2)))], pa.timestamp("us", tz="Europe/Berlin")
        ),
        pa.array([1789020000], pa.int64()),
        pa.array([1789020000.0], pa.float64()),
    ],
)
def test_parquet_times_of_any_type(times: pa.Array) -> None:
    (row,) = read(parquet(timestamp=times)).rows
    assert row["ts"].isoformat() == "2026-09-10T06:00:00"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0.5], pa.float32()),
        pa.array(["0.5"], pa.string()),
        pa.array(["0.5"]).dictionary_encode(),
        pa.array([b"0.5"], pa.binary()),
    ],
)
def test_parquet_values_of_any_type_that_holds_numbers(values: pa.Array) -> None:
    (row,) = read(parquet(metric_value=values)).rows
    assert row["value"] == 0.5


def test_parquet_dictionaries_and_nested_context_are_read() -> None:
    context = pa.array([{"branch": "main", "os": "linux"}])
    (row,) = read(parquet(metric_name=pa.array(["cpu_usage"]).dictionary_encode(), context_data=context)).rows
    assert (row["metric"], row["branch"]) == ("cpu_usage", "main")
    assert json.loads(row["context"]) == {"branch": "main", "os": "linux"}


def test_parquet_columns_that_differ_in_case_or_are_called_row_are_context() -> None:
    (row,) = read(parquet(row=[7], Metric_Value=["x"], region=["eu"])).rows
    assert row["value"] == 0.5
    assert json.loads(row["context"])["row"] == "7"
    assert json.loads(row["context"])["region"] == "eu"


@pytest.mark.parametrize(
    ("columns", "field", "reason"),
    [
        ({"metric_value": pa.array([True])}, "metric_value", "wrong_type"),
        ({"metric_value": pa.array([None], pa.float64())}, "metric_value", "missing_value"),
        ({"metric_value": pa.array([float("nan")])}, "metric_value", "not_finite"),
        ({"metric_value": pa.array([[1.0]])}, "metric_value", "wrong_type"),
        ({"timestamp": pa.array([time(6)])}, "timestamp", "bad_time"),
        ({"timestamp": pa.array([True])}, "timestamp", "bad_time"),
        ({"metric_name": pa.array([None], pa.string())}, "metric_name", "missing_identity"),
    ],
)
def test_parquet_columns_of_the_wrong_type_reject_their_rows(columns: dict[str, Any], field: str, reason: str) -> None:
    reading = read(parquet(**columns))
    assert reading.rows == []
    assert reading.problems == [("row 1", field, reason)]
    assert_helpful(reading.rejections[0])


def test_parquet_without_a_needed_column_is_named() -> None:
    target = io.BytesIO()
    pq.write_table(pa.table({"timestamp": [1], "metric_name": ["a"]}), target)
    with pytest.raises(FormatError, match="no column 'metric_value'"):
        read(target.getvalue())


def test_truncated_parquet_says_so() -> None:
    content = parquet()
    for end in (4, 5, len(content) // 2, len(content) - 1):
        with pytest.raises(FormatError, match=f"{NAME}: not a whole file") as caught:
            read(content[:end])
        assert caught.value.reason == "unreadable"


# Arrow


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_times_in_nanoseconds_with_a_zone_are_read(zone: str) -> None:
    times = pa.array([datetime(2026, 9, 10, 8, tzinfo=timezone(timedelta(hours=2)))], pa.timestamp("ns", tz=zone))
    for content in (parquet(timestamp=times), arrow(timestamp=times)):
        (row,) = read(content).rows
        assert row["ts"].isoformat() == "2026-09-10T06:00:00"


def test_durations_are_no_numbers_without_a_unit() -> None:
    with pytest.raises(FormatError, match="duration"):
        read(parquet(metric_value=pa.array([timedelta(seconds=1)], pa.duration("us"))))


def test_arrow_streams_are_read_as_files_are() -> None:
    table = pq.read_table(io.BytesIO(parquet(test_name=["login"])))
    target = io.BytesIO()
    with pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table)
        writer.write_table(table)
    rows = read(target.getvalue()).rows
    assert [row["location"] for row in rows] == ["row 1", "row 2"]
    assert rows[0] == read(arrow(test_name=["login"])).rows[0]


def test_damaged_arrow_says_so() -> None:
    content = arrow(context_data=[{"a": 1}])
    assert len(read(content).rows) == 1
    batch = content.rindex(b"cpu_usage")
    for damaged in (
        content[: len(content) // 2],
        content.replace(b"metric_value", b"metric_v\xfflue"),
        content[: batch - 60] + b"\xff" * 16 + content[batch - 44 :],
    ):
        with pytest.raises(FormatError, match=f"{NAME}: not a whole file") as caught:
            read(damaged)
        assert caught.value.reason == "unreadable"


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), put=st.binary(min_size=1, max_size=4))
def test_arrow_damaged_anywhere_gives_rows_or_says_so(place: float, put: bytes) -> None:
    content = arrow(context_data=[{"a": 1}])
    at = int(place * len(content))
    try:
        read(content[:at] + put + content[at + len(put) :], ARROW)
    except FormatError as error:
        assert NAME in str(error)


@pytest.mark.parametrize("kind", [pa.float16(), pa.decimal256(40, 2)])
def test_numbers_of_arrow_that_duckdb_does_not_have(kind: pa.DataType) -> None:
    table = pq.read_table(io.BytesIO(parquet()))
    values = (
        pa.array([Decimal("0.5")], pa.decimal128(4, 2)).cast(kind) if kind != pa.float16() else pa.array([0.5], kind)
    )
    table = table.set_column(2, "metric_value", values)
    target = io.BytesIO()
    with pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)
    (row,) = read(target.getvalue()).rows
    assert row["value"] == 0.5
