"""Charts of metrics that move together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from perf_assets.report.drawing import missing_if_failed
from perf_assets.report.reading import rows_of
from perf_assets.report.theme import AHEAD, INK, NEUTRAL, WORSE, Chart, data, in_order, title
from perf_assets.wording.findings import metric_words, short
from perf_assets.wording.quantities import coefficient, number

SIGNIFICANT = 0.05


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
