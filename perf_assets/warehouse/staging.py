"""Measurements on their way into the warehouse: identity, units and checks, in a database of their own.

All that needs no warehouse is worked out here, before its transaction. Ids are hashes, so any machine and any order
gives the same ones. What many rows have in common (the names of a series, the fields of a run) is worked out once for
each, so that a row costs only its numbers.

Tables of the stage that loading reads: `parts` (what was received), `series_dims`, `run_rows`, `run_infos` (one row a
run), `facts` (one row a measurement), `reported_elsewhere` (measurements of files that stand among the facts of another
one), `quarantine`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from perf_assets.catalog import Catalog, canonical_unit
from perf_assets.characters import showable, showable_json_sql, showable_sql
from perf_assets.formats.measurement import (
    LONGEST_NAME,
    MEASUREMENTS,
    PLACE_RUN,
    Chunk,
    Outcome,
    Rejection,
    Scan,
    parse_time,
)
from perf_assets.landing import Given, LandedFile
from perf_assets.settings import IdentitySettings, QualitySettings
from perf_assets.wording.quantities import number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "4GB"
"""Of the stage; what is larger goes to its scratch folder."""
MOST_TOLD = 1_000
"""Maximum rejections of one kind listed individually per file; the rest are only counted."""
_EARLIEST = datetime.fromisoformat("1980-01-01")
_BUFFERED_ROWS = 100_000


@dataclass(frozen=True)
class Rules:
    """What decides how results are stored."""

    catalog: Catalog
    identity: IdentitySettings
    quality: QualitySettings

    @property
    def fingerprint(self) -> str:
        """Of what decides which series and run a result belongs to, its time and unit, and whether it can be."""
        metrics = {name: [metric.unit, metric.lowest, metric.highest] for name, metric in self.catalog.metrics.items()}
        settings = [part.model_dump(mode="json") for part in (self.identity, self.quality)]
        told = [settings, metrics, _SERIES_ID, _RUN_ID, _name("name")]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def zone(self, given: Given) -> ZoneInfo:
        """Of times that name none."""
        return ZoneInfo(given.timezone or self.quality.timezone)


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
    rejected: int = 0


class Stage:
    """A database in memory (what does not fit goes to `scratch`) that holds some parts until they are stored."""

    def __init__(self, scratch: Path, rules: Rules) -> None:
        self.rules = rules
        self.parts: list[Part] = []
        self.rows = 0
        self.con: DuckDBPyConnection = duckdb.connect(
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(scratch)}
        )
        self.con.execute("SET TimeZone = 'UTC'")
        self._buffer: list[pa.Table] = []
        self._buffered = 0
        self._rejections: list[tuple[int, Rejection]] = []
        self._told: Counter[tuple[int, str, str]] = Counter()
        self._rows_of = "incoming"
        self._accepted = _as_it_is("incoming")
        self._typed: Callable[[str], str] = _as_it_is
        self._unusable: Callable[[], Iterable[Rejection]] = tuple
        self.con.register("nothing", _INCOMING.empty_table())
        self.con.execute("CREATE TEMP TABLE incoming AS FROM nothing")
        self.con.unregister("nothing")

    def part(self, file: LandedFile, name: str, format_name: str | None, own_run: str | None = None) -> Part:
        """A new part, to which chunks are then added; without a run of its own it has that of the landed file."""
        self.parts.append(Part(len(self.parts), file, name, format_name, own_run or file.content_hash))
        return self.parts[-1]

    def add(self, part: Part, chunk: Chunk) -> None:
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
        """Take a whole file as it is read by SQL; it is the only part of its stage."""
        self.reject(part, scan.broken)
        self._unusable = scan.rejections
        self._rows_of = scan.rows
        self._accepted = _WITH_PART.format(part=part.number, typed=scan.accepted)
        self._typed = lambda some: _WITH_PART.format(part=part.number, typed=scan.typed(some))

    def reject(self, part: Part, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            part.rejected += 1
            kind = (part.number, rejection.reason, rejection.field)
            self._told[kind] += 1
            if self._told[kind] <= MOST_TOLD:
                self._rejections.append((part.number, rejection))

    def typed(self, some: str | None = None) -> str:
        """A SELECT of row, part, info_key and the columns of MEASUREMENTS: of all rows, or of those of table `some`."""
        if some is None:
            return self._accepted
        return self._typed(_SOME_ROWS.format(rows=self._rows_of, some=some))

    def identify(self) -> None:
        """Work out series, runs and facts of all parts; what is wrong with them goes to `quarantine`."""
        self._empty_buffer()
        self._describe_parts()
        identity = self.rules.identity
        values = {
            "branches": list(identity.branches),
            "tags": list(identity.tags),
            "ephemeral": "|".join(f"({pattern})" for pattern in identity.ephemeral_nodes) or "^$",
            "longest": LONGEST_NAME,
            "most": MOST_TOLD,
        }
        self.execute(_KEYED.format(typed=self.typed()), values)
        if self.count(f"SELECT count(*) FROM {self._rows_of}") > self.count("SELECT count(*) FROM keyed"):  # noqa: S608
            self.reject(self.parts[0], self._unusable())
        self.execute(_FIRST_OF_SERIES, values)
        self.execute(_NAMED.format(typed=self.typed("first_of_series")), values)
        self._describe_units()
        self.execute(_SERIES_DIMS, values)
        self.execute(_FIRST_OF_RUNS, values)
        self.execute(_RUN_ROWS.format(typed=self.typed("first_of_runs")), values)
        self.execute(_FACTS.format(run_ids="run_rows" if self._runs_are_single() else _RUN_IDS), values)
        self.execute(_QUARANTINE, values)
        for statement in (_NOTHING_ELSEWHERE, _NO_CONFLICTS):
            self.con.execute(statement)
        self._quarantine_rejections()
        self._set_problems_aside(values)
        self.set_apart(_APART)
        self.describe_runs()
        # Hashes that are all different are those of different measurements; most files have no others.
        if self.count("SELECT count(*) - count(DISTINCT hash(series_id, run_id)) FROM facts"):
            self._settle_repetitions(values)

    def execute(self, statement: str, values: dict[str, Any]) -> None:
        """Run a statement with those of the values that it names."""
        self.con.execute(statement, {name: value for name, value in values.items() if f"${name}" in statement})

    def count(self, query: str) -> int:
        [(number,)] = self.con.execute(query).fetchall()
        return int(number)

    def candidates(self, some: str, name: str) -> None:
        """Table `name`: the facts that table `some` has, with what decides which of several reports of one measurement
        stays.
        """
        self.con.execute(_CANDIDATES.format(name=name, some=some, typed=self.typed(some)))

    def forget_without_facts(self) -> None:
        """What only rows told that are no facts (any more) is not known: another order of files would not tell it."""
        for statement in _WITHOUT_FACTS:
            self.con.execute(statement)

    def set_apart(self, rows: str) -> None:
        """Give facts that are further values of a time and place runs of their own; `rows` selects them."""
        self.con.execute(_SET_APART.format(rows=rows))
        self.con.execute(_IN_RUNS_APART)

    def describe_runs(self) -> None:
        """Table `run_infos`: the fields of each run, settled."""
        self.con.execute("DROP TABLE IF EXISTS run_infos")
        self.con.execute(_RUN_INFOS if self._runs_are_single() else _MERGED_RUN_INFOS)
        self.con.execute(_RUN_INFOS_APART)

    def _runs_are_single(self) -> bool:
        """Whether each run is described in one way only."""
        return not self.count("SELECT count(*) - count(DISTINCT run_id) FROM run_rows")

    def rejected_rows(self, query: str) -> None:
        """Count what SQL has rejected: `query` gives part and number."""
        for part, count in self.con.execute(query).fetchall():
            self.parts[part].rejected += count

    def withdraw_conflicts(self, kept: str) -> None:
        """Take values back from quarantine that are the ones kept after all: `kept` gives series_id, run_id, kept."""
        self.con.execute(_WITHDRAWN.format(kept=kept))
        for part, count in self.con.execute("SELECT part, count(*) FROM withdrawn GROUP BY part").fetchall():
            self.parts[part].rejected -= count
        self.con.execute("DELETE FROM quarantine WHERE quarantine_id IN (SELECT quarantine_id FROM withdrawn)")

    def _set_problems_aside(self, values: dict[str, Any]) -> None:
        if not self.count("SELECT count(problem) FROM facts"):
            return
        self.rejected_rows("SELECT part, count(*) FROM facts WHERE problem IS NOT NULL GROUP BY part")
        self.execute(_PROBLEM_ROWS, values)
        self.execute(_INTO_QUARANTINE.format(typed=self.typed("problem_rows")), values)
        self.execute(_MORE_INTO_QUARANTINE.format(counted=_COUNT_PROBLEMS), values)
        self.con.execute("DELETE FROM facts WHERE problem IS NOT NULL")
        self.forget_without_facts()

    def _settle_repetitions(self, values: dict[str, Any]) -> None:
        for statement in (_REPEATED, _REPEATED_ROWS):
            self.con.execute(statement)
        self.candidates("rows_repeated", "repeated_candidates")
        self.execute(_WINNERS, values)
        self.con.execute(_CONFLICTS)
        for statement in (_CONFLICTS_INTO_QUARANTINE, _MORE_INTO_QUARANTINE.format(counted=_COUNT_CONFLICTS)):
            self.execute(statement, values)
        self.rejected_rows("SELECT part, count(*) FROM conflicts GROUP BY part")
        self.con.execute(_REPORTED_ELSEWHERE)
        self.con.execute("DELETE FROM facts WHERE row IN (SELECT row FROM losers)")

    def _empty_buffer(self) -> None:
        if self._buffer:
            # In one piece: DuckDB is slow over the many small ones of small files.
            self.con.register("buffer", pa.concat_tables(self._buffer).combine_chunks())
            self.con.execute("INSERT INTO incoming FROM buffer")
            self.con.unregister("buffer")
            self._buffer, self._buffered = [], 0

    def _describe_parts(self) -> None:
        rows = [self._described(part) for part in self.parts]
        self.con.register("described_parts", pa.Table.from_pylist(rows, schema=_PARTS))
        self.con.execute(_DESCRIBED_PARTS)
        self.con.unregister("described_parts")

    def _described(self, part: Part) -> dict[str, Any]:
        file, given, quality = part.file, part.file.given, self.rules.quality
        ahead = timedelta(minutes=quality.minutes_ahead)
        back = quality.days_back if file.origin in quality.limited_origins else None
        return {
            "part": part.number,
            "content_hash": file.content_hash,
            "name": showable(part.name),
            "received_at": file.received_at,
            "received_day": file.day,
            "receipts": file.receipts,
            "given_project": given.project,
            "given_branch": given.branch,
            "given_commit": given.commit_id,
            "given_run": given.run_key,
            "own_run": part.own_run,
            "member": part.name.removeprefix(file.name),
            "given_attempt": given.attempt,
            "given_ts": parse_time(given.ts, self.rules.zone(given)),
            "earliest": max(_EARLIEST, file.received_at - timedelta(days=back)) if back is not None else _EARLIEST,
            "latest": file.received_at + ahead,
        }

    def _describe_units(self) -> None:
        """What the canonical unit of each metric and written unit is, and between which values it can lie."""
        written = self.con.execute("SELECT DISTINCT metric, raw_unit FROM named WHERE metric IS NOT NULL").fetchall()
        catalog = self.rules.catalog
        rows = []
        for metric, raw in written:
            known = catalog[metric]
            told = known.unit if raw is None else raw
            unit = canonical_unit(told)
            rows.append(
                {
                    "metric": metric,
                    "raw_unit": raw,
                    "written": told,
                    "unit": unit.unit,
                    "factor": unit.factor,
                    "catalogue_unit": known.unit if metric in catalog else None,
                    "lowest": 0.0 if unit.unit in ("s", "By") else known.lowest,
                    "highest": known.highest,
                }
            )
        self.con.register("units_read", pa.Table.from_pylist(rows, schema=_UNITS))
        self.con.execute("CREATE OR REPLACE TEMP TABLE units AS FROM units_read")
        self.con.unregister("units_read")

    def _quarantine_rejections(self) -> None:
        rows = [
            {
                "part": part,
                "location": rejection.location,
                "field": rejection.field,
                "reason": rejection.reason,
                "message": _named(self.parts[part].name, rejection.message),
                "fragment": rejection.fragment,
            }
            for part, rejection in self._rejections
        ]
        rows += [
            {
                "part": part,
                "location": f"{number(count - MOST_TOLD)} other places",
                "field": field,
                "reason": reason,
                "message": f"{self.parts[part].name}: {number(count - MOST_TOLD)} more like the {number(MOST_TOLD)} "
                "that are listed; they need the same correction",
                "fragment": "",
            }
            for (part, reason, field), count in self._told.items()
            if count > MOST_TOLD
        ]
        self.con.register("rejected", pa.Table.from_pylist(rows, schema=_REJECTED))
        self.con.execute(_REJECTED_INTO_QUARANTINE)
        self.con.unregister("rejected")


def _named(name: str, message: str) -> str:
    """A message that begins with the file it is about."""
    return message if message.startswith(name) else f"{name}, {message}"


def _as_it_is(rows: str) -> str:
    return f"SELECT *, {_INFO_KEY} AS info_key FROM {rows}"  # noqa: S608 - a table or SELECT of this module


_INFO_KEY = "hash(branch, commit_id, ci_job_id, run_url, context, tags)"
_INCOMING = pa.schema([("row", pa.int64()), ("part", pa.int32()), *MEASUREMENTS])
_PARTS = pa.schema(
    [
        ("part", pa.int32()),
        ("content_hash", pa.string()),
        ("name", pa.string()),
        ("received_at", pa.timestamp("us")),
        ("received_day", pa.string()),
        ("receipts", pa.int64()),
        ("given_project", pa.string()),
        ("given_branch", pa.string()),
        ("given_commit", pa.string()),
        ("given_run", pa.string()),
        ("own_run", pa.string()),
        ("member", pa.string()),
        ("given_attempt", pa.int32()),
        ("given_ts", pa.timestamp("us")),
        ("earliest", pa.timestamp("us")),
        ("latest", pa.timestamp("us")),
    ]
)
_UNITS = pa.schema(
    [
        ("metric", pa.string()),
        ("raw_unit", pa.string()),
        ("written", pa.string()),
        ("unit", pa.string()),
        ("factor", pa.float64()),
        ("catalogue_unit", pa.string()),
        ("lowest", pa.float64()),
        ("highest", pa.float64()),
    ]
)
_REJECTED = pa.schema(
    [("part", pa.int32()), *((name, pa.string()) for name in ("location", "field", "reason", "message", "fragment"))]
)


def stable_hash(*fields: str) -> str:
    """SQL of a stable 64-bit signed number; the unit separator keeps neighbouring fields apart."""
    parts = ", ".join(f"coalesce({name} :: VARCHAR, chr(30))" for name in fields)
    return f"(md5_number_lower(concat_ws(chr(31), {parts})) :: HUGEINT - 9223372036854775808) :: BIGINT"


_OF_SERIES = stable_hash(
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
# The first bits are those of the metric: stored in their order, the series of one metric lie together, and a question
# about it reads little else. The others are enough for millions of series of one metric.
_OTHER_BITS = (1 << 54) - 1
_SERIES_ID = f"(({stable_hash('metric')} & {~_OTHER_BITS}) | ({_OF_SERIES} & {_OTHER_BITS}))"
# Build numbers begin anew on each branch, so that one without series never takes a run of the others.
_RUN_ID = f"""CASE WHEN on_series_branch THEN {stable_hash("project", "run_key", "attempt")}
    ELSE {stable_hash("project", "run_key", "attempt", "branch")} END"""
_BATCH_ID = stable_hash("content_hash")

_WITH_PART = "SELECT {part} AS part, * FROM ({typed})"
_SOME_ROWS = "(SELECT * FROM {rows} SEMI JOIN {some} USING (row))"

_DESCRIBED_PARTS = f"""
CREATE OR REPLACE TEMP TABLE parts AS
SELECT * REPLACE (received_day :: DATE AS received_day), {_BATCH_ID} AS batch_id FROM described_parts
"""  # noqa: S608 - expressions of this module

# What a file leaves open is told by what came with it, so its part takes part in the keys.
_SERIES_KEY = """hash(metric, raw_unit, project, branch, test_name, test_type, benchmark_version, node_id, node_type,
    tags, direction, CASE WHEN project IS NULL OR branch IS NULL THEN part END)"""
_IS_PLACE = f"starts_with(run_key, '{PLACE_RUN}')"
_RUN_HASH = f"""hash(project, run_key, attempt, branch,
    CASE WHEN project IS NULL OR run_key IS NULL OR branch IS NULL OR attempt = 1 OR {_IS_PLACE} THEN part END)"""
_KEYED = f"""
CREATE TEMP TABLE keyed AS
SELECT row, part, ts, raw_value, {_SERIES_KEY} AS series_key, {_RUN_HASH} AS run_hash,
  hash(info_key, part) AS info_key,
  ts IS NULL OR time_source <> 'result' OR raw_spread IS NOT NULL OR raw_replicates IS NOT NULL AS detailed
