"""From landed files to facts: identity, duplicates, quarantine, one transaction a file.

Ids are hashes, so any machine and any order gives the same ones. Of two values for one measurement one stays, whatever
the order of arrival, and the other goes to quarantine: a time of its own goes before the time of receipt, the earlier
receipt before the later, then the smaller content hash. All that needs no warehouse is worked out before the
transaction, in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from perf_assets.catalog import Catalog
from perf_assets.formats.measurement import MEASUREMENTS, Chunk, Format, FormatError, Input, Rejection
from perf_assets.formats.recognition import recognise
from perf_assets.landing import LandedFile
from perf_assets.settings import IdentitySettings
from perf_assets.warehouse.database import Warehouse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Loaded:
    """What became of one file."""

    file: LandedFile
    format: str | None
    measurements: int
    new_measurements: int
    new_series: int
    quarantined: int
    skipped: bool = False
    """Its content had been loaded before."""


@dataclass(frozen=True)
class _Prepared:
    """A file read: its measurements with their ids, one row a measurement, and its quarantine rows."""

    format: str | None
    measurements: pa.Table
    quarantine: pa.Table


def record_files(warehouse: Warehouse, files: Iterable[LandedFile], days: Iterable[str], catalog: Catalog) -> int:
    """Bring `raw_results` up to date with landing for the given days of receipt; returns the number of files."""
    rows = [
        (
            file.content_hash,
            file.name,
            file.received_at,
            file.received_at.date(),
            file.size,
            file.origin,
            file.simulated,
            _format_name(file, catalog),
        )
        for file in files
    ]
    with warehouse.transaction() as con:
        con.execute("DELETE FROM raw_results WHERE list_contains($days::DATE[], received_day)", {"days": list(days)})
        if rows:
            con.executemany("INSERT INTO raw_results VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return len(rows)


def load_file(warehouse: Warehouse, file: LandedFile, catalog: Catalog, identity: IdentitySettings) -> Loaded:
    """Read one landed file and store what is new in it; a file that was loaded before is left alone."""
    with warehouse.reading() as con:
        loaded = _loaded_before(con, file)
    if loaded is not None:
        return loaded
    prepared = _prepare(file, catalog, identity)
    with warehouse.transaction() as con:
        # Another process may have loaded the file while this one read it.
        return _loaded_before(con, file) or _store(con, file, prepared)


def _loaded_before(con: DuckDBPyConnection, file: LandedFile) -> Loaded | None:
    known = con.execute("SELECT format FROM batches WHERE content_hash = ?", [file.content_hash]).fetchone()
    return None if known is None else Loaded(file, known[0], 0, 0, 0, 0, skipped=True)


def _format_name(file: LandedFile, catalog: Catalog) -> str | None:
    try:
        return recognise(Input(file.path, file.name, file.received_at, catalog)).name
    except FormatError:
        return None


def _read(source: Input) -> tuple[Format | None, list[Chunk]]:
    found: Format | None = None
    chunks: list[Chunk] = []
    try:
        found = recognise(source)
        chunks.extend(found.read(source))
    except FormatError as error:
        rejection = Rejection(error.location, "", error.reason, str(error), "")
        chunks.append(Chunk(MEASUREMENTS.empty_table(), (rejection,)))
    return found, chunks


def _prepare(file: LandedFile, catalog: Catalog, identity: IdentitySettings) -> _Prepared:
    found, chunks = _read(Input(file.path, file.name, file.received_at, catalog))
    incoming = pa.concat_tables([MEASUREMENTS.empty_table(), *(chunk.measurements for chunk in chunks)])
    values = _values(file) | {
        "branches": list(identity.branches),
        "tags": list(identity.tags),
        "ephemeral": "|".join(f"({pattern})" for pattern in identity.ephemeral_nodes) or "^$",
    }
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("incoming", incoming)
        con.register("catalogue", _catalogue_table(catalog))
        con.register("rejected", _rejection_table([row for chunk in chunks for row in chunk.rejections]))
        for statement in (_CHECKED, _IDENTIFIED, _UNIQUE):
            _execute(con, statement, values)
        return _Prepared(
            found.name if found else None,
            con.sql("FROM uniques").to_arrow_table(),
            con.sql(_QUARANTINE, params=_used(_QUARANTINE, values)).to_arrow_table(),
        )


def _store(con: DuckDBPyConnection, file: LandedFile, prepared: _Prepared) -> Loaded:
    con.register("uniques", prepared.measurements)
    con.register("quarantine", prepared.quarantine)
    values = _values(file) | {"format": prepared.format}
    _execute(con, _KNOWN, values)
    _execute(con, _CHANGED_RUNS, values)
    quarantined = sum(_count(con, statement, values) for statement in (_INTO_QUARANTINE, _CONFLICTS_INTO_QUARANTINE))
    for statement in (*_REPLACE, *_MERGE_INTO_RUNS, _MERGE_INTO_SERIES):
        _execute(con, statement, values)
    new_series = _count(con, _NEW_SERIES, values)
    _execute(con, _NEW_RUNS, values)
    _execute(con, _NEW_DETAILS, values)
    stored = _count(con, _NEW_MEASUREMENTS, values)
    replaced = con.execute("SELECT count(*) FROM known WHERE replaced").fetchone()
    new = stored - (replaced[0] if replaced else 0)
    total = prepared.measurements.num_rows
    _execute(con, _BATCH, values | {"total": total, "new": new, "quarantined": quarantined})
    for name in ("known", "changed_runs"):
        con.execute(f"DROP TABLE {name}")
    for name in ("uniques", "quarantine"):
        con.unregister(name)
    return Loaded(file, prepared.format, total, new, new_series, quarantined)


def _values(file: LandedFile) -> dict[str, object]:
    return {
        "content_hash": file.content_hash,
        "received_at": file.received_at,
        "received_day": file.day,
        "name": file.name,
        "sample": file.origin == "sample",
        "simulated": file.simulated,
    }


def _execute(con: DuckDBPyConnection, statement: str, values: dict[str, object]) -> DuckDBPyConnection:
    return con.execute(statement, _used(statement, values))


def _count(con: DuckDBPyConnection, statement: str, values: dict[str, object]) -> int:
    """Rows that an INSERT wrote."""
    row = _execute(con, statement, values).fetchone()
    return row[0] if row else 0


def _used(statement: str, values: dict[str, object]) -> dict[str, object]:
    named = set(re.findall(r"\$(\w+)", statement))
    return {name: value for name, value in values.items() if name in named}


def _catalogue_table(catalog: Catalog) -> pa.Table:
    metrics = list(catalog.metrics.values())
    return pa.table(
        {
            "metric": pa.array([metric.name for metric in metrics], pa.string()),
            "unit": pa.array([metric.unit for metric in metrics], pa.string()),
        }
    )


def _rejection_table(rejections: list[Rejection]) -> pa.Table:
    columns = ("location", "field", "reason", "message", "fragment")
    return pa.table({name: pa.array([getattr(row, name) for row in rejections], pa.string()) for name in columns})


_HASH = "(md5_number_lower({}) :: HUGEINT - 9223372036854775808) :: BIGINT"
"""A stable 64-bit signed number; the unit separator keeps neighbouring fields apart."""


def _hash(*fields: str) -> str:
    parts = ", ".join(f"coalesce({field} :: VARCHAR, chr(30))" for field in fields)
    return _HASH.format(f"concat_ws(chr(31), {parts})")


# What is wrong with a measurement whatever its format.
_CHECKED = """
CREATE TEMP TABLE checked AS
SELECT i.*, CASE
    WHEN NOT isfinite(i.value) THEN 'not_finite'
    WHEN i.value < 0 AND i.unit IN ('s', 'By') THEN 'impossible_value'
    WHEN c.unit IS NOT NULL AND i.unit <> c.unit THEN 'unit_conflict'
    WHEN i.ts > $received_at :: TIMESTAMP + INTERVAL 1 DAY OR i.ts < TIMESTAMP '1980-01-01' THEN 'time_out_of_range'
  END AS reason,
  c.unit AS catalogue_unit
