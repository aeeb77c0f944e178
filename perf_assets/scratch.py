"""Folders for what a process needs only while it works, such as unpacked archives and what does not fit into memory.

Belongs here: making them, and removing those that a killed process has left. Does not belong here: what is in them.
"""

from __future__ import annotations

import atexit
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = ".lock"


class Scratch:
    """A folder of its own below `parent`, until it is closed or the process ends.

    The process holds a lock on a file in it, which the system releases when the process ends in whatever way; so the
    next one knows which folders nobody uses, and removes them.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with _alone(parent):
            _remove_unused(parent)
            self.path = Path(tempfile.mkdtemp(dir=parent))
            self._lock = (self.path / _LOCK).open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        atexit.register(self.close)

    def close(self) -> None:
        """Remove the folder with all that is in it; a second time nothing happens."""
        if not self._lock.closed:
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.close()
            atexit.unregister(self.close)


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """While the block runs, no other process makes or removes folders here: one that is just made has no lock yet."""
    with (parent / _LOCK).open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remove_unused(parent: Path) -> None:
    for folder in [entry for entry in parent.iterdir() if entry.is_dir()]:
        # One that is missing by now has just been closed.
        with suppress(BlockingIOError, FileNotFoundError), (folder / _LOCK).open("wb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
