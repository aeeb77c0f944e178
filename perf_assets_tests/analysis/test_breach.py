"""Limits ahead: what is said of series whose course is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits_of_hypothesis
from hypothesis import strategies as st

from evaluation.leaks import KINDS, Leaks, leaks
from perf_assets.analysis.breach import BREACH_COLUMNS, COURSE_COLUMNS, Outlook, breach_outlook, with_baselines
from perf_assets.analysis.breach.restarts import cycles

FloatArray = npt.NDArray[np.float64]
START = pd.Timestamp("2026-01-05")
DAY = pd.Timedelta(days=1)
CHANCES = [name for name in BREACH_COLUMNS if "_by_" in name]


def history_of(values: FloatArray | list[float], unique_id: str = "one", step: str = "D") -> pd.DataFrame:
    ds = pd.date_range(START, periods=len(values), freq=step)
    return pd.DataFrame({"unique_id": unique_id, "ds": ds, "y": np.asarray(values, dtype=np.float64)})


def limit_of(limit: float, side: str = "upper", unique_id: str = "one") -> pd.DataFrame:
    return pd.DataFrame({"unique_id": [unique_id], "limit": [limit], "side": [side]})


def noise(count: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=count)


def leak(seed: int = 0, days: int = 60, since: int = 30) -> FloatArray:
    """Noise of 1 around 50, rising by 1 a day from day `since` on."""
    return 50.0 + noise(days, seed) + np.maximum(np.arange(days) - since, 0.0)


def row_of(history: pd.DataFrame, limit: float, side: str = "upper") -> pd.Series:
    return breach_outlook(history, limit_of(limit, side)).table.iloc[0]


def of_kind(kind: str, count: int = 60, seed: int = 1) -> tuple[pd.DataFrame, Leaks]:
    """The table for series of a kind, without those beyond their limit now, and the series."""
    made = leaks(kind, count, seed)
    names = [f"{number:03}" for number in range(count)]
    history = pd.concat([history_of(values, name) for values, name in zip(made.past, names, strict=True)])
    given = pd.DataFrame({"unique_id": names, "limit": made.limit, "side": "upper"})
    table = breach_outlook(history, given).table
    assert table["unique_id"].tolist() == names
    within = ~table["already_breached"].to_numpy()
    return table[within], Leaks(made.past[within], made.ahead[within], made.limit[within])


# What is said


def test_a_leak_is_dated_and_its_courses_lead_there() -> None:
    outlook = breach_outlook(history_of(leak()), limit_of(90.0))
    row = outlook.table.iloc[0]
    assert tuple(outlook.table.columns) == BREACH_COLUMNS
    # It passes 90 on day 70, eleven days after the last one.
    assert abs(row["breach_date"] - (START + 70 * DAY)) <= 2 * DAY
    assert row["earliest"] < row["breach_date"] < row["latest"]
    assert row["horizon_end"] == START + 89 * DAY
    assert (row["level_by_1"], row["value_by_1"]) == (0.0, 0.0)
    assert row["level_by_30"] > 0.99
    assert not row["already_breached"]
    assert tuple(outlook.courses.columns) == COURSE_COLUMNS
    assert outlook.courses["ds"].tolist() == [START + day * DAY for day in range(60, 90)]
    nearest = outlook.courses.set_index("ds").loc[row["breach_date"].ceil("D")]
    assert abs(nearest["mean"] - 90.0) < 2.0
    assert nearest["lo-95"] < nearest["lo-80"] < nearest["mean"] < nearest["hi-80"] < nearest["hi-95"]


def test_single_values_pass_before_the_level_does() -> None:
    steady = [history_of(50.0 + noise(90, seed)) for seed in range(20)]
    rows = pd.DataFrame([row_of(history, 53.0) for history in steady])
    # Of values beyond 3 standard deviations there is one in 740: 4 % of months have one.
    assert rows["level_by_30"].mean() < 0.1
    assert 0.01 < rows["value_by_30"].median() < 0.15
    assert rows["value_by_1"].mean() < rows["value_by_7"].mean() < rows["value_by_30"].mean()
    # One value of a day lies further out than their mean.
    swinging = pd.DataFrame([row_of(h.assign(low=h["y"] - 2.0, high=h["y"] + 2.0), 53.0) for h in steady])
    assert swinging["value_by_30"].mean() > 0.85
    assert swinging["level_by_30"].tolist() == rows["level_by_30"].tolist()


@pytest.mark.parametrize(("high", "low"), [("upper", "lower"), ("lower", "upper")])
def test_lower_limits_are_the_mirror_image(high: str, low: str) -> None:
    history = history_of(leak()).assign(low=lambda t: t["y"] - 0.5, high=lambda t: t["y"] + 1.0)
    mirrored = history.assign(y=-history["y"], low=-history["high"], high=-history["low"])
    limit = 85.0 if high == "upper" else 40.0
    one, other = row_of(history, limit, high), row_of(mirrored, -limit, low)
    assert (one["already_breached"], one["horizon_end"]) == (other["already_breached"], other["horizon_end"])
    # The courses are other ones, as their random numbers are not mirrored.
    for column in ("breach_date", "earliest", "latest"):
        assert pd.isna(one[column]) == pd.isna(other[column])
        assert pd.isna(one[column]) or abs(one[column] - other[column]) < DAY
    assert np.allclose(one[CHANCES].astype(float), other[CHANCES].astype(float), atol=0.06)


def test_far_limits_are_not_passed() -> None:
    row = row_of(history_of(50.0 + noise(90)), 100.0)
    assert (row[CHANCES] == 0.0).all()
    assert pd.isna(row["breach_date"]) and pd.isna(row["earliest"]) and pd.isna(row["latest"])


def test_what_is_beyond_now_is_certain() -> None:
    outlook = breach_outlook(history_of(leak()), limit_of(70.0))
    row = outlook.table.iloc[0]
    assert row["already_breached"]
    assert (row[CHANCES] == 1.0).all()
    assert (row[["breach_date", "earliest", "latest", "horizon_end"]] == START + 59 * DAY).all()
    assert len(outlook.courses) == 30
    # Too few values for a forecast say that as well.
    few = row_of(history_of([9.0, 9.0, 9.0]), 5.0)
    assert few["already_breached"] and few["last_value"] == 9.0
    assert breach_outlook(history_of([1.0, 1.0, 1.0]), limit_of(5.0)).table.empty


def test_the_limit_itself_is_still_good() -> None:
    row = row_of(history_of([7.0] * 30), 7.0)
    assert not row["already_breached"]
    assert (row[CHANCES] == 0.0).all()
    assert row_of(history_of([7.0] * 30), 6.9)["already_breached"]


def test_nothing_passes_a_bound() -> None:
    full = history_of(1.0 - np.abs(noise(60)) * 0.01).assign(lowest=0.0, highest=1.0)
    assert row_of(full, 1.0)["value_by_30"] == 0.0
    free = full.drop(columns=["lowest", "highest"])
    assert row_of(free, 1.0)["value_by_30"] > 0.1


def test_what_came_before_a_step_gives_no_line() -> None:
    stepped = np.concatenate((10.0 + noise(40), 30.0 + noise(20, 1)))
    row = row_of(history_of(stepped).assign(stepped_at=START + 40 * DAY), 36.0)
    assert row["last_value"] == pytest.approx(30.0, abs=1.0)
    assert row["level_by_30"] < 0.1
    young = history_of(stepped[:43]).assign(stepped_at=START + 40 * DAY)
    assert row_of(young, 36.0)["level_by_30"] < 0.2
    assert row_of(young, 29.0)["already_breached"]


def test_of_weekly_values_nothing_is_said_of_a_day() -> None:
    row = row_of(history_of(leak(), step="7D"), 83.0)
    assert np.isnan(row["level_by_1"]) and np.isnan(row["value_by_1"])
    assert row["horizon_end"] == START + (59 * 7 + 28) * DAY
    assert row["level_by_30"] > 0.6


def test_a_weekly_pattern_does_not_lead_over_the_limit() -> None:
    week = np.tile([0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 8.0], 12)
    row = row_of(history_of(50.0 + week + 0.3 * noise(84)), 56.0)
    # The level is that of a week; single values pass on Saturday, the sixth day ahead.
    assert row["level_by_30"] < 0.05
    assert row["value_by_1"] < 0.05 and row["value_by_7"] > 0.95


def test_rows_need_values_and_a_limit() -> None:
    limits = pd.concat([limit_of(90.0), limit_of(2.0, "lower"), limit_of(np.nan), limit_of(1.0, unique_id="other")])
    table = breach_outlook(history_of(leak()), limits).table
    assert table["side"].tolist() == ["lower", "upper"]
    nothing = breach_outlook(history_of([]), limits)
    assert nothing.table.empty and tuple(nothing.table.columns) == BREACH_COLUMNS
    assert nothing.courses.empty and tuple(nothing.courses.columns) == COURSE_COLUMNS
    assert nothing.table["breach_date"].dtype == table["breach_date"].dtype


def test_errors_name_the_series() -> None:
    with pytest.raises(ValueError, match="'one': side is 'above', not 'upper' or 'lower'"):
        breach_outlook(history_of(leak()), limit_of(1.0, "above"))
    with pytest.raises(ValueError, match=r"lack the columns \['side'\]"):
        breach_outlook(history_of(leak()), limit_of(1.0).drop(columns="side"))
    with pytest.raises(ValueError, match="series 'one' has several values a day; give it by day, with low and high"):
        breach_outlook(history_of(leak(), step="6h"), limit_of(90.0))


# Kinds of series whose course is known


def test_leaks_are_dated_within_three_days() -> None:
    """Daily means of hourly noise that leak for 30 to 40 days, by three deviations of an hour, due in 4 to 9 days."""
    histories, limits, truth = [], [], {}
    for seed in range(60):
        random = np.random.default_rng(seed)
        onset, due = float(random.integers(20, 31)), float(random.uniform(4.0, 9.0))
        slope = 30.0 / (60 - onset)
        hours = 100.0 + 10.0 * random.normal(size=60 * 24) + slope * np.maximum(np.arange(60 * 24) / 24 - onset, 0.0)
        histories.append(history_of(hours.reshape(60, 24).mean(axis=1), f"{seed}"))
        limits.append(limit_of(100.0 + slope * (60 + due - onset), unique_id=f"{seed}"))
        # The mean of a day is that of its noon, and is dated to its start.
        truth[f"{seed}"] = START + (59.5 + due) * DAY
    table = breach_outlook(pd.concat(histories), pd.concat(limits)).table.set_index("unique_id")
    passes = pd.Series(truth).loc[table.index]
    error = (table["breach_date"] - passes) / DAY
    assert (error.abs() <= 3.0).mean() >= 0.9
    assert abs(error.median()) < 0.5
    within = (table["earliest"] <= passes) & ~(table["latest"] < passes)
    assert within.mean() >= 0.9


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_kind_is_said_to_pass_far_more_often_than_it_does(kind: str) -> None:
    table, made = of_kind(kind, 120, seed=2)
    # Whether a leak will flatten is not to be seen before it does.
    excess = 0.3 if kind == "flattening" else 0.1
    for days in (1, 7, 30):
        level, single = made.passed(days)
        assert table[f"level_by_{days}"].mean() <= level.mean() + excess
        assert table[f"value_by_{days}"].mean() <= single.mean() + excess
    if kind == "none":
        assert (table["level_by_30"] < 0.5).mean() >= 0.99


def test_probabilities_over_all_kinds_hold() -> None:
    found = [of_kind(kind, 60, seed=3) for kind in KINDS]
    for days in (7, 30):
        stated = np.concatenate([table[f"level_by_{days}"] for table, _ in found])
        happened = np.concatenate([made.passed(days)[0] for _, made in found])
        for low, high in ((0.0, 0.1), (0.3, 0.7), (0.9, 1.01)):
            inside = (stated >= low) & (stated < high)
            # Three standard errors, and what is too sure by a tenth.
            slack = 0.1 + 3.0 * np.sqrt(0.25 / max(inside.sum(), 1))
            assert abs(stated[inside].mean() - happened[inside].mean()) <= slack


def test_a_restarted_service_goes_on_as_before() -> None:
    saw = 50.0 + np.tile(np.arange(10.0), 9) + 0.2 * noise(90)
    assert row_of(history_of(saw), 62.0)["value_by_30"] < 0.05
    row = row_of(history_of(saw), 57.5)
    assert row["value_by_30"] > 0.95 and row["level_by_30"] < 0.3
    found = cycles(saw)
    assert found is not None and found.lengths.tolist() == [10.0] * 7
    assert found.slope == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_what_does_not_fall_back_again_and_again_has_no_cycles(seed: int) -> None:
    assert cycles(noise(90, seed)) is None
    assert cycles(leak(seed)) is None
    assert cycles(np.where(np.arange(90) > 40, 10.0, 0.0) + noise(90, seed)) is None
    assert cycles(np.full(90, 5.0)) is None
    assert cycles(np.array([1.0])) is None


# Limits over a baseline


def test_a_limit_over_the_baseline_is_that_of_the_first_weeks_since_the_last_step() -> None:
    limits = pd.DataFrame(
        {"unique_id": ["a", "b", "c", "none"], "limit": [np.nan, np.nan, 7.0, np.nan], "share": [0.2, 0.2, np.nan, 0.2],
         "side": ["upper", "lower", "upper", "upper"]}
    )  # fmt: skip
    grown = history_of([10.0] * 28 + [20.0] * 40, "a")
    stepped = history_of([10.0] * 20 + [40.0] * 10 + [60.0] * 10, "b").assign(stepped_at=START + 20 * DAY)
    history = pd.concat([grown.assign(stepped_at=pd.NaT), stepped, history_of([1.0], "c").assign(stepped_at=pd.NaT)])
    assert with_baselines(limits, history)["limit"].tolist()[:3] == [12.0, 32.0, 7.0]
    assert np.isnan(with_baselines(limits, history)["limit"].iloc[3])
    below = history_of([-10.0] * 30, "a")
    assert with_baselines(limits.head(1), below)["limit"].tolist() == [-8.0]


# Properties


values = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=0, max_size=120)


@limits_of_hypothesis(max_examples=60, deadline=None)
@given(values, st.floats(-2e6, 2e6), st.sampled_from(["upper", "lower"]))
def test_probabilities_grow_with_the_days_and_dates_with_the_share(own: list[float], limit: float, side: str) -> None:
    outlook = breach_outlook(history_of(own), limit_of(limit, side))
    for row in outlook.table.to_dict("records"):
        for kind in ("level", "value"):
            chances = [row[f"{kind}_by_{days}"] for days in (1, 7, 30)]
            assert 0.0 <= chances[0] <= chances[1] <= chances[2] <= 1.0
        dates = [row[name] for name in ("earliest", "breach_date", "latest") if not pd.isna(row[name])]
        assert dates == sorted(dates)
        assert pd.isna(row["breach_date"]) == (row["level_by_30"] < 0.5)
    ends = outlook.courses[["lo-95", "lo-80", "mean", "hi-80", "hi-95"]].to_numpy()
    assert (np.diff(ends, axis=1) >= 0).all()


@limits_of_hypothesis(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([2.0**-12, 2.0**9]), st.sampled_from(sorted(KINDS)))
def test_the_unit_changes_nothing(seed: int, factor: float, kind: str) -> None:
    made = leaks(kind, 1, seed)
    one = breach_outlook(history_of(made.past[0]), limit_of(float(made.limit[0]))).table
    scaled = breach_outlook(history_of(made.past[0] * factor), limit_of(float(made.limit[0]) * factor)).table
    pd.testing.assert_frame_equal(
        one.drop(columns=["limit", "last_value"]), scaled.drop(columns=["limit", "last_value"])
    )


@limits_of_hypothesis(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_what_is_said_of_a_series_does_not_depend_on_others(seed: int, others: int) -> None:
    made = leaks("young", 1, seed)
    history, limit = history_of(made.past[0]), limit_of(float(made.limit[0]))
    beside = [history_of(leak(seed + number), f"x{number}") for number in range(others)]
    limits = pd.concat([limit, *(limit_of(70.0 + number, unique_id=f"x{number}") for number in range(others))])
    alone, together = breach_outlook(history, limit), breach_outlook(pd.concat([*beside, history]), limits)
    assert isinstance(together, Outlook)
    found = together.table[together.table["unique_id"] == "one"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.table, found, rtol=1e-9)
