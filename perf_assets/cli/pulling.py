"""`pull`: start the Dagster job that asks sources for what is new, show what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perf_assets.cli.launch import SOURCES_JOB, StepEnded, run_job
from perf_assets.cli.showing import Watched
from perf_assets.errors import UserError
from perf_assets.landing import utc_now
from perf_assets.settings import Settings
from perf_assets.sources.pulling import LOOKED_AT_AGAIN_DAYS
from perf_assets.sources.source import asset_name, broken_sources
from perf_assets.wording.quantities import quantity

FIRST_DAY = date(2020, 1, 1)


class PullError(UserError):
    """Sources or days that cannot be pulled; the message says what to do."""


def pull_sources(settings: Settings, sources: Sequence[str], first: date | None, last: date | None) -> bool:
    """Pull the days from `first` to `last` (UTC, both included); False if anything went wrong. Raises PullError."""
    asked = _asked(settings, sources)
    names = {asset_name(name): name for name in asked}
    days = _days(first, last)
    console = Console()
    table = Table("source", "requests", "files", "new files", "not modified", "time", box=None)
    troubles: list[tuple[str, str]] = []
    new_files = 0

    def tell(step: StepEnded) -> None:
        nonlocal new_files
        name = names[step.name]
        new_files += int(str(step.metadata.get("new_files", 0)))
        counts = [str(step.metadata.get(key, "")) for key in ("requests", "files", "new_files", "not_modified")]
        table.add_row(name, *counts, quantity(step.seconds, "s"))
        if step.error:
            troubles.append((name, str(step.metadata.get("troubles", step.error))))

    watched = Watched(console)
    with watched.steps(f"Pulling {', '.join(asked)}"):
        result = run_job(SOURCES_JOB, settings, days, tell, list(names), progress=watched)
    console.print(table)
    for name, trouble in troubles:
        console.print(f"[red]{name}:[/] {escape(trouble)}", soft_wrap=True)
    landed = f"Landed in {settings.landing}; `perf-assets run` loads and analyses it"
    console.print(landed if new_files else "There is nothing new.", soft_wrap=True, markup=False)
    return result.succeeded


def _asked(settings: Settings, sources: Sequence[str]) -> list[str]:
    known, configured = settings.sources.sections, settings.sources.configured
    if not sources:
        if not configured:
            raise PullError("no source is configured; docs/sources.md says how to name repositories, jobs or folders")
        return list(configured)
    names = [source.replace("-", "_") for source in sources]
    for name in names:
        if name not in known:
            broken = "".join(f". Not loaded: {sentence}" for sentence in broken_sources())
            raise PullError(f"Unknown source {name!r}; use one of {', '.join(known)}{broken}")
        if name not in configured:
            raise PullError(f"{name} is not configured. {known[name].remedy} See docs/sources.md")
    return list(dict.fromkeys(names))


def _days(first: date | None, last: date | None) -> list[str]:
    today = utc_now().date()
    last = last or today
    first = first or max(last - timedelta(days=LOOKED_AT_AGAIN_DAYS), FIRST_DAY)
    if not FIRST_DAY <= first <= last <= today:
        raise PullError(f"from {first} to {last} cannot be pulled; name days in order, from {FIRST_DAY} to {today}")
    return [first.isoformat(), last.isoformat()]
