from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.forecasts import forecast, forecast_fleet
from perf_assets.analysis.forecasts.backtest import MANY, scored, task_of
from perf_assets.analysis.forecasts.pool import SCORE_COLUMNS
from perf_assets.analysis.forecasts.preparation import on_one_level, without_gaps
from perf_assets.analysis.statistics import FloatArray
from perf_assets_tests.analysis.signals import autoregressive, white

START = pd.Timestamp("2026-01-05")
COLUMNS = ["unique_id", "ds", "mean", "lo-80", "hi-80", "lo-95", "hi-95", "model"]


def history(*series: FloatArray, freq: str = "D", **more: object) -> pd.DataFrame:
    tables = [
        pd.DataFrame(
            {"unique_id": f"s{place:04d}", "ds": pd.date_range(START, periods=len(values), freq=freq), "y": values}
        )
        for place, values in enumerate(series)
    ]
    return pd.concat(tables, ignore_index=True).assign(**more)


def waves(count: int, hours: int, noise: float = 0.3) -> list[FloatArray]:
    random = np.random.default_rng(2)
    time = np.arange(hours)
    return [
        10.0 + random.uniform(1, 3) * np.sin(2 * np.pi * (time - random.integers(24)) / 24) + noise * white(hours, seed)
        for seed in range(count)
    ]


def matrix(table: pd.DataFrame, column: str, horizon: int) -> FloatArray:
    return table[column].to_numpy(dtype=float).reshape(-1, horizon)


def test_the_table_has_a_row_for_each_series_and_step() -> None:
    table = forecast(history(*waves(3, 200), freq="h"), 24)
    assert table.columns.tolist() == COLUMNS
    assert table.groupby("unique_id").size().tolist() == [24, 24, 24]
    assert table["ds"].min() == START + pd.Timedelta(hours=200)
    assert table.equals(table.sort_values(["unique_id", "ds"]))
    for low, high in (("lo-95", "lo-80"), ("lo-80", "mean"), ("mean", "hi-80"), ("hi-80", "hi-95")):
        assert (table[low] <= table[high]).all()
    assert list(forecast(history(white(40, 1)), 3, levels=(50,)).columns) == [
        "unique_id", "ds", "mean", "lo-50", "hi-50", "model",
    ]  # fmt: skip
    assert forecast(history(white(4, 1)), 3).columns.tolist() == COLUMNS


def test_a_day_is_seen_in_hours_and_the_intervals_hold_what_they_say() -> None:
    values = np.array(waves(150, 224))
    table = forecast(history(*values[:, :200], freq="h"), 24)
    truth = values[:, 200:]
    error = np.abs(matrix(table, "mean", 24) - truth).mean()
    assert error < 0.85 * np.abs(values[:, 176:200] - truth).mean()
    for level in (80, 95):
        inside = (truth >= matrix(table, f"lo-{level}", 24)) & (truth <= matrix(table, f"hi-{level}", 24))
        assert inside.mean() == pytest.approx(level / 100, abs=0.025)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9, 1.0])
def test_noise_of_any_persistence_stays_in_its_intervals(correlation: float) -> None:
    if correlation == 1.0:
        values = np.stack([white(74, seed).cumsum() for seed in range(300)])
    else:
        values = np.stack([autoregressive(300, correlation, seed)[226:] for seed in range(300)])
    table = forecast(history(*values[:, :60]), 14)
    for level in (80, 95):
        low, high = (matrix(table, f"{end}-{level}", 14) for end in ("lo", "hi"))
        inside = (values[:, 60:] >= low) & (values[:, 60:] <= high)
        # At the origins that tell the widths half as much was known, hence they are rather too wide.
        assert level / 100 - 0.025 <= inside.mean() <= level / 100 + 0.055


