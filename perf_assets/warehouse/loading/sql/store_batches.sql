-- The files of the group, but those that another process has loaded.
-- Reads: stored_files
-- Writes: batches
INSERT INTO batches
SELECT stable_hash(content_hash), content_hash, received_day, received_at, name, format, $sample, $simulated,
  measurements, new_measurements, series, new_series, quarantined, omitted
FROM stored_files;
