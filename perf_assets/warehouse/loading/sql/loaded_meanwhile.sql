-- Files that another process has loaded since this one saw that they were not.
-- Reads: parts, batches
-- Writes: loaded_meanwhile
CREATE TEMP TABLE loaded_meanwhile AS SELECT part, content_hash FROM parts SEMI JOIN batches USING (content_hash);
