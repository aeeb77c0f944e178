"""From landed files to facts: many files in one transaction, duplicates, quarantine.

Of several reports of one measurement one stays, whatever the order of arrival and however they are spread over files,
and a different value goes to quarantine: a time of its own goes before the time of receipt, the earlier receipt before
the later, then a hash of the content decides.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from perf_assets.characters import showable, showable_sql
from perf_assets.formats.measurement import Format, FormatError, Input, Rejection, fragment_of, unreadable
from perf_assets.formats.opening import open_received
from perf_assets.formats.recognition import head_of, recognise
from perf_assets.landing import LandedFile, LandedFiles, content_hash
from perf_assets.scratch import Scratch
from perf_assets.warehouse.database import Warehouse
from perf_assets.warehouse.staging import (
    CONTENT_KEY,
    MOST_TOLD,
    RUN_FIELDS,
    Part,
    Rules,
    Stage,
    conflict_id,
    more_told,
    precedence,
    run_id_apart,
    run_key_apart,
    stable_hash,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS_IN_A_GROUP = 200_000
FILES_IN_A_GROUP = 2_000
"""Files that are stored in one transaction: as many as come to one of these."""
_OF_THE_MACHINE = (
    duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InterruptException, duckdb.FatalException,
    duckdb.InternalException, duckdb.TransactionException, duckdb.ParserException, duckdb.BinderException,
    duckdb.CatalogException,
)  # fmt: skip
"""Errors that no file is to blame for."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one file; `omitted` are results that are no performance values, by outcome."""

    file: LandedFile
    format: str | None
    measurements: int = 0
    new_measurements: int = 0
    series: int = 0
    new_series: int = 0
    quarantined: int = 0
    omitted: tuple[tuple[str, int], ...] = ()
    skipped: bool = False
    """Its content had been loaded before."""


def record_files(warehouse: Warehouse, files: LandedFiles, days: Iterable[str]) -> int:
    """Bring `raw_results` up to date with landing for the given days of receipt; returns the number of files."""
    with warehouse.transaction() as con:
        con.register("landed", _known(files))
        con.execute(_WITHOUT_CHANGED_FILES, {"days": list(days)})
        missing = _without_those_of(con, "raw_results", files)
        con.unregister("landed")
        for some in _pieces(missing):
            columns = {
                "content_hash": [file.content_hash for file in some],
                "name": [showable(file.name) for file in some],
                "received_at": pa.array([file.received_at for file in some], pa.timestamp("us")),
                "received_day": pa.array([file.received_at.date() for file in some], pa.date32()),
                "bytes": pa.array([file.size for file in some], pa.int64()),
                "origin": pa.array([file.origin for file in some], pa.string()),
                "simulated": pa.array([file.simulated for file in some], pa.bool_()),
                "receipts": pa.array([file.receipts for file in some], pa.int64()),
            }
            con.register("recorded", pa.table(columns))
            con.execute("INSERT INTO raw_results FROM recorded ORDER BY received_at, content_hash")
            con.unregister("recorded")
        con.execute(_COUNT_RECEIPTS)
    return len(files)


def not_loaded(warehouse: Warehouse, files: LandedFiles) -> LandedFiles:
    """Those that are not in the books."""
    with warehouse.reading() as con:
        con.register("landed", _known(files))
        return _without_those_of(con, "batches", files)


def load_files(
    warehouse: Warehouse,
    files: Iterable[LandedFile],
    rules: Rules,
    scratch: Path,
    tell: Callable[[LandedFile], None] = lambda _: None,
) -> Iterator[Loaded]:
    """Read landed files and store what is new in them; those that were loaded before are left alone.

    `scratch` is a folder for what does not fit into memory. `tell` hears of each file once it is stored. What was
    stored before an interruption stays; the rest is loaded by the next call.
    """
    for some in _pieces(files):
        with warehouse.reading() as con:
            known = dict(con.execute(_FORMATS, {"hashes": [file.content_hash for file in some]}).fetchall())
        for file in some:
            if file.content_hash in known:
                tell(file)
                yield Loaded(file, known[file.content_hash], skipped=True)
        new = {file.content_hash: file for file in some if file.content_hash not in known}
        if new:
            yield from _load(warehouse, new.values(), rules, scratch, tell)


def _load(
    warehouse: Warehouse,
    files: Iterable[LandedFile],
    rules: Rules,
    scratch: Path,
    tell: Callable[[LandedFile], None],
) -> Iterator[Loaded]:
    with ExitStack() as stack:
        group = stack.enter_context(_Group(scratch, rules))

        def finished() -> Iterator[Loaded]:
            nonlocal group
            for loaded in _stored(warehouse, group):
                tell(loaded.file)
                yield loaded
            stack.close()
            group = stack.enter_context(_Group(scratch, rules))

        for file in files:
            if group.is_full or not group.takes(file):
                yield from finished()
            if not group.read(file):
                if group.files:
                    yield from finished()
                group.read_alone(file)
                yield from finished()
        yield from finished()


