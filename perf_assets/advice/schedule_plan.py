"""Schedule plan: which test to run on which node so that all nodes end at about the same time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perf_assets.tables import SCHEDULE_PLAN

PLAN_COLUMNS = SCHEDULE_PLAN.names


def plan_schedule(durations: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One row a test with the columns PLAN_COLUMNS.

    `durations`: project, test_name, node_id, duration (predicted, s); `scores`: project, node_id, healthy. Longest
    processing time first (Graham 1969, Bounds on multiprocessing timing anomalies: at most 4/3 of the shortest possible
    plan on equal machines). Unhealthy nodes are left out; a test goes to the node on which it ends first. A test that
    no healthy node has run yet may go to any, predicted by its median over those that ran it. A project without a
    healthy node has no plan.
    """
    rows: list[tuple[object, ...]] = []
    for project, own in durations.groupby("project", sort=True):
        healthy = set(scores.loc[(scores["project"] == project) & scores["healthy"].astype(bool), "node_id"])
        table = _predictions(own, healthy)
        if table.empty:
            continue
        longest_first = table.median(axis=1).sort_values(ascending=False, kind="stable").index
        free_from = dict.fromkeys(sorted(table.columns), 0.0)
        position = dict.fromkeys(table.columns, 0)
        for test in longest_first:
            predicted = table.loc[test].dropna()
            node = min(predicted.index, key=lambda name: (free_from[name] + predicted[name], name))
            position[node] += 1
            rows.append((project, node, position[node], test, predicted[node], free_from[node]))
            free_from[node] += predicted[node]
    plan = pd.DataFrame(rows, columns=list(PLAN_COLUMNS))
    return plan.sort_values(["project", "node_id", "position"], ignore_index=True)


def _predictions(durations: pd.DataFrame, healthy: set[object]) -> pd.DataFrame:
    """Tests by healthy nodes: predicted duration in s, NaN where the test is not run on that node."""
    measured = durations.pivot_table(index="test_name", columns="node_id", values="duration", aggfunc="median")
    table = measured[[node for node in measured.columns if node in healthy]].copy()
    homeless = table.isna().all(axis=1)
    table.loc[homeless] = np.repeat(measured[homeless].median(axis=1).to_numpy()[:, None], table.shape[1], axis=1)
    return table
