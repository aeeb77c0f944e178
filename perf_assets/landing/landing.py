"""Keeping and finding raw files."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from perf_assets.durable import sync
from perf_assets.landing.receipts import Given, LandedFile, LandedFiles, Receipts
from perf_assets.origins import Origin

_BLOCK = 1 << 20
_FILES_IN_A_GROUP = 1_000


@dataclass(frozen=True)
class Arrival:
    """Something to land: its bytes (or the file to copy), its name, and the files that describe it, by their role."""

    content: bytes | Path
    name: str
    companions: Mapping[str, Path] = field(default_factory=dict)
    given: Given = Given()


class Landing:
    """A folder of received files: `<day>/<hash>` holds bytes, `<day>/receipts.jsonl` says which files came and whence.

    A receipt is written after the bytes and is what makes a file exist, so a crash leaves no half-received file. Many
    files share one durable write of receipts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._receipts = Receipts(folder)

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
        day = received_at.date().isoformat()
        folder = self.folder / day
        waiting = map(_storable, arrivals)
        while group := list(islice(waiting, _FILES_IN_A_GROUP)):
            with _stage(self.folder) as stage:
                described: dict[Path, _StagedBytes] = {}
                staged = [_Staged.of(stage, arrival, described) for arrival in group]
                folder.mkdir(exist_ok=True)
                # Imported here, since it loads asyncio, which what only reads does not need.
                from filelock import FileLock

                with FileLock(self.folder / ".lock"):
                    self._receipts.refresh()
                    receipts = [
                        self._keep(folder, arrival, file, received_at, origin, simulated)
                        for arrival, file in zip(group, staged, strict=True)
                    ]
                    sync(folder)
                    self._receipts.append(day, receipts)
                    sync(self.folder)
                    self._receipts.refresh()
            yield from [self._receipts[file.content_hash] for file in staged]

    def find(self, content_hash: str) -> LandedFile | None:
        self._receipts.refresh()
        return self._receipts.get(content_hash)

    def files(self, days: Collection[str] | None = None) -> LandedFiles:
        """All files, or those first received on some days (YYYY-MM-DD), in the order they were received; each is made
        when it is asked for.
        """
        self._receipts.refresh()
        return self._receipts.files(days)

    def days(self) -> list[str]:
        """Days on which anything was first received."""
        self._receipts.refresh()
        return self._receipts.days()

    def _keep(
        self, day: Path, arrival: Arrival, staged: _Staged, received_at: datetime, origin: Origin, simulated: bool
    ) -> dict[str, Any]:
        known = self._receipts.get(staged.content_hash)
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


def _storable(arrival: Arrival) -> Arrival:
    given = {name: _text(value) for name, value in _fields(arrival.given).items()}
    return replace(arrival, name=_text(arrival.name), given=Given(**given))


def _text(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _fields(given: Given) -> dict[str, Any]:
    return {column.name: getattr(given, column.name) for column in fields(given)}


@dataclass(frozen=True)
class _StagedBytes:
    path: Path
    digest: str
    size: int

    @classmethod
    def of(cls, stage: Path, content: bytes | Path) -> _StagedBytes:
        staged = stage / uuid4().hex
        with staged.open("xb") as target:
            digest, size = _copy(content, target)
        return cls(staged, digest, size)

    def keep(self, folder: Path) -> None:
        """Give the staged bytes their name, read-only, when they are on disk."""
        if (folder / self.digest).exists():
            return
        sync(self.path)
        self.path.chmod(self.path.stat().st_mode & 0o444)
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


def _copy(content: bytes | Path, target: IO[bytes]) -> tuple[str, int]:
    digest = hashlib.sha256()
    with ExitStack() as stack:
        source = io.BytesIO(content) if isinstance(content, bytes) else stack.enter_context(content.open("rb"))
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.hexdigest(), target.tell()


def utc_now() -> datetime:
    """The time of receipt, naive UTC in whole microseconds."""
    return datetime.now(UTC).replace(tzinfo=None)
