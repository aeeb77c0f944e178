"""The forecast of a history: what the pool or a challenger says of each series, with intervals, and how they did."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.forecasts.backtest import (
    ROUNDING,
    Combined,
    blocks,
    errors_of,
    plain,
    pooled,
    scored,
    task_of,
)
from perf_assets.analysis.forecasts.challengers import challengers
from perf_assets.analysis.forecasts.grids import FEWEST_POINTS, Panel, TimeArray, panels
from perf_assets.analysis.forecasts.intervals import Scales, widths_of
from perf_assets.analysis.forecasts.members import Task
from perf_assets.analysis.forecasts.preparation import borne_out_bounds, on_one_level, without_gaps
from perf_assets.analysis.statistics import FloatArray
from perf_assets.wording.quantities import ROUGH, share

WINNING = 0.95
"""Share of the pool's error below which a challenger takes its place."""
_MOST_CATEGORIES = 200
_ROUNDING_OF_SPREAD = 2e-6
"""Errors that are none, as a share of the mean distance of values from their median."""
_SAMPLE = 2_000
"""Series from which the fleet is learned."""
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
    if not outlooks:
        ends = [f"{end}-{level}" for level in levels for end in ("lo", "hi")]
        return pd.DataFrame(columns=["unique_id", "ds", "mean", *ends, "model"])
    tables = [outlook.table(levels) for outlook in outlooks]
    if len(tables) == 1:
        return tables[0]  # in order, like its panel
    return pd.concat(tables, ignore_index=True).sort_values(["unique_id", "ds"], ignore_index=True)


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
    for panel in panels(history):
        evidence = _Evidence.of(panel, horizon, bounds, known)
        del panel  # a rectangle of all values is the most memory that a forecast takes
        yield evidence.outlook(levels)


@dataclass(frozen=True)
class _Tried:
    """A challenger: `row` of its series, errors as in `Combined`, and whether it took the pool's place."""

    row: int
    name: str
    errors: FloatArray
    won: bool


@dataclass(frozen=True)
class _Outlook:
    """What comes of a panel: ids, shape (s,); times, mean, shape (s, horizon); ends of the intervals, shape
    (2, levels, s, horizon); share of held-out values inside them, shape (levels, s); and how the methods did.
    """

    ids: npt.NDArray[np.object_]
    dates: TimeArray
    mean: FloatArray
    ends: FloatArray
    inside: FloatArray
    evidence: _Evidence

    def table(self, levels: Sequence[int]) -> pd.DataFrame:
        horizon = self.mean.shape[1]
        columns = {
            "unique_id": np.repeat(self.ids, horizon),
            "ds": self.dates.ravel(),
            "mean": self.mean.ravel(),
        }
        for place, level in enumerate(levels):
            columns[f"lo-{level}"], columns[f"hi-{level}"] = self.ends[0, place].ravel(), self.ends[1, place].ravel()
        columns["model"] = np.repeat(self.models(), horizon)
        return pd.DataFrame(columns, copy=False)

    def models(self) -> npt.NDArray[np.object_]:
        names = self.evidence.pool.model.copy()
        for each in self.evidence.tried:
            if each.won:
                names[each.row] = each.name
        return names

    def scores(self) -> list[dict[str, object]]:
        pool, tried = self.evidence.pool, self.evidence.tried
        won = {each.row for each in tried if each.won}
        mae = _mean_of_measured(np.abs(pool.errors), axis=(0, 2))
        rows = [
            self._score(row, str(pool.model[row]), mae[row], row not in won)
            | {"note": f"has {share(pool.weight[row], ROUGH)} of the weight in the pool"}
            for row in range(len(self.ids))
        ]
        return rows + [
            self._score(each.row, each.name, float(_mean_of_measured(np.abs(each.errors), axis=None)), each.won)
            | {"note": "a challenger of the pool"}
            for each in tried
        ]

    def _score(self, row: int, model: str, mae: float, chosen: bool) -> dict[str, object]:
        inside = dict(zip(("coverage_80", "coverage_95"), self.inside[:, row], strict=True)) if chosen else {}
        naive = self.evidence.naive[row]
        return {
            "unique_id": self.ids[row], "model": model, "origins": len(self.evidence.pool.errors),
            "mae": mae * self.evidence.size[row],
            "mase": mae / naive if naive > 0 else np.nan, **inside, "chosen": chosen,
        }  # fmt: skip


