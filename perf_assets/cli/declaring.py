"""`epochs`: what people declare of times, kept in the state store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from pydantic import ValidationError

from perf_assets.characters import in_one_line
from perf_assets.cli.listing import as_json_text
from perf_assets.errors import UserError
from perf_assets.landing import utc_now
from perf_assets.settings import CONFIG_FILE, Epoch, Settings
from perf_assets.state import open_state
from perf_assets.warehouse.epochs import epoch_id
from perf_assets.wording.findings import extent
from perf_assets.wording.moments import moment


class DeclarationError(UserError, ValueError):
    """A declaration that cannot be used; the message names option and remedy."""


def show_epochs(settings: Settings, as_json: bool) -> None:
    """Print the epochs of the settings and of people."""
    with open_state(settings.state) as state:
        columns, people = state.rows("epochs")
    own = [epoch.model_dump() | {"epoch_id": "", "declared_by": CONFIG_FILE} for epoch in settings.epochs]
    rows = [tuple(epoch.get(name) for name in columns) for epoch in own] + people
    if as_json:
        click.echo(as_json_text(columns, rows))
    elif not rows:
        click.echo("No epoch is declared.")
    else:
        _print(rows, columns)


def declare_epoch(settings: Settings, declared: Mapping[str, str | None]) -> None:
    """Keep an epoch. Raises DeclarationError.

    Without a time it begins now, unless the same was declared before: a CI step that runs again declares nothing new.
    """
    about = {name: declared[name] for name in ("project", "node_id", "node_type", "test_name", "metric")}
    try:
        epoch = Epoch.model_validate(
            {"at": declared["starts_at"] or utc_now(), "reason": declared["reason"]}
            | {name: value for name, value in about.items() if value is not None}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise DeclarationError(f"--{first['loc'][0]}: {first['msg']} (got {first['input']!r})") from error
    told = epoch.model_dump(exclude={"starts_at", "reason"})
    number = str(epoch_id(epoch))
    with open_state(settings.state) as state:
        columns, rows = state.rows("epochs")
        known = [dict(zip(columns, row, strict=True)) for row in rows]
        same = _same(known, {"reason": epoch.reason, **told}) if declared["starts_at"] is None else None
        if same is not None:
            since = moment(same["starts_at"])
            click.echo(f"Epoch {same['epoch_id']} was declared before, from {since}; --at declares another.")
            return
        state.declare_epoch(number, epoch.starts_at, epoch.reason, declared["declared_by"] or "", utc_now(), **told)
    click.echo(f"Epoch {number} from {moment(epoch.starts_at)} for {extent(epoch)}: {epoch.reason}")
    click.echo("It counts from the next run on.")


def _print(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> None:
    """Without the columns that are empty in all rows."""
    from rich.table import Table
    from rich.text import Text

    from perf_assets.cli.console import wide_console

    used = [place for place in range(len(columns)) if any(row[place] not in (None, "") for row in rows)]
    table = Table(*(columns[place] for place in used), box=None, pad_edge=False)
    for row in rows:
        values = [row[place] for place in used]
        table.add_row(*(Text("" if value is None else in_one_line(str(value))) for value in values))
    wide_console().print(table)


def _same(known: Sequence[Mapping[str, Any]], declared: Mapping[str, str | None]) -> Mapping[str, Any] | None:
    """The newest of the known epochs that says the same."""
    alike = [row for row in known if all((row[name] or "") == (value or "") for name, value in declared.items())]
    return max(alike, key=lambda row: row["starts_at"], default=None)


def withdraw_epoch(settings: Settings, epoch_id: str) -> bool:
    """Take an epoch back; False where there is none of this id."""
    with open_state(settings.state) as state:
        withdrawn = state.withdraw_epoch(epoch_id)
    if withdrawn:
        click.echo(f"Epoch {epoch_id} is withdrawn. From the next run on values are compared as before.")
    return withdrawn