FROM ({{typed}})
"""  # noqa: S608 - expressions of this module

_FIRST_OF_SERIES = (
    "CREATE TEMP TABLE first_of_series AS SELECT series_key, min(row) AS row FROM keyed GROUP BY series_key"
)
_FIRST_OF_RUNS = """
CREATE TEMP TABLE first_of_runs AS
SELECT run_hash, info_key, min(row) AS row FROM keyed GROUP BY run_hash, info_key
"""


def _name(*written: str) -> str:
    """SQL of a name or unit, the first that is written and not blank, as it can be shown."""
    told = [f"nullif(trim({text}), '')" for text in written]
    return showable_sql(f"coalesce({', '.join(told)})" if len(told) > 1 else told[0])


def _names(*names: str) -> str:
    return ", ".join(f"{_name(name)} AS {name}" for name in names)


_NAMED = f"""
CREATE TEMP TABLE named AS
SELECT {_SERIES_KEY} AS series_key,
  {_names("metric", "test_name", "test_type", "benchmark_version", "node_id", "node_type")},
  {showable_sql("trim(raw_unit)")} AS raw_unit, direction, tags,
  {_name("p.given_project", "i.project", "'default'")} AS project, {_name("i.branch", "p.given_branch")} AS branch
FROM ({{typed}}) i JOIN parts p USING (part)
"""  # noqa: S608 - expressions of this module

_SERIES_DIMS = f"""
CREATE TEMP TABLE series_dims AS
WITH lasting AS (
  SELECT n.* EXCLUDE (node_id, raw_unit), u.* EXCLUDE (metric, raw_unit, written), u.written AS raw_unit,
    CASE WHEN regexp_matches(node_id, $ephemeral) THEN NULL ELSE node_id END AS node_id,
    CASE WHEN regexp_matches(node_id, $ephemeral) THEN node_id END AS node_name,
    branch IS NULL OR list_contains($branches :: VARCHAR[], branch) AS on_series_branch,
    CASE WHEN tags IS NOT NULL THEN (
      SELECT to_json(map_from_entries(list_filter(map_entries(tags :: JSON :: MAP(VARCHAR, VARCHAR)),
        lambda entry: list_contains($tags :: VARCHAR[], entry.key)))) :: VARCHAR) END AS identity_tags
  FROM named n LEFT JOIN units u ON u.metric = n.metric AND u.raw_unit IS NOT DISTINCT FROM n.raw_unit
), placed AS (
  SELECT * REPLACE ({showable_json_sql("nullif(identity_tags, '{}')")} AS identity_tags),
    CASE WHEN on_series_branch THEN branch ELSE list_extract($branches :: VARCHAR[], 1) END AS series_branch
  FROM lasting
)
SELECT *, {_SERIES_ID} AS series_id,
  CASE WHEN metric IS NULL THEN 'missing_identity'
    WHEN greatest(length(metric), length(test_name), length(test_type), length(project), length(node_id),
      length(node_type), length(benchmark_version)) > $longest THEN 'name_too_long'
    WHEN catalogue_unit IS NOT NULL AND unit <> catalogue_unit THEN 'unit_conflict' END AS problem
