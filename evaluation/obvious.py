"""A mechanical rule for steps that no reader would miss, and for whether the values around a finding bear it out."""

from __future__ import annotations

from typing import Literal

import numpy as np

from evaluation.signals import FloatArray

Support = Literal["supported", "weak", "unsupported", "short"]

WIDE, NARROW, NEXT = 15, 8, 5
"""Values looked at on either side: for the level, for the overlap, and those next to the step."""
LEAST_RATIO, LEAST_SEPARATION, LEAST_SIGMAS = 1.10, 0.97, 4.0
"""Of an obvious step: larger level to smaller, share of pairs in order, and robust standard deviations apart."""
SUPPORTED, UNSUPPORTED = (0.07, 0.85), (0.04, 0.70)
"""Relative change and share of pairs in order: from both on a finding is supported, below either it is not."""
_APART = 5
_NORMAL_MAD = 1.4826
_ROUNDING = 1e-12


def obvious_steps(values: FloatArray) -> list[int]:
    """Indices of the first value after each obvious step, ascending; of several within 5 values the clearest.

    `values`: shape (n,), without gaps. A step is obvious when its levels differ by 10 %, the 8 values on either side
    hardly overlap, their medians are 4 robust standard deviations apart, and those next to the step are on their side.
    """
    candidates = [(_sigmas_apart(values, place), place) for place in range(NARROW, values.size - NEXT + 1)]
    kept: list[int] = []
    for sigmas, place in sorted(candidates, reverse=True):
        if sigmas >= LEAST_SIGMAS and all(abs(place - other) > _APART for other in kept):
            kept.append(place)
    return sorted(kept)


def support(values: FloatArray, place: int) -> Support:
    """What up to 15 values on either side of a finding say of it; `short` where there are no two on one side."""
    before, after = values[max(0, place - WIDE) : place], values[place : place + WIDE]
    if min(before.size, after.size) < 2:
        return "short"
    old, new = float(np.median(before)), float(np.median(after))
    change, apart = abs(new / old - 1.0) if old else np.inf, separation(before, after)
    if change >= SUPPORTED[0] and apart >= SUPPORTED[1]:
        return "supported"
    return "unsupported" if change < UNSUPPORTED[0] or apart < UNSUPPORTED[1] else "weak"


def separation(before: FloatArray, after: FloatArray) -> float:
    """Share of pairs in which the side that is mostly higher is higher, ties by half: 0.5 alike, 1 without overlap."""
    differences = after[:, None] - before
    above = float(np.mean((differences > 0) + 0.5 * (differences == 0)))
    return max(above, 1.0 - above)


def _sigmas_apart(values: FloatArray, place: int) -> float:
    """Robust standard deviations between the two sides, 0 where a condition other than that fails."""
    wide = values[max(0, place - WIDE) : place], values[place : place + WIDE]
    near = wide[0][-NARROW:], wide[1][:NARROW]
    obvious = (
        _differ(*wide)
        and _differ(*near)
        and _on_own_sides(values, place, *wide)
        and separation(*near) >= LEAST_SEPARATION
    )
    if not obvious:
        return 0.0
    floor = _ROUNDING * max(abs(float(np.median(side))) for side in wide)
    return abs(float(np.median(near[1]) - np.median(near[0]))) / max(*map(_robust_deviation, near), floor)


def _differ(before: FloatArray, after: FloatArray) -> bool:
    """By 10 % of the smaller; any difference from a level of 0."""
    smaller, larger = sorted((abs(float(np.median(before))), abs(float(np.median(after)))))
    return float(np.median(before)) != float(np.median(after)) and not larger < LEAST_RATIO * smaller


def _on_own_sides(values: FloatArray, place: int, before: FloatArray, after: FloatArray) -> bool:
    """The values next to the step, and the medians of the next five, lie on their side of the middle."""
    old, new = float(np.median(before)), float(np.median(after))
    beyond = np.sign(new - old) * (values - (old + new) / 2.0)
    newer, older = beyond[place : place + NEXT], beyond[place - NEXT : place]
    return bool(newer[0] > 0 and np.median(newer) > 0 and older[-1] < 0 and np.median(older) < 0)


def _robust_deviation(values: FloatArray) -> float:
    return _NORMAL_MAD * float(np.median(np.abs(values - np.median(values))))
