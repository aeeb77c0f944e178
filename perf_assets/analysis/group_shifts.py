"""Shifts that no single series proves, but many together do: seven scenarios with two slower runs each.

The values of a group, each as a ratio to what is usual of its series, are one series of their own, and a change of its
level is a hypothesis of its own, in the family of the groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.change_points import describe, describe_many
from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.ragged import offsets_of
from perf_assets.analysis.regressions import (
    DIRECTED,
    MEMBER_COLUMNS,
    REGRESSION_COLUMNS,
    RegressionRules,
    id_of,
    more_measurements,
    no_findings,
)
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg

GROUP = "group"
"""Shape of a finding that only many series together show."""
FEWEST_SERIES, FEWEST_VALUES, MOST_VALUES = 3, 4, 60
"""Series of a group, and values of each: fewer have no level, and more show a shift by themselves."""
_SCOPES = (("project", "project"), ("test_type", "test_type"), ("node", "node_id"))
"""What a group has in common, the widest first."""
_LEAST_SHARE = 0.75
"""Share of the series measured on both sides that must have moved the same way."""
_MOST_KNOWN = 0.5
"""Share of the series that may have a finding of their own at that time before the group adds nothing."""
_NEAR = np.timedelta64(7, "D")


def find_group_shifts(
    measurements: pd.DataFrame, members: pd.DataFrame, series: pd.DataFrame, rules: RegressionRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(findings, members) with REGRESSION_COLUMNS and MEMBER_COLUMNS.

    Groups are the series of one metric and direction in a project, a kind of test of it, or a node. A group has shifted
    where its ratios have a change point that is significant over all groups (Benjamini & Hochberg 1995), and three of
    four of those of its series that have no finding of their own at that time went the same way, by as much as the
    rules ask in the middle. Where a wider group has, the narrower ones add nothing. `change` is that middle.

    `measurements`: series_id, ts, value, run_key, commit_id of series with FEWEST_VALUES to MOST_VALUES values;
    `members`: rows of regression_members, what is found without groups; `series`: rows of metric_series.
    """
    known = series[series["direction"].isin(DIRECTED)]
    groups = list(_groups(_ratios(measurements), known))
    if not groups:
        return no_findings()
    values = [group["ratio"].to_numpy(dtype=np.float64) for _, _, group in groups]
    places = [np.array([_best_place(one)], dtype=np.intp) for one in values]
    changes = describe_many(np.concatenate(values), offsets_of([one.size for one in values]), places)
    changes = changes.assign(q_value=benjamini_hochberg(changes["p_value"].to_numpy(dtype=np.float64)))
    found: list[tuple[dict[str, Any], pd.DataFrame]] = []
    for row in changes[changes["q_value"] <= rules.false_discovery_rate].to_dict("records"):
        scope, name, group = groups[int(row["series"])]
        shift = _shift(row, scope, name, group, known, members, rules)
        if shift is not None and not _part_of_a_wider(shift, found):
            found.append(shift)
    if not found:
        return no_findings()
    table = pd.DataFrame([finding for finding, _ in found]).reindex(columns=list(REGRESSION_COLUMNS))
    return table, pd.concat([own for _, own in found], ignore_index=True)[list(MEMBER_COLUMNS)]


def _best_place(values: FloatArray) -> int:
    """Where two levels explain the values best, each of at least FEWEST_SERIES values."""
    count = np.arange(1.0, values.size)
    sums = np.cumsum(values)[:-1]
    apart = np.abs(sums / count - (values.sum() - sums) / (values.size - count))
    gains = apart**2 * count * (values.size - count)
    inner = slice(FEWEST_SERIES - 1, values.size - FEWEST_SERIES)
    return int(gains[inner].argmax()) + FEWEST_SERIES


def _ratios(measurements: pd.DataFrame) -> pd.DataFrame:
    """Measurements with `ratio`, the logarithm of each to the median of its series, of series that are always positive:
    counts that are 0 now and then have no ratio, and those left out would be missed.
    """
    series = measurements.groupby("series_id")["value"]
    counts = series.transform("size")
    own = measurements[(counts >= FEWEST_VALUES) & (counts <= MOST_VALUES) & (series.transform("min") > 0)]
    usual = own.groupby("series_id")["value"].transform("median")
    return own.assign(ratio=np.log(own["value"] / usual))


