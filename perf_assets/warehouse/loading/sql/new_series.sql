-- The series of each part, and those that the warehouse does not have yet.
-- Reads: facts, series_dims, series
-- Writes: part_series, new_series
CREATE TEMP TABLE part_series AS
SELECT part, series_id, count(*) AS measurements FROM facts GROUP BY part, series_id;
CREATE TEMP TABLE new_series AS
SELECT series_id, any_value(project) AS project, any_value(series_branch) AS series_branch, any_value(metric) AS metric,
  any_value(unit) AS unit, any_value(test_name) AS test_name, any_value(test_type) AS test_type,
  any_value(benchmark_version) AS benchmark_version, any_value(node_id) AS node_id, any_value(node_type) AS node_type,
  any_value(identity_tags) AS identity_tags, min(direction) AS direction
FROM series_dims SEMI JOIN part_series USING (series_id) ANTI JOIN series USING (series_id) GROUP BY series_id;
