"""Numbers, values with their unit, changes, shares and probabilities.

Digits: three significant ones of measured numbers, two (ROUGH) of estimates; whole numbers have separators.
"""

from __future__ import annotations

import math
from typing import Any

_BYTES = ((1e12, 1e12, "TB"), (1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e3, 1e3, "kB"), (0.0, 1.0, "B"))
_TIMES = (
    (3600.0, 3600.0, "h"), (180.0, 60.0, "min"), (1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (1e-6, 1e-6, "µs"),
    (0.0, 1e-9, "ns"),
)  # fmt: skip
_MULTIPLE_FROM, _FRACTION_FROM = 10.0, 0.01
"""New level over old level from which a change is written as a multiple, and down from which as a fraction."""
_AS_GOOD_AS_ZERO = 1e-6
"""Share of the larger of two levels below which the other one is rounding."""


def missing(value: Any) -> bool:
    """None, NaN, NaT and NA, without pandas, which not every reader loads."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True  # NA is neither equal to itself nor different


def quantity(value: Any, unit: str, like: float | None = None) -> str:
    """A value with its UCUM unit, in the prefix that reads best: `1.25 ms`, `88 MB`, `82 %`; or, to be compared with
    it, in that of the value `like`.
    """
    if not _finite(value):
        return "missing"
    if unit == "s":
        return _scaled(value, _TIMES, like)
    if unit in ("By", "By/s"):
        return _scaled(value, _BYTES, like) + ("/s" if unit == "By/s" else "")
    if unit == "1" and abs(value) <= 1.5:
        return f"{_figure(value * 100, 3)} %"
    label = unit.replace("{", "").replace("}", "") if unit not in ("", "1") else ""
    return f"{_figure(value, 4)} {label}".rstrip()


def change(ratio: Any) -> str:
    """A relative change with its sign: `+12.3 %`; where percents are hard to picture, the new level as a multiple or a
    fraction of the old one: `80 times`, `1/250`.
    """
    if not _finite(ratio):
        return "unknown"
    factor = 1.0 + ratio
    if factor >= _MULTIPLE_FROM:
        return f"{_figure(factor, 3)} times"
    if _AS_GOOD_AS_ZERO < factor <= _FRACTION_FROM:
        return f"1/{_figure(1.0 / factor, 3)}"
    return f"{'-' if ratio < 0 else '+'}{_figure(abs(ratio) * 100, 3)} %"


def change_in_full(ratio: Any) -> str:
    """A change that stands alone: `+12.3 %`, `80 times the old level`, `1/250 of the old level`."""
    words = change(ratio)
    if words.endswith(" times"):
        return f"{words} the old level"
    return f"{words} of the old level" if words.startswith("1/") else words


def level_pair(before: float, after: float, unit: str) -> tuple[str, str]:
    """Two levels of one series, in one unit where they are near each other; what rounding has left of one is 0."""
    largest = max(abs(before), abs(after))
    like = before if largest < _MULTIPLE_FROM * min(abs(before), abs(after)) else None
    least = _AS_GOOD_AS_ZERO * largest
    first, second = (quantity(0.0 if abs(level) < least else level, unit, like) for level in (before, after))
    return first, second


def odds(probability: Any) -> str:
    """A probability: `73 %`, and what is nearly sure as `more than 99 %` or `less than 1 %`."""
    if missing(probability):
        return "unknown"
    if probability < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < probability < 1.0 else f"{probability:.0%}".replace("%", " %")


def chance(value: Any) -> str:
    """A p- or q-value as people write it."""
    return "unknown" if missing(value) else "< .0001" if value < 1e-4 else f"= {value:.2g}".replace("0.", ".", 1)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 file`, `2 files`, `3 series`, `4 entries`."""
    return f"{number:,} {noun if number == 1 else plural or _plural(noun)}"


def _plural(noun: str) -> str:
    if noun.endswith("series"):
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"


def _finite(value: Any) -> bool:
    return not missing(value) and math.isfinite(value)


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
