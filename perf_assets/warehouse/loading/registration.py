"""Which files are registered in the warehouse: those that were received, and those that have been loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from perf_assets.characters import showable
from perf_assets.landing import LandedFile, LandedFiles
from perf_assets.warehouse.database import Warehouse
from perf_assets.warehouse.loading.rules import Rules

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILES_IN_A_GROUP = 2_000


def record_files(warehouse: Warehouse, files: LandedFiles, days: Iterable[str]) -> int:
    """Bring `raw_results` up to date with landing for the given days of receipt; returns the number of files."""
    with warehouse.transaction() as con:
        con.register("landed", _known(files))
        con.execute(_WITHOUT_CHANGED_FILES, {"days": list(days)})
        missing = _without_those_of(con, "raw_results", files)
        con.unregister("landed")
        for some in groups_of(missing):
            columns = {
                "content_hash": [file.content_hash for file in some],
                "name": [showable(file.name) for file in some],
                "received_at": pa.array([file.received_at for file in some], pa.timestamp("us")),
                "received_day": pa.array([file.received_at.date() for file in some], pa.date32()),
                "bytes": pa.array([file.size for file in some], pa.int64()),
                "origin": pa.array([file.origin for file in some], pa.string()),
                "simulated": pa.array([file.simulated for file in some], pa.bool_()),
                "receipts": pa.array([file.receipts for file in some], pa.int64()),
            }
            con.register("recorded", pa.table(columns))
            con.execute("INSERT INTO raw_results FROM recorded ORDER BY received_at, content_hash")
            con.unregister("recorded")
        con.execute(_COUNT_RECEIPTS)
    return len(files)


def not_loaded(warehouse: Warehouse, files: LandedFiles) -> LandedFiles:
    """The files that have not been loaded yet."""
    with warehouse.reading() as con:
        con.register("landed", _known(files))
        return _without_those_of(con, "batches", files)


def formats_of_loaded(warehouse: Warehouse, files: Sequence[LandedFile]) -> dict[str, str | None]:
    """The format of each of these files that has been loaded, by content hash."""
    with warehouse.reading() as con:
        return dict(con.execute(_FORMATS, {"hashes": [file.content_hash for file in files]}).fetchall())


def follow_rules(warehouse: Warehouse, rules: Rules) -> bool:
    """Delete everything that was loaded under other rules, since with a new branch or unit a result would be there
    twice. Returns whether there was anything, so that all files must be loaded again.
    """
    with warehouse.transaction() as con:
        known = con.execute("SELECT fingerprint FROM loading_rules").fetchall()
        if known == [(rules.fingerprint,)]:
            return False
        for table in _LOADED:
            con.execute(f"DELETE FROM {table}")  # noqa: S608 - tables of this module
        con.execute("INSERT INTO loading_rules VALUES (?)", [rules.fingerprint])
    return bool(known)


def forget_files(warehouse: Warehouse, hashes: Sequence[str]) -> int:
    """Delete the registration and the quarantine of files, so that the next loading reads them again; their
    measurements stay. Returns how many files there were.
    """
    with warehouse.transaction() as con:
        values = {"hashes": list(hashes)}
        con.execute("DELETE FROM quarantined_results WHERE list_contains($hashes :: VARCHAR[], content_hash)", values)
        row = con.execute(
            "DELETE FROM batches WHERE list_contains($hashes :: VARCHAR[], content_hash)", values
        ).fetchone()
    return int(row[0]) if row else 0


def groups_of(files: Iterable[LandedFile]) -> Iterator[list[LandedFile]]:
    """Files in lists of at most FILES_IN_A_GROUP."""
    waiting = iter(files)
    while some := list(islice(waiting, FILES_IN_A_GROUP)):
        yield some


def _without_those_of(con: DuckDBPyConnection, table: str, files: LandedFiles) -> LandedFiles:
    """Files that a table does not have, of those registered as `landed`."""
    there = con.execute(f"SELECT content_hash FROM landed SEMI JOIN {table} USING (content_hash)").fetchall()  # noqa: S608 - a table of this module
    return files.without(content_hash for (content_hash,) in there)


def _known(files: LandedFiles) -> pa.Table:
    types = (pa.string(), pa.timestamp("us"), pa.int64())
    # A column at a time: there may be hundreds of thousands of files.
    columns = [pa.array((known[place] for known in files.known()), type_) for place, type_ in enumerate(types)]
    return pa.table(columns, names=["content_hash", "received_at", "receipts"])


_LOADED = (
    "loading_rules", "batches", "series", "runs", "measurements", "measurement_details", "quarantined_results"
)  # fmt: skip
_WITHOUT_CHANGED_FILES = """
DELETE FROM raw_results r
WHERE (list_contains($days :: DATE[], received_day) OR content_hash IN (SELECT content_hash FROM landed))
  AND NOT EXISTS (
    SELECT 1 FROM landed l
    WHERE l.content_hash = r.content_hash AND l.received_at = r.received_at AND l.receipts = r.receipts)
"""
_FORMATS = """
SELECT content_hash, format FROM batches SEMI JOIN (SELECT unnest($hashes :: VARCHAR[]) AS content_hash)
USING (content_hash)
"""
_COUNT_RECEIPTS = """
UPDATE quarantined_results q SET received_day = r.received_day, first_seen = r.received_at, times_seen = r.receipts
FROM raw_results r
WHERE r.content_hash = q.content_hash AND (q.first_seen, q.times_seen) IS DISTINCT FROM (r.received_at, r.receipts)
"""
