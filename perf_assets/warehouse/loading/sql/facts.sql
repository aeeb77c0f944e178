-- One row a measurement, with what is wrong with it; and the view of all that a row says, for those in `wanted`.
-- Reads: keyed, series_dims, run_rows, parts, wanted, wanted_rows
-- Writes: facts, reports, conflicts, reported_elsewhere
CREATE TEMP TABLE facts AS
SELECT * EXCLUDE (series_problem, lowest, highest, earliest, latest),
  CASE WHEN series_problem IS NOT NULL THEN series_problem
    WHEN NOT isfinite(value) THEN 'not_finite'
    WHEN value < lowest OR value > highest THEN 'impossible_value'
    WHEN ts < earliest OR ts > latest THEN 'time_out_of_range' END AS problem
FROM (
  SELECT k.row, k.part, s.series_id, r.run_id, r.is_place, coalesce(k.ts, p.given_ts, p.received_at) AS ts,
    k.raw_value * s.factor AS value, k.detailed OR s.raw_unit <> s.unit OR s.node_name IS NOT NULL AS detailed,
    k.ts IS NULL AND p.given_ts IS NULL AS by_receipt,
    s.problem AS series_problem, s.lowest, s.highest, p.earliest, p.latest
  FROM keyed k JOIN series_dims s USING (series_key) JOIN run_rows r USING (run_hash) JOIN parts p USING (part));
CREATE TEMP VIEW reports AS
SELECT *, content_key(ts, value, raw_value, raw_unit, time_source, spread, replicates, node_name) AS content_key FROM (
  SELECT f.row, f.part, f.series_id, f.run_id, f.ts, f.value, f.by_receipt, i.location, i.raw_value, s.raw_unit,
    CASE WHEN i.ts IS NOT NULL THEN i.time_source WHEN f.by_receipt THEN 'receipt' ELSE 'run' END AS time_source,
    i.raw_spread * s.factor AS spread,
    list_transform(i.raw_replicates, lambda repetition: repetition * s.factor) AS replicates, s.node_name,
    r.context, s.metric, s.test_name, coalesce(s.node_id, s.node_name) AS node_id
  FROM wanted w JOIN facts f ON f.row = w.row JOIN keyed k ON k.row = f.row JOIN series_dims s
    ON s.series_key = k.series_key JOIN run_rows r ON r.run_hash = k.run_hash JOIN wanted_rows i ON i.row = f.row);
-- What repetitions among the facts leave behind.
CREATE TEMP TABLE conflicts (part INTEGER, quarantine_id BIGINT, series_id BIGINT, run_id BIGINT, value DOUBLE);
CREATE TEMP TABLE reported_elsewhere (content_hash VARCHAR, series_id BIGINT, run_id BIGINT);
