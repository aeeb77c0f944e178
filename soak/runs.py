"""Runs of the fuzzer, one parser each: started, watched, counted, and what they found.

A parser's folder has its `corpus`, its `findings`, and the `progress` of the time it is owed. Findings are tried again
first in each later run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

import perf_assets.formats
from soak.parsers import INPUT
from soak.seeds import tokens

_WRITTEN = re.compile(r"Test unit written to (.+)$", re.MULTILINE)
_PROBLEM = re.compile(r"=== (?:Uncaught Python exception: ===\n(?P<error>.+)|(?P<hang>Timeout: .+?) ===)")
_NATIVE = re.compile(r"ERROR: libFuzzer: (.+)")


@dataclass(frozen=True)
class Progress:
    """What a parser's code, by its hash, has been fuzzed for."""

    code: str
    seconds: float = 0
    inputs: int = 0


@dataclass(frozen=True)
class Finding:
    """An input that a parser fails at: its file, why, and all that the fuzzer said."""

    file: Path
    problem: str
    log: Path


def progress_of(folder: Path) -> Progress:
    """Progress with the code as it is now: none if it has changed."""
    file = folder / "progress"
    known = Progress(**json.loads(file.read_text())) if file.exists() else None
    return known if known is not None and known.code == _code() else Progress(_code())


def findings_of(folder: Path) -> list[Path]:
    """The inputs that were found in all runs so far."""
    return sorted((folder / "findings").glob("*"))


def keep(folder: Path, progress: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "progress.partial"
    partial.write_text(json.dumps(asdict(progress)))
    partial.replace(folder / "progress")


@cache
def _code() -> str:
    """A hash of the parsers' code."""
    sources = sorted(Path(perf_assets.formats.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def fuzz(
    name: str, seeds: Sequence[bytes], folder: Path, seconds: float, timeout: int, told: Callable[[Progress], None]
) -> Finding | None:
    """Fuzz a parser for so many seconds more, or to its first finding; `told` hears of progress each second."""
    before = progress_of(folder)
    corpus, findings, log = folder / "corpus", folder / "findings", folder / "log"
    for place in (corpus, findings):
        place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        # A folder of its own for what is temporary: the last input is found there, however the process ends.
        own = Path(scratch) / "own"
        own.mkdir()
        options = [
            f"-max_total_time={max(1, round(seconds))}",
            f"-timeout={timeout}",
            f"-artifact_prefix={findings}/",
            f"-dict={_written(Path(scratch) / 'tokens', tokens(seeds).encode())}",
            corpus,
            findings,
            _folder_of(Path(scratch) / "seeds", seeds),
        ]
        with log.open("wb") as said:
            process = _started([name, *map(str, options)], said, own)
            try:
                _watch(process, folder, before, told)
            finally:
                process.kill()
                code = process.wait()
        return _finding(code, findings, log, own) if code else None


def _started(arguments: Sequence[str], said: BinaryIO, own: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "soak.fuzzing", *arguments],
        stdout=subprocess.PIPE,
        stderr=said,
        env=os.environ | {"TMPDIR": str(own)},
        # An interruption from the keyboard is not for the fuzzer, which would call it a crash.
        start_new_session=True,
        text=True,
    )


def _watch(process: subprocess.Popen[str], folder: Path, before: Progress, told: Callable[[Progress], None]) -> None:
    assert process.stdout is not None
    started = time.monotonic()
    for line in process.stdout:
        spent = before.seconds + time.monotonic() - started
        progress = replace(before, seconds=spent, inputs=before.inputs + int(line))
        keep(folder, progress)
        told(progress)
    process.wait()


def _written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def _folder_of(folder: Path, seeds: Sequence[bytes]) -> Path:
    folder.mkdir()
    for number, content in enumerate(seeds):
        _written(folder / str(number), content)
    return folder


def _finding(code: int, findings: Path, log: Path, own: Path) -> Finding:
    said = log.read_text(errors="replace")
    written = _WRITTEN.search(said)
    if written is not None:
        file = Path(written[1])
    else:
        # Killed, as by the system for its memory: it could write nothing any more.
        last = next(own.rglob(INPUT), None)
        if last is None:
            raise RuntimeError(f"the fuzzer ended with {code} before its first input:\n{said[-3_000:]}")
        file = findings / f"ended-{hashlib.sha1(last.read_bytes(), usedforsecurity=False).hexdigest()}"
        shutil.copy(last, file)
    problem = _PROBLEM.search(said)
    native = _NATIVE.search(said)
    what = (problem["error"] or problem["hang"]) if problem else native[1] if native else f"ended with {code}"
    return Finding(file, what, log)
