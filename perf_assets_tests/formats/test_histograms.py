"""Counted values: percentiles within an interval, and what came between two counts."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats.histograms import Buckets, added_between, mean, percentile


def counted(*counts: int, edges: tuple[float, ...] = (0, 10, 20, 40), **known: float) -> Buckets:
    intervals = list(pairwise(edges))
    return Buckets(
        sum(counts),
        None,
        {interval: count for interval, count in zip(intervals, counts, strict=True) if count},
        known.get("lowest"),
        known.get("highest"),
    )


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        (counted(2, 2, 0), 0.5, 10.0),
        (counted(2, 2, 0), 0.25, 5.0),
        (counted(2, 2, 0), 0.75, 15.0),
        (counted(0, 0, 4), 1.0, 40.0),
        (counted(4, 0, 0, lowest=6.0, highest=8.0), 0.5, 7.0),
        (counted(4, edges=(-math.inf, 8)), 0.5, 4.0),
        (counted(4, edges=(-math.inf, -8)), 0.5, None),
        (counted(4, edges=(-math.inf, -8), lowest=-10.0), 0.5, -9.0),
        (counted(1, 3, edges=(0, 8, math.inf)), 0.5, None),
        (counted(1, 3, edges=(0, 8, math.inf)), 0.25, 8.0),
        (counted(1, 2, edges=(0, 8, math.inf), highest=10.0), 1.0, 10.0),
        (counted(4, 0, 0, lowest=12.0), 0.5, None),
        (Buckets(3, 6.0, {}), 0.5, None),
    ],
)
def test_a_percentile_lies_within_its_interval(buckets: Buckets, share: float, value: float | None) -> None:
    found = percentile(buckets, share)
    assert found is None if value is None else found == pytest.approx(value)


@given(st.lists(st.floats(0, 40), min_size=2, max_size=50))
def test_a_percentile_is_wrong_by_an_interval_at_most(values: list[float]) -> None:
    edges = (-1.0, 0.0, 5.0, 10.0, 20.0, 40.0)
    counts = [sum(low < value <= high for value in values) for low, high in pairwise(edges)]
    found = percentile(counted(*counts, edges=edges, lowest=min(values), highest=max(values)), 0.5)
    (median,) = quantiles(values, n=2)
    widest = max(high - low for (low, high), count in zip(pairwise(edges), counts, strict=True) if count)
    assert found is not None
    assert min(values) <= found <= max(values)
    assert abs(found - median) <= widest + (max(values) - min(values)) / 2


def test_what_came_between_is_the_difference_without_smallest_and_largest() -> None:
    before = Buckets(3, 6.0, {(0, 10): 1, (20, 40): 2}, 1.0, 30.0)
    now = Buckets(6, 46.0, {(0, 10): 2, (10, 20): 1, (20, 40): 3}, 1.0, 40.0)
    assert added_between(before, now) == Buckets(3, 40.0, {(0, 10): 1, (10, 20): 1, (20, 40): 1})
    assert added_between(before, before) == Buckets(0, 0.0, {(0, 10): 0, (20, 40): 0})


def test_intervals_that_became_coarser_are_compared() -> None:
    before = Buckets(3, None, {(1, 2): 1, (2, 4): 1, (4, 8): 1})
    now = Buckets(5, None, {(1, 4): 3, (4, 16): 2})
    assert added_between(before, now) == Buckets(2, None, {(1, 4): 1, (4, 16): 1})


@pytest.mark.parametrize(
    "now",
    [
        Buckets(1, None, {(0, 10): 1}),
        Buckets(9, None, {(0, 10): 1, (10, 20): 8}),
        Buckets(9, None, {(0, 5): 9}),
        Buckets(9, None, {(10, 20): 9}),
        Buckets(9, None, {}),
    ],
)
def test_what_fell_anywhere_was_begun_anew(now: Buckets) -> None:
    assert added_between(Buckets(2, None, {(0, 10): 2}), now) is None


def test_a_mean_needs_values_and_their_sum() -> None:
    assert mean(Buckets(4, 6.0, {})) == 1.5
    assert mean(Buckets(0, 0.0, {})) is None
    assert mean(Buckets(4, None, {})) is None
