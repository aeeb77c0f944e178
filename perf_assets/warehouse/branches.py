"""Results of branches that form no series: they are kept, and nobody should look for them among the findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class OtherBranches(NamedTuple):
    """How many measurements are on branches that form no series, and the names of these, most measurements first."""

    measurements: int
    branches: tuple[str, ...]


def other_branches(con: DuckDBPyConnection, content_hashes: Sequence[str] | None = None) -> OtherBranches:
    """Those of all files, or of some; sample data is left out where it is not analysed."""
    # Most warehouses have none, and their measurements need no look.
    if con.execute(_ANY_OTHER).fetchone() is None:
        return OtherBranches(0, ())
    found = con.execute(_OTHERS, {"hashes": None if content_hashes is None else list(content_hashes)}).fetchall()
    return OtherBranches(sum(count for _, count in found), tuple(branch for branch, _ in found if branch is not None))


_ANY_OTHER = "SELECT 1 FROM runs r ANTI JOIN series_runs f ON f.run_id = r.run_id LIMIT 1"
_OTHERS = """
SELECT r.branch, count(*) AS measurements
FROM measurements m SEMI JOIN analysed_series s ON s.series_id = m.series_id
JOIN runs r ON r.run_id = m.run_id JOIN batches b ON b.batch_id = m.batch_id
ANTI JOIN series_runs f ON f.run_id = m.run_id
WHERE $hashes :: VARCHAR[] IS NULL OR b.content_hash IN (SELECT unnest($hashes :: VARCHAR[]))
GROUP BY r.branch ORDER BY measurements DESC, r.branch
"""
