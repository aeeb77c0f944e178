"""Regressions and improvements: changes that are significant and large enough, with what moved together taken as one.

A slow node shifts every series of the node; reporting each would bury the message. So changes are explained from the
top: the node type, node or test most of whose series changed at one time takes its members, and only what is left is
judged series by series, in a family of its own for the false-discovery control, so that a hundred members of one cause
do not make a hundred-and-first, false one easier to believe (Benjamini & Bogomolov 2014, Selective inference on
multiple
families of hypotheses).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.statistics import benjamini_hochberg

SCOPES = (("node_type", "node_type"), ("node", "node_id"), ("test", "test_name"))
_LARGEST_GAP = pd.Timedelta(hours=36)
"""Changes of one cause are found at most this far apart, from one series to the next."""
_LEAST_SHARE = 0.5
_FEWEST_MEMBERS = 3
_TOO_GOOD = " Too good to be taken on trust: does the test still do its work?"

REGRESSION_COLUMNS = (
    "regression_id", "series_id", "scope", "scope_name", "cause", "kind", "state", "part_of_day", "project", "metric",
    "unit", "test_name", "node_id", "node_type", "before", "after", "change", "change_low", "change_high", "p_value",
    "q_value", "last_good_run", "first_bad_run", "last_good_at", "first_bad_at", "last_good_commit",
    "first_bad_commit", "recovered_at", "members", "suspicious", "smallest_detectable", "explanation", "simulated",
)  # fmt: skip
ANCHOR_COLUMNS = (
    "series_id", "first_bad_run", "part_of_day", "kind", "regression_id", "low_ts", "high_ts", "confirmed_at",
)  # fmt: skip
MEMBER_COLUMNS = ("regression_id", "series_id", "changed_at", "before", "after", "change")


@dataclass(frozen=True)
class RegressionRules:
    """When a change counts: relative size by metric (else `threshold`), and at least the noise of one measurement;
    false-discovery rate; measurements to confirm.
    """

    threshold: float = 0.10
    thresholds: Mapping[str, float] | None = None
    false_discovery_rate: float = 0.05
    confirm_after: int = 4

    def threshold_of(self, metric: str) -> float:
        return (self.thresholds or {}).get(metric, self.threshold)


@dataclass(frozen=True)
class Regressions:
    """`table` has REGRESSION_COLUMNS, newest first bad run first; `members` has MEMBER_COLUMNS; `anchors` has
    ANCHOR_COLUMNS, one row a member of each confirmed one, to be given to later analyses."""

    table: pd.DataFrame
    members: pd.DataFrame
    anchors: pd.DataFrame


def find_regressions(
    changes: pd.DataFrame,
    series: pd.DataFrame,
    runs: pd.DataFrame,
    limits: pd.DataFrame,
    rules: RegressionRules,
    anchors: pd.DataFrame | None = None,
) -> Regressions:
    """Decide which change points matter.

    A change is a regression or an improvement if its false-discovery rate over the whole fleet is low enough
    (Benjamini & Hochberg 1995; what one cause explains is judged first and leaves the family), if it is as large as the
    rules ask, and at least as large as the noise of one measurement. It is `suspected` until the runs since are enough
    and the evidence is beyond what repeated looks bring up by chance, then `confirmed`. Improvements by half or more
    are `suspicious`: a test that has stopped doing its work is faster, too.

    `changes`: rows of change_points; `series`: rows of metric_series (all series tested, changed or not); `runs`:
    run_id, run_key, commit_id, context (JSON text) of the runs that changes name; `limits`: series_id and
    smallest_detectable; `anchors`: series_id and regression_id (text), part_of_day, kind, low_ts, high_ts of
    regressions confirmed earlier, whose ids are kept where the times overlap.
    Changes of neutral series are no regressions. Relative sizes need a level other than 0.
    """
    candidates = _candidates(changes, series, rules)
    groups = _explain(candidates, series, rules)
    grouped = {index for group in groups for index in group.rows}
    single = candidates.loc[~candidates.index.isin(grouped)]
    groups += _singles(single, len(series) - candidates.loc[list(grouped), "series_id"].nunique(), rules)
    run_of = runs.set_index("run_id")
    detectable = limits.set_index("series_id")["smallest_detectable"]
    records, members, fixed = [], [], []
    used: set[int] = set()
    for group in groups:
        rows = candidates.loc[group.rows]
        record = _record(group, rows, run_of, rules)
        record["recovered_at"] = _recovered_at(record, candidates, rules)
        record["smallest_detectable"] = detectable.get(record["series_id"], np.nan)
        record["regression_id"] = _regression_id(record, rows, anchors, used)
        used.add(int(str(record["regression_id"])))
        records.append(record)
        own = rows.sort_values("p_value").drop_duplicates("series_id")
        members.append(
            own[["series_id", "changed_at", "before", "after", "change"]].assign(regression_id=record["regression_id"])
        )
        if record["state"] == "confirmed":
            fixed.append(_anchors_of(record, own, series))
    table = pd.DataFrame(records, columns=list(REGRESSION_COLUMNS))
    table = table.sort_values(["first_bad_at", "members"], ascending=False, ignore_index=True)
    return Regressions(table, _joined(members, MEMBER_COLUMNS), _joined(fixed, ANCHOR_COLUMNS))


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[list(columns)] if parts else pd.DataFrame(columns=list(columns))


def _anchors_of(record: Mapping[str, object], rows: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    as_of = series.loc[series["series_id"] == record["series_id"], "as_of"].iloc[0]
    return pd.DataFrame(
        {
            "series_id": rows["series_id"].astype(str),
            "first_bad_run": str(record["first_bad_run"]),
            "part_of_day": record["part_of_day"],
            "kind": record["kind"],
            "regression_id": str(record["regression_id"]),
            "low_ts": rows["changed_at_low"],
            "high_ts": rows["changed_at_high"],
            "confirmed_at": as_of,
        }
    )


@dataclass(frozen=True)
class _Group:
    scope: str
    name: str
    rows: list[int]
    q_value: float


def _candidates(changes: pd.DataFrame, series: pd.DataFrame, rules: RegressionRules) -> pd.DataFrame:
    attributes = [
        "series_id", "project", "metric", "unit", "direction", "test_name", "node_id", "node_type", "title",
        "simulated",
    ]  # fmt: skip
    table = changes.merge(series[attributes], on="series_id").reset_index(drop=True)
    table = table[(table["q_value"] <= rules.false_discovery_rate) & (table["before"] != 0)]
    table = table[table["direction"].isin(["lower_is_better", "higher_is_better"])].copy()
    level = table["before"].abs()
    table["change"] = table["size"] / level
    table["change_low"] = table["size_low"] / level
    table["change_high"] = table["size_high"] / level
    rises = table["size"] > 0
    table["kind"] = np.where(rises == (table["direction"] == "lower_is_better"), "regression", "improvement")
    thresholds = table["metric"].map(rules.threshold_of).to_numpy(dtype=np.float64)
    beyond_noise = (table["size"].abs() >= table["noise"]).to_numpy(dtype=bool)
    table["large"] = (table["change"].abs().to_numpy(dtype=np.float64) >= thresholds) & beyond_noise
    return table


def _explain(candidates: pd.DataFrame, series: pd.DataFrame, rules: RegressionRules) -> list[_Group]:
    """Groups from the largest down; a change belongs to one group only."""
    directed = series[series["direction"].isin(["lower_is_better", "higher_is_better"])]
    left = candidates[candidates["part_of_day"] == ALL_DAY]
    groups: list[_Group] = []
    while True:
        best: _Group | None = None
        for scope, column in SCOPES:
            for keys, rows in left.groupby(["project", "kind", column], sort=True):
                if len(rows) < _FEWEST_MEMBERS or (best is not None and len(rows) <= len(best.rows)):
                    continue
                peers = directed[(directed["project"] == keys[0]) & (directed[column] == keys[2])]
                found = _largest_cluster(rows, peers, rules)
                if len(found) >= _FEWEST_MEMBERS and (best is None or len(found) > len(best.rows)):
                    best = _Group(scope, str(keys[2]), found, float(left.loc[found, "q_value"].min()))
        if best is None:
            return groups
        best = _with_stragglers(best, left, dict(SCOPES)[best.scope])
        groups.append(best)
        left = left.drop(index=best.rows)


def _largest_cluster(rows: pd.DataFrame, peers: pd.DataFrame, rules: RegressionRules) -> list[int]:
    """Indices of the most changes that happened together, if they are enough of the series that could have changed."""
    ordered = rows.sort_values("changed_at")
    cluster = (ordered["changed_at"].diff() > _LARGEST_GAP).cumsum()
    best: list[int] = []
    for _, together in ordered.groupby(cluster):
        moment = together["changed_at"].median()
        running = peers[(peers["first_seen"] < moment) & (peers["last_seen"] > moment)]
        distinct = together["series_id"].nunique()
        large = together.loc[together["large"], "series_id"].nunique()
        enough = distinct >= max(_FEWEST_MEMBERS, _LEAST_SHARE * len(running))
        if enough and large >= _FEWEST_MEMBERS and distinct > len(best):
            best = [int(index) for index in together.drop_duplicates("series_id").index]
    return best


def _with_stragglers(group: _Group, left: pd.DataFrame, column: str) -> _Group:
    """Add changes whose uncertain time reaches into the group's, and those of the scope's other series a little off."""
    members = left.loc[group.rows]
    low, high = members["changed_at"].min() - _LARGEST_GAP, members["changed_at"].max() + _LARGEST_GAP
    first = members.iloc[0]
    same = left[(left["project"] == first["project"]) & (left[column] == group.name) & (left["kind"] == first["kind"])]
    margin = (~same["series_id"].isin(members["series_id"])).astype("int64") * (2 * _LARGEST_GAP)
    near = same[(same["changed_at_low"] - margin <= high) & (same["changed_at_high"] + margin >= low)]
    return _Group(group.scope, group.name, sorted({*group.rows, *(int(index) for index in near.index)}), group.q_value)


def _singles(rows: pd.DataFrame, family: int, rules: RegressionRules) -> list[_Group]:
    """What no group explains, judged among the series that are left."""
    p_values = rows["p_value"].to_numpy(dtype=np.float64)
    quiet = max(family - rows["series_id"].nunique(), 0)
    q_values = benjamini_hochberg(np.concatenate((p_values, np.ones(quiet))))[: p_values.size]
    return [
        _Group("series", str(title), [int(index)], float(q))
        for index, title, large, q in zip(rows.index, rows["title"], rows["large"], q_values, strict=True)
        if large and q <= rules.false_discovery_rate
    ]


def _record(group: _Group, rows: pd.DataFrame, runs: pd.DataFrame, rules: RegressionRules) -> dict[str, object]:
    large = rows[rows["large"]] if rows["large"].any() else rows
    middle = large["changed_at"].sort_values().iloc[len(large) // 2]
    distance = (large["changed_at"] - middle).abs().dt.total_seconds().to_numpy()
    best = large.iloc[int(np.lexsort((large["series_id"], large["p_value"], distance))[0])]
    bad, good = _run(runs, best["index_run_id"]), _run(runs, best["previous_run_id"])
    shifted = _shifted_context(good, bad)
    cause = _cause(group.scope, shifted)
    change = float(large["change"].median())
    beyond_doubt = len(rows) >= _FEWEST_MEMBERS or bool(best["confirmed"])
    confirmed = beyond_doubt and int(best["points_after"]) >= rules.confirm_after
    suspicious = best["kind"] == "improvement" and _incredible(change, str(best["direction"]))
    return {
        "series_id": best["series_id"],
        "scope": group.scope,
        "scope_name": group.name,
        "cause": cause,
        "kind": best["kind"],
        "state": "confirmed" if confirmed else "suspected",
        "part_of_day": best["part_of_day"],
        **{name: best[name] for name in ("project", "metric", "unit", "test_name", "node_id", "node_type")},
        "before": best["before"],
        "after": best["after"],
        "change": change,
        "change_low": best["change_low"] if len(large) == 1 else _median_interval(large["change"])[0],
        "change_high": best["change_high"] if len(large) == 1 else _median_interval(large["change"])[1],
        "p_value": best["p_value"],
        "q_value": group.q_value,
        "last_good_run": good.get("run_key"),
        "first_bad_run": bad.get("run_key"),
        "last_good_at": best["previous_at"],
        "first_bad_at": best["changed_at"],
        "last_good_commit": good.get("commit_id"),
        "first_bad_commit": bad.get("commit_id"),
        "members": int(rows["series_id"].nunique()),
        "suspicious": suspicious,
        "explanation": _explanation(group, rows, cause, shifted) + (_TOO_GOOD if suspicious else ""),
        "simulated": bool(best["simulated"]),
    }


def _incredible(change: float, direction: str) -> bool:
    """Half the cost, or twice the yield."""
    return change <= -0.5 if direction == "lower_is_better" else change >= 1.0


def _recovered_at(record: Mapping[str, Any], candidates: pd.DataFrame, rules: RegressionRules) -> object:
    """When the series of a regression came back to within the threshold of its old level, or better; else NaT."""
    later = candidates[
        (candidates["series_id"] == record["series_id"]) & (candidates["changed_at"] > record["first_bad_at"])
    ]
    worse = np.sign(float(record["after"]) - float(record["before"]))
    excess = (later["after"] - record["before"]) * worse / abs(float(record["before"]))
    back = later.loc[excess < rules.threshold_of(str(record["metric"])), "changed_at"]
    return back.min() if record["kind"] == "regression" and len(back) else pd.NaT


def _run(runs: pd.DataFrame, run_id: object) -> dict[str, object]:
    if run_id not in runs.index:
        return {}
    row = runs.loc[run_id]
    return {name: (None if pd.isna(row[name]) else row[name]) for name in ("run_key", "commit_id", "context")}


def _shifted_context(good: Mapping[str, object], bad: Mapping[str, object]) -> list[str]:
    """What the environment said of itself before and after, where that differs; the commit differs in any case."""
    before, after = (json.loads(str(run.get("context") or "{}")) for run in (good, bad))
    return [
        f"{name} changed from {before[name]} to {after[name]}"
        for name in sorted(set(before) & set(after))
        if before[name] != after[name] and "commit" not in name and "url" not in name.lower() and "image" in name
    ]


def _cause(scope: str, shifted: list[str]) -> str:
    if scope in ("node", "node_type"):
        return "environment"
    if scope == "test":
        return "code"
    return "environment" if shifted else "unknown"


def _explanation(group: _Group, rows: pd.DataFrame, cause: str, shifted: list[str]) -> str:
    count = rows["series_id"].nunique()
    told = f"; {', '.join(shifted)}" if shifted else ""
    if group.scope == "node_type":
        return f"{count} series of node type {group.name} moved together: the environment changed, not one test{told}."
    if group.scope == "node":
        return f"{count} series of node {group.name} moved together and other nodes did not: the node changed{told}."
    if group.scope == "test":
        return f"{group.name} changed on {count} nodes at one time: its code changed, not a node{told}."
    if shifted:
        return f"Only this series changed, when {', '.join(shifted)}."
    return "Only this series changed."


def _median_interval(values: pd.Series) -> tuple[float, float]:
    """95 % interval of the median by order statistics (David & Nagaraja 2003, Order Statistics)."""
    ordered = np.sort(values.to_numpy(dtype=np.float64))
    n = ordered.size
    reach = 0.98 * np.sqrt(n)
    low, high = max(int(np.floor(n / 2 - reach)), 0), min(int(np.ceil(n / 2 + reach)), n - 1)
    return float(ordered[low]), float(ordered[high])


def _regression_id(
    record: Mapping[str, object], rows: pd.DataFrame, anchors: pd.DataFrame | None, used: set[int]
) -> int:
    """The id given when it was first confirmed, by most of its members; else a hash of series and first bad run."""
    if anchors is not None and not anchors.empty:
        known = anchors.merge(
            rows[["series_id", "changed_at_low", "changed_at_high"]].astype({"series_id": str}), on="series_id"
        )
        known = known[
            (known["part_of_day"] == record["part_of_day"])
            & (known["kind"] == record["kind"])
            & (pd.to_datetime(known["low_ts"]) <= known["changed_at_high"])
            & (pd.to_datetime(known["high_ts"]) >= known["changed_at_low"])
        ]
        votes = known.groupby("regression_id")["series_id"].nunique().sort_index()
        for regression_id in votes.sort_values(ascending=False, kind="stable").index:
            if int(regression_id) not in used:
                return int(regression_id)
    key = f"{record['series_id']}/{record['part_of_day']}/{record['first_bad_run']}"
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
