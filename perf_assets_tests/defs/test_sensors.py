"""Sensors: dropped files, alerts about regressions, failed runs; with real folders, state and runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from perf_assets.defs.sensors import dropped_files, failed_runs, regression_alerts
from perf_assets.landing import utc_now
from perf_assets.settings import Settings
from perf_assets_tests.alerts.slack_server import CHANNEL, TOKEN, slack_server
from perf_assets_tests.defs.building import (
    land,
    publish_regressions,
    regression_row,
    run_job,
    settings_for,
    small_table,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path / "home")


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


@pytest.fixture
def slack_settings(tmp_path: Path, slack) -> Settings:
    return settings_for(
        tmp_path / "home",
        slack={"token": TOKEN, "channel": CHANNEL, "base_url": slack.url},
    )


def look(settings: Settings, cursor: str | None = None) -> dg.SensorResult:
    with dg.build_sensor_context(cursor=cursor, resources={"settings": settings}) as context:
        result = dropped_files(context)
    assert isinstance(result, dg.SensorResult)
    return result


def alert(settings: Settings, cursor: str | None = None) -> tuple[str, str | None]:
    """What the sensor says, and its cursor afterwards."""
    with dg.build_sensor_context(cursor=cursor, resources={"settings": settings}) as context:
        result = regression_alerts(context)
    assert isinstance(result, dg.SkipReason)
    return str(result.skip_message), context.cursor


def drop(settings: Settings, name: str, content: bytes, age: int = 0) -> None:
    file = settings.drop_folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, ns=(10**18 - age, 10**18 - age))


def test_an_empty_drop_folder_is_left_alone(settings):
    assert "is empty" in str(look(settings).skip_reason)
    assert settings.drop_folder.is_dir()
    assert not look(settings).run_requests


def test_unfinished_and_hidden_files_are_left_alone(settings):
    for name in (".hidden.csv", "results.csv.part", "results.tmp", ".git/config", "a/.b/c.csv", "x.crdownload"):
        drop(settings, name, b"x")
    assert "is empty" in str(look(settings).skip_reason)


def test_a_file_is_analysed_once_it_has_stopped_growing(settings):
    drop(settings, "results.csv", b"1")
    first = look(settings)
    assert not first.run_requests
    drop(settings, "results.csv", b"12")
    growing = look(settings, first.cursor)
    assert not growing.run_requests
    assert growing.cursor != first.cursor
    settled = look(settings, growing.cursor)
    (request,) = settled.run_requests or []
    assert request.partition_key == f"{utc_now():%Y-%m-%d}"
    # Dagster starts one run a key, however often the sensor looks before the run has emptied the folder.
    (again,) = look(settings, settled.cursor).run_requests or []
    assert again.run_key == request.run_key


def test_another_file_is_another_run(settings):
    drop(settings, "a.csv", b"1")
    first = look(settings, look(settings).cursor)
    drop(settings, "b.csv", b"1")
    assert not look(settings, first.cursor).run_requests
    both = look(settings, look(settings, first.cursor).cursor)
    assert (both.run_requests or [])[0].run_key != (first.run_requests or [])[0].run_key


def test_a_new_snapshot_is_alerted_once(slack_settings, slack):
    assert alert(slack_settings) == ("no snapshot yet", None)
    publish_regressions(slack_settings, regression_row(1), regression_row(2, state="suspected"))
    said, cursor = alert(slack_settings)
    assert "1 alert sent, 0 sent before, 0 not sent" in said
    assert "has been looked at" in alert(slack_settings, cursor)[0]
    publish_regressions(slack_settings, regression_row(1), regression_row(3))
    said, later = alert(slack_settings, cursor)
    assert "1 alert sent, 1 sent before" in said
    assert later != cursor
    assert len(slack.messages) == 2


def test_a_lost_cursor_sends_nothing_twice(slack_settings, slack):
    publish_regressions(slack_settings, regression_row(1))
    alert(slack_settings)
    said, _ = alert(slack_settings, cursor=None)
    assert "0 alerts sent, 1 sent before" in said
    assert len(slack.messages) == 1


def test_a_failed_delivery_is_tried_again(slack_settings, slack):
    publish_regressions(slack_settings, regression_row(1), regression_row(2))
    slack.troubles = ["server_error"]
    said, cursor = alert(slack_settings)
    assert ("1 alert sent, 0 sent before, 1 not sent" in said, cursor) == (True, None)
    said, cursor = alert(slack_settings, cursor)
    assert "1 alert sent, 1 sent before" in said
    assert cursor is not None
    assert len(slack.messages) == 2


def test_a_snapshot_folder_that_begins_anew_is_looked_at(settings):
    publish_regressions(settings, regression_row(1))
    _, cursor = alert(settings)
    for file in settings.snapshots.iterdir():
        file.unlink()
    publish_regressions(settings, regression_row(2))
    assert "1 alert sent" in alert(settings, cursor)[0]


@pytest.fixture
def failed_run(tmp_path, settings):
    """A run that failed because the metrics file is broken."""
    broken = tmp_path / "metrics.toml"
    broken.write_text("[latency]\nunit = 5\n")
    day = land(settings, small_table(1, 1), "small.csv")
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_job(settings.model_copy(update={"metrics_file": broken}), (day, day), "ingestion_job", instance)
        assert not result.success
        yield FailedRun(instance, result)


@dataclass(frozen=True)
class FailedRun:
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult


def tell(failed: FailedRun, settings: Settings) -> str:
    """What Dagster's daemon does when a run has failed, and what its tick says."""
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_event=next(event for event in failed.result.all_events if event.is_run_failure),
        dagster_instance=failed.instance,
        dagster_run=failed.result.dagster_run,
        resources={"settings": settings},
    )
    said = failed_runs(context.for_run_failure())
    assert isinstance(said, dg.SkipReason)
    return str(said.skip_message)


def test_a_failed_run_is_told_with_step_and_remedy(failed_run, settings):
    assert "1 alert sent, 0 sent before" in tell(failed_run, settings)
    assert "0 alerts sent, 1 sent before" in tell(failed_run, settings)
    (file,) = settings.outbox.glob("failed-run-*.json")
    message = json.dumps(json.loads(file.read_text()))
    assert "Run of ingestion_job failed" in message
    assert "load_results" in message
    assert "metrics.toml, metric 'latency': field 'unit' is missing or no text" in message


def test_a_failed_run_is_told_on_slack(failed_run, slack_settings, slack):
    tell(failed_run, slack_settings)
    (title,) = slack.titles
    assert title.startswith("Run of ingestion_job failed")
