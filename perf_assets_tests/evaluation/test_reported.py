from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.history_files import MarkedSeries
from evaluation.reported import long_table, report

PLACE, POINTS = 60, 120
DAY = 86_400


def series(name: str, size: float, seed: int) -> MarkedSeries:
    """Daily values around 100 with a step."""
    times = 1_700_000_000 + DAY * np.arange(POINTS)
    noise = np.random.default_rng(seed).standard_normal(POINTS)
    values = 100.0 + noise + size * (np.arange(POINTS) >= PLACE)
    return MarkedSeries(name, "river", "benchmark_time", "sort", "s", False, times, values, ((), ()), ())


def test_series_of_a_history_share_runs_and_commits_of_one_moment() -> None:
    table = long_table([series("a", 0.0, 1), series("b", 0.0, 2)])
    assert len(table) == 2 * POINTS
    together = table.groupby("timestamp")[["test_run_id", "commit_id"]].nunique()
    assert (together == 1).all(axis=None)
    assert table["commit_id"].nunique() == POINTS
    assert table["timestamp"].iloc[0] == pd.Timestamp(1_700_000_000, unit="s", tz="UTC")


def test_values_of_one_moment_are_of_runs_of_their_own() -> None:
    one = series("a", 0.0, 1)
    one.times[5] = one.times[4]
    assert long_table([one])["test_run_id"].is_unique


def test_the_product_reports_the_step_of_one_series_and_none_of_the_other() -> None:
    moved, still = report([series("a", 40.0, 1), series("b", 0.0, 2)])
    assert moved.listed.tolist() == moved.confirmed.tolist() == [PLACE]
    assert still.listed.size == still.confirmed.size == 0
