"""How figures are written for people."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from perf_assets.analysis.causes import BY_NODE

_BYTES = ((1e12, 1e12, "TB"), (1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e3, 1e3, "kB"), (0.0, 1.0, "B"))
_TIMES = (
    (3600.0, 3600.0, "h"), (180.0, 60.0, "min"), (1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (1e-6, 1e-6, "µs"),
    (0.0, 1e-9, "ns"),
)  # fmt: skip
_LONGEST_REACH = 60
"""Characters of a title that the reach of a finding may take."""

_MULTIPLE_FROM, _FRACTION_FROM = 10.0, 0.01
"""New level over old level from which it is told as a multiple, and down from which as a fraction."""
_AS_GOOD_AS_ZERO = 1e-6
"""Share of the larger of two levels below which the other one is rounding."""


def quantity(value: float, unit: str, like: float | None = None) -> str:
    """A value with its UCUM unit, in the prefix that reads best: `1.25 ms`, `88 MB`, `82 %`; or, to be compared with
    it, in that of the value `like`.
    """
    if pd.isna(value) or not math.isfinite(value):
        return "missing"
    if unit == "s":
        return _scaled(value, _TIMES, like)
    if unit in ("By", "By/s"):
        return _scaled(value, _BYTES, like) + ("/s" if unit == "By/s" else "")
    if unit == "1" and abs(value) <= 1.5:
        return f"{_figure(value * 100, 3)} %"
    label = unit.replace("{", "").replace("}", "") if unit not in ("", "1") else ""
    return f"{_figure(value, 4)} {label}".rstrip()


def share(change: float) -> str:
    """A relative change with its sign: `+12.3 %`; where percents are hard to picture, the new level as a multiple or a
    fraction of the old one: `80 times`, `1/250`.
    """
    if pd.isna(change) or not math.isfinite(change):
        return "unknown"
    factor = 1.0 + change
    if factor >= _MULTIPLE_FROM:
        return f"{_figure(factor, 3)} times"
    if _AS_GOOD_AS_ZERO < factor <= _FRACTION_FROM:
        return f"1/{_figure(1.0 / factor, 3)}"
    return f"{'-' if change < 0 else '+'}{_figure(abs(change) * 100, 3)} %"


def change(row: Any) -> str:
    """How far a level moved (a row of regressions): as `moved` says it, or `0 % to 4 %` where a share would say
    nothing.
    """
    return levels(row) if pd.isna(row.change) else moved(row.change)


def moved(change: float) -> str:
    """A relative change in words of its own: `+12.3 %`, `80 times the old level`, `1/250 of the old level`."""
    told = share(change)
    if told.endswith(" times"):
        return f"{told} the old level"
    return f"{told} of the old level" if told.startswith("1/") else told


def levels(row: Any) -> str:
    """`12 s to 15 s`, of the series that shows the change best; of two modes, which one moved."""
    means = " to ".join(level_pair(row.before, row.after, row.unit))
    mode = getattr(row, "second_mode", None)
    if mode is None or pd.isna(mode):
        return means
    shares = f"{100 * row.mode_after:.0f} % of the values about {quantity(mode, row.unit)}"
    return f"{means} on average, with {shares} (before {100 * row.mode_before:.0f} %)"


def level_pair(before: float, after: float, unit: str) -> tuple[str, str]:
    """Two levels of one series, in one unit where they are near each other; what rounding has left of one is 0."""
    largest = max(abs(before), abs(after))
    like = before if largest < _MULTIPLE_FROM * min(abs(before), abs(after)) else None
    least = _AS_GOOD_AS_ZERO * largest
    first, second = (quantity(0.0 if abs(level) < least else level, unit, like) for level in (before, after))
    return first, second


def subject(row: Any) -> str:
    """What a change (a row of regressions) is about, in a title: a node, a test with its reach, series of a commit."""
    reach = short_reach(row.reach)
    if row.scope == "commit":
        where = "run" if pd.isna(row.first_bad_commit) else "commit"
        return f"{row.members:,} series {f'{reach} ' if reach else ''}at {where} {short_commit(row.scope_name)}"
    words = {
        "runner_image": f"runner image {row.scope_name}",
        "node_type": f"all {row.scope_name} nodes",
        "node": f"node {row.scope_name}",
        "test": f"{row.scope_name} {reach}".rstrip(),
    }
    return str(words.get(row.scope, row.scope_name))


def apart(row: Any) -> str:
    """What the title of a single series (a row of regressions) has besides metric, test and node, if anything."""
    if row.scope != "series":
        return ""
    name = " · ".join(str(part) for part in (row.metric, row.test_name, row.node_id) if not pd.isna(part))
    title = str(row.scope_name)
    return title.removeprefix(f"{name} · ") if title.startswith(f"{name} · ") else ""


def short_commit(commit: object) -> str:
    """The first characters of a commit's hash, as many as make it clear."""
    return str(commit)[:12]


