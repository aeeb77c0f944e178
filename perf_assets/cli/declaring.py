"""`epochs`: what people declare of times, kept in the state store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import pandas as pd
from pydantic import ValidationError

from perf_assets.cli.listing import frame_as_json
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
        people = state.epochs()
    rows = [epoch.model_dump() | {"epoch_id": "", "declared_by": CONFIG_FILE} for epoch in settings.epochs]
    table = pd.concat([pd.DataFrame(rows).reindex(columns=people.columns), people], ignore_index=True)
    if as_json:
        click.echo(frame_as_json(table))
    elif table.empty:
        click.echo("No epoch is declared.")
    else:
        shown = table.dropna(axis="columns", how="all").astype(object)
        click.echo(shown.where(shown.notna(), "").to_string(index=False))


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
        same = _same(state.epochs(), {"reason": epoch.reason, **told}) if declared["starts_at"] is None else None
        if same is not None:
            click.echo(
                f"Epoch {same.epoch_id} was declared before, from {moment(same.starts_at)}; --at declares another."
            )
            return
        state.declare_epoch(number, epoch.starts_at, epoch.reason, declared["declared_by"] or "", utc_now(), **told)
    click.echo(f"Epoch {number} from {moment(epoch.starts_at)} for {extent(epoch)}: {epoch.reason}")
    click.echo("It counts from the next run on.")


def _same(known: pd.DataFrame, told: Mapping[str, str | None]) -> Any:
    """The newest of the known epochs that was told the same of."""
    alike = [row for row in known.sort_values("starts_at").itertuples()
             if all(_text(getattr(row, name)) == (value or "") for name, value in told.items())]  # fmt: skip
    return alike[-1] if alike else None


def _text(value: object) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def withdraw_epoch(settings: Settings, epoch_id: str) -> bool:
    """Take an epoch back; False where there is none of this id."""
    with open_state(settings.state) as state:
        withdrawn = state.withdraw_epoch(epoch_id)
    if withdrawn:
        click.echo(f"Epoch {epoch_id} is withdrawn. From the next run on values are compared as before.")
    return withdrawn
