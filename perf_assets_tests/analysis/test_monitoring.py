from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.monitoring import Monitor, replay
from perf_assets_tests.analysis.signals import autoregressive, step, white

few = limits(max_examples=20, deadline=None)


@pytest.mark.parametrize(("autocorrelation", "most"), [(0.0, 5), (0.3, 6), (0.6, 14)])
def test_looking_after_every_value_rarely_alarms_without_change(autocorrelation: float, most: int) -> None:
    series = [autoregressive(200, autocorrelation, seed) for seed in range(200)]
    assert sum(bool(found) for found in replay(series)) <= most


@pytest.mark.parametrize(("autocorrelation", "median"), [(0.0, 8), (0.3, 12), (0.6, 20)])
def test_a_step_is_confirmed_soon(autocorrelation: float, median: int) -> None:
    series = [step(autoregressive(160, autocorrelation, seed), 100, 2.0) for seed in range(120)]
    delays = [
        min((c.confirmed_at - 99 for c in found if c.confirmed_at >= 100), default=999) for found in replay(series)
    ]
    assert np.median(delays) <= median


@few
@given(st.integers(0, 500), st.integers(40, 120))
def test_what_is_confirmed_stays_whatever_follows(seed: int, cut: int) -> None:
    values = step(white(160, seed), 50, 3.0)
    [before], [after] = replay([values[:cut]]), replay([values])
    assert after[: len(before)] == before


@few
@given(st.integers(0, 500))
def test_one_value_at_a_time_or_many_series_side_by_side_is_the_same(seed: int) -> None:
    series = [step(white(90, seed), 50, 3.0), autoregressive(60, 0.6, seed), np.full(30, 2.0)]
    series[0][10:14] = np.nan
    alone = []
    for values in series:
        monitor = Monitor()
        answers = [monitor.update(float(value)) for value in values]
        assert [answer for answer in answers if answer] == monitor.confirmed
        alone.append(monitor.confirmed)
    assert replay(series) == alone


@few
@given(st.integers(0, 200), st.floats(0.01, 100), st.floats(-1e4, 1e4), st.sampled_from([-1, 1]))
def test_unit_level_and_sign_do_not_matter(seed: int, factor: float, shift: float, sign: int) -> None:
    values = step(white(120, seed), 70, 3.0)
    [plain], [other] = replay([values]), replay([sign * factor * values + shift])
    assert [(c.index, c.confirmed_at) for c in plain] == [(c.index, c.confirmed_at) for c in other]


@few
@given(arrays(np.float64, st.integers(0, 40), elements=st.floats(width=32)))
def test_no_number_breaks_it(values: np.ndarray) -> None:
    for confirmation in replay([values])[0]:
        assert 0 < confirmation.index <= confirmation.confirmed_at < values.size


def test_a_lone_outlier_confirms_nothing() -> None:
    values = white(100, 3)
    values[60] += 30
    assert replay([values]) == [[]]
