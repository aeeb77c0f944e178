"""From what was received to the files in it: archives and compressed files are opened, within limits.

Whatever an archive says of names and sizes, nothing is written outside the scratch folder and no more than the limits
allow. An archive inside an archive is opened as well, no deeper.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from perf_assets.formats.measurement import Format, FormatError, Input, storable
from perf_assets.formats.recognition import formats, head_of, recognise
from perf_assets.wording.quantities import counted, quantity

MOST_MEMBERS = 200_000
"""Folders and hidden files count as well."""
LARGEST_MEMBER = 4 << 30
LARGEST_ARCHIVE = 32 << 30
"""Bytes, unpacked."""
MOST_COMPRESSED = 200
"""What unpacks to more than this many times its size, beyond a first 256 MiB, is a bomb."""
_ALWAYS_ALLOWED = 256 << 20
_DEEPEST = 2
_BLOCK = 1 << 20

_DAMAGE = (
    EOFError, OSError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, RuntimeError, UnicodeError
)  # fmt: skip
"""What the libraries raise for damaged archives: RuntimeError for encrypted ones, UnicodeError for names."""


class _Member(NamedTuple):
    name: str
    open: Callable[[], IO[bytes]]


@dataclass
class _Budget:
    """What may still be unpacked of what was received, archives in it included, and how many members have been."""

    size: int
    members: int = 0


@dataclass(frozen=True)
class Opened:
    """A file in what was received, or that there is none because `problem`. `format` is None for an unknown one."""

    source: Input
    format: Format | None = None
    problem: FormatError | None = None


def open_received(source: Input, scratch: Path) -> Iterator[Opened]:
    """The files in `source`: itself, or the members of the archive it is, which lie in the folder `scratch` then.

    Files that only describe others are companions of those and not given themselves.
    """
    kind = _kind_of(source)
    if kind is None:
        yield _recognised(source)
        return
    scratch.mkdir(exist_ok=True)
    unpacked: dict[str, Path] = {}
    problem: FormatError | None = None
    try:
        unpacked.update(_unpack(source, kind, scratch, 1, _budget_of(source)))
    except FormatError as error:
        problem = error
    for name, path in unpacked.items():
        place = PurePosixPath(name)
        if any(candidate.is_part(Path(place)) for candidate in formats()):
            continue
        inner = replace(source, path=path, name=f"{source.name}/{name}" if name else source.name)
        opened = _recognised(inner)
        if opened.format is not None and opened.format.companions:
            beside = _beside(place, opened.format.companions, unpacked)
            opened = replace(opened, source=replace(inner, companions=beside))
        yield opened
    if problem is not None or not unpacked:
        yield Opened(source, None, problem or FormatError("unreadable", f"{source.name}: the archive is empty"))


def _beside(place: PurePosixPath, companions: Mapping[str, str], unpacked: Mapping[str, Path]) -> dict[str, Path]:
    places = {role: posixpath.normpath(posixpath.join(place.parent, other)) for role, other in companions.items()}
    return {role: unpacked[other] for role, other in places.items() if other in unpacked}


def _recognised(source: Input) -> Opened:
    try:
        return Opened(source, recognise(source))
    except FormatError as error:
        return Opened(source, None, error)


def _kind_of(source: Input) -> str | None:
    content = head_of(source.path, source.name).content
    if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if content[257:262] == b"ustar":
        return "tar"
    signs = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
    return next((kind for sign, kind in signs.items() if content.startswith(sign)), None)


def _budget_of(source: Input) -> _Budget:
    return _Budget(min(LARGEST_ARCHIVE, max(_ALWAYS_ALLOWED, MOST_COMPRESSED * source.path.stat().st_size)))


def _unpack(source: Input, kind: str, scratch: Path, depth: int, budget: _Budget) -> Iterator[tuple[str, Path]]:
    """Name and place of each member, written to `scratch` under numbers: names in archives are anybody's."""
    try:
        for member in _members(source.path, kind):
            budget.members += 1
            if budget.members > MOST_MEMBERS:
                raise _unsafe(source, f"more than {counted(MOST_MEMBERS, 'file')} in it")
            if member is None:
                continue
            target = scratch / str(budget.members)
            _write(source, member, target, budget)
            inner = replace(source, path=target, name=f"{source.name}/{member.name}")
            inner_kind = _kind_of(inner)
            if inner_kind is None:
                yield member.name, target
                continue
            if depth >= _DEEPEST:
                raise _unsafe(source, f"archives in archives deeper than {_DEEPEST}")
            for name, path in _unpack(inner, inner_kind, scratch, depth + 1, budget):
                yield posixpath.join(member.name, name) if name else member.name, path
            target.unlink()
    except _DAMAGE as error:
        raise FormatError(
            "truncated",
            f"{source.name}: the {kind} archive is damaged, encrypted or breaks off ({error}); pack it again",
        ) from error


def _write(source: Input, member: _Member, target: Path, budget: _Budget) -> None:
    allowed = min(LARGEST_MEMBER, budget.size)
    written = 0
    with member.open() as opened, target.open("wb") as file:
        while block := opened.read(_BLOCK):
            written += len(block)
            if written > allowed:
                raise _unsafe(source, f"{member.name or 'its content'} unpacks to more than {quantity(allowed, 'By')}")
            file.write(block)
    budget.size -= written


def _unsafe(source: Input, problem: str) -> FormatError:
    return FormatError("unsafe", f"{source.name}: {problem}; send the files in smaller archives")


def _members(file: Path, kind: str) -> Iterator[_Member | None]:
    """The members that are files; None for the others."""
    if kind == "zip":
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.filename:
                    raise zipfile.BadZipFile("a file without a name")
                left_out = info.is_dir() or _hidden(info.filename)
                yield None if left_out else _Member(storable(info.filename), lambda info=info: archive.open(info))  # type: ignore[misc]
    elif kind == "tar":
        with tarfile.open(file, "r|") as tape:
            for entry in tape:
                content = tape.extractfile(entry) if entry.isfile() and not _hidden(entry.name) else None
                yield None if content is None else _Member(storable(entry.name), lambda content=content: content)  # type: ignore[misc]
    else:
        open_compressed = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}[kind]
        yield _Member("", lambda: open_compressed(file, "rb"))  # type: ignore[operator]


def _hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") and part not in (".", "..") for part in parts) or "__MACOSX" in parts
