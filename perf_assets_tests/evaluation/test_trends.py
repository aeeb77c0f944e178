from __future__ import annotations

import numpy as np

from evaluation.trends import METHODS, POINTS, chapter, checks, evaluate_trends, samples


def test_samples_have_unit_variance_and_only_the_last_has_a_trend() -> None:
    listed = list(samples(50, 7))
    assert [sample.trend for sample in listed] == [False] * (len(listed) - 1) + [True]
    steady = {sample.kind: sample.values for sample in listed[:9]}
    assert all(values.shape == (50, POINTS) for values in steady.values())
    assert all(0.7 < np.mean(values**2) < 1.4 for values in steady.values())


def test_every_kind_and_method_is_measured_and_written() -> None:
    results = evaluate_trends(2, 7)
    kinds = results["kind"].nunique()
    assert len(results) == kinds * len(METHODS)
    judged = checks(results)
    assert [check.limit for check in judged] == ["at most"] * (kinds - 1) + ["at least"]
    assert "| drift of 2 sd, AR .6 | at least 75 |" in "\n".join(chapter(results, 7))