FROM incoming i LEFT JOIN catalogue c ON c.metric = i.metric
"""

_SERIES_KEY = _hash(
    "project",
    "series_branch",
    "metric",
    "unit",
    "test_name",
    "test_type",
    "benchmark_version",
    "node_id",
    "node_type",
    "identity_tags",
)
_RUN_KEY = _hash("project", "run_key", "attempt")
_BATCH_KEY = _hash("$content_hash")

_IDENTIFIED = f"""
CREATE TEMP TABLE identified AS
WITH lasting AS (
  SELECT * EXCLUDE (node_id, reason, catalogue_unit),
    CASE WHEN regexp_matches(node_id, $ephemeral) THEN NULL ELSE node_id END AS node_id,
    CASE WHEN regexp_matches(node_id, $ephemeral) THEN node_id END AS node_name,
    branch IS NULL OR list_contains($branches :: VARCHAR[], branch) AS on_series_branch,
    CASE WHEN tags IS NOT NULL THEN (
      SELECT to_json(map_from_entries(list_filter(map_entries(tags :: JSON :: MAP(VARCHAR, VARCHAR)),
        lambda entry: list_contains($tags :: VARCHAR[], entry.key)))) :: VARCHAR) END AS identity_tags
  FROM checked WHERE reason IS NULL
), placed AS (
  SELECT *, CASE WHEN on_series_branch THEN branch ELSE list_extract($branches :: VARCHAR[], 1) END AS series_branch
  FROM lasting
)
SELECT *, {_SERIES_KEY} AS series_id, {_RUN_KEY} AS run_id, {_BATCH_KEY} AS batch_id FROM placed
"""  # noqa: S608 - expressions of this module

# One row a measurement; of two values in one file the smaller is kept, the other is reported.
_UNIQUE = """
CREATE TEMP TABLE uniques AS
WITH repeated AS (SELECT series_id, run_id FROM identified GROUP BY ALL HAVING count(*) > 1)
FROM identified ANTI JOIN repeated USING (series_id, run_id)
UNION ALL
FROM (FROM identified SEMI JOIN repeated USING (series_id, run_id)
  QUALIFY row_number() OVER (PARTITION BY series_id, run_id ORDER BY value, ts, location) = 1)
