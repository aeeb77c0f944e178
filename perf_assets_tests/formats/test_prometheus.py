"""Answers of Prometheus: labels as identity, values as text, and what is no value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.prometheus import FORMAT
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import assert_helpful, read

AT = 1_789_020_000
"""2026-09-10T06:00:00Z"""


def series(*values: str, name: Any = "cpu_usage", **labels: Any) -> dict[str, Any]:
    named = {"__name__": name} if name else {}
    return {
        "metric": {**named, "instance": "linux-07:9100", "job": "builders"} | labels,
        "values": [[AT + 60 * number, value] for number, value in enumerate(values)],
    }


def matrix(*found: Any, kind: str = "matrix") -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": list(found)}}).encode()


WHOLE = matrix(series("0.25", "0.5"))


def test_a_sample_is_a_measurement_of_an_instance() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("prometheus", [], {})
    assert reading.column("metric", "value", "unit", "node_id", "node_type", "test_name", "run_key") == [
        ("cpu_usage", 0.25, "1", "linux-07:9100", "builders", None, "prometheus@2026-09-10T06:00:00"),
        ("cpu_usage", 0.5, "1", "linux-07:9100", "builders", None, "prometheus@2026-09-10T06:01:00"),
    ]
    assert [row["ts"].isoformat() for row in reading.rows] == ["2026-09-10T06:00:00", "2026-09-10T06:01:00"]
    assert set(reading.column("time_source", "project")) == {("result", None)}


def test_labels_tell_series_apart() -> None:
    labels = {
        "test": "checkout", "test_type": "load", "repository": "org/shop", "branch": "main", "os": "linux",
        "mode": "idle", "cpu": "0",
    }  # fmt: skip
    (row,) = read(matrix(series("1", **labels))).rows
    assert (row["test_name"], row["test_type"], row["project"]) == ("checkout[cpu=0,mode=idle]", "load", "org/shop")
    assert (row["branch"], row["tags"]) == ("main", '{"os": "linux"}')
    (row,) = read(matrix(series("1", device="sda"))).rows
    assert row["test_name"] == "cpu_usage[device=sda]"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("memory_usage", "1"), ("disk_io", "By/s"), ("scrape_seconds", "s"), ("heap_bytes", "By"), ("hit_ratio", "1"),
        ("die_celsius", "Cel"), ("core_hertz", "Hz"), ("requests_total", ""),
    ],
)  # fmt: skip
def test_the_unit_is_the_catalogues_or_that_of_the_name(name: str, unit: str) -> None:
    assert read(matrix(series("1", name=name))).column("unit") == [unit]


def test_nan_is_nothing_to_measure_and_infinity_is_rejected() -> None:
    reading = read(matrix(series("1", "NaN", "+Inf", "-Inf", "1e3")))
    assert (reading.column("value"), reading.omitted) == ([1.0, 1000.0], {"idle": 1})
    assert reading.problems == [
        ("data.result[0].values[2]", "", "not_finite"), ("data.result[0].values[3]", "", "not_finite"),
    ]  # fmt: skip
    assert_helpful(reading.rejections[0])


def test_samples_beside_native_histograms_are_read() -> None:
    reading = read(matrix(series("0.25") | {"histograms": [[AT, {"count": "1", "sum": "1", "buckets": []}]]}))
    assert reading.column("value") == [0.25]
    assert reading.problems == [("data.result[0]", "histograms", "wrong_type")]


def test_an_instant_query() -> None:
    found = {"metric": {"__name__": "up", "instance": "a"}, "value": [AT + 0.5, "1"]}
    reading = read(matrix(found, kind="vector"))
    assert reading.column("location", "value") == [("data.result[0].value", 1.0)]
    assert reading.rows[0]["ts"].isoformat() == "2026-09-10T06:00:00.500000"


@pytest.mark.parametrize(
    ("broken", "location", "field", "reason"),
    [
        (series("1", name=None), "", "__name__", "missing_identity"),
        ({"metric": "up", "values": []}, "", "metric", "wrong_type"),
        ({"metric": {"__name__": "up"}}, "", "values", "wrong_type"),
        ({"metric": {"__name__": "up"}, "histograms": [[AT, {}]]}, "", "histograms", "wrong_type"),
        (series("x"), ".values[0]", "", "wrong_type"),
        (series(" "), ".values[0]", "", "missing_value"),
        (series("1") | {"values": [[AT, 1]]}, ".values[0]", "", "wrong_type"),
        (series("1") | {"values": [["soon", "1"]]}, ".values[0]", "", "bad_time"),
        (series("1") | {"values": [[1e12, "1"]]}, ".values[0]", "", "bad_time"),
        (series("1") | {"values": [[AT]]}, ".values[0]", "", "wrong_type"),
        (5, "", "", "wrong_type"),
    ],
)
def test_a_broken_series_or_sample_is_rejected_and_the_rest_is_read(
    broken: Any, location: str, field: str, reason: str
) -> None:
    reading = read(matrix(series("1"), broken, series("2")))
    assert reading.column("value") == [1.0, 2.0]
    assert reading.problems == [(f"data.result[1]{location}", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    "content",
    [
        matrix(), b'{"data": {"result": [], "resultType": "vector"}, "status": "success"}',
        b'{"status":"success","isPartial":false,"data":{"resultType":"matrix","result":[]},"stats":{"seriesFetched":"0"}}',
    ],
)  # fmt: skip
def test_empty_answers_are_no_rows(content: bytes) -> None:
    reading = read(content)
    assert (reading.format, reading.rows, reading.rejections) == ("prometheus", [], [])


def test_any_prefix_gives_the_first_rows() -> None:
    assert_every_prefix_gives_a_prefix(matrix(series("1", "2"), series("3")), FORMAT)


@given(st.integers(0, 1_000), anything)
def test_any_value_anywhere_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(WHOLE, FORMAT, place, value)
