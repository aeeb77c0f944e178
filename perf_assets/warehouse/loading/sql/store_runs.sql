-- Known runs take up what the group says of them; new ones are added. Measurements that inherited the old context of
-- their run keep it explicitly, even if it was empty.
-- Reads: measurements, changed_runs, series, run_infos, known_runs
-- Writes: measurement_details, runs
INSERT INTO measurement_details
SELECT m.series_id, m.run_id, m.batch_id, m.value, s.unit, 'result', NULL, NULL, NULL,
  coalesce(c.context_before, '{}'), NULL
FROM measurements m JOIN changed_runs c USING (run_id) JOIN series s USING (series_id)
ANTI JOIN measurement_details d ON d.series_id = m.series_id AND d.run_id = m.run_id
WHERE c.context_before IS DISTINCT FROM c.context;
UPDATE measurement_details d SET context = coalesce(c.context_before, '{}') FROM changed_runs c
WHERE c.run_id = d.run_id AND d.context IS NULL AND c.context_before IS DISTINCT FROM c.context;
UPDATE runs r SET branch = c.branch, on_series_branch = c.on_series_branch, commit_id = c.commit_id,
  ci_job_id = c.ci_job_id, run_url = c.run_url, context = c.context
FROM changed_runs c WHERE c.run_id = r.run_id;
INSERT INTO runs
SELECT run_id, project, run_key, attempt, branch, on_series_branch, commit_id, ci_job_id, run_url, context
FROM run_infos ANTI JOIN known_runs USING (run_id);
