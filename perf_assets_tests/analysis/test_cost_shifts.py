from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.cost_shifts import moved_costs
from perf_assets.analysis.level_changes import ALL_DAY


def changes(*sizes: float, half: float = 0.5, **fields: object) -> pd.DataFrame:
    """Changes of the phases of one job that begin with one run, with intervals of `half` to either side."""
    return pd.DataFrame(
        {
            "project": "p", "metric": "test_execution_time", "unit": "s", "direction": "lower_is_better",
            "node_id": None, "part_of_day": ALL_DAY, "index_run_id": 7, "size": sizes,
            "size_low": np.array(sizes) - half, "size_high": np.array(sizes) + half,
        }
    ).assign(**fields)  # fmt: skip


def test_what_one_phase_takes_more_and_another_less_has_moved() -> None:
    assert moved_costs(changes(10.0, -9.8)).all()
    assert moved_costs(changes(10.0, -6.0, -4.0)).all()


def test_a_sum_that_changed_is_no_move() -> None:
    assert not moved_costs(changes(10.0, -8.0)).any()
    assert not moved_costs(changes(10.0, -8.0, half=5.0)).any()  # within the interval, but a fifth of what moved
    assert not moved_costs(changes(10.0, 10.0)).any()
    assert not moved_costs(changes(10.0)).any()


def test_costs_move_within_one_job_and_between_what_adds_up() -> None:
    assert not moved_costs(changes(10.0, -10.0, index_run_id=[7, 8])).any()
    assert not moved_costs(changes(10.0, -10.0, node_id=["a", "b"])).any()
    assert not moved_costs(changes(10.0, -10.0, project=["p", "q"])).any()
    assert not moved_costs(changes(10.0, -10.0, unit="1")).any()
    assert not moved_costs(changes(10.0, -10.0, direction="higher_is_better")).any()


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6), st.sampled_from([0.25, 2.0, 1_024.0]))
def test_the_unit_does_not_matter_and_what_moves_goes_both_ways(sizes: list[float], factor: float) -> None:
    moved = moved_costs(changes(*sizes))
    if moved.any():
        assert moved.all()
        assert min(sizes) < 0 < max(sizes)
    scaled = changes(*(size * factor for size in sizes), half=0.5 * factor)
    assert np.array_equal(moved_costs(scaled), moved)
