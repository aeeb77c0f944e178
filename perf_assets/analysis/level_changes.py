"""Change points of a whole fleet: seasons removed, parts of the day looked at, false discoveries controlled."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.change_points import describe, detect, detect_many, find_many
from perf_assets.analysis.modes import second_mode
from perf_assets.analysis.seasonality import TimeArray, deseasonalise_many, hour_of_day
from perf_assets.analysis.segmentation import ONE_LEVEL
from perf_assets.analysis.sensitivity import find_detection_limits
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg
from perf_assets.analysis.stretches import BoolArray, IndexArray
from perf_assets.tables import CHANGE_POINTS

ALL_DAY = "all day"
PARTS_OF_DAY = {
    "night 00-06 UTC": (0, 6),
    "morning 06-12 UTC": (6, 12),
    "afternoon 12-18 UTC": (12, 18),
    "evening 18-24 UTC": (18, 24),
}
_FEWEST_A_DAY = 12.0
"""Measurements a day from which parts of the day can be told apart."""
_FEWEST_DAYS = 14
_DAYS_BESIDE = 1
"""What other parts of the day show within as many days of a change is that change seen from there."""

CHANGE_COLUMNS = CHANGE_POINTS.names


def find_change_points(measurements: pd.DataFrame) -> pd.DataFrame:
    """Change points of every series.

    `measurements`: series_id, run_id, ts (datetime64), value; sorted by series and time; and, if wanted, `known`: a
    change that begins with the measurement was confirmed before and stays a change point. Returns one row a change
    point with the columns CHANGE_COLUMNS; levels and sizes in the series' unit. A change that only part of the day
    shows is reported for that part, in place of its faint trace in the whole series. `q_value` is over these series;
    of a fleet that is analysed in parts, `with_q_values` takes the whole.
    """
    if measurements.empty:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    ids = measurements["series_id"].to_numpy()
    ts = measurements["ts"].to_numpy()
    values = measurements["value"].to_numpy(dtype=np.float64)
    edges = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1, [ids.size]))
    partial = _partial_changes([(ts[start:end], values[start:end]) for start, end in pairwise(edges)])
    level = _without_seasons(ts, _without_partial(ts, values, edges, partial), edges)
    table = find_many(level, edges, known=_known(measurements, edges)).assign(part_of_day=ALL_DAY)
    table = _with_modes(table, level, edges)
    if not partial.empty:
        table = pd.concat((table[~_traces(table, partial)], partial), ignore_index=True)
    if table.empty:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    table = table.sort_values(["series", "index"], ignore_index=True)
    first = edges[table["series"].to_numpy(dtype=np.intp)]
    position, low, high = (first + table[name].to_numpy(dtype=np.intp) for name in ("index", "low", "high"))
    run_ids = measurements["run_id"].to_numpy()
    found = table.assign(
        series_id=ids[first],
        index_run_id=run_ids[position],
        position=position - first,
        changed_at=ts[position],
        changed_at_low=ts[low],
        changed_at_high=ts[high],
        previous_run_id=run_ids[position - 1],
        previous_at=ts[position - 1],
    )
    return with_q_values(found, edges.size - 1)[list(CHANGE_COLUMNS)]


def _without_seasons(ts: TimeArray, values: FloatArray, edges: IndexArray) -> FloatArray:
    """`values` without the daily and weekly profiles of those series that levels alone explain less well.

    A few steps make weekdays differ, and taking that out moves the steps. Of both accounts of a series, levels with a
    profile and levels without, the one with the smaller Bayesian information criterion is right (Schwarz 1978,
    Estimating the dimension of a model), with distances from the medians of the levels, as outliers are in both.
    """
    level = deseasonalise_many(ts, values, edges)
    moved = np.isfinite(values) & (level != values)
    taken = [k for k in range(edges.size - 1) if moved[edges[k] : edges[k + 1]].any()]
    own = [slice(edges[k], edges[k + 1]) for k in taken]
    accounts = [_account([each[inside] for inside in own]) for each in (values, level)]
    for inside, (steps, of_steps), (rest, of_rest) in zip(own, *accounts, strict=True):
        seasonal = (values - level)[inside][np.isfinite(values[inside])]
        profile = np.unique(np.round(seasonal / np.abs(seasonal).max(), 9)).size - 1
        parameters = 2.0 * (of_steps - of_rest) - profile
        if 2.0 * seasonal.size * np.log(rest / steps) > parameters * np.log(seasonal.size):
            level[inside] = values[inside]
    return level


def _account(series: Sequence[FloatArray]) -> list[tuple[float, int]]:
    """Of each series: mean distance of its values from the medians of its levels, and how many change points it has."""
    offsets = np.cumsum([0, *(values.size for values in series)])
    found = detect_many(np.concatenate([*series, np.empty(0)]), offsets)
    accounts = []
    for values, cuts in zip(series, found, strict=True):
        parts = [part[np.isfinite(part)] for part in np.split(values, cuts)]
        least = 1e-9 * max(np.abs(part).max(initial=0.0) for part in parts) + 1e-300
        distances = np.concatenate([np.abs(part - np.median(part)) for part in parts if part.size])
        accounts.append((float(distances.mean()) + least, cuts.size))
    return accounts


def _with_modes(table: pd.DataFrame, level: FloatArray, edges: IndexArray) -> pd.DataFrame:
    """With `second_mode`, the level of the mode that a change brought or made more frequent, and its share of the
    values before and after; NaN where the values moved as a whole. A mode begins with its first value, if the interval
    of the change reaches so far.
    """
    series, index = (table[name].to_numpy(dtype=np.intp, copy=True) for name in ("series", "index"))
    first, ends = edges[series], edges[series + 1]
    place = first + index
    start, end = np.maximum(first, np.append(0, place[:-1])), np.minimum(ends, np.append(place[1:], level.size))
    modes, delays = np.full((3, len(table)), np.nan), np.zeros(len(table), dtype=np.intp)
    for row, sides in enumerate(zip(start, place, end, strict=True)):
        before, after = (level[left:right] for left, right in pairwise(sides))
        observed = np.flatnonzero(np.isfinite(after))
        found = second_mode(before[np.isfinite(before)], after[observed])
        if found is not None:
            modes[:, row] = found.level, found.share_before, found.share_after
            reached = index[row] + observed[found.delay] <= table["high"].iloc[row]
            delays[row] = found.delay * reached
            index[row] += observed[found.delay] * reached
    return table.assign(
        index=index,
        points_after=table["points_after"].to_numpy(dtype=np.intp) - delays,
        second_mode=modes[0],
        mode_before=modes[1],
        mode_after=modes[2],
    )


def _known(measurements: pd.DataFrame, edges: IndexArray) -> dict[int, IndexArray]:
    """By series: indices of the changes that were confirmed before."""
    if "known" not in measurements:
        return {}
    rows = np.flatnonzero(measurements["known"].to_numpy(dtype=bool))
    series = np.searchsorted(edges, rows, side="right") - 1
    return {int(one): rows[series == one] - edges[one] for one in np.unique(series)}


def analyse_levels(measurements: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(change points, detection limits) of the same measurements."""
    changes = find_change_points(measurements)
    return changes, find_detection_limits(measurements, changes)


