-- One row a run. What is described in different ways is settled by the smallest, so that neither order nor split into
-- files matters.
-- Reads: described_runs
-- Writes: run_infos
CREATE TEMP TABLE run_infos AS
SELECT run_id, any_value(project) AS project, any_value(run_key) AS run_key, any_value(attempt) AS attempt,
  min(branch) AS branch, bool_and(on_series_branch) AS on_series_branch, min(commit_id) AS commit_id,
  min(ci_job_id) AS ci_job_id, min(run_url) AS run_url, min(context) AS context,
  min(context) IS DISTINCT FROM max(context) OR count(context) NOT IN (0, count(*)) AS differs
FROM described_runs GROUP BY run_id;
