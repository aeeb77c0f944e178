"""Ingestion: large tables beside bare DuckDB in the same run, many small files, and reading back.

Every figure comes from a process of its own, so that one does not warm up, or fill the memory of, another; and so does
what is measured with, since a process counts the memory of the one that started it as its own. The rows are
those of a fleet: a run is one test on one node and reports twenty metrics; runs come in the order of time.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

ROWS = 10_000_000
LEVELS = {
    "test_execution_time": 10, "test_setup_time": 1, "test_teardown_time": 0.5, "cpu_usage": 0.4, "memory_usage": 0.5,
    "disk_usage": 0.6, "disk_io": 1e6, "disk_io_time": 0.2, "network_io": 2e6, "network_errors": 0.1,
    "node_response_time": 0.02, "node_error_rate": 0.01, "queue_wait_time": 30, "queue_depth": 4, "parallel_tests": 8,
    "load_average": 0.7, "context_switches": 5e4, "cpu_temperature": 60, "process_count": 200, "open_files": 3000,
}  # fmt: skip
"""Metrics of a run, and about how large they are."""
TESTS, NODES = 750, 20
SERIES = TESTS * NODES * len(LEVELS)
FILES, CASES = 100_000, 10
TURNS = 5
"""Of each kind of file and of its bare copy, of which the middle one counts."""
KINDS = {
    "parquet": "read_parquet('{file}')",
    "csv": "read_csv('{file}')",
    "jsonl": "read_json('{file}', format = 'newline_delimited')",
}
QUERY_TURNS = 21
_DAYS = 30
"""Over which ROWS rows are spread; as many later ones over the next."""
_START = datetime.fromisoformat("2026-09-01")
_RECEIVED = datetime.fromisoformat("2026-11-01")


@dataclass(frozen=True)
class Stage:
    """Wall and CPU seconds of one process's work, and its peak memory in MB."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True)
class Load:
    """A file into the warehouse, beside a bare copy of it into an unindexed table; `rows` are new ones, `landing` is
    in wall seconds.
    """

    rows: int
    landing: float
    bare: Stage
    loaded: Stage

    @property
    def share(self) -> float:
        """Rows a second as a share of the bare copy's."""
        return self.bare.wall / self.loaded.wall


@dataclass(frozen=True)
class IngestRun:
    """`loads` by kind of file and what the warehouse held; `small` are FILES small files, `fewer` a tenth of them;
    `queries` are warm medians in seconds.
    """

    loads: dict[str, Load]
    small: Stage
    fewer: Stage
    queries: dict[str, float]


