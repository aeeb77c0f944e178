-- Rows that say more than value and time, or may have another context than their run.
-- Reads: run_infos, known_runs, facts, stays
-- Writes: wanted
CREATE OR REPLACE TEMP TABLE wanted AS
WITH divided AS (SELECT run_id FROM run_infos WHERE differs UNION SELECT run_id FROM known_runs)
SELECT f.row FROM facts f ANTI JOIN stays s ON s.series_id = f.series_id AND s.run_id = f.run_id
WHERE f.detailed OR f.run_id IN (SELECT run_id FROM divided);
