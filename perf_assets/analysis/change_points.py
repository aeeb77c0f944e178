"""Change points: where a series takes a new level, found in hindsight (`detect`), and described (`describe`).

A step must be clear against noise with autocorrelation, outliers, skewness, two modes or a cycle, and be told from a
drift: see `segmentation` for how. For values that come one at a time, with false alarms bounded over all looks, there
is `monitoring`.

Sources: Vostrikova (1981) for binary segmentation; Fearnhead & Rigaill (2019) for keeping outliers from being levels;
Chakar et al. (2017) and Romano et al. (2021) for autocorrelated noise; Baranowski, Chen & Fryzlewicz (2019) for
looking at windows as well, so that a drift or another step far away matters less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.cycles import without_cycles
from perf_assets.analysis.descriptions import COLUMNS, describe_levels
from perf_assets.analysis.local_steps import BESIDE
from perf_assets.analysis.segmentation import LEVEL_OR_DRIFT, Rival, segment
from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.steps import SHORTEST
from perf_assets.analysis.stretches import IndexArray, in_blocks, normalised, pack, ranges

_ROUNDING = 1e-12
"""Share of a series' range that rounding may leave of an exact cycle."""
_STILL_DIFFERS = 0.05
"""Largest p-value with which a change point that was confirmed before stays one in any case."""
_CELLS, _SPREAD = 1 << 20, 4.0
"""Values of a batch: 8 MB an array, so that memory does not grow with the fleet; longest to shortest series in it."""


def detect(values: npt.ArrayLike) -> IndexArray:
    """0-based indices of the first value of each new level, ascending.

    `values`: shape (n,), in time order; NaN and infinities are gaps and never an index. Never raises for numbers of any
    length; short, constant and all-missing series have no change point.
    """
    series = np.asarray(values, dtype=np.float64)
    return detect_many(series, np.array([0, series.size]))[0]


def detect_many(
    values: npt.ArrayLike, offsets: npt.ArrayLike, rivals: Sequence[Rival] = LEVEL_OR_DRIFT
) -> list[IndexArray]:
    """Change points of many series, each as `detect` gives them, in one pass.

    `values`: all series one after the other, shape (n,); `offsets`: shape (s + 1,), series i is
    values[offsets[i] : offsets[i + 1]]; `rivals`: fits that a step must beat, ONE_LEVEL where no drift is possible.
    Returns s arrays of indices that count from the beginning of their series.
    Raises ValueError where the offsets do not ascend from 0 to n.
    """
    found = [np.empty(0, dtype=np.intp) for _ in _checked(values, offsets)]
    for batch in _prepared(values, offsets, 2 * SHORTEST):
        for i, place, cuts in zip(batch.series, batch.places, segment(batch.values, rivals), strict=True):
            found[i] = place[cuts]
    return found


def describe(values: npt.ArrayLike, change_points: npt.ArrayLike) -> pd.DataFrame:
    """One row a change point of `values`, shape (n,), by index.

    index, low, high (95 % interval of the index), before, after, size, size_low, size_high (unit of the values, 95 %
    interval), noise (standard deviation of one value of the level before), p_value (of no change, for the best of all
    places), confirmed (beyond what repeated looks bring up by chance), sharp (no drift would look like this),
    points_after (observed values at the new level), settles_after (such values after which the level is known to last)
    and kind: `step`; or, for points that `detect` would not give, `drift` (a line explains the values better), `spread`
    (only the scatter changed) or `outlier_burst` (only outliers came or went).

    Raises ValueError for a change point that is no observed value after the first.
    """
    series = np.asarray(values, dtype=np.float64)
    return describe_many(series, np.array([0, series.size]), [np.asarray(change_points, dtype=np.intp)]).drop(
        columns="series"
    )


def describe_many(
    values: npt.ArrayLike, offsets: npt.ArrayLike, change_points: Sequence[npt.ArrayLike]
) -> pd.DataFrame:
    """As `describe`, for the change points of many series as `detect_many` takes and gives them.

    A column `series` comes first: position of the series among the offsets.
    """
    asked = [np.asarray(cuts, dtype=np.intp) for cuts in change_points]
    tables = []
    for batch in _prepared(values, offsets, 2, [i for i, cuts in enumerate(asked) if cuts.size]):
        cuts = [np.searchsorted(place, asked[i]) for i, place in zip(batch.series, batch.places, strict=True)]
        for i, place, inner in zip(batch.series, batch.places, cuts, strict=True):
            if (inner < 1).any() or (inner >= place.size).any() or (place[inner] != asked[i]).any():
                raise ValueError(f"change points {asked[i].tolist()} are not all observed values after the first")
        tables.append(_in_units(describe_levels(batch.values, cuts), batch))
    if any(cuts.size for cuts in asked) and sum(map(len, tables)) != sum(cuts.size for cuts in asked):
        raise ValueError("change points were given for a series without two observed values")
    return _together(tables)


