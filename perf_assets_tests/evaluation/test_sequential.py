from __future__ import annotations

import numpy as np

from evaluation.sequential import MOST_DELAY, Watch, chapter, checks, evaluate_sequential, ours

RANDOM = np.random.default_rng(3)


def test_what_is_confirmed_first_after_the_step_counts() -> None:
    values = RANDOM.standard_normal((2, 160))
    values[0, 100:] += 8.0
    seen, none = ours(list(values), 100)
    assert none is None
    assert seen is not None
    assert abs(seen.index - 100) <= 1
    assert 100 < seen.confirmed_at < 110


def test_every_kind_is_measured_and_written() -> None:
    results = evaluate_sequential(2, 7, (Watch("perf_assets", 2, ("white", "AR .3", "AR .6", "drift"), ours),))
    assert results["kind"].tolist() == ["white", "AR .3", "AR .6", "drift"]
    assert len(checks(results)) == 2 * len(MOST_DELAY)
    assert "| drift | perf_assets |" in "\n".join(chapter(results, 7))