def _without_those_of(con: DuckDBPyConnection, table: str, files: LandedFiles) -> LandedFiles:
    """Files that a table does not have, of those registered as `landed`."""
    there = con.execute(f"SELECT content_hash FROM landed SEMI JOIN {table} USING (content_hash)").fetchall()  # noqa: S608 - a table of this module
    return files.without(content_hash for (content_hash,) in there)


def _known(files: LandedFiles) -> pa.Table:
    types = (pa.string(), pa.timestamp("us"), pa.int64())
    # A column at a time: there may be hundreds of thousands of files.
    columns = [pa.array((told[place] for told in files.known()), type_) for place, type_ in enumerate(types)]
    return pa.table(columns, names=["content_hash", "received_at", "receipts"])


def _pieces(files: Iterable[LandedFile]) -> Iterator[list[LandedFile]]:
    waiting = iter(files)
    while some := list(islice(waiting, FILES_IN_A_GROUP)):
        yield some


def follow_rules(warehouse: Warehouse, rules: Rules) -> bool:
    """Take everything out of the books that was loaded under other rules: with a new branch or unit a result would be
    there twice. Whether there was anything, and all files are to be loaded again.
    """
    with warehouse.transaction() as con:
        known = con.execute("SELECT fingerprint FROM loading_rules").fetchall()
        if known == [(rules.fingerprint,)]:
            return False
        for table in _LOADED:
            con.execute(f"DELETE FROM {table}")  # noqa: S608 - tables of this module
        con.execute("INSERT INTO loading_rules VALUES (?)", [rules.fingerprint])
    return bool(known)


def forget_files(warehouse: Warehouse, hashes: Sequence[str]) -> int:
    """Take files out of the books with their quarantine, so that the next loading reads them again; their measurements
    stay. Returns how many there were.
    """
    with warehouse.transaction() as con:
        values = {"hashes": list(hashes)}
        con.execute("DELETE FROM quarantined_results WHERE list_contains($hashes :: VARCHAR[], content_hash)", values)
        row = con.execute(
            "DELETE FROM batches WHERE list_contains($hashes :: VARCHAR[], content_hash)", values
        ).fetchone()
    return int(row[0]) if row else 0


class _Group:
    """Files read and not yet stored."""

    def __init__(self, scratch: Path, rules: Rules) -> None:
        self._scratch = Scratch(scratch)
        self._folder = self._scratch.path
        self._rules = rules
        self.stage = Stage(self._folder / "spilled", rules)
        self.files: list[LandedFile] = []
        self._scanned: Input | None = None

    def __enter__(self) -> _Group:
        return self

    def __exit__(self, *_: object) -> None:
        self.stage.con.close()
        self._scratch.close()

    @property
    def is_full(self) -> bool:
        return self.stage.rows >= ROWS_IN_A_GROUP

    def takes(self, file: LandedFile) -> bool:
        """Whether a file may stand beside those that are there: sample data alone, simulated data alone."""
        return not self.files or (file.origin == "sample", file.simulated) == (
            self.files[0].origin == "sample",
            self.files[0].simulated,
        )

    def read(self, file: LandedFile) -> bool:
        """Take a file in; False for one that is a table already and is read faster alone."""
        source = self._input(file)
        unpacked = self._folder / "unpacked"
        for opened in open_received(source, unpacked):
            if opened.format is not None and opened.format.scan is not None and opened.source is source:
                return False
            own_run = (
                None
                if opened.source is source
                else content_hash(opened.source.path, opened.source.companions, file.given)
            )
            part = self.stage.part(file, opened.source.name, opened.format.name if opened.format else None, own_run)
            if opened.format is None:
                self._refuse(part, opened.problem, opened.source)
            else:
                self._read(part, opened.format, opened.source)
        self.files.append(file)
        if unpacked.exists():
            shutil.rmtree(unpacked)
        return True

    def read_alone(self, file: LandedFile) -> None:
        """Take in a file that is a table already."""
        source = self._input(file)
        found = recognise(source)
        part = self.stage.part(file, source.name, found.name)
        self.files.append(file)
        assert found.scan is not None
        try:
            self.stage.scan(part, found.scan(self.stage.con, source, self._folder))
            self._scanned = source
        except FormatError as error:
            self._refuse(part, error, source)

    def refuse_scanned(self, error: duckdb.Error) -> bool:
        """Where `error` came from reading a scanned file, send that to quarantine whole; False if there is none."""
        if self._scanned is None or isinstance(error, _OF_THE_MACHINE):
            return False
        [scanned] = self.stage.parts
        self.stage.con.close()
        self.stage = Stage(self._folder / "spilled", self._rules)
        self._refuse(
            self.stage.part(scanned.file, scanned.name, scanned.format), unreadable(scanned.name, error), self._scanned
        )
        self._scanned = None
        return True

    def _read(self, part: Part, found: Format, source: Input) -> None:
        try:
            for chunk in found.read(source):
                self.stage.add(part, chunk)
        except FormatError as error:
            self._refuse(part, error, source)

    def _refuse(self, part: Part, error: FormatError | None, source: Input) -> None:
        assert error is not None
        beginning = head_of(source.path, source.name).text
        # What is no text is not shown.
        fragment = "" if "\0" in beginning else fragment_of(beginning)
        self.stage.reject(part, [Rejection(error.location, "", error.reason, str(error), fragment)])

    def _input(self, file: LandedFile) -> Input:
        zone = self._rules.zone(file.given)
        return Input(file.path, file.name, file.received_at, self._rules.catalog, zone, file.companions)


