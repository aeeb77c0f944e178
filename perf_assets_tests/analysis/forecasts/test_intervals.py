from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.forecasts.intervals import LOGARITHM, PLAIN, ROOT, SHARE, Scales, widths_of

LEVELS = (0.8, 0.95)
SERIES, ORIGINS, HORIZON, LATER = 600, 5, 12, 20


def throughout(errors: np.ndarray, unit: np.ndarray | float = 1.0) -> np.ndarray:
    """One unit of each series at all origins and now."""
    return np.broadcast_to(unit, (len(errors) + 1, errors.shape[1]))


def held(errors: np.ndarray, future: np.ndarray, unit: np.ndarray) -> list[float]:
    half = widths_of(errors, throughout(errors, unit), LEVELS).half
    return [float((np.abs(future) <= width).mean()) for width in half]


@pytest.mark.parametrize("draw", ["normal", "heavy", "wandering", "unlike"])
def test_intervals_hold_what_they_say(draw: str) -> None:
    random = np.random.default_rng(7)
    unit = np.exp(2.0 * random.standard_normal(SERIES))
    shape = (ORIGINS + LATER, SERIES, HORIZON)
    if draw == "heavy":
        errors = random.standard_t(3, shape)
    elif draw == "wandering":
        errors = random.standard_normal(shape).cumsum(axis=2)
    else:
        errors = random.standard_normal(shape)
    if draw == "unlike":
        # A third of the series has few, large errors.
        errors[:, :200] *= np.where(random.random((ORIGINS + LATER, 200, HORIZON)) < 0.1, 20.0, 0.2)
    errors *= unit[:, None]
    known, later = errors[:ORIGINS], errors[ORIGINS:]
    inner, outer = held(known, later, unit)
    assert inner == pytest.approx(0.80, abs=0.02)
    assert outer == pytest.approx(0.95, abs=0.01)
    if draw == "unlike":
        for part in (slice(0, 200), slice(200, None)):
            half = widths_of(known, throughout(known, unit), LEVELS).half[:, part]
            inside = [float((np.abs(later[:, part]) <= width).mean()) for width in half]
            assert inside == [pytest.approx(0.80, abs=0.08), pytest.approx(0.95, abs=0.02)]


def test_the_share_inside_is_that_of_what_was_held_out() -> None:
    errors = np.random.default_rng(8).standard_normal((ORIGINS, SERIES, HORIZON))
    inside = widths_of(errors, throughout(errors), LEVELS).inside
    assert inside.shape == (2, SERIES)
    assert inside.mean(axis=1) == pytest.approx(LEVELS, abs=0.02)


def test_beyond_what_was_held_out_errors_grow() -> None:
    errors = np.random.default_rng(9).standard_normal((ORIGINS, 40, HORIZON))
    errors[:, :, 6:] = np.nan
    half = widths_of(errors, throughout(errors), LEVELS).half.mean(axis=1)
    assert (np.diff(half[:, 7:], axis=1) > 0).all()
    assert half[0, -1] == pytest.approx(half[0, 4] * np.sqrt(HORIZON / 6), rel=0.15)


def test_a_single_series_has_wider_intervals_than_its_few_errors_tell() -> None:
    half = widths_of(np.full((2, 1, 3), 1.0), np.ones((3, 1)), LEVELS).half
    assert (half[1] > 1.3).all()


@pytest.mark.parametrize("errors", [np.zeros((2, 3, 4)), np.full((2, 3, 4), np.nan)])
def test_without_errors_there_is_no_width_or_that_of_the_naive_forecast(errors: np.ndarray) -> None:
    half = widths_of(errors, throughout(errors, 0.0), LEVELS).half
    assert (half == 0.0).all()


def test_errors_are_in_the_unit_that_was_known_at_their_origin() -> None:
    # Each series grows noisier by a step in what was held out: as many will do so again.
    errors = np.random.default_rng(11).standard_normal((1, SERIES, HORIZON)) * 3.0
    half = widths_of(errors, np.stack((np.ones(SERIES), np.full(SERIES, 2.0))), LEVELS).half.mean(axis=(1, 2))
    known = widths_of(errors, np.full((2, SERIES), 2.0), LEVELS).half.mean(axis=(1, 2))
    assert half == pytest.approx(2.0 * known, rel=0.2)


@pytest.mark.parametrize(("changed", "widths"), [(0.5, [1.0, 1.0]), (0.1, [0.0, 1.0]), (0.02, [0.0, 0.0])])
def test_what_repeats_exactly_goes_on_as_often_as_in_the_fleet(changed: float, widths: list[float]) -> None:
    random = np.random.default_rng(12)
    errors = np.zeros((2, SERIES, HORIZON))
    errors[:, random.permutation(SERIES)[: round(changed * SERIES)]] = 1.0
    half = widths_of(errors, np.zeros((3, SERIES)), LEVELS).half[:, errors.max(axis=(0, 2)) == 0.0]
    assert half.max(axis=(1, 2)).tolist() == widths
    assert half.min(axis=(1, 2)).tolist() == widths


def scales(values: list[float], lowest: float, highest: float) -> Scales:
    return Scales.of(np.array([values]), np.array([lowest]), np.array([highest]))


@pytest.mark.parametrize(
    ("values", "lowest", "highest", "kind"),
    [([5.0, 7.0, 9.0], 0.0, np.inf, LOGARITHM), ([0.0, 1.0, 4.0], 0.0, np.inf, ROOT),
     ([0.2, 0.4, 0.4], 0.0, 1.0, SHARE), ([1.0, 2.0, 3.0], -np.inf, np.inf, PLAIN),
     ([20.0, 50.0, 90.0], 0.0, 100.0, SHARE), ([0.5, 9.0, 10.0, 10.0], 0.0, np.inf, PLAIN)],
)  # fmt: skip
def test_the_scale_is_that_of_what_is_measured(values: list[float], lowest: float, highest: float, kind: int) -> None:
    assert scales(values, lowest, highest).kind.tolist() == [kind]


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=9), st.sampled_from([0.001, 1.0, 100.0]), st.booleans())
def test_there_and_back_is_the_same_value_within_the_bounds(shares: list[float], whole: float, bounded: bool) -> None:
    values = np.array([shares]) * whole
    own = Scales.of(values, np.zeros(1), np.array([whole if bounded else np.inf]))
    np.testing.assert_allclose(own.back(own.on(values)), values, atol=1e-9 * whole)
    far = own.back(own.on(values) + 5.0)
    assert (far >= values - 1e-9 * whole).all()
    assert (own.back(own.on(values) - 5.0) >= 0.0).all()
    if bounded:
        assert (far <= whole).all()


def test_the_newest_origin_which_comes_last_counts_most() -> None:
    errors = np.random.default_rng(10).standard_normal((4, 200, HORIZON))
    grown, shrunk = (errors * factor[:, None, None] for factor in (np.array([1, 1, 1, 3]), np.array([3, 1, 1, 1])))
    later, earlier = (widths_of(one, throughout(one), LEVELS).half.mean() for one in (grown, shrunk))
    assert later > 1.1 * earlier
