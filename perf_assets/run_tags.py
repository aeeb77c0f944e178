"""Tags of Dagster runs: those by which a run names its partitions, which Dagster's documentation lists, and our own."""

from __future__ import annotations

PARTITION, RANGE_START, RANGE_END = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)

ATTENDED = "perf_assets/attended"
"""Somebody waits for the run: a source that does not answer is not tried again half a minute later."""


def range_tags(first: str, last: str) -> dict[str, str]:
    """Of a run of the days from `first` to `last` (YYYY-MM-DD), both included."""
    return {RANGE_START: first, RANGE_END: last}
