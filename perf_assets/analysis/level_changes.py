"""Change points of a whole fleet: seasons removed, parts of the day looked at, false discoveries controlled."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from perf_assets.analysis.change_points import describe, detect
from perf_assets.analysis.seasonality import TimeArray, deseasonalise, hour_of_day
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg

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

CHANGE_COLUMNS = (
    "series_id", "index_run_id", "part_of_day", "position", "changed_at", "changed_at_low", "changed_at_high",
    "previous_run_id", "previous_at", "before", "after", "size", "size_low", "size_high", "p_value", "q_value",
    "points_after", "kind",
)  # fmt: skip


def find_change_points(measurements: pd.DataFrame) -> pd.DataFrame:
    """Change points of every series.

    `measurements`: series_id, run_id, ts (datetime64), value; sorted by series and time. Returns one row a change
    point with the columns CHANGE_COLUMNS; levels and sizes in the series' unit. A change that only part of the day
    shows is reported for that part, in place of its faint trace in the whole series. `q_value` is over all series:
    a series without change enters the family with p = 1 (Benjamini & Hochberg 1995).
    """
    ids = measurements["series_id"].to_numpy()
    edges = np.unique(np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1, [ids.size])))
    found = []
    quiet = 0
    for start, end in pairwise(edges):
        part = measurements.iloc[start:end]
        changes = _changes_of(part)
        quiet += changes.empty
        if not changes.empty:
            found.append(changes)
    if not found:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    table = pd.concat(found, ignore_index=True)
    family = np.concatenate((table["p_value"].to_numpy(dtype=np.float64), np.ones(quiet)))
    table["q_value"] = benjamini_hochberg(family)[: len(table)]
    return table[list(CHANGE_COLUMNS)]


def _changes_of(series: pd.DataFrame) -> pd.DataFrame:
    ts = series["ts"].to_numpy()
    values = series["value"].to_numpy(dtype=np.float64)
    whole = deseasonalise(ts, values)
    indices = detect(whole)
    partial = _partial_changes(ts, values)
    if not indices.size and partial.empty:
        return partial  # most series: no table need be made of nothing
    changes = describe(whole, indices).assign(part_of_day=ALL_DAY)
    if not partial.empty:
        near = pd.Series(
            [bool(((partial["low"] <= row.high) & (partial["high"] >= row.low)).any()) for row in changes.itertuples()],
            index=changes.index,
            dtype=bool,
        )
        changes = pd.concat((changes[~near], partial), ignore_index=True)
    if changes.empty:
        return changes
    position = changes["index"].to_numpy(dtype=np.intp)
    previous = position - 1
    run_ids = series["run_id"].to_numpy()
    return changes.assign(
        series_id=series["series_id"].iloc[0],
        index_run_id=run_ids[position],
        position=position,
        changed_at=ts[position],
        changed_at_low=ts[changes["low"].to_numpy(dtype=np.intp)],
        changed_at_high=ts[changes["high"].to_numpy(dtype=np.intp)],
        previous_run_id=run_ids[previous],
        previous_at=ts[previous],
    )


def _partial_changes(ts: TimeArray, values: FloatArray) -> pd.DataFrame:
    """Changes of one part of the day against the rest of it, on the daily means of the difference.

    The part with the clearest change wins, as a change in one part also moves what the others are held against.
    """
    days = ts.astype("datetime64[D]")
    first_day = days[0]
    span = int((days[-1] - first_day).astype(np.int64)) + 1
    if span < _FEWEST_DAYS or values.size / span < _FEWEST_A_DAY:
        return pd.DataFrame()
    day = (days - first_day).astype(np.int64)
    hours = hour_of_day(ts)
    found = []
    for name, (start, end) in PARTS_OF_DAY.items():
        inside = (hours >= start) & (hours < end)
        means = _daily_means(values, day, inside, span)
        differences = means - _daily_means(values, day, ~inside, span)
        cuts = detect(differences)
        if not cuts.size:
            continue
        table = describe(differences, cuts)
        for row in table.to_dict("records"):
            changed = _changed_hours(values, day, hours, inside, int(row["index"]))
            sharper = _daily_means(values, day, changed, span) - _daily_means(values, day, ~inside, span)
            row |= _relocated(sharper, int(row["index"]))
            edges = [_first_measurement(ts, changed, day, int(row[key])) for key in ("index", "low", "high")]
            before = float(np.nanmean(means[: int(row["index"])][-_FEWEST_DAYS:]))
            row |= {"index": edges[0], "low": edges[1], "high": edges[2], "part_of_day": name}
            row |= {"before": before, "after": before + row["size"]}
            row["points_after"] = int(np.count_nonzero(inside[edges[0] :]))
            found.append(row | {"clarity": abs(row["size"]) / max(row["size_high"] - row["size_low"], 1e-300)})
    if not found:
        return pd.DataFrame()
    table = pd.DataFrame(found).sort_values("clarity", ascending=False)
    kept: list[int] = []
    for row in table.itertuples():
        if all(table.loc[k, "low"] > row.high or table.loc[k, "high"] < row.low for k in kept):
            kept.append(int(row.Index))
    return table.loc[kept].drop(columns="clarity").sort_values("index", ignore_index=True)


def _daily_means(values: FloatArray, day: np.ndarray, chosen: np.ndarray, span: int) -> FloatArray:
    usable = chosen & np.isfinite(values)
    counts = np.bincount(day[usable], minlength=span)
    sums = np.bincount(day[usable], weights=values[usable], minlength=span)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _changed_hours(values: FloatArray, day: np.ndarray, hours: np.ndarray, inside: np.ndarray, cut: int) -> np.ndarray:
    """Mask of the values in those hours of the part that moved at least half as far as the one that moved most."""
    effects = {
        int(hour): float(
            np.nanmean(values[(hours == hour) & (day >= cut)]) - np.nanmean(values[(hours == hour) & (day < cut)])
        )
        for hour in np.unique(hours[inside])
        if np.isfinite(values[(hours == hour) & (day >= cut)]).any()
        and np.isfinite(values[(hours == hour) & (day < cut)]).any()
    }
    largest = max(effects.values(), key=abs, default=0.0)
    moved = [hour for hour, effect in effects.items() if effect * np.sign(largest) >= abs(largest) / 2]
    return inside & np.isin(hours, moved) if moved else inside


def _relocated(differences: FloatArray, day: int) -> dict[str, int]:
    """The day of change in the sharper series of the changed hours, where it is found within 3 days of `day`."""
    found = describe(differences, [cut for cut in detect(differences) if abs(cut - day) <= 3])
    return {key: int(found[key].iloc[0]) for key in ("index", "low", "high")} if len(found) else {}


def _first_measurement(ts: TimeArray, chosen: np.ndarray, day: np.ndarray, first: int) -> int:
    """Index of the first of the chosen measurements from day `first` on."""
    return int(np.flatnonzero(chosen & (day >= first))[0]) if (chosen & (day >= first)).any() else ts.size - 1
