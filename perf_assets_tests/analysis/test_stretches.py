"""Stretches side by side hold what the series hold, however these lie in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.stretches import cut_out, pack, running


@limits(max_examples=60, deadline=None)
@given(data=st.data(), order=st.sampled_from("CF"), height=st.integers(1, 30), width=st.integers(1, 8))
def test_a_stretch_is_cut_out_as_it_stands(data: st.DataObject, order: str, height: int, width: int) -> None:
    values = np.array(np.random.default_rng(height * 10 + width).standard_normal((height, width)), order=order)  # type: ignore[call-overload]
    count = data.draw(st.integers(1, 6))
    column = np.array(data.draw(st.lists(st.integers(0, width - 1), min_size=count, max_size=count)))
    start = np.array(data.draw(st.lists(st.integers(0, height - 1), min_size=count, max_size=count)))
    end = np.array([data.draw(st.integers(first + 1, height)) for first in start])
    # A part of a larger array has gaps in memory.
    for whole in (values, np.repeat(values, 2, axis=1)[:, ::2]):
        block = cut_out(whole, column, start, end)
        assert block.sizes.tolist() == (end - start).tolist()
        for k in range(count):
            size = block.sizes[k]
            assert block.values[:size, k].tolist() == values[start[k] : end[k], column[k]].tolist()
            assert not block.values[size:, k].any()
            assert block.inside[:, k].tolist() == [row < size for row in range(len(block.inside))]


@limits(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6), outside=st.sampled_from([0.0, 7.0]))
def test_series_are_packed_as_columns(sizes: list[int], outside: float) -> None:
    series = [np.arange(size) + 100.0 * k for k, size in enumerate(sizes)]
    block = pack(series, outside)
    for k, values in enumerate(series):
        assert block.values[: values.size, k].tolist() == values.tolist()
        assert (block.values[values.size :, k] == outside).all()


@pytest.mark.parametrize("columns", [1, 2, 3, 298, 299, 300, 500])
def test_running_sums_have_the_same_digits_however_many_columns_there_are(columns: int) -> None:
    values = np.random.default_rng(columns).standard_normal((40, columns)) * 1e5
    expected = [np.concatenate(([0.0], np.cumsum(values[:, k]))) for k in range(columns)]
    assert np.array_equal(running(values), np.stack(expected, axis=1))
