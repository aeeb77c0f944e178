from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.fits import Fit, Sums, bent_line, levels, lines, step_on_line
from perf_assets.analysis.stretches import Block, pack
from perf_assets_tests.analysis.signals import FloatArray, white

SIZES = st.lists(st.integers(8, 90), min_size=1, max_size=5)


def block_of(sizes: list[int], seed: int) -> Block:
    """Noise on a slope with a step in the middle, one column a size."""
    shift = [3.0 * (np.arange(n) >= n // 2) + 0.1 * np.arange(n) for n in sizes]
    return pack([white(n, seed + i) + shift[i] for i, n in enumerate(sizes)])


def fits_of(block: Block) -> dict[str, Fit]:
    third, half = block.sizes // 3, block.sizes // 2
    return {
        "level": levels(),
        "levels": levels(third, half),
        "line": lines(),
        "lines": lines(third, half),
        "step on a line": step_on_line(half),
        "bent line": bent_line,
    }


def by_regression(name: str, n: int, row: FloatArray) -> FloatArray:
    """Columns of the ordinary regression that the fit stands for."""
    one, place, half, third = np.ones(n), row, row >= n // 2, row >= n // 3
    return np.column_stack(
        {
            "level": [one],
            "levels": [one, third, half],
            "line": [one, place],
            "lines": [one, place, third, third * place, half, half * place],
            "step on a line": [one, place, half],
        }[name]
    )


@pytest.mark.parametrize("name", ["level", "levels", "line", "lines", "step on a line"])
@limits(max_examples=25, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 1000))
def test_what_a_fit_leaves_is_what_least_squares_leave(name: str, sizes: list[int], seed: int) -> None:
    block = block_of(sizes, seed)
    left = fits_of(block)[name](Sums(block)).residuals(block, block.values)
    for column, n in enumerate(sizes):
        columns = by_regression(name, n, np.arange(n, dtype=np.float64))
        values = block.values[:n, column]
        expected = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
        assert np.allclose(left[:n, column], expected, atol=1e-9)
        assert not left[n:, column].any()


@limits(max_examples=40, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 1000))
def test_running_sums_tell_what_the_residuals_would(sizes: list[int], seed: int) -> None:
    block = block_of(sizes, seed)
    sums = Sums(block)
    for name, fit in fits_of(block).items():
        line = fit(sums)
        left = line.residuals(block, block.values)
        squares, products = line.left_over(sums)
        assert np.allclose(squares, (left**2).sum(axis=0)), name
        assert np.allclose(products, (left[1:] * left[:-1]).sum(axis=0), atol=1e-9), name


@limits(max_examples=40, deadline=None)
@given(n=st.integers(12, 300), share=st.floats(0.2, 0.8), turn=st.floats(0.2, 2.0))
def test_a_bend_is_found_where_it_is(n: int, share: float, turn: float) -> None:
    at, row = int(share * n), np.arange(n)
    values = 0.5 * row + turn * np.maximum(row - at, 0)
    line = bent_line(Sums(pack([values])))
    assert line.edges[1, 0] == at
    assert np.allclose(line.slope[:, 0], [0.5, 0.5 + turn])
    assert np.allclose(line.fitted(pack([values]))[:, 0], values)


def test_no_bent_line_leaves_more_than_a_line() -> None:
    block = block_of([8, 40, 200], 3)
    sums = Sums(block)
    assert (bent_line(sums).left_over(sums)[0] <= lines()(sums).left_over(sums)[0] + 1e-9).all()


def test_the_same_digits_alone_and_beside_others() -> None:
    block = block_of([50, 70, 20], 9)
    for column, n in enumerate([50, 70, 20]):
        alone = pack([block.values[:n, column]])
        for (name, fit), other in zip(fits_of(block).items(), fits_of(alone).values(), strict=True):
            together, single = fit(Sums(block)), other(Sums(alone))
            for own, by_itself in zip(together.left_over(Sums(block)), single.left_over(Sums(alone)), strict=True):
                assert own[column] == by_itself[0], name
