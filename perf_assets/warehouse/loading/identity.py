"""Ids of series, runs, files and entries of the quarantine, and the names that they are hashes of.

Ids are hashes of names, so that any machine and any order of files gives the same ones. Belongs here: every expression
that decides an id, or which of two reports of one measurement stays. The SQL of loading uses them as macros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_assets.characters import showable_json_sql, showable_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def define_macros(con: DuckDBPyConnection) -> None:
    """Make the expressions of this module temporary macros of a connection."""
    for macro in _MACROS:
        con.execute(f"CREATE TEMP MACRO {macro}")


def _stable_hash(*fields: str) -> str:
    """SQL of a stable 64-bit signed number; the unit separator keeps neighbouring fields apart."""
    parts = ", ".join(f"coalesce({name} :: VARCHAR, chr(30))" for name in fields)
    return f"(md5_number_lower(concat_ws(chr(31), {parts})) :: HUGEINT - 9223372036854775808) :: BIGINT"


def _first_name(*written: str) -> str:
    """SQL of a name or unit: the first text that is not blank, in characters that can be shown."""
    filled = [f"nullif(trim({text}), '')" for text in written]
    return showable_sql(f"coalesce({', '.join(filled)})" if len(filled) > 1 else filled[0])


NAME = _first_name("name")
"""Part of the fingerprint of the rules: under another rule for names all files are loaded again."""

_SERIES_FIELDS = (
    "project", "series_branch", "metric", "unit", "test_name", "test_type", "benchmark_version", "node_id",
    "node_type", "identity_tags",
)  # fmt: skip
# The first bits are those of the metric: stored in their order, the series of one metric lie together, and a question
# about it reads little else. The others are enough for millions of series of one metric.
_OTHER_BITS = (1 << 54) - 1
SERIES_ID = (
    f"(({_stable_hash('metric')} & {~_OTHER_BITS}) | ({_stable_hash(*_SERIES_FIELDS)} & {_OTHER_BITS}))"
)  # fmt: skip
# Build numbers begin anew on each branch, so a run of a branch without series never takes the place of another one.
RUN_ID = f"""CASE WHEN on_series_branch THEN {_stable_hash("project", "run_key", "attempt")}
    ELSE {_stable_hash("project", "run_key", "attempt", "branch")} END"""

_CONFLICT = "'duplicate_with_different_value'"
_LETTERS = "abcde"
_MACROS = (
    "stable_hash" + ", ".join(f"({', '.join(_LETTERS[:n])}) AS {_stable_hash(*_LETTERS[:n])}" for n in range(1, 6)),
    "first_name" + ", ".join(f"({', '.join(_LETTERS[:n])}) AS {_first_name(*_LETTERS[:n])}" for n in range(1, 4)),
    f"showable(text) AS {showable_sql('text')}",
    f"showable_json(text) AS {showable_json_sql('text')}",
    f"series_id_of({', '.join(_SERIES_FIELDS)}) AS {SERIES_ID}",
    f"run_id_of(project, run_key, attempt, branch, on_series_branch) AS {RUN_ID}",
    # A value of a time and place that is not the smallest there has a run of its own.
    f"run_id_apart(run_id, series_id, value) AS {_stable_hash('run_id', 'series_id', 'value')}",
    "run_key_apart(run_key, series_id, value) AS concat(run_key, '#', series_id, '=', value)",
    # The same for a value that another one replaced in its own group of files and for one that came earlier or later.
    "conflict_id(content_hash, series_id, run_id, value) AS "
    + _stable_hash("content_hash", "series_id", "run_id", "value", _CONFLICT),
    # Which of several reports of one measurement stays must not depend on the file it came in.
    """content_key(ts, value, raw_value, raw_unit, time_source, spread, replicates, node_name) AS
    md5_number_lower(concat_ws(chr(31), ts, value, raw_value, raw_unit, time_source,
      coalesce(spread :: VARCHAR, ''), coalesce(replicates :: VARCHAR, ''), coalesce(node_name, '')))""",
    # The smallest stays: a time of its own comes before the time of receipt, the earlier receipt before the later.
    """precedence(by_receipt, ts, content_key, context) AS
    row(by_receipt, CASE WHEN by_receipt THEN ts ELSE TIMESTAMP 'epoch' END, content_key, coalesce(context, ''))""",
    """more_like(name, more, listed) AS
    concat(name, ': ', more, ' more like the ', listed, ' that are listed; they need the same correction')""",
)
