"""Histories as rectangles: values at equal distances of time, series of one distance and length together.

Belongs here: how the distance is chosen and how values come to their places. What is made of them is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.ragged import IndexArray, medians, offsets_of, runs
from perf_assets.analysis.statistics import FloatArray

TimeArray = npt.NDArray[np.datetime64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FEWEST_POINTS = 8
"""Places with a value that a series needs for a forecast."""

LENGTHS = (
    8, 9, 10, 12, 14, 16, 18, 21, 24, 28, 32, 36, 42, 48, 54, 60, 70, 80, 90, 105, 120, 140, 160, 180, 200, 230, 260,
    300, 340, 390, 450, 520, 600, 700, 800, 900, 1_000,
)  # fmt: skip
"""Each series is cut to the newest points of the longest of these lengths that it fills, so that many are alike."""

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_STEPS = np.array(
    [minutes * 60 * _SECOND for minutes in (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1_440, 2_880)]
    + [7 * _DAY, 28 * _DAY]
)
"""Distances, in microseconds, onto which irregular values are averaged."""
_MONDAY = int(np.datetime64("1970-01-05", "us").astype(np.int64))
"""Where whole weeks begin."""
_AT_ONCE, _ROWS_AT_ONCE = 5_000, 1_000_000
CYCLES = 3
"""Cycles that a series must hold: one that is held out, and two before it."""
_NEARLY = 0.9
"""Share of the distance of irregular values that a step may be shorter: what comes about once a day comes once a day.
"""
_MOST_MISSING = 0.5
"""Share of places without a value from which a series counts as irregular."""


def _is_month_end(times: TimeArray) -> BoolArray:
    days = times.astype("datetime64[D]")
    return np.asarray((days + np.timedelta64(1, "D")).astype("datetime64[M]") != days.astype("datetime64[M]"))


@dataclass(frozen=True)
class Panel:
    """s series of t places each.

    `ids`, shape (s,); `values`, shape (s, t), NaN where nothing was measured, the last place of each measured; `last`,
    shape (s,): its time; `step`: distance of two places in microseconds, or in months if `monthly`; `level_from`, shape
    (s,): place from which the present level stands, 0 if it always has.
    """

    ids: npt.NDArray[np.object_]
    values: FloatArray
    last: TimeArray
    step: int
    monthly: bool
    level_from: IntArray

    def dates(self, horizon: int) -> TimeArray:
        """Times of the next places, shape (s, horizon)."""
        return self._dates(np.arange(1, horizon + 1))

    def times(self, horizon: int, rows: IndexArray) -> TimeArray:
        """Times of the places of some series and of the next ones, shape (rows, t + horizon)."""
        part = replace(self, last=self.last[rows])
        return part._dates(np.arange(1 - self.values.shape[1], horizon + 1))

    def _dates(self, ahead: npt.NDArray[np.int64]) -> TimeArray:
        if not self.monthly:
            return np.asarray(self.last[:, None] + (ahead * self.step).astype("timedelta64[us]"))
        months = self.last.astype("datetime64[M]")[:, None] + ahead * self.step
        # A month end is the end of every month, the 30th that of February.
        from_end = _is_month_end(self.last)[:, None]
        of_day = (self.last - self.last.astype("datetime64[D]").astype("datetime64[us]"))[:, None]
        day = (self.last.astype("datetime64[D]") - self.last.astype("datetime64[M]").astype("datetime64[D]"))[:, None]
        end = (months + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
        dates = np.where(from_end, end, np.minimum(months.astype("datetime64[D]") + day, end))
        return np.asarray(dates.astype("datetime64[us]") + of_day)

    @property
    def seasons(self) -> tuple[int, ...]:
        """Places of a day and a week, of a week, or of a year, as far as the values hold three of them, shortest first;
        (1,) if none.
        """
        if self.monthly:
            lengths = [12 // self.step] if 12 % self.step == 0 and self.step < 12 else []
        else:
            spans = (_DAY, 7 * _DAY) if self.step < _DAY else (7 * _DAY,)
            lengths = [span // self.step for span in spans if span % self.step == 0 and span > self.step]
        held = tuple(length for length in lengths if CYCLES * length <= self.values.shape[1])
        return held or (1,)


def panels(history: pd.DataFrame) -> Iterator[Panel]:
    """The series of `history` (unique_id, ds, y, optionally stepped_at) that have at least FEWEST_POINTS places with a
    value. Raises ValueError for missing columns and, naming the series, for a row without a time.
    """
    missing = {"unique_id", "ds", "y"} - set(history.columns)
    if missing:
        raise ValueError(f"history lacks the columns {sorted(missing)}")
    without = history["ds"].isna()
    if without.any():
        raise ValueError(f"series {history.loc[without, 'unique_id'].iloc[0]!r}: a row has no ds")
    alike = _alike(_rows(history))
    for kind in sorted(alike):
        yield _joined(alike.pop(kind))


def _alike(all_rows: _Rows) -> dict[tuple[int, bool, int], list[Panel]]:
    """Rectangles by step, whether it is months, and length."""
    alike: dict[tuple[int, bool, int], list[Panel]] = {}
    for rows in all_rows.parts():
        for panel in _rectangles(rows, _grids(rows)):
            alike.setdefault((panel.step, panel.monthly, panel.values.shape[1]), []).append(panel)
    return alike


def _joined(parts: list[Panel]) -> Panel:
    """The series of all `parts`, which is emptied on the way, the newest first, so that its memory is given back."""
    if len(parts) == 1:
        return parts.pop()
    first = parts[0]
    ids, last, level_from = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "last", "level_from")
    )
    values = np.empty((len(ids), first.values.shape[1]))
    end = len(ids)
    while parts:
        own = parts.pop().values
        values[end - len(own) : end] = own
        end -= len(own)
    return replace(first, ids=ids, values=values, last=last, level_from=level_from)


@dataclass(frozen=True)
class _Rows:
    """Measured values by series and time, each of shape (n,); where the series begin and the last ends, shape
    (s + 1,); of each series its id, and the moment from which its present level stands, shape (s,).
    """

    ds: IntArray
    y: FloatArray
    bounds: IndexArray
    ids: npt.NDArray[np.object_]
    stepped: IntArray

    @property
    def owner(self) -> IndexArray:
        return np.repeat(np.arange(self.ids.size), np.diff(self.bounds))

    def of(self, series: BoolArray) -> _Rows:
        """Those of some of the series, shape (s,)."""
        own = series[self.owner]
        bounds = np.concatenate(([0], np.cumsum(np.diff(self.bounds)[series])))
        return _Rows(self.ds[own], self.y[own], bounds, self.ids[series], self.stepped[series])

    def parts(self) -> Iterator[_Rows]:
        """The same in parts of some thousand series, so that what is computed of them needs little memory."""
        for begin in range(0, self.ids.size, _AT_ONCE):
            bounds = self.bounds[begin : begin + _AT_ONCE + 1]
            own = slice(int(bounds[0]), int(bounds[-1]))
            series = slice(begin, begin + _AT_ONCE)
            yield _Rows(self.ds[own], self.y[own], bounds - bounds[0], self.ids[series], self.stepped[series])


@dataclass(frozen=True)
class _Grids:
    """Where the places of each series lie, each of shape (s,): distance in microseconds, whether they are months, and
    the time of one of the places.
    """

    step: IntArray
    monthly: BoolArray
    anchor: IntArray


def _rows(history: pd.DataFrame) -> _Rows:
    code, ids = pd.factorize(history["unique_id"], sort=True)
    y = history["y"].to_numpy(dtype=np.float64)
    ds = history["ds"].to_numpy(dtype="datetime64[us]").view(np.int64)
    stepped = np.full(len(ids), np.iinfo(np.int64).min)
    if "stepped_at" in history:
        at = history["stepped_at"].to_numpy(dtype="datetime64[us]").astype(np.int64)
        np.maximum.at(stepped, code, at)  # a missing time is the smallest integer
    known = np.isfinite(y)
    if not known.all():
        code, y, ds = code[known], y[known], ds[known]
    if not _in_order(code, ds):
        order = np.lexsort((ds, code))
        code, y, ds = code[order], y[order], ds[order]
    bounds = runs(code) if code.size else np.zeros(1, dtype=np.intp)
    present = code[bounds[:-1]]
    return _Rows(ds, y, bounds, np.asarray(ids, dtype=object)[present], stepped[present])


def _in_order(code: npt.NDArray[np.intp], ds: IntArray) -> bool:
    """Are the rows by series and time? Asked in parts, as the answer for all takes as much memory as they do."""
    for begin in range(0, code.size, _ROWS_AT_ONCE):
        own = slice(begin, begin + _ROWS_AT_ONCE + 1)
        series, time = np.diff(code[own]), np.diff(ds[own])
        if (series < 0).any() or ((series == 0) & (time < 0)).any():
            return False
    return True


def _grids(rows: _Rows) -> _Grids:
    """Places as far apart as most values of a series are, if all values lie on such; by months where they do so; else
    whole minutes, hours, days or weeks, wide enough for a value in most of them.
    """
    first, last, count = rows.ds[rows.bounds[:-1]], rows.ds[rows.bounds[1:] - 1], np.diff(rows.bounds)
    gap = np.diff(rows.ds, prepend=rows.ds[0])
    apart = gap > 0
    apart[rows.bounds[:-1]] = False
    distances = np.add.reduceat(apart, rows.bounds[:-1])
    typical = np.nan_to_num(medians(gap[apart].astype(np.float64), offsets_of(distances)), nan=float(_DAY))
    typical = np.maximum(np.round(typical), 1.0).astype(np.int64)
    dense = (last - first) * (1.0 - _MOST_MISSING) <= typical * count
    on_grid = ~_any(rows, (rows.ds - first[rows.owner]) % typical[rows.owner] != 0)
    regular = on_grid & dense & (distances == count - 1)
    monthly, months = _monthly(rows, typical >= 28 * _DAY)
    needed = np.where(dense, typical, (last - first) / np.maximum(count - 1, 1))
    whole = _STEPS[np.minimum(np.searchsorted(_STEPS, _NEARLY * needed), _STEPS.size - 1)]
    step = np.where(monthly, months, np.where(regular, typical, whole))
    return _Grids(step, monthly, np.where(regular & ~monthly, first, _MONDAY))


def _monthly(rows: _Rows, rare: BoolArray) -> tuple[BoolArray, IntArray]:
    """Whether the values of each series lie on one day of their months, or on the last day, and how many months apart
    most of them are; only the `rare`, shape (s,), are looked at."""
    monthly, months = np.zeros(rare.size, dtype=bool), np.ones(rare.size, dtype=np.int64)
    if rare.any():
        monthly[rare], months[rare] = _months(rows.of(rare))
    return monthly, months


def _months(rows: _Rows) -> tuple[BoolArray, IntArray]:
    times = rows.ds.astype("datetime64[us]")
    of_month, of_day = (
        (times - times.astype(f"datetime64[{unit}]").astype("datetime64[us]")).astype(np.int64) for unit in "MD"
    )
    first = rows.bounds[:-1]
    same_day = ~_any(rows, of_month != of_month[first][rows.owner])
    ends = ~_any(rows, ~_is_month_end(times) | (of_day != of_day[first][rows.owner]))
    gap = np.diff(times.astype("datetime64[M]").astype(np.int64), prepend=0).astype(np.float64)
    gap[first] = np.nan
    later = np.isfinite(gap)
    months = np.nan_to_num(medians(gap[later], offsets_of(np.diff(rows.bounds) - 1)), nan=1.0)
    return same_day | ends, np.maximum(months, 1.0).astype(np.int64)


def _any(rows: _Rows, holds: BoolArray) -> BoolArray:
    return np.asarray(np.logical_or.reduceat(holds, rows.bounds[:-1]))


def _rectangles(rows: _Rows, grids: _Grids) -> Iterator[Panel]:
    owner = rows.owner
    place = (rows.ds - grids.anchor[owner]) // grids.step[owner]
    if grids.monthly.any():
        months = rows.ds.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        months = (months - months[rows.bounds[1:] - 1][owner]) // grids.step[owner]
        place = np.where(grids.monthly[owner], months, place)
    begins = runs(owner, place)
    value = np.add.reduceat(rows.y, begins[:-1]) / np.diff(begins) if begins.size <= rows.y.size else rows.y
    owner, place, stands = (
        owner[begins[:-1]],
        place[begins[:-1]],
        rows.ds[begins[1:] - 1] >= rows.stepped[owner[begins[:-1]]],
    )
    newest, oldest = place[runs(owner)[1:] - 1], place[runs(owner)[:-1]]
    rank = np.searchsorted(LENGTHS, newest - oldest + 1, side="right") - 1
    size = np.array(LENGTHS)[np.maximum(rank, 0)]
    column = size[owner] - 1 - (newest[owner] - place)
    kept = column >= 0
    measured = np.bincount(owner[kept], minlength=size.size)
    # A step behind the newest value has nothing after it, and one before the first changes nothing.
    level_from = size - 1
    standing = np.flatnonzero(stands)
    standing = standing[runs(owner[standing])[:-1]]
    level_from[owner[standing]] = np.maximum(column[standing], 0)
    last = np.where(grids.monthly, rows.ds[rows.bounds[1:] - 1], grids.anchor + newest * grids.step)
    usable = (rank >= 0) & (measured >= FEWEST_POINTS)
    kinds = np.stack((grids.monthly, grids.step, rank), axis=1)
    for kind in np.unique(kinds[usable], axis=0):
        chosen = np.flatnonzero(usable & (kinds == kind).all(axis=1))
        row = np.full(size.size, -1)
        row[chosen] = np.arange(chosen.size)
        here = kept & (row[owner] >= 0)
        values = np.full((chosen.size, LENGTHS[kind[2]]), np.nan)
        values[row[owner[here]], column[here]] = value[here]
        yield Panel(
            rows.ids[chosen], values, last[chosen].astype("datetime64[us]"), int(kind[1]), bool(kind[0]),
            level_from[chosen],
        )  # fmt: skip
