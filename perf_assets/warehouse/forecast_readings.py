"""Series to forecast and their histories, as the forecasting of `analysis` wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.catalog import Catalog
from perf_assets.warehouse.limits import SIDE_OF_LIMIT
from perf_assets.warehouse.readings import steps_shown


@dataclass(frozen=True)
class ForecastSelection:
    """Which series are forecast: ids as text, those for which slow methods compete, titles by id, limits, and by id
    what series may have in common: PROPERTIES."""

    series: tuple[str, ...]
    headline: tuple[str, ...]
    titles: Mapping[str, str]
    limits: pd.DataFrame
    properties: pd.DataFrame


PROPERTIES = ["metric", "test_name", "test_type", "node_id", "node_type"]


def forecast_selection(
    con: DuckDBPyConnection, limits: pd.DataFrame, headline: Sequence[str], most_headline: int
) -> ForecastSelection:
    """The series that are alive: headline metrics first, then those with a limit, then by importance and data.

    Alive is what was silent for at most two weeks, or a quarter of its span, before the newest measurement of its
    project.
    """
    con.register("limits", limits)
    table = con.execute(
        f"""SELECT s.series_id :: VARCHAR AS unique_id, s.title || CASE WHEN s.simulated THEN ' (simulated)' ELSE '' END
          AS title, l.limit_value, l.share, CASE WHEN l.metric IS NOT NULL THEN {SIDE_OF_LIMIT} END AS side,
          list_contains(?, s.metric) AS headline, {", ".join(f"s.{name}" for name in PROPERTIES)}
        FROM metric_series s LEFT JOIN limits l ON l.metric = s.metric
        WHERE s.last_seen >= s.as_of - greatest(INTERVAL 14 DAY, (s.last_seen - s.first_seen) / 4)
        ORDER BY headline DESC, l.metric IS NULL, CASE s.importance WHEN 'critical' THEN 0 WHEN 'high' THEN 1
          WHEN 'important' THEN 2 WHEN 'medium' THEN 3 ELSE 4 END, s.measurements DESC, s.series_id""",  # noqa: S608
        [list(headline)],
    ).df()
    con.unregister("limits")
    return ForecastSelection(
        series=tuple(table["unique_id"]),
        headline=tuple(table.loc[table["headline"].astype(bool), "unique_id"].head(most_headline)),
        titles=dict(zip(table["unique_id"], table["title"], strict=True)),
        limits=table.loc[table["side"].notna(), ["unique_id", "limit_value", "share", "side"]].reset_index(drop=True),
        properties=table.set_index("unique_id")[PROPERTIES],
    )


def forecast_history(con: DuckDBPyConnection, series: Sequence[str]) -> pd.DataFrame:
    """unique_id, ds, y, stepped_at, metric, unit of the series with these ids: means of buckets of at least a day;
    `stepped_at` is the last of the steps shown.
    """
    chosen = pd.DataFrame({"unique_id": pd.Series(series, dtype=str)})
    con.register("chosen", chosen)
    history = con.execute(
        f"""SELECT c.unique_id, time_bucket(to_seconds(greatest(s.bucket_seconds, 86400)), b.ts, TIMESTAMP '1970-01-05')
            AS ds, avg(b.value ORDER BY b.ts) AS y, any_value(t.stepped_at) AS stepped_at,
            any_value(s.metric) AS metric, any_value(s.unit) AS unit
        FROM chosen c JOIN metric_series s ON s.series_id = c.unique_id :: BIGINT
        JOIN series_buckets b ON b.series_id = s.series_id
        LEFT JOIN (SELECT series_id, max(changed_at) AS stepped_at FROM ({steps_shown(con)}) GROUP BY series_id) t ON
        t.series_id = s.series_id
        GROUP BY c.unique_id, ds ORDER BY c.unique_id, ds"""  # noqa: S608 - a query of this module
    ).df()
    con.unregister("chosen")
    return history


_BUCKETS_READ = 500
"""Newest buckets that forecasts within a day rest on."""


def within_day_history(con: DuckDBPyConnection, series: Sequence[str]) -> pd.DataFrame:
    """unique_id, ds, y, stepped_at, metric, unit, bucket_seconds: the newest 500 buckets of those of the series with
    these ids whose buckets are shorter than half a day; `stepped_at` is the last of the steps shown."""
    chosen = pd.DataFrame({"unique_id": pd.Series(series, dtype=str)})
    con.register("chosen", chosen)
    history = con.execute(
        f"""SELECT c.unique_id, b.ts AS ds, b.value AS y, t.stepped_at, s.metric, s.unit, s.bucket_seconds
        FROM chosen c JOIN metric_series s ON s.series_id = c.unique_id :: BIGINT
        JOIN series_buckets b ON b.series_id = s.series_id AND b.ts > s.last_seen - to_seconds(? * s.bucket_seconds)
        LEFT JOIN (SELECT series_id, max(changed_at) AS stepped_at FROM ({steps_shown(con)}) GROUP BY series_id) t ON
        t.series_id = s.series_id
        WHERE s.bucket_seconds < 43200 ORDER BY c.unique_id, ds""",  # noqa: S608 - a query of this module
        [_BUCKETS_READ],
    ).df()
    con.unregister("chosen")
    return history


def with_extremes(con: DuckDBPyConnection, history: pd.DataFrame) -> pd.DataFrame:
    """What `forecast_history` gives with low and high, the smallest and largest single value of each bucket."""
    con.register("chosen", history[["unique_id"]].drop_duplicates())
    extremes = con.execute(
        """SELECT c.unique_id, time_bucket(to_seconds(greatest(s.bucket_seconds, 86400)), r.day, TIMESTAMP '1970-01-05')
          AS ds, min(r.low) AS low, max(r.high) AS high
        FROM chosen c JOIN metric_series s ON s.series_id = c.unique_id :: BIGINT
        JOIN metric_rollups r USING (series_id) GROUP BY c.unique_id, 2"""
    ).df()
    con.unregister("chosen")
    return history.merge(extremes, on=["unique_id", "ds"], how="left")


def with_bounds(history: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """`history` (metric, unit) with the columns lowest and highest: where values of such a metric can lie."""
    measures = history[["metric", "unit"]].drop_duplicates()
    bounds = [catalog.bounds(metric, unit) for metric, unit in zip(measures["metric"], measures["unit"], strict=True)]
    known = measures.assign(lowest=[low for low, _ in bounds], highest=[high for _, high in bounds])
    return history.merge(known.astype({"lowest": float, "highest": float}), on=["metric", "unit"], how="left")
