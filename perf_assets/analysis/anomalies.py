"""Anomalies: values that the past of their own series made unlikely.

A value is compared with what its hour, its weekday and the level just before lead one to expect; the distance, averaged
over a few values and over a stretch of them, is an alarm when the last thousand values saw none as long. How often
chance breaks a record does not depend on the distribution, so one rule serves all series. Nothing is compared with
itself or with what follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter1d, rank_filter

from perf_assets.analysis.ragged import IndexArray, blocks, by_width, offsets_of, runs, side_by_side
from perf_assets.analysis.seasonality import TimeArray
from perf_assets.analysis.statistics import FloatArray
from perf_assets.tables import ANOMALIES

ALARM = 0.5
EPISODE_COLUMNS = ANOMALIES.names

_SPANS = (3, 20)
"""Values over which distances are averaged: a spike shows in the first, a longer oddness in the second."""
_LEVEL_BACK = 200
_FEWEST_FOR_LEVEL = 10
_RECORD_BACK = 1_000
_AT_ONCE = 3 * _RECORD_BACK
_FEWEST_FOR_RECORD = 50
_ONCE_IN = 1_500.0
"""A shorter past has seen less, so its record must be exceeded by more, as if it held this many values."""
_COOL_DOWN = 50
_MOST_RAISED = 2.0
"""Factor by which one episode may raise the record: a smaller one after it is to be seen too."""
_UNDER_ALARM = 0.49
_ROUNDING = 1e-12
_A_DAY = pd.Timedelta(days=1)
_LARGEST = 1e150
"""Larger values are drawn in, lest their differences and ratios overflow."""

_DAYS_BACK, _WEEKS_BACK = 14, 5
_FEWEST_CYCLES = 2
_FEWEST_SLOTS = 3
_NO_PROFILE, _OF_DAY, _OF_WEEK = 0, 1, 2
_MOST_ERROR = 0.85
"""A profile is used where it lately left less than this share of the deviations from each cycle's median."""


@dataclass(frozen=True)
class _Expectation:
    """What the past of each value leads one to expect, shape (n,), NaN for the first ten of a series; and the stretches
    whose distances are comparable, shape (m,): a cycle that is yet to be learnt would set records for weeks after.
    """

    values: FloatArray
    starts: IndexArray
    sizes: IndexArray


@dataclass(frozen=True)
class _Episodes:
    """Arrays of shape (m,): positions of the alarm and of the last odd value, and the highest score between them."""

    start: IndexArray
    end: IndexArray
    score: FloatArray


