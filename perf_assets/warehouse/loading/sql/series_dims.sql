-- Identity, unit and limits of each series that is written in another way, and why it cannot be stored.
-- Reads: named, units
-- Writes: series_dims
CREATE TEMP TABLE series_dims AS
WITH lasting AS (
  SELECT n.* EXCLUDE (node_id, raw_unit), u.* EXCLUDE (metric, raw_unit, written), u.written AS raw_unit,
    CASE WHEN regexp_matches(node_id, $ephemeral) THEN NULL ELSE node_id END AS node_id,
    CASE WHEN regexp_matches(node_id, $ephemeral) THEN node_id END AS node_name,
    branch IS NULL OR list_contains($branches :: VARCHAR[], branch) AS on_series_branch,
    CASE WHEN tags IS NOT NULL THEN (
      SELECT to_json(map_from_entries(list_filter(map_entries(tags :: JSON :: MAP(VARCHAR, VARCHAR)),
        lambda entry: list_contains($tags :: VARCHAR[], entry.key)))) :: VARCHAR) END AS identity_tags
  FROM named n LEFT JOIN units u ON u.metric = n.metric AND u.raw_unit IS NOT DISTINCT FROM n.raw_unit
), placed AS (
  SELECT * REPLACE (showable_json(nullif(identity_tags, '{}')) AS identity_tags),
    CASE WHEN on_series_branch THEN branch ELSE list_extract($branches :: VARCHAR[], 1) END AS series_branch
  FROM lasting
)
SELECT *,
  series_id_of(project, series_branch, metric, unit, test_name, test_type, benchmark_version, node_id, node_type,
    identity_tags) AS series_id,
  CASE WHEN metric IS NULL THEN 'missing_identity'
    WHEN greatest(length(metric), length(test_name), length(test_type), length(project), length(node_id),
      length(node_type), length(benchmark_version)) > $longest_name THEN 'name_too_long'
    WHEN catalogue_unit IS NOT NULL AND unit <> catalogue_unit THEN 'unit_conflict' END AS problem
FROM placed;
