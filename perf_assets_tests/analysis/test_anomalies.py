from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.anomalies import ALARM, EPISODE_COLUMNS, find_anomalies, passing, score
from perf_assets_tests.analysis.signals import autoregressive, hourly, step, white


def test_a_spike_raises_one_alarm_at_once() -> None:
    values = white(500, 1)
    values[300] += 8
    assert list(alarms(values)) == [300]


def test_a_long_oddness_raises_one_alarm() -> None:
    values = white(1_200, 2)
    values[800:850] += 5
    (alarm,) = alarms(values)
    assert 800 <= alarm < 803


def test_a_step_raises_one_alarm_and_is_the_new_level_afterwards() -> None:
    values = step(white(1_500, 11), 700, 8.0)
    values[1_300] += 15
    assert list(alarms(values)) == [700, 1_300]


def test_more_noise_is_an_anomaly_too() -> None:
    values = white(1_200, 4)
    values[800:840] *= 4
    (alarm,) = alarms(values)
    assert 800 <= alarm < 815


def test_a_smaller_episode_after_a_large_one_is_seen() -> None:
    values = white(1_200, 5)
    values[600] += 1_000
    values[900] += 15
    assert list(alarms(values)) == [600, 900]


def test_a_constant_that_changes_is_an_anomaly() -> None:
    assert list(alarms(step(np.full(200, 3.0), 120, 1.0))) == [120]


def test_a_daily_cycle_is_expected_and_its_absence_is_not() -> None:
    cycle = 10 * np.sin(2 * np.pi * np.arange(24 * 40) / 24) + white(24 * 40, 6)
    assert alarms(cycle).size == 0
    cycle[24 * 30 : 24 * 31] = white(24, 7)
    assert alarms(cycle)[0] // 24 == 30


def test_a_weekend_is_expected() -> None:
    hours = np.arange(24 * 7 * 12)
    weekend = hours // 24 % 7 >= 5
    values = np.where(weekend, 0.0, 20.0) + white(hours.size, 8)
    assert (alarms(values) >= 24 * 7 * 4).sum() <= 1
    daily = np.where(np.arange(400) % 7 >= 5, 0.0, 20.0) + white(400, 9)
    days = pd.date_range("2026-06-01", periods=400, freq="D").to_numpy()
    assert (score(days, daily) >= ALARM).sum() == 0


