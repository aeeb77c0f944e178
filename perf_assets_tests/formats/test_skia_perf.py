"""Skia Perf's format: traces as series, lists of measurements, units and directions, try jobs, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.skia_perf import FORMAT
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import Reading, assert_helpful, read

COMMIT = "fe4a4029a080bc955e9588d05a6cd9eb490845d4"


def result(measurement: Any = None, *, lists: Any = None, **keys: Any) -> dict[str, Any]:
    measured = {} if measurement is None else {"measurement": measurement}
    listed = {} if lists is None else {"measurements": lists}
    return {"key": {"test": "draw_a_circle"} | keys} | measured | listed


def statistics(**measured: Any) -> list[dict[str, Any]]:
    return [{"value": name, "measurement": number} for name, number in measured.items()]


def file(*results: Any, key: Any = None, **more: Any) -> bytes:
    keys = {"config": "8888"} if key is None else key
    return json.dumps(
        {"version": 1, "git_hash": COMMIT, "key": keys, "results": list(results)} | more, indent=2
    ).encode()


def values(reading: Reading) -> list[tuple[str, str, float, str]]:
    return reading.column("test_name", "metric", "raw_value", "raw_unit")


WHOLE = file(result(123.5, units="s"), result(units="ms", lists={"stat": statistics(min=1.5, median=2.5)}))


def test_a_trace_is_a_series() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("skia-perf", [], {})
    assert values(reading) == [
        ("draw_a_circle[config=8888]", "benchmark_time", 123.5, "s"),
        ("draw_a_circle[config=8888,stat=min]", "benchmark_time", 1.5, "ms"),
        ("draw_a_circle[config=8888,stat=median]", "benchmark_time", 2.5, "ms"),
    ]
    assert {(row["commit_id"], row["branch"], row["ts"], row["run_key"]) for row in reading.rows} == {
        (COMMIT, None, None, None)
    }
    assert reading.column("location") == [
        "results[0].measurement", "results[1].measurements.stat[0]", "results[1].measurements.stat[1]",
    ]  # fmt: skip


def test_the_example_of_skias_own_tests() -> None:
    machine = {"arch": "x86", "branch": "some-branch-name", "config": "meta", "gpu": "GTX660", "os": "Ubuntu12"}
    config = [{"value": "8888", "measurement": 2.223606}, {"value": "gpu", "measurement": 0.1157}]
    reading = read(
        file(
            {"key": {"test": "memory_usage_0_0", "sub_result": "max_rss_mb"}, "measurement": 858},
            {
                "key": {"test": "copy", "source_type": "bench", "sub_result": "min_ms"},
                "measurements": {"config": config},
            },
            key=machine,
        )
    )
    assert values(reading) == [
        ("memory_usage_0_0[config=meta,gpu=GTX660,sub_result=max_rss_mb]", "benchmark_value", 858.0, ""),
        ("copy[config=8888,gpu=GTX660,source_type=bench,sub_result=min_ms]", "benchmark_value", 2.223606, ""),
        ("copy[config=gpu,gpu=GTX660,source_type=bench,sub_result=min_ms]", "benchmark_value", 0.1157, ""),
    ]
    assert {(row["branch"], row["tags"]) for row in reading.rows} == {
        ("some-branch-name", '{"arch": "x86", "os": "Ubuntu12"}')
    }


def test_a_list_called_by_a_unit_has_it_and_a_zero_beside_lists_is_none() -> None:
    lists = {
        "alloc": [{"value": "kb", "measurement": 120}, {"value": "num", "measurement": 7}],
        "ns": statistics(min=10.5),
    }
    assert values(read(file(result(0, lists=lists)))) == [
        ("draw_a_circle[alloc=kb,config=8888]", "benchmark_value", 120.0, ""),
        ("draw_a_circle[alloc=num,config=8888]", "benchmark_value", 7.0, ""),
        ("draw_a_circle[config=8888,ns=min]", "benchmark_time", 10.5, "ns"),
    ]
    assert read(file(result(0.0))).column("raw_value") == [0.0]


def test_an_error_is_the_spread_and_a_count_is_context() -> None:
    reading = read(file(result(unit="ms", lists={"stat": statistics(value=5.0, error=0.5, count=30, max=9.0)})))
    assert reading.column("test_name", "raw_value", "raw_spread") == [
        ("draw_a_circle[config=8888,stat=value]", 5.0, 0.5),
        ("draw_a_circle[config=8888,stat=max]", 9.0, None),
    ]
    assert {row["context"] for row in reading.rows} == {'{"samples": 30}'}


def test_where_nothing_is_typical_all_are_measurements() -> None:
    reading = read(file(result(lists={"outcome": statistics(error=5, count=3)})))
    assert reading.column("raw_value") == [5.0, 3.0]


@pytest.mark.parametrize(
    ("keys", "unit", "direction"),
    [
        ({"unit": "ms_smallerIsBetter"}, "ms", "lower_is_better"),
        ({"unit": "fps_biggerIsBetter"}, "fps", "higher_is_better"),
        ({"unit": "ms", "improvement_direction": "down"}, "ms", "lower_is_better"),
        ({"units": "score", "improvement_direction": "up"}, "score", "higher_is_better"),
        ({"unit": "sizeInBytes_smallerIsBetter"}, "By", "lower_is_better"),
        ({"unit": "n%_biggerIsBetter"}, "1", "higher_is_better"),
        ({"units": "ms"}, "ms", None),
        ({}, "", None),
    ],
)
def test_units_and_directions(keys: dict[str, str], unit: str, direction: str | None) -> None:
    reading = read(file(result(1, **keys)))
    assert reading.column("test_name", "raw_unit", "direction") == [("draw_a_circle[config=8888]", unit, direction)]


@pytest.mark.parametrize(
    ("more", "branch"),
    [
        ({"issue": "327697", "patchset": "1"}, "cl/327697/1"), ({"issue": 327697, "patchset": 2}, "cl/327697/2"),
        ({"issue": "327697"}, "cl/327697"), ({"issue": "", "patchset": "1"}, "main"), ({"patchset": "1"}, "main"),
    ],
)  # fmt: skip
def test_a_try_job_is_a_branch(more: dict[str, Any], branch: str) -> None:
    assert read(file(result(1), key={"branch": "main"}, **more)).column("branch") == [branch]


def test_the_first_link_is_the_runs() -> None:
    reading = read(file(result(1), links={"build": "https://ci.example.com/1", "log": "https://ci.example.com/2"}))
    assert reading.column("run_url") == ["https://ci.example.com/1"]
    assert read(file(result(1), links=None)).column("run_url") == [None]


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"benchmark": "speedometer", "story": "a"}, "speedometer[story=a]"),
        ({"test": "t", "benchmark": "b"}, "t[benchmark=b]"),
        ({"suite": "s", "case": "c"}, "case=c,suite=s"),
    ],
)
def test_the_test_is_named_by_its_keys(keys: dict[str, str], name: str) -> None:
    assert read(file({"measurement": 1}, key=keys)).column("test_name") == [name]


def test_a_file_without_results_measures_nothing() -> None:
    reading = read(file())
    assert (reading.format, reading.rows, reading.rejections) == ("skia-perf", [], [])


@pytest.mark.parametrize(
    ("broken", "place", "field", "reason"),
    [
        (result(), "", "measurement", "missing_value"),
        (result(lists={}), "", "measurement", "missing_value"),
        (result(float("nan")), "", "measurement", "not_finite"),
        (result("5"), "", "measurement", "wrong_type"),
        (result(-1, unit="ms"), "", "measurement", "impossible_value"),
        (result(1, test=5), "", "key", "wrong_type"),
        ({"key": [], "measurement": 1} | {"key": ["x"]}, "", "key", "wrong_type"),
        (result(1, x="y" * 1_000), "", "key", "missing_identity"),
        (result(lists=[1]), "", "measurements", "wrong_type"),
        (result(lists={"stat": 5}), ".measurements.stat", "", "wrong_type"),
        (result(lists={"stat": [5]}), ".measurements.stat[0]", "", "wrong_type"),
        (result(lists={"stat": [{"value": "min"}]}), ".measurements.stat[0]", "measurement", "missing_value"),
        (result(lists={"stat": [{"measurement": 1}]}), ".measurements.stat[0]", "", "wrong_type"),
        (5, "", "", "wrong_type"),
    ],
)
def test_what_is_broken_is_rejected_and_its_neighbours_are_read(
    broken: Any, place: str, field: str, reason: str
) -> None:
    reading = read(file(result(1), broken, result(2)))
    assert reading.column("raw_value") == [1.0, 2.0]
    assert reading.problems == [(f"results[1]{place}", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_result_without_any_key_has_no_name() -> None:
    reading = read(file({"measurement": 1}, key={}))
    assert reading.problems == [("results[0]", "key", "missing_identity")]


def test_keys_may_stand_behind_the_results_but_must_not_be_lost() -> None:
    whole = {"version": 1, "git_hash": COMMIT, "results": [result(1)], "key": {"branch": "main"}}
    content = json.dumps(whole).encode()
    assert read(content).column("branch") == ["main"]
    reading = read(content[: content.rindex(b'"key"')])
    assert (reading.rows, [problem[2] for problem in reading.problems]) == ([], ["missing_identity", "truncated"])


def test_a_long_file_with_sorted_keys_is_known_without_its_version() -> None:
    whole = {"git_hash": COMMIT, "key": {}, "results": [result(1.0, n=str(n)) for n in range(3_000)], "version": 1}
    content = json.dumps(whole, sort_keys=True).encode()
    assert len(content) > 150_000
    assert len(read(content).rows) == 3_000


def test_every_prefix_gives_a_prefix() -> None:
    assert_every_prefix_gives_a_prefix(WHOLE, FORMAT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), anything)
def test_any_value_in_any_place_is_borne(place: int, value: Any) -> None:
    content = file(
        result(1, unit="ms"), result(lists={"stat": statistics(value=1, error=2, count=3)}),
        issue="1", patchset="2", links={"a": "b"},
    )  # fmt: skip
    assert_broken_anywhere_is_borne(content, FORMAT, place, value)
