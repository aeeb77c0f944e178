"""The way of landed files into the warehouse: a group of them is read, identified, settled and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb

from perf_assets.landing import LandedFile
from perf_assets.warehouse.database import Warehouse
from perf_assets.warehouse.loading.admission import admit
from perf_assets.warehouse.loading.group import Group
from perf_assets.warehouse.loading.identification import identify
from perf_assets.warehouse.loading.quarantine import quarantine
from perf_assets.warehouse.loading.registration import formats_of_loaded, groups_of
from perf_assets.warehouse.loading.repetitions import settle_repetitions
from perf_assets.warehouse.loading.rules import Rules
from perf_assets.warehouse.loading.settlement import settle_with_stored
from perf_assets.warehouse.loading.storing import Loaded, store


def load_files(
    warehouse: Warehouse,
    files: Iterable[LandedFile],
    rules: Rules,
    scratch: Path,
    tell: Callable[[LandedFile], None] = lambda _: None,
) -> Iterator[Loaded]:
    """Read landed files and store what is new in them; those that were loaded before are left alone.

    `scratch` is a folder for what does not fit into memory. `tell` is called with each file once it is stored. What
    was stored before an interruption stays; the rest is loaded by the next call.
    """
    for some in groups_of(files):
        known = formats_of_loaded(warehouse, some)
        for file in some:
            if file.content_hash in known:
                tell(file)
                yield Loaded(file, known[file.content_hash], skipped=True)
        new = {file.content_hash: file for file in some if file.content_hash not in known}
        if new:
            yield from _load(warehouse, new.values(), rules, scratch, tell)


def _load(
    warehouse: Warehouse,
    files: Iterable[LandedFile],
    rules: Rules,
    scratch: Path,
    tell: Callable[[LandedFile], None],
) -> Iterator[Loaded]:
    with ExitStack() as stack:
        group = stack.enter_context(Group(scratch, rules))

        def finished() -> Iterator[Loaded]:
            nonlocal group
            for loaded in load_group(warehouse, group):
                tell(loaded.file)
                yield loaded
            stack.close()
            group = stack.enter_context(Group(scratch, rules))

        for file in files:
            if group.is_full or not group.takes(file):
                yield from finished()
            if not group.read(file):
                if group.files:
                    yield from finished()
                group.read_alone(file)
                yield from finished()
        yield from finished()


def load_group(warehouse: Warehouse, group: Group) -> list[Loaded]:
    """Store the files of a group, in one transaction."""
    if not group.files:
        return []
    stage = group.stage
    try:
        # What needs no warehouse is worked out before its transaction.
        identify(stage)
        quarantine(stage)
        settle_repetitions(stage)
        with warehouse.attached(stage.con):
            admit(stage)
            settle_with_stored(stage)
            return store(stage, group.files)
    except duckdb.Error as error:
        # A scanned file is read by these steps, which so meet what is damaged in it.
        if not group.refuse_scanned(error):
            raise
        return load_group(warehouse, group)
