"""Changes and commits: a change of code lies between two commits, never among the repeated runs of one.

Where a commit is measured several times, its first runs may by chance look like those of the commit before. The place
of such a change is moved to the boundary of two commits that explains the values best. A change inside the many runs of
one commit is left where it is: the code was the same, so something else changed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.ragged import IndexArray
from perf_assets.analysis.statistics import FloatArray

MANY = 4
"""Runs of one commit on either side of a change from which both levels are its own and not a matter of chance."""


def place_between_commits(changes: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """`changes` with those that lie among the runs of one commit moved to the boundary of two commits, where one is
    near enough.

    `changes`: rows with the columns of change_points; `measurements`: series_id, run_id, ts, value, commit_id (null
    where unknown) of whole series, sorted by series and time; of series that are not there nothing is moved. Changes of
    a part of the day stay: they say nothing of the runs between.
    """
    if changes.empty or measurements.empty:
        return changes
    moved = changes.reset_index(drop=True)
    whole_day = moved[moved["part_of_day"] == ALL_DAY].sort_values(["series_id", "position"])
    rows = {key: places.to_numpy(dtype=np.intp) for key, places in whole_day.groupby("series_id").groups.items()}
    for series_id, own in measurements.groupby("series_id", sort=True):
        if series_id in rows:
            _move(moved, rows[series_id], own)
    return moved


def _move(changes: pd.DataFrame, rows: IndexArray, own: pd.DataFrame) -> None:
    """Move changes (`rows`, in order of place) of one series in place."""
    values, ts, run_ids = (own[name].to_numpy() for name in ("value", "ts", "run_id"))
    commits = pd.factorize(own["commit_id"])[0]
    position = changes["position"].to_numpy(dtype=np.intp)[rows]
    low, high = (
        np.searchsorted(ts, changes[name].to_numpy(dtype=ts.dtype)[rows])
        for name in ("changed_at_low", "changed_at_high")
    )
    edges = [0, *position, values.size]
    for number, row in enumerate(rows):
        # The places of changes already moved count as edges of the next.
        span = (edges[number], edges[number + 2])
        place = between_commits(values, commits, position[number], (low[number], high[number]), span)
        if place == position[number]:
            continue
        edges[number + 1] = place
        changes.loc[row, ["index_run_id", "previous_run_id"]] = run_ids[[place, place - 1]]
        changes.loc[row, ["changed_at", "previous_at"]] = ts[[place, place - 1]]
        changes.loc[row, "changed_at_low"] = min(changes.loc[row, "changed_at_low"], pd.Timestamp(ts[place]))
        changes.loc[row, "changed_at_high"] = max(changes.loc[row, "changed_at_high"], pd.Timestamp(ts[place]))
        changes.loc[row, "points_after"] += position[number] - place
        changes.loc[row, "position"] = place


def between_commits(
    values: FloatArray, commits: npt.NDArray[np.int64], index: int, interval: tuple[int, int], span: tuple[int, int]
) -> int:
    """The index at which a change at `index` (first value of the new level) lies between two commits.

    `values` and `commits` (equal numbers for equal commits, negative for unknown ones) have shape (n,); `interval` is
    that of the place, both ends included; `span` are the first index of the level before and the end of the one after.
    The boundaries in the interval are candidates, and the ends of the commit's block of runs from which fewer than MANY
    of its runs part the change. The one with the smallest sum of absolute deviations from the medians on both sides is
    taken; `index` itself where there is none, or where it is such a boundary already.
    """
    if commits[index] != commits[index - 1] or commits[index] < 0:
        return index
    places = list(_candidates(commits, index, interval, span))
    return min(
        places, key=lambda place: (_misfit(values[slice(*span)], place - span[0]), abs(place - index)), default=index
    )


def _candidates(
    commits: npt.NDArray[np.int64], index: int, interval: tuple[int, int], span: tuple[int, int]
) -> Iterator[int]:
    boundaries = np.flatnonzero(np.diff(commits[slice(*span)])) + span[0] + 1
    inside = (interval[0] <= boundaries) & (boundaries <= interval[1])
    # Of two changes inside one commit's runs the first may be the end of the other's span, and no boundary.
    beside = np.searchsorted(boundaries, index)
    ends = np.arange(boundaries.size)
    near = ((ends == beside - 1) | (ends == beside)) & (np.abs(boundaries - index) < MANY)
    yield from (int(place) for place in boundaries[inside | near])


def _misfit(values: FloatArray, cut: int) -> float:
    return float(sum(np.abs(side - np.median(side)).sum() for side in (values[:cut], values[cut:])))
