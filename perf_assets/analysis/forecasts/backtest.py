"""How the methods would have done at earlier origins, and what they say now: weighted, for all series of a rectangle.

Belongs here: origins, errors, and the weighted forecast. Does not belong here: intervals, challengers, tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.forecasts.intervals import Scales
from perf_assets.analysis.forecasts.members import Task, WindowMaps, forecasts
from perf_assets.analysis.forecasts.weights import Fleet, weights
from perf_assets.analysis.statistics import FloatArray

MOST_ORIGINS, MOST_ORIGINS_OF_MANY, MANY = 9, 5, 300
"""Origins at which forecasts are tried, half of what is held out apart, and how many where so many series are forecast
together that they tell what the origins do not; intervals are taken from every second one, so that no two share a
value."""
ROUNDING = 1e-13
"""Errors that are none, of values of the size of 1."""
_BLOCK = 1_000
"""Series computed at once."""
_ENOUGH = 9
"""Values that tell a level well enough for numbers to be small around it."""


@dataclass(frozen=True)
class Combined:
    """Of s series: `mean`, shape (s, horizon); `errors` of like forecasts that did not know them, shape
    (origins, s, horizon), NaN where nothing was measured, and the same `on_scale` of the series; the method with the
    most weight and that weight, shape (s,).
    """

    mean: FloatArray
    errors: FloatArray
    on_scale: FloatArray
    model: npt.NDArray[np.object_]
    weight: FloatArray


def task_of(values: FloatArray, horizon: int, cycle: int, longer: list[int]) -> Task:
    size = values.shape[1]
    stride = -(-max(1, min(horizon, size // 4)) // 2)
    if horizon > cycle:
        # Whole cycles are held out: on some days of the week all methods are better than on others.
        stride = -(-stride // cycle) * cycle
    first = max(size // 3, 2 * cycle, 4)
    most = MOST_ORIGINS if len(values) < MANY else MOST_ORIGINS_OF_MANY
    origins = [size - stride * number for number in range(most, 0, -1) if size - stride * number >= first]
    origins = origins or [size - stride]
    held = longer[0] if longer and origins[0] >= 2 * longer[0] else 0
    return Task(values, (*origins, size), stride, horizon, cycle, held)


def pooled(task: Task, truth: FloatArray, scales: Scales, sample: npt.NDArray[np.intp]) -> Combined:
    """`truth`: the values of the task with NaN for gaps; the fleet is learned from the series of the `sample`."""
    learned = _Lean.of(task.part(sample))
    maps = WindowMaps.learned(learned.task)
    sampled = _try(learned, maps)
    fleet = Fleet.of(_known(sampled.sizes, len(task.origins) - 1))
    if len(sample) == len(truth):
        return _combined(sampled, truth, scales, fleet)
    del sampled
    parts = ((_Lean.of(task.part(rows)), rows) for rows in blocks(len(truth)))
    return _joined([_combined(_try(lean, maps), truth[rows], scales.part(rows), fleet) for lean, rows in parts])


def blocks(count: int) -> Iterator[slice]:
    return (slice(begin, min(begin + _BLOCK, count)) for begin in range(0, count, _BLOCK))


def _joined(parts: Sequence[Combined]) -> Combined:
    return Combined(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.errors for part in parts], axis=1),
        np.concatenate([part.on_scale for part in parts], axis=1),
        np.concatenate([part.model for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


@dataclass(frozen=True)
class _Lean:
    """A task whose values are distances from the `centre` of each series, shape (s, 1), in single precision, in which
    methods take half of the time and memory and lose nothing that was measured. The centre is the median of a few of
    the values, so what is constant is 0."""

    task: Task
    centre: FloatArray

    @classmethod
    def of(cls, task: Task) -> _Lean:
        values = task.values
        centre = np.median(values[:, :: max(1, values.shape[1] // _ENOUGH)], axis=1, keepdims=True)
        away = values - centre
        # What differs by rounding only is constant.
        away[np.abs(away).max(axis=1) <= ROUNDING] = 0.0
        return cls(replace(task, values=away.astype(np.float32)), centre)


@dataclass(frozen=True)
class _Methods:
    """Names of the methods; what each says of a lean task at each origin, shape (methods, origins, s, horizon); errors
    as `_sizes` gives them, shape (methods, origins - 1, s, strides)."""

    lean: _Lean
    names: Sequence[str]
    ahead: FloatArray
    sizes: FloatArray


def _try(lean: _Lean, maps: WindowMaps) -> _Methods:
    names, ahead = zip(*forecasts(lean.task, maps), strict=True)
    return _Methods(lean, names, np.stack(ahead), np.stack([_sizes(each, lean.task) for each in ahead]))


def _sizes(ahead: FloatArray, task: Task) -> FloatArray:
    """Mean absolute errors at each origin but the last over the first stride ahead, over the first two, and so on as
    far as there is a truth: shape (origins - 1, s, strides)."""
    size, stride = task.values.shape[1], task.stride
    ends = np.minimum(np.arange(1, -(-task.horizon // stride) + 1) * stride, task.horizon)
    result = np.zeros((len(ahead) - 1, len(task.values), ends.size))
    for place, origin in enumerate(task.origins[:-1]):
        held = min(task.horizon, size - origin)
        error = np.abs(ahead[place, :, :held] - task.values[:, origin : origin + held])
        known = ends[ends <= held]
        sums = np.add.reduceat(error, np.append(0, known[:-1]), axis=1)[:, : known.size]
        result[place, :, : known.size] = np.cumsum(sums, axis=1) / known
    return result


def _known(sizes: FloatArray, at: int) -> FloatArray:
    """Of errors as `_sizes` gives them, shape (methods, origins, s, strides): those that origin number `at` knows, of
    the origins before it, shape (methods, at, s)."""
    last = sizes.shape[3]
    return np.stack([sizes[:, place, :, min(at - place, last) - 1] for place in range(at)], axis=1)


def _combined(methods: _Methods, truth: FloatArray, scales: Scales, fleet: Fleet) -> Combined:
    """`truth`: the values of the task with NaN for gaps: only what was measured has an error."""
    ahead, sizes, task = methods.ahead, methods.sizes, methods.lean.task
    weight = weights(_known(sizes, len(task.origins) - 1), fleet)
    # Every second origin, each weighted by what was known at it.
    places = scored(task)
    then = np.empty((len(places) + 1, *ahead.shape[2:]))
    then[-1] = np.einsum("ms,msh->sh", weight, ahead[:, -1])
    for number, place in enumerate(places):
        own = weights(_known(sizes, place), fleet) if place else fleet.usual(len(weight[0]))
        then[number] = np.einsum("ms,msh->sh", own, ahead[:, place])
    then += methods.lean.centre
    origins = [task.origins[place] for place in places]
    families = np.array([name.split()[0] for name in methods.names], dtype=object)
    shares = np.stack([weight[families == family].sum(axis=0) for family in dict.fromkeys(families)])
    main = shares.argmax(axis=0)
    return Combined(
        then[-1],
        errors_of(then, truth, origins, plain),
        errors_of(then, truth, origins, scales.on),
        np.array(list(dict.fromkeys(families)), dtype=object)[main],
        np.take_along_axis(shares, main[None], axis=0)[0],
    )


def errors_of(
    then: FloatArray, truth: FloatArray, origins: Sequence[int], on: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Of forecasts, shape (at least origins, s, horizon), at the `origins`: shape (origins, s, horizon), NaN where
    `truth`, shape (s, t), is or has ended."""
    size, horizon = truth.shape[1], then.shape[2]
    errors = np.full((len(origins), *then.shape[1:]), np.nan, dtype=np.float32)
    for place, origin in enumerate(origins):
        held = min(horizon, size - origin)
        errors[place, :, :held] = on(truth[:, origin : origin + held]) - on(then[place, :, :held])
    return errors


def scored(task: Task) -> list[int]:
    """Numbers of the origins that intervals are taken from, ascending: every second one, the newest of which has a
    whole held-out part behind it."""
    return list(range(len(task.origins) - 3, -1, -2))[::-1] or [0]


def plain(values: FloatArray) -> FloatArray:
    return values
