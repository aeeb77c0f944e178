"""Rows of long tables as measurements, in SQL: identity, run, time, value, context, and what is wrong with a row.

Belongs here: what the columns of a row mean. Does not belong here: how a file becomes rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from perf_assets.catalog import Direction
from perf_assets.formats.measurement import PLACE_RUN, Input, Reason, Rejection, Scan, fragment_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NEEDED = ("timestamp", "metric_name", "metric_value")
_OPTIONAL = (
    "test_name",
    "test_type",
    "node_id",
    "node_type",
    "test_run_id",
    "ci_job_id",
    "context_data",
    "project",
    "branch",
    "unit",
    "commit_id",
    "attempt",
    "benchmark_version",
    "direction",
)
KNOWN = (*NEEDED, *_OPTIONAL)
_FROM_CONTEXT = ("project", "branch", "unit", "commit_id", "attempt", "benchmark_version", "direction")
_OF_ROWS = (*NEEDED, "test_name", "test_type", "node_id", "node_type", "test_run_id", "unit", "attempt")
"""What tells rows and series apart; everything else describes a run."""
IGNORED = ("id",)
_SHOWN = ("timestamp", "metric_name", "metric_value", "attempt", "test_name", "node_id")
"""What of a rejected row is told."""


@dataclass(frozen=True)
class Column:
    """A column of raw rows: what it means (its name in the file where nothing is known), its type, and its SQL."""

    name: str
    type: str
    source: str
    converted: str = ""
    """Where its time or number stands, if that was read when the file was copied: `source` has only what is none."""

    @property
    def sql(self) -> str:
        """Its content as text."""
        if self.converted:
            return f"coalesce({self.source}, {self.converted} :: VARCHAR)"
        if self.type == "VARCHAR":
            return self.source
        nested = self.type.startswith(("STRUCT", "MAP", "UNION")) or self.type.endswith("]")
        return f"{'to_json' if nested else ''}({self.source}) :: VARCHAR"


@dataclass(frozen=True)
class Rows:
    """Where raw rows are: their number among all, and that of the line or row in the file, `first` more."""

    source: str
    number: str
    first: int
    place: str

    def selected(self, columns: Sequence[Column]) -> str:
        line = "line" if self.number == "row" else f"{self.number} + {self.first}"
        named = ", ".join(
            f"{column.source} AS c{place}" + (f", {column.converted} AS c{place}_read" if column.converted else "")
            for place, column in enumerate(columns)
        )
        return _ROWS.format(number=self.number, line=line, columns=named, source=self.source)


def scan_rows(
    con: DuckDBPyConnection, source: Input, rows: Rows, columns: Sequence[Column], broken: Sequence[Rejection] = ()
) -> Scan:
    """The raw rows of a file as measurements; `broken` are its places that are no row."""
    kept = [column for column in columns if column.name not in IGNORED]
    selected = rows.selected(kept)
    named = {
        column.name: replace(column, source=f"c{place}", converted=f"c{place}_read" if column.converted else "")
        for place, column in enumerate(kept)
    }
    expressions = _expressions(named, str(source.zone), _told_by_context(con, named, selected))
    run_key = _run_key(con, named.keys(), _TYPED.format(rows=selected, **expressions))

    def typed(some: str) -> str:
        return _AS_MEASUREMENTS.format(
            typed=_TYPED.format(rows=some, **expressions),
            place=literal(f"{rows.place} "),
            directions=", ".join(literal(direction) for direction in get_args(Direction)),
            run_key=run_key,
        )

    def rejections() -> Iterator[Rejection]:
        # Unlike a relation's, the rows of a connection's last query can be taken a piece at a time.
        found = con.execute(_REJECTED.format(typed=_TYPED.format(rows=selected, **expressions)))
        while some := found.fetchmany(10_000):
            for line, problem, fragment in some:
                field, (reason, remedy) = _PROBLEMS[problem]
                where = f"{rows.place} {line}"
                message = f"{source.name}, {where}, {field}: {remedy}"
                yield Rejection(where, field, reason, message, fragment_of(fragment))

    return Scan(selected, f"{typed(selected)} {_ACCEPTED}", typed, tuple(broken), rejections)


def _told_by_context(con: DuckDBPyConnection, columns: Mapping[str, Column], rows: str) -> list[str]:
    """What the context may say instead of a column: most say little, and reading JSON costs more than all else."""
    if "context_data" not in columns:
        return []
    # A run's text stands in many rows, and DuckDB looks once at what is stored once: with contains, not with patterns.
    text = columns["context_data"].sql
    looks = ", ".join(f"bool_or(contains({text}, {literal(quoted(name))}))" for name in _FROM_CONTEXT)
    mentioned = con.execute(f"SELECT {looks} FROM {rows}").fetchone() or ()  # noqa: S608 - names of this module
    return [name for name, is_there in zip(_FROM_CONTEXT, mentioned, strict=True) if is_there]


def _expressions(columns: Mapping[str, Column], zone: str, told: Sequence[str]) -> dict[str, str]:
    """SQL of what a long table tells, over raw rows; the context may tell `told`."""
    text = {name: columns[name].sql if name in columns else "NULL :: VARCHAR" for name in KNOWN}
    fields = dict(text)
    for name in told:
        inner = f"nullif(trim(TRY(json_extract_string({text['context_data']}, '$.{name}'))), '')"
        fields[name] = f"coalesce(nullif(trim({text[name]}), ''), {inner})" if name in columns else inner
    context = text["context_data"]
    return fields | {
        "bad_direction": _BAD_DIRECTION.format(text=text["direction"]) if "direction" in columns else "false",
        "is_object": f"starts_with(ltrim({context}), '{{')" if "context_data" in columns else "false",
        "has_time": _is_given(columns["timestamp"]),
        "has_value": _is_given(columns["metric_value"]),
        # All that describes a run lies in these, as written: reading the context for each row is what costs.
        "info_key": f"hash({', '.join(['0', *(c.source for name, c in columns.items() if name not in _OF_ROWS)])})",
        "shown": f"concat_ws(', ', {', '.join(text[name] for name in _SHOWN)})",
        "ts": _time(columns["timestamp"], zone),
        "value": value_of(columns["metric_value"]),
        "others": _others(columns),
    }


def _is_given(column: Column) -> str:
    blank = f" AND trim({column.source}) <> ''" if column.type == "VARCHAR" else ""
    return f"({column.source} IS NOT NULL{blank})"


def _time(column: Column, zone: str) -> str:
    if column.converted:
        return column.converted
    if column.type in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"):
        return as_utc(f"{column.source} :: TIMESTAMPTZ")
    if column.type.startswith("TIMESTAMP") or column.type == "DATE":
        naive = f"{column.source} :: TIMESTAMP"
        return naive if zone == "UTC" else as_utc(f"({naive}) AT TIME ZONE {literal(zone)}")
    return PARSED_TIME.format(text=column.sql)


def as_utc(time: str) -> str:
    """SQL of a time with zone as naive UTC, which it is inside: `AT TIME ZONE` would ask a calendar for each."""
    return f"make_timestamp(epoch_us({time}))"


def value_of(column: Column) -> str:
    """SQL of a number; null where there is none."""
    if column.converted:
        return column.converted
    if column.type in _NUMBER_TYPES or column.type.startswith("DECIMAL"):
        return f"{column.source} :: DOUBLE"
    return f"TRY_CAST({column.sql} AS DOUBLE)"


def _others(columns: Mapping[str, Column]) -> str:
    """A JSON object of the columns that have no meaning here."""
    if "" in columns:
        return columns[""].source
    others = [column for name, column in columns.items() if name not in KNOWN]
    # JSON keeps its types; of text, blank is nothing.
    values = [column.source if column.type == "JSON" else f"nullif({column.sql}, '')" for column in others]
    pairs = ", ".join(f"{literal(column.name)}, {value}" for column, value in zip(others, values, strict=True))
    return f"json_object({pairs})" if pairs else "NULL :: VARCHAR"


def _run_key(con: DuckDBPyConnection, names: Set[str], typed: str) -> str:
    """SQL of a row's run: its own, or a hash of time and place with a number among equal rows; most have no equals."""
    if "test_run_id" in names:
        [(without,)] = con.execute(_WITHOUT_RUN.format(typed=typed)).fetchall()
        if not without:
            return "test_run_id"
    con.execute(_REPEATED.format(typed=typed, place=_PLACE))
    return _OWN_OR_DERIVED.format(derived=PLACE_RUN, place=_PLACE)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_NUMBER_TYPES = {
    "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
}  # fmt: skip
_ROWS = "(SELECT {number} AS row, {line} AS line, {columns} FROM {source})"
# ISO 8601 may be written without signs, with commas, and without minutes.
PARSED_TIME = """coalesce(make_timestamp(epoch_us(TRY_CAST(trim({text}) AS TIMESTAMPTZ))),
    CASE WHEN regexp_full_match(trim({text}), '-?[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?')
      THEN TRY(make_timestamp(TRY_CAST(round(
        TRY_CAST({text} AS DOUBLE) * CASE WHEN abs(TRY_CAST({text} AS DOUBLE)) >= 1e17 THEN 1e-3
          WHEN abs(TRY_CAST({text} AS DOUBLE)) >= 1e14 THEN 1 WHEN abs(TRY_CAST({text} AS DOUBLE)) >= 1e11 THEN 1e3
          ELSE 1e6 END) AS BIGINT))) END,
    make_timestamp(epoch_us(TRY_CAST(regexp_replace(regexp_replace(replace(upper(trim({text})), ',', '.'),
      '^([0-9]{{4}})([0-9]{{2}})([0-9]{{2}})T([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})', '\\1-\\2-\\3T\\4:\\5:\\6'),
      'T([0-9]{{2}})(Z|[+-]|$)', 'T\\1:00:00\\2') AS TIMESTAMPTZ))))"""