def score(timestamps: TimeArray, values: FloatArray) -> FloatArray:
    """How anomalous each value is, shape (n,), in [0, 1]; alarm at ALARM.

    `timestamps`: naive UTC, ascending; `values`: what is not finite is a gap and scores 0, as do the first 60 values.
    An episode raises one alarm: scores stay below ALARM until 50 more values have come and the averages are back
    within what was the record before it.

    Expected is the median of the 200 values before; a profile of the day or the week by hours, from earlier cycles, is
    taken out first where it has lately predicted better than none, and when it first has, records begin anew. Absolute
    distances are averaged exponentially (spans 3 and 20). The score is r^2 / (1 + r^2), with r the larger average in
    units of its alarm level: the record of the 1,000 values before, times (ln 1500 / ln n)^1.5 of the n of them that
    are known.

    Sources: averaged surprise held against its own past: Ahmad et al. (2017), Unsupervised real-time anomaly detection
    for streaming data; its rank as p-value: Laxhammar & Falkman (2014), Online learning and sequential anomaly
    detection in trajectories.
    """
    values = np.asarray(values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    observed = np.clip(values[known], -_LARGEST, _LARGEST)
    scores = np.zeros(values.size)
    offsets = offsets_of([known.size])
    scores[known] = _judge(observed, offsets, _expect(np.asarray(timestamps)[known], observed, offsets))[0]
    return scores


def find_anomalies(buckets: pd.DataFrame) -> pd.DataFrame:
    """Episodes of all series, with the columns EPISODE_COLUMNS.

    `buckets`: series_id, ts, value, sorted by series and time. `value` and `expected` are those furthest apart within
    the episode; `buckets` counts from the alarm to the last odd value.
    """
    known = buckets[np.isfinite(buckets["value"].to_numpy(dtype=np.float64))]
    ids, ts = known["series_id"].to_numpy(), known["ts"].to_numpy()
    values = np.clip(known["value"].to_numpy(dtype=np.float64), -_LARGEST, _LARGEST)
    edges = runs(ids)
    rows: list[tuple[object, ...]] = []
    for block in blocks(edges):
        own = edges[block.start : block.stop + 1]
        inside = slice(own[0], own[-1])
        rows.extend(_episode_rows(ids[inside], ts[inside], values[inside], own - own[0]))
    return pd.DataFrame(rows, columns=list(EPISODE_COLUMNS))


def _episode_rows(
    ids: npt.NDArray[np.generic], ts: TimeArray, values: FloatArray, offsets: IndexArray
) -> Iterator[tuple[object, ...]]:
    expectation = _expect(ts, values, offsets)
    expected = expectation.values
    episodes = _judge(values, offsets, expectation)[1]
    for start, end, highest in zip(episodes.start, episodes.end, episodes.score, strict=True):
        within = slice(start, end + 1)
        worst = start + int(np.argmax(np.abs(values[within] - expected[within])))
        side = "high" if values[worst] > expected[worst] else "low"
        yield ids[start], ts[start], ts[end], end - start + 1, highest, values[worst], expected[worst], side


# Distances held against the record


def _judge(values: FloatArray, offsets: IndexArray, expectation: _Expectation) -> tuple[FloatArray, _Episodes]:
    """Scores, shape (n,), and episodes of series without gaps, in their order."""
    scores = np.zeros(values.size)
    distances = np.abs(values - expectation.values)
    rounding = np.maximum(_ROUNDING * _largest_so_far(np.abs(values), offsets), 1.0 / _LARGEST)
    episodes: list[_Episodes] = []
    for rows, width in by_width(expectation.sizes):
        starts, sizes = expectation.starts[rows], expectation.sizes[rows]
        near, least = (side_by_side(each, starts, sizes, width, 1.0) for each in (distances, rounding))
        stretches = _Stretches(starts, sizes, near, least, _averages(near), np.zeros(near.shape))
        episodes.extend(_judged(stretches))
        _put_back(scores, stretches.scores, starts, sizes)
    return scores, _in_order(episodes)


@dataclass(frozen=True)
class _Stretches:
    """Stretches of comparable distances as rows, shape (k, w); `starts` and `sizes`, shape (k,): where the first column
    of each lies among all values, and how many columns are used.

    `rounding`: distances that rounding may cause; `averages`, shape (spans, k, w), lowered where an episode has passed;
    `scores`: 0 until judged.
    """

    starts: IndexArray
    sizes: IndexArray
    distances: FloatArray
    rounding: FloatArray
    averages: FloatArray
    scores: FloatArray


@dataclass(frozen=True)
class _Alarms:
    """One alarm in each of m stretches: `row`, `column` and the `loudest` of the spans, shape (m,); the `records` of
    the averages before it, and the `limits` that they set, shape (spans, m).
    """

    row: IndexArray
    column: IndexArray
    loudest: IndexArray
    records: FloatArray
    limits: FloatArray


def _judged(stretches: _Stretches) -> Iterator[_Episodes]:
    """Episodes, the first of each stretch, then the second of each; the scores are written to the stretches."""
    position = np.full(stretches.sizes.size, _FEWEST_FOR_RECORD)
    while (rows := np.flatnonzero(position < stretches.sizes)).size:
        alarms, position[rows] = _next_alarms(stretches, rows, position[rows])
        if alarms.row.size:
            episodes, position[alarms.row] = _passed(stretches, alarms)
            yield episodes


def _next_alarms(stretches: _Stretches, rows: IndexArray, position: IndexArray) -> tuple[_Alarms, IndexArray]:
    """The first alarm within the next columns of each of `rows`, and where each has got to, all before it scored."""
    width = stretches.scores.shape[1]
    first = np.maximum(np.minimum(position - _RECORD_BACK, width - _AT_ONCE), 0)[:, None]
    column = first + np.arange(min(_AT_ONCE, width))
    cell = rows[:, None], column
    averages = stretches.averages[:, *cell]
    records = np.maximum(_records(averages), stretches.rounding[cell])
    limits = records * _margin(np.arange(width))[column]
    ratios = averages / limits
    highest = ratios.max(axis=0)
    ahead = (column >= position[:, None]) & (column < stretches.sizes[rows][:, None])
    loud = ahead & (highest >= 1.0)
    at = loud.argmax(axis=1)
    struck = np.flatnonzero(loud[np.arange(rows.size), at])
    reached = np.minimum(column[:, -1] + 1, stretches.sizes[rows])
    reached[struck] = column[struck, at[struck]]
    quiet = ahead & (column < reached[:, None])
    stretches.scores[cell] = np.where(quiet, _squashed(highest), stretches.scores[cell])
    here = struck, at[struck]
    loudest = ratios[:, *here].argmax(axis=0)
    return _Alarms(rows[struck], reached[struck], loudest, records[:, *here], limits[:, *here]), reached


def _passed(stretches: _Stretches, alarms: _Alarms) -> tuple[_Episodes, IndexArray]:
    """The episodes that the alarms begin, scored, and the columns at which they are over: when the cool-down has passed
    and both averages are back.
    """
    row, start, every = alarms.row, alarms.column[:, None], np.arange(alarms.row.size)
    column = np.arange(stretches.scores.shape[1])
    inside = column < stretches.sizes[row][:, None]
    before = np.where(alarms.records > stretches.rounding[row, alarms.column], alarms.records, np.inf)
    averages = stretches.averages[:, row]
    back = (averages <= before[:, :, None]) | ~inside
    over = _first(back.all(axis=0) & (column > start + _COOL_DOWN), stretches.sizes[row])
    returned = _first(back[alarms.loudest, every] & (column > start), stretches.sizes[row])
    odd = stretches.distances[row] > before[alarms.loudest, every][:, None]
    end = np.where(odd & (column >= start) & (column < returned[:, None]), column, start).max(axis=1)
    course = _squashed((averages / alarms.limits[:, :, None]).max(axis=0))
    highest = np.where((column >= start) & (column <= end[:, None]), course, 0.0).max(axis=1)
    during = (column >= start) & (column < over[:, None])
    course = np.where(column > start, np.minimum(course, _UNDER_ALARM), course)
    stretches.scores[row] = np.where(during, course, stretches.scores[row])
    lowered = np.minimum(averages, _MOST_RAISED * before[:, :, None])
    stretches.averages[:, row] = np.where(during, lowered, averages)
    first = stretches.starts[row]
    return _Episodes(first + alarms.column, first + end, highest), over


def _first(flags: npt.NDArray[np.bool_], otherwise: IndexArray) -> IndexArray:
    """Column of the first flag set in each row, `otherwise` where none is."""
    return np.asarray(np.where(flags.any(axis=1), np.minimum(flags.argmax(axis=1), otherwise), otherwise))


def _in_order(parts: list[_Episodes]) -> _Episodes:
    start = np.concatenate([part.start for part in parts] or [np.empty(0, dtype=np.intp)])
    end = np.concatenate([part.end for part in parts] or [start])
    highest = np.concatenate([part.score for part in parts] or [np.empty(0)])
    order = np.argsort(start)
    return _Episodes(start[order], end[order], highest[order])


def _averages(distances: FloatArray) -> FloatArray:
    """Exponential averages, one layer a span, shape (spans, k, w), each begun at the first distance of its row."""
    by_time = pd.DataFrame(distances.T)
    return np.stack([by_time.ewm(span=span, adjust=False).mean().to_numpy(dtype=np.float64).T for span in _SPANS])


def _records(averages: FloatArray) -> FloatArray:
    """Largest of the 1,000 averages before each, shape (spans, k, w); 0 before the first."""
    result = np.zeros(averages.shape)
    if averages.shape[2] <= _RECORD_BACK + 1:
        np.maximum.accumulate(averages[:, :, :-1], axis=2, out=result[:, :, 1:])
    else:
        # The filter's window is centred; half of it as origin makes it end at the value itself.
        origin = (_RECORD_BACK - 1) // 2
        past = averages[:, :, :-1]
        maximum_filter1d(past, _RECORD_BACK, axis=2, output=result[:, :, 1:], mode="constant", origin=origin)
    return result


def _margin(known: IndexArray) -> FloatArray:
    counted = np.clip(known, _FEWEST_FOR_RECORD, _RECORD_BACK)
    return np.asarray((np.log(_ONCE_IN) / np.log(counted)) ** 1.5)


def _squashed(ratios: FloatArray) -> FloatArray:
    squares = np.minimum(ratios, 1e6) ** 2
    return np.asarray(squares / (1.0 + squares))


def _largest_so_far(values: FloatArray, offsets: IndexArray) -> FloatArray:
    result = np.empty(values.size)
    sizes = np.diff(offsets)
    for rows, width in by_width(sizes):
        row = side_by_side(values, offsets[rows], sizes[rows], width, 0.0)
        _put_back(result, np.maximum.accumulate(row, axis=1), offsets[rows], sizes[rows])
    return result


# What the past leads one to expect


def _expect(ts: TimeArray, values: FloatArray, offsets: IndexArray) -> _Expectation:
    sizes = np.diff(offsets)
    owner = np.repeat(np.arange(sizes.size), sizes)
    pattern, used = _pattern(ts, values, owner)
    starts = [offsets[:-1][sizes > _FEWEST_FOR_LEVEL] + _FEWEST_FOR_LEVEL]
    for kind in (_NO_PROFILE, _OF_DAY, _OF_WEEK):
        uses = np.flatnonzero(used == kind)
        first = uses[runs(owner[uses])[:-1]]
        starts.append(first[first - offsets[owner[first]] > _FEWEST_FOR_LEVEL])
    start = np.sort(np.concatenate(starts))
    ends = np.minimum(np.append(start, values.size)[1:], offsets[np.searchsorted(offsets, start, side="right")])
    return _Expectation(pattern + _level(values - pattern, offsets), start, ends - start)


def _level(values: FloatArray, offsets: IndexArray) -> FloatArray:
    """Median of the 200 values before each, of fewer at the start of a series; NaN where there are fewer than ten."""
    level = np.empty(values.size)
    sizes = np.diff(offsets)
    for rows, width in by_width(sizes):
        # Infinities before each row keep the windows within it: as many of either sign, or one more below.
        line = np.empty((rows.size, _LEVEL_BACK + width))
        line[:, :_LEVEL_BACK:2], line[:, 1:_LEVEL_BACK:2] = np.inf, -np.inf
        line[:, _LEVEL_BACK:] = side_by_side(values, offsets[rows], sizes[rows], width, 0.0)
        lower, upper = (
            rank_filter(line.ravel(), rank, _LEVEL_BACK, origin=_LEVEL_BACK // 2 - 1).reshape(line.shape)
            for rank in (_LEVEL_BACK // 2 - 1, _LEVEL_BACK // 2)
        )
        known = np.arange(width)
        enough = known >= _FEWEST_FOR_LEVEL
        row = np.full((rows.size, width), np.nan)
        before = slice(_LEVEL_BACK - 1 + _FEWEST_FOR_LEVEL, -1)
        alone = (known < _LEVEL_BACK) & (known % 2 == 1)
        row[:, enough] = np.where(alone[enough], upper[:, before], (lower[:, before] + upper[:, before]) / 2.0)
        _put_back(level, row, offsets[rows], sizes[rows])
    return level


def _put_back(values: FloatArray, rows: FloatArray, starts: IndexArray, sizes: IndexArray) -> None:
    """Write to `values` what `side_by_side` took from there."""
    place = np.arange(rows.shape[1])
    inside = place < sizes[:, None]
    values[(starts[:, None] + place)[inside]] = rows[inside]


def _pattern(ts: TimeArray, values: FloatArray, owner: IndexArray) -> tuple[FloatArray, IndexArray]:
    """The profile that has predicted best of late, by hour or hour of the week, and which it is; 0 while none has."""
    hours = ts.astype("datetime64[h]").astype(np.int64)
    day = hours // 24
    week = (day + 3) // 7
    pattern, least = np.zeros(values.size), np.full(values.size, _MOST_ERROR)
    used = np.full(values.size, _NO_PROFILE)
    for kind, cycle, hours_long, back in ((_OF_DAY, day, 24, _DAYS_BACK), (_OF_WEEK, week, 7 * 24, _WEEKS_BACK)):
        slot = hours - 24 * day if kind == _OF_DAY else hours + 72 - 168 * week
        for chosen, profile, error in _profiles(values, _Slots(owner, cycle, slot, hours_long), back):
            better = error < least[chosen]
            place = chosen[better]
            pattern[place], least[place], used[place] = profile[better], error[better], kind
    return pattern, used


@dataclass(frozen=True)
class _Slots:
    """Where values lie in the cycles (days, weeks) of their series: shape (n,); `slot` from 0 to `count` - 1."""

    owner: IndexArray
    cycle: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int64]
    count: int


def _profiles(values: FloatArray, slots: _Slots, back: int) -> Iterator[tuple[IndexArray, FloatArray, FloatArray]]:
    """Positions of values, usual deviation of each one's slot from its cycle's median in the `back` cycles before, and
    the share of the absolute deviations that such predictions left in those cycles; infinite where that is not known.

    Series with equally many slots come together; those that have too few slots, or too few cycles, not at all.
    """
    edges = runs(slots.owner, slots.cycle)
    whose = slots.owner[edges[:-1]]
    count = int(slots.owner.max(initial=-1)) + 1
    cycles, fullest = np.bincount(whose, minlength=count), np.zeros(count, dtype=np.intp)
    np.maximum.at(fullest, whose, np.diff(edges))
    cell = slots.owner * slots.count + slots.slot
    seen = (np.bincount(cell, minlength=count * slots.count) > 0).reshape(count, slots.count)
    width = np.count_nonzero(seen, axis=1)
    # Two cycles make the first prediction, two predictions make the first share, which the cycle after is told by.
    possible = (cycles > 2 * _FEWEST_CYCLES) & (width >= _FEWEST_SLOTS) & (fullest >= _FEWEST_SLOTS)
    column = (np.cumsum(seen, axis=1) - 1).ravel()
    for slot_count in np.unique(width[possible]):
        chosen = np.flatnonzero((possible & (width == slot_count))[slots.owner])
        # One column a cycle, and `back` columns without values before each series.
        again = runs(slots.owner[chosen], slots.cycle[chosen])
        lengths = np.diff(again)
        newcomers = np.cumsum(np.diff(slots.owner[chosen[again[:-1]]], prepend=-1) > 0)
        real = np.arange(lengths.size) + back * newcomers
        columns = column[cell[chosen]]
        where = columns * (int(real[-1]) + 1) + np.repeat(real, lengths)
        deviations = _cycle_deviations(values[chosen], where, (int(slot_count), int(real[-1]) + 1))
        profile, share = _predictions(deviations, real, back)
        cycle = np.repeat(np.arange(lengths.size), lengths)
        yield chosen, np.nan_to_num(profile)[columns, cycle], share[cycle]


def _cycle_deviations(values: FloatArray, cell: IndexArray, shape: tuple[int, int]) -> FloatArray:
    """Mean of each slot (row) of each cycle (column) less the cycle's median; NaN where empty or with fewer than three
    slots.
    """
    size = shape[0] * shape[1]
    counts = np.bincount(cell, minlength=size)
    sums = np.bincount(cell, weights=values, minlength=size)
    table = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).reshape(shape)
    known = np.count_nonzero(counts.reshape(shape), axis=0)
    return np.asarray(table - _median(table.T.copy(), known, _FEWEST_SLOTS))


def _predictions(deviations: FloatArray, real: IndexArray, back: int) -> tuple[FloatArray, FloatArray]:
    """For the columns `real` of `deviations`, shape (k,): medians of the `back` columns before, shape (slots, k), and
    the share of the absolute deviations that such medians left in those columns, shape (k,).
    """
    slots, columns = deviations.shape
    windows = sliding_window_view(deviations.ravel(), back)[(np.arange(slots)[:, None] * columns + real - back).ravel()]
    known = np.zeros((slots, columns + 1), dtype=np.intp)
    np.cumsum(~np.isnan(deviations), axis=1, out=known[:, 1:])
    counts = known[:, real] - known[:, real - back]
    profile = _median(windows, counts.ravel(), _FEWEST_CYCLES).reshape(counts.shape)
    here = deviations[:, real]
    left = np.abs(here - profile)
    judged = ~np.isnan(left)
    sums = np.zeros((3, columns))
    for place, each in enumerate((left, np.abs(here))):
        sums[place, real] = np.where(judged, each, 0.0).sum(axis=0)
    sums[2, real] = judged.any(axis=0)
    before = np.zeros((3, real.size))
    for distance in range(back, 0, -1):
        before += sums[:, real - distance]
    errors, whole, often = before
    share = np.divide(errors, whole, out=np.full(real.size, np.inf), where=(whole > 0) & (often >= _FEWEST_CYCLES))
    return profile, share


def _median(windows: FloatArray, known: IndexArray, fewest: int) -> FloatArray:
    """Medians of rows, sorted in place, of their `known` values that are not NaN; NaN for fewer than `fewest`."""
    windows.sort(axis=1)  # NaN last
    top, every = np.maximum(known, 1), np.arange(known.size)
    middle = (windows[every, (top - 1) // 2] + windows[every, top // 2]) / 2.0
    return np.where(known >= fewest, middle, np.nan)


def passing(episodes: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """The episodes (rows of anomalies) that no change of level of their series explains.

    `changes`: series_id and changed_at of the change points. One within a day of an episode explains it: the first
    values of a new level are far from what was expected.
    """
    near = episodes.reset_index()[["index", "series_id", "episode_start", "episode_end"]].merge(
        changes[["series_id", "changed_at"]], on="series_id"
    )
    explained = near["changed_at"].between(near["episode_start"] - _A_DAY, near["episode_end"] + _A_DAY)
    return episodes[~episodes.index.isin(near.loc[explained, "index"])].reset_index(drop=True)
