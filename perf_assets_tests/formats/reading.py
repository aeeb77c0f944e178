"""Bytes through recognition and reading, as tests want to see them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from perf_assets.catalog import load_catalog
from perf_assets.formats import recognise
from perf_assets.formats.measurement import MEASUREMENTS, Format, Input, Rejection

RECEIVED_AT = datetime.fromisoformat("2026-10-01T12:00:00")
NAME = "results.txt"


@dataclass(frozen=True)
class Reading:
    """What became of some bytes."""

    format: str
    rows: list[dict[str, Any]]
    rejections: list[Rejection]

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        return [(rejection.location, rejection.field, rejection.reason) for rejection in self.rejections]


def read(content: bytes, using: Format | None = None) -> Reading:
    """Read `content` by the format it is recognised as, or by the one given."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "content"
        file.write_bytes(content)
        source = Input(file, NAME, RECEIVED_AT, load_catalog())
        found = using or recognise(source)
        chunks = list(found.read(source))
    for chunk in chunks:
        assert chunk.measurements.schema == MEASUREMENTS
    return Reading(
        found.name,
        [row for chunk in chunks for row in chunk.measurements.to_pylist()],
        [rejection for chunk in chunks for rejection in chunk.rejections],
    )


def assert_helpful(rejection: Rejection) -> None:
    """The message names the place and the field, and what to do."""
    assert rejection.location in rejection.message
    assert rejection.field in rejection.message
    assert any(word in rejection.message for word in ("correct", "write", "fill", "leave", "fetch", "count"))