def test_what_never_changes_is_certain_and_short_series_have_no_forecast() -> None:
    found = forecast_fleet(history(np.full(40, 5.0), np.arange(5.0), np.full(0, 1.0)), 3)
    np.testing.assert_allclose(found.table[["mean", "lo-95", "hi-95"]].to_numpy(dtype=float), 5.0)
    assert found.scores.columns.tolist() == list(SCORE_COLUMNS)
    short = found.scores.set_index("unique_id").loc["s0001"]
    assert (short["model"], short["chosen"]) == ("none", False)
    assert short["note"] == "5 values are too few or too far apart: at least 8 places with one are needed"


def test_the_order_of_rows_and_the_series_beside_do_not_change_the_dates() -> None:
    table = history(*waves(5, 100), freq="h")
    shuffled = table.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(forecast(table, 6), forecast(shuffled, 6))


def test_gaps_are_bridged_by_the_cycle_and_are_no_truth() -> None:
    values = np.array(waves(40, 200, noise=0.01))
    gappy = values.copy()
    gappy[:, 60:75] = np.nan
    gappy[:, 190:195] = np.nan
    once, twice = (forecast(history(*one, freq="h"), 24) for one in (values, gappy))
    np.testing.assert_allclose(once["mean"], twice["mean"], atol=0.1)
    filled = without_gaps(gappy, 24)
    np.testing.assert_allclose(filled, values, atol=0.1)
    assert np.isfinite(without_gaps(np.array([[np.nan, 1.0, np.nan, np.nan, 2.0]]), 2)).all()


def test_behind_a_step_the_old_values_tell_the_shape_and_the_new_ones_the_level() -> None:
    week = np.array([0.0, 0.1, 0.2, 0.1, 0.0, -0.3, -0.1])
    values = np.stack(
        [
            np.resize(1.0 + week, 64) * np.where(np.arange(64) < 57, 100.0, 25.0) * (1.0 + 0.01 * white(64, s))
            for s in range(30)
        ]
    )
    known = history(*values[:, :60])
    stepped = START + pd.Timedelta(days=57)
    table = forecast(known.assign(stepped_at=stepped), 4)
    np.testing.assert_allclose(matrix(table, "mean", 4), values[:, 60:], atol=3.0)
    without = forecast(known, 4)
    assert np.abs(matrix(without, "mean", 4) - values[:, 60:]).mean() > 3.0
    # The fewer values tell the level, the wider is the interval.
    width = (table["hi-80"] - table["lo-80"]).mean()
    later = forecast(history(*values[:, :64], stepped_at=stepped), 4)
    assert width > 1.03 * (later["hi-80"] - later["lo-80"]).mean()


def test_signed_values_are_shifted_onto_the_level() -> None:
    values = np.array([[-1.0, 1.0, -1.0, 1.0, 9.0, 11.0]])
    moved, doubt = on_one_level(values, np.array([4]), 1)
    assert moved[0].tolist() == [9.0, 11.0, 9.0, 11.0, 9.0, 11.0]
    assert doubt[0] == pytest.approx(1 / np.sqrt(2))


def test_forecasts_stay_within_bounds_that_the_values_bear_out() -> None:
    falling = 20.0 - 0.5 * np.arange(40) + 0.1 * white(40, 1)
    free, bounded = (forecast(history(falling, lowest=low), 14) for low in (np.nan, 0.0))
    assert free["mean"].iloc[-1] < -3.0
    # The bound is borne out by values that are all above it.
    assert bounded["lo-95"].min() >= 0.0 if falling.min() >= 0 else True
    shares = np.clip(0.97 + 0.02 * np.stack([white(60, seed) for seed in range(20)]), 0.0, 1.0)
    table = forecast(history(*shares, lowest=0.0, highest=1.0), 7)
    assert table["hi-95"].max() <= 1.0 and table["lo-95"].min() >= 0.0
    signed = white(60, 3)
    pd.testing.assert_frame_equal(forecast(history(signed, lowest=0.0), 7), forecast(history(signed), 7))


