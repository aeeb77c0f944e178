"""Bounds of values: kept where a history bears them out, and never crossed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.bounds import Bounds

NUMBERS = st.lists(st.floats(allow_infinity=False), max_size=20)
ENDS = st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)).map(sorted)


@given(NUMBERS, ENDS)
def test_nothing_leaves_the_bounds_and_what_is_inside_stays(values: list[float], ends: list[float]) -> None:
    bounds = Bounds(*ends)
    within = bounds.within(values)
    known = ~np.isnan(values)
    assert (np.isnan(within) == ~known).all()
    assert ((within[known] >= bounds.lowest) & (within[known] <= bounds.highest)).all()
    inside = known & (np.array(values) >= bounds.lowest) & (np.array(values) <= bounds.highest)
    assert (within[inside] == np.array(values)[inside]).all()


@given(NUMBERS, ENDS)
def test_a_history_never_contradicts_the_bounds_that_it_bears_out(values: list[float], ends: list[float]) -> None:
    bounds = Bounds(*ends).borne_out_by(values)
    np.testing.assert_array_equal(bounds.within(values), values)
    assert bounds.lowest in (ends[0], -math.inf)
    assert bounds.highest in (ends[1], math.inf)
    assert bounds.borne_out_by(values) == bounds


def test_a_signed_difference_has_no_lowest_value() -> None:
    assert Bounds(0.0, 1.0).borne_out_by([0.5, -0.1, math.nan]) == Bounds(-math.inf, 1.0)
    assert Bounds(0.0, 1.0).borne_out_by([]) == Bounds(0.0, 1.0)


def test_bounds_in_the_wrong_order_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"lowest value 1\.0 is not at most the highest 0\.0"):
        Bounds(1.0, 0.0)
    with pytest.raises(ValueError, match="lowest value nan"):
        Bounds(math.nan)
