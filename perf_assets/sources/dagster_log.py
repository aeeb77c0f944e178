"""Dagster's own event log: the runs of an instance that ended on a day, with their steps, as a line of JSON each.

Only what says how long it took is written: no configuration of runs and no tags but those of partition and retry, which
could hold secrets. The instance is read as it is, no web server is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from perf_assets.run_tags import PARTITION, RANGE_END, RANGE_START
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen
from perf_assets.sources.source import Opened, Source, Surroundings

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun, RunRecord

RUNS_AT_ONCE = 200
PARTITION_TAGS = (PARTITION, RANGE_START, RANGE_END)
RETRY_TAG = "dagster/retry_number"
RESUMED_TAG = "dagster/is_resume_retry"


class DagsterLog(Source, extra="forbid"):
    """Whether the platform watches itself; off unless asked for, so that its own runs do not mix with one's results."""

    section: ClassVar[str] = "dagster"
    origin: ClassVar[str] = "dagster"
    kinds: ClassVar[frozenset[str]] = frozenset({"python", "dagster"})
    description: ClassVar[str] = "Runs of this Dagster instance that ended on a day, with their steps."
    remedy: ClassVar[str] = "Set sources.dagster.enabled."

    enabled: bool = False

    @property
    def configured(self) -> bool:
        return self.enabled

    @contextmanager
    def opened(self, around: Surroundings) -> Iterator[Opened]:
        yield Opened(self.scopes(around.instance))

    def scopes(self, instance: DagsterInstance) -> dict[str, PullDay]:
        return {"dagster": partial(_runs_of_day, instance)}


def _runs_of_day(instance: DagsterInstance, day: Day, seen: Seen) -> Iterator[Found]:
    for records in _pages(instance, day):
        new = [record for record in records if _ended_on(record, day) and record.dagster_run.run_id not in seen]
        if new:
            lines = [json.dumps(_described(instance, record), sort_keys=True) for record in new]
            name = f"dagster runs of {day}, {new[0].dagster_run.run_id[:8]} and {len(new) - 1} more.jsonl"
            body = "\n".join([*lines, ""]).encode()
            yield Found((Delivery(name, body),), {record.dagster_run.run_id: record.end_time for record in new})


def _pages(instance: DagsterInstance, day: Day) -> Iterator[list[RunRecord]]:
    """Finished runs that may have ended on the day: created before its end, changed after its beginning."""
    from dagster import DagsterRunStatus, RunsFilter

    wanted = RunsFilter(
        statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED],
        updated_after=day.start.replace(tzinfo=UTC),
        created_before=day.end.replace(tzinfo=UTC),
    )
    cursor = None
    while records := list(instance.get_run_records(wanted, limit=RUNS_AT_ONCE, cursor=cursor)):
        yield records
        cursor = records[-1].dagster_run.run_id


def _ended_on(record: RunRecord, day: Day) -> bool:
    return record.end_time is not None and day.has(datetime.fromtimestamp(record.end_time, UTC).replace(tzinfo=None))


def _described(instance: DagsterInstance, record: RunRecord) -> dict[str, Any]:
    run = record.dagster_run
    origin = run.remote_job_origin
    stats = instance.get_run_stats(run.run_id)
    return {
        "dagster_run": run.run_id,
        "root_run": run.root_run_id,
        "retry": run.tags.get(RETRY_TAG),
        "job": run.job_name,
        "code_location": origin.location_name if origin else None,
        "partition": {tag: run.tags[tag] for tag in PARTITION_TAGS if tag in run.tags},
        "is_part": _is_part(instance, run),
        "status": run.status.value,
        "enqueued_at": getattr(stats, "enqueued_time", None),
        "started_at": record.start_time,
        "ended_at": record.end_time,
        "steps": [_step(step) for step in instance.get_run_step_stats(run.run_id)],
    }


def _step(step: Any) -> dict[str, Any]:
    """A step, as DagsterInstance.get_run_step_stats gives it, and from when to when its last attempt took: those
    before it failed."""
    last = step.attempts_list[-1] if step.attempts_list else step
    return {
        "step": step.step_key,
        "status": step.status.value if step.status else None,
        "attempts": step.attempts,
        "started_at": last.start_time,
        "ended_at": last.end_time,
    }


def _is_part(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether some of the job's steps were left out: by a selection, or because they had succeeded before."""
    if run.tags.get(RESUMED_TAG) == "true":
        return True
    snapshot = instance.get_job_snapshot(run.job_snapshot_id) if run.job_snapshot_id else None
    return snapshot is not None and snapshot.lineage_snapshot is not None
