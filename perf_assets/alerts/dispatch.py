"""Alerting as one call: what the newest snapshot finds, to where the settings say."""

from __future__ import annotations

from datetime import datetime

from perf_assets.alerts.channels import Channel, ChannelPlugin, OutboxChannel
from perf_assets.alerts.delivery import DeliveryReport, deliver
from perf_assets.alerts.model import Alert, alerts_from_regressions
from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.warehouse import open_snapshot
from perf_assets.warehouse.readings import findings


def channels_of(settings: Settings) -> list[Channel]:
    """The channels that are configured; the outbox folder where none is."""
    configured = [channel for channel in settings.channels.configured.values() if isinstance(channel, ChannelPlugin)]
    return [*configured] or [OutboxChannel(settings.outbox)]


def send_new_alerts(settings: Settings, now: datetime) -> DeliveryReport:
    """Send an alert for every confirmed regression of the newest snapshot to each channel that has not had it.

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
        reports = [deliver(real, state, channel, now) for channel in channels_of(settings)]
        if simulated:
            reports.append(deliver(simulated, state, OutboxChannel(settings.outbox), now))
    return _together(reports)


def send_alert(settings: Settings, alert: Alert, now: datetime) -> DeliveryReport:
    """Send one alert to each channel, once."""
    with open_state(settings.state) as state:
        return _together([deliver([alert], state, channel, now) for channel in channels_of(settings)])


def _together(reports: list[DeliveryReport]) -> DeliveryReport:
    """What became of the alerts, each counted once, whatever number of channels it went to."""
    sent = dict.fromkeys(alert for report in reports for alert in report.sent)
    before = dict.fromkeys(alert for report in reports for alert in report.already_sent if alert not in sent)
    return DeliveryReport(
        sent=tuple(sent),
        already_sent=tuple(before),
        failed=tuple(failure for report in reports for failure in report.failed),
        in_progress=tuple(dict.fromkeys(alert for report in reports for alert in report.in_progress)),
    )
