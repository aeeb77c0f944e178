"""Patterns, profiles and changes of pattern through the warehouse and the assets, up to the insight."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from perf_assets.catalog import load_catalog
from perf_assets.defs.assets import trends
from perf_assets.defs.resources import resources_for
from perf_assets.landing import Landing
from perf_assets.settings import SeasonalitySettings, Settings
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.loading import Rules, load_files
from perf_assets.warehouse.series import build_series
from perf_assets_tests.analysis.signals import white
from perf_assets_tests.defs.building import QUIET, START, settings_for, warehouse_of

RECEIVED = datetime.fromisoformat("2027-01-01")
PATTERNS = "SELECT * FROM seasonal_patterns ORDER BY series_id, period"


def results() -> bytes:
    """Hourly values of 24 days; the nightly job of `moved` moves from 02:00 to 14:00 after 12 of them."""
    at = np.arange(24 * 24)
    hour = np.where(at < 12 * 24, 2, 14)
    rows = {
        "quiet": 100 + white(at.size, 1),
        "stays": 100 + white(at.size, 2) + 40.0 * (at % 24 == 9),
        "moved": 100 + white(at.size, 3) + 40.0 * (at % 24 == hour),
    }
    times = pd.date_range(START, periods=at.size, freq="h")
    tables = [
        pd.DataFrame(
            {"timestamp": times, "metric_name": "build_time", "metric_value": values, "test_name": test,
             "test_run_id": [f"r{run}" for run in at]}
        )
        for test, values in rows.items()
    ]  # fmt: skip
    return pd.concat(tables).to_csv(index=False).encode()


def loaded(settings: Settings, warehouse: Warehouse, content: bytes) -> None:
    file = Landing(settings.landing).land(content, name="hourly.csv", received_at=RECEIVED, origin="file")
    rules = Rules(load_catalog(), settings.identity, settings.quality)
    list(load_files(warehouse, [file], rules, settings.scratch))
    with warehouse.transaction() as con:
        build_series(con, load_catalog())


def analyse(settings: Settings) -> int:
    """Runs the asset; gives the number of series that were analysed anew."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [trends.seasonal_patterns], instance=instance, resources=resources_for(settings), run_config=QUIET
        )
    assert result.success
    (event,) = result.asset_materializations_for_node("seasonal_patterns")[:1]
    return int(str(event.metadata["series_analysed_anew"].value))


def test_patterns_come_with_profiles_and_changes_and_are_kept_until_results_or_settings_change(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    warehouse = warehouse_of(settings)
    loaded(settings, warehouse, results())
    assert analyse(settings) == 3
    patterns = warehouse.query(
        """SELECT test_name, p.* FROM seasonal_patterns p JOIN metric_series USING (series_id)
        WHERE period = 'daily' ORDER BY test_name"""
    ).set_index("test_name")
    assert patterns.loc["stays", "significant"]
    assert patterns.loc["stays", "peak"] == "09:00 to 10:00, 40 % above the median"
    assert patterns.loc["stays", "q_value"] < 1e-6
    assert not patterns.loc["quiet", "significant"]
    assert pd.isna(patterns.loc["quiet", "peak"])
    profile = warehouse.query(
        """SELECT p.* FROM seasonal_profiles p JOIN metric_series USING (series_id)
        WHERE test_name = 'stays' AND period = 'daily' ORDER BY slot"""
    )
    assert list(profile["label"][8:11]) == ["08:00", "09:00", "10:00"]
    assert profile["low"][9] < 38.5 < profile["high"][9]
    (change,) = warehouse.query(
        "SELECT test_name, c.* FROM pattern_changes c JOIN metric_series USING (series_id)"
    ).to_dict("records")
    assert change["test_name"] == "moved"
    assert change["changed_at"] == pd.Timestamp(START) + pd.Timedelta(days=12)
    assert change["q_value"] < 1e-6
    assert "before, peak 02:00 to 03:00, 41 % above the median; since then, peak 14:00 to 15:00, " in change["sentence"]

    before = warehouse.query(PATTERNS)
    assert analyse(settings) == 0
    pd.testing.assert_frame_equal(warehouse.query(PATTERNS), before)
    others = settings.model_copy(update={"seasonality": SeasonalitySettings(periods=("12h",))})
    assert analyse(others) == 3
    assert set(warehouse.query(PATTERNS)["period"]) == {*before["period"], "12h"}
