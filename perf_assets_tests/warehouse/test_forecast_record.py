"""Forecasts are kept, and scored once the days that they are of are over."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from perf_assets.tables import METRIC_FORECASTS, METRIC_SERIES, SERIES_BUCKETS, Table
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.forecast_record import record_forecasts

MONDAY = pd.Timestamp("2026-06-01")
DAY = pd.Timedelta(days=1)
DAYS_AHEAD = 3


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", tmp_path / "snapshots")


def rows(table: Table, values: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame([{column.name: row.get(column.name) for column in table.columns} for row in values])


def on_day(warehouse: Warehouse, day: int, truth: float = 10.0, series: tuple[int, ...] = (1,)) -> tuple[int, int]:
    """A run on a day: two values on every day up to it, of `truth` in the mean, and a forecast of 10 +- 1 (+- 2)."""
    known = [
        {"series_id": one, "project": "p", "metric": "m", "bucket_seconds": 3600, "title": f"{one}"} for one in series
    ]
    buckets = [
        {"series_id": one, "ts": MONDAY + past * DAY + pd.Timedelta(hours=hour), "value": truth + off}
        for one in series
        for past in range(day + 1)
        for hour, off in ((6, -5.0), (18, 5.0))
    ]
    ahead = [
        {"unique_id": str(one), "ds": MONDAY + (day + step) * DAY, "step": step, "model": "pool", "mean": 10.0,
         "lo-80": 9.0, "hi-80": 11.0, "lo-95": 8.0, "hi-95": 12.0}
        for one in series
        for step in range(1, DAYS_AHEAD + 1)
    ]  # fmt: skip
    warehouse.replace(
        (METRIC_SERIES, rows(METRIC_SERIES, known)),
        (SERIES_BUCKETS, rows(SERIES_BUCKETS, buckets)),
        (METRIC_FORECASTS, rows(METRIC_FORECASTS, ahead)),
    )
    with warehouse.transaction() as con:
        return record_forecasts(con)


def accuracy(warehouse: Warehouse) -> pd.DataFrame:
    return warehouse.query("SELECT * FROM forecast_accuracy ORDER BY ALL")


def test_a_day_is_scored_when_the_next_one_has_begun(warehouse: Warehouse) -> None:
    assert on_day(warehouse, 0) == (0, 3)
    # The first day forecast has begun, and is not over.
    assert on_day(warehouse, 1) == (0, 6)
    # Of the first forecast two days wait, of the later ones all.
    assert on_day(warehouse, 2) == (1, 8)
    assert on_day(warehouse, 3) == (2, 9)
    (row,) = accuracy(warehouse).to_dict("records")
    assert (row["project"], row["metric"], row["week"], row["forecasts"]) == ("p", "m", MONDAY, 3)
    assert (row["coverage_80"], row["coverage_95"], row["error"]) == (1.0, 1.0, 0.0)
    # The naive forecast is right as well, so there is no ratio.
    assert pd.isna(row["relative_error"])


@pytest.mark.parametrize(
    ("truth", "inside_80", "inside_95", "error"), [(10.5, 1, 1, 0.5), (11.5, 0, 1, 1.5), (7.0, 0, 0, 3.0)]
)
def test_what_came_is_held_against_the_intervals(
    warehouse: Warehouse, truth: float, inside_80: int, inside_95: int, error: float
) -> None:
    on_day(warehouse, 0)
    assert on_day(warehouse, 2, truth)[0] == 1
    (row,) = accuracy(warehouse).to_dict("records")
    assert (row["inside_80"], row["inside_95"], row["error"]) == (inside_80, inside_95, pytest.approx(error))
    # The newest value when the forecast was made was 10, too.
    assert row["naive_error"] == pytest.approx(error)
    assert row["relative_error"] == pytest.approx(1.0)


def test_the_naive_forecast_is_that_of_the_week_before(warehouse: Warehouse) -> None:
    on_day(warehouse, 9)
    kept = warehouse.query("SELECT ds, naive FROM forecasts_made ORDER BY ds")
    assert kept["naive"].tolist() == [10.0] * 3
    with warehouse.transaction() as con:
        con.execute("UPDATE series_buckets SET value = value + 7 WHERE ts >= '2026-06-04' AND ts < '2026-06-05'")
        record_forecasts(con)
    kept = warehouse.query("SELECT ds, naive FROM forecasts_made ORDER BY ds")
    # The first day ahead is a Thursday, and so was the day that changed.
    assert kept["naive"].tolist() == [17.0, 10.0, 10.0]


def test_a_second_run_of_a_day_replaces_its_forecast_and_scores_nothing_twice(warehouse: Warehouse) -> None:
    on_day(warehouse, 0)
    assert on_day(warehouse, 0) == (0, 3)
    on_day(warehouse, 2)
    before = accuracy(warehouse)
    assert on_day(warehouse, 2) == (0, 5)
    pd.testing.assert_frame_equal(accuracy(warehouse), before)


def test_weeks_are_apart(warehouse: Warehouse) -> None:
    on_day(warehouse, 5)
    on_day(warehouse, 9)
    table = accuracy(warehouse)
    assert table["week"].tolist() == [MONDAY, MONDAY + 7 * DAY]
    assert table["forecasts"].tolist() == [1, 2]


def test_of_a_series_that_is_gone_nothing_waits(warehouse: Warehouse) -> None:
    on_day(warehouse, 0, series=(1, 2))
    assert on_day(warehouse, 0, series=(2,)) == (0, 3)
    assert warehouse.query("SELECT DISTINCT series_id FROM forecasts_made")["series_id"].tolist() == [2]


def test_what_was_forecast_outlives_a_new_schema(warehouse: Warehouse) -> None:
    on_day(warehouse, 0)
    on_day(warehouse, 2)
    with warehouse.transaction() as con:
        con.execute("UPDATE warehouse_schema SET fingerprint = 'of an earlier version'")
    assert warehouse.query("SELECT * FROM metric_series").empty
    assert len(accuracy(warehouse)) == 1
    assert len(warehouse.query("SELECT * FROM forecasts_made")) == 5
    with warehouse.transaction() as con:
        con.execute("UPDATE warehouse_schema SET fingerprint = 'of an earlier version'")
        con.execute("ALTER TABLE forecast_accuracy RENAME COLUMN error TO errors")
    assert accuracy(warehouse).empty