FROM placed
"""  # noqa: S608 - expressions of this module

_WITH_OTHER_TAGS = """nullif(CASE WHEN tags IS NULL THEN context ELSE json_merge_patch(coalesce(context, '{{}}'),
    (SELECT to_json(map_from_entries(list_filter(map_entries(tags :: JSON :: MAP(VARCHAR, VARCHAR)),
      lambda entry: NOT list_contains($tags :: VARCHAR[], entry.key)))))) :: VARCHAR END, '{{}}')"""
# Tags that are no identity explain: they are part of the context.
_RUN_ROWS = f"""
CREATE TEMP TABLE run_rows AS
WITH filled AS (
  SELECT {_RUN_HASH} AS run_hash, hash(info_key, part) AS info_key,
    {_name("p.given_project", "i.project", "'default'")} AS project,
    CASE WHEN {_IS_PLACE} THEN concat_ws('@', {_name("p.given_run")}, {_name("i.run_key")})
      ELSE {_name("i.run_key", "p.given_run", "p.own_run")} END AS run_key,
    coalesce({_IS_PLACE}, false) AS is_place,
    CASE WHEN i.attempt = 1 THEN coalesce(p.given_attempt, 1) ELSE i.attempt END AS attempt,
    {_name("i.branch", "p.given_branch")} AS branch, {_name("i.commit_id", "p.given_commit")} AS commit_id,
    {_name("i.ci_job_id")} AS ci_job_id, {showable_sql("i.run_url")} AS run_url, i.context, i.tags
  FROM ({{typed}}) i JOIN parts p USING (part)
)
SELECT * EXCLUDE (tags) REPLACE ({showable_json_sql(_WITH_OTHER_TAGS)} AS context),
  branch IS NULL OR list_contains($branches :: VARCHAR[], branch) AS on_series_branch, {_RUN_ID} AS run_id