def test_counts_and_durations_have_intervals_like_their_values() -> None:
    random = np.random.default_rng(5)
    counts = random.poisson(0.8, (200, 74)).astype(float)
    durations = np.exp(0.5 * random.standard_normal((200, 74)))
    for values in (counts, durations):
        table = forecast(history(*values[:, :60], lowest=0.0), 14)
        inside = (values[:, 60:] >= matrix(table, "lo-95", 14)) & (values[:, 60:] <= matrix(table, "hi-95", 14))
        assert inside.mean() == pytest.approx(0.95, abs=0.03)
        assert (table["lo-95"] >= 0).all()
    upper, lower = table["hi-95"] - table["mean"], table["mean"] - table["lo-95"]
    assert (upper > 1.5 * lower).mean() > 0.9


def test_slow_methods_compete_for_the_headline_and_win_only_where_they_are_better() -> None:
    time = np.arange(90)
    values = [100.0 + 5.0 * np.sin(2 * np.pi * time / 7) + white(90, seed) for seed in range(40)]
    found = forecast_fleet(history(*values), 7, headline=["s0003"])
    tried = found.scores[found.scores["unique_id"] == "s0003"].set_index("model")
    assert {"exponential_smoothing", "prophet", "decomposition", "gradient_boosting"} <= set(tried.index)
    assert found.scores.groupby("unique_id")["chosen"].sum().tolist() == [1] * 40
    chosen = tried[tried["chosen"]].iloc[0]
    pool = tried[tried["note"].str.contains("in the pool")].iloc[0]
    assert chosen["mae"] <= pool["mae"]
    assert found.table.loc[found.table["unique_id"] == "s0003", "model"].unique().tolist() == [chosen.name]
    assert (tried["mase"] < 1.3).all()
    others, alone = (table[table["unique_id"] != "s0003"] for table in (found.table, forecast(history(*values), 7)))
    pd.testing.assert_frame_equal(others[["ds", "mean", "model"]], alone[["ds", "mean", "model"]])


def test_a_shape_that_grows_is_left_to_what_knows_one() -> None:
    time = np.arange(140)
    values = 50.0 + 0.2 * time * np.resize([0.0, 1.0, 0.0, -1.0, 2.0, 0.0, -2.0], 140) / 7 + 0.01 * white(140, 1)
    scores = forecast_fleet(history(values), 7, headline=["s0000"]).scores
    assert scores.loc[scores["chosen"], "mae"].iloc[0] == scores["mae"].min()


@pytest.mark.parametrize("size", [8, 14, 15, 16, 20, 21, 28])
def test_a_line_goes_on_however_short_it_is(size: int) -> None:
    values = [3.0 * np.arange(size + 7) + 0.5 * white(size + 7, seed) for seed in range(20)]
    table = forecast(history(*(one[:size] for one in values)), 7)
    assert np.abs(matrix(table, "mean", 7)[:, -1] - 3.0 * (size + 6)).mean() < (6.0 if size < 10 else 3.0)


def test_rounding_is_no_error() -> None:
    time = np.arange(200)
    for values in (np.where(time % 7 < 5, 10.0, 2.0), 1.0 * time, np.where(time == 100, 6.0, 5.0)):
        table = forecast(history(values, lowest=0.0), 60)
        assert (table["hi-95"] - table["lo-95"]).max() < 100.0


def test_values_of_any_size_leave_the_others_alone() -> None:
    values = [10.0 + white(60, seed) for seed in range(3)]
    sizes = (1.0, 1e170, 1e-290)
    table = forecast(history(*(size * one for size, one in zip(sizes, values, strict=True))), 5)
    alone = forecast(history(*values), 5)
    for row, size in enumerate(sizes):
        own, other = (part[part["unique_id"] == f"s{row:04d}"] for part in (table, alone))
        np.testing.assert_allclose(own["mean"] / size, other["mean"], rtol=1e-6)


def test_small_noise_on_a_large_level_is_kept() -> None:
    noise = [white(120, seed) for seed in range(3)]
    low, high = (forecast(history(*(level + one for one in noise)), 5) for level in (0.0, 2.0**30))
    for name in ("mean", "lo-95", "hi-95"):
        np.testing.assert_allclose(high[name] - 2.0**30, low[name], atol=1e-4)