@pytest.mark.parametrize("length", [200, 1_000, 4_000])
def test_clean_series_alarm_at_most_once_in_a_thousand_values(length: int) -> None:
    counts = [alarms(values).size for seed in range(20_000 // length) for values in clean_kinds(length, seed)]
    assert sum(counts) / (len(counts) * length) < 1 / 1_000


def test_an_episode_is_one_row_with_start_end_and_expectation() -> None:
    values = 50 + white(600, 3)
    values[400:406] -= 20
    (row,) = find_anomalies(buckets(values)).itertuples()
    assert row.episode_start == hourly(600)[400]
    assert row.episode_end == hourly(600)[405]
    assert row.buckets == 6
    assert row.side == "low"
    assert abs(row.expected - 50) < 3
    assert abs(row.value - 30) < 4
    assert row.score > 0.9


def test_episodes_are_the_alarms_of_score() -> None:
    values = np.random.default_rng(10).standard_t(2, 3_000)
    table = find_anomalies(buckets(values))
    assert len(table) > 0
    assert list(table["episode_start"]) == list(hourly(3_000)[alarms(values)])
    assert (table["score"] >= ALARM).all()


def test_a_quiet_fleet_has_no_rows_but_the_columns() -> None:
    assert list(find_anomalies(buckets(np.zeros(100))).columns) == list(EPISODE_COLUMNS)
    assert find_anomalies(buckets(np.zeros(100))).empty


@limits(max_examples=50, deadline=None)
@given(st.integers(0, 200), st.integers(60, 1_400))
def test_what_follows_does_not_change_a_score(seed: int, cut: int) -> None:
    values = restless(1_500, seed)
    later = values.copy()
    later[cut:] += 100
    assert np.array_equal(score(hourly(1_500), values)[:cut], score(hourly(1_500), later)[:cut])
    assert np.array_equal(score(hourly(1_500), values)[:cut], score(hourly(cut), values[:cut]))


@limits(max_examples=30, deadline=None)
@given(st.integers(0, 200), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_unit_origin_and_direction_do_not_matter(seed: int, scale: float, shift: float) -> None:
    values = restless(800, seed)
    expected = score(hourly(800), values)
    assert np.allclose(score(hourly(800), values * scale + shift), expected, atol=1e-6)
    assert np.allclose(score(hourly(800), -values), expected, atol=1e-12)


@limits(max_examples=30, deadline=None)
@given(st.integers(0, 200))
def test_gaps_change_nothing_but_what_is_missing(seed: int) -> None:
    values = restless(600, seed)
    gaps = np.random.default_rng(seed).random(600) < 0.2
    with_gaps = np.where(gaps, np.nan, values)
    assert np.array_equal(score(hourly(600), with_gaps)[~gaps], score(hourly(600)[~gaps], values[~gaps]))


@limits(max_examples=200, deadline=None)
@given(
    arrays(np.float64, st.integers(0, 150), elements=st.floats(allow_nan=True, allow_infinity=True) | st.just(1.0)),
    st.sampled_from([60, 3_600, 86_400, 40 * 86_400]),
    st.integers(0, 2**32 - 1),
)
def test_scores_lie_between_zero_and_one_and_gaps_score_nothing(values: np.ndarray, step: int, seed: int) -> None:
    gaps = np.random.default_rng(seed).integers(1, 2 * step, values.size)
    ts = np.datetime64("2026-06-01", "us") + np.cumsum(gaps).astype("timedelta64[s]")
    scores = score(ts, values)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores[~np.isfinite(values)] == 0).all()
    assert (np.diff(np.flatnonzero(scores >= ALARM)) > 50).all()


@limits(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1_600), st.sampled_from([5, 60, 180, 1_440])), max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_each_series_has_the_episodes_it_would_have_alone(shapes: list[tuple[int, int]], seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = []
    for number, (size, minutes) in enumerate(shapes):
        ts = hourly(1)[0] + np.cumsum(random.integers(1, 2 * minutes, size)).astype("timedelta64[m]")
        hours = (ts - hourly(1)[0]) / np.timedelta64(1, "h")
        values = 3 * np.sin(hours * np.pi / 12) + random.standard_t(2, size)
        values[random.random(size) < 0.05] = np.nan
        parts.append(pd.DataFrame({"series_id": number, "ts": ts, "value": values}))
    together = find_anomalies(pd.concat([*parts, buckets(white(0, 1))], ignore_index=True))
    alone = [find_anomalies(part) for part in parts]
    rows = [row for table in alone for row in table.itertuples(index=False, name=None)]
    assert list(together.itertuples(index=False, name=None)) == rows
    starts = [part["ts"].to_numpy()[score(part["ts"].to_numpy(), part["value"].to_numpy()) >= ALARM] for part in parts]
    assert list(together["episode_start"]) == [pd.Timestamp(start) for each in starts for start in each]


def alarms(values: np.ndarray) -> np.ndarray:
    return np.flatnonzero(score(hourly(values.size), values) >= ALARM)


def restless(n: int, seed: int) -> np.ndarray:
    """A daily cycle, heavy tails and a step: enough for several episodes."""
    random = np.random.default_rng(seed)
    values = 3 * np.sin(2 * np.pi * np.arange(n) / 24) + random.standard_t(2, n)
    return step(values, int(random.integers(100, n)), 20.0)


def clean_kinds(n: int, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    skewed = np.exp(0.6 * random.standard_normal(n))
    return [
        random.standard_normal(n),
        autoregressive(n, 0.3, seed),
        autoregressive(n, 0.6, seed),
        random.standard_normal(n) + 1.5 * np.sin(2 * np.pi * np.arange(n) / 7),
        random.standard_normal(n) + 3.0 * (random.random(n) < 0.3),
        (skewed - skewed.mean()) / skewed.std(),
        np.round(random.standard_normal(n)),
        random.standard_normal(n) + 1.5 * np.arange(n) / n,
    ]


def buckets(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"series_id": 1, "ts": hourly(values.size), "value": values})


@given(
    starts=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 400)), max_size=8),
    changes=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 400)), max_size=8),
)
def test_an_episode_beside_a_change_of_level_does_not_pass(
    starts: list[tuple[int, int]], changes: list[tuple[int, int]]
) -> None:
    """Hours from an origin; episodes last three of them."""
    origin, hour = pd.Timestamp("2026-01-01"), pd.Timedelta(hours=1)
    episodes = pd.DataFrame(
        [(key, origin + at * hour, origin + (at + 3) * hour) for key, at in starts],
        columns=["series_id", "episode_start", "episode_end"],
    )
    moved = pd.DataFrame([(key, origin + at * hour) for key, at in changes], columns=["series_id", "changed_at"])
    moved = moved.astype({"changed_at": "datetime64[ns]"})
    left = passing(episodes.astype(dict.fromkeys(("episode_start", "episode_end"), "datetime64[ns]")), moved)
    kept = [(key, at) for key, at in starts if not any(k == key and at - 24 <= c <= at + 27 for k, c in changes)]
    assert [
        (key, (at - origin) // hour) for key, at in zip(left["series_id"], left["episode_start"], strict=True)
    ] == kept
