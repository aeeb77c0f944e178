"""Results as files: paths a user names, the drop folder, and the bundled sample."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from perf_assets.landing import LandedFile, Landing

SAMPLE_SEED = 20
_SCENARIO_RUNS = Path(__file__).parents[1] / "samples" / "scenario_runs.json"
_UNFINISHED = (".part", ".tmp", ".writing", ".crdownload")


def land_paths(landing: Landing, paths: Iterable[Path], received_at: datetime) -> list[LandedFile]:
    """Land files, and all files below folders; FileNotFoundError names a path that is not there."""
    found = [file for path in paths for file in _files_below(path)]
    return [landing.land(file, name=_name(file), received_at=received_at, origin="file") for file in found]


def waiting_files(drop_folder: Path) -> list[Path]:
    """Files in the drop folder that are complete: hidden ones and those with an unfinished suffix are left alone."""
    return list(_files_below(drop_folder)) if drop_folder.is_dir() else []


def collect_drop_folder(landing: Landing, drop_folder: Path, received_at: datetime) -> list[LandedFile]:
    """Land what waits in the drop folder, and remove it there once it is durable in landing."""
    collected = []
    for file in waiting_files(drop_folder):
        before = file.stat()
        collected.append(landing.land(file, name=_name(file), received_at=received_at, origin="drop"))
        after = file.stat()
        # A file that grew meanwhile is still being written; it stays, and comes again when it is whole.
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            file.unlink(missing_ok=True)
    return collected


def land_sample(landing: Landing, folder: Path, received_at: datetime) -> list[LandedFile]:
    """Land the bundled sample: 14 real scenario runs and a simulated fleet, generated into `folder` where it is
    not yet.
    """
    fleet = folder / f"fleet-seed-{SAMPLE_SEED}.parquet"
    if not fleet.exists():
        from perf_assets.simulation import simulate_fleet, write_fleet

        write_fleet(simulate_fleet(SAMPLE_SEED), folder)
    runs = landing.land(_SCENARIO_RUNS, name=_SCENARIO_RUNS.name, received_at=received_at, origin="sample")
    return [runs, landing.land(fleet, name=fleet.name, received_at=received_at, origin="sample", simulated=True)]


def _files_below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or folder; name a result file or a folder of them")
    for file in sorted(Path(folder, name) for folder, _, names in os.walk(path, onerror=_refuse) for name in names):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.is_file() and not hidden and file.suffix not in _UNFINISHED:
            yield file


def _refuse(error: OSError) -> NoReturn:
    """A folder that cannot be read is an error; by itself a walk would take it for an empty one."""
    raise error


def _name(file: Path) -> str:
    """The file's name as text that can be stored: bytes that are not UTF-8 are replaced."""
    return os.fsencode(file.name).decode("utf-8", errors="replace")