def short_reach(reach: object) -> str:
    """How far a finding goes, without the names where they are long."""
    words = "" if pd.isna(reach) else str(reach)
    return words if len(words) <= _LONGEST_REACH else words.partition(" (")[0]


def _scaled(value: float, units: tuple[tuple[float, float, str], ...], like: float | None) -> str:
    """`value` in the largest of the units (smallest size to use it for, factor, name) that it, or `like`, reaches."""
    # What rounds to a whole unit is written as one: 1 s, not 1,000 ms. Zero is zero of the plain unit.
    size = abs(value if like is None else like) * 1.0005
    unit = next((unit for unit in units if size >= unit[0]), units[-1]) if size else (0.0, 1.0, _plain(units))
    return f"{_figure(value / unit[1], 3)} {unit[2]}"


def _plain(units: tuple[tuple[float, float, str], ...]) -> str:
    return next(name for _, factor, name in units if factor == 1.0)


def _figure(value: float, digits: int) -> str:
    """Significant digits; from a thousand on whole numbers with separators, up to where nobody reads them."""
    if 999.5 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value + 0.0:.{digits}g}"


def odds(probability: float) -> str:
    """A probability: `73 %`, and what is nearly sure as `more than 99 %` or `less than 1 %`."""
    if pd.isna(probability):
        return "unknown"
    if probability < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < probability < 1.0 else f"{probability:.0%}".replace("%", " %")


def consistency(row: Any) -> str:
    """What a change goes along with (a row of regression_causes): `node id n1: its 12 series +18 %, the 180 others
    +0.3 %; 92 % of what changed`.
    """
    part = f"{odds(row.share)} of what changed"
    if row.setting == BY_NODE:
        return f"{metric_words(row.factor)}: {share(row.change_sharing)} on {row.sharing:,} nodes; {part} by node"
    setting = short_commit(row.setting) if row.factor == "commit" else row.setting
    series = "its series" if row.sharing == 1 else f"{'all' if not row.lacking else 'its'} {row.sharing:,} series"
    own = f"{series} {share(row.change_sharing)}"
    rest = "the other one" if row.lacking == 1 else f"the {row.lacking:,} others"
    others = f"{rest} {share(row.change_lacking)}" if row.lacking else "none without it to compare"
    return f"{metric_words(row.factor)} {setting}: {own}, {others}; {part}"


def breach_odds(row: Any) -> str:
    """How likely a limit is passed (a row of breach_outlook), by the level and by single values."""
    level = (
        f"its level passes it within 7 days with {odds(row.level_by_7)}, within 30 days with {odds(row.level_by_30)}"
    )
    if dates := breach_dates(row):
        level += f" (95 % interval of the day: {dates})"
    single = ", ".join(odds(getattr(row, f"value_by_{days}")) for days in (1, 7, 30))
    return f"{level}; a single value lies beyond it within 1, 7 and 30 days with {single}"


def breach_dates(row: Any) -> str:
    """The 95 % interval of the day on which the level passes its limit (a row of breach_outlook), empty if unknown."""
    if pd.isna(row.earliest):
        return ""
    return f"{day(row.earliest)} or later" if pd.isna(row.latest) else f"{day(row.earliest)} to {day(row.latest)}"


def moment(time: object) -> str:
    """A time in UTC to the minute."""
    return "unknown" if pd.isna(time) else f"{pd.Timestamp(time):%Y-%m-%d %H:%M} UTC"


def day(time: object) -> str:
    return "unknown" if pd.isna(time) else f"{pd.Timestamp(time):%Y-%m-%d}"


def metric_words(metric: str) -> str:
    return metric.replace("_", " ")
