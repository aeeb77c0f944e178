"""Asset checks: each passes on good data and fails on data made to break it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from perf_assets.catalog import load_catalog
from perf_assets.definitions import build_definitions
from perf_assets.defs import checks
from perf_assets.defs.jobs import INGESTION_JOB
from perf_assets.landing import Landing
from perf_assets.settings import CollectionSettings, Incident, Settings
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.incidents import declare_incidents
from perf_assets.warehouse.loading import Rules, load_files
from perf_assets.warehouse.series import build_series
from perf_assets_tests.defs.building import DAYS, QUIET, START, land, settings_for, small_table, warehouse_of

OF_TABLES = [check for check in checks.CHECKS if check is not checks.results_keep_coming]
"""The checks that need nothing but the warehouse."""
NEWEST = START + timedelta(days=DAYS - 1)
HOURLY = CollectionSettings(every_minutes=60)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good data: measurements and series of two tests on one node, a forecast, and recommendations."""
    settings = settings_for(tmp_path_factory.mktemp("good"))
    land(settings, small_table(tests=2, nodes=1), "small.csv")
    warehouse = load(settings)
    change(
        warehouse,
        """INSERT INTO metric_forecasts
        SELECT series_id :: VARCHAR, as_of, 1, 'last_value', 10, 9, 11, 8, 12 FROM metric_series""",
        "INSERT INTO detection_limits (series_id, smallest_detectable) SELECT series_id, 0.1 FROM metric_series",
        """INSERT INTO regressions (regression_id) VALUES (9007199254740993)""",
        """INSERT INTO recommendations (recommendation_id, evidence)
        VALUES (1, '[{"table": "regressions", "regression_id": "9007199254740993"}]')""",
        """INSERT INTO recommendations (recommendation_id, evidence)
        VALUES (2, '[{"table": "metric_series", "metric": "test_execution_time"}]')""",
    )
    return settings.home


@pytest.fixture
def warehouse(good: Path, tmp_path: Path) -> Warehouse:
    shutil.copytree(good, tmp_path / "home")
    return warehouse_of(settings_for(tmp_path / "home"))


def load(settings: Settings) -> Warehouse:
    warehouse = warehouse_of(settings)
    rules = Rules(load_catalog(), settings.identity, settings.quality)
    list(load_files(warehouse, Landing(settings.landing).files(), rules, settings.scratch))
    with warehouse.transaction() as con:
        build_series(con, load_catalog())
    return warehouse


