from __future__ import annotations

import numpy as np
import pytest

from evaluation.history_signals import (
    CLEAN_KINDS,
    EXCURSION,
    HISTORY_KINDS,
    LEVEL,
    MODES_APART,
    NOISY_TIMES,
    NOISY_VALUES,
    STEPPED_KINDS,
    TIMES_APART,
    histories,
)

MANY = 300


@pytest.mark.parametrize("kind", list(HISTORY_KINDS))
def test_places_ascend_within_the_series_and_only_clean_kinds_have_none(kind: str) -> None:
    for one in histories(kind, MANY, 1):
        assert np.isfinite(one.values).all()
        assert (one.places.size == 0) == (kind in CLEAN_KINDS)
        edges = np.array([0, *one.places, one.values.size])
        # No step is closer than 3 values to the next or to the end.
        assert (np.diff(edges) >= 3).all()


@pytest.mark.parametrize("kind", list(HISTORY_KINDS))
def test_fewer_series_of_a_seed_are_the_first_of_more(kind: str) -> None:
    few, more, other = histories(kind, 3, 5), histories(kind, 6, 5), histories(kind, 3, 6)
    assert all(np.array_equal(one.values, same.values) for one, same in zip(few, more, strict=False))
    assert not all(np.array_equal(one.values, unlike.values) for one, unlike in zip(few, other, strict=True))


def test_the_beginning_is_noisy_and_the_step_is_of_four_quiet_deviations() -> None:
    drawn = histories("step after a noisy beginning", MANY, 2)
    beginnings = np.concatenate([one.values[:NOISY_VALUES] for one in drawn])
    quiet = np.concatenate([one.values[NOISY_VALUES : one.places[0]] for one in drawn])
    moves = [one.values[one.places[0] :].mean() - LEVEL for one in drawn]
    assert beginnings.std() == pytest.approx(NOISY_TIMES, rel=0.05)
    assert quiet.std() == pytest.approx(1.0, rel=0.05)
    assert np.mean(np.abs(moves)) == pytest.approx(4.0, abs=0.1)


def test_levels_a_thousandfold_apart_have_noise_in_proportion() -> None:
    for one in histories("levels a thousandfold apart", 50, 2):
        segments = np.split(one.values, one.places)
        means = np.array([segment.mean() for segment in segments])
        spreads = np.array([segment.std(ddof=1) for segment in segments])
        assert means.max() / means.min() == pytest.approx(TIMES_APART, rel=0.2)
        assert np.allclose(spreads / means, 0.02, atol=0.01)


def test_all_values_repeat_but_those_of_the_excursion() -> None:
    for one in histories("5 values among equal ones", 50, 2):
        start, end = one.places
        assert end - start == EXCURSION
        before, within, after = np.split(one.values, one.places)
        assert set(before) == set(after) == {LEVEL}
        assert len(set(within)) == 1
        assert 0.0 < within[0] != LEVEL


def test_odd_values_are_single() -> None:
    for one in histories("odd values", 50, 2):
        odd = np.flatnonzero(one.values != LEVEL)
        assert odd.size == 4
        assert (np.diff(odd) > 20).all()


def test_short_histories_may_end_three_values_after_their_step() -> None:
    drawn = histories("step in a short history", MANY, 2)
    after = np.array([one.values.size - one.places[0] for one in drawn])
    assert {one.values.size for one in drawn} == set(range(20, 41))
    assert after.min() == 3


def test_steps_between_short_and_long_segments_have_the_sizes_described() -> None:
    drawn = histories("3 to 6 steps", MANY, 2)
    assert {one.places.size for one in drawn} == {3, 4, 5, 6}
    lengths = np.concatenate([np.diff([0, *one.places, one.values.size]) for one in drawn])
    assert (lengths.min(), lengths.max()) == (5, 60)
    means = [np.array([part.mean() for part in np.split(one.values, one.places)]) for one in drawn]
    sizes = np.abs(np.concatenate([np.diff(mean) for mean in means]))
    assert sizes.min() > 1.0
    assert sizes.max() < 22.0
    assert np.mean(sizes) == pytest.approx(11.5, abs=0.5)


def test_the_second_mode_is_absent_before_its_place_and_there_at_it() -> None:
    between = LEVEL + MODES_APART / 2.0
    for one in histories("a second mode appears", 50, 2):
        (place,) = one.places
        assert (one.values[:place] < between).all()
        assert one.values[place] > between


@pytest.mark.parametrize("stay", [5, 20])
def test_a_sticky_mixture_stays_as_long_as_it_is_named_for(stay: int) -> None:
    drawn = histories(f"two modes, each kept {stay} values", MANY, 2)
    second = np.array([one.values > LEVEL + MODES_APART / 2.0 for one in drawn])
    assert np.mean(second[:, 1:] != second[:, :-1]) == pytest.approx(1.0 / stay, rel=0.1)
    assert second.mean() == pytest.approx(0.5, abs=0.05)


def test_slow_wander_is_correlated_and_the_step_over_it_is_large() -> None:
    wander = np.array([one.values for one in histories("AR .9", MANY, 2)]) - LEVEL
    assert wander.std() == pytest.approx(1.0, rel=0.1)
    assert np.corrcoef(wander[:, :-1].ravel(), wander[:, 1:].ravel())[0, 1] == pytest.approx(0.9, abs=0.02)
    moves = [one.values[one.places[0] :].mean() - one.values[: one.places[0]].mean()
             for one in histories("step over AR .9", MANY, 2)]  # fmt: skip
    assert np.mean(np.abs(moves)) == pytest.approx(10.0, abs=0.2)


def test_clean_and_stepped_kinds_are_all_the_kinds() -> None:
    assert list(HISTORY_KINDS) == [*CLEAN_KINDS, *STEPPED_KINDS]
