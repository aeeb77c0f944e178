"""Answers of Jenkins: builds, stages, and what is still being built."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.jenkins import BUILDS, STAGES
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import assert_helpful, read

AT = 1_789_020_000_000
"""2026-09-10T06:00:00Z"""
JOB = "https://ci.example.org/jenkins/job/team/job/shop%20front"


def revision(branch: str = "refs/remotes/origin/main", commit: str = "c0ffee") -> dict[str, Any]:
    return {"lastBuiltRevision": {"SHA1": commit, "branch": [{"name": branch}]}}


def build(number: int = 12, **more: Any) -> dict[str, Any]:
    return {
        "_class": "hudson.model.FreeStyleBuild", "number": number, "url": f"{JOB}/{number}/", "result": "SUCCESS",
        "building": False, "duration": 61_500, "timestamp": AT, "builtOn": "linux-07",
        "actions": [{}, {"queuingDurationMillis": 1_500}, revision()],
    } | more  # fmt: skip


def stage(name: str = "Test", **more: Any) -> dict[str, Any]:
    return {
        "id": "9", "name": name, "execNode": "linux-07", "status": "SUCCESS", "startTimeMillis": AT + 2_000,
        "durationMillis": 30_000, "pauseDurationMillis": 0,
    } | more  # fmt: skip


def pipeline(*stages: Any, **more: Any) -> dict[str, Any]:
    return {
        "_links": {"self": {"href": "/jenkins/job/team/job/shop%20front/12/wfapi/describe"}}, "id": "12", "name": "#12",
        "status": "SUCCESS", "startTimeMillis": AT, "endTimeMillis": AT + 60_000, "durationMillis": 60_000,
        "queueDurationMillis": 3, "pauseDurationMillis": 0, "stages": list(stages),
    } | more  # fmt: skip


def listed(*builds: Any, name: str = "allBuilds") -> bytes:
    return json.dumps({"_class": "hudson.model.FreeStyleProject", "fullName": "team/shop", name: list(builds)}).encode()


def document(content: Any) -> bytes:
    return json.dumps(content).encode()


WHOLE = listed(build())


def test_a_build_is_its_time_and_its_wait() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("jenkins-builds", [], {})
    assert reading.column("location", "metric", "test_name", "test_type", "value", "raw_value") == [
        ("allBuilds[0].duration", "build_time", "team/shop front", "build", 61.5, 61_500.0),
        ("allBuilds[0].actions[1].queuingDurationMillis", "queue_wait_time", "team/shop front", "build", 1.5, 1_500.0),
    ]
    assert set(reading.column("project", "run_key", "attempt", "node_id", "branch", "commit_id")) == {
        ("team/shop front", "team/shop front#12", 1, "linux-07", "main", "c0ffee")
    }
    assert (reading.rows[0]["ts"].isoformat(), reading.rows[0]["run_url"]) == ("2026-09-10T06:00:00", f"{JOB}/12/")


@pytest.mark.parametrize("content", [document(build()), listed(build(), name="builds")])
def test_a_single_build_and_the_short_list_are_read_alike(content: bytes) -> None:
    reading = read(content)
    assert (reading.format, reading.column("value")) == ("jenkins-builds", [61.5, 1.5])


def test_the_stages_of_a_pipeline() -> None:
    paused = stage("Deploy", durationMillis=90_000, pauseDurationMillis=80_000, execNode="")
    reading = read(document(pipeline(stage(), paused, stage())))
    assert (reading.format, reading.rejections) == ("jenkins-stages", [])
    assert reading.column("metric", "test_name", "value", "node_id") == [
        ("queue_wait_time", "team/shop front", 0.003, None),
        ("step_duration", "team/shop front / Test", 30.0, "linux-07"),
        ("step_duration", "team/shop front / Deploy", 10.0, None),
        ("step_duration", "team/shop front / Test (2)", 30.0, "linux-07"),
    ]
    assert set(reading.column("run_key")) == {"team/shop front#12"}
    assert read(document([pipeline(stage())])).column("location") == [
        "[0].queueDurationMillis", "[0].stages[0].durationMillis",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "unfinished", [{"building": True, "duration": 0, "result": None}, {"result": None}, {"building": True}]
)
def test_what_is_still_being_built_is_left_out(unfinished: dict[str, Any]) -> None:
    reading = read(listed(build(**unfinished), build(13)))
    assert (reading.column("run_key"), reading.rejections) == (["team/shop front#13"] * 2, [])


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ("FAILURE", {"failed": 1}), ("UNSTABLE", {"failed": 1}), ("ABORTED", {"skipped": 1}),
        ("NOT_BUILT", {"skipped": 1}), ("failure", {"failed": 1}),
    ],
)  # fmt: skip
def test_builds_that_did_not_succeed_give_no_value(result: str, outcome: dict[str, int]) -> None:
    reading = read(listed(build(result=result)))
    assert (reading.rows, reading.rejections, reading.omitted) == ([], [], outcome)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("FAILED", {"failed": 1}), ("UNSTABLE", {"failed": 1}), ("ABORTED", {"skipped": 1}),
        ("NOT_EXECUTED", {"skipped": 1}), ("IN_PROGRESS", {}), ("PAUSED_PENDING_INPUT", {}),
    ],
)  # fmt: skip
def test_stages_that_did_not_succeed_give_no_value(status: str, outcome: dict[str, int]) -> None:
    reading = read(document(pipeline(stage(status=status), stage("Lint"), status=status)))
    assert (reading.column("test_name"), reading.omitted) == (["team/shop front / Lint"], outcome)


@pytest.mark.parametrize(
    ("actions", "branch", "commit"),
    [
        ([revision("origin/main")], "main", "c0ffee"),
        ([revision("refs/heads/feature/x")], "feature/x", "c0ffee"),
        ([revision("detached")], None, "c0ffee"),
        ([revision(), revision("origin/main", "other")], None, None),
        ([revision(), revision()], "main", "c0ffee"),
        ([], None, None),
        (None, None, None),
    ],
)
def test_branch_and_commit_are_those_of_one_checkout(actions: Any, branch: str | None, commit: str | None) -> None:
    row = read(listed(build(actions=actions))).rows[0]
    assert (row["branch"], row["commit_id"]) == (branch, commit)


@pytest.mark.parametrize(
    ("broken", "location", "field", "reason", "rows"),
    [
        (build(duration=0), "allBuilds[1]", "duration", "missing_value", 0),
        (build(duration=-5), "allBuilds[1]", "duration", "impossible_value", 0),
        (build(duration=None), "allBuilds[1]", "duration", "missing_value", 0),
        (build(timestamp=None), "allBuilds[1]", "timestamp", "missing_time", 0),
        (build(timestamp="soon"), "allBuilds[1]", "timestamp", "bad_time", 0),
        (build(url="https://ci/view/all/"), "allBuilds[1]", "url", "missing_identity", 0),
        (build(url="https://[ci/job/a/1/"), "allBuilds[1]", "url", "missing_identity", 0),
        (build(number=None), "allBuilds[1]", "number", "missing_identity", 0),
        (build(actions=[{"queuingDurationMillis": -1}]), "allBuilds[1].actions[0]", "queuingDurationMillis",
         "impossible_value", 1),
        ("build", "allBuilds[1]", "", "wrong_type", 0),
    ],
)  # fmt: skip
def test_a_broken_build_is_rejected_and_the_rest_is_read(
    broken: Any, location: str, field: str, reason: str, rows: int
) -> None:
    reading = read(listed(build(11), broken, build(13)))
    assert reading.problems == [(location, field, reason)]
    assert len(reading.rows) == 4 + rows
    assert_helpful(reading.rejections[0])


@pytest.mark.parametrize(
    ("broken", "field", "reason"),
    [
        (stage(""), "name", "missing_identity"),
        (stage(durationMillis=None), "durationMillis", "missing_value"),
        (stage(pauseDurationMillis=30_001), "pauseDurationMillis", "impossible_value"),
        (stage(startTimeMillis=None), "startTimeMillis", "missing_time"),
        (5, "name", "missing_identity"),
    ],
)
def test_a_broken_stage_is_rejected_and_the_rest_is_read(broken: Any, field: str, reason: str) -> None:
    reading = read(document(pipeline(stage("A"), broken, stage("B"))))
    assert reading.problems == [("stages[1]", field, reason)]
    assert len(reading.rows) == 3
    assert_helpful(reading.rejections[0])


def test_any_prefix_gives_the_first_rows() -> None:
    assert_every_prefix_gives_a_prefix(listed(build(), build(13)), BUILDS)


@given(st.integers(0, 1_000), anything)
def test_any_value_anywhere_is_borne(place: int, value: Any) -> None:
    assert_broken_anywhere_is_borne(WHOLE, BUILDS, place, value)
    assert_broken_anywhere_is_borne(document(pipeline(stage())), STAGES, place, value)


def test_builds_of_which_only_some_fields_were_asked_for() -> None:
    names = ("number", "result", "timestamp", "duration", "url")
    some = [
        {name: each[name] for name in names} for each in (build(), build(13, result=None), build(14, result="FAILURE"))
    ]
    reading = read(listed(*some, name="builds"))
    assert reading.column("metric", "value", "run_key") == [("build_time", 61.5, "team/shop front#12")]
    assert reading.omitted == {"failed": 1}
