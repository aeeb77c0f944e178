"""Folders for what a process needs only while it works, such as unpacked archives and what does not fit into memory.

Belongs here: making them, and removing those that a killed process has left. Does not belong here: what is in them.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Scratch:
    """A folder of its own below `parent`, until it is closed or the process ends.

    The process holds a lock on the folder, which the system releases when the process ends in whatever way; so the next
    one knows which folders nobody uses, and removes them.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with _locked(parent, fcntl.LOCK_EX):
            _remove_unused(parent)
            self.path = Path(tempfile.mkdtemp(dir=parent))
            self._lock: int | None = os.open(self.path, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        atexit.register(self.close)

    def close(self) -> None:
        """Remove the folder with all that is in it; a second time nothing happens."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = None
            atexit.unregister(self.close)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _remove_unused(parent: Path) -> None:
    """The parent is locked, so that no folder is seen between being made and being locked."""
    for folder in [entry for entry in parent.iterdir() if entry.is_dir()]:
        # One that is missing by now has just been closed.
        with suppress(BlockingIOError, FileNotFoundError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)
