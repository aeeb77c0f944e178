"""Finding tables for people and, as JSON, for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from perf_assets.errors import UserError
from perf_assets.settings import Settings
from perf_assets.wording.quantities import number


@dataclass(frozen=True)
class Listing:
    """A SELECT over the snapshot, the columns it can be filtered by, its order, and what is said where it is empty."""

    select: str
    filters: tuple[str, ...]
    order: str
    nothing: str


_ROWS_SHOWN = 50
_PLACE = ("metric", "test_name", "node_id")
LISTINGS = {
    "regressions": Listing(
        "SELECT * FROM regressions", _PLACE, "first_bad_at DESC, members DESC", "No change is known"
    ),
    "causes": Listing(
        """SELECT r.metric, r.test_name, r.node_id, r.first_bad_at, c.* FROM regression_causes c
        JOIN regressions r USING (regression_id)""",
        _PLACE,
        "first_bad_at DESC, regression_id, rank",
        "No open regression can be compared",
    ),
    "trends": Listing(
        """SELECT s.title, s.project, s.metric, s.unit, s.test_name, s.node_id, s.simulated, t.*
        FROM metric_trends t JOIN metric_series s USING (series_id)""",
        _PLACE,
        "q_value NULLS LAST, abs(change_per_week) DESC",
        "No trend is known",
    ),
    "forecast": Listing(
        """SELECT s.title, s.project, s.metric, s.unit, s.test_name, s.node_id, s.simulated, b.*
        FROM breach_outlook b JOIN metric_series s USING (series_id)""",
        _PLACE,
        "level_by_30 DESC, value_by_30 DESC, breach_date NULLS LAST, title",
        "No series with a limit is forecast",
    ),
    "stopped": Listing(
        """SELECT t.*, s.metric, s.test_name, s.node_id, epoch(s.as_of - t.last_seen) / 86400 AS silent_days
        FROM stopped_reporting t JOIN metric_series s USING (series_id)""",
        _PLACE,
        "verdict DESC, last_seen DESC, title",
        "No series has stopped reporting",
    ),
    "correlations": Listing(
        "SELECT * FROM metric_correlations", ("node_id",), "q_value, abs(rho) DESC", "No metrics move together"
    ),
    "insights": Listing("SELECT * FROM key_insights", (), "rank", "No insights"),
    "nodes": Listing("SELECT * FROM node_scores", ("node_id",), "project, rank, node_id", "No nodes can be compared"),
    "recommendations": Listing("SELECT * FROM recommendations", (), "rank", "There is nothing to do"),
}


def show_listing(settings: Settings, name: str, filters: Mapping[str, str], limit: int | None, as_json: bool) -> None:
    """Print one of LISTINGS, without a limit all of it as JSON; a filter that it does not have is an error."""
    import click

    listing = LISTINGS[name]
    unknown = [field for field in filters if field not in listing.filters]
    if unknown:
        raise click.UsageError(f"{name} cannot be filtered by {unknown[0].split('_')[0]}")
    table, total = read_listing(settings, listing, filters, limit or (None if as_json else _ROWS_SHOWN))
    if as_json:
        click.echo(as_json_text(table))
        return
    if table.empty:
        wanted = " and ".join(f"{field.split('_')[0]} {value}" for field, value in filters.items())
        click.echo(f"{listing.nothing}{' for ' + wanted if wanted else ''}.")
        return
    from perf_assets.cli.showing import wide_console
    from perf_assets.report import terminal

    wide_console().print(getattr(terminal, f"{name}_table")(table))
    if total > len(table):
        click.echo(f"{number(len(table))} of {number(total)}; --limit shows more")


def read_listing(
    settings: Settings, listing: Listing, filters: Mapping[str, str], limit: int | None
) -> tuple[pd.DataFrame, int]:
    """The first rows, and how many there are without a limit."""
    from duckdb import BinderException

    from perf_assets.warehouse import open_snapshot

    wanted = " AND ".join(f"{field} = ?" for field in filters)
    found = f"FROM ({listing.select}) {'WHERE ' + wanted if wanted else ''}"
    with open_snapshot(settings.snapshots) as con:
        try:
            [(total,)] = con.execute(f"SELECT count(*) {found}", [*filters.values()]).fetchall()
            sql = f"SELECT * {found} ORDER BY {listing.order} LIMIT ?"
            return con.execute(sql, [*filters.values(), total if limit is None else limit]).df(), int(total)
        except BinderException as error:
            raise UserError(
                "the newest results were analysed by another version; run `perf-assets run` first"
            ) from error


def as_json_text(table: pd.DataFrame) -> str:
    """JSON records; 64-bit ids as strings (JavaScript loses their last digits), times as ISO 8601, missing as null."""
    rows = [
        {name: _json_value(name, value) for name, value in zip(table.columns, row, strict=True)}
        for row in table.astype(object).itertuples(index=False, name=None)
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)


def _json_value(name: str, value: Any) -> object:
    if pd.isna(value) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value) if name.endswith("_id") else value