FROM filled
"""  # noqa: S608 - expressions of this module
# What a run's rows say differently is settled by the smallest, so that neither order nor split into files matters.
RUN_FIELDS = """min(branch) AS branch, bool_and(on_series_branch) AS on_series_branch, min(commit_id) AS commit_id,
  min(ci_job_id) AS ci_job_id, min(run_url) AS run_url, min(context) AS context"""
_RUN_INFOS = """
CREATE TEMP TABLE run_infos AS
SELECT run_id, project, run_key, attempt, branch, on_series_branch, commit_id, ci_job_id, run_url, context,
  false AS differs
FROM run_rows
"""
_MERGED_RUN_INFOS = f"""
CREATE TEMP TABLE run_infos AS
SELECT run_id, any_value(project) AS project, any_value(run_key) AS run_key, any_value(attempt) AS attempt,
  {RUN_FIELDS}, min(context) IS DISTINCT FROM max(context) OR count(context) < count(*) AS differs
FROM run_rows GROUP BY run_id
"""  # noqa: S608 - expressions of this module

_FACTS = """
CREATE TEMP TABLE facts AS
SELECT * EXCLUDE (series_problem, lowest, highest, earliest, latest),
  CASE WHEN series_problem IS NOT NULL THEN series_problem
    WHEN NOT isfinite(value) THEN 'not_finite'
    WHEN value < lowest OR value > highest THEN 'impossible_value'
    WHEN ts < earliest OR ts > latest THEN 'time_out_of_range' END AS problem
