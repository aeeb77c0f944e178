"""Names that change with every run, such as one with a build number in it: each is a series of one point."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEWEST = 5
"""Names that differ only in a number or a hash, each seen in one run alone, make a pattern of them."""


class UnstableName(NamedTuple):
    """A pattern that so many names of one column follow, one of these, and what to do about it."""

    project: str
    column: str
    pattern: str
    names: int
    example: str
    message: str


def unstable_names(con: DuckDBPyConnection) -> list[UnstableName]:
    """Patterns of names, most names first.

    A name is suspect that has its run's commit, job or run id in it; or that differs from at least FEWEST - 1 others
    only in digits or hexadecimal digits, when all these were seen in one run each, and not all in the same.
    """
    return [UnstableName(*row) for row in con.execute(_UNSTABLE, {"fewest": FEWEST}).fetchall()]


_UNSTABLE = r"""
WITH seen AS (
  SELECT series_id, min(run_id) AS run_id FROM measurements GROUP BY series_id HAVING min(run_id) = max(run_id)
), single AS (
  SELECT s.project, s.metric, s.test_name, s.node_id, r.run_id, lower(r.commit_id) AS commit_id, r.run_key, r.ci_job_id
  FROM seen JOIN series s USING (series_id) JOIN runs r USING (run_id)
), named AS (
  UNPIVOT (SELECT project, run_id, commit_id, run_key, ci_job_id, metric, test_name, node_id FROM single)
  ON metric, test_name, node_id INTO NAME "column" VALUE name
), masked AS (
  SELECT *, regexp_replace(name, '[0-9a-fA-F]*[0-9][0-9a-fA-F]*', '#', 'g') AS pattern,
    coalesce(length(commit_id) >= 7 AND contains(lower(name), left(commit_id, 7)), false)
      OR coalesce(length(run_key) >= 5 AND contains(name, run_key), false)
      OR coalesce(length(ci_job_id) >= 5 AND contains(name, ci_job_id), false) AS tells
  FROM named WHERE regexp_matches(name, '[0-9]')
)
SELECT project, "column", pattern, count(DISTINCT name) AS names, min(name) AS example,
  concat(project, ': ', count(DISTINCT name), if(count(DISTINCT name) = 1, ' ', ' different '),
    replace("column", '_', ' '), if(count(DISTINCT name) = 1, '', 's'), ' like ', min(name),
    if(bool_or(tells), ' has its commit, job or run in it', ', each seen in one run only'),
    '; take what changes out of the name, or every run begins a new series') AS message
FROM masked GROUP BY project, "column", pattern
HAVING bool_or(tells) OR (count(DISTINCT name) >= $fewest AND count(DISTINCT run_id) >= $fewest)
ORDER BY names DESC, project, "column", pattern
"""
