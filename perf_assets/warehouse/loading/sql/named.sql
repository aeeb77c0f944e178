-- The names of each series that is written in another way, from its first row.
-- Reads: keyed, wanted_rows, parts
-- Writes: wanted, named
CREATE OR REPLACE TEMP TABLE wanted AS SELECT series_key, min(row) AS row FROM keyed GROUP BY series_key;
CREATE TEMP TABLE named AS
SELECT w.series_key, first_name(i.metric) AS metric, first_name(i.test_name) AS test_name,
  first_name(i.test_type) AS test_type, first_name(i.benchmark_version) AS benchmark_version,
  first_name(i.node_id) AS node_id, first_name(i.node_type) AS node_type,
  showable(trim(i.raw_unit)) AS raw_unit, i.direction, i.tags,
  first_name(p.given_project, i.project, 'default') AS project, first_name(i.branch, p.given_branch) AS branch
FROM wanted_rows i JOIN wanted w ON w.row = i.row JOIN parts p ON p.part = i.part;
