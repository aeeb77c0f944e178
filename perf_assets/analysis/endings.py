"""How changes end: another level followed, the old level came back, or it came back within a day: an incident. And
which changes are no more than such an end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.statistics import FloatArray

TimeArray = npt.NDArray[np.datetime64]
BoolArray = npt.NDArray[np.bool_]

_INCIDENT = np.timedelta64(24, "h")
"""How long an incident lasts at most."""
_SEVERAL_A_DAY = np.timedelta64(8, "h")
"""Distance of measurements up to which there are several a day."""
_LARGEST_P_VALUE = 0.05
"""Of the change that brings a level back, as chance moves a level, too."""
_SHORT_LEVEL = 12
"""Values from which a level is one that later ones are held against."""


@dataclass(frozen=True)
class Endings:
    """Of k changes, each array of shape (k,): when the old level came back, NaT while it has not; whether any other
    level followed; and whether the change was an incident.
    """

    recovered_at: TimeArray
    followed: BoolArray
    incident: BoolArray


def endings(rows: pd.DataFrame, changes: pd.DataFrame, thresholds: FloatArray, fewest: int) -> Endings:
    """How the changes `rows` ended, by the later ones among `changes` of the same series and part of the day.

    `rows`: k changes with series_id, part_of_day, changed_at, previous_at, before, after, change (NaN from a level of
    0), last_good_commit, first_bad_commit; `changes`: rows of change_points; `thresholds`, shape (k,): relative change
    that counts. A level is back where a later level of at least `fewest` measurements, or one that has ended, lies
    within the threshold of the old one (of a level of 0: within half of the way) or on its other side, and the change
    to it is significant by itself. An incident is a change that was back within a day, in a series that is measured
    several times a day and not once a commit: histories by commit have no incidents.
    """
    before, after = (rows[name].to_numpy(dtype=np.float64) for name in ("before", "after"))
    known = rows["change"].notna().to_numpy()
    near = np.where(known, thresholds * np.abs(before), np.abs(after - before) / 2.0)
    own = rows.reset_index(drop=True).rename_axis("number").reset_index()
    columns = ["series_id", "part_of_day", "changed_at", "after", "p_value", "points_after"]
    later = own[["number", "series_id", "part_of_day", "changed_at"]].merge(
        changes[columns].assign(followed=_followed(changes)), on=["series_id", "part_of_day"], suffixes=("", "_later")
    )
    later = later[later["changed_at_later"] > later["changed_at"]]
    of = later["number"].to_numpy(dtype=np.intp)
    excess = (later["after"].to_numpy(dtype=np.float64) - before[of]) * np.sign(after - before)[of]
    level = (later["points_after"] >= fewest) | later["followed"]
    back = later[(excess < near[of]) & level & (later["p_value"] <= _LARGEST_P_VALUE)]
    recovered = back.groupby("number")["changed_at_later"].min().reindex(np.arange(len(rows)))
    recovered_at = recovered.to_numpy(dtype="datetime64[us]")
    at, previous = (rows[name].to_numpy(dtype="datetime64[us]") for name in ("changed_at", "previous_at"))
    commits = rows["first_bad_commit"].notna() & (rows["first_bad_commit"] != rows["last_good_commit"])
    return Endings(
        recovered_at=recovered_at,
        followed=np.isin(np.arange(len(rows)), of),
        incident=(recovered_at - at <= _INCIDENT) & (at - previous <= _SEVERAL_A_DAY) & ~commits.to_numpy(dtype=bool),
    )


def restoring(findings: pd.DataFrame, changes: pd.DataFrame, thresholds: FloatArray) -> BoolArray:
    """Which findings only bring back what was there before: they end a level of a few values and lead to where the
    values were before it, or further back; or they are the improvement by which a regression recovered, and go no
    further than to the level that it had left. Shape (findings,).

    `findings`: rows of regressions; `changes`: rows of change_points; `thresholds`, shape (findings,): relative change
    that counts.
    """
    # A table without a time among its rows does not know that its column is one.
    known = findings.astype({"first_bad_at": "datetime64[us]", "recovered_at": "datetime64[us]"})
    return np.asarray(_ends_short_level(known, changes, thresholds) | _ends_regression(known, thresholds))


def _ends_short_level(findings: pd.DataFrame, changes: pd.DataFrame, thresholds: FloatArray) -> BoolArray:
    keys = ["series_id", "part_of_day"]
    own = changes.sort_values([*keys, "position"])
    earlier = own.groupby(keys)[["position", "before"]].shift().add_prefix("earlier_")
    own = pd.concat((own, earlier), axis=1)[[*keys, "changed_at", "position", *earlier.columns]]
    known = findings.merge(own, how="left", left_on=[*keys, "first_bad_at"], right_on=[*keys, "changed_at"])
    short = known["position"] - known["earlier_position"] < _SHORT_LEVEL
    beyond = (known["after"] - known["earlier_before"]) * np.sign(known["after"] - known["before"])
    near = thresholds * known["earlier_before"].abs()
    return np.asarray(short & (beyond < near), dtype=np.bool_)


def _ends_regression(findings: pd.DataFrame, thresholds: FloatArray) -> BoolArray:
    over = findings.loc[
        (findings["kind"] == "regression") & findings["recovered_at"].notna(),
        ["series_id", "recovered_at", "before", "after"],
    ]
    pairs = (
        findings.reset_index(drop=True)
        .rename_axis("row")
        .reset_index()
        .merge(
            over, left_on=["series_id", "first_bad_at"], right_on=["series_id", "recovered_at"], suffixes=("", "_once")
        )
    )
    # A share of nothing is nothing; what is back at a level of 0 is a share of the regression away from it at most.
    level = pairs["before_once"].abs().where(pairs["before_once"] != 0, pairs["after_once"].abs())
    near = thresholds[pairs["row"]] * level
    left = (pairs["after"] - pairs["before_once"]).abs()
    rows = pairs.loc[(pairs["kind"] == "improvement") & (left < near), "row"]
    return np.isin(np.arange(len(findings)), rows)


def _followed(changes: pd.DataFrame) -> BoolArray:
    """Does a later change of the same series and part of the day follow?"""
    last = changes.groupby(["series_id", "part_of_day"])["changed_at"].transform("max")
    return np.asarray(changes["changed_at"] < last)
