"""The DuckDB file: short transactions behind a lock, tables written whole, a snapshot published after writing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from perf_assets.errors import UserError
from perf_assets.tables import FORECAST_ACCURACY, FORECASTS_MADE, TABLES, Table
from perf_assets.warehouse.snapshot import is_current, publish
from perf_assets.warehouse.views import VIEWS
from perf_assets.wording.quantities import quantity

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

_FINGERPRINT = hashlib.sha256("\n".join([*(table.ddl for table in TABLES), *VIEWS]).encode()).hexdigest()
LOCK_TIMEOUT_SECONDS = 300.0
_NAME = "warehouse"


class WarehouseError(UserError, RuntimeError):
    """The warehouse cannot be used; the message says what to do."""

    exit_code = 1


class Warehouse:
    """One DuckDB file that many processes share: DuckDB itself admits one process at a time, the lock makes them queue.

    The file is attached to `engine`, an in-memory database, only as long as it is used: to start DuckDB anew takes six
    times as long. Dagster passes its own resource's; without one it is started at the first use.
    """

    def __init__(self, database: Path, snapshots: Path, engine: DuckDBPyConnection | None = None) -> None:
        self.database = database
        self.snapshots = snapshots
        self._given = engine
        # Imported here, since it loads asyncio, which what only reads a snapshot does not need.
        from filelock import FileLock

        self._lock = FileLock(database.with_suffix(".lock"))
        self._uses = 0
        self.written = False
        database.parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def transaction(self) -> Iterator[DuckDBPyConnection]:
        """A connection inside one transaction: committed at the end, rolled back when an exception leaves it."""
        with self._connection() as con:
            with _transaction(con):
                yield con
            self.written = True

    @contextmanager
    def attached(self, con: DuckDBPyConnection) -> Iterator[DuckDBPyConnection]:
        """`con`, another database's, inside one transaction of the warehouse: its tables are those that a bare name
        means, and the temporary tables of `con` are there beside them. Large tables so need not leave the process.
        """
        with self._locked():
            self._attach(con)
            home = con.execute("SELECT current_database()").fetchone() or ("memory",)
            con.execute(f"USE {_NAME}")
            try:
                create_tables(con)
                with _transaction(con):
                    yield con
                self.written = True
            finally:
                con.execute(f"USE {home[0]}")
                con.execute(f"DETACH {_NAME}")

    @contextmanager
    def reading(self) -> Iterator[DuckDBPyConnection]:
        """A connection to read from; keep it short, other writers wait."""
        with self._connection() as con:
            yield con

    def query(self, sql: str, values: list[object] | None = None) -> pd.DataFrame:
        """The rows of one SELECT, values bound to its question marks."""
        with self.reading() as con:
            return con.execute(sql, values or []).df()

    def replace(self, *contents: tuple[Table, pd.DataFrame]) -> None:
        """Replace tables whole, all in one transaction. Columns are taken by name; a missing one is an error."""
        with self.transaction() as con:
            replace_rows(con, *contents)

    def publish(self) -> Path | None:
        """Publish a snapshot if anything was written since the last one, by whomever; returns its file."""
        with self._locked():
            if not self.database.exists() or (not self.written and is_current(self.database, self.snapshots)):
                return None
            file = publish(self.database, self.snapshots)
        self.written = False
        return file

    @contextmanager
    def _connection(self) -> Iterator[DuckDBPyConnection]:
        with self._locked(), self._used() as con:
            con.execute("SET TimeZone = 'UTC'")
            create_tables(con)
            yield con

    @contextmanager
    def _used(self) -> Iterator[DuckDBPyConnection]:
        """A connection of its own to the attached file; the lock is held, so that nobody else counts the uses."""
        if not self._uses:
            self._attach(self._engine)
        self._uses += 1
        try:
            with self._engine.cursor() as con:
                con.execute(f"USE {_NAME}")
                yield con
        finally:
            self._uses -= 1
            if not self._uses:
                self._engine.execute(f"DETACH {_NAME}")

    @cached_property
    def _engine(self) -> DuckDBPyConnection:
        engine = self._given or duckdb.connect()
        _remove_left_spills(self.database)
        engine.execute(f"SET temp_directory = {_quoted(_spill_of(self.database))}")
        return engine

    def _attach(self, con: DuckDBPyConnection) -> None:
        try:
            con.execute(f"ATTACH {_quoted(self.database)} AS {_NAME}")
        except duckdb.IOException as error:
            raise WarehouseError(
                f"{self.database} cannot be opened ({str(error).splitlines()[0]}); end the program that holds it, "
                "or delete the file and run again: everything in it is rebuilt from landing"
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import Timeout

        try:
            with self._lock.acquire(timeout=LOCK_TIMEOUT_SECONDS):
                yield
        except Timeout as error:
            raise WarehouseError(
                f"{self.database} has been locked by another process for {quantity(LOCK_TIMEOUT_SECONDS, 's')}; "
                "wait for that run to end, or end it"
            ) from error


@contextmanager
def _transaction(con: DuckDBPyConnection) -> Iterator[None]:
    con.begin()
    try:
        yield
    except BaseException:
        con.rollback()
        raise
    con.commit()


_SPILLS = count()


def _spill_of(database: Path) -> Path:
    """Where an engine puts what does not fit into memory, once there is any: each has a folder of its own beside the
    file, since they would overwrite each other's."""
    return database.with_suffix(f".tmp-{os.getpid()}-{next(_SPILLS)}")


