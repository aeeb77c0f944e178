"""Creeping change: a series that gets worse or better little by little, with no single step that is large enough.

A staircase of small steps and a steady slope are the same to whoever pays for them, so a drift is judged over all that
was measured since the last step that is a finding by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.regressions import DIRECTED, MEMBER_COLUMNS, REGRESSION_COLUMNS, RegressionRules, id_of
from perf_assets.analysis.statistics import benjamini_hochberg
from perf_assets.analysis.trends import fit_trends

DRIFT = "drift"
"""Shape of a finding that has no step."""
_TOGETHER = ["project", "metric", "test_name", "kind"]
"""Drifts that agree in these are one finding."""
_DAYS = np.timedelta64(1, "D") / np.timedelta64(1, "us")


def find_drifts(
    buckets: pd.DataFrame, steps: pd.DataFrame, series: pd.DataFrame, limits: pd.DataFrame, rules: RegressionRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(findings, members) with REGRESSION_COLUMNS (runs and commits still empty) and MEMBER_COLUMNS.

    A drift is a finding where its slope since the last step is significant over the whole fleet (Benjamini & Hochberg
    1995), in noise with its own autocorrelation (`trends.fit_slopes`), and what it comes to over its span is as large
    as the rules ask of a step, and as the noise of one measurement. `before` and `after` are where its line begins and
    ends; the interval of `change` is that of the slope.

    `buckets`: series_id, ts, value of the series that may drift, sorted; `steps`: series_id, changed_at of steps that
    are findings; `series`: rows of metric_series, all that were watched; `limits`: series_id, smallest_detectable.
    """
    known = series[series["series_id"].isin(buckets["series_id"]) & series["direction"].isin(DIRECTED)]
    own = buckets[buckets["series_id"].isin(known["series_id"])]
    if own.empty:
        return pd.DataFrame(columns=list(REGRESSION_COLUMNS)), pd.DataFrame(columns=list(MEMBER_COLUMNS))
    fits = fit_trends(own, steps)
    fits = fits.merge(_middles(own, fits), on="series_id").merge(known.drop(columns="level"), on="series_id")
    drifting = _large(_judged(fits, len(series), rules), rules)
    detectable = limits.set_index("series_id")["smallest_detectable"]
    drifting["smallest_detectable"] = detectable.reindex(drifting["series_id"]).to_numpy()
    return _findings(drifting)


def _middles(buckets: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """series_id, middle_at, middle (means) and ends_at of the stretches that were fitted."""
    since = fits.set_index("series_id")["since"].reindex(buckets["series_id"]).to_numpy(dtype="datetime64[us]")
    stretch = buckets[buckets["ts"].to_numpy(dtype="datetime64[us]") >= since]
    middles = stretch.groupby("series_id").agg(
        middle_at=("ts", "mean"), middle=("value", "mean"), ends_at=("ts", "max")
    )
    return middles.reset_index()


def _judged(fits: pd.DataFrame, watched: int, rules: RegressionRules) -> pd.DataFrame:
    """Those with a significant slope, with before, after, change and its interval."""
    p_values = fits["p_value"].to_numpy(dtype=np.float64)
    quiet = np.ones(max(watched - len(fits), 0))
    fits = fits.assign(q_value=benjamini_hochberg(np.concatenate((p_values, quiet)))[: len(fits)])
    table = fits[fits["q_value"] <= rules.false_discovery_rate].reset_index(drop=True)
    at = {name: table[name].to_numpy(dtype="datetime64[us]") for name in ("since", "middle_at", "ends_at")}
    span = (at["ends_at"] - at["since"]).astype(np.float64) / _DAYS
    early = (at["middle_at"] - at["since"]).astype(np.float64) / _DAYS
    slope = table["slope_per_day"].to_numpy(dtype=np.float64)
    before = table["middle"].to_numpy(dtype=np.float64) - slope * early
    level = np.where(np.abs(before) > 0, np.abs(before), np.nan)
    shares = {
        name: table[of].to_numpy(dtype=np.float64) * span / level
        for name, of in (("change", "slope_per_day"), ("change_low", "slope_low"), ("change_high", "slope_high"))
    }
    worse = (slope > 0) == (table["direction"] == "lower_is_better").to_numpy()
    kind = np.where(worse, "regression", "improvement")
    return table.assign(before=before, after=before + slope * span, span=span, kind=kind, **shares)


def _large(table: pd.DataFrame, rules: RegressionRules) -> pd.DataFrame:
    thresholds = table["metric"].map(rules.threshold_of).to_numpy(dtype=np.float64)
    large = table["change"].abs().to_numpy(dtype=np.float64) >= thresholds
    # A line that would begin beyond 0 says nothing of where the series was.
    sound = np.sign(table["before"]) == np.sign(table["level"])
    noisy = (table["after"] - table["before"]).abs() < table["noise"].fillna(0.0)
    return table[large & sound & ~noisy].reset_index(drop=True)


def _findings(drifting: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = drifting[_TOGETHER].fillna("")
    # Series without a test have nothing in common.
    keys["alone"] = drifting["series_id"].where(drifting["test_name"].isna() | (drifting["test_name"] == ""), -1)
    drifting = drifting.assign(group=keys.groupby(list(keys.columns), sort=True).ngroup())
    clearest = drifting.sort_values(["p_value", "series_id"]).drop_duplicates("group").sort_values("group")
    counts = drifting.groupby("group")["series_id"].size().to_numpy()
    table = clearest.reset_index(drop=True).assign(members=counts)
    many = table["members"] > 1
    table = table.assign(
        regression_id=[_id(row.series_id, row.since) for row in table.itertuples(index=False)],
        shape=DRIFT, scope=np.where(many, "test", "series"), part_of_day=ALL_DAY, cause="unknown", state="confirmed",
        scope_name=np.where(many, table["test_name"], table["title"]), first_bad_at=table["since"],
        recovered_at=pd.NaT, suspicious=False,
        explanation=[_explanation(row) for row in table.itertuples(index=False)],
    )  # fmt: skip
    members = drifting.merge(table[["group", "regression_id"]], on="group").assign(
        changed_at=lambda rows: rows["since"]
    )
    return table.reindex(columns=list(REGRESSION_COLUMNS)), members[list(MEMBER_COLUMNS)]


def _explanation(row: Any) -> str:
    weekly = 7.0 * row.change / row.span
    together = f" On {row.members} series alike." if row.members > 1 else ""
    return (
        f"It has changed little by little, by {weekly:+.1%} a week for {row.span / 7.0:.0f} weeks, with no step that "
        f"counts by itself.{together}"
    )


def _id(series_id: int, since: pd.Timestamp) -> int:
    return id_of(f"{series_id}/{DRIFT}/{since.isoformat()}")
