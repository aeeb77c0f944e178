"""CPU time and memory from series in the warehouse to written findings, beside Apache Otava in the same run.

Every figure comes from a process of its own, so that one does not warm up, or fill the memory of, another.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from evaluation.peers import ask
from evaluation.signals import KINDS, FloatArray, clean, with_steps

SERIES = 10_000
TIMES_FEWER, TIMES_MORE = 10, 10
"""How many times fewer series the findings, and more series `detect_many`, are measured on to show the growth."""
POINTS = 500
TURNS = 5
"""Of `detect_many` and Otava, of which the middle one counts."""
SEED = 7001
STEP = 2.0
OTAVA_SERIES = 200
METRICS = ("test_execution_time", "test_setup_time", "test_teardown_time", "test_failure_rate", "test_complexity")
_WARM_UP_SERIES = 200
"""Of the small warehouse that goes first, so that libraries are loaded."""
_NODES, _TYPES, _TESTS = 40, 4, 50
_START = np.datetime64("2026-06-01", "us")
_RECEIVED = datetime.fromisoformat("2026-07-01")


@dataclass(frozen=True)
class Stage:
    """CPU seconds of one process and its peak memory in MB, values and interpreter included; wall seconds of steps."""

    cpu: float
    peak_mb: float
    steps: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class FindingsRun:
    """`detect`, `reading` and `findings` over SERIES, `findings_of_fewer` over TIMES_FEWER and `detect_more` over
    TIMES_MORE as many; Otava's CPU seconds for OTAVA_SERIES of the same series.
    """

    detect: Stage
    detect_more: Stage
    reading: Stage
    findings: Stage
    findings_of_fewer: Stage
    otava_version: str
    otava_seconds: float

    @property
    def otava_scaled(self) -> float:
        """CPU seconds for SERIES: Otava takes one series at a time, so its cost is linear in their number."""
        return self.otava_seconds * SERIES / OTAVA_SERIES


def measure_findings() -> FindingsRun:
    reading, findings = _findings_of(SERIES)
    # In turn, so that a machine that is slow for a while is slow for both.
    detects, answers = [], []
    for _ in range(TURNS):
        detects.append(_measured("detect_many", SERIES))
        # The first ones: kinds and steps come in turn, so they have the same shares.
        answers.append(ask("otava", list(fleet(SERIES)[:OTAVA_SERIES])))
    detect = sorted(detects, key=lambda stage: stage.cpu)[TURNS // 2]
    answer = sorted(answers, key=lambda answer: answer.cpu_seconds)[TURNS // 2]
    return FindingsRun(
        detect=detect,
        detect_more=_measured("detect_many", SERIES * TIMES_MORE),
        reading=reading,
        findings=findings,
        findings_of_fewer=_findings_of(SERIES // TIMES_FEWER)[1],
        otava_version=answer.version,
        otava_seconds=answer.cpu_seconds,
    )


def _findings_of(series: int) -> tuple[Stage, Stage]:
    """Reading alone, and all findings."""
    with tempfile.TemporaryDirectory() as home:
        _measured("warehouse", _WARM_UP_SERIES, str(Path(home) / "small"))
        _measured("warehouse", series, str(Path(home) / "large"))
        return _measured("reading", series, home), _measured("findings", series, home)


def _measured(stage: str, series: int, *more: str) -> Stage:
    command = [sys.executable, "-m", "benchmarks.findings", stage, str(series), *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    steps = tuple((str(name), float(seconds)) for name, seconds in figures["steps"])
    return Stage(float(figures["cpu"]), float(figures["peak_mb"]), steps)


def fleet(series: int) -> FloatArray:
    """Series of all kinds in turn, every other ten of them with a step, shape (series, POINTS)."""
    each = -(-series // len(KINDS))
    values = np.empty((each, len(KINDS), POINTS))
    for number, kind in enumerate(KINDS):
        values[:, number] = clean(kind, each, SEED, POINTS)
        values[1::2, number] = with_steps(values[1::2, number], STEP, SEED + number)[0]
    return values.reshape(-1, POINTS)[:series]


# In the process of its own


def detect_many_alone(series: int) -> tuple[float, list[tuple[str, float]]]:
    from perf_assets.analysis.change_points import detect_many

    values = fleet(series)
    offsets = np.arange(series + 1) * POINTS
    detect_many(values[:1].ravel(), offsets[:2])
    started = time.process_time()
    detect_many(values.ravel(), offsets)
    return time.process_time() - started, []


def fill_warehouse(series: int, home: Path) -> tuple[float, list[tuple[str, float]]]:
    """Load the fleet's hourly values as a team's results, up to the table of series."""
    from perf_assets.catalog import load_catalog
    from perf_assets.landing import Landing
    from perf_assets.settings import Settings
    from perf_assets.warehouse import Warehouse
    from perf_assets.warehouse.loading import Rules, load_files
    from perf_assets.warehouse.series import build_series

    started = time.process_time()
    settings, content = Settings(home=home), _parquet(fleet(series))
    landed = Landing(settings.landing).land(content, name="fleet.parquet", received_at=_RECEIVED, origin="file")
    warehouse = Warehouse(settings.database, settings.snapshots)
    rules = Rules(load_catalog(), settings.identity, settings.quality)
    list(load_files(warehouse, [landed], rules, settings.scratch))
    with warehouse.transaction() as con:
        build_series(con, load_catalog())
    return time.process_time() - started, []


def _parquet(values: FloatArray) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = np.arange(len(values)).repeat(POINTS)
    node, test, metric = place % _NODES, place // _NODES % _TESTS, place // (_NODES * _TESTS)
    hour = np.tile(np.arange(POINTS), len(values))
    columns = {
        "timestamp": _START + hour * np.timedelta64(1, "h"),
        "metric_name": np.array(METRICS)[metric],
        "metric_value": values.ravel(),
        "test_name": np.char.add("test-", test.astype(str)),
        "node_id": np.char.add("node-", node.astype(str)),
        "node_type": np.char.add("type-", (node % _TYPES).astype(str)),
        "test_run_id": np.char.add("run-", hour.astype(str)),
    }
    content = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), content)
    return content.getvalue().to_pybytes()


def write_findings(series: int, home: Path) -> tuple[float, list[tuple[str, float]]]:
    """Read the series from the warehouse and write what is found of them, as the job of `perf-assets run` does.

    A small warehouse goes first, so that libraries are loaded.
    """
    _materialised(home / "small")
    started = time.process_time()
    steps = _materialised(home / "large")
    return time.process_time() - started, steps


def read_rows(series: int, home: Path) -> tuple[float, list[tuple[str, float]]]:
    """Read the rows that the findings rest on, and nothing else: measurements once, buckets for each of three assets.

    Bare DuckDB on the same file, ordered as every analysis needs them.
    """
    import duckdb

    from perf_assets.settings import Settings

    selects = [
        "SELECT series_id, run_id, ts, value FROM analysed_measurements ORDER BY series_id, ts, run_id",
        *["SELECT series_id, ts, value FROM series_buckets ORDER BY series_id, ts"] * 3,
    ]
    with duckdb.connect(str(Settings(home=home / "large").database), read_only=True) as con:
        con.execute("SELECT count(*) FROM metric_series").fetchall()
        started = time.process_time()
        for select in selects:
            con.execute(select).fetchnumpy()
        return time.process_time() - started, []


def _materialised(home: Path) -> list[tuple[str, float]]:
    """Wall seconds of the steps, the longest first."""
    import dagster as dg

    from perf_assets.defs.assets import trends
    from perf_assets.defs.resources import resources_for
    from perf_assets.settings import Settings

    assets = [trends.change_points, trends.metric_trends, trends.seasonal_patterns, trends.anomalies,
              trends.regressions]  # fmt: skip
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        resources = resources_for(Settings(home=home))
        result = dg.materialize(assets, instance=instance, resources=resources, run_config=quiet)
    done = [event for event in result.all_events if event.is_step_success]
    steps = [(str(event.step_key), event.step_success_data.duration_ms / 1000.0) for event in done]
    return sorted(steps, key=lambda step: -step[1])


STAGES = {
    "detect_many": detect_many_alone,
    "warehouse": fill_warehouse,
    "reading": read_rows,
    "findings": write_findings,
}


def main() -> None:
    stage, series, *home = sys.argv[1:]
    spent, steps = STAGES[stage](int(series), *map(Path, home))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": spent, "steps": steps, "peak_mb": peak}))


if __name__ == "__main__":
    main()
