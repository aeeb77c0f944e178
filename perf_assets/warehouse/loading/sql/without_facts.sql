-- What only rows say that are no facts (any more) is not known: with another order of files it would not be read.
-- Reads: keyed, facts
-- Writes: described, series_dims, run_rows
CREATE OR REPLACE TEMP TABLE described AS SELECT DISTINCT series_key, run_hash FROM keyed SEMI JOIN facts USING (row);
DELETE FROM series_dims WHERE series_key NOT IN (SELECT series_key FROM described);
DELETE FROM run_rows WHERE run_hash NOT IN (SELECT run_hash FROM described);
