"""The patterns that series repeat, for people to see: how sure and strong they are, their shape, and its changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from perf_assets.analysis.long_periods import MONTHLY, months_tested, period_tested
from perf_assets.analysis.pattern_changes import may_change, pattern_changes
from perf_assets.analysis.ragged import IndexArray, blocks, medians, offsets_of, runs
from perf_assets.analysis.season_words import SIDES, Extreme, Side, extreme, label, pattern_name, size, stretch
from perf_assets.analysis.seasonality import (
    DAILY,
    DAY,
    DAY_US,
    HOUR_US,
    LARGEST_P_VALUE,
    WEEKLY,
    BoolArray,
    Means,
    Points,
    Profiles,
    Tested,
    TimeArray,
    day_and_week,
    enough_cycles,
    is_strong,
    profiles_of,
)
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg
from perf_assets.periods import seconds_of
from perf_assets.tables import PATTERN_CHANGES, SEASONAL_PATTERNS, SEASONAL_PROFILES

PATTERN_COLUMNS = SEASONAL_PATTERNS.names_without("q_value")
PROFILE_COLUMNS = SEASONAL_PROFILES.names
CHANGE_COLUMNS = PATTERN_CHANGES.names_without("q_value")
_MEDIAN_TO_MEAN = np.sqrt(np.pi / 2.0)
"""Standard error of a median as a multiple of that of the mean, in normal noise."""
_LENGTHS = {DAILY: DAY, WEEKLY: 7 * DAY, MONTHLY: 365.2425 / 12 * DAY}


@dataclass(frozen=True)
class Seasons:
    """Tables with the columns PATTERN_COLUMNS, PROFILE_COLUMNS and CHANGE_COLUMNS."""

    patterns: pd.DataFrame
    profiles: pd.DataFrame
    changes: pd.DataFrame


def find_seasons(buckets: pd.DataFrame, bucket_seconds: pd.Series, periods: Sequence[str] = ()) -> Seasons:
    """The patterns of every series whose span allows to see them, their profiles, and their clearest changes.

    `buckets`: series_id, ts, value, sorted; `bucket_seconds`: by series_id; `periods`: others than the day, the week
    and the month, such as `30d`.

    `patterns`: a row a series and period; amplitude in the series' unit, peak and trough in words where the pattern is
    significant. A pattern of the day or the week is significant where `deseasonalise` takes it out, by the same test;
    other periods need the same strength and a p-value of at most .01. Periods of less than a day are sought in the
    values as they are, others in what the patterns of day and week leave. The p-value is that of an analysis of
    variance whose degrees of freedom are those that are independent in autocorrelated noise (Box 1954). The strength is
    1 - Var(remainder) / Var(pattern + remainder) (Wang, Smith & Hyndman 2006) around the levels of the cycles, outliers
    drawn in, each variance by its degrees of freedom (Theil 1961), so that noise alone has a strength about 0.

    `profiles`: a row a slot of each significant pattern: median deviation from the level of its cycle, in the unit,
    with its 95 % interval. `changes`: where the newest part of a series has another pattern than the part before it.
    """
    known = buckets[np.isfinite(buckets["value"].to_numpy(dtype=np.float64))]
    ids, times = known["series_id"].to_numpy(), known["ts"].to_numpy().astype("datetime64[us]")
    values, edges = known["value"].to_numpy(dtype=np.float64), runs(ids)
    names = ids[edges[:-1]]
    seconds = bucket_seconds.reindex(names).to_numpy(dtype=np.float64)
    found: dict[str, list[_Patterns]] = {}
    for block in blocks(edges):
        own = edges[block.start : block.stop + 1]
        inside = slice(own[0], own[-1])
        for tested in _tested(times[inside], values[inside], own - own[0], seconds[block], periods):
            found.setdefault(tested.period, []).append(_patterns(tested, block.start))
    fleet = _Fleet(times, values, edges, seconds)
    tables = [_tables(period, _together(parts), fleet) for period, parts in found.items()]
    return Seasons(
        *(
            _joined([each[number] for each in tables], names, columns)
            for number, columns in enumerate((PATTERN_COLUMNS, PROFILE_COLUMNS, CHANGE_COLUMNS))
        )
    )


def _tested(
    times: TimeArray, values: FloatArray, offsets: IndexArray, seconds: FloatArray, periods: Sequence[str]
) -> Iterator[Tested]:
    owner = np.repeat(np.arange(seconds.size), np.diff(offsets))
    left = values
    for tested in day_and_week(times, left, owner):
        yield tested
        left = tested.left
    yield from months_tested(times, left, owner, seconds)
    for period in periods:
        yield from period_tested(period, times, values if seconds_of(period) < DAY else left, owner, seconds)


def with_q_values(table: pd.DataFrame, tests: int) -> pd.DataFrame:
    """`table` with `q_value` over `tests` tests: those without a row, or without a p-value, found nothing.

    Source: Benjamini & Hochberg (1995), Controlling the false discovery rate.
    """
    quiet = np.ones(max(tests - len(table), 0))
    family = np.concatenate((table["p_value"].to_numpy(dtype=np.float64), quiet))
    return table.assign(q_value=benjamini_hochberg(family)[: len(table)])


def _joined(parts: list[pd.DataFrame], names: npt.NDArray[np.generic], columns: Sequence[str]) -> pd.DataFrame:
    """The rows of all parts by series, with the series' ids instead of their positions."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    table = pd.concat(filled).sort_index(kind="stable")
    table["series_id"] = names[table.index]
    return table[list(columns)].reset_index(drop=True)