"""

# What the warehouse has already of these runs, and whether the file at hand goes before it.
_KNOWN = """
CREATE TEMP TABLE known AS
WITH again AS (SELECT series_id, run_id, value, ts, time_source FROM uniques SEMI JOIN runs USING (run_id))
SELECT m.series_id, m.run_id, m.value, b.content_hash, b.name, b.received_day, r.run_key,
  CASE WHEN (d.time_source IS NOT DISTINCT FROM 'receipt') <> (a.time_source = 'receipt') THEN
      a.time_source <> 'receipt'
    WHEN a.time_source = 'receipt' AND a.ts <> m.ts THEN a.ts < m.ts
    ELSE $content_hash < b.content_hash END AS replaced
FROM again a JOIN measurements m USING (series_id, run_id) JOIN batches b USING (batch_id) JOIN runs r USING (run_id)
LEFT JOIN measurement_details d USING (series_id, run_id)
"""

_REJECTED_ID = _hash("$content_hash", "location", "field", "reason")
_CHECKED_ID = _hash("$content_hash", "location", "'value'", "reason")
_REPEATED_ID = _hash("$content_hash", "i.location", "'value'", "'duplicate_with_different_value'")
_CONFLICT_ID = _hash("loser", "series_id", "run_id", "'duplicate_with_different_value'")

_QUARANTINE = f"""
SELECT {_REJECTED_ID} AS quarantine_id, $content_hash :: VARCHAR AS content_hash, $name :: VARCHAR AS name,
  $received_day :: DATE AS received_day, location, field, reason, message, fragment
