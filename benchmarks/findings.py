"""CPU time and memory of the analysis, from arrays and tables to findings, beside Apache Otava in the same run.

Every figure comes from a process of its own, so that one does not warm up, or fill the memory of, another.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from evaluation.peers import ask
from evaluation.signals import KINDS, FloatArray, clean, with_steps

SERIES = 10_000
MORE_SERIES = 20_000
"""Of `detect_many`, against TIMES_MORE as few; enough to show what grows faster than their number."""
POINTS = 500
SEED = 7001
STEP = 2.0
OTAVA_SERIES = 200
TIMES_MORE = 10
_NODES, _TYPES, _TESTS = 40, 4, 50
Result = TypeVar("Result")
_START = np.datetime64("2026-06-01", "us")


@dataclass(frozen=True)
class Stage:
    """CPU seconds of functions by name in one process, and its peak memory in MB, values and interpreter included."""

    seconds: tuple[tuple[str, float], ...]
    peak_mb: float

    @property
    def total(self) -> float:
        return sum(seconds for _, seconds in self.seconds)


@dataclass(frozen=True)
class FindingsRun:
    """`detect` and `chain` over SERIES, `chain_fewer` over TIMES_MORE as few; `detect_more` over MORE_SERIES and
    `detect_fewer` over TIMES_MORE as few as those; Otava's CPU seconds for OTAVA_SERIES of the same series.
    """

    detect: Stage
    detect_more: Stage
    detect_fewer: Stage
    chain: Stage
    chain_fewer: Stage
    otava_version: str
    otava_seconds: float

    @property
    def otava_scaled(self) -> float:
        """CPU seconds for SERIES: Otava takes one series at a time, so its cost is linear in their number."""
        return self.otava_seconds * SERIES / OTAVA_SERIES


def measure_findings() -> FindingsRun:
    detect = _measured("detect_many", SERIES)
    # The first ones: kinds and steps come in turn, so they have the same shares.
    answer = ask("otava", list(fleet(SERIES)[:OTAVA_SERIES]))
    return FindingsRun(
        detect=detect,
        detect_more=_measured("detect_many", MORE_SERIES),
        detect_fewer=_measured("detect_many", MORE_SERIES // TIMES_MORE),
        chain=_measured("chain", SERIES),
        chain_fewer=_measured("chain", SERIES // TIMES_MORE),
        otava_version=answer.version,
        otava_seconds=answer.cpu_seconds,
    )


def fleet(series: int) -> FloatArray:
    """Series of all kinds in turn, every other ten of them with a step, shape (series, POINTS)."""
    each = -(-series // len(KINDS))
    values = np.empty((each, len(KINDS), POINTS))
    for number, kind in enumerate(KINDS):
        values[:, number] = clean(kind, each, SEED, POINTS)
        values[1::2, number] = with_steps(values[1::2, number], STEP, SEED + number)[0]
    return values.reshape(-1, POINTS)[:series]


def _measured(stage: str, series: int) -> Stage:
    command = [sys.executable, "-m", "benchmarks.findings", stage, str(series)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    return Stage(tuple((str(name), float(seconds)) for name, seconds in figures["seconds"]), float(figures["peak_mb"]))


# In the process of its own


def detect_many_alone(values: FloatArray) -> list[tuple[str, float]]:
    from perf_assets.analysis.change_points import detect_many

    offsets = np.arange(len(values) + 1) * POINTS
    detect_many(values[:1].ravel(), offsets[:2])
    return [_timed("detect_many", lambda: detect_many(values.ravel(), offsets))[0]]


def chain(values: FloatArray) -> list[tuple[str, float]]:
    """All that `perf-assets run` computes of series between the warehouse and the findings, on hourly values."""
    from perf_assets.analysis.anomalies import find_anomalies
    from perf_assets.analysis.level_changes import find_change_points
    from perf_assets.analysis.regressions import RegressionRules, find_regressions
    from perf_assets.analysis.seasonality import seasonal_patterns
    from perf_assets.analysis.sensitivity import find_detection_limits
    from perf_assets.analysis.trends import find_trends

    measurements = _measurements(values)
    buckets = measurements[["series_id", "ts", "value"]]
    series, runs = _series(len(values)), _runs()
    widths = pd.Series(3600.0, index=series["series_id"])
    times = []

    changes_time, changes = _timed("find_change_points", lambda: find_change_points(measurements))
    times.append(changes_time)
    times.append(_timed("seasonal_patterns", lambda: seasonal_patterns(buckets, widths))[0])
    times.append(_timed("find_trends", lambda: find_trends(buckets, series, changes[["series_id", "changed_at"]]))[0])
    times.append(_timed("find_anomalies", lambda: find_anomalies(buckets))[0])
    limits_time, limits = _timed("find_detection_limits", lambda: find_detection_limits(measurements, changes))
    times.append(limits_time)
    rules = RegressionRules()
    times.append(_timed("find_regressions", lambda: find_regressions(changes, series, runs, limits, rules))[0])
    return times


def _timed(name: str, work: Callable[[], Result]) -> tuple[tuple[str, float], Result]:
    started = time.process_time()
    result = work()
    return (name, time.process_time() - started), result


def _measurements(values: FloatArray) -> pd.DataFrame:
    count, points = values.shape
    hours = _START + np.arange(points) * np.timedelta64(1, "h")
    return pd.DataFrame(
        {
            "series_id": np.repeat(np.arange(count), points),
            "run_id": np.tile(np.arange(points), count),
            "ts": np.tile(hours, count),
            "value": values.ravel(),
        }
    )


def _series(count: int) -> pd.DataFrame:
    ids = np.arange(count)
    node, test = ids % _NODES, ids // _NODES % _TESTS
    end = _START + (POINTS - 1) * np.timedelta64(1, "h")
    return pd.DataFrame(
        {
            "series_id": ids, "project": "fleet", "metric": [f"metric_{number}" for number in ids // (_NODES * _TESTS)],
            "unit": "s", "direction": "lower_is_better", "test_name": [f"test-{number}" for number in test],
            "node_id": [f"node-{number}" for number in node],
            "node_type": [f"type-{number % _TYPES}" for number in node],
            "title": [f"series {number}" for number in ids], "simulated": True, "first_seen": _START, "last_seen": end,
            "as_of": end,
        }
    )  # fmt: skip


def _runs() -> pd.DataFrame:
    names = [f"run-{number}" for number in range(POINTS)]
    return pd.DataFrame({"run_id": np.arange(POINTS), "run_key": names, "commit_id": names, "context": "{}"})


STAGES = {"detect_many": detect_many_alone, "chain": chain}


def main() -> None:
    stage, series = sys.argv[1], int(sys.argv[2])
    seconds = STAGES[stage](fleet(series))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
