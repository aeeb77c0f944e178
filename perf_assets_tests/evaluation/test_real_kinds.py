from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evaluation.history_signals import CLEAN_KINDS, HISTORY_KINDS, STEPPED_KINDS, histories
from evaluation.methods import OURS, Method, ours
from evaluation.real_kinds import COLUMNS, MOST_ALARMS, chapter, checks, evaluate_real_kinds
from evaluation.signals import FloatArray, IndexArray

SERIES, SEED = 4, 7


def silent(series: Sequence[FloatArray]) -> list[IndexArray]:
    return [np.empty(0, dtype=np.intp) for _ in series]


def all_knowing(off: int) -> Method:
    """Knows the places of the series of SEED, and is wrong by `off` values."""
    known = {one.values.tobytes(): one.places for kind in HISTORY_KINDS for one in histories(kind, SERIES, SEED)}
    return Method("all-knowing", SERIES, lambda series: [known[values.tobytes()] + off for values in series])


def test_every_kind_and_method_is_measured_and_written() -> None:
    results = evaluate_real_kinds(SERIES, SEED, (Method(OURS, 10, ours), Method("silent", 3, silent)))
    assert len(results) == 2 * len(HISTORY_KINDS)
    quiet = results[results["method"] == "silent"]
    assert (quiet[["alarms", "found", "false"]] == 0).all(axis=None)
    assert (quiet["series"] == 3).all()
    assert quiet["kind"].tolist() == list(HISTORY_KINDS)
    assert (quiet["steps"] > 0).tolist() == [kind in STEPPED_KINDS for kind in HISTORY_KINDS]
    text = "\n".join(chapter(results, SEED))
    assert all(text.count(f"| {kind} |") == (1 if kind in CLEAN_KINDS else 2) for kind in HISTORY_KINDS)
    assert "perf_assets 4, silent 3; seed 7" in text


def test_the_truth_finds_every_step_up_to_three_values_off_and_no_further() -> None:
    exact, near, far = (evaluate_real_kinds(SERIES, SEED, (all_knowing(off),)) for off in (0, 3, 400))
    for right in (exact, near):
        assert (right["found"] == right["steps"]).all()
        assert (right["false"] == 0).all()
    assert (far["found"] == 0).all()
    assert (far["false"] == far["steps"]).all()
    assert (exact["alarms"] == [0 if kind in CLEAN_KINDS else SERIES for kind in HISTORY_KINDS]).all()


def test_targets_are_held_against_the_alarms_of_the_product_alone() -> None:
    def alarms(count: int) -> list[bool]:
        rows = [
            (kind, name, 100, 20_000, count if name == OURS else 100, 0, 0, 0)
            for kind in HISTORY_KINDS
            for name in (OURS, "Otava")
        ]
        return [not check.missed for check in checks(pd.DataFrame(rows, columns=list(COLUMNS)))]

    assert alarms(0) == [True] * len(MOST_ALARMS)
    assert alarms(60) == [False] * len(MOST_ALARMS)
