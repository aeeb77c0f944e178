"""A pull of one source into a folder of the test, as the assets do it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from perf_assets.landing import LandedFile, Landing, Origin
from perf_assets.sources.http import Client, Patience, Service
from perf_assets.sources.pulling import Day, PullDay, Pulled, pull

IMPATIENT = Patience(timeout=2, retries=2, backoff=0.001, longest_rest=3)
TODAY = date.fromisoformat("2026-09-10")
NOON = datetime.fromisoformat("2026-09-10T12:00:00")


class Pullable(Protocol):
    def service(self) -> Service: ...
    def scopes(self, client: Client, now: datetime) -> dict[str, PullDay]: ...


@dataclass(frozen=True)
class Site:
    """A home to pull into."""

    home: Path
    origin: Origin = "github-actions"
    patience: Patience = IMPATIENT
    now: datetime = NOON

    @property
    def landing(self) -> Landing:
        return Landing(self.home / "landing")

    @property
    def state(self) -> Path:
        return self.home / "state" / "sources" / self.origin

    def pull(self, source: Pullable, days: int = 8, today: date = TODAY) -> tuple[Pulled, Client]:
        """Pull the last days; what came of it, and the client that counted."""
        client = Client(source.service(), self.patience, self.home / "cache" / "http")
        with client:
            return self.pull_scopes(source.scopes(client, self.now), days, today), client

    def pull_scopes(self, scopes: Mapping[str, PullDay], days: int = 8, today: date = TODAY) -> Pulled:
        asked = [today - timedelta(days=back) for back in range(days)]
        return pull(self.origin, scopes, asked, self.state, self.landing, self.now)

    def later(self, **more: float) -> Site:
        return replace(self, now=self.now + timedelta(**more))

    def files(self) -> list[LandedFile]:
        return list(self.landing.files())

    def names(self) -> list[str]:
        return sorted(file.name for file in self.files())

    def bodies(self) -> dict[str, bytes]:
        return {file.name: file.path.read_bytes() for file in self.files()}

    def seen(self, day: str) -> Any:
        return json.loads((self.state / f"{day}.json").read_text())

    def everything_kept(self) -> bytes:
        """All bytes of all files of the home, to look for what should not be there."""
        return b"\n".join(file.read_bytes() for file in sorted(self.home.rglob("*")) if file.is_file())


def errors_of(pulled: Pulled) -> list[str]:
    return [str(trouble) for trouble in pulled.troubles]


def day_of(text: str) -> Day:
    return Day(date.fromisoformat(text))