def measure_ingest(folder: Path) -> IngestRun:
    """Measure everything in `folder`, which is emptied before; about twenty minutes on two cores."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _asked("tables", folder)
    loads = {"parquet, empty": _middle_load(folder, "parquet")}
    answered = _asked("queries", folder)["queries"]
    assert isinstance(answered, dict)
    loads["parquet, filled"] = _middle_load(folder, "parquet", filled=True)
    loads |= {f"{kind}, empty": _middle_load(folder, kind) for kind in ("csv", "jsonl")}
    for file in folder.glob("table*"):
        file.unlink()
    _asked("junit", folder)
    fewer = _stage(_asked("small", folder, str(FILES // 10)))
    small = _stage(_asked("small", folder, str(FILES)))
    shutil.rmtree(folder)
    return IngestRun(loads, small, fewer, answered)


def _middle_load(folder: Path, kind: str, filled: bool = False) -> Load:
    pairs = []
    for _ in range(TURNS):
        # In turn, so that a machine that is slow for a while is slow for both.
        bare = _stage(_asked("bare", folder, kind))
        answer = _asked("load", folder, kind, "filled" if filled else "empty")
        pairs.append(Load(int(str(answer["rows"])), float(str(answer["landing"])), bare, _stage(answer)))
    return sorted(pairs, key=lambda load: load.share)[TURNS // 2]


def _asked(what: str, folder: Path, *more: str) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.ingest", what, str(folder), *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _stage(answer: dict[str, object]) -> Stage:
    return Stage(*(float(str(answer[name])) for name in ("wall", "cpu", "peak_mb")))


# What is measured


def write_tables(folder: Path, rows: int) -> None:
    """The same rows as Parquet, CSV and JSON Lines, and as many later ones of the same series as Parquet."""
    with duckdb.connect() as con:
        for name, first in (("table", 0), ("table-later", rows)):
            fleet = _FLEET.format(
                rows=rows, first=first, tests=TESTS, nodes=NODES, start=_START, metrics=len(LEVELS),
                names=list(LEVELS), levels=list(LEVELS.values()), apart=_DAYS * 86_400_000 * len(LEVELS) // ROWS,
            )  # fmt: skip
            con.execute(f"CREATE OR REPLACE TEMP VIEW fleet AS {fleet}")
            con.execute(f"COPY fleet TO '{folder / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")
        table = f"read_parquet('{folder / 'table.parquet'}')"
        con.execute(f"COPY (FROM {table}) TO '{folder / 'table.csv'}' (HEADER)")
        con.execute(_AS_JSON.format(table=table, target=folder / "table.jsonl"))


_AS_JSON = """
COPY (SELECT * REPLACE (context_data :: JSON AS context_data) FROM {table}) TO '{target}' (FORMAT json)
"""
_FLEET = """
SELECT md5(row :: VARCHAR) AS id, TIMESTAMP '{start}' + to_milliseconds(run * {apart}) AS timestamp,
  {names}[row % {metrics} + 1] AS metric_name,
  {levels}[row % {metrics} + 1] * (1 + hash(row) % 1000 / 20000) AS metric_value,
  'suite_' || place // {nodes} % 40 || '.test_' || place // {nodes} AS test_name, 'integration' AS test_type,
  'linux-' || lpad((place % {nodes}) :: VARCHAR, 2, '0') AS node_id, 'large' AS node_type, 'ci-' || run AS test_run_id,
  'job-' || run // 50 AS ci_job_id,
  '{{"runner_image": "ubuntu-24.04.' || run // 100000 || '", "commit_id": "' || md5((run // 1000) :: VARCHAR) || '"}}'
    AS context_data
FROM (SELECT row, row // {metrics} AS run, row // {metrics} % ({tests} * {nodes}) AS place
  FROM range({first}, {first} + {rows}) t(row))
