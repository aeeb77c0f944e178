"""Lines of Dagster's runs: each rule, and what can be wrong with one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.dagster_runs import FORMAT
from perf_assets_tests.formats.damage import anything, assert_broken_anywhere_is_borne
from perf_assets_tests.formats.reading import assert_helpful, read

AT = 1_789_020_000.0
"""2026-09-10T06:00:00Z"""


def step(name: str = "load", **more: Any) -> dict[str, Any]:
    known = {"status": "SUCCESS", "attempts": 1, "started_at": AT + 2, "ended_at": AT + 5.5}
    return {"step": name} | known | more


def run(*steps: Any, **more: Any) -> dict[str, Any]:
    return {
        "dagster_run": "r1", "root_run": None, "retry": None, "job": "nightly", "code_location": "shop",
        "partition": {}, "is_part": False, "status": "SUCCESS",
        "enqueued_at": AT - 30, "started_at": AT, "ended_at": AT + 60,
        "steps": list(steps),
    } | more  # fmt: skip


def lines(*runs: Any) -> bytes:
    return b"".join(json.dumps(run).encode() + b"\n" for run in runs)


WHOLE = lines(run(step()))


def test_a_run_is_its_duration_its_wait_and_its_steps() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("dagster-runs", [], {})
    assert reading.column("location", "metric", "test_name", "test_type", "value") == [
        ("ended_at", "pipeline_duration", "nightly", "pipeline", 60.0),
        ("started_at", "queue_wait_time", "nightly", "pipeline", 30.0),
        ("steps[0].ended_at", "step_duration", "nightly / load", "step", 3.5),
    ]
    assert set(reading.column("project", "run_key", "attempt")) == {("dagster", "r1", 1)}
    assert [row["ts"].isoformat() for row in reading.rows] == ["2026-09-10T06:00:00"] * 2 + ["2026-09-10T06:00:02"]


def test_a_retry_is_a_further_attempt_and_a_reexecution_a_run_of_its_own() -> None:
    reading = read(lines(run(), run(dagster_run="r2", root_run="r1", retry="1"), run(dagster_run="r3", root_run="r1")))
    durations = [(row["run_key"], row["attempt"]) for row in reading.rows if row["metric"] == "pipeline_duration"]
    assert durations == [("r1", 1), ("r1", 2), ("r3", 1)]
    assert reading.rows[-1]["location"] == "document 3.started_at"


@pytest.mark.parametrize("more", [{"is_part": True}, {"job": "__ASSET_JOB"}])
def test_parts_of_a_job_are_only_their_steps(more: dict[str, Any]) -> None:
    assert read(lines(run(step(), enqueued_at=None, **more))).column("metric") == ["step_duration"]


@pytest.mark.parametrize(
    ("status", "outcome"), [("FAILURE", {"failed": 2}), ("CANCELED", {"skipped": 2}), ("STARTED", {}), (None, {})]
)
def test_what_did_not_succeed_gives_no_value(status: str | None, outcome: dict[str, int]) -> None:
    reading = read(lines(run(step(status=status), status=status)))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], outcome)


@pytest.mark.parametrize(
    ("broken", "location", "field", "reason", "rows"),
    [
        (run(step(), ended_at=AT - 1), "document 2", "ended_at", "impossible_value", 1),
        (run(step(), started_at=None), "document 2", "started_at", "missing_time", 1),
        (run(step(), job=""), "document 2", "job", "missing_identity", 0),
        (run(step(), dagster_run=5), "document 2", "dagster_run", "missing_identity", 0),
        (run(step(""), step("x")), "document 2.steps[0]", "step", "missing_identity", 3),
        (run(step(ended_at="soon")), "document 2.steps[0]", "ended_at", "bad_time", 2),
        ([1], "document 2", "", "wrong_type", 0),
    ],
)
def test_a_broken_line_or_step_is_rejected_and_the_rest_is_read(
    broken: Any, location: str, field: str, reason: str, rows: int
) -> None:
    reading = read(lines(run(), broken, run()))
    assert reading.problems == [(location, field, reason)]
    assert len(reading.rows) == rows + 4
    assert_helpful(reading.rejections[0])


def test_any_prefix_gives_the_first_rows() -> None:
    content = lines(run(step()), run(step(), dagster_run="r2"))
    whole, counts = read(content, FORMAT).rows, set()
    for end in range(len(content)):
        reading = read(content[:end], FORMAT)
        assert reading.rows == whole[: len(reading.rows)]
        counts.add(len(reading.rows))
    assert counts == {0, 3, 6}


@given(st.integers(0, 1_000), anything)
def test_any_value_anywhere_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(WHOLE, FORMAT, place, value)
