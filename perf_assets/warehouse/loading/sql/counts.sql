-- What each file brings: measurements, new ones, series, new ones and refused rows. A series is new in the first file
-- that has it.
-- Reads: parts, part_series, reported_elsewhere, facts, met, new_series, refused
WITH file_series AS (
  SELECT content_hash, series_id, min(part) AS part, sum(own) AS own, sum(elsewhere) AS elsewhere
  FROM (
    SELECT p.content_hash, f.series_id, part, f.measurements AS own, 0 AS elsewhere
    FROM part_series f JOIN parts p USING (part)
    UNION ALL
    SELECT content_hash, series_id, NULL, 0, count(*) FROM reported_elsewhere SEMI JOIN part_series USING (series_id)
    GROUP BY content_hash, series_id)
  GROUP BY content_hash, series_id
), measured AS (
  SELECT content_hash, sum(own + elsewhere) AS measurements, sum(own) AS own, count(*) AS series
  FROM file_series GROUP BY content_hash
), known AS (
  SELECT p.content_hash, count(*) AS known FROM facts SEMI JOIN met USING (series_id, run_id) JOIN parts p USING (part)
  GROUP BY p.content_hash
), begun AS (
  SELECT content_hash, count(*) AS begun FROM (
    SELECT arg_min(content_hash, part) AS content_hash FROM file_series SEMI JOIN new_series USING (series_id)
    WHERE part IS NOT NULL GROUP BY series_id)
  GROUP BY content_hash
), refusals AS (
  SELECT content_hash, sum(number) AS refused FROM refused JOIN parts USING (part) GROUP BY content_hash
)
SELECT content_hash, coalesce(measurements, 0) :: BIGINT, coalesce(own - coalesce(known, 0), 0) :: BIGINT,
  coalesce(series, 0), coalesce(begun, 0), coalesce(refused, 0) :: BIGINT
FROM (SELECT DISTINCT content_hash FROM parts) LEFT JOIN measured USING (content_hash)
LEFT JOIN known USING (content_hash) LEFT JOIN begun USING (content_hash) LEFT JOIN refusals USING (content_hash);
