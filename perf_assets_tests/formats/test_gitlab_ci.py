"""Answers of GitLab's API: pipelines, jobs with their retries, and what can be wrong with one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.gitlab_ci import JOBS, PIPELINES
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import assert_helpful, read

PAGE = "https://gitlab.example.org/org/group/shop/-"


def pipeline(**more: Any) -> dict[str, Any]:
    return {
        "id": 47, "iid": 12, "project_id": 1, "sha": "c0ffee", "ref": "main", "status": "success", "source": "push",
        "created_at": "2026-09-10T06:00:00.000Z", "updated_at": "2026-09-10T06:11:00.000Z",
        "started_at": "2026-09-10T08:00:30.500+02:00", "finished_at": "2026-09-10T06:10:30.000Z", "duration": 570,
        "queued_duration": 30, "web_url": f"{PAGE}/pipelines/47", "tag": False,
    } | more  # fmt: skip


def job(**more: Any) -> dict[str, Any]:
    return {
        "id": 700, "status": "success", "stage": "test", "name": "unit", "ref": "main", "allow_failure": False,
        "created_at": "2026-09-10T06:00:00Z", "started_at": "2026-09-10T06:00:12.250Z",
        "finished_at": "2026-09-10T06:02:12Z", "duration": 119.75, "queued_duration": 12.25,
        "tag_list": ["docker"], "web_url": f"{PAGE}/jobs/{more.get('id', 700)}",
        "pipeline": {"id": 47, "project_id": 1, "ref": "main", "sha": "c0ffee", "web_url": f"{PAGE}/pipelines/47"},
        "runner": {"id": 32, "description": "linux-07", "runner_type": "group_type", "is_shared": False},
    } | more  # fmt: skip


def document(content: Any) -> bytes:
    return json.dumps(content).encode()


WHOLE = document([job()])


def test_a_pipeline_is_its_duration_and_its_wait() -> None:
    reading = read(document(pipeline()))
    assert (reading.format, reading.rejections, reading.omitted) == ("gitlab-pipelines", [], {})
    assert reading.column("location", "metric", "test_name", "test_type", "value") == [
        ("duration", "pipeline_duration", "pipeline[source=push]", "pipeline", 570.0),
        ("queued_duration", "queue_wait_time", "pipeline[source=push]", "pipeline", 30.0),
    ]
    row = reading.rows[0]
    assert (row["project"], row["run_key"], row["attempt"], row["branch"]) == ("org/group/shop", "47", 1, "main")
    assert (row["ts"].isoformat(), row["run_url"]) == ("2026-09-10T06:00:30.500000", f"{PAGE}/pipelines/47")
    again = read(document([pipeline(), pipeline(id=48, duration=None)]))
    assert again.column("location", "value") == [("[0].duration", 570.0), ("[0].queued_duration", 30.0)]


def test_a_job_is_its_duration_and_its_wait_on_a_runner() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections) == ("gitlab-jobs", [])
    assert reading.column("metric", "test_name", "value") == [
        ("job_duration", "test / unit", 119.75), ("queue_wait_time", "test / unit", 12.25),
    ]  # fmt: skip
    assert set(reading.column("node_id", "node_type", "run_key", "ci_job_id", "commit_id", "project")) == {
        ("linux-07", "group_type", "47", "700", "c0ffee", "org/group/shop")
    }
    assert json.loads(reading.rows[0]["context"]) == {"job_url": f"{PAGE}/jobs/700", "tags": ["docker"]}


def test_a_retry_is_a_further_attempt_whatever_page_it_is_on() -> None:
    first, second, third = job(id=9, status="failed"), job(id=11), job(id=12, duration=60)
    other = job(id=10, pipeline=job()["pipeline"] | {"id": 48})
    reading = read(document([third, other]) + b"\n" + document([second, first, job(id=13, name="lint")]))
    durations = [row for row in reading.rows if row["metric"] == "job_duration"]
    assert [(row["run_key"], row["test_name"], row["attempt"], row["value"]) for row in durations] == [
        ("47", "test / unit", 3, 60.0), ("48", "test / unit", 1, 119.75), ("47", "test / unit", 2, 119.75),
        ("47", "test / lint", 1, 119.75),
    ]  # fmt: skip
    assert reading.omitted == {"failed": 1}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("failed", {"failed": 1}), ("canceled", {"skipped": 1}), ("skipped", {"skipped": 1}), ("FAILED", {"failed": 1}),
        ("running", {}), ("pending", {}), ("created", {}), ("manual", {}), (None, {}),
    ],
)  # fmt: skip
def test_what_did_not_succeed_gives_no_value(status: str | None, outcome: dict[str, int]) -> None:
    for content in (document([job(status=status)]), document(pipeline(status=status))):
        reading = read(content)
        assert (reading.rows, reading.rejections, reading.omitted) == ([], [], outcome)


def test_a_job_without_runner_or_wait() -> None:
    reading = read(document([job(runner=None, queued_duration=None, status="Success")]))
    assert reading.column("metric", "node_id") == [("job_duration", None)]


@pytest.mark.parametrize(
    ("broken", "field", "reason", "rows"),
    [
        (job(duration=None), "duration", "missing_value", 0),
        (job(duration=-1), "duration", "impossible_value", 0),
        (job(duration="1"), "duration", "wrong_type", 0),
        (job(queued_duration=-0.5), "queued_duration", "impossible_value", 1),
        (job(started_at=None), "started_at", "missing_time", 0),
        (job(started_at="x"), "started_at", "bad_time", 0),
        (job(name=""), "name", "missing_identity", 0),
        (job(pipeline={}), "id", "missing_identity", 0),
        (5, "", "wrong_type", 0),
    ],
)
def test_a_broken_job_is_rejected_and_the_rest_is_read(broken: Any, field: str, reason: str, rows: int) -> None:
    reading = read(document([job(), broken, job(id=701, name="lint")]))
    assert reading.problems == [("[1]", field, reason)]
    assert len(reading.rows) == 4 + rows
    assert_helpful(reading.rejections[0])


def test_any_prefix_gives_the_first_rows() -> None:
    assert_every_prefix_gives_a_prefix(document([job(), job(id=701, name="lint")]), JOBS)


@given(st.integers(0, 1_000), anything)
def test_any_value_anywhere_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(WHOLE, JOBS, place, value)
    assert_broken_anywhere_is_borne(document(pipeline()), PIPELINES, place, value)


def test_a_pipeline_of_an_older_server() -> None:
    old = {
        name: value for name, value in pipeline(before_sha="a1").items() if name not in ("source", "queued_duration")
    }
    reading = read(document(old))
    assert reading.format == "gitlab-pipelines"
    assert reading.column("metric", "test_name", "value") == [("pipeline_duration", "pipeline", 570.0)]
