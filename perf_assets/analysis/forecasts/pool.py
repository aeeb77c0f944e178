"""The forecast of a history: each method of the pool for all series of a rectangle, weighted, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.forecasts.challengers import challengers
from perf_assets.analysis.forecasts.grids import FEWEST_POINTS, Panel, TimeArray, panels
from perf_assets.analysis.forecasts.intervals import Scales, widths_of
from perf_assets.analysis.forecasts.members import Task, WindowMaps, forecasts
from perf_assets.analysis.forecasts.weights import Fleet, weights
from perf_assets.analysis.statistics import FloatArray

MOST_ORIGINS = 9
"""Origins at which forecasts are tried, half of what is held out apart; intervals are taken from every second one, so
that no two share a value."""
WINNING = 0.95
"""Share of the pool's error below which a challenger takes its place."""
_MOST_CATEGORIES = 200
_ROUNDING = 1e-9
"""Errors of values of the size of 1 that are none."""
_SAMPLE, _BLOCK = 2_000, 1_000
"""Series from which the fleet is learned; series computed at once."""
_SEED = 0

SCORE_COLUMNS = ("unique_id", "model", "origins", "mae", "mase", "coverage_80", "coverage_95", "chosen", "note")
"""What is known of a method and a series: origins tried; mean absolute error of what was held out, in the unit, and as
a share of that of the naive forecast within the history (MASE; Hyndman & Koehler 2006); shares of held-out values
inside their intervals; whether it is the forecast; and a note in words. Not measured is NaN."""


@dataclass(frozen=True)
class Forecasts:
    """`table`: as `forecast` gives it, with the levels 80 and 95. `scores`: SCORE_COLUMNS, for each series one row of
    the pool, by the name of the method with the most weight ("none" for a series too short to forecast), and of the
    headline series one of each challenger."""

    table: pd.DataFrame
    scores: pd.DataFrame


def forecast(history: pd.DataFrame, horizon: int, levels: Sequence[int] = (80, 95)) -> pd.DataFrame:
    """Forecast every series of `history` for `horizon` steps beyond its last value.

    `history`: unique_id, ds (naive UTC), y (NaN for none), and optionally stepped_at (a step beyond doubt, whose new
    level holds: what lies before it gives the shape, not the level), lowest and highest (bounds of the values; one that
    a value lies beyond is none). Times need not be regular: values of irregular series are averaged by minutes, hours,
    days or weeks, as many as hold one; a series needs values at eight such places.

    Gives unique_id, ds, mean, lo- and hi- for each of `levels` (percent, within the bounds), model (the method with
    the largest weight), ordered by unique_id and ds. Raises ValueError for missing columns, a horizon below 1, levels
    outside 0 to 100, and, naming the series, for a row without a time.
    """
    return _table(list(_outlooks(history, horizon, levels, _Known((), {}, None))), levels)


def forecast_fleet(
    history: pd.DataFrame,
    horizon: int,
    headline: Collection[str] = (),
    special_days: Mapping[np.datetime64, str] | None = None,
    properties: pd.DataFrame | None = None,
) -> Forecasts:
    """What `forecast` gives, and how each series' methods did; challengers are tried for the ids in `headline`.

    `special_days`: kinds of days (UTC) on which something else is known to go on, past and to come, such as holidays
    and releases; of the challengers Prophet and gradient boosting use them. `properties`: by unique_id, texts that
    series have in common, such as metric and test; gradient boosting uses them.
    """
    known = _Known(headline, special_days or {}, properties)
    outlooks = list(_outlooks(history, horizon, (80, 95), known))
    rows = [row for outlook in outlooks for row in outlook.scores()]
    measured = history[np.isfinite(history["y"].to_numpy(dtype=np.float64))].groupby("unique_id").size()
    for unique_id in sorted(set(history["unique_id"]) - {row["unique_id"] for row in rows}, key=str):
        count = int(measured.get(unique_id, 0))
        note = f"{count} values are too few or too far apart: at least {FEWEST_POINTS} places with one are needed"
        rows.append({"unique_id": unique_id, "model": "none", "origins": 0, "chosen": False, "note": note})
    scores = pd.DataFrame(rows, columns=list(SCORE_COLUMNS)).sort_values(["unique_id", "model"], ignore_index=True)
    return Forecasts(_table(outlooks, (80, 95)), scores)


@dataclass(frozen=True)
class _Known:
    """Ids for which challengers are tried, and what these know besides the values; as in `forecast_fleet`."""

    headline: Collection[str]
    special_days: Mapping[np.datetime64, str]
    properties: pd.DataFrame | None


