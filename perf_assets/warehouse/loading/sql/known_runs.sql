-- Runs that are stored already, those of them that the group describes differently, settled in the same way, and
-- tables for the measurements of such runs.
-- Reads: run_infos, runs
-- Writes: known_runs, changed_runs, met, stays
CREATE TEMP TABLE known_runs AS SELECT run_id FROM run_infos SEMI JOIN runs USING (run_id);
CREATE TEMP TABLE changed_runs AS
SELECT m.*, r.context AS context_before FROM (
  SELECT i.run_id, least(i.branch, r.branch) AS branch, i.on_series_branch AND r.on_series_branch AS on_series_branch,
    least(i.commit_id, r.commit_id) AS commit_id, least(i.ci_job_id, r.ci_job_id) AS ci_job_id,
    least(i.run_url, r.run_url) AS run_url, least(i.context, r.context) AS context
  FROM run_infos i JOIN runs r USING (run_id)) m
JOIN runs r USING (run_id)
WHERE (m.branch, m.on_series_branch, m.commit_id, m.ci_job_id, m.run_url, m.context) IS DISTINCT FROM
  (r.branch, r.on_series_branch, r.commit_id, r.ci_job_id, r.run_url, r.context);
CREATE TEMP TABLE met (series_id BIGINT, run_id BIGINT, row BIGINT, differs BOOLEAN);
CREATE TEMP TABLE stays (series_id BIGINT, run_id BIGINT);
