"""Results and warehouses for tests: a row says what matters, the rest has a default."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from perf_assets.catalog import load_catalog
from perf_assets.formats.measurement import Measurement, chunked
from perf_assets.landing import Given, LandedFile, Landing, Origin
from perf_assets.settings import IdentitySettings, QualitySettings
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.loading import Loaded, Rules, load_files
from perf_assets.warehouse.loading.group import Group
from perf_assets.warehouse.loading.load import load_group

RECEIVED_AT = datetime.fromisoformat("2026-10-01T12:00:00")
START = datetime.fromisoformat("2026-09-01T00:00:00")

CONTENT = {
    "measurements": "SELECT series_id, run_id, ts, value FROM measurements ORDER BY ALL",
    "series": "SELECT * FROM series ORDER BY ALL",
    "runs": "SELECT * FROM runs ORDER BY ALL",
    "context": "SELECT id, context_data FROM performance_metrics ORDER BY ALL",
}
"""What was measured, without when and in which file it came."""


def row(value: float = 1.0, *, run: str | None = "r1", hour: int = 0, **fields: Any) -> dict[str, Any]:
    """One line of a long table."""
    return {
        "timestamp": (START + timedelta(hours=hour)).isoformat(),
        "metric_name": "test_execution_time",
        "metric_value": value,
        "test_name": "login",
        "test_run_id": run,
    } | fields


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(fields) + "\n" for fields in rows).encode()


class Site:
    """A landing and a warehouse of its own."""

    def __init__(self, folder: Path) -> None:
        self.landing = Landing(folder / "landing")
        self.scratch = folder / "scratch"
        self.warehouse = Warehouse(folder / "warehouse" / "perf.duckdb", folder / "snapshots")

    def load(
        self,
        content: list[dict[str, Any]] | bytes,
        *,
        received_at: datetime = RECEIVED_AT,
        origin: Origin = "file",
        given: Given = Given(),
        quality: QualitySettings | None = None,
        **identity: Any,
    ) -> Loaded:
        content = content if isinstance(content, bytes) else json_lines(content)
        file = self.landing.land(content, name="results.jsonl", received_at=received_at, origin=origin, given=given)
        return self.load_landed(file, quality=quality, **identity)

    def load_landed(self, *files: LandedFile, quality: QualitySettings | None = None, **identity: Any) -> Loaded:
        """Load files in one go; what became of the last one."""
        return self.load_all(*files, quality=quality, **identity)[-1]

    def load_all(self, *files: LandedFile, quality: QualitySettings | None = None, **identity: Any) -> list[Loaded]:
        """Load files in one go; what became of each."""
        rules = Rules(load_catalog(), IdentitySettings(**identity), quality or QualitySettings())
        return list(load_files(self.warehouse, files, rules, self.scratch))

    def store(self, *measurements: Measurement) -> None:
        """Store measurements as a format would give them."""
        file = self.landing.land(repr(measurements).encode(), name="given", received_at=RECEIVED_AT, origin="file")
        group = Group(self.scratch, Rules(load_catalog(), IdentitySettings(), QualitySettings()))
        with group:
            part = group.stage.part(file, file.name, "given")
            group.files.append(file)
            group.stage.add(part, next(chunked(measurements)))
            load_group(self.warehouse, group)

    def content(self) -> dict[str, pd.DataFrame]:
        with self.warehouse.reading() as con:
            return {name: con.execute(query).df() for name, query in CONTENT.items()}

    def values(self, table: str = "measurements") -> list[float]:
        with self.warehouse.reading() as con:
            return sorted(value for (value,) in con.table(table).select("value").fetchall())

    def quarantine(self) -> pd.DataFrame:
        return self.warehouse.query("SELECT * FROM quarantined_results ORDER BY location, reason")


def assert_same_content(one: Site, other: Site) -> None:
    for (name, expected), found in zip(one.content().items(), other.content().values(), strict=True):
        pd.testing.assert_frame_equal(found, expected, obj=name)
