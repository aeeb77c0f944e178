"""GitLab CI: answers of the REST API (v4): a pipeline, a list of pipelines, and lists of jobs that follow one another.

Series: the project and `pipeline[source=push]`, by what starts it, for `pipeline_duration` and `queue_wait_time` (test
type `pipeline`); the project and `stage / job` for `job_duration` and `queue_wait_time` (test type `job`), on the
runner (its description) as node and its kind as node type. Value: GitLab's `duration` and `queued_duration` in seconds,
which count no pauses. Time: `started_at`, by GitLab's clock. Run: the pipeline's id; a job that was retried is a
further attempt, in the order of the ids of the jobs of one name.

What has not ended is left out; failed, cancelled and skipped results are counted and give no value. Lists of pipelines
have no durations and so give none. Tags of jobs explain, and form no series. Known limits: a pipeline whose jobs are
retried keeps its id and changes its duration, so that one of the two stays and the other is in quarantine; child
pipelines are pipelines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from perf_assets.formats.ci_runs import (
    duration_in,
    guarded,
    identifier_in,
    name_in,
    omission_of,
    path_of,
    place_in,
    results_of,
    texts_in,
    time_in,
    word_in,
)
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import read_documents
from perf_assets.formats.measurement import (
    Format,
    Input,
    Measurement,
    Outcome,
    Rejection,
    Result,
    as_object,
    chunked,
    described,
    read_text,
    with_parameters,
)

_PROJECT = re.compile(r"^\w+://[^/]+/(.+?)/-/")
_OUTCOMES: dict[str, Outcome] = {
    "failed": "failed",
    "canceled": "skipped",
    "cancelled": "skipped",
    "skipped": "skipped",
}

Attempts = Mapping[tuple[object, ...], list[int]]
"""The ids of the jobs of one name in one pipeline, in ascending order."""


def _is_pipelines(head: Head) -> bool:
    # Older servers tell neither what started a pipeline nor how long it waited.
    one = head.has("source", "queued_duration") or head.has("before_sha", "duration")
    if one and head.has("sha", "ref", "web_url") and not head.has("stage"):
        return True
    return head.has("[].sha", "[].ref", "[].source", "[].web_url") and not head.has("[].stage")


def _is_jobs(head: Head) -> bool:
    return head.has("[].pipeline.id", "[].stage", "[].status")


def _pipelines(source: Input) -> Iterator[Result]:
    return results_of(source, ["[]", ""], lambda record: _pipeline(source, record.path, record.value))


def _jobs(source: Input) -> Iterator[Result]:
    attempts = _attempts(source)
    return results_of(source, ["[]"], lambda record: _job(source, record.path, record.value, attempts))


def _attempts(source: Input) -> Attempts:
    """Which jobs are attempts at the same, from a first look at all of them."""
    found: dict[tuple[object, ...], list[int]] = {}
    for document in read_documents(source.path, source.name, "[]"):
        for record in document.records:
            job = {} if isinstance(record, Rejection) else as_object(record.value)
            number = job.get("id")
            if isinstance(number, int) and not isinstance(number, bool):
                found.setdefault(_sameness(job), []).append(number)
    return {key: sorted(set(numbers)) for key, numbers in found.items()}


def _sameness(job: Mapping[str, Any]) -> tuple[object, ...]:
    return (repr(as_object(job.get("pipeline")).get("id")), repr(job.get("stage")), repr(job.get("name")))


def _pipeline(source: Input, path: str, pipeline: Mapping[str, Any]) -> Iterator[Result]:
    if not _succeeded(pipeline):
        yield from omission_of(word_in(pipeline, "status"), _OUTCOMES)
        return
    if pipeline.get("duration") is None:
        return
    measured = Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="s",
        ts=time_in(pipeline, "started_at", source.zone),
        project=_project(pipeline),
        run_key=identifier_in(pipeline, "id"),
        test_name=with_parameters("pipeline", {"source": name_in(pipeline, "source")} if "source" in pipeline else {}),
        test_type="pipeline",
        branch=read_text(pipeline.get("ref")),
        commit_id=read_text(pipeline.get("sha")),
        run_url=read_text(pipeline.get("web_url")),
    )
    yield from guarded(path, pipeline, _values(path, pipeline, measured, "pipeline_duration"))


def _job(source: Input, path: str, job: Mapping[str, Any], attempts: Attempts) -> Iterator[Result]:
    if not _succeeded(job):
        yield from omission_of(word_in(job, "status"), _OUTCOMES)
        return
    pipeline, runner = as_object(job.get("pipeline")), as_object(job.get("runner"))
    job_id = identifier_in(job, "id")
    run_key = identifier_in(pipeline, "id")
    same = attempts.get(_sameness(job), [])
    measured = Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="s",
        ts=time_in(job, "started_at", source.zone),
        project=_project(job),
        run_key=run_key,
        attempt=same.index(job["id"]) + 1 if job["id"] in same else 1,
        test_name=path_of("name", name_in(job, "stage"), name_in(job, "name")),
        test_type="job",
        node_id=read_text(runner.get("description")),
        node_type=read_text(runner.get("runner_type")),
        branch=read_text(job.get("ref")),
        commit_id=read_text(pipeline.get("sha")),
        ci_job_id=job_id,
        run_url=read_text(pipeline.get("web_url")),
        context=described({"job_url": job.get("web_url"), "tags": texts_in(job, "tag_list")}),
    )
    yield from guarded(path, job, _values(path, job, measured, "job_duration"))


def _values(path: str, fields: Mapping[str, Any], measured: Measurement, metric: str) -> Iterator[Result]:
    duration = duration_in(fields, "duration")
    yield replace(measured, location=place_in(path, "duration"), metric=metric, raw_value=duration)
    if fields.get("queued_duration") is not None:
        queued = duration_in(fields, "queued_duration")
        place = place_in(path, "queued_duration")
        yield replace(measured, location=place, metric="queue_wait_time", raw_value=queued)


def _succeeded(fields: Mapping[str, Any]) -> bool:
    return word_in(fields, "status") == "success"


def _project(fields: Mapping[str, Any]) -> str | None:
    found = _PROJECT.match(read_text(fields.get("web_url")) or "")
    return found[1] if found else None


PIPELINES = Format("gitlab-pipelines", _is_pipelines, lambda source: chunked(_pipelines(source)))
JOBS = Format("gitlab-jobs", _is_jobs, lambda source: chunked(_jobs(source)))
