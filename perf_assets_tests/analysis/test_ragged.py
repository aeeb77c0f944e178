from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.ragged import blocks, by_width, medians, offsets_of, quantiles, runs, side_by_side, widths

sizes_of_groups = st.lists(st.integers(0, 70), max_size=40)


@given(sizes_of_groups, st.integers(0, 2**32 - 1))
def test_medians_are_those_of_each_group(sizes: list[int], seed: int) -> None:
    offsets = offsets_of(sizes)
    values = np.random.default_rng(seed).normal(size=offsets[-1]).round(1)
    found = medians(values, offsets)
    for group, size in enumerate(sizes):
        own = values[offsets[group] : offsets[group + 1]]
        assert np.isnan(found[group]) if size == 0 else found[group] == np.median(own)


@given(sizes_of_groups, st.lists(st.floats(0, 1), max_size=4), st.integers(0, 2**32 - 1))
def test_quantiles_are_those_of_each_group(sizes: list[int], shares: list[float], seed: int) -> None:
    offsets = offsets_of(sizes)
    values = np.random.default_rng(seed).normal(size=offsets[-1])
    found = quantiles(values, offsets, shares)
    assert found.shape == (len(shares), len(sizes))
    for group, size in enumerate(sizes):
        own = values[offsets[group] : offsets[group + 1]]
        expected = np.quantile(own, shares) if size else np.full(len(shares), np.nan)
        np.testing.assert_allclose(found[:, group], expected, rtol=0, atol=1e-12)


@given(sizes_of_groups)
def test_every_group_with_values_is_side_by_side_with_others_once(sizes: list[int]) -> None:
    offsets = offsets_of(sizes)
    values = np.arange(offsets[-1], dtype=np.float64)
    seen = []
    for rows, width in by_width(np.array(sizes, dtype=np.intp)):
        table = side_by_side(values, offsets[rows], np.diff(offsets)[rows], width, -1.0)
        assert table.shape == (rows.size, width)
        for row, group in zip(table, rows, strict=True):
            assert list(row[row >= 0]) == list(range(offsets[group], offsets[group + 1]))
        seen.extend(rows)
    assert sorted(seen) == [group for group, size in enumerate(sizes) if size]


def test_groups_are_padded_by_little() -> None:
    sizes = np.arange(1, 5_000)
    assert (widths(sizes) >= sizes).all()
    assert (widths(sizes) <= sizes * 9 / 8 + 7).all()


@given(st.lists(st.integers(0, 200_000), max_size=20))
def test_blocks_are_neighbours_and_hold_every_group(sizes: list[int]) -> None:
    found = list(blocks(offsets_of(sizes)))
    assert [group for block in found for group in range(block.start, block.stop)] == list(range(len(sizes)))
    assert all(block.stop > block.start for block in found)
    assert all(sum(sizes[block][:-1]) < 2**16 for block in found)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30))
def test_runs_begin_where_a_key_changes(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array([pair[place] for pair in pairs], dtype=np.intp) for place in (0, 1))
    changes = [place for place in range(len(pairs)) if place == 0 or pairs[place] != pairs[place - 1]]
    assert list(runs(first, second)) == [*changes, len(pairs)]
