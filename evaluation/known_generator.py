"""What could be said of the series of `leaks` at best: by somebody who knows how they are made.

Belongs here: the posterior over courses that are drawn from the generator itself. It shows which targets the values
allow at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from evaluation.leaks import CORRELATIONS, DAYS, DAYS_KNOWN, KINDS, LEVEL, FloatArray, Leaks
from perf_assets.analysis.ragged import IndexArray

SAMPLED = tuple(kind for kind in KINDS if kind != "restarting")
"""Kinds that drawn courses come close enough to: restarts differ in too many places."""
_COURSES = 20_000
"""Drawn of each kind."""
_DRAWS = 500
_SEED = 5
_AT_ONCE = 25


def passed_at_best(made: Leaks, days: tuple[int, ...]) -> dict[int, tuple[FloatArray, FloatArray]]:
    """By number of days: probability that the level, and that any single value, passes, shape (s,) each.

    All kinds of SAMPLED are equally likely, as are the correlations; the level is not known, the noise's deviation is.
    """
    random = np.random.default_rng(_SEED)
    parts = [slice(begin, begin + _AT_ONCE) for begin in range(0, len(made.past), _AT_ONCE)]
    futures = np.concatenate(
        [_futures(Leaks(made.past[own], made.ahead[own], made.limit[own]), random) for own in parts]
    )
    possible = [
        Leaks(np.broadcast_to(past, (_DRAWS, past.size)), future, np.full(_DRAWS, limit))
        for past, future, limit in zip(made.past, futures, made.limit, strict=True)
    ]
    shares = {number: np.array([np.mean(each.passed(number), axis=1) for each in possible]) for number in days}
    return {number: (share[:, 0], share[:, 1]) for number, share in shares.items()}


@dataclass(frozen=True)
class _Drawn:
    """`courses`, shape (n, all days), as shares of the limit; `log_weights`, shape (n,)."""

    courses: FloatArray
    log_weights: FloatArray


@cache
def _drawn() -> _Drawn:
    random = np.random.default_rng(_SEED)
    # All courses of a level alone are one.
    counts = {kind: 1 if kind == "none" else _COURSES for kind in SAMPLED}
    courses = [KINDS[kind](random, np.ones(count), DAYS[None, :]) for kind, count in counts.items()]
    return _Drawn(np.concatenate(courses), np.concatenate([np.full(n, -np.log(n)) for n in counts.values()]))


def _futures(made: Leaks, random: np.random.Generator) -> FloatArray:
    """Days ahead that may follow, shape (s, draws, days ahead and those around the last)."""
    drawn, limit = _drawn(), made.limit - LEVEL
    log_chances = np.stack([_log_likelihoods(made.past, limit, correlation) for correlation in CORRELATIONS], axis=2)
    log_chances += drawn.log_weights[:, None]
    chances = np.exp(log_chances - log_chances.max(axis=(1, 2), keepdims=True)).reshape(len(limit), -1)
    picked = np.stack([random.choice(own.size, _DRAWS, p=own / own.sum()) for own in chances])
    return _continued(made.past, limit, picked, random)


def _continued(past: FloatArray, limit: FloatArray, picked: IndexArray, random: np.random.Generator) -> FloatArray:
    number, noise = np.divmod(picked, len(CORRELATIONS))
    correlation = np.array(CORRELATIONS)[noise]
    course = _drawn().courses[number] * limit[:, None, None]
    flat = past[:, None, :] - course[:, :, :DAYS_KNOWN]
    # The level is as unsure as the mean of noise of that correlation.
    unsure = np.sqrt((1.0 + correlation) / (1.0 - correlation) / DAYS_KNOWN)
    level = flat.mean(axis=2) + unsure * random.standard_normal(picked.shape)
    own = flat[:, :, -1] - level
    ahead = course[:, :, DAYS_KNOWN:] + level[:, :, None]
    for place in range(ahead.shape[2]):
        own = correlation * own + np.sqrt(1.0 - correlation**2) * random.standard_normal(picked.shape)
        ahead[:, :, place] += own
    return ahead


def _log_likelihoods(past: FloatArray, limit: FloatArray, correlation: float) -> FloatArray:
    """Of each series with each drawn course and noise of that correlation, whatever its level, shape (s, n)."""
    scale = np.sqrt(1.0 - correlation**2)
    innovations = (np.eye(DAYS_KNOWN) - correlation * np.eye(DAYS_KNOWN, k=-1)) / scale
    innovations[0, 0] = 1.0
    flat = innovations.sum(axis=1)
    innovations -= np.outer(flat, flat @ innovations) / (flat @ flat)
    seen = past @ innovations.T
    expected = _drawn().courses[:, :DAYS_KNOWN] @ innovations.T
    squares = -2.0 * limit[:, None] * (seen @ expected.T) + (limit**2)[:, None] * (expected**2).sum(axis=1)
    squares += (seen**2).sum(axis=1)[:, None]
    return np.asarray(-squares / 2.0 - (DAYS_KNOWN - 1) * np.log(scale) - np.log(flat @ flat) / 2.0)
