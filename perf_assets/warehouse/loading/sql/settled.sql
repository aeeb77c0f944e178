-- Of a stored measurement and a different report of it the better one stays; a different value goes to quarantine.
-- Reads: met, reports, conflicts, series, runs, batches, raw_results, parts
-- Writes: wanted, incoming_reports, stored_reports, settled, withdrawn, refused, quarantine, stored_conflicts,
--   quarantined_results, batches, stays, measurements, measurement_details
CREATE OR REPLACE TEMP TABLE wanted AS SELECT row FROM met WHERE differs;
CREATE TEMP TABLE incoming_reports AS FROM reports;
-- The files of stored values are also those that are to be read again.
CREATE TEMP TABLE stored_reports AS
SELECT *, content_key(ts, value, raw_value, raw_unit, time_source, spread, replicates, node_name) AS content_key FROM (
  SELECT m.series_id, m.run_id, m.ts, m.value, coalesce(d.raw_value, m.value) AS raw_value,
    coalesce(d.raw_unit, s.unit) AS raw_unit, coalesce(d.time_source, 'result') AS time_source, d.spread, d.replicates,
    d.node_name, nullif(coalesce(d.context, r.context), '{}') AS context,
    coalesce(d.time_source = 'receipt', false) AS by_receipt,
    b.content_hash, b.name, b.received_day, b.received_at, b.receipts, d.location, r.run_key
  FROM measurements m SEMI JOIN incoming_reports i ON i.series_id = m.series_id AND i.run_id = m.run_id
  JOIN series s ON s.series_id = m.series_id JOIN runs r ON r.run_id = m.run_id
  JOIN (
    SELECT b.batch_id, b.content_hash, b.name, b.received_day, b.received_at, coalesce(r.receipts, 1) AS receipts
    FROM batches b LEFT JOIN raw_results r USING (content_hash)
    UNION ALL
    SELECT stable_hash(content_hash), content_hash, name, received_day, received_at, receipts
    FROM raw_results ANTI JOIN batches USING (content_hash)) b ON b.batch_id = m.batch_id
  LEFT JOIN measurement_details d ON d.series_id = m.series_id AND d.run_id = m.run_id);
CREATE TEMP TABLE settled AS
SELECT i.row, i.part, i.series_id, i.run_id,
  precedence(i.by_receipt, i.ts, i.content_key, i.context) < precedence(s.by_receipt, s.ts, s.content_key, s.context)
    AS replaced,
  i.value <> s.value AS conflicting, i.value, s.value AS stored_value, i.location, s.location AS stored_location,
  s.content_hash AS stored_hash, s.name AS stored_name, s.received_day AS stored_day, s.received_at AS stored_at,
  s.receipts AS stored_receipts,
  s.run_key, concat_ws(', ', i.metric, i.test_name, i.node_id) AS subject
FROM incoming_reports i JOIN stored_reports s USING (series_id, run_id);
-- A value that is kept after all leaves the quarantine.
CREATE TEMP TABLE withdrawn AS
SELECT c.part, c.quarantine_id FROM conflicts c JOIN settled s USING (series_id, run_id)
WHERE NOT s.replaced AND c.value = s.stored_value;
INSERT INTO refused SELECT part, -count(*) FROM withdrawn GROUP BY part;
DELETE FROM quarantine WHERE quarantine_id IN (SELECT quarantine_id FROM withdrawn);
CREATE TEMP TABLE stored_conflicts AS
SELECT *, conflict_id(loser, series_id, run_id, lost) AS quarantine_id,
  row_number() OVER (PARTITION BY loser ORDER BY row) AS number
FROM (
  SELECT s.series_id, s.run_id, s.subject, s.run_key, if(s.replaced, s.stored_hash, p.content_hash) AS loser,
    if(s.replaced, s.stored_name, p.name) AS loser_name, if(s.replaced, s.stored_day, p.received_day) AS day,
    if(s.replaced, s.stored_at, p.received_at) AS first_seen,
    if(s.replaced, s.stored_receipts, p.receipts) AS times_seen,
    if(s.replaced, s.value, s.stored_value) AS kept, if(s.replaced, p.name, s.stored_name) AS winner_name,
    if(s.replaced, s.stored_value, s.value) AS lost,
    showable(if(s.replaced, coalesce(s.stored_location, 'run ' || s.run_key), s.location)) AS location,
    if(s.replaced, p.content_hash, s.stored_hash) AS kept_hash, s.row
  FROM settled s JOIN parts p USING (part) WHERE s.conflicting);
INSERT INTO quarantined_results
SELECT quarantine_id, loser, loser_name, day, location, 'value', 'duplicate_with_different_value',
  concat(loser_name, ', ', location, ', value: run ', run_key, ' has the value ', lost, ' here and ', kept, ' in ',
    winner_name, '; give repetitions their own attempt'),
  concat_ws(', ', subject, lost), first_seen, times_seen, kept_hash
FROM stored_conflicts WHERE number <= $listed;
INSERT INTO quarantined_results
SELECT stable_hash(loser, more, 'duplicate_with_different_value', min(quarantine_id)), loser,
  any_value(loser_name), any_value(day), concat(more, ' other places'), 'value', 'duplicate_with_different_value',
  more_like(any_value(loser_name), more, $listed), '', any_value(first_seen), any_value(times_seen), NULL
FROM (SELECT *, max(number) OVER (PARTITION BY loser) - $listed AS more FROM stored_conflicts)
WHERE more > 0 GROUP BY loser, more;
INSERT INTO refused SELECT part, count(*) FROM settled WHERE conflicting AND NOT replaced GROUP BY part;
UPDATE batches b SET quarantined = b.quarantined + l.lost
FROM (SELECT stored_hash, count(*) AS lost FROM settled WHERE conflicting AND replaced GROUP BY stored_hash) l
WHERE l.stored_hash = b.content_hash;
DELETE FROM stays t USING settled s WHERE s.replaced AND s.series_id = t.series_id AND s.run_id = t.run_id;
DELETE FROM measurements t USING settled s WHERE s.replaced AND s.series_id = t.series_id AND s.run_id = t.run_id;
DELETE FROM measurement_details t USING settled s
WHERE s.replaced AND s.series_id = t.series_id AND s.run_id = t.run_id;
