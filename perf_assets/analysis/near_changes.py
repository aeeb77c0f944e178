"""Changes that look like something and are no finding, each with the reason.

Belongs here: which change points a reader would see in a picture and miss among the regressions, and what kept them
out. Does not belong here: finding changes (change_points), judging them (regressions).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.cost_shifts import moved_costs
from perf_assets.analysis.regressions import DIRECTED, LARGEST_SHARE, RegressionRules
from perf_assets.wording.quantities import ROUGH, counted, share

NEAR_COLUMNS = (
    "series_id", "title", "project", "metric", "unit", "part_of_day", "changed_at", "before", "after", "change",
    "reason",
)  # fmt: skip
VISIBLE = 0.5
"""Share of the threshold from which a change is seen in a picture."""
LARGE = 2.0
"""The same from which a change is listed however long ago it was."""
RECENT_SHARE, RECENT_VALUES = 0.2, 30
"""The recent part of a series: so much of it, or so many values where that is more."""


def near_changes(
    changes: pd.DataFrame, series: pd.DataFrame, members: pd.DataFrame, rules: RegressionRules
) -> pd.DataFrame:
    """One row a visible change that belongs to no finding, with the columns NEAR_COLUMNS; newest, then largest first.

    `changes`: rows of change_points; `series`: rows of metric_series; `members`: rows of regression_members, the
    changes of all findings. Visible is what is half as large as `rules` ask of its metric and lies in the recent part
    of its series, or is twice as large. `change` is a share of the old level, NaN from a level of 0 or one that is as
    good as 0, from which every change is large; `reason` says in words which rule kept it out.
    """
    columns = ["series_id", "title", "project", "metric", "unit", "direction", "node_id", "measurements", "level"]
    known = series[columns].rename(columns={"level": "series_level"})
    table = changes.merge(known, on="series_id").reset_index(drop=True)
    significant = table[table["q_value"] <= rules.false_discovery_rate]
    table["moved"] = table.index.isin(significant.index[moved_costs(significant)])
    table = table[~_in_a_finding(table, members)]
    size, level = table["size"].abs(), table["before"].abs()
    table = table.assign(
        change=table["size"] / level.where((level >= table["noise"]) & (LARGEST_SHARE * level >= size))
    )
    table["threshold"] = table["metric"].map(rules.threshold_of).astype(float)
    of_threshold = table["change"].abs().fillna(np.inf) / table["threshold"]
    left = table["measurements"] - table["position"]
    recent = left <= np.maximum(RECENT_SHARE * table["measurements"], RECENT_VALUES)
    table = table[(of_threshold >= LARGE) | (recent & (of_threshold >= VISIBLE))]
    reasons = [_reason(row, rules.false_discovery_rate) for row in table.itertuples()]
    table = table.assign(reason=pd.Series(reasons, table.index, dtype=str), order=table["change"].abs().fillna(np.inf))
    table = table.sort_values(
        ["changed_at", "order", "series_id"], ascending=[False, False, True], ignore_index=True, kind="stable"
    )
    return table[list(NEAR_COLUMNS)]


def _in_a_finding(changes: pd.DataFrame, members: pd.DataFrame) -> pd.Series:
    """Which changes are members, or happened when a member of the same series may have: one change, found twice."""
    told = members[["series_id", "changed_at"]].rename(columns={"changed_at": "told_at"})
    times = changes[["series_id", "changed_at", "changed_at_low", "changed_at_high"]]
    pairs = times.reset_index(names="row").merge(told, on="series_id")
    within = (pairs["told_at"] >= pairs["changed_at_low"]) & (pairs["told_at"] <= pairs["changed_at_high"])
    same = within | (pairs["told_at"] == pairs["changed_at"])
    return pd.Series(changes.index.isin(pairs.loc[same, "row"]), index=changes.index)


def _reason(row: Any, rate: float) -> str:
    """The first rule that the change (a row of change_points with change, threshold and direction) does not meet."""
    if row.direction not in DIRECTED:
        return "the metric has no direction, so this is neither better nor worse"
    if not row.q_value <= rate:
        # That every one of them is chance is not known either.
        chance = _part(min(row.q_value, 0.99))
        little = f"too little evidence: of such changes {chance} are chance, of findings at most {_part(rate)}"
        return f"{little}; {counted(row.points_after, 'value')} at the new level"
    if row.moved:
        return "the cost moved: other series of the same run changed by as much the other way"
    if row.before == 0 and row.after != 0 and row.series_level != 0:
        return "nothing was measured while the values were 0, and those before were like these"
    if abs(row.change) < row.threshold:
        return f"smaller than the {_part(row.threshold)} from which this metric matters"
    if abs(row.size) < row.noise:
        return "smaller than the noise of one measurement"
    return "may be chance among the series that no common cause explains"


def _part(ratio: float) -> str:
    return "an unknown part" if pd.isna(ratio) else share(ratio, ROUGH)
