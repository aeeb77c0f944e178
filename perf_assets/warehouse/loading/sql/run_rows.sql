-- Each run in every way in which rows describe it. Tags that are not part of a series' identity are context.
-- Reads: keyed, wanted_rows, parts
-- Writes: wanted, run_rows
CREATE OR REPLACE TEMP TABLE wanted AS SELECT run_hash, min(row) AS row FROM keyed GROUP BY run_hash;
CREATE TEMP TABLE run_rows AS
WITH placed AS (
  SELECT i.*, p.* EXCLUDE (part), w.run_hash, coalesce(starts_with(i.run_key, $place), false) AS is_place
  FROM wanted_rows i JOIN wanted w ON w.row = i.row JOIN parts p ON p.part = i.part
), filled AS (
  SELECT run_hash, first_name(given_project, project, 'default') AS project,
    CASE WHEN is_place THEN concat_ws('@', first_name(given_run), first_name(run_key))
      ELSE first_name(run_key, given_run, own_run) END AS run_key,
    is_place,
    CASE WHEN attempt = 1 THEN coalesce(given_attempt, 1) ELSE attempt END AS attempt,
    first_name(branch, given_branch) AS branch, first_name(commit_id, given_commit) AS commit_id,
    first_name(ci_job_id) AS ci_job_id, showable(run_url) AS run_url,
    nullif(CASE WHEN tags IS NULL THEN context ELSE json_merge_patch(coalesce(context, '{}'),
      (SELECT to_json(map_from_entries(list_filter(map_entries(tags :: JSON :: MAP(VARCHAR, VARCHAR)),
        lambda entry: NOT list_contains($tags :: VARCHAR[], entry.key)))))) :: VARCHAR END, '{}') AS context
  FROM placed
), branched AS (
  SELECT * REPLACE (showable_json(context) AS context),
    branch IS NULL OR list_contains($branches :: VARCHAR[], branch) AS on_series_branch
  FROM filled
)
SELECT *, run_id_of(project, run_key, attempt, branch, on_series_branch) AS run_id FROM branched;
