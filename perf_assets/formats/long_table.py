"""Long tables, one measurement a row, with the columns of `performance_metrics`: CSV, JSON Lines and Parquet.

Columns: `timestamp`, `metric_name` and `metric_value` are needed; `test_name, test_type, node_id, node_type,
test_run_id, ci_job_id, context_data` are used where they are there, as are `project, branch, unit, commit_id, attempt,
benchmark_version, direction`, which may also stand in the JSON object `context_data`. Other columns become context.

Series: project, metric, test, test type, node, node type. Value and unit: `unit`, else the catalogue's. Time:
`timestamp`, ISO 8601 (naive is UTC) or epoch seconds or milliseconds. Run: `test_run_id` and attempt, else a hash of
time, test, node and job with an ordinal among equal metrics. Rows with an unusable field are rejected one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pyarrow as pa

from perf_assets.catalog import Catalog, Direction, canonical_unit
from perf_assets.formats.measurement import (
    MEASUREMENTS,
    Chunk,
    Format,
    FormatError,
    Input,
    Reason,
    Rejection,
    fragment_of,
)
from perf_assets.formats.text_tables import TextTable, read_csv, read_json_lines

if TYPE_CHECKING:
    import duckdb

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
_FROM_CONTEXT = ("project", "branch", "unit", "commit_id", "attempt", "benchmark_version", "direction")
_IGNORED = ("id",)
_ROWS_IN_A_CHUNK = 1_000_000


def _is_parquet(head: bytes, name: str) -> bool:
    return head[:4] == b"PAR1"


def _first_line_of(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").replace(b"\r", b"\n").split(b"\n", 1)[0]


def _is_json_lines(head: bytes, name: str) -> bool:
    first = _first_line_of(head)
    return first[:1] == b"{" and (b'"metric_name"' in first or b'"metric_value"' in first)


def _is_csv(head: bytes, name: str) -> bool:
    first = _first_line_of(head)
    return first[:1] not in (b"{", b"[") and (b"metric_name" in first or b"metric_value" in first)


def _read_parquet(source: Input) -> Iterator[Chunk]:
    import duckdb

    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        try:
            described = con.execute(_DESCRIBE_PARQUET, [str(source.path)]).fetchall()
            names = [name for name, *_ in described]
            _check_columns(source, names)
            types = [type_ for _, type_, *_ in described]
            con.execute(_SELECT_PARQUET.format(columns=_as_text_columns(names, types)), [str(source.path)])
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise FormatError(
                "unreadable", f"{source.name}: not a whole Parquet file ({reason}); write or fetch it again"
            ) from error
        yield from _measurements(con, source, names, "row", [])


def _read_csv(source: Input) -> Iterator[Chunk]:
    yield from _read_text(source, read_csv(source.path.read_bytes(), source.name))


def _read_json_lines(source: Input) -> Iterator[Chunk]:
    yield from _read_text(source, read_json_lines(source.path.read_bytes()))


def _read_text(source: Input, text: TextTable) -> Iterator[Chunk]:
    import duckdb

    _check_columns(source, text.names)
    rejections = [
        Rejection(
            f"line {line.line}",
            "",
            line.reason,
            f"{source.name}, line {line.line}: {line.problem}; correct the line and send the file again",
            line.fragment,
        )
        for line in text.broken
    ]
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("raw", pa.table([text.lines, *text.columns], names=["row", *_identifiers(text.names)]))
        yield from _measurements(con, source, text.names, "line", rejections)


def _check_columns(source: Input, names: Sequence[str]) -> None:
    for name in NEEDED:
        if name not in names:
            raise FormatError(
                "missing_identity",
                f"{source.name}: no column {name!r}; a long table needs {', '.join(NEEDED)}, this one has "
                f"{', '.join(names)[:300]}",
            )


def _identifiers(names: Sequence[str]) -> list[str]:
    """What columns are called in SQL, where upper and lower case are one: those with a meaning as they are."""
    return [name if name in (*NEEDED, *_OPTIONAL) else f"extra_{position}" for position, name in enumerate(names)]


def _as_text_columns(names: Sequence[str], types: Sequence[str]) -> str:
    return ", ".join(
        f"{'to_json' if _is_nested(type_) else ''}({_quoted(name)})::VARCHAR AS {identifier}"
        for name, type_, identifier in zip(names, types, _identifiers(names), strict=True)
    )


def _is_nested(type_: str) -> bool:
    return type_.startswith(("STRUCT", "MAP", "UNION")) or type_.endswith("]")


def _measurements(
    con: duckdb.DuckDBPyConnection, source: Input, names: Sequence[str], place: str, rejections: list[Rejection]
) -> Iterator[Chunk]:
    """Validate table `raw` (all text, and `row`) and turn it into chunks; what is unusable becomes rejections."""
    con.execute(_TYPED.format(**_column_expressions(names)))
    con.register("units", _units(con, source.catalog))
    for row, problem, fragment in con.execute(_REJECTED).fetchall():
        field, (reason, remedy) = _PROBLEMS[problem]
        where = f"{place} {row}"
        message = f"{source.name}, {where}, {field}: {remedy}"
        rejections.append(Rejection(where, field, reason, message, fragment_of(fragment)))
    yield Chunk(MEASUREMENTS.empty_table(), tuple(rejections))
    accepted = con.sql(_ACCEPTED, params={"place": f"{place} ", "directions": list(get_args(Direction))})
    for batch in accepted.to_arrow_reader(_ROWS_IN_A_CHUNK):
        yield Chunk(pa.Table.from_batches([batch]).cast(MEASUREMENTS))


def _column_expressions(names: Sequence[str]) -> dict[str, str]:
    columns = {}
    for name in (*NEEDED, *_OPTIONAL):
        own = f"nullif(trim({name}), '')" if name in names else "NULL"
        if name in _FROM_CONTEXT and "context_data" in names:
            own = f"coalesce({own}, nullif(trim(json_extract_string(described, '$.{name}')), ''))"
        columns[name] = f"({own})::VARCHAR"
    columns["described"] = (
        "CASE WHEN json_valid(context_data) THEN context_data END" if "context_data" in names else "NULL"
    )
    extra = [pair for pair in zip(names, _identifiers(names), strict=True) if pair[1].startswith("extra_")]
    pairs = ", ".join(
        f"{_literal(name)}, nullif({identifier}, '')" for name, identifier in extra if name not in _IGNORED
    )
    columns["extra"] = f"json_object({pairs})" if pairs else "NULL"
    return columns


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _units(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> pa.Table:
    written = con.execute("SELECT DISTINCT metric_name, unit FROM typed WHERE metric_name IS NOT NULL").fetchall()
    raw = [unit if unit is not None else catalog[metric].unit for metric, unit in written]
    canonical = [canonical_unit(unit) for unit in raw]
    return pa.table(
        {
            "metric_name": pa.array([metric for metric, _ in written], pa.string()),
            "written": pa.array([unit for _, unit in written], pa.string()),
            "raw_unit": pa.array(raw, pa.string()),
            "canonical": pa.array([unit.unit for unit in canonical], pa.string()),
            "factor": pa.array([unit.factor for unit in canonical], pa.float64()),
        }
    )


_DESCRIBE_PARQUET = "DESCRIBE SELECT * FROM read_parquet(?, binary_as_string => true)"
_SELECT_PARQUET = """CREATE TEMP TABLE raw AS
SELECT row_number() OVER () AS row, {columns} FROM read_parquet(?, binary_as_string => true)"""

_TYPED = """
CREATE TEMP TABLE typed AS
WITH opened AS (
  SELECT *, {described} AS described FROM raw
), named AS (
  SELECT row, {timestamp} AS time_text, {metric_name} AS metric_name, {metric_value} AS value_text,
    {test_name} AS test_name, {test_type} AS test_type, {node_id} AS node_id, {node_type} AS node_type,
    {test_run_id} AS test_run_id, {ci_job_id} AS ci_job_id, {context_data} AS context_data, described,
    {project} AS project, {branch} AS branch, {unit} AS unit, {commit_id} AS commit_id, {attempt} AS attempt_text,
    {benchmark_version} AS benchmark_version, {direction} AS direction, {extra} AS extra
  FROM opened
), parsed AS (
  SELECT *, TRY_CAST(value_text AS DOUBLE) AS value,
    CASE WHEN attempt_text IS NULL THEN 1 ELSE TRY_CAST(attempt_text AS INTEGER) END AS attempt,
    CASE WHEN regexp_full_match(time_text, '-?[0-9]+([.][0-9]*)?')
      THEN TRY(make_timestamp(TRY_CAST(round(TRY_CAST(time_text AS DOUBLE)
        * CASE WHEN abs(TRY_CAST(time_text AS DOUBLE)) >= 1e11 THEN 1000 ELSE 1000000 END) AS BIGINT)))
      ELSE TRY_CAST(time_text AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END AS ts,
    CASE WHEN json_type(described) = 'OBJECT' THEN context_data
      WHEN context_data IS NOT NULL THEN json_object('context_data', context_data) END AS own_context
  FROM named
)
SELECT * EXCLUDE (own_context, described, extra),
  CASE WHEN extra IS NULL THEN own_context
    ELSE nullif(json_merge_patch(coalesce(own_context, '{{}}'), extra), '{{}}') END::VARCHAR AS context,
  CASE WHEN metric_name IS NULL THEN 'no metric'
    WHEN value_text IS NULL THEN 'no value' WHEN value IS NULL THEN 'bad value'
    WHEN NOT isfinite(value) THEN 'infinite value'
    WHEN time_text IS NULL THEN 'no time' WHEN ts IS NULL OR NOT isfinite(ts) THEN 'bad time'
    WHEN attempt IS NULL OR attempt < 1 THEN 'bad attempt' END AS problem
FROM parsed
"""

_REJECTED = """
SELECT row, problem, concat_ws(', ', time_text, metric_name, value_text, attempt_text, test_name, node_id)
FROM typed WHERE problem IS NOT NULL ORDER BY row
"""

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
}

# Without a run id, rows of one time, place and job are one run; a metric that it has twice makes it two.
_ACCEPTED = """
WITH good AS (
  SELECT *, concat_ws(chr(31), ts, coalesce(test_name, chr(30)), coalesce(test_type, chr(30)),
    coalesce(benchmark_version, chr(30)), coalesce(node_id, chr(30)), coalesce(node_type, chr(30)),
    coalesce(branch, chr(30)), coalesce(commit_id, chr(30)), coalesce(ci_job_id, chr(30))) AS place
  FROM typed WHERE problem IS NULL
), keyed AS (
  SELECT *, test_run_id AS run_key FROM good WHERE test_run_id IS NOT NULL
  UNION ALL
  SELECT *, md5(place) || '#' || row_number() OVER (PARTITION BY place, project, attempt, metric_name, unit
    ORDER BY value) FROM good WHERE test_run_id IS NULL
)
SELECT $place || row AS location, ts, 'result' AS time_source, coalesce(project, 'default') AS project,
  k.metric_name AS metric, u.canonical AS unit, value * u.factor AS value, value AS raw_value, u.raw_unit, run_key,
  attempt, test_name, test_type, benchmark_version, node_id, node_type, branch, commit_id, ci_job_id,
  NULL::VARCHAR AS run_url, CASE WHEN list_contains($directions::VARCHAR[], direction) THEN direction END AS direction,
  NULL::DOUBLE AS spread, NULL::DOUBLE[] AS replicates, NULL::VARCHAR AS tags, context
FROM keyed k JOIN units u ON u.metric_name = k.metric_name AND u.written IS NOT DISTINCT FROM k.unit
"""


PARQUET = Format("long-table-parquet", _is_parquet, _read_parquet)
JSON_LINES = Format("long-table-jsonl", _is_json_lines, _read_json_lines)
CSV = Format("long-table-csv", _is_csv, _read_csv)


def write_parquet(table: pa.Table, file: Path) -> None:
    """Write a long table so that equal content gives equal bytes (with one version of pyarrow)."""
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd", use_dictionary=True, write_statistics=True)
