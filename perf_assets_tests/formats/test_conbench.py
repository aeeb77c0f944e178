"""Conbench's results as JSON and CSV: what they are, what became of them, and damage."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.conbench import FORMAT
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import NAME, assert_helpful, read

MACHINE = {"name": "runner-1", "os_name": "Linux", "architecture_name": "x86_64", "cpu_core_count": "4"}
GITHUB = {"repository": "https://github.com/apache/arrow", "commit": "abc123"}


def stats(*data: Any, unit: Any = "s", **more: Any) -> dict[str, Any]:
    return {"data": list(data), "unit": unit, "iterations": len(data)} | more


def result(name: Any = "file-read", **changes: Any) -> dict[str, Any]:
    fields = {
        "run_id": "run-1", "run_name": "nightly", "run_reason": "commit", "run_tags": {}, "batch_id": "b1",
        "timestamp": "2026-09-01T08:00:00+00:00", "stats": stats(1.0, 2.0, 6.0, mean=3.0, stdev=2.5),
        "tags": {"name": name, "compression": "snappy", "cpu_count": 2}, "info": {"arrow_version": "9"},
        "context": {"benchmark_language": "Python"}, "machine_info": MACHINE, "github": GITHUB,
    }  # fmt: skip
    return fields | changes


def posted(*results: Any) -> bytes:
    return json.dumps(list(results), indent=2).encode()


WHOLE = posted(result(), result("file-write", stats=stats(5.0, unit="B/s")))


def test_a_result_of_benchadapt() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("conbench", [], {})
    assert reading.column("test_name", "metric", "value", "unit") == [
        ("file-read[compression=snappy,cpu_count=2]", "benchmark_time", 3.0, "s"),
        ("file-write[compression=snappy,cpu_count=2]", "benchmark_data_rate", 5.0, "By/s"),
    ]
    first = reading.rows[0]
    assert (first["raw_spread"], first["raw_replicates"]) == (2.5, [1.0, 2.0, 6.0])
    assert (first["project"], first["run_key"], first["node_id"], first["commit_id"], first["branch"]) == (
        "apache/arrow", "run-1", "runner-1", "abc123", None,
    )  # fmt: skip
    assert (first["ts"].isoformat(), first["time_source"]) == ("2026-09-01T08:00:00", "result")
    assert json.loads(first["tags"]) == {"arch": "x86_64", "os": "Linux", "runtime": "Python"}
    assert json.loads(first["context"]) == {
        "batch_id": "b1", "context": {"benchmark_language": "Python"}, "info": {"arrow_version": "9"}, "iterations": 3,
        "run_name": "nightly", "run_reason": "commit",
    }  # fmt: skip


def test_a_page_of_the_api() -> None:
    listed = {
        "id": "r1", "run_id": "run-1", "run_tags": {"name": "x"}, "batch_id": "b1", "error": None, "validation": None,
        "timestamp": "2020-11-25T21:02:42Z", "change_annotations": {}, "links": {"self": "http://localhost/"},
        "stats": stats(0.1, 0.3, mean="0.2", time_unit="s", times=[], median=None, stdev=None),
        "tags": {"id": "case-1", "name": "file-read", "cpu_count": None},
        "commit_repo_url": "https://github.com/org/repo",
        "commit": {"sha": "f00", "repository": "https://github.com/org/repo", "branch": "org:feature"},
        "hardware": {"id": "h", "name": "machine1", "type": "machine", "architecture_name": "arm64",
                     "os_name": "macOS"},
    }  # fmt: skip
    (row,) = read(json.dumps({"data": [listed], "metadata": {"next_page_cursor": None}}).encode()).rows
    assert (row["test_name"], row["raw_value"], row["raw_spread"]) == ("file-read", 0.2, None)
    assert (row["project"], row["commit_id"], row["branch"], row["node_id"]) == (
        "org/repo",
        "f00",
        "feature",
        "machine1",
    )
    assert json.loads(row["tags"]) == {"arch": "arm64", "os": "macOS"}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(result()).encode(),
        json.dumps(result(), indent=4).encode(),
        json.dumps({"data": [result()], "metadata": {}}).encode(),
        posted(result()),
    ],
)
def test_one_result_a_list_and_a_page_are_the_same(content: bytes) -> None:
    expected = {key: value for key, value in read(posted(result())).rows[0].items() if key != "location"}
    (row,) = read(content).rows
    assert {key: row[key] for key in expected} == expected


def test_results_one_a_line() -> None:
    content = b"\n".join(json.dumps(result(run_id=f"run-{number}")).encode() for number in range(3))
    reading = read(content)
    assert reading.column("run_key") == ["run-0", "run-1", "run-2"]
    assert reading.rows[1]["location"] == "document 2"


@pytest.mark.parametrize(
    ("unit", "metric", "canonical"),
    [
        ("s", "benchmark_time", "s"), ("ns", "benchmark_time", "s"), ("i/s", "benchmark_throughput", "1/s"),
        ("B/s", "benchmark_data_rate", "By/s"), ("b/s", "benchmark_data_rate", "By/s"),
        ("items_per_second", "benchmark_throughput", "1/s"), ("rows", "benchmark_value", "rows"),
    ],
)  # fmt: skip
def test_units(unit: str, metric: str, canonical: str) -> None:
    assert read(posted(result(stats=stats(1, unit=unit)))).column("metric", "unit") == [(metric, canonical)]


@pytest.mark.parametrize(
    ("measured", "value"),
    [
        (stats(1.0, 2.0, 6.0), 3.0),
        (stats("1.0", "2.0"), 1.5),
        (stats(1.0, 2.0, mean="1.5"), 1.5),
        ({"unit": "s", "mean": 4}, 4.0),
        (stats(mean=4), 4.0),
    ],
)
def test_the_value_is_the_mean(measured: dict[str, Any], value: float) -> None:
    assert read(posted(result(stats=measured))).column("raw_value") == [value]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"error": {"stack_trace": "x"}}, "errored"),
        ({"error": {"stack_trace": "x"}, "stats": None}, "errored"),
        ({"stats": stats(1.0, None, 2.0)}, "errored"),
        ({"stats": stats(1.0, float("nan"))}, "errored"),
        ({"stats": stats()}, "errored"),
        ({"stats": {}}, "errored"),
        ({"validation": {"type": "pandas.testing", "success": False}}, "failed"),
    ],
)
def test_what_did_not_succeed_is_counted_and_no_value(changes: dict[str, Any], outcome: str) -> None:
    passed = result(validation={"success": True}, error=None)
    reading = read(posted(passed, result("broken", **changes)))
    assert len(reading.rows) == 1
    assert (reading.omitted, reading.rejections) == ({outcome: 1}, [])


def test_an_errored_result_alone_is_known() -> None:
    fields = result(error={"stderr": "x"})
    del fields["stats"]
    reading = read(posted(fields))
    assert (reading.format, reading.omitted) == ("conbench", {"errored": 1})


@pytest.mark.parametrize(
    ("github", "project", "branch"),
    [
        ({"repository": "https://github.com/org/repo.git", "pr_number": 12}, "org/repo", "pull/12"),
        ({"repository": "org/repo", "branch": "me:feature/x", "pr_number": 12}, "org/repo", "feature/x"),
        ({"repository": "git@host:repo", "branch": "main"}, "git@host:repo", "main"),
        ({}, None, None),
    ],
)
def test_commit_and_branch(github: dict[str, Any], project: str | None, branch: str | None) -> None:
    assert read(posted(result(github=github))).column("project", "branch") == [(project, branch)]


def test_a_cluster_is_a_node_and_the_commits_time_is_taken_where_there_is_no_other() -> None:
    fields = result(machine_info=None, cluster_info={"name": "ci-cluster"}, timestamp=None, github=None)
    (row,) = read(posted(fields | {"commit": {"timestamp": "2026-08-31T00:00:00Z"}}), FORMAT).rows
    assert (row["node_id"], row["ts"].isoformat(), row["time_source"]) == (
        "ci-cluster",
        "2026-08-31T00:00:00",
        "commit",
    )


def test_what_a_run_has_several_times_is_one_measurement() -> None:
    reading = read(posted(*(result(stats=stats(value)) for value in (5.0, 9.0, 6.0)), result(run_id="other")))
    assert reading.column("run_key", "raw_value", "raw_replicates") == [
        ("run-1", 6.0, [5.0, 9.0, 6.0]), ("other", 3.0, [1.0, 2.0, 6.0]),
    ]  # fmt: skip


def flattened(*results: dict[str, Any]) -> bytes:
    """As pandas' json_normalize and to_csv write results."""
    rows = []
    for fields in results:
        inner = {name: value for name, value in fields.items() if isinstance(value, dict)}
        row = {name: value for name, value in fields.items() if name not in inner}
        rows.append(row | {f"{name}.{key}": value for name, of in inner.items() for key, value in of.items()})
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    table = csv.DictWriter(file, ["", *names])
    table.writeheader()
    for number, row in enumerate(rows):
        table.writerow({"": number} | row)
    return file.getvalue().encode()


