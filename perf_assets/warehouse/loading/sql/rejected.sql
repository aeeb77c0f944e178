-- The quarantine, with what the formats rejected. Members of an archive have places that are called alike.
-- Reads: rejected, parts
-- Writes: quarantine
CREATE TEMP TABLE quarantine (part INTEGER, quarantine_id BIGINT, location VARCHAR, field VARCHAR, reason VARCHAR,
  message VARCHAR, fragment VARCHAR, kept_hash VARCHAR);
INSERT INTO quarantine
SELECT part, stable_hash(content_hash, member, location, field, reason), location, field, reason, message, fragment,
  NULL
FROM (SELECT DISTINCT * FROM rejected) JOIN parts USING (part);
