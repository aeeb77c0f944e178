"""Charts of how a series behaves: episodes that its past did not make likely, and patterns that it repeats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from perf_assets.report.charts.layout import PANEL_HEIGHT, PANEL_WIDTH, bounds_of, cloud, y_axis
from perf_assets.report.drawing import missing_if_failed
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
from perf_assets.wording import findings
from perf_assets.wording.moments import minute
from perf_assets.wording.quantities import ROUGH, counted, share

_AROUND = pd.Timedelta(days=7)
"""What is shown before and after an episode."""
_MOST_LABELS = 8


@missing_if_failed
def episode_chart(values: pd.DataFrame, row: Any, others: pd.DataFrame) -> Chart | None:
    """One anomaly (a row of anomalies with title, metric, unit): a week of values (ts, value, of the buckets) on each
    side, those of the episode standing out, and the expected level. `others`: all anomalies of the series."""
    import altair as alt

    shown = values[values["ts"].between(row.episode_start - _AROUND, row.episode_end + _AROUND)].dropna()
    if shown.empty:
        return None
    scale = scale_of([*shown["value"].abs().quantile([0.95]), row.expected], row.unit)
    shown = shown[["ts", "value"]].assign(value=shown["value"] * scale.factor)
    odd = np.zeros(len(shown), dtype=bool)
    for other in others.itertuples():
        odd |= shown["ts"].between(other.episode_start, other.episode_end).to_numpy()
    expected = row.expected * scale.factor
    x = time_axis(shown["ts"], PANEL_WIDTH)
    possible = bounds_of(row.metric, row.unit, values["value"])
    domain = domain_of(shown["value"], np.array([expected]))
    within = possible.within(np.array(domain) / scale.factor) * scale.factor
    y = alt.Y("value:Q", scale=alt.Scale(domain=list(within), nice=False, zero=False), axis=y_axis(row.metric, scale))
    level = pd.DataFrame({"ts": [shown["ts"].min()], "end": [shown["ts"].max()], "value": [expected]})
    layers = [
        cloud(alt, shown[~odd], x, y, 0.5),
        alt.Chart(data(level)).mark_rule(color=AHEAD, strokeDash=[5, 4], strokeWidth=1.5).encode(x=x, x2="end:T", y=y),
        alt.Chart(data(shown[odd])).mark_circle(size=42, color=WORSE, opacity=0.9).encode(x=x, y=y),
    ]
    heading = f"{row.title}: {findings.episode(row)}"
    note = f"Orange: from {minute(row.episode_start)} to {minute(row.episode_end)} UTC; dashed: expected then."
    more = int(others["episode_end"].between(shown["ts"].min(), shown["ts"].max()).sum()) - 1
    notes = [note, f"And {counted(more, 'other episode')} of this series."] if more > 0 else [note]
    return alt.layer(*[layer for layer in layers if layer is not None]).properties(
        width=PANEL_WIDTH, height=PANEL_HEIGHT, title=title(heading, PANEL_WIDTH, *notes)
    )


@missing_if_failed
def pattern_chart(profile: pd.DataFrame, row: Any) -> Chart | None:
    """One pattern (a row of seasonal_patterns with title, metric, unit): how far each slot of its cycle lies from the
    level of the cycle, with 95 % intervals. `profile`: its rows of seasonal_profiles."""
    import altair as alt

    known = profile.sort_values("slot").dropna(subset=["level"])
    if known.empty:
        return None
    scale = scale_of(known["level"].abs(), row.unit)
    shown = known[["label"]].assign(
        **{name: known[name].to_numpy(dtype=float) * scale.factor for name in ("level", "low", "high")}
    )
    names = shown["label"].tolist()
    step = -(-len(names) // _MOST_LABELS)
    x = alt.X(
        "label:N",
        title=None,
        axis=alt.Axis(values=names[::step], labelAngle=0, labelOverlap=True),
        **in_order(names),
    )
    y_title = f"from the level of the cycle ({scale.label})"
    base = alt.Chart(data(shown))
    axis = alt.Axis(title=y_title, tickCount=4)
    layers = [
        alt.Chart(data(pd.DataFrame({"level": [0.0]})))
        .mark_rule(color=INK, strokeDash=[4, 3], opacity=0.7)
        .encode(y=alt.Y("level:Q", axis=axis)),
        base.mark_rule(color=AHEAD, opacity=0.5, strokeWidth=3).encode(x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q"),
        base.mark_line(color=AHEAD, point=alt.OverlayMarkDef(color=AHEAD, size=28)).encode(
            x=x, y=alt.Y("level:Q", axis=axis)
        ),
    ]
    heading = f"{row.title} repeats {row.period}: highest {row.peak}"
    note = f"{share(row.strength, ROUGH)} of its variance; bars: 95 % intervals; times are UTC."
    return alt.layer(*layers).properties(
        width=PANEL_WIDTH, height=PANEL_HEIGHT, title=title(heading, PANEL_WIDTH, note)
    )
