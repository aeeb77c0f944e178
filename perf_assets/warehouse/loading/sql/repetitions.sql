-- Of several facts of one measurement the best stays. A different value goes to quarantine, once a file; an equal one
-- of another file is a row of that file as well, and stored once.
-- Reads: facts, reports, parts
-- Writes: wanted, losers, differing, conflicts, quarantine, refused, reported_elsewhere, facts
CREATE OR REPLACE TEMP TABLE wanted AS
SELECT row FROM facts SEMI JOIN (
  SELECT series_id, run_id FROM facts GROUP BY series_id, run_id HAVING count(*) > 1) USING (series_id, run_id);
CREATE TEMP TABLE losers AS
SELECT row, part, series_id, run_id, location, metric, test_name, node_id, raw_value, raw_unit, ts, value,
  first(location) OVER best AS best_location, first(value) OVER best AS best_value,
  first(part) OVER best AS best_part
FROM reports
WINDOW best AS (PARTITION BY series_id, run_id ORDER BY precedence(by_receipt, ts, content_key, context), row
  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
QUALIFY row_number() OVER best > 1;
CREATE TEMP TABLE differing AS
SELECT l.*, conflict_id(p.content_hash, l.series_id, l.run_id, l.value) AS quarantine_id
FROM losers l JOIN parts p USING (part) WHERE l.value <> l.best_value
QUALIFY row_number() OVER (PARTITION BY quarantine_id ORDER BY l.row) = 1;
INSERT INTO conflicts SELECT part, quarantine_id, series_id, run_id, value FROM differing;
INSERT INTO quarantine
SELECT c.part, c.quarantine_id, c.location, 'value', 'duplicate_with_different_value',
  concat(p.name, ', ', c.location, ', value: the same measurement of the same run has another value at ',
    if(c.part = c.best_part, '', concat(b.name, ', ')), c.best_location,
    '; give repetitions their own run or attempt'),
  concat_ws(', ', c.metric, c.raw_value, c.raw_unit, c.ts, c.test_name, c.node_id), b.content_hash
FROM differing c JOIN parts p USING (part) JOIN parts b ON b.part = c.best_part
QUALIFY row_number() OVER (PARTITION BY c.part ORDER BY c.row) <= $listed;
INSERT INTO quarantine
SELECT part, stable_hash(content_hash, member, location, 'value', 'duplicate_with_different_value'), location, 'value',
  'duplicate_with_different_value', more_like(name, more, $listed), '', NULL
FROM (
  SELECT part, count(*) - $listed AS more, concat(more, ' other places') AS location
  FROM differing GROUP BY part HAVING count(*) > $listed)
JOIN parts USING (part);
INSERT INTO refused SELECT part, count(*) FROM differing GROUP BY part;
INSERT INTO reported_elsewhere
SELECT DISTINCT p.content_hash, l.series_id, l.run_id
FROM losers l JOIN parts p USING (part) JOIN parts b ON b.part = l.best_part
WHERE l.value = l.best_value AND p.content_hash <> b.content_hash;
DELETE FROM facts WHERE row IN (SELECT row FROM losers);
