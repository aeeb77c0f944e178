-- Known series take up what the group says of them; new ones are added.
-- Reads: series_dims, part_series, new_series
-- Writes: series
UPDATE series s SET declared_direction = n.direction, sample = n.sample, simulated = n.simulated
FROM (
  SELECT s.series_id, least(any_value(s.declared_direction), min(u.direction)) AS direction,
    any_value(s.sample) AND $sample AS sample, any_value(s.simulated) AND $simulated AS simulated
  FROM series s JOIN (SELECT * FROM series_dims SEMI JOIN part_series USING (series_id)) u USING (series_id)
  GROUP BY s.series_id) n
WHERE n.series_id = s.series_id
  AND (s.declared_direction, s.sample, s.simulated) IS DISTINCT FROM (n.direction, n.sample, n.simulated);
INSERT INTO series SELECT *, $sample, $simulated FROM new_series ORDER BY series_id;
