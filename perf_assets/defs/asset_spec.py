"""What all assets share: a table of the warehouse with its columns, pool, owners, and a preview as metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from perf_assets.tables import Table
from perf_assets.wording.quantities import number

OWNERS = ["team:performance"]
POOL = "warehouse"
RECEIVED_DAY = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_offset=1, timezone="UTC")
"""The day (UTC) on which results were received, today included."""

_PREVIEW_ROWS = 10
_PREVIEW_COLUMNS = 7
"""More would be cut off at the right edge of the UI's window."""
_PREVIEW_CHARACTERS = 60


def table_schema(table: Table) -> dg.TableSchema:
    columns = [dg.TableColumn(column.name, column.type, column.meaning) for column in table.columns]
    return dg.TableSchema(columns=columns)


def table_spec(
    table: Table, group: str, deps: Sequence[str | dg.AssetDep], kinds: set[str], description: str, **more: Any
) -> dg.AssetSpec:
    """The spec of an asset that is one table of the warehouse."""
    return dg.AssetSpec(
        key=table.name,
        deps=deps,
        group_name=group,
        kinds={"duckdb", *kinds},
        owners=OWNERS,
        description=f"{table.meaning} {description}".strip(),
        metadata={"dagster/column_schema": table_schema(table), "key": ", ".join(table.key)},
        **more,
    )


def outcome(rows: pd.DataFrame, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Metadata of a materialised table: its row count, a preview, and what the asset adds."""
    return {"dagster/row_count": len(rows), "preview": dg.MetadataValue.md(_preview(rows)), **(more or {})}


def _preview(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "No rows."
    hashes = {name for name in rows.columns if str(name).endswith("_id") and rows[name].dtype.kind == "i"}
    telling = [name for name in rows.columns if name not in hashes]
    columns = telling[:_PREVIEW_COLUMNS]
    shown = rows[columns].head(_PREVIEW_ROWS).astype(object).map(_cell)
    lines = ["| " + " | ".join(map(str, shown.columns)) + " |", "|" + " --- |" * shown.shape[1]]
    lines += ["| " + " | ".join(row) + " |" for row in shown.itertuples(index=False)]
    more = f", {len(rows.columns) - len(columns)} more columns" if len(columns) < len(rows.columns) else ""
    return "\n".join([*lines, "", f"First {len(shown)} of the rows{more}."])


def _cell(value: object) -> str:
    if value is None or value is pd.NaT or value != value:
        return ""
    text = number(value, 6) if isinstance(value, float) else str(value)
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= _PREVIEW_CHARACTERS else text[: _PREVIEW_CHARACTERS - 1] + "…"