def find_many(
    values: npt.ArrayLike,
    offsets: npt.ArrayLike,
    rivals: Sequence[Rival] = LEVEL_OR_DRIFT,
    known: Mapping[int, npt.ArrayLike] | None = None,
) -> pd.DataFrame:
    """What `describe_many` says of what `detect_many` finds, the series prepared once for both.

    `known`: by position of the series, indices of change points that were confirmed before. They stay where they are
    while the levels beside them differ (p at most .05, or a 95 % interval of the size that leaves out 0), whether they
    are found again or not, and count in place of what is found up to three values beside them.
    """
    tables = []
    confirmed = {series: np.asarray(indices, dtype=np.intp) for series, indices in (known or {}).items()}
    for batch in _prepared(values, offsets, 2 * SHORTEST):
        cuts = segment(batch.values, rivals)
        for k, series in enumerate(batch.series):
            if int(series) in confirmed:
                cuts[k] = _with_known(batch.values[k], cuts[k], batch.places[k], confirmed[int(series)])
        changed = [k for k, found in enumerate(cuts) if found.size]
        if changed:
            part = batch.of(changed)
            tables.append(_in_units(describe_levels(part.values, [cuts[k] for k in changed]), part))
    return _together(tables)


def _with_known(values: FloatArray, found: IndexArray, places: IndexArray, known: IndexArray) -> IndexArray:
    """Cuts among the observed values, whose indices are `places`, with those that were known before and still stand."""
    before = np.intersect1d(np.searchsorted(places, known), np.arange(1, places.size))
    before = before[np.diff(before, prepend=-places.size) > BESIDE]
    if not before.size:
        return found
    every = np.union1d(found[np.abs(found[:, None] - before).min(axis=1) > BESIDE], before)
    described = describe_levels([values], [every])
    # Their place is known: the p-value alone, which is for the best of all places, would ask too much of them.
    apart = described["size_low"] * described["size_high"] > 0
    differs = (apart | (described["p_value"] <= _STILL_DIFFERS)).to_numpy()
    gone = np.setdiff1d(before, every[differs])
    beside = found[np.abs(found[:, None] - gone).min(axis=1, initial=places.size) <= BESIDE]
    return np.union1d(np.setdiff1d(every, gone), beside)


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(tables, ignore_index=True).sort_values(["series", "index"], ignore_index=True)


def _in_units(table: pd.DataFrame, batch: _Batch) -> pd.DataFrame:
    """The table of a batch with indices, levels and sizes as the caller knows them."""
    position = table["series"].to_numpy(dtype=np.intp)
    for name in ("index", "low", "high"):
        table[name] = [batch.places[k][i] for k, i in zip(position, table[name], strict=True)]
    scale, centre = batch.scale[position], batch.centre[position]
    for name in ("before", "after"):
        level = (table[name] + centre) * scale
        # Adding and taking away the centre leaves rounding where the level is 0.
        table[name] = level.where(level.abs() > _ROUNDING * scale, 0.0)
    for name in ("size", "size_low", "size_high", "noise"):
        table[name] *= scale
    return table.assign(series=batch.series[position])


@dataclass(frozen=True)
class _Batch:
    """Series ready for analysis: positions among all, finite values without cycles as shares of `scale` around
    `centre`, and where in their series those values stand.
    """

    series: IndexArray
    values: list[FloatArray]
    places: list[IndexArray]
    scale: FloatArray
    centre: FloatArray

    def of(self, chosen: list[int]) -> _Batch:
        """Some of the series."""
        values, places = [self.values[k] for k in chosen], [self.places[k] for k in chosen]
        return _Batch(self.series[chosen], values, places, self.scale[chosen], self.centre[chosen])


def _prepared(
    values: npt.ArrayLike, offsets: npt.ArrayLike, fewest: int, chosen: Sequence[int] | None = None
) -> Iterator[_Batch]:
    """The series (or the chosen ones) that have at least `fewest` values, not all equal."""
    series = _checked(values, offsets)
    candidates = np.arange(len(series)) if chosen is None else np.asarray(chosen, dtype=np.intp)
    sizes = np.array([series[i].size for i in candidates], dtype=np.intp)
    candidates, sizes = candidates[sizes > 0], sizes[sizes > 0]
    for together in in_blocks(sizes, _CELLS, _SPREAD):
        batch = candidates[together]
        shares, scale, centre = normalised([series[i] for i in batch])
        level = pack(without_cycles(shares), np.nan).values
        finite, before = np.isfinite(level), pack(shares, np.nan).values
        counts = np.count_nonzero(finite, axis=0)
        # What exact repetition leaves when it is taken out is rounding, and no values to look for a level in.
        varied = ranges(level, finite) > _ROUNDING * ranges(before, finite)
        kept = np.flatnonzero((counts >= fewest) & varied)
        if kept.size:
            series_of, places = np.nonzero(finite.T[kept])
            edges = np.cumsum(counts[kept])[:-1]
            values_of = np.split(level.T[kept][series_of, places], edges)
            yield _Batch(batch[kept], values_of, np.split(places, edges), scale[kept], centre[kept])


def _checked(values: npt.ArrayLike, offsets: npt.ArrayLike) -> list[FloatArray]:
    flat = np.asarray(values, dtype=np.float64)
    edges = np.asarray(offsets, dtype=np.intp)
    if edges.size == 0 or edges[0] != 0 or edges[-1] != flat.size or (np.diff(edges) < 0).any():
        raise ValueError(f"offsets must ascend from 0 to {flat.size}, the number of values")
    return [flat[start:end] for start, end in pairwise(edges)]
