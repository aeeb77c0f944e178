"""From irregular measurements to regular series, in SQL: what DuckDB does well is done there."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.catalog import Catalog

BUCKET_SECONDS = (3600, 7200, 10800, 14400, 21600, 86400, 604800)
"""Widths a bucket can have; the smallest that is at least 0.8 times the mean distance of measurements is taken."""


def build_series(con: DuckDBPyConnection, catalog: Catalog) -> None:
    """Fill metric_series and series_buckets from the measurements under analysis."""
    con.register("catalogue", _catalogue(catalog))
    con.execute("DELETE FROM metric_series")
    con.execute("DELETE FROM series_buckets")
    con.execute(_BUCKETED)
    con.execute(_BUCKETS)
    con.execute(_PREDECESSORS)
    con.execute(_TITLES)
    con.execute(_SERIES)
    for name in ("bucketed", "predecessors", "titles"):
        con.execute(f"DROP TABLE {name}")
    con.unregister("catalogue")


def build_rollups(con: DuckDBPyConnection) -> None:
    """Fill metric_rollups: each series by day, with moving averages over 7 and 30 days."""
    con.execute("DELETE FROM metric_rollups")
    con.execute(_ROLLUPS)


def _catalogue(catalog: Catalog) -> pd.DataFrame:
    names = ("name", "direction", "category", "importance")
    return pd.DataFrame(
        [[getattr(metric, name) for name in names] for metric in catalog.metrics.values()], columns=names
    )


# What an incident leaves out was measured, and leaves the width of the buckets around it as it was.
_DISTANCE = "(epoch(max(ts)) - epoch(min(ts))) / greatest(count(*) - 1, 1)"
_BUCKETED = f"""
CREATE TEMP TABLE bucketed AS
WITH counted AS (
  SELECT series_id, count(*) AS measurements, min(ts) AS first_seen, max(ts) AS last_seen, median(value) AS level,
    {_DISTANCE} AS distance
  FROM analysed_measurements GROUP BY series_id
), with_incidents AS (
  SELECT series_id, {_DISTANCE} AS distance FROM series_measurements
  WHERE series_id IN (SELECT series_id FROM incident_series) GROUP BY series_id
)
SELECT c.* EXCLUDE (distance), coalesce(list_min(list_filter({list(BUCKET_SECONDS)}, lambda width:
    width >= 0.8 * coalesce(i.distance, c.distance))), {BUCKET_SECONDS[-1]}) AS width
