from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.change_points import describe, detect
from perf_assets.analysis.sensitivity import find_detection_limits
from perf_assets_tests.analysis.signals import autoregressive, step, white

NO_CHANGES = pd.DataFrame({"series_id": pd.Series(dtype="int64"), "position": pd.Series(dtype="int64")})


def limits(values: np.ndarray, changes: pd.DataFrame = NO_CHANGES) -> pd.Series:
    return find_detection_limits(pd.DataFrame({"series_id": 1, "value": values}), changes).iloc[0]


def test_a_change_of_the_told_size_is_mostly_confirmed_within_the_told_runs() -> None:
    confirmed = 0
    for seed in range(40):
        values = 100 + 5 * white(150, seed)
        told = limits(values[:100])
        size = told["smallest_detectable"] * told["level"]
        later = step(values[: 100 + int(told["runs_needed"])], 100, size)
        table = describe(later, detect(later))
        confirmed += bool((table["confirmed"] & (abs(table["index"] - 100) <= 10)).any())
    assert 24 <= confirmed <= 40


def test_autocorrelation_makes_changes_harder_to_see() -> None:
    easy, hard = limits(100 + white(200, 1)), limits(100 + autoregressive(200, 0.6, 1))
    assert hard["smallest_detectable"] > 1.4 * easy["smallest_detectable"]


def test_only_the_present_level_counts() -> None:
    values = step(100 + white(200, 2), 120, 50.0)
    row = limits(values, pd.DataFrame({"series_id": [1], "position": [120]}))
    assert row["points"] == 80
    assert abs(row["level"] - 150) < 1
    assert 0.7 < row["noise"] < 1.3


def test_a_short_level_and_a_level_of_zero_have_no_limit() -> None:
    assert np.isnan(limits(np.array([1.0, 2.0, 1.0]))["smallest_detectable"])
    assert np.isnan(limits(white(51, 1) - np.median(white(51, 1)))["smallest_detectable"])


def test_without_any_value_there_is_no_limit() -> None:
    measurements = pd.DataFrame({"series_id": [1] * 20 + [2] * 3, "value": np.nan})
    found = find_detection_limits(measurements, NO_CHANGES)
    assert found["points"].tolist() == [0, 0]
    assert found[["level", "noise", "autocorrelation", "smallest_detectable", "runs_needed"]].isna().all(axis=None)


@given(st.integers(0, 30), st.floats(0.01, 1000))
def test_the_unit_does_not_matter(seed: int, factor: float) -> None:
    values = 100 + white(60, seed)
    told = [limits(v)["smallest_detectable"] for v in (values, values * factor)]
    assert np.isclose(*told, rtol=1e-9)


def test_what_creeps_is_no_noise() -> None:
    rows = np.arange(100)
    steady, creeping = limits(100 + white(100, 3)), limits(100 + white(100, 3) + 0.4 * rows)
    staircase = limits(100 + white(100, 3) + 4.0 * (rows // 10))
    assert creeping["noise"] == pytest.approx(steady["noise"], rel=0.1)
    assert creeping["smallest_detectable"] < 1.1 * steady["smallest_detectable"]
    assert staircase["smallest_detectable"] < 3.0 * steady["smallest_detectable"]


def test_a_few_values_far_off_turn_no_line() -> None:
    values = 100 + white(100, 3)
    values[[90, 95, 99]] += 200.0
    assert limits(values)["noise"] == pytest.approx(limits(100 + white(100, 3))["noise"], rel=0.2)
