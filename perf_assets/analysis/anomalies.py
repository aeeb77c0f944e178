"""Anomalies: values that the past of their own series made unlikely.

A value is compared with what its hour, its weekday and the level just before lead one to expect; the distance, averaged
over a few values and over a stretch of them, is an alarm when the last thousand values saw none as long. How often
chance breaks a record does not depend on the distribution, so one rule serves all series. Nothing is compared with
itself or with what follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter

from perf_assets.analysis.seasonality import TimeArray, day_of_week, hour_of_day
from perf_assets.analysis.statistics import FloatArray

ALARM = 0.5
EPISODE_COLUMNS = ("series_id", "episode_start", "episode_end", "buckets", "score", "value", "expected", "side")

_SPANS = (3, 20)
"""Values over which distances are averaged: a spike shows in the first, a longer oddness in the second."""
_LEVEL_BACK = 200
_FEWEST_FOR_LEVEL = 10
_RECORD_BACK = 1_000
_FEWEST_FOR_RECORD = 50
_ONCE_IN = 1_500.0
"""A shorter past has seen less, so its record must be exceeded by more, as if it held this many values."""
_COOL_DOWN = 50
_MOST_RAISED = 2.0
"""Factor by which one episode may raise the record: a smaller one after it is to be seen too."""
_UNDER_ALARM = 0.49
_ROUNDING = 1e-12
_LARGEST = 1e150
"""Larger values are drawn in, lest their differences and ratios overflow."""

_DAYS_BACK, _WEEKS_BACK = 14, 5
_FEWEST_CYCLES = 2
_FEWEST_SLOTS = 3
_MOST_ERROR = 0.85
"""A profile is used where it lately left less than this share of the deviations from each cycle's median."""

IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Expectation:
    """What the past of each value leads one to expect, shape (n,), NaN for the first ten; and where stretches begin
    whose distances are comparable: a cycle that is yet to be learnt would set records for weeks after.
    """

    values: FloatArray
    stretches: tuple[int, ...]


@dataclass(frozen=True)
class _Episode:
    """Positions of the alarm and of the last odd value, and the score of the alarm or a higher one between them."""

    start: int
    end: int
    score: float


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
    scores[known] = _judge(observed, _expect(np.asarray(timestamps)[known], observed))[0]
    return scores


def find_anomalies(buckets: pd.DataFrame) -> pd.DataFrame:
    """Episodes of all series, with the columns EPISODE_COLUMNS.

    `buckets`: series_id, ts, value, sorted by series and time. `value` and `expected` are those furthest apart within
    the episode; `buckets` counts from the alarm to the last odd value.
    """
    rows = [
        row
        for series_id, group in buckets.groupby("series_id", sort=True)
        for row in _episode_rows(series_id, group["ts"].to_numpy(), group["value"].to_numpy(dtype=np.float64))
    ]
    return pd.DataFrame(rows, columns=list(EPISODE_COLUMNS))


def _episode_rows(series_id: object, ts: TimeArray, values: FloatArray) -> Iterator[tuple[object, ...]]:
    known = np.isfinite(values)
    ts, values = ts[known], np.clip(values[known], -_LARGEST, _LARGEST)
    expectation = _expect(ts, values)
    expected = expectation.values
    for episode in _judge(values, expectation)[1]:
        within = slice(episode.start, episode.end + 1)
        worst = episode.start + int(np.argmax(np.abs(values[within] - expected[within])))
        side = "high" if values[worst] > expected[worst] else "low"
        extent = (ts[episode.start], ts[episode.end], episode.end - episode.start + 1)
        yield series_id, *extent, episode.score, values[worst], expected[worst], side


def _judge(values: FloatArray, expectation: _Expectation) -> tuple[FloatArray, list[_Episode]]:
    """Scores, shape (n,), and episodes of values without gaps."""
    scores = np.zeros(values.size)
    episodes: list[_Episode] = []
    distances = np.abs(values - expectation.values)
    rounding = np.maximum(_ROUNDING * np.maximum.accumulate(np.abs(values)), 1.0 / _LARGEST)
    for start, stop in pairwise((*expectation.stretches, values.size)):
        stretch = slice(start, stop)
        found = _judge_stretch(distances[stretch], rounding[stretch], scores[stretch])
        episodes.extend(replace(one, start=start + one.start, end=start + one.end) for one in found)
    return scores, episodes