def test_noise_beside_one_huge_value_is_kept() -> None:
    noise = [white(200, seed) for seed in range(40)]
    spoilt = [one.copy() for one in noise]
    for one in spoilt:
        one[30] = 1e5
    table = forecast(history(*spoilt), 5)
    half = (table["hi-80"] - table["lo-80"]) / 2.0
    assert 1.0 < half.median() < 2.0
    assert table["mean"].abs().max() < 2.0


def test_fewer_origins_do_where_there_are_many_series() -> None:
    made = history(*(white(120, seed) for seed in range(MANY)))
    every = forecast_fleet(made, 7)
    few = forecast_fleet(made[made["unique_id"] != made["unique_id"].iloc[0]], 7)
    assert set(every.scores["origins"]) == {2}
    assert set(few.scores["origins"]) == {4}
    others = every.table[every.table["unique_id"] != made["unique_id"].iloc[0]].reset_index(drop=True)
    assert (others["mean"] - few.table["mean"]).abs().mean() < 0.1
    width, wide = ((table["hi-80"] - table["lo-80"]).mean() for table in (others, few.table))
    assert width == pytest.approx(wide, rel=0.1)


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="horizon must be a whole number of steps, at least 1, not 0"):
        forecast(history(white(20, 1)), 0)
    with pytest.raises(ValueError, match="horizon must be a whole number"):
        forecast(history(white(20, 1)), 2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"levels must lie between 0 and 100 percent, not \[\]"):
        forecast(history(white(20, 1)), 1, levels=())
    with pytest.raises(ValueError, match="levels must lie between 0 and 100 percent"):
        forecast(history(white(20, 1)), 1, levels=(80, 100))
    with pytest.raises(ValueError, match=r"history lacks the columns \['y'\]"):
        forecast(pd.DataFrame({"unique_id": ["a"], "ds": [START]}), 1)


@limits(max_examples=15, deadline=None)
@given(
    st.integers(0, 100), st.sampled_from([2.0**-20, 4.0, 2.0**20]), st.sampled_from([np.nan, 0.0]), st.integers(20, 90)
)
def test_the_unit_changes_nothing_but_the_values(seed: int, unit: float, lowest: float, size: int) -> None:
    values = [np.exp(0.3 * autoregressive(size, 0.5, seed + place)) for place in range(3)]
    plain = forecast(history(*values, lowest=lowest), 5)
    scaled = forecast(history(*(unit * one for one in values), lowest=lowest), 5)
    for name in COLUMNS[2:-1]:
        np.testing.assert_allclose(scaled[name], unit * plain[name], rtol=1e-6, atol=1e-9 * unit)
    assert scaled["model"].equals(plain["model"])


@limits(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.floats(-1e9, 1e9), st.just(float("nan"))), min_size=1, max_size=60),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["h", "D", "MS"]),
    st.integers(1, 20),
)
def test_any_numbers_give_nested_finite_intervals(series: list[list[float]], freq: str, horizon: int) -> None:
    table = forecast(history(*(np.array(one) for one in series), freq=freq, lowest=0.0), horizon)
    assert np.isfinite(table[COLUMNS[2:-1]].to_numpy(dtype=float)).all()
    assert (table["lo-95"] <= table["lo-80"] + 1e-6 * table["mean"].abs()).all()
    assert (table["hi-80"] <= table["hi-95"] + 1e-6 * table["mean"].abs()).all()
    assert table.groupby("unique_id").size().isin([horizon]).all()


def test_origins_that_are_scored_come_oldest_first() -> None:
    task = task_of(np.stack([white(120, 1)]), 14, 7, [])
    places = scored(task)
    assert places == sorted(places)
    assert len(places) > 2
    # The newest of them has all that is held out behind it.
    assert task.origins[places[-1]] + 14 == 120
