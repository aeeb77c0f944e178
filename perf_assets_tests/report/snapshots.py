"""Small real snapshots for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.catalog import load_catalog
from perf_assets.landing import Landing
from perf_assets.settings import Incident, Settings
from perf_assets.tables import (
    BREACH_OUTLOOK,
    METRIC_FORECASTS,
    METRIC_TRENDS,
    NODE_SCORES,
    RECOMMENDATIONS,
    REGRESSION_MEMBERS,
    REGRESSIONS,
    Table,
)
from perf_assets.warehouse import Warehouse, open_snapshot
from perf_assets.warehouse.incidents import declare_incidents
from perf_assets.warehouse.loading import Rules, load_files
from perf_assets.warehouse.series import build_rollups, build_series

START = pd.Timestamp("2026-09-01")
CHANGED = START + pd.Timedelta(days=40)
RECEIVED = datetime(2026, 11, 1)  # noqa: DTZ001 - times of the warehouse are naive UTC


def rows(table: Table, *values: dict[str, object]) -> pd.DataFrame:
    """Rows of `table`; what is not given is missing."""
    return pd.DataFrame([{column.name: row.get(column.name) for column in table.columns} for row in values])


def measured(metric: str, test_name: str, node_id: str = "", days: int = 60, level: float = 12.0) -> pd.DataFrame:
    """A long table of one value a day; the level rises by a quarter after 40 days."""
    values = level * (1.0 + 0.02 * np.sin(np.arange(days) * 1.7))
    values[40:] *= 1.25
    return pd.DataFrame(
        {
            "timestamp": pd.date_range(START, periods=days),
            "metric_name": metric,
            "metric_value": values,
            "test_name": test_name,
            "node_id": node_id,
            "node_type": "linux" if node_id else "",
            "test_run_id": [f"run-{number}" for number in range(days)],
        }
    )


def regression(series: pd.Series, number: int, **more: object) -> dict[str, object]:
    return {
        "regression_id": number, "series_id": series["series_id"], "scope": "series", "scope_name": series["title"],
        "cause": "unknown", "kind": "regression", "state": "confirmed", "part_of_day": "all day",
        "project": series["project"], "metric": series["metric"], "unit": series["unit"],
        "test_name": series["test_name"], "node_id": None, "before": 12.0, "after": 15.0, "change": 0.25,
        "change_low": 0.23, "change_high": 0.27, "p_value": 1e-9, "q_value": 1e-8, "last_good_run": "run-39",
        "first_bad_run": "run-40", "last_good_at": CHANGED - pd.Timedelta(days=1),
        "first_bad_at": CHANGED - pd.Timedelta(days=number % 50), "last_good_commit": "0123456789abcdef",
        "first_bad_commit": "fedcba9876543210", "recovered_at": None, "restores": False, "members": 1,
        "explanation": "Only this series changed.",
        "simulated": False, **more,
    }  # fmt: skip


def forecast(series_id: int, level: float) -> pd.DataFrame:
    means = level + 0.01 * np.arange(1, 15)
    return pd.DataFrame(
        {
            "unique_id": str(series_id), "ds": pd.date_range(START + pd.Timedelta(days=60), periods=14),
            "step": range(1, 15), "model": "linear_trend", "mean": means, "lo-80": means - 0.02, "hi-80": means + 0.02,
            "lo-95": means - 0.03, "hi-95": means + 0.03,
        }
    )  # fmt: skip


@contextmanager
def snapshot(
    home: Path,
    table: pd.DataFrame | None = None,
    regressions: int = 1,
    incidents: Sequence[Incident] = (),
    then: Callable[[DuckDBPyConnection], None] = lambda con: None,
) -> Iterator[DuckDBPyConnection]:
    """A published snapshot of `table` (a long table) with findings about its first series; without one an empty one.
    `then` may change the warehouse before it is published.
    """
    settings = Settings(home=home)
    warehouse = Warehouse(settings.database, settings.snapshots)
    with warehouse.transaction():
        pass
    if table is not None:
        _load(warehouse, settings, table, incidents)
        _find(warehouse, regressions)
    with warehouse.transaction() as con:
        then(con)
    warehouse.publish()
    with open_snapshot(settings.snapshots) as con:
        yield con


def _load(warehouse: Warehouse, settings: Settings, table: pd.DataFrame, incidents: Sequence[Incident]) -> None:
    catalog = load_catalog()
    landed = Landing(settings.landing).land(
        table.to_csv(index=False).encode(), name="own.csv", received_at=RECEIVED, origin="file"
    )
    list(load_files(warehouse, [landed], Rules(catalog, settings.identity, settings.quality), settings.scratch))
    with warehouse.transaction() as con:
        declare_incidents(con, incidents)
        build_series(con, catalog)
        build_rollups(con)


def _find(warehouse: Warehouse, regressions: int) -> None:
    series = warehouse.query("SELECT * FROM metric_series ORDER BY metric DESC, series_id")
    first, memory = series.iloc[0], series[series["metric"] == "memory_usage"]
    changes = [regression(series.iloc[number % len(series)], number + 1) for number in range(regressions)]
    better = regression(first, 999_999, kind="improvement", change=-0.2, change_low=-0.22, change_high=-0.18)
    found = rows(REGRESSIONS, *changes, better)
    members = found[["regression_id", "series_id", "before", "after", "change"]].assign(changed_at=CHANGED)
    trend = {
        "series_id": first["series_id"], "as_of": first["as_of"], "verdict": "worse", "slope_per_day": 0.05,
        "slope_low": 0.04, "slope_high": 0.06, "change_per_week": 0.03, "level": 12.0, "p_value": 1e-6,
        "q_value": 1e-5, "points": 60, "effective_points": 40.0, "autocorrelation": 0.2, "since": START,
    }  # fmt: skip
    leak = [dict(trend, series_id=key) for key in memory["series_id"]]
    warehouse.replace(
        (REGRESSIONS, found),
        (REGRESSION_MEMBERS, members),
        (METRIC_TRENDS, rows(METRIC_TRENDS, *({row["series_id"]: row for row in [trend, *leak]}.values()))),
        (NODE_SCORES, _scores(series)),
        (RECOMMENDATIONS, rows(RECOMMENDATIONS, {
            "recommendation_id": 1, "rank": 1, "kind": "regression", "subject": first["test_name"],
            "title": f"{first['test_name']} is +25 %", "action": "Look at the change. Then act.",
            "expected_effect": "back to 12 s", "evidence": '[{"table": "regressions", "regression_id": "1"}]',
            "state": "proposed", "project": first["project"], "as_of": first["as_of"], "simulated": False})),
    )  # fmt: skip
    if len(memory):
        _foresee(warehouse, int(memory["series_id"].iloc[0]))


def _foresee(warehouse: Warehouse, series_id: int) -> None:
    ahead = forecast(series_id, 0.85)
    outlook = {
        "series_id": series_id, "limit_value": 0.9, "side": "upper", "last_value": 0.85, "already_breached": False,
        "breach_date": ahead["ds"].iloc[4], "earliest": ahead["ds"].iloc[1], "latest": ahead["ds"].iloc[8],
        "level_by_1": 0.0, "level_by_7": 0.4, "level_by_30": 0.992, "value_by_1": 0.02, "value_by_7": 0.6,
        "value_by_30": 1.0, "horizon_end": ahead["ds"].iloc[-1],
    }  # fmt: skip
    warehouse.replace((METRIC_FORECASTS, ahead), (BREACH_OUTLOOK, rows(BREACH_OUTLOOK, outlook)))


def _scores(series: pd.DataFrame) -> pd.DataFrame:
    nodes = series.dropna(subset=["node_id"]).drop_duplicates("node_id")
    values = [
        {
            "project": row.project, "node_id": row.node_id, "node_type": row.node_type, "score": 70.0 - 30 * number,
            "score_low": 60.0 - 30 * number, "score_high": 80.0 - 30 * number, "rank": number + 1,
            "slowdown": 0.1 * number, "tests": 3, "healthy": number == 0, "reason": "10 % slower than its peers",
        }
        for number, row in enumerate(nodes.itertuples())
    ]  # fmt: skip
    return rows(NODE_SCORES, *values) if values else pd.DataFrame(columns=[c.name for c in NODE_SCORES.columns])


def real_history(con: DuckDBPyConnection) -> None:
    """Make the findings of a snapshot with at least 6 regressions those of a history that has seen a lot: one that
    stands and is small, one that stands and is large, one suspected, one drift, one recovered, an incident that is
    over; and a faint change.
    """
    for column in ("shape", "waits_for"):
        con.execute(f"ALTER TABLE regressions ADD COLUMN IF NOT EXISTS {column} VARCHAR")
    con.execute("UPDATE regressions SET shape = 'step'")
    con.execute("UPDATE regressions SET change = 79, change_low = 70, change_high = 88 WHERE regression_id = 2")
    con.execute("UPDATE regressions SET state = 'suspected', waits_for = '5 more values' WHERE regression_id = 3")
    con.execute("UPDATE regressions SET shape = 'drift' WHERE regression_id = 4")
    con.execute("UPDATE regressions SET recovered_at = TIMESTAMP '2026-10-20' WHERE regression_id IN (5, 6)")
    con.execute("UPDATE regressions SET shape = 'incident' WHERE regression_id = 6")
    con.execute(
        """INSERT INTO change_points (series_id, index_run_id, part_of_day, position, changed_at, changed_at_low,
          changed_at_high, before, after, size, noise, q_value, confirmed, sharp, points_after)
        SELECT series_id, 1, 'all day', 55, last_seen, last_seen, last_seen, 10, 12, 2, .1, .4, false, true, 5
        FROM metric_series WHERE metric = 'test_execution_time'"""
    )