FROM (
  SELECT k.row, k.part, s.series_id, r.run_id, r.is_place, coalesce(k.ts, p.given_ts, p.received_at) AS ts,
    k.raw_value * s.factor AS value, k.detailed OR s.raw_unit <> s.unit OR s.node_name IS NOT NULL AS detailed,
    k.ts IS NULL AND p.given_ts IS NULL AS by_receipt,
    s.problem AS series_problem, s.lowest, s.highest, p.earliest, p.latest
  FROM keyed k JOIN series_dims s USING (series_key)
  JOIN {run_ids} r USING (run_hash) JOIN parts p USING (part))
"""
_RUN_IDS = """
(SELECT run_hash, any_value(run_id) AS run_id, any_value(is_place) AS is_place FROM run_rows GROUP BY run_hash)
"""


def run_id_apart(run_id: str, series_id: str, value: str) -> str:
    """SQL of the id of the run that one value of a series has which is set apart from run `run_id`."""
    return stable_hash(run_id, series_id, value)


def run_key_apart(run_key: str, series_id: str, value: str) -> str:
    """SQL of the key of the same run."""
    return f"concat({run_key}, '#', {series_id}, '=', {value})"


# A time and place has the smallest value of a series; further ones are runs of their own. So it makes no difference
# which of them came first, or together.
_APART = """
SELECT row FROM facts JOIN (
  SELECT series_id, run_id, min(value) AS smallest FROM facts WHERE is_place GROUP BY series_id, run_id
  HAVING smallest < max(value)) USING (series_id, run_id)
