-- Values of a time and place whose stored value is another one.
-- Reads: facts, measurements
-- Writes: apart_from_stored
CREATE TEMP TABLE apart_from_stored AS
SELECT f.row, f.value, m.series_id, m.run_id, m.value AS stored_value
FROM (SELECT * FROM facts WHERE is_place) f JOIN measurements m ON m.series_id = f.series_id AND m.run_id = f.run_id
WHERE f.value <> m.value;
