"""`perf-assets state` from outside."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing

import pytest

from perf_assets.landing import utc_now
from perf_assets.state import open_state
from perf_assets.state.migrating import VERSIONS
from perf_assets_tests.cli.site import COMMAND, Site


def database(site: Site):
    return site.home / "state" / "state.sqlite3"


def acknowledge(site: Site, *findings: str) -> None:
    with open_state(database(site)) as state:
        for finding in findings:
            state.acknowledge(finding, "ada", utc_now())


def acknowledged(site: Site) -> list[str]:
    return [row["finding_id"] for row in site.json("alerts")["acknowledgements"]]


@pytest.fixture
def backup(site, tmp_path):
    """A backup of two acknowledgements; now there are three others."""
    acknowledge(site, "1", "2")
    file = tmp_path / "backup.sqlite3"
    result = site.call("state", "backup", file)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{file} holds")
    with open_state(database(site)) as state:
        state.withdraw_acknowledgement("1")
        state.withdraw_acknowledgement("2")
    acknowledge(site, "3", "4", "5")
    return file


def test_where_it_is_and_what_it_holds(site):
    acknowledge(site, "1", "2")
    shown = site.json("state")
    assert shown == {
        "where": f"sqlite:///{database(site)}",
        "version": VERSIONS[-1],
        "rows": {"acknowledgements": 2, "deliveries": 0, "epochs": 0, "regression_anchors": 0},
    }
    text = site.call("state").stdout
    assert f"{database(site)}, version {VERSIONS[-1]}" in text
    assert ["acknowledgements", "2"] in [line.split() for line in text.splitlines()]


def test_a_backup_replaces_no_file_unless_forced(site, backup):
    before = backup.read_bytes()
    refused = site.call("state", "backup", backup)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert backup.read_bytes() == before
    assert site.call("state", "backup", "--force", backup).exit_code == 0
    site.call("state", "restore", "--yes", backup)
    assert acknowledged(site) == ["3", "4", "5"]


def test_restoring_says_what_it_replaces(site, backup):
    result = site.call("state", "restore", "--yes", backup)
    assert result.exit_code == 0, result.output
    assert ["acknowledgements", "3", "2"] in [line.split() for line in result.stdout.splitlines()]
    assert acknowledged(site) == ["1", "2"]


def test_restoring_needs_somebody_to_answer(site, backup):
    refused = site.call("state", "restore", backup)
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert acknowledged(site) == ["3", "4", "5"]


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, ["1", "2"]), ("n", 1, ["3", "4", "5"])])
def test_restoring_asks_at_a_terminal(answer, code, left, site, backup):
    ours, theirs = os.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [*COMMAND, "state", "restore", str(backup)], stdin=theirs, capture_output=True, text=True, timeout=120,
        check=False, env={**os.environ, **site.variables()},
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code, done.stderr
    assert "Replace the state?" in done.stdout + done.stderr
    assert acknowledged(site) == left


def test_files_that_cannot_be_restored(site, tmp_path):
    assert site.call("state", "restore", tmp_path / "nowhere").exit_code == 2
    (tmp_path / "notes").write_text("not a database " * 100)
    result = site.call("state", "restore", "--yes", tmp_path / "notes")
    assert result.exit_code == 2
    assert "not a backup of the state" in result.stderr
    assert not database(site).exists()


def test_state_of_a_newer_version(site):
    acknowledge(site, "1")
    with closing(sqlite3.connect(database(site))) as connection, connection:
        connection.execute("UPDATE state_version SET version_num = '9876'")
    for arguments in (("state",), ("alerts",), ("epochs",)):
        result = site.call(*arguments)
        assert result.exit_code == 2
        assert "version 9876" in result.stderr
    assert site.call("doctor").exit_code == 1