def _stored(warehouse: Warehouse, group: _Group) -> list[Loaded]:
    if not group.files:
        return []
    try:
        group.stage.identify()
        with warehouse.attached(group.stage.con) as con:
            return _store(con, group)
    except duckdb.Error as error:
        # A scanned file is read by these statements: what is damaged in it is met here.
        if not group.refuse_scanned(error):
            raise
        return _stored(warehouse, group)


def _store(con: DuckDBPyConnection, group: _Group) -> list[Loaded]:
    """Store what is staged, in the caller's transaction."""
    stage = group.stage
    # Another process may have loaded a file while this one read it.
    con.execute(_LOADED_MEANWHILE)
    meanwhile = {name for (name,) in con.execute("SELECT DISTINCT content_hash FROM loaded_meanwhile").fetchall()}
    if meanwhile:
        for statement in _WITHOUT_LOADED_MEANWHILE:
            con.execute(statement)
        stage.forget_without_facts()
        stage.describe_runs()
    values = {
        "sample": group.files[0].origin == "sample",
        "simulated": group.files[0].simulated,
        "most": MOST_TOLD,
        "max_new_series": stage.rules.quality.max_new_series,
    }
    con.execute(_PART_SERIES)
    con.execute(_NEW_SERIES)
    _guard_cardinality(con, stage, values)
    _settle_with_stored(con, stage, values)
    counts = {row[0]: row[1:] for row in con.execute(_COUNTS).fetchall()}
    for statement in (_MERGE_INTO_SERIES, _INSERT_SERIES):
        stage.execute(statement, values)
    for statement in (*_MERGE_INTO_RUNS, _INSERT_RUNS):
        con.execute(statement)
    _store_details(con, stage)
    con.execute(_INSERT_MEASUREMENTS if stage.count("SELECT count(*) FROM stays") else _INSERT_ALL_MEASUREMENTS)
    con.execute(_INSERT_QUARANTINE)
    parts: dict[str, list[Part]] = {file.content_hash: [] for file in group.files}
    for part in stage.parts:
        parts[part.file.content_hash].append(part)
    nothing = (0, 0, 0, 0)
    loaded = [
        _loaded(file, parts[file.content_hash], counts.get(file.content_hash, nothing), file.content_hash in meanwhile)
        for file in group.files
    ]
    _insert_batches(con, [one for one in loaded if not one.skipped], values)
    return loaded


def _guard_cardinality(con: DuckDBPyConnection, stage: Stage, values: dict[str, Any]) -> None:
    """Keep the new series of files out that begin too many: one after the other, as if each were loaded alone."""
    if stage.count("SELECT count(*) FROM new_series") <= values["max_new_series"]:
        return
    while True:
        stage.execute(_TOO_MANY, values)
        if not stage.count("SELECT count(*) FROM too_many"):
            return
        stage.execute(_TOO_MANY_INTO_QUARANTINE, values)
        stage.rejected_rows(_COUNT_TOO_MANY)
        for statement in _WITHOUT_TOO_MANY:
            con.execute(statement)
        stage.forget_without_facts()
        stage.describe_runs()


