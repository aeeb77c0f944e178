from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.autoregression import Slopes, fit_slopes
from perf_assets.analysis.robust_slopes import robust_slope
from perf_assets.analysis.trends import TREND_COLUMNS, fit_trends, judge_trends
from perf_assets.tables import METRIC_TRENDS
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, daily_buckets, hourly, white

NO_CHANGES = pd.DataFrame({"series_id": pd.Series(dtype="int64"), "changed_at": pd.Series(dtype="datetime64[us]")})
EVIDENCE = ["slope_per_day", "slope_low", "slope_high", "robust_slope_per_day", "p_value", "effective_points"]


NO_AVERAGES = pd.DataFrame({"series_id": pd.Series(dtype="int64"), "average_7d": np.nan, "average_30d": np.nan})


def trends_of(buckets: pd.DataFrame, changes: pd.DataFrame = NO_CHANGES, direction: str = "neutral") -> pd.DataFrame:
    ids = buckets["series_id"].unique()
    series = pd.DataFrame({"series_id": ids, "direction": direction, "as_of": buckets["ts"].max()})
    return judge_trends(fit_trends(buckets, changes), series, NO_AVERAGES)


def trend_of(values: np.ndarray, direction: str = "lower_is_better", changes: pd.DataFrame = NO_CHANGES) -> pd.Series:
    return trends_of(daily_buckets(values), changes, direction).iloc[0]


def fleet(*many: np.ndarray) -> pd.DataFrame:
    return pd.concat([daily_buckets(values, number) for number, values in enumerate(many)], ignore_index=True)


def fitted(*many: np.ndarray) -> Slopes:
    offsets = np.concatenate(([0], np.cumsum([values.size for values in many])))
    times = np.concatenate([np.arange(values.size, dtype=np.float64) for values in many])
    return fit_slopes(times, np.concatenate(many), offsets, np.zeros(len(many)))


def change(index: int) -> pd.DataFrame:
    return pd.DataFrame({"series_id": [1], "changed_at": [MONDAY + pd.Timedelta(days=index)]})


def test_columns_are_those_of_the_warehouse() -> None:
    assert list(TREND_COLUMNS) == [column.name for column in METRIC_TRENDS.columns]
    assert list(trends_of(fleet(white(20, 1))).columns) == list(TREND_COLUMNS)


@pytest.mark.parametrize(
    ("direction", "slope", "verdict"),
    [("lower_is_better", 0.1, "worse"), ("lower_is_better", -0.1, "better"), ("higher_is_better", 0.1, "better"),
     ("higher_is_better", -0.1, "worse"), ("neutral", 0.1, "rising"), ("neutral", -0.1, "falling"),
     ("lower_is_better", 0.0, "no trend")],
)  # fmt: skip
def test_the_direction_decides_what_a_slope_means(direction: str, slope: float, verdict: str) -> None:
    assert trend_of(50 + slope * np.arange(60) + 0.3 * white(60, 1), direction)["verdict"] == verdict


def test_change_per_week_is_relative_to_the_level_not_to_an_intercept() -> None:
    found = trend_of(0.01 * (np.arange(60) - 29.5) + 10)
    assert found["change_per_week"] == pytest.approx(0.07 / 10)


def test_the_interval_holds_the_slope() -> None:
    found = trends_of(fleet(*(100 + 0.05 * np.arange(90) + autoregressive(90, 0.4, seed) for seed in range(400))))
    inside = (found["slope_low"] <= 0.05) & (found["slope_high"] >= 0.05)
    assert 0.92 <= inside.mean() <= 0.98


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.9])
def test_noise_without_trend_stays_near_the_nominal_rate(correlation: float) -> None:
    p_values = fitted(*(autoregressive(500, correlation, seed)[164:] for seed in range(400))).p_value
    assert np.mean(p_values < 0.05) <= 0.085
    assert np.mean(p_values < 0.5) == pytest.approx(0.5, abs=0.1)


def test_a_moving_average_needs_a_higher_order_than_its_autocorrelation_tells() -> None:
    noise = [np.convolve(white(341, seed), np.ones(6), "valid") for seed in range(300)]
    assert np.mean(fitted(*noise).p_value < 0.05) <= 0.085


def test_a_drift_of_two_standard_deviations_is_mostly_found_in_autocorrelated_noise() -> None:
    drift = np.linspace(0, 2, 100)
    found = fitted(*(drift + autoregressive(200, 0.6, seed)[100:] for seed in range(400)))
    assert np.mean(found.p_value < 0.05) >= 0.72


def test_the_autocorrelation_is_not_biased_by_the_line_taken_out() -> None:
    correlations = fitted(*(autoregressive(200, 0.6, seed)[100:] for seed in range(300))).autocorrelation
    assert correlations.mean() == pytest.approx(0.6, abs=0.03)


