"""Profiles in words: what a slot is called, when a profile is highest or lowest, and by how much. Times are UTC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from perf_assets.analysis.long_periods import MONTHLY, slot_seconds
from perf_assets.analysis.seasonality import DAILY, WEEKLY
from perf_assets.periods import seconds_of
from perf_assets.wording.moments import hour
from perf_assets.wording.quantities import ROUGH, number, share

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOUR, _DAY = 3_600, 86_400
_MULTIPLE_FROM = 10.0
"""Share above the median from which the multiple is easier to picture."""

Side = Literal["peak", "trough"]
SIDES: tuple[Side, ...] = ("peak", "trough")


@dataclass(frozen=True)
class Extreme:
    """Where a profile is highest or lowest: from slot `first` to `last`, perhaps past the end of the cycle, and how far
    its mean there is above (below 0: below) the median slot, in the unit.
    """

    first: int
    last: int
    size: float

    def slots(self, count: int) -> list[int]:
        """The slots from first to last, of `count`."""
        return [slot % count for slot in range(self.first, self.last + count * (self.last < self.first) + 1)]


def extreme(levels: Sequence[float], side: Side) -> Extreme:
    """The slots around the highest (lowest) that are at least half as far from the median slot as it is.

    `levels` of the slots of a cycle, at least one of them not NaN; a slot without values ends the stretch only where
    it would have no slot with values beyond it.
    """
    seen = [slot for slot, level in enumerate(levels) if not math.isnan(level)]
    known = [levels[slot] for slot in seen]
    ordered = sorted(known)
    middle = (ordered[(len(known) - 1) // 2] + ordered[len(known) // 2]) / 2.0
    sign = 1.0 if side == "peak" else -1.0
    off = [sign * (level - middle) for level in known]
    # By the levels: distances from the middle may be equal by rounding.
    top = max(range(len(off)), key=lambda place: sign * known[place])
    first = last = top
    half = off[top] / 2.0
    while half > 0 and last - first + 1 < len(off) and off[(last + 1) % len(off)] >= half:
        last += 1
    while half > 0 and last - first + 1 < len(off) and off[(first - 1) % len(off)] >= half:
        first -= 1
    inside = [off[place % len(off)] for place in range(first, last + 1)]
    return Extreme(seen[first % len(off)], seen[last % len(off)], sign * sum(inside) / len(inside))


def pattern_name(period: str) -> str:
    """`daily pattern`, `pattern of 30d`."""
    return f"{period} pattern" if period in (DAILY, WEEKLY, MONTHLY) else f"pattern of {period}"


def label(period: str, slot: int, bucket_seconds: int) -> str:
    """What a slot is called: `09:00`, `Monday`, `day 5`, `day 5 of 30`, `hours 3 to 4 of 48`."""
    if period == DAILY:
        return hour(slot)
    return _WEEKDAYS[slot] if period == WEEKLY else _counted(period, slot, slot, bucket_seconds)


def stretch(period: str, found: Extreme, bucket_seconds: int) -> str:
    """`09:00 to 11:00`, `Mondays`, `Saturdays and Sundays`, `days 5 to 7 of the month`, `day 5 of 30`."""
    if period == DAILY:
        return f"{hour(found.first)} to {hour((found.last + max(bucket_seconds // _HOUR, 1)) % 24)}"
    if period == WEEKLY:
        days = [f"{_WEEKDAYS[slot]}s" for slot in found.slots(len(_WEEKDAYS))]
        return days[0] if len(days) == 1 else f"{days[0]} {'and' if len(days) == 2 else 'to'} {days[-1]}"
    return _counted(period, found.first, found.last, bucket_seconds) + (" of the month" if period == MONTHLY else "")


def size(above: float, median: float) -> str:
    """`38 % above the median`, `12 % below the median`; in the series' unit where the median is not above 0."""
    where = "below" if above < 0 else "above"
    if median <= 0:
        return f"{number(abs(above))} {where} the median"
    ratio = abs(above) / median
    if ratio >= _MULTIPLE_FROM and above > 0:
        return f"{number(1.0 + ratio, ROUGH)} times the median"
    return f"{share(ratio, ROUGH)} {where} the median"


def _counted(period: str, first: int, last: int, bucket_seconds: int) -> str:
    """`day 5`, `days 5 to 7`, with `of 30` where the period is no calendar month; hours where slots are no days."""
    if period == MONTHLY:
        width, length = _DAY, 0
    else:
        width, length = int(slot_seconds(period, np.array([bucket_seconds]))[0]), seconds_of(period)
    unit = _DAY if width % _DAY == 0 and length % _DAY == 0 else _HOUR
    begin, end = first * width // unit + 1, (last + 1) * width // unit
    end = min(end, length // unit) if length else end
    name = "day" if unit == _DAY else "hour"
    number = f"{name} {begin}" if begin == end else f"{name}s {begin} to {end}"
    return f"{number} of {length // unit}" if length else number
