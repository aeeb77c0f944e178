"""Anomalies: alarms on series without any, and the labelled series of the Numenta benchmark where they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from evaluation.markdown import mark, met, number, table
from evaluation.methods import OURS, first_of_runs
from evaluation.numenta import benchmark_table, normalised_score, read_benchmark
from evaluation.proportions import Check, Estimate, exactly, rate_of
from evaluation.signals import KINDS, POINTS, FloatArray, clean
from perf_assets.analysis.anomalies import ALARM, score

LENGTHS = (POINTS, 10 * POINTS)
MOST_ALARMS = 1.0
"""On 1,000 points."""
LEAST_NUMENTA = 55.0
_START = np.datetime64("2026-06-01", "us")
_BACK, _SIGMAS = 100, 3.0
_SUBSEQUENCE, _ROUNDING = 30, 1e-9

Detector = Callable[[npt.NDArray[np.datetime64], FloatArray], FloatArray]


def beyond_sigmas(timestamps: npt.NDArray[np.datetime64], values: FloatArray) -> FloatArray:
    """1 where a value comes to lie further than 3 standard deviations from the mean of the 100 before, else 0."""
    before = pd.Series(values).rolling(_BACK)
    beyond = (np.abs(values - before.mean().shift(1)) > _SIGMAS * before.std().shift(1)).to_numpy()
    alarms = np.zeros(timestamps.size)
    alarms[first_of_runs(beyond)] = 1.0
    return alarms


def beyond_deviations(timestamps: npt.NDArray[np.datetime64], values: FloatArray) -> FloatArray:
    """The same with the median and the median absolute deviation."""
    windows = np.lib.stride_tricks.sliding_window_view(values, _BACK)[:-1] if values.size > _BACK else np.empty((0, 1))
    alarms = np.zeros(timestamps.size)
    if windows.size:
        middle = np.median(windows, axis=1)
        spread = 1.4826 * np.median(np.abs(windows - middle[:, None]), axis=1)
        alarms[_BACK + first_of_runs(np.abs(values[_BACK:] - middle) > _SIGMAS * spread)] = 1.0
    return alarms


def beyond_components(timestamps: npt.NDArray[np.datetime64], values: FloatArray) -> FloatArray:
    """Sub-PCA: the same with the distance of each window of 30 values from the mean of all windows.

    Along the principal components of the windows, each in units of its own standard deviation; a window counts at its
    last value. All windows are known beforehand, so that it is not causal; of 10, 30 and 100 values, the best on the
    labelled series at hand. Source: Aggarwal (2017), Outlier Analysis, chapter 3; Liu & Paparrizos (2024), TSB-AD.
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, _SUBSEQUENCE)
    spread = windows.std(axis=0)
    standardised = (windows - windows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    _, sizes, directions = np.linalg.svd(standardised, full_matrices=False)
    deviations = sizes / np.sqrt(len(windows))
    known = deviations > _ROUNDING * deviations[0]
    distance = (np.abs(standardised @ directions[known].T) / deviations[known]).sum(axis=1)
    beyond = distance > distance.mean() + _SIGMAS * distance.std()
    alarms = np.zeros(timestamps.size)
    alarms[_SUBSEQUENCE - 1 + first_of_runs(beyond)] = 1.0
    return alarms


DETECTORS: dict[str, Detector] = {
    OURS: score, "rolling mean ± 3 sd": beyond_sigmas, "rolling median ± 3 MAD": beyond_deviations,
    "Sub-PCA": beyond_components,
}  # fmt: skip


def evaluate_clean(series: int, seed: int) -> pd.DataFrame:
    """One row a kind, length and method: kind, points (of a series), method, series, alarms. Values are hourly.

    As many series of the short length, a tenth as many of the long one, so that each has as many points.
    """
    rows = []
    for kind in KINDS:
        print(f"  anomalies: {kind}", flush=True)
        for points in LENGTHS:
            values = clean(kind, series * POINTS // points, seed, points)
            times = _START + np.arange(points) * np.timedelta64(1, "h")
            for name, detector in DETECTORS.items():
                alarms = sum(int(np.count_nonzero(detector(times, row) >= ALARM)) for row in values)
                rows.append((kind, points, name, len(values), alarms))
    return pd.DataFrame(rows, columns=["kind", "points", "method", "series", "alarms"])


def find_numenta(data: Path) -> Path | None:
    """The folder with data and labels/combined_windows.json, at any depth."""
    found = sorted(data.rglob("labels/combined_windows.json"))
    return next((path.parent.parent for path in found if (path.parent.parent / "data").is_dir()), None)


def evaluate_numenta(folder: Path) -> pd.DataFrame:
    """One row a method and series: method, group, name, windows, found, false_alarms, raw."""
    series = read_benchmark(folder)
    print(f"  Numenta benchmark: {len(series)} series", flush=True)
    tables = [benchmark_table(series, detector, ALARM).assign(method=name) for name, detector in DETECTORS.items()]
    return pd.concat(tables, ignore_index=True)


def checks(results: pd.DataFrame, numenta: pd.DataFrame) -> list[Check]:
    listed = [
        Check(f"anomalies on clean {row.kind} of {row.points:,}", _rate(row.alarms, row.series * row.points), "at most",
              MOST_ALARMS)
        for row in results[results["method"] == OURS].itertuples() if row.kind not in ("outliers", "spikes")
    ]  # fmt: skip
    if not numenta.empty:
        listed.append(_numenta_check(numenta))
    return listed


def chapter(results: pd.DataFrame, numenta: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results, numenta)
    by_name = {check.what: check for check in judged}
    methods = list(results["method"].unique())
    rows = []
    for (kind, points), group in results.groupby(["kind", "points"], sort=False):
        alarms = group.set_index("method")
        cells = [number(_rate(alarms.loc[m, "alarms"], alarms.loc[m, "series"] * points)) for m in methods]
        check = by_name.get(f"anomalies on clean {kind} of {points:,}")
        cells[0] += mark(check)
        rows.append([f"{kind}, {points:,} points", f"at most {MOST_ALARMS:.0f}" if check else "", *cells])
    every = int((results["series"] * results["points"]).max())
    return [
        "## Anomalies",
        "",
        f"Alarms on 1,000 points of series without a change, {every:,} hourly points of each kind and length (kinds as "
        f"above, seed {seed}; 95 % intervals of a Poisson count). An alarm is a score of {ALARM} or more, of the "
        f"others the first of a row of values beyond the mean (median) of the {_BACK} before; of Sub-PCA beyond 3 "
        f"standard deviations of the distances of windows of {_SUBSEQUENCE} values along their principal components. "
        "Outliers and spikes are anomalies, so they have no target.",
        "",
        *table(["noise", "target", *methods], rows),
        *_numenta_lines(numenta),
        met(judged),
        "",
    ]


def _numenta_lines(numenta: pd.DataFrame) -> list[str]:
    if numenta.empty:
        return ["Numenta benchmark: absent below the folder that was named, if any (`make evaluate DATA=...`).", ""]
    rows = [["target", f"at least {LEAST_NUMENTA:.0f}", "", "", ""]]
    for method, group in numenta.groupby("method", sort=False):
        check = _numenta_check(numenta) if method == OURS else None
        score_cell = f"{normalised_score(group):.1f}{mark(check)}"
        found = [str(int(group[column].sum())) for column in ("found", "windows", "false_alarms")]
        rows.append([str(method), score_cell, *found])
    return [
        f"Numenta benchmark, standard profile, the {numenta['name'].nunique()} series that were at hand, threshold "
        "fixed "
        "beforehand:",
        "",
        *table(["", "score", "windows found", "of", "false alarms"], rows),
    ]


def _numenta_check(numenta: pd.DataFrame) -> Check:
    figure = exactly(normalised_score(numenta[numenta["method"] == OURS]))
    return Check("Numenta score", figure, "at least", LEAST_NUMENTA)


def _rate(alarms: float, points: float) -> Estimate:
    return rate_of(int(alarms), float(points) / 1_000.0)
