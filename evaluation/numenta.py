"""The Numenta anomaly benchmark: its standard profile, over series in its published layout.

The alarm threshold is the product's own and is never fitted to the labels.
Source: Lavin & Ahmad (2015), Evaluating Real-Time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

FALSE_POSITIVE_COST = 0.11
"""Cost of an alarm far from any window; a missed window costs 1 and one found at its first value earns 1."""
PROBATION_SHARE = 0.15
LONGEST_PROBATION = 750
_FLAT_AFTER = 3.0
"""Window lengths after a window's end from which an alarm costs in full."""

Detector = Callable[[npt.NDArray[np.datetime64], npt.NDArray[np.float64]], npt.NDArray[np.float64]]
Window = tuple[int, int]
"""First and last position of a labelled window, both within it."""


@dataclass(frozen=True)
class LabelledSeries:
    """One file of the benchmark: group and name, timestamps and values, shape (n,), and its windows."""

    group: str
    name: str
    ts: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.float64]
    windows: tuple[Window, ...]


def read_benchmark(folder: Path) -> list[LabelledSeries]:
    """All series below `folder`/data that `folder`/labels/combined_windows.json lists, sorted by name."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    return [_read_series(folder / "data", name, labels[name]) for name in sorted(labels)]


def benchmark_table(series: list[LabelledSeries], detector: Detector, alarm: float) -> pd.DataFrame:
    """One row a series: group, name, windows, found, false_alarms, raw (the sum of rewards and costs)."""
    rows = []
    for one in series:
        alarms = np.flatnonzero(detector(one.ts, one.values) >= alarm)
        found, false_alarms, raw = series_outcome(alarms, one.windows, one.values.size)
        rows.append((one.group, one.name, len(one.windows), found, false_alarms, raw))
    return pd.DataFrame(rows, columns=["group", "name", "windows", "found", "false_alarms", "raw"])


def normalised_score(table: pd.DataFrame) -> float:
    """100 for every window found at its first value and no false alarm, 0 for no alarm at all; NaN without windows."""
    windows = float(table["windows"].sum())
    return 100.0 * (float(table["raw"].sum()) + windows) / (2.0 * windows) if windows else math.nan


def series_outcome(alarms: npt.NDArray[np.intp], windows: tuple[Window, ...], length: int) -> tuple[int, int, float]:
    """Windows found, false alarms, and the sum of rewards and costs of alarms at the positions `alarms`.

    Alarms in the probationary period count for nothing. The first alarm in a window earns what its place is worth,
    further ones nothing.
    """
    counted = alarms[alarms >= probation(length)]
    raw, found = 0.0, 0
    outside = np.ones(counted.size, dtype=bool)
    for first, last in windows:
        within = (counted >= first) & (counted <= last)
        outside &= ~within
        if within.any():
            found += 1
            raw += _reward(int(counted[within][0]), (first, last))
        else:
            raw -= 1.0
    raw -= FALSE_POSITIVE_COST * sum(_cost(int(alarm), windows) for alarm in counted[outside])
    return found, int(outside.sum()), raw


def probation(length: int) -> int:
    """Number of values at the start of a series of `length` values on which no alarm counts."""
    return min(math.floor(PROBATION_SHARE * length), LONGEST_PROBATION)


def _reward(alarm: int, window: Window) -> float:
    first, last = window
    return _scaled_sigmoid(-(last - alarm + 1) / (last - first + 1)) / _scaled_sigmoid(-1.0)


def _cost(alarm: int, windows: tuple[Window, ...]) -> float:
    """1 for an alarm before all windows or long after the one before it, less just after a window."""
    before = [window for window in windows if window[1] < alarm]
    if not before:
        return 1.0
    first, last = max(before, key=lambda window: window[1])
    return -_scaled_sigmoid((alarm - last) / max(last - first, 1))


def _scaled_sigmoid(place: float) -> float:
    """Worth of an alarm by its place relative to a window's end, in window lengths: about 1 at -1, 0 at 0, -1 late."""
    return -1.0 if place > _FLAT_AFTER else 2.0 / (1.0 + math.exp(5.0 * place)) - 1.0


def _read_series(data: Path, name: str, windows: list[list[str]]) -> LabelledSeries:
    table = pd.read_csv(data / name, parse_dates=["timestamp"])
    ts = table["timestamp"].to_numpy(dtype="datetime64[us]")
    return LabelledSeries(
        group=name.split("/", maxsplit=1)[0],
        name=Path(name).stem,
        ts=ts,
        values=table["value"].to_numpy(dtype=np.float64),
        windows=tuple(_positions(ts, windows)),
    )


def _positions(ts: npt.NDArray[np.datetime64], windows: list[list[str]]) -> Iterator[Window]:
    for start, end in windows:
        within = np.flatnonzero((ts >= np.datetime64(start)) & (ts <= np.datetime64(end)))
        if within.size:
            yield int(within[0]), int(within[-1])
