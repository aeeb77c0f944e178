"""The warehouse: DuckDB with the facts and everything derived from them; rebuildable from landing.

Belongs here: views, loading, reading, publishing a snapshot. Does not belong here: statistics, and what people did.
"""

from perf_assets.warehouse.database import Warehouse, WarehouseError
from perf_assets.warehouse.snapshot import NoSnapshotError, open_snapshot

__all__ = ["NoSnapshotError", "Warehouse", "WarehouseError", "open_snapshot"]
