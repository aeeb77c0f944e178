"""`ingest`: land and load files, and say what became of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perf_assets.characters import in_one_line
from perf_assets.cli.console import wide_console
from perf_assets.cli.listing import PLACES_IN_ORDER
from perf_assets.cli.showing import Received, land_shown, load_shown
from perf_assets.errors import UserError
from perf_assets.formats.measurement import parse_time
from perf_assets.landing import Given, Landing
from perf_assets.settings import Settings
from perf_assets.wording.findings import branches_without_series
from perf_assets.wording.quantities import counted, number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
_FILES_SHOWN = 200
_FILES_AT_ONCE = 2_000
_MESSAGES_SHOWN, _NAMES_SHOWN = 10, 5
_OF_FILES = "SEMI JOIN (SELECT unnest($hashes :: VARCHAR[]) AS content_hash) USING (content_hash)"


class GivenError(UserError, ValueError):
    """An option that says something unusable of the files."""


def ingest_files(settings: Settings, paths: Sequence[Path], given: Mapping[str, Any], as_json: bool) -> int:
    """Land and load files; prints a line a file; the number of results in quarantine.

    Dagster is not started: the next run finds the files loaded, and records them.
    """
    told = _checked(given)
    console = Console(stderr=as_json)
    landing = Landing(settings.landing)
    received = land_shown(landing, paths, told, console)
    known = loaded_hashes(settings, list(received.names))
    load_shown(settings, landing, console)
    return show_loaded(settings, received, known, as_json)


def _checked(options: Mapping[str, Any]) -> Given:
    """What is blank is not given: it is what a variable of CI leaves that is not set."""
    given = Given(**{name: None if str(value).strip() == "" else value for name, value in options.items()})
    if given.ts is not None and parse_time(given.ts) is None:
        raise GivenError(f"--time {given.ts}: not a time; write ISO 8601 such as 2026-09-10T06:00:00Z")
    if given.timezone is not None:
        try:
            ZoneInfo(given.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise GivenError(f"--timezone {given.timezone}: no such zone; write it like Europe/Berlin") from error
    return given


def loaded_hashes(settings: Settings, hashes: Sequence[str]) -> set[str]:
    """Which of these files have been loaded so far, by their content hashes."""
    from perf_assets.warehouse import NoSnapshotError, open_snapshot

    try:
        with open_snapshot(settings.snapshots) as con:
            query = f"SELECT content_hash FROM batches {_OF_FILES}"  # noqa: S608 - a clause of this module
            return {content_hash for (content_hash,) in con.execute(query, {"hashes": hashes}).fetchall()}
    except NoSnapshotError:
        return set()  # before the first run


def show_loaded(settings: Settings, received: Received, known: Set[str], as_json: bool) -> int:
    """Print what became of files, those of `known` being loaded before; the number of results in quarantine."""
    from perf_assets.warehouse import open_snapshot
    from perf_assets.warehouse.branches import other_branches
    from perf_assets.warehouse.names import unstable_names

    console = wide_console()
    hashes = list(received.names)
    with open_snapshot(settings.snapshots) as con:
        messages = _messages(con, hashes)
        replaced = _replaced(con, hashes)
        changing = unstable_names(con)
        others = other_branches(con, hashes)
        rows = _outcomes(con, received.names, known)
        if as_json:
            files = list(rows)
            outcome = {
                "files": files, "replaced": replaced, "changing_names": [name._asdict() for name in changing],
                "other_branches": others._asdict(),
            }  # fmt: skip
            console.print_json(json.dumps(outcome, default=str))
            return replaced + sum(int(row["quarantined"]) for row in files)
        quarantined = _show_files(console, rows, len(hashes))
    if received.copies:
        console.print(f"{counted(received.copies, 'duplicate file')} skipped")
    if others.measurements:
        stored = f"{branches_without_series(others)} are stored but not analysed"
        kept = f"{stored}; add their branches to `branches` under [identity]"
        console.print(f"[yellow]no series[/] {escape(in_one_line(kept))}", soft_wrap=True)
    for message in messages:
        console.print(f"[yellow]quarantined[/] {escape(in_one_line(message))}", soft_wrap=True)
    if replaced:
        console.print(f"{counted(replaced, 'previously stored value')} replaced by values from these files")
    if quarantined + replaced > len(messages):
        results = counted(quarantined + replaced, "result")
        console.print(f"{results} in all went to quarantine: `perf-assets quarantine list`")
    for name in changing[:_NAMES_SHOWN]:
        console.print(f"[yellow]a name that changes[/] {escape(in_one_line(name.message))}", soft_wrap=True)
    return quarantined + replaced


def _outcomes(con: DuckDBPyConnection, names: Mapping[str, str], known: Set[str]) -> Iterator[dict[str, Any]]:
    """What became of each file, a piece of them at a time: there may be hundreds of thousands."""
    waiting = iter(names)
    while some := list(islice(waiting, _FILES_AT_ONCE)):
        batches = con.execute(
            f"""SELECT content_hash, format, measurements, new_measurements, series, new_series, quarantined, omitted
            FROM batches {_OF_FILES}""",  # noqa: S608 - a clause of this module
            {"hashes": some},
        ).fetchall()
        loaded = {row[0]: row[1:] for row in batches}
        for content_hash in some:
            format_name, measurements, new, series, new_series, quarantined, omitted = loaded[content_hash]
            before = content_hash in known
            yield {
                "file": names[content_hash],
                "content_hash": content_hash,
                "format": format_name,
                "measurements": measurements,
                "new_measurements": 0 if before else new,
                "new_series": 0 if before else new_series,
                "known_series": series if before else series - new_series,
                "quarantined": quarantined,
                "without_value": json.loads(omitted) if omitted else {},
                "loaded_before": before,
            }


def _replaced(con: DuckDBPyConnection, hashes: Sequence[str]) -> int:
    """How many values of other files are in quarantine because one of these files has another."""
    row = con.execute(
        """SELECT count(*) FROM quarantined_results
        WHERE kept_hash IN (SELECT unnest($hashes :: VARCHAR[]))
          AND content_hash NOT IN (SELECT unnest($hashes :: VARCHAR[]))""",
        {"hashes": hashes},
    ).fetchone()
    return int(row[0]) if row else 0


def _messages(con: DuckDBPyConnection, hashes: Sequence[str]) -> list[str]:
    """What went to quarantine from files, and what was replaced by a value of theirs."""
    found = con.execute(
        f"""SELECT message FROM quarantined_results
        WHERE content_hash IN (SELECT unnest($hashes :: VARCHAR[]))
          OR kept_hash IN (SELECT unnest($hashes :: VARCHAR[]))
        ORDER BY {PLACES_IN_ORDER} LIMIT $most""",  # noqa: S608 - a clause of this module
        {"hashes": hashes, "most": _MESSAGES_SHOWN},
    ).fetchall()
    return [message for (message,) in found]


def _show_files(console: Console, rows: Iterable[Mapping[str, Any]], count: int) -> int:
    """Print `count` rows and their sums; returns how many results are in quarantine."""
    sums: Counter[str] = Counter()
    without: Counter[str] = Counter()

    def summed() -> Iterator[Mapping[str, Any]]:
        for row in rows:
            sums.update({name: row[name] for name in ("measurements", "new_measurements", "new_series", "quarantined")})
            without.update(row["without_value"])
            yield row

    # What needs a look comes first where not all can be shown.
    shown = (
        list(summed())
        if count <= _FILES_SHOWN
        else nlargest(_FILES_SHOWN, summed(), key=lambda row: int(row["quarantined"]))
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("format", overflow="fold")
    for heading in ("rows", "new", "series new", "known", "quarantined"):
        table.add_column(heading, justify="right")
    for row in shown:
        table.add_row(
            escape(in_one_line(row["file"])),
            row["format"] or "unknown",
            number(row["measurements"]),
            "loaded before" if row["loaded_before"] else number(row["new_measurements"]),
            number(row["new_series"]),
            number(row["known_series"]),
            number(row["quarantined"]),
        )
    console.print(table)
    if count > len(shown):
        console.print(f"... and {counted(count - len(shown), 'more file')} (all with --json)")
    no_value = ", ".join(f"{number(count)} {outcome}" for outcome, count in sorted(without.items()))
    new, series, failed = (number(sums[name]) for name in ("new_measurements", "new_series", "quarantined"))
    console.print(
        f"{counted(count, 'file')}: {counted(sums['measurements'], 'row')}, {new} of them new; {series} new series; "
        f"{failed} in quarantine" + (f"; without a value: {no_value}" if no_value else ""),
        soft_wrap=True,
    )
    return sums["quarantined"]