def _remove_left_spills(database: Path) -> None:
    """Remove what processes have left that were killed."""
    for folder in database.parent.glob(f"{database.stem}.tmp-*-*"):
        process = folder.suffix.split("-")[1]
        if process.isdigit() and not _is_alive(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def create_tables(con: DuckDBPyConnection) -> None:
    """Create all tables and views of the database in use, or none. Those of another schema give way: they are rebuilt
    from landing; what was forecast cannot be, and stays as long as its own tables are as before."""
    names = {name for (name,) in con.execute(_OWN_TABLES).fetchall()}
    current = "SELECT fingerprint FROM warehouse_schema"
    if "warehouse_schema" in names and con.execute(current).fetchall() == [(_FINGERPRINT,)]:
        return
    con.begin()
    for view in con.execute(_OWN_VIEWS).fetchall():
        con.execute(f'DROP VIEW "{view[0]}"')
    kept = {
        table.name for table in (FORECASTS_MADE, FORECAST_ACCURACY) if table.name in names and _as_before(con, table)
    }
    for name in names - kept:
        con.execute(f'DROP TABLE "{name}"')
    con.execute("CREATE TABLE warehouse_schema (fingerprint VARCHAR)")
    con.execute("INSERT INTO warehouse_schema VALUES (?)", [_FINGERPRINT])
    for table in TABLES:
        if table.name not in kept:
            con.execute(table.ddl)
    for view_sql in VIEWS:
        con.execute(view_sql)
    con.commit()


def _as_before(con: DuckDBPyConnection, table: Table) -> bool:
    found = con.execute(f'DESCRIBE "{table.name}"').fetchall()
    return [(name, kind) for name, kind, *_ in found] == [(column.name, column.type) for column in table.columns]


def replace_rows(con: DuckDBPyConnection, *contents: tuple[Table, pd.DataFrame]) -> None:
    """Replace tables whole, within the caller's transaction."""
    for table, rows in contents:
        con.execute(_DELETE_ROWS.format(table=table.name))
        append(con, table, rows)


def append(con: DuckDBPyConnection, table: Table, rows: pd.DataFrame) -> None:
    """Insert `rows` (columns by name) into `table`, sorted by its key."""
    missing = [column.name for column in table.columns if column.name not in rows.columns]
    if missing:
        raise WarehouseError(f"table {table.name}: column {missing[0]!r} is missing from the rows to write")
    if rows.empty:
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    casts = ", ".join(f'CAST("{column.name}" AS {column.type})' for column in table.columns)
    order = ", ".join(f'"{name}"' for name in table.key)
    # DuckDB cannot read columns that are views with a stride; a copy has none.
    con.register("rows_to_write", rows[[column.name for column in table.columns]].copy())
    con.execute(_INSERT_ROWS.format(table=table.name, names=names, casts=casts, order=order))
    con.unregister("rows_to_write")


_OWN_TABLES = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT temporary"
_OWN_VIEWS = "SELECT view_name FROM duckdb_views() WHERE database_name = current_database() AND NOT internal"
_DELETE_ROWS = "DELETE FROM {table}"
_INSERT_ROWS = "INSERT INTO {table} ({names}) SELECT {casts} FROM rows_to_write ORDER BY {order}"
