"""Crossing dates: read off by hand, and against simulated leaks whose crossing is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from perf_assets.analysis.breach import BREACH_COLUMNS, breach_outlook
from perf_assets.analysis.forecasts import forecast

FloatArray = npt.NDArray[np.float64]
START = pd.Timestamp("2026-01-05")
DAY = pd.Timedelta(days=1)
SEEDS = 60
DAYS, HOURS = 60, 24


def history_of(unique_id: str, values: FloatArray | list[float]) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": unique_id, "ds": pd.date_range(START, periods=len(values)), "y": values})


def forecast_of(mean: list[float], half_width: float = 2.0, unique_id: str = "one") -> pd.DataFrame:
    means = np.array(mean)
    return pd.DataFrame(
        {
            "unique_id": unique_id,
            "ds": pd.date_range(START + 10 * DAY, periods=means.size),
            "step": np.arange(1, means.size + 1),
            "model": "linear_trend",
            "mean": means,
            "lo-95": means - half_width,
            "hi-95": means + half_width,
        }
    )


def limit_of(limit: float, side: str = "upper", unique_id: str = "one") -> pd.DataFrame:
    return pd.DataFrame({"unique_id": [unique_id], "limit": [limit], "side": [side]})


TEN = history_of("one", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])


def test_dates_lie_between_steps() -> None:
    row = breach_outlook(forecast_of([11.0, 12.0, 13.0, 14.0, 15.0, 16.0]), limit_of(13.5), TEN).iloc[0]
    assert row["breach_date"] == START + 12.5 * DAY
    assert row["earliest"] == START + 10.5 * DAY
    assert row["latest"] == START + 14.5 * DAY
    assert row["last_value"] == 7.0
    assert not row["already_breached"]
    assert row["horizon_end"] == START + 15 * DAY
    assert row["probability"] == pytest.approx(0.99286, abs=1e-4)


def test_lower_limits_are_the_mirror_image() -> None:
    up = breach_outlook(forecast_of([1.0, 2.0, 3.0, 4.0]), limit_of(2.5), TEN).iloc[0]
    mirrored = TEN.assign(y=-TEN["y"])
    down = breach_outlook(forecast_of([-1.0, -2.0, -3.0, -4.0]), limit_of(-2.5, "lower"), mirrored).iloc[0]
    for column in ("breach_date", "earliest", "probability", "already_breached"):
        assert up[column] == down[column]
    assert pd.isna(up["latest"]) and pd.isna(down["latest"])


def test_no_crossing_is_nat_with_a_small_probability() -> None:
    row = breach_outlook(forecast_of([1.0, 1.0, 1.0]), limit_of(9.0), TEN).iloc[0]
    assert pd.isna(row["breach_date"]) and pd.isna(row["earliest"]) and pd.isna(row["latest"])
    assert row["probability"] < 1e-6


def test_what_is_beyond_from_the_start_crosses_at_the_first_step() -> None:
    row = breach_outlook(forecast_of([11.0, 12.0]), limit_of(6.0), TEN).iloc[0]
    assert row["already_breached"]
    assert row["breach_date"] == row["latest"] == START + 10 * DAY


def test_the_limit_itself_is_still_good() -> None:
    row = breach_outlook(forecast_of([7.0, 7.0], half_width=0.0), limit_of(7.0), TEN).iloc[0]
    assert not row["already_breached"]
    assert pd.isna(row["breach_date"])
    assert row["probability"] == 0.0
    assert breach_outlook(forecast_of([7.0], half_width=0.0), limit_of(6.9), TEN)["probability"].iloc[0] == 1.0


def test_rows_need_a_forecast_and_a_limit() -> None:
    limits = pd.concat([limit_of(9.0), limit_of(2.0, "lower"), limit_of(np.nan), limit_of(1.0, unique_id="other")])
    outlook = breach_outlook(pd.concat([forecast_of([1.0]), forecast_of([1.0], unique_id="free")]), limits, TEN)
    assert list(outlook["side"]) == ["upper", "lower"]
    assert tuple(outlook.columns) == BREACH_COLUMNS
    nothing = breach_outlook(forecast_of([1.0]).iloc[:0], limits, TEN)
    assert nothing.empty and tuple(nothing.columns) == BREACH_COLUMNS
    assert nothing["breach_date"].dtype == outlook["breach_date"].dtype


def test_errors_name_the_series() -> None:
    with pytest.raises(ValueError, match="'one': side is 'above', not 'upper' or 'lower'"):
        breach_outlook(forecast_of([1.0]), limit_of(1.0, "above"), TEN)
    with pytest.raises(ValueError, match=r"lack the columns \['side'\]"):
        breach_outlook(forecast_of([1.0]), limit_of(1.0).drop(columns="side"), TEN)
    with pytest.raises(ValueError, match=r"no observation of the forecast series \['one'\]"):
        breach_outlook(forecast_of([1.0]), limit_of(1.0), TEN.assign(unique_id="other"))


def test_a_series_without_forecast_is_told_if_it_is_beyond_its_limit() -> None:
    none = forecast_of([1.0]).iloc[:0]
    row = breach_outlook(none, limit_of(6.0), TEN).iloc[0]
    assert row["already_breached"]
    assert row["last_value"] == 7.0
    assert row["probability"] == 1.0
    assert (row[["breach_date", "earliest", "latest", "horizon_end"]] == START + 9 * DAY).all()
    assert breach_outlook(none, limit_of(8.0), TEN).empty
    assert breach_outlook(none, limit_of(1.0, unique_id="other"), TEN).empty


def test_the_present_value_is_that_since_the_last_step() -> None:
    stepped = history_of("one", [1.0] * 8 + [9.0] * 2).assign(stepped_at=START + 8 * DAY)
    row = breach_outlook(forecast_of([9.0]), limit_of(5.0), stepped).iloc[0]
    assert row["last_value"] == 9.0
    assert row["already_breached"]
    in_the_last_bucket = stepped.assign(stepped_at=START + 9.5 * DAY)
    assert breach_outlook(forecast_of([9.0]), limit_of(5.0), in_the_last_bucket).iloc[0]["last_value"] == 9.0


def test_an_interval_cut_off_at_a_bound_is_as_unsure_as_before() -> None:
    free = forecast_of([0.85], 0.2)
    cut = free.assign(**{"hi-95": free["hi-95"].clip(upper=1.0)})
    chance = breach_outlook(free, limit_of(0.9), TEN)["probability"].iloc[0]
    assert breach_outlook(cut, limit_of(0.9), TEN)["probability"].iloc[0] == pytest.approx(chance)
    assert 0.3 < chance < 0.4
    # Nothing can lie beyond a limit that is the bound itself.
    assert breach_outlook(cut, limit_of(1.0), TEN)["probability"].iloc[0] <= 0.025


@dataclass(frozen=True)
class Experiment:
    """`truth` holds, by id of a leak, the date at which its daily mean crosses the limit."""

    outlook: pd.DataFrame
    truth: pd.Series[pd.Timestamp]

    def kind(self, name: str) -> pd.DataFrame:
        return self.outlook[self.outlook["unique_id"].str.startswith(name)]


def autoregressive(count: int, r: float, rng: np.random.Generator) -> FloatArray:
    """AR(1) values of variance 1."""
    values = np.empty(count)
    values[0] = rng.normal()
    for place, shock in enumerate(rng.normal(size=count - 1) * np.sqrt(1 - r**2), start=1):
        values[place] = r * values[place - 1] + shock
    return values


def daily_means(hourly: FloatArray) -> FloatArray:
    return np.asarray(hourly.reshape(DAYS, HOURS).mean(axis=1))


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """Per seed: a leak, a flat series of daily means, and a flat one whose daily values vary as much as hourly ones."""
    level, sd = 100.0, 10.0
    time = np.arange(DAYS * HOURS) / HOURS
    histories, limits, truth = [], [], {}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        onset, beyond = float(rng.integers(20, 31)), float(rng.uniform(4.0, 9.0))
        slope = 3.0 * sd / (DAYS - onset)
        leak = level + sd * autoregressive(time.size, 0.3, rng) + slope * np.maximum(time - onset, 0.0)
        histories.append(history_of(f"leak {seed}", daily_means(leak)))
        limits.append(limit_of(level + slope * (DAYS + beyond - onset), unique_id=f"leak {seed}"))
        # The mean of a day is that of its noon, and is dated to its start.
        truth[f"leak {seed}"] = START + (DAYS + beyond - 0.5) * DAY
        for name, flat in (
            ("means", daily_means(autoregressive(time.size, 0.5, rng))),
            ("values", autoregressive(DAYS, 0.5, rng)),
        ):
            histories.append(history_of(f"{name} {seed}", level + sd * flat))
            limits.append(limit_of(level + 3.0 * sd, unique_id=f"{name} {seed}"))
    history = pd.concat(histories)
    ahead = forecast(history, horizon=14)
    ahead["step"] = ahead.groupby("unique_id").cumcount() + 1
    return Experiment(breach_outlook(ahead, pd.concat(limits), history), pd.Series(truth))


def test_leaks_are_dated_within_three_days(experiment: Experiment) -> None:
    leaks = experiment.kind("leak").set_index("unique_id")
    errors = (leaks["breach_date"] - experiment.truth) / DAY
    assert len(errors) == SEEDS
    assert (errors.abs() <= 3.0).mean() >= 0.95
    # Errors spread by 1.5 days, so the median of 60 by a quarter of a day.
    assert abs(errors.median()) < 0.75


def test_bounds_of_the_date_hold_the_truth(experiment: Experiment) -> None:
    leaks = experiment.kind("leak").set_index("unique_id")
    truth = experiment.truth.loc[leaks.index]
    assert ((leaks["earliest"] <= truth) & ((leaks["latest"] >= truth) | leaks["latest"].isna())).mean() >= 0.95
    assert (leaks["probability"] > 0.5).mean() >= 0.9


@pytest.mark.parametrize("kind", ["means", "values"])
def test_flat_series_far_below_the_limit_are_not_expected_to_cross(experiment: Experiment, kind: str) -> None:
    flat = experiment.kind(kind)
    assert len(flat) == SEEDS
    assert (flat["probability"] < 0.5).mean() >= 0.99
