"""Alerting as one call: what the newest snapshot finds, to where the settings say."""

from __future__ import annotations

from datetime import datetime

from perf_assets.alerts.channels import SLACK_URL, Channel, OutboxChannel, SlackChannel
from perf_assets.alerts.delivery import DeliveryReport, deliver
from perf_assets.alerts.model import Alert, alerts_from_regressions
from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.warehouse import open_snapshot
from perf_assets.warehouse.readings import findings


def channel_of(settings: Settings) -> Channel:
    """Slack where a token is configured, else the outbox folder."""
    if settings.slack_token is None:
        return OutboxChannel(settings.outbox)
    base_url = settings.slack.base_url or SLACK_URL
    return SlackChannel(settings.slack_token.get_secret_value(), settings.slack.channel, base_url=base_url)


def send_new_alerts(settings: Settings, now: datetime) -> DeliveryReport:
    """Send an alert for every confirmed regression of the newest snapshot that has not had one.

    Both the sensor and the command call this, after each run. Acknowledged regressions, recovered ones and those that
    only end a short improvement stay silent.
    Findings in simulated data only ever go to the outbox. Raises NoSnapshotError before the first run.
    """
    with open_snapshot(settings.snapshots) as con:
        found = findings(con)
    over = found["recovered_at"].notna() | found["restores"].astype(bool)
    regressions = found[(found["kind"] == "regression") & ~over]
    with open_state(settings.state) as state:
        known = set(state.acknowledgements()["finding_id"])
        alerts = [
            alert
            for alert in alerts_from_regressions(regressions)
            if alert.alert_id.removeprefix("regression-") not in known
        ]
        real = [alert for alert in alerts if not alert.simulated]
        simulated = [alert for alert in alerts if alert.simulated]
        reports = [deliver(real, state, channel_of(settings), now)]
        if simulated:
            reports.append(deliver(simulated, state, OutboxChannel(settings.outbox), now))
    return _together(reports)


def send_alert(settings: Settings, alert: Alert, now: datetime) -> DeliveryReport:
    """Send one alert, once."""
    with open_state(settings.state) as state:
        return deliver([alert], state, channel_of(settings), now)


def _together(reports: list[DeliveryReport]) -> DeliveryReport:
    return DeliveryReport(
        sent=tuple(alert for report in reports for alert in report.sent),
        already_sent=tuple(alert for report in reports for alert in report.already_sent),
        failed=tuple(failure for report in reports for failure in report.failed),
        in_progress=tuple(alert for report in reports for alert in report.in_progress),
    )
