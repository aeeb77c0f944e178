"""Days and properties that are known beforehand: challengers use them where they make a difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from perf_assets.analysis.forecasts import forecast_fleet
from perf_assets.analysis.forecasts.challengers import gradient_boosting, prophet
from perf_assets.analysis.forecasts.members import Task
from perf_assets.analysis.forecasts.pool import _numbered, _special

DAYS, HORIZON, CYCLE = 200, 7, 7
DATES = np.datetime64("2026-01-05", "us") + np.arange(DAYS + HORIZON) * np.timedelta64(1, "D")
QUIET, BUSY = [9, 23, 40, 66, 81, 102, 120, 139, 155, 170, 186, 203], [15, 52, 88, 111, 149, 178]
KINDS = {DATES[place].astype("datetime64[D]"): "holiday" for place in QUIET} | {
    DATES[place].astype("datetime64[D]"): "release" for place in BUSY
}


def made(series: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Runs a day: about 100, 20 on holidays and 180 on days of releases."""
    values = 100.0 + np.random.default_rng(0).standard_normal((series, DAYS + HORIZON))
    values[:, QUIET] -= 80.0
    values[:, BUSY] += 80.0
    return values[:, :DAYS]


def task_of(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], known: bool) -> Task:
    times = np.repeat(DATES[None], len(values), axis=0)
    return Task(values, (DAYS - 14, DAYS), 7, HORIZON, CYCLE, 0, _special(times, KINDS if known else {}))


@pytest.mark.parametrize(("known", "holiday"), [(True, 20.0), (False, 95.0)])
def test_prophet_foresees_a_holiday_that_it_is_given(known: bool, holiday: float) -> None:
    values = made()
    ahead = prophet(values[0], task_of(values, known), DATES)
    # The fourth day ahead is one, and no other.
    assert ahead[3] == pytest.approx(holiday, abs=12.0)
    assert np.delete(ahead, 3) == pytest.approx(np.full(6, 100.0), abs=12.0)


@pytest.mark.parametrize("known", [True, False])
def test_boosting_foresees_a_holiday_that_it_is_given(known: bool) -> None:
    values = made(30)
    ahead = gradient_boosting(task_of(values, known), 0)
    assert ahead is not None
    assert (ahead[-1, 3] < 60.0) == known


def test_boosting_knows_which_series_a_holiday_concerns() -> None:
    # Of the interactive tests hardly any run on a holiday, of the nightly ones as many as ever.
    values = made(30)
    nightly = np.arange(30) % 2 == 1
    values[np.ix_(nightly, [place for place in QUIET if place < DAYS])] += 80.0
    task = task_of(values, True)
    known = pd.DataFrame({"test": np.where(nightly, "nightly", "interactive")}, index=[f"{n}" for n in range(30)])
    ids = known.index.to_numpy(dtype=object)
    assert _numbered(ids, None) is None
    beside = replace(task, properties=_numbered(ids, known))
    ahead = [gradient_boosting(beside, row) for row in (0, 1)]
    assert ahead[0] is not None and ahead[1] is not None
    assert ahead[0][-1, 3] == pytest.approx(20.0, abs=20.0)
    assert ahead[1][-1, 3] == pytest.approx(100.0, abs=20.0)


def test_rare_and_unknown_properties_are_none() -> None:
    names = [f"test {number}" for number in range(230)]
    known = pd.DataFrame({"test": names * 2 + ["usual"] * 5, "node": None}, index=[f"{n}" for n in range(465)])
    found = _numbered(np.array([*known.index, "nobody"], dtype=object), known)
    assert found is not None
    assert found.shape == (466, 2)
    assert np.isfinite(found[:, 0]).sum() == 2 * 199 + 5
    assert np.isnan(found[-1]).all() and np.isnan(found[:, 1]).all()


def test_kinds_are_numbered_and_other_days_are_none() -> None:
    found = _special(DATES[None], KINDS)
    assert found is not None
    assert set(found[0, QUIET].tolist()) == {1} and set(found[0, BUSY].tolist()) == {2}
    assert np.count_nonzero(found) == len(QUIET) + len(BUSY)
    assert _special(DATES[None], {}) is None


def test_a_challenger_that_knows_the_days_takes_the_pools_place() -> None:
    history = pd.DataFrame({"unique_id": "one", "ds": DATES[:DAYS], "y": made()[0]})
    found = forecast_fleet(history, HORIZON, ["one"], KINDS)
    chosen = found.scores[found.scores["chosen"]].iloc[0]
    assert chosen["model"] == "prophet"
    assert found.table["mean"].iloc[3] < 60.0