def with_q_values(changes: pd.DataFrame, series: int) -> pd.DataFrame:
    """`changes` with `q_value` over a fleet of `series` series: those without change enter the family with p = 1.

    Source: Benjamini & Hochberg (1995), Controlling the false discovery rate.
    """
    quiet = max(series - changes["series_id"].nunique(), 0)
    family = np.concatenate((changes["p_value"].to_numpy(dtype=np.float64), np.ones(quiet)))
    return changes.assign(q_value=benjamini_hochberg(family)[: len(changes)])


def _without_partial(ts: TimeArray, values: FloatArray, edges: IndexArray, partial: pd.DataFrame) -> FloatArray:
    """`values` without the changes of parts of the day: a daily profile from before and after would fit neither."""
    rest = values.copy()
    for row in partial.to_dict("records"):
        later = slice(edges[row["series"]] + row["index"], edges[row["series"] + 1])
        rest[later] -= np.where(_hours_of(row["part_of_day"])[hour_of_day(ts[later])], row["size"], 0.0)
    return rest


def _traces(table: pd.DataFrame, partial: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows of `table` lie where a part of the day of the same series changed."""
    both = table.reset_index().merge(partial, on="series", suffixes=("", "_of_part"))
    same = both.loc[(both["low_of_part"] <= both["high"]) & (both["high_of_part"] >= both["low"]), "level_0"]
    return np.isin(np.arange(len(table)), same)


def _partial_changes(histories: Sequence[tuple[TimeArray, FloatArray]]) -> pd.DataFrame:
    """Changes of one part of the day against the rest of it, on the daily means of the difference; a row each, as
    `find_many` gives them, indices counting measurements.

    The part with the clearest change wins, as a change in one part also moves what the others are held against.
    """
    days = list(_days(histories))
    if not days:
        return pd.DataFrame()
    looks = [(series, day, name) for series, day in days for name in PARTS_OF_DAY]
    differences = [difference for _, day in days for difference in day.differences()]
    offsets = np.cumsum([0, *(values.size for values in differences)])
    together = np.concatenate(differences)
    # Both sides of the difference share what drifts, so the rival of a step is no step.
    table = find_many(together, offsets, ONE_LEVEL)
    if table.empty:
        return table
    rows = [_partial_change(looks[int(row["series"])], row) for row in table.to_dict("records")]
    found = pd.DataFrame(rows)
    found["clarity"] = found["size"].abs() / (found["size_high"] - found["size_low"]).clip(lower=1e-300)
    found = found.sort_values(["series", "clarity"], ascending=[True, False], ignore_index=True)
    kept: list[int] = []
    for row in found.itertuples():
        # By days: the parts of one day have no hour in common.
        rivals = found.loc[[k for k in kept if found.loc[k, "series"] == row.series]]
        if not ((rivals["first_day"] <= row.last_day) & (rivals["last_day"] >= row.first_day)).any():
            kept.append(int(row.Index))
    return (
        found.loc[kept]
        .drop(columns=["clarity", "first_day", "last_day"])
        .sort_values(["series", "index"], ignore_index=True)
    )


def _hours_of(part: str) -> BoolArray:
    start, end = PARTS_OF_DAY[part]
    return (np.arange(24) >= start) & (np.arange(24) < end)


@dataclass(frozen=True)
class _Days:
    """One series: the day, counted from the first, and the hour of each value; sums and counts by both, (days, 24)."""

    day: npt.NDArray[np.int64]
    hour: npt.NDArray[np.intp]
    sums: FloatArray
    counts: FloatArray

    @classmethod
    def of(cls, day: npt.NDArray[np.int64], hour: npt.NDArray[np.intp], values: FloatArray) -> _Days:
        known = np.isfinite(values)
        cell, cells = (day * 24 + hour)[known], (int(day[-1]) + 1) * 24
        sums = np.bincount(cell, weights=values[known], minlength=cells)
        counts = np.bincount(cell, minlength=cells)
        return cls(day, hour, *(np.asarray(of, dtype=np.float64).reshape(-1, 24) for of in (sums, counts)))

    def differences(self) -> FloatArray:
        """Daily means of each part of the day less those of the others, (parts, days); NaN for days without either."""
        parts = _HOURS_OF_PARTS.astype(np.float64)
        sums, counts = self.sums @ parts, self.counts @ parts
        other_sums, other_counts = self.sums.sum(axis=1) - sums.T, self.counts.sum(axis=1) - counts.T
        return _mean(sums.T, counts.T) - _mean(other_sums, other_counts)

    def means(self, hours: BoolArray) -> FloatArray:
        """Daily means of the values of these hours, NaN for days without; `hours` has shape (24,)."""
        return _mean(self.sums @ hours, self.counts @ hours)

    def effects(self, cut: int) -> FloatArray:
        """Mean from day `cut` on less that before, of each hour, shape (24,); NaN for hours without values."""
        sides = (slice(None, cut), slice(cut, None))
        with np.errstate(divide="ignore", invalid="ignore"):
            before, after = (self.sums[side].sum(axis=0) / self.counts[side].sum(axis=0) for side in sides)
        return np.asarray(after - before)

    def first(self, hours: BoolArray, day: int) -> int:
        """Index of the first measurement of these hours from `day` on."""
        later = np.flatnonzero(hours[self.hour] & (self.day >= day))
        return int(later[0]) if later.size else self.day.size - 1


_HOURS_OF_PARTS = np.stack([_hours_of(part) for part in PARTS_OF_DAY], axis=1)


def _mean(sums: FloatArray, counts: FloatArray) -> FloatArray:
    return np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)


def _days(histories: Sequence[tuple[TimeArray, FloatArray]]) -> Iterator[tuple[int, _Days]]:
    """Series long and dense enough to tell parts of the day apart."""
    for series, (ts, values) in enumerate(histories):
        span = int((ts[-1].astype("datetime64[D]") - ts[0].astype("datetime64[D]")).astype(np.int64)) + 1
        if span >= _FEWEST_DAYS and values.size / span >= _FEWEST_A_DAY:
            days = ts.astype("datetime64[D]")
            yield series, _Days.of((days - days[0]).astype(np.int64), hour_of_day(ts), values)


def _partial_change(look: tuple[int, _Days, str], row: Mapping[Hashable, Any]) -> dict[str, object]:
    series, day, name = look
    part = _hours_of(name)
    changed = _changed_hours(day, part, int(row["index"]))
    sharper = day.means(changed) - day.means(~part)
    edges = {key: int(row[key]) for key in ("index", "low", "high")} | _relocated(sharper, int(row["index"]))
    index, low, high = (max(day.first(changed, edges[key]), 1) for key in ("index", "low", "high"))
    before = float(np.nanmean(day.means(part)[: edges["index"]][-_FEWEST_DAYS:]))
    return {
        **{str(key): value for key, value in row.items()},
        "series": series,
        "index": index,
        "low": low,
        "high": high,
        "part_of_day": name,
        "first_day": min(edges["low"], int(row["low"])) - _DAYS_BESIDE,
        "last_day": max(edges["high"], int(row["high"])) + _DAYS_BESIDE,
        "kind": "step",
        "before": before,
        "after": before + float(row["size"]),
        "points_after": int(np.count_nonzero(part[day.hour[index:]])),
    }


def _changed_hours(day: _Days, part: BoolArray, cut: int) -> BoolArray:
    """Those hours of the part that moved at least half as far as the one that moved most."""
    effects = np.where(part, np.nan_to_num(day.effects(cut)), 0.0)
    largest = effects[np.abs(effects).argmax()]
    moved = part & (effects * np.sign(largest) >= abs(largest) / 2)
    return moved if largest else part


def _relocated(differences: FloatArray, day: int) -> dict[str, int]:
    """The day of change in the sharper series of the changed hours, where it is found within 3 days of `day`."""
    found = describe(differences, [cut for cut in detect(differences) if abs(cut - day) <= 3])
    return {key: int(found[key].iloc[0]) for key in ("index", "low", "high")} if len(found) else {}
