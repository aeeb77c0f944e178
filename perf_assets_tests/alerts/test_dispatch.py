"""Alerting as one call: which regressions of a snapshot go where."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf_assets.alerts.dispatch import channels_of, send_alert, send_new_alerts
from perf_assets.alerts.model import failed_run_alert
from perf_assets.landing import utc_now
from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.warehouse import NoSnapshotError
from perf_assets_tests.alerts.slack_server import CHANNEL, TOKEN, slack_server
from perf_assets_tests.defs.building import START, publish_regressions, regression_row


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, slack) -> Settings:
    return Settings(home=tmp_path, slack={"token": TOKEN, "channel": CHANNEL, "base_url": slack.url})


def outbox(settings: Settings) -> list[str]:
    return sorted(file.stem for file in settings.outbox.glob("*.json"))


def test_the_token_decides_where_alerts_go(settings):
    assert [channel.name for channel in channels_of(settings)] == [f"slack:{CHANNEL}"]
    assert [channel.name for channel in channels_of(Settings(home=settings.home))] == ["outbox"]


def test_only_confirmed_standing_regressions_are_alerted(settings, slack):
    publish_regressions(
        settings,
        regression_row(1),
        regression_row(2, state="suspected"),
        regression_row(3, kind="improvement"),
        regression_row(4, recovered_at=START),
        regression_row(5, restores=True),
    )
    assert send_new_alerts(settings, utc_now()).sent == ("regression-1",)
    assert len(slack.messages) == 1


def test_acknowledged_ones_are_silent(settings, slack):
    publish_regressions(settings, regression_row(1), regression_row(-2))
    with open_state(settings.state) as state:
        state.acknowledge("-2", "Ada", utc_now())
    assert send_new_alerts(settings, utc_now()).sent == ("regression-1",)
    with open_state(settings.state) as state:
        assert state.withdraw_acknowledgement("-2")
    assert send_new_alerts(settings, utc_now()).sent == ("regression--2",)


def test_simulated_ones_only_go_to_the_outbox(settings, slack):
    publish_regressions(settings, regression_row(1), regression_row(2, simulated=True))
    report = send_new_alerts(settings, utc_now())
    assert set(report.sent) == {"regression-1", "regression-2"}
    (message,) = slack.messages
    assert "simulated" not in message["text"]
    assert outbox(settings) == ["regression-2"]
    assert send_new_alerts(settings, utc_now()).already_sent == ("regression-1", "regression-2")


def test_without_a_token_all_go_to_the_outbox(settings, slack):
    publish_regressions(settings, regression_row(1), regression_row(2, simulated=True))
    send_new_alerts(Settings(home=settings.home), utc_now())
    assert outbox(settings) == ["regression-1", "regression-2"]
    # A token set later starts with what was not sent there.
    assert send_new_alerts(settings, utc_now()).sent == ("regression-1",)
    assert len(slack.messages) == 1


def test_a_failure_of_one_channel_leaves_the_other(settings, slack):
    slack.troubles = ["server_error"]
    publish_regressions(settings, regression_row(1), regression_row(2, simulated=True))
    report = send_new_alerts(settings, utc_now())
    assert (report.sent, [alert_id for alert_id, _ in report.failed]) == (("regression-2",), ["regression-1"])


def test_one_alert_is_sent_once(settings, slack):
    alert = failed_run_alert("1", "perf_assets_job", "why", utc_now())
    assert send_alert(settings, alert, utc_now()).sent == ("failed-run-1",)
    assert send_alert(settings, alert, utc_now()).already_sent == ("failed-run-1",)
    assert len(slack.messages) == 1


def test_before_the_first_run_there_is_nothing_to_tell(settings):
    with pytest.raises(NoSnapshotError, match="run `perf-assets run` first"):
        send_new_alerts(settings, utc_now())
