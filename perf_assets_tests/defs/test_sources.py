"""Sources as assets: a real instance, local services, and what a person sees of a pull."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from perf_assets.definitions import build_definitions
from perf_assets.defs.asset_spec import RECEIVED_DAY
from perf_assets.defs.assets.sources import SOURCE_DAY, _result
from perf_assets.landing import Landing, utc_now
from perf_assets.settings import Settings
from perf_assets.sources.errors import NotFoundError, RateLimitedError, SourceError, UnreachableError
from perf_assets.sources.pulling import Day, Pulled, Trouble
from perf_assets_tests.defs.building import errors_of, run_job, settings_for, warehouse_of
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.service import SECRET, serving
from perf_assets_tests.sources.test_github_actions import GitHub

ALL: dict[str, Any] = {
    "github_actions": {"repositories": ["org/shop"]}, "jenkins": {"url": "http://jenkins", "jobs": ["main"]},
    "gitlab": {"projects": ["org/shop"]}, "circleci": {"projects": ["gh/org/shop"]}, "dagster": {"enabled": True},
    "prometheus": {"url": "http://prometheus", "queries": {"cpu_usage": "cpu"}}, "folders": [{"url": "results"}],
    "dashboard": {"url": "http://dashboard", "token": SECRET},
}  # fmt: skip
"""A configuration of every source."""
ASSETS = {f"{name}_results" for name in ALL}


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving(lambda request: Answer(status=500)) as service:
        server = GitHub(service)
        service.answer = server.answer
        yield server


def settings_with(home: Path, token: str = "", **sources: Any) -> Settings:
    if token:
        sources["github_actions"]["token"] = token
    return settings_for(home, sources=sources)


def watching(github: GitHub, home: Path, token: str = SECRET) -> Settings:
    asked = {"repositories": ["org/shop"], "base_url": github.service.url}
    return settings_with(home, token, github_actions=asked)


def pull(settings: Settings, *names: str, days: int = 8, instance: dg.DagsterInstance | None = None) -> Any:
    today = utc_now().date()
    asked = (f"{today - timedelta(days=days - 1)}", f"{today}")
    return run_job(settings, asked, "sources_job", instance, [f"{name}_results" for name in names] or None)


def told(result: Any, name: str) -> dict[str, Any]:
    """What the last materialization of a source says, its values bare."""
    found = result.asset_materializations_for_node(f"{name}_results")
    return {key: value.value for key, value in found[-1].metadata.items()}


def today_at(hour: int, days_ago: int = 0) -> str:
    return f"{utc_now().date() - timedelta(days=days_ago)}T{hour:02}:00:00Z"


def test_a_pull_tells_what_it_asked_for_and_what_came(github, tmp_path):
    settings = watching(github, tmp_path)
    github.add(1, today_at(0))
    github.add(2, today_at(6, days_ago=3))
    result = pull(settings, "github_actions")
    assert errors_of(result) == {}
    assert len(result.asset_materializations_for_node("github_actions_results")) == 8
    first = told(result, "github_actions")
    assert (first["requests"], first["files"], first["new_files"], first["not_modified"]) == (10, 4, 4, 0)
    assert first["bytes"] == sum(file.size for file in Landing(settings.landing).files())
    second = told(pull(settings, "github_actions"), "github_actions")
    assert (second["requests"], second["files"], second["not_modified"]) == (8, 0, 8)


def test_sources_that_are_not_configured_are_no_part_of_the_definitions(tmp_path):
    repository = build_definitions({"settings": settings_for(tmp_path)}).get_repository_def()
    assert not {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()} & ASSETS
    assert "sources_job" not in repository.job_names
    assert {schedule.name for schedule in repository.schedule_defs} == {"daily_analysis", "hourly_ingestion"}


def test_a_wrong_token_fails_at_once_and_is_not_shown(github, tmp_path):
    result = pull(watching(github, tmp_path, "hunter3-is-wrong"), "github_actions")
    assert not result.success
    message = errors_of(result)["github_actions_results"]
    assert "Set GITHUB_TOKEN to one that is valid" in message
    assert "hunter3" not in message + json.dumps([str(event) for event in result.all_events])
    assert len(github.service.requests) == 1


def test_settings_that_cannot_be_used_fail_at_once(tmp_path):
    settings = settings_with(tmp_path, github_actions={"repositories": ["shop"]})
    result = pull(settings, "github_actions")
    assert "write owner/name" in errors_of(result)["github_actions_results"]


def test_what_failed_and_what_came_are_both_told(github, tmp_path):
    asked = {"repositories": ["org/none", "org/shop"], "base_url": github.service.url}
    settings = settings_with(tmp_path, SECRET, github_actions=asked)
    github.add(1, today_at(0))
    result = pull(settings, "github_actions")
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    metadata = failed.step_failure_data.user_failure_data.metadata
    assert "/repos/org/none" in metadata["troubles"].value
    assert metadata["new_files"].value == 2


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UnreachableError("no answer"), True),
        (NotFoundError("no such repository", 404), False),
        (RateLimitedError("until later", datetime(2026, 9, 10)), False),  # noqa: DTZ001 - naive UTC
    ],
)
def test_only_what_may_pass_is_tried_again(error: SourceError, again: bool) -> None:
    troubles = [Trouble("org/shop", Day(date(2026, 9, 10)), error)] * 12
    with pytest.raises(dg.Failure) as caught:
        _result(Pulled(files=3, troubles=troubles), {"requests": 5}, attended=False)
    assert caught.value.allow_retries is again
    assert str(caught.value.metadata["troubles"].value).endswith("... and 2 more")
    assert caught.value.metadata["files"].value == 3


def test_folders_are_pulled(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.csv").write_text("timestamp,metric_name,metric_value\n2026-09-10,cpu_usage,0.5\n")
    settings = settings_with(tmp_path / "home", folders=[{"url": str(tmp_path / "results")}])
    result = pull(settings, "folders", days=2)
    assert errors_of(result) == {}
    assert [file.name for file in Landing(settings.landing).files()] == ["a.csv"]
    assert told(result, "folders")["new_files"] == 1


def test_the_platform_watches_its_own_runs(tmp_path):
    settings = settings_with(tmp_path, dagster={"enabled": True})
    with dg.DagsterInstance.ephemeral() as instance:
        first = pull(settings, "dagster", instance=instance)
        assert told(first, "dagster")["new_files"] == 0
        second = pull(settings, "dagster", instance=instance)
        assert told(second, "dagster")["new_files"] == 1
        third = pull(settings, "dagster", instance=instance)
        assert told(third, "dagster")["new_files"] == 1
    runs = [json.loads(line) for file in Landing(settings.landing).files() for line in file.path.open()]
    assert [run["dagster_run"] for run in runs] == [first.run_id, second.run_id]
    assert [step["step"] for run in runs for step in run["steps"]] == ["dagster_results"] * 2


def test_what_was_pulled_is_loaded_and_attempts_are_told_apart(github, tmp_path):
    settings = watching(github, tmp_path)
    for _ in range(2):
        github.add(1, today_at(0), updated_at=today_at(1))
    assert errors_of(pull(settings, "github_actions")) == {}
    today = f"{utc_now().date()}"
    assert errors_of(run_job(settings, (today, today), "ingestion_job")) == {}
    found = warehouse_of(settings).query(
        """SELECT metric, attempt, count(*) AS measured FROM measurements
        JOIN series USING (series_id) JOIN runs USING (run_id) WHERE run_key = '1' GROUP BY ALL ORDER BY ALL"""
    )
    assert [tuple(row) for row in found.itertuples(index=False)] == [
        (metric, attempt, 1 if metric == "pipeline_duration" else 3)
        for metric in ("job_duration", "pipeline_duration", "queue_wait_time", "step_duration")
        for attempt in (1, 2)
    ]


def test_sources_are_partitioned_by_their_own_day_and_backfilled_in_one_run():
    days = SOURCE_DAY.get_partition_keys()
    assert (days[0], days[-1]) == ("2020-01-01", f"{utc_now():%Y-%m-%d}")
    graph = build_definitions({"settings": settings_with(Path("home"), **ALL)}).resolve_asset_graph()
    for name in ASSETS - {"dashboard_results"}:
        node = graph.get(dg.AssetKey(name))
        assert node.partitions_def == SOURCE_DAY
        assert node.backfill_policy == dg.BackfillPolicy.single_run()


def test_the_job_of_sources_is_all_of_them_and_runs_have_those_without_days():
    definitions = build_definitions({"settings": settings_with(Path("home"), **ALL)})
    jobs = {
        job: {key.to_user_string() for key in definitions.resolve_job_def(job).asset_layer.selected_asset_keys}
        for job in ("sources_job", "perf_assets_job", "ingestion_job")
    }
    assert jobs["sources_job"] == ASSETS
    assert jobs["sources_job"] & jobs["perf_assets_job"] == {"dashboard_results"}
    assert jobs["sources_job"] & jobs["ingestion_job"] == {"dashboard_results"}


def test_what_was_pulled_by_day_comes_before_what_loads_it():
    definitions = build_definitions({"settings": settings_with(Path("home"), **ALL)})
    node = definitions.resolve_asset_graph().get(dg.AssetKey("raw_results"))
    assert {key.to_user_string() for key in node.parent_keys} == ASSETS - {"dashboard_results"}


def test_without_a_source_everything_is_one_job_of_the_days_of_receipt(tmp_path):
    definitions = build_definitions({"settings": settings_for(tmp_path)})
    graph = definitions.resolve_asset_graph()
    partitions = {graph.get(key).partitions_def for key in graph.get_all_asset_keys()} - {None}
    assert partitions == {RECEIVED_DAY}
    everything = definitions.resolve_implicit_global_asset_job_def()
    assert everything.asset_layer.selected_asset_keys == graph.get_all_asset_keys()


def evaluate(settings: Settings) -> Any:
    definitions = build_definitions({"settings": settings})
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 8, 9, 5, 52, tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
        instance=dg.DagsterInstance.ephemeral(),
    )
    schedule = definitions.resolve_schedule_def("hourly_sources")
    assert schedule.job_name == "sources_job"
    return schedule.evaluate_tick(context)


def test_the_schedule_asks_for_eight_days_of_what_is_configured_in_one_run(tmp_path):
    (request,) = evaluate(settings_with(tmp_path, dagster={"enabled": True})).run_requests
    assert request.run_key == "2026-08-09T05:52"
    assert request.asset_selection == [dg.AssetKey("dagster_results")]
    assert {key: value for key, value in request.tags.items() if "range" in key} == {
        "dagster/asset_partition_range_start": "2026-08-02", "dagster/asset_partition_range_end": "2026-08-09",
    }  # fmt: skip
