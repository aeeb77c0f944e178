"""How figures are written for people."""

from __future__ import annotations

import math

import pandas as pd

_LARGE_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def quantity(value: float, unit: str) -> str:
    """A value with its UCUM unit, in the prefix that reads best: `1.25 ms`, `88 MB`, `82 %`."""
    if value is None or not math.isfinite(value):
        return "missing"
    size = abs(value)
    if unit == "s":
        if size >= 3600:
            return f"{value / 3600:.3g} h"
        if size >= 180:
            return f"{value / 60:.3g} min"
        for factor, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if size >= factor:
                return f"{value / factor:.3g} {name}"
        return f"{value / 1e-9:.3g} ns"
    if unit in ("By", "By/s"):
        factor, name = next((pair for pair in _LARGE_BYTES if size >= pair[0]), _LARGE_BYTES[-1])
        return f"{value / factor:.3g} {name}{'/s' if unit == 'By/s' else ''}"
    if unit == "1" and size <= 1.5:
        return f"{value * 100:.3g} %"
    label = unit.replace("{", "").replace("}", "") if unit not in ("", "1") else ""
    return f"{value:,.4g} {label}".rstrip()


def share(change: float) -> str:
    """A relative change with its sign: `+12.3 %`."""
    return f"{change * 100:+.3g} %" if math.isfinite(change) else "unknown"


def moment(time: object) -> str:
    """A time in UTC to the minute."""
    return "unknown" if pd.isna(time) else f"{pd.Timestamp(time):%Y-%m-%d %H:%M} UTC"


def day(time: object) -> str:
    return "unknown" if pd.isna(time) else f"{pd.Timestamp(time):%Y-%m-%d}"


def metric_words(metric: str) -> str:
    return metric.replace("_", " ")