def test_a_step_is_no_trend_once_its_change_point_is_known() -> None:
    values = np.concatenate((white(40, 2), 8 + white(40, 3)))
    assert trend_of(values, changes=change(40))["verdict"] == "no trend"


@pytest.mark.parametrize(("newest", "share"), [(40, 0.07 / 10), (2, np.nan)])
def test_the_level_is_that_since_the_last_change(newest: int, share: float) -> None:
    before, after = np.full(60, 2_000.0), 10 + 0.01 * (np.arange(newest) - (newest - 1) / 2)
    found = trend_of(np.concatenate((before, after)), changes=change(60))
    assert found["level"] == pytest.approx(10, abs=0.02)
    assert found["change_per_week"] == pytest.approx(share, rel=0.01, nan_ok=True)


@pytest.mark.parametrize("early", [1, 2, 3])
def test_a_change_found_early_does_not_tilt_the_new_level(early: int) -> None:
    values = np.concatenate((white(60, 2), 8 + white(40, 3)))
    found, known = (trend_of(values, changes=change(60 - wrong)) for wrong in (early, 0))
    assert abs(found["slope_per_day"]) < 0.05
    assert found["points"] == known["points"] + early


def test_only_the_last_change_counts_and_none_before_the_first_bucket() -> None:
    values = white(80, 5)
    both = pd.concat((change(20), change(40)))
    assert trend_of(values, changes=both)[EVIDENCE].equals(trend_of(values, changes=change(40))[EVIDENCE])
    assert trend_of(values, changes=change(-5))["points"] == 80


def test_a_short_level_has_not_enough_data() -> None:
    found = trend_of(white(60, 4), changes=change(55))
    assert found["verdict"] == "not enough data"
    assert np.isnan(found["p_value"])
    assert found["since"] == MONDAY + pd.Timedelta(days=58)


@pytest.mark.parametrize("seed", [6, 8, 9, 10])
def test_outliers_move_the_slopes_less_than_least_squares(seed: int) -> None:
    clean = 0.02 * np.arange(100) + white(100, seed)
    dirty = clean.copy()
    dirty[[3, 20, 41, 62, 90, 95]] += np.array([12, -12, 12, -12, -12, -12])
    found, without = trend_of(dirty), trend_of(clean)
    naive = np.polyfit(np.arange(100), clean, 1)[0] - np.polyfit(np.arange(100), dirty, 1)[0]
    assert abs(found["robust_slope_per_day"] - without["robust_slope_per_day"]) < naive / 4
    assert abs(found["slope_per_day"] - without["slope_per_day"]) < naive / 2


def test_a_daily_cycle_hides_no_slope() -> None:
    ts = hourly(336)
    cycle = 3 * np.sin(np.arange(336) * np.pi / 12)
    buckets = pd.DataFrame(
        {"series_id": 1, "ts": ts, "value": cycle + np.arange(336) * 0.05 / 24 + 0.1 * white(336, 7)}
    )
    found = trends_of(buckets).iloc[0]
    assert found["verdict"] == "rising"
    assert found["slope_low"] < 0.05 < found["slope_high"]
    assert found["effective_points"] > 200


def test_noise_of_four_days_is_no_daily_profile() -> None:
    values = [autoregressive(200, 0.3, seed)[100:] for seed in range(300)]
    buckets = pd.concat([pd.DataFrame({"series_id": n, "ts": hourly(100), "value": v}) for n, v in enumerate(values)])
    assert np.mean(trends_of(buckets)["p_value"] < 0.05) <= 0.09


@pytest.mark.parametrize("value", [0.0, 5.0, -1e300, 1e-300])
def test_constants_have_no_trend(value: float) -> None:
    found = trend_of(np.full(40, value))
    assert found["verdict"] == "no trend"
    assert found["slope_per_day"] == 0


def test_an_exact_line_is_certain() -> None:
    found = trend_of(1e6 + 0.5 * np.arange(40), "neutral")
    assert found["verdict"] == "rising"
    assert found["slope_per_day"] == pytest.approx(0.5)


def test_no_series_give_an_empty_table() -> None:
    nothing = daily_buckets(white(0, 1))
    series = pd.DataFrame({"series_id": [1], "direction": ["neutral"], "as_of": [MONDAY]})
    untyped = pd.DataFrame(columns=["series_id", "changed_at"])
    assert len(fit_trends(daily_buckets(white(40, 1)), untyped)) == 1
    found = judge_trends(fit_trends(nothing, NO_CHANGES), series, NO_AVERAGES)
    assert list(found.columns) == list(TREND_COLUMNS)
    assert found.empty


def test_outliers_in_a_daily_cycle_make_no_trends() -> None:
    cycle = np.sin(2 * np.pi * np.arange(960) / 24)
    random = np.random.default_rng(11)
    outliers = (random.random((200, 960)) < 0.005) * 60.0
    many = 16 + cycle + random.standard_normal((200, 960)) + outliers
    buckets = pd.concat(
        [pd.DataFrame({"series_id": number, "ts": hourly(960), "value": row}) for number, row in enumerate(many)],
        ignore_index=True,
    )
    assert np.mean(trends_of(buckets)["p_value"] <= 0.05) <= 0.08


