from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.numenta import (
    FALSE_POSITIVE_COST,
    LabelledSeries,
    benchmark_table,
    normalised_score,
    probation,
    read_benchmark,
    series_outcome,
)

LENGTH = 1_000
WINDOWS = ((300, 349), (700, 749))


def test_an_alarm_at_the_first_value_of_every_window_is_perfect() -> None:
    assert benchmark_score([300, 700]) == pytest.approx(100.0)


def test_no_alarm_scores_nothing() -> None:
    assert benchmark_score([]) == 0.0


def test_one_window_of_two_is_half() -> None:
    assert benchmark_score([300]) == pytest.approx(50.0)


def test_only_the_first_alarm_of_a_window_counts() -> None:
    assert benchmark_score([310, 311, 320, 700]) == benchmark_score([310, 700])


def test_later_in_the_window_is_worth_less_and_its_last_value_a_little() -> None:
    rewards = [outcome([alarm]) + 1.0 for alarm in (300, 325, 349)]
    assert rewards[0] == pytest.approx(1.0)
    # Halfway: (2 / (1 + e^-2.5) - 1) / (2 / (1 + e^-5) - 1); at the end: e^-0.1 for e^-2.5.
    assert rewards[1] == pytest.approx(0.8483 / 0.9866, abs=1e-4)
    assert rewards[2] == pytest.approx(0.0500 / 0.9866, abs=1e-4)


def test_an_alarm_before_all_windows_costs_in_full() -> None:
    assert outcome([200]) == pytest.approx(-2.0 - FALSE_POSITIVE_COST)


def test_an_alarm_just_after_a_window_costs_less_than_one_long_after() -> None:
    just, later, long_after = (-2.0 - outcome([alarm]) for alarm in (351, 370, 600))
    assert 0 < just < later < long_after
    assert long_after == pytest.approx(FALSE_POSITIVE_COST)


def test_probation_is_a_share_of_the_series_up_to_750_values_and_alarms_in_it_are_free() -> None:
    assert (probation(LENGTH), probation(4_032), probation(20_000)) == (150, 604, 750)
    assert outcome([0, 149]) == outcome([])
    assert outcome([150]) < outcome([])


def test_found_windows_and_false_alarms_are_counted() -> None:
    assert series_outcome(np.array([20, 200, 310, 312, 500]), WINDOWS, LENGTH)[:2] == (1, 2)


def test_without_windows_there_is_no_score() -> None:
    table = pd.DataFrame({"windows": [0], "raw": [-0.11]})
    assert math.isnan(normalised_score(table))


def test_the_published_layout_is_read_with_windows_as_positions(tmp_path: Path) -> None:
    (tmp_path / "data" / "web").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    times = pd.date_range("2014-04-01", periods=50, freq="5min")
    pd.DataFrame({"timestamp": times, "value": np.arange(50)}).to_csv(tmp_path / "data" / "web" / "a.csv", index=False)
    windows = [[f"{times[10]}.000000", f"{times[14]}.000000"]]
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps({"web/a.csv": windows}), encoding="utf-8")
    (series,) = read_benchmark(tmp_path)
    assert (series.group, series.name, series.windows) == ("web", "a", ((10, 14),))
    assert series.values[-1] == 49
    assert series.ts[10] == np.datetime64(times[10])


def benchmark_score(alarms: list[int]) -> float:
    series = LabelledSeries("group", "name", np.arange(LENGTH).astype("datetime64[h]"), np.zeros(LENGTH), WINDOWS)
    return normalised_score(benchmark_table([series], lambda ts, values: raised(alarms, values.size), alarm=0.5))


def raised(alarms: list[int], length: int) -> np.ndarray:
    scores = np.zeros(length)
    scores[alarms] = 1.0
    return scores


def outcome(alarms: list[int]) -> float:
    return series_outcome(np.array(alarms, dtype=np.intp), WINDOWS, LENGTH)[2]
