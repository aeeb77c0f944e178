"""A table of the warehouse: its key, its columns, their types, units and meaning.

Types are limited to what a DuckLake catalog can hold: no keys, sequences or indexes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """`key` is what makes a row unique, for readers and for tests."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    def names_without(self, *left_out: str) -> tuple[str, ...]:
        """The names of all columns but some, in order."""
        unknown = set(left_out) - set(self.names)
        if unknown:
            raise ValueError(f"table {self.name} has no column {sorted(unknown)[0]!r}")
        return tuple(name for name in self.names if name not in left_out)

    @property
    def ddl(self) -> str:
        columns = ", ".join(f'"{column.name}" {column.type}' for column in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns})"


def table(name: str, meaning: str, key: str, columns: str) -> Table:
    """A Table from lines `name TYPE meaning`."""
    parsed = [line.split(maxsplit=2) for line in columns.strip().splitlines()]
    return Table(name, meaning, tuple(key.split()), tuple(Column(*parts) for parts in parsed))
