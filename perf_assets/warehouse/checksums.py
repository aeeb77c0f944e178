"""A checksum of each table's content, the same on every machine that analysed the same files."""

from __future__ import annotations

import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.tables import TABLES, Column, Table

# Receipt is when, not what: a rebuilt warehouse keeps it, another machine has its own.
_RECEIPT_COLUMNS = {"received_at", "received_day", "receipts", "first_seen", "times_seen"}


_CHECKSUM = "SELECT count(*), coalesce(sum(md5_number_lower(concat_ws(chr(31), {fields})) :: HUGEINT), 0) FROM {table}"


def checksums(con: DuckDBPyConnection) -> pd.DataFrame:
    """One row a table: table, rows, checksum. Floats count to 12 significant digits, the order of rows does not."""
    found = [(table.name, *_checksum(con, table)) for table in TABLES]
    return pd.DataFrame(found, columns=["table", "rows", "checksum"])


def _checksum(con: DuckDBPyConnection, table: Table) -> tuple[int, str]:
    fields = ", ".join(_text(column) for column in table.columns if column.name not in _RECEIPT_COLUMNS)
    row = con.execute(_CHECKSUM.format(fields=fields, table=table.name)).fetchone()
    rows, total = row or (0, 0)
    return rows, f"{int(total) & 0xFFFFFFFFFFFFFFFF:016x}"


def _text(column: Column) -> str:
    name = f'"{column.name}"'
    if column.type == "DOUBLE":
        return f"coalesce(CASE WHEN {name} = 0 THEN '0' ELSE format('{{:.11e}}', {name}) END, chr(30))"
    if column.type == "DOUBLE[]":
        return f"coalesce(list_transform({name}, lambda x: format('{{:.11e}}', x)) :: VARCHAR, chr(30))"
    return f"coalesce({name} :: VARCHAR, chr(30))"
