"""The methods of the pool, each computed for all series of a rectangle and from several origins at once.

Belongs here: methods that forecast. Which of them to trust is in `weights`. They compute in the precision of the values
that they are given. Sources: Hyndman & Athanasopoulos,
Forecasting: Principles and Practice (3rd ed.), chapters 5 and 8; further ones are named where they are used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray

RECENT_CYCLES = 7
"""Newest cycles that make a profile."""
SMOOTHED = ((0.05, 0.05), (0.05, 0.3), (0.2, 0.05), (0.2, 0.3), (0.6, 0.05), (0.6, 0.3))
"""Shares of an error by which level and profile are corrected."""
SMOOTHED_LONG = ((0.05, 0.3), (0.2, 0.3), (0.6, 0.3))
"""The same where a day and a week are modelled together."""
LONGEST_LINE, MOST_ONSETS, SHORTEST_LINE, SHORTEST_LEVEL = 400, 32, 7, 2
"""Places that a line is fitted to; onsets tried for it; places that follow the last one of a line and of a step."""
ONSET_PRICE = 3.0
"""Coefficients, as the Bayesian information criterion counts them, that a line or a step has more than a level.

More than the one that each has: with fewer, more AR(.5) values around a level were forecast to drift into a limit
3 standard deviations away (simulated, 200 series).
"""
_RIDGE_OF_LAGS, _RIDGE_OF_WINDOWS = 0.15, 0.1
"""Penalties, as shares of the mean square of what they are the coefficients of."""
_LEAST_POWER = 1e-3
"""Penalty where windows of what repeats exactly hold rounding and nothing else."""
_ENOUGH = 30
"""Values that give a robust deviation well enough."""
_ENOUGH_OF_CYCLE = 100
"""The same where the noise may depend on the place in the cycle."""
_MOST_WINDOWS = 10_000
_LONGEST_WINDOW = 48
_CLIPPED = 6.0
"""Units, errors of the seasonal naive or standard deviations, beyond which a value in a regression is drawn in."""


Profile = tuple[FloatArray, FloatArray]
"""Effects of the places of a cycle, shape (s, cycle), and means of the newest cycles, shape (s, cycles)."""


@dataclass(frozen=True)
class Task:
    """What is to be forecast: `values`, shape (s, t), without gaps; how many of its places are known at each origin,
    ascending, `stride` apart, the last being t; places ahead; places of a cycle, and of a longer one that the first
    origin holds twice, 0 if there is none; the kind of special day that a place is known to be on, shape
    (s, t + horizon), 0 for none, or None where no such day is known; and properties of the series, each value of one
    as a number, shape (s, properties), or None where none are known.
    """

    values: FloatArray
    origins: tuple[int, ...]
    stride: int
    horizon: int
    cycle: int
    longer: int
    special: npt.NDArray[np.int8] | None = None
    properties: FloatArray | None = None

    def part(self, rows: slice | npt.NDArray[np.intp]) -> Task:
        return replace(
            self,
            values=self.values[rows],
            special=None if self.special is None else self.special[rows],
            properties=None if self.properties is None else self.properties[rows],
        )

    def repeated(self, last: FloatArray) -> FloatArray:
        """`last`, shape (s, cycle), over the places ahead, shape (s, horizon)."""
        return np.tile(last, (1, -(-self.horizon // last.shape[1])))[:, : self.horizon]

    @property
    def error_unit(self) -> FloatArray:
        """Mean absolute error of the seasonal naive over what is known at the first origin, positive, shape (s, 1)."""
        known = self.values[:, : self.origins[0]]
        return _positive(np.abs(known[:, self.cycle :] - known[:, : -self.cycle]).mean(axis=1), known)


def _positive(unit: FloatArray, values: FloatArray) -> FloatArray:
    """`unit`, where it is more than rounding, else the size of the values, else 1; shape (s, 1)."""
    size = np.abs(values).max(axis=1)
    rounding = max(1e-9, 16.0 * float(np.finfo(values.dtype).eps))
    return np.where(unit > rounding * size, unit, np.where(size > 0, size, 1.0))[:, None]


def forecasts(task: Task, maps: WindowMaps) -> Iterator[tuple[str, FloatArray]]:
    """Name of each method and what it says at each origin, shape (origins, s, horizon)."""
    yield "seasonal_naive", seasonal_naive(task, task.cycle)
    yield "recent_level", level(task, max(task.cycle, RECENT_CYCLES))
    yield "newest_values", level(task, 3)
    profiles = [profile_before(task, origin) for origin in task.origins]
    yield "profile", profile(task, profiles)
    yield "bent_line", bent_line(task, profiles)
    yield "autoregression", autoregression(task, task.cycle)
    for shares, ahead in zip(SMOOTHED, smoothing(task, (task.cycle,), SMOOTHED), strict=True):
        yield "smoothing {} {}".format(*shares), ahead
    if task.longer:
        yield "longer_naive", seasonal_naive(task, task.longer)
        yield "longer_autoregression", autoregression(task, task.longer)
        for shares, ahead in zip(SMOOTHED_LONG, smoothing(task, (task.cycle, task.longer), SMOOTHED_LONG), strict=True):
            yield "longer_smoothing {} {}".format(*shares), ahead
    yield "window_differences", maps.differences.ahead(task)
    yield "window_values", maps.levels.ahead(task)


def seasonal_naive(task: Task, cycle: int) -> FloatArray:
    """The value one cycle before."""
    return np.stack([task.repeated(task.values[:, origin - cycle : origin]) for origin in task.origins])


def level(task: Task, count: int) -> FloatArray:
    """Median of the newest `count` values."""
    newest = [task.values[:, max(origin - count, 0) : origin, None] for origin in task.origins]
    median = _median_of_few if count <= RECENT_CYCLES else partial(np.median, axis=1)
    return np.repeat(np.stack([median(values) for values in newest]), task.horizon, axis=2)


def profile(task: Task, profiles: Sequence[Profile]) -> FloatArray:
    """The profile of the cycle before each origin on the mean of the last cycle."""
    return np.stack([task.repeated(season + means[:, -1:]) for season, means in profiles])


def profile_before(task: Task, origin: int) -> Profile:
    """The profile of the cycle before `origin`; of a cycle of one place, seven make one.

    Medians of the distances from the mean of the cycle, without the slope from cycle to cycle, drawn to 0 by how much
    of what they differ by is chance (James & Stein 1961).
    """
    cycle = task.cycle
    count = min(RECENT_CYCLES, origin // cycle)
    newest = task.values[:, origin - count * cycle : origin].reshape(len(task.values), count, cycle)
    means = newest.mean(axis=2)
    if cycle == 1:
        return np.zeros_like(means[:, :1]), means.mean(axis=1, keepdims=True)
    slope = np.gradient(means, axis=1) / cycle if count > 1 else np.zeros_like(means)
    from_middle = np.arange(cycle, dtype=newest.dtype) - (cycle - 1) / 2.0
    away = newest - means[:, :, None] - slope[:, :, None] * from_middle
    season = _median_of_few(away)
    noise = ((away - season[:, None]) ** 2).sum(axis=(1, 2)) / max(count - 1, 1) / cycle / count
    # A median varies that much more than a mean.
    noise *= np.pi / 2.0
    effect = (season**2).mean(axis=1)
    chance = np.divide(noise, effect, out=np.ones_like(noise), where=effect > 0)
    return season * np.maximum(1.0 - chance, 0.0)[:, None], means


def _median_of_few(values: FloatArray) -> FloatArray:
    """Medians along the second of three axes, which has few places: comparing pairs of neighbours until all are in
    order takes a fifth of the time of sorting each by itself."""
    ordered = [values[:, place].copy() for place in range(values.shape[1])]
    for turn in range(len(ordered)):
        for place in range(turn % 2, len(ordered) - 1, 2):
            low, high = ordered[place], ordered[place + 1]
            ordered[place], ordered[place + 1] = np.minimum(low, high), np.maximum(low, high)
    return np.asarray((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2.0)


def smoothing(task: Task, cycles: tuple[int, ...], shares: Sequence[tuple[float, float]]) -> FloatArray:
    """Exponential smoothing of a level and additive profiles (Taylor 2003), shape (shares, origins, s, horizon).

    `shares` of an error by which level and profiles are corrected; profiles share what the level leaves.
    """
    count, size = task.values.shape
    of_level, of_profile = np.array(shares, dtype=task.values.dtype).T[:, :, None]
    of_profile = of_profile * (1.0 - of_level) / len(cycles)
    state = np.repeat(task.values[:, : cycles[0]].mean(axis=1)[None], len(shares), axis=0)
    profiles = [
        [np.repeat(start[None, :, i], len(shares), axis=0) for i in range(cycle)]
        for cycle, start in zip(cycles, _first_profiles(task.values, cycles), strict=True)
    ]
    ahead = np.empty((len(shares), len(task.origins), count, task.horizon), dtype=task.values.dtype)
    for place in range(size + 1):
        if place in task.origins:
            at = task.origins.index(place)
            for step in range(task.horizon):
                ahead[:, at, :, step] = state + sum(
                    own[(place + step) % cycle] for own, cycle in zip(profiles, cycles, strict=True)
                )
        if place == size:
            break
        seasonal = [own[place % cycle] for own, cycle in zip(profiles, cycles, strict=True)]
        error = task.values[:, place] - state
        for own in seasonal:
            error -= own
        state += of_level * error
        if cycles[0] > 1:
            error *= of_profile
            for own in seasonal:
                own += error
    return ahead


def _first_profiles(values: FloatArray, cycles: tuple[int, ...]) -> list[FloatArray]:
    """Mean distances from the mean of a cycle, over the first two; of a longer cycle, beside those of the shorter."""
    found: list[FloatArray] = []
    for cycle in cycles:
        first = values[:, : 2 * cycle].reshape(len(values), -1, cycle)
        away = (first - first.mean(axis=2, keepdims=True)).mean(axis=1)
        found.append(away - np.tile(found[0], (1, cycle // cycles[0])) if found else away)
    return found


def bent_line(task: Task, profiles: Sequence[Profile]) -> FloatArray:
    """A level, then from an onset on another level or a straight line, on the profile of the cycle.

    Least squares for the level alone, and for each onset for a line (Hinkley 1971) and for a step, averaged by their
    probability (Bayesian model averaging; Hoeting et al. 1999), so a rise that is not yet certain counts in part, and
    three high values are no line. Even odds for each; what has an onset pays `ONSET_PRICE` as in the Bayesian
    information criterion (Schwarz 1978). Autocorrelated residuals count as their effective number.
    """
    lines = [_bent_line(task, origin, season) for origin, (season, _) in zip(task.origins, profiles, strict=True)]
    return np.stack(lines)


def _bent_line(task: Task, origin: int, season: FloatArray) -> FloatArray:
    cycle = task.cycle
    size = min(origin // cycle * cycle, LONGEST_LINE // cycle * cycle or cycle)
    values = task.values[:, origin - size : origin] - np.tile(season, (1, size // cycle))
    values = _drawn_in(values)
    mean = values.mean(axis=1, keepdims=True)
    centred = values - mean
    shapes, ahead = (part.astype(values.dtype) for part in _shapes(size, task.horizon))
    squares = (shapes**2).sum(axis=1)
    slopes = centred @ shapes.T / squares
    total = (centred**2).sum(axis=1, keepdims=True)
    rounding = 64.0 * float(np.finfo(values.dtype).eps)
    left = np.maximum(np.concatenate((total - slopes**2 * squares, total), axis=1), rounding * total)
    best = left.argmin(axis=1)
    rows, nearest = np.arange(len(values)), np.minimum(best, len(shapes) - 1)
    fitted = np.where(best < len(shapes), slopes[rows, nearest], 0.0)[:, None] * shapes[nearest]
    weights = _probabilities(left, _worth(centred - fitted))
    return np.asarray(mean + (weights[:, :-1] * slopes) @ ahead + task.repeated(season))


def _shapes(size: int, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Lines and steps from each onset over `size` places, of mean 0, and how they go on, shape (shapes, horizon)."""
    place = np.arange(size + horizon, dtype=np.float64)
    # Closer together near the end, where a few places more or less matter.
    near_end = 1.0 - np.linspace(1.0, 0.0, MOST_ONSETS) ** 2
    of_lines, of_steps = (
        np.unique((max(size - last, 1) * near_end).astype(int)) for last in (SHORTEST_LINE, SHORTEST_LEVEL)
    )
    lines = np.maximum(place - of_lines[:, None], 0.0)
    steps = (place >= of_steps[of_steps > 0][:, None]).astype(np.float64)
    shapes = np.concatenate((lines, steps))
    shapes -= shapes[:, :size].mean(axis=1, keepdims=True)
    return shapes[:, :size], shapes[:, size:]


