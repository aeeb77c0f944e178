"""Series with a known truth, for tests of analysis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
MONDAY = pd.Timestamp("2026-06-01")


def white(n: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(n)


def autoregressive(n: int, correlation: float, seed: int) -> FloatArray:
    """AR(1) of unit variance."""
    noise = white(n, seed)
    values = np.empty(n)
    values[0] = noise[0]
    for index in range(1, n):
        values[index] = correlation * values[index - 1] + np.sqrt(1 - correlation**2) * noise[index]
    return values


def step(values: FloatArray, at: int, size: float) -> FloatArray:
    changed = values.copy()
    changed[at:] += size
    return changed


def hourly(n: int) -> npt.NDArray[np.datetime64]:
    return pd.date_range(MONDAY, periods=n, freq="h").to_numpy()


def measurements(ts: npt.NDArray[np.datetime64], values: FloatArray, series_id: int = 1) -> pd.DataFrame:
    """Rows as find_change_points takes them; runs are numbered from 0."""
    return pd.DataFrame({"series_id": series_id, "run_id": np.arange(values.size), "ts": ts, "value": values})


def daily_buckets(values: FloatArray, series_id: int = 1) -> pd.DataFrame:
    ts = pd.date_range(MONDAY, periods=values.size, freq="D")
    return pd.DataFrame({"series_id": series_id, "ts": ts, "value": values})


def levels(seed: int, *stretches: tuple[int, float, float]) -> FloatArray:
    """Levels one after the other, each given by its number of values, its height and its standard deviation."""
    count, height, spread = zip(*stretches, strict=True)
    noise = white(sum(count), seed)
    return np.repeat(np.array(height, dtype=float), count) + np.repeat(np.array(spread, dtype=float), count) * noise


def two_modes(n: int, lasting: float, apart: float, seed: int) -> FloatArray:
    """Noise of unit variance with two modes, each of which lasts so many values on average."""
    random = np.random.default_rng(seed)
    mode = np.cumsum(random.random(n) < 1.0 / lasting) % 2
    return apart * mode + random.standard_normal(n)
