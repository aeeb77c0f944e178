from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.forecasts.grids import FEWEST_POINTS, LENGTHS, Panel, panels

START = pd.Timestamp("2026-01-05")
HOUR, DAY = 3_600_000_000, 86_400_000_000


def table(times: object, values: object = None, unique_id: str = "one", **more: object) -> pd.DataFrame:
    ds = pd.DatetimeIndex(times)  # type: ignore[arg-type]
    y = np.arange(len(ds), dtype=float) if values is None else values
    return pd.DataFrame({"unique_id": unique_id, "ds": ds, "y": y}).assign(**more)


def only(history: pd.DataFrame) -> Panel:
    [panel] = panels(history)
    return panel


def test_a_regular_series_stands_on_its_own_times() -> None:
    times = pd.date_range("2026-01-05 00:17", periods=80, freq="h")
    panel = only(table(times).drop(index=[5, 6]))
    assert (panel.step, panel.monthly, panel.seasons) == (HOUR, False, (24,))
    assert panel.last[0] == times[-1]
    assert panel.dates(2)[0].tolist() == [
        pd.Timestamp("2026-01-08 08:17").to_pydatetime(), pd.Timestamp("2026-01-08 09:17").to_pydatetime(),
    ]  # fmt: skip
    assert np.flatnonzero(np.isnan(panel.values[0])).tolist() == [5, 6]
    assert panel.times(0, np.array([0]))[0].tolist() == times.to_pydatetime().tolist()


@pytest.mark.parametrize(
    ("every", "count", "seasons"),
    [("5min", 900, (288,)), ("h", 600, (24, 168)), ("h", 400, (24,)), ("D", 28, (7,)), ("D", 20, (1,)),
     ("W", 60, (1,)), ("7h", 200, (24,))],
)  # fmt: skip
def test_a_cycle_is_a_day_a_week_or_a_year_that_is_held_three_times(
    every: str, count: int, seasons: tuple[int, ...]
) -> None:
    assert only(table(pd.date_range(START, periods=count, freq=every))).seasons == seasons


def test_months_have_different_lengths() -> None:
    panel = only(table(pd.date_range("2023-01-31", periods=40, freq="MS")))
    assert (panel.monthly, panel.seasons) == (True, (12,))
    assert not np.isnan(panel.values).any()
    assert panel.dates(3)[0].astype("datetime64[D]").astype(str).tolist() == ["2026-06-01", "2026-07-01", "2026-08-01"]


@pytest.mark.parametrize(
    ("every", "count", "season", "first", "second"),
    [("ME", 60, 12, "2025-01-31", "2025-02-28"), ("QE", 40, 4, "2030-03-31", "2030-06-30"),
     ("YE", 20, 1, "2040-12-31", "2041-12-31"), ("QS", 40, 4, "2030-01-01", "2030-04-01")],
)  # fmt: skip
def test_months_quarters_and_years_end_when_they_do(
    every: str, count: int, season: int, first: str, second: str
) -> None:
    panel = only(table(pd.date_range("2020-01-01", periods=count, freq=every)))
    assert (panel.monthly, panel.seasons) == (True, (season,))
    assert not np.isnan(panel.values).any()
    assert panel.dates(2)[0].astype("datetime64[D]").astype(str).tolist() == [first, second]


def test_what_comes_about_once_a_day_comes_once_a_day() -> None:
    hours = np.random.default_rng(2).uniform(0.0, 1.0, 60)
    panel = only(table(pd.date_range(START, periods=60) + pd.to_timedelta(hours, unit="h")))
    assert (panel.step, panel.values.shape, panel.seasons) == (DAY, (1, 60), (7,))
    assert np.isfinite(panel.values).all()


def test_irregular_values_are_averaged_into_whole_hours_days_or_weeks() -> None:
    random = np.random.default_rng(1)
    hours = np.sort(random.uniform(0.0, 24.0 * 60, 150))
    times = START + pd.to_timedelta(hours, unit="h")
    panel = only(table(times, np.ones(150)))
    assert panel.step == 6 * HOUR
    assert set(panel.values[np.isfinite(panel.values)]) == {1.0}
    assert (panel.last.astype(np.int64) % (6 * HOUR) == 0).all()
    assert panel.last[0] <= times[-1] < panel.dates(1)[0, 0]


def test_values_at_one_time_are_averaged() -> None:
    history = pd.concat([table(pd.date_range(START, periods=20)), table([START + pd.Timedelta(days=19)], [25.0])])
    assert only(history).values[0, -1] == 22.0


def test_series_of_one_length_stand_together_and_long_ones_are_cut() -> None:
    lengths = {"a": 49, "b": 53, "c": 5_000, "few": FEWEST_POINTS - 1}
    history = pd.concat(table(pd.date_range(START, periods=n), unique_id=name) for name, n in lengths.items())
    found = {tuple(panel.ids): panel for panel in panels(history)}
    assert set(found) == {("a", "b"), ("c",)}
    assert found["a", "b"].values.tolist() == [list(range(1, 49)), list(range(5, 53))]
    assert found["c",].values.shape == (1, LENGTHS[-1])


def test_the_present_level_begins_at_the_last_step() -> None:
    times = pd.date_range(START, periods=48)
    cases = {
        "behind": times[40],
        "never": pd.NaT,
        "before": times[0] - pd.Timedelta(days=9),
        "now": times[-1] + pd.Timedelta(hours=1),
    }
    history = pd.concat(table(times, unique_id=name, stepped_at=at) for name, at in cases.items())
    panel = only(history)
    assert dict(zip(panel.ids, panel.level_from.tolist(), strict=True)) == {
        "before": 0, "behind": 40, "never": 0, "now": 47,
    }  # fmt: skip


def test_errors_name_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"history lacks the columns \['ds'\]"):
        list(panels(pd.DataFrame({"unique_id": ["a"], "y": [1.0]})))
    with pytest.raises(ValueError, match="series 'one': a row has no ds"):
        list(panels(table([START, pd.NaT])))
    assert list(panels(table([], []))) == []
    assert list(panels(table(pd.date_range(START, periods=20), np.full(20, np.nan)))) == []


@limits(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4_000_000), st.floats(-1e6, 1e6)), min_size=FEWEST_POINTS, max_size=80),
    st.booleans(),
)
def test_any_times_come_to_places_that_hold_them(rows: list[tuple[int, float]], coarse: bool) -> None:
    seconds = [moment // 3600 * 3600 if coarse else moment for moment, _ in rows]
    history = table(START + pd.to_timedelta(seconds, unit="s"), [value for _, value in rows])
    for panel in panels(history.sample(frac=1.0, random_state=1)):
        known = panel.values[np.isfinite(panel.values)]
        assert FEWEST_POINTS <= known.size <= len(rows)
        assert np.isfinite(panel.values[0, -1])
        assert known.min() >= history["y"].min() - 1e-6 and known.max() <= history["y"].max() + 1e-6
        newest = history["ds"].max()
        ahead = panel.dates(3)[0]
        assert panel.last[0] <= newest < ahead[0] < ahead[1] < ahead[2]
