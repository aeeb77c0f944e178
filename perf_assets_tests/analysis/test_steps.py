from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.fits import Sums
from perf_assets.analysis.steps import SHORTEST, excess_of_windows, step_gains, step_gains_beside_line
from perf_assets.analysis.stretches import pack
from perf_assets_tests.analysis.signals import FloatArray, autoregressive

CORRELATIONS = st.floats(0.0, 0.9)


def whitened(columns: FloatArray, r: float, first: float) -> FloatArray:
    rest = columns[1:] - r * columns[:-1]
    return np.vstack((first * columns[:1], rest))


def left_by(columns: list[FloatArray], values: FloatArray, r: float, first: float | None = None) -> float:
    """Residual sum of squares of generalised least squares, from its definition."""
    scale = np.sqrt(1 - r**2) if first is None else first
    white = whitened(np.column_stack([*columns, values]).astype(np.float64), r, scale)
    x, y = white[:, :-1], white[:, -1]
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(rest @ rest)


@limits(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(8, 60), min_size=1, max_size=3), r=CORRELATIONS, seed=st.integers(0, 500))
def test_gains_are_those_of_generalised_least_squares(sizes: list[int], r: float, seed: int) -> None:
    block = pack([autoregressive(n, r, seed + i) for i, n in enumerate(sizes)])
    correlation = np.full(len(sizes), r)
    from_level, from_line = step_gains_beside_line(Sums(block), correlation)
    assert np.array_equal(from_level, step_gains(Sums(block), correlation))
    for column, n in enumerate(sizes):
        values, row, one = block.values[:n, column], np.arange(n), np.ones(n)
        for cut in (SHORTEST, n // 2, n - SHORTEST):
            step = row >= cut
            gain = left_by([one], values, r) - left_by([one, step], values, r)
            assert np.isclose(from_level[cut, column], gain, atol=1e-8)
            beside_line = left_by([one, row], values, r) - left_by([one, row, step], values, r)
            assert np.isclose(from_line[cut, column], beside_line, atol=1e-7)
        assert not from_level[:SHORTEST, column].any() and not from_level[n - SHORTEST + 1 :, column].any()


@limits(max_examples=40, deadline=None)
@given(
    n=st.integers(20, 60), r=CORRELATIONS, seed=st.integers(0, 500), before=st.integers(4, 8), after=st.integers(4, 8)
)
def test_windows_are_judged_by_what_lies_in_them(n: int, r: float, seed: int, before: int, after: int) -> None:
    block = pack([autoregressive(n, r, seed)])
    windows, least = np.array([(before, after)]), np.array([[3.0]])
    excess = excess_of_windows(Sums(block), np.array([r]), np.array([2.0]), windows, least)
    gains = 2.0 * (excess[before : n - after + 1] + 3.0)
    assert np.count_nonzero(np.isfinite(excess)) == gains.size
    for place, gain in enumerate(gains[:, 0]):
        window = block.values[place : place + before + after, 0]
        step = np.arange(window.size) >= before
        # The first value of a window has no known predecessor, so it is left out.
        expected = left_by([np.ones(window.size)], window, r, 0.0) - left_by(
            [np.ones(window.size), step], window, r, 0.0
        )
        assert np.isclose(gain, expected, atol=1e-8)


@limits(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(8, 40), min_size=1, max_size=3), r=CORRELATIONS, seed=st.integers(0, 500))
def test_of_several_windows_the_best_counts_and_none_reaches_beyond_the_end(
    sizes: list[int], r: float, seed: int
) -> None:
    sums = Sums(pack([autoregressive(n, r, seed + i) for i, n in enumerate(sizes)]))
    windows, least = np.array([(4, 4), (5, 12), (30, 30)]), np.arange(3.0 * len(sizes)).reshape(3, -1)
    given_all = np.full(len(sizes), r), np.ones(len(sizes))
    alone = [excess_of_windows(sums, *given_all, windows[[k]], least[[k]]) for k in range(3)]
    assert np.array_equal(excess_of_windows(sums, *given_all, windows, least), np.maximum.reduce(alone))
    for (before, after), excess in zip(windows.tolist(), alone, strict=True):
        rows = np.arange(len(excess))[:, None]
        assert np.array_equal(np.isfinite(excess), (rows >= before) & (rows + after <= np.array(sizes)))