def _drawn_in(values: FloatArray) -> FloatArray:
    """Values drawn to within 3 robust deviations of the median of the five around them."""
    around = np.pad(values, ((0, 0), (2, 2)), mode="edge")
    centre = _median_of_five([around[:, shift : shift + values.shape[1]] for shift in range(5)])
    away = np.abs(values - centre)[:, :: max(1, values.shape[1] // _ENOUGH)]
    reach = 3.0 * MAD_TO_SD * np.median(away, axis=1, keepdims=True)
    return np.where(reach > 0, np.clip(values, centre - reach, centre + reach), values)


def _median_of_five(values: Sequence[FloatArray]) -> FloatArray:
    """Of five arrays, place by place: comparing pairs takes a tenth of the time of sorting."""
    first, second, third, fourth, fifth = values
    low = np.maximum(np.minimum(first, second), np.minimum(third, fourth))
    high = np.minimum(np.maximum(first, second), np.maximum(third, fourth))
    return np.asarray(np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), fifth)))


def _worth(residuals: FloatArray) -> FloatArray:
    """How many independent values AR(1) residuals are worth, shape (s, 1)."""
    power = (residuals**2).sum(axis=1)
    together = (residuals[:, 1:] * residuals[:, :-1]).sum(axis=1)
    correlation = np.clip(np.divide(together, power, out=np.zeros_like(power), where=power > 0), 0.0, 0.95)
    return np.asarray(residuals.shape[1] * (1.0 - correlation) / (1.0 + correlation))[:, None]


