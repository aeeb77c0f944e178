-- What such rows say beyond value and time.
-- Reads: reports, runs, parts, series
-- Writes: measurement_details
INSERT INTO measurement_details
SELECT d.series_id, d.run_id, p.batch_id, d.raw_value, d.raw_unit, d.time_source, d.spread, d.replicates, d.node_name,
  CASE WHEN d.context IS DISTINCT FROM r.context THEN coalesce(d.context, '{}') END, d.location
FROM reports d JOIN runs r USING (run_id) JOIN parts p USING (part) JOIN series s USING (series_id)
WHERE d.raw_unit <> s.unit OR d.time_source <> 'result' OR d.spread IS NOT NULL OR d.replicates IS NOT NULL
  OR d.node_name IS NOT NULL OR d.context IS DISTINCT FROM r.context
ORDER BY d.series_id, d.run_id;
