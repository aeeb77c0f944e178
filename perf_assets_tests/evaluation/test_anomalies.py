from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.anomalies import (
    beyond_components,
    beyond_deviations,
    beyond_sigmas,
    chapter,
    checks,
    evaluate_clean,
    find_numenta,
)
from evaluation.signals import KINDS
from perf_assets_tests.analysis.signals import white

TIMES = np.datetime64("2026-06-01", "us") + np.arange(300) * np.timedelta64(1, "h")


def test_the_naive_detectors_raise_one_alarm_for_a_row_of_far_values() -> None:
    values = np.sin(np.arange(300.0) ** 2)
    values[200:203] = 30.0
    for detector in (beyond_sigmas, beyond_deviations):
        assert np.flatnonzero(detector(TIMES, values)).tolist() == [200]
        assert not detector(TIMES[:50], values[:50]).any()


def test_sub_pca_raises_an_alarm_for_a_shape_none_of_whose_values_is_far_off() -> None:
    times = np.datetime64("2026-06-01", "us") + np.arange(2_000) * np.timedelta64(1, "h")
    wave = np.sin(np.arange(2_000.0) * 2 * np.pi / 20) + 0.05 * white(2_000, 3)
    wave[800:820] = -wave[800:820]
    found = np.flatnonzero(beyond_components(times, wave))
    assert found.size >= 1
    assert ((found >= 800) & (found < 850)).all()
    assert not beyond_components(TIMES, np.ones(300)).any()


def test_clean_series_are_measured_and_written_without_the_benchmark() -> None:
    results = evaluate_clean(10, 7)
    assert set(results["kind"]) == set(KINDS)
    assert (results["series"] * results["points"] == 2_000).all()
    assert len(checks(results, pd.DataFrame())) == 2 * (len(KINDS) - 2)
    assert "Numenta benchmark: absent" in "\n".join(chapter(results, pd.DataFrame(), 7))


def test_the_benchmark_is_found_at_any_depth(tmp_path: Path) -> None:
    assert find_numenta(tmp_path) is None
    folder = tmp_path / "a" / "nab"
    (folder / "labels").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "labels" / "combined_windows.json").write_text("{}", encoding="utf-8")
    assert find_numenta(tmp_path) == folder
