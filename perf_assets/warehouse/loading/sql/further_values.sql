-- Facts that are further values of a time and place get runs of their own.
-- Reads: further_values, facts, keyed, run_rows
-- Writes: apart, facts
INSERT INTO apart
SELECT f.row, run_id_apart(r.run_id, f.series_id, f.value), run_key_apart(r.run_key, f.series_id, f.value)
FROM further_values JOIN facts f USING (row) JOIN keyed k USING (row) JOIN run_rows r USING (run_hash);
UPDATE facts SET run_id = a.run_id FROM apart a WHERE a.row = facts.row AND a.run_id <> facts.run_id;
