"""How every picture looks: colours, fonts, axes with units, and the ways from a chart to PNG and SVG.

Belongs here: what all charts share. Does not belong here: what a single chart shows.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
import textwrap
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import takewhile
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from perf_assets.characters import showable
from perf_assets.wording import quantities
from perf_assets.wording.findings import metric_words, short
from perf_assets.wording.moments import day
from perf_assets.wording.quantities import Scale

Chart: TypeAlias = Any

INK = "#1f2328"
"""Text, axes and raw values; becomes currentColor in an SVG, so that it follows a page's light or dark text."""
WORSE, BETTER, AHEAD, NEUTRAL = "#D55E00", "#009E73", "#1F83C9", "#8C8C8C"
PALETTE = (AHEAD, "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
"""Okabe & Ito (2008), Color universal design; its blue a little lighter, without yellow and black: on white
and on near black each has a contrast of 2 at least."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
MOST_POINTS = 400
"""Buckets a line is reduced to; each draws its mean, smallest and largest value."""
LARGEST_PNG = 150_000
LOGARITHMIC_FROM = 20.0
"""Ratio of values from which on the noise of the smaller ones is no longer seen beside the larger ones."""
_PNG_SCALES = (2.0, 1.5, 1.0, 0.75)
_FONT = "Arial, Liberation Sans, Helvetica, DejaVu Sans, sans-serif"
_CONFIG = {
    "font": _FONT,
    "aria": False,
    "view": {"stroke": None},
    "concat": {"spacing": 28},
    "title": {
        "anchor": "start",
        "fontSize": 13,
        "fontWeight": 600,
        "color": INK,
        "subtitleColor": INK,
        "subtitleFontSize": 11,
        "subtitlePadding": 4,
        "offset": 8,
    },
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "domainColor": INK,
        "domainOpacity": 0.5,
        "tickColor": INK,
        "tickOpacity": 0.5,
        "gridColor": INK,
        "gridOpacity": 0.12,
        "labelLimit": 400,
        "titleLimit": 600,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelLimit": 300,
        "symbolBaseFillColor": INK,
        "symbolBaseStrokeColor": INK,
        "symbolOpacity": 1,
    },
    "text": {"color": INK, "fontSize": 11},
}


def png(chart: Chart) -> bytes:
    """The chart on white, at twice its size, or less where that takes more than 150 kB."""
    import vl_convert

    drawing = vl_convert.vegalite_to_svg(_specification(chart) | {"background": "white"})
    at, *smaller = _PNG_SCALES
    drawn = _packed(vl_convert.svg_to_png(drawing, scale=at))
    for scale in smaller:
        if len(drawn) <= LARGEST_PNG:
            break
        # A picture grows at most as its area does, so that what would be too large for sure is not drawn at all.
        if scale == smaller[-1] or len(drawn) * (scale / at) ** 2 <= LARGEST_PNG:
            drawn, at = _packed(vl_convert.svg_to_png(drawing, scale=scale)), scale
    return drawn


def svg(chart: Chart) -> str:
    """The chart as an element for a page: transparent, text in the page's colour, ids that no other picture has."""
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(_specification(chart) | {"background": "transparent"})
    own = "p" + hashlib.sha256(drawn.encode()).hexdigest()[:10]
    drawn = re.sub(r'\bid="', f'id="{own}-', drawn)
    drawn = re.sub(r"url\((['\"]?)#", rf"url(\1#{own}-", drawn)
    drawn = drawn.replace(INK, "currentColor")
    label = escape(showable(" ".join(_title_words(chart))))
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def data(frame: pd.DataFrame) -> Any:
    """The frame as inline data: times in UTC, numbers at six significant digits."""
    columns = {str(name): _values(frame[name]) for name in frame.columns}
    return _shared_data()(values=[dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


@cache
def _shared_data() -> Any:
    """Inline data that the copies of a chart share: Altair copies a chart whenever it is layered, and its rows too."""
    import altair as alt

    class SharedData(alt.InlineData):
        def __deepcopy__(self, memo: object = None) -> SharedData:
            return self

    return SharedData


def title(text: str, width: int, *more: str) -> Any:
    """A title and lines below it, wrapped to `width` pixels."""
    lines = [line for part in more if part for line in wrapped(part, int(width / 5.6))]
    import altair as alt

    # An empty subtitle would take room all the same.
    below: dict[str, Any] = {"subtitle": lines} if lines else {}
    return alt.TitleParams(text=wrapped(text, int(width / 7.0)), **below)


def wrapped(text: str, characters: int, most: int = 3) -> list[str]:
    """At most `most` lines; what does not fit ends in an ellipsis."""
    together = text.replace(" %", "\N{NO-BREAK SPACE}%")
    return textwrap.wrap(together, max(characters, 10), max_lines=most, placeholder=" …") or [""]


def labels(names: Sequence[object], characters: int = 34) -> dict[object, str]:
    """A short label for each name, no two alike: what all long names begin with is left out first."""
    distinct = list(dict.fromkeys(names))
    long = [str(name) for name in distinct if len(str(name)) > characters]
    alike = (len(set(letters)) == 1 for letters in zip(*long, strict=False))
    shared = sum(1 for _ in takewhile(bool, alike)) - 4 if len(long) > 1 else 0
    found: dict[object, str] = {}
    taken: set[str] = set()
    for name in distinct:
        text = str(name)
        label = short(f"…{text[shared:]}" if shared > 4 and len(text) > characters else text, characters)
        if label in taken:
            label = f"{short(label, characters - 5)} #{len(taken)}"
        taken.add(label)
        found[name] = label
    return found


def scale_of(values: Sequence[float] | pd.Series | np.ndarray, unit: str) -> Scale:
    """The unit in which the largest of the values reads best."""
    sizes = np.abs(np.asarray(values, dtype=float))
    return quantities.scale_of(float(sizes[np.isfinite(sizes)].max(initial=0.0)), unit)


def axis_title(metric: str, scale: Scale) -> str:
    words = metric_words(metric)
    return f"{words} ({scale.label})" if scale.label else words


def in_order(names: Sequence[str]) -> dict[str, Any]:
    """The order of an axis of names, as arguments of its encoding.

    Vega makes code of the names that it is to sort by, and of some it makes code that it cannot read.
    """
    import altair as alt

    return {"sort": None, "scale": alt.Scale(domain=list(dict.fromkeys(names)))}


def time_axis(times: pd.Series, width: int) -> Any:
    """The horizontal encoding of column ts, named by the days it spans."""
    import altair as alt

    first, last = times.min(), times.max()
    span = f"{day(first)} to {day(last)} (UTC)"
    axis = alt.Axis(title=span, tickCount=max(2, width // 90), labelOverlap=True, labelFlush=True, grid=False)
    return alt.X("ts:T", scale=alt.Scale(type="utc"), axis=axis)


_SMALLEST = 1e-200


@dataclass(frozen=True)
class Extent:
    """Where an axis begins and ends; equal distances are equal ratios where it is logarithmic."""

    low: float
    high: float
    logarithmic: bool = False

    def beyond(self, values: pd.Series) -> int:
        """How many of the values lie outside."""
        return int(((values < self.low) | (values > self.high)).sum())


def value_axis(name: str, extent: Extent, height: int) -> Any:
    import altair as alt

    heading = wrapped(name, max(14, int(height / 5.6)), 2)
    kind: dict[str, Any] = {"type": "log"} if extent.logarithmic else {"zero": False}
    ticks: dict[str, Any] = {"values": _round_ratios(extent)} if extent.logarithmic else {"tickCount": 4}
    return {
        "scale": alt.Scale(domain=[extent.low, extent.high], nice=False, clamp=False, **kind),
        "axis": alt.Axis(title=heading, **ticks),
    }


def _round_ratios(extent: Extent, most: int = 6) -> list[float]:
    """Round numbers of about equal ratios inside an extent: of each power of ten three, one, or one of several."""
    powers = range(math.floor(math.log10(extent.low)), math.ceil(math.log10(extent.high)) + 1)
    candidates = ([m * 10.0**power for power in powers for m in (1, 2, 5)], *(
        [10.0**power for power in powers if power % step == 0] for step in range(1, len(powers) + 1)
    ))  # fmt: skip
    inside = ([tick for tick in ticks if extent.low <= tick <= extent.high] for ticks in candidates)
    return next(ticks for ticks in inside if len(ticks) <= most)


def extent_about(values: pd.Series, before: float, after: float) -> Extent:
    """The axis of a change: both levels and the bulk of the values, without stray ones far from all of these.

    The bulk is the middle 80 % of the values. Stray is what lies further from bulk and levels than three times the
    change and four times the width of the bulk. The axis is logarithmic where all values are positive and levels and
    bulk are more than 20-fold apart, so that there is room for the noise of the smaller ones.
    """
    numbers = values.to_numpy(dtype=float)
    bulk = _bulk_of(numbers)
    low, high = min(before, after, bulk[0]), max(before, after, bulk[1])
    # The margin below a smaller number would be rounded to 0, which has no logarithm.
    if min(numbers.min(), low) <= _SMALLEST or high / low <= LOGARITHMIC_FROM:
        return Extent(*_limits(numbers, before, after))
    first, last = _limits(np.log(numbers), math.log(before), math.log(after))
    return Extent(math.exp(first), math.exp(last), logarithmic=True)


def _bulk_of(values: np.ndarray) -> tuple[float, float]:
    # Quantiles towards the middle, so that one stray value among ten is not half of the bulk.
    ends = float(np.quantile(values, 0.1, method="higher")), float(np.quantile(values, 0.9, method="lower"))
    return min(ends), max(ends)


def _limits(values: np.ndarray, before: float, after: float) -> tuple[float, float]:
    bulk = _bulk_of(values)
    reach = max(3.0 * abs(after - before), 4.0 * (bulk[1] - bulk[0]))
    low, high = min(before, after, bulk[0]), max(before, after, bulk[1])
    lowest, highest = float(values.min()), float(values.max())
    return _with_margin(min(low, max(lowest, low - reach)), max(high, min(highest, high + reach)))


def domain_of(*values: Sequence[float] | pd.Series | np.ndarray, within: bool = False) -> tuple[float, float]:
    """Lowest and highest of the values with a margin; `within` leaves out what lies far outside their middle."""
    joined = np.concatenate([np.asarray(part, dtype=float).ravel() for part in values])
    joined = joined[np.isfinite(joined)]
    if joined.size == 0:
        return (0.0, 1.0)
    low, high = float(joined.min()), float(joined.max())
    if within and joined.size >= 20:
        first, third = np.quantile(joined, [0.1, 0.9])
        reach = 4.0 * (third - first)
        if reach > 0:
            low, high = max(low, float(first - reach)), min(high, float(third + reach))
    return _with_margin(low, high)


def _with_margin(low: float, high: float) -> tuple[float, float]:
    margin = 0.07 * (high - low) or 0.05 * abs(high) or 1.0
    return (low - margin, high + margin)


def reduced(values: pd.DataFrame, most: int = MOST_POINTS) -> pd.DataFrame:
    """Columns ts, low, mean, high: the values (columns ts, value) in at most `most` buckets of equal time."""
    kept = values[np.isfinite(values["value"].to_numpy(dtype=float))].sort_values("ts")
    if len(kept) <= most:
        return pd.DataFrame({"ts": kept["ts"], "low": kept["value"], "mean": kept["value"], "high": kept["value"]})
    stamps = kept["ts"].to_numpy().astype("datetime64[us]").astype(np.int64)
    width = max(1, math.ceil((stamps[-1] - stamps[0] + 1) / most))
    groups = kept["value"].groupby((stamps - stamps[0]) // width)
    table: pd.DataFrame = groups.agg(low="min", mean="mean", high="max")
    table.insert(0, "ts", (stamps[0] + table.index.to_numpy() * width + width // 2).astype("datetime64[us]"))
    drawn: pd.DataFrame = table.reset_index(drop=True)
    return drawn


def _packed(drawn: bytes) -> bytes:
    """The same PNG at the usual compression: the renderer's is three times as large, and the best takes five times as
    long."""
    kept, pixels, at = [drawn[:8]], b"", 8
    while at < len(drawn):
        (size,) = struct.unpack(">I", drawn[at : at + 4])
        if drawn[at + 4 : at + 8] == b"IDAT":
            pixels += drawn[at + 8 : at + 8 + size]
        else:
            kept.append(drawn[at : at + 12 + size])
        at += 12 + size
    body = b"IDAT" + zlib.compress(zlib.decompress(pixels), 6)
    kept.insert(-1, struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
    return b"".join(kept)


def _specification(chart: Chart) -> dict[str, Any]:
    spec: dict[str, Any] = _showable(chart.to_dict(validate=False))
    return spec | {"config": _CONFIG, "padding": 6}


def _showable(part: Any) -> Any:
    """A specification whose texts can be drawn: what SVG cannot hold ends the whole process inside the renderer."""
    if isinstance(part, str):
        return showable(part)
    if isinstance(part, dict):
        return {_showable(name): _showable(value) for name, value in part.items()}
    return [_showable(value) for value in part] if isinstance(part, list | tuple) else part


def _title_words(chart: Chart) -> list[str]:
    text = getattr(chart.title, "text", chart.title)
    return [text] if isinstance(text, str) else [str(line) for line in text] if isinstance(text, list) else ["chart"]


def _values(column: pd.Series) -> list[Any]:
    if pd.api.types.is_datetime64_any_dtype(column):
        return [None if pd.isna(time) else f"{time:%Y-%m-%dT%H:%M:%S}Z" for time in column]
    if pd.api.types.is_float_dtype(column):
        return [float(f"{value:.6g}") if math.isfinite(value) else None for value in column.astype(float)]
    return [None if value is None or value is pd.NA else value for value in column.tolist()]
