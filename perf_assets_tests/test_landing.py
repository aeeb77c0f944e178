"""Landing: bytes once, whole, unchanged, and by the day they came."""

from __future__ import annotations

import hashlib
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from perf_assets import landing as module
from perf_assets.landing import LandedFile, Landing, utc_now

NOON = datetime.fromisoformat("2026-10-01T12:00:00")


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def land(landing: Landing, content: bytes | Path = b"abc", *, at: datetime = NOON, name: str = "a.csv") -> LandedFile:
    return landing.land(content, name=name, received_at=at, origin="file")


def test_bytes_are_kept_by_their_hash_and_day(landing: Landing) -> None:
    landed = land(landing)
    assert landed.content_hash == hashlib.sha256(b"abc").hexdigest()
    assert landed.path == landing.folder / "2026-10-01" / landed.content_hash
    assert (landed.path.read_bytes(), landed.size, landed.day) == (b"abc", 3, "2026-10-01")
    assert landed.path.stat().st_mode & 0o777 == 0o444
    assert landing.find(landed.content_hash) == landed
    assert list(landing.files()) == [landed]


def test_the_same_bytes_are_kept_once_as_they_first_came(landing: Landing, tmp_path: Path) -> None:
    first = land(landing)
    (tmp_path / "copy").write_bytes(b"abc")
    assert land(landing, tmp_path / "copy", at=NOON + timedelta(days=3), name="b.csv") == first
    assert len(list(landing.files())) == 1
    assert landing.days() == ["2026-10-01"]


def test_files_come_in_the_order_of_receipt(landing: Landing) -> None:
    late, early = land(landing, b"late", at=NOON + timedelta(days=1)), land(landing, b"early")
    assert list(landing.files()) == [early, late]
    assert list(landing.files("2026-10-02")) == [late]
    assert landing.days() == ["2026-10-01", "2026-10-02"]
    assert list(landing.files("2026-10-03")) == []


@pytest.mark.parametrize("crash_at", [1, 2])
def test_a_crash_before_the_receipt_leaves_nothing_visible(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    keep, calls = module._keep, []

    def crashing(staged: IO[bytes], file: Path) -> None:
        calls.append(file)
        if len(calls) == crash_at:
            raise SystemExit("power cut")
        keep(staged, file)

    with monkeypatch.context() as patched:
        patched.setattr(module, "_keep", crashing)
        with pytest.raises(SystemExit):
            land(landing)
    assert list(landing.files()) == []
    assert landing.days() == []
    assert landing.find(hashlib.sha256(b"abc").hexdigest()) is None
    landed = land(landing, at=NOON + timedelta(days=1))
    assert list(landing.files()) == [landed]
    assert landed.path.read_bytes() == b"abc"
    assert list(landing.folder.rglob(".receiving-*")) == []


def test_a_file_that_is_not_there_leaves_nothing_behind(landing: Landing, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        land(landing, tmp_path / "none")
    assert list(landing.folder.iterdir()) == []


def test_a_large_file_is_streamed(landing: Landing, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as target:
        target.truncate(50 << 20)
    tracemalloc.start()
    landed = land(landing, large)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert landed.size == landed.path.stat().st_size == 50 << 20
    assert peak < 8 << 20


def test_an_empty_landing_has_no_files(landing: Landing) -> None:
    assert list(landing.files()) == []
    assert landing.days() == []


def test_now_is_naive_utc() -> None:
    assert utc_now().tzinfo is None
