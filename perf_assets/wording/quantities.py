"""Numbers, values with their unit, changes, shares and probabilities.

Digits: three significant ones of what was measured, two (ROUGH) of what was estimated; from there on whole numbers with
separators. Units: a space before each, SI prefixes for seconds, bytes and hertz, `%`, `°C`, `µs`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MEASURED, ROUGH, EXACT = 3, 2, 12
"""Significant digits of measurements, of estimates, and of what people have declared."""

_ORDINARY = (1e-6, 1e15)
"""Sizes that are written without a power of ten."""
_SECONDS = ((3600.0, 1 / 3600, "h"), (180.0, 1 / 60, "min"), (1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (1e-6, 1e6, "µs"),
            (0.0, 1e9, "ns"))  # fmt: skip
_LARGE = ((1e12, 1e-12, "T"), (1e9, 1e-9, "G"), (1e6, 1e-6, "M"), (1e3, 1e-3, "k"), (0.0, 1.0, ""))
_PREFIXED = {
    "s": _SECONDS,
    "By": tuple((least, factor, f"{prefix}B") for least, factor, prefix in _LARGE),
    "By/s": tuple((least, factor, f"{prefix}B/s") for least, factor, prefix in _LARGE),
    "Hz": tuple((least, factor, f"{prefix}Hz") for least, factor, prefix in _LARGE),
}
"""Smallest size, factor and label of each prefix, by UCUM unit."""
_PERCENT_UP_TO = 1.5
"""Ratios are written as per cent up to here, and beyond as they are."""
_SPELLED = {"Cel": "°C", "[degF]": "°F", "deg": "°", "us": "µs", "Ohm": "Ω"}
_ATOM = re.compile(r"\{([^{}]*)\}|(\[\w+\]|[A-Za-z]+)")
_BINARY_OR_SI_BYTES = re.compile(r"([kKMGT]i?)?By")

_MULTIPLE_FROM, _FRACTION_FROM = 10.0, 0.01
"""New level over old level from which a change is written as a multiple, and down from which as a fraction."""
_AS_GOOD_AS_ZERO = 1e-6
"""Share of the larger of two levels below which the other one is rounding."""


@dataclass(frozen=True)
class Scale:
    """Values times `factor` are in `label`, the unit people read."""

    factor: float
    label: str


def missing(value: Any) -> bool:
    """None, NaN, NaT and NA, without pandas, which not every reader loads."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True  # NA is neither equal to itself nor different


def number(value: Any, digits: int = MEASURED) -> str:
    """`1.25`, `0.0199`, `1,234`: at least `digits` significant digits, without zeros at the end."""
    if not _finite(value):
        return "unknown"
    if value == 0:
        return "0"
    size = abs(value)
    if not _ORDINARY[0] <= size < _ORDINARY[1]:
        return f"{value:.{digits}g}"
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def counted(count: float, noun: str, plural: str | None = None) -> str:
    """`1 file`, `2,000 files`, `3 series`, `4 entries`."""
    written = f"{count:,.0f}"
    return f"{written} {noun if written == '1' else plural or _plural(noun)}"


def quantity(value: Any, unit: Any, like: float | None = None, digits: int = MEASURED) -> str:
    """A value with its UCUM unit, in the prefix that reads best: `1.25 ms`, `88 MB`, `82 %`; or, to be compared with
    it, in that of the value `like`.
    """
    if not _finite(value):
        return "unknown"
    scale = scale_of(value if like is None else like, unit)
    written = number(value * scale.factor, digits)
    if scale.label.startswith("1/"):
        return written + scale.label[1:]
    return f"{written} {scale.label}".rstrip()


def scale_of(value: float, unit: Any) -> Scale:
    """The unit in which a value reads best; that of zero has no prefix."""
    if unit in _PREFIXED:
        return _prefixed(abs(value), _PREFIXED[unit])
    if unit == "1" and abs(value) <= _PERCENT_UP_TO:
        return Scale(100.0, "%")
    return Scale(1.0, spelled(unit))


