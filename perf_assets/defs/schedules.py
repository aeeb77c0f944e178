"""Schedules: pulling and ingestion every hour, the whole analysis every day."""

from datetime import timedelta

import dagster as dg

from perf_assets.defs.jobs import INGESTION_JOB, MAIN_JOB, SOURCES_JOB
from perf_assets.run_tags import range_tags
from perf_assets.settings import Settings
from perf_assets.sources.pulling import LOOKED_AT_AGAIN_DAYS


@dg.schedule(
    job=SOURCES_JOB,
    cron_schedule="52 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Pulls what is new from the configured sources every hour, before it is loaded.",
)
def hourly_sources(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """Pull what is new of today and of the days before on which results may still be late, before it is loaded."""
    if not settings.sources.configured:
        return dg.SkipReason("no source is configured, see docs/sources.md")
    asked = [dg.AssetKey(f"{name}_results") for name in settings.sources.configured]
    return _last_days(context, LOOKED_AT_AGAIN_DAYS + 1, asked)


@dg.schedule(
    job=INGESTION_JOB,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Loads every hour what has come in, results of the dashboard among it.",
)
def hourly_ingestion(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Pull the dashboard and load what has come in today, and yesterday after the last time."""
    return _last_days(context, 2)


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


def _last_days(
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
