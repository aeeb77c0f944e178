from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.anomalies import ALARM, find_anomalies, score
from perf_assets_tests.analysis.signals import autoregressive, hourly, white


def test_a_spike_alarms_and_its_neighbours_do_not() -> None:
    values = white(500, 1)
    values[300] += 12
    alarms = np.flatnonzero(score(hourly(500), values) >= ALARM)
    assert 300 in alarms
    assert alarms.size <= 2


def test_clean_series_alarm_at_most_once_in_a_thousand_points() -> None:
    alarms = sum(len(find_anomalies(buckets(autoregressive(1_000, 0.3, seed)))) for seed in range(20))
    assert alarms <= 20


def test_a_daily_cycle_is_expected() -> None:
    cycle = 20 * np.sin(2 * np.pi * np.arange(24 * 40) / 24)
    assert len(find_anomalies(buckets(cycle + white(cycle.size, 2)))) <= 2


def test_an_episode_is_one_row_with_start_end_and_expectation() -> None:
    values = 50 + white(600, 3)
    values[400:406] += 20
    table = find_anomalies(buckets(values))
    row = table[table["side"] == "high"].iloc[0]
    assert row["episode_start"] == hourly(600)[400]
    assert abs(row["expected"] - 50) < 3
    assert row["value"] > 65


@limits(max_examples=50)
@given(st.integers(0, 200), st.integers(60, 119))
def test_what_follows_does_not_change_a_score(seed: int, cut: int) -> None:
    values = white(120, seed)
    later = values.copy()
    later[cut:] += 100
    assert np.array_equal(score(hourly(120), values)[:cut], score(hourly(120), later)[:cut])


@given(arrays(np.float64, st.integers(0, 80), elements=st.floats(-1e9, 1e9) | st.just(float("nan"))))
def test_scores_lie_between_zero_and_one_and_gaps_score_nothing(values: np.ndarray) -> None:
    scores = score(hourly(values.size), values)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores[np.isnan(values)] == 0).all()


def buckets(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"series_id": 1, "ts": hourly(values.size), "value": values})
