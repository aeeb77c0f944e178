"""What is said of a series with a limit: when its level, or a single value, passes it, and how likely that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.breach.courses import chance, courses, reach
from perf_assets.analysis.breach.restarts import courses_of_cycles, cycles
from perf_assets.analysis.breach.shapes import explained, shapes
from perf_assets.analysis.forecasts import grids
from perf_assets.analysis.forecasts.members import Task, profile_before
from perf_assets.analysis.forecasts.preparation import borne_out_bounds, on_one_level, without_gaps
from perf_assets.analysis.statistics import FloatArray
from perf_assets.tables import BREACH_COURSES

SIDES = {"upper": 1.0, "lower": -1.0}
DAYS = (1, 7, 30)
"""Days ahead by which probabilities are given."""
_LEVEL = 7
"""Places whose median is the level of the one in their middle."""
_HALF = _LEVEL // 2
_LONGEST, _SHORTEST = 90, grids.FEWEST_POINTS
"""Places that courses rest on, at most, and places since a step from which they do without what was before it."""
_NEWEST = 60
"""Places that say how far single values lie from the value of their place."""
_AT_ONCE = 100
_SHOWN_FROM = 0.05
"""Probability that the level passes its limit from which courses are shown."""
_ROUNDING = 1e-9
_FREE = (-np.inf, np.inf)
_DAY_US = 86_400_000_000
_DATES = ("breach_date", "earliest", "latest", "horizon_end")
_SHARES = (0.5, 0.025, 0.975)

BREACH_COLUMNS = (
    "unique_id", "limit", "side", "last_value", "already_breached", "breach_date", "earliest", "latest",
    *(f"level_by_{days}" for days in DAYS), *(f"value_by_{days}" for days in DAYS), "horizon_end",
)  # fmt: skip
COURSE_COLUMNS = BREACH_COURSES.names
_QUANTILES = (0.5, 0.1, 0.9, 0.025, 0.975)


@dataclass(frozen=True)
class Outlook:
    """`table`: BREACH_COLUMNS. `courses`: COURSE_COLUMNS, the median of the courses of each series whose level passes
    its limit with a probability of 5 % or more, and the ends of the central 80 and 95 % of them.
    """

    table: pd.DataFrame
    courses: pd.DataFrame


def breach_outlook(history: pd.DataFrame, limits: pd.DataFrame) -> Outlook:
    """One row per limit of a series that can be forecast, or that is beyond its limit now; for a limit that is NaN, or
    of a series without values, there is none.

    `history`: unique_id, ds, y by day (or by longer steps), as for `forecasts.forecast`, with stepped_at, lowest and
    highest where they are known, and low and high: the smallest and largest single value (y where there is one value);
    `limits`: unique_id, limit (unit of the series) and side ("upper" or "lower": on which side it is bad; the limit
    itself is still good).

    The level of a day is the median of the seven days around it. Columns of the table: unique_id, limit, side,
    last_value (median of the last 7 values since the last step), already_breached (that value is beyond the limit),
    breach_date, earliest and latest (by when the level passes the limit with a probability of 50, 2.5 and 97.5 %; NaT
    beyond 30 days), level_by_1, level_by_7 and level_by_30 (probability that the level passes the limit within so many
    days), value_by_1 and so on (that any single value lies beyond it), horizon_end (the last day looked at).
    Probabilities within less than a step are NaN. Of a series that is beyond its limit now all dates are that of the
    last observation, and all probabilities 1.

    A series is a level, a line that goes on, flattens or has ended, or a step, each with its probability, or it rises
    and falls back again and again (see `shapes` and `restarts`); 500 courses are drawn from that.

    Raises ValueError for missing columns and, naming the series, for an unknown side and for several values a day.
    """
    missing = {"unique_id", "limit", "side"} - set(limits.columns)
    if missing:
        raise ValueError(f"limits lack the columns {sorted(missing)}")
    unknown = limits[~limits["side"].isin(list(SIDES))]
    if not unknown.empty:
        first = unknown.iloc[0]
        raise ValueError(f"limit of series {first['unique_id']!r}: side is {first['side']!r}, not 'upper' or 'lower'")
    recent = _recent_values(history)
    usable = limits[limits["limit"].notna() & limits["unique_id"].isin(recent.index)]
    now = recent.loc[usable["unique_id"]]
    sign = usable["side"].map(SIDES).to_numpy(dtype=np.float64)
    beyond = sign * (now["value"].to_numpy() - usable["limit"].to_numpy(dtype=np.float64)) > 0
    table = usable[["unique_id", "limit", "side"]].assign(last_value=now["value"].to_numpy(), already_breached=beyond)
    rows, paths = [_seen(table[beyond], now["ds"][beyond])], []
    own = history[history["unique_id"].isin(table["unique_id"])]
    known = _Known.of(own)
    for panel in grids.panels(own):
        if not panel.monthly and panel.step < _DAY_US:
            raise ValueError(f"series {panel.ids[0]!r} has several values a day; give it by day, with low and high")
        for part, size in _parts(panel):
            found, ahead = _ahead(part, size, table[table["unique_id"].isin(part.ids)], known)
            rows.append(found[~found["already_breached"]])
            paths.append(ahead)
    found = pd.concat([part for part in rows if len(part)] or rows[:1], ignore_index=True)
    found = found.sort_values(["unique_id", "side"], ignore_index=True)[list(BREACH_COLUMNS)]
    shown = [part for part in paths if len(part)]
    return Outlook(
        found.astype(dict.fromkeys(_DATES, "datetime64[us]")),
        pd.concat(shown, ignore_index=True) if shown else pd.DataFrame(columns=list(COURSE_COLUMNS)),
    )


def _recent_values(history: pd.DataFrame) -> pd.DataFrame:
    """By unique_id: `value`, the median of the last observations since the last step, and `ds` of the last one."""
    observed = history[np.isfinite(history["y"].to_numpy(dtype=float))].sort_values(["unique_id", "ds"])
    if "stepped_at" in observed:
        # Of a step within the last bucket, that bucket is all there is.
        newest = observed["ds"] == observed.groupby("unique_id")["ds"].transform("max")
        observed = observed[newest | observed["stepped_at"].isna() | (observed["ds"] >= observed["stepped_at"])]
    last = observed.groupby("unique_id").tail(_LEVEL)
    return last.groupby("unique_id").agg(value=("y", "median"), ds=("ds", "max"))


def _seen(rows: pd.DataFrame, dates: pd.Series) -> pd.DataFrame:
    certain = {name: 1.0 for name in BREACH_COLUMNS if "_by_" in name}
    return rows.assign(**certain, **dict.fromkeys(_DATES, dates.to_numpy()))


@dataclass(frozen=True)
class _Known:
    """What is known of each series beside its values: by how much the smallest and the largest single value of a place
    lay below and above its value, in the newest places, and the bounds (lowest, highest)."""

    below: Mapping[str, FloatArray]
    above: Mapping[str, FloatArray]
    bounds: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, history: pd.DataFrame) -> _Known:
        own = history[np.isfinite(history["y"].to_numpy(dtype=np.float64))].sort_values(["unique_id", "ds"])
        newest = own.groupby("unique_id").tail(_NEWEST)
        away = {
            "low": newest["y"] - newest.get("low", newest["y"]),
            "high": newest.get("high", newest["y"]) - newest["y"],
        }
        below, above = (
            {str(name): part.fillna(0.0).to_numpy() for name, part in away[end].groupby(newest["unique_id"])}
            for end in ("low", "high")
        )
        found = borne_out_bounds(own)
        bounds = {} if found is None else {str(row.Index): (row.lowest, row.highest) for row in found.itertuples()}
        return cls(below, above, bounds)


def _parts(panel: grids.Panel) -> Iterator[tuple[grids.Panel, int]]:
    """Some series of the panel, without gaps, and the number of newest places that their courses rest on: those since
    the last step, where they are enough."""
    values = without_gaps(panel.values, panel.seasons[0])
    size = values.shape[1]
    since = size - panel.level_from
    rests_on = np.where((panel.level_from > 0) & (since >= _SHORTEST), since, size)
    # Few lengths, so that many series share their shapes.
    ladder = np.array([length for length in grids.LENGTHS if length <= _LONGEST])
    rests_on = ladder[np.searchsorted(ladder, rests_on, side="right") - 1]
    for length in np.unique(rests_on):
        rows = np.flatnonzero(rests_on == length)
        for begin in range(0, rows.size, _AT_ONCE):
            own = rows[begin : begin + _AT_ONCE]
            yield (
                replace(
                    panel,
                    ids=panel.ids[own],
                    values=values[own],
                    last=panel.last[own],
                    level_from=panel.level_from[own],
                ),
                int(length),
            )


def _ahead(panel: grids.Panel, size: int, limits: pd.DataFrame, known: _Known) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the table for `limits` of the series of the panel, and the courses to show."""
    steps = [_steps_within(panel, days) for days in DAYS]
    dates = panel.dates(steps[-1] + _HALF)
    paths = _paths(panel, size, dates.shape[1], limits, known)
    dates = dates[:, : steps[-1]]
    place = {str(name): row for row, name in enumerate(panel.ids)}
    rows = np.array([place[name] for name in limits["unique_id"]], dtype=np.intp)
    level, single = np.zeros((2, len(rows), steps[-1]))
    for number, (row, own, side) in enumerate(zip(rows.tolist(), limits["limit"], limits["side"], strict=True)):
        if row in paths:
            # What differs by rounding is at the limit, not beyond it.
            limit = own + SIDES[side] * _ROUNDING * np.abs(panel.values[row]).max()
            sign, swings = SIDES[side], known.above if side == "upper" else known.below
            swing = sign * swings[str(panel.ids[row])]
            level[number] = _passed(sign * (_levels(panel.values[row], paths[row]) - limit) > 0)
            picks = (chance().picks[:, : steps[-1]] * swing.size).astype(np.intp)
            single[number] = _passed(sign * (paths[row][:, : steps[-1]] + swing[picks] - limit) > 0)
    table = limits.assign(
        **{name: _first(level, dates[rows], share) for name, share in zip(_DATES, _SHARES, strict=False)},
        **{f"level_by_{days}": _by(level, step) for days, step in zip(DAYS, steps, strict=True)},
        **{f"value_by_{days}": _by(single, step) for days, step in zip(DAYS, steps, strict=True)},
        horizon_end=dates[rows, -1],
    )
    likely = sorted({row for row, chances in zip(rows.tolist(), level, strict=True) if chances[-1] >= _SHOWN_FROM})
    return table, _shown(panel, likely, paths, dates)


