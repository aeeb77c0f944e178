"""Bytes through recognition and reading, as tests want to see them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from perf_assets.catalog import canonical_unit, load_catalog
from perf_assets.formats import recognise
from perf_assets.formats.measurement import MEASUREMENTS, Format, Input, Rejection

RECEIVED_AT = datetime.fromisoformat("2026-10-01T12:00:00")
NAME = "results.txt"
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "formats"


@dataclass(frozen=True)
class Reading:
    """What became of some bytes."""

    format: str
    rows: list[dict[str, Any]]
    rejections: list[Rejection]
    omitted: dict[str, int]

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        return [(rejection.location, rejection.field, rejection.reason) for rejection in self.rejections]

    def column(self, *names: str) -> list[Any]:
        """The values of one column, or tuples of several."""
        if len(names) == 1:
            return [row[names[0]] for row in self.rows]
        return [tuple(row[name] for name in names) for row in self.rows]


def read(content: bytes, using: Format | None = None, *, zone: tzinfo = UTC, **companions: bytes) -> Reading:
    """Read `content` by the format it is recognised as, or by the one given; companions are files that describe it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, described in {**companions, "content": content}.items():
            paths[name] = Path(folder) / name
            paths[name].write_bytes(described)
        return _read(paths.pop("content"), NAME, using, zone, paths)


def read_file(file: Path, using: Format | None = None, *, zone: tzinfo = UTC) -> Reading:
    """Read a file where it lies, with the companions that its format finds beside it."""
    source = Input(file, file.name, RECEIVED_AT, load_catalog())
    found = using or recognise(source)
    beside = {name: file.parent / place for name, place in found.companions.items() if (file.parent / place).exists()}
    return _read(file, file.name, found, zone, beside)


def _read(file: Path, name: str, using: Format | None, zone: tzinfo, companions: Mapping[str, Path]) -> Reading:
    source = Input(file, name, RECEIVED_AT, load_catalog(), zone, companions)
    found = using or recognise(source)
    chunks = list(found.read(source))
    omitted: Counter[str] = Counter()
    for chunk in chunks:
        assert chunk.measurements.schema == MEASUREMENTS
        omitted.update(chunk.omitted)
    return Reading(
        found.name,
        [_converted(row) for chunk in chunks for row in chunk.measurements.to_pylist()],
        [rejection for chunk in chunks for rejection in chunk.rejections],
        dict(omitted),
    )


def _converted(row: dict[str, Any]) -> dict[str, Any]:
    """With value, unit, spread and replicates as they will be stored."""
    raw_unit = load_catalog()[row["metric"]].unit if row["raw_unit"] is None else row["raw_unit"]
    unit = canonical_unit(raw_unit)
    spread, replicates = row["raw_spread"], row["raw_replicates"]
    return row | {
        "raw_unit": raw_unit,
        "unit": unit.unit,
        "value": row["raw_value"] * unit.factor,
        "spread": None if spread is None else spread * unit.factor,
        "replicates": None if replicates is None else [value * unit.factor for value in replicates],
    }


def assert_helpful(rejection: Rejection) -> None:
    """The message names the place and the field, and what to do."""
    assert rejection.location in rejection.message
    assert rejection.field in rejection.message
    assert any(word in rejection.message for word in ("correct", "write", "fill", "leave", "fetch", "count"))
