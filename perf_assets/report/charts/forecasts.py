"""Charts of what is to come: forecasts, limits, and the methods behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from perf_assets.catalog import load_catalog
from perf_assets.report.charts.layout import MOST_PANELS, PANEL_HEIGHT, PANEL_WIDTH, bounds_of, grid, rows_by, y_axis
from perf_assets.report.drawing import Undrawn, missing_if_failed
from perf_assets.report.theme import (
    AHEAD,
    INK,
    WORSE,
    Chart,
    data,
    domain_of,
    in_order,
    scale_of,
    time_axis,
    title,
)
from perf_assets.wording.findings import breach, breach_dates, metric_words
from perf_assets.wording.quantities import coefficient, counted, number, odds, quantity

_MOST_HISTORY = 90


@missing_if_failed
def model_choice(models: pd.DataFrame) -> Chart | None:
    """How many series each method has the most weight for, and how large the errors were."""
    import altair as alt

    tried = models[models["model"] != "none"]
    if tried.empty:
        return None
    table = tried.groupby("model").agg(
        series=("chosen", lambda column: int(column.astype(bool).sum())),
        mase=("mase", "median"),
        tried=("mase", "count"),
    )
    table = table.sort_values(["series", "mase"], ascending=[False, True]).reset_index()
    total = int(table["series"].sum())
    if total == 0:
        return None
    table["name"] = table["model"].map(metric_words)
    table["text"] = table["series"].map(number)
    table["accuracy"] = [coefficient(mase) if math.isfinite(mase) else "not tried" for mase in table["mase"]]
    order = table["name"].tolist()
    most = float(table["series"].max()) * 1.15
    chosen = alt.Chart(data(table)).encode(
        x=alt.X(
            "series:Q",
            title="series it has the most weight for",
            scale=alt.Scale(domain=[0, most], nice=False),
            axis=alt.Axis(tickMinStep=1, tickCount=5),
        ),
        y=alt.Y("name:N", title=None, **in_order(order)),
    )
    counts = alt.layer(
        chosen.mark_bar(color=AHEAD, opacity=0.8), chosen.mark_text(align="left", dx=4).encode(text="text:N")
    )
    widest = max(1.1, float(table["mase"].max(skipna=True)) if table["mase"].notna().any() else 0.0) * 1.3
    error_title = "median error (MASE)"
    error = alt.Chart(data(table[table["mase"].notna()].assign(end=widest))).encode(
        x=alt.X("mase:Q", title=error_title, scale=alt.Scale(domain=[0, widest], nice=False)),
        y=alt.Y("name:N", axis=alt.Axis(labels=False, ticks=False, title=None), **in_order(order)),
    )
    naive = alt.Chart(data(pd.DataFrame({"mase": [1.0]}))).mark_rule(strokeDash=[4, 3], color=INK).encode(x="mase:Q")
    figures = error.mark_text(align="right", dx=-4).encode(
        x=alt.X("end:Q", scale=alt.Scale(domain=[0, widest], nice=False), title=error_title), text="accuracy:N"
    )
    errors = alt.layer(error.mark_circle(size=90, color=WORSE), figures, naive)
    top = table.iloc[0]
    model, weighted = (
        metric_words(str(top["model"])).capitalize(),
        f"{number(top['series'])} of {counted(total, 'series')}",
    )
    heading = f"{model} has the most weight for {weighted}"
    size: dict[str, Any] = {"width": 230, "height": alt.Step(24)}
    note = "Error of the weighted forecast on held-out values; left of the dashed line: better than naive."
    return alt.hconcat(counts.properties(**size), errors.properties(**size), spacing=18).properties(
        title=title(heading, 600, note)
    )


@missing_if_failed
def headline_forecasts(history: pd.DataFrame, forecasts: pd.DataFrame, titles: Mapping[str, str]) -> Chart | None:
    """The first six of `titles` (unique_id to title) that have a forecast; see forecast_panels."""
    panels = forecast_panels(history, forecasts, titles)
    if not panels:
        return None
    heading = f"What the next {int(forecasts['step'].max())} steps will bring"
    return grid(panels, heading, "Grey: measured; blue: forecast with its 80 and 95 % intervals.")


def forecast_panels(history: pd.DataFrame, forecasts: pd.DataFrame, titles: Mapping[str, str]) -> list[Chart | Undrawn]:
    """One panel a series, in the order of `titles`.

    `history`: unique_id, ds, y, and metric and unit where the title does not begin with a metric of the catalogue;
    `forecasts`: metric_forecasts.
    """
    ahead = rows_by(forecasts, "unique_id")
    chosen = [key for key in titles if key in ahead][:MOST_PANELS]
    past = rows_by(history[history["unique_id"].isin(chosen)], "unique_id")
    return [_forecast_panel(past[key], ahead[key], titles[key], titles[key]) for key in chosen if key in past]


@missing_if_failed
def breaches(
    rows: pd.DataFrame, history: pd.DataFrame, forecasts: pd.DataFrame, titles: Mapping[str, str]
) -> Chart | None:
    """The outlook of series with a limit: courses, limit, and when it will be passed; see breach_panels."""
    panels = breach_panels(rows, history, forecasts, titles)
    if not panels:
        return None
    crossing = int((rows["breach_date"].notna() | rows["already_breached"].astype(bool)).sum())
    heading = "No limit is about to be crossed; the nearest" if crossing == 0 else "Limits that come nearest"
    return grid(
        panels,
        heading,
        "Grey: measured; blue: where it may go, with 80 and 95 % of 500 courses; dashed: limit, and when it is passed.",
    )


def breach_panels(
    rows: pd.DataFrame, history: pd.DataFrame, forecasts: pd.DataFrame, titles: Mapping[str, str]
) -> list[Chart | Undrawn]:
    """One panel for each row of breach_outlook, at most six; `forecasts`: breach_courses, or metric_forecasts."""
    shown = rows.head(MOST_PANELS)
    keys = [str(value) for value in shown["series_id"]]
    ahead = rows_by(forecasts[forecasts["unique_id"].isin(keys)], "unique_id")
    past = rows_by(history[history["unique_id"].isin(keys)], "unique_id")
    panels = []
    for key, row in zip(keys, shown.itertuples(), strict=True):
        if key in ahead and key in past:
            name = titles.get(key, key)
            panels.append(_forecast_panel(past[key], ahead[key], name, f"{name} {breach(row)}", row))
    return panels


@missing_if_failed
def _forecast_panel(history: pd.DataFrame, ahead: pd.DataFrame, name: str, heading: str, row: Any = None) -> Chart:
    import altair as alt

    metric, unit = _measure(history, name)
    past = history.dropna(subset=["y"]).tail(_MOST_HISTORY).rename(columns={"ds": "ts", "y": "value"})
    bands = ahead.rename(columns={"ds": "ts", "lo-80": "low80", "hi-80": "high80", "lo-95": "low95", "hi-95": "high95"})
    limits = [float(row.limit_value)] if row is not None else []
    scale = scale_of([*past["value"], *bands["mean"], *limits], unit)
    figures = ["mean", "low80", "high80", "low95", "high95"]
    bands = bands[["ts", *figures]].assign(**{column: bands[column] * scale.factor for column in figures})
    past = past[["ts", "value"]].assign(value=past["value"] * scale.factor)
    everything: list[Any] = [past["value"], bands["low95"], bands["high95"], np.array(limits) * scale.factor]
    # Room below what can be would look as if something could be there.
    possible = bounds_of(metric, unit, history["y"])
    domain = list(possible.within(np.array(domain_of(*everything)) / scale.factor) * scale.factor)
    x = time_axis(pd.concat([past["ts"], bands["ts"]]), PANEL_WIDTH)
    y = {"scale": alt.Scale(domain=domain, nice=False, zero=False), "axis": y_axis(metric, scale)}
    future = alt.Chart(data(bands))
    layers = [
        future.mark_area(color=AHEAD, opacity=0.18, clip=True).encode(x=x, y=alt.Y("low95:Q", **y), y2="high95:Q"),
        future.mark_area(color=AHEAD, opacity=0.28, clip=True).encode(x=x, y=alt.Y("low80:Q", **y), y2="high80:Q"),
        alt.Chart(data(_interrupted(past)))
        .mark_line(color=INK, opacity=0.6, strokeWidth=1.5)
        .encode(x=x, y=alt.Y("value:Q", **y)),
        future.mark_line(color=AHEAD, strokeWidth=2.5, clip=True).encode(x=x, y=alt.Y("mean:Q", **y)),
    ]
    notes = []
    if row is not None:
        layers += _limit_marks(alt, row, limits[0] * scale.factor, x, y)
        notes.append(_limit_words(row, unit))
    return alt.layer(*layers).properties(
        width=PANEL_WIDTH, height=PANEL_HEIGHT, title=title(heading, PANEL_WIDTH, *notes)
    )


def _limit_marks(alt: Any, row: Any, limit: float, x: Any, y: dict[str, Any]) -> list[Chart]:
    rule = alt.Chart(data(pd.DataFrame({"limit": [limit]}))).mark_rule(color=WORSE, strokeDash=[7, 4], strokeWidth=2)
    marks = [rule.encode(y=alt.Y("limit:Q", **y))]
    if not pd.isna(row.breach_date):
        point = pd.DataFrame({"ts": [pd.Timestamp(row.breach_date)], "limit": [limit]})
        crossing = alt.Chart(data(point))
        marks.append(crossing.mark_rule(color=WORSE, strokeDash=[2, 3], strokeWidth=1.5).encode(x=x))
        marks.append(
            crossing.mark_point(color=WORSE, filled=True, size=90, opacity=1).encode(x=x, y=alt.Y("limit:Q", **y))
        )
    return marks


def _limit_words(row: Any, unit: str) -> str:
    words = f"Limit {quantity(row.limit_value, unit)}, now {quantity(row.last_value, unit)}; "
    if row.already_breached:
        return f"{words}beyond it now."
    words += f"passes it within 30 days with {odds(row.level_by_30)}"
    dates = breach_dates(row)
    return f"{words}, on {dates} (95 % interval)." if dates else f"{words}."


def _measure(history: pd.DataFrame, name: str) -> tuple[str, str]:
    """Metric and unit of a series: the title begins with the metric; the catalogue has units of those it knows."""
    if {"metric", "unit"} <= set(history.columns):
        return str(history["metric"].iloc[0]), str(history["unit"].iloc[0])
    metric = name.split(" · ", 1)[0]
    known = load_catalog().metrics
    return metric, known[metric].unit if metric in known else ""


def _interrupted(past: pd.DataFrame) -> pd.DataFrame:
    """The values (ts, value) with an empty one in every gap of more than four times the usual distance."""
    steps = past["ts"].diff()
    gaps = past.loc[steps > 4 * steps.median(), "ts"] - steps.median()
    return pd.concat([past, pd.DataFrame({"ts": gaps, "value": np.nan})]).sort_values("ts", ignore_index=True)