def _table(outlooks: Sequence[_Outlook], levels: Sequence[int]) -> pd.DataFrame:
    names = ["unique_id", "ds", "mean", *(f"{end}-{level}" for level in levels for end in ("lo", "hi")), "model"]
    if not outlooks:
        return pd.DataFrame(columns=names)
    table = pd.concat([outlook.table(levels) for outlook in outlooks], ignore_index=True)
    return table.sort_values(["unique_id", "ds"], ignore_index=True)[names]


def _outlooks(
    history: pd.DataFrame,
    horizon: int,
    levels: Sequence[int],
    known: _Known,
) -> Iterator[_Outlook]:
    if not isinstance(horizon, int | np.integer) or horizon < 1:
        raise ValueError(f"horizon must be a whole number of steps, at least 1, not {horizon}")
    if not levels or any(not 0 < level < 100 for level in levels):
        raise ValueError(f"levels must lie between 0 and 100 percent, not {list(levels)}")
    bounds = borne_out_bounds(history)
    return (_outlook(panel, horizon, levels, bounds, known) for panel in panels(history))


def borne_out_bounds(history: pd.DataFrame) -> pd.DataFrame | None:
    """lowest and highest by unique_id, as far as the values bear them out."""
    given = [name for name in ("lowest", "highest") if name in history]
    if not given:
        return None
    own = history.groupby("unique_id").agg(
        smallest=("y", "min"), largest=("y", "max"), **{name: (name, "first") for name in given}
    )
    own = own.reindex(columns=["smallest", "largest", "lowest", "highest"]).astype(np.float64)
    return pd.DataFrame(
        {
            "lowest": own["lowest"].where(own["smallest"] >= own["lowest"], -np.inf),
            "highest": own["highest"].where(own["largest"] <= own["highest"], np.inf),
        }
    )


@dataclass(frozen=True)
class _Combined:
    """Of s series: `mean`, shape (s, horizon); `errors` of like forecasts that did not know them, shape
    (origins, s, horizon), NaN where nothing was measured, and the same `on_scale` of the series; the method with the
    most weight and that weight, shape (s,).
    """

    mean: FloatArray
    errors: FloatArray
    on_scale: FloatArray
    model: npt.NDArray[np.object_]
    weight: FloatArray


@dataclass(frozen=True)
class _Tried:
    """A challenger: `row` of its series, errors as in `_Combined`, and whether it took the pool's place."""

    row: int
    name: str
    errors: FloatArray
    won: bool


@dataclass(frozen=True)
class _Outlook:
    """A panel and what comes of it: mean, shape (s, horizon); ends of the intervals, shape (2, levels, s, horizon);
    share of held-out values inside them, shape (levels, s). Of values divided by `size`, shape (s,): the pool's errors,
    that of the naive forecast within the history, shape (s,), and those of challengers.
    """

    panel: Panel
    mean: FloatArray
    ends: FloatArray
    inside: FloatArray
    pool: _Combined
    naive: FloatArray
    size: FloatArray
    tried: Sequence[_Tried]

    def table(self, levels: Sequence[int]) -> pd.DataFrame:
        horizon = self.mean.shape[1]
        columns = {
            "unique_id": np.repeat(self.panel.ids, horizon),
            "ds": self.panel.dates(horizon).ravel(),
            "mean": self.mean.ravel(),
            "model": np.repeat(self.models(), horizon),
        }
        for place, level in enumerate(levels):
            columns[f"lo-{level}"], columns[f"hi-{level}"] = self.ends[0, place].ravel(), self.ends[1, place].ravel()
        return pd.DataFrame(columns)

    def models(self) -> npt.NDArray[np.object_]:
        names = self.pool.model.copy()
        for each in self.tried:
            if each.won:
                names[each.row] = each.name
        return names

    def scores(self) -> list[dict[str, object]]:
        won = {each.row for each in self.tried if each.won}
        mae = _mean_of_measured(np.abs(self.pool.errors), axis=(0, 2))
        rows = [
            self._score(row, str(self.pool.model[row]), mae[row], row not in won)
            | {"note": f"has {self.pool.weight[row]:.0%} of the weight in the pool"}
            for row in range(len(self.panel.ids))
        ]
        return rows + [
            self._score(each.row, each.name, float(_mean_of_measured(np.abs(each.errors), axis=None)), each.won)
            | {"note": "a challenger of the pool"}
            for each in self.tried
        ]

    def _score(self, row: int, model: str, mae: float, chosen: bool) -> dict[str, object]:
        inside = dict(zip(("coverage_80", "coverage_95"), self.inside[:, row], strict=True)) if chosen else {}
        return {
            "unique_id": self.panel.ids[row], "model": model, "origins": len(self.pool.errors),
            "mae": mae * self.size[row],
            "mase": mae / self.naive[row] if self.naive[row] > 0 else np.nan, **inside, "chosen": chosen,
        }  # fmt: skip


