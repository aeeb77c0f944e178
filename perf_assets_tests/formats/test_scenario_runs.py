"""Answers of the scale-test dashboard: zeros, identity, pages, and damage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from perf_assets.formats import format_named
from perf_assets.formats.measurement import FormatError
from perf_assets_tests.formats.reading import NAME, assert_helpful, read


def run(scenario: Any = "combined_all", **fields: Any) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "overmindDurationMs": 761_000,
        "riskCount": 1,
        "blastRadiusNodes": 677,
        "blastRadiusEdges": 1972,
        "observations": 246,
    } | fields


def answer(*runs: Any) -> bytes:
    return json.dumps({"results": list(runs)}).encode()


def test_a_run_becomes_five_measurements() -> None:
    rows = read(answer(run(runId="r1", workflowRunUrl="https://host/1"))).rows
    assert {row["metric"]: (row["value"], row["unit"]) for row in rows} == {
        "scenario_duration": (761.0, "s"),
        "blast_radius_nodes": (677.0, "{node}"),
        "blast_radius_edges": (1972.0, "{edge}"),
        "observations": (246.0, "{observation}"),
        "risk_count": (1.0, "{risk}"),
    }
    assert {(row["run_key"], row["attempt"], row["test_name"], row["run_url"]) for row in rows} == {
        ("r1", 1, "combined_all", "https://host/1")
    }


def test_a_list_is_an_answer_too() -> None:
    assert read(json.dumps([run()]).encode()).rows[0]["location"] == "[0].overmindDurationMs"
    assert read(answer(run())).rows[0]["location"] == "results[0].overmindDurationMs"


@pytest.mark.parametrize("content", [b"[]", b'{"results": []}', b'\xef\xbb\xbf { "results" : [ ] , "total": 0}'])
def test_an_answer_without_runs_is_no_error(content: bytes) -> None:
    reading = read(content)
    assert (reading.rows, reading.rejections) == ([], [])


@pytest.mark.parametrize(
    ("field", "missing"),
    [
        ("overmindDurationMs", True),
        ("blastRadiusNodes", True),
        ("blastRadiusEdges", True),
        ("observations", False),
        ("riskCount", False),
    ],
)
def test_zero_is_missing_where_the_producer_means_so(field: str, missing: bool) -> None:
    reading = read(answer(run(**{field: 0})))
    assert len(reading.rows) == (4 if missing else 5)
    assert reading.rejections == []
    assert len(read(answer(run(**{field: None}))).rows) == 4


def test_attempts_of_one_run_are_told_apart() -> None:
    rows = read(answer(run(runId=7), run(runId=7, attempt=2), run(runId="8", runAttempt=3))).rows
    assert {(row["run_key"], row["attempt"]) for row in rows} == {("7", 1), ("7", 2), ("8", 3)}


def test_runs_without_id_are_known_by_their_fields_and_an_ordinal() -> None:
    twice = read(answer(run(), run(), run(observations=5)))
    keys = [row["run_key"] for row in twice.rows if row["metric"] == "risk_count"]
    assert len(set(keys)) == 3
    assert keys[0].split("#")[0] == keys[1].split("#")[0] != keys[2].split("#")[0]
    reordered = dict(reversed(run().items()))
    assert {row["run_key"] for row in read(answer(reordered)).rows} == {keys[0]}


def test_several_pages_may_follow_one_another() -> None:
    reading = read(answer(run()) + b"\n" + json.dumps([run()]).encode() + answer(run(runId="x")))
    assert len({row["run_key"] for row in reading.rows}) == 3
    assert [row["location"] for row in reading.rows[::5]] == [
        "results[0].overmindDurationMs",
        "document 2, [0].overmindDurationMs",
        "document 3, results[0].overmindDurationMs",
    ]


def test_a_page_that_is_no_list_is_rejected_alone() -> None:
    reading = read(answer(run()) + b'{"error": "x"}' + answer(run(runId="x")))
    assert len(reading.rows) == 10
    assert reading.problems == [("document 2", "results", "wrong_type")]


def test_the_time_is_that_of_receipt_unless_the_run_carries_one() -> None:
    (row, *_) = read(answer(run())).rows
    assert row["ts"] is None
    (row, *_) = read(answer(run(startedAt="2026-09-01T08:00:00+02:00"))).rows
    assert (row["ts"].isoformat(), row["time_source"]) == ("2026-09-01T06:00:00", "result")
    (row, *_) = read(answer(run(timestamp=1_788_242_400_000))).rows
    assert (row["ts"].isoformat(), row["time_source"]) == ("2026-09-01T06:00:00", "result")


def test_other_fields_are_context() -> None:
    (row, *_) = read(answer(run(runId="r", evalScore=0.5, highRiskCount=0, odd=float("nan")))).rows
    assert json.loads(row["context"]) == {
        "evalScore": 0.5, "highRiskCount": 0, "odd": "NaN", "runId": "r", "scenario": "combined_all",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (run(scenario=None), "scenario", "missing_identity"),
        (run(scenario="  "), "scenario", "missing_identity"),
        (run(scenario=5), "scenario", "missing_identity"),
        (run(timestamp="soon"), "timestamp", "bad_time"),
        (run(attempt="second"), "attempt", "wrong_type"),
        (run(attempt=2**31), "attempt", "wrong_type"),
        ("a run", "", "wrong_type"),
    ],
)
def test_a_broken_run_is_rejected_whole(broken: Any, field: str, reason: str) -> None:
    reading = read(answer(run(), broken, run()))
    assert len(reading.rows) == 10
    assert reading.problems == [("results[1]", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("overmindDurationMs", -1, "impossible_value"),
        ("overmindDurationMs", "761000", "wrong_type"),
        ("overmindDurationMs", False, "wrong_type"),
        ("observations", float("nan"), "not_finite"),
        ("blastRadiusEdges", float("inf"), "not_finite"),
        ("riskCount", [1], "wrong_type"),
    ],
)
def test_a_broken_field_is_rejected_and_the_others_are_read(field: str, value: Any, reason: str) -> None:
    reading = read(answer(run(**{field: value})))
    assert len(reading.rows) == 4
    assert reading.problems == [("results[0]", field, reason)]
    assert_helpful(reading.rejections[0])


def test_bytes_that_are_not_utf_8_reject_the_run_they_name() -> None:
    reading = read(answer(run("good"), run("bad!")).replace(b"bad!", b"bad\xff"))
    assert {row["test_name"] for row in reading.rows} == {"good"}
    assert reading.problems == [("results[1]", "scenario", "missing_identity")]


def test_byte_order_mark_and_line_ends_do_not_matter() -> None:
    content = json.dumps([run(), run()], indent=1).encode()
    assert read(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")) == read(content)


def test_an_answer_cut_anywhere_gives_a_part_of_its_runs_and_says_so() -> None:
    content = answer(run(steps=[{"a": 1}], runId=1), run(steps=[{"a": 1}], runId=2)) + answer(run(runId=3))
    whole = read(content).rows
    for end in range(len(content)):
        try:
            reading = read(content[:end])
        except FormatError as error:
            assert error.reason == "unknown_format"
            assert NAME in str(error)
            continue
        assert reading.rows == whole[: len(reading.rows)]
        if end != content.index(b"}{") + 1:
            assert [rejection.reason for rejection in reading.rejections] == ["truncated"]
            assert_helpful(reading.rejections[0])


def test_an_answer_that_is_no_list_says_what_was_expected() -> None:
    content = json.dumps({"results": {"scenario": "x", "riskCount": 1}}).encode()
    [rejection] = read(content, format_named("scenario-runs")).rejections
    assert (rejection.location, rejection.reason) == ("results", "wrong_type")
    assert "expected a list" in rejection.message
