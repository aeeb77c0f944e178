"""A disk that is really full, in each phase: what is said, the exit code, and that nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf_assets.disk import is_full
from perf_assets_tests.cli.site import Site

LARGE, SMALL = 60_000, 300
"""Rows of a file that does not fit beside its copy, and of one that does."""
_DISK = 64 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here ({mounted.stderr.decode().strip()})")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def site(disk: Path, tmp_path: Path) -> Site:
    """A home on the small disk, the configuration elsewhere."""
    config = tmp_path / "perf-assets.toml"
    config.write_text("[forecast]\nhorizon = 3\nmax_headline = 0\n")
    return Site(disk, {"PERF_ASSETS_CONFIG": str(config)})


def results(file: Path, rows: int) -> Path:
    lines = [
        f"2026-09-{1 + n % 28:02d}T06:{n // 28 % 60:02d}:00Z,test_execution_time,{n * 7919 % 1000 / 10},t{n % 5},ci-{n}"
        for n in range(rows)
    ]
    file.write_text("\n".join(["timestamp,metric_name,metric_value,test_name,test_run_id", *lines]))
    return file


def fill(disk: Path, leaving: int) -> None:
    (disk / "ballast").write_bytes(b"\0" * max(0, shutil.disk_usage(disk).free - leaving))


def assert_full(done: subprocess.CompletedProcess[str], disk: Path) -> None:
    assert done.returncode == 5, done.stderr[-2_000:]
    assert "Traceback" not in done.stderr
    assert f"perf-assets: {disk}" in done.stderr
    assert "the disk is full (" in done.stderr
    assert "are needed. Make room there, or set `home`" in done.stderr


@pytest.mark.parametrize("leaving", [100_000, 400_000, 800_000, 1_500_000])
def test_ingesting_says_so_and_loses_nothing(site: Site, disk: Path, tmp_path: Path, leaving: int) -> None:
    assert site.execute("ingest", results(tmp_path / "before.csv", SMALL)).returncode == 0
    fill(disk, leaving)
    large = results(tmp_path / "large.csv", LARGE)
    assert_full(site.execute("ingest", large), disk)
    assert site.query("SELECT sum(measurements) FROM batches") == [(SMALL,)]
    (disk / "ballast").unlink()
    large = results(tmp_path / "large.csv", 3_000)
    done = site.execute("ingest", large)
    assert done.returncode == 0, done.stderr
    assert site.query("SELECT sum(measurements) FROM batches WHERE name = 'large.csv'") == [(3_000,)]


@pytest.mark.parametrize("leaving", [20_000, 600_000])
def test_a_run_says_so_and_goes_on_once_there_is_room(site: Site, disk: Path, tmp_path: Path, leaving: int) -> None:
    assert site.execute("ingest", results(tmp_path / "before.csv", SMALL)).returncode == 0
    fill(disk, leaving)
    assert_full(site.execute("run"), disk)
    (disk / "ballast").unlink()
    done = site.execute("run")
    assert done.returncode == 0, done.stderr
    assert site.query("SELECT count(*) FROM metric_series") == [(5,)]


def test_what_libraries_say_of_a_full_disk_is_known_and_other_errors_are_not(tmp_path: Path) -> None:
    first = ValueError('IO Error: Could not write file "x": No space left on device')
    second = RuntimeError("step failed")
    second.__cause__ = first
    assert is_full(second, tmp_path)
    assert is_full(OSError(28, "voll"), tmp_path)
    assert is_full("(sqlite3.OperationalError) database or disk is full", tmp_path)
    assert not is_full(OSError(13, "Permission denied"), tmp_path)
    second.__cause__, first.__context__ = None, second
    assert not is_full(second, tmp_path)


def test_a_vague_error_is_a_full_disk_where_there_is_no_room(disk: Path, tmp_path: Path) -> None:
    assert not is_full("(sqlite3.OperationalError) disk I/O error", tmp_path)
    fill(disk, 50_000)
    assert is_full("(sqlite3.OperationalError) disk I/O error", disk / "not" / "there")
