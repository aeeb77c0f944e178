"""Forecasts that were made, kept until the truth arrives, and how they turned out.

Belongs here: keeping and scoring. The forecasts themselves come from `analysis.forecasts`.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

_DAYS = """
CREATE OR REPLACE TEMP TABLE forecast_truth AS
SELECT b.series_id, time_bucket(to_seconds(greatest(s.bucket_seconds, 86400)), b.ts, TIMESTAMP '1970-01-05') AS ds,
  avg(b.value ORDER BY b.ts) AS value, greatest(s.bucket_seconds, 86400) AS step_seconds
FROM metric_series s JOIN series_buckets b USING (series_id)
WHERE s.series_id IN (SELECT series_id FROM forecasts_made) OR
  s.series_id IN (SELECT unique_id :: BIGINT FROM metric_forecasts)
GROUP BY ALL
"""
_NEWEST = """
CREATE OR REPLACE TEMP TABLE forecast_newest AS SELECT series_id, max(ds) AS ds FROM forecast_truth GROUP BY series_id
"""
# The newest day may have more to come, so only days before it are scored. Errors are counted in half widths of the
# 80 % interval, so that large series do not hide small ones.
_SCORED = """
CREATE OR REPLACE TEMP TABLE forecast_scored AS
SELECT s.project, s.metric, date_trunc('week', f.ds) AS week, count(*) AS forecasts,
  count(*) FILTER (t.value BETWEEN f."lo-80" AND f."hi-80") AS inside_80,
  count(*) FILTER (t.value BETWEEN f."lo-95" AND f."hi-95") AS inside_95,
  coalesce(sum(abs(t.value - f.mean) / f.half) FILTER (f.half > 0), 0) AS error,
  coalesce(sum(abs(t.value - f.naive) / f.half) FILTER (f.half > 0), 0) AS naive_error
FROM (SELECT *, ("hi-80" - "lo-80") / 2 AS half FROM forecasts_made) f
JOIN forecast_truth t USING (series_id, ds) JOIN forecast_newest n USING (series_id)
JOIN metric_series s USING (series_id)
WHERE f.ds < n.ds GROUP BY ALL
"""
_ADDED = """
CREATE OR REPLACE TEMP TABLE forecast_sums AS
SELECT project, metric, week, sum(forecasts) AS forecasts, sum(inside_80) AS inside_80, sum(inside_95) AS inside_95,
  sum(error) AS error, sum(naive_error) AS naive_error
FROM (SELECT project, metric, week, forecasts, inside_80, inside_95, error, naive_error FROM forecast_accuracy
  UNION ALL SELECT * FROM forecast_scored) GROUP BY ALL
"""
_WRITTEN = """
INSERT INTO forecast_accuracy (project, metric, week, forecasts, coverage_80, coverage_95, relative_error, inside_80,
  inside_95, error, naive_error)
SELECT project, metric, week, forecasts, inside_80 / forecasts, inside_95 / forecasts,
  CASE WHEN naive_error > 0 THEN error / naive_error END, inside_80, inside_95, error, naive_error
FROM forecast_sums ORDER BY project, metric, week
"""
_DONE = """
DELETE FROM forecasts_made USING forecast_newest n WHERE n.series_id = forecasts_made.series_id
  AND forecasts_made.ds < n.ds OR forecasts_made.series_id NOT IN (SELECT series_id FROM metric_series)
"""
# One forecast a series and newest day: a later run of the same day has seen more of it. The naive forecast is the value
# of the same day of the week before, or the newest one.
_REPLACED = """
DELETE FROM forecasts_made USING forecast_newest n
WHERE n.series_id = forecasts_made.series_id AND n.ds = forecasts_made.made_at
"""
_KEPT = """
INSERT INTO forecasts_made (series_id, made_at, ds, mean, "lo-80", "hi-80", "lo-95", "hi-95", naive)
SELECT n.series_id, n.ds, f.ds, f.mean, f."lo-80", f."hi-80", f."lo-95", f."hi-95", coalesce(w.value, t.value)
FROM metric_forecasts f JOIN forecast_newest n ON n.series_id = f.unique_id :: BIGINT
JOIN forecast_truth t ON t.series_id = n.series_id AND t.ds = n.ds
LEFT JOIN forecast_truth w ON w.series_id = n.series_id AND w.step_seconds = 86400
  AND w.ds = f.ds - to_days(7 * (1 + (f.step :: INTEGER - 1) // 7))
WHERE f.ds > n.ds ORDER BY n.series_id, n.ds, f.ds
"""


def record_forecasts(con: DuckDBPyConnection) -> tuple[int, int]:
    """Score the forecasts of days that are over into forecast_accuracy, and keep those of metric_forecasts: how many
    were scored, and how many wait. To be called within a transaction."""
    for query in (_DAYS, _NEWEST, _SCORED, _ADDED):
        con.execute(query)
    con.execute("DELETE FROM forecast_accuracy")
    for query in (_WRITTEN, _DONE, _REPLACED, _KEPT):
        con.execute(query)
    counts = "SELECT (SELECT coalesce(sum(forecasts), 0) FROM forecast_scored), (SELECT count(*) FROM forecasts_made)"
    [(scored, waiting)] = con.execute(counts).fetchall()
    for name in ("forecast_truth", "forecast_newest", "forecast_scored", "forecast_sums"):
        con.execute(f"DROP TABLE {name}")
    return int(scored), int(waiting)