@limits(max_examples=10, deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 12))
def test_a_fleet_that_is_fitted_in_parts_has_the_trends_of_the_whole(seed: int, known: int) -> None:
    buckets = fleet(*(autoregressive(20 + 7 * number, 0.5, seed + number) for number in range(12)))
    series = pd.DataFrame({"series_id": range(12), "direction": "neutral", "as_of": buckets["ts"].max()})
    fresh = buckets["series_id"] >= known
    fits = pd.concat([fit_trends(buckets[part], NO_CHANGES) for part in (fresh, ~fresh) if part.any()])
    found = judge_trends(fits, series, NO_AVERAGES)
    pd.testing.assert_frame_equal(found, trends_of(buckets))


@limits(max_examples=40, deadline=None)
@given(st.integers(0, 1_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_unit_and_level_do_not_change_the_evidence(seed: int, factor: float, shift: float) -> None:
    values = autoregressive(60, 0.3, seed) + 0.02 * np.arange(60)
    first, second = trend_of(values), trend_of(values * factor + shift)
    assert second["p_value"] == pytest.approx(first["p_value"], rel=1e-4, abs=1e-12)
    assert second["slope_per_day"] == pytest.approx(first["slope_per_day"] * factor, rel=1e-6, abs=1e-9 * factor)


@limits(max_examples=40, deadline=None)
@given(st.integers(0, 1_000), st.integers(14, 150))
def test_upside_down_and_backwards_the_evidence_is_the_same(seed: int, count: int) -> None:
    values = autoregressive(count, 0.5, seed)
    found = fitted(values, -values, values[::-1])
    assert found.p_value == pytest.approx(np.full(3, found.p_value[0]), rel=1e-2)
    assert found.slope == pytest.approx(found.slope[0] * np.array([1, -1, -1]), rel=1e-2, abs=1e-4)
    x = np.arange(count, dtype=np.float64)
    assert robust_slope(x, values[::-1]) == pytest.approx(-robust_slope(x, values), abs=1e-12)


@limits(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 120), min_size=1, max_size=5))
def test_company_and_order_change_no_series(sizes: list[int]) -> None:
    many = [autoregressive(size, 0.4, size) for size in sizes]
    order = np.random.default_rng(len(sizes)).permutation(len(many))
    together = trends_of(fleet(*many))
    shuffled = trends_of(fleet(*(many[place] for place in order)))
    expected = together[EVIDENCE].iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(shuffled[EVIDENCE], expected, check_exact=True)
    alone = pd.concat([trends_of(fleet(values)) for values in many], ignore_index=True)
    pd.testing.assert_frame_equal(alone[EVIDENCE], together[EVIDENCE], check_exact=True)


@limits(max_examples=15, deadline=None)
@given(st.lists(st.integers(8, 400), min_size=1, max_size=12), st.integers(0, 1_000))
def test_stretches_are_fitted_as_each_alone(sizes: list[int], seed: int) -> None:
    many = [autoregressive(size, 0.5, seed + size) for size in sizes]
    together = fitted(*many)
    for place, values in enumerate(many):
        alone = fitted(values)
        assert together.slope[place] == alone.slope[0]
        assert together.p_value[place] == alone.p_value[0]


def test_the_robust_slope_is_the_median_of_far_pairs() -> None:
    for size in (2, 3, 8, 41):
        times, values = np.cumsum(np.random.default_rng(size).random(size)), white(size, size)
        pairs = [(a, b) for a in range(size) for b in range(a + max(size // 4, 1), size)]
        expected = np.median([(values[b] - values[a]) / (times[b] - times[a]) for a, b in pairs])
        assert robust_slope(times, values) == pytest.approx(expected, rel=1e-12)


@limits(max_examples=10, deadline=None)
@given(st.integers(0, 1_000))
def test_a_fleet_twice_over_has_the_same_verdicts(seed: int) -> None:
    many = [autoregressive(60, 0.3, seed + number) + 0.02 * number * np.arange(60) for number in range(4)]
    once, twice = trends_of(fleet(*many)), trends_of(fleet(*many, *many))
    assert twice["q_value"].to_numpy()[:4] == pytest.approx(once["q_value"].to_numpy(), rel=1e-6)
    assert list(twice["verdict"]) == [*once["verdict"], *once["verdict"]]


@limits(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_any_values_give_one_row(values: list[float]) -> None:
    found = trend_of(np.array(values))
    assert found["points"] == len(values)
    assert np.isnan(found["p_value"]) == (len(values) < 14)
    assert len(values) < 14 or 0 <= found["p_value"] <= 1
