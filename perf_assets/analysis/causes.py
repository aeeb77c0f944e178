"""What a change goes along with, and which parts make up a difference: comparisons of levels on both sides of it.

Belongs here: ranking by comparison. It finds no causes: what two cells of the fleet share or lack beside the change is
consistent with it or not. Source of the ranking: the between-group share of squares about no change (Fisher 1925).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.statistics import FloatArray

BoolArray = npt.NDArray[np.bool_]

CAUSE_COLUMNS = {
    "regression_id": "object", "rank": "int64", "factor": "object", "setting": "object", "share": "float64",
    "sharing": "int64", "change_sharing": "float64", "lacking": "int64", "change_lacking": "float64",
    "consistent": "bool",
}  # fmt: skip
PART_COLUMNS = {
    "regression_id": "object", "dimension": "object", "part": "object", "before": "float64", "after": "float64",
    "difference": "float64", "share": "float64",
}  # fmt: skip
LOAD_METRICS = ("load_average", "cpu_usage", "queue_wait_time", "queue_depth", "tests_per_hour", "parallel_tests")
"""Metrics that say how much there was to do."""
_PLACES = ("test_name", "test_type", "node_id", "node_type")
_ADDITIVE = ("s", "By")
_LEAST_SHARE, _MOST_NAMED = 0.05, 5
_CONSISTENT, _UNMOVED = 0.5, 0.25
"""Share from which a factor is consistent with a change, if what lacks it moved at most a quarter as far."""
_FEWEST_NODES = 4
_MOST_PARTS = 10
OTHERS, WHOLE = "others", "whole"
BY_NODE = "by node"
"""Setting of a factor that differs from node to node."""
_BESIDE = pd.Timedelta(days=1)
"""How much later than the regression another series may have gone over."""


@dataclass(frozen=True)
class Causes:
    """`ranked`: CAUSE_COLUMNS, the best factors of each regression; `parts`: PART_COLUMNS, of regressions whose unit
    adds up: the difference by test, node and metric, each with a row for the whole."""

    ranked: pd.DataFrame
    parts: pd.DataFrame


def regression_causes(regressions: pd.DataFrame, levels: pd.DataFrame, fields: pd.DataFrame) -> Causes:
    """Hold the levels of all series around each regression against what they share and lack.

    `regressions`: regression_id, metric, unit, first_bad_commit, last_good_commit; `levels`: regression_id, series_id,
    metric, unit, test_name, test_type, node_id, node_type, before, after: levels of the series of its project on both
    sides of it, of its metric, of LOAD_METRICS, and of metrics that are parts of the same whole; `fields`:
    regression_id, series_id, field, setting: what else changed for a series at that time, to which setting.

    `share`: of the squared relative changes (of logarithms) of all series of the metric, the part that is left when the
    series that share the factor are given their mean change and the others none; of a load metric the squared
    correlation of the changes over the nodes. `change_sharing` and `change_lacking` are mean relative changes of those
    with and without the factor, NaN where there is none. `consistent`: the share is at least a half, and what lacks the
    factor moved at most a quarter as far. Series whose levels are not positive are left out.
    """
    rows: list[dict[str, object]] = []
    parts: list[dict[str, object]] = []
    by_id, changed = dict(iter(levels.groupby("regression_id"))), dict(iter(fields.groupby("regression_id")))
    for regression in regressions.itertuples(index=False):
        name = regression.regression_id
        if name not in by_id:
            continue
        around = by_id[name]
        own = around[around["metric"] == regression.metric]
        moved = own.assign(moved=_changes(own)).dropna(subset="moved")
        found = [*_by_place(moved), *_by_field(moved, changed.get(name)), *_by_commit(moved, regression)]
        # What slows a node down makes it busier as well, so load comes after what series share.
        telling = [*_telling(found)[:_MOST_NAMED], *_telling([*_by_load(own, around)])]
        rows += [{"regression_id": name, "rank": rank, **asdict(one)} for rank, one in enumerate(telling, start=1)]
        parts += [{"regression_id": name, **row} for row in _parts(own, around, regression)]
    return Causes(
        pd.DataFrame(rows, columns=list(CAUSE_COLUMNS)).astype(CAUSE_COLUMNS),
        pd.DataFrame(parts, columns=list(PART_COLUMNS)).astype(PART_COLUMNS),
    )


def _telling(found: Sequence[_Factor]) -> list[_Factor]:
    """Those with a share worth naming, the largest first."""
    named = [one for one in found if one.share >= _LEAST_SHARE]
    return sorted(named, key=lambda one: (-one.share, one.sharing, one.factor, one.setting))


def fields_that_changed(regressions: pd.DataFrame, environments: pd.DataFrame) -> pd.DataFrame:
    """regression_id, series_id, field, setting: settings that a series went over to at the time of a regression.

    `regressions`: regression_id, last_good_at, first_bad_at; `environments`: series_id, field, setting, since,
    position: stretches of measurements with one setting.
    """
    over = environments.loc[environments["position"] > 0, ["series_id", "field", "setting", "since"]]
    parts = [pd.DataFrame(columns=["regression_id", "series_id", "field", "setting"])]
    for row in regressions[["regression_id", "last_good_at", "first_bad_at"]].itertuples(index=False):
        beside = over[(over["since"] > row.last_good_at) & (over["since"] <= row.first_bad_at + _BESIDE)]
        if len(beside):
            own = beside.drop(columns="since").drop_duplicates().assign(regression_id=row.regression_id)
            parts.append(own[list(parts[0].columns)])
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _changes(levels: pd.DataFrame) -> FloatArray:
    """Logarithm of the ratio of the levels, NaN where one is not positive, shape (rows,)."""
    before, after = (levels[side].to_numpy(dtype=np.float64) for side in ("before", "after"))
    positive = (before > 0) & (after > 0)
    ratio = np.divide(after, before, out=np.full(before.size, np.nan), where=positive)
    return np.asarray(np.log(ratio, out=np.full(before.size, np.nan), where=positive))


@dataclass(frozen=True)
class _Factor:
    """As in CAUSE_COLUMNS."""

    factor: str
    setting: str
    share: float
    sharing: int
    change_sharing: float
    lacking: int
    change_lacking: float
    consistent: bool


def _held_against(factor: str, setting: object, moved: pd.DataFrame, shares: BoolArray) -> _Factor:
    """`moved`: levels with their change `moved`; `shares`: which of them share the factor."""
    change = moved["moved"].to_numpy(dtype=np.float64)
    total = float((change**2).sum())
    count = int(shares.sum())
    mean = float(change[shares].mean())
    rest = float(change[~shares].mean()) if count < change.size else float("nan")
    share = count * mean**2 / total if total > 0 else 0.0
    unmoved = not np.isfinite(rest) or abs(rest) <= _UNMOVED * abs(mean)
    return _Factor(
        factor, str(setting), share, count, float(np.expm1(mean)), change.size - count, float(np.expm1(rest)),
        share >= _CONSISTENT and unmoved,
    )  # fmt: skip


def _by_place(moved: pd.DataFrame) -> Iterator[_Factor]:
    for factor in _PLACES:
        settings = moved[factor].to_numpy(dtype=object)
        names = sorted({name for name in settings if isinstance(name, str) and name})
        # What all share explains nothing that the commit would not explain as well.
        for name in names if len(names) > 1 else ():
            yield _held_against(factor, name, moved, settings == name)


def _by_field(moved: pd.DataFrame, fields: pd.DataFrame | None) -> Iterator[_Factor]:
    if fields is None:
        return
    for (field, setting), gone_over in fields.groupby(["field", "setting"]):
        shares = moved["series_id"].isin(gone_over["series_id"]).to_numpy()
        if shares.any():
            yield _held_against(str(field), setting, moved, shares)


def _by_commit(moved: pd.DataFrame, regression: Any) -> Iterator[_Factor]:
    """The commit is shared by all: how far all series of the metric moved alike."""
    good, bad = regression.last_good_commit, regression.first_bad_commit
    if len(moved) and pd.notna(good) and pd.notna(bad) and good != bad:
        yield _held_against("commit", bad, moved, np.ones(len(moved), dtype=bool))


def _by_load(own: pd.DataFrame, around: pd.DataFrame) -> Iterator[_Factor]:
    """Load and queue by node: did the nodes slow down by as much as they had more to do?"""
    change = _by_node(own)
    loads = around[around["metric"].isin(LOAD_METRICS) & ~around["metric"].isin(own["metric"])]
    for metric, load in loads.groupby("metric"):
        more = _by_node(load)
        nodes = change.index.intersection(more.index)
        ours, theirs = change[nodes].to_numpy(), more[nodes].to_numpy()
        if nodes.size < _FEWEST_NODES or not np.ptp(ours) > 0 or not np.ptp(theirs) > 0:
            continue
        share = float(np.corrcoef(ours, theirs)[0, 1] ** 2)
        yield _Factor(
            str(metric), BY_NODE, share, nodes.size, float(np.expm1(theirs.mean())), 0, float("nan"),
            share >= _CONSISTENT and bool(theirs.mean() * ours.mean() > 0),
        )  # fmt: skip


def _by_node(levels: pd.DataFrame) -> pd.Series:
    """Mean change of each node, in logarithms."""
    return pd.Series(_changes(levels)).groupby(levels["node_id"].to_numpy()).mean().dropna()


def _parts(own: pd.DataFrame, around: pd.DataFrame, regression: Any) -> Iterator[dict[str, object]]:
    unit = regression.unit
    if unit not in _ADDITIVE:
        return
    for dimension, table in (("test_name", own), ("node_id", own), ("metric", around[around["unit"] == unit])):
        named = table[table[dimension].notna() & (table[dimension] != "")]
        if named[dimension].nunique() < 2:
            continue
        sums = named.groupby(dimension)[["before", "after"]].sum()
        sums["difference"] = sums["after"] - sums["before"]
        whole = sums.sum()
        order = sums["difference"].abs().sort_values(ascending=False, kind="stable").index
        shown, rest = sums.loc[order[:_MOST_PARTS]], sums.loc[order[_MOST_PARTS:]]
        lines = [(str(name), row) for name, row in shown.iterrows()]
        lines += [(OTHERS, rest.sum())] if len(rest) else []
        for part, row in [*lines, (WHOLE, whole)]:
            share = row["difference"] / whole["difference"] if whole["difference"] else float("nan")
            yield {"dimension": dimension, "part": part, **row.to_dict(), "share": share}
