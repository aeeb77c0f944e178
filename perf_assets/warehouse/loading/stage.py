"""A database in memory that holds the rows of a group of files until they are stored.

Tables and views of the stage that the steps of loading read:

- `accepted_rows`: every row that could be read, with the columns of MEASUREMENTS, its number `row`, its `part` and
  `info_key`, a hash of what describes its run; `wanted_rows`: the same of the rows that table `wanted` has.
- `parts`: what was received. `series_dims`: one row a series as it was written, `run_rows`: one a run as it was
  described; what many rows have in common is worked out once, so that a row costs only its numbers.
- `facts`: one row a measurement. `reported_elsewhere`: measurements of files whose fact is that of another file.
- `quarantine`: what is not stored, and why; `refused`: how many rows of each part are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from perf_assets.formats.measurement import LONGEST_NAME, MEASUREMENTS, PLACE_RUN, Chunk, Outcome, Rejection, Scan
from perf_assets.landing import LandedFile
from perf_assets.warehouse.loading.identity import define_macros
from perf_assets.warehouse.loading.rules import Rules

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "4GB"
"""Of the stage; what is larger goes to its scratch folder."""
_BUFFERED_ROWS = 100_000


@dataclass
class Part:
    """A file with results: one that was landed, or a member of an archive that was.

    `own_run` is its run where neither the file nor what came with it names one: the hash it has by itself, so that it
    makes no difference whether it comes in an archive.
    """

    number: int
    file: LandedFile
    name: str
    format: str | None
    own_run: str
    omitted: Counter[Outcome] = field(default_factory=Counter)


class Stage:
    """A database in memory (what does not fit goes to `scratch`) that holds some parts until they are stored."""

    most_listed = 1_000
    """Maximum rejections of one kind listed individually per file; the rest are only counted."""

    def __init__(self, scratch: Path, rules: Rules) -> None:
        self.rules = rules
        self.parts: list[Part] = []
        self.rows = 0
        self.scanned: Scan | None = None
        self.rejections: list[tuple[Part, Rejection]] = []
        """Those that are listed one by one."""
        self.rejected: Counter[tuple[int, str, str]] = Counter()
        """The number of all by part, reason and field."""
        self.con: DuckDBPyConnection = duckdb.connect(
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(scratch)}
        )
        self.con.execute("SET TimeZone = 'UTC'")
        self._buffer: list[pa.Table] = []
        self._buffered = 0
        self.table("incoming", _INCOMING.empty_table())

    def part(self, file: LandedFile, name: str, format_name: str | None, own_run: str | None = None) -> Part:
        """A new part, to which chunks are then added; without a run of its own it has that of the landed file."""
        self.parts.append(Part(len(self.parts), file, name, format_name, own_run or file.content_hash))
        return self.parts[-1]

    def add(self, part: Part, chunk: Chunk) -> None:
        """Add rows of a part."""
        self.reject(part, chunk.rejections)
        part.omitted.update(chunk.omitted)
        count = chunk.measurements.num_rows
        if not count:
            return
        numbers = pa.array(range(self.rows, self.rows + count), pa.int64())
        table = chunk.measurements.add_column(0, "part", pa.array([part.number] * count, pa.int32()))
        self._buffer.append(table.add_column(0, "row", numbers))
        self.rows += count
        self._buffered += count
        if self._buffered >= _BUFFERED_ROWS:
            self._empty_buffer()

    def scan(self, part: Part, scan: Scan) -> None:
        """Add a whole file as it is read by SQL; it is the only part of its stage."""
        self.reject(part, scan.broken)
        self.scanned = scan

    def reject(self, part: Part, rejections: Iterable[Rejection]) -> None:
        """Add what could not be read of a part."""
        for rejection in rejections:
            kind = (part.number, rejection.reason, rejection.field)
            self.rejected[kind] += 1
            if self.rejected[kind] <= self.most_listed:
                self.rejections.append((part, rejection))

    def complete(self) -> None:
        """Make the rows that were added the views `accepted_rows` and `wanted_rows`, for the steps that follow."""
        self._empty_buffer()
        define_macros(self.con)
        self.con.execute("CREATE TEMP TABLE wanted (row BIGINT)")
        if self.scanned is None:
            accepted = _INCOMING_ROWS.format(rows="incoming")
            wanted = _INCOMING_ROWS.format(rows=f"({_WANTED.format(rows='incoming')})")
        else:
            accepted = _SCANNED_ROWS.format(typed=self.scanned.accepted)
            wanted = _SCANNED_ROWS.format(typed=self.scanned.typed(f"({_WANTED.format(rows=self.scanned.rows)})"))
        self.con.execute(f"CREATE TEMP VIEW accepted_rows AS {accepted}")
        self.con.execute(f"CREATE TEMP VIEW wanted_rows AS {wanted}")

    def run(self, step: str) -> list[tuple[Any, ...]]:
        """Run the statements of `sql/STEP.sql`, each with the values it names; the rows of the last one."""
        values = self._values
        for statement in self.con.extract_statements(_text(step)):
            self.con.execute(statement, {name: values[name] for name in statement.named_parameters})
        return self.con.fetchall()

    def count(self, query: str) -> int:
        """The number that a query gives."""
        [(number,)] = self.con.execute(query).fetchall()
        return int(number)

    def table(self, name: str, rows: pa.Table) -> None:
        """Make `rows` a temporary table."""
        self.con.register("rows_of_python", rows)
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM rows_of_python")
        self.con.unregister("rows_of_python")

    @property
    def _values(self) -> dict[str, Any]:
        identity = self.rules.identity
        return {
            "branches": list(identity.branches),
            "tags": list(identity.tags),
            "ephemeral": "|".join(f"({pattern})" for pattern in identity.ephemeral_nodes) or "^$",
            "longest_name": LONGEST_NAME,
            "listed": self.most_listed,
            "place": PLACE_RUN,
            "max_new_series": self.rules.quality.max_new_series,
            "sample": self.parts[0].file.origin == "sample",
            "simulated": self.parts[0].file.simulated,
        }

    def _empty_buffer(self) -> None:
        if self._buffer:
            # In one piece: DuckDB is slow over the many small ones of small files.
            self.con.register("buffer", pa.concat_tables(self._buffer).combine_chunks())
            self.con.execute("INSERT INTO incoming FROM buffer")
            self.con.unregister("buffer")
            self._buffer, self._buffered = [], 0


@cache
def _text(step: str) -> str:
    return resources.files(__package__).joinpath("sql", f"{step}.sql").read_text(encoding="utf-8")


_INCOMING = pa.schema([("row", pa.int64()), ("part", pa.int32()), *MEASUREMENTS])
_INCOMING_ROWS = "SELECT *, hash(branch, commit_id, ci_job_id, run_url, context, tags) AS info_key FROM {rows}"
_SCANNED_ROWS = "SELECT 0 :: INTEGER AS part, * FROM ({typed})"
"""A scanned file is the first part, since it is the only one."""
_WANTED = "SELECT * FROM {rows} SEMI JOIN wanted USING (row)"
