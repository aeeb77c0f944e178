"""Schedule plan: which test to run on which node so that all nodes end at about the same time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
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
    plans = []
    for project, own in durations.groupby("project", sort=True):
        healthy = scores.loc[(scores["project"] == project) & scores["healthy"].astype(bool), "node_id"]
        plans.append(_plan(own, np.unique(healthy.to_numpy(dtype=object))).assign(project=project))
    plan = pd.concat(plans, ignore_index=True) if plans else pd.DataFrame(columns=list(PLAN_COLUMNS))
    return plan.sort_values(["project", "node_id", "position"], ignore_index=True)[list(PLAN_COLUMNS)]


def _plan(durations: pd.DataFrame, nodes: npt.NDArray[np.object_]) -> pd.DataFrame:
    """Rows of the plan of one project, in the order in which its tests are placed; `nodes` are sorted by name."""
    measured = durations.groupby(["test_name", "node_id"], sort=True)["duration"].median().dropna().reset_index()
    tests = measured["test_name"].to_numpy()
    starts = np.flatnonzero(np.r_[True, tests[1:] != tests[:-1]]) if len(tests) else np.empty(0, dtype=np.intp)
    at = pd.Index(nodes).get_indexer(measured["node_id"])
    taken = measured["duration"].to_numpy(dtype=np.float64)
    possible = [_possible(at[own], taken[own], len(nodes)) for own in map(slice, starts, [*starts[1:], len(tests)])]
    usual = np.array([np.median(predicted) if len(predicted) else np.nan for _, predicted in possible])
    free_from, placed = np.zeros(len(nodes)), np.zeros(len(nodes), dtype=np.int64)
    rows: list[tuple[object, ...]] = []
    # A stable order: of tests that take equally long the first by name is placed first.
    for number in np.argsort(-usual, kind="stable") if len(nodes) else ():
        places, predicted = possible[number]
        best = int(np.argmin(free_from[places] + predicted))
        node = places[best]
        placed[node] += 1
        rows.append((nodes[node], placed[node], tests[starts[number]], predicted[best], free_from[node]))
        free_from[node] += predicted[best]
    return pd.DataFrame(rows, columns=list(PLAN_COLUMNS[1:]))


def _possible(
    at: npt.NDArray[np.intp], taken: npt.NDArray[np.float64], nodes: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The nodes (by number) that a test may go to, and how long it takes there, in s. `at`: the nodes that it took
    `taken` on, -1 for those that are not healthy.
    """
    healthy = at >= 0
    if healthy.any():
        return at[healthy], taken[healthy]
    return np.arange(nodes), np.full(nodes, np.median(taken))
