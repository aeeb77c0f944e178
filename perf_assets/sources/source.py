"""What a source is: a section of the configuration that can be opened for reading, day by day.

A source is one class in one module, named under the entry points of `perf_assets.sources`. Everything about it is
declared there; its asset, its resource, its line in `doctor` and its place in `pull` follow from that.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from perf_assets.plugins import SOURCES, Plugin, Sections, discovered
from perf_assets.sources.http import Client, Patience, Service
from perf_assets.sources.pulling import PullDay

if TYPE_CHECKING:
    from dagster import DagsterInstance


@dataclass(frozen=True)
class Surroundings:
    """What a source may use while it is read: the time (naive UTC), how long to wait, a folder for answers to keep, and
    the Dagster instance of the run.
    """

    now: datetime
    patience: Patience
    kept_answers: Path
    instance: DagsterInstance


@dataclass(frozen=True)
class Opened:
    """A source that can be read: its scopes (a repository, a job, a query...) by name, and what was counted so far."""

    scopes: Mapping[str, PullDay]
    counts: Callable[[], Mapping[str, int]] = dict


class Source(Plugin):
    """Where results are pulled from. Its fields are its section `sources.<section>`."""

    kinds: ClassVar[frozenset[str]] = frozenset({"python"})
    """What Dagster's UI shows as icons beside the asset."""
    by_day: ClassVar[bool] = True
    """Whether it can be asked for a day of its own clock. One that gives everything each time is part of each run."""
    origin: ClassVar[str]
    """How its files are marked in landing; must never change."""

    @abstractmethod
    def opened(self, around: Surroundings) -> AbstractContextManager[Opened]:
        """Open it for as long as the block runs. Raises SourceError."""

    def probe(self) -> str:
        """What one request finds, for `doctor`; empty where nothing is asked. Raises SourceError."""
        return ""


class HttpSource(Source, extra="forbid"):
    """A source that is called over HTTP: it says how, and which scopes there are."""

    kinds: ClassVar[frozenset[str]] = frozenset({"python", "api"})

    @abstractmethod
    def service(self) -> Service:
        """What is called. Raises SettingsError."""

    @abstractmethod
    def scopes(self, client: Client, now: datetime) -> Mapping[str, PullDay]:
        """What is pulled, by name. Raises SettingsError."""

    @contextmanager
    def opened(self, around: Surroundings) -> Iterator[Opened]:
        with Client(self.service(), around.patience, around.kept_answers) as client:
            scopes = self.scopes(client, around.now)
            yield Opened(scopes, lambda: {"requests": client.requests, "not_modified": client.not_modified})


def asset_name(section: str) -> str:
    """The name of the asset that a source's results are, from that of its section."""
    return f"{section}_results"


def configured_sources(sections: Sections) -> list[Source]:
    """The sources for which enough is set, in the order of their names."""
    return [source for source in sections.configured.values() if isinstance(source, Source)]


def broken_sources() -> tuple[str, ...]:
    """A sentence for each installed source that cannot be loaded."""
    return discovered(SOURCES, Plugin).broken
