"""Node scores: nodes compared on the same tests, so that a node with long tests is not taken for a slow one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perf_assets.advice.recommendations import Findings, breaches_ahead, node_got_worse
from perf_assets.tables import NODE_SCORES
from perf_assets.wording.findings import breach, change_of, metric_words
from perf_assets.wording.moments import day
from perf_assets.wording.quantities import ROUGH, share

NODE_SCORE_COLUMNS = NODE_SCORES.names
SCALE = 0.1
"""Logarithmic slowdown that divides the odds of the score by e: a tenth slower takes 50 to 27."""
_UNHEALTHY_SLOWDOWN = 0.08
_FEWEST_TESTS = 3


def node_alarms(findings: Findings, stopped: pd.DataFrame) -> pd.DataFrame:
    """project, node_id, reason: nodes that are about to run out of something, got worse themselves and still are, or
    report nothing while others do. `stopped`: rows of stopped_reporting.
    """
    ahead = breaches_ahead(findings).dropna(subset=["node_id"])
    reasons = [(row.project, row.node_id, f"{metric_words(row.metric)} {breach(row)}") for row in ahead.itertuples()]
    reasons += [
        (row.project, row.scope_name, f"{metric_words(row.metric)} {change_of(row)} since {day(row.first_bad_at)}")
        for row in findings.regressions.itertuples()
        if node_got_worse(row)
    ]
    silent = stopped[(stopped["scope"] == "node") & (stopped["verdict"] == "stopped_reporting")]
    last = silent.groupby(["project", "scope_name"])["last_seen"].max()
    reasons += [(project, node, f"has not reported since {day(at)}") for (project, node), at in last.items()]
    return pd.DataFrame(reasons, columns=["project", "node_id", "reason"])


def score_nodes(durations: pd.DataFrame, alarms: pd.DataFrame) -> pd.DataFrame:
    """Nodes with the columns NODE_SCORE_COLUMNS, best first.

    `durations`: project, test_name, node_id, node_type, duration (recent median, s), one row a test and node. `alarms`:
    project, node_id, reason, as `node_alarms` gives them. A node's effect is the median over its tests of
    log(duration / median of the test over all nodes); score = 100 / (1 + exp(effect / SCALE)), so 50 is the middle of
    the fleet. The 95 % interval is that of the median over tests (1.253 standard errors; Kendall & Stuart). Unfit are
    nodes with an alarm, and those at least 8 % slower than their own type beyond doubt.
    """
    table = durations.dropna(subset=["duration", "node_id", "test_name"]).copy()
    table = table[table["duration"] > 0]
    table["log"] = np.log(table["duration"].to_numpy(dtype=np.float64))
    table["effect"] = table["log"] - table.groupby(["project", "test_name"])["log"].transform("median")
    nodes = table.groupby(["project", "node_id"], as_index=False).agg(
        node_type=("node_type", "first"),
        effect=("effect", "median"),
        spread=("effect", "std"),
        tests=("effect", "size"),
    )
    nodes = nodes[nodes["tests"] >= _FEWEST_TESTS].reset_index(drop=True)
    if nodes.empty:
        return pd.DataFrame(columns=list(NODE_SCORE_COLUMNS))
    error = 1.2533 * nodes["spread"].fillna(0.0) / np.sqrt(nodes["tests"])
    nodes["score"] = _score(nodes["effect"])
    nodes["score_low"] = _score(nodes["effect"] + 1.96 * error)
    nodes["score_high"] = _score(nodes["effect"] - 1.96 * error)
    nodes["slowdown"] = np.expm1(nodes["effect"])
    nodes["rank"] = nodes.groupby("project")["score"].rank(ascending=False, method="min").astype(int)
    beside_type = nodes["effect"] - nodes.groupby(["project", "node_type"], dropna=False)["effect"].transform("median")
    slow = (beside_type - 1.96 * error) > np.log1p(_UNHEALTHY_SLOWDOWN) / 2
    slow &= beside_type > np.log1p(_UNHEALTHY_SLOWDOWN)
    alarmed = alarms.groupby(["project", "node_id"])["reason"].agg("; ".join) if len(alarms) else pd.Series(dtype=str)
    reasons = [
        "; ".join(
            part
            for part in (
                _slower(beside, kind) if is_slow else "",
                str(alarmed.get((project, node), "")),
            )
            if part
        )
        for project, node, kind, beside, is_slow in zip(
            nodes["project"], nodes["node_id"], nodes["node_type"], beside_type, slow, strict=True
        )
    ]
    nodes["reason"] = [reason or None for reason in reasons]
    nodes["healthy"] = nodes["reason"].isna()
    return nodes.sort_values(["project", "rank", "node_id"], ignore_index=True)[list(NODE_SCORE_COLUMNS)]


def _slower(beside: float, node_type: object) -> str:
    return f"{share(np.expm1(beside), ROUGH)} slower than other {_kind(node_type)}nodes on the same tests"


def _kind(node_type: object) -> str:
    return "" if pd.isna(node_type) else f"{node_type} "


def _score(effect: pd.Series) -> pd.Series:
    # The same as 100 / (1 + exp(effect / SCALE)), which overflows for effects far out.
    return 50.0 * (1.0 - np.tanh(effect / (2.0 * SCALE)))
