"""One run at a time: a second one waits, and says for whom."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console

from perf_assets.landing import utc_now
from perf_assets.wording.moments import second
from perf_assets.wording.quantities import quantity

_PAUSE_SECONDS = 0.5
_SECONDS_BETWEEN_LINES = 60.0


@contextmanager
def turn(file: Path, console: Console) -> Iterator[None]:
    """Hold a lock on `file` while the block runs; the system releases it when the process ends in whatever way. Until
    the lock is free, say who holds it and since when."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as handle:
        _wait(handle, console)
        handle.truncate(0)
        json.dump({"process": os.getpid(), "since": utc_now().isoformat()}, handle)
        handle.flush()
        yield


def _wait(handle: IO[str], console: Console) -> None:
    started = time.monotonic()
    said = -_SECONDS_BETWEEN_LINES
    while not _is_locked_now(handle):
        waited = time.monotonic() - started
        if waited - said >= _SECONDS_BETWEEN_LINES:
            so_far = f" ({quantity(waited, 's')} so far)" if waited >= 1 else ""
            console.print(f"Waiting for another run to end: {_holder(handle)}{so_far}", soft_wrap=True, markup=False)
            said = waited
        time.sleep(_PAUSE_SECONDS)
    if said >= 0:
        console.print(f"Waited {quantity(time.monotonic() - started, 's')}")


def _is_locked_now(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: IO[str]) -> str:
    handle.seek(0)
    try:
        holder = json.loads(handle.read())
        return f"process {holder['process']}, since {second(holder['since'])}"
    except (ValueError, KeyError, TypeError):
        return "it has just started"  # and has not written who it is
