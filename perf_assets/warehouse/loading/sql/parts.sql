-- What was received: files with results and members of archives, with what was said of them when they came.
-- Reads: described_parts
-- Writes: parts
CREATE TEMP TABLE parts AS
SELECT * REPLACE (received_day :: DATE AS received_day), stable_hash(content_hash) AS batch_id FROM described_parts;
