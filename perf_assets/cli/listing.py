"""Finding tables for people and, as JSON, for programs.

Nothing here loads pandas: to import it takes longer than to read and print a table.
"""

from __future__ import annotations

import json
import math
from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from perf_assets.characters import in_one_line
from perf_assets.errors import UserError
from perf_assets.wording.quantities import counted, missing, number

if TYPE_CHECKING:
    import pandas as pd

    from perf_assets.settings import Settings


@dataclass(frozen=True)
class Listing:
    """A SELECT over the snapshot; by the name of each filter a condition with its value as `$value`; the order; which
    rows are significant, the others being shown with --all; and what is said where there are no rows.
    """

    select: str
    filters: Mapping[str, str]
    order: str
    nothing: str
    significant: str = "true"


_ROWS_SHOWN = 50
PLACES_IN_ORDER = "name, TRY_CAST(regexp_extract(location, '[0-9]+') AS HUGEINT), location, quarantine_id"
"""SQL that sorts entries of the quarantine: line 9 before line 10."""


def _equal(**columns: str) -> dict[str, str]:
    return {name: f"{column} = $value" for name, column in columns.items()}


def _within(column: str) -> dict[str, str]:
    """A number of days before the newest measurement."""
    return {"days": f"{column} >= as_of - to_days($value :: INTEGER)"}


_PLACE = _equal(project="project", metric="metric", test="test_name", test_type="test_type", node="node_id")
_OF_SERIES = "s.title, s.project, s.metric, s.unit, s.test_name, s.test_type, s.node_id, s.simulated"
_NEWEST = "(SELECT project, max(as_of) AS as_of FROM metric_series GROUP BY project) USING (project)"
LISTINGS = {
    "regressions": Listing(
        f"""SELECT r.*, s.test_type, as_of FROM regressions r
        LEFT JOIN (SELECT series_id, test_type FROM metric_series) s USING (series_id)
        LEFT JOIN {_NEWEST}""",  # noqa: S608 - a clause of this module
        _PLACE | _within("first_bad_at"),
        "first_bad_at DESC, members DESC, regression_id",
        "No change is known",
    ),
    "causes": Listing(
        f"""SELECT r.project, r.metric, r.test_name, s.test_type, r.node_id, r.first_bad_at, as_of, c.*
        FROM regression_causes c JOIN regressions r USING (regression_id)
        LEFT JOIN (SELECT series_id, test_type FROM metric_series) s USING (series_id)
        LEFT JOIN {_NEWEST}""",  # noqa: S608 - a clause of this module
        _PLACE | _within("first_bad_at"),
        "first_bad_at DESC, regression_id, rank",
        "No regression that has not recovered could be compared",
    ),
    "trends": Listing(
        f"SELECT {_OF_SERIES}, t.* FROM metric_trends t JOIN metric_series s USING (series_id)",  # noqa: S608
        _PLACE,
        "q_value NULLS LAST, abs(change_per_week) DESC, series_id",
        "No trend is known",
        "verdict IN ('better', 'worse', 'rising', 'falling')",
    ),
    "forecast": Listing(
        f"SELECT {_OF_SERIES}, b.* FROM breach_outlook b JOIN metric_series s USING (series_id)",  # noqa: S608
        _PLACE,
        "level_by_30 DESC, value_by_30 DESC, breach_date NULLS LAST, title",
        "No series with a limit is forecast",
        "already_breached OR level_by_30 >= 0.05 OR value_by_30 >= 0.5",
    ),
    "stopped": Listing(
        """SELECT t.*, s.metric, s.test_name, s.test_type, s.node_id, s.as_of,
        epoch(s.as_of - t.last_seen) / 86400 AS silent_days
        FROM stopped_reporting t JOIN metric_series s USING (series_id)""",
        _PLACE | _within("last_seen"),
        "verdict DESC, last_seen DESC, title",
        "No series has stopped reporting",
    ),
    "anomalies": Listing(
        f"""SELECT {_OF_SERIES}, s.as_of, a.*, NULL :: VARCHAR AS metrics, NULL :: DOUBLE AS q_value
        FROM anomalies a JOIN metric_series s USING (series_id)
        UNION ALL BY NAME
        SELECT j.project, j.node_id, j.episode_start, j.episode_end, j.buckets, j.metrics, j.q_value, p.as_of,
          p.simulated
        FROM joint_anomalies j JOIN (
          SELECT project, max(as_of) AS as_of, bool_or(simulated) AS simulated FROM metric_series GROUP BY project
        ) p USING (project)""",  # noqa: S608 - a clause of this module
        _PLACE
        | {"metric": "(metric = $value OR list_contains(string_split(metrics, ', '), $value))"}
        | _within("episode_end"),
        "episode_start DESC, score DESC, title, node_id",
        "No series has left what its past made likely",
    ),
    "patterns": Listing(
        f"""SELECT {_OF_SERIES}, p.*, c.changed_at, c.sentence
        FROM seasonal_patterns p JOIN metric_series s USING (series_id)
        LEFT JOIN (SELECT series_id, period, changed_at, sentence FROM pattern_changes WHERE q_value <= 0.05) c
          USING (series_id, period)""",  # noqa: S608
        _PLACE,
        "strength DESC NULLS LAST, title, period",
        "No series is long enough for a pattern to be seen",
        "significant",
    ),
    "correlations": Listing(
        "SELECT * FROM metric_correlations",
        _equal(project="project", node="node_id") | {"metric": "$value IN (metric_a, metric_b)"},
        "q_value, abs(rho) DESC, project, node_id, metric_a, metric_b",
        "No metrics move together",
        "q_value < 0.05",
    ),
    "insights": Listing("SELECT * FROM key_insights", _equal(project="project"), "rank", "No insights"),
    "nodes": Listing(
        "SELECT * FROM node_scores",
        _equal(project="project", node="node_id", node_type="node_type"),
        "project, rank, node_id",
        "No nodes can be compared",
    ),
    "recommendations": Listing(
        "SELECT * FROM recommendations", _equal(project="project"), "rank", "No recommendations"
    ),
}


