"""Generated series with a limit: what they do, and what they will do.

Belongs here: daily values of known kinds, and whether and when their level and single values pass the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

LEVEL = 50.0
"""Of all series; the noise has a standard deviation of 1, and limits lie 4 to 20 above."""
DAYS_KNOWN, DAYS_AHEAD = 90, 30
_AROUND = 3
"""Days on each side whose median with a day is the level of that day."""
CORRELATIONS = (0.0, 0.3, 0.6)
"""Of the noise from day to day, one of which each series has."""
DAYS = np.arange(DAYS_KNOWN + DAYS_AHEAD + _AROUND) - (DAYS_KNOWN - 1.0)
"""All days, the last known one being 0."""
_WARMED_UP = 50


@dataclass(frozen=True)
class Leaks:
    """s series: `past`, shape (s, days known); `ahead`, shape (s, days ahead + 3); `limit`, shape (s,)."""

    past: FloatArray
    ahead: FloatArray
    limit: FloatArray

    def passed(self, days: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Whether the level, and any single value, passes the limit within so many days, shape (s,) each."""
        single = (self.ahead[:, :days] > self.limit[:, None]).any(axis=1)
        return (self.levels[:, :days] > self.limit[:, None]).any(axis=1), single

    @property
    def levels(self) -> FloatArray:
        """Median of the seven days around each of the days ahead, shape (s, days ahead)."""
        joined = np.concatenate((self.past[:, -_AROUND:], self.ahead), axis=1)
        return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(joined, 2 * _AROUND + 1, axis=1), axis=2))


def leaks(kind: str, count: int, seed: int) -> Leaks:
    """`count` series of one of KINDS, with autoregressive noise."""
    random = np.random.default_rng([seed, list(KINDS).index(kind)])
    limit = random.uniform(4.0, 20.0, count)
    values = LEVEL + KINDS[kind](random, limit, DAYS[None, :]) + _noise(random, count, DAYS.size)
    return Leaks(values[:, :DAYS_KNOWN], values[:, DAYS_KNOWN:], LEVEL + limit)


def _noise(random: np.random.Generator, count: int, size: int) -> FloatArray:
    correlation = random.choice(CORRELATIONS, count)
    shocks = random.standard_normal((count, size + _WARMED_UP))
    values = np.zeros_like(shocks)
    for place in range(1, values.shape[1]):
        own = np.sqrt(1.0 - correlation**2) * shocks[:, place]
        values[:, place] = correlation * values[:, place - 1] + own
    return values[:, _WARMED_UP:]


def _none(random: np.random.Generator, limit: FloatArray, days: FloatArray) -> FloatArray:
    return np.zeros((limit.size, days.size))


def _rising(began: FloatArray, passes: FloatArray, limit: FloatArray, days: FloatArray) -> FloatArray:
    return np.maximum(days - began[:, None], 0.0) / (passes - began)[:, None] * limit[:, None]


def _leak(random: np.random.Generator, limit: FloatArray, days: FloatArray) -> FloatArray:
    return _rising(-random.uniform(12, 70, limit.size), random.uniform(1, 60, limit.size), limit, days)


def _young(random: np.random.Generator, limit: FloatArray, days: FloatArray) -> FloatArray:
    return _rising(-random.uniform(2, 10, limit.size), random.uniform(1, 60, limit.size), limit, days)


def _flattening(random: np.random.Generator, limit: FloatArray, days: FloatArray) -> FloatArray:
    began, time = -random.uniform(5, 40, limit.size), random.uniform(4, 20, limit.size)
    top = limit * random.uniform(0.4, 1.15, limit.size)
    return np.asarray(top[:, None] * (1.0 - np.exp(-np.maximum(days - began[:, None], 0.0) / time[:, None])))


def _ended(random: np.random.Generator, limit: FloatArray, days: FloatArray) -> FloatArray:
    began, lasted = -random.uniform(20, 70, limit.size), random.uniform(5, 18, limit.size)
    top = limit * random.uniform(0.3, 1.0, limit.size)
    return np.asarray(np.clip((days - began[:, None]) / lasted[:, None], 0.0, 1.0) * top[:, None])


def _step(random: np.random.Generator, limit: FloatArray, days: FloatArray) -> FloatArray:
    at, size = -random.uniform(1, 60, limit.size), limit * random.uniform(0.2, 1.05, limit.size)
    return np.where(days > at[:, None], size[:, None], 0.0)


def _restarting(random: np.random.Generator, limit: FloatArray, days: FloatArray) -> FloatArray:
    course = np.zeros((limit.size, days.size))
    for row, top in enumerate(limit * random.uniform(0.5, 1.1, limit.size)):
        usual, uneven = random.uniform(4, 18), random.choice([0.0, 0.1, 0.2])
        begin = days[0, 0] - random.uniform(0, usual)
        while begin <= days[0, -1]:
            length = max(usual * (1.0 + uneven * random.standard_normal()), 2.0)
            inside = (days[0] >= begin) & (days[0] < begin + length)
            course[row, inside] = top / usual * (days[0, inside] - begin)
            begin += length
    return course


KINDS: dict[str, Callable[[np.random.Generator, FloatArray, FloatArray], FloatArray]] = {
    "none": _none, "leak": _leak, "young": _young, "flattening": _flattening, "ended": _ended, "step": _step,
    "restarting": _restarting,
}  # fmt: skip
"""What a series does: nothing; it leaks since 12 to 70 days, or since 2 to 10; it leaks ever slower towards a new
level; it leaked for 5 to 18 days; it has stepped up; it leaks and is restarted every 4 to 18 days."""
