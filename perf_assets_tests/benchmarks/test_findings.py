from __future__ import annotations

import numpy as np

from benchmarks.__main__ import findings_chapter
from benchmarks.findings import POINTS, FindingsRun, Stage, chain, detect_many_alone, fleet


def test_the_fleet_has_all_kinds_in_turn_and_a_step_in_every_other_ten() -> None:
    values = fleet(200)
    assert values.shape == (200, POINTS)
    quantised = values[8::10]
    assert np.array_equal(quantised, quantised.round())
    moved = np.abs(quantised[:, -75:].mean(axis=1) - quantised[:, :75].mean(axis=1)) > 1.0
    assert moved.tolist() == [False, True] * 10


def test_every_function_of_the_chain_is_timed() -> None:
    times = dict(chain(fleet(20)))
    assert {"find_change_points", "find_trends", "find_anomalies", "find_regressions"} <= set(times)
    assert all(seconds >= 0 for seconds in times.values())
    assert [name for name, _ in detect_many_alone(fleet(20))] == ["detect_many"]


def test_otava_is_scaled_to_all_series_and_missed_targets_are_marked() -> None:
    run = FindingsRun(
        Stage((("detect_many", 5.0),), 150.0), Stage((("detect_many", 60.0),), 900.0),
        Stage((("detect_many", 5.0),), 100.0),
        Stage((("a", 10.0), ("b", 20.0)), 800.0), Stage((("a", 3.0),), 200.0), "1.0", 2.0,
    )  # fmt: skip
    text = "\n".join(findings_chapter(run))
    assert "| Apache Otava | 100.0 |" in text
    assert "| `detect_many` alone | 5.0 | 20.0 |" in text
    assert "| all findings | 30.0 | 3.3 ✗ |" in text
    assert "| of which `b` | 20.0 |" in text
    assert "12.0 ✗ | at most 10.5" in text