WHERE value > smallest
"""
_SET_APART = f"""
CREATE TEMP TABLE IF NOT EXISTS apart (row BIGINT, run_id BIGINT, run_key VARCHAR);
INSERT INTO apart
SELECT row, {run_id_apart("r.run_id", "series_id", "value")}, {run_key_apart("r.run_key", "series_id", "value")}
FROM ({{rows}}) JOIN facts USING (row) JOIN keyed USING (row) JOIN run_rows r USING (run_hash, info_key)
"""  # noqa: S608 - expressions of this module
_IN_RUNS_APART = "UPDATE facts SET run_id = a.run_id FROM apart a WHERE a.row = facts.row AND a.run_id <> facts.run_id"
_RUN_INFOS_APART = f"""
INSERT INTO run_infos
SELECT a.run_id, any_value(project), any_value(a.run_key), any_value(attempt), {RUN_FIELDS},
  min(context) IS DISTINCT FROM max(context) OR count(context) < count(*)
FROM apart a SEMI JOIN facts USING (row) JOIN keyed USING (row) JOIN run_rows r USING (run_hash, info_key)
GROUP BY a.run_id
"""  # noqa: S608 - expressions of this module

_WITHOUT_FACTS = (
    """CREATE OR REPLACE TEMP TABLE told AS
    SELECT DISTINCT series_key, run_hash, info_key FROM keyed SEMI JOIN facts USING (row)""",
    "DELETE FROM series_dims WHERE series_key NOT IN (SELECT series_key FROM told)",
    """DELETE FROM run_rows WHERE NOT EXISTS (
      SELECT 1 FROM told t WHERE t.run_hash = run_rows.run_hash AND t.info_key = run_rows.info_key)""",
)

_QUARANTINE = """
CREATE OR REPLACE TEMP TABLE quarantine (part INTEGER, quarantine_id BIGINT, location VARCHAR, field VARCHAR,
  reason VARCHAR, message VARCHAR, fragment VARCHAR, kept_hash VARCHAR)
