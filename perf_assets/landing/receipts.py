"""Receipts: which files came, when, whence, and what was said of them; a line each, a file of them a day."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from perf_assets.origins import Origin

_NAME = "receipts.jsonl"


@dataclass(frozen=True, slots=True)
class Given:
    """What was said of a file when it came; it fills what the file itself leaves open. `project` replaces its own.

    `ts` (ISO 8601) is the time of the run, `timezone` (IANA) that of times without a zone.
    """

    project: str | None = None
    branch: str | None = None
    commit_id: str | None = None
    run_key: str | None = None
    attempt: int | None = None
    ts: str | None = None
    timezone: str | None = None

    def __bool__(self) -> bool:
        return self != Given()


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One received file. `received_at` is naive UTC; `sample` files give way once results of one's own are there.

    `content_hash` is the SHA-256 of the bytes; of a file with companions or with things given, of all these together.
    `receipts` counts how often it came.
    """

    path: Path
    content_hash: str
    name: str
    received_at: datetime
    size: int
    origin: Origin
    simulated: bool = False
    companions: Mapping[str, Path] = field(default_factory=dict)
    given: Given = Given()
    receipts: int = 1

    @property
    def day(self) -> str:
        return self.received_at.date().isoformat()


@dataclass(slots=True)
class _Place:
    """Where the first receipt of a file stands, and how often the file came."""

    day: str
    offset: int
    received_at: datetime
    receipts: int = 1


class Receipts:
    """The receipts below a folder, `<day>/receipts.jsonl`.

    Of each file only the place of its first receipt is held in memory, for there may be hundreds of thousands; what the
    receipt says is read when it is asked for. Methods answer as of the last `refresh`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[bytes, _Place] = {}
        self._read: dict[str, int] = {}

    def refresh(self) -> None:
        """Take note of the receipts that were written since the last look, by this process or another."""
        sizes = {file.parent.name: file.stat().st_size for file in sorted(self._folder.glob(f"????-??-??/{_NAME}"))}
        if any(sizes.get(day, 0) < seen for day, seen in self._read.items()):
            # Somebody has taken receipts away.
            self._places, self._read = {}, {}
        for day, size in sizes.items():
            if size > self._read.get(day, 0):
                self._read_on(day)

    def append(self, day: str, receipts: Iterable[Mapping[str, Any]]) -> None:
        """Write receipts of a day durably. The caller sees to it that only one process does."""
        lines = "".join(json.dumps(receipt, sort_keys=True) + "\n" for receipt in receipts)
        with (self._folder / day / _NAME).open("ab+") as target:
            if target.tell():
                target.seek(-1, os.SEEK_END)
                # After a line that a crash cut off, a new one begins.
                lines = lines if target.read(1) == b"\n" else "\n" + lines
            target.write(lines.encode())
            target.flush()
            os.fsync(target.fileno())

    def __getitem__(self, content_hash: str) -> LandedFile:
        return self._file(self._places[bytes.fromhex(content_hash)])

    def get(self, content_hash: str) -> LandedFile | None:
        place = self._places.get(bytes.fromhex(content_hash))
        return None if place is None else self._file(place)

    def files(self, days: Collection[str] | None = None) -> LandedFiles:
        """All files, or those first received on some days (YYYY-MM-DD), in the order they were received."""
        found = [(hashed, place) for hashed, place in self._places.items() if days is None or place.day in days]
        found.sort(key=lambda one: (one[1].received_at, one[1].day, one[1].offset))
        return LandedFiles(self._file, dict(found))

    def days(self) -> list[str]:
        """Days on which anything was first received."""
        return sorted({place.day for place in self._places.values()})

    def _read_on(self, day: str) -> None:
        offset = self._read.get(day, 0)
        with (self._folder / day / _NAME).open("rb") as source:
            source.seek(offset)
            for line in source:
                if not line.endswith(b"\n"):
                    # Not written to its end yet, or cut off by a crash.
                    break
                self._learn(line, day, offset)
                offset += len(line)
        self._read[day] = offset

    def _learn(self, line: bytes, day: str, offset: int) -> None:
        try:
            receipt = json.loads(line)
        except ValueError:
            # A line that a crash cut off, ended by the next receipt: its file was never said to be received.
            return
        hashed, received_at = bytes.fromhex(receipt["content_hash"]), _moment(receipt["received_at"])
        known = self._places.get(hashed)
        if known is None:
            self._places[hashed] = _Place(day, offset, received_at)
            return
        known.receipts += 1
        if received_at < known.received_at:
            known.day, known.offset, known.received_at = day, offset, received_at

    def _file(self, place: _Place) -> LandedFile:
        with (self._folder / place.day / _NAME).open("rb") as source:
            source.seek(place.offset)
            receipt = json.loads(source.readline())
        return LandedFile(
            path=self._folder / receipt["path"],
            content_hash=receipt["content_hash"],
            name=receipt["name"],
            received_at=place.received_at,
            size=receipt["size"],
            origin=receipt["origin"],
            simulated=receipt["simulated"],
            companions={role: self._folder / path for role, path in receipt["companions"].items()},
            given=Given(**receipt["given"]),
            receipts=place.receipts,
        )


class LandedFiles(Collection[LandedFile]):
    """Files in the order they were received, each read from its receipt when it is asked for."""

    def __init__(self, read: Callable[[_Place], LandedFile], places: Mapping[bytes, _Place]) -> None:
        self._read = read
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[LandedFile]:
        return map(self._read, self._places.values())

    def __contains__(self, file: object) -> bool:
        return any(file == one for one in self)

    def without(self, content_hashes: Iterable[str]) -> LandedFiles:
        """Those that are not among some content hashes."""
        left_out = {bytes.fromhex(content_hash) for content_hash in content_hashes}
        return LandedFiles(self._read, {key: place for key, place in self._places.items() if key not in left_out})

    def known(self) -> Iterator[tuple[str, datetime, int]]:
        """Content hash, time of the first receipt and number of receipts of each: what is known without reading."""
        return ((hashed.hex(), place.received_at, place.receipts) for hashed, place in self._places.items())


# The files of a group came at one time: it is held once.
_moment = lru_cache(1_000)(datetime.fromisoformat)
