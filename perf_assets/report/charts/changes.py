"""Charts of one change: its values and levels, and how far each of its series moved."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.report.charts.layout import PANEL_HEIGHT, PANEL_WIDTH, cloud
from perf_assets.report.drawing import missing_if_failed
from perf_assets.report.theme import (
    AHEAD,
    BETTER,
    INK,
    WORSE,
    Chart,
    axis_title,
    data,
    extent_about,
    in_order,
    scale_of,
    time_axis,
    title,
    value_axis,
)
from perf_assets.wording.findings import short
from perf_assets.wording.moments import moment
from perf_assets.wording.quantities import counted, level_pair


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
    layers = [cloud(alt, shown[~inside], x, y, 0.15), cloud(alt, shown[inside], x, y, 0.5)]
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


def _in_hours(times: pd.Series, part_of_day: str) -> pd.Series:
    """Which times lie in the hours that `part_of_day` names (`night 00-06 UTC`); all, where it names none."""
    hours = re.search(r"(\d\d)-(\d\d)", part_of_day)
    if hours is None:
        return pd.Series(True, index=times.index)
    first, last = int(hours[1]), int(hours[2])
    hour = times.dt.hour
    inside: pd.Series = (hour >= first) & (hour < last) if first < last else (hour >= first) | (hour < last)
    return inside
