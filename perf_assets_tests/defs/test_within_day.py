"""Forecasts within the day, through the warehouse and the asset."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from perf_assets.defs.assets import forecasts
from perf_assets.defs.resources import resources_for
from perf_assets_tests.analysis.signals import white
from perf_assets_tests.defs.building import QUIET, START, settings_for, warehouse_of
from perf_assets_tests.defs.test_seasons import loaded


def results() -> bytes:
    """Three weeks of hours with a wave, and as many days of a test that runs once a day."""
    at = np.arange(21 * 24)
    hours = pd.DataFrame(
        {"timestamp": pd.date_range(START, periods=at.size, freq="h"), "test_name": "hourly",
         "metric_value": 100.0 + 30.0 * np.sin(2 * np.pi * at / 24) + white(at.size, 1)}
    )  # fmt: skip
    days = pd.DataFrame(
        {"timestamp": pd.date_range(START, periods=21), "test_name": "daily", "metric_value": 50.0 + white(21, 2)}
    )
    table = pd.concat((hours, days)).assign(metric_name="build_time")
    return table.assign(test_run_id=[f"r{run}" for run in range(len(table))]).to_csv(index=False).encode()


def test_the_next_day_follows_the_hours_of_the_days_before(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    warehouse = warehouse_of(settings)
    loaded(settings, warehouse, results())
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize(
            [forecasts.within_day_forecasts], instance=instance, resources=resources_for(settings), run_config=QUIET
        ).success
    table = warehouse.query(
        """SELECT s.test_name, f.* FROM within_day_forecasts f
        JOIN metric_series s ON s.series_id :: VARCHAR = f.unique_id
        ORDER BY f.ds"""
    )
    assert set(table["test_name"]) == {"hourly"}
    assert table["ds"].tolist() == list(
        pd.date_range(pd.Timestamp(START) + pd.Timedelta(days=21), periods=24, freq="h")
    )
    wave = 100.0 + 30.0 * np.sin(2 * np.pi * np.arange(24) / 24)
    assert np.abs(table["mean"] - wave).max() < 5.0
    assert (table["hi-80"] - table["lo-80"]).max() < 10.0
