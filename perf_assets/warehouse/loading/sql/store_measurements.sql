-- Facts that are not stored yet, or replace what was, in the order of series and time.
-- Reads: facts, parts, stays
-- Writes: measurements
INSERT INTO measurements
SELECT f.series_id, f.run_id, p.batch_id, f.ts, f.value FROM facts f JOIN parts p USING (part)
ANTI JOIN stays s ON s.series_id = f.series_id AND s.run_id = f.run_id
ORDER BY f.series_id, f.ts;
