"""Versions of the schema: the one a database has, and the upgrade to the newest.

A new version is a script in migrations/versions, its number at the end of VERSIONS, and the same change in schema.py.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from sqlalchemy import Connection, Engine, column, func, inspect, select, table

from perf_assets.state.errors import StateError
from perf_assets.state.schema import metadata

VERSIONS = ("0001",)
"""All versions, oldest first; kept here too, as importing Alembic takes longer than opening the store."""

VERSION_TABLE = "state_version"
"""Not Alembic's default name: Dagster keeps its own version under that one, and both may use one Postgres database."""

UPGRADE_LOCK = 7_260_531
"""Key of the Postgres advisory lock under which the schema is changed; any constant, the same in every process."""


def upgrade(engine: Engine, where: str) -> None:
    """Bring the schema to the newest version, in one transaction; an empty database gets all tables.

    Raises StateError, which names the database as `where`, for a version that is not in VERSIONS and for columns that
    are missing afterwards; the database is then as it was.
    """
    with engine.connect() as connection:
        if stored_version(connection) == VERSIONS[-1]:
            return
    with write_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            # Processes that start together would all create the tables.
            connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
        _check_version(stored_version(connection), where)
        _run_migrations(connection)
        _check_columns(connection, where)


def stored_version(connection: Connection) -> str | None:
    """The version of the schema; None for an empty database and for tables made before versions were kept."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    return version


def write_transaction(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that writes from its start on; SQLite refuses one that reads first if another has written since."""
    return engine.execution_options(sqlite_begin="IMMEDIATE").begin()


def _check_version(version: str | None, where: str) -> None:
    if version is not None and version not in VERSIONS:
        raise StateError(
            f"{where}: the state has version {version}, and this perf-assets knows versions up to {VERSIONS[-1]}. Use "
            "a newer perf-assets, or restore a backup of a known version into a new place."
        )


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "perf_assets.state:migrations")
    command.upgrade(config, VERSIONS[-1])


def _check_columns(connection: Connection, where: str) -> None:
    inspector = inspect(connection)
    for declared in metadata.sorted_tables:
        present = {column["name"] for column in inspector.get_columns(declared.name)}
        missing = [column.name for column in declared.columns if column.name not in present]
        if missing:
            raise StateError(
                f"{where}: the table {declared.name} lacks the column {', '.join(missing)}. Add what is missing, "
                "or restore a backup into a new place."
            )