FROM (SELECT DISTINCT * FROM rejected)
UNION ALL
SELECT {_CHECKED_ID}, $content_hash, $name, $received_day, location,
  CASE reason WHEN 'time_out_of_range' THEN 'timestamp' WHEN 'unit_conflict' THEN 'unit' ELSE 'value' END, reason,
  concat($name, ', ', location, ': ', CASE reason
    WHEN 'not_finite' THEN 'too large for a number in its canonical unit; correct value or unit'
    WHEN 'impossible_value' THEN 'a duration or size cannot be negative; correct the value'
    WHEN 'unit_conflict' THEN concat('the catalogue has this metric in ', catalogue_unit,
      '; convert it or use another name')
    WHEN 'time_out_of_range' THEN 'the time lies before 1980 or after the receipt; check clock and time zone' END),
  concat_ws(', ', metric, raw_value, raw_unit, ts, test_name, node_id)
FROM checked WHERE reason IS NOT NULL
UNION ALL
SELECT {_REPEATED_ID}, $content_hash, $name, $received_day, i.location, 'value', 'duplicate_with_different_value',
  concat($name, ', ', i.location, ': the same measurement of the same run has another value at ', u.location,
    '; give repetitions their own run or attempt'),
  concat_ws(', ', i.metric, i.raw_value, i.raw_unit, i.ts, i.test_name, i.node_id)
FROM identified i JOIN uniques u USING (series_id, run_id)
WHERE i.value <> u.value
"""  # noqa: S608 - expressions of this module

_INTO_QUARANTINE = "INSERT INTO quarantined_results SELECT * FROM quarantine"

# The place of a value that was stored before is known only if it has details.
_CONFLICTS_INTO_QUARANTINE = f"""
INSERT INTO quarantined_results
WITH conflicts AS (
  SELECT u.series_id, u.run_id, concat_ws(', ', u.metric, u.test_name, coalesce(u.node_id, u.node_name)) AS subject,
    k.run_key, if(k.replaced, k.content_hash, $content_hash) AS loser, if(k.replaced, k.name, $name) AS loser_name,
    if(k.replaced, k.received_day, $received_day) AS day, if(k.replaced, u.value, k.value) AS kept,
    if(k.replaced, $name, k.name) AS winner_name, if(k.replaced, k.value, u.value) AS lost,
    if(k.replaced, coalesce(d.location, 'run ' || k.run_key), u.location) AS location
  FROM uniques u JOIN known k USING (series_id, run_id) LEFT JOIN measurement_details d USING (series_id, run_id)
  WHERE k.value <> u.value
)
SELECT {_CONFLICT_ID}, loser, loser_name, day, location, 'value', 'duplicate_with_different_value',
  concat(loser_name, ', ', location, ', value: run ', run_key, ' has the value ', lost, ' here and ', kept, ' in ',
    winner_name, '; give repetitions their own attempt'),
  concat_ws(', ', subject, lost)
FROM conflicts
"""  # noqa: S608 - expressions of this module

_NEW_SERIES = """
INSERT INTO series
SELECT series_id, any_value(project), any_value(series_branch), any_value(metric), any_value(unit),
  any_value(test_name), any_value(test_type), any_value(benchmark_version), any_value(node_id), any_value(node_type),
  any_value(identity_tags), min(direction), $sample, $simulated
FROM uniques ANTI JOIN series USING (series_id) GROUP BY series_id ORDER BY series_id
"""

_MERGE_INTO_SERIES = """
UPDATE series s SET declared_direction = n.direction, sample = n.sample, simulated = n.simulated
FROM (
  SELECT s.series_id, least(any_value(s.declared_direction), min(u.direction)) AS direction,
    any_value(s.sample) AND $sample AS sample, any_value(s.simulated) AND $simulated AS simulated
  FROM series s JOIN uniques u USING (series_id) GROUP BY s.series_id) n
WHERE n.series_id = s.series_id
  AND (s.declared_direction, s.sample, s.simulated) IS DISTINCT FROM (n.direction, n.sample, n.simulated)
