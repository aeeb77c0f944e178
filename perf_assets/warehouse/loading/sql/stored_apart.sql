-- Of the two the greater one gets a run of its own: the fact, or else the stored measurement.
-- Reads: apart_from_stored, series
-- Writes: further_values, greater_stored, runs, measurements, measurement_details
CREATE OR REPLACE TEMP TABLE further_values AS SELECT row FROM apart_from_stored WHERE value > stored_value;
CREATE TEMP TABLE greater_stored AS
SELECT DISTINCT series_id, run_id, stored_value, run_id_apart(run_id, series_id, stored_value) AS run_apart
FROM apart_from_stored WHERE value < stored_value;
INSERT INTO runs
SELECT a.run_apart, r.project, run_key_apart(r.run_key, a.series_id, a.stored_value), r.attempt,
  r.branch, r.on_series_branch, r.commit_id, r.ci_job_id, r.run_url, nullif(coalesce(d.context, r.context), '{}')
FROM greater_stored a JOIN runs r USING (run_id)
LEFT JOIN measurement_details d ON d.series_id = a.series_id AND d.run_id = a.run_id;
UPDATE measurements m SET run_id = a.run_apart FROM greater_stored a
WHERE a.series_id = m.series_id AND a.run_id = m.run_id;
UPDATE measurement_details d SET run_id = a.run_apart, context = NULL FROM greater_stored a
WHERE a.series_id = d.series_id AND a.run_id = d.run_id;
DELETE FROM measurement_details d USING (SELECT * FROM greater_stored JOIN series USING (series_id)) a
WHERE a.series_id = d.series_id AND a.run_apart = d.run_id AND d.raw_unit = a.unit
  AND d.time_source = 'result' AND d.spread IS NULL AND d.replicates IS NULL AND d.node_name IS NULL;
