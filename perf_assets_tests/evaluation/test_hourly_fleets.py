from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.hourly_fleets import DAY, Fleet, Plan, simulate

PLAN = Plan(nodes=2, tests=5, history=4 * DAY, replayed=4 * DAY, worse=4, better=2)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return simulate(7, PLAN)


def test_a_seed_gives_one_fleet(fleet: Fleet) -> None:
    again, other = simulate(7, PLAN), simulate(8, PLAN)
    np.testing.assert_array_equal(again.values, fleet.values)
    pd.testing.assert_frame_equal(again.moved, fleet.moved)
    assert not np.array_equal(other.values, fleet.values)


def test_a_fleet_has_every_kind_of_noise_and_values_above_zero(fleet: Fleet) -> None:
    assert fleet.values.shape == (PLAN.series, PLAN.points) == (30, 192)
    assert fleet.series["noise"].nunique() == 10
    assert (fleet.values > 0).all()


def test_steps_lie_in_the_part_replayed_and_single_ones_in_series_of_their_own(fleet: Fleet) -> None:
    assert fleet.moved["start"].between(PLAN.history, PLAN.points - 2 * DAY, inclusive="left").all()
    scopes = fleet.events.set_index("event")["scope"]
    single = fleet.moved[fleet.moved["event"].map(scopes) == "series"]
    assert len(single) == PLAN.worse + PLAN.better
    assert not fleet.moved.loc[~fleet.moved.index.isin(single.index), "series_id"].isin(single["series_id"]).any()
    assert fleet.moved.groupby("event").size()[:2].tolist() == [2 * 3, 5 * 3]


def test_a_step_is_as_large_as_told_and_worse_means_less_throughput(fleet: Fleet) -> None:
    large = fleet.moved[fleet.moved["series_id"].map(fleet.moved["series_id"].value_counts()) == 1]
    for row in large.nlargest(5, "change").itertuples():
        before, after = np.split(fleet.values[row.series_id], [row.start])
        higher_is_better = fleet.series["direction"].iloc[row.series_id] == "higher_is_better"
        change = after.mean() / before.mean() - 1.0
        assert (change > 0) == (row.worse != higher_is_better)
        assert abs(change) == pytest.approx(row.change, abs=0.08)
