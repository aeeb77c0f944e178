"""A full disk, whoever meets it: the operating system, DuckDB or SQLite.

Belongs here: recognising it, and saying which disk, how much is needed and what to do. Does not belong here: what is
written where.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from perf_assets.errors import UserError
from perf_assets.wording.quantities import quantity

_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("no space left on device", "disk is full", "disk quota exceeded")
_VAGUE = ("disk i/o error",)
"""What SQLite says where a file that is mapped into memory cannot grow: a full disk if there is no room left."""
_NO_ROOM = 4_000_000
_LEAST_NEEDED = 50_000_000
"""Bytes that a run takes beside results: the records that Dagster keeps of it, and the report."""


class DiskFullError(UserError):
    """A disk is full: what was received is kept, and what was half written does not count."""

    exit_code: ClassVar[int] = 5


def is_full(error: BaseException | str, place: Path) -> bool:
    """Whether an error, one that caused it, or its text says that a disk is full; where it says no more than that
    writing failed, whether there is any room at `place`.
    """
    if isinstance(error, str):
        said = error.lower()
        full = any(words in said for words in _WORDS)
        return full or (any(words in said for words in _VAGUE) and _free(place) < _NO_ROOM)
    return any(
        (isinstance(each, OSError) and each.errno in _ERRNOS) or is_full(str(each), place)
        for each in _with_causes(error)
    )


def full_disk(places: Sequence[Path], stores: Sequence[Path]) -> DiskFullError:
    """What to say of a full disk: of `places`, that whose disk has the least room, and how much is needed there.

    `stores`: what is written again by a run, so that as much room as they take is needed beside them.
    """
    where = min((_existing(place) for place in places), key=_free)
    usage = shutil.disk_usage(where)
    needed = max(2 * sum(_size(store) for store in stores), _LEAST_NEEDED)
    return DiskFullError(
        f"{where}: the disk is full ({quantity(usage.free, 'By')} free of {quantity(usage.total, 'By')}); about "
        f"{quantity(needed, 'By')} are needed. Make room there, or set `home` (PERF_ASSETS_HOME) to a folder on "
        "another disk, and give the command again. What was received before is kept, and what was half written does "
        "not count."
    )


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]


def _free(place: Path) -> int:
    return shutil.disk_usage(_existing(place)).free


def _existing(place: Path) -> Path:
    """The place, or the nearest folder above it that is there."""
    return next((folder for folder in (place, *place.parents) if folder.exists()), Path.cwd())


def _size(store: Path) -> int:
    """Bytes of a file, or of all files of a folder; those that vanish meanwhile are not counted."""
    files = store.rglob("*") if store.is_dir() else [store]
    total = 0
    for file in files:
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total
