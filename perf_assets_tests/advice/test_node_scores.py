"""Node scores compare like with like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.advice.node_scores import NODE_SCORE_COLUMNS, node_alarms, score_nodes
from perf_assets_tests.advice.building import AS_OF, findings

NOTHING_STOPPED = pd.DataFrame(columns=["project", "scope", "scope_name", "verdict", "last_seen"])
NO_ALARMS = pd.DataFrame(columns=["project", "node_id", "reason"])


def durations(slowness: dict[str, float], tests: int = 8, noise: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Every node runs every test, some of them slower by a factor."""
    random = np.random.default_rng(seed)
    rows = [
        ("fleet", f"test-{test}", node, "linux", 10.0 * 2**test * factor * np.exp(noise * random.normal()))
        for node, factor in slowness.items()
        for test in range(tests)
    ]
    return pd.DataFrame(rows, columns=["project", "test_name", "node_id", "node_type", "duration"])


def by_node(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("node_id")


def test_equal_nodes_are_in_the_middle():
    scores = score_nodes(durations({"a": 1.0, "b": 1.0, "c": 1.0}), NO_ALARMS)
    assert scores["score"].tolist() == [50.0] * 3
    assert scores["rank"].tolist() == [1] * 3
    assert scores["healthy"].all()


def test_a_slow_node_is_unfit_and_says_by_how_much():
    scores = by_node(score_nodes(durations({"a": 1.0, "b": 1.02, "c": 0.98, "d": 1.3}, noise=0.01), NO_ALARMS))
    assert scores["healthy"].to_dict() == {"a": True, "b": True, "c": True, "d": False}
    assert scores.loc["d", "slowdown"] == pytest.approx(0.29, abs=0.02)
    assert scores.loc["d", "reason"].endswith("slower than other linux nodes on the same tests")
    assert scores.index[-1] == "d"


def test_a_node_that_only_runs_long_tests_is_not_slow():
    table = durations({"a": 1.0, "b": 1.0, "long": 1.0})
    kept = (table["node_id"] != "long") | table["test_name"].isin(["test-5", "test-6", "test-7"])
    scores = by_node(score_nodes(table[kept], NO_ALARMS))
    assert scores.loc["long", "slowdown"] == pytest.approx(0.0)
    assert scores.loc["long", "healthy"]


def test_a_slow_type_of_node_has_no_slow_nodes():
    arm = durations({"arm-1": 1.5, "arm-2": 1.5, "arm-3": 1.5}).assign(node_type="arm")
    scores = score_nodes(pd.concat([durations({"a": 1.0, "b": 1.0, "c": 1.0}), arm]), NO_ALARMS)
    assert scores["healthy"].all()
    assert by_node(scores).loc["arm-1", "slowdown"] > 0.1


def test_alarms_of_other_findings_make_a_node_unfit():
    alarms = pd.DataFrame({"project": "fleet", "node_id": "a", "reason": ["memory runs out", "disk runs out"]})
    scores = by_node(score_nodes(durations({"a": 1.0, "b": 1.0}), alarms))
    assert scores.loc["a", "reason"] == "memory runs out; disk runs out"
    assert scores.loc["b", "healthy"]


def test_nodes_without_a_type_read_well():
    table = durations({"a": 1.0, "b": 1.0, "c": 1.5}).assign(node_type=None)
    assert by_node(score_nodes(table, NO_ALARMS)).loc["c", "reason"] == "50 % slower than other nodes on the same tests"


def test_too_few_tests_give_no_score():
    assert list(score_nodes(durations({"a": 1.0, "b": 2.0}, tests=2), NO_ALARMS).columns) == list(NODE_SCORE_COLUMNS)
    assert score_nodes(durations({"a": 1.0}, tests=0), NO_ALARMS).empty


def test_durations_that_cannot_be_compared_are_left_out():
    odd = durations({"a": 1.0, "b": 1.0}).assign(duration=lambda t: t["duration"].where(t.index > 1, [0.0, np.nan] * 8))
    scores = by_node(score_nodes(odd, NO_ALARMS))
    assert scores["tests"].to_dict() == {"a": 6, "b": 8}


@pytest.mark.filterwarnings("error")
def test_huge_differences_do_not_overflow():
    scores = by_node(score_nodes(durations({"a": 1.0, "b": 1.0, "c": 1e290}), NO_ALARMS))
    assert scores.loc["c", "score"] == 0.0


@given(st.lists(st.floats(0.2, 5.0), min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.floats(0.0, 0.3))
def test_intervals_contain_scores_and_order_does_not_matter(factors, seed, noise):
    table = durations({f"node-{n}": factor for n, factor in enumerate(factors)}, noise=noise, seed=seed)
    scores = score_nodes(table, NO_ALARMS)
    assert scores["score"].between(0, 100).all()
    assert (scores["score_low"] <= scores["score"]).all()
    assert (scores["score"] <= scores["score_high"]).all()
    assert scores["healthy"].eq(scores["reason"].isna()).all()
    shuffled = score_nodes(table.sample(frac=1, random_state=seed % 1000), NO_ALARMS)
    pd.testing.assert_frame_equal(shuffled, scores, rtol=1e-9)


def test_a_node_that_got_worse_and_still_is_may_not_be_scheduled():
    node = {"scope": "node", "scope_name": "d", "change": 0.179, "project": "fleet"}
    worse = findings(regressions=[node, node | {"scope_name": "e", "recovered_at": AS_OF},
                                  node | {"scope_name": "f", "state": "suspected"},
                                  node | {"scope_name": "g", "kind": "improvement"},
                                  node | {"scope": "test", "scope_name": "d"}])  # fmt: skip
    alarms = node_alarms(worse, NOTHING_STOPPED)
    assert alarms["node_id"].tolist() == ["d"]
    scores = by_node(score_nodes(durations({"a": 1.0, "d": 1.0, "e": 1.0}), alarms))
    assert scores["healthy"].to_dict() == {"a": True, "d": False, "e": True}
    assert scores.loc["d", "reason"].startswith("test execution time +17.9 % since ")


def test_a_silent_node_gets_no_work():
    row = {"project": "fleet", "scope": "node", "scope_name": "b", "verdict": "stopped_reporting", "last_seen": AS_OF}
    stopped = pd.DataFrame(
        [row, row | {"last_seen": AS_OF - pd.Timedelta(days=1)}, row | {"scope_name": "c", "verdict": "removed"},
         row | {"scope_name": "a", "scope": "test"}]
    )  # fmt: skip
    alarms = node_alarms(findings(), stopped)
    assert alarms.values.tolist() == [["fleet", "b", f"has not reported since {AS_OF:%Y-%m-%d}"]]
    scores = by_node(score_nodes(durations({"a": 1.0, "b": 1.0, "c": 1.0}), alarms))
    assert scores["healthy"].to_dict() == {"a": True, "b": False, "c": True}