@dataclass(frozen=True)
class _Fleet:
    """Finite values of k series end to end; `seconds` between their buckets, shape (k,)."""

    times: TimeArray
    values: FloatArray
    offsets: IndexArray
    seconds: FloatArray

    def spans(self, series: IndexArray) -> FloatArray:
        """Seconds from the first bucket to the end of the last."""
        first, last = self.times[self.offsets[series]], self.times[self.offsets[series + 1] - 1]
        return np.asarray((last - first) / np.timedelta64(1, "s") + self.seconds[series])

    def levels(self, series: IndexArray) -> FloatArray:
        """Medians of the series."""
        sizes = np.diff(self.offsets)[series]
        places = np.repeat(self.offsets[series] - offsets_of(sizes)[:-1], sizes) + np.arange(sizes.sum())
        return medians(self.values[places], offsets_of(sizes))


@dataclass(frozen=True)
class _Patterns:
    """What a test found in k series, by their position in the fleet. All but `profiles` have the shape (k,).

    `means`: those of the series whose pattern may have changed, numbered from 0, in the order of `may_change`.
    `points`: those of the series whose pattern is significant, numbered likewise; of other periods than the week none.
    """

    series: IndexArray
    significant: BoolArray
    may_change: BoolArray
    strength: FloatArray
    profiles: Profiles
    means: Means
    points: Points