def _judge_stretch(distances: FloatArray, rounding: FloatArray, scores: FloatArray) -> Iterator[_Episode]:
    """Episodes of comparable distances, shape (n,), whose scores are written to `scores`; array-wise up to each."""
    averages = _averages(distances)
    position = _FEWEST_FOR_RECORD
    while position < scores.size:
        stop = min(position + 2 * _RECORD_BACK, scores.size)
        records = _records(averages, rounding, position, stop)
        limits = records * _margin(np.arange(position, stop))
        ratios = averages[:, position:stop] / limits
        quiet = _first((ratios >= 1.0).any(axis=0))
        scores[position : position + quiet] = _squashed(ratios[:, :quiet])
        position += quiet
        if position == stop:
            continue
        before = np.where(records[:, [quiet]] > rounding[position], records[:, [quiet]], np.inf)
        back = averages[:, position + 1 :] <= before
        over = position + _episode_length(back)
        course = _squashed(averages[:, position:over] / limits[:, [quiet]])
        loudest = int(np.argmax(ratios[:, quiet]))
        odd = distances[position : position + 1 + _first(back[loudest])] > before[loudest]
        last = int(np.flatnonzero(odd).max(initial=0))
        yield _Episode(position, position + last, float(course[: last + 1].max()))
        scores[position:over] = np.append(course[0], np.minimum(course[1:], _UNDER_ALARM))
        averages[:, position:over] = np.minimum(averages[:, position:over], _MOST_RAISED * before)
        position = over


def _episode_length(back: npt.NDArray[np.bool_]) -> int:
    """Values from an alarm until the cool-down has passed and both averages are back; `back` begins after the alarm."""
    return (
        1 + _COOL_DOWN + _first(back[:, _COOL_DOWN:].all(axis=0)) if back.shape[1] > _COOL_DOWN else 1 + back.shape[1]
    )


def _first(flags: npt.ArrayLike) -> int:
    """Position of the first that is set; their number if none is."""
    return int(np.argmax(np.append(flags, True)))


def _averages(distances: FloatArray) -> FloatArray:
    """Exponential averages, one row a span, shape (spans, n), each begun at the first distance."""
    weights = [2.0 / (span + 1.0) for span in _SPANS]
    return np.stack(
        [lfilter([w], [1.0, w - 1.0], distances, zi=(1.0 - w) * distances[:1])[0] for w in weights]
        if distances.size
        else [distances] * len(_SPANS)
    )


def _records(averages: FloatArray, rounding: FloatArray, start: int, stop: int) -> FloatArray:
    """Largest of the 1,000 averages before each of the positions `start` (at least 1) .. `stop`, shape (spans, m)."""
    first = max(0, start - _RECORD_BACK)
    # The filter's window is centred; half of it as origin makes it end at the value itself.
    past = maximum_filter1d(
        averages[:, first : stop - 1], _RECORD_BACK, axis=1, mode="constant", origin=(_RECORD_BACK - 1) // 2
    )
    return np.asarray(np.maximum(past[:, start - 1 - first :], rounding[start:stop]))


def _margin(known: IndexArray) -> FloatArray:
    return np.asarray((np.log(_ONCE_IN) / np.log(np.minimum(known, _RECORD_BACK))) ** 1.5)


def _squashed(ratios: FloatArray) -> FloatArray:
    squares = np.minimum(ratios.max(axis=0), 1e6) ** 2
    return np.asarray(squares / (1.0 + squares))


def _expect(ts: TimeArray, values: FloatArray) -> _Expectation:
    pattern, used = _pattern(ts, values)
    level = pd.Series(values - pattern).rolling(_LEVEL_BACK, min_periods=_FEWEST_FOR_LEVEL).median().shift(1)
    first_uses = [int(np.argmax(used == kind)) for kind in np.unique(used)]
    later = sorted(use for use in first_uses if use > _FEWEST_FOR_LEVEL)
    return _Expectation(np.asarray(pattern + level.to_numpy()), (min(_FEWEST_FOR_LEVEL, values.size), *later))