"""
# Members of an archive have places that are called alike.
_REJECTED_ID = stable_hash("content_hash", "member", "location", "field", "reason")
_REJECTED_INTO_QUARANTINE = f"""
INSERT INTO quarantine
SELECT part, {_REJECTED_ID}, location, field, reason, message, fragment, NULL
FROM (SELECT DISTINCT * FROM rejected) JOIN parts USING (part)
"""  # noqa: S608 - expressions of this module

_PROBLEM_ROWS = """
CREATE TEMP TABLE problem_rows AS
SELECT row, problem, part FROM facts WHERE problem IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY part, problem ORDER BY row) <= $most
"""
_CHECKED_ID = stable_hash("content_hash", "member", "location", "'value'", "reason")
_INTO_QUARANTINE = f"""
INSERT INTO quarantine
SELECT part, {_CHECKED_ID}, location,
  CASE problem WHEN 'time_out_of_range' THEN 'timestamp' WHEN 'unit_conflict' THEN 'unit'
    WHEN 'name_too_long' THEN 'name' WHEN 'missing_identity' THEN 'metric' ELSE 'value' END, reason,
  concat(name, ', ', location, ': ', CASE problem
    WHEN 'not_finite' THEN 'too large for a number in its canonical unit; correct value or unit'
    WHEN 'impossible_value' THEN concat(metric, ' is ', value, if(unit IN ('', '1'), '', concat(' ', unit)), ', and ',
      if(value < lowest, concat('cannot be below ', lowest), concat('cannot be above ', highest)),
      if(unit = '1', '; write % where percent are meant', '; correct the value'))
    WHEN 'unit_conflict' THEN concat(metric, ' is measured in ',
      if(catalogue_unit = '1', 'shares from 0 to 1 (or %)', catalogue_unit), ', and ',
      if(raw_unit = '', 'no unit', raw_unit),
      ' does not convert to that; convert it, or give the metric another name')
    WHEN 'name_too_long' THEN concat('a name of this row has more than ', $longest, ' characters; shorten it')
    WHEN 'missing_identity' THEN 'a measurement needs the name of its metric; fill the field'
    WHEN 'time_out_of_range' THEN concat(ts, ' UTC lies ', if(ts > latest, concat('after the receipt at ', received_at),
      concat('before ', earliest)), '; check clock and time zone, or the limits under [quality]') END),
  concat_ws(', ', metric, raw_value, raw_unit, ts, test_name, node_id), NULL
FROM (
  SELECT part, p.content_hash, p.member, p.name, p.received_at, i.location, w.problem,
    CASE w.problem WHEN 'name_too_long' THEN 'missing_identity' ELSE w.problem END AS reason,
    s.metric, s.raw_unit, s.unit, s.catalogue_unit, s.lowest, s.highest, i.raw_value, f.value, f.ts, i.test_name,
    i.node_id, p.earliest, p.latest
  FROM problem_rows w JOIN facts f USING (row, part) JOIN keyed k USING (row, part)
  JOIN series_dims s USING (series_key) JOIN ({{typed}}) i USING (row, part) JOIN parts p USING (part))
"""  # noqa: S608 - expressions of this module


def more_told(name: str) -> str:
    """SQL of what is said of the entries of a file, `more` of them, that are beyond the `$most` that are listed."""
    return f"concat({name}, ': ', more, ' more like the ', $most, ' that are listed; they need the same correction')"


_MORE_INTO_QUARANTINE = f"""
INSERT INTO quarantine
SELECT part, {_REJECTED_ID}, location, field, reason, {more_told("name")}, '', NULL
FROM (
  SELECT part, reason, number - $most AS more, concat(more, ' other places') AS location, 'value' AS field
  FROM ({{counted}}) WHERE number > $most)
