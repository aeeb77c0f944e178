"""`quarantine`: what could not be read, and reading it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perf_assets.characters import in_one_line
from perf_assets.cli.console import wide_console
from perf_assets.cli.listing import PLACES_IN_ORDER
from perf_assets.errors import UserError
from perf_assets.landing import Landing
from perf_assets.settings import Settings
from perf_assets.wording.moments import minute
from perf_assets.wording.quantities import counted, number


class UnknownEntryError(UserError, ValueError):
    """An id that is not in quarantine, or a reason that there is none of."""


def show_quarantine(settings: Settings, reason: str | None, name: str | None, limit: int, as_json: bool) -> None:
    """Print entries, newest first."""
    entries, total = _entries(settings, reason, name, limit)
    console = wide_console()
    if as_json:
        console.print_json(json.dumps(entries, default=str))
        return
    if not entries:
        console.print("Nothing is in quarantine." if not (reason or name) else "No quarantined results match.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "reason", "first seen", "times"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what", overflow="fold")
    for entry in entries:
        seen = minute(entry["first_seen"])
        table.add_row(entry["quarantine_id"], entry["reason"], seen, str(entry["times_seen"]), _message(entry))
    console.print(table)
    if total > len(entries):
        console.print(f"{number(len(entries))} of {number(total)}; --limit shows more")


def _message(entry: dict[str, Any]) -> str:
    return escape(in_one_line(entry["message"]))


def show_entry(settings: Settings, quarantine_id: str, as_json: bool) -> bool:
    """Print all about one entry; whether there is such a one."""
    entries, _ = _entries(settings, None, None, None)
    entry = next((entry for entry in entries if entry["quarantine_id"] == quarantine_id), None)
    if entry is None:
        return False
    landed = Landing(settings.landing).find(entry["content_hash"])
    entry["landed"] = str(landed.path) if landed else None
    console = Console()
    if as_json:
        console.print_json(json.dumps(entry, default=str))
        return True
    for field, value in entry.items():
        console.print(f"[bold]{field.replace('_', ' '):>14}[/]  {escape(_printable(str(value)))}", soft_wrap=True)
    return True


def _printable(text: str) -> str:
    """Text of any file without what a terminal would obey."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)


def replay_files(settings: Settings, ids: Sequence[str], reason: str | None, name: str | None) -> int:
    """Read the files of entries again; the number of results still in quarantine."""
    # Imported here, as listing what is in quarantine needs no formats.
    from perf_assets.cli.ingesting import show_loaded
    from perf_assets.cli.showing import Received, load_shown

    console = Console()
    entries, _ = _entries(settings, reason, name, None)
    if ids:
        known = {entry["quarantine_id"] for entry in entries}
        for asked in ids:
            if asked not in known:
                raise UnknownEntryError(
                    f"nothing in quarantine has the id {asked}; `perf-assets quarantine list` lists it"
                )
        entries = [entry for entry in entries if entry["quarantine_id"] in ids]
    landing = Landing(settings.landing)
    hashes = sorted({entry["content_hash"] for entry in entries})
    names = {file.content_hash: file.name for each in hashes if (file := landing.find(each)) is not None}
    if not names:
        console.print("Nothing is in quarantine that could be read again.")
        return 0
    console.print(f"Reading {counted(len(names), 'file')} again")
    load_shown(settings, landing, console, replay=list(names))
    return show_loaded(settings, Received(names, 0), set(), as_json=False)


def _check_reason(reason: str) -> None:
    from perf_assets.formats.measurement import Reason

    if reason not in get_args(Reason):
        raise UnknownEntryError(f"Unknown reason {reason!r}; use one of {', '.join(sorted(get_args(Reason)))}")


def _entries(
    settings: Settings, reason: str | None, name: str | None, limit: int | None
) -> tuple[list[dict[str, Any]], int]:
    """Entries as dictionaries, ids as text, and how many there are without a limit. Raises UnknownEntryError for a
    reason that none can have.
    """
    from perf_assets.warehouse import open_snapshot

    if reason is not None:
        _check_reason(reason)

    with open_snapshot(settings.snapshots) as con:
        found = con.execute(
            f"""SELECT quarantine_id :: VARCHAR AS quarantine_id, reason, name, location, field, message, fragment,
              content_hash, first_seen, times_seen, count(*) OVER () AS total
            FROM quarantined_results
            WHERE ($reason IS NULL OR reason = $reason)
              AND ($name IS NULL OR name GLOB $name OR name GLOB '*/' || $name
                OR name GLOB $name || '/*' OR name GLOB '*/' || $name || '/*')
            ORDER BY first_seen DESC, {PLACES_IN_ORDER} LIMIT $most""",  # noqa: S608 - a clause of listing
            {"reason": reason, "name": name, "most": limit or 1 << 62},
        )
        columns = [column for column, *_ in found.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    total = rows[0]["total"] if rows else 0
    for row in rows:
        del row["total"]
    return rows, total