def _mean_of_measured(values: FloatArray, axis: tuple[int, ...] | None) -> FloatArray:
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _outlook(
    panel: Panel,
    horizon: int,
    levels: Sequence[int],
    bounds: pd.DataFrame | None,
    beside: _Known,
) -> _Outlook:
    count = len(panel.ids)
    own = None if bounds is None else bounds.loc[panel.ids]
    lowest = np.full(count, -np.inf) if own is None else own["lowest"].fillna(-np.inf).to_numpy()
    highest = np.full(count, np.inf) if own is None else own["highest"].fillna(np.inf).to_numpy()
    # Values of the size of 1, by a power of two: squares of others would be too large or small for a number.
    size = np.exp2(np.frexp(np.nanmax(np.abs(panel.values), axis=1))[1].astype(np.float64))
    panel = replace(panel, values=panel.values / size[:, None])
    lowest, highest = lowest / size, highest / size
    cycle, *longer = panel.seasons
    filled = without_gaps(panel.values, cycle)
    scales = Scales.joined([Scales.of(filled[rows], lowest[rows], highest[rows]) for rows in _blocks(count)])
    filled, doubt = on_one_level(filled, panel.level_from, cycle)
    known = np.isfinite(panel.values)
    truth = filled if known.all() else np.where(known, filled, np.nan)
    task = _task(filled, horizon, cycle, longer)
    sample = np.sort(np.random.default_rng(_SEED).permutation(count)[:_SAMPLE]).astype(np.intp)
    learned = task.part(sample)
    maps = WindowMaps.learned(learned)
    if count <= _BLOCK:
        every = _try(task, maps)
        pool = _combined(every, task, truth, scales, _fleet(every, task))
    else:
        fleet = _fleet(_try(learned, maps), task)
        parts = ((task.part(rows), truth[rows], scales.part(rows)) for rows in _blocks(count))
        pool = _joined([_combined(_try(own, maps), own, known, on, fleet) for own, known, on in parts])
    named = {beside.headline} if isinstance(beside.headline, str) else {str(one) for one in beside.headline}
    rows = np.flatnonzero([str(one) in named for one in panel.ids]) if named else np.empty(0, dtype=np.intp)
    mean, on_scale, tried = _challenged(panel, truth, task, scales, pool, sample, rows, beside)
    naive = np.concatenate([_naive(filled[rows], cycle) for rows in _blocks(count)])
    then = [task.origins[place] for place in _scored(task)] + [filled.shape[1]]
    unit = np.concatenate(
        [_naive_then(scales.part(rows).on(filled[rows]), cycle, then) for rows in _blocks(count)], axis=1
    )
    widths = widths_of(on_scale, unit, [level / 100.0 for level in levels], _ROUNDING)
    half = np.hypot(widths.half, widths.half[..., :1] * doubt[None, :, None])
    centre = scales.on(mean)
    ends = np.stack([np.stack([scales.back(centre + side * width) for width in half]) for side in (-1.0, 1.0)])
    mean = scales.within(mean)
    ends[0], ends[1] = np.minimum(ends[0], mean), np.maximum(ends[1], mean)
    return _Outlook(panel, mean * size[:, None], ends * size[:, None], widths.inside, pool, naive, size, tried)


def _naive(values: FloatArray, cycle: int) -> FloatArray:
    return np.asarray(_naive_then(values, cycle, [values.shape[1]])[0])


def _naive_then(values: FloatArray, cycle: int, sizes: Sequence[int]) -> FloatArray:
    """Mean error of the seasonal naive forecast within the first so many of `values`, shape (sizes, s)."""
    change = np.abs(values[:, cycle:] - values[:, :-cycle])
    return np.stack([change[:, : size - cycle].mean(axis=1) for size in sizes])


def _blocks(count: int) -> Iterator[slice]:
    return (slice(begin, min(begin + _BLOCK, count)) for begin in range(0, count, _BLOCK))