"""


def write_junit(folder: Path, files: int) -> None:
    """Small test reports, a thousand in a folder."""
    draw = random.Random(1)  # noqa: S311 - times of tests, not secrets
    for number in range(files):
        cases = "".join(
            f'<testcase classname="shop.test_{case}" name="test_it" time="{draw.uniform(0.1, 2):.3f}"/>'
            for case in range(CASES)
        )
        file = folder / f"{number // 1000:03d}" / f"junit-{number:06d}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f'<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="{CASES}" hostname="node-{number % 20}" '
            f'timestamp="{(_START + timedelta(seconds=20 * number)).isoformat()}">{cases}</testsuite></testsuites>'
        )


# In the process of its own


def bare_copy(folder: Path, kind: str) -> Stage:
    """INSERT ... SELECT of the whole file into a table without index, in a file of its own."""
    database = folder / "bare.duckdb"
    source = KINDS[kind].format(file=folder / f"table.{kind}")
    with duckdb.connect(str(database)) as con:
        con.execute(f"CREATE TABLE bare AS FROM {source} LIMIT 0")

        def copy() -> None:
            con.execute(f"INSERT INTO bare FROM {source}")
            con.execute("CHECKPOINT")

        stage = _timed(copy)
    database.unlink()
    return stage


def load(folder: Path, kind: str, filled: bool) -> tuple[int, float, Stage]:
    """New rows, seconds of landing, and the loading of a file into the warehouse: an empty one, or (`filled`) one that
    holds as many rows of the same series already.
    """
    from perf_assets.catalog import load_catalog
    from perf_assets.landing import LandedFile, Landing
    from perf_assets.settings import Settings
    from perf_assets.warehouse import Warehouse
    from perf_assets.warehouse.loading import Loaded, Rules, load_files

    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    settings = Settings(home=home)
    landing, warehouse = Landing(settings.landing), Warehouse(settings.database, settings.snapshots)
    rules = Rules(load_catalog(), settings.identity, settings.quality)

    def land(file: Path) -> LandedFile:
        return landing.land(file, name=file.name, received_at=_RECEIVED, origin="file")

    if filled:
        list(load_files(warehouse, [land(folder / "table.parquet")], rules, settings.scratch))
    started = time.perf_counter()
    file = land(folder / f"table{'-later' if filled else ''}.{kind}")
    landed = time.perf_counter() - started
    done: list[Loaded] = []
    stage = _timed(lambda: done.extend(load_files(warehouse, [file], rules, settings.scratch)))
    return done[0].new_measurements, landed, stage


def small_files(folder: Path, files: int) -> Stage:
    """`perf-assets ingest` of that many small files in one command, Dagster and a published snapshot included."""
    from click.testing import CliRunner

    from perf_assets.cli.main import main

    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    os.environ["PERF_ASSETS_HOME"] = str(home)
    folders = [str(folder / "junit" / f"{number:03d}") for number in range(files // 1000)]

    def ingest() -> None:
        result = CliRunner().invoke(main, ["ingest", *folders])
        assert result.exit_code == 0, result.output
        assert f"{files:,} files: {files * CASES:,} rows" in result.output, result.output

    return _timed(ingest)


def queries(folder: Path) -> dict[str, float]:
    """Warm medians over the warehouse that the last load left: SERIES series, ROWS rows."""
    database = next((folder / "home" / "warehouse").glob("*.duckdb"))
    with duckdb.connect(str(database), read_only=True) as con:
        [(series, metric)] = con.execute(
            "SELECT series_id, metric FROM series WHERE metric = 'cpu_usage' ORDER BY series_id LIMIT 1 OFFSET 1000"
        ).fetchall()
        asked = {
            "30 days of one series": (_ONE_SERIES, [series]),
            "slope statistics over all series": (_SLOPES, []),
            "quantiles per hour of one metric": (_QUANTILES, [metric]),
        }
        return {name: _median_of(con, *query) for name, query in asked.items()}


_ONE_SERIES = """
SELECT ts, value FROM measurements
WHERE series_id = ? AND ts >= TIMESTAMP '2026-09-01' AND ts < TIMESTAMP '2026-10-01' ORDER BY ts
"""
_SLOPES = """
SELECT series_id, count(*), regr_slope(value, epoch(ts)), regr_r2(value, epoch(ts)) FROM measurements GROUP BY series_id
"""
_QUANTILES = """
SELECT date_trunc('hour', m.ts) AS hour, quantile_cont(m.value, [0.5, 0.95, 0.99])
FROM measurements m SEMI JOIN (SELECT series_id FROM series WHERE metric = ?) s ON s.series_id = m.series_id
GROUP BY hour ORDER BY hour
"""


def _median_of(con: duckdb.DuckDBPyConnection, query: str, values: list[object]) -> float:
    spent = []
    for _ in range(QUERY_TURNS + 1):
        started = time.perf_counter()
        con.execute(query, values).fetchnumpy()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent[1:])


def _timed(work: Callable[[], None]) -> Stage:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    return Stage(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main(what: str, place: str, *more: str) -> None:
    folder = Path(place)
    answer: dict[str, object] = {}
    if what == "tables":
        write_tables(folder, ROWS)
    elif what == "junit":
        write_junit(folder / "junit", FILES)
    elif what == "queries":
        answer["queries"] = queries(folder)
    else:
        if what == "bare":
            stage = bare_copy(folder, *more)
        elif what == "load":
            answer["rows"], answer["landing"], stage = load(folder, more[0], filled=more[1] == "filled")
        else:
            stage = small_files(folder, int(more[0]))
        answer |= {"wall": stage.wall, "cpu": stage.cpu, "peak_mb": stage.peak_mb}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
