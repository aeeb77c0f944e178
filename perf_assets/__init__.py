"""Performance of test fleets and benchmarks as Dagster data assets."""