def change(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.transaction() as con:
        for statement in statements:
            con.execute(statement)


def test_good_data_passes(warehouse):
    assert [check(warehouse).passed for check in OF_TABLES] == [True] * len(OF_TABLES)


BREAKS = [
    (checks.schema_is_as_documented, "ALTER TABLE anomalies DROP COLUMN score", "anomalies.score"),
    (checks.measurements_are_unique, "INSERT INTO measurements SELECT * FROM measurements LIMIT 3", "3"),
    (checks.identity_holds, "DELETE FROM series WHERE test_name = 'test-1'", str(DAYS)),
    (checks.identity_holds, "INSERT INTO series SELECT * FROM series", "2"),
    (checks.identity_holds, "INSERT INTO runs SELECT * FROM runs LIMIT 1", "1"),
    (checks.series_are_analysed, "UPDATE detection_limits SET smallest_detectable = NULL", "default 0 %"),
    (checks.metrics_are_in_the_catalogue, "UPDATE metric_series SET metric = 'odd', in_catalogue = false", "odd"),
    (
        checks.series_are_fresh,
        "UPDATE metric_series SET last_seen = last_seen - INTERVAL 8 DAY WHERE test_name = 'test-1'",
        "test_execution_time · test-1 · node-0 (2026-07-02)",
    ),
    (
        checks.names_are_stable,
        """INSERT INTO series (series_id, project, metric, test_name) VALUES (1, 'p', 'm', 'build 0a1b2c3d');
        INSERT INTO runs (run_id, project, run_key, commit_id) VALUES (1, 'p', 'r', '0a1b2c3d4e5f');
        INSERT INTO measurements VALUES (1, 1, 1, TIMESTAMP '2026-06-01', 1.0)""",
        "1",
    ),
    (
        checks.nothing_is_quarantined,
        "INSERT INTO quarantined_results (quarantine_id, reason) VALUES (1, 'not_finite')",
        "not_finite",
    ),
    (checks.forecast_intervals_are_nested, """UPDATE metric_forecasts SET "lo-80" = 7""", "2"),
    (checks.forecast_intervals_are_nested, """UPDATE metric_forecasts SET mean = 11.5""", "2"),
    (
        checks.forecasts_cover_what_they_say,
        """INSERT INTO forecast_accuracy (project, metric, week, forecasts, inside_80) VALUES
        ('p', 'few', '2026-06-01', 199, 0), ('p', 'fine', '2026-06-01', 200, 150), ('p', 'wide', '2026-06-01', 100, 99),
        ('p', 'wide', '2026-05-18', 100, 99), ('p', 'old', '2026-05-04', 200, 0)""",
        "wide of p 99 %",
    ),
    (checks.recommendations_have_evidence, "DELETE FROM regressions", "1"),
    (checks.recommendations_have_evidence, "DELETE FROM metric_series", "1"),
]


@pytest.mark.parametrize(("check", "statement", "named"), BREAKS)
def test_broken_data_fails_and_is_named(check, statement, named, warehouse):
    change(warehouse, statement)
    result = check(warehouse)
    assert not result.passed
    shown = {name: str(value.value) for name, value in result.metadata.items()}
    assert named in [*shown, *shown.values()]


def test_what_must_hold_blocks_what_rests_on_it() -> None:
    blocking = {spec.name for check in checks.CHECKS for spec in check.check_specs if spec.blocking}
    assert blocking == {
        "schema_is_as_documented", "measurements_are_unique", "identity_holds", "forecast_intervals_are_nested",
        "recommendations_have_evidence",
    }  # fmt: skip


def test_a_day_with_few_results_is_noticed(warehouse):
    # The last day is never full; the one before it loses all but one of its four measurements.
    extra = "INSERT INTO measurements SELECT series_id, run_id + 1, batch_id, ts, value FROM measurements"
    runs = "INSERT INTO runs SELECT run_id + 1, project, run_key || 'b', * EXCLUDE (run_id, project, run_key) FROM runs"
    change(warehouse, extra, runs)
    assert checks.volume_is_usual(warehouse).passed
    change(
        warehouse,
        f"""DELETE FROM measurements WHERE date_trunc('day', ts) = DATE '2026-06-01' + {DAYS - 2}
        AND (series_id, run_id) <> (SELECT (min(series_id), max(run_id)) FROM measurements
          WHERE date_trunc('day', ts) = DATE '2026-06-01' + {DAYS - 2})""",  # noqa: S608 - a number of the test
    )
    result = checks.volume_is_usual(warehouse)
    assert (result.passed, result.metadata["fewer_than_usual"].value) == (False, "default")


def test_a_day_inside_an_incident_has_had_its_results(warehouse):
    day = pd.Timestamp("2026-06-01") + pd.Timedelta(days=DAYS - 2)
    incident = Incident.model_validate({"from": day, "to": day + pd.Timedelta(days=1), "reason": "network down"})
    with warehouse.transaction() as con:
        declare_incidents(con, [incident])
    assert checks.volume_is_usual(warehouse).passed
    assert warehouse.query("SELECT left_out FROM incidents")["left_out"].tolist() == [2]


def test_an_empty_warehouse_passes(tmp_path):
    warehouse = warehouse_of(settings_for(tmp_path))
    assert [check(warehouse).passed for check in OF_TABLES] == [True] * len(OF_TABLES)


@pytest.mark.parametrize(("hours", "passed"), [(-1, True), (3, True), (4, False), (9 * 24, False)])
def test_silence_is_measured_by_the_clock(hours, passed, warehouse, tmp_path):
    settings = settings_for(tmp_path / "home", collection=HOURLY)
    result = checks.results_keep_coming(warehouse, settings, lambda: NEWEST + timedelta(hours=hours))
    assert (result.passed, result.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert result.metadata["newest_result"].value == "2026-07-10 00:00 UTC"
    if hours == 9 * 24:
        assert result.metadata["overdue"].value == (
            "No results since 2026-07-10 00:00 UTC (9 days); expected every hour."
        )


def test_without_a_source_and_an_interval_nothing_is_expected(warehouse, tmp_path):
    settings = settings_for(tmp_path / "home")
    assert checks.results_keep_coming(warehouse, settings, lambda: NEWEST + timedelta(days=9_999)).passed


@pytest.mark.parametrize(("days", "passed"), [(2, True), (3, False)])
def test_a_source_is_expected_to_go_on_as_it_did(days, passed, warehouse, tmp_path):
    change(warehouse, "INSERT INTO raw_results (content_hash, origin) SELECT content_hash, 'jenkins' FROM batches")
    sources = {"jenkins": {"url": "http://jenkins", "jobs": ["main"]}}
    settings = settings_for(tmp_path / "home", sources=sources)
    result = checks.results_keep_coming(warehouse, settings, lambda: NEWEST + timedelta(days=days, minutes=-1))
    assert result.passed == passed
    if not passed:
        assert result.metadata["overdue"].value == (
            "No results from jenkins since 2026-07-10 00:00 UTC (2 days); "
            "the longest gap in the four weeks before was 24 hours."
        )


@pytest.mark.parametrize(("days", "severity"), [(0, None), (9, dg.AssetCheckSeverity.WARN)])
def test_a_run_warns_of_silence(days, severity, tmp_path):
    settings = settings_for(tmp_path, collection=HOURLY)
    day = land(settings, small_table(tests=1, nodes=1), "small.csv")
    clock = dg.ResourceDefinition.hardcoded_resource(lambda: NEWEST + timedelta(days=days))
    definitions = build_definitions({"settings": settings, "clock": clock})
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(INGESTION_JOB.name).execute_in_process(
            instance=instance,
            run_config=QUIET,
            tags={"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": day},
        )
        [found] = [e for e in result.get_asset_check_evaluations() if e.check_name == "results_keep_coming"]
    assert result.success
    assert found.passed == (severity is None)
    assert severity in (None, found.severity)
