"""Sensors: files in the drop folder, new regressions, failed runs."""

import hashlib
from pathlib import Path

import dagster as dg

from perf_assets.alerts.delivery import DeliveryReport
from perf_assets.alerts.dispatch import send_alert, send_new_alerts
from perf_assets.alerts.model import failed_run_alert
from perf_assets.defs.jobs import MAIN_JOB
from perf_assets.landing import utc_now
from perf_assets.settings import Settings, protected_files
from perf_assets.sources.files import waiting_files
from perf_assets.wording.quantities import counted

_CURRENT_SNAPSHOT = "current.duckdb"


@dg.sensor(
    job=MAIN_JOB,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Analyses files in the folder landing/drop of the home once they have stopped changing.",
)
def dropped_files(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """One run for all files that are waiting in the drop folder; none has changed since the look before."""
    with protected_files(settings):
        settings.drop_folder.mkdir(parents=True, exist_ok=True)
    waiting = [(file, file.stat()) for file in waiting_files(settings.drop_folder)]
    if not waiting:
        return dg.SensorResult(skip_reason=f"{settings.drop_folder} is empty")
    signs = "\n".join(f"{file}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in waiting)
    key = hashlib.sha256(signs.encode()).hexdigest()
    if context.cursor != key:
        # A file that is still being written changes between two looks; it is taken once it has stopped.
        return dg.SensorResult(
            skip_reason=f"{len(waiting)} files have just come, waiting for them to settle", cursor=key
        )
    today = utc_now().date().isoformat()
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"dropped-{key}", partition_key=today)], cursor=key)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert for each confirmed regression that has not had one.",
)
def regression_alerts(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
    """Send an alert for each confirmed regression that has not had one, whenever a new snapshot is published."""
    current = settings.snapshots / _CURRENT_SNAPSHOT
    if not current.exists():
        return dg.SkipReason("no snapshot yet")
    snapshot = _identity(current.resolve())
    if context.cursor == snapshot:
        return dg.SkipReason(f"{snapshot} has been looked at")
    with protected_files(settings):
        report = send_new_alerts(settings, utc_now())
    # The record of what was sent decides, not the cursor: it only moves on when nothing is left to try again.
    if not report.failed and not report.in_progress:
        context.update_cursor(snapshot)
    for alert_id, reason in report.failed:
        context.log.error("alert %s was not sent: %s", alert_id, reason)
    return dg.SkipReason(f"{snapshot}: {_counts(report)}")


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    monitor_all_code_locations=False,
    description="Sends an alert when a run has failed.",
)
def failed_runs(context: dg.RunFailureSensorContext, settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
    """Say when a run has failed, and at which step."""
    run = context.dagster_run
    reasons = [_reason(event) for event in context.get_step_failure_events()]
    message = "\n".join(reasons) or context.failure_event.message or ""
    with protected_files(settings):
        report = send_alert(settings, failed_run_alert(run.run_id, run.job_name, message, utc_now()), utc_now())
    for alert_id, reason in report.failed:
        context.log.error("alert %s was not sent: %s", alert_id, reason)
    return dg.SkipReason(f"run {run.run_id} failed: {_counts(report)}")


def _counts(report: DeliveryReport) -> str:
    return (
        f"{counted(len(report.sent), 'alert')} sent, {len(report.already_sent)} sent before, "
        f"{len(report.failed)} not sent"
    )


def _identity(snapshot: Path) -> str:
    """Name and time: a snapshot folder that was deleted begins to count anew."""
    return f"{snapshot.name} of {snapshot.stat().st_mtime_ns}"


def _reason(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    if error is None:
        return f"{event.step_key} failed"
    return f"{event.step_key}: {(error.cause or error).message.strip()}"
