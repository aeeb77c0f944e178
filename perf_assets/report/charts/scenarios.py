"""Charts of scenario runs: what drives their duration, which were off, which are efficient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.durations import DRIVERS, OUTLIER_SHARE, run_correlations
from perf_assets.report.charts.layout import colours_of, dot_area, grid, in_legend_order, rare_as_others
from perf_assets.report.drawing import missing_if_failed
from perf_assets.report.theme import (
    AHEAD,
    INK,
    NEUTRAL,
    PALETTE,
    SHAPES,
    WORSE,
    Chart,
    data,
    domain_of,
    in_order,
    labels,
    title,
)
from perf_assets.wording.findings import short
from perf_assets.wording.quantities import ROUGH, change, coefficient, counted, number, quantity

_MOST_LABELS = 10
_LABELLED_RESIDUAL = 0.30
_DRIVER_NAMES = {
    "nodes": "blast radius (nodes)",
    "edges": "edges",
    "observations": "observations",
    "risks": "risks",
}


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
    return grid(drawn, heading, "Dashed: least-squares line. A correlation is no cause.")


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
        .mark_point(filled=True, size=dot_area(len(rows)), opacity=0.85)
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
def run_heatmap(runs: pd.DataFrame) -> Chart | None:
    """Pearson's correlation of duration, size and risks of scenario runs with each other."""
    import altair as alt

    timed = runs[runs["duration"].notna()]
    if timed.empty:
        return None
    project = timed["project"].value_counts().sort_index().idxmax()
    own = timed[timed["project"] == project]
    known = run_correlations(own)
    names = [name for name in known.columns if known.loc[name, name] == 1.0]
    if len(names) < 2:
        return None
    words = {name: _DRIVER_NAMES.get(name, name) for name in names}
    cells = pd.DataFrame(
        [(words[a], words[b], known.loc[a, b]) for a in names for b in names], columns=["row", "column", "r"]
    ).dropna()
    cells["text"] = [coefficient(r) for r in cells["r"]]
    cells["sign"] = np.where(cells["r"] >= 0, "rise together", "move oppositely")
    cells["size"] = cells["r"].abs()
    order = in_order([words[name] for name in names])
    x = alt.X("column:N", title=None, axis=alt.Axis(labelAngle=-30, domain=False), **order)
    y = alt.Y("row:N", title=None, axis=alt.Axis(domain=False), **order)
    signs = alt.Scale(domain=["rise together", "move oppositely"], range=[WORSE, AHEAD])
    base = alt.Chart(data(cells)).encode(x=x, y=y)
    tiles = base.mark_rect(stroke=INK, strokeOpacity=0.15).encode(
        color=alt.Color("sign:N", scale=signs, title=None, legend=alt.Legend(orient="top", direction="horizontal")),
        opacity=alt.Opacity("size:Q", scale=alt.Scale(domain=[0, 1], range=[0.05, 0.8]), legend=None),
    )
    heading = f"Correlations (r) within {counted(len(own), 'scenario run')}"
    note = "Of runs of which both are known. A correlation is no cause."
    return alt.layer(tiles, base.mark_text(fontSize=11).encode(text="text:N")).properties(
        width=alt.Step(58), height=alt.Step(30), title=title(heading, 420, note)
    )


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
    named = placed_labels(own, x_domain, y_domain, width, height)
    layers = [
        alt.Chart(data(band))
        .mark_area(color=NEUTRAL, opacity=0.22)
        .encode(x=x, y=alt.Y("low:Q", scale=y_scale, title=y_title), y2="high:Q"),
        alt.Chart(data(pd.DataFrame({"residual": [0.0]}))).mark_rule(color=INK, strokeDash=[5, 4]).encode(y=y),
        alt.Chart(data(own[["expected", "residual", "group"]]))
        .mark_point(filled=True, size=dot_area(len(own)), opacity=0.85)
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


def placed_labels(
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
            if box[0] >= 0 and box[2] <= width and box[1] >= 0 and box[3] <= height and not covers_any(box, taken):
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


def covers_any(box: tuple[float, float, float, float], taken: Sequence[tuple[float, float, float, float]]) -> bool:
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


def _correlation(a: pd.Series, b: pd.Series) -> float:
    if len(a) < 3 or not a.max() > a.min() or not b.max() > b.min():
        return float("nan")
    return float(np.corrcoef(a.astype(float), b.astype(float))[0, 1])


def _with_colour_groups(runs: pd.DataFrame) -> pd.DataFrame:
    names = runs["scenario"].fillna("scenario unknown")
    # Scenarios seldom number more than palette and shapes can tell apart; seven are the sample's.
    if names.nunique() <= len(PALETTE) + 1:
        return runs.assign(group=names.map(lambda name: short(name, 30)))
    return runs.assign(group=rare_as_others(names))


def _group_encoding(alt: Any, rows: pd.DataFrame) -> dict[str, Any]:
    kinds = in_legend_order(rows["group"])
    colours = [*PALETTE, NEUTRAL][: len(kinds)] if "others" not in kinds else colours_of(kinds)
    shapes = [*SHAPES, "circle"][: len(kinds)]
    legend = alt.Legend(orient="right")
    return {
        "color": alt.Color("group:N", title="scenario", scale=alt.Scale(domain=kinds, range=colours), legend=legend),
        "shape": alt.Shape("group:N", title="scenario", scale=alt.Scale(domain=kinds, range=shapes), legend=legend),
    }