def _settle_with_stored(con: DuckDBPyConnection, stage: Stage, values: dict[str, Any]) -> None:
    """Table `stays`: measurements that are stored already and stay. Those that give way are deleted."""
    con.execute(_APART_FROM_STORED)
    if stage.count("SELECT count(*) FROM apart_from_stored"):
        stage.set_apart("SELECT row FROM apart_from_stored WHERE value > stored_value")
        for statement in _STORED_APART:
            con.execute(statement)
        stage.describe_runs()
    con.execute(_KNOWN_RUNS)
    con.execute(_CHANGED_RUNS)
    known = stage.count("SELECT count(*) FROM known_runs")
    con.execute(_MET if known else _NOTHING_MET)
    if not stage.count("SELECT count(*) FROM met WHERE differs"):
        con.execute("CREATE TEMP TABLE stays AS SELECT series_id, run_id FROM met")
        return
    con.execute("CREATE TEMP TABLE differing AS SELECT row FROM met WHERE differs")
    stage.candidates("differing", "incoming_reports")
    for statement in (_STORED_REPORTS, _SETTLED):
        con.execute(statement)
    stage.withdraw_conflicts("SELECT series_id, run_id, stored_value AS kept FROM settled WHERE NOT replaced")
    for statement in (
        _STORED_CONFLICTS,
        _CONFLICTS_INTO_QUARANTINE,
        _MORE_CONFLICTS,
        _COUNT_REPLACED,
        _STAYS,
        *_REPLACE,
    ):
        stage.execute(statement, values)
    stage.rejected_rows("SELECT part, count(*) FROM settled WHERE conflicting AND NOT replaced GROUP BY part")


def _store_details(con: DuckDBPyConnection, stage: Stage) -> None:
    con.execute(_DETAILED_ROWS)
    if stage.count("SELECT count(*) FROM detailed_rows"):
        stage.candidates("detailed_rows", "details")
        con.execute(_INSERT_DETAILS)


def _loaded(file: LandedFile, parts: Sequence[Part], counts: tuple[int, ...], skipped: bool) -> Loaded:
    name = ", ".join(sorted({part.format for part in parts if part.format is not None})) or None
    if skipped:
        return Loaded(file, name, skipped=True)
    omitted: Counter[str] = Counter()
    for part in parts:
        omitted.update(part.omitted)
    measurements, new, series, new_series = counts
    rejected = sum(part.rejected for part in parts)
    return Loaded(file, name, measurements, new, series, new_series, rejected, tuple(sorted(omitted.items())))


def _insert_batches(con: DuckDBPyConnection, loaded: Sequence[Loaded], values: dict[str, Any]) -> None:
    if not loaded:
        return
    columns = {
        "content_hash": [one.file.content_hash for one in loaded],
        "received_day": pa.array([one.file.received_at.date() for one in loaded], pa.date32()),
        "received_at": pa.array([one.file.received_at for one in loaded], pa.timestamp("us")),
        "name": [showable(one.file.name) for one in loaded],
        "format": pa.array([one.format for one in loaded], pa.string()),
        "sample": [values["sample"]] * len(loaded),
        "simulated": [values["simulated"]] * len(loaded),
        "measurements": [one.measurements for one in loaded],
        "new_measurements": [one.new_measurements for one in loaded],
        "series": [one.series for one in loaded],
        "new_series": [one.new_series for one in loaded],
        "quarantined": [one.quarantined for one in loaded],
        "omitted": pa.array([json.dumps(dict(one.omitted)) if one.omitted else None for one in loaded], pa.string()),
    }
    con.register("stored_batches", pa.table(columns))
    con.execute(_INSERT_BATCHES)
    con.unregister("stored_batches")


_LOADED = (
    "loading_rules", "batches", "series", "runs", "measurements", "measurement_details", "quarantined_results"
)  # fmt: skip
_WITHOUT_CHANGED_FILES = """
DELETE FROM raw_results r
WHERE (list_contains($days :: DATE[], received_day) OR content_hash IN (SELECT content_hash FROM landed))
  AND NOT EXISTS (
    SELECT 1 FROM landed l
    WHERE l.content_hash = r.content_hash AND l.received_at = r.received_at AND l.receipts = r.receipts)
"""
_FORMATS = """
SELECT content_hash, format FROM batches SEMI JOIN (SELECT unnest($hashes :: VARCHAR[]) AS content_hash)
USING (content_hash)
"""
_COUNT_RECEIPTS = """
UPDATE quarantined_results q SET received_day = r.received_day, first_seen = r.received_at, times_seen = r.receipts
FROM raw_results r
WHERE r.content_hash = q.content_hash AND (q.first_seen, q.times_seen) IS DISTINCT FROM (r.received_at, r.receipts)
"""

_LOADED_MEANWHILE = """
CREATE TEMP TABLE loaded_meanwhile AS SELECT part, content_hash FROM parts SEMI JOIN batches USING (content_hash)
"""
_WITHOUT_LOADED_MEANWHILE = (
    "DELETE FROM facts WHERE part IN (SELECT part FROM loaded_meanwhile)",
    "DELETE FROM quarantine WHERE part IN (SELECT part FROM loaded_meanwhile)",
)

