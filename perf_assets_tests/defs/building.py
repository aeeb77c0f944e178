"""Small results, and definitions over a folder of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from perf_assets.definitions import build_definitions
from perf_assets.landing import Landing
from perf_assets.settings import ForecastSettings, Settings
from perf_assets.tables import REGRESSIONS
from perf_assets.warehouse import Warehouse, open_snapshot
from perf_assets.warehouse.checksums import checksums

START = datetime.fromisoformat("2026-06-01")
DAYS = 40
STEP_AT = 25
RECEIVED = datetime.fromisoformat("2026-07-20T09:00:00")
FEW_FORECASTS = ForecastSettings(horizon=3, max_headline=0)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def settings_for(home: Path, **more: Any) -> Settings:
    return Settings(**{"home": home, "forecast": FEW_FORECASTS} | more)


def small_table(tests: int = 4, nodes: int = 3) -> bytes:
    """A long table of one value a day, test and node; test-0 on node-0 is 40 % slower from day STEP_AT on."""
    noise = np.random.default_rng(7)
    rows = []
    for test in range(tests):
        for node in range(nodes):
            values = 10.0 * (test + 1) * np.exp(noise.normal(0, 0.02, DAYS))
            values[STEP_AT:] *= 1.4 if (test, node) == (0, 0) else 1.0
            rows += [
                (
                    START + timedelta(days=day),
                    "test_execution_time",
                    value,
                    f"test-{test}",
                    f"node-{node}",
                    "linux",
                    f"run-{day}",
                )
                for day, value in enumerate(values)
            ]
    columns = ["timestamp", "metric_name", "metric_value", "test_name", "node_id", "node_type", "test_run_id"]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False).encode()


def scenario_page(runs: int = 6) -> bytes:
    """What the dashboard answers: runs of two scenarios."""
    results = [
        {
            "scenario": "vpc_change" if number % 2 else "kms_orphan", "overmindDurationMs": 600_000 + 50_000 * number,
            "riskCount": number % 2, "blastRadiusNodes": 500 + 40 * number, "blastRadiusEdges": 1900 + 13 * number**2,
            "observations": 200 + 9 * number,
        }
        for number in range(runs)
    ]  # fmt: skip
    return json.dumps({"results": results}).encode()


def land(settings: Settings, content: bytes, name: str, received_at: datetime = RECEIVED) -> str:
    """Land a file; returns its day of receipt."""
    return Landing(settings.landing).land(content, name=name, received_at=received_at, origin="file").day


def run_job(
    settings: Settings,
    days: tuple[str, str],
    job: str = "perf_assets_job",
    instance: dg.DagsterInstance | None = None,
    assets: Sequence[str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run a job in this process for the days of receipt from the first to the last given: all its assets or some."""
    definitions = build_definitions({"settings": settings})
    with nullcontext(instance) if instance else dg.DagsterInstance.ephemeral() as opened:
        return definitions.resolve_job_def(job).execute_in_process(
            instance=opened,
            raise_on_error=False,
            run_config=QUIET,
            asset_selection=None if assets is None else [dg.AssetKey(name) for name in assets],
            tags={"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[1]},
        )


def errors_of(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Messages of the steps that failed, with their causes."""
    failures = [event for event in result.all_events if event.is_step_failure]
    return {str(event.step_key): str(event.step_failure_data.error) for event in failures}


def warehouse_of(settings: Settings) -> Warehouse:
    return Warehouse(settings.database, settings.snapshots)


def checksums_of(settings: Settings) -> pd.DataFrame:
    with open_snapshot(settings.snapshots) as con:
        return checksums(con)


def regression_row(number: int, **more: Any) -> dict[str, Any]:
    """A row of regressions: the time of test-0 on node-0 went from 10 s to 14 s."""
    known = {
        "regression_id": number, "series_id": 1, "scope": "series", "scope_name": "test-0", "cause": "unknown",
        "kind": "regression", "state": "confirmed", "part_of_day": "all day", "project": "default",
        "metric": "test_execution_time", "unit": "s", "test_name": "test-0", "node_id": "node-0", "before": 10.0,
        "after": 14.0, "change": 0.4, "change_low": 0.38, "change_high": 0.42, "p_value": 1e-30, "q_value": 1e-28,
        "last_good_run": "run-24", "first_bad_run": "run-25", "last_good_at": START + timedelta(days=24),
        "first_bad_at": START + timedelta(days=25), "members": 1, "explanation": "Only this series changed.",
        "restores": False, "simulated": False,
    }  # fmt: skip
    return {column.name: (known | more).get(column.name) for column in REGRESSIONS.columns}


def publish_regressions(settings: Settings, *rows: dict[str, Any]) -> None:
    """A snapshot that holds these regressions and nothing else."""
    warehouse = warehouse_of(settings)
    columns = [column.name for column in REGRESSIONS.columns]
    warehouse.replace((REGRESSIONS, pd.DataFrame(rows, columns=columns)))
    warehouse.publish()