def _steps_within(panel: grids.Panel, days: int) -> int:
    """Places ahead that lie within so many days; of a longer step at least one within the last of DAYS."""
    ahead = panel.dates(days)[0]
    within = int((ahead - panel.last[0] <= np.timedelta64(days, "D")).sum())
    return max(within, 1) if days == DAYS[-1] else within


def _paths(panel: grids.Panel, size: int, ahead: int, limits: pd.DataFrame, known: _Known) -> dict[int, FloatArray]:
    """Courses, shape (draws, ahead), of the rows of the panel that may come to a limit at all."""
    values, season = _without_season(panel, ahead)
    past = values[:, -size:]
    # Where a step is too young, what was before it says how values scatter, and not how high they are.
    late = np.maximum(panel.level_from - (panel.values.shape[1] - size), 0)
    past, _ = on_one_level(past, late, 1)
    shape = shapes(size, ahead)
    of_limits = limits.groupby(["unique_id", "side"])["limit"].first().unstack()
    of_limits = of_limits.reindex(index=panel.ids, columns=["upper", "lower"]).to_numpy(dtype=np.float64)
    found = explained(past, _away(past, of_limits), shape)
    low, high = reach(found, shape, ahead)
    above, below = (np.array([part[str(name)].max() for name in panel.ids]) for part in (known.above, known.below))
    reached = high + season.max(axis=1) + above > of_limits[:, 0]
    reached |= low + season.min(axis=1) - below < of_limits[:, 1]
    paths = {}
    for row in range(len(panel.ids)):
        again = cycles(values[row])
        if again is not None:
            paths[row] = courses_of_cycles(again, ahead) + season[row]
    drawn = np.array([row for row in np.flatnonzero(reached) if row not in paths], dtype=np.intp)
    if drawn.size:
        courses_of = courses(past[drawn, -1], found.part(drawn), shape, ahead) + season[drawn, None, :]
        paths |= dict(zip(drawn.tolist(), courses_of, strict=True))
    return {row: np.clip(path, *known.bounds.get(str(panel.ids[row]), _FREE)) for row, path in paths.items()}


