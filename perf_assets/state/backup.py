"""Backups of the state: one SQLite file, of whichever database the state is in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from perf_assets.durable import sync
from perf_assets.state.errors import StateError
from perf_assets.state.schema import metadata
from perf_assets.state.store import StateStore, open_state


def write_backup(store: StateStore, file: Path, replace: bool = False) -> None:
    """Write what the store holds at one moment into `file`, which is either as it was or complete.

    Raises StateError where `file` exists and shall not be replaced, or is a database in use.
    """
    if file.exists() and not replace:
        raise StateError(f"{file}: there is such a file. Name another one, or replace it with --force.")
    # SQLite would apply the log of the file replaced to the new one.
    if any(Path(f"{file}{log}").exists() for log in ("-wal", "-journal")):
        raise StateError(f"{file}: this is a database in use. Name another file.")
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=file.parent, prefix=".writing-") as folder:
        staged = Path(folder) / "backup.sqlite3"
        staged.touch(mode=0o600)
        with open_state(staged, called=str(file)) as copy:
            store.copy_to(copy)
        _leave_log_mode(staged)
        sync(staged)
        staged.replace(file)
    sync(file.parent)


@contextmanager
def open_backup(file: Path) -> Iterator[StateStore]:
    """A store with the rows of a backup, in a copy that is upgraded; `file` itself stays as it is.

    Raises StateError for a file that is damaged, of an unknown version or not a backup.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "backup.sqlite3"
        _copy_checked(file, copy)
        with open_state(copy, called=str(file)) as store:
            yield store


def _leave_log_mode(file: Path) -> None:
    """A file in write-ahead mode cannot be read from a folder that is read-only."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _copy_checked(file: Path, copy: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            (verdict,) = target.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise StateError(f"{file}: this is not a backup of the state ({error}). Name another file.") from error
    if verdict != "ok":
        raise StateError(f"{file}: the backup is damaged ({verdict}). Use another one.")
    if tables.isdisjoint(metadata.tables):
        raise StateError(f"{file}: this is not a backup of the state, it has none of its tables. Name another file.")
