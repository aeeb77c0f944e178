"""CPU time and memory of forecasts for whole fleets, beside Prophet in the same run, each in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.signals import FloatArray

SIZES = ((1_000, 700, 48), (10_000, 200, 24), (100_000, 200, 24))
"""Series, hourly points of each, hours ahead."""
PROPHET_SERIES = 20
_SEED, _AT_ONCE = 9001, 1_000


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds a series, imports excluded; peak memory in MB, the history and the interpreter included, and
    how much of it was there before the forecast."""

    milliseconds: float
    peak_mb: float
    before_mb: float


def measure_forecasts() -> tuple[list[Cost], list[Cost]]:
    """Of the forecast of each of SIZES; of Prophet, fitted once a series without a backtest, for the first two."""
    ours = [_measured("pool", *size) for size in SIZES]
    return ours, [_measured("prophet", PROPHET_SERIES, *size[1:]) for size in SIZES[:2]]


def _measured(method: str, *size: int) -> Cost:
    command = [sys.executable, "-m", "benchmarks.forecasts", method, *map(str, size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def fleet(series: int, points: int) -> FloatArray:
    """Days of any strength, noise, and a slow walk, shape (series, points)."""
    random = np.random.default_rng(_SEED)
    values = np.empty((series, points))
    day = np.sin(2 * np.pi * np.arange(points) / 24)
    # In parts, so that the history is the most memory that making it needs.
    for begin in range(0, series, _AT_ONCE):
        part = values[begin : begin + _AT_ONCE]
        part[:] = np.cumsum(0.1 * random.standard_normal(part.shape), axis=1)
        part += random.standard_normal(part.shape) + 20.0 + random.uniform(0, 3, (len(part), 1)) * day
    return values


def history_of(values: FloatArray) -> pd.DataFrame:
    series, points = values.shape
    hours = pd.date_range("2026-06-01", periods=points, freq="h")
    columns = {"unique_id": np.repeat(np.arange(series), points), "ds": np.tile(hours, series), "y": values.ravel()}
    return pd.DataFrame(columns, copy=False)


# In the process of its own


def _pool(series: int, points: int, horizon: int) -> float:
    from perf_assets.analysis.forecasts import forecast

    history = history_of(fleet(series, points))
    forecast(history.head(2 * points), horizon)
    _peak()
    started = time.process_time()
    forecast(history, horizon)
    return time.process_time() - started


def _prophet(series: int, points: int, horizon: int) -> float:
    from perf_assets.analysis.forecasts.challengers import prophet
    from perf_assets.analysis.forecasts.members import Task

    values = fleet(series, points)
    dates = pd.date_range("2026-06-01", periods=points + horizon, freq="h").to_numpy()
    task = Task(values, (points,), points, horizon, 24, 0)
    prophet(values[0], task, dates)
    _peak()
    started = time.process_time()
    for one in values:
        prophet(one, task, dates)
    return time.process_time() - started


_before: list[float] = []


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _before.append(peak)
    return peak


if __name__ == "__main__":
    asked = {"pool": _pool, "prophet": _prophet}[sys.argv[1]]
    count, *rest = map(int, sys.argv[2:])
    seconds = asked(count, *rest)
    figures = {"milliseconds": 1e3 * seconds / count, "peak_mb": _peak(), "before_mb": _before[0]}
    print(json.dumps(figures))
