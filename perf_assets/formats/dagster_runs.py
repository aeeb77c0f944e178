"""Runs of Dagster, a JSON object a line, as sources/dagster_log.py writes them.

Series: the job for `pipeline_duration` and `queue_wait_time` (test type `pipeline`), `job / step` for `step_duration`
(test type `step`), in the project `dagster`. Value: seconds from start to end, from enqueued to start for the queue; of
a step that was retried only its last attempt. Time: the start, by the clock of the machine that ran it. Run: the id of
the run; that of the first one and a further attempt, where Dagster retried it. Failed runs and steps are counted as
failed, cancelled and skipped ones as skipped. Runs of a part of a job, and of assets outside a job, are not comparable
as a whole: only their steps are read. Partition and code location explain, and form no series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from perf_assets.formats.ci_runs import guarded, name_in, objects_in, path_of, place_in, results_of, span_in, word_in
from perf_assets.formats.head import Head
from perf_assets.formats.measurement import (
    Format,
    Input,
    Measurement,
    Omission,
    Outcome,
    Result,
    chunked,
    described,
    read_text,
)

PROJECT = "dagster"
_ASSETS_OUTSIDE_A_JOB = "__ASSET_JOB"
_OUTCOMES: dict[str, Outcome] = {"failure": "failed", "canceled": "skipped", "skipped": "skipped"}


def _recognises(head: Head) -> bool:
    return head.has("dagster_run", "job", "status")


def _results(source: Input) -> Iterator[Result]:
    return results_of(source, [""], lambda record: _run(source, record.path, record.value))


def _run(source: Input, path: str, run: Mapping[str, Any]) -> Iterator[Result]:
    job = name_in(run, "job")
    run_id = name_in(run, "dagster_run")
    retry = read_text(run.get("retry")) or ""
    is_retry = retry.isascii() and retry.isdigit() and len(retry) < 6 and int(retry) > 0
    measured = Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="s",
        project=PROJECT,
        run_key=name_in(run, "root_run", "dagster_run") if is_retry else run_id,
        attempt=int(retry) + 1 if is_retry else 1,
        test_name=job,
        test_type="pipeline",
        context=described(
            {"run": run_id, "code_location": run.get("code_location"), "partition": run.get("partition")}
        ),
    )
    yield from guarded(path, run, _whole_run(source, path, run, measured))
    for number, step in enumerate(objects_in(run, "steps")):
        place = place_in(path, f"steps[{number}]")
        yield from guarded(place, step, _step(source, place, step, measured))


def _whole_run(source: Input, path: str, run: Mapping[str, Any], measured: Measurement) -> Iterator[Result]:
    outcome = _OUTCOMES.get(word_in(run, "status"))
    if outcome is not None:
        yield Omission(outcome)
    if word_in(run, "status") != "success":
        return
    span = span_in(run, "started_at", "ended_at", source.zone)
    measured = replace(measured, ts=span.started)
    if measured.test_name != _ASSETS_OUTSIDE_A_JOB and run.get("is_part") is not True:
        yield replace(measured, location=place_in(path, "ended_at"), metric="pipeline_duration", raw_value=span.seconds)
    if run.get("enqueued_at") is not None:
        queued = span_in(run, "enqueued_at", "started_at", source.zone)
        yield replace(
            measured, location=place_in(path, "started_at"), metric="queue_wait_time", raw_value=queued.seconds
        )


def _step(source: Input, path: str, step: Mapping[str, Any], measured: Measurement) -> Iterator[Result]:
    outcome = _OUTCOMES.get(word_in(step, "status"))
    if outcome is not None:
        yield Omission(outcome)
    if word_in(step, "status") != "success":
        return
    span = span_in(step, "started_at", "ended_at", source.zone)
    yield replace(
        measured,
        location=f"{path}.ended_at",
        metric="step_duration",
        raw_value=span.seconds,
        ts=span.started,
        test_name=path_of("step", measured.test_name or "", name_in(step, "step")),
        test_type="step",
    )


FORMAT = Format("dagster-runs", _recognises, lambda source: chunked(_results(source)))
