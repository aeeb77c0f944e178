"""Limits of metrics, and the series whose newest values lie beyond theirs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.catalog import Catalog

# Results may tell the direction of a metric that the catalogue does not know.
SIDE_OF_LIMIT = (
    "CASE s.direction WHEN 'higher_is_better' THEN 'lower' WHEN 'lower_is_better' THEN 'upper' ELSE l.side END"
)


def metric_limits(
    catalog: Catalog, own: Mapping[str, float], over_baseline: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """metric, limit_value, share, side ('upper' or 'lower') for every metric with a limit; the user's own come first.

    A limit `over_baseline` has no value yet but the `share` of its series' baseline that it lies beyond it; of others
    that is NaN.
    """
    shares = over_baseline or {}
    names = sorted({*own, *shares, *(name for name, metric in catalog.metrics.items() if metric.limit is not None)})
    rows = [
        (
            name,
            np.nan if name in shares else own.get(name, catalog[name].limit),
            shares.get(name, np.nan),
            "lower" if catalog[name].direction == "higher_is_better" else "upper",
        )
        for name in names
    ]
    return pd.DataFrame(rows, columns=["metric", "limit_value", "share", "side"])


def buckets_beyond_limits(con: DuckDBPyConnection, limits: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(series_id, limit_value, side; series_id, ts, value of the buckets of those whose newest seven have a median
    beyond their limit), of all series of a metric with a limit. `limits`: as `metric_limits` gives them.
    """
    con.register("limits", limits)
    limited = con.execute(
        f"SELECT s.series_id, l.limit_value, {SIDE_OF_LIMIT} AS side FROM metric_series s JOIN limits l USING (metric) "  # noqa: S608
        "ORDER BY s.series_id"
    ).df()
    buckets = con.execute(_BEYOND_LIMITS).df()
    con.unregister("limits")
    return limited, buckets


_BEYOND_LIMITS = f"""
WITH limited AS (
  SELECT s.series_id, l.limit_value, {SIDE_OF_LIMIT} AS side FROM metric_series s JOIN limits l USING (metric)
),
newest AS (
  SELECT series_id, value FROM series_buckets JOIN limited USING (series_id)
  QUALIFY row_number() OVER (PARTITION BY series_id ORDER BY ts DESC) <= 7
), beyond AS (
  SELECT l.series_id FROM newest n JOIN limited l USING (series_id) GROUP BY l.series_id, l.limit_value, l.side
  HAVING CASE l.side WHEN 'upper' THEN median(n.value) > l.limit_value ELSE median(n.value) < l.limit_value END
)
SELECT series_id, ts, value FROM series_buckets SEMI JOIN beyond USING (series_id) ORDER BY series_id, ts
"""  # noqa: S608 - an expression of this module
