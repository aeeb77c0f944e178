"""What a metric is: name, unit, direction, category, importance.

Belongs here: the catalogue file, its loader, and units. Does not belong here: anything about results themselves.
"""

from perf_assets.catalog.metrics import Catalog, CatalogError, Direction, Metric, load_catalog
from perf_assets.catalog.units import UNKNOWN_UNIT, CanonicalUnit, canonical_unit

__all__ = [
    "UNKNOWN_UNIT",
    "CanonicalUnit",
    "Catalog",
    "CatalogError",
    "Direction",
    "Metric",
    "canonical_unit",
    "load_catalog",
]
