"""Series, run, unit and time of each row of a stage: table `facts`, one row a measurement."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from perf_assets.catalog import canonical_unit
from perf_assets.characters import showable
from perf_assets.formats.measurement import parse_time
from perf_assets.warehouse.loading.stage import Part, Stage

_EARLIEST = datetime.fromisoformat("1980-01-01")


def identify(stage: Stage) -> None:
    """Work out series, runs and facts of all rows; a fact that cannot be stored has its `problem`."""
    stage.complete()
    stage.table("described_parts", pa.Table.from_pylist([_described(stage, part) for part in stage.parts], _PARTS))
    stage.run("parts")
    stage.run("keyed")
    if stage.scanned is not None:
        rows = stage.count(f"SELECT count(*) FROM {stage.scanned.rows}")  # noqa: S608 - the rows of the scan
        if rows > stage.count("SELECT count(*) FROM keyed"):
            stage.reject(stage.parts[0], stage.scanned.rejections())
    stage.run("named")
    stage.table("units", _units(stage))
    stage.run("series_dims")
    stage.run("run_rows")
    stage.run("facts")


def _described(stage: Stage, part: Part) -> dict[str, Any]:
    file, given, quality = part.file, part.file.given, stage.rules.quality
    ahead = timedelta(minutes=quality.minutes_ahead)
    back = quality.days_back if file.origin in quality.limited_origins else None
    return {
        "part": part.number,
        "content_hash": file.content_hash,
        "name": showable(part.name),
        "received_at": file.received_at,
        "received_day": file.day,
        "receipts": file.receipts,
        "given_project": given.project,
        "given_branch": given.branch,
        "given_commit": given.commit_id,
        "given_run": given.run_key,
        "own_run": part.own_run,
        "member": part.name.removeprefix(file.name),
        "given_attempt": given.attempt,
        "given_ts": parse_time(given.ts, stage.rules.zone(given)),
        "earliest": max(_EARLIEST, file.received_at - timedelta(days=back)) if back is not None else _EARLIEST,
        "latest": file.received_at + ahead,
    }


def _units(stage: Stage) -> pa.Table:
    """The canonical unit of each metric and written unit, and the values between which it can lie."""
    written = stage.con.execute("SELECT DISTINCT metric, raw_unit FROM named WHERE metric IS NOT NULL").fetchall()
    catalog = stage.rules.catalog
    rows = []
    for metric, raw in written:
        known = catalog[metric]
        meant = known.unit if raw is None else raw
        unit = canonical_unit(meant)
        rows.append(
            {
                "metric": metric,
                "raw_unit": raw,
                "written": meant,
                "unit": unit.unit,
                "factor": unit.factor,
                "catalogue_unit": known.unit if metric in catalog else None,
                "lowest": 0.0 if unit.unit in ("s", "By") else known.lowest,
                "highest": known.highest,
            }
        )
    return pa.Table.from_pylist(rows, _UNITS)


_PARTS = pa.schema(
    [
        ("part", pa.int32()),
        ("content_hash", pa.string()),
        ("name", pa.string()),
        ("received_at", pa.timestamp("us")),
        ("received_day", pa.string()),
        ("receipts", pa.int64()),
        ("given_project", pa.string()),
        ("given_branch", pa.string()),
        ("given_commit", pa.string()),
        ("given_run", pa.string()),
        ("own_run", pa.string()),
        ("member", pa.string()),
        ("given_attempt", pa.int32()),
        ("given_ts", pa.timestamp("us")),
        ("earliest", pa.timestamp("us")),
        ("latest", pa.timestamp("us")),
    ]
)
_UNITS = pa.schema(
    [
        ("metric", pa.string()),
        ("raw_unit", pa.string()),
        ("written", pa.string()),
        ("unit", pa.string()),
        ("factor", pa.float64()),
        ("catalogue_unit", pa.string()),
        ("lowest", pa.float64()),
        ("highest", pa.float64()),
    ]
)
