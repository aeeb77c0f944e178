-- A run that is only a time and a place has the smallest value of a series; further ones are runs of their own. So it
-- makes no difference which of them came first, or together.
-- Reads: facts
-- Writes: apart, further_values
CREATE TEMP TABLE apart (row BIGINT, run_id BIGINT, run_key VARCHAR);
CREATE TEMP TABLE further_values AS
SELECT row FROM facts JOIN (
  SELECT series_id, run_id, min(value) AS smallest FROM facts WHERE is_place GROUP BY series_id, run_id
  HAVING smallest < max(value)) USING (series_id, run_id)
WHERE value > smallest;
