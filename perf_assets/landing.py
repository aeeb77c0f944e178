"""Landing: the raw bytes as they came, immutable, named by content hash, filed by the day they were received.

Belongs here: keeping and finding raw files, and what was said of them when they came. Does not belong here: what is in
them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Literal

from filelock import FileLock

Origin = Literal[
    "sample",
    "file",
    "drop",
    "push",
    "dashboard",
    "github-actions",
    "jenkins",
    "gitlab",
    "circleci",
    "prometheus",
    "folder",
    "dagster",
]

_BLOCK = 1 << 20
_FILES_IN_A_GROUP = 1_000
_RECEIPTS = "receipts.jsonl"


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


@dataclass(frozen=True)
class Arrival:
    """Something to land: its bytes (or the file to copy), its name, and the files that describe it, by their role."""

    content: bytes | Path
    name: str
    companions: Mapping[str, Path] = field(default_factory=dict)
    given: Given = Given()


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
        return self.received_at.strftime("%Y-%m-%d")


class Landing:
    """A folder of received files: `<day>/<hash>` holds bytes, `<day>/receipts.jsonl` says which files came and whence.

    A receipt is written after the bytes and is what makes a file exist, so a crash leaves no half-received file. Many
    files share one durable write of receipts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, LandedFile] = {}
        self._read: dict[Path, int] = {}

    def land(
        self,
        content: bytes | Path,
        *,
        name: str,
        received_at: datetime,
        origin: Origin,
        simulated: bool = False,
        companions: Mapping[str, Path] | None = None,
        given: Given = Given(),
    ) -> LandedFile:
        """Keep `content` (bytes, or a file to copy) durably; content already here is returned as it first came."""
        arrival = Arrival(content, name, companions or {}, given)
        [landed] = self.land_many([arrival], received_at=received_at, origin=origin, simulated=simulated)
        return landed

    def land_many(
        self, arrivals: Iterable[Arrival], *, received_at: datetime, origin: Origin, simulated: bool = False
    ) -> Iterator[LandedFile]:
        """Keep many files durably, a group at a time; each is given back once it is.

        What is not UTF-8 in names, and in what is given, is replaced: it could not be stored.
        """
        folder = self.folder / received_at.strftime("%Y-%m-%d")
        waiting = map(_storable, arrivals)
        while group := list(islice(waiting, _FILES_IN_A_GROUP)):
            with _stage(self.folder) as stage:
                described: dict[Path, _StagedBytes] = {}
                staged = [_Staged.of(stage, arrival, described) for arrival in group]
                folder.mkdir(exist_ok=True)
                with FileLock(self.folder / ".lock"):
                    self._refresh()
                    receipts = [
                        self._keep(folder, arrival, file, received_at, origin, simulated)
                        for arrival, file in zip(group, staged, strict=True)
                    ]
                    _sync(folder)
                    _append(folder / _RECEIPTS, receipts)
                    _sync(self.folder)
                    self._refresh()
            yield from [self._known[receipt["content_hash"]] for receipt in receipts]

    def find(self, content_hash: str) -> LandedFile | None:
        self._refresh()
        return self._known.get(content_hash)

    def files(self, day: str | None = None) -> list[LandedFile]:
        """All files, or those first received on one day (YYYY-MM-DD), in the order they were received."""
        self._refresh()
        found = [file for file in self._known.values() if day is None or file.day == day]
        return sorted(found, key=lambda file: (file.received_at, file.content_hash))

    def days(self) -> list[str]:
        """Days on which anything was first received."""
        self._refresh()
        return sorted({file.day for file in self._known.values()})

    def _keep(
        self, day: Path, arrival: Arrival, staged: _Staged, received_at: datetime, origin: Origin, simulated: bool
    ) -> dict[str, Any]:
        known = self._known.get(staged.content_hash)
        if known is None:
            for file in (staged.file, *staged.companions.values()):
                file.keep(day)
            companions = {role: day / file.digest for role, file in staged.companions.items()}
            path = day / staged.file.digest
        else:
            path, companions = known.path, dict(known.companions)
        return {
            "content_hash": staged.content_hash,
            "name": arrival.name,
            "received_at": received_at.isoformat(),
            "origin": origin,
            "simulated": simulated,
            "size": staged.file.size,
            "path": str(path.relative_to(self.folder)),
            "companions": {role: str(file.relative_to(self.folder)) for role, file in companions.items()},
            "given": {name: value for name, value in _fields(arrival.given).items() if value is not None},
        }

    def _refresh(self) -> None:
        """Read the receipts that were written since the last look, by this process or another."""
        sizes = {file: file.stat().st_size for file in sorted(self.folder.glob(f"????-??-??/{_RECEIPTS}"))}
        if any(sizes.get(file, 0) < seen for file, seen in self._read.items()):
            # Somebody has taken receipts away.
            self._known, self._read = {}, {}
        for file, size in sizes.items():
            seen = self._read.get(file, 0)
            if size == seen:
                continue
            with file.open("rb") as source:
                source.seek(seen)
                # A line that a crash cut off is no receipt.
                whole, _, _ = source.read().rpartition(b"\n")
            self._read[file] = seen + len(whole) + bool(whole)
            for line in whole.splitlines():
                self._learn(line)

    def _learn(self, line: bytes) -> None:
        try:
            receipt = json.loads(line)
        except ValueError:
            # A line that a crash cut off, ended by the next receipt: its file was never said to be received.
            return
        content_hash, received_at = receipt["content_hash"], _moment(receipt["received_at"])
        known = self._known.get(content_hash)
        count = 1 if known is None else known.receipts + 1
        if known is not None and known.received_at <= received_at:
            self._known[content_hash] = LandedFile(**{**_fields(known), "receipts": count})
            return
        self._known[content_hash] = LandedFile(
            path=self.folder / receipt["path"],
            content_hash=content_hash,
            name=receipt["name"],
            received_at=received_at,
            size=receipt["size"],
            origin=receipt["origin"],
            simulated=receipt["simulated"],
            companions={role: self.folder / place for role, place in receipt["companions"].items()} or _NO_COMPANIONS,
            given=Given(**receipt["given"]) if receipt["given"] else _NOTHING,
            receipts=count,
        )