_PART_SERIES = """
CREATE TEMP TABLE part_series AS SELECT part, series_id, count(*) AS measurements FROM facts GROUP BY part, series_id
"""
_NEW_SERIES = """
CREATE TEMP TABLE new_series AS
SELECT series_id, any_value(project) AS project, any_value(series_branch) AS series_branch, any_value(metric) AS metric,
  any_value(unit) AS unit, any_value(test_name) AS test_name, any_value(test_type) AS test_type,
  any_value(benchmark_version) AS benchmark_version, any_value(node_id) AS node_id, any_value(node_type) AS node_type,
  any_value(identity_tags) AS identity_tags, min(direction) AS direction
FROM series_dims SEMI JOIN part_series USING (series_id) ANTI JOIN series USING (series_id) GROUP BY series_id
"""

_BEGUN = """
(SELECT series_id, content_hash, part FROM (
  SELECT series_id, min(part) AS part FROM part_series SEMI JOIN new_series USING (series_id) GROUP BY series_id)
JOIN parts USING (part))
"""
"""New series and the first file that has each."""
_TOO_MANY = f"""
CREATE OR REPLACE TEMP TABLE too_many AS
SELECT content_hash, count(*) AS begun, any_value(metric) AS metric, any_value(test_name) AS test_name
FROM {_BEGUN} JOIN new_series USING (series_id)
GROUP BY content_hash HAVING begun > $max_new_series ORDER BY min(part) LIMIT 1
"""  # noqa: S608 - a clause of this module
_TOO_MANY_ID = stable_hash("content_hash", "'too_many_new_series'")
_TOO_MANY_INTO_QUARANTINE = f"""
INSERT INTO quarantine
SELECT min(part), any_value({_TOO_MANY_ID}), 'whole file', 'series', 'too_many_new_series',
  concat(any_value(name), ': begins ', any_value(begun), ' new series, more than ', $max_new_series, ' (such as ',
    any_value(metric), ' ', any_value(test_name), '); the rows of known series are loaded. Take what changes with '
    'every run out of the names, or raise max_new_series under [quality]'), '', NULL
FROM too_many JOIN parts USING (content_hash) GROUP BY content_hash
"""  # noqa: S608 - expressions of this module
_COUNT_TOO_MANY = """
SELECT min(part), any_value(begun) FROM too_many JOIN parts USING (content_hash) GROUP BY content_hash
"""
_WITHOUT_TOO_MANY = (
    f"""DELETE FROM facts WHERE part IN (SELECT part FROM parts SEMI JOIN too_many USING (content_hash))
    AND series_id IN (SELECT series_id FROM {_BEGUN} SEMI JOIN too_many USING (content_hash))""",  # noqa: S608 - as above
    "DELETE FROM part_series WHERE (part, series_id) NOT IN (SELECT (part, series_id) FROM facts)",
    "DELETE FROM new_series WHERE series_id NOT IN (SELECT series_id FROM part_series)",
)

_APART_FROM_STORED = """
CREATE TEMP TABLE apart_from_stored AS
SELECT f.row, f.value, m.series_id, m.run_id, m.value AS stored_value
FROM (SELECT * FROM facts WHERE is_place) f JOIN measurements m ON m.series_id = f.series_id AND m.run_id = f.run_id
WHERE f.value <> m.value
"""
_GIVES_WAY = f"""
(SELECT DISTINCT series_id, run_id, stored_value, {run_id_apart("run_id", "series_id", "stored_value")} AS run_apart
FROM apart_from_stored WHERE value < stored_value)
"""  # noqa: S608 - an expression of staging
_STORED_APART = (
    f"""INSERT INTO runs
    SELECT a.run_apart, r.project, {run_key_apart("r.run_key", "a.series_id", "a.stored_value")}, r.attempt,
      r.branch, r.on_series_branch, r.commit_id, r.ci_job_id, r.run_url,
      nullif(coalesce(d.context, r.context), '{{}}')
    FROM {_GIVES_WAY} a JOIN runs r USING (run_id)
    LEFT JOIN measurement_details d ON d.series_id = a.series_id AND d.run_id = a.run_id""",  # noqa: S608 - an expression of staging
    f"""UPDATE measurements m SET run_id = a.run_apart FROM {_GIVES_WAY} a
    WHERE a.series_id = m.series_id AND a.run_id = m.run_id""",  # noqa: S608 - as above
    f"""UPDATE measurement_details d SET run_id = a.run_apart, context = NULL FROM {_GIVES_WAY} a
    WHERE a.series_id = d.series_id AND a.run_id = d.run_id""",  # noqa: S608 - as above
    f"""DELETE FROM measurement_details d USING {_GIVES_WAY} a, series s
    WHERE a.series_id = d.series_id AND a.run_apart = d.run_id AND s.series_id = d.series_id AND d.raw_unit = s.unit
      AND d.time_source = 'result' AND d.spread IS NULL AND d.replicates IS NULL AND d.node_name IS NULL""",  # noqa: S608 - as above
)  # fmt: skip

