from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.level_changes import analyse_levels
from perf_assets.workers import Workers, split_by_series
from perf_assets_tests.analysis.signals import hourly, measurements, step, white


def fleet() -> pd.DataFrame:
    return pd.concat(
        [measurements(hourly(120), step(50 + white(120, seed), 70, 4.0), seed) for seed in range(4)], ignore_index=True
    )


def test_several_processes_find_what_one_finds() -> None:
    batches = split_by_series(fleet(), most=200)
    assert len(batches) > 1
    alone, together = (Workers(processes).map(analyse_levels, batches) for processes in (1, 2))
    for one, other in zip(alone, together, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            pd.testing.assert_frame_equal(mine, theirs)


def test_what_goes_wrong_in_a_worker_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        Workers(2).map(reciprocal, [1, 0, 2])


def reciprocal(number: int) -> float:
    return 1 / number


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(1, 50))
def test_no_series_is_split_or_lost(sizes: list[int], most: int) -> None:
    rows = pd.DataFrame({"series_id": [series for series, size in enumerate(sizes) for _ in range(size)]})
    parts = split_by_series(rows, most)
    assert sum(len(part) for part in parts) == len(rows)
    owners = [set(part["series_id"]) for part in parts]
    assert sum(map(len, owners)) == len(sizes)
