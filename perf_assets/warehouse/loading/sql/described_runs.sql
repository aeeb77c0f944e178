-- All runs, those of further values included, in every way in which rows describe them.
-- Reads: run_rows, apart, keyed
-- Writes: described_runs
CREATE TEMP VIEW described_runs AS
SELECT run_id, project, run_key, attempt, branch, on_series_branch, commit_id, ci_job_id, run_url, context
FROM run_rows
UNION ALL
SELECT a.run_id, r.project, a.run_key, r.attempt, r.branch, r.on_series_branch, r.commit_id, r.ci_job_id, r.run_url,
  r.context
FROM apart a JOIN keyed k USING (row) JOIN run_rows r USING (run_hash);
