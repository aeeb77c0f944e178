"""Charts of drifting series: values, fitted line and its band."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from perf_assets.report.charts.layout import (
    MOST_PANELS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    bounds_of,
    cloud,
    grid,
    rows_by,
    y_axis,
)
from perf_assets.report.drawing import Undrawn, missing_if_failed
from perf_assets.report.theme import BETTER, NEUTRAL, WORSE, Chart, data, domain_of, scale_of, time_axis, title
from perf_assets.wording.quantities import change, counted, number


@missing_if_failed
def strongest_trends(trends: pd.DataFrame, series: pd.DataFrame, buckets: pd.DataFrame) -> Chart | None:
    """The most significant drifts for better or worse, else the nearest to one: values, fitted line, its 95 % band."""
    drifting = trends["verdict"].isin(["worse", "better"])
    panels = _panels(clearest_trends(trends), series, buckets)
    if not drifting.any():
        words = "Line: fitted slope, band: 95 % confidence."
        return grid(panels, "No series drifts beyond chance; the nearest", words) if panels else None
    counts = trends.loc[drifting, "verdict"].value_counts()
    worse, better = counts.get("worse", 0), counts.get("better", 0)
    total = counted(len(trends), "series")
    heading = f"Drifting for the worse: {number(worse)} of {total}; for the better: {number(better)}"
    note = f"The {len(panels)} clearest" if len(panels) < int(drifting.sum()) else "All of them"
    return grid(panels, heading, f"{note}; line: fitted slope, band: 95 % confidence.")


def clearest_trends(trends: pd.DataFrame) -> pd.DataFrame:
    """The rows (at most six) that `strongest_trends` shows."""
    drifting = trends["verdict"].isin(["worse", "better"])
    shown = trends[drifting if drifting.any() else trends["q_value"].notna()]
    shown = shown.assign(size=shown["change_per_week"].abs(), known=shown["q_value"].clip(lower=1e-6))
    shown = shown.sort_values(["known", "size", "series_id"], ascending=[True, False, True]).head(MOST_PANELS)
    return shown.drop(columns=["size", "known"])


def trend_panels(trends: pd.DataFrame, series: pd.DataFrame, buckets: pd.DataFrame) -> list[Chart | Undrawn]:
    """One panel for each of the (at most six) strongest trends."""
    drifting = trends[trends["verdict"].isin(["worse", "better"])]
    return _panels(clearest_trends(drifting), series, buckets) if len(drifting) else []


def _panels(shown: pd.DataFrame, series: pd.DataFrame, buckets: pd.DataFrame) -> list[Chart | Undrawn]:
    known = shown.merge(series[["series_id", "title", "metric", "unit", "simulated"]], on="series_id")
    own = rows_by(buckets[buckets["series_id"].isin(known["series_id"])], "series_id")
    return [_trend_panel(row, own[row.series_id]) for row in known.itertuples() if row.series_id in own]


@missing_if_failed
def _trend_panel(row: Any, values: pd.DataFrame) -> Chart:
    import altair as alt

    scale = scale_of(values["value"], row.unit)
    shown = values[["ts", "value"]].assign(value=values["value"] * scale.factor)
    line = fitted_line(row, values)
    bounds = bounds_of(row.metric, row.unit, values["value"])
    for name in ("low", "mean", "high"):
        line[name] = bounds.within(line[name]) * scale.factor
    colour = {"worse": WORSE, "better": BETTER}.get(row.verdict, NEUTRAL)
    x = time_axis(shown["ts"], PANEL_WIDTH)
    domain = domain_of(shown["value"], line["mean"], within=True)
    y = {"scale": alt.Scale(domain=list(domain), nice=False, zero=False), "axis": y_axis(row.metric, scale)}
    fit = alt.Chart(data(line))
    band = fit.mark_area(color=colour, opacity=0.3, clip=True).encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q")
    mean = fit.mark_line(color=colour, strokeWidth=2.5, clip=True).encode(x=x, y=alt.Y("mean:Q", **y))
    dots = cloud(alt, shown, x, alt.Y("value:Q", **y), 0.35)
    origin = " (simulated)" if row.simulated else ""
    heading = f"{row.title}{origin}: {row.verdict}, {change(row.change_per_week)} a week"
    return alt.layer(*[layer for layer in (dots, band, mean) if layer is not None]).properties(
        width=PANEL_WIDTH, height=PANEL_HEIGHT, title=title(heading, PANEL_WIDTH)
    )


def fitted_line(row: Any, values: pd.DataFrame) -> pd.DataFrame:
    """ts, low, mean, high of the line over its stretch, in the unit.

    The variance of the line at time t is that of the slope times var(t) + (t - mean t)², so the interval of the slope
    gives the band (Draper & Smith 1998, Applied regression analysis, 1.4), effective sample size included.
    """
    stretch = values[values["ts"] >= row.since]
    days = (stretch["ts"] - row.since).dt.total_seconds().to_numpy() / 86400.0
    at = np.linspace(days.min(), days.max(), 25)
    mean = float(stretch["value"].mean()) + row.slope_per_day * (at - days.mean())
    half = (row.slope_high - row.slope_low) / 2.0 * np.sqrt(days.var() + (at - days.mean()) ** 2)
    ts = row.since + pd.to_timedelta(at, unit="D")
    return pd.DataFrame({"ts": ts, "low": mean - half, "mean": mean, "high": mean + half})
