-- One row a run, where each is described in one way.
-- Reads: described_runs
-- Writes: run_infos
CREATE TEMP TABLE run_infos AS SELECT *, false AS differs FROM described_runs;
