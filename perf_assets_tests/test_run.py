"""The whole job in this process, on a dozen series and a few scenario runs: everything comes out, and nothing twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from perf_assets.defs.checks import CHECKS
from perf_assets.landing import Landing, utc_now
from perf_assets.settings import Incident, Settings
from perf_assets.state import open_state
from perf_assets.tables import TABLES
from perf_assets.warehouse import open_snapshot
from perf_assets_tests.defs.building import (
    DAYS,
    RECEIVED,
    START,
    STEP_AT,
    checksums_of,
    errors_of,
    land,
    run_job,
    scenario_page,
    settings_for,
    small_table,
)
from perf_assets_tests.sources.dashboard_server import Answer, dashboard_at, dashboard_server

EARLIER = RECEIVED - timedelta(days=3)
RESULTS = "/api/results"


@dataclass(frozen=True)
class Site:
    """A home after three runs: of everything, of one day of receipt again, and of everything without the warehouse."""

    settings: Settings
    first: dg.ExecuteInProcessResult
    second: dg.ExecuteInProcessResult
    third: dg.ExecuteInProcessResult
    after: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with open_snapshot(self.settings.snapshots) as con:
            return con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    home = tmp_path_factory.mktemp("site")
    with dashboard_server() as dashboard:
        dashboard.answers[RESULTS] = Answer(scenario_page())
        settings = settings_for(home, sources=dashboard_at(dashboard.url))
        first_day = land(settings, small_table(), "small.csv", EARLIER)
        land(settings, small_table(1, 1), "a-part-of-it-again.csv", RECEIVED)
        today = f"{utc_now():%Y-%m-%d}"
        first = run_job(settings, (first_day, today))
        after_first = checksums_of(settings)
        second = run_job(settings, (first_day, first_day))
        after_second = checksums_of(settings)
        with open_state(settings.state) as state:
            state.acknowledge("1", "Ada", utc_now(), "known")
        for file in settings.database.parent.iterdir():
            file.unlink()
        third = run_job(settings, (first_day, today))
    return Site(settings, first, second, third, (after_first, after_second, checksums_of(settings)))


def test_everything_materialises_and_every_check_passes(site):
    assert errors_of(site.first) == {}
    materialised = {event.asset_key.to_user_string() for event in site.first.get_asset_materialization_events()}
    assert len(materialised) == 33
    evaluations = site.first.get_asset_check_evaluations()
    assert [e.check_name for e in evaluations if not e.passed] == []
    assert len(evaluations) == len(CHECKS)


def test_the_planted_step_is_found_and_acted_on(site):
    found = site.query("SELECT test_name, node_id, state, change, first_bad_run FROM regressions")
    ((test, node, state, change, first_bad_run),) = found
    assert (test, node, state, first_bad_run) == ("test-0", "node-0", "confirmed", f"run-{STEP_AT}")
    assert change == pytest.approx(0.4, abs=0.03)
    assert site.query("SELECT kind, subject, state FROM recommendations") == [
        ("slow_test_execution", "test-0", "proposed")
    ]
    assert site.query("SELECT count(*) FROM scenario_efficiency") == [(2,)]
    assert site.query("SELECT count(*) FROM node_scores") == [(3,)]
    going_with = "SELECT factor, highest, round(share, 1), round(unique_share, 1) FROM metric_factors"
    assert site.query(f"{going_with} WHERE metric = 'test_execution_time' AND q_value <= 0.05") == [
        ("test", "test-3", 1.0, 1.0)
    ]


def test_what_came_out_is_told_as_metadata(site):
    for event in site.first.get_asset_materialization_events():
        metadata = event.materialization.metadata
        assert metadata, event.asset_key
        if event.asset_key.to_user_string() not in ("dashboard_results", "performance_report"):
            assert "dagster/row_count" in metadata
    (pulled,) = site.first.asset_materializations_for_node("dashboard_results")
    assert (pulled.metadata["requests"].value, pulled.metadata["new_files"].value) == (1, 1)


def test_a_day_again_changes_nothing(site):
    assert errors_of(site.second) == {}
    pd.testing.assert_frame_equal(site.after[1], site.after[0])


def test_polling_again_lands_nothing_new(site):
    files = [file.name for file in Landing(site.settings.landing).files()]
    assert sorted(files) == ["a-part-of-it-again.csv", "dashboard-results.json", "small.csv"]
    assert site.query("SELECT count(DISTINCT run_id) FROM measurements m JOIN series USING (series_id) "
                      "WHERE metric = 'scenario_duration'") == [(6,)]  # fmt: skip


def test_a_rebuilt_warehouse_is_the_same_and_keeps_what_people_did(site):
    assert errors_of(site.third) == {}
    pd.testing.assert_frame_equal(site.after[2], site.after[0])
    with open_state(site.settings.state) as state:
        assert state.acknowledgements()["acknowledged_by"].tolist() == ["Ada"]


def test_an_incident_takes_its_measurements_out_and_gives_them_back(tmp_path):
    """The step of small_table lies inside; without the incident again, all is as it was at first."""
    settings = settings_for(tmp_path)
    day = land(settings, small_table(2, 2), "small.csv")
    first = _found_with(settings, day)
    assert first["regressions"] == [("test-0", "node-0")]
    last_days = {"from": START + timedelta(days=STEP_AT), "to": "2027-01-01", "reason": "a job that was not ours"}
    declared = Incident.model_validate(last_days | {"node_id": "node-0", "test_name": "test-0"})
    within = _found_with(settings.model_copy(update={"incidents": (declared,)}), day)
    assert within["regressions"] == []
    assert within["incidents"] == [("a job that was not ours", DAYS - STEP_AT)]
    assert within["last seen"] == [(START + timedelta(days=STEP_AT - 1),)]
    again = _found_with(settings, day)
    pd.testing.assert_frame_equal(again.pop("checksums"), first.pop("checksums"))
    assert again == first


def _found_with(settings: Settings, day: str) -> dict[str, Any]:
    """What a run of everything up to the regressions finds."""
    loading = ["raw_results", "performance_metrics", "quarantined_results"]
    assets = [*loading, "metric_series", "change_points", "detection_limits", "regressions"]
    result = run_job(settings, (day, day), assets=assets)
    assert errors_of(result) == {}
    queries = {
        "regressions": "SELECT test_name, node_id FROM regressions",
        "incidents": "SELECT reason, left_out FROM incidents",
        "last seen": "SELECT last_seen FROM metric_series WHERE test_name = 'test-0' AND node_id = 'node-0'",
        "measurements": "SELECT count(*) FROM performance_metrics",
    }
    with open_snapshot(settings.snapshots) as con:
        found: dict[str, Any] = {name: con.execute(sql).fetchall() for name, sql in queries.items()}
    assert found["measurements"] == [(4 * DAYS,)]
    return found | {"checksums": checksums_of(settings)}


def test_nothing_received_is_a_run_with_empty_tables(tmp_path):
    settings = settings_for(tmp_path)
    today = f"{utc_now():%Y-%m-%d}"
    result = run_job(settings, (today, today))
    assert errors_of(result) == {}
    assert [e.check_name for e in result.get_asset_check_evaluations() if not e.passed] == []
    table = checksums_of(settings)
    assert len(table) == len(TABLES)
    assert table.loc[table["rows"] > 0, "table"].tolist() == ["loading_rules"]


def test_a_broken_metrics_file_fails_the_run_and_is_named(tmp_path):
    metrics = tmp_path / "metrics.toml"
    metrics.write_text("latency = 5\n")
    settings = settings_for(tmp_path / "home", metrics_file=metrics)
    day = land(settings, small_table(1, 1), "small.csv")
    result = run_job(settings, (day, day), "ingestion_job")
    assert not result.success
    assert f"{metrics}, metric 'latency': expected a table" in errors_of(result)["load_results"]


def test_a_wrong_token_fails_the_run_at_once_and_no_sample_is_taken(tmp_path):
    with dashboard_server() as dashboard:
        settings = settings_for(tmp_path, sources=dashboard_at(dashboard.url, "hunter2-is-wrong"))
        result = run_job(settings, ("2026-07-20", "2026-07-20"), "ingestion_job")
        assert len(dashboard.requests) == 1
    assert not result.success
    message = errors_of(result)["dashboard_results"]
    assert "Configure a token" in message
    assert "hunter2" not in message
    # Whatever else came in is loaded all the same.
    succeeded = {event.step_key for event in result.all_events if event.is_step_success}
    assert {"raw_results", "load_results"} <= succeeded
    assert list(Landing(Path(settings.landing)).files()) == []


def test_results_that_came_since_are_added_to_those_known(tmp_path):
    with dashboard_server() as dashboard:
        dashboard.answers[RESULTS] = Answer(scenario_page(3))
        settings = settings_for(tmp_path, sources=dashboard_at(dashboard.url))
        today = f"{utc_now():%Y-%m-%d}"
        assert run_job(settings, (today, today), "ingestion_job").success
        dashboard.answers[RESULTS] = Answer(scenario_page(4))
        assert run_job(settings, (today, today), "ingestion_job").success
    with open_snapshot(settings.snapshots) as con:
        runs = con.execute(
            "SELECT count(*), count(DISTINCT run_id) FROM measurements JOIN series USING (series_id) "
            "WHERE metric = 'scenario_duration'"
        ).fetchone()
    assert runs == (4, 4)