def _away(past: FloatArray, limits: FloatArray) -> FloatArray:
    """How far the nearer of the limits, shape (s, 2), is from where each series was, shape (s,)."""
    low, high = np.quantile(past, [0.25, 0.75], axis=1)
    away = np.nanmin(np.abs(limits - np.stack((low, high), axis=1)), axis=1)
    return np.asarray(np.maximum(away, high - low))


def _without_season(panel: grids.Panel, ahead: int) -> tuple[FloatArray, FloatArray]:
    """The values without their profile, and the profile over the places ahead."""
    (count, size), cycle = panel.values.shape, panel.seasons[0]
    if cycle == 1:
        return panel.values, np.zeros((count, ahead))
    task = Task(panel.values, (size,), 1, ahead, cycle, 0)
    profile, _ = profile_before(task, size)
    return panel.values - np.tile(profile, (1, -(-size // cycle)))[:, -size:], task.repeated(profile)


def _levels(past: FloatArray, path: FloatArray) -> FloatArray:
    """Median of the seven places around each place ahead but the last three, shape (draws, ahead - 3)."""
    joined = np.concatenate((np.broadcast_to(past[-_HALF:], (len(path), _HALF)), path), axis=1)
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(joined, _LEVEL, axis=1), axis=2))


def _passed(beyond: npt.NDArray[np.bool_]) -> FloatArray:
    """Share of courses that have been beyond by each place, shape (places,)."""
    return np.asarray(np.logical_or.accumulate(beyond, axis=1).mean(axis=0))


def _first(chances: FloatArray, dates: npt.NDArray[np.datetime64], share: float) -> npt.NDArray[np.datetime64]:
    """Date by which the chance, shape (n, places), reaches the share, between two places in proportion; NaT if it does
    not."""
    there = chances >= share
    place = there.argmax(axis=1)
    rows = np.arange(len(dates))
    after, before = chances[rows, place], np.where(place > 0, chances[rows, place - 1], share)
    part = np.divide(share - before, after - before, out=np.ones(len(rows)), where=after > before)
    earlier = dates[rows, np.maximum(place - 1, 0)]
    step = (dates[rows, place] - earlier) / np.timedelta64(1, "s")
    first = earlier + np.where(place > 0, np.rint(part * step), 0.0).astype("timedelta64[s]")
    return np.where(there.any(axis=1), first, np.datetime64("NaT"))


def _by(chances: FloatArray, step: int) -> FloatArray:
    return chances[:, step - 1] if step else np.full(len(chances), np.nan)


def _shown(
    panel: grids.Panel, rows: Sequence[int], paths: Mapping[int, FloatArray], dates: npt.NDArray[np.datetime64]
) -> pd.DataFrame:
    parts = []
    for row in rows:
        ends = np.quantile(paths[row][:, : dates.shape[1]], _QUANTILES, axis=0)
        columns = dict(zip(COURSE_COLUMNS[2:], ends, strict=True))
        parts.append(pd.DataFrame({"unique_id": panel.ids[row], "ds": dates[row], **columns}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COURSE_COLUMNS))
