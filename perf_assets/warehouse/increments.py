"""Which series an analysis must look at again: those whose measurements changed since it last did.

Only for analyses that judge each series by itself. Rows of the other series are kept; the result is that of a full
analysis. New code is a new analysis: its hash is part of the name under which the contents are remembered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from perf_assets import analysis, wording
from perf_assets.tables import ANALYSED_CONTENTS, Table
from perf_assets.warehouse.database import Warehouse, append, replace_rows

MEASUREMENTS_ALONE = "SELECT series_id, content FROM metric_series"


@dataclass(frozen=True)
class Increment:
    """What one analysis has to do: `stale` has series_id and content, the hash of the measurements to be analysed."""

    analysis: str
    stale: pd.DataFrame
    series: int

    @property
    def ids(self) -> list[int]:
        return [int(series_id) for series_id in self.stale["series_id"]]


def increment_of(warehouse: Warehouse, analysis: str, contents: str = MEASUREMENTS_ALONE) -> Increment:
    """The series of metric_series that `analysis` has not seen with their present measurements.

    `contents`: a SELECT of series_id and content, for analyses that depend on more than the measurements.
    """
    name = f"{analysis}/{method_version()}"
    with warehouse.reading() as con:
        stale = con.execute(_STALE.format(contents=contents), [name]).df()
        [(count,)] = con.execute("SELECT count(*) FROM metric_series").fetchall()
    return Increment(name, stale, int(count))


def kept_rows(warehouse: Warehouse, increment: Increment, table: Table) -> pd.DataFrame:
    """Rows of `table` about series that are still there and need no new analysis."""
    return warehouse.query(_KEPT.format(table=table.name), [increment.ids])


def complete(warehouse: Warehouse, increment: Increment, *contents: tuple[Table, pd.DataFrame]) -> None:
    """Replace tables whole and remember what has been analysed, in one transaction."""
    with warehouse.transaction() as con:
        replace_rows(con, *contents)
        own = increment.analysis.partition("/")[0]
        con.execute(_FORGET, [own, increment.analysis, increment.ids])
        append(con, ANALYSED_CONTENTS, increment.stale.assign(analysis=increment.analysis))


def joined(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """The rows of all parts that have any, with these columns."""
    filled = [part[list(columns)] for part in parts if not part.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


@cache
def method_version() -> str:
    """Hash of the code by which findings are made and worded."""
    digest = hashlib.sha256()
    # Kept rows have sentences, which are written anew where their words change.
    for room in (analysis, wording):
        for file in sorted(Path(str(room.__file__)).parent.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


_STALE = """
SELECT series_id, content FROM ({contents}) m WHERE NOT EXISTS (
  SELECT 1 FROM analysed_contents a WHERE a.analysis = ? AND a.series_id = m.series_id AND a.content = m.content
) ORDER BY series_id
"""
_KEPT = """
SELECT * FROM {table} WHERE series_id IN (SELECT series_id FROM metric_series)
  AND series_id NOT IN (SELECT unnest(? :: BIGINT[]))
"""
_FORGET = """
DELETE FROM analysed_contents WHERE split_part(analysis, '/', 1) = ?
  AND (analysis <> ? OR series_id IN (SELECT unnest(? :: BIGINT[]))
    OR series_id NOT IN (SELECT series_id FROM metric_series))
"""