def _groups(ratios: pd.DataFrame, series: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(scope, name, its measurements in order of time) of each group of enough series."""
    names = ["series_id", "project", "metric", "direction", "test_type", "node_id"]
    table = ratios.merge(series[names], on="series_id").sort_values(["ts", "series_id"], kind="stable")
    seen: set[tuple[int, ...]] = set()
    for scope, column in _SCOPES:
        keys = list(dict.fromkeys(["project", "metric", "direction", column]))
        for key, group in table.groupby(keys, sort=True):
            ids = tuple(sorted(group["series_id"].unique()))
            if len(ids) >= FEWEST_SERIES and ids not in seen and np.ptp(group["ratio"]) > 0:
                seen.add(ids)
                yield scope, str(key[keys.index(column)]), group.reset_index(drop=True)


def _shift(
    row: dict[str, Any],
    scope: str,
    name: str,
    group: pd.DataFrame,
    series: pd.DataFrame,
    told: pd.DataFrame,
    rules: RegressionRules,
) -> tuple[dict[str, Any], pd.DataFrame] | None:
    """The finding of one change of a group and its members, if it is large enough and most of the series share it.

    What series with findings of their own at that time (among `told`) show is no evidence for the others.
    """
    begins = group.iloc[int(row["index"])]
    later = group["ts"] >= begins["ts"]
    sides = [group[side].groupby("series_id")["value"].median() for side in (~later, later)]
    levels = pd.concat(sides, axis=1, keys=["before", "after"]).dropna().reset_index()
    rest = ~levels["series_id"].isin(_told_near(told, begins["ts"]))
    if rest.sum() < FEWEST_SERIES or 1.0 - rest.mean() > _MOST_KNOWN:
        return None
    if not rest.all():
        levels = levels[rest]
        own = group[group["series_id"].isin(levels["series_id"])]
        place = int((own["ts"] < begins["ts"]).sum())
        row = describe(own["ratio"].to_numpy(dtype=np.float64), [place]).iloc[0].to_dict() | {"q_value": row["q_value"]}
        if row["p_value"] > rules.false_discovery_rate:
            return None
    levels["change"] = levels["after"] / levels["before"] - 1.0
    change = float(levels["change"].median())
    alike = levels[np.sign(levels["change"]) == np.sign(row["size"])]
    large = abs(change) >= rules.threshold_of(str(begins["metric"])) and np.sign(change) == np.sign(row["size"])
    if not large or len(alike) < _LEAST_SHARE * len(levels):
        return None
    low, high = (float(np.expm1(np.log1p(change) + row[end] - row["size"])) for end in ("size_low", "size_high"))
    clearest = (alike["change"] - change).abs().idxmin()
    series_id = int(alike["series_id"][clearest])
    about = series.set_index("series_id").loc[series_id]
    worse = (change > 0) == (begins["direction"] == "lower_is_better")
    kind = "regression" if worse else "improvement"
    regression_id = id_of(f"{about['project']}/{scope}/{name}/{begins['metric']}/{kind}/{begins['run_key']}")
    last_good = group[~later].iloc[-1]
    settled = row["confirmed"] or row["points_after"] >= row["settles_after"]
    missing = int(row["settles_after"] - row["points_after"])
    finding = {
        **{column: about[column] for column in ("project", "metric", "unit", "simulated")},
        **{column: about[column] for column in ("test_name", "node_id", "node_type")},
        "regression_id": regression_id, "series_id": series_id, "shape": GROUP, "scope": scope, "scope_name": name,
        "cause": "unknown", "kind": kind, "state": "confirmed" if settled else "suspected",
        "waits_for": None if settled else more_measurements(missing), "part_of_day": ALL_DAY,
        "before": alike["before"][clearest], "after": alike["after"][clearest], "change": change, "change_low": low,
        "change_high": high, "p_value": row["p_value"], "q_value": row["q_value"],
        "last_good_run": last_good["run_key"], "first_bad_run": begins["run_key"], "last_good_at": last_good["ts"],
        "first_bad_at": begins["ts"], "last_good_commit": last_good["commit_id"],
        "first_bad_commit": begins["commit_id"], "recovered_at": pd.NaT, "members": len(levels), "suspicious": False,
        "smallest_detectable": np.nan,
        "explanation": f"{len(alike)} of {len(levels)} series moved the same way; together they show what none of them "
        "proves alone.",
    }  # fmt: skip
    own = levels.assign(regression_id=regression_id, changed_at=begins["ts"])
    return finding, own


def _told_near(members: pd.DataFrame, moment: pd.Timestamp) -> pd.Series:
    """series_id of the members that changed within a week of it."""
    return members.loc[(members["changed_at"] - moment).abs() <= _NEAR, "series_id"]


def _part_of_a_wider(
    shift: tuple[dict[str, Any], pd.DataFrame], found: list[tuple[dict[str, Any], pd.DataFrame]]
) -> bool:
    """Is it a part of a wider group that shifted then?"""
    finding, own = shift
    return any(own["series_id"].isin(_told_near(wider, finding["first_bad_at"])).any() for _, wider in found)
