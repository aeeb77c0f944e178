from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.proportions import Check, Estimate, Proportion, exactly, mean_of, median_of, rate_of, share_of


def test_a_proportion_carries_its_wilson_interval() -> None:
    low, high = Proportion(9, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert np.isnan(Proportion(0, 0).share)


def test_a_target_is_missed_when_the_interval_excludes_it() -> None:
    figure = Estimate(0.02, 0.015, 0.025)
    assert not Check("", figure, "at most", 0.016).missed
    assert Check("", figure, "at most", 0.014).missed
    assert not Check("", figure, "at least", 0.024).missed
    assert Check("", figure, "at least", 0.026).missed


@pytest.mark.parametrize("limit", ["at most", "at least"])
def test_no_figure_meets_no_target(limit: str) -> None:
    assert Check("", share_of(0, 0), limit, 0.5).missed  # type: ignore[arg-type]


def test_the_median_counts_what_never_came_as_the_longest() -> None:
    assert median_of([3, math.inf, 5, 4, math.inf]).value == 5
    assert median_of([3, math.inf, math.inf]).value == math.inf
    assert median_of([4, math.inf]).value == 4
    assert math.isnan(median_of([]).value)


def test_the_interval_of_a_median_holds_it() -> None:
    estimate = median_of(range(101))
    assert (estimate.value, estimate.low, estimate.high) == (50, 40, 60)


def test_a_mean_needs_two_values() -> None:
    assert mean_of([1.0, 3.0]).value == 2.0
    assert math.isnan(mean_of([1.0]).value)


def test_no_event_still_has_an_upper_limit() -> None:
    rate = rate_of(0, 2.0)
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(3.689 / 2.0, abs=1e-3)
    assert exactly(3.0).low == 3.0