def _pattern(ts: TimeArray, values: FloatArray) -> tuple[FloatArray, IndexArray]:
    """The profile that has predicted best of late, by hour or hour of the week, and which it is; 0 while none has."""
    day = ts.astype("datetime64[D]").astype(np.int64)
    week = (day + 3) // 7
    hour, weekday = hour_of_day(ts), day_of_week(ts)
    pattern, least = np.zeros(values.size), np.full(values.size, _MOST_ERROR)
    used = np.zeros(values.size, dtype=np.intp)
    for number, cycle, slot, back in ((1, day, hour, _DAYS_BACK), (2, week, 24 * weekday + hour, _WEEKS_BACK)):
        profile, error = _profile(values, cycle, slot, back)
        better = error < least
        pattern[better], least[better], used[better] = profile[better], error[better], number
    return pattern, used


def _profile(
    values: FloatArray, cycle: npt.NDArray[np.int64], slot: IndexArray, back: int
) -> tuple[FloatArray, FloatArray]:
    """Usual deviation of each value's slot from its cycle's median in the `back` cycles before, and the share of the
    absolute deviations that such predictions left in those cycles; infinite where that is not known.
    """
    slots, column = np.unique(slot, return_inverse=True)
    row = np.cumsum(np.diff(cycle, prepend=cycle[:1]) > 0)
    cycles = int(row[-1]) + 1 if row.size else 0
    if cycles <= _FEWEST_CYCLES or slots.size < _FEWEST_SLOTS or np.bincount(row).max() < _FEWEST_SLOTS:
        return np.zeros(values.size), np.full(values.size, np.inf)
    deviations = _cycle_deviations(values, row * slots.size + column, (cycles, slots.size))
    profile = _median(_before(deviations, back), _FEWEST_CYCLES)
    left = np.abs(deviations - profile)
    judged = ~np.isnan(left)
    sums = np.stack(
        [np.where(judged, each, 0.0).sum(axis=1) for each in (left, np.abs(deviations))] + [judged.any(axis=1)], axis=1
    )
    errors, whole, often = np.nansum(_before(sums, back), axis=-1).T
    share = np.divide(errors, whole, out=np.full(cycles, np.inf), where=(whole > 0) & (often >= _FEWEST_CYCLES))
    return np.nan_to_num(profile)[row, column], share[row]


def _cycle_deviations(values: FloatArray, cell: IndexArray, shape: tuple[int, int]) -> FloatArray:
    """Mean of each slot of each cycle less the cycle's median; NaN where empty or with fewer than three slots."""
    size = shape[0] * shape[1]
    counts = np.bincount(cell, minlength=size)
    sums = np.bincount(cell, weights=values, minlength=size)
    table = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).reshape(shape)
    return np.asarray(table - _median(table, _FEWEST_SLOTS)[:, None])


def _before(rows: FloatArray, back: int) -> FloatArray:
    """The `back` rows before each row, shape (rows, columns, back); NaN before the first."""
    padded = np.concatenate((np.full((back, rows.shape[1]), np.nan), rows))
    return np.asarray(padded.T[:, np.arange(rows.shape[0])[:, None] + np.arange(back)].transpose(1, 0, 2))


def _median(windows: FloatArray, fewest: int) -> FloatArray:
    """Median over the last axis without NaN; NaN where fewer than `fewest` are left."""
    ordered = np.sort(windows.reshape(-1, windows.shape[-1]), axis=-1)  # NaN last
    counts = (ordered == ordered).sum(axis=-1)
    top = np.maximum(counts, 1)
    every = np.arange(counts.size)
    middle = (ordered[every, (top - 1) // 2] + ordered[every, top // 2]) / 2.0
    return np.where(counts >= fewest, middle, np.nan).reshape(windows.shape[:-1])