def _joined(parts: Sequence[_Combined]) -> _Combined:
    return _Combined(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.errors for part in parts], axis=1),
        np.concatenate([part.on_scale for part in parts], axis=1),
        np.concatenate([part.model for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def _challenged(
    panel: Panel,
    truth: FloatArray,
    task: Task,
    scales: Scales,
    pool: _Combined,
    sample: npt.NDArray[np.intp],
    rows: npt.NDArray[np.intp],
    known: _Known,
) -> tuple[FloatArray, FloatArray, list[_Tried]]:
    """Mean and errors on scale of the pool, and in place of those of `rows` of the challenger with the smallest error,
    if that is clearly smaller."""
    mean, on_scale, tried = pool.mean.copy(), pool.on_scale.copy(), []
    for row in rows.tolist():
        own = truth[[row]]
        among = np.concatenate(([row], sample))
        times = panel.times(task.horizon, among if known.special_days else among[:1])
        origins = [task.origins[place] for place in _scored(task)]
        own_task = replace(
            task.part(among),
            origins=(*origins, task.origins[-1]),
            special=_special(times, known.special_days),
            properties=_numbered(panel.ids[among], known.properties),
        )
        ahead = {name: then[:, None] for name, then in challengers(own_task, 0, times[0])}
        errors = {name: _errors(then, own, origins, _plain)[:, 0] for name, then in ahead.items()}
        sizes = {name: float(_mean_of_measured(np.abs(error), axis=None)) for name, error in errors.items()}
        best = min(sizes, key=sizes.__getitem__, default="")
        won = best and sizes[best] < WINNING * float(_mean_of_measured(np.abs(pool.errors[:, row]), axis=None))
        if won:
            mean[row] = ahead[best][-1, 0]
            on_scale[:, row] = _errors(ahead[best], own, origins, scales.part(slice(row, row + 1)).on)[:, 0]
        tried += [_Tried(row, name, errors[name], bool(won) and name == best) for name in ahead]
    return mean, on_scale, tried


def _special(times: TimeArray, days: Mapping[np.datetime64, str]) -> npt.NDArray[np.int8] | None:
    """Kinds of special days, numbered from 1, on which `times`, shape (s, t), lie; 0 for none."""
    if not days:
        return None
    numbers = {kind: number for number, kind in enumerate(sorted(set(days.values())), start=1)}
    known = np.array(sorted(days), dtype="datetime64[D]")
    kinds = np.array([numbers[days[day]] for day in sorted(days)], dtype=np.int8)
    day = times.astype("datetime64[D]")
    place = np.minimum(np.searchsorted(known, day), known.size - 1)
    return np.where(known[place] == day, kinds[place], 0).astype(np.int8)


def _numbered(ids: npt.NDArray[np.object_], properties: pd.DataFrame | None) -> FloatArray | None:
    """The values of each property as numbers, shape (s, properties), NaN where one is not known or is rare."""
    if properties is None or properties.empty:
        return None
    own = properties.reindex(ids)
    columns = []
    for name in own:
        # More categories than that no tree takes; the rarest are the same to it.
        kept = own[name].value_counts().index[:_MOST_CATEGORIES]
        codes = pd.Categorical(own[name], categories=sorted(kept)).codes.astype(np.float64)
        columns.append(np.where(codes >= 0, codes, np.nan))
    return np.stack(columns, axis=1)


def _task(values: FloatArray, horizon: int, cycle: int, longer: list[int]) -> Task:
    size = values.shape[1]
    stride = -(-max(1, min(horizon, size // 4)) // 2)
    if horizon > cycle:
        # Whole cycles are held out: on some days of the week all methods are better than on others.
        stride = -(-stride // cycle) * cycle
    first = max(size // 3, 2 * cycle, 4)
    origins = [size - stride * number for number in range(MOST_ORIGINS, 0, -1) if size - stride * number >= first]
    origins = origins or [size - stride]
    held = longer[0] if longer and origins[0] >= 2 * longer[0] else 0
    return Task(values, (*origins, size), stride, horizon, cycle, held)


def without_gaps(values: FloatArray, cycle: int) -> FloatArray:
    """`values`, shape (s, t), with NaN replaced by the value a cycle before, else a cycle later, else the nearest."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    filled = values.copy()
    columns = np.flatnonzero(gaps.any(axis=0))
    for shift, order in ((-cycle, columns), (cycle, columns[::-1])):
        for column in order:
            if 0 <= column + shift < values.shape[1]:
                rows = np.isnan(filled[:, column])
                filled[rows, column] = filled[rows, column + shift]
    if np.isnan(filled).any():
        filled = pd.DataFrame(filled.T).ffill().bfill().to_numpy(dtype=np.float64).T
    return filled


def on_one_level(values: FloatArray, level_from: npt.NDArray[np.int64], cycle: int) -> tuple[FloatArray, FloatArray]:
    """`values`, shape (s, t), with what lies before the present level moved onto it, and by how many half widths of an
    interval the new level itself is in doubt, shape (s,).
    """
    doubt = np.zeros(len(values))
    if not level_from.any():
        return values, doubt
    moved = values.copy()
    for row in np.flatnonzero(level_from):
        begin = int(level_from[row])
        after, before = values[row, begin:], values[row, max(begin - max(4 * cycle, 14), 0) : begin]
        # The same places of the cycle on both sides, where the new level does not hold whole ones.
        if after.size < cycle and before.size >= cycle:
            alike = (np.arange(-before.size, 0) % cycle)[:, None] == (np.arange(after.size) % cycle)[None, :]
            before = before[alike.any(axis=1)]
        new, old = float(np.median(after)), float(np.median(before))
        past = values[row, :begin]
        # What grows with its level is multiplied, what can be 0 or negative is shifted.
        if past.min() > 0 and new > 0 and old > 0:
            moved[row, :begin] = past * (new / old)
        else:
            moved[row, :begin] = past + (new - old)
        doubt[row] = 1.0 / np.sqrt(after.size)
    return moved, doubt


@dataclass(frozen=True)
class _Methods:
    """Names of the methods; what each says at each origin, shape (methods, origins, s, horizon); errors as `_sizes`
    gives them, shape (methods, origins - 1, s, strides)."""

    names: Sequence[str]
    ahead: FloatArray
    sizes: FloatArray


def _try(task: Task, maps: WindowMaps) -> _Methods:
    names, ahead = zip(*forecasts(task, maps), strict=True)
    return _Methods(names, np.stack(ahead), np.stack([_sizes(each, task) for each in ahead]))


def _fleet(methods: _Methods, task: Task) -> Fleet:
    return Fleet.of(_known(methods.sizes, len(task.origins) - 1))


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


def _combined(methods: _Methods, task: Task, truth: FloatArray, scales: Scales, fleet: Fleet) -> _Combined:
    """`truth`: the values of the task with NaN for gaps: only what was measured has an error."""
    ahead, sizes = methods.ahead, methods.sizes
    weight = weights(_known(sizes, len(task.origins) - 1), fleet)
    # Every second origin, each weighted by what was known at it.
    scored = _scored(task)
    then = np.empty((len(scored) + 1, *ahead.shape[2:]))
    then[-1] = np.einsum("ms,msh->sh", weight, ahead[:, -1])
    for number, place in enumerate(scored):
        own = weights(_known(sizes, place), fleet) if place else fleet.usual(len(weight[0]))
        then[number] = np.einsum("ms,msh->sh", own, ahead[:, place])
    origins = [task.origins[place] for place in scored]
    families = np.array([name.split()[0] for name in methods.names], dtype=object)
    shares = np.stack([weight[families == family].sum(axis=0) for family in dict.fromkeys(families)])
    main = shares.argmax(axis=0)
    return _Combined(
        then[-1],
        _errors(then, truth, origins, _plain),
        _errors(then, truth, origins, scales.on),
        np.array(list(dict.fromkeys(families)), dtype=object)[main],
        np.take_along_axis(shares, main[None], axis=0)[0],
    )


def _errors(
    then: FloatArray, truth: FloatArray, origins: Sequence[int], on: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Of forecasts, shape (at least origins, s, horizon), at the `origins`: shape (origins, s, horizon), NaN where
    `truth`, shape (s, t), is or has ended."""
    size, horizon = truth.shape[1], then.shape[2]
    errors = np.full((len(origins), *then.shape[1:]), np.nan)
    for place, origin in enumerate(origins):
        held = min(horizon, size - origin)
        errors[place, :, :held] = on(truth[:, origin : origin + held]) - on(then[place, :, :held])
    return errors


def _scored(task: Task) -> list[int]:
    """Numbers of the origins that intervals are taken from, ascending: every second one, the newest of which has a
    whole held-out part behind it."""
    return list(range(len(task.origins) - 3, -1, -2))[::-1] or [0]


def _plain(values: FloatArray) -> FloatArray:
    return values