def test_results_flattened_into_csv() -> None:
    reading = read(
        flattened(result(), result("broken", error={"stderr": "x"}), result("late", stats={"mean": 2, "unit": "s"}))
    )
    (expected,) = read(posted(result())).rows
    same = ("test_name", "raw_value", "raw_replicates", "raw_spread", "tags", "project", "run_key", "ts", "commit_id")
    assert {name: reading.rows[0][name] for name in same} == {name: expected[name] for name in same}
    assert reading.column("location", "raw_value") == [("line 2", 3.0), ("line 4", 2.0)]
    assert (reading.omitted, reading.rejections) == ({"errored": 1}, [])


HISTORY = b"""# original URL: https://conbench.example.com/api/history/download/r3
# generated by conbench, commit abc
# generated at 2026-09-03T00:00:00+00:00
# for result r3
# benchmark name: file-read
# case permutation: cpu_count=2, compression=snappy
# hardware hash: runner-1-4-8-16
# timeseries fingerprint: f1
# single value summary (SVS) type: mean
commit_time,result_id,commit_hash,svs,min
2026-09-01 08:00:00+00:00,r1,aaa,19.987086,19.5
2026-09-02 08:00:00+00:00,r2,bbb,20.5,NaN
"""


def test_the_history_of_a_benchmark() -> None:
    reading = read(HISTORY)
    assert (reading.format, reading.rejections) == ("conbench", [])
    assert reading.column("test_name", "metric", "raw_value", "raw_unit", "run_key", "commit_id") == [
        ("file-read[compression=snappy,cpu_count=2]", "benchmark_value", 19.987086, "", "r1", "aaa"),
        ("file-read[compression=snappy,cpu_count=2]", "benchmark_value", 20.5, "", "r2", "bbb"),
    ]
    assert {(row["node_id"], row["time_source"]) for row in reading.rows} == {("runner-1-4-8-16", "commit")}
    assert [row["ts"].isoformat() for row in reading.rows] == ["2026-09-01T08:00:00", "2026-09-02T08:00:00"]
    assert reading.rows[0]["location"] == "line 11, svs"


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (b"2026-09-03 08:00:00+00:00,r3,ccc,NaN,1", "svs", "not_finite"),
        (b"2026-09-03 08:00:00+00:00,r3,ccc,,1", "svs", "missing_value"),
        (b"soon,r3,ccc,1,1", "commit_time", "bad_time"),
        (b"2026-09-03 08:00:00+00:00,r3", "", "wrong_type"),
    ],
)
def test_a_broken_row_of_a_history_is_rejected(row: bytes, field: str, reason: str) -> None:
    reading = read(HISTORY + row + b"\n2026-09-04 08:00:00+00:00,r4,ddd,21,1\n")
    assert reading.column("run_key") == ["r1", "r2", "r4"]
    assert reading.problems == [("line 13", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_history_of_nothing_is_refused() -> None:
    with pytest.raises(FormatError, match=NAME) as caught:
        read(HISTORY.replace(b"# benchmark name: file-read\n", b""))
    assert caught.value.reason == "missing_identity"


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (result(None), "tags.name", "missing_identity"),
        (result(tags=5), "tags.name", "missing_identity"),
        (result(tags={"name": "x", "a": "y" * 1_000}), "tags", "missing_identity"),
        (result(stats=stats(1.0, float("inf"))), "stats.data", "not_finite"),
        (result(stats=stats(1.0, "fast")), "stats.data", "wrong_type"),
        (result(stats=stats(1.0, mean="fast")), "stats.mean", "wrong_type"),
        (result(stats=stats(-1.0)), "stats.data", "impossible_value"),
        (result(stats={"unit": "s"}), "stats.mean", "missing_value"),
        (result(stats={"data": 5, "unit": "s"}), "stats.mean", "missing_value"),
        (result(stats=stats(1.0, unit=None)), "stats.unit", "wrong_type"),
        (5, "", "wrong_type"),
    ],
)
def test_a_broken_result_is_rejected_and_its_neighbours_are_read(broken: Any, field: str, reason: str) -> None:
    reading = read(posted(result("before"), broken, result("after")))
    assert [row["test_name"].partition("[")[0] for row in reading.rows] == ["before", "after"]
    assert reading.problems == [("[1]", field, reason)]
    assert_helpful(reading.rejections[0])


