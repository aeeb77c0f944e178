"""Series of known truth with what histories of benchmarks show over years: noise that differs by level, levels far
apart, exact repetition, few values, several steps, modes and slow wander.

They are drawn one by one, as each has a length and steps of its own; `signals` has the kinds of one length and step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.signals import POINTS, FloatArray, IndexArray, autoregressive

LEVEL = 100.0
"""Where the series lie, in noise standard deviations; far enough from 0 for a random walk."""
NOISY_VALUES, NOISY_TIMES = 60, 10.0
"""Length of a noisy beginning, and how many times the later noise it has."""
QUIET_STEP, SHORT_STEP, WANDER_STEP = 4.0, 8.0, 10.0
"""Steps after a noisy beginning, in a short history and over slow wander, in standard deviations of the noise there."""
TIMES_APART, RELATIVE_NOISE, RELATIVE_STEP = 1_000.0, 0.02, 0.12
"""Ratio of two levels; their noise and the step within one of them, as shares of the level."""
EXCURSION, NEWEST_VALUES = 5, 3
"""Values that stay at another level in the middle of a history and at its end, where all others repeat exactly."""
FEWEST, MOST, FEWEST_BEFORE = 20, 40, 8
"""Values of a short history, and before its step."""
STEPS, SIZES, SEGMENT = (3, 6), (3.0, 20.0), (5, 60)
"""Several steps: how many, how many standard deviations each, and values between them."""
MODES_APART = 10.0
"""Standard deviations between two modes."""
SHORT_STAY, LONG_STAY = 5, 20
"""Values that a sticky mixture stays in a mode, on average."""
_SLOW = 0.9
_ODD_VALUES = 4
_FROM_END = 20
"""Values, at least, between a step and either end of a series of POINTS."""


@dataclass(frozen=True)
class History:
    """A series, shape (n,), and the indices of the first value of each new level, ascending; none where clean."""

    values: FloatArray
    places: IndexArray


def histories(kind: str, series: int, seed: int) -> list[History]:
    """Series of one of HISTORY_KINDS; fewer of the same seed are the first of them."""
    random = np.random.default_rng([seed, list(HISTORY_KINDS).index(kind)])
    return [HISTORY_KINDS[kind](random) for _ in range(series)]


def _history(values: FloatArray, *places: int) -> History:
    return History(values, np.array(places, dtype=np.intp))


def _number(random: np.random.Generator, least: int, most: int) -> int:
    """Both ends included."""
    return int(random.integers(least, most + 1))


def _either_way(random: np.random.Generator) -> float:
    return float(random.choice([-1.0, 1.0]))


def _from(place: int, points: int = POINTS) -> FloatArray:
    """1 from a place on, 0 before."""
    return (np.arange(points) >= place).astype(np.float64)


# Clean series


def _slow_wander(random: np.random.Generator) -> History:
    return _history(LEVEL + autoregressive(random.standard_normal(POINTS), _SLOW))


def _random_walk(random: np.random.Generator) -> History:
    return _history(LEVEL + np.cumsum(random.standard_normal(POINTS)))


def _sticky_mixture(stay: int) -> Callable[[np.random.Generator], History]:
    def draw(random: np.random.Generator) -> History:
        switches = random.random(POINTS) < 1.0 / stay
        return _history(_of_modes(random, (np.cumsum(switches) + random.integers(2)) % 2 == 1))

    return draw


def _of_modes(random: np.random.Generator, second: npt.NDArray[np.bool_]) -> FloatArray:
    return LEVEL + MODES_APART * second + random.standard_normal(second.size)


def _noisy_beginning(random: np.random.Generator) -> History:
    spread = np.where(np.arange(POINTS) < NOISY_VALUES, NOISY_TIMES, 1.0)
    return _history(LEVEL + spread * random.standard_normal(POINTS))


def _odd_values(random: np.random.Generator) -> History:
    """Exact repetition but for single values, each of a size of its own and far from the others."""
    values = np.full(POINTS, LEVEL)
    room = POINTS // _ODD_VALUES
    for begin in range(0, POINTS, room):
        values[_number(random, begin, begin + room // 2)] += _any_size(random)
    return _history(values)


def _any_size(random: np.random.Generator) -> float:
    """From a hundred-thousandth of the level to ten times as much; down only to where something is left."""
    share = float(10.0 ** random.uniform(-5.0, 1.0))
    return LEVEL * share * (_either_way(random) if share < 1.0 else 1.0)


def _short(random: np.random.Generator) -> History:
    return _history(LEVEL + random.standard_normal(_number(random, FEWEST, MOST)))


# Series with steps


def _step_in_quiet(random: np.random.Generator) -> History:
    place = _number(random, NOISY_VALUES + _FROM_END, POINTS - _FROM_END)
    step = QUIET_STEP * _either_way(random) * _from(place)
    return _history(_noisy_beginning(random).values + step, place)


def _thousandfold(random: np.random.Generator) -> History:
    """Two levels far apart, either first, and a small step within one of them."""
    first, second = _number(random, 40, 90), _number(random, 110, 160)
    moved = 1.0 + RELATIVE_STEP * _either_way(random)
    small_moves = bool(random.integers(2))
    levels = [moved, 1.0, TIMES_APART] if small_moves else [1.0, TIMES_APART, TIMES_APART * moved]
    ordered = levels[:: random.choice([-1, 1])]
    level = LEVEL * np.repeat(ordered, [first, second - first, POINTS - second])
    return _history(level * (1.0 + RELATIVE_NOISE * random.standard_normal(POINTS)), first, second)


def _excursion(random: np.random.Generator) -> History:
    place = _number(random, _FROM_END, POINTS - _FROM_END - EXCURSION)
    moved = _from(place) - _from(place + EXCURSION)
    return _history(LEVEL + _any_size(random) * moved, place, place + EXCURSION)


def _newest_values(random: np.random.Generator) -> History:
    place = POINTS - NEWEST_VALUES
    return _history(LEVEL + _any_size(random) * _from(place), place)


def _step_in_short(random: np.random.Generator) -> History:
    values = _short(random).values
    place = _number(random, FEWEST_BEFORE, values.size - NEWEST_VALUES)
    return _history(values + SHORT_STEP * _either_way(random) * _from(place, values.size), place)


def _several_steps(random: np.random.Generator) -> History:
    lengths = random.integers(SEGMENT[0], SEGMENT[1] + 1, _number(random, *STEPS) + 1)
    sizes = random.uniform(*SIZES, lengths.size - 1) * random.choice([-1.0, 1.0], lengths.size - 1)
    level = LEVEL + np.repeat(np.cumsum([0.0, *sizes]), lengths)
    return _history(level + random.standard_normal(level.size), *np.cumsum(lengths)[:-1])


def _second_mode(random: np.random.Generator) -> History:
    """From one value on, which lies in it, a second mode has 30 to 70 % of the values."""
    place = _number(random, _FROM_END, POINTS - _FROM_END)
    second = (np.arange(POINTS) > place) & (random.random(POINTS) < random.uniform(0.3, 0.7))
    second[place] = True
    return _history(_of_modes(random, second), place)


def _step_in_wander(random: np.random.Generator) -> History:
    place = _number(random, _FROM_END, POINTS - _FROM_END)
    return _history(_slow_wander(random).values + WANDER_STEP * _either_way(random) * _from(place), place)


CLEAN_KINDS: dict[str, Callable[[np.random.Generator], History]] = {
    "AR .9": _slow_wander,
    "random walk": _random_walk,
    f"two modes, each kept {SHORT_STAY} values": _sticky_mixture(SHORT_STAY),
    f"two modes, each kept {LONG_STAY} values": _sticky_mixture(LONG_STAY),
    "noisy beginning": _noisy_beginning,
    "odd values": _odd_values,
    "short": _short,
}
STEPPED_KINDS: dict[str, Callable[[np.random.Generator], History]] = {
    "step after a noisy beginning": _step_in_quiet,
    "levels a thousandfold apart": _thousandfold,
    "5 values among equal ones": _excursion,
    "last 3 values after equal ones": _newest_values,
    "step in a short history": _step_in_short,
    "3 to 6 steps": _several_steps,
    "a second mode appears": _second_mode,
    "step over AR .9": _step_in_wander,
}
HISTORY_KINDS = CLEAN_KINDS | STEPPED_KINDS
