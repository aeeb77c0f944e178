from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from scipy import stats

from perf_assets.analysis.outnumbering import evidence_of_numbers
from perf_assets.analysis.stretches import pack
from perf_assets_tests.analysis.signals import FloatArray, white


def evidence(values: FloatArray, row: int, middle: float) -> float:
    return float(evidence_of_numbers(pack([values]), np.array([row]), np.array([middle]))[0])


@limits(max_examples=40, deadline=None)
@given(st.integers(0, 500), st.integers(8, 60), st.floats(0.1, 0.9))
def test_without_a_middle_between_them_the_ranks_decide(seed: int, size: int, share: float) -> None:
    values, row = white(size, seed), max(int(share * size), 1)
    first, second = values[:row], values[row:]
    expected = (stats.mannwhitneyu(first, second, method="asymptotic", use_continuity=False).statistic
                - row * (size - row) / 2.0) ** 2 / (row * (size - row) * (size + 1) / 12.0)  # fmt: skip
    assert np.isclose(evidence(values, row, 100.0), expected)


@limits(max_examples=40, deadline=None)
@given(st.integers(0, 500), st.integers(10, 60), st.integers(1, 9))
def test_distances_do_not_matter(seed: int, size: int, row: int) -> None:
    values = white(size, seed)
    assert np.isclose(evidence(values, row, 0.2), evidence(np.sinh(values) ** 3, row, float(np.sinh(0.2) ** 3)))


def test_four_of_eight_beyond_the_middle_are_just_enough_and_three_of_five_outliers_are_not() -> None:
    assert evidence(np.array([1.0, 1.1, 0.9, 1.0, 9.0, 9.1, 8.9, 9.2]), 4, 5.0) > 11.0
    values = np.where(np.arange(100) % 20 == 7, 9.0, 0.0) + white(100, 1)
    values[[95, 97, 99]] = 9.0
    assert evidence(values, 95, 4.5) < 11.0 < evidence(np.append(values[:95], [9.0, 9.0, 9.0, 9.0, 9.0]), 95, 4.5)
