"""Delivery through crashes, failures, floods and rival processes: each alert arrives, and arrives once."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from perf_assets.alerts.channels import Channel, OutboxChannel
from perf_assets.alerts.delivery import DIGEST_LINES, LEASE, MOST_SINGLE_MESSAGES, deliver
from perf_assets.alerts.model import Alert
from perf_assets.alerts.slack import Slack
from perf_assets.state.store import open_state
from perf_assets_tests.alerts.slack_server import CHANNEL, TOKEN, slack_server

NOW = datetime(2026, 9, 10, 12, tzinfo=UTC)
LATER = NOW + LEASE + timedelta(seconds=1)


def alert(number: int) -> Alert:
    return Alert(
        alert_id=f"alert-{number}",
        title=f"test {number:04d} is slower",
        summary="It is.",
        facts=(),
        severity="regression",
        simulated=False,
        link=None,
        happened_at=NOW - timedelta(days=number),
    )


def alerts(count: int) -> list[Alert]:
    return [alert(number) for number in range(count)]


def ids(numbers: range) -> tuple[str, ...]:
    return tuple(f"alert-{number}" for number in numbers)


@dataclass
class Crashing:
    """A channel whose process is interrupted just after the inner channel has sent the alert with a given id."""

    inner: Channel
    fatal: str
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.inner.name

    def send(self, alert: Alert) -> str:
        receipt = self.inner.send(alert)
        if alert.alert_id.startswith(self.fatal):
            raise KeyboardInterrupt
        return receipt


@pytest.fixture
def state(tmp_path: Path):
    with open_state(tmp_path / "state.db") as store:
        yield store


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


@pytest.fixture
def channel(slack) -> Slack:
    return Slack(token=TOKEN, channel=CHANNEL, base_url=slack.url, timeout=5)


def test_each_alert_is_sent_once(state, slack, channel):
    report = deliver([*alerts(3), alert(1)], state, channel, NOW)
    assert report.sent == ids(range(3))
    again = deliver(alerts(4), state, channel, NOW + timedelta(hours=1))
    assert (again.sent, again.already_sent) == (("alert-3",), ids(range(3)))
    assert Counter(slack.titles) == Counter(item.title for item in alerts(4))
    row = state.deliveries().iloc[0]
    assert (row["status"], row["receipt"]) == ("sent", f"{CHANNEL}/1757505600.000001")


def test_channels_are_told_apart(state, channel, tmp_path):
    deliver(alerts(2), state, channel, NOW)
    assert deliver(alerts(2), state, OutboxChannel(tmp_path / "outbox"), NOW).sent == ids(range(2))


def test_a_crash_after_sending_repeats_exactly_that_alert(state, slack, channel):
    with pytest.raises(KeyboardInterrupt):
        deliver(alerts(5), state, Crashing(channel, "alert-2"), NOW)
    assert len(slack.messages) == 3
    meanwhile = deliver(alerts(5), state, channel, NOW + timedelta(minutes=1))
    assert (meanwhile.sent, meanwhile.in_progress) == (("alert-3", "alert-4"), ("alert-2",))
    assert deliver(alerts(5), state, channel, LATER).sent == ("alert-2",)
    assert deliver(alerts(5), state, channel, LATER + LEASE).sent == ()
    assert Counter(slack.titles) == Counter({item.title: 1 for item in alerts(5)} | {alert(2).title: 2})


def test_a_failure_is_recorded_tried_again_and_stops_no_other(state, slack, channel):
    slack.troubles = ["server_error"]
    report = deliver(alerts(3), state, channel, NOW)
    assert report.sent == ("alert-1", "alert-2")
    ((failed_id, reason),) = report.failed
    assert failed_id == "alert-0"
    assert "internal_error" in reason
    row = state.deliveries().set_index("alert_id").loc["alert-0"]
    assert (row["status"], row["error"]) == ("failed", reason)
    assert deliver(alerts(3), state, channel, NOW).sent == ("alert-0",)
    assert state.deliveries().set_index("alert_id").loc["alert-0", "attempts"] == 2


def test_a_flood_is_twenty_messages_and_a_digest(state, slack, channel):
    count = 500
    report = deliver(alerts(count), state, channel, NOW)
    assert report.sent == ids(range(count))
    assert slack.titles[:MOST_SINGLE_MESSAGES] == [item.title for item in alerts(MOST_SINGLE_MESSAGES)]
    (digest,) = slack.messages[MOST_SINGLE_MESSAGES:]
    assert digest["text"] == "480 more alerts came at the same time, here in brief"
    text = "\n".join(block["text"]["text"] for block in digest["blocks"] if "text" in block)
    assert "- test 0020 is slower" in text
    assert f"and {480 - DIGEST_LINES} more" in text
    assert deliver(alerts(count), state, channel, LATER).already_sent == ids(range(count))


def test_twenty_new_alerts_need_no_digest(state, slack, channel):
    deliver(alerts(MOST_SINGLE_MESSAGES), state, channel, NOW)
    assert slack.titles == [item.title for item in alerts(MOST_SINGLE_MESSAGES)]


def test_a_crash_after_the_digest_repeats_one_message(state, slack, channel):
    with pytest.raises(KeyboardInterrupt):
        deliver(alerts(90), state, Crashing(channel, "digest-"), NOW)
    assert deliver(alerts(91), state, channel, LATER).sent == ids(range(20, 91))
    repeated = {title: count for title, count in Counter(slack.titles).items() if count > 1}
    assert repeated == {"70 more alerts came at the same time, here in brief": 2}


def test_a_failed_digest_is_tried_again(state, slack, channel):
    slack.troubles = ["server_error"] * 21
    assert len(deliver(alerts(40), state, channel, NOW).failed) == 40
    assert deliver(alerts(40), state, channel, NOW).sent == ids(range(40))
    assert len(slack.messages) == 21


def test_an_alert_without_a_time_is_never_hidden_in_a_digest(state, slack, channel):
    timeless = Alert("failed-run-1", "Run failed", "", (), "failure", False, None)
    deliver([*alerts(40), timeless], state, channel, NOW)
    assert slack.titles[0] == "Run failed"


def test_the_outbox_receives_the_digest_too(state, tmp_path):
    deliver(alerts(30), state, OutboxChannel(tmp_path / "outbox"), NOW)
    assert len(list((tmp_path / "outbox").glob("*.json"))) == 21
    assert len(list((tmp_path / "outbox").glob("digest-*.txt"))) == 1


def _deliver_in_process(path: Path, url: str, barrier, count: int) -> None:
    barrier.wait()
    with open_state(path) as store:
        deliver(alerts(count), store, Slack(token=TOKEN, channel=CHANNEL, base_url=url), NOW)


@pytest.mark.parametrize("count", [15, 60])
def test_two_processes_send_everything_once(tmp_path, slack, count):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [
        context.Process(target=_deliver_in_process, args=(tmp_path / "state.db", slack.url, barrier, count))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    digests = [title for title in slack.titles if "more alert" in title]
    told = len(slack.titles) - len(digests) + sum(int(title.split()[0]) for title in digests)
    assert told == count
    assert len(slack.messages) == len(set(slack.titles))
    # A process claims what the other has not: each may have single messages and a digest of its own.
    assert len(slack.messages) == count if count <= MOST_SINGLE_MESSAGES else len(digests) in (1, 2)
    with open_state(tmp_path / "state.db") as store:
        assert store.deliveries()["status"].tolist() == ["sent"] * count


def test_an_unexpected_error_leaves_the_claim_for_later(state, slack, channel):
    class Broken:
        name = channel.name

        def send(self, alert: Alert) -> str:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        deliver(alerts(1), state, Broken(), NOW)
    assert deliver(alerts(1), state, channel, LATER).sent == ("alert-0",)


def test_delivery_errors_name_no_secret(state, channel):
    wrong = Slack(token="xoxb-secret-but-wrong", channel=CHANNEL, base_url=channel.base_url)
    report = deliver(alerts(1), state, wrong, NOW)
    assert "xoxb-secret-but-wrong" not in report.failed[0][1] + state.deliveries()["error"].iloc[0]


def test_importing_is_light():
    code = "import sys, perf_assets.alerts.delivery; assert not set(sys.modules) & {'slack_sdk', 'dagster', 'duckdb'}"
    subprocess.run([sys.executable, "-c", code], check=True)
