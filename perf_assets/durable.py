"""Files that are either as they were or as they should be, whenever a crash comes."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def sync(path: Path) -> None:
    """Return once a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(file: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace `file` by one with this content, once that is on disk; `mode` without what the umask takes away."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Not one of tempfile's, which its owner alone could read whatever the umask.
    staged = file.parent / f".writing-{uuid4().hex}"
    try:
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        staged.replace(file)
    finally:
        staged.unlink(missing_ok=True)