_TYPED = """
WITH named AS (
  SELECT row, line, {ts} AS ts, {value} AS value, {has_time} AS has_time, {has_value} AS has_value,
    {shown} AS shown, {info_key} AS info_key,
    {metric_name} AS metric_name, {test_name} AS test_name, {test_type} AS test_type, {node_id} AS node_id,
    {node_type} AS node_type, {test_run_id} AS test_run_id, {ci_job_id} AS ci_job_id, {context_data} AS context_data,
    {project} AS project, {branch} AS branch, {unit} AS unit, {commit_id} AS commit_id, {attempt} AS attempt_text,
    {benchmark_version} AS benchmark_version, {direction} AS direction, {others} AS others, {is_object} AS is_object,
    {bad_direction} AS bad_direction
  FROM {rows}
), parsed AS (
  SELECT *, CASE WHEN attempt_text IS NULL THEN 1 ELSE TRY_CAST(attempt_text AS INTEGER) END AS attempt,
    CASE WHEN is_object OR context_data IS NULL THEN context_data
      WHEN trim(context_data) <> '' THEN json_object('context_data', context_data) END AS own_context
  FROM named
)
SELECT *,
  CASE WHEN metric_name IS NULL OR trim(metric_name) = '' THEN 'no metric'
    WHEN value IS NULL THEN CASE WHEN has_value THEN 'bad value' ELSE 'no value' END
    WHEN NOT isfinite(value) THEN 'infinite value'
    WHEN ts IS NULL THEN CASE WHEN has_time THEN 'bad time' ELSE 'no time' END
    WHEN NOT isfinite(ts) THEN 'bad time'
    WHEN attempt IS NULL OR attempt < 1 THEN 'bad attempt'
    WHEN bad_direction THEN 'bad direction'
    WHEN is_object AND NOT json_valid(context_data) THEN 'bad context' END AS problem
FROM parsed
"""
_REJECTED = """
SELECT line, problem, shown FROM ({typed}) WHERE problem IS NOT NULL ORDER BY line
"""
_BAD_DIRECTION = "trim({text}) NOT IN (" + ", ".join(f"'{direction}'" for direction in ("", *get_args(Direction))) + ")"
_NOT_ISO = "write ISO 8601 such as 2026-09-10T06:00:00Z, or epoch seconds"
_PROBLEMS: dict[str, tuple[str, tuple[Reason, str]]] = {
    "no metric": (
        "metric_name",
        ("missing_identity", "a measurement needs the name of its metric; fill the field"),
    ),
    "no value": ("metric_value", ("missing_value", "no value; leave the row out where nothing was measured")),
    "bad value": ("metric_value", ("wrong_type", "not a number; write it with a decimal point and without unit")),
    "infinite value": ("metric_value", ("not_finite", "not a finite number; leave the row out")),
    "no time": ("timestamp", ("missing_time", f"no time; {_NOT_ISO}")),
    "bad time": ("timestamp", ("bad_time", f"not a time; {_NOT_ISO}")),
    "bad attempt": ("attempt", ("wrong_type", "not a whole number from 1; count attempts from 1, or leave it out")),
    "bad direction": (
        "direction",
        ("wrong_type", f"not one of {', '.join(get_args(Direction))}; use one, or leave it out"),
    ),
    "bad context": (
        "context_data",
        ("wrong_type", "not a whole JSON object; correct it, since it may say which branch and unit this is"),
    ),
}
# Without a run id, rows of one time, place and job are one run; equal rows are as many.
_PLACE = """concat_ws(chr(31), ts, coalesce(trim(test_name), chr(30)), coalesce(trim(test_type), chr(30)),
    coalesce(benchmark_version, chr(30)), coalesce(trim(node_id), chr(30)), coalesce(trim(node_type), chr(30)),
    coalesce(branch, chr(30)), coalesce(commit_id, chr(30)), coalesce(ci_job_id, chr(30)))"""
