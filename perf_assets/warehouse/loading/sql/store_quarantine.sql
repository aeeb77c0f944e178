-- The fragment that was rejected stays as it was written: the command shows what a terminal would obey by its number.
-- Reads: quarantine, parts
-- Writes: quarantined_results
INSERT INTO quarantined_results
SELECT q.quarantine_id, p.content_hash, p.name, p.received_day, showable(q.location), showable(q.field), q.reason,
  showable(q.message), q.fragment, p.received_at, p.receipts, q.kept_hash
FROM quarantine q JOIN parts p USING (part);
