"""Backing up and restoring: what is written, what is refused, and what others may do meanwhile."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import URL

from perf_assets.state import StateError, StateStore, open_state
from perf_assets.state.backup import open_backup, write_backup
from perf_assets_tests.state.unversioned import TABLES, write_unversioned

NOON = datetime(2026, 9, 10, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(minutes=10)


@pytest.fixture
def state(place):
    with open_state(place) as store:
        yield store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "odd name?#%.sqlite3"


def fill(state: StateStore, acknowledged: int = 3) -> None:
    for number in range(acknowledged):
        state.acknowledge(str(number), "Ada ‑ 日本\n", NOON, "'; -- \U0001f600")
    state.claim_deliveries(["a", "b", "c"], "slack", NOON, LEASE, "digest-1")
    state.record_sent(["a"], "slack", NOON, "C1/1.5")
    state.record_failure(["b"], "slack", NOON, "no route")
    state.declare_epoch("-7", NOON, "new compiler", "ci", NOON, project="shop")
    state.add_anchors(anchors([1, 2]))


def anchors(numbers: list[int]) -> pd.DataFrame:
    rows = {"series_id": numbers, "first_bad_run": "run-7", "regression_id": "9", "part_of_day": None}
    times = {"low_ts": NOON, "high_ts": NOON, "confirmed_at": NOON}
    return pd.DataFrame({**rows, "kind": "regression", **times})


def content(state: StateStore) -> list[dict[str, list[object]]]:
    tables = (state.acknowledgements(), state.deliveries(), state.epochs(), state.anchors())
    return [table.astype(str).to_dict("list") for table in tables]


def test_what_is_backed_up_is_restored(state, file, tmp_path):
    fill(state)
    before = content(state)
    write_backup(state, file)
    state.acknowledge("later", "bob", NOON)
    state.withdraw_epoch("-7")
    state.record_sent(["b"], "slack", NOON, "2")
    with open_backup(file) as backup, open_state(tmp_path / "elsewhere.db") as elsewhere:
        assert backup.counts() == {"acknowledgements": 3, "deliveries": 3, "epochs": 1, "regression_anchors": 2}
        for target in (state, elsewhere):
            backup.copy_to(target)
            assert content(target) == before
    assert state.claim_deliveries(["a", "b"], "slack", NOON, LEASE) == {"b"}


def test_a_backup_is_one_file_for_its_owner(state, file):
    write_backup(state, file)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_more_rows_than_one_portion(state, file):
    ids = [f"alert-{number}" for number in range(12_000)]
    state.claim_deliveries(ids, "slack", NOON, LEASE)
    write_backup(state, file)
    with open_backup(file) as backup:
        assert sorted(backup.deliveries()["alert_id"]) == sorted(ids)


def test_a_file_is_replaced_only_when_asked(state, file):
    fill(state)
    file.parent.mkdir()
    file.write_text("something else")
    with pytest.raises(StateError, match="--force"):
        write_backup(state, file)
    assert file.read_text() == "something else"
    write_backup(state, file, replace=True)
    with open_backup(file) as backup:
        assert content(backup) == content(state)


def test_state_in_use_is_not_replaced_by_a_backup(tmp_path):
    with open_state(tmp_path / "state.db") as state, open_state(tmp_path / "other.db") as other:
        fill(state)
        for store in (state, other):
            with pytest.raises(StateError, match="a database in use"):
                write_backup(store, tmp_path / "state.db", replace=True)
        assert state.counts()["acknowledgements"] == 3


def test_a_backup_without_a_version_is_upgraded_in_a_copy(state, file):
    write_unversioned(URL.create("sqlite", database=str(file)), {"acknowledgements": TABLES["acknowledgements"]})
    before = file.read_bytes()
    with open_backup(file) as backup:
        backup.copy_to(state)
    assert state.acknowledgements()["note"].tolist() == ["known"]
    assert file.read_bytes() == before


def test_files_that_are_not_backups_are_named(file):
    file.parent.mkdir()
    for text in ("", "this is not a database, " * 100):
        file.write_text(text)
        refused(file, "not a backup of the state")
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    refused(file, "not a backup of the state")
    refused(file.with_name("nowhere"), "not a backup of the state")


def test_a_damaged_backup_is_refused(state, file):
    fill(state, acknowledged=500)
    write_backup(state, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    refused(file, "malformed|damaged")
    file.write_bytes(whole[:4096] + bytes(4096) + whole[8192:])
    refused(file, "malformed|damaged")


def test_a_backup_of_a_newer_version_is_refused(state, file):
    write_backup(state, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE state_version SET version_num = '9876'")
    refused(file, "version 9876")


def refused(file: Path, why: str) -> None:
    with pytest.raises(StateError, match=why) as caught, open_backup(file):
        pass
    assert str(caught.value).startswith(f"{file}: ")


def test_a_restore_that_fails_changes_nothing(state, file):
    fill(state)
    write_backup(state, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE epochs SET starts_at = 'yesterday'")
    state.acknowledge("later", "bob", NOON)
    before = content(state)
    with open_backup(file) as backup, pytest.raises(StateError, match="as it was"):
        backup.copy_to(state)
    assert content(state) == before


def _write_on(place: str, started, stop) -> None:
    """Each acknowledgement is followed by its anchor, so there are never more anchors; one epoch comes and goes."""
    with open_state(place) as state:
        number = 0
        while not stop.is_set():
            state.acknowledge(f"meanwhile-{number}", "ada", NOON)
            state.add_anchors(anchors([1000 + number]))
            state.declare_epoch("comes and goes", NOON, "new compiler", "ci", NOON)
            state.withdraw_epoch("comes and goes")
            number += 1
            if number == 3:
                started.set()


@pytest.fixture
def writer(place, state):
    """Another process that writes for as long as the test runs."""
    context = multiprocessing.get_context("spawn")
    started, stop = context.Event(), context.Event()
    process = context.Process(target=_write_on, args=(place, started, stop))
    process.start()
    assert started.wait(timeout=120)
    yield process
    stop.set()
    process.join(timeout=120)
    assert process.exitcode == 0


def test_a_backup_is_of_one_moment_while_others_write(state, file, writer):
    state.claim_deliveries([f"alert-{number}" for number in range(10_000)], "slack", NOON, LEASE)
    seen = []
    for _ in range(3):
        write_backup(state, file, replace=True)
        with open_backup(file) as backup:
            counts = backup.counts()
        seen.append(counts["acknowledgements"])
        assert counts["acknowledgements"] - counts["regression_anchors"] in (0, 1)
        assert counts["deliveries"] == 10_000
    assert seen == sorted(set(seen))


def test_restoring_while_others_write_keeps_all_that_is_restored(state, tmp_path, writer):
    with open_state(tmp_path / "elsewhere.db") as elsewhere:
        fill(elsewhere)
        elsewhere.declare_epoch("comes and goes", NOON, "new compiler", "ci", NOON)
        for _ in range(40):
            elsewhere.copy_to(state)
            assert set(state.acknowledgements()["finding_id"]) >= {"0", "1", "2"}
            assert "-7" in set(state.epochs()["epoch_id"])
