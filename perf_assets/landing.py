"""Landing: the raw bytes as they came, immutable, named by content hash, filed by the day they were received.

Belongs here: keeping and finding raw files. Does not belong here: what is in them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

Origin = Literal["sample", "file", "drop", "dashboard"]

_BLOCK = 1 << 20


@dataclass(frozen=True)
class LandedFile:
    """One received file. `received_at` is naive UTC; `sample` files give way once results of one's own are there."""

    path: Path
    content_hash: str
    name: str
    received_at: datetime
    size: int
    origin: Origin
    simulated: bool

    @property
    def day(self) -> str:
        return self.received_at.strftime("%Y-%m-%d")


class Landing:
    """A folder of received files: `<day>/<hash>` holds the bytes, `<day>/<hash>.json` where they came from.

    The receipt is written after the bytes and is what makes a file exist, so a crash leaves no half-received file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def land(
        self, content: bytes | Path, *, name: str, received_at: datetime, origin: Origin, simulated: bool = False
    ) -> LandedFile:
        """Keep `content` (bytes, or a file to copy) durably; content already here is returned as it first came."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with _staged(self.folder) as target:
            digest, size = _copy(content, target)
            known = self.find(digest)
            if known is not None:
                return known
            folder = self.folder / received_at.strftime("%Y-%m-%d")
            folder.mkdir(exist_ok=True)
            landed = LandedFile(folder / digest, digest, name, received_at, size, origin, simulated)
            _keep(target, landed.path)
        with _staged(self.folder) as target:
            target.write(json.dumps(_receipt(landed), indent=1, sort_keys=True).encode())
            _keep(target, landed.path.with_suffix(".json"))
        _sync(self.folder)
        return landed

    def find(self, content_hash: str) -> LandedFile | None:
        receipts = sorted(self.folder.glob(f"????-??-??/{content_hash}.json"))
        return _read_receipt(receipts[0]) if receipts else None

    def files(self, day: str | None = None) -> Iterator[LandedFile]:
        """All files, or those of one day (YYYY-MM-DD), in the order they were received."""
        receipts = self.folder.glob(f"{day or '????-??-??'}/*.json")
        yield from sorted((_read_receipt(file) for file in receipts), key=lambda f: (f.received_at, f.content_hash))

    def days(self) -> list[str]:
        return sorted({file.parent.name for file in self.folder.glob("????-??-??/*.json")})


@contextmanager
def _staged(folder: Path) -> Iterator[IO[bytes]]:
    """A file to write to, gone at the end unless it was kept."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".receiving-", delete=False) as target:
        try:
            yield target
        finally:
            Path(target.name).unlink(missing_ok=True)


def _keep(staged: IO[bytes], file: Path) -> None:
    """Give the staged file its name, read-only, when its bytes are on disk."""
    staged.flush()
    os.fsync(staged.fileno())
    Path(staged.name).chmod(0o444)
    Path(staged.name).replace(file)
    _sync(file.parent)


def _copy(content: bytes | Path, target: IO[bytes]) -> tuple[str, int]:
    digest = hashlib.sha256()
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.hexdigest(), target.tell()


def _receipt(landed: LandedFile) -> dict[str, object]:
    return {**asdict(landed), "path": None, "received_at": landed.received_at.isoformat()}


def _read_receipt(file: Path) -> LandedFile:
    fields = json.loads(file.read_text(encoding="utf-8"))
    received_at = datetime.fromisoformat(fields["received_at"])
    return LandedFile(**{**fields, "path": file.with_suffix(""), "received_at": received_at})


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def utc_now() -> datetime:
    """The time of receipt, naive UTC in whole microseconds."""
    return datetime.now(UTC).replace(tzinfo=None)
