"""`state`: where it is and what it holds, backing it up, restoring it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.state.backup import open_backup, write_backup
from perf_assets.state.migrating import VERSIONS
from perf_assets.wording.quantities import number


def show_state(settings: Settings, as_json: bool) -> None:
    """Print place, version of the schema, and rows of each table."""
    with open_state(settings.state) as state:
        counts = state.counts()
    if as_json:
        click.echo(json.dumps({"where": state.where, "version": VERSIONS[-1], "rows": counts}, indent=1))
        return
    click.echo(f"{state.where}, version {VERSIONS[-1]}")
    _print(rows=counts)


def back_up_state(settings: Settings, file: Path, replace: bool) -> None:
    with open_state(settings.state) as state:
        write_backup(state, file, replace)
    click.echo(f"{file} holds what was in {state.where}.")


def restore_state(settings: Settings, file: Path, confirmed: bool) -> bool:
    """Replace the state by a backup; False if the answer was no."""
    with open_backup(file) as backup, open_state(settings.state) as state:
        click.echo(f"Rows in {state.where}, and in {file} which replaces them all:")
        _print(now=state.counts(), backup=backup.counts())
        if not confirmed and not _asked():
            click.echo("Nothing is changed.")
            return False
        backup.copy_to(state)
    click.echo("The state is restored.")
    return True


def _asked() -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("restore replaces the state and asks first; where nobody can answer, say --yes")
    return click.confirm("Replace the state?")


def _print(**counts: Mapping[str, int]) -> None:
    """Rows of each table, a column for each argument."""
    from rich.table import Table

    from perf_assets.cli.console import wide_console

    shown = Table("table", box=None, pad_edge=False)
    for name in counts:
        shown.add_column(name, justify="right")
    for table in next(iter(counts.values())):
        shown.add_row(table, *(number(column[table]) for column in counts.values()))
    wide_console().print(shown)
