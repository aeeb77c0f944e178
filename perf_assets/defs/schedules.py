"""Schedules: ingestion every hour, the whole analysis every day. That of sources comes with their assets."""

from datetime import timedelta

import dagster as dg

from perf_assets.defs.jobs import INGESTION_JOB, MAIN_JOB
from perf_assets.run_tags import range_tags


@dg.schedule(
    job=INGESTION_JOB,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Loads every hour what has come in; pulls sources that have no days before.",
)
def hourly_ingestion(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Load what has come in today, and yesterday after the last time."""
    return last_days(context, 2)


@dg.schedule(
    job=MAIN_JOB,
    cron_schedule="30 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Analyses everything at 05:30 UTC, before the working day begins.",
)
def daily_analysis(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Analyse everything before the working day begins."""
    moment = context.scheduled_execution_time
    return dg.RunRequest(run_key=_run_key(context), partition_key=moment.date().isoformat())


def last_days(
    context: dg.ScheduleEvaluationContext, days: int, assets: list[dg.AssetKey] | None = None
) -> dg.RunRequest:
    """One run for the last days, today included, of all assets of the job or some."""
    last = context.scheduled_execution_time
    first = last - timedelta(days=days - 1)
    return dg.RunRequest(
        run_key=_run_key(context),
        asset_selection=assets,
        tags=range_tags(first.date().isoformat(), last.date().isoformat()),
    )


def _run_key(context: dg.ScheduleEvaluationContext) -> str:
    return context.scheduled_execution_time.replace(tzinfo=None).isoformat(timespec="minutes")
