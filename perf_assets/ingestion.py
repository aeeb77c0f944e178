"""Bringing landed files into the warehouse, as the command `ingest` and the Dagster assets both do.

Belongs here: the order of the steps. Does not belong here: what a step does (landing, warehouse), who watches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf_assets.catalog import load_catalog
from perf_assets.landing import Landing
from perf_assets.progress import Progress
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.loading import (
    Loaded,
    Rules,
    follow_rules,
    forget_files,
    load_files,
    not_loaded,
    record_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_assets.settings import Settings


@dataclass(frozen=True)
class LoadSummary:
    """What became of all files of a call: `files` were new; `anew`: everything was loaded again because the settings
    of identity or quality have changed."""

    files: int = 0
    new_measurements: int = 0
    new_series: int = 0
    results_without_a_value: int = 0
    anew: bool = False


@contextmanager
def published_warehouse(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse; a snapshot is published if the block ends well."""
    warehouse = Warehouse(settings.database, settings.snapshots)
    yield warehouse
    warehouse.publish()


def record_received(warehouse: Warehouse, landing: Landing, days: Iterable[str]) -> int:
    """Bring `raw_results` up to date with landing for some days of receipt (YYYY-MM-DD); the number of their files."""
    wanted = set(days)
    return record_files(warehouse, landing.files(wanted), wanted)


def load_received(
    warehouse: Warehouse, landing: Landing, settings: Settings, progress: Progress, replay: Sequence[str] = ()
) -> LoadSummary:
    """Load all landed files that have not been loaded, of whatever day, so that what an interrupted call has left is
    loaded by the next one; files whose content hashes are in `replay` are read again."""
    rules = Rules(load_catalog(settings.metrics_file), settings.identity, settings.quality)
    anew = follow_rules(warehouse, rules)
    forget_files(warehouse, replay)
    new = not_loaded(warehouse, landing.files())
    with progress.of("files loaded", len(new)) as advance:
        return _summed(load_files(warehouse, new, rules, settings.scratch, lambda _: advance()), anew)


def _summed(loaded: Iterable[Loaded], anew: bool) -> LoadSummary:
    # Not kept as a list: there may be hundreds of thousands.
    files = measurements = series = without = 0
    for file in loaded:
        files += 1
        measurements += file.new_measurements
        series += file.new_series
        without += sum(number for _, number in file.omitted)
    return LoadSummary(files, measurements, series, without, anew)
