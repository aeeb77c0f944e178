"""Read-only copies of the warehouse, which readers open while a run writes.

`current` is a symbolic link to the newest copy and is replaced atomically. A reader that opened a copy keeps it: copies
are removed only when no other process holds them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from perf_assets.durable import sync
from perf_assets.errors import UserError

_CURRENT = "current.duckdb"
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.01


class NoSnapshotError(UserError, FileNotFoundError):
    """Nothing has been published yet."""

    exit_code = 3


def publish(database: Path, snapshots: Path) -> Path:
    """Copy `database` (closed, its lock held by the caller) and make the copy the current snapshot."""
    snapshots.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(database)) as con:
        con.execute("CHECKPOINT")
    newest = max((_number(file) for file in snapshots.glob("snapshot-*.duckdb")), default=0)
    file = snapshots / f"snapshot-{newest + 1:08d}.duckdb"
    staged = snapshots / f".{file.name}.writing"
    shutil.copyfile(database, staged)
    written = database.stat()
    os.utime(staged, ns=(written.st_atime_ns, written.st_mtime_ns))
    sync(staged)
    staged.replace(file)
    link = snapshots / f".{_CURRENT}.writing"
    link.unlink(missing_ok=True)
    link.symlink_to(file.name)
    link.replace(snapshots / _CURRENT)
    sync(snapshots)
    for old in snapshots.glob("snapshot-*.duckdb"):
        if old != file and _unused(old):
            old.unlink(missing_ok=True)
    return file


def is_current(database: Path, snapshots: Path) -> bool:
    """Whether the current snapshot has all that was written: it carries the time at which the database was, then."""
    current = snapshots / _CURRENT
    unwritten = not database.with_name(f"{database.name}.wal").exists()
    return unwritten and current.exists() and current.stat().st_mtime_ns == database.stat().st_mtime_ns


@contextmanager
def open_snapshot(snapshots: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the newest snapshot; NoSnapshotError if there is none."""
    con = _open(snapshots / _CURRENT)
    try:
        con.execute("SET TimeZone = 'UTC'")
        yield con
    finally:
        con.close()


def _open(current: Path) -> duckdb.DuckDBPyConnection:
    remedy = "run `perf-assets run` first"
    for _ in range(_ATTEMPTS):
        try:
            return duckdb.connect(str(current.parent / current.readlink()), read_only=True)
        except FileNotFoundError as error:
            raise NoSnapshotError(f"no snapshot in {current.parent} yet; {remedy}") from error
        except duckdb.IOException as error:
            # Between reading the link and opening its target a newer snapshot may have replaced it.
            failed = str(error).splitlines()[0]
            time.sleep(_PAUSE_SECONDS)
    raise NoSnapshotError(f"the snapshot in {current.parent} cannot be opened ({failed}); {remedy}")


def _number(file: Path) -> int:
    return int(file.stem.removeprefix("snapshot-"))


def _unused(file: Path) -> bool:
    """DuckDB holds a lock on the file while it is open, so a lock of our own is refused then."""
    with file.open("rb+") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
