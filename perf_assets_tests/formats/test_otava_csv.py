"""Otava's tables: which columns are what, which tables are none, times, runs, and damage."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.head import Head
from perf_assets.formats.measurement import FormatError
from perf_assets.formats.otava_csv import FORMAT
from perf_assets_tests.formats.reading import NAME, Reading, assert_helpful, read


def table(header: str, *rows: str) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def values(reading: Reading) -> list[tuple[str, float]]:
    return reading.column("metric", "raw_value")


WHOLE = table(
    "time,commit,branch,metric1,metric2",
    "2024.01.01 3:00:00 +0100,aaa0,main,154023,10.43",
    "2024.01.02 3:00:00 +0100,aaa1,main,138455,10.23",
    "2024.01.03 3:00:00 +0100,aaa2,feature-x,143112,10.29",
)
"""As in Otava's own tests."""


def test_each_metric_of_a_row_is_a_measurement() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("otava-csv", [], {})
    assert reading.column("metric", "raw_value", "commit_id", "branch") == [
        ("metric1", 154023.0, "aaa0", "main"), ("metric2", 10.43, "aaa0", "main"),
        ("metric1", 138455.0, "aaa1", "main"), ("metric2", 10.23, "aaa1", "main"),
        ("metric1", 143112.0, "aaa2", "feature-x"), ("metric2", 10.29, "aaa2", "feature-x"),
    ]  # fmt: skip
    assert [row["ts"].isoformat() for row in reading.rows[::2]] == [f"2024-01-0{day}T02:00:00" for day in (1, 2, 3)]
    assert len({row["run_key"] for row in reading.rows}) == 3
    first = reading.rows[0]
    assert (first["location"], first["test_name"], first["raw_unit"], first["test_type"], first["context"]) == (
        "line 2, metric1", None, "", "benchmark", None,
    )  # fmt: skip


def test_columns_are_what_they_are_called_else_what_they_hold() -> None:
    reading = read(
        table(
            "timestamp,test,sha,host,config,build,version,mixed,latency",
            "2024-01-01T00:00:00Z,sort,1234567,linux-07,small,17,1.2,5,0.5",
            "2024-01-02T00:00:00Z,copy,7654321,linux-08,,18,1.3,n/a,0.75",
        )
    )
    assert reading.column("metric", "raw_value", "test_name", "commit_id", "node_id") == [
        ("latency", 0.5, "sort", "1234567", "linux-07"), ("latency", 0.75, "copy", "7654321", "linux-08"),
    ]  # fmt: skip
    assert json.loads(reading.rows[0]["context"]) == {"build": "17", "config": "small", "mixed": "5", "version": "1.2"}


def test_the_second_column_of_a_kind_is_an_attribute() -> None:
    (row,) = read(table("time,commit,sha,m", "2024-01-01,abc,def,1")).rows
    assert (row["commit_id"], json.loads(row["context"])) == ("abc", {"sha": "def"})


@pytest.mark.parametrize(
    ("column", "metric", "unit"),
    [
        ("latency (ms)", "latency", "ms"), ("size [MB]", "size", "MB"), ("load (%)", "load", "%"),
        ("latency (s)", "latency", "s"), ("rate (ops/s)", "rate", "ops/s"), ("hits (total)", "hits (total)", ""),
        ("try (2)", "try (2)", ""), ("build_time", "build_time", "s"), ("p99", "p99", ""),
    ],
)  # fmt: skip
def test_the_unit_is_that_in_brackets_or_the_catalogues(column: str, metric: str, unit: str) -> None:
    assert read(table(f"time,{column}", "2024-01-01,5")).column("metric", "raw_unit") == [(metric, unit)]


@pytest.mark.parametrize(
    ("written", "ts"),
    [
        ("2024.01.01 3:00:00 +0100", "2024-01-01T02:00:00"), ("2024-01-01T03:00:00+01:00", "2024-01-01T02:00:00"),
        ("2024-01-01 03:00:00", "2024-01-01T01:00:00"), ("2024/1/2 3:04", "2024-01-02T01:04:00"),
        ("2024-01-01", "2023-12-31T22:00:00"), ("2024-01-01 03:00:00.25 UTC", "2024-01-01T03:00:00.250000"),
        ("2024-01-01T03:00Z", "2024-01-01T03:00:00"), ("1704078000", "2024-01-01T03:00:00"),
        ("1704078000.5", "2024-01-01T03:00:00.500000"), ("1704078000000", "2024-01-01T03:00:00"),
        ("Mon, 01 Jan 2024 03:00:00 +0000", "2024-01-01T03:00:00"),
    ],
)  # fmt: skip
def test_times(written: str, ts: str) -> None:
    content = table("time;m", f"{written};1")
    assert [row["ts"].isoformat() for row in read(content, zone=timezone(timedelta(hours=2))).rows] == [ts]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["time", "Timestamp", "DATE", "datetime"])
def test_signs_between_fields_and_names_of_the_time(delimiter: str, name: str) -> None:
    content = table(delimiter.join([name, "m", "note"]), delimiter.join(["2024-01-01", "1", f'"a{delimiter}b"']))
    reading = read(content)
    assert (reading.format, values(reading)) == ("otava-csv", [("m", 1.0)])
    assert json.loads(reading.rows[0]["context"]) == {"note": f"a{delimiter}b"}


