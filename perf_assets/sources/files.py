"""Results as files: paths a user names, the drop folder, and the bundled sample."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple, NoReturn

from perf_assets.formats import formats
from perf_assets.formats.recognition import telling_head
from perf_assets.landing import Arrival, Given, LandedFile, Landing

SAMPLE_SEED = 20
_SCENARIO_RUNS = Path(__file__).parents[1] / "samples" / "scenario_runs.json"
_UNFINISHED = (".part", ".tmp", ".writing", ".crdownload")


class NamedFile(NamedTuple):
    """A file, and what it is called: with its folders from the one that was named, since many are called alike."""

    path: Path
    name: str


@dataclass(frozen=True)
class Found:
    """Files to land, how many there were when they were counted, and how many beside them only describe others.

    They are looked for anew by each iteration: there may be hundreds of thousands.
    """

    paths: tuple[Path, ...]
    count: int
    describing: int

    def __iter__(self) -> Iterator[NamedFile]:
        for path in self.paths:
            for file in _files_below(path):
                if _is_taken(file, path):
                    yield NamedFile(file, _name(Path(path.name, file.relative_to(path))))


def find_results(paths: Iterable[Path]) -> Found:
    """Files, and all files below folders; FileNotFoundError names a path that is not there."""
    named = tuple(paths)
    taken = Counter(_is_taken(file, path) for path in named for file in _files_below(path))
    return Found(named, taken[True], taken[False])


def land_files(
    landing: Landing,
    files: Iterable[NamedFile],
    received_at: datetime,
    given: Given = Given(),
) -> Iterator[LandedFile]:
    """Land files that a user named, with what is `given` of them; each comes once it is durable."""
    return landing.land_many(arrivals(files, given), received_at=received_at, origin="file")


def arrivals(files: Iterable[NamedFile], given: Given = Given()) -> Iterator[Arrival]:
    """Files with those that describe them."""
    # Files of a folder come one after the other and ask for the same.
    found = lru_cache(1_000)(_beside)
    for path, name in files:
        yield Arrival(path, name, companions_of(path, partial(found, path.parent)), given)


def waiting_files(drop_folder: Path) -> list[Path]:
    """Result files in the drop folder that are complete: hidden ones and those with an unfinished suffix are left
    alone, and so are those that only describe others.
    """
    return [file for file in _files_below(drop_folder) if not is_part(file)] if drop_folder.is_dir() else []


def collect_drop_folder(landing: Landing, drop_folder: Path, received_at: datetime) -> list[LandedFile]:
    """Land what waits in the drop folder, and remove it there once it is durable in landing. Of processes that do so at
    once, the second waits and takes what is left. The folder is created if it does not exist.
    """
    from filelock import FileLock

    drop_folder.mkdir(parents=True, exist_ok=True)
    landing.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(landing.folder / ".drop.lock"):
        return _collected(landing, drop_folder, received_at)


def _collected(landing: Landing, drop_folder: Path, received_at: datetime) -> list[LandedFile]:
    waiting = (NamedFile(file, _name(file.relative_to(drop_folder))) for file in waiting_files(drop_folder))
    coming = list(arrivals(waiting))
    taken = {path for arrival in coming for path in (arrival.content, *arrival.companions.values())}
    before = {path: _stamp(path) for path in taken if isinstance(path, Path)}
    collected = list(landing.land_many(coming, received_at=received_at, origin="drop"))
    # A file that grew meanwhile is still being written; it stays, with what describes it, and comes again when whole.
    growing = {path for path, stamp in before.items() if _stamp(path) != stamp}
    kept = {path for arrival in coming if arrival.content in growing for path in arrival.companions.values()}
    for path in before.keys() - growing - kept:
        path.unlink(missing_ok=True)
    return collected


def land_sample(landing: Landing, folder: Path, received_at: datetime) -> list[LandedFile]:
    """Land the bundled sample: 14 real scenario runs and a simulated fleet, generated into `folder` where it is
    not yet.
    """
    fleet = folder / f"fleet-seed-{SAMPLE_SEED}.parquet"
    there = [file for file in landing.files() if file.origin == "sample"]
    if {file.name for file in there} == {_SCENARIO_RUNS.name, fleet.name}:
        return there
    if not fleet.exists():
        from perf_assets.simulation import simulate_fleet, write_fleet

        write_fleet(simulate_fleet(SAMPLE_SEED), folder)
    runs = landing.land(_SCENARIO_RUNS, name=_SCENARIO_RUNS.name, received_at=received_at, origin="sample")
    return [runs, landing.land(fleet, name=fleet.name, received_at=received_at, origin="sample", simulated=True)]


def is_part(file: Path) -> bool:
    """Whether a file only describes others."""
    return any(candidate.is_part(file) for candidate in formats())


def companions_of(file: Path, beside: Callable[[str], Path | None]) -> dict[str, Path]:
    """The files that describe `file`, by their role; `beside` gives the one at a path relative to its folder, if there
    is one. The format is asked only where there are some.
    """
    for candidate in formats():
        if not candidate.companions:
            continue
        found = {role: beside(place) for role, place in candidate.companions.items()}
        there = {role: path for role, path in found.items() if path is not None}
        if there and candidate.recognises(telling_head(file, file.name, candidate.recognises)):
            return there
    return {}


def _is_taken(file: Path, path: Path) -> bool:
    """Whether a file below `path` is a result; what is named itself is one, whatever it is."""
    return file == path or not is_part(file)


def _beside(folder: Path, place: str) -> Path | None:
    path = Path(os.path.normpath(folder / place))
    return path if path.is_file() else None


def _files_below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or folder; name a result file or a folder of them")
    for folder, folders, names in os.walk(path, onerror=_refuse):
        # The walk goes on in the order of this list.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            if file.is_file() and file.suffix not in _UNFINISHED:
                yield file


def _refuse(error: OSError) -> NoReturn:
    """A folder that cannot be read is an error; by itself a walk would take it for an empty one."""
    raise error


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def _name(file: Path) -> str:
    """A path as text that can be stored: bytes that are not UTF-8 are replaced."""
    return os.fsencode(file.as_posix()).decode("utf-8", errors="replace")