_KNOWN_RUNS = "CREATE TEMP TABLE known_runs AS SELECT run_id FROM run_infos SEMI JOIN runs USING (run_id)"
_CHANGED_RUNS = f"""
CREATE TEMP TABLE changed_runs AS
WITH merged AS (
  SELECT run_id, {RUN_FIELDS} FROM (
    SELECT run_id, branch, on_series_branch, commit_id, ci_job_id, run_url, context FROM run_infos SEMI JOIN known_runs
    USING (run_id)
    UNION ALL
    SELECT run_id, branch, on_series_branch, commit_id, ci_job_id, run_url, context FROM runs SEMI JOIN known_runs
    USING (run_id))
  GROUP BY run_id
)
SELECT m.*, r.context AS context_before FROM merged m JOIN runs r USING (run_id)
WHERE (m.branch, m.on_series_branch, m.commit_id, m.ci_job_id, m.run_url, m.context) IS DISTINCT FROM
  (r.branch, r.on_series_branch, r.commit_id, r.ci_job_id, r.run_url, r.context)
"""  # noqa: S608 - expressions of this module

# What is stored of the measurements at hand; most are reported again as they were, which the numbers alone tell.
_MET = """
CREATE TEMP TABLE met AS
SELECT f.series_id, f.run_id, f.row, m.value <> f.value OR m.ts <> f.ts OR f.detailed OR i.differs
    OR i.context IS DISTINCT FROM r.context OR d.series_id IS NOT NULL AS differs
FROM facts f SEMI JOIN known_runs k ON k.run_id = f.run_id
JOIN measurements m ON m.series_id = f.series_id AND m.run_id = f.run_id
JOIN run_infos i ON i.run_id = f.run_id JOIN runs r ON r.run_id = f.run_id
LEFT JOIN measurement_details d ON d.series_id = f.series_id AND d.run_id = f.run_id
"""
_NOTHING_MET = "CREATE TEMP TABLE met (series_id BIGINT, run_id BIGINT, row BIGINT, differs BOOLEAN)"
_STORED_FILES = f"""
(SELECT b.batch_id, b.content_hash, b.name, b.received_day, b.received_at, coalesce(r.receipts, 1) AS receipts
FROM batches b LEFT JOIN raw_results r USING (content_hash)
UNION ALL
SELECT {stable_hash("content_hash")}, content_hash, name, received_day, received_at, receipts
FROM raw_results ANTI JOIN batches USING (content_hash))
"""  # noqa: S608 - an expression of staging
"""Also those that are to be read again, whose values are still there."""
_STORED_REPORTS = f"""
CREATE TEMP TABLE stored_reports AS
SELECT *, {CONTENT_KEY} AS content_key FROM (
  SELECT m.series_id, m.run_id, m.ts, m.value, coalesce(d.raw_value, m.value) AS raw_value,
    coalesce(d.raw_unit, s.unit) AS raw_unit, coalesce(d.time_source, 'result') AS time_source, d.spread, d.replicates,
    d.node_name, nullif(coalesce(d.context, r.context), '{{}}') AS context,
    coalesce(d.time_source = 'receipt', false) AS by_receipt,
    b.content_hash, b.name, b.received_day, b.received_at, b.receipts, d.location, r.run_key
  FROM measurements m SEMI JOIN incoming_reports i ON i.series_id = m.series_id AND i.run_id = m.run_id
  JOIN series s ON s.series_id = m.series_id JOIN runs r ON r.run_id = m.run_id
  JOIN {_STORED_FILES} b ON b.batch_id = m.batch_id
  LEFT JOIN measurement_details d ON d.series_id = m.series_id AND d.run_id = m.run_id)
"""  # noqa: S608 - expressions of this module