def spelled(unit: Any) -> str:
    """A UCUM unit as people write it: `°C`, `KiB`, `test/h`; nothing for ratios and unknown units."""
    if missing(unit) or unit == "1":
        return ""
    return " ".join(_ATOM.sub(_atom, str(unit)).split())


def share(part: Any, digits: int = MEASURED) -> str:
    """`1.99 %`, of a part of 0.0199."""
    return f"{number(100.0 * part, digits)} %" if _finite(part) else "unknown"


def change(ratio: Any, digits: int = MEASURED) -> str:
    """A relative change with its sign: `+12.3 %`; where percents are hard to picture, the new level as a multiple or a
    fraction of the old one: `80 times`, `1/250`.
    """
    if not _finite(ratio):
        return "unknown"
    factor = 1.0 + ratio
    if factor >= _MULTIPLE_FROM:
        return f"{number(factor, digits)} times"
    if _AS_GOOD_AS_ZERO < factor <= _FRACTION_FROM:
        return f"1/{number(1.0 / factor, digits)}"
    return f"{'-' if ratio < 0 else '+'}{share(abs(ratio), digits)}"


def change_in_full(ratio: Any) -> str:
    """A change that stands alone: `+12.3 %`, `80 times the old level`, `1/250 of the old level`."""
    words = change(ratio)
    if words.endswith(" times"):
        return f"{words} the old level"
    return f"{words} of the old level" if words.startswith("1/") else words


def interval(low: Any, high: Any, say: Callable[[Any], str] = change) -> str:
    """`95 % interval +11 % to +17 %`."""
    return f"95 % interval {say(low)} to {say(high)}"


def with_interval(value: Any, low: Any, high: Any, say: Callable[[Any], str]) -> str:
    """`0.91 [0.80, 0.95]`, for a column whose heading names the interval."""
    return f"{say(value)} [{say(low)}, {say(high)}]"


def level_pair(before: float, after: float, unit: Any) -> tuple[str, str]:
    """Two levels of one series, in one unit where they are near each other; what rounding has left of one is 0."""
    largest = max(abs(before), abs(after))
    like = before if largest < _MULTIPLE_FROM * min(abs(before), abs(after)) else None
    least = _AS_GOOD_AS_ZERO * largest
    first, second = (quantity(0.0 if abs(level) < least else level, unit, like) for level in (before, after))
    return first, second


def odds(probability: Any) -> str:
    """A probability in whole per cent: `73 %`, at the ends `more than 99 %` and `less than 1 %`."""
    if missing(probability):
        return "unknown"
    if probability < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < probability < 1.0 else f"{100 * probability:.0f} %"


def chance(value: Any) -> str:
    """A p- or q-value: `.012`, `< .0001`."""
    if missing(value):
        return "unknown"
    return "< .0001" if value < 1e-4 else number(value, ROUGH).replace("0.", ".", 1)


def q_value(value: Any) -> str:
    """`q = .012`, `q < .0001`, `q unknown`."""
    words = chance(value)
    return f"q {words}" if missing(value) or words.startswith("<") else f"q = {words}"


def coefficient(value: Any) -> str:
    """A correlation, R² or relative error: `0.87`."""
    return f"{round(value, 2) + 0.0:.2f}" if _finite(value) else "unknown"


def _finite(value: Any) -> bool:
    return not missing(value) and math.isfinite(value)


def _plural(noun: str) -> str:
    if noun.endswith("series"):
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"


def _prefixed(size: float, prefixes: tuple[tuple[float, float, str], ...]) -> Scale:
    if not size:
        return next(Scale(1.0, label) for _, factor, label in prefixes if factor == 1.0)
    # What rounds to a whole unit is written as one: 1 s, not 1,000 ms.
    return next(Scale(factor, label) for least, factor, label in prefixes if size * 1.0005 >= least)


def _atom(found: re.Match[str]) -> str:
    note, symbol = found.groups()
    if symbol is None:
        return str(note)
    if prefix := _BINARY_OR_SI_BYTES.fullmatch(symbol):
        return f"{prefix[1] or ''}B"
    return _SPELLED.get(symbol, symbol)