# What many files have in common is held once: there may be hundreds of thousands.
_NOTHING, _NO_COMPANIONS = Given(), MappingProxyType[str, Path]({})
_moment = lru_cache(1_000)(datetime.fromisoformat)


def _storable(arrival: Arrival) -> Arrival:
    given = {name: _text(value) for name, value in _fields(arrival.given).items()}
    return replace(arrival, name=_text(arrival.name), given=Given(**given))


def _text(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _fields(known: LandedFile | Given) -> dict[str, Any]:
    return {column.name: getattr(known, column.name) for column in fields(known)}


@dataclass(frozen=True)
class _StagedBytes:
    path: Path
    digest: str
    size: int

    @classmethod
    def of(cls, stage: Path, content: bytes | Path) -> _StagedBytes:
        with tempfile.NamedTemporaryFile(dir=stage, delete=False) as target:
            digest, size = _copy(content, target)
        return cls(Path(target.name), digest, size)

    def keep(self, folder: Path) -> None:
        """Give the staged bytes their name, read-only, when they are on disk."""
        if (folder / self.digest).exists():
            return
        _sync(self.path)
        self.path.chmod(0o444)
        self.path.replace(folder / self.digest)


@dataclass(frozen=True)
class _Staged:
    file: _StagedBytes
    companions: dict[str, _StagedBytes]
    content_hash: str

    @classmethod
    def of(cls, stage: Path, arrival: Arrival, described: dict[Path, _StagedBytes]) -> _Staged:
        """`described` are the companions staged so far: many files share one."""
        file = _StagedBytes.of(stage, arrival.content)
        for path in arrival.companions.values():
            if path not in described:
                described[path] = _StagedBytes.of(stage, path)
        companions = {role: described[path] for role, path in arrival.companions.items()}
        digests = {role: companion.digest for role, companion in companions.items()}
        return cls(file, companions, _combined(file.digest, digests, arrival.given))


def content_hash(file: Path, companions: Mapping[str, Path], given: Given) -> str:
    """What a file with these companions, and with this said of it, is known by once it has landed."""
    digests = {role: _digest(path) for role, path in companions.items()}
    return _combined(_digest(file), digests, given)


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _combined(digest: str, companions: Mapping[str, str], given: Given) -> str:
    if not companions and not given:
        return digest
    told = {"bytes": digest, "companions": companions, "given": _fields(given)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A folder to write to, gone at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".receiving-") as stage:
        yield Path(stage)


def _append(file: Path, receipts: Iterable[Mapping[str, Any]]) -> None:
    lines = "".join(json.dumps(receipt, sort_keys=True) + "\n" for receipt in receipts)
    with file.open("ab+") as target:
        if target.tell():
            target.seek(-1, os.SEEK_END)
            # After a line that a crash cut off, a new one begins.
            lines = lines if target.read(1) == b"\n" else "\n" + lines
        target.write(lines.encode())
        target.flush()
        os.fsync(target.fileno())


def _copy(content: bytes | Path, target: IO[bytes]) -> tuple[str, int]:
    digest = hashlib.sha256()
    with ExitStack() as stack:
        source = io.BytesIO(content) if isinstance(content, bytes) else stack.enter_context(content.open("rb"))
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.hexdigest(), target.tell()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def utc_now() -> datetime:
    """The time of receipt, naive UTC in whole microseconds."""
    return datetime.now(UTC).replace(tzinfo=None)
