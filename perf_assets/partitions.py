"""Tags by which a Dagster run names its partitions; Dagster's documentation of run tags lists them."""

from __future__ import annotations

PARTITION, RANGE_START, RANGE_END = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)


def range_tags(first: str, last: str) -> dict[str, str]:
    """Of a run of the days from `first` to `last` (YYYY-MM-DD), both included."""
    return {RANGE_START: first, RANGE_END: last}
