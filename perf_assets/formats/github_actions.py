"""GitHub Actions: answers of the REST API (version 2022-11-28): pages of workflow runs, one run, pages of jobs.

Series: repository and workflow for `pipeline_duration` (test type `pipeline`), repository and `workflow / job` for
`job_duration` and `queue_wait_time` (test type `job`), `workflow / job / step` for `step_duration` (test type `step`);
and the runner and its group, as node and node type. The version in the name of a step that runs an action is left out
(`Run actions/checkout@v4`), so that the series outlives it. Of several jobs or steps of one name in one run or job the
second is called `name (2)`, and so on.

Value: seconds between two times of the answer, whole ones as GitHub gives them: of a run from `run_started_at` to
`updated_at` (there is no other end), of jobs and steps from `started_at` to `completed_at`, of the queue from
`created_at` to `started_at`. Time: the start, by GitHub's clock. Run: `run_id` and `run_attempt`, so that a rerun is a
further attempt at the same run.

What has not completed is left out. Failed, cancelled, skipped and neutral results are counted and give no value, nor
does their time in the queue. A job that was carried over from an earlier attempt (it ended before it was created) is
left out. Status and conclusion are read in upper or lower case. Labels of the runner, event, path and version of an
action explain, and form no series. Known limits: GitHub changes `updated_at` when a run is touched later; jobs of one
name are told apart by their order on a page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from perf_assets.formats.ci_runs import (
    BrokenFieldError,
    guarded,
    identifier_in,
    name_in,
    objects_in,
    path_of,
    place_in,
    results_of,
    span_in,
    texts_in,
    told_apart,
    word_in,
)
from perf_assets.formats.head import Head
from perf_assets.formats.measurement import (
    Format,
    Input,
    Measurement,
    Omission,
    Outcome,
    Problem,
    Result,
    chunked,
    described,
    parse_time,
    read_attempt,
    read_text,
)

_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)/actions/")
_ACTION = re.compile(r"^(?P<name>(?:[A-Z]\w+ )*[\w.-]+/[\w./-]+)@(?P<version>\S+)$")
_JOB_PAGE = re.compile(r"/job/\d+$")
_NO_JOBS = re.compile(r'\{\s*"total_count"\s*:\s*0\s*,\s*"jobs"\s*:\s*\[\s*\]\s*\}\s*$')
_OUTCOMES: dict[str, Outcome] = {"failure": "failed", "timed_out": "failed", "startup_failure": "errored"}


def _is_page_of_runs(head: Head) -> bool:
    return head.has("workflow_runs[].run_number") or head.has("workflow_runs", "total_count")


def _is_run(head: Head) -> bool:
    return head.has("run_attempt", "workflow_id", "run_number", "status")


def _is_page_of_jobs(head: Head) -> bool:
    return head.has("jobs[].run_id", "jobs[].conclusion") or _NO_JOBS.match(head.text) is not None


def _runs(source: Input, pattern: str) -> Iterator[Result]:
    return results_of(source, [pattern], lambda record: _run(source, record.path, record.value))


def _jobs(source: Input) -> Iterator[Result]:
    names: Counter[tuple[object, ...]] = Counter()
    return results_of(source, ["jobs[]"], lambda record: _job(source, record.path, record.value, names))


def _run(source: Input, path: str, run: Mapping[str, Any]) -> Iterator[Result]:
    if not _completed(run):
        return
    outcome = _outcome(run)
    if outcome is not None:
        yield Omission(outcome)
        return
    span = span_in(run, "run_started_at", "updated_at", source.zone)
    told = {"event": run.get("event"), "workflow": run.get("path"), "run_number": run.get("run_number")}
    yield replace(
        _measured(run, "id"),
        location=place_in(path, "updated_at"),
        metric="pipeline_duration",
        raw_value=span.seconds,
        ts=span.started,
        test_name=name_in(run, "name", "path"),
        test_type="pipeline",
        context=described(told),
    )


def _job(source: Input, path: str, job: Mapping[str, Any], names: Counter[tuple[object, ...]]) -> Iterator[Result]:
    run = _measured(job, "run_id")
    if _was_carried_over(source, job, run.attempt):
        return
    workflow = [name_in(job, "workflow_name")] if job.get("workflow_name") else []
    name = told_apart(names, name_in(job, "name"), run.run_key, run.attempt, *workflow)
    told = {"runner_labels": texts_in(job, "labels"), "job_url": job.get("html_url")}
    measured = replace(
        run,
        test_name=path_of("name", *workflow, name),
        ci_job_id=identifier_in(job, "id"),
        node_id=read_text(job.get("runner_name")),
        node_type=read_text(job.get("runner_group_name")),
        context=described(told),
    )
    if _completed(job) and job.get("completed_at") is not None:
        yield from guarded(path, job, _job_values(source, path, job, measured))
    step_names: Counter[tuple[object, ...]] = Counter()
    for number, step in enumerate(objects_in(job, "steps")):
        place = f"{path}.steps[{number}]"
        yield from guarded(place, step, _step(source, place, step, measured, told, step_names))


def _job_values(source: Input, path: str, job: Mapping[str, Any], measured: Measurement) -> Iterator[Result]:
    outcome = _outcome(job)
    if outcome is not None:
        yield Omission(outcome)
        return
    span = span_in(job, "started_at", "completed_at", source.zone)
    measured = replace(measured, ts=span.started, test_type="job")
    yield replace(measured, location=f"{path}.completed_at", metric="job_duration", raw_value=span.seconds)
    if job.get("created_at") is not None:
        queued = span_in(job, "created_at", "started_at", source.zone)
        yield replace(measured, location=f"{path}.started_at", metric="queue_wait_time", raw_value=queued.seconds)


def _step(
    source: Input,
    path: str,
    step: Mapping[str, Any],
    measured: Measurement,
    context: Mapping[str, object],
    names: Counter[tuple[object, ...]],
) -> Iterator[Result]:
    written = name_in(step, "name")
    action = _ACTION.match(written)
    name = told_apart(names, action["name"] if action else written)
    if not _completed(step):
        return
    outcome = _outcome(step)
    if outcome is not None:
        yield Omission(outcome)
    elif step.get("completed_at") is not None:
        span = span_in(step, "started_at", "completed_at", source.zone)
        yield replace(
            measured,
            location=f"{path}.completed_at",
            metric="step_duration",
            raw_value=span.seconds,
            ts=span.started,
            test_name=path_of("name", measured.test_name or "", name),
            test_type="step",
            context=described({**context, "action_version": action["version"] if action else None}),
        )


def _measured(fields: Mapping[str, Any], run_id: str) -> Measurement:
    """What all values of a run or job share."""
    attempt = read_attempt(fields.get("run_attempt"))
    if isinstance(attempt, Problem):
        raise BrokenFieldError("run_attempt", attempt)
    repository = _REPOSITORY.search(read_text(fields.get("url")) or "")
    page = read_text(fields.get("html_url"))
    return Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="s",
        project=repository[1] if repository else None,
        run_key=identifier_in(fields, run_id),
        attempt=attempt,
        branch=read_text(fields.get("head_branch")),
        commit_id=read_text(fields.get("head_sha")),
        run_url=_JOB_PAGE.sub("", page) if page else None,
    )


def _was_carried_over(source: Input, job: Mapping[str, Any], attempt: int) -> bool:
    """Whether the job is that of an earlier attempt, as those are that were not run again.

    It had ended then; one that merely starts before it was created was so by another clock.
    """
    created, ended = (parse_time(job.get(field), source.zone) for field in ("created_at", "completed_at"))
    return attempt > 1 and created is not None and ended is not None and ended < created


def _completed(fields: Mapping[str, Any]) -> bool:
    return word_in(fields, "status") == "completed" and word_in(fields, "conclusion") != ""


def _outcome(fields: Mapping[str, Any]) -> Outcome | None:
    conclusion = word_in(fields, "conclusion")
    return None if conclusion == "success" else _OUTCOMES.get(conclusion, "skipped")


RUNS = Format("github-actions-runs", _is_page_of_runs, lambda source: chunked(_runs(source, "workflow_runs[]")))
RUN = Format("github-actions-run", _is_run, lambda source: chunked(_runs(source, "")))
JOBS = Format("github-actions-jobs", _is_page_of_jobs, lambda source: chunked(_jobs(source)))
