"""Landing: bytes once, whole, unchanged, and by the day they came."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from perf_assets.landing import Arrival, Given, LandedFile, Landing, utc_now
from perf_assets.landing import landing as module
from perf_assets.landing.receipts import Receipts

NOON = datetime.fromisoformat("2026-10-01T12:00:00")


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def land(
    landing: Landing, content: bytes | Path = b"abc", *, at: datetime = NOON, name: str = "a.csv", **more: Any
) -> LandedFile:
    return landing.land(content, name=name, received_at=at, origin="file", **more)


def test_bytes_are_kept_by_their_hash_and_day(landing: Landing) -> None:
    landed = land(landing)
    assert landed.content_hash == hashlib.sha256(b"abc").hexdigest()
    assert landed.path == landing.folder / "2026-10-01" / landed.content_hash
    assert (landed.path.read_bytes(), landed.size, landed.day) == (b"abc", 3, "2026-10-01")
    assert landed.path.stat().st_mode & 0o222 == 0
    assert landing.find(landed.content_hash) == landed
    assert list(landing.files()) == [landed]
    assert list(Landing(landing.folder).files()) == [landed]


def test_the_same_bytes_are_kept_once_as_they_first_came_and_counted(landing: Landing, tmp_path: Path) -> None:
    first = land(landing)
    (tmp_path / "copy").write_bytes(b"abc")
    again = land(landing, tmp_path / "copy", at=NOON + timedelta(days=3), name="b.csv")
    assert (again.name, again.received_at, again.path) == (first.name, first.received_at, first.path)
    assert (first.receipts, again.receipts) == (1, 2)
    assert len(landing.files()) == 1
    assert landing.days() == ["2026-10-01"]
    assert not (landing.folder / "2026-10-04" / first.content_hash).exists()


def test_the_earlier_receipt_counts_whatever_the_order(landing: Landing) -> None:
    land(landing, at=NOON + timedelta(days=1), name="late")
    land(landing, at=NOON, name="early")
    [found] = Landing(landing.folder).files()
    assert (found.name, found.day, found.receipts) == ("early", "2026-10-01", 2)
    assert found.path.read_bytes() == b"abc"


def test_files_come_in_the_order_of_receipt(landing: Landing) -> None:
    late, early = land(landing, b"late", at=NOON + timedelta(days=1)), land(landing, b"early")
    assert list(landing.files()) == [early, late]
    assert list(landing.files(["2026-10-02"])) == [late]
    assert landing.days() == ["2026-10-01", "2026-10-02"]
    assert list(landing.files(["2026-10-03"])) == []


def test_many_files_are_given_back_in_their_order(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILES_IN_A_GROUP", 2)
    arrivals = [Arrival(f"{number}".encode(), f"{number}.csv") for number in (1, 2, 3, 2, 4)]
    landed = list(landing.land_many(arrivals, received_at=NOON, origin="drop"))
    assert [file.name for file in landed] == ["1.csv", "2.csv", "3.csv", "2.csv", "4.csv"]
    assert [file.receipts for file in landing.files() if file.name == "2.csv"] == [2]
    assert len((landing.folder / "2026-10-01" / "receipts.jsonl").read_text().splitlines()) == 5


def test_a_group_is_durable_before_the_next_is_read(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILES_IN_A_GROUP", 2)

    def arrivals() -> Iterator[Arrival]:
        yield Arrival(b"1", "1")
        yield Arrival(b"2", "2")
        raise SystemExit("power cut")

    with pytest.raises(SystemExit):
        list(landing.land_many(arrivals(), received_at=NOON, origin="file"))
    assert sorted(file.name for file in Landing(landing.folder).files()) == ["1", "2"]


def test_what_came_with_a_file_is_kept_with_it(landing: Landing, tmp_path: Path) -> None:
    described = tmp_path / "benchmarks.json"
    described.write_text("{}")
    given = Given(project="shop", run_key="7", attempt=2)
    landed = land(landing, companions={"benchmarks": described}, given=given)
    described.unlink()
    [found] = Landing(landing.folder).files()
    assert found == landed
    assert found.given == given
    assert found.companions["benchmarks"].read_text() == "{}"
    assert found.path.read_bytes() == b"abc"


def test_the_same_bytes_with_something_else_beside_them_are_another_file(landing: Landing, tmp_path: Path) -> None:
    described = tmp_path / "benchmark.json"
    hashes = {land(landing).content_hash, land(landing, given=Given(run_key="7")).content_hash}
    for content in ("a", "b"):
        described.write_text(content)
        hashes.add(land(landing, companions={"benchmark": described}).content_hash)
    assert len(hashes) == len(landing.files()) == 4
    assert {file.path.read_bytes() for file in landing.files()} == {b"abc"}


@pytest.mark.parametrize(("owner", "crash_at"), [(module, "sync"), (Receipts, "append")])
def test_a_crash_before_the_receipt_leaves_nothing_visible(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, owner: object, crash_at: str
) -> None:
    def crashing(*_: object) -> None:
        raise SystemExit("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(owner, crash_at, crashing)
        with pytest.raises(SystemExit):
            land(landing)
    assert list(landing.files()) == []
    assert landing.days() == []
    assert landing.find(hashlib.sha256(b"abc").hexdigest()) is None
    landed = land(landing, at=NOON + timedelta(days=1))
    assert list(landing.files()) == [landed]
    assert landed.path.read_bytes() == b"abc"
    assert list(landing.folder.rglob(".receiving-*")) == []


def test_a_receipt_that_a_crash_cut_off_is_none(landing: Landing) -> None:
    land(landing, b"1")
    receipts = landing.folder / "2026-10-01" / "receipts.jsonl"
    whole = receipts.read_bytes()
    receipts.write_bytes(whole + whole[: len(whole) // 2])
    assert len(Landing(landing.folder).files()) == 1
    land(landing, b"2")
    assert len(Landing(landing.folder).files()) == len(landing.files()) == 2
    assert all(json.loads(line) for line in receipts.read_bytes().splitlines() if line.endswith(b"}"))


def test_another_process_sees_what_has_come(landing: Landing) -> None:
    other = Landing(landing.folder)
    assert list(other.files()) == []
    landed = land(landing)
    assert other.find(landed.content_hash) == landed


def test_receipts_that_were_taken_away_are_forgotten(landing: Landing) -> None:
    land(landing)
    (landing.folder / "2026-10-01" / "receipts.jsonl").unlink()
    assert list(landing.files()) == []


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


def test_little_is_held_of_each_file(landing: Landing) -> None:
    count = 5_000
    moments = (f"{NOON + timedelta(seconds=number // 1_000)}" for number in range(count))
    receipts = [
        {
            "content_hash": f"{number:064x}", "name": f"reports/{number}.xml", "received_at": moment, "origin": "file",
            "simulated": False, "size": 1, "path": f"2026-10-01/{number:064x}", "companions": {}, "given": {},
        }
        for number, moment in enumerate(moments)
    ]  # fmt: skip
    (landing.folder / "2026-10-01").mkdir(parents=True)
    Receipts(landing.folder).append("2026-10-01", receipts)
    tracemalloc.start()
    files = landing.files()
    assert [file.name for file in files] == [receipt["name"] for receipt in receipts]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(files) == count
    assert held / count < 400


def test_a_receipt_that_is_still_being_written_is_read_once_it_is_whole(landing: Landing) -> None:
    land(landing, b"1")
    receipts = landing.folder / "2026-10-01" / "receipts.jsonl"
    whole = receipts.read_bytes()
    receipts.unlink()
    receipts.write_bytes(whole[:40])
    other = Landing(landing.folder)
    assert list(other.files()) == []
    receipts.write_bytes(whole)
    assert [file.name for file in other.files()] == ["a.csv"]


def test_an_empty_landing_has_no_files(landing: Landing) -> None:
    assert list(landing.files()) == []
    assert landing.days() == []


def test_now_is_naive_utc() -> None:
    assert utc_now().tzinfo is None


def test_names_and_what_is_given_are_text_that_can_be_stored(landing: Landing) -> None:
    file = landing.land(b"1", name="gr\udcf6\udcdfe", received_at=NOON, origin="file", given=Given(branch="fea\udcff"))
    assert (file.name, file.given.branch) == ("gr??e", "fea?")
    assert Landing(landing.folder).find(file.content_hash) == file
