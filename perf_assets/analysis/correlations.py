"""Correlations: which metrics rise and fall together once season and level are taken out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from perf_assets.analysis.seasonality import deseasonalise
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg, lag1_autocorrelation

WHOLE_PROJECT = "whole project"
CORRELATION_COLUMNS = (
    "project", "node_id", "metric_a", "metric_b", "rho", "rho_low", "rho_high", "strength", "points",
    "effective_points", "p_value", "q_value",
)  # fmt: skip
_FEWEST_POINTS = 20


def strength_of(correlation: float) -> str:
    """strong above 0.7, moderate above 0.4, else weak, by absolute value."""
    return "strong" if abs(correlation) > 0.7 else "moderate" if abs(correlation) > 0.4 else "weak"


def correlate(values: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Spearman correlations of the metrics within each place, with the columns CORRELATION_COLUMNS.

    `values`: project, node_id, metric, day (datetime64), value: one value a day, place and metric; `changes`: project,
    node_id, metric, changed_at of change points, whose levels are taken out (two steps on one day are no
    correlation of the
    days). Values are aligned by day, deseasonalised, and the effective sample size is that of two AR(1) series,
    n (1 - r1 r2) / (1 + r1 r2) (Bartlett 1935); intervals by Fisher's z with Bonett & Wright's (2000) variance.
    """
    steps = {key: group["changed_at"].to_numpy() for key, group in changes.groupby(["project", "node_id", "metric"])}
    rows = []
    for (project, node_id), place in values.groupby(["project", "node_id"], sort=True):
        table = place.pivot_table(index="day", columns="metric", values="value").sort_index()
        table = table.loc[:, table.notna().sum() >= _FEWEST_POINTS]
        days = table.index.to_numpy()
        clean = {
            str(metric): _without_levels(days, table[metric].to_numpy(), steps.get((project, node_id, metric), []))
            for metric in table.columns
        }
        rows += [
            {"project": project, "node_id": node_id, "metric_a": a, "metric_b": b, **_pair(clean[a], clean[b])}
            for a, b in combinations(sorted(clean), 2)
        ]
    found = pd.DataFrame(rows, columns=list(CORRELATION_COLUMNS))
    found = found[found["rho"].notna()].reset_index(drop=True)
    found["q_value"] = benjamini_hochberg(found["p_value"].to_numpy(dtype=np.float64))
    return found


def _without_levels(days: np.ndarray, values: FloatArray, steps: object) -> FloatArray:
    clean = deseasonalise(days, values).copy()
    edges = np.unique(np.searchsorted(days, np.asarray(steps, dtype="datetime64[us]")))
    for left, right in zip([0, *edges], [*edges, values.size], strict=True):
        part = clean[left:right]
        if np.isfinite(part).any():
            clean[left:right] = part - np.nanmedian(part)
    return clean


def _pair(a: FloatArray, b: FloatArray) -> dict[str, object]:
    both = np.isfinite(a) & np.isfinite(b)
    n = int(both.sum())
    if n < _FEWEST_POINTS or not np.ptp(a[both]) > 0 or not np.ptp(b[both]) > 0:
        return {"rho": np.nan, "points": n}
    rho = float(np.corrcoef(_ranks(a[both]), _ranks(b[both]))[0, 1])
    product = lag1_autocorrelation(a) * lag1_autocorrelation(b)
    effective = float(np.clip(n * (1.0 - product) / (1.0 + product), 4.0, n))
    z = np.arctanh(np.clip(rho, -0.999999, 0.999999))
    margin = 1.96 * np.sqrt((1.0 + rho**2 / 2.0) / max(effective - 3.0, 1.0))
    t = abs(rho) * np.sqrt((effective - 2.0) / max(1.0 - rho**2, 1e-12))
    return {
        "rho": rho,
        "rho_low": float(np.tanh(z - margin)),
        "rho_high": float(np.tanh(z + margin)),
        "strength": strength_of(rho),
        "points": n,
        "effective_points": effective,
        "p_value": float(2.0 * stats.t.sf(t, effective - 2.0)),
    }


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks with values taken as equal that differ in the tenth digit, as they do after a change of unit."""
    return np.asarray(stats.rankdata(np.round(values / np.max(np.abs(values)), 9)))
