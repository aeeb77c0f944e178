"""Snapshots: readers keep theirs while newer ones appear, in other processes too."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from perf_assets.warehouse import NoSnapshotError, Warehouse, open_snapshot
from perf_assets_tests.warehouse.building import Site, row

READ_ONCE = """
import sys
from pathlib import Path
from perf_assets.warehouse import open_snapshot
with open_snapshot(Path(sys.argv[1])) as con:
    for _ in range(2):
        print(con.execute("SELECT count(*) FROM measurements").fetchone()[0], flush=True)
        sys.stdin.readline()
"""
READ_FOR_A_WHILE = """
import sys, time
from pathlib import Path
from perf_assets.warehouse import open_snapshot
reads, newest, end = 0, 0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    with open_snapshot(Path(sys.argv[1])) as con:
        found = con.execute("SELECT count(*), count(DISTINCT run_id) FROM measurements").fetchone()
    assert found[0] == found[1] >= newest, (found, newest)
    reads, newest = reads + 1, found[0]
print(reads)
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def count(snapshots: Path) -> int:
    with open_snapshot(snapshots) as con:
        found = con.execute("SELECT count(*) FROM measurements").fetchone()
    assert found is not None
    return int(found[0])


def test_without_a_snapshot_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoSnapshotError, match="perf-assets run"), open_snapshot(tmp_path / "none"):
        pass


def test_a_snapshot_whose_file_is_gone_says_what_to_do(site: Site) -> None:
    site.load([row()])
    file = site.warehouse.publish()
    assert file is not None
    file.unlink()
    with (
        pytest.raises(NoSnapshotError, match=r"cannot be opened .*; run `perf-assets run`"),
        open_snapshot(site.warehouse.snapshots),
    ):
        pass


def test_publishing_makes_a_copy_that_can_be_read_and_not_written(site: Site) -> None:
    site.load([row()])
    assert site.warehouse.publish() is not None
    with open_snapshot(site.warehouse.snapshots) as con:
        assert con.execute("SELECT value FROM measurements").fetchall() == [(1.0,)]
        with pytest.raises(Exception, match="read-only"):
            con.execute("DELETE FROM measurements")


def test_nothing_is_published_when_nothing_was_written(site: Site) -> None:
    assert site.warehouse.publish() is None
    site.load([row()])
    first = site.warehouse.publish()
    site.warehouse.query("SELECT 1")
    assert site.warehouse.publish() is None
    assert [first] == list(site.warehouse.snapshots.glob("snapshot-*"))


def test_what_a_process_wrote_before_it_died_is_published_by_the_next(site: Site) -> None:
    site.load([row()])
    site.warehouse.publish()
    site.load([row(2.0, run="r2")])
    assert Warehouse(site.warehouse.database, site.warehouse.snapshots).publish() is not None
    assert count(site.warehouse.snapshots) == 2
    assert Warehouse(site.warehouse.database, site.warehouse.snapshots).publish() is None


def test_a_reader_keeps_its_snapshot_while_two_newer_ones_are_published(site: Site) -> None:
    site.load([row()])
    first = site.warehouse.publish()
    reader = start(READ_ONCE, site.warehouse.snapshots)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "1\n"
    newer = []
    for number in (2, 3):
        site.load([row(run=f"r{number}")])
        newer.append(site.warehouse.publish())
    assert set(site.warehouse.snapshots.glob("snapshot-*")) == {first, newer[1]}
    out, err = reader.communicate("\n\n", timeout=20)
    assert (reader.returncode, out, err) == (0, "1\n", "")
    assert count(site.warehouse.snapshots) == 3
    site.load([row(run="r4")])
    assert list(site.warehouse.snapshots.glob("snapshot-*")) != []
    last = site.warehouse.publish()
    assert list(site.warehouse.snapshots.glob("snapshot-*")) == [last]


def test_one_process_writes_and_publishes_while_another_reads(site: Site) -> None:
    site.load([row()])
    site.warehouse.publish()
    reader = start(READ_FOR_A_WHILE, site.warehouse.snapshots, 5)
    published, end = 0, time.monotonic() + 5
    while time.monotonic() < end:
        published += 1
        site.load([row(run=f"more-{published}", hour=published % 500)])
        site.warehouse.publish()
    out, err = reader.communicate(timeout=20)
    assert (reader.returncode, err) == (0, "")
    assert int(out) >= 2
    assert published >= 2
    assert len(list(site.warehouse.snapshots.glob("snapshot-*"))) <= 2
