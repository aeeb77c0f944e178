"""What was measured, kept in var/evaluation so that an evaluation can be resumed and its document written anew."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

Tables = dict[str, pd.DataFrame]
"""Tables of a section, by name; one without columns stands for data that were absent."""
FOLDER = Path("var/evaluation")
_MEASURED, _MEASURING = Path("perf_assets"), Path("evaluation")


@dataclass(frozen=True)
class Origin:
    """What a measurement depends on: the commit, with a mark where files were changed since, a digest of the product's
    code, the folder of labelled data, and the size that was asked for.
    """

    commit: str
    code: str
    data: str
    size: int


@dataclass(frozen=True)
class Measured:
    section: str
    seed: int
    origin: Origin
    seconds: float
    tables: Tables


def current_origin(data: Path | None, size: int) -> Origin:
    digest = hashlib.sha256()
    for path in sorted(_MEASURED.rglob("*.py")):
        digest.update(path.as_posix().encode() + b"\0" + path.read_bytes())
    return Origin(_commit(), digest.hexdigest()[:12], str(data.resolve()) if data else "", size)


def _commit() -> str:
    if shutil.which("git") is None:
        return "unknown"
    commit = _git("rev-parse", "--short", "HEAD")
    # The document that is written in the end is no part of what is measured.
    changed = _git("status", "--porcelain", "--", str(_MEASURED), str(_MEASURING))
    return f"{commit}, changed" if commit and changed else commit or "unknown"


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], capture_output=True, text=True, check=False).stdout.strip()


def keep(measured: Measured, folder: Path = FOLDER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "section": measured.section,
        "seed": measured.seed,
        "origin": vars(measured.origin),
        "seconds": measured.seconds,
        "tables": {name: table.to_dict("list") for name, table in measured.tables.items()},
    }
    path = _path(measured.section, measured.seed, folder)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(record), encoding="utf-8")
    unfinished.replace(path)


def recall(section: str, seed: int, folder: Path = FOLDER) -> Measured | None:
    """What was kept last, if anything, wherever it came from."""
    path = _path(section, seed, folder)
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    tables = {name: pd.DataFrame(columns) for name, columns in record["tables"].items()}
    return Measured(section, seed, Origin(**record["origin"]), record["seconds"], tables)


def same_measurement(one: Origin, other: Origin) -> bool:
    """The commit may differ where it left the product's code alone."""
    return (one.code, one.data, one.size) == (other.code, other.data, other.size)


def _path(section: str, seed: int, folder: Path) -> Path:
    return folder / f"{section}-{seed}.json"
