"""Asset checks: each passes on good data and fails on data made to break it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from perf_assets.catalog import load_catalog
from perf_assets.defs import checks
from perf_assets.landing import Landing
from perf_assets.settings import Incident, Settings
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.incidents import declare_incidents
from perf_assets.warehouse.loading import load_files
from perf_assets.warehouse.series import build_series
from perf_assets.warehouse.staging import Rules
from perf_assets_tests.defs.building import DAYS, land, settings_for, small_table, warehouse_of


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
    assert [check(warehouse).passed for check in checks.CHECKS] == [True] * len(checks.CHECKS)


BREAKS = [
    (checks.schema_is_as_documented, "ALTER TABLE anomalies DROP COLUMN score", "anomalies.score"),
    (checks.measurements_are_unique, "INSERT INTO measurements SELECT * FROM measurements LIMIT 3", "3"),
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
    assert [check(warehouse).passed for check in checks.CHECKS] == [True] * len(checks.CHECKS)
