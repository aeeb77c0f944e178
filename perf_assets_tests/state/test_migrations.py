"""Opening state of any version: empty, older, newer, damaged, and by several processes at once."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, inspect, make_url, text

from perf_assets.state import StateError, open_state
from perf_assets.state.migrating import VERSION_TABLE, VERSIONS, stored_version
from perf_assets.state.schema import metadata
from perf_assets_tests.state.unversioned import TABLES, write_unversioned

NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)


@pytest.fixture
def engine(place):
    engine = create_engine(place)
    yield engine
    engine.dispose()


def version(engine) -> str | None:
    with engine.connect() as connection:
        return stored_version(connection)


def set_version(engine, number: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE state_version SET version_num = :number"), {"number": number})


def schema(engine) -> dict[str, list[str]]:
    inspector = inspect(engine)
    return {name: [column["name"] for column in inspector.get_columns(name)] for name in inspector.get_table_names()}


def assert_as_declared(engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    for table in metadata.sorted_tables:
        declared = {check.name for check in table.constraints if isinstance(check, CheckConstraint)}
        assert {check["name"] for check in inspect(engine).get_check_constraints(table.name)} == declared


def test_versions_are_those_of_the_scripts():
    config = Config()
    config.set_main_option("script_location", "perf_assets.state:migrations")
    newest_first = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(newest_first)) == VERSIONS


def test_an_empty_database_gets_the_declared_schema(place, engine):
    open_state(place).close()
    assert version(engine) == VERSIONS[-1]
    assert_as_declared(engine)


@pytest.mark.parametrize("absent", [(), ("epochs",), ("deliveries", "regression_anchors")])
def test_tables_without_a_version_are_taken_over(absent, place, engine):
    write_unversioned(place, {name: columns for name, columns in TABLES.items() if name not in absent})
    with open_state(place) as state:
        assert state.acknowledgements()["note"].tolist() == ["known"]
        state.acknowledge("43", "bob", NOON)
    assert version(engine) == VERSIONS[-1]
    assert_as_declared(engine)


def test_a_missing_column_is_named_and_nothing_changes(place, engine):
    tables = {"deliveries": TABLES["deliveries"].replace("digest_id TEXT, ", "")}
    write_unversioned(place, tables)
    before = schema(engine)
    for _ in range(2):
        with pytest.raises(StateError, match="the table deliveries lacks the column digest_id"):
            open_state(place)
    assert schema(engine) == before
    assert list(before) == ["deliveries"]


def test_a_newer_version_is_refused(place, engine):
    with open_state(place) as state:
        state.acknowledge("1", "ada", NOON)
    set_version(engine, "9876")
    secret = make_url(place)
    if secret.get_backend_name() == "postgresql":
        secret = secret.set(password="hunter2")
    with pytest.raises(StateError, match=f"version 9876.* up to {VERSIONS[-1]}.*newer perf-assets") as caught:
        open_state(secret.render_as_string(hide_password=False))
    assert str(make_url(place).database) in str(caught.value)
    assert "hunter2" not in str(caught.value)
    set_version(engine, VERSIONS[-1])
    with open_state(place) as state:
        assert len(state.acknowledgements()) == 1


def test_alembic_is_not_imported_where_nothing_is_to_be_upgraded(place):
    open_state(place).close()
    code = (
        f"import sys; from perf_assets.state import open_state; open_state({place!r}); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def _open_and_write(place: str, number: int, start) -> None:
    start.wait()
    with open_state(place) as state:
        state.acknowledge(f"by {number}", "ada", NOON)


@pytest.mark.parametrize("older", [False, True])
def test_processes_may_open_an_empty_or_older_database_at_once(older, place, engine):
    if older:
        write_unversioned(place)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(4)
    workers = [context.Process(target=_open_and_write, args=(place, number, start)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    with open_state(place) as state:
        assert len(state.acknowledgements()) == 4 + older
    assert_as_declared(engine)


def test_upgrading_waits_for_another_one_who_writes(tmp_path: Path):
    file = tmp_path / "state.db"
    write_unversioned(f"sqlite:///{file}", {"acknowledgements": TABLES["acknowledgements"]})
    with sqlite3.connect(file, check_same_thread=False, isolation_level=None) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE acknowledgements SET note = 'changed'")
        timer = threading.Timer(1.5, writer.execute, ["COMMIT"])
        timer.start()
        with open_state(file) as state:
            assert state.acknowledgements()["note"].tolist() == ["changed"]
        timer.join()
    writer.close()
