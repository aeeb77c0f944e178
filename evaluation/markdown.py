"""Tables and figures as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from evaluation.proportions import Check, Estimate

MISSED = "✗"
"""Stands beside a figure whose interval excludes the target."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table, with an empty one after it."""
    return [_row(header), "|" + "---|" * len(header), *(_row(row) for row in rows), ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def percent(estimate: Estimate, digits: int = 1) -> str:
    """`1.2 [0.8, 1.7]`, in per cent."""
    return number(Estimate(100.0 * estimate.value, 100.0 * estimate.low, 100.0 * estimate.high), digits)


def number(estimate: Estimate, digits: int = 2) -> str:
    """`0.57 [0.54, 0.60]`; without the interval where it is a point."""
    value = _plain(estimate.value, digits)
    if math.isnan(estimate.value) or estimate.low == estimate.high:
        return value
    return f"{value} [{_plain(estimate.low, digits)}, {_plain(estimate.high, digits)}]"


def _plain(value: float, digits: int) -> str:
    if math.isnan(value):
        return "–"
    return "never" if math.isinf(value) else f"{value:.{digits}f}"


def mark(check: Check | None) -> str:
    """What follows a figure in its cell."""
    return f" {MISSED}" if check is not None and check.missed else ""


def met(checks: Sequence[Check]) -> str:
    """One sentence: how many targets are met and which are not."""
    missed = [check.what for check in checks if check.missed]
    kept = f"{len(checks) - len(missed)} of {len(checks)} targets are met"
    return f"{kept}; missed: {', '.join(missed)}." if missed else f"{kept}."
