"""Values that were counted by the interval they lie in: what came between two counts, and percentiles.

Does not belong here: how any one format writes the intervals.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import NamedTuple

OPEN = (-math.inf, math.inf)


class Buckets(NamedTuple):
    """`size` values, counted by intervals from low to high; intervals without any may be left out.

    `total` is their sum, `lowest` and `highest` are the smallest and the largest of them, None where that is not known.
    """

    size: int
    total: float | None
    counts: dict[tuple[float, float], int]
    lowest: float | None = None
    highest: float | None = None


def added_between(before: Buckets, now: Buckets) -> Buckets | None:
    """What came between two states of one histogram, of which the later may have coarser intervals; None where that
    cannot be, so that it was begun anew.

    The smallest and the largest value are those since the beginning, and say nothing of what came in between.
    """
    if now.size < before.size:
        return None
    counts = dict(now.counts)
    intervals = list(counts)
    lows = [low for low, _ in intervals]
    for (low, high), count in before.counts.items():
        place = bisect_right(lows, low) - 1
        if place < 0 or intervals[place][1] < high or counts[intervals[place]] < count:
            return None
        counts[intervals[place]] -= count
    total = None if now.total is None or before.total is None else now.total - before.total
    return Buckets(now.size - before.size, total, counts)


def mean(buckets: Buckets) -> float | None:
    return None if buckets.total is None or not buckets.size else buckets.total / buckets.size


def percentile(buckets: Buckets, share: float) -> float | None:
    """The value below which `share` of all lie, as if those of an interval were spread evenly in it.

    A first interval without beginning starts at zero if it ends above it. None where the value lies in an open one.
    """
    wanted, reached = share * buckets.size, 0
    for (low, high), count in buckets.counts.items():
        if count and reached + count >= wanted:
            low, high = _narrowed(buckets, low, high)
            if math.isinf(low) or math.isinf(high) or low > high:
                return None
            return low + (high - low) * (wanted - reached) / count
        reached += count
    return None


def _narrowed(buckets: Buckets, low: float, high: float) -> tuple[float, float]:
    """The part of an interval in which values can lie."""
    if buckets.lowest is not None:
        low = max(low, buckets.lowest)
    elif low == -math.inf and high > 0:
        low = 0.0
    return low, high if buckets.highest is None else min(high, buckets.highest)