@dataclass(frozen=True)
class Rows:
    """The first rows of a query, how many there are without a limit, and how many more are not significant."""

    columns: tuple[str, ...]
    values: Sequence[tuple[Any, ...]]
    total: int
    insignificant: int

    def named(self) -> Iterable[Any]:
        """Rows as named tuples, their texts as a terminal may show them."""
        row = namedtuple("Row", self.columns, rename=True)  # type: ignore[misc]
        for values in self.values:
            yield row(*(in_one_line(value) if isinstance(value, str) else value for value in values))


def show_listing(
    settings: Settings, name: str, filters: Mapping[str, str], limit: int | None, everything: bool, as_json: bool
) -> None:
    """Print one of LISTINGS, without a limit all of it as JSON; `filters` by the names that it has."""
    import click

    listing = LISTINGS[name]
    rows = read_listing(settings, listing, filters, limit or (None if as_json else _ROWS_SHOWN), everything or as_json)
    if as_json:
        click.echo(as_json_text(rows.columns, rows.values))
        return
    if not rows.values:
        wanted = " and ".join(_asked(field, value) for field, value in filters.items())
        click.echo(f"{listing.nothing}{' for ' + wanted if wanted else ''}.")
    else:
        from perf_assets.cli.console import wide_console
        from perf_assets.report import listings

        wide_console().print(getattr(listings, name)(rows.named()))
    if rows.total > len(rows.values):
        click.echo(f"{number(len(rows.values))} of {number(rows.total)}; --limit shows more")
    if rows.insignificant:
        click.echo(f"{counted(rows.insignificant, 'row')} without evidence not shown; --all shows them")


def _asked(field: str, value: str) -> str:
    return f"the last {counted(int(value), 'day')}" if field == "days" else f"{field.replace('_', ' ')} {value}"


def read_listing(
    settings: Settings, listing: Listing, filters: Mapping[str, str], limit: int | None, everything: bool
) -> Rows:
    """The first rows, those that are significant or all."""
    from duckdb import BinderException

    from perf_assets.warehouse import open_snapshot

    conditions = [listing.filters[name].replace("$value", f"${name}") for name in filters]
    wanted = f"FROM ({listing.select}) WHERE {' AND '.join(['true', *conditions])}"
    shown = "true" if everything else f"coalesce({listing.significant}, false)"
    with open_snapshot(settings.snapshots) as con:
        try:
            [(total, every)] = con.execute(
                f"SELECT count(*) FILTER ({shown}), count(*) {wanted}", {**filters}
            ).fetchall()
            sql = f"SELECT * {wanted} AND {shown} ORDER BY {listing.order} LIMIT $limit"
            found = con.execute(sql, {**filters, "limit": total if limit is None else limit})
            columns = tuple(name for name, *_ in found.description or ())
            return Rows(columns, found.fetchall(), int(total), int(every - total))
        except BinderException as error:
            raise UserError(
                "the newest results were analysed by another version; run `perf-assets run` first"
            ) from error


def as_json_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """JSON records; 64-bit ids as strings (JavaScript loses their last digits), times as ISO 8601, missing as null."""
    records = [{name: _json_value(name, value) for name, value in zip(columns, row, strict=True)} for row in rows]
    return json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False)


def frame_as_json(table: pd.DataFrame) -> str:
    return as_json_text(list(table.columns), table.astype(object).itertuples(index=False, name=None))


def _json_value(name: str, value: Any) -> object:
    if missing(value) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value) if name.endswith("_id") else value
