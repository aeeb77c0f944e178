-- Such files bring nothing.
-- Reads: loaded_meanwhile
-- Writes: facts, quarantine
DELETE FROM facts WHERE part IN (SELECT part FROM loaded_meanwhile);
DELETE FROM quarantine WHERE part IN (SELECT part FROM loaded_meanwhile);
