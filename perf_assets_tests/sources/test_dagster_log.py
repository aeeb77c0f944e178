"""The log of a real instance: its runs and steps of a day, once each, without what could be secret."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from perf_assets.landing import utc_now
from perf_assets.sources import dagster_log
from perf_assets.sources.dagster_log import DagsterLog
from perf_assets.sources.pulling import Pulled
from perf_assets_tests.formats.reading import read_file
from perf_assets_tests.sources.pull import Site, errors_of


@dg.asset
def first() -> None:
    """Succeeds."""


@dg.asset(deps=[first], retry_policy=dg.RetryPolicy(max_retries=1))
def second(context: dg.AssetExecutionContext) -> None:
    """Succeeds when it is tried again."""
    if context.retry_number == 0:
        raise ValueError("hunter2")


@dg.op(config_schema={"password": str})
def failing(context: dg.OpExecutionContext) -> None:
    raise ValueError(context.op_config["password"])


@dg.job
def broken() -> None:
    failing()


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
JOBS = dg.Definitions(assets=[first, second], jobs=[dg.define_asset_job("nightly", selection="*"), broken])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, "dagster")


def execute(instance: dg.DagsterInstance, job: str = "nightly", **more: Any) -> str:
    config = QUIET | more.pop("config", {})
    definition = JOBS.resolve_job_def(job)
    return definition.execute_in_process(instance=instance, raise_on_error=False, run_config=config, **more).run_id


def pull(site: Site, instance: dg.DagsterInstance, days: int = 2) -> Pulled:
    now = utc_now()
    pulled = replace(site, now=now).pull_scopes(DagsterLog(enabled=True).scopes(instance), days, now.date())
    assert errors_of(pulled) == []
    return pulled


def lines(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for file in site.files() for line in file.path.read_text().splitlines()]


def test_a_run_is_a_line_with_its_steps_and_is_read_as_such(site, instance):
    run_id = execute(instance, tags={"dagster/partition": "2026-09-10", "secret": "hunter2"})
    pulled = pull(site, instance)
    assert pulled.new_files == 1
    (line,) = lines(site)
    assert (line["dagster_run"], line["job"], line["status"], line["is_part"]) == (run_id, "nightly", "SUCCESS", False)
    assert [(step["step"], step["status"], step["attempts"]) for step in line["steps"]] == [
        ("first", "SUCCESS", 1), ("second", "SUCCESS", 2),
    ]  # fmt: skip
    reading = read_file(site.files()[0].path)
    assert (reading.format, reading.rejections, reading.omitted) == ("dagster-runs", [], {})
    assert reading.column("metric", "test_name", "run_key", "project") == [
        ("pipeline_duration", "nightly", run_id, "dagster"),
        ("step_duration", "nightly / first", run_id, "dagster"),
        ("step_duration", "nightly / second", run_id, "dagster"),
    ]
    whole, one, other = reading.column("value")
    assert whole >= one + other > 0
    assert json.loads(reading.rows[0]["context"])["partition"] == {"dagster/partition": "2026-09-10"}
    assert b"hunter2" not in site.everything_kept()


def test_a_second_pull_gives_only_the_runs_since(site, instance):
    execute(instance)
    pull(site, instance)
    assert pull(site, instance).files == 0
    run_id = execute(instance)
    assert pull(site, instance).new_files == 1
    assert [line["dagster_run"] for line in lines(site)][-1] == run_id


def test_failed_runs_give_no_duration_and_show_no_configuration(site, instance):
    execute(instance, "broken", config={"ops": {"failing": {"config": {"password": "hunter2"}}}})
    pull(site, instance)
    reading = read_file(site.files()[0].path)
    assert (reading.rows, reading.omitted) == ([], {"failed": 2})
    assert b"hunter2" not in site.everything_kept()


def test_a_run_of_some_steps_is_not_compared_as_a_whole(site, instance):
    execute(instance, asset_selection=[dg.AssetKey("first")])
    pull(site, instance)
    assert read_file(site.files()[0].path).column("metric", "test_name") == [("step_duration", "nightly / first")]


def test_runs_of_other_days_and_unfinished_ones_are_left_out(site, instance):
    execute(instance)
    instance.create_run_for_job(JOBS.resolve_job_def("nightly"))
    assert replace(site, now=utc_now()).pull_scopes(
        DagsterLog(enabled=True).scopes(instance), 3, utc_now().date() - timedelta(days=1)
    ).files == 0  # fmt: skip
    pull(site, instance)
    assert len(lines(site)) == 1


def test_many_runs_come_page_by_page(site, instance, monkeypatch):
    monkeypatch.setattr(dagster_log, "RUNS_AT_ONCE", 2)
    known = {execute(instance, asset_selection=[dg.AssetKey("first")]) for _ in range(5)}
    assert pull(site, instance).new_files == 3
    assert {line["dagster_run"] for line in lines(site)} == known


def test_watching_itself_is_off_unless_asked_for():
    assert not DagsterLog().configured
    assert DagsterLog(enabled=True).configured