_SETTLED = f"""
CREATE TEMP TABLE settled AS
SELECT i.row, i.part, i.series_id, i.run_id, ({precedence("i")}) < ({precedence("s")}) AS replaced,
  i.value <> s.value AS conflicting, i.value, s.value AS stored_value, i.location, s.location AS stored_location,
  s.content_hash AS stored_hash, s.name AS stored_name, s.received_day AS stored_day, s.received_at AS stored_at,
  s.receipts AS stored_receipts,
  s.run_key, concat_ws(', ', i.metric, i.test_name, i.node_id) AS subject
FROM incoming_reports i JOIN stored_reports s USING (series_id, run_id)
"""  # noqa: S608 - expressions of this module
_CONFLICT_ID = conflict_id("loser", "series_id", "run_id", "lost")
_STORED_CONFLICTS = f"""
CREATE TEMP TABLE stored_conflicts AS
SELECT *, {_CONFLICT_ID} AS quarantine_id, row_number() OVER (PARTITION BY loser ORDER BY row) AS number FROM (
  SELECT s.series_id, s.run_id, s.subject, s.run_key, if(s.replaced, s.stored_hash, p.content_hash) AS loser,
    if(s.replaced, s.stored_name, p.name) AS loser_name, if(s.replaced, s.stored_day, p.received_day) AS day,
    if(s.replaced, s.stored_at, p.received_at) AS first_seen,
    if(s.replaced, s.stored_receipts, p.receipts) AS times_seen,
    if(s.replaced, s.value, s.stored_value) AS kept, if(s.replaced, p.name, s.stored_name) AS winner_name,
    if(s.replaced, s.stored_value, s.value) AS lost,
    {showable_sql("if(s.replaced, coalesce(s.stored_location, 'run ' || s.run_key), s.location)")} AS location,
    if(s.replaced, p.content_hash, s.stored_hash) AS kept_hash, s.row
  FROM settled s JOIN parts p USING (part) WHERE s.conflicting)
"""  # noqa: S608 - expressions of staging and of the rule for characters
_CONFLICTS_INTO_QUARANTINE = """
INSERT INTO quarantined_results
SELECT quarantine_id, loser, loser_name, day, location, 'value', 'duplicate_with_different_value',
  concat(loser_name, ', ', location, ', value: run ', run_key, ' has the value ', lost, ' here and ', kept, ' in ',
    winner_name, '; give repetitions their own attempt'),
  concat_ws(', ', subject, lost), first_seen, times_seen, kept_hash
FROM stored_conflicts WHERE number <= $most
"""
_MORE_CONFLICTS = f"""
INSERT INTO quarantined_results
SELECT {stable_hash("loser", "more", "'duplicate_with_different_value'", "min(quarantine_id)")}, loser,
  any_value(loser_name), any_value(day), concat(more, ' other places'), 'value',
  'duplicate_with_different_value',
  {more_told("any_value(loser_name)")}, '', any_value(first_seen), any_value(times_seen), NULL
FROM (SELECT *, max(number) OVER (PARTITION BY loser) - $most AS more FROM stored_conflicts)
WHERE more > 0 GROUP BY loser, more
"""  # noqa: S608 - an expression of staging
_COUNT_REPLACED = """
UPDATE batches b SET quarantined = b.quarantined + l.lost
FROM (SELECT stored_hash, count(*) AS lost FROM settled WHERE conflicting AND replaced GROUP BY stored_hash) l
WHERE l.stored_hash = b.content_hash
"""
_STAYS = """
CREATE TEMP TABLE stays AS
SELECT series_id, run_id FROM met ANTI JOIN (SELECT * FROM settled WHERE replaced) USING (series_id, run_id)
"""
_REPLACE = tuple(
    f"""DELETE FROM {table} t USING settled s
    WHERE s.replaced AND s.series_id = t.series_id AND s.run_id = t.run_id"""  # noqa: S608 - tables of this module
    for table in ("measurements", "measurement_details")
)

# A series is new in the first file that has it.
_COUNTS = """
WITH file_series AS (
  SELECT content_hash, series_id, min(part) AS part, sum(own) AS own, sum(elsewhere) AS elsewhere
  FROM (
    SELECT p.content_hash, f.series_id, part, f.measurements AS own, 0 AS elsewhere
    FROM part_series f JOIN parts p USING (part)
    UNION ALL
    SELECT content_hash, series_id, NULL, 0, count(*) FROM reported_elsewhere SEMI JOIN part_series USING (series_id)
    GROUP BY content_hash, series_id)
  GROUP BY content_hash, series_id
)
SELECT content_hash, sum(s.own + s.elsewhere) :: BIGINT, (sum(s.own) - coalesce(any_value(k.known), 0)) :: BIGINT,
  count(*), coalesce(any_value(n.begun), 0)
FROM file_series s
LEFT JOIN (
  SELECT p.content_hash, count(*) AS known FROM facts SEMI JOIN met USING (series_id, run_id) JOIN parts p USING (part)
  GROUP BY p.content_hash) k USING (content_hash)
LEFT JOIN (
  SELECT content_hash, count(*) AS begun FROM (
    SELECT arg_min(content_hash, part) AS content_hash FROM file_series SEMI JOIN new_series USING (series_id)
    WHERE part IS NOT NULL GROUP BY series_id)
  GROUP BY content_hash) n USING (content_hash)
GROUP BY content_hash
"""

