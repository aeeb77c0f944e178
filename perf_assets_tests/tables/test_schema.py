"""Schemas: every table once, with a key of its own columns, and lists of columns that follow it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from perf_assets import advice, analysis, tables
from perf_assets.tables import ANOMALIES, TABLES, Table


def test_every_table_is_listed_once_and_has_a_key() -> None:
    defined = [name for name, table in vars(tables).items() if isinstance(table, Table)]
    # The view has a schema too, and is no table.
    assert len(TABLES) == len({table.name for table in TABLES}) == len(defined) - 1
    for table in TABLES:
        assert set(table.key) <= set(table.names)
        assert len(set(table.names)) == len(table.names)
        assert all(column.meaning for column in table.columns)


def test_some_names_are_left_out_in_order() -> None:
    assert ANOMALIES.names_without("side", "buckets") == tuple(
        name for name in ANOMALIES.names if name not in ("side", "buckets")
    )
    with pytest.raises(ValueError, match="anomalies has no column 'edge'"):
        ANOMALIES.names_without("edge")


def test_no_list_of_columns_repeats_a_schema() -> None:
    schemas = {table.names for table in TABLES}
    for room in (analysis, advice):
        for file in Path(str(room.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Tuple):
                    written = tuple(getattr(element, "value", None) for element in node.elts)
                    assert written not in schemas, f"{file.name}: {written}"
