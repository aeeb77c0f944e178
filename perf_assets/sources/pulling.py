"""What all pulling sources share: the day that is asked for, what was seen of it, and landing before remembering.

What was seen is kept by source and day in files that may be deleted at any time: that repeats work and loses nothing.
A day is looked at again until a week after its end; then it is complete, and nothing is asked for it any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from filelock import FileLock

from perf_assets.durable import write_durably
from perf_assets.landing import Arrival, Given, Landing, Origin
from perf_assets.sources.errors import SourceError, ends_all, is_passing

LOOKED_AT_AGAIN_DAYS = 7
"""Days after its end on which late results of a day are still looked for."""


@dataclass(frozen=True)
class Day:
    """A day of a source's own clock, in UTC: from `start` to just before `end`, both naive."""

    date: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.date, time.min)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=1)

    def __str__(self) -> str:
        return self.date.isoformat()

    def has(self, moment: datetime | None) -> bool:
        return moment is not None and self.start <= moment < self.end


def moment_of(text: object) -> datetime | None:
    """A moment in ISO 8601 as naive UTC, as Day takes it; None for what is no moment."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


@dataclass(frozen=True)
class Delivery:
    """A file to land: what it is called, its bytes as they came (or the file that holds them), what else the source
    knows of it, and the files that describe it.
    """

    name: str
    body: bytes | Path
    given: Given = field(default_factory=Given)
    companions: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What is new and belongs together: files, and what is to be remembered once they are landed, by key."""

    files: tuple[Delivery, ...]
    seen: Mapping[str, Any]


Seen = Mapping[str, Any]
PullDay = Callable[[Day, Seen], Iterator[Found]]
"""Gives what is new on a day, as seen so far; raises SourceError."""


@dataclass(frozen=True)
class Trouble:
    """What could not be pulled, and why."""

    scope: str
    day: Day
    error: SourceError

    def __str__(self) -> str:
        return f"{self.scope}, {self.day}: {self.error}"


@dataclass
class Pulled:
    """What came of a pull, counted as it goes."""

    files: int = 0
    new_files: int = 0
    bytes: int = 0
    complete: int = 0
    """Days of a scope for which nothing was asked, for they are complete."""
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def may_pass(self) -> bool:
        """Whether all that went wrong may go right in half a minute."""
        return all(is_passing(trouble.error) for trouble in self.troubles)


@dataclass
class _Mark:
    seen: dict[str, Any] = field(default_factory=dict)
    complete: bool = False


def pull(
    origin: Origin,
    scopes: Mapping[str, PullDay],
    days: Iterable[date],
    state: Path,
    landing: Landing,
    now: datetime,
    tell: Callable[[], None] = lambda: None,
) -> Pulled:
    """Land what is new on these days, the newest first, in each scope (a repository, a job, a query...) of a source.

    `state` is the folder of what was seen; `tell` is called after each day of a scope. A scope that fails leaves the
    others to go on, unless they would fail too.
    """
    pulled = Pulled()
    lost: set[str] = set()
    state.mkdir(parents=True, exist_ok=True)
    with FileLock(state / ".lock"):
        for day in sorted((Day(day) for day in days), key=str, reverse=True):
            marks = _read_marks(state / f"{day}.json")
            before = _as_text(marks)
            try:
                for name in [scope for scope in scopes if scope not in lost]:
                    mark = marks.setdefault(name, _Mark())
                    try:
                        _pull_day(scopes[name], day, mark, origin, landing, now, pulled)
                    except SourceError as error:
                        pulled.troubles.append(Trouble(name, day, error))
                        if ends_all(error):
                            return pulled
                        lost |= set() if is_passing(error) else {name}
                    tell()
            finally:
                # What was landed is remembered whatever came after it.
                if _as_text(marks) != before:
                    write_durably(state / f"{day}.json", _as_text(marks).encode())
    return pulled


def _pull_day(
    pull_day: PullDay, day: Day, mark: _Mark, origin: Origin, landing: Landing, now: datetime, pulled: Pulled
) -> None:
    if mark.complete:
        pulled.complete += 1
        return
    for found in pull_day(day, MappingProxyType(mark.seen)):
        arrivals = [Arrival(each.body, each.name, each.companions, each.given) for each in found.files]
        for landed in landing.land_many(arrivals, received_at=now, origin=origin):
            pulled.files += 1
            pulled.new_files += landed.receipts == 1
            pulled.bytes += landed.size
        mark.seen.update(found.seen)
    mark.complete = now >= day.end + timedelta(days=LOOKED_AT_AGAIN_DAYS)


def _read_marks(file: Path) -> dict[str, _Mark]:
    """What was seen; nothing where the file is not there or not whole."""
    try:
        kept = json.loads(file.read_bytes())
        return {name: _Mark(dict(mark["seen"]), bool(mark["complete"])) for name, mark in kept.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _as_text(marks: Mapping[str, _Mark]) -> str:
    kept = {name: {"seen": mark.seen, "complete": mark.complete} for name, mark in marks.items()}
    return json.dumps(kept, sort_keys=True, indent=1)