_MERGE_INTO_SERIES = """
UPDATE series s SET declared_direction = n.direction, sample = n.sample, simulated = n.simulated
FROM (
  SELECT s.series_id, least(any_value(s.declared_direction), min(u.direction)) AS direction,
    any_value(s.sample) AND $sample AS sample, any_value(s.simulated) AND $simulated AS simulated
  FROM series s JOIN (SELECT * FROM series_dims SEMI JOIN part_series USING (series_id)) u USING (series_id)
  GROUP BY s.series_id) n
WHERE n.series_id = s.series_id
  AND (s.declared_direction, s.sample, s.simulated) IS DISTINCT FROM (n.direction, n.sample, n.simulated)
"""
_INSERT_SERIES = "INSERT INTO series SELECT *, $sample, $simulated FROM new_series ORDER BY series_id"

_MERGE_INTO_RUNS = (
    # Measurements that leant on the run's former context get it as their own, also one that was none.
    """INSERT INTO measurement_details
    SELECT m.series_id, m.run_id, m.batch_id, m.value, s.unit, 'result', NULL, NULL, NULL,
      coalesce(c.context_before, '{}'), NULL
    FROM measurements m JOIN changed_runs c USING (run_id) JOIN series s USING (series_id)
    ANTI JOIN measurement_details d ON d.series_id = m.series_id AND d.run_id = m.run_id
    WHERE c.context_before IS DISTINCT FROM c.context""",
    """UPDATE measurement_details d SET context = coalesce(c.context_before, '{}') FROM changed_runs c
    WHERE c.run_id = d.run_id AND d.context IS NULL AND c.context_before IS DISTINCT FROM c.context""",
    """UPDATE runs r SET branch = c.branch, on_series_branch = c.on_series_branch, commit_id = c.commit_id,
      ci_job_id = c.ci_job_id, run_url = c.run_url, context = c.context
    FROM changed_runs c WHERE c.run_id = r.run_id""",
)
_INSERT_RUNS = """
INSERT INTO runs
SELECT run_id, project, run_key, attempt, branch, on_series_branch, commit_id, ci_job_id, run_url, context
FROM run_infos ANTI JOIN known_runs USING (run_id)
"""

# Rows that say more than value and time, or another context than their run.
_DETAILED_ROWS = """
CREATE TEMP TABLE detailed_rows AS
WITH divided AS (SELECT run_id FROM run_infos WHERE differs UNION SELECT run_id FROM known_runs)
SELECT f.row FROM facts f ANTI JOIN stays s ON s.series_id = f.series_id AND s.run_id = f.run_id
WHERE f.detailed OR f.run_id IN (SELECT run_id FROM divided)
"""
_INSERT_DETAILS = """
INSERT INTO measurement_details
SELECT d.series_id, d.run_id, p.batch_id, d.raw_value, d.raw_unit, d.time_source, d.spread, d.replicates, d.node_name,
  CASE WHEN d.context IS DISTINCT FROM r.context THEN coalesce(d.context, '{}') END, d.location
FROM details d JOIN runs r USING (run_id) JOIN parts p USING (part) JOIN series s USING (series_id)
WHERE d.raw_unit <> s.unit OR d.time_source <> 'result' OR d.spread IS NOT NULL OR d.replicates IS NOT NULL
  OR d.node_name IS NOT NULL OR d.context IS DISTINCT FROM r.context
ORDER BY d.series_id, d.run_id
"""

_INSERT_ALL_MEASUREMENTS = """
INSERT INTO measurements
SELECT f.series_id, f.run_id, p.batch_id, f.ts, f.value FROM facts f JOIN parts p USING (part)
ORDER BY f.series_id, f.ts
"""
_INSERT_MEASUREMENTS = """
INSERT INTO measurements
SELECT f.series_id, f.run_id, p.batch_id, f.ts, f.value FROM facts f JOIN parts p USING (part)
ANTI JOIN stays s ON s.series_id = f.series_id AND s.run_id = f.run_id
ORDER BY f.series_id, f.ts
"""
# What was rejected stays as it was written: the command shows what a terminal would obey by its number.
_SHOWN = [showable_sql(f"q.{name}") for name in ("location", "field", "message")]
_INSERT_QUARANTINE = """
INSERT INTO quarantined_results
SELECT q.quarantine_id, p.content_hash, p.name, p.received_day, {}, {}, q.reason, {}, q.fragment, p.received_at,
  p.receipts, q.kept_hash
FROM quarantine q JOIN parts p USING (part)
""".format(*_SHOWN)
_INSERT_BATCHES = f"""
INSERT INTO batches
SELECT {stable_hash("content_hash")}, content_hash, received_day, received_at, name, format, sample, simulated,
  measurements, new_measurements, series, new_series, quarantined, omitted
FROM stored_batches
"""  # noqa: S608 - an expression of this module