_WITHOUT_RUN = "SELECT count(*) FROM ({typed}) WHERE test_run_id IS NULL OR trim(test_run_id) = ''"
_REPEATED = """
CREATE OR REPLACE TEMP TABLE repeated_rows AS
WITH places AS (
  SELECT row, hash({place}, project, attempt, metric_name, unit, value) AS place FROM ({typed})
  WHERE problem IS NULL AND (test_run_id IS NULL OR trim(test_run_id) = '')
)
SELECT row, row_number() OVER (PARTITION BY place ORDER BY row) AS ordinal
FROM places SEMI JOIN (SELECT place FROM places GROUP BY place HAVING count(*) > 1) USING (place)
QUALIFY ordinal > 1
"""
_OWN_OR_DERIVED = """CASE WHEN trim(test_run_id) <> '' THEN test_run_id
  ELSE concat('{derived}', md5({place}), '#',
    coalesce((SELECT r.ordinal FROM repeated_rows r WHERE r.row = t.row), 1)) END"""
_AS_MEASUREMENTS = """
SELECT row, info_key, {place} || line AS location, metric_name AS metric, value AS raw_value, unit AS raw_unit, ts,
  'result' AS time_source, project, {run_key} AS run_key, attempt, test_name, test_type, benchmark_version, node_id,
  node_type, branch, commit_id, ci_job_id, NULL :: VARCHAR AS run_url,
  CASE WHEN trim(direction) IN ({directions}) THEN trim(direction) END AS direction, NULL :: DOUBLE AS raw_spread,
  NULL :: DOUBLE[] AS raw_replicates, NULL :: VARCHAR AS tags,
  CASE WHEN others IS NULL THEN own_context
    ELSE nullif(json_merge_patch(coalesce(own_context, '{{}}'), others), '{{}}') END :: VARCHAR AS context
FROM ({typed}) t
"""
_ACCEPTED = """
WHERE metric_name IS NOT NULL AND trim(metric_name) <> '' AND isfinite(value) AND isfinite(t.ts) AND t.attempt >= 1
  AND NOT coalesce(is_object AND NOT json_valid(context_data), false) AND NOT coalesce(bad_direction, false)
"""
