-- Measurements of the group that are stored already. Most are reported again as they were, which comparing time and
-- value shows.
-- Reads: facts, known_runs, run_infos, measurements, runs, measurement_details
-- Writes: met, stays
INSERT INTO met
SELECT f.series_id, f.run_id, f.row, m.value <> f.value OR m.ts <> f.ts OR f.detailed OR i.differs
  OR i.context IS DISTINCT FROM r.context OR d.series_id IS NOT NULL AS differs
FROM facts f SEMI JOIN known_runs k ON k.run_id = f.run_id
JOIN measurements m ON m.series_id = f.series_id AND m.run_id = f.run_id
JOIN run_infos i ON i.run_id = f.run_id JOIN runs r ON r.run_id = f.run_id
LEFT JOIN measurement_details d ON d.series_id = f.series_id AND d.run_id = f.run_id;
INSERT INTO stays SELECT series_id, run_id FROM met;
