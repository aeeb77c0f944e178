"""Charts of nodes: their ranking, and the plan of tests on them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from perf_assets.report.charts.layout import MOST_ROWS, colours_of, in_legend_order, rare_as_others
from perf_assets.report.drawing import missing_if_failed
from perf_assets.report.theme import INK, Chart, data, in_order, labels, scale_of, title
from perf_assets.wording.findings import short
from perf_assets.wording.quantities import change, counted, number, quantity


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
        kind=rare_as_others(shown["node_type"].fillna("type unknown")),
    )
    names = rows["name"].tolist()
    y = alt.Y("name:N", title=None, axis=alt.Axis(grid=False), **in_order(names))
    x_scale = alt.Scale(domain=[0, 100], nice=False, clamp=True)
    x_title = "score (0 to 100; 50 is the middle of the fleet, higher is faster)"
    x = alt.X("score:Q", title=x_title, scale=x_scale)
    kinds = in_legend_order(rows["kind"])
    colour = alt.Color(
        "kind:N",
        title="node type",
        scale=alt.Scale(domain=kinds, range=colours_of(kinds)),
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
