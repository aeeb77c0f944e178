"""Performance of test fleets and benchmarks as Dagster data assets."""

__version__ = "0.1.0"
