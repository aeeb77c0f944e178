"""Daily, weekly and monthly patterns: how strong they are, and series without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from perf_assets.analysis.ragged import IndexArray, blocks, medians, offsets_of, runs
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray

DAY = 86_400.0
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEK = 7
_FEWEST_CYCLES, _FEWEST_AGREEING = 4, 2
_AGREEING = 0.4
"""Share of how days differ that other weeks may leave untold where these are few."""
_FEWEST_SLOTS = 3
_FEWEST_IN_A_CYCLE = 3
_FEWEST_IN_A_SLOT = 3
_OUTLYING = 4.0
_LEAST_STRENGTH = 0.1
"""Share of variance from which a profile is taken out; below it, taking it out would only add its estimation error."""
_LARGEST_P_VALUE = 0.01
"""With which a profile is taken out: seven weekdays explain a tenth of the noise of nine weeks by chance."""
_ROUNDING = 1e-12
"""Share of the largest value below which what differs from slot to slot is rounding, not a pattern."""

_MICROSECONDS = 1_000_000
_HOUR_US, _DAY_US = 3_600 * _MICROSECONDS, 86_400 * _MICROSECONDS

TimeArray = npt.NDArray[np.datetime64]
BoolArray = npt.NDArray[np.bool_]
PATTERN_COLUMNS = ("series_id", "period", "strength", "amplitude", "peak", "trough", "cycles")


def hour_of_day(timestamps: TimeArray) -> npt.NDArray[np.intp]:
    """UTC hours 0..23 of naive UTC timestamps, shape (n,)."""
    return np.asarray(timestamps.astype("datetime64[h]").astype(np.int64) % 24, dtype=np.intp)


def day_of_week(timestamps: TimeArray) -> npt.NDArray[np.intp]:
    """0 for Monday .. 6 for Sunday, shape (n,)."""
    return np.asarray((timestamps.astype("datetime64[D]").astype(np.int64) + 3) % 7, dtype=np.intp)


def deseasonalise(timestamps: TimeArray, values: FloatArray) -> FloatArray:
    """`values`, shape (n,), without their daily and weekly profile; level and trend stay. What is not finite stays.

    `timestamps` ascend. The profile of an hour (of a weekday) is the median deviation from the day's (week's) own
    median, so that neither a step nor an outlier enters it. A profile is taken out only if it explains a tenth of the
    variance left, outliers drawn in, and more than chance would; of weekdays two or three weeks are enough if they
    agree.
    """
    return deseasonalise_many(timestamps, values, offsets_of([values.size]))


def deseasonalise_many(timestamps: TimeArray, values: FloatArray, offsets: IndexArray) -> FloatArray:
    """Like `deseasonalise` for k series end to end, with the same result: shape (n,).

    Series i is `values[offsets[i]:offsets[i + 1]]`, its `timestamps` likewise; `offsets`, shape (k + 1,), from 0 to n.
    """
    result = np.array(values, dtype=np.float64)
    for block in blocks(offsets):
        inside = slice(offsets[block.start], offsets[block.stop])
        finite = np.flatnonzero(np.isfinite(result[inside]))
        if finite.size:
            sizes = np.diff(offsets[block.start : block.stop + 1])
            owner = np.repeat(np.arange(sizes.size), sizes)[finite]
            result[inside][finite] = _without_day_and_week(timestamps[inside][finite], result[inside][finite], owner)
    return result


def _without_day_and_week(timestamps: TimeArray, values: FloatArray, owner: IndexArray) -> FloatArray:
    moment = timestamps.astype("datetime64[us]").astype(np.int64)
    day = moment // _DAY_US
    week = (day + 3) // 7
    points = _Points(moment / _DAY_US, values, owner, day, (moment - _DAY_US * day) // _HOUR_US)
    values = _without_profiles(points, 24, _enough_cycles(points))
    points = replace(points, values=values, cycle=week, slot=day + 3 - 7 * week)
    # Three weeks and a day touch four, and a step in one of them would be the pattern of all.
    enough = _enough_cycles(points) & (_whole_weeks(points) >= _FEWEST_CYCLES)
    points = replace(points, values=_without_profiles(points, _WEEK, enough))
    return points.values if enough.all() else _without_first_weeks(points, ~enough)


# Profiles of many series at once


@dataclass(frozen=True)
class _Points:
    """Finite values of several series end to end, each ascending in time (days): all arrays have the shape (n,).

    `owner` numbers the series from 0, `cycle` its days or weeks, `slot` the hours or weekdays within, from 0.
    """

    time: FloatArray
    values: FloatArray
    owner: IndexArray
    cycle: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int64]

    def at(self, chosen: IndexArray) -> _Points:
        return _Points(
            self.time[chosen], self.values[chosen], self.owner[chosen], self.cycle[chosen], self.slot[chosen]
        )

    def of_series(self, chosen: BoolArray) -> _Points:
        """Those of the chosen series, shape (k,), numbered anew."""
        if chosen.all():
            return self
        part = self.at(np.flatnonzero(chosen[self.owner]))
        return replace(part, owner=(np.cumsum(chosen) - 1)[part.owner])

    def cycle_edges(self) -> IndexArray:
        """Where each cycle of each series begins, and n."""
        return runs(self.owner, self.cycle)


@dataclass(frozen=True)
class _Profiles:
    """Profiles of k series, and how much they explain of the deviations from each cycle's level.

    `table`, shape (k, slots): around 0, NaN in slots without values; the others have the shape (k,). `usable`: enough
    slots, and enough values in each that has any; `freedom`: values less cycles; `total` and `rest`: sums of squares
    with and without the profile, what it leaves drawn in; `mean_freedom`, `mean_total` and `mean_rest`: the same of the
    means of each slot in each cycle; `rounding`: standard deviation that rounding may cause.
    """

    usable: BoolArray
    table: FloatArray
    freedom: IndexArray
    total: FloatArray
    rest: FloatArray
    mean_freedom: IndexArray
    mean_total: FloatArray
    mean_rest: FloatArray
    rounding: FloatArray

    @property
    def p_value(self) -> FloatArray:
        """Of no profile, shape (k,), by the analysis of variance (Fisher 1925): noise has some in any case.

        Of the means of each slot in each cycle, for the hours of one day are no independent values of its weekday.
        """
        slots = np.count_nonzero(~np.isnan(self.table), axis=1) - 1.0
        left = np.maximum(self.mean_freedom - slots, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (self.mean_total - self.mean_rest) / np.maximum(slots, 1.0) / (self.mean_rest / left)
        return np.asarray(np.where(self.mean_freedom > slots, special.fdtrc(np.maximum(slots, 1.0), left, ratio), 1.0))

    def at(self, chosen: BoolArray) -> _Profiles:
        return replace(self, **{name: field[chosen] for name, field in vars(self).items()})


def _without_profiles(points: _Points, slots: int, enough: BoolArray) -> FloatArray:
    """Values, shape (n,), of those series, shape (k,), that have enough cycles without their profile."""
    if not enough.any():
        return points.values
    found = _profiles(points.of_series(enough), slots)
    clear = found.usable & (found.rest <= (1.0 - _LEAST_STRENGTH) * found.total) & (found.total > 0)
    clear &= found.p_value <= _LARGEST_P_VALUE
    if not clear.any():
        return points.values
    return _without(points, np.flatnonzero(enough)[clear], found.table[clear])


def _without_first_weeks(points: _Points, chosen: BoolArray) -> FloatArray:
    """Values, shape (n,), of the chosen series, shape (k,), without what two or three weeks have in common.

    Too few to tell a pattern by its strength alone: the weekdays of each week must be such as those of the others are.
    Weeks are counted from the first value, so that they are whole.
    """
    edges, whole = runs(points.owner), _whole_weeks(points)
    first = np.zeros(chosen.size)
    first[points.owner[edges[:-1]]] = points.time[edges[:-1]]
    cycle = ((points.time - first[points.owner]) // _WEEK).astype(np.int64)
    chosen = chosen & (whole >= _FEWEST_AGREEING) & (whole < _FEWEST_CYCLES)
    used = np.flatnonzero(chosen[points.owner] & (cycle < whole[points.owner]))
    if not used.size:
        return points.values
    part = replace(points, cycle=cycle).at(used).of_series(chosen)
    found = _profiles(part, _WEEK)
    clear = found.usable & (found.rest <= (1.0 - _LEAST_STRENGTH) * found.total) & _weeks_agree(part)
    return _without(points, np.flatnonzero(chosen)[clear], found.table[clear]) if clear.any() else points.values


def _whole_weeks(points: _Points) -> npt.NDArray[np.int64]:
    """How many weeks from the first value of each series on are whole, shape (k,)."""
    edges = runs(points.owner)
    first, sizes = edges[:-1], np.diff(edges)
    span = (points.time[edges[1:] - 1] - points.time[first]) * sizes / np.maximum(sizes - 1, 1)
    whole = np.zeros(int(points.owner[-1]) + 1, dtype=np.int64)
    whole[points.owner[first]] = (span / _WEEK + 1e-6).astype(np.int64)
    return whole


def _weeks_agree(points: _Points) -> BoolArray:
    """Whether the other weeks tell more than half of how the days of each week differ, shape (k,).

    By the values as they are, not by their distances from the level of the week: two steps up, one in each week, make
    weeks alike but for their level.
    """
    count = int(points.owner[-1]) + 1
    day = (points.owner * _FEWEST_CYCLES + points.cycle) * _WEEK + points.slot
    sizes = np.bincount(day, minlength=count * _FEWEST_CYCLES * _WEEK)
    order = np.argsort(day, kind="stable")
    usual = medians(points.values[order], offsets_of(sizes)).reshape(count, _FEWEST_CYCLES, _WEEK)
    weeks = np.count_nonzero(~np.isnan(usual), axis=1, keepdims=True)
    known = ~np.isnan(usual) & (weeks > 1)
    usual = np.where(known, usual, 0.0)
    mean = usual.sum(axis=(1, 2), keepdims=True) / np.maximum(known.sum(axis=(1, 2), keepdims=True), 1)
    usual = np.where(known, usual - mean, 0.0)
    others = (usual.sum(axis=1, keepdims=True) - usual) / np.maximum(weeks - 1, 1)
    left = np.where(known, usual - others, 0.0)
    return np.asarray((left**2).sum(axis=(1, 2)) <= _AGREEING * (usual**2).sum(axis=(1, 2)))


def _without(points: _Points, series: IndexArray, table: FloatArray) -> FloatArray:
    """Values, shape (n,), less the profile of their series where it is among `series`."""
    taken = np.zeros((int(points.owner[-1]) + 1, table.shape[1]))
    taken[series] = np.nan_to_num(table)
    return np.asarray(points.values - taken[points.owner, points.slot])


def _enough_cycles(points: _Points) -> BoolArray:
    """Whether each series has four cycles, and three values in the usual one."""
    edges = points.cycle_edges()
    cycles = np.bincount(points.owner[edges[:-1]])
    usual = medians(np.diff(edges).astype(np.float64), offsets_of(cycles))
    return np.asarray((cycles >= _FEWEST_CYCLES) & (usual >= _FEWEST_IN_A_CYCLE))


def _profiles(points: _Points, slots: int) -> _Profiles:
    count = int(points.owner.max(initial=-1)) + 1
    deviations, cycles = _deviations(points)
    cell = points.owner * slots + points.slot
    sizes = np.bincount(cell, minlength=count * slots).reshape(count, slots)
    seen = np.count_nonzero(sizes, axis=1)
    # Sixteen bits are sorted by counting, ten times faster than by comparing.
    by_cell = np.argsort(cell.astype(np.uint16) if count * slots <= 1 << 16 else cell, kind="stable")
    table = medians(deviations[by_cell], offsets_of(sizes.ravel())).reshape(count, slots)
    table -= (np.nansum(table, axis=1) / seen)[:, None]
    edges = offsets_of(sizes.sum(axis=1))
    pattern = table.ravel()[cell]
    rest = _drawn_in(deviations - pattern, points.owner, edges)
    means = runs(points.owner, points.cycle, points.slot)
    whose = points.owner[means[:-1]]
    mean_edges = runs(whose)
    of_means = pattern[means[:-1]]
    left = _drawn_in(np.add.reduceat(deviations, means[:-1]) / np.diff(means) - of_means, whose, mean_edges)
    return _Profiles(
        usable=(seen >= _FEWEST_SLOTS) & ((sizes == 0) | (sizes >= _FEWEST_IN_A_SLOT)).all(axis=1),
        table=table,
        freedom=np.diff(edges) - cycles,
        total=_squares(pattern + rest, points.owner, edges),
        rest=_squares(rest, points.owner, edges),
        mean_freedom=np.diff(mean_edges) - cycles,
        mean_total=_squares(of_means + left, whose, mean_edges),
        mean_rest=_squares(left, whose, mean_edges),
        rounding=_ROUNDING * np.maximum.reduceat(np.abs(points.values), edges[:-1]),
    )


def _deviations(points: _Points) -> tuple[FloatArray, IndexArray]:
    """Distances from the cycle's median, along the usual slope from cycle to cycle: a trend is no profile. And the
    number of cycles of each series.
    """
    edges = points.cycle_edges()
    sizes = np.diff(edges)
    whose = points.owner[edges[:-1]]
    cycles = np.bincount(whose)
    level = medians(points.values, edges)
    middle = (points.time[edges[:-1] + (sizes - 1) // 2] + points.time[edges[:-1] + sizes // 2]) / 2.0
    from_last = (np.diff(level) / np.diff(middle))[whose[1:] == whose[:-1]]
    slope = medians(from_last, offsets_of(cycles - 1))
    along = slope[points.owner] * (points.time - np.repeat(middle, sizes))
    return np.asarray(points.values - np.repeat(level, sizes) - along), cycles


def _drawn_in(values: FloatArray, owner: IndexArray, edges: IndexArray) -> FloatArray:
    """Values within four robust standard deviations around 0 of their group: a few outliers would hide a pattern.

    Where more than half of a group are 0, all stay as they are.
    """
    usual = medians(np.abs(values), edges)
    most = np.where(usual > 0, _OUTLYING * MAD_TO_SD * usual, np.inf)[owner]
    return np.asarray(np.clip(values, -most, most))


def _squares(values: FloatArray, owner: IndexArray, edges: IndexArray) -> FloatArray:
    """Sum of squares around the mean of each of the groups between `edges`, none of them empty."""
    mean = np.add.reduceat(values, edges[:-1]) / np.diff(edges)
    return np.asarray(np.add.reduceat((values - mean[owner]) ** 2, edges[:-1]))


# Patterns for people to see


@dataclass(frozen=True)
class _Period:
    """`wider_than`: seconds that buckets must exceed; of finer ones the period has too many to be estimated."""

    name: str
    days: int
    wider_than: float


_PERIODS = (_Period("daily", 1, 0.0), _Period("weekly", _WEEK, 0.0), _Period("monthly", 30, DAY / 3.0))


def seasonal_patterns(buckets: pd.DataFrame, bucket_seconds: pd.Series) -> pd.DataFrame:
    """Strength and shape of the patterns that each series' span allows to see.

    `buckets`: series_id, ts, value, sorted; `bucket_seconds`: by series_id. Returns one row a series and period with
    the columns PATTERN_COLUMNS; amplitude in the series' unit. A period (a day, a week, 30 days) needs four full cycles
    and three buckets in a cycle; the month is left to series without days.

    A pattern is the profile that `deseasonalise` takes out: the median deviation of each hour, weekday or thirtieth of
    a month from the level of its cycle, first of the day, then of the week in what that leaves, then of the month. Its
    strength is 1 - Var(remainder) / Var(pattern + remainder) (Wang, Smith & Hyndman 2006) around the levels of the
    cycles, outliers drawn in, each variance by its degrees of freedom (Theil 1961), so that noise alone has a strength
    about 0.
    """
    known = buckets[np.isfinite(buckets["value"].to_numpy(dtype=np.float64))]
    ids, ts = known["series_id"].to_numpy(), known["ts"].to_numpy().astype("datetime64[us]")
    values, edges = known["value"].to_numpy(dtype=np.float64), runs(ids)
    names = ids[edges[:-1]]
    seconds = bucket_seconds.reindex(names).to_numpy(dtype=np.float64)
    tables = [pd.DataFrame(columns=list(PATTERN_COLUMNS))]
    for block in blocks(edges):
        own = edges[block.start : block.stop + 1]
        inside = slice(own[0], own[-1])
        found = _patterns(ts[inside], values[inside], own - own[0], seconds[block])
        tables.extend(table.set_axis(table.index + block.start) for table in found)
    table = pd.concat(tables[1:] or tables).sort_index(kind="stable")
    table["series_id"] = names[table.index]
    return table[list(PATTERN_COLUMNS)].reset_index(drop=True)


def _patterns(ts: TimeArray, values: FloatArray, offsets: IndexArray, seconds: FloatArray) -> Iterator[pd.DataFrame]:
    """A table a period, with the position of each series as index."""
    owner = np.repeat(np.arange(seconds.size), np.diff(offsets))
    last = ts[offsets[1:] - 1]
    back = np.rint((last[owner] - ts) / np.timedelta64(1, "s") / seconds[owner]).astype(np.int64)
    buckets = back[offsets[:-1]] + 1
    varying = np.maximum.reduceat(values, offsets[:-1]) > np.minimum.reduceat(values, offsets[:-1])
    points = _Points(ts.astype(np.int64) / _DAY_US, values, owner, back, back)
    for period in _PERIODS:
        reach = period.days * DAY / seconds
        visible = (seconds > period.wider_than) & (reach >= _FEWEST_IN_A_CYCLE) & (buckets >= _FEWEST_CYCLES * reach)
        seen = np.flatnonzero((varying & visible)[owner])
        if seen.size:
            width = np.rint(np.maximum(reach, 1.0)).astype(np.int64)
            slot = day_of_week(ts) if period.days == _WEEK else back % width[owner]
            part = replace(points, cycle=back // width[owner], slot=slot).at(seen)
            series, found = _repeated(part, buckets // width)
            if not series.size:
                continue
            without = points.values.copy()
            without[seen] = _without(part, series, found.table)
            points = replace(points, values=without)
            yield _rows(period, series, found, last[series], seconds[series], buckets[series] / width[series])


def _repeated(points: _Points, full: npt.NDArray[np.int64]) -> tuple[IndexArray, _Profiles]:
    """Which series have a profile, and their profiles: of the newest `full` cycles, and of the slots seen often."""
    slots = int(points.slot.max()) + 1
    cell = points.owner * slots + points.slot
    complete = points.cycle < full[points.owner]
    often = np.bincount(cell[complete], minlength=full.size * slots) >= _FEWEST_IN_A_SLOT
    points = points.at(np.flatnonzero(complete & often[cell]))
    enough = _enough_cycles(points)
    found = _profiles(points.of_series(enough), slots)
    return np.flatnonzero(enough)[found.usable], found.at(found.usable)


def _rows(
    period: _Period, series: IndexArray, found: _Profiles, last: TimeArray, seconds: FloatArray, cycles: FloatArray
) -> pd.DataFrame:
    table = np.where(np.isnan(found.table), 0.0, found.table)
    highest, lowest = np.nanargmax(found.table, axis=1), np.nanargmin(found.table, axis=1)
    every = np.arange(series.size)
    used = np.count_nonzero(~np.isnan(found.table), axis=1) - 1
    variance, left = found.total / found.freedom, found.rest / np.maximum(found.freedom - used, 1)
    strength = 1.0 - np.divide(left, variance, out=np.ones(variance.size), where=np.sqrt(variance) > found.rounding)
    return pd.DataFrame(
        {
            "period": period.name,
            "strength": np.clip(strength, 0.0, 1.0),
            "amplitude": table[every, highest] - table[every, lowest],
            "peak": _labels(period, highest, last, seconds),
            "trough": _labels(period, lowest, last, seconds),
            "cycles": cycles,
        },
        index=series,
    )


def _labels(period: _Period, slot: IndexArray, last: TimeArray, seconds: FloatArray) -> list[str]:
    if period.days == _WEEK:
        return [_WEEKDAYS[day] for day in slot]
    moment = last - (slot * seconds * _MICROSECONDS).astype("timedelta64[us]")
    if period.days == 1:
        return [f"{hour:02d}:00 UTC" for hour in hour_of_day(moment)]
    return [f"day {day}" for day in pd.DatetimeIndex(moment).day]
