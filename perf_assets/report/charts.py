"""Charts of findings, drawn with Altair; one declarative chart gives the SVG of the page and the PNG of the Dagster UI.

Belongs here: what each chart shows, from finished tables. Does not belong here: colours and rendering (theme), figures
that are not in the tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.bounds import Bounds
from perf_assets.analysis.durations import DRIVERS, OUTLIER_SHARE
from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.catalog import load_catalog
from perf_assets.report.drawing import Undrawn, missing_if_failed
from perf_assets.report.reading import rows_of
from perf_assets.report.theme import (
    AHEAD,
    BETTER,
    INK,
    NEUTRAL,
    PALETTE,
    SHAPES,
    WORSE,
    Chart,
    Extent,
    axis_title,
    data,
    domain_of,
    extent_about,
    in_order,
    labels,
    png,
    reduced,
    scale_of,
    svg,
    time_axis,
    title,
    value_axis,
)
from perf_assets.wording.findings import breach, breach_dates, metric_words, short
from perf_assets.wording.moments import moment
from perf_assets.wording.quantities import ROUGH, change, coefficient, counted, level_pair, number, odds, quantity

__all__ = [
    "Chart", "breach_panels", "breaches", "change_chart", "correlation_heatmap", "driver_scatter", "efficiency",
    "forecast_panels", "headline_forecasts", "member_strip", "model_choice", "node_ranking", "png", "residuals",
    "schedule", "strongest_trends", "svg", "trend_panels",
]  # fmt: skip

PANEL_WIDTH, PANEL_HEIGHT = 400, 150
MOST_PANELS = 6
MOST_ROWS = 40
"""Nodes a ranking or plan shows; of more, the best and the worst."""
SIGNIFICANT = 0.05
_MOST_HISTORY = 90
_MOST_LABELS = 10
_LABELLED_RESIDUAL = 0.30
_DRIVER_NAMES = {
    "nodes": "blast radius (nodes)",
    "edges": "edges",
    "observations": "observations",
    "risks": "risks",
}


# Changes


@missing_if_failed
def change_chart(
    values: pd.DataFrame,
    level_before: float,
    level_after: float,
    at: pd.Timestamp,
    heading: str,
    unit: str,
    part_of_day: str = ALL_DAY,
    *,
    metric: str = "value",
    kind: str = "regression",
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
) -> Chart | None:
    """One change: the raw values (columns ts, value), the level before and after it, and the time of the change.

    The levels hold from `since` to `at` and from `at` to `until`, by default from the first and to the last value.
    The axis has both levels and the bulk of the values; how many lie beyond it is said. Where only a part of the day
    changed, the values of its hours stand out and the others are faint.
    """
    import altair as alt

    finite = values[np.isfinite(values["value"].to_numpy(dtype=float))]
    if finite.empty:
        return None
    scale = scale_of([*finite["value"].abs().quantile([0.95]), level_before, level_after], unit)
    shown = finite.assign(value=finite["value"] * scale.factor)
    inside = _in_hours(shown["ts"], part_of_day)
    before, after = level_before * scale.factor, level_after * scale.factor
    extent = extent_about(shown["value"], before, after)
    beyond = extent.beyond(shown["value"])
    first, last = shown["ts"].min(), shown["ts"].max()
    levels = pd.DataFrame(
        {
            "ts": [since if since is not None else first, at],
            "end": [at, until if until is not None else last],
            "value": [before, after],
            "colour": [AHEAD, WORSE if kind == "regression" else BETTER],
        }
    )
    x = time_axis(shown["ts"], PANEL_WIDTH)
    y = alt.Y("value:Q", **value_axis(axis_title(metric, scale), extent, PANEL_HEIGHT))
    layers = [_cloud(alt, shown[~inside], x, y, 0.15), _cloud(alt, shown[inside], x, y, 0.5)]
    layers += [
        alt.Chart(data(pd.DataFrame({"ts": [at]}))).mark_rule(strokeDash=[4, 3], color=INK, opacity=0.7).encode(x=x),
        alt.Chart(data(levels))
        .mark_rule(strokeWidth=3.5, clip=True)
        .encode(x=x, x2="end:T", y=y, color=alt.Color("colour:N", scale=None)),
    ]
    old, new = level_pair(level_before, level_after, unit)
    words = f"Levels: {old} before, {new} after {moment(at)}."
    notes = [words]
    if part_of_day != ALL_DAY:
        notes.append(f"Dark: {part_of_day}; faint: the rest of the day.")
    if extent.logarithmic:
        notes.append("The axis is logarithmic.")
    if beyond:
        notes.append(f"{counted(beyond, 'value')} beyond the picture.")
    return alt.layer(*[layer for layer in layers if layer is not None]).properties(
        width=PANEL_WIDTH, height=PANEL_HEIGHT, title=title(heading, PANEL_WIDTH, *notes)
    )


@missing_if_failed
def member_strip(members: pd.DataFrame, by: str, heading: str, kind: str = "regression") -> Chart | None:
    """How far each series of a finding moved: one dot a series, a row a value of column `by`; `change` is a share."""
    import altair as alt

    members = members[members["change"].notna()]
    if members.empty:
        return None
    largest = members[by].value_counts().head(12).index
    rows = members[["change"]].assign(row=[short(v, 30) if v in largest else "others" for v in members[by]])
    rows["change"] = rows["change"] * 100.0
    order = rows.groupby("row")["change"].median().sort_values(ascending=False).index.tolist()
    y = alt.Y("row:N", title=None, axis=alt.Axis(grid=True), **in_order(order))
    colour = WORSE if kind == "regression" else BETTER
    dots = (
        alt.Chart(data(rows))
        .mark_circle(size=45, opacity=0.55, color=colour)
        .encode(
            x=alt.X(
                "change:Q",
                title="change of each series (%)",
                scale=alt.Scale(zero=True, nice=True),
                axis=alt.Axis(tickCount=6),
            ),
            y=y,
        )
    )
    return dots.properties(width=PANEL_WIDTH - 100, height=alt.Step(20), title=title(heading, PANEL_WIDTH))


# Trends


@missing_if_failed
def strongest_trends(trends: pd.DataFrame, series: pd.DataFrame, buckets: pd.DataFrame) -> Chart | None:
    """The most significant drifts for better or worse, else the nearest to one: values, fitted line, its 95 % band."""
    drifting = trends["verdict"].isin(["worse", "better"])
    panels = _panels(clearest_trends(trends), series, buckets)
    if not drifting.any():
        words = "Line: fitted slope, band: 95 % confidence."
        return _grid(panels, "No series drifts beyond chance; the nearest", words) if panels else None
    counts = trends.loc[drifting, "verdict"].value_counts()
    worse, better = counts.get("worse", 0), counts.get("better", 0)
    total = counted(len(trends), "series")
    heading = f"Drifting for the worse: {number(worse)} of {total}; for the better: {number(better)}"
    note = f"The {len(panels)} clearest" if len(panels) < int(drifting.sum()) else "All of them"
    return _grid(panels, heading, f"{note}; line: fitted slope, band: 95 % confidence.")


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
    own = _by(buckets[buckets["series_id"].isin(known["series_id"])], "series_id")
    return [_trend_panel(row, own[row.series_id]) for row in known.itertuples() if row.series_id in own]


@missing_if_failed
def _trend_panel(row: Any, values: pd.DataFrame) -> Chart:
    import altair as alt

    scale = scale_of(values["value"], row.unit)
    shown = values[["ts", "value"]].assign(value=values["value"] * scale.factor)
    line = _fitted(row, values)
    bounds = _bounds(row.metric, row.unit, values["value"])
    for name in ("low", "mean", "high"):
        line[name] = bounds.within(line[name]) * scale.factor
    colour = {"worse": WORSE, "better": BETTER}.get(row.verdict, NEUTRAL)
    x = time_axis(shown["ts"], PANEL_WIDTH)
    domain = domain_of(shown["value"], line["mean"], within=True)
    y = {"scale": alt.Scale(domain=list(domain), nice=False, zero=False), "axis": _axis(row.metric, scale)}
    fit = alt.Chart(data(line))
    band = fit.mark_area(color=colour, opacity=0.3, clip=True).encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q")
    mean = fit.mark_line(color=colour, strokeWidth=2.5, clip=True).encode(x=x, y=alt.Y("mean:Q", **y))
    cloud = _cloud(alt, shown, x, alt.Y("value:Q", **y), 0.35)
    origin = " (simulated)" if row.simulated else ""
    heading = f"{row.title}{origin}: {row.verdict}, {change(row.change_per_week)} a week"
    return alt.layer(*[layer for layer in (cloud, band, mean) if layer is not None]).properties(
        width=PANEL_WIDTH, height=PANEL_HEIGHT, title=title(heading, PANEL_WIDTH)
    )


def _fitted(row: Any, values: pd.DataFrame) -> pd.DataFrame:
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


# Correlations


@missing_if_failed
def correlation_heatmap(correlations: pd.DataFrame) -> Chart | None:
    """Correlations of the metrics over the whole project; pairs that may be chance are left blank."""
    import altair as alt

    known = correlations[(correlations["node_id"] == "whole project") & correlations["rho"].notna()]
    if known.empty:
        return None
    project = known["project"].value_counts().sort_index().idxmax()
    pairs = known[known["project"] == project]
    significant = pairs["q_value"] <= SIGNIFICANT
    if not significant.any():
        return _nearest_pairs(pairs, str(project))
    order = _alike(pairs.assign(rho=pairs["rho"].where(significant, 0.0)))
    place = {metric: number for number, metric in enumerate(order)}
    cells = pd.DataFrame(
        [
            (*sorted((a, b), key=lambda name: place[name], reverse=True), rho, abs(rho), sure)
            for a, b, rho, sure in zip(pairs["metric_a"], pairs["metric_b"], pairs["rho"], significant, strict=True)
        ],
        columns=["row", "column", "rho", "size", "sure"],
    )
    names = [metric_words(metric) for metric in order]
    cells[["row", "column"]] = cells[["row", "column"]].map(metric_words)
    cells["sign"] = np.where(cells["rho"] > 0, "rise together", "move oppositely")
    step = 34 if len(order) <= 12 else 22 if len(order) <= 25 else 15
    y = alt.Y("row:N", title=None, axis=alt.Axis(domain=False), **in_order(names[1:]))
    x = alt.X(
        "column:N",
        title=None,
        axis=alt.Axis(labelAngle=-45, domain=False),
        **in_order(names[:-1]),
    )
    signs = alt.Scale(domain=["rise together", "move oppositely"], range=[WORSE, AHEAD])
    legend: dict[str, Any] = {"orient": "top", "direction": "horizontal"}
    layers = [alt.Chart(data(cells)).mark_circle(color=INK, opacity=0.12, size=8).encode(x=x, y=y)]
    sure = cells[cells["sure"]]
    layers.append(
        alt.Chart(data(sure))
        .mark_rect(stroke=INK, strokeOpacity=0.15)
        .encode(
            x=x,
            y=y,
            color=alt.Color("sign:N", scale=signs, title="significant pairs", legend=alt.Legend(**legend)),
            opacity=alt.Opacity(
                "size:Q",
                scale=alt.Scale(domain=[0, 1], range=[0.1, 1]),
                title="|ρ|",
                legend=alt.Legend(values=[0.25, 0.5, 0.75, 1.0], **legend),
            ),
        )
    )
    if step >= 34:
        layers.append(_cell_figures(alt, sure, x, y))
    return alt.layer(*layers).properties(
        width=alt.Step(step),
        height=alt.Step(step),
        title=title(*_heatmap_words(sure, len(pairs), str(project), len(order) * step + 180)),
    )


def _cell_figures(alt: Any, sure: pd.DataFrame, x: Any, y: Any) -> Chart:
    texts = sure.assign(text=[coefficient(rho).replace("0.", ".") for rho in sure["rho"]])
    return alt.Chart(data(texts)).mark_text(fontSize=10, fontWeight="bold").encode(x=x, y=y, text="text:N")


def _heatmap_words(sure: pd.DataFrame, pairs: int, project: str, width: int) -> tuple[str, int, str]:
    note = (
        f"Days of project {project} without cycles, levels and their own past, at the lag with the most evidence; "
        f"dots: may be chance (q > {SIGNIFICANT})."
    )
    top = next(rows_of(sure.sort_values("size", ascending=False)))
    verb = "moves" if len(sure) == 1 else "move"
    heading = (
        f"{number(len(sure))} of {number(pairs)} pairs of metrics {verb} together; closest: {top.row} and {top.column} "
        f"(ρ {coefficient(top.rho)})"
    )
    return heading, width, note


def _nearest_pairs(pairs: pd.DataFrame, project: str) -> Chart:
    """The pairs closest to a correlation with their intervals, where none is significant."""
    import altair as alt

    rows = pairs.sort_values("rho", key=np.abs, ascending=False).head(10)
    rows = rows.assign(
        pair=[f"{metric_words(a)}, {metric_words(b)}" for a, b in zip(rows["metric_a"], rows["metric_b"], strict=True)]
    )
    rows["pair"] = rows["pair"].map(lambda name: short(name, 50))
    x_scale, x_title = alt.Scale(domain=[-1, 1], nice=False), "ρ with 95 % interval"
    base = alt.Chart(data(rows[["pair", "rho", "rho_low", "rho_high"]])).encode(
        y=alt.Y("pair:N", title=None, **in_order(rows["pair"].tolist()))
    )
    layers = [
        base.mark_rule(strokeWidth=2, color=NEUTRAL).encode(
            x=alt.X("rho_low:Q", scale=x_scale, title=x_title, axis=alt.Axis(tickCount=5)), x2="rho_high:Q"
        ),
        base.mark_circle(size=70, color=NEUTRAL, opacity=1).encode(x=alt.X("rho:Q", scale=x_scale, title=x_title)),
    ]
    heading = f"None of {number(len(pairs))} pairs of metrics moves together beyond chance"
    note = f"The nearest {len(rows)}; days of project {project} without cycles, levels and their own past."
    return alt.layer(*layers).properties(width=340, height=alt.Step(20), title=title(heading, 560, note))


def _alike(pairs: pd.DataFrame) -> list[str]:
    """Metrics so ordered that those that move alike stand together: by the leading eigenvector of the correlations."""
    names = sorted({*pairs["metric_a"], *pairs["metric_b"]})
    place = {name: number for number, name in enumerate(names)}
    matrix = np.eye(len(names))
    a, b = pairs["metric_a"].map(place).to_numpy(), pairs["metric_b"].map(place).to_numpy()
    matrix[a, b] = matrix[b, a] = pairs["rho"].to_numpy()
    vector = np.linalg.eigh(matrix)[1][:, -1]
    vector = vector * (1.0 if vector[np.abs(vector).argmax()] > 0 else -1.0)
    return [names[number] for number in np.argsort(-vector.round(9), kind="stable")]


# Scenario runs


@missing_if_failed
def driver_scatter(runs: pd.DataFrame) -> Chart | None:
    """Duration of scenario runs against what may drive it, one panel a driver, with its Pearson correlation."""
    import altair as alt

    timed = runs[runs["duration"].notna()]
    if timed.empty:
        return None
    project = timed["project"].value_counts().sort_index().idxmax()
    own = _with_colour_groups(timed[timed["project"] == project]).assign(minutes=lambda t: t["duration"] / 60.0)
    panels = [(driver, own.dropna(subset=[driver])) for driver in DRIVERS]
    drawn = [_driver_panel(alt, driver, rows) for driver, rows in panels if not rows.empty]
    if not drawn:
        return None
    strengths = {driver: _correlation(rows[driver], rows["minutes"]) for driver, rows in panels}
    known = {driver: r for driver, r in strengths.items() if math.isfinite(r)}
    heading = f"Duration of {counted(len(own), 'scenario run')} against what may drive it"
    if known:
        top = max(known, key=lambda driver: abs(known[driver]))
        heading = (
            f"Of {counted(len(own), 'scenario run')}, duration goes along most with {_DRIVER_NAMES[top]} "
            f"(r {coefficient(known[top])})"
        )
    return _grid(drawn, heading, "Dashed: least-squares line. A correlation is no cause.")


@missing_if_failed
def _driver_panel(alt: Any, driver: str, rows: pd.DataFrame) -> Chart:
    name = _DRIVER_NAMES[driver]
    width = 300
    x = alt.X(
        f"{driver}:Q", title=name, scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=5, format="~s")
    )
    if driver == "risks":
        x = x.axis(alt.Axis(tickMinStep=1, tickCount=4))
    y = alt.Y("minutes:Q", title="duration (min)", scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=5))
    points = (
        alt.Chart(data(rows[[driver, "minutes", "group"]]))
        .mark_point(filled=True, size=_dot(len(rows)), opacity=0.85)
        .encode(x=x, y=y, **_group_encoding(alt, rows))
    )
    r = _correlation(rows[driver], rows["minutes"])
    layers = [points]
    if math.isfinite(r):
        slope, intercept = np.polyfit(rows[driver], rows["minutes"], 1)
        ends = np.array([rows[driver].min(), rows[driver].max()])
        line = pd.DataFrame({driver: ends.astype(float), "minutes": intercept + slope * ends})
        layers.append(alt.Chart(data(line)).mark_line(color=INK, strokeDash=[5, 4], opacity=0.7).encode(x=x, y=y))
    words = f"{name}: r {coefficient(r)}" if math.isfinite(r) else name
    return alt.layer(*layers).properties(width=width, height=190, title=title(words, width))


@missing_if_failed
def residuals(outliers: pd.DataFrame) -> Chart | None:
    """Scenario runs: what the duration model expected against how far off it was."""
    import altair as alt

    if outliers.empty:
        return None
    project = outliers["project"].value_counts().sort_index().idxmax()
    own = _with_colour_groups(outliers[outliers["project"] == project]).assign(
        expected=lambda t: t["expected"] / 60.0, residual=lambda t: t["residual"] / 60.0
    )
    width, height = 560, 300
    x_domain = domain_of(own["expected"])
    ends = np.linspace(*x_domain, 30)
    band = pd.DataFrame({"expected": ends, "low": -OUTLIER_SHARE * np.abs(ends), "high": OUTLIER_SHARE * np.abs(ends)})
    y_domain = domain_of(own["residual"], band["low"], band["high"])
    x = alt.X("expected:Q", title="expected duration (min)", scale=alt.Scale(domain=list(x_domain), nice=False))
    y_scale = alt.Scale(domain=list(y_domain), nice=False)
    y_title = "residual: actual minus expected (min)"
    y = alt.Y("residual:Q", title=y_title, scale=y_scale)
    named = _placed(own, x_domain, y_domain, width, height)
    layers = [
        alt.Chart(data(band))
        .mark_area(color=NEUTRAL, opacity=0.22)
        .encode(x=x, y=alt.Y("low:Q", scale=y_scale, title=y_title), y2="high:Q"),
        alt.Chart(data(pd.DataFrame({"residual": [0.0]}))).mark_rule(color=INK, strokeDash=[5, 4]).encode(y=y),
        alt.Chart(data(own[["expected", "residual", "group"]]))
        .mark_point(filled=True, size=_dot(len(own)), opacity=0.85)
        .encode(x=x, y=y, **_group_encoding(alt, own)),
    ]
    for align in sorted(set(named["align"])):
        rows = named[named["align"] == align]
        layers.append(alt.Chart(data(rows)).mark_text(align=align, baseline="middle").encode(x=x, y=y, text="text:N"))
    slower, faster = int((own["verdict"] == "slower").sum()), int((own["verdict"] == "faster").sum())
    total = counted(len(own), "scenario run")
    heading = f"{number(slower)} of {total} took over 20 % longer than expected, {number(faster)} over 20 % less"
    return alt.layer(*layers).properties(
        width=width,
        height=height,
        title=title(heading, width + 160, "Band: within 20 %. Named: the furthest off, over 30 %."),
    )


def _placed(
    rows: pd.DataFrame, x_domain: tuple[float, float], y_domain: tuple[float, float], width: int, height: int
) -> pd.DataFrame:
    """Labels (expected, residual, text, align) of the runs furthest off, where they cover no label and no other run."""
    px = (rows["expected"] - x_domain[0]) / (x_domain[1] - x_domain[0]) * width
    py = (rows["residual"] - y_domain[0]) / (y_domain[1] - y_domain[0]) * height
    taken = [(a - 6, b - 6, a + 6, b + 6) for a, b in zip(px, py, strict=True)]
    far = rows[rows["residual_share"].abs() > _LABELLED_RESIDUAL]
    placed = []
    for index in far.sort_values("residual_share", key=np.abs, ascending=False).head(_MOST_LABELS).index:
        off: Any = rows.at[index, "residual_share"]
        text = f"{short(rows.at[index, 'scenario'], 26)} {change(off, ROUGH)}"
        length = 6.2 * len(text)
        for align, side, lift in (
            (align, side, lift) for lift in (0, 12, -12, 22, -22) for align, side in (("left", 1), ("right", -1))
        ):
            a, b = px[index] + side * 10, py[index] + lift
            box = (a, b - 7, a + length, b + 7) if side > 0 else (a - length, b - 7, a, b + 7)
            if box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height and not _covers(box, taken):
                taken.append(box)
                placed.append(
                    (
                        x_domain[0] + a / width * (x_domain[1] - x_domain[0]),
                        y_domain[0] + b / height * (y_domain[1] - y_domain[0]),
                        text,
                        align,
                    )
                )
                break
    return pd.DataFrame(placed, columns=["expected", "residual", "text", "align"])


def _covers(box: tuple[float, float, float, float], taken: Sequence[tuple[float, float, float, float]]) -> bool:
    return any(box[0] < c and a < box[2] and box[1] < d and b < box[3] for a, b, c, d in taken)


@missing_if_failed
def efficiency(scenarios: pd.DataFrame) -> Chart | None:
    """Time per node, per 1,000 edges and per observation: three measures, three scales."""
    import altair as alt

    if scenarios.empty:
        return None
    project = scenarios["project"].value_counts().sort_index().idxmax()
    own = scenarios[scenarios["project"] == project].sort_values("seconds_per_1k_edges", ascending=False)
    shown = own.head(25).assign(name=lambda t: t["scenario"].map(labels(own["scenario"].tolist())))
    measures = {
        "seconds_per_1k_edges": "s per 1,000 edges",
        "seconds_per_node": "s per node",
        "seconds_per_observation": "s per observation",
    }
    panels: list[Chart] = []
    for column, name in measures.items():
        names = alt.Axis(title=None) if not panels else alt.Axis(labels=False, ticks=False, title=None)
        rows = shown[["name", column]].rename(columns={column: "value"})
        rows["text"] = rows["value"].map(number)
        rows["value"] = rows["value"].fillna(0.0)
        limit = max(float(rows["value"].max()), 1e-9) * 1.22
        base = alt.Chart(data(rows)).encode(
            x=alt.X("value:Q", title=name, scale=alt.Scale(domain=[0, limit], nice=False), axis=alt.Axis(tickCount=4)),
            y=alt.Y("name:N", axis=names, **in_order(shown["name"].tolist())),
        )
        texts = base.mark_text(align="left", dx=4).encode(text="text:N")
        panels.append(
            alt.layer(base.mark_bar(color=AHEAD, opacity=0.8), texts).properties(width=170, height=alt.Step(21))
        )
    worst = own.iloc[0]
    most = quantity(worst["seconds_per_1k_edges"], "s")
    heading = f"{worst['scenario']} takes the most time for its size: {most} per 1,000 edges"
    if not math.isfinite(worst["seconds_per_1k_edges"]):
        heading = "Time of the scenarios for their size"
    note = "Means over the runs; shorter bars are more efficient."
    if len(own) > len(shown):
        note += f" The {len(shown)} least efficient of {counted(len(own), 'scenario')}."
    return alt.hconcat(*panels, spacing=14).properties(title=title(heading, 640, note))


# Forecasts


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
    return _grid(panels, heading, "Grey: measured; blue: forecast with its 80 and 95 % intervals.")


def forecast_panels(history: pd.DataFrame, forecasts: pd.DataFrame, titles: Mapping[str, str]) -> list[Chart | Undrawn]:
    """One panel a series, in the order of `titles`.

    `history`: unique_id, ds, y, and metric and unit where the title does not begin with a metric of the catalogue;
    `forecasts`: metric_forecasts.
    """
    ahead = _by(forecasts, "unique_id")
    chosen = [key for key in titles if key in ahead][:MOST_PANELS]
    past = _by(history[history["unique_id"].isin(chosen)], "unique_id")
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
    return _grid(
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
    ahead = _by(forecasts[forecasts["unique_id"].isin(keys)], "unique_id")
    past = _by(history[history["unique_id"].isin(keys)], "unique_id")
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
    possible = _bounds(metric, unit, history["y"])
    domain = list(possible.within(np.array(domain_of(*everything)) / scale.factor) * scale.factor)
    x = time_axis(pd.concat([past["ts"], bands["ts"]]), PANEL_WIDTH)
    y = {"scale": alt.Scale(domain=domain, nice=False, zero=False), "axis": _axis(metric, scale)}
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


def _bounds(metric: str, unit: str, values: pd.Series) -> Bounds:
    """The possible values of a series, as far as its own values agree with them."""
    return Bounds(*load_catalog().bounds(metric, unit)).borne_out_by(values)


def _measure(history: pd.DataFrame, name: str) -> tuple[str, str]:
    """Metric and unit of a series: the title begins with the metric; the catalogue has units of those it knows."""
    if {"metric", "unit"} <= set(history.columns):
        return str(history["metric"].iloc[0]), str(history["unit"].iloc[0])
    metric = name.split(" · ", 1)[0]
    known = load_catalog().metrics
    return metric, known[metric].unit if metric in known else ""


# Nodes


@missing_if_failed
def node_ranking(scores: pd.DataFrame) -> Chart | None:
    """Nodes from best to worst with 95 % intervals; 50 is the middle of the fleet."""
    import altair as alt

    if scores.empty:
        return None
    project = scores["project"].value_counts().sort_index().idxmax()
    own = scores[scores["project"] == project].sort_values(["rank", "node_id"])
    half = MOST_ROWS // 2
    shown = own if len(own) <= MOST_ROWS else pd.concat([own.head(half), own.tail(half)])
    rows = shown.assign(
        name=shown["node_id"].map(labels(shown["node_id"].tolist())),
        state=np.where(shown["healthy"].astype(bool), "fit for scheduling", "not fit"),
        kind=_groups(shown["node_type"].fillna("type unknown")),
    )
    names = rows["name"].tolist()
    y = alt.Y("name:N", title=None, axis=alt.Axis(grid=False), **in_order(names))
    x_scale = alt.Scale(domain=[0, 100], nice=False, clamp=True)
    x_title = "score (0 to 100; 50 is the middle of the fleet, higher is faster)"
    x = alt.X("score:Q", title=x_title, scale=x_scale)
    kinds = _kinds(rows["kind"])
    colour = alt.Color(
        "kind:N",
        title="node type",
        scale=alt.Scale(domain=kinds, range=_colours(kinds)),
        legend=alt.Legend(orient="bottom", columns=4),
    )
    columns = ["name", "score", "score_low", "score_high", "kind", "state"]
    base = alt.Chart(data(rows[columns])).encode(y=y)
    interval = base.mark_rule(strokeWidth=2, opacity=0.6).encode(
        x=alt.X("score_low:Q", scale=x_scale, title=x_title), x2="score_high:Q", color=colour
    )
    states = alt.Scale(domain=["fit for scheduling", "not fit"], range=["circle", "cross"])
    shape = alt.Shape("state:N", title="state", scale=states, legend=alt.Legend(orient="bottom"))
    dots = base.mark_point(filled=True, size=95, opacity=1).encode(x=x, color=colour, shape=shape)
    middle = (
        alt.Chart(data(pd.DataFrame({"score": [50.0]})))
        .mark_rule(strokeDash=[4, 3], color=INK, opacity=0.7)
        .encode(x=x)
    )
    return alt.layer(middle, interval, dots).properties(
        width=430, height=alt.Step(18), title=title(*_ranking_words(own, len(shown)))
    )


def _ranking_words(own: pd.DataFrame, shown: int) -> tuple[str, int, str]:
    worst = own.iloc[-1]
    unfit = int((~own["healthy"].astype(bool)).sum())
    count = counted(len(own), "node")
    if len(own) == 1:
        heading = f"Only {worst['node_id']} ran tests: nothing to compare it with"
    elif math.isfinite(worst["slowdown"]) and worst["slowdown"] > 0:
        heading = f"{worst['node_id']} is the slowest of {count}: {change(worst['slowdown'])} time on the same tests"
    else:
        heading = f"{worst['node_id']} ranks last of {count}"
    notes = f"{number(unfit)} not fit for scheduling." if unfit else "All are fit for scheduling."
    if shown < len(own):
        notes = f"The best {shown // 2} and the worst {shown // 2} of {count}. {notes}"
    return heading, 560, f"{notes} Lines: 95 % intervals. Project {worst['project']}."


@missing_if_failed
def schedule(plan: pd.DataFrame) -> Chart | None:
    """The plan as a Gantt chart: a row a node, a bar a test."""
    import altair as alt

    if plan.empty:
        return None
    project = plan["project"].value_counts().sort_index().idxmax()
    own = plan[plan["project"] == project].assign(ends=lambda t: t["starts_after"] + t["predicted_duration"])
    finish = own.groupby("node_id")["ends"].max().sort_values(ascending=False, kind="stable")
    nodes = finish.head(MOST_ROWS).index
    scale = scale_of(own["ends"], "s")
    names = labels(nodes.tolist())
    width = 560
    rows = own[own["node_id"].isin(nodes)].assign(
        node=lambda t: t["node_id"].map(names),
        start=lambda t: t["starts_after"] * scale.factor,
        end=lambda t: t["ends"] * scale.factor,
        turn=lambda t: np.where(t["position"] % 2 == 0, "#9CD3F5", "#56B4E9"),
    )
    longest = float(finish.max()) * scale.factor or 1.0
    room = ((rows["end"] - rows["start"]) / longest * width / 6.4).astype(int)
    rows["text"] = [
        short(name, space) if space >= 5 else "" for name, space in zip(rows["test_name"], room, strict=True)
    ]
    rows["middle"] = (rows["start"] + rows["end"]) / 2
    x_scale = alt.Scale(domain=[0, longest * 1.01], nice=False)
    x_title = f"time from the start of the plan ({scale.label})"
    base = alt.Chart(data(rows[["node", "start", "end", "middle", "turn", "text"]])).encode(
        y=alt.Y("node:N", title=None, **in_order([names[name] for name in nodes]))
    )
    bars = base.mark_bar(stroke="#FFFFFF", strokeWidth=0.8).encode(
        x=alt.X("start:Q", title=x_title, scale=x_scale),
        x2="end:Q",
        color=alt.Color("turn:N", scale=None),
    )
    texts = base.mark_text(color="#111111", fontSize=10).encode(
        x=alt.X("middle:Q", scale=x_scale, title=x_title), text="text:N"
    )
    count, tests = len(finish), counted(len(own), "test")
    heading = f"{tests} on {counted(count, 'node')} take {quantity(float(finish.max()), 's')}"
    note = f"Longest tests first; bars: tests in the order of the node. Project {project}."
    if count > len(nodes):
        note += f" The {len(nodes)} nodes that finish last."
    return alt.layer(bars, texts).properties(width=width, height=alt.Step(22), title=title(heading, width + 100, note))


# What several charts share


def _by(rows: pd.DataFrame, column: str) -> dict[Any, pd.DataFrame]:
    return {key: own for key, own in rows.groupby(column)}  # noqa: C416 - dict() of a groupby loses its types


def _grid(panels: Sequence[Chart | Undrawn], heading: str, note: str) -> Chart | Undrawn:
    import altair as alt

    failed = [panel for panel in panels if isinstance(panel, Undrawn)]
    whole = [panel for panel in panels if not isinstance(panel, Undrawn)]
    if not whole:
        return failed[0]
    lack = f"{len(failed)} of {len(panels)} could not be drawn ({failed[0].reason})." if failed else ""
    words = title(heading, 820 if len(whole) > 1 else 420, note, lack)
    return alt.concat(*whole, columns=2).properties(title=words)


def _cloud(alt: Any, values: pd.DataFrame, x: Any, y: Any, opacity: float) -> Chart | None:
    """The values (ts, value) as dots; of many the mean of each bucket, with a bar from its lowest to its highest."""
    if values.empty:
        return None
    table = reduced(values)
    if len(table) == len(values):
        dots = alt.Chart(data(values[["ts", "value"]]))
        return dots.mark_circle(size=14, color=INK, opacity=opacity, clip=True).encode(x=x, y=y)
    shared = y.to_dict()
    rest = {name: shared[name] for name in ("scale", "axis")}
    base = alt.Chart(data(table)).encode(x=x)
    return alt.layer(
        base.mark_rule(color=INK, opacity=opacity * 0.5, clip=True).encode(y=alt.Y("low:Q", **rest), y2="high:Q"),
        base.mark_circle(color=INK, opacity=opacity, size=8, clip=True).encode(y=alt.Y("mean:Q", **rest)),
    )


def _interrupted(past: pd.DataFrame) -> pd.DataFrame:
    """The values (ts, value) with an empty one in every gap of more than four times the usual distance."""
    steps = past["ts"].diff()
    gaps = past.loc[steps > 4 * steps.median(), "ts"] - steps.median()
    return pd.concat([past, pd.DataFrame({"ts": gaps, "value": np.nan})]).sort_values("ts", ignore_index=True)


def _axis(metric: str, scale: Any) -> Any:
    return value_axis(axis_title(metric, scale), Extent(0.0, 1.0), PANEL_HEIGHT)["axis"]


def _in_hours(times: pd.Series, part_of_day: str) -> pd.Series:
    """Which times lie in the hours that `part_of_day` names (`night 00-06 UTC`); all, where it names none."""
    hours = re.search(r"(\d\d)-(\d\d)", part_of_day)
    if hours is None:
        return pd.Series(True, index=times.index)
    first, last = int(hours[1]), int(hours[2])
    hour = times.dt.hour
    inside: pd.Series = (hour >= first) & (hour < last) if first < last else (hour >= first) | (hour < last)
    return inside


def _dot(count: int) -> int:
    """Area of a dot in square pixels: large where there are few."""
    return 75 if count <= 100 else 18


def _correlation(a: pd.Series, b: pd.Series) -> float:
    if len(a) < 3 or not a.max() > a.min() or not b.max() > b.min():
        return float("nan")
    return float(np.corrcoef(a.astype(float), b.astype(float))[0, 1])


def _groups(names: pd.Series) -> list[str]:
    """The names, the rarer of more than six being `others`."""
    common = names.value_counts(sort=True).index.tolist()
    kept = set(common if len(common) <= len(PALETTE) else common[: len(PALETTE)])
    return [short(name, 30) if name in kept else "others" for name in names]


def _kinds(groups: pd.Series | list[str]) -> list[str]:
    return sorted(set(groups), key=lambda name: (name == "others", name))


def _colours(kinds: list[str]) -> list[str]:
    return [NEUTRAL if name == "others" else PALETTE[number % len(PALETTE)] for number, name in enumerate(kinds)]


def _with_colour_groups(runs: pd.DataFrame) -> pd.DataFrame:
    names = runs["scenario"].fillna("scenario unknown")
    # Scenarios seldom number more than palette and shapes can tell apart; seven are the sample's.
    if names.nunique() <= len(PALETTE) + 1:
        return runs.assign(group=names.map(lambda name: short(name, 30)))
    return runs.assign(group=_groups(names))


def _group_encoding(alt: Any, rows: pd.DataFrame) -> dict[str, Any]:
    kinds = _kinds(rows["group"])
    colours = [*PALETTE, NEUTRAL][: len(kinds)] if "others" not in kinds else _colours(kinds)
    shapes = [*SHAPES, "circle"][: len(kinds)]
    legend = alt.Legend(orient="right")
    return {
        "color": alt.Color("group:N", title="scenario", scale=alt.Scale(domain=kinds, range=colours), legend=legend),
        "shape": alt.Shape("group:N", title="scenario", scale=alt.Scale(domain=kinds, range=shapes), legend=legend),
    }