JOIN parts USING (part)
"""  # noqa: S608 - expressions of this module
_COUNT_PROBLEMS = """
SELECT part, CASE problem WHEN 'name_too_long' THEN 'missing_identity' ELSE problem END AS reason, count(*) AS number
FROM facts WHERE problem IS NOT NULL GROUP BY part, problem
"""
_COUNT_CONFLICTS = """
SELECT part, 'duplicate_with_different_value' AS reason, count(*) AS number FROM conflicts GROUP BY part
"""

_REPEATED = """
CREATE TEMP TABLE repeated AS SELECT series_id, run_id FROM facts GROUP BY series_id, run_id HAVING count(*) > 1
"""
_REPEATED_ROWS = """
CREATE TEMP TABLE rows_repeated AS SELECT row FROM facts SEMI JOIN repeated USING (series_id, run_id)
"""

CONTENT_KEY = """md5_number_lower(concat_ws(chr(31), ts, value, raw_value, raw_unit, time_source,
  coalesce(spread :: VARCHAR, ''), coalesce(replicates :: VARCHAR, ''), coalesce(node_name, '')))"""
"""Which of several reports of one measurement stays must not depend on the file it came in."""


def precedence(table: str) -> str:
    """SQL of the order in which reports of one measurement come: a time of its own goes before the time of receipt,
    the earlier receipt before the later.
    """
    time = f"CASE WHEN {table}.by_receipt THEN {table}.ts ELSE TIMESTAMP 'epoch' END"
    return f"{table}.by_receipt, {time}, {table}.content_key, coalesce({table}.context, '')"


_CANDIDATES = f"""
CREATE TEMP TABLE {{name}} AS
SELECT *, {CONTENT_KEY} AS content_key FROM (
  SELECT f.row, f.part, f.series_id, f.run_id, f.ts, f.value, f.by_receipt, i.location, i.raw_value, s.raw_unit,
    CASE WHEN i.ts IS NOT NULL THEN i.time_source WHEN f.by_receipt THEN 'receipt' ELSE 'run' END AS time_source,
    i.raw_spread * s.factor AS spread,
    list_transform(i.raw_replicates, lambda repetition: repetition * s.factor) AS replicates, s.node_name,
    r.context, s.metric, s.test_name, coalesce(s.node_id, s.node_name) AS node_id
  FROM {{some}} w JOIN facts f USING (row) JOIN keyed k USING (row) JOIN series_dims s USING (series_key)
  JOIN run_rows r USING (run_hash, info_key) JOIN ({{typed}}) i USING (row))
"""  # noqa: S608 - expressions of this module


def conflict_id(content_hash: str, series_id: str, run_id: str, value: str) -> str:
    """SQL of the id of a value that gave way, the same whether it stood beside the other one or came later."""
    return stable_hash(content_hash, series_id, run_id, value, "'duplicate_with_different_value'")


_WINNERS = f"""
CREATE TEMP TABLE losers AS
SELECT row, part, series_id, run_id, location, metric, test_name, node_id, raw_value, raw_unit, ts, value,
  first(location) OVER best AS best_location, first(value) OVER best AS best_value,
  first(part) OVER best AS best_part
FROM repeated_candidates c
WINDOW best AS (PARTITION BY series_id, run_id ORDER BY {precedence("c")}, row
  ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
QUALIFY row_number() OVER best > 1
"""  # noqa: S608 - expressions of this module
_NOTHING_ELSEWHERE = """
CREATE OR REPLACE TEMP TABLE reported_elsewhere (content_hash VARCHAR, series_id BIGINT, run_id BIGINT)
"""
# Equal ones of several files are rows of each of them, and stored once.
_REPORTED_ELSEWHERE = """
CREATE OR REPLACE TEMP TABLE reported_elsewhere AS
SELECT DISTINCT p.content_hash, l.series_id, l.run_id
FROM losers l JOIN parts p USING (part) JOIN parts b ON b.part = l.best_part
WHERE l.value = l.best_value AND p.content_hash <> b.content_hash
"""
_REPEATED_ID = conflict_id("p.content_hash", "l.series_id", "l.run_id", "l.value")
_NO_CONFLICTS = """
CREATE OR REPLACE TEMP TABLE conflicts
(part INTEGER, quarantine_id BIGINT, series_id BIGINT, run_id BIGINT, value DOUBLE)
"""
# A value that a file has several times gives way once.
_CONFLICTS = f"""
CREATE OR REPLACE TEMP TABLE conflicts AS
SELECT l.*, {_REPEATED_ID} AS quarantine_id FROM losers l JOIN parts p USING (part) WHERE l.value <> l.best_value
QUALIFY row_number() OVER (PARTITION BY quarantine_id ORDER BY l.row) = 1
"""  # noqa: S608 - expressions of this module
_CONFLICTS_INTO_QUARANTINE = """
INSERT INTO quarantine
SELECT c.part, c.quarantine_id, c.location, 'value', 'duplicate_with_different_value',
  concat(p.name, ', ', c.location, ', value: the same measurement of the same run has another value at ',
    if(c.part = c.best_part, '', concat(b.name, ', ')), c.best_location,
    '; give repetitions their own run or attempt'),
  concat_ws(', ', c.metric, c.raw_value, c.raw_unit, c.ts, c.test_name, c.node_id), b.content_hash
FROM conflicts c JOIN parts p USING (part) JOIN parts b ON b.part = c.best_part
QUALIFY row_number() OVER (PARTITION BY c.part ORDER BY c.row) <= $most
"""
_WITHDRAWN = """
CREATE OR REPLACE TEMP TABLE withdrawn AS
SELECT c.part, c.quarantine_id FROM conflicts c JOIN ({kept}) k USING (series_id, run_id) WHERE c.value = k.kept
"""