def _mean_of_measured(values: FloatArray, axis: tuple[int, ...] | None) -> FloatArray:
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True)
class _Evidence:
    """What the methods say of a panel, of values divided by `size`, shape (s,): ids, shape (s,), and times ahead, shape
    (s, horizon); scales; mean, shape (s, horizon), and errors on scale like those of the pool, of the pool or of the
    challenger that won; the pool's own and those of challengers; errors of the naive forecast within the history, shape
    (s,), and on scale within what was known at each origin and within all, shape (origins + 1, s); errors on scale that
    are none, and by how many half widths the present level is in doubt, shape (s,).
    """

    ids: npt.NDArray[np.object_]
    dates: TimeArray
    size: FloatArray
    scales: Scales
    mean: FloatArray
    on_scale: FloatArray
    pool: Combined
    tried: Sequence[_Tried]
    naive: FloatArray
    units: FloatArray
    rounding: FloatArray
    doubt: FloatArray

    @classmethod
    def of(cls, panel: Panel, horizon: int, bounds: pd.DataFrame | None, known: _Known) -> _Evidence:
        """The values of `panel` are divided in place."""
        count = len(panel.ids)
        own = None if bounds is None else bounds.loc[panel.ids]
        lowest = np.full(count, -np.inf) if own is None else own["lowest"].fillna(-np.inf).to_numpy()
        highest = np.full(count, np.inf) if own is None else own["highest"].fillna(np.inf).to_numpy()
        # Values of the size of 1, by a power of two: squares of others would be too large or small for a number.
        largest = np.maximum(np.nanmax(panel.values, axis=1), -np.nanmin(panel.values, axis=1))
        size = np.exp2(np.frexp(largest)[1].astype(np.float64))
        panel.values[:] /= size[:, None]
        lowest, highest = lowest / size, highest / size
        cycle, *longer = panel.seasons
        filled = without_gaps(panel.values, cycle)
        scales = Scales.joined([Scales.of(filled[rows], lowest[rows], highest[rows]) for rows in blocks(count)])
        filled, doubt = on_one_level(filled, panel.level_from, cycle)
        truth = filled
        if filled is not panel.values:
            truth = np.where(np.isfinite(panel.values), filled, np.nan)
        task = task_of(filled, horizon, cycle, longer)
        sample = np.sort(np.random.default_rng(_SEED).permutation(count)[:_SAMPLE]).astype(np.intp)
        pool = pooled(task, truth, scales, sample)
        mean, on_scale, tried = _challenged(panel, truth, task, scales, pool, sample, known)
        then = [task.origins[place] for place in scored(task)] + [filled.shape[1]]
        on_their_scales = (scales.part(rows).on(filled[rows]) for rows in blocks(count))
        units, none = zip(*((_naive_then(each, cycle, then), _rounding(each)) for each in on_their_scales), strict=True)
        return cls(
            panel.ids, panel.dates(horizon), size, scales, mean, on_scale, pool, tried,
            np.concatenate([_naive(filled[rows], cycle) for rows in blocks(count)]),
            np.concatenate(units, axis=1), np.concatenate(none), doubt,
        )  # fmt: skip

    def outlook(self, levels: Sequence[int]) -> _Outlook:
        widths = widths_of(self.on_scale, self.units, [level / 100.0 for level in levels], self.rounding)
        size = self.size[:, None]
        ends = np.empty((2, *widths.half.shape))
        mean = self.scales.within(self.mean)
        # In parts, since each step makes a copy.
        for rows in blocks(len(self.ids)):
            scales, half = self.scales.part(rows), widths.half[:, rows]
            half = np.hypot(half, half[..., :1] * self.doubt[rows, None])
            centre = scales.on(self.mean[rows])
            for place, width in enumerate(half):
                ends[0, place, rows] = np.minimum(scales.back(centre - width), mean[rows]) * size[rows]
                ends[1, place, rows] = np.maximum(scales.back(centre + width), mean[rows]) * size[rows]
        mean *= size
        return _Outlook(self.ids, self.dates, mean, ends, widths.inside, self)


def _naive(values: FloatArray, cycle: int) -> FloatArray:
    return np.asarray(_naive_then(values, cycle, [values.shape[1]])[0])


def _naive_then(values: FloatArray, cycle: int, sizes: Sequence[int]) -> FloatArray:
    """Mean error of the seasonal naive forecast within the first so many of `values`, shape (sizes, s)."""
    change = np.abs(values[:, cycle:] - values[:, :-cycle])
    return np.stack([change[:, : size - cycle].mean(axis=1) for size in sizes])


def _rounding(values: FloatArray) -> FloatArray:
    """Errors of forecasts of `values`, shape (s, t), that are none, shape (s,)."""
    spread = np.abs(values - values.mean(axis=1, keepdims=True)).mean(axis=1)
    return np.asarray(np.maximum(ROUNDING, _ROUNDING_OF_SPREAD * spread))


def _challenged(
    panel: Panel,
    truth: FloatArray,
    task: Task,
    scales: Scales,
    pool: Combined,
    sample: npt.NDArray[np.intp],
    known: _Known,
) -> tuple[FloatArray, FloatArray, list[_Tried]]:
    """Mean and errors on scale of the pool, and in place of those of headline series of the challenger with the
    smallest error, if that is clearly smaller."""
    named = {known.headline} if isinstance(known.headline, str) else {str(one) for one in known.headline}
    rows = [row for row, one in enumerate(panel.ids) if str(one) in named] if named else []
    if not rows:
        return pool.mean, pool.on_scale, []
    mean, on_scale, tried = pool.mean.copy(), pool.on_scale.copy(), []
    for row in rows:
        own = truth[[row]]
        among = np.concatenate(([row], sample))
        times = panel.times(task.horizon, among if known.special_days else among[:1])
        origins = [task.origins[place] for place in scored(task)]
        own_task = replace(
            task.part(among),
            origins=(*origins, task.origins[-1]),
            special=_special(times, known.special_days),
            properties=_numbered(panel.ids[among], known.properties),
        )
        ahead = {name: then[:, None] for name, then in challengers(own_task, 0, times[0])}
        errors = {name: errors_of(then, own, origins, plain)[:, 0] for name, then in ahead.items()}
        sizes = {name: float(_mean_of_measured(np.abs(error), axis=None)) for name, error in errors.items()}
        best = min(sizes, key=sizes.__getitem__, default="")
        won = best and sizes[best] < WINNING * float(_mean_of_measured(np.abs(pool.errors[:, row]), axis=None))
        if won:
            mean[row] = ahead[best][-1, 0]
            on_scale[:, row] = errors_of(ahead[best], own, origins, scales.part(slice(row, row + 1)).on)[:, 0]
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
        codes = pd.Categorical(own[name].where(own[name].isin(kept)), categories=sorted(kept)).codes.astype(np.float64)
        columns.append(np.where(codes >= 0, codes, np.nan))
    return np.stack(columns, axis=1)
