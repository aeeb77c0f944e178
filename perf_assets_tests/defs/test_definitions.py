"""What Dagster loads: the graph as a literal table, so that a change of it is seen in review."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

import perf_assets
from perf_assets.definitions import build_definitions
from perf_assets.defs.resources import resources_for
from perf_assets.landing import utc_now
from perf_assets.settings import Settings, settings_from
from perf_assets.tables import PERFORMANCE_METRICS, TABLES
from perf_assets.warehouse import Warehouse

GRAPH = """
key_insights         advice       anomalies breach_outlook change_points duration_drivers duration_models joint_anomalies metric_trends node_scores pattern_changes regressions scenario_efficiency seasonal_patterns stopped_reporting
node_scores          advice       breach_outlook metric_series metric_trends performance_metrics regressions stopped_reporting
performance_report   advice       anomalies breach_outlook key_insights metric_correlations metric_factors metric_trends recommendations regression_causes schedule_plan seasonal_patterns within_day_forecasts
recommendations      advice       breach_outlook metric_series metric_trends node_scores regressions
schedule_plan        advice       node_scores performance_metrics
duration_drivers     correlations metric_series performance_metrics
duration_models      correlations metric_series performance_metrics
metric_correlations  correlations metric_rollups metric_series
metric_factors       correlations metric_series
run_outliers         correlations duration_drivers performance_metrics
scenario_efficiency  correlations metric_series performance_metrics
breach_outlook       forecasts    change_points metric_rollups metric_series regressions
forecast_accuracy    forecasts    metric_forecasts metric_series
forecast_models      forecasts    change_points metric_series regressions
metric_forecasts     forecasts    change_points metric_series regressions
within_day_forecasts forecasts    change_points metric_series regressions
quarantined_results* ingestion    raw_results
raw_results*         ingestion
metric_rollups       series       metric_series performance_metrics
metric_series        series       performance_metrics
performance_metrics* series       raw_results
anomalies            trends       metric_series
change_points        trends       metric_series performance_metrics
detection_limits     trends       metric_series performance_metrics
joint_anomalies      trends       metric_series
metric_trends        trends       change_points metric_series regressions
pattern_changes      trends       metric_series
regressions          trends       anomalies change_points detection_limits metric_series
regression_causes    trends       metric_series performance_metrics regressions
seasonal_patterns    trends       metric_series
seasonal_profiles    trends       metric_series
stopped_reporting    trends       metric_series performance_metrics
"""  # noqa: E501 - a table
"""Key (a star: partitioned by day), group, and what it depends on."""

CHECKS = {
    "forecast_intervals_are_nested", "forecasts_cover_what_they_say", "identity_holds", "measurements_are_unique",
    "metrics_are_in_the_catalogue",
    "names_are_stable", "nothing_is_quarantined", "recommendations_have_evidence", "results_keep_coming",
    "schema_is_as_documented", "series_are_analysed", "series_are_fresh", "volume_is_usual",
}  # fmt: skip


defs = build_definitions({"settings": Settings()})
"""Without a source."""


@pytest.fixture(scope="module")
def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_graph_is_as_written_down(specs):
    found = {
        (
            f"{name}{'*' if spec.partitions_def else ''}",
            str(spec.group_name),
            *sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        )
        for name, spec in specs.items()
    }
    assert found == {tuple(line.split()) for line in GRAPH.strip().splitlines()}


def test_every_asset_says_what_it_is_and_whose(specs):
    for name, spec in specs.items():
        assert len(spec.description or "") > 20, name
        assert spec.owners == ["team:performance"], name
        assert spec.kinds, name


def test_every_asset_that_is_a_table_has_its_columns(specs):
    tables = {table.name: table for table in (*TABLES, PERFORMANCE_METRICS)}
    for name in set(specs) & set(tables):
        spec = specs[name]
        schema = spec.metadata["dagster/column_schema"]
        columns = [(column.name, column.type, column.description) for column in schema.columns]
        assert columns == [(column.name, column.type, column.meaning) for column in tables[name].columns]
    assert set(specs) - set(tables) == {"performance_report"}


def test_assets_have_a_code_version_and_a_link_to_their_code(specs):
    for name, spec in specs.items():
        assert spec.code_version, name
        (reference,) = spec.metadata["dagster/code_references"].code_references
        assert Path(reference.file_path).is_relative_to(Path(perf_assets.__file__).parent), name


def test_the_view_has_the_columns_that_are_documented(tmp_path):
    settings = Settings(home=tmp_path)
    warehouse = Warehouse(settings.database, settings.snapshots)
    with warehouse.transaction() as con:
        found = con.execute("DESCRIBE performance_metrics").fetchall()
    assert [(name, kind) for name, kind, *_ in found] == [(c.name, c.type) for c in PERFORMANCE_METRICS.columns]


def test_lineage_reaches_from_received_files_to_recommendations():
    graph = defs.resolve_asset_graph()
    ancestors = graph.get_ancestor_asset_keys(dg.AssetKey("recommendations"))
    assert {dg.AssetKey("raw_results"), dg.AssetKey("performance_metrics"), dg.AssetKey("regressions")} <= ancestors


@pytest.mark.parametrize("name", ["raw_results", "performance_metrics", "quarantined_results"])
def test_days_of_receipt_include_today_and_are_backfilled_in_one_run(name, specs):
    partitions = specs[name].partitions_def
    assert partitions is not None
    days = partitions.get_partition_keys()
    assert (days[0], days[-1]) == ("2026-01-01", f"{utc_now():%Y-%m-%d}")
    policy = defs.resolve_asset_graph().get(dg.AssetKey(name)).backfill_policy
    assert policy == dg.BackfillPolicy.single_run()


def test_every_check_is_there():
    graph = defs.resolve_asset_graph()
    assert {key.name for key in graph.asset_check_keys} == CHECKS


def test_the_analysis_asks_for_its_day_once():
    request = _request("daily_analysis", "perf_assets_job")
    assert (request.run_key, request.partition_key) == ("2026-08-09T05:30", "2026-08-09")


def test_ingestion_asks_for_yesterday_as_well_for_what_came_after_its_last_time():
    request = _request("hourly_ingestion", "ingestion_job")
    assert request.run_key == "2026-08-09T05:30"
    days = [value for key, value in sorted(request.tags.items()) if "range" in key]
    assert days == ["2026-08-09", "2026-08-08"]


def test_the_main_job_is_everything_and_ingestion_its_beginning(specs):
    assert set(_assets("perf_assets_job")) == set(specs)
    assert set(_assets("ingestion_job")) == {"raw_results", "quarantined_results", "performance_metrics"}


def test_resources_can_be_overridden(tmp_path):
    settings = Settings(home=tmp_path)
    overridden = build_definitions({"settings": settings})
    assert overridden.resources["settings"] is settings
    assert overridden.resources["warehouse"] is not None
    assert build_definitions().resources["settings"] is not settings


def test_the_ui_shows_how_resources_are_configured_and_no_secret(tmp_path):
    settings = _with_secrets(tmp_path)
    repository = build_definitions({"clock": utc_now, **resources_for(settings)}).get_repository_def()
    shown = {resource.name: resource.configured_values for resource in RepositorySnap.from_def(repository).resources}
    assert shown["landing"] == {"folder": json.dumps(str(tmp_path / "landing"))}
    assert json.loads(str(shown["settings"]["regressions"]))["threshold"] == 0.2
    assert "state_url" not in shown["settings"]
    sources = resources_for(settings)
    assert {"github_actions", "folders"} <= sources.keys()
    github = sources["github_actions"]
    assert isinstance(github, dg.ConfigurableResource)
    assert github.base_url == "https://api.github.com"
    assert "hunter2" not in json.dumps(shown, default=str) + repr(sources)


def test_resources_give_what_they_were_made_of_secrets_included(tmp_path):
    settings = _with_secrets(tmp_path)
    with dg.build_resources(resources_for(settings)) as opened:
        assert opened.settings == settings
        assert opened.settings.state_url == settings.state_url
        assert opened.github_actions == settings.sources.sections["github_actions"]
        assert opened.github_actions.token.get_secret_value() == "hunter2"
        assert opened.folders.root[0].url == "sftp://user:hunter2@host/results"


def _with_secrets(home: Path) -> Settings:
    written = {
        "regressions": {"threshold": 0.2},
        "incidents": [{"from": "2026-09-10", "to": "2026-09-11", "reason": "disk full"}],
        "sources": {
            "github_actions": {"repositories": ["org/shop"]},
            "folders": [{"url": "sftp://user:hunter2@host/results"}],
        },
    }
    environ = {
        "PERF_ASSETS_HOME": str(home), "GITHUB_TOKEN": "hunter2", "PERF_ASSETS_STATE_URL": "sqlite:///hunter2",
        "SLACK_BOT_TOKEN": "xoxb-hunter2",
    }  # fmt: skip
    return settings_from(written, Path("perf-assets.toml"), environ)


def _request(schedule: str, job: str) -> dg.RunRequest:
    definition = defs.resolve_schedule_def(schedule)
    assert definition.job_name == job
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 8, 9, 5, 30, tzinfo=UTC),
        repository_def=defs.get_repository_def(),
        instance=dg.DagsterInstance.ephemeral(),
    )
    (request,) = definition.evaluate_tick(context).run_requests or []
    return request


def _assets(job: str) -> list[str]:
    selected = defs.resolve_job_def(job).asset_layer.selected_asset_keys
    return [key.to_user_string() for key in selected]


def test_schedules_and_sensors_run_from_the_start_and_say_what_they_do():
    repository = defs.get_repository_def()
    assert (len(repository.schedule_defs), len(repository.sensor_defs)) == (2, 4)
    for each in (*repository.schedule_defs, *repository.sensor_defs):
        running = each.name != "analysis_after_ingestion"
        assert each.default_status.value == ("RUNNING" if running else "STOPPED"), each.name
        assert (each.description or "").endswith("."), each.name


def test_loading_the_definitions_warns_of_nothing(tmp_path):
    config = tmp_path / "perf-assets.toml"
    config.write_text(
        "[sources.dagster]\nenabled = true\n[[sources.folders]]\nurl = 'sftp://user:hunter2@host/results'\n"
    )
    dashboard = {"SCALE_DASHBOARD_URL": "http://dashboard", "SCALE_DASHBOARD_API_KEY": "hunter2"}
    loading = "from perf_assets.definitions import defs; defs.get_repository_def()"
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", loading],
        env={**os.environ, "PERF_ASSETS_CONFIG": str(config), **dashboard}, capture_output=True, text=True,
    )  # fmt: skip
    assert (loaded.returncode, loaded.stderr) == (0, "")


def test_nothing_private_of_dagster_is_imported():
    package = Path(perf_assets.__file__).parent
    private = [
        f"{file.relative_to(package)}: {line}"
        for file in package.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(from|import) dagster(\._|_shared)", line)
    ]
    assert private == []
