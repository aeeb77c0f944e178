"""What several charts share: sizes of panels, grids of panels, clouds of values, groups and their colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from perf_assets.analysis.bounds import Bounds
from perf_assets.catalog import load_catalog
from perf_assets.report.drawing import Undrawn
from perf_assets.report.theme import INK, NEUTRAL, PALETTE, Chart, Extent, axis_title, data, reduced, title, value_axis
from perf_assets.wording.findings import short

PANEL_WIDTH, PANEL_HEIGHT = 400, 150
MOST_PANELS = 6
MOST_ROWS = 40
"""Nodes a ranking or plan shows; of more, the best and the worst."""


def rows_by(rows: pd.DataFrame, column: str) -> dict[Any, pd.DataFrame]:
    return {key: own for key, own in rows.groupby(column)}  # noqa: C416 - dict() of a groupby loses its types


def grid(panels: Sequence[Chart | Undrawn], heading: str, note: str) -> Chart | Undrawn:
    import altair as alt

    failed = [panel for panel in panels if isinstance(panel, Undrawn)]
    whole = [panel for panel in panels if not isinstance(panel, Undrawn)]
    if not whole:
        return failed[0]
    lack = f"{len(failed)} of {len(panels)} could not be drawn ({failed[0].reason})." if failed else ""
    words = title(heading, 820 if len(whole) > 1 else 420, note, lack)
    return alt.concat(*whole, columns=2).properties(title=words)


def cloud(alt: Any, values: pd.DataFrame, x: Any, y: Any, opacity: float) -> Chart | None:
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


def y_axis(metric: str, scale: Any) -> Any:
    return value_axis(axis_title(metric, scale), Extent(0.0, 1.0), PANEL_HEIGHT)["axis"]


def bounds_of(metric: str, unit: str, values: pd.Series) -> Bounds:
    """The possible values of a series, as far as its own values agree with them."""
    return Bounds(*load_catalog().bounds(metric, unit)).borne_out_by(values)


def dot_area(count: int) -> int:
    """Area of a dot in square pixels: large where there are few."""
    return 75 if count <= 100 else 18


def rare_as_others(names: pd.Series) -> list[str]:
    """The names, the rarer of more than six being `others`."""
    common = names.value_counts(sort=True).index.tolist()
    kept = set(common if len(common) <= len(PALETTE) else common[: len(PALETTE)])
    return [short(name, 30) if name in kept else "others" for name in names]


def in_legend_order(groups: pd.Series | list[str]) -> list[str]:
    return sorted(set(groups), key=lambda name: (name == "others", name))


def colours_of(kinds: list[str]) -> list[str]:
    return [NEUTRAL if name == "others" else PALETTE[number % len(PALETTE)] for number, name in enumerate(kinds)]
