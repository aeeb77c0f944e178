-- The first file that begins too many series keeps only the rows of known ones. A series begins in the first part that
-- has it. Gives the number of such files: 1 or 0.
-- Reads: new_series, part_series, parts
-- Writes: begun, too_many, quarantine, refused, facts, part_series, new_series
CREATE OR REPLACE TEMP TABLE begun AS
SELECT series_id, content_hash, part FROM (
  SELECT series_id, min(part) AS part FROM part_series SEMI JOIN new_series USING (series_id) GROUP BY series_id)
JOIN parts USING (part);
CREATE OR REPLACE TEMP TABLE too_many AS
SELECT content_hash, count(*) AS begun, any_value(metric) AS metric, any_value(test_name) AS test_name
FROM begun JOIN new_series USING (series_id)
GROUP BY content_hash HAVING count(*) > $max_new_series ORDER BY min(part) LIMIT 1;
INSERT INTO quarantine
SELECT min(part), any_value(stable_hash(content_hash, 'too_many_new_series')), 'whole file', 'series',
  'too_many_new_series',
  concat(any_value(name), ': begins ', any_value(begun), ' new series, more than ', $max_new_series, ' (such as ',
    any_value(metric), ' ', any_value(test_name), '); the rows of known series are loaded. Take what changes with '
    'every run out of the names, or raise max_new_series under [quality]'), '', NULL
FROM too_many JOIN parts USING (content_hash) GROUP BY content_hash;
INSERT INTO refused
SELECT min(part), any_value(begun) FROM too_many JOIN parts USING (content_hash) GROUP BY content_hash;
DELETE FROM facts WHERE part IN (SELECT part FROM parts SEMI JOIN too_many USING (content_hash))
  AND series_id IN (SELECT series_id FROM begun SEMI JOIN too_many USING (content_hash));
DELETE FROM part_series WHERE (part, series_id) NOT IN (SELECT (part, series_id) FROM facts);
DELETE FROM new_series WHERE series_id NOT IN (SELECT series_id FROM part_series);
SELECT count(*) FROM too_many;
