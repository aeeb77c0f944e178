"""Scenario runs: what their duration goes along with, which runs stand out, and which scenarios are efficient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from perf_assets.analysis.correlations import strength_of
from perf_assets.analysis.statistics import FloatArray
from perf_assets.tables import DURATION_DRIVERS, RUN_OUTLIERS, SCENARIO_EFFICIENCY

FEATURES = ("nodes", "edges", "observations")
DRIVERS = (*FEATURES, "risks")
OUTLIER_SHARE = 0.20
"""Residual, as a share of what was expected, beyond which a run is slower or faster than expected."""
WELL_EXPLAINED = 0.7
LARGE_LEVERAGE = 0.5
_DRAWS = 2_000
DRIVER_COLUMNS = DURATION_DRIVERS.names_without("vif", "permuted_together", "share", "share_low", "share_high")
OUTLIER_COLUMNS = RUN_OUTLIERS.names
EFFICIENCY_COLUMNS = SCENARIO_EFFICIENCY.names


@dataclass(frozen=True)
class DurationModel:
    """Least squares of duration (s) on the features; arrays have one entry a run, or one a feature.

    `leave_one_out` is what a model without the run expects of it; `leverages` the diagonal of the hat matrix;
    `r_squared_interval` holds the cross-validated R² with 95 %.
    """

    intercept: float
    coefficients: FloatArray
    standardised: FloatArray
    expected: FloatArray
    leave_one_out: FloatArray
    leverages: FloatArray
    r_squared: float
    r_squared_cross_validated: float
    r_squared_interval: tuple[float, float]


def fit_duration_model(runs: pd.DataFrame) -> DurationModel | None:
    """Linear model of `duration` (s) by nodes, edges and observations, runs with any of them missing left out.

    The cross-validated R² is 1 - PRESS / SST, leaving out one run at a time (Allen 1974, The relationship between
    variable selection and data augmentation). None for fewer runs than two more than the coefficients, or constants.
    """
    x = runs[list(FEATURES)].to_numpy(dtype=np.float64)
    y = runs["duration"].to_numpy(dtype=np.float64)
    if len(runs) < x.shape[1] + 3 or not np.ptp(y) > 0:
        return None
    fit = _least_squares(x, y)
    total = float(np.sum((y - y.mean()) ** 2))
    return DurationModel(
        intercept=float(fit.solution[0]),
        coefficients=fit.solution[1:],
        standardised=fit.solution[1:] * x.std(axis=0),
        expected=fit.expected,
        leave_one_out=y - fit.deleted,
        leverages=fit.leverages,
        r_squared=1.0 - float(np.sum((y - fit.expected) ** 2)) / total,
        r_squared_cross_validated=1.0 - float(np.sum(fit.deleted**2)) / total,
        r_squared_interval=_interval(fit.deleted, y),
    )


@dataclass(frozen=True)
class _Fit:
    """Coefficients, the intercept first; what they expect of each run; leverages; residuals without the run itself."""

    solution: FloatArray
    expected: FloatArray
    leverages: FloatArray
    deleted: FloatArray


def _least_squares(x: FloatArray, y: FloatArray) -> _Fit:
    """With an intercept."""
    design = np.column_stack((np.ones(y.size), x))
    pseudo_inverse = np.linalg.pinv(design)
    solution = pseudo_inverse @ y
    expected = design @ solution
    leverages = np.clip(np.einsum("ij,ji->i", design, pseudo_inverse), 0.0, 1.0 - 1e-9)
    return _Fit(solution, expected, leverages, (y - expected) / (1.0 - leverages))


def _interval(deleted: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Of 1 - PRESS / SST, by a bootstrap of the runs (Davison & Hinkley 1997, section 2.2)."""
    drawn = np.random.default_rng(0).integers(y.size, size=(_DRAWS, y.size))
    total = ((y[drawn] - y[drawn].mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    left = (deleted[drawn] ** 2).sum(axis=1)
    shares = 1.0 - left[total > 0] / total[total > 0]
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Influence:
    """The run with the largest leverage and what it does to the effect of the feature that it is most extreme in:
    seconds per unit with and without it.

    It is overwhelming above 0.5 (Huber 1981) where that is twice the mean leverage too (Hoaglin & Welsch 1978).
    """

    run: int
    leverage: float
    overwhelming: bool
    feature: str
    with_it: float
    without_it: float


def largest_influence(runs: pd.DataFrame, model: DurationModel) -> Influence | None:
    """`runs`: those the model was fitted to. None where a model without that run cannot be fitted."""
    place = int(model.leverages.argmax())
    rest = fit_duration_model(runs.drop(index=runs.index[place]))
    if rest is None:
        return None
    x = runs[list(FEATURES)].to_numpy(dtype=np.float64)
    spread = x.std(axis=0)
    away = np.divide(np.abs(x[place] - x.mean(axis=0)), spread, out=np.zeros_like(spread), where=spread > 0)
    feature = int(away.argmax())
    leverage = float(model.leverages[place])
    return Influence(
        place, leverage, leverage > max(LARGE_LEVERAGE, 2.0 * float(model.leverages.mean())), FEATURES[feature],
        float(model.coefficients[feature]), float(rest.coefficients[feature]),
    )  # fmt: skip


def complete_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of which duration and all features are known."""
    return runs.dropna(subset=["duration", *FEATURES]).reset_index(drop=True)


def duration_drivers(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a driver, scenario among them, with the columns DRIVER_COLUMNS; Pearson correlations of the numeric ones
    over the runs that know both.

    `runs`: project, run_id, scenario, duration (s), nodes, edges, observations, risks; NaN is missing.
    """
    rows = []
    for project, own in runs.groupby("project", sort=True):
        complete = complete_runs(own)
        model = fit_duration_model(complete)
        weights = np.abs(model.standardised) if model is not None else np.zeros(len(FEATURES))
        for driver in (*DRIVERS, "scenario"):
            known = own.dropna(subset=["duration", driver])
            correlation = _pearson(known[driver], known["duration"]) if driver in DRIVERS else np.nan
            position = FEATURES.index(driver) if driver in FEATURES and model is not None else None
            fitted = model is not None and position is not None
            rows.append(
                {
                    "project": project,
                    "driver": driver,
                    "correlation": correlation,
                    "strength": strength_of(correlation) if np.isfinite(correlation) else None,
                    "in_model": fitted,
                    "coefficient": model.coefficients[position] if model and position is not None else np.nan,
                    "standardised_coefficient": model.standardised[position]
                    if model and position is not None
                    else np.nan,
                    "importance": weights[position] / weights.sum()
                    if position is not None and weights.sum()
                    else np.nan,
                    "intercept": model.intercept if model else np.nan,
                    "r_squared": model.r_squared if model else np.nan,
                    "r_squared_cross_validated": model.r_squared_cross_validated if model else np.nan,
                    "r_squared_low": model.r_squared_interval[0] if model else np.nan,
                    "r_squared_high": model.r_squared_interval[1] if model else np.nan,
                    "runs": len(complete),
                }
            )
    return pd.DataFrame(rows, columns=list(DRIVER_COLUMNS))


def run_outliers(runs: pd.DataFrame) -> pd.DataFrame:
    """Each complete run beside what the model expects of it, with the columns OUTLIER_COLUMNS.

    `beyond_model`: no other run is of its scenario, so that what is expected of it comes from other scenarios.
    """
    parts = []
    for _, own in runs.groupby("project", sort=True):
        complete = complete_runs(own)
        model = fit_duration_model(complete)
        if model is None:
            continue
        residual = complete["duration"] - model.expected
        share = residual / np.where(np.abs(model.expected) > 0, np.abs(model.expected), np.nan)
        parts.append(
            complete.assign(
                expected=model.expected,
                residual=residual,
                residual_share=share,
                leave_one_out_expected=model.leave_one_out,
                beyond_model=~complete["scenario"].duplicated(keep=False),
                verdict=np.select([share > OUTLIER_SHARE, share < -OUTLIER_SHARE], ["slower", "faster"], "as expected"),
            )[list(OUTLIER_COLUMNS)]
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(OUTLIER_COLUMNS))


def scenario_efficiency(runs: pd.DataFrame) -> pd.DataFrame:
    """Scenarios with the columns EFFICIENCY_COLUMNS, least efficient by edges first. Means of the runs' own ratios."""
    timed = runs.dropna(subset=["duration"]).assign(
        per_node=lambda t: t["duration"] / t["nodes"],
        per_edge=lambda t: t["duration"] / (t["edges"] / 1000.0),
        per_observation=lambda t: t["duration"] / t["observations"].where(t["observations"] != 0),
    )
    table = timed.groupby(["project", "scenario"], as_index=False).agg(
        runs=("duration", "size"),
        duration_mean=("duration", "mean"),
        duration_sd=("duration", "std"),
        nodes_mean=("nodes", "mean"),
        edges_mean=("edges", "mean"),
        observations_mean=("observations", "mean"),
        seconds_per_node=("per_node", "mean"),
        seconds_per_1k_edges=("per_edge", "mean"),
        seconds_per_observation=("per_observation", "mean"),
    )
    table = table.sort_values(["project", "seconds_per_1k_edges"], ascending=[True, False], ignore_index=True)
    return table[list(EFFICIENCY_COLUMNS)]


def _pearson(a: pd.Series, b: pd.Series) -> float:
    x, y = a.to_numpy(dtype=np.float64), b.to_numpy(dtype=np.float64)
    if x.size < 3 or not np.ptp(x) > 0 or not np.ptp(y) > 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def describe_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for the duration (s) and each of DRIVERS that is known of any run: column, runs, mean, sd, lowest,
    quarter, median, three_quarters, highest. `sd` is that of the sample, NaN for one run.
    """
    numbers = runs[["duration", *DRIVERS]].astype(np.float64)
    names = {
        "count": "runs",
        "std": "sd",
        "min": "lowest",
        "25%": "quarter",
        "50%": "median",
        "75%": "three_quarters",
        "max": "highest",
    }
    table = numbers.describe().T.rename(columns=names).rename_axis("column").reset_index()
    return table[table["runs"] > 0].astype({"runs": np.int64}).reset_index(drop=True)


def run_correlations(runs: pd.DataFrame) -> pd.DataFrame:
    """Pearson's correlation of each pair among the duration and DRIVERS: a square table with their names, each cell
    from the runs of which both are known; NaN where either does not vary."""
    return runs[["duration", *DRIVERS]].astype(np.float64).corr(min_periods=3)
