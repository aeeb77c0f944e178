from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.commits import MANY, between_commits, place_between_commits
from perf_assets.analysis.level_changes import find_change_points
from perf_assets_tests.analysis.signals import MONDAY, hourly, measurements, step, white


def repeated(runs: list[int], levels: list[float], seed: int = 1) -> pd.DataFrame:
    """Measurements of commits with as many runs each, at these levels with a noise of 1."""
    values = np.repeat(levels, runs) + white(sum(runs), seed)
    commits = np.repeat([f"c{n:02}" for n in range(len(runs))], runs)
    return measurements(hourly(values.size), values).assign(commit_id=commits)


def found_in(table: pd.DataFrame) -> pd.DataFrame:
    return place_between_commits(find_change_points(table.drop(columns="commit_id")), table)


@pytest.mark.parametrize("astray", [0, 1, 2, 3])
def test_first_runs_of_a_commit_that_look_like_the_one_before_are_the_new_one(astray: int) -> None:
    table = repeated([6] * 12, [100.0] * 8 + [112.0] * 4)
    table.loc[48 : 48 + astray - 1, "value"] = 100.4
    (change,) = found_in(table).itertuples()
    assert (change.position, change.index_run_id, change.previous_run_id) == (48, 48, 47)
    assert (change.changed_at, change.previous_at) == tuple(table["ts"][[48, 47]])
    assert change.points_after == 24
    assert change.changed_at_low <= change.changed_at <= change.changed_at_high


def test_last_runs_of_a_commit_that_look_like_the_next_are_the_old_one() -> None:
    table = repeated([6] * 12, [100.0] * 8 + [112.0] * 4)
    table.loc[46:47, "value"] = 111.8
    (change,) = found_in(table).itertuples()
    assert (change.position, change.points_after) == (48, 24)


def test_a_change_inside_many_runs_of_one_commit_stays() -> None:
    table = repeated([30, 60, 30], [100.0, 100.0, 112.0])
    table.loc[60:, "value"] = step(table["value"].to_numpy(), 60, 12.0)[60:]
    table.loc[90:, "value"] -= 12.0
    found = found_in(table)
    assert found["position"].tolist() == [60]
    pd.testing.assert_frame_equal(found, find_change_points(table.drop(columns="commit_id")))


def test_what_has_no_commit_is_not_moved() -> None:
    table = repeated([6] * 12, [100.0] * 8 + [112.0] * 4)
    table.loc[48:49, "value"] = 100.4
    found = find_change_points(table.drop(columns="commit_id"))
    pd.testing.assert_frame_equal(place_between_commits(found, table.assign(commit_id=None)), found)
    pd.testing.assert_frame_equal(place_between_commits(found, table.assign(series_id=7)), found)
    pd.testing.assert_frame_equal(place_between_commits(found[:0], table), found[:0])


def test_each_of_several_series_is_held_against_its_own_commits() -> None:
    own = repeated([6] * 12, [100.0] * 8 + [112.0] * 4)
    own.loc[48:49, "value"] = 100.4
    other = repeated([1] * 72, [100.0] * 50 + [112.0] * 22).assign(series_id=2)
    found = found_in(pd.concat((own, other), ignore_index=True))
    assert found[["series_id", "position"]].to_numpy().tolist() == [[1, 48], [2, 50]]


def test_two_changes_of_one_series_keep_their_order() -> None:
    table = repeated([6] * 12, [100.0] * 4 + [112.0] * 4 + [100.0] * 4)
    table.loc[[24, 25, 48], "value"] = [100.0, 100.2, 112.0]
    assert found_in(table)["position"].tolist() == [24, 48]


def test_a_change_of_a_part_of_the_day_stays() -> None:
    table = repeated([6] * 12, [100.0] * 8 + [112.0] * 4)
    table.loc[48:49, "value"] = 100.4
    found = find_change_points(table.drop(columns="commit_id")).assign(part_of_day="night 00-06 UTC")
    pd.testing.assert_frame_equal(place_between_commits(found, table), found)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=20), st.randoms(use_true_random=False))
def test_a_change_is_between_commits_or_among_many_runs_of_one(sizes: list[int], random) -> None:
    commits = np.repeat(np.arange(len(sizes)), sizes)
    index = random.randrange(1, commits.size)
    low, high = random.randrange(index + 1), random.randrange(index, commits.size)
    values = white(commits.size, random.randrange(10_000))
    place = between_commits(values, commits, index, (low, high), (0, commits.size))
    assert 0 < place < commits.size
    if commits[place] == commits[place - 1]:
        assert place == index
        start, end = np.searchsorted(commits, commits[index], "left"), np.searchsorted(commits, commits[index], "right")
        assert start == 0 or (index - start >= MANY and not low <= start)
        assert end == commits.size or (end - index >= MANY and not end <= high)
    else:
        assert place == index or low <= place <= high or abs(place - index) < MANY
        assert between_commits(values, commits, place, (low, high), (0, commits.size)) == place


def test_the_revision_of_a_history_with_retriggers(shared_data: Path) -> None:
    file = shared_data / "field" / "cases" / "treeherder-2284-retriggers" / "input.csv"
    if not file.exists():
        pytest.skip(f"this history is absent ({file})")
    rows = pd.read_csv(file)
    table = pd.DataFrame(
        {"series_id": 1, "run_id": np.arange(len(rows)), "ts": pd.date_range(MONDAY, periods=len(rows), freq="h"),
         "value": rows["metric_value"], "commit_id": rows["commit_id"]}
    )  # fmt: skip
    (change,) = found_in(table).itertuples()
    assert rows["commit_id"][[change.previous_run_id, change.index_run_id]].tolist() == ["rev07", "rev08"]
