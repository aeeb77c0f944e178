"""Simulated scenario runs whose cause is known, and what is read from the sentences about them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.drivers import KINDS, RUNS, _claimed, _claimed_unseen, chapter, checks, data_sets, evaluate_drivers


def test_data_sets_have_their_cause() -> None:
    drawn = {kind: next(data_sets(kind, 1, 7)) for kind in KINDS}
    explainable = {kind: data.explainable for kind, data in drawn.items()}
    assert explainable["noise"] == explainable["one run of large leverage"] == 0.0
    assert all(0.3 < explainable[kind] < 0.9 for kind in KINDS if kind not in ("noise", "one run of large leverage"))
    for data in drawn.values():
        assert len(data.runs) == RUNS
        assert not set(data.unseen["scenario"]) & set(data.later["scenario"])
    collinear = drawn["collinear features"].runs
    assert np.corrcoef(collinear["nodes"], collinear["observations"])[0, 1] > 0.95
    assert drawn["one run of large leverage"].runs["edges"].max() == 30_000.0
    pd.testing.assert_frame_equal(next(data_sets("risks", 1, 7)).runs, drawn["risks"].runs)
    assert not next(data_sets("risks", 1, 8)).runs.equals(drawn["risks"].runs)


def test_claims_are_read_from_the_sentences() -> None:
    assert _claimed("Duration is well explained by edges", "It explains at least 71 % of how") == 0.71
    assert _claimed("Duration is partly explained by edges", "") == 0.35
    assert (
        _claimed("Duration is not explained reliably by what is recorded", "It explains at least 12 % of how") == 0.12
    )
    assert _claimed("Duration is not explained reliably by what is recorded", "") == -np.inf
    assert _claimed_unseen("For a scenario that it has not seen R² is 0.500 (95 % interval 0.21 to 0.70).") == 0.21
    assert _claimed_unseen("A scenario that it has not seen is beyond the model.") == -np.inf


def test_every_kind_is_measured_and_written() -> None:
    results = evaluate_drivers(1, 7)
    assert results["kind"].tolist() == list(KINDS)
    judged = checks(results)
    assert [check.what for check in judged if check.what.startswith("wrongly")] == [
        f"wrongly not recorded: {kind}" for kind in KINDS if kind not in ("noise", "one run of large leverage")
    ]
    text = "\n".join(chapter(results, 7))
    assert all(f"| {kind} |" in text for kind in KINDS)
    # One that claims more in all data sets misses its target.
    worse = pd.concat([results.assign(claims_more=True)] * 20)
    assert [check.missed for check in checks(worse) if check.what.startswith("claims more")] == [True] * len(KINDS)
