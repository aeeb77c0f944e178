"""Landing and running where somebody watches: bars, rates, and what failed."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from perf_assets.errors import UserError
from perf_assets.landing import Given, Landing, utc_now
from perf_assets.progress import Progress
from perf_assets.settings import Settings
from perf_assets.sources.files import NamedFile, find_results, land_files
from perf_assets.sources.source import asset_name, configured_sources
from perf_assets.wording.quantities import counted, quantity

if TYPE_CHECKING:
    from perf_assets.cli.launch import RunResult, StepEnded
    from perf_assets.ingestion import LoadSummary


def pulling_steps(settings: Settings) -> dict[str, str]:
    """Steps of the main job that pull a source, by name, and the source: where one fails, the others go on, and the
    caller reports it at the end.
    """
    sources = configured_sources(settings.sources.sections)
    return {asset_name(source.section): source.section for source in sources if not source.by_day}


class NoResultsError(UserError):
    """There is no file where results were to be."""


@dataclass(frozen=True)
class Received:
    """Files that were landed: the names of the contents, by hash, and how many files are copies of one of these."""

    names: dict[str, str]
    copies: int


def land_shown(landing: Landing, paths: Sequence[Path], given: Given, console: Console) -> Received:
    """Land files and folders under a bar. Raises NoResultsError where there is nothing to land."""
    found = find_results(paths)
    if not found.count:
        named = ", ".join(str(path) for path in paths)
        beside = f" ({counted(found.describing, 'companion file')}, metadata only)" if found.describing else ""
        raise NoResultsError(f"{named}: no result files{beside}; name a file or a folder that holds some")
    coming: deque[str] = deque()

    def noted() -> Iterator[NamedFile]:
        for file in found:
            coming.append(file.name)
            yield file

    names: dict[str, str] = {}
    copies = 0
    with Watched(console).of("files received", found.count) as tell:
        for file in land_files(landing, noted(), utc_now(), given):
            # What came before under another name is called as it is called now.
            name = coming.popleft()
            copies += file.content_hash in names
            names.setdefault(file.content_hash, name)
            tell()
    if not names:
        raise NoResultsError(f"{', '.join(map(str, paths))}: the files that were there are gone")
    if found.describing:
        console.print(f"[dim]{counted(found.describing, 'companion file')} (metadata only)[/]")
    return Received(names, copies)


def load_shown(settings: Settings, landing: Landing, console: Console, replay: Sequence[str] = ()) -> LoadSummary:
    """Load what has been landed, under a bar while files are loaded."""
    _spare_pandas()
    from perf_assets.ingestion import load_received, published_warehouse, record_received

    watched = Watched(console)
    with watched.steps("Loading"), published_warehouse(settings) as warehouse:
        record_received(warehouse, landing, landing.days())
        summary = load_received(warehouse, landing, settings, watched, replay)
    if summary.anew:
        console.print("Identity or quality settings changed: all files were loaded again")
    return summary


def _spare_pandas() -> None:
    """Let pyarrow make its first array without pandas, which it would load to recognise columns of it: that takes twice
    the time of loading a small file. What has been loaded already stays."""
    if "pandas" in sys.modules:
        return
    import pyarrow

    sys.meta_path.insert(0, _WithoutPandas)
    try:
        pyarrow.array([])
    finally:
        sys.meta_path.remove(_WithoutPandas)


class _WithoutPandas:
    """A finder of modules that refuses one."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def run_shown(
    job: str, settings: Settings, days: Sequence[str], console: Console, replay: Sequence[str] = ()
) -> RunResult:
    """Run a job under a spinner that names its steps, with a bar while files are loaded."""
    from perf_assets.cli.launch import run_job

    today = utc_now().date().isoformat()
    pulling = pulling_steps(settings)
    watched = Watched(console)
    with watched.steps("Loading Dagster") as said:

        def tell(step: StepEnded) -> None:
            if step.error and step.name not in pulling:
                console.print(f"[red]{step.name} failed:[/] {escape(step.error)}", soft_wrap=True)
            elif step.seconds >= 1 or console.is_terminal:
                console.print(f"  [dim]{step.name} {quantity(step.seconds, 's')}[/]")
            said(f"{step.name} done")

        result = run_job(job, settings, sorted({*days, today}), tell, progress=watched, replay=replay)
    if not result.succeeded and not {*result.errors} <= {*pulling}:
        console.print(f"[red]The run failed[/] (id {result.run_id}); `make ui` shows it step by step")
    return result


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(quantity(task.speed, "1/s") if task.speed else "")


class Watched(Progress):
    """Progress as bars on a terminal; where there is none, as lines in the log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Bars | None = None

    @contextmanager
    def steps(self, first: str) -> Iterator[Callable[[str], None]]:
        """A spinner while the block runs; the function changes the text next to it."""
        with self._shown() as bars:
            task = bars.add_task(first, total=None)
            yield lambda text: bars.update(task, description=text)

    @contextmanager
    def of(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        if not self._console.is_terminal:
            with super().of(what, total) as tell:
                yield tell
            return
        with self._shown() as bars:
            task = bars.add_task(what, total=total)
            yield lambda: bars.advance(task)
            bars.remove_task(task)

    @contextmanager
    def _shown(self) -> Iterator[Bars]:
        if self._bars is not None:
            yield self._bars
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console, transient=True) as bars:
            self._bars = bars
            yield bars
        self._bars = None
