"""Answers of GitHub's API: the recorded ones row by row, each rule, and what can be wrong with one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.github_actions import JOBS, RUN, RUNS
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import SHARED, assert_helpful, read, read_file

RUNS_FILE = SHARED / "github_actions" / "runs.json"
JOBS_FILE = SHARED / "github_actions" / "jobs.json"
REPOSITORY = "https://api.github.com/repos/org/shop"
PAGE = "https://github.com/org/shop/actions/runs/7"


def run(**more: Any) -> dict[str, Any]:
    return {
        "id": 7, "name": "CI", "path": ".github/workflows/ci.yml", "head_branch": "main", "head_sha": "c0ffee",
        "run_number": 41, "event": "push", "status": "completed", "conclusion": "success", "workflow_id": 3,
        "url": f"{REPOSITORY}/actions/runs/7", "html_url": PAGE, "run_attempt": 1,
        "created_at": "2026-09-10T06:00:00Z", "run_started_at": "2026-09-10T06:00:00Z",
        "updated_at": "2026-09-10T06:10:00Z",
    } | more  # fmt: skip


def step(name: str = "Run tests", **more: Any) -> dict[str, Any]:
    return {
        "name": name, "status": "completed", "conclusion": "success", "number": 1,
        "started_at": "2026-09-10T06:01:00Z", "completed_at": "2026-09-10T06:01:30Z",
    } | more  # fmt: skip


def job(*steps: Any, name: str = "build", **more: Any) -> dict[str, Any]:
    return {
        "id": 70, "run_id": 7, "run_attempt": 1, "workflow_name": "CI", "head_branch": "main", "head_sha": "c0ffee",
        "url": f"{REPOSITORY}/actions/jobs/70", "html_url": f"{PAGE}/job/70", "status": "completed",
        "conclusion": "success", "created_at": "2026-09-10T06:00:00Z", "started_at": "2026-09-10T06:00:20Z",
        "completed_at": "2026-09-10T06:05:20Z", "name": name, "steps": list(steps), "labels": ["ubuntu-latest"],
        "runner_name": "linux-07", "runner_group_name": "builders",
    } | more  # fmt: skip


def runs_page(*runs: Any) -> bytes:
    return json.dumps({"total_count": len(runs), "workflow_runs": list(runs)}).encode()


def jobs_page(*jobs: Any) -> bytes:
    return json.dumps({"total_count": len(jobs), "jobs": list(jobs)}).encode()


WHOLE = jobs_page(job(step()))


@pytest.mark.skipif(not RUNS_FILE.exists(), reason=f"needs {RUNS_FILE}")
def test_the_recorded_runs() -> None:
    reading = read_file(RUNS_FILE)
    assert (reading.format, reading.rejections, reading.omitted) == ("github-actions-runs", [], {"failed": 1})
    assert reading.column("project", "test_name", "value", "ts", "run_key", "attempt", "branch") == [
        ("biomejs/biome", "Lint Pull Request Titles", 36.0, datetime.fromisoformat("2026-01-29T17:16:15"),
         "21487811823", 1, "branch-1"),
        ("step-security/skip-duplicate-actions", "Build & Test", 72.0, datetime.fromisoformat("2025-07-30T10:30:31"),
         "16620109074", 1, "branch-3"),
    ]  # fmt: skip
    assert set(reading.column("metric", "unit", "test_type")) == {("pipeline_duration", "s", "pipeline")}


@pytest.mark.skipif(not JOBS_FILE.exists(), reason=f"needs {JOBS_FILE}")
def test_the_recorded_jobs() -> None:
    reading = read_file(JOBS_FILE)
    assert (reading.format, reading.rejections, reading.omitted) == ("github-actions-jobs", [], {"failed": 2})
    titles, build = "Lint Pull Request Titles / Validate PR title", "Build & Test"
    action = f"{titles} / Run amannn/action-semantic-pull-request"
    assert reading.column("location", "metric", "test_name", "value", "run_key") == [
        ("jobs[0].completed_at", "job_duration", titles, 34.0, "21487811823"),
        ("jobs[0].started_at", "queue_wait_time", titles, 1.0, "21487811823"),
        ("jobs[0].steps[0].completed_at", "step_duration", f"{titles} / Set up job", 1.0, "21487811823"),
        ("jobs[0].steps[1].completed_at", "step_duration", action, 5.0, "21487811823"),
        ("jobs[0].steps[2].completed_at", "step_duration", f"{titles} / Complete job", 0.0, "21487811823"),
        ("jobs[1].steps[0].completed_at", "step_duration", f"{titles} / Set up job", 2.0, "21458831126"),
        ("jobs[1].steps[2].completed_at", "step_duration", f"{titles} / Complete job", 0.0, "21458831126"),
        ("jobs[2].completed_at", "job_duration", f"{build} / pre_job", 16.0, "16620109074"),
        ("jobs[2].started_at", "queue_wait_time", f"{build} / pre_job", 9.0, "16620109074"),
        ("jobs[3].completed_at", "job_duration", f"{build} / skip_individual_steps_job", 17.0, "16620109074"),
        ("jobs[3].started_at", "queue_wait_time", f"{build} / skip_individual_steps_job", 8.0, "16620109074"),
        ("jobs[4].completed_at", "job_duration", f"{build} / build", 31.0, "16620109074"),
        ("jobs[4].started_at", "queue_wait_time", f"{build} / build", 5.0, "16620109074"),
        ("jobs[5].completed_at", "job_duration", f"{build} / private_action", 48.0, "16620109074"),
        ("jobs[5].started_at", "queue_wait_time", f"{build} / private_action", 8.0, "16620109074"),
        ("jobs[6].completed_at", "job_duration", f"{build} / main_job", 40.0, "16620109074"),
        ("jobs[6].started_at", "queue_wait_time", f"{build} / main_job", 5.0, "16620109074"),
    ]
    assert reading.column("node_id", "node_type", "ci_job_id", "branch")[0] == (
        "depot-ptc3146psq", "default", "61901817921", "branch-1",
    )  # fmt: skip


def test_a_run_is_a_measurement_of_its_workflow() -> None:
    (row,) = read(runs_page(run(run_attempt=2))).rows
    assert (row["project"], row["run_key"], row["attempt"], row["value"]) == ("org/shop", "7", 2, 600.0)
    assert (row["branch"], row["commit_id"], row["run_url"]) == ("main", "c0ffee", PAGE)
    assert (row["ts"].isoformat(), row["time_source"]) == ("2026-09-10T06:00:00", "result")
    assert json.loads(row["context"]) == {"event": "push", "run_number": 41, "workflow": ".github/workflows/ci.yml"}
    assert read(json.dumps(run(run_attempt=2)).encode()).rows == [row | {"location": "updated_at"}]


def test_a_job_is_its_duration_its_wait_and_its_steps_on_a_runner() -> None:
    reading = read(WHOLE)
    assert reading.column("metric", "test_name", "test_type", "value") == [
        ("job_duration", "CI / build", "job", 300.0),
        ("queue_wait_time", "CI / build", "job", 20.0),
        ("step_duration", "CI / build / Run tests", "step", 30.0),
    ]
    assert set(reading.column("node_id", "node_type", "ci_job_id", "run_url", "run_key", "attempt")) == {
        ("linux-07", "builders", "70", PAGE, "7", 1)
    }
    assert json.loads(reading.rows[0]["context"]) == {"job_url": f"{PAGE}/job/70", "runner_labels": ["ubuntu-latest"]}


def test_statuses_are_read_in_any_case() -> None:
    mixed = job(step(status="Completed", conclusion="SUCCESS"), status="COMPLETED", conclusion="Success")
    assert len(read(jobs_page(mixed)).rows) == 3


@pytest.mark.parametrize(
    ("conclusion", "outcome"),
    [
        ("failure", "failed"), ("timed_out", "failed"), ("FAILURE", "failed"), ("startup_failure", "errored"),
        ("cancelled", "skipped"), ("skipped", "skipped"), ("neutral", "skipped"), ("stale", "skipped"),
        ("action_required", "skipped"), ("something_new", "skipped"),
    ],
)  # fmt: skip
def test_what_did_not_succeed_is_counted_and_gives_no_value(conclusion: str, outcome: str) -> None:
    reading = read(jobs_page(job(step(conclusion=conclusion), conclusion=conclusion)))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], {outcome: 2})
    reading = read(runs_page(run(conclusion=conclusion)))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], {outcome: 1})


def test_steps_that_succeeded_in_a_job_that_failed_are_measured() -> None:
    reading = read(jobs_page(job(step("Set up"), step("Test", conclusion="failure"), conclusion="failure")))
    assert (reading.column("test_name"), reading.omitted) == (["CI / build / Set up"], {"failed": 2})


@pytest.mark.parametrize(
    "unfinished",
    [
        {"status": "in_progress", "conclusion": None, "completed_at": None}, {"status": "queued", "conclusion": None},
        {"completed_at": None}, {"status": None}, {"conclusion": None},
    ],
)  # fmt: skip
def test_what_has_not_completed_is_left_out(unfinished: dict[str, Any]) -> None:
    reading = read(jobs_page(job(step(**unfinished), **unfinished)))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], {})


def test_runs_that_have_not_completed_are_left_out() -> None:
    reading = read(runs_page(run(status="in_progress", conclusion=None)))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], {})


def test_attempts_are_told_apart_and_a_job_that_was_carried_over_counts_once() -> None:
    again = job(run_attempt=2, created_at="2026-09-10T08:00:00Z")
    anew = job(name="test", run_attempt=2, created_at="2026-09-10T08:00:00Z", started_at="2026-09-10T08:00:05Z",
               completed_at="2026-09-10T08:01:00Z")  # fmt: skip
    reading = read(jobs_page(again, anew))
    assert reading.column("test_name", "attempt", "value") == [("CI / test", 2, 55.0), ("CI / test", 2, 5.0)]
    assert reading.rejections == []


def test_a_job_of_a_rerun_that_starts_a_second_early_is_no_carried_over_one() -> None:
    early = job(run_attempt=2, created_at="2026-09-10T06:00:21Z")
    reading = read(jobs_page(early))
    assert ("job_duration", 300.0) in reading.column("metric", "value")


def test_the_version_of_an_action_is_context() -> None:
    names = [
        "Run actions/checkout@v4",
        "Post Run actions/checkout@8edcb1bdb4e2",
        "Run echo me@host",
        "Run a b/c@1",
    ]
    rows = read(jobs_page(job(*(step(name) for name in names)))).rows[2:]
    assert [row["test_name"].removeprefix("CI / build / ") for row in rows] == [
        "Run actions/checkout", "Post Run actions/checkout", "Run echo me@host", "Run a b/c@1",
    ]  # fmt: skip
    assert [json.loads(row["context"]).get("action_version") for row in rows] == ["v4", "8edcb1bdb4e2", None, None]


def test_jobs_and_steps_of_one_name_are_told_apart() -> None:
    reading = read(jobs_page(job(step("Test"), step("Test")), job(), job(run_id=8)))
    names = [row["test_name"] for row in reading.rows if row["metric"] != "queue_wait_time"]
    assert names == ["CI / build", "CI / build / Test", "CI / build / Test (2)", "CI / build (2)", "CI / build"]


def test_a_job_without_workflow_runner_or_creation() -> None:
    reading = read(jobs_page(job(workflow_name=None, runner_name=None, runner_group_name=None, created_at=None)))
    assert reading.column("metric", "test_name", "node_id", "node_type") == [("job_duration", "build", None, None)]


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        ({"run_started_at": "soon"}, "run_started_at", "bad_time"),
        ({"run_started_at": None}, "run_started_at", "missing_time"),
        ({"updated_at": "2026-09-10T05:59:59Z"}, "updated_at", "impossible_value"),
        ({"id": None}, "id", "missing_identity"),
        ({"id": True}, "id", "missing_identity"),
        ({"run_attempt": 0}, "run_attempt", "wrong_type"),
        ({"name": None, "path": None}, "name", "missing_identity"),
        ({"name": 5}, "name", "missing_identity"),
    ],
)
def test_a_broken_run_is_rejected_and_its_neighbours_are_read(broken: dict[str, Any], field: str, reason: str) -> None:
    reading = read(runs_page(run(), run(**broken), run(id=8)))
    assert reading.column("run_key") == ["7", "8"]
    assert reading.problems == [("workflow_runs[1]", field, reason)]
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "location", "field", "reason", "rows"),
    [
        (job(step(), completed_at="x"), "jobs[0]", "completed_at", "bad_time", 1),
        (job(step(), created_at="2026-09-10T06:00:21Z"), "jobs[0]", "started_at", "impossible_value", 2),
        (job(step(), name=""), "jobs[0]", "name", "missing_identity", 0),
        (job(step(), run_id=None), "jobs[0]", "run_id", "missing_identity", 0),
        (job(step(started_at=None), step("B")), "jobs[0].steps[0]", "started_at", "missing_time", 3),
        (job(step("x" * 999), step("B")), "jobs[0].steps[0]", "name", "missing_identity", 3),
        (job(5, step("B")), "jobs[0].steps[0]", "name", "missing_identity", 3),
        ("job", "jobs[0]", "", "wrong_type", 0),
    ],
)
def test_a_broken_job_or_step_is_rejected_and_the_rest_is_read(
    broken: Any, location: str, field: str, reason: str, rows: int
) -> None:
    reading = read(jobs_page(broken), JOBS)
    assert reading.problems == [(location, field, reason)]
    assert len(reading.rows) == rows
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (runs_page(), "github-actions-runs"), (jobs_page(), "github-actions-jobs"),
        (runs_page(run()), "github-actions-runs"), (jobs_page(job()), "github-actions-jobs"),
        (json.dumps(run()).encode(), "github-actions-run"),
        (json.dumps(dict(reversed(list(run().items())))).encode(), "github-actions-run"),
    ],
)  # fmt: skip
def test_each_answer_is_told_from_its_content(content: bytes, name: str) -> None:
    assert read(content).format == name


def test_any_prefix_gives_the_first_rows() -> None:
    assert_every_prefix_gives_a_prefix(jobs_page(job(step(), step("B")), job(id=71)), JOBS)
    assert_every_prefix_gives_a_prefix(runs_page(run(), run(id=8)), RUNS)


@given(st.integers(0, 1_000), anything)
def test_any_value_anywhere_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(WHOLE, JOBS, place, value)
    assert_broken_anywhere_is_borne(runs_page(run()), RUNS, place, value)
    assert_broken_anywhere_is_borne(json.dumps(run()).encode(), RUN, place, value)
