from __future__ import annotations

import numpy as np

from evaluation.change_points import SIZES, chapter, checks, distances, evaluate_change_points
from evaluation.methods import OURS, Method, ours
from evaluation.signals import KINDS

SILENT = Method("Otava", 3, lambda series: [np.empty(0, dtype=np.intp) for _ in series])


def test_the_nearest_change_point_counts_and_none_is_infinitely_far() -> None:
    found = [np.array([10, 52]), np.empty(0, dtype=np.intp)]
    assert distances(found, np.array([50, 50])).tolist() == [2.0, np.inf]


def test_every_kind_size_and_method_is_measured_and_written() -> None:
    results = evaluate_change_points(4, 7, (Method(OURS, 10, ours), SILENT))
    assert len(results) == len(KINDS) * (1 + len(SIZES)) * 2
    assert (results[results["method"] == "Otava"]["hits"] == 0).all()
    assert results.groupby("method")["series"].max().to_dict() == {OURS: 4, "Otava": 3}
    text = "\n".join(chapter(results, 7))
    assert all(kind in text for kind in KINDS)
    assert "targets are met" in text


def test_a_silent_method_misses_every_step_and_no_clean_series() -> None:
    silent = evaluate_change_points(40, 7, (Method(OURS, 40, SILENT.find),))
    missed = {check.what for check in checks(silent) if check.missed}
    assert len(missed) == 11
    assert not any("clean" in what for what in missed)
