"""The settings that decide how results are stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from perf_assets.catalog import Catalog
from perf_assets.landing import Given
from perf_assets.settings import IdentitySettings, QualitySettings
from perf_assets.warehouse.loading import identity


@dataclass(frozen=True)
class Rules:
    """The catalogue and the settings that decide how results are stored."""

    catalog: Catalog
    identity: IdentitySettings
    quality: QualitySettings

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides the series and run of a result, its time and unit, and whether it is stored."""
        metrics = {name: [metric.unit, metric.lowest, metric.highest] for name, metric in self.catalog.metrics.items()}
        settings = [part.model_dump(mode="json") for part in (self.identity, self.quality)]
        decisive = [settings, metrics, identity.SERIES_ID, identity.RUN_ID, identity.NAME]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def zone(self, given: Given) -> ZoneInfo:
        """The time zone of times that name none."""
        return ZoneInfo(given.timezone or self.quality.timezone)
