"""Patterns of calendar months and of any other period: the test of `seasonality`, against autocorrelated noise.

Over a month noise wanders further than over a day, so that the p-value here is that of the degrees of freedom that are
independent.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.ragged import IndexArray, runs
from perf_assets.analysis.seasonality import (
    DAY_US,
    FEWEST_CYCLES,
    FEWEST_IN_A_CYCLE,
    FEWEST_IN_A_SLOT,
    LARGEST_P_VALUE,
    BoolArray,
    Points,
    Tested,
    TimeArray,
    enough_cycles,
    is_strong,
    profiles_of,
)
from perf_assets.analysis.statistics import FloatArray
from perf_assets.periods import seconds_of

MONTHLY = "monthly"
_MOST_SLOTS = 31
"""Finer ones would each have too few values to be estimated."""
_FEWEST_MONTHS = 3
_WHOLE = 0.8
"""Share of the values of a series' fullest month that a month must have: the level of half a month is not its own."""
_ORIGIN = 4 * 86_400
"""Monday 1970-01-05 in seconds, from which periods are counted as buckets are."""


def slot_seconds(period: str, bucket_seconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Seconds of a slot of the period for series of these buckets, shape (k,): whole buckets, at most 31 slots."""
    return np.asarray(-(-seconds_of(period) // (_MOST_SLOTS * bucket_seconds)) * bucket_seconds)


def months_tested(times: TimeArray, values: FloatArray, owner: IndexArray, seconds: FloatArray) -> Iterator[Tested]:
    """The test of the days of calendar months, of series with three whole months or more.

    Finite `values` of k series end to end, each ascending in time, `owner` their numbers from 0: shape (n,); `seconds`
    between their buckets, shape (k,).
    """
    edges = runs(owner)
    span = (times[edges[1:] - 1] - times[edges[:-1]]) / np.timedelta64(1, "D")
    chosen = (seconds <= 86_400.0) & (span >= _WHOLE * 28 * _FEWEST_MONTHS)
    if not chosen.any():
        return
    month = times.astype("datetime64[M]")
    day = (times.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    points = Points(times.astype(np.int64) / DAY_US, values, owner, month.astype(np.int64), day)
    points = points.at(np.flatnonzero(chosen[owner]))
    month_edges = points.cycle_edges()
    sizes = np.diff(month_edges)
    most = np.zeros(chosen.size, dtype=np.intp)
    np.maximum.at(most, points.owner[month_edges[:-1]], sizes)
    whole = np.repeat(sizes, sizes) >= _WHOLE * most[points.owner]
    yield from _tested(MONTHLY, points.at(np.flatnonzero(whole)), chosen.size, _MOST_SLOTS, _FEWEST_MONTHS)


def period_tested(
    period: str, times: TimeArray, values: FloatArray, owner: IndexArray, seconds: FloatArray
) -> Iterator[Tested]:
    """The test of one period such as `30d`, of series with four whole cycles or more; arguments as of `months_tested`.

    Cycles are counted back from the newest value. Slots are counted from Monday 1970-01-05, 00:00 UTC.
    """
    length = seconds_of(period)
    bucket = seconds.astype(np.int64)
    edges = runs(owner)
    first, last = (times[place].astype("datetime64[s]").astype(np.int64) for place in (edges[:-1], edges[1:] - 1))
    chosen = (length % bucket == 0) & (length // bucket >= FEWEST_IN_A_CYCLE)
    chosen &= last - first + bucket >= FEWEST_CYCLES * length
    if not chosen.any():
        return
    points = Points(times.astype(np.int64) / DAY_US, values, owner, owner, owner).at(np.flatnonzero(chosen[owner]))
    width = slot_seconds(period, bucket)
    slots = -(-length // width)

    def slots_since_origin(moment: npt.NDArray[np.int64], whose: IndexArray) -> npt.NDArray[np.int64]:
        cycle, within = np.divmod(moment - _ORIGIN, length)
        return np.asarray(cycle * slots[whose] + within // width[whose])

    every = np.arange(seconds.size)
    newest = slots_since_origin(last, every)
    whole = (newest - slots_since_origin(first, every) + 1) // slots
    place = slots_since_origin(np.rint(points.time * 86_400.0).astype(np.int64), points.owner)
    cycle = (newest[points.owner] - place) // slots[points.owner]
    points = Points(points.time, points.values, points.owner, cycle, place % slots[points.owner])
    complete = points.at(np.flatnonzero(cycle < whole[points.owner]))
    yield from _tested(period, complete, seconds.size, int(slots[chosen].max()), FEWEST_CYCLES)


def _tested(period: str, points: Points, count: int, slots: int, fewest: int) -> Iterator[Tested]:
    """The test of those of `count` series that have enough cycles, in the slots that are seen often enough."""
    cell = points.owner * slots + points.slot
    often = np.bincount(cell, minlength=count * slots) >= FEWEST_IN_A_SLOT
    points = points.at(np.flatnonzero(often[cell]))
    present: BoolArray = np.bincount(points.owner, minlength=count) > 0
    if not present.any():
        return
    part = points.of_series(present)
    enough = enough_cycles(part, fewest)
    if enough.any():
        found, means = profiles_of(part.of_series(enough), slots, outlying=np.inf)
        clear = is_strong(found) & (found.p_value_of(found.independent) <= LARGEST_P_VALUE)
        yield Tested(period, points, np.flatnonzero(present)[enough], found, means, clear)
