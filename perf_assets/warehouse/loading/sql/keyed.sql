-- Each row with hashes of what names its series and of what describes its run. The part takes part where the file
-- leaves open what its receipt says.
-- Reads: accepted_rows
-- Writes: keyed
CREATE TEMP TABLE keyed AS
SELECT row, part, ts, raw_value,
  hash(metric, raw_unit, project, branch, test_name, test_type, benchmark_version, node_id, node_type, tags, direction,
    CASE WHEN project IS NULL OR branch IS NULL THEN part END) AS series_key,
  hash(project, run_key, attempt, branch, info_key, part) AS run_hash,
  ts IS NULL OR time_source <> 'result' OR raw_spread IS NOT NULL OR raw_replicates IS NOT NULL AS detailed
FROM accepted_rows;