FROM counted c LEFT JOIN with_incidents i USING (series_id)
"""  # noqa: S608 - numbers and an expression of this module

# Weeks begin on Monday, like all other buckets at a multiple of their width since Monday 1970-01-05.
_BUCKETS = """
INSERT INTO series_buckets
SELECT m.series_id, time_bucket(to_seconds(b.width), m.ts, TIMESTAMP '1970-01-05') AS bucket, median(m.value), count(*)
FROM analysed_measurements m JOIN bucketed b USING (series_id)
GROUP BY m.series_id, bucket ORDER BY m.series_id, bucket
"""

# Series that differ only in unit or benchmark version: the one before is the last that ended before this one began.
_PREDECESSORS = """
CREATE TEMP TABLE predecessors AS
WITH named AS (
  SELECT s.series_id, b.first_seen, b.last_seen,
    (s.project, s.branch, s.metric, s.test_name, s.test_type, s.node_id, s.node_type, s.tags) AS family
  FROM analysed_series s JOIN bucketed b USING (series_id)
), kin AS (SELECT * FROM named QUALIFY count(*) OVER (PARTITION BY family) > 1)
SELECT own.series_id, arg_max(before.series_id, (before.last_seen, before.series_id)) AS predecessor_id
FROM kin own JOIN kin before ON before.family IS NOT DISTINCT FROM own.family AND before.last_seen < own.first_seen
GROUP BY own.series_id
"""

# Metric, test and node name a series, and where several share them whatever else tells these apart.
_VERSION = "regexp_replace(benchmark_version, '^([0-9a-f]{8})[0-9a-f]{8,}$', '\\1')"
_TITLES = f"""
CREATE TEMP TABLE titles AS
WITH named AS (
  SELECT s.*, concat_ws(' · ', s.metric, s.test_name, s.node_id) AS name
  FROM analysed_series s JOIN bucketed USING (series_id)
), alike AS (
  SELECT * FROM named QUALIFY count(*) OVER (PARTITION BY name) > 1
), fields AS (
  SELECT series_id, name, unnest(
    [(0, '', test_type), (2, '', node_type), (3, '', 'version ' || {_VERSION}), (4, '', unit), (5, '', branch),
      (6, '', project)]
    || list_transform(map_entries(coalesce(tags, '{{}}') :: JSON :: MAP(VARCHAR, VARCHAR)), lambda tag:
      (1, tag.key, tag.value)) :: STRUCT(place INTEGER, field VARCHAR, content VARCHAR)[]
  ) AS told FROM alike
), sizes AS (
  SELECT name, count(*) AS series FROM alike GROUP BY name
), telling AS (
  SELECT f.name, told.place AS place, told.field AS field FROM fields f JOIN sizes USING (name) GROUP BY ALL
  HAVING count(DISTINCT told.content) > 1 OR count(told.content) < any_value(series)
), additions AS (
  SELECT f.series_id, string_agg(told.content, ' · ' ORDER BY told.place, told.field) AS addition
  FROM fields f JOIN telling t ON t.name = f.name AND t.place = told.place AND t.field = told.field GROUP BY f.series_id
)
SELECT series_id, concat_ws(' · ', name, addition) AS title FROM named LEFT JOIN additions USING (series_id)
"""  # noqa: S608 - an expression of this module

# What an incident leaves out was measured as well, so that time does not go back when one is declared.
_SERIES = """
INSERT INTO metric_series
WITH observed AS (
  SELECT series_id, count(*) AS observed, epoch(max(ts)) - epoch(min(ts)) AS reach FROM series_buckets GROUP BY
  series_id
), steps AS (
  SELECT series_id, value - lag(value) OVER (PARTITION BY series_id ORDER BY ts, run_id) AS step
  FROM analysed_measurements
), contents AS (
  SELECT series_id, bit_xor(hash(run_id, ts, value)) AS content FROM analysed_measurements GROUP BY series_id
), newest AS (
  SELECT s.project, max(m.ts) AS as_of FROM series_measurements m JOIN analysed_series s USING (series_id)
  GROUP BY s.project
), noise AS (
  SELECT series_id, 1.4826 * mad(step) / sqrt(2) AS noise FROM steps WHERE step IS NOT NULL GROUP BY series_id
)
SELECT s.series_id, s.project, s.metric, s.unit,
  coalesce(c.direction, s.declared_direction, 'neutral'), coalesce(c.category, 'not in the catalogue'),
  coalesce(c.importance, 'low'), c.name IS NOT NULL, s.test_name, s.test_type, s.node_id, s.node_type,
  t.title, s.simulated,
  b.measurements, b.first_seen, b.last_seen, (epoch(b.last_seen) - epoch(b.first_seen)) / 86400.0, b.width,
  1 + (o.reach / b.width) :: BIGINT, o.observed, 1 - o.observed / (1 + o.reach / b.width), b.level, n.noise,
  CASE WHEN b.level <> 0 THEN n.noise / abs(b.level) END, w.as_of,
  hash(h.content, b.width), p.predecessor_id
FROM analysed_series s JOIN bucketed b USING (series_id) JOIN observed o USING (series_id)
JOIN contents h USING (series_id) JOIN newest w USING (project) JOIN titles t USING (series_id)
LEFT JOIN noise n USING (series_id) LEFT JOIN predecessors p USING (series_id)
LEFT JOIN catalogue c ON c.name = s.metric
ORDER BY s.series_id
"""

# Sums depend on their order in the last digits, so the order is given: a rebuilt table is the same table.
_ROLLUPS = """
INSERT INTO metric_rollups
WITH daily AS (
  SELECT series_id, date_trunc('day', ts) :: TIMESTAMP AS day, min(value) AS low, max(value) AS high,
    avg(value ORDER BY ts, run_id) AS mean, median(value) AS median, count(*) AS measurements
  FROM analysed_measurements GROUP BY ALL
)
SELECT *,
  avg(mean) OVER (PARTITION BY series_id ORDER BY day RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW),
  avg(mean) OVER (PARTITION BY series_id ORDER BY day RANGE BETWEEN INTERVAL 29 DAY PRECEDING AND CURRENT ROW)
FROM daily ORDER BY series_id, day
"""