def _probabilities(left: FloatArray, worth: FloatArray) -> FloatArray:
    """Of each shape and, last, of the level, from the squares that each leaves: shape (s, shapes + 1)."""
    least = left.min(axis=1, keepdims=True)
    ratio = np.divide(left, least, out=np.ones_like(left), where=least > 0)
    odds = -worth / 2.0 * np.log(ratio)
    odds[:, :-1] -= ONSET_PRICE / 2.0 * np.log(np.maximum(worth, np.e)) + np.log(max(left.shape[1] - 1, 1))
    weights = np.exp(odds - odds.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def autoregression(task: Task, cycle: int) -> FloatArray:
    """Ridge regression of the differences from one cycle before on those one, two and a cycle of places earlier: with
    coefficients of 0 it is the seasonal naive."""
    lags = sorted({1, 2, task.cycle})
    values = task.values
    difference = values[:, cycle:] - values[:, :-cycle]
    usual = MAD_TO_SD * np.median(np.abs(_some_of(difference, task.cycle)), axis=1, keepdims=True)
    bound = np.where(usual > 0, 4.0 * usual, np.inf)
    drawn_in = np.clip(difference, -bound, bound)
    squares, products = np.zeros((len(values), len(lags), len(lags))), np.zeros((len(values), len(lags)))
    ahead = np.empty((len(task.origins), len(values), task.horizon), dtype=values.dtype)
    done, counted, largest = lags[-1], 0, np.zeros(len(values), dtype=values.dtype)
    for at, origin in enumerate(task.origins):
        known = origin - cycle
        if known > done:
            earlier = np.stack([drawn_in[:, done - lag : known - lag] for lag in lags], axis=1)
            squares += earlier @ earlier.transpose(0, 2, 1)
            products += np.einsum("slt,st->sl", earlier, drawn_in[:, done:known])
            done = known
        weight = _solved(squares, products).astype(values.dtype)
        # Rows are places here, so that each step reads and writes neighbouring numbers.
        newest = min(known, lags[-1])
        coming = np.zeros((newest + task.horizon, len(values)), dtype=values.dtype)
        coming[:newest] = difference[:, known - newest : known].T
        for step in range(newest, newest + task.horizon):
            for place, lag in enumerate(lags):
                if step >= lag:
                    coming[step] += weight[:, place] * coming[step - lag]
        largest = np.maximum(largest, np.abs(difference[:, counted:known]).max(axis=1, initial=0.0))
        counted = known
        base = np.empty((cycle + task.horizon, len(values)), dtype=values.dtype)
        base[:cycle] = values[:, origin - cycle : origin].T
        for step in range(task.horizon):
            base[cycle + step] = base[step] + np.clip(coming[newest + step], -largest, largest)
        ahead[at] = base[cycle:].T
    return ahead


def _some_of(values: FloatArray, cycle: int) -> FloatArray:
    """Every so-manieth place of `values`, shape (s, t), from all places of the cycle alike."""
    stride = max(1, values.shape[1] // _ENOUGH_OF_CYCLE)
    while math.gcd(stride, cycle) > 1:
        stride -= 1
    return values[:, ::stride]


def _solved(squares: FloatArray, products: FloatArray) -> FloatArray:
    count = squares.shape[1]
    power = np.trace(squares, axis1=1, axis2=2)[:, None, None] / count
    penalised = squares + np.where(power > 0, _RIDGE_OF_LAGS * power, 1.0) * np.eye(count)
    return np.asarray(np.linalg.solve(penalised, products[:, :, None])[:, :, 0])


@dataclass(frozen=True)
class WindowMap:
    """One linear map from the newest values to those ahead, for all series: a matrix for each origin, None where too
    little came before it. `of_values`: features are values rather than differences from the seasonal naive.
    """

    coefficients: tuple[FloatArray | None, ...]
    of_values: bool

    def ahead(self, task: Task) -> FloatArray:
        """Shape (origins, s, horizon)."""
        unit = _unit(task, self.of_values)
        ahead = []
        for origin, matrix in zip(task.origins, self.coefficients, strict=True):
            features, base = _features(task, origin, unit, self.of_values)
            ahead.append(base if matrix is None else base + features @ matrix * unit)
        return np.stack(ahead)


@dataclass(frozen=True)
class WindowMaps:
    """The maps of differences and of values."""

    differences: WindowMap
    levels: WindowMap

    @classmethod
    def learned(cls, task: Task) -> WindowMaps:
        """By ridge regression (Hoerl & Kennard 1970) over windows of all series, of each origin on those before it."""
        return cls(_learned(task, of_values=False), _learned(task, of_values=True))


def _unit(task: Task, of_values: bool) -> FloatArray:
    if not of_values:
        return task.error_unit
    known = task.values[:, : task.origins[0]]
    return _positive(known.std(axis=1), known)


def _learned(task: Task, of_values: bool) -> WindowMap:
    unit, horizon = _unit(task, of_values), task.horizon
    first = _first_window(task)
    stride = max(1, task.cycle // 4, -(-(task.origins[-1] - first) * len(task.values) // _MOST_WINDOWS))
    # Counted back from the end, so that the newest windows are among them.
    places = np.arange(task.origins[-1] - horizon, first - 1, -stride)[::-1]
    squares, products = np.zeros((1, 1)), np.zeros((1, horizon))
    count, done = 0, 0
    maps: list[FloatArray | None] = []
    for origin in task.origins:
        for place in places[(places > done) & (places + horizon <= origin)]:
            features, base = _features(task, int(place), unit, of_values)
            target = np.clip((task.values[:, place : place + horizon] - base) / unit, -_CLIPPED, _CLIPPED)
            squares, products = squares + features.T @ features, products + features.T @ target
            count, done = count + len(features), int(place)
        maps.append(_ridge(squares, products).astype(task.values.dtype) if count else None)
    return WindowMap(tuple(maps), of_values)


def _first_window(task: Task) -> int:
    """The first place at which a window has all that it reads behind it."""
    return max(2 * task.cycle, _window(task) + task.cycle, task.longer)


def _ridge(squares: FloatArray, products: FloatArray) -> FloatArray:
    power = float(np.trace(squares)) / len(squares)
    penalty = max(_RIDGE_OF_WINDOWS * power, _LEAST_POWER)
    return np.asarray(np.linalg.solve(squares + penalty * np.eye(len(squares)), products))


def _window(task: Task) -> int:
    return min(max(task.cycle, RECENT_CYCLES), _LONGEST_WINDOW, max(task.origins[0] - task.cycle, 1))


def _features(task: Task, origin: int, unit: FloatArray, of_values: bool) -> tuple[FloatArray, FloatArray]:
    """What the map reads at `origin`, in `unit`, shape (s, features); the seasonal naive, shape (s, horizon)."""
    values, cycle, ahead = task.values, task.cycle, min(task.horizon, task.cycle)
    last = values[:, origin - cycle : origin]
    base = task.repeated(last)
    count = min(origin // cycle, RECENT_CYCLES)
    usual = values[:, origin - count * cycle : origin].reshape(len(values), count, cycle).mean(axis=1)
    window = _window(task)
    newest = values[:, origin - window : origin]
    if of_values:
        centre = last.mean(axis=1, keepdims=True)
        parts = [
            newest - centre,
            (usual - usual.mean(axis=1, keepdims=True))[:, :ahead],
            usual.mean(axis=1, keepdims=True) - centre,
        ]
    else:
        centre = base
        parts = [newest - values[:, origin - window - cycle : origin - cycle], (usual - last)[:, :ahead]]
    if task.longer:
        steps = np.arange(task.horizon)
        parts.append(values[:, origin + steps - task.longer * (1 + steps // task.longer)] - centre)
    return np.clip(np.concatenate(parts, axis=1) / unit, -_CLIPPED, _CLIPPED), base


def window_rows(task: Task, origin: int, most: int) -> tuple[FloatArray, FloatArray]:
    """Features and targets of a model of single steps over all series, of at most about `most` windows and steps before
    `origin`: what `WindowMaps` read of differences, the step, the place in the longest cycle, the kinds of special days
    and, last, the properties of the series, as far as these are known.
    """
    unit, horizon = task.error_unit, task.horizon
    first = _first_window(task)
    places = np.arange(origin - horizon, first - 1, -1)
    stride = max(1, -(-places.size * len(task.values) // most))
    features, targets = [], []
    for number, place in enumerate(places[::stride]):
        own, base = _features(task, int(place), unit, of_values=False)
        # One step of each window: those of one window have nearly the same features.
        step = (number * 5) % horizon
        features.append(_with_step(task, own, int(place), step))
        target = (task.values[:, place + step] - base[:, step])[:, None] / unit
        targets.append(np.clip(target[:, 0], -_CLIPPED, _CLIPPED))
    if not targets:
        return np.empty((0, 1)), np.empty(0)
    return np.concatenate(features), np.concatenate(targets)


def newest_window(task: Task, origin: int, row: int) -> tuple[FloatArray, FloatArray, float]:
    """Features of series `row` at `origin` for each step, shape (horizon, features); what the model's answers are to be
    added to, shape (horizon,), and their unit."""
    unit = task.error_unit
    own, base = _features(task, origin, unit, of_values=False)
    one = slice(row, row + 1)
    rows = [_with_step(task, own[one], origin, step, one) for step in range(task.horizon)]
    return np.concatenate(rows), base[row], float(unit[row, 0])


def _with_step(task: Task, features: FloatArray, place: int, step: int, rows: slice = slice(None)) -> FloatArray:
    cycle = task.longer or task.cycle
    parts = [features, np.full((len(features), 2), [step, (place + step) % cycle], dtype=np.float64)]
    if task.special is not None:
        # What is repeated from a cycle before may have been a special day, too.
        ahead = place + step
        before = ahead - task.cycle * (1 + step // task.cycle)
        parts.append(task.special[rows][:, [ahead, before]].astype(np.float64))
    if task.properties is not None:
        parts.append(task.properties[rows])
    return np.concatenate(parts, axis=1)