@pytest.mark.parametrize(
    "content",
    [
        table("a,b,c", "1,2,3"),
        table("metric,time", "1,2024-01-01"),
        table("time,commit", "2024-01-01,abc"),
        table("time,version,m", "2024-01-01,1.5,x"),
        table("time,m", "yesterday,1"),
        table("time,m"),
        table("time,m", "2024-01-01,1,2"),
        table("timeStamp,elapsed,label", "1704078000000,12,GET"),
        table("time", "2024-01-01"),
        b"time\n",
        b'{"time": 1}',
    ],
)
def test_other_tables_are_none(content: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read(content)
    assert caught.value.reason == "unknown_format"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (table("timestamp,metric_name,metric_value", "2024-01-01T00:00:00Z,a,1"), "long-table-csv"),
        (
            table("Timestamp,User Count,Type,Name,Requests/s,50%,Total Request Count", "1704078000,1,GET,/,5,12,9"),
            "locust",
        ),
        (
            b"# generated by conbench, commit a\n# benchmark name: b\n"
            + table("commit_time,result_id,commit_hash,svs,min", "2024-01-01 00:00:00+00:00,r,c,1,1"),
            "conbench",
        ),
    ],
)  # fmt: skip
def test_tables_of_other_formats_stay_theirs(content: bytes, name: str) -> None:
    assert read(content).format == name
    assert not FORMAT.recognises(Head(content))


def test_rows_that_agree_in_all_else_are_repetitions() -> None:
    reading = read(
        table(
            "time,commit,config,m",
            "2024-01-01,a,x,5", "2024-01-01,a,x,9", "2024-01-01,a,x,6", "2024-01-01,a,y,7", "2024-01-01,b,x,8",
        )
    )  # fmt: skip
    assert reading.column("raw_value", "raw_replicates") == [(6.0, [5.0, 9.0, 6.0]), (7.0, None), (8.0, None)]
    assert len(set(reading.column("run_key"))) == 3


def test_an_empty_field_measured_nothing() -> None:
    reading = read(table("time,a,b", "2024-01-01,1,", "2024-01-02, ,2"))
    assert values(reading) == [("a", 1.0), ("b", 2.0)]
    assert (reading.omitted, reading.rejections) == ({"idle": 2}, [])


@pytest.mark.parametrize(
    ("row", "field", "reason", "kept"),
    [
        ("2024-01-02,NaN,5", "a", "not_finite", [("b", 5.0)]),
        ("2024-01-02,1e999,5", "a", "not_finite", [("b", 5.0)]),
        ("2024-01-02,5", "", "wrong_type", []),
        ("2024-01-02,5,6,7", "", "wrong_type", []),
        ("soon,5,6", "time", "bad_time", []),
        (",5,6", "time", "bad_time", []),
    ],
)
def test_a_broken_row_or_field_is_rejected_and_the_rest_is_read(
    row: str, field: str, reason: str, kept: list[Any]
) -> None:
    reading = read(table("time,a,b", "2024-01-01,1,2", row, "2024-01-03,3,4"))
    assert values(reading) == [("a", 1.0), ("b", 2.0), *kept, ("a", 3.0), ("b", 4.0)]
    assert reading.problems == [("line 3", field, reason)]
    assert_helpful(reading.rejections[0])


def test_text_far_behind_the_head_is_rejected_in_a_metric() -> None:
    rows = [f"2024-01-01T00:00:{number % 60:02}Z,{number},{number}" for number in range(4_000)]
    reading = read(table("time,commit,m", *rows, "2024-01-02,x,fast"))
    assert len(reading.rows) == 4_000
    assert [problem[1:] for problem in reading.problems] == [("m", "wrong_type")]


def test_a_file_cut_anywhere_gives_the_rows_before() -> None:
    whole = read(WHOLE).rows
    seen = set()
    for end in range(len(WHOLE)):
        try:
            reading = read(WHOLE[:end])
        except FormatError as error:
            assert NAME in str(error)
            continue
        full = WHOLE[:end].count(b"\n") - 1
        assert [row["raw_value"] for row in reading.rows[: 2 * full]] == [row["raw_value"] for row in whole[: 2 * full]]
        seen.add(full)
    assert seen >= {1, 2}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.integers(0, 200))
def test_any_text_in_a_table_is_borne(text: str, place: int) -> None:
    try:
        reading = read(WHOLE[:place] + text.encode(errors="replace") + WHOLE[place:], FORMAT)
    except FormatError as error:
        assert NAME in str(error)
        return
    for row in reading.rows:
        assert row["metric"]
        assert row["ts"] is not None
    for rejection in reading.rejections:
        assert_helpful(rejection)


@pytest.mark.parametrize("sign", ["\u2028", "\x0b", "\x0c", "\x1c", "\x85"])
def test_what_ends_a_line_elsewhere_may_stand_in_a_name(sign: str) -> None:
    reading = read(WHOLE.replace(b"metric1", f"metric{sign}1".encode()))
    assert set(reading.column("metric")) == {f"metric{sign}1", "metric2"}
    assert reading.rejections == []