def test_every_prefix_gives_a_prefix() -> None:
    assert_every_prefix_gives_a_prefix(WHOLE, FORMAT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), anything | st.sampled_from(["NaN", "1"]))
def test_any_value_in_any_place_is_borne(place: int, value: Any) -> None:
    content = posted(result(error=None, validation={"success": True}), result("b", stats=stats(1, 2)))
    assert_broken_anywhere_is_borne(content, FORMAT, place, value)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.integers(0, 400))
def test_any_text_in_a_table_is_borne(text: str, place: int) -> None:
    for content in (HISTORY, flattened(result())):
        try:
            reading = read(content[:place] + text.encode(errors="replace") + content[place:], FORMAT)
        except FormatError as error:
            assert NAME in str(error)
            continue
        for row in reading.rows:
            assert row["test_name"]


def test_a_mean_that_is_too_large_a_number_is_rejected() -> None:
    reading = read(json.dumps([result(stats=stats(1.5e308, 1.5e308)), result("b")]).encode())
    assert reading.column("test_name", "raw_value") == [("b[compression=snappy,cpu_count=2]", 3.0)]
    assert [rejection.reason for rejection in reading.rejections] == ["not_finite"]


def test_the_first_version_has_the_run_among_the_statistics() -> None:
    fields = result()
    moved = {name: fields.pop(name) for name in ("timestamp", "run_id", "batch_id")}
    fields["stats"] = stats("1.0", "2.0", "6.0", mean="3.0", stdev="2.5") | moved
    (first,) = read(posted(result())).rows
    (row,) = read(posted(fields)).rows
    same = ("test_name", "value", "ts", "time_source", "run_key", "raw_spread", "raw_replicates")
    assert {name: row[name] for name in same} == {name: first[name] for name in same}
