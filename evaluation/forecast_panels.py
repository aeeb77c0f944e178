"""Panels of series that are forecast: what was known and what came, cut out of public, given and generated series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evaluation.peers import answer_of
from evaluation.signals import FloatArray, autoregressive

WORKER = Path(__file__).with_name("forecast_worker.py")
_LARGEST_GAPS = 0.05
_GENERATED = 150


@dataclass(frozen=True)
class Panel:
    """`known`, shape (s, t), NaN for gaps, and what came after it, `truth`, shape (s, horizon); `sources`, shape (s,):
    the series that each is a part of; `cycles`: places of a day and a week, or of a week."""

    name: str
    known: FloatArray
    truth: FloatArray
    sources: npt.NDArray[np.str_]
    cycles: tuple[int, ...]

    @property
    def frequency(self) -> str:
        return "h" if self.cycles[0] == 24 else "D"


Series = dict[str, FloatArray]
"""Hourly values by source."""


def find_panels(data: Path | None, seed: int, windows: int) -> Iterator[Panel]:
    """`windows` cut-outs a series at random ends; of the telemetry, which is short, three near its end."""
    random = np.random.default_rng(seed)
    public = {
        one["source"]: np.array([np.nan if value is None else value for value in one["values"]])
        for one in answer_of(WORKER, ask="series")["series"]
    }
    for size, horizon in ((200, 24), (700, 48), (1_000, 24)):
        yield _cut("public, hourly", public, size, horizon, _at_random(random, windows), (24, 168))
    folder = None if data is None else data / "anomalies" / "nab" / "data" / "realAWSCloudwatch"
    if folder is not None and folder.is_dir():
        telemetry = {path.stem: _telemetry(path) for path in sorted(folder.glob("*.csv"))}
        yield _cut("telemetry, hourly", telemetry, 200, 24, _near_the_end, (24,))
    yield _cut("generated, hourly", _generated(random, _GENERATED, 360), 200, 24, _at_random(random, 1), (24,))
    days = {name: _daily(values) for name, values in public.items()}
    yield _cut("public, daily means", days, 28, 14, _at_random(random, windows), (7,))


def _telemetry(path: Path) -> FloatArray:
    table = pd.read_csv(path, parse_dates=["timestamp"]).set_index("timestamp")
    return np.asarray(table["value"].resample("h").mean(), dtype=np.float64)


def _daily(values: FloatArray) -> FloatArray:
    whole = values[: values.size // 24 * 24].reshape(-1, 24)
    known = np.isfinite(whole)
    return np.where(
        known.any(axis=1), np.where(known, whole, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
    )


def _at_random(random: np.random.Generator, count: int) -> Any:
    def ends(size: int, first: int) -> Sequence[int]:
        places = np.arange(first, size + 1)
        return [] if not places.size else random.choice(places, min(count, places.size), replace=False).tolist()

    return ends


def _near_the_end(size: int, first: int) -> Sequence[int]:
    return [end for end in (size, size - 37, size - 61) if end >= first]


def _cut(name: str, series: Series, size: int, horizon: int, ends: Any, cycles: tuple[int, ...]) -> Panel:
    known, truth, sources = [], [], []
    for source, values in series.items():
        for end in ends(values.size, size + horizon):
            begin = end - horizon - size
            past, future = values[begin : begin + size], values[begin + size : end]
            if np.isnan(past).mean() <= _LARGEST_GAPS and np.isfinite(past[-1]) and np.isfinite(future).all():
                known.append(past)
                truth.append(future)
                sources.append(source)
    held = tuple(cycle for cycle in cycles if 2 * cycle <= size)
    return Panel(f"{name} ({size:,}, {horizon})", np.array(known), np.array(truth), np.array(sources), held)


def _generated(random: np.random.Generator, count: int, hours: int) -> Series:
    """Load of machines: days and weeks of any strength, noise that lasts, bursts, steps, counts, shares, drifts."""
    time, made = np.arange(hours), {}
    for number in range(count):
        wave = np.sin(2 * np.pi * (time + random.integers(24)) / 24) + 0.5 * np.sin(4 * np.pi * time / 24)
        week = 1.0 - random.uniform(0, 0.6) * (time // 24 % 7 >= 5)
        noise = autoregressive(random.standard_normal((1, hours)), random.uniform(0, 0.95))[0]
        values = 10.0 + random.uniform(0, 3) * wave * week + random.uniform(0.2, 2) * noise
        kind = ("plain", "burst", "step", "count", "share", "drift")[number % 6]
        if kind == "burst":
            values += (random.random(hours) < 0.01) * random.uniform(5, 20)
        elif kind == "step":
            values += random.choice([-3.0, 4.0]) * (time >= random.integers(60, hours - 30))
        elif kind == "count":
            values = random.poisson(np.maximum(values, 0.1) / random.choice([1, 10])).astype(float)
        elif kind == "share":
            values = 1.0 / (1.0 + np.exp(-(values - 10.0) / 2.0 - random.uniform(-1, 3)))
        elif kind == "drift":
            values += np.cumsum(random.standard_normal(hours)) * random.uniform(0.02, 0.2)
        made[f"{kind} {number}"] = values
    return made
