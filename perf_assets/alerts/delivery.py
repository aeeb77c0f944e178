"""Delivery of alerts, once and only once: the one function that the sensor and the command both call."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from perf_assets.alerts.channels import Channel, DeliveryError, clip, one_line
from perf_assets.alerts.model import Alert
from perf_assets.state.store import StateStore

LEASE = timedelta(minutes=10)
"""Age at which a claim is taken over. Longer than any channel's slowest send, retries included."""

MOST_SINGLE_MESSAGES = 20
"""More new alerts than this come at once only when history is loaded; nobody reads them one by one."""

DIGEST_LINES, DIGEST_LINE_LENGTH = 60, 150


@dataclass(frozen=True)
class DeliveryReport:
    """Ids of the alerts in the order given; `failed` with the reason, `in_progress` in the hands of another process."""

    sent: tuple[str, ...]
    already_sent: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    in_progress: tuple[str, ...]


@dataclass(frozen=True)
class _Message:
    """Alerts that go out together: one, or those of a digest."""

    alerts: tuple[Alert, ...]
    digest_id: str | None


def deliver(alerts: Iterable[Alert], state: StateStore, channel: Channel, now: datetime) -> DeliveryReport:
    """Send every alert that `channel` has not had yet, and record what became of it.

    Call it with all alerts that hold, as often as you like: an alert is skipped only when it is recorded as sent, or
    while another process is sending it. It is claimed before and recorded after sending, so a crash in between repeats
    that one message, after `LEASE`. A failure is recorded, does not stop the others, and is tried again next time.

    `now` is the real time, by which claims age; not the time of the newest measurement, which may stand still.

    Of more than `MOST_SINGLE_MESSAGES` new alerts the newest are sent singly and the others in one digest, to which
    they belong from then on, so that a repetition is one message too.
    """
    wanted = {alert.alert_id: alert for alert in alerts}
    started = time.monotonic()
    sent: list[str] = []
    failed: dict[str, str] = {}
    for message in _messages(wanted, state, channel.name):
        # Claims age from when they are made, which in a long delivery is well after `now`.
        claimed_at = now + timedelta(seconds=time.monotonic() - started)
        claimed = state.claim_deliveries(
            [alert.alert_id for alert in message.alerts], channel.name, claimed_at, LEASE, message.digest_id
        )
        mine = tuple(alert for alert in message.alerts if alert.alert_id in claimed)
        if not mine:
            continue
        try:
            receipt = channel.send(mine[0] if message.digest_id is None else digest(mine, message.digest_id))
        except DeliveryError as error:
            state.record_failure(claimed, channel.name, claimed_at, str(error))
            failed |= dict.fromkeys(claimed, str(error))
        else:
            state.record_sent(claimed, channel.name, now + timedelta(seconds=time.monotonic() - started), receipt)
            sent.extend(claimed)
    return _report(wanted, sent, failed, _sent_ids(state, channel.name))


def digest(alerts: tuple[Alert, ...], digest_id: str) -> Alert:
    """One alert that stands for many, newest first: how many there are of each kind, and the titles in brief."""
    kinds = Counter(alert.severity for alert in alerts)
    lines = [f"- {clip(one_line(alert.title), DIGEST_LINE_LENGTH)}" for alert in alerts[:DIGEST_LINES]]
    hidden = len(alerts) - len(lines)
    simulated = any(alert.simulated for alert in alerts)
    return Alert(
        alert_id=digest_id,
        title=f"{'[simulated] ' if simulated else ''}{len(alerts)} more alerts came at the same time, here in brief",
        summary="\n".join(lines + ([f"and {hidden} more"] if hidden else [])),
        facts=tuple((kind.capitalize(), str(count)) for kind, count in sorted(kinds.items())),
        severity=alerts[0].severity,
        simulated=simulated,
        link=next((alert.link for alert in alerts if alert.link), None),
        happened_at=alerts[0].happened_at,
    )


def _messages(wanted: dict[str, Alert], state: StateStore, channel: str) -> Iterator[_Message]:
    rows = state.deliveries()
    rows = rows[rows["channel"] == channel]
    done = set(rows.loc[rows["status"] == "sent", "alert_id"])
    digest_of = rows.dropna(subset=["digest_id"]).set_index("alert_id")["digest_id"].to_dict()
    waiting = sorted((alert for alert in wanted.values() if alert.alert_id not in done), key=_newest_first)
    single = [alert for alert in waiting if alert.alert_id not in digest_of]
    for alert in single[:MOST_SINGLE_MESSAGES]:
        yield _Message((alert,), None)
    rest = tuple(single[MOST_SINGLE_MESSAGES:])
    if rest:
        yield _Message(rest, _digest_id(rest))
    for digest_id in sorted({digest_of[alert.alert_id] for alert in waiting if alert.alert_id in digest_of}):
        yield _Message(tuple(alert for alert in waiting if digest_of.get(alert.alert_id) == digest_id), digest_id)


def _report(
    wanted: dict[str, Alert], sent: list[str], failed: dict[str, str], sent_by_anyone: set[str]
) -> DeliveryReport:
    mine = set(sent)
    others = [alert_id for alert_id in wanted if alert_id not in mine and alert_id not in failed]
    return DeliveryReport(
        sent=tuple(alert_id for alert_id in wanted if alert_id in mine),
        already_sent=tuple(alert_id for alert_id in others if alert_id in sent_by_anyone),
        failed=tuple((alert_id, failed[alert_id]) for alert_id in wanted if alert_id in failed),
        in_progress=tuple(alert_id for alert_id in others if alert_id not in sent_by_anyone),
    )


def _sent_ids(state: StateStore, channel: str) -> set[str]:
    rows = state.deliveries()
    return set(rows.loc[(rows["channel"] == channel) & (rows["status"] == "sent"), "alert_id"])


def _newest_first(alert: Alert) -> tuple[float, str]:
    if alert.happened_at is None:
        return (-float("inf"), alert.alert_id)
    moment = alert.happened_at
    return (-(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), alert.alert_id)


def _digest_id(alerts: tuple[Alert, ...]) -> str:
    ids = "\n".join(sorted(alert.alert_id for alert in alerts))
    return f"digest-{hashlib.sha256(ids.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
