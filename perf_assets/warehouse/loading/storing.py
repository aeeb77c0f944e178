"""Writing the facts of a group into the tables of the warehouse, in its transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from perf_assets.characters import showable
from perf_assets.landing import LandedFile
from perf_assets.warehouse.loading.stage import Part, Stage


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one file; `omitted` are results that are no performance values, by outcome."""

    file: LandedFile
    format: str | None
    measurements: int = 0
    new_measurements: int = 0
    series: int = 0
    new_series: int = 0
    quarantined: int = 0
    omitted: tuple[tuple[str, int], ...] = ()
    skipped: bool = False
    """Its content had been loaded before."""


def store(stage: Stage, files: Sequence[LandedFile]) -> list[Loaded]:
    """Write series, runs, measurements, quarantine and files; what became of each file."""
    counts = {content_hash: numbers for content_hash, *numbers in stage.run("counts")}
    stage.run("store_series")
    stage.run("store_runs")
    stage.run("detailed_rows")
    if stage.count("SELECT count(*) FROM wanted"):
        stage.run("store_details")
    stage.run("store_measurements")
    stage.run("store_quarantine")
    meanwhile = {name for (name,) in stage.con.execute("SELECT content_hash FROM loaded_meanwhile").fetchall()}
    parts: dict[str, list[Part]] = {file.content_hash: [] for file in files}
    for part in stage.parts:
        parts[part.file.content_hash].append(part)
    loaded = [
        _loaded(file, parts[file.content_hash], counts.get(file.content_hash, _NOTHING), file.content_hash in meanwhile)
        for file in files
    ]
    stage.table("stored_files", _as_table([one for one in loaded if not one.skipped]))
    stage.run("store_batches")
    return loaded


_NOTHING = (0, 0, 0, 0, 0)


def _loaded(file: LandedFile, parts: Sequence[Part], counts: Sequence[int], skipped: bool) -> Loaded:
    name = ", ".join(sorted({part.format for part in parts if part.format is not None})) or None
    if skipped:
        return Loaded(file, name, skipped=True)
    omitted: Counter[str] = Counter()
    for part in parts:
        omitted.update(part.omitted)
    measurements, new, series, new_series, quarantined = counts
    return Loaded(file, name, measurements, new, series, new_series, quarantined, tuple(sorted(omitted.items())))


def _as_table(loaded: Sequence[Loaded]) -> pa.Table:
    columns = {
        "content_hash": pa.array([one.file.content_hash for one in loaded], pa.string()),
        "received_day": pa.array([one.file.received_at.date() for one in loaded], pa.date32()),
        "received_at": pa.array([one.file.received_at for one in loaded], pa.timestamp("us")),
        "name": pa.array([showable(one.file.name) for one in loaded], pa.string()),
        "format": pa.array([one.format for one in loaded], pa.string()),
        "measurements": pa.array([one.measurements for one in loaded], pa.int64()),
        "new_measurements": pa.array([one.new_measurements for one in loaded], pa.int64()),
        "series": pa.array([one.series for one in loaded], pa.int64()),
        "new_series": pa.array([one.new_series for one in loaded], pa.int64()),
        "quarantined": pa.array([one.quarantined for one in loaded], pa.int64()),
        "omitted": pa.array([json.dumps(dict(one.omitted)) if one.omitted else None for one in loaded], pa.string()),
    }
    return pa.table(columns)
