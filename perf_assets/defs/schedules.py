"""Schedules: ingestion every hour, the whole analysis every day."""

import dagster as dg

from perf_assets.defs.jobs import INGESTION_JOB, MAIN_JOB


@dg.schedule(job=INGESTION_JOB, cron_schedule="7 * * * *", execution_timezone="UTC")
def hourly_ingestion(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Pull sources and load what has come in today."""
    return _today(context)


@dg.schedule(job=MAIN_JOB, cron_schedule="30 5 * * *", execution_timezone="UTC")
def daily_analysis(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Analyse everything before the working day begins."""
    return _today(context)


def _today(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    moment = context.scheduled_execution_time
    return dg.RunRequest(run_key=f"{moment:%Y-%m-%dT%H:%M}", partition_key=f"{moment:%Y-%m-%d}")
