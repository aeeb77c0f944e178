"""Pipelines of CircleCI with workflows and jobs: each rule, and what can be wrong with one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.circleci import FORMAT
from perf_assets_tests.formats.damage import anything, assert_broken_anywhere_is_borne
from perf_assets_tests.formats.reading import assert_helpful, read


def workflow(number: str = "w1", name: str = "build-and-test", **more: Any) -> dict[str, Any]:
    return {
        "id": number, "name": name, "status": "success", "pipeline_id": "p1", "pipeline_number": 25,
        "project_slug": "gh/org/shop", "created_at": "2026-09-10T06:00:00Z", "stopped_at": "2026-09-10T06:05:00Z",
    } | more  # fmt: skip


def job(name: str = "unit", **more: Any) -> dict[str, Any]:
    return {
        "id": "j1", "job_number": 90, "name": name, "status": "success", "type": "build", "project_slug": "gh/org/shop",
        "dependencies": [], "started_at": "2026-09-10T06:00:10Z", "stopped_at": "2026-09-10T06:02:10Z",
    } | more  # fmt: skip


def together(workflows: list[Any], jobs: dict[str, list[Any]], **more: Any) -> bytes:
    pipeline = {
        "id": "p1", "number": 25, "project_slug": "gh/org/shop", "created_at": "2026-09-10T06:00:00Z",
        "vcs": {"branch": "main", "revision": "c0ffee", "tag": None},
    } | more  # fmt: skip
    pages = {name: [{"items": listed, "next_page_token": None}] for name, listed in jobs.items()}
    listed = [{"items": workflows, "next_page_token": None}]
    return json.dumps({"circleci_pipeline": pipeline, "workflows": listed, "jobs": pages}).encode()


WHOLE = together([workflow()], {"w1": [job()]})


def test_a_workflow_is_its_duration_and_that_of_its_jobs() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("circleci", [], {})
    assert reading.column("location", "metric", "test_name", "test_type", "value") == [
        ("workflows[0].items[0].stopped_at", "pipeline_duration", "build-and-test", "pipeline", 300.0),
        ("jobs.w1[0].items[0].stopped_at", "job_duration", "build-and-test / unit", "job", 120.0),
    ]
    assert set(reading.column("project", "run_key", "attempt", "branch", "commit_id")) == {
        ("org/shop", "p1", 1, "main", "c0ffee")
    }
    assert reading.column("ci_job_id") == [None, "j1"]


def test_a_rerun_is_a_further_attempt_and_jobs_that_were_carried_over_count_once() -> None:
    again = workflow("w0", created_at="2026-09-10T07:00:00Z", stopped_at="2026-09-10T07:01:00Z")
    anew = job("e2e", started_at="2026-09-10T07:00:05Z", stopped_at="2026-09-10T07:00:55Z")
    first = workflow(status="failed")
    reading = read(together([again, first, workflow("w2", "nightly")], {"w0": [job(), anew], "w1": [job()]}))
    assert reading.column("test_name", "attempt", "value") == [
        ("build-and-test", 2, 60.0), ("build-and-test / e2e", 2, 50.0), ("build-and-test / unit", 1, 120.0),
        ("nightly", 1, 300.0),
    ]  # fmt: skip
    assert reading.omitted == {"failed": 1}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("failed", {"failed": 2}), ("timedout", {"failed": 2}), ("error", {"errored": 2}),
        ("infrastructure_fail", {"errored": 2}), ("canceled", {"skipped": 2}), ("not_run", {"skipped": 2}),
        ("unauthorized", {"skipped": 2}), ("FAILED", {"failed": 2}), ("running", {}), ("on_hold", {}), ("failing", {}),
        ("queued", {}), (None, {}),
    ],
)  # fmt: skip
def test_what_did_not_succeed_gives_no_value(status: str | None, outcome: dict[str, int]) -> None:
    reading = read(together([workflow(status=status)], {"w1": [job(status=status)]}))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], outcome)


def test_approvals_are_no_jobs_and_jobs_of_one_name_are_told_apart() -> None:
    hold = job("hold", type="approval", stopped_at=None)
    reading = read(together([workflow()], {"w1": [hold, job(), job()]}))
    assert reading.column("test_name")[1:] == ["build-and-test / unit", "build-and-test / unit (2)"]
    assert reading.rejections == []


def test_jobs_of_one_name_are_told_apart_over_all_pages() -> None:
    document = json.loads(together([workflow()], {"w1": [job(), job()]}))
    document["jobs"]["w1"] *= 2
    names = read(json.dumps(document).encode()).column("test_name")[1:]
    assert [name.removeprefix("build-and-test / ") for name in names] == ["unit", "unit (2)", "unit (3)", "unit (4)"]


@pytest.mark.parametrize(
    ("broken", "location", "field", "reason", "rows"),
    [
        (job(stopped_at=None), "jobs.w1[0].items[0]", "stopped_at", "missing_time", 2),
        (job(stopped_at="2026-09-10T06:00:09Z"), "jobs.w1[0].items[0]", "stopped_at", "impossible_value", 2),
        (job(""), "jobs.w1[0].items[0]", "name", "missing_identity", 2),
        (5, "jobs.w1[0].items[0]", "name", "missing_identity", 2),
    ],
)
def test_a_broken_job_is_rejected_and_the_rest_is_read(
    broken: Any, location: str, field: str, reason: str, rows: int
) -> None:
    reading = read(together([workflow()], {"w1": [broken, job()]}))
    assert reading.problems == [(location, field, reason)]
    assert len(reading.rows) == rows
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "field", "reason", "rows"),
    [
        (workflow(stopped_at="x"), "stopped_at", "bad_time", 1),
        (workflow(created_at=None), "created_at", "missing_time", 1),
    ],
)
def test_a_broken_workflow_is_rejected_and_its_jobs_are_read(broken: Any, field: str, reason: str, rows: int) -> None:
    reading = read(together([broken], {"w1": [job()]}))
    assert reading.problems == [("workflows[0].items[0]", field, reason)]
    assert len(reading.rows) == rows


def test_a_pipeline_without_an_id_is_rejected() -> None:
    assert read(together([workflow()], {}, id=None)).problems == [("", "id", "missing_identity")]


def test_several_pipelines_may_follow_one_another_and_one_may_be_cut() -> None:
    content = WHOLE + b"\n" + WHOLE.replace(b'"p1"', b'"p2"')
    assert read(content).column("run_key") == ["p1", "p1", "p2", "p2"]
    cut = read(content[:-5])
    assert (cut.column("run_key"), [rejection.reason for rejection in cut.rejections]) == (["p1", "p1"], ["truncated"])


@given(st.integers(0, 1_000), anything)
def test_any_value_anywhere_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(WHOLE, FORMAT, place, value)
