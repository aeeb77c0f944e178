"""CircleCI: a pipeline with its workflows and their jobs (API v2), put together by sources/circleci.py.

`{"circleci_pipeline": {...}, "workflows": [pages], "jobs": {"id of a workflow": [pages]}}`; several may follow one
another.

Series: the project and the workflow for `pipeline_duration` (test type `pipeline`), `workflow / job` for `job_duration`
(test type `job`). Value: seconds from `created_at` to `stopped_at` of a workflow, from `started_at` to `stopped_at` of
a job. Time: the start, by CircleCI's clock. Run: the pipeline's id; a rerun, which is a further workflow of the same
name, is a further attempt, in the order of their creation.

What has not ended is left out; failed and timed-out results are counted as failed, errors of CircleCI as errored,
cancelled and not run ones as skipped. Approvals are no jobs. A job that was carried over from an earlier attempt (it
started before its workflow was created) is left out. Of several jobs of one name in a workflow the second is called
`name (2)`, and so on. Known limits: the lists of jobs know neither queue time nor executor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from perf_assets.formats.ci_runs import (
    guarded,
    identifier_in,
    name_in,
    objects_in,
    omission_of,
    path_of,
    place_in,
    results_of,
    span_in,
    told_apart,
    word_in,
)
from perf_assets.formats.head import Head
from perf_assets.formats.measurement import (
    Format,
    Input,
    Measurement,
    Outcome,
    Result,
    as_object,
    chunked,
    described,
    parse_time,
    read_text,
)

_OUTCOMES: dict[str, Outcome] = {
    "failed": "failed",
    "timedout": "failed",
    "error": "errored",
    "infrastructure_fail": "errored",
    "terminated-unknown": "errored",
    "canceled": "skipped",
    "not_run": "skipped",
    "unauthorized": "skipped",
    "retried": "skipped",
}


def _recognises(head: Head) -> bool:
    return head.has("circleci_pipeline", "workflows")


def _results(source: Input) -> Iterator[Result]:
    return results_of(source, [""], lambda record: _pipeline(source, record.path, record.value))


def _pipeline(source: Input, path: str, document: Mapping[str, Any]) -> Iterator[Result]:
    pipeline = as_object(document.get("circleci_pipeline"))
    vcs = as_object(pipeline.get("vcs"))
    slug = read_text(pipeline.get("project_slug")) or ""
    measured = Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="s",
        project=slug.partition("/")[2] or None,
        run_key=identifier_in(pipeline, "id"),
        branch=read_text(vcs.get("branch")),
        commit_id=read_text(vcs.get("revision")),
        context=described({"pipeline_number": pipeline.get("number"), "tag": vcs.get("tag")}),
    )
    jobs = as_object(document.get("jobs"))
    attempts = _attempts(document)
    for page, listed in enumerate(objects_in(document, "workflows")):
        for number, workflow in enumerate(objects_in(listed, "items")):
            place = place_in(path, f"workflows[{page}].items[{number}]")
            attempt = attempts.get(str(workflow.get("id")), 1)
            of_this = replace(measured, attempt=attempt)
            yield from guarded(place, workflow, _workflow(source, place, workflow, of_this))
            of_workflow = {"pages": jobs.get(str(workflow.get("id")))}
            names: Counter[tuple[object, ...]] = Counter()
            for job_page, jobs_listed in enumerate(objects_in(of_workflow, "pages")):
                inner = place_in(path, f"jobs.{workflow.get('id')}[{job_page}]")
                yield from guarded(inner, jobs_listed, _jobs(source, inner, workflow, jobs_listed, of_this, names))


def _attempts(document: Mapping[str, Any]) -> dict[str, int]:
    """Which attempt each workflow is, by its id: those of one name in the order of their creation."""
    workflows = [workflow for page in objects_in(document, "workflows") for workflow in objects_in(page, "items")]
    workflows.sort(key=lambda workflow: (str(workflow.get("created_at")), str(workflow.get("id"))))
    counts: Counter[str] = Counter()
    attempts: dict[str, int] = {}
    for workflow in workflows:
        name = str(workflow.get("name"))
        counts[name] += 1
        attempts[str(workflow.get("id"))] = counts[name]
    return attempts


def _workflow(source: Input, path: str, workflow: Mapping[str, Any], measured: Measurement) -> Iterator[Result]:
    yield from omission_of(word_in(workflow, "status"), _OUTCOMES)
    if word_in(workflow, "status") != "success":
        return
    span = span_in(workflow, "created_at", "stopped_at", source.zone)
    yield replace(
        measured,
        location=f"{path}.stopped_at",
        metric="pipeline_duration",
        raw_value=span.seconds,
        ts=span.started,
        test_name=name_in(workflow, "name"),
        test_type="pipeline",
    )


def _jobs(
    source: Input,
    path: str,
    workflow: Mapping[str, Any],
    page: Mapping[str, Any],
    measured: Measurement,
    names: Counter[tuple[object, ...]],
) -> Iterator[Result]:
    workflow_name = name_in(workflow, "name")
    for number, job in enumerate(objects_in(page, "items")):
        if word_in(job, "type") == "approval" or _was_carried_over(source, workflow, job):
            continue
        place = f"{path}.items[{number}]"
        of_workflow = replace(measured, test_name=workflow_name)
        yield from guarded(place, job, _job(source, place, job, of_workflow, names))


def _job(
    source: Input, path: str, job: Mapping[str, Any], measured: Measurement, names: Counter[tuple[object, ...]]
) -> Iterator[Result]:
    name = told_apart(names, name_in(job, "name"))
    yield from omission_of(word_in(job, "status"), _OUTCOMES)
    if word_in(job, "status") != "success":
        return
    span = span_in(job, "started_at", "stopped_at", source.zone)
    yield replace(
        measured,
        location=f"{path}.stopped_at",
        metric="job_duration",
        raw_value=span.seconds,
        ts=span.started,
        test_name=path_of("name", measured.test_name or "", name),
        test_type="job",
        ci_job_id=read_text(job.get("id")),
    )


def _was_carried_over(source: Input, workflow: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    created, started = (
        parse_time(workflow.get("created_at"), source.zone),
        parse_time(job.get("started_at"), source.zone),
    )
    return created is not None and started is not None and started < created


FORMAT = Format("circleci", _recognises, lambda source: chunked(_results(source)))