"""

# What a run's rows say differently is settled by the smallest, so that neither order nor split into files matters.
_RUN_FIELDS = """min(branch) AS branch, bool_and(on_series_branch) AS on_series_branch, min(commit_id) AS commit_id,
  min(ci_job_id) AS ci_job_id, min(run_url) AS run_url, min(context) AS context"""

_CHANGED_RUNS = f"""
CREATE TEMP TABLE changed_runs AS
WITH merged AS (
  SELECT run_id, {_RUN_FIELDS} FROM (
    SELECT run_id, branch, on_series_branch, commit_id, ci_job_id, run_url, context FROM uniques SEMI JOIN runs
    USING (run_id)
    UNION ALL
    SELECT run_id, branch, on_series_branch, commit_id, ci_job_id, run_url, context FROM runs SEMI JOIN uniques
    USING (run_id))
  GROUP BY run_id
)
SELECT m.*, r.context AS context_before FROM merged m JOIN runs r USING (run_id)
WHERE (m.branch, m.on_series_branch, m.commit_id, m.ci_job_id, m.run_url, m.context) IS DISTINCT FROM
  (r.branch, r.on_series_branch, r.commit_id, r.ci_job_id, r.run_url, r.context)
"""  # noqa: S608 - expressions of this module

_MERGE_INTO_RUNS = (
    # Measurements that leant on the run's former context get it as their own.
    """INSERT INTO measurement_details
    SELECT m.series_id, m.run_id, m.batch_id, m.value, s.unit, 'result', NULL, NULL, NULL, c.context_before, NULL
    FROM measurements m JOIN changed_runs c USING (run_id) JOIN series s USING (series_id)
    ANTI JOIN measurement_details d ON d.series_id = m.series_id AND d.run_id = m.run_id
    WHERE c.context_before <> c.context""",
    """UPDATE measurement_details d SET context = c.context_before FROM changed_runs c
    WHERE c.run_id = d.run_id AND d.context IS NULL AND c.context_before <> c.context""",
    """UPDATE runs r SET branch = c.branch, on_series_branch = c.on_series_branch, commit_id = c.commit_id,
      ci_job_id = c.ci_job_id, run_url = c.run_url, context = c.context
    FROM changed_runs c WHERE c.run_id = r.run_id""",
)

_REPLACE = (
    "DELETE FROM measurements t USING known k WHERE k.replaced AND k.series_id = t.series_id AND k.run_id = t.run_id",
    """DELETE FROM measurement_details t USING known k
    WHERE k.replaced AND k.series_id = t.series_id AND k.run_id = t.run_id""",
)

_NEW_RUNS = f"""
INSERT INTO runs
SELECT run_id, project, run_key, attempt, branch, on_series_branch, commit_id, ci_job_id, run_url, context
FROM (SELECT run_id, any_value(project) AS project, any_value(run_key) AS run_key, any_value(attempt) AS attempt,
    {_RUN_FIELDS} FROM uniques ANTI JOIN runs USING (run_id) GROUP BY run_id)
ORDER BY run_id
"""  # noqa: S608 - expressions of this module

_NEW_DETAILS = """
INSERT INTO measurement_details
SELECT u.series_id, u.run_id, u.batch_id, u.raw_value, u.raw_unit, u.time_source, u.spread, u.replicates, u.node_name,
  CASE WHEN u.context <> r.context THEN u.context END, u.location
FROM uniques u JOIN runs r USING (run_id)
ANTI JOIN (SELECT * FROM known WHERE NOT replaced) k ON k.series_id = u.series_id AND k.run_id = u.run_id
WHERE u.raw_unit <> u.unit OR u.time_source <> 'result' OR u.spread IS NOT NULL OR u.replicates IS NOT NULL
  OR u.node_name IS NOT NULL OR u.context <> r.context
ORDER BY u.series_id, u.run_id
"""

_NEW_MEASUREMENTS = """
INSERT INTO measurements
SELECT u.series_id, u.run_id, u.batch_id, u.ts, u.value FROM uniques u
ANTI JOIN (SELECT * FROM known WHERE NOT replaced) k USING (series_id, run_id)
ORDER BY u.series_id, u.ts, u.run_id
"""

_BATCH = f"""
INSERT INTO batches
VALUES ({_BATCH_KEY}, $content_hash, $received_day, $received_at, $name, $format, $sample, $simulated, $total, $new,
  $quarantined)
"""  # noqa: S608 - an expression of this module
