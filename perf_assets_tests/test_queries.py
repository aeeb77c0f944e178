"""The public functions that answer from the newest snapshot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import perf_assets
from perf_assets.errors import UserError
from perf_assets.settings import Settings
from perf_assets.warehouse.snapshot import NoSnapshotError
from perf_assets_tests.cli.site import Site


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Ninety days of a test that slows down in the last third, of one that does not, and of two metrics of load."""
    folder = tmp_path_factory.mktemp("queries")
    random = np.random.default_rng(5)
    day, shock = np.arange(90), random.standard_normal(90)
    columns = {
        ("test_execution_time", "slowing"): 10.0 + 0.05 * np.maximum(day - 55, 0) + 0.1 * random.standard_normal(90),
        ("test_execution_time", "steady"): 10.0 + 0.1 * random.standard_normal(90),
        ("cpu_usage", ""): 0.5 + 0.05 * shock + 0.01 * random.standard_normal(90),
        ("queue_wait_time", ""): 20.0 + 2.0 * shock + 0.4 * random.standard_normal(90),
    }
    times = pd.date_range("2026-07-01T06:00", periods=90, freq="D").strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [
        f"{time},{metric},{value},{test},node-1\n"
        for (metric, test), values in columns.items()
        for time, value in zip(times, values, strict=True)
    ]
    (folder / "results.csv").write_text("timestamp,metric_name,metric_value,test_name,node_id\n" + "".join(rows))
    site = Site(folder / "site")
    assert site.execute("run", folder / "results.csv").returncode == 0
    return Settings(home=site.home)


def test_the_trend_of_each_series_within_a_window(settings: Settings) -> None:
    table = perf_assets.analyze_performance_trend("test_execution_time", 30, settings)
    slowing, steady = (table[table["title"].str.contains(name)].iloc[0] for name in ("slowing", "steady"))
    assert table["title"].iloc[0] == slowing["title"]
    assert (slowing["trend_direction"], slowing["is_significant"], slowing["unit"]) == ("degrading", True, "s")
    # .05 s a day on a level of about 10.9 s.
    assert slowing["change_rate_percent"] == pytest.approx(100 * 7 * 0.05 / 10.9, rel=0.2)
    assert slowing["slope_low"] < 0.05 < slowing["slope_high"]
    assert slowing["confidence"] == 1.0 - slowing["p_value"] > 0.999
    assert (steady["trend_direction"], steady["is_significant"]) == ("none", False)
    assert (table["points"] <= 30).all()


def test_a_longer_window_holds_more(settings: Settings) -> None:
    table = perf_assets.analyze_performance_trend("test_execution_time", time_window_days=60, settings=settings)
    assert table["points"].max() > 30


def test_pairs_of_metrics_with_their_units(settings: Settings) -> None:
    table = perf_assets.analyze_metric_correlations(["cpu_usage", "queue_wait_time"], 80, settings)
    assert set(table["node_id"]) == {"whole project", "node-1"}
    first = table.iloc[0]
    assert (first["metric_a"], first["metric_b"], first["lag"]) == ("cpu_usage", "queue_wait_time", 0)
    assert first["rho"] > 0.8
    assert first["q_value"] < 0.001
    assert first["unit_b"] == "s"
    assert first["effective_n"] < 81


def test_what_cannot_be_answered_is_an_error_with_a_remedy(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no series of nosuch; `perf-assets trends --all` lists the metrics"):
        perf_assets.analyze_performance_trend("nosuch", settings=settings)
    with pytest.raises(UserError, match="time_window_days is 0; give at least 1"):
        perf_assets.analyze_performance_trend("cpu_usage", 0, settings)
    with pytest.raises(UserError, match="a correlation needs two metrics, not cpu_usage"):
        perf_assets.analyze_metric_correlations("cpu_usage", settings=settings)
    with pytest.raises(UserError, match="no series of nosuch"):
        perf_assets.analyze_metric_correlations(["cpu_usage", "nosuch"], settings=settings)
    with pytest.raises(NoSnapshotError):
        perf_assets.analyze_performance_trend("cpu_usage", settings=Settings(home=tmp_path))
    with pytest.raises(AttributeError, match="has no attribute 'nosuch'"):
        perf_assets.nosuch  # noqa: B018


def test_the_example_query_of_the_table_runs(settings: Settings) -> None:
    from perf_assets.warehouse import open_snapshot

    with open_snapshot(settings.snapshots) as con:
        columns = dict(con.execute("SELECT column_name, column_type FROM (DESCRIBE performance_metrics)").fetchall())
        rows = con.execute(
            """SELECT timestamp, metric_value FROM performance_metrics WHERE metric_name = 'cpu_usage'
            AND timestamp > TIMESTAMP '2026-09-28 07:00' - INTERVAL '30 days' ORDER BY timestamp ASC"""
        ).fetchall()
    assert columns["context_data"] == "JSON"
    assert len(rows) == 30
