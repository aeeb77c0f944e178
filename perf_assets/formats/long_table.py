"""Long tables, one measurement a row, with the columns of `performance_metrics`: CSV, JSON Lines, Parquet and Arrow.

Columns: `timestamp`, `metric_name` and `metric_value` are needed; `test_name, test_type, node_id, node_type,
test_run_id, ci_job_id, context_data` are used where they are there, as are `project, branch, unit, commit_id,
attempt, benchmark_version, direction`, which may also stand in the JSON object `context_data`. Upper and lower case
are one unless a table has both. Other columns become context.

Series: project, metric, test, test type, node, node type. Value and unit: `unit`, else the catalogue's. Time:
`timestamp`, ISO 8601 (naive is UTC) or epoch seconds or finer. Run: `test_run_id` and attempt, else a hash of
time, test, node and job: of different values of one metric there each after the smallest is a run of its own, and so
is the second of equal rows. Rows with an unusable field are rejected one by one.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from perf_assets.formats.head import Head
from perf_assets.formats.long_rows import (
    IGNORED,
    KNOWN,
    NEEDED,
    PARSED_TIME,
    Column,
    Rows,
    as_utc,
    literal,
    quoted,
    scan_rows,
    value_of,
)
from perf_assets.formats.measurement import (
    MEASUREMENTS,
    Chunk,
    Format,
    FormatError,
    Input,
    Rejection,
    Scan,
    unreadable,
)
from perf_assets.formats.text_tables import (
    MOST_COLUMNS,
    BrokenLine,
    Row,
    as_meant,
    check_width,
    read_csv,
    read_header,
    read_json_lines,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ARROW_FILE, _ARROW_STREAM = b"ARROW1", b"\xff\xff\xff\xff"
_ROWS_IN_A_CHUNK = 100_000
_FIRST_LINES = 10_000
_MOST_KINDS = 1_000
"""Of JSON objects by their keys: files whose lines differ more are read by Python."""


def _is_parquet(head: Head) -> bool:
    return head.content[:4] == b"PAR1"


def _is_arrow(head: Head) -> bool:
    is_stream = head.content.startswith(_ARROW_STREAM) and b"metric_" in head.content
    return is_stream or head.content.startswith(_ARROW_FILE)


def _is_json_lines(head: Head) -> bool:
    first = head.first_line.lower()
    return first[:1] == "{" and ('"metric_name"' in first or '"metric_value"' in first)


def _is_csv(head: Head) -> bool:
    if _is_parquet(head) or _is_arrow(head):
        return False
    first = head.first_line.lower()
    # A table of these two would be taken for another one, and is told what its columns must be called.
    is_alike = {"metric", "value"} <= set(re.split(r"[\s,;|\"]+", first))
    return first[:1] not in ("{", "[") and ("metric_name" in first or "metric_value" in first or is_alike)


def _reader(scan: Callable[[DuckDBPyConnection, Input, Path], Scan]) -> Callable[[Input], Iterator[Chunk]]:
    """The same file in chunks, for those who want rows and have no database."""

    def read(source: Input) -> Iterator[Chunk]:
        import duckdb

        with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as con:
            scanned = scan(con, source, Path(scratch))
            try:
                yield Chunk(MEASUREMENTS.empty_table(), (*scanned.broken, *scanned.rejections()))
                rows = con.sql(_IN_ORDER.format(columns=", ".join(MEASUREMENTS.names), accepted=scanned.accepted))
                for batch in rows.to_arrow_reader(_ROWS_IN_A_CHUNK):
                    yield Chunk(pa.Table.from_batches([batch]).cast(MEASUREMENTS))
            except duckdb.Error as error:
                raise unreadable(source.name, error) from error

    return read


def _scan_parquet(con: DuckDBPyConnection, source: Input, scratch: Path) -> Scan:
    import duckdb

    _prepare(con, source)
    file = _READ_PARQUET.format(file=literal(str(source.path)))
    try:
        described = con.execute(_DESCRIBE.format(rows=file)).fetchall()
        described = [(name, type_) for name, type_, *_ in described if name != "file_row_number"]
        meant = as_meant([name for name, _ in described], KNOWN)
        columns = [Column(meant.get(name, name), type_, quoted(name)) for name, type_ in described]
        _check_columns(source, columns)
        _check_no_duration(source)
        # Whether all of it can be read; the footer tells only what ought to be there.
        needed = ", ".join(column.source for column in columns if column.name not in IGNORED)
        con.execute(_READ_ALL.format(columns=needed, rows=file)).fetchall()
        return scan_rows(con, source, Rows(file, "file_row_number", 1, "row"), columns)
    except duckdb.Error as error:
        raise unreadable(source.name, error) from error


def _scan_arrow(con: DuckDBPyConnection, source: Input, scratch: Path) -> Scan:
    import duckdb

    _prepare(con, source)
    try:
        with pa.memory_map(str(source.path)) as file, _opened_arrow(file) as reader:
            names = reader.schema.names
            meant = as_meant(names, KNOWN)
            columns = [Column(meant.get(name, name), "", f"c{place}") for place, name in enumerate(names)]
            _check_columns(source, columns)
            for number, table in enumerate(chain([reader.schema.empty_table()], _tables(reader))):
                # DuckDB trusts what a file says of its own texts and lists.
                table.validate(full=True)
                known = _known_to_duckdb(table)
                con.register("piece", known.rename_columns([column.source for column in columns]))
                con.execute("INSERT INTO raw_rows FROM piece" if number else "CREATE TEMP TABLE raw_rows AS FROM piece")
                con.unregister("piece")
    except (pa.ArrowException, OSError, UnicodeError, duckdb.Error) as error:
        raise unreadable(source.name, error) from error
    described = con.execute(_DESCRIBE.format(rows="raw_rows")).fetchall()
    columns = [Column(c.name, type_, c.source) for c, (_, type_, *_) in zip(columns, described, strict=True)]
    return scan_rows(con, source, Rows("raw_rows", "rowid", 1, "row"), columns)


def _opened_arrow(file: pa.NativeFile) -> pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader:
    is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)


def _tables(reader: pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader) -> Iterator[pa.Table]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        batches = iter(reader)
    for batch in batches:
        yield pa.Table.from_batches([batch])


def _known_to_duckdb(table: pa.Table) -> pa.Table:
    """A table whose numbers have types that DuckDB has as well."""
    types = [_number_type(type_) for type_ in table.schema.types]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def _number_type(type_: pa.DataType) -> pa.DataType:
    return pa.float64() if pa.types.is_float16(type_) or pa.types.is_decimal256(type_) else type_


def _check_no_duration(source: Input) -> None:
    """To DuckDB a duration in Parquet is a whole number of whatever unit it was written in."""
    import pyarrow.parquet as pq

    try:
        kind = pq.read_schema(source.path).field("metric_value").type
    except (pa.ArrowException, OSError, KeyError):
        # What Arrow cannot read DuckDB may.
        return
    if pa.types.is_duration(kind):
        raise FormatError(
            "wrong_type",
            f"{source.name}: metric_value has the type {kind}; write it as a number, in the unit that `unit` names",
        )


def _scan_csv(con: DuckDBPyConnection, source: Input, scratch: Path) -> Scan:
    import duckdb

    _prepare(con, source)
    header = read_header(source.path, source.name)
    meant = as_meant(header.names, KNOWN)
    columns = [Column(meant.get(name, name), "VARCHAR", f"c{place}") for place, name in enumerate(header.names)]
    _check_columns(source, columns)
    kept = [column for column in columns if column.name not in IGNORED]

    def table(time_type: str) -> str:
        types = {column.source: time_type if column.name == "timestamp" else "VARCHAR" for column in columns}
        return _CSV_TABLE.format(
            file=literal(str(source.path)),
            columns=", ".join(f"{name}: '{type_}'" for name, type_ in types.items()),
            delimiter=literal(header.delimiter),
            skip=header.line - 1,
        )

    try:
        rows = _copy(con, source, scratch / _COPY, table, kept)
        if _has_a_line_each(source.path, rows + header.line):
            return scan_rows(con, source, _copied(scratch, header.line + 1), _with_converted(kept))
    except duckdb.Error:
        # Something in it is no CSV: the slower reader tells what and where, and reads the rest.
        pass
    broken = _fill(con, len(columns), read_csv(source.path, header))
    return scan_rows(con, source, Rows("raw_rows", "row", 0, "line"), columns, _rejections(source, broken))


def _scan_json_lines(con: DuckDBPyConnection, source: Input, scratch: Path) -> Scan:
    import duckdb

    _prepare(con, source)
    try:
        columns = _json_columns(con, source)

        def table(time_type: str) -> str:
            types = {c.name: time_type if c.name == "timestamp" else c.type for c in columns}
            return _JSON_TABLE.format(
                file=literal(str(source.path)),
                columns=", ".join(f"{literal(name)}: '{type_}'" for name, type_ in types.items()),
                named=", ".join(f"{quoted(column.name)} AS {column.source}" for column in columns),
            )

        if columns:
            _copy(con, source, scratch / _COPY, table, columns)
            return scan_rows(con, source, _copied(scratch, 1), _with_converted(columns))
    except duckdb.Error:
        # Something in it is no JSON object; as above.
        pass
    columns = [Column(name, "VARCHAR", f"c{place}") for place, name in enumerate(KNOWN)]
    others = Column("", "VARCHAR", f"c{len(KNOWN)}")
    broken = _fill(con, len(columns) + 1, read_json_lines(source.path, KNOWN))
    counts = (
        con.execute(_COUNT_VALUES.format(columns=", ".join(f"count({c.source})" for c in columns))).fetchone() or ()
    )
    found = [column for column, count in zip(columns, counts, strict=True) if count or column.name in NEEDED]
    return scan_rows(con, source, Rows("raw_rows", "row", 0, "line"), [*found, others], _rejections(source, broken))


def _json_columns(con: DuckDBPyConnection, source: Input) -> list[Column]:
    """The columns of a file with a like object on each line; none where lines are no objects or differ too much."""
    objects = _OBJECTS.format(file=literal(str(source.path)))
    # Most files have in all their lines the keys of the first ones, which hashes tell without lists.
    first = _kinds_of(con, _FIRST_OBJECTS.format(objects=objects, lines=_FIRST_LINES))
    counted = con.execute(_KINDS.format(objects=objects, most=_MOST_KINDS + 1)).fetchall()
    if not 0 < len(counted) <= _MOST_KINDS:
        return []
    found = {kind for kind, _, _ in counted}
    lines, size = sum(lines for _, lines, _ in counted), sum(size for _, _, size in counted)
    # Where nothing but a line feed follows each object, lines need no counting.
    with_feeds = size + lines - (not _ends_with_feed(source.path))
    if source.path.stat().st_size != with_feeds and not _has_a_line_each(source.path, lines):
        return []
    kinds = first if found <= first.keys() else _kinds_of(con, objects)
    names = sorted({name for kind in kinds.values() for name in kind or ()})
    if None in kinds.values():
        return []
    # To DuckDB upper and lower case are one.
    alike = len({name.lower() for name in names}) < len(names) or bool(as_meant(names, KNOWN))
    if not set(NEEDED) <= set(names) or alike or len(names) > MOST_COLUMNS:
        return []
    # What has no meaning here keeps its type.
    return [
        Column(name, "VARCHAR" if name in KNOWN else "JSON", f"c{place}")
        for place, name in enumerate(names)
        if name not in IGNORED
    ]


def _kinds_of(con: DuckDBPyConnection, objects: str) -> dict[int, list[str] | None]:
    """The keys of JSON objects by their hash; None for what is no object."""
    return dict(con.execute(_ALL_KINDS.format(objects=objects)).fetchall())


def _copy(
    con: DuckDBPyConnection, source: Input, target: Path, table: Callable[[str], str], columns: Sequence[Column]
) -> int:
    """Copy a table of text to Parquet; the number of its rows. `table` gives its SQL with the type of its times.

    DuckDB reads times in passing where all are ISO 8601; others are text and are read one by one.
    """
    import duckdb

    values = next(column for column in columns if column.name == "metric_value")
    times = next(column for column in columns if column.name == "timestamp")
    others = ", ".join(column.source for column in columns if column not in (values, times))
    rest = f", {others}" if others else ""
    # Its readers take times without a zone for UTC, whatever zone is set.
    quick = [("TIMESTAMPTZ", as_utc("{text}"))] if str(source.zone) == "UTC" else []
    for time_type, read in (*quick, ("VARCHAR", PARSED_TIME)):
        copy = _COPY_TO.format(
            table=table(time_type), rest=rest, value=values.source, time=times.source, target=literal(str(target)),
            read_value=value_of(values), read_time=read.format(text=times.source),
        )  # fmt: skip
        try:
            [(rows,)] = con.execute(copy).fetchall()
        except duckdb.Error:
            if time_type == "VARCHAR":
                raise
        else:
            return int(rows)
    raise AssertionError("the last type either gives rows or raises")


def _with_converted(columns: Sequence[Column]) -> list[Column]:
    return [
        replace(column, converted=f"{column.source}_read") if column.name in ("timestamp", "metric_value") else column
        for column in columns
    ]


def _copied(scratch: Path, first: int) -> Rows:
    """Rows that were copied to Parquet, a line each, beginning at line `first`."""
    return Rows(_READ_PARQUET.format(file=literal(str(scratch / _COPY))), "file_row_number", first, "line")


def _ends_with_feed(file: Path) -> bool:
    with file.open("rb") as source:
        source.seek(-1, os.SEEK_END)
        return source.read() == b"\n"


def _has_a_line_each(file: Path, expected: int) -> bool:
    """Whether a file has this many lines, so that the numbers of its rows tell their lines."""
    lines, last = 0, b"\n"
    with file.open("rb") as source:
        while piece := source.read(1 << 22):
            if b"\r" in piece and piece.count(b"\r") != piece.count(b"\r\n") and not piece.endswith(b"\r"):
                return False
            lines, last = lines + piece.count(b"\n"), piece[-1:]
    return lines + (last != b"\n") == expected


def _fill(con: DuckDBPyConnection, width: int, rows: Iterable[Row | BrokenLine]) -> list[BrokenLine]:
    """Write rows to `raw_rows`, a piece at a time; the lines that are no row are given back."""
    schema = pa.schema(
        [("row", pa.int64()), ("line", pa.int64()), *((f"c{place}", pa.string()) for place in range(width))]
    )
    con.execute("DROP TABLE IF EXISTS raw_rows")
    con.register("piece", schema.empty_table())
    con.execute("CREATE TEMP TABLE raw_rows AS FROM piece")
    broken: list[BrokenLine] = []
    written = 0
    good = _good(iter(rows), broken)
    while piece := list(islice(good, _ROWS_IN_A_CHUNK)):
        numbers = range(written, written + len(piece))
        fields = zip(*(row.fields for row in piece), strict=True)
        columns = [numbers, [row.line for row in piece], *fields]
        con.register(
            "piece", pa.table([pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)], schema=schema)
        )
        con.execute("INSERT INTO raw_rows FROM piece")
        written += len(piece)
    con.unregister("piece")
    return broken


def _good(rows: Iterator[Row | BrokenLine], broken: list[BrokenLine]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, Row):
            yield row
        else:
            broken.append(row)


def _rejections(source: Input, broken: Iterable[BrokenLine]) -> list[Rejection]:
    return [
        Rejection(
            f"line {line.line}",
            "",
            line.reason,
            f"{source.name}, line {line.line}: {line.problem}; correct the line and send the file again",
            line.fragment,
        )
        for line in broken
    ]


def _prepare(con: DuckDBPyConnection, source: Input) -> None:
    """Times without a zone are in that of the source; nothing is left of a scan before."""
    con.execute(f"SET TimeZone = {literal(str(source.zone))}")
    con.execute("DROP TABLE IF EXISTS raw_rows")


def _check_columns(source: Input, columns: Sequence[Column]) -> None:
    check_width(source.name, len(columns))
    names = [column.name for column in columns]
    for name in NEEDED:
        if name not in names:
            raise FormatError(
                "missing_identity",
                f"{source.name}: no column {name!r}; a long table needs {', '.join(NEEDED)}, this one has "
                f"{', '.join(names)[:300]}; name them so and send it again",
            )


_DESCRIBE = "DESCRIBE SELECT * FROM {rows}"
_READ_ALL = "SELECT bit_xor(hash({columns})) FROM {rows}"
_READ_PARQUET = "read_parquet({file}, binary_as_string => true, file_row_number => true)"
_COPY = "rows.parquet"
"""Text is copied once: every later look at it reads only the columns it needs, and equal values once."""
_CSV_TABLE = """read_csv({file}, columns = {{{columns}}}, auto_detect = false, delim = {delimiter}, quote = '"',
    escape = '"', header = true, skip = {skip}, strict_mode = true)"""
_JSON_TABLE = """(SELECT {named} FROM read_json({file}, columns = {{{columns}}}, format = 'newline_delimited',
    maximum_object_size = 16777216))"""
_OBJECTS = "read_ndjson_objects({file}, maximum_object_size = 16777216)"
_KINDS = """
SELECT hash(json_keys(json)) AS kind, count(*), sum(strlen(json)) FROM {objects} GROUP BY kind LIMIT {most}
"""
_ALL_KINDS = """
SELECT hash(json_keys(json)) AS kind, any_value(CASE WHEN json_type(json) = 'OBJECT' THEN json_keys(json) END)
FROM {objects} GROUP BY kind
"""
_FIRST_OBJECTS = "(SELECT json FROM {objects} LIMIT {lines})"
# Of times and numbers the text is kept only where it is none.
_COPY_TO = """
COPY (
  SELECT {read_time} AS {time}_read, CASE WHEN {time}_read IS NULL THEN {time} :: VARCHAR END AS {time},
    {read_value} AS {value}_read, CASE WHEN {value}_read IS NULL THEN {value} END AS {value}{rest}
  FROM {table})
TO {target} (FORMAT parquet, COMPRESSION uncompressed, WRITE_BLOOM_FILTER false)
"""
_COUNT_VALUES = "SELECT {columns} FROM raw_rows"
_IN_ORDER = "SELECT {columns} FROM ({accepted}) ORDER BY row"


PARQUET = Format("long-table-parquet", _is_parquet, _reader(_scan_parquet), scan=_scan_parquet)
ARROW = Format("long-table-arrow", _is_arrow, _reader(_scan_arrow), scan=_scan_arrow)
JSON_LINES = Format("long-table-jsonl", _is_json_lines, _reader(_scan_json_lines), scan=_scan_json_lines)
CSV = Format("long-table-csv", _is_csv, _reader(_scan_csv), scan=_scan_csv)


def write_parquet(table: pa.Table, file: Path) -> None:
    """Write a long table so that equal content gives equal bytes (with one version of pyarrow)."""
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd", use_dictionary=True, write_statistics=True)