def _patterns(tested: Tested, first: int) -> _Patterns:
    """Of the series whose profile is usable and not rounding; `first`: the position of series 0 in the fleet."""
    found = tested.profiles
    usable = found.usable & (found.freedom > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = found.total / found.freedom
        strength = 1.0 - found.rest / np.maximum(found.freedom - found.slots + 1, 1) / variance
        usable &= np.sqrt(variance) > found.rounding
    changing = usable & may_change(tested.means, found)
    hourly = np.zeros(int(tested.points.owner.max()) + 1, dtype=bool)
    hourly[tested.series[tested.clear & usable]] = tested.period == WEEKLY
    return _Patterns(
        series=tested.series[usable] + first,
        significant=tested.clear[usable],
        may_change=changing[usable],
        strength=np.clip(strength[usable], 0.0, 1.0),
        profiles=found.at(usable),
        means=tested.means.of_series(changing),
        points=tested.points.of_series(hourly),
    )


def _together(parts: Sequence[_Patterns]) -> _Patterns:
    """One after the other. Series of several blocks may have profiles of different lengths: NaN in the slots beyond."""
    slots = max(part.profiles.table.shape[1] for part in parts)

    def padded(table: npt.NDArray[Any], fill: float) -> npt.NDArray[Any]:
        return np.pad(table, ((0, 0), (0, slots - table.shape[1])), constant_values=fill)

    def joined(pieces: Sequence[Any], *names: str) -> dict[str, npt.NDArray[Any]]:
        return {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in names}

    profiles = [
        replace(part.profiles, table=padded(part.profiles.table, np.nan), counts=padded(part.profiles.counts, 0))
        for part in parts
    ]
    changing, significant = (
        offsets_of([np.count_nonzero(getattr(part, name)) for part in parts]) for name in ("may_change", "significant")
    )
    means = [replace(part.means, owner=part.means.owner + at) for part, at in zip(parts, changing, strict=False)]
    points = [replace(part.points, owner=part.points.owner + at) for part, at in zip(parts, significant, strict=False)]
    return _Patterns(
        **joined(parts, "series", "significant", "may_change", "strength"),
        profiles=Profiles(**joined(profiles, *(field.name for field in fields(Profiles)))),
        means=Means(**joined(means, *(field.name for field in fields(Means)))),
        points=Points(**joined(points, *(field.name for field in fields(Points)))),
    )


def _tables(period: str, found: _Patterns, fleet: _Fleet) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Patterns, profiles and changes of one period, with the positions of the series as index."""
    clear = _Significant(period, found, fleet)
    words: dict[Side, npt.NDArray[np.object_]] = {
        side: np.full(found.series.size, None, dtype=object) for side in SIDES
    }
    for side in SIDES:
        words[side][found.significant] = clear.in_words(side)
    profiles = found.profiles
    patterns = pd.DataFrame(
        {
            "period": period,
            "significant": found.significant,
            "p_value": profiles.p_value_of(profiles.independent),
            "strength": found.strength,
            "amplitude": np.nanmax(profiles.table, axis=1, initial=-np.inf)
            - np.nanmin(profiles.table, axis=1, initial=np.inf),
            "peak": words["peak"],
            "trough": words["trough"],
            "cycles": fleet.spans(found.series) / (_LENGTHS[period] if period in _LENGTHS else seconds_of(period)),
        },
        index=found.series,
    )
    return patterns, clear.profile_rows(), _changes(period, found, fleet)


def _words(period: str, at: Extreme, level: float, seconds: int, hours: Extreme | None = None) -> str:
    """When a profile is highest or lowest, and how far from the median of the series, `level`."""
    when, above = stretch(period, at, seconds), at.size
    if hours is not None:
        when, above = f"{when} {stretch(DAILY, hours, seconds)}", above + hours.size
    return f"{when}, {size(above, level)}"


class _Significant:
    """The k series with a significant pattern of one period."""

    def __init__(self, period: str, found: _Patterns, fleet: _Fleet) -> None:
        self.period, self.points = period, found.points
        self.series = found.series[found.significant]
        self.found = found.profiles.at(found.significant)
        self.levels, self.seconds = fleet.levels(self.series), fleet.seconds[self.series].astype(np.int64)

    def in_words(self, side: Side) -> list[str]:
        """When each profile is highest or lowest and by how much, shape (k,)."""
        at = [extreme(levels, side) for levels in self.found.table.tolist()]
        hours = self._hours(at, side) if self.period == WEEKLY else {}
        return [
            _words(self.period, one, level, seconds, hours.get(row))
            for row, (one, level, seconds) in enumerate(
                zip(at, self.levels.tolist(), self.seconds.tolist(), strict=True)
            )
        ]

    def _hours(self, at: Sequence[Extreme], side: Side) -> dict[int, Extreme]:
        """The hours of the weekdays `at`, shape (k,), in which alone they are high or low, by series.

        By the test of the daily pattern, of the values of these weekdays only.
        """
        inside = np.zeros((self.series.size, self.found.table.shape[1]), dtype=bool)
        for row, one in enumerate(at):
            inside[row, one.slots(inside.shape[1])] = True
        inside &= (self.seconds < DAY)[:, None]
        chosen = np.flatnonzero(inside[self.points.owner, self.points.slot])
        if not chosen.size:
            return {}
        points = self.points.at(chosen)
        moment = np.rint(points.time * DAY_US).astype(np.int64)
        day = moment // DAY_US
        points = Points(points.time, points.values, points.owner, day, (moment - DAY_US * day) // HOUR_US)
        present: BoolArray = np.bincount(points.owner, minlength=self.series.size) > 0
        points = points.of_series(present)
        enough = enough_cycles(points)
        if not enough.any():
            return {}
        hourly, _ = profiles_of(points.of_series(enough), 24)
        clear = is_strong(hourly) & (hourly.p_value <= LARGEST_P_VALUE)
        rows = np.flatnonzero(present)[enough][clear]
        return {int(row): extreme(levels, side) for row, levels in zip(rows, hourly.table[clear].tolist(), strict=True)}

    def profile_rows(self) -> pd.DataFrame:
        """Rows of PROFILE_COLUMNS with the positions as index.

        The interval is that of a median of as many independent values as the slot has cycles on average, with one
        variance for all slots of a profile.
        """
        found, slots = self.found, self.found.table.shape[1]
        left = np.maximum(found.mean_freedom - found.slots + 1, 1)
        error = _MEDIAN_TO_MEAN * np.sqrt(found.mean_rest / left)
        cycles = found.mean_freedom / (found.slots - 1)
        reach = special.stdtrit(left, 0.975) * error / np.sqrt(cycles)
        row, slot = np.nonzero(~np.isnan(found.table))
        level = found.table[row, slot]
        labels = {
            (one, seconds): label(self.period, one, seconds)
            for seconds in np.unique(self.seconds).tolist()
            for one in range(slots)
        }
        return pd.DataFrame(
            {
                "period": self.period,
                "slot": slot,
                "label": [labels[pair] for pair in zip(slot.tolist(), self.seconds[row].tolist(), strict=True)],
                "level": level,
                "low": level - reach[row],
                "high": level + reach[row],
                "count": found.counts[row, slot],
            },
            index=self.series[row],
        )


def _changes(period: str, found: _Patterns, fleet: _Fleet) -> pd.DataFrame:
    """Rows of CHANGE_COLUMNS with the positions as index."""
    changes = pattern_changes(found.means, found.profiles.at(found.may_change), period == DAILY)
    changed = np.flatnonzero(changes.changed)
    series = found.series[found.may_change][changed]
    rows = []
    for row, level, seconds in zip(changed, fleet.levels(series), fleet.seconds[series], strict=True):
        at = np.datetime64(round(changes.at[row] * DAY_US), "us")
        profiles = changes.before[row].tolist(), changes.after[row].tolist()
        before, after = _both(period, profiles, float(level), int(seconds))
        rows.append((period, at, changes.p_value[row], before, after, _sentence(period, at, before, after)))
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS[1:]), index=series)


def _both(period: str, profiles: tuple[list[float], list[float]], level: float, seconds: int) -> tuple[str, str]:
    """The peaks of two profiles in words, or their troughs where the peaks are the same."""
    peaks, troughs = (
        [f"{side} {_words(period, extreme(levels, side), level, seconds)}" for levels in profiles] for side in SIDES
    )
    first, second = peaks if peaks[0] != peaks[1] else troughs
    return first, second


def _sentence(period: str, at: np.datetime64, before: str, after: str) -> str:
    return f"The {pattern_name(period)} changed on {str(at)[:10]}: before, {before}; since then, {after}."
