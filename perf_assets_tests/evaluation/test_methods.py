from __future__ import annotations

import numpy as np
import pytest

from evaluation.methods import beyond_percent, beyond_sigmas, doubled, first_of_runs, ours
from evaluation.peer_worker import filled
from evaluation.peers import PYTHON, ask, peer_version


def test_a_row_of_alarms_counts_once() -> None:
    flags = np.array([True, True, False, True, False, True, True])
    assert first_of_runs(flags).tolist() == [0, 3, 5]


def test_the_specification_s_way_sees_a_step_of_a_third_and_none_of_a_twentieth() -> None:
    flat = np.full(60, 100.0)
    step, small = flat.copy(), flat.copy()
    step[30:] += 33.0
    small[30:] += 5.0
    large, none, silent = beyond_percent([step, small, flat])
    assert large.size == 1
    assert abs(int(large[0]) - 30) <= 5
    assert none.size == silent.size == 0


def test_a_value_far_from_the_mean_before_is_an_alarm_where_it_lies() -> None:
    values = np.tile([0.0, 1.0], 30)
    values[40] = 9.0
    assert beyond_sigmas([values])[0].tolist() == [40]


def test_a_value_worse_than_twice_the_one_before_is_an_alarm_in_its_direction() -> None:
    values = np.array([1.0, 2.0, 4.1, 2.0, 0.9, 0.0, 0.0, 1.0])
    lower, higher = doubled([values, values], [False, True])
    # Twice is not more than twice; from 0 anything worse is, and 0 after 0 is nothing.
    assert lower.tolist() == [2, 7]
    assert higher.tolist() == [3, 4, 5]


@pytest.mark.skipif(not PYTHON.exists(), reason="the peers are not installed")
def test_every_peer_finds_a_clear_step_and_none_in_few_values() -> None:
    step = np.where(np.arange(60) < 30, 10.0, 20.0) + np.random.default_rng(1).standard_normal(60)
    for peer in ("otava", "rbf", "pelt", "asv"):
        assert [found.tolist() for found in ask(peer, [step, step[:3]]).change_points] == [[30], []]


def test_ours_takes_series_of_unlike_length_and_none_at_all() -> None:
    step = np.concatenate((np.zeros(20), np.ones(20))) + 0.01 * np.sin(np.arange(40.0) ** 2)
    assert [found.tolist() for found in ours([step, np.empty(0), step[:5]])] == [[20], [], []]
    assert ours([]) == []


def test_the_versions_of_the_peers_are_the_pinned_ones() -> None:
    assert all(peer_version(package)[0].isdigit() for package in ("apache-otava", "ruptures", "numpy"))


def test_gaps_are_filled_with_the_value_before() -> None:
    assert filled([None, 2.0, None, None, 5.0]) == [2.0, 2.0, 2.0, 2.0, 5.0]
    assert filled([None, None]) == []
    assert filled([1.0]) == [1.0]
