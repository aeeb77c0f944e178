"""How small a regression each series can show, given its noise: what to expect of a benchmark before it regresses."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from perf_assets.analysis.descriptions import bar_of_all_looks
from perf_assets.analysis.ragged import offsets_of, quantiles
from perf_assets.analysis.segmentation import LINE, STEP
from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import IndexArray
from perf_assets.tables import DETECTION_LIMITS

LIMIT_COLUMNS = DETECTION_LIMITS.names
_POWER = 0.8
_MOST_RUNS = 50
_FEWEST = 8
_CREEPS = 0.5
"""Share of the variance that a line explains where values creep."""
_OUTLYING = 3.5
"""Standard deviations from the level up to which a value counts as it is."""


def find_detection_limits(measurements: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """One row a series with the columns LIMIT_COLUMNS; series with fewer than 8 values at their level have NaN limits.

    `measurements`: series_id, value; sorted by series and time; `changes`: series_id and position of change points.
    From the present level, i.e. after the last change point: its median, its noise beside a line in the unit of the
    values, the lag-1 autocorrelation, and the relative change that `runs_needed` more runs confirm in four of five
    cases. A step of size d between n and m values brings a likelihood ratio of (d / noise)^2 nm / (n + m)
    (1 - r) / (1 + r), which has to reach the bar of repeated looks and to tell the step from a line.
    """
    ids = measurements["series_id"].to_numpy()
    values = measurements["value"].to_numpy(dtype=np.float64)
    if not ids.size:
        return pd.DataFrame(columns=list(LIMIT_COLUMNS))
    first = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1)).astype(np.intp)
    last = changes.groupby("series_id")["position"].max().reindex(ids[first]).fillna(0).to_numpy(dtype=np.intp)
    owner = np.repeat(np.arange(first.size), np.diff(np.append(first, ids.size)))
    used = (np.arange(ids.size) >= (first + last)[owner]) & np.isfinite(values)
    level, noise, r, points = _noise_of(values[used], owner[used], first.size)
    runs = np.minimum(points, _MOST_RUNS).astype(np.float64)
    usable = points >= _FEWEST
    effect = _effect(points, runs)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = noise * effect * np.sqrt((1.0 + r) / (1.0 - r) * (1.0 / points + 1.0 / runs)) / np.abs(level)
    known = usable & np.isfinite(share)
    return pd.DataFrame(
        {
            "series_id": ids[first],
            "level": level,
            "noise": noise,
            "autocorrelation": r,
            "points": points,
            "smallest_detectable": np.where(known, share, np.nan),
            "runs_needed": np.where(known, runs, np.nan),
        }
    )[list(LIMIT_COLUMNS)]


def _effect(points: IndexArray, runs: FloatArray) -> FloatArray:
    """Root of the likelihood ratio that a step must bring on average, to pass the bar in four of five cases.

    It must pass for no line either, and a line explains the share 3 t (1 - t) of a step at the share t of the values.
    """
    margin = float(special.ndtri(_POWER))
    beyond_doubt = np.sqrt(bar_of_all_looks(np.maximum(points + runs, 1.0))) + margin
    place = runs / np.maximum(points + runs, 1.0)
    no_line = margin + np.sqrt(margin**2 + STEP - LINE)
    return np.asarray(np.maximum(beyond_doubt, no_line / np.sqrt(1.0 - 3.0 * place * (1.0 - place))))


def _noise_of(
    values: FloatArray, owner: IndexArray, count: int
) -> tuple[FloatArray, FloatArray, FloatArray, IndexArray]:
    """(median, standard deviation of the bulk, autocorrelation, number) of each owner's values."""
    points = np.bincount(owner, minlength=count)
    lower, level, upper = quantiles(values, offsets_of(points), (0.25, 0.5, 0.75))
    # What creeps is no noise: a step must stand out from the line that the values follow.
    reach = np.where(upper > lower, _OUTLYING * (upper - lower) / 1.349, np.inf)
    line = _line_of(np.clip(values, (level - reach)[owner], (level + reach)[owner]), owner, points)
    lower, middle, upper = quantiles(values - line, offsets_of(points), (0.25, 0.5, 0.75))
    off = values - line - middle[owner]
    bulk = (upper - lower) / 1.349
    number = np.where(points > 0, points, np.nan)
    squares = np.bincount(owner, weights=off**2, minlength=count) / number
    # Half of the values equal leaves no distance between the quartiles; then the plain deviation has to do.
    noise = np.where(bulk > 0, np.minimum(bulk, np.sqrt(squares)), np.sqrt(squares))
    bounded = np.clip(off, -_OUTLYING * noise[owner], _OUTLYING * noise[owner])
    beside = owner[1:] == owner[:-1]
    products = np.bincount(owner[1:][beside], weights=(bounded[1:] * bounded[:-1])[beside], minlength=count)
    variance = np.bincount(owner, weights=bounded**2, minlength=count)
    r = np.where(points > 0, np.clip(products / np.where(variance > 0, variance, 1.0), 0.0, 0.95), np.nan)
    return level, noise, r, points


def _line_of(values: FloatArray, owner: IndexArray, points: IndexArray) -> FloatArray:
    """What a straight line through each owner's values rises from their middle, shape of the values; 0 where it leaves
    more than half of their variance, as noise that wanders has a slope, too.
    """

    def total(each: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(owner, weights=each, minlength=points.size), dtype=np.float64)

    number = np.maximum(points, 1)
    place = np.arange(values.size) - (offsets_of(points)[:-1] + (points - 1) / 2.0)[owner]
    off = values - (total(values) / number)[owner]
    spread = np.maximum(total(place**2), 1.0)
    slope = total(place * off) / spread
    explained = slope**2 * spread >= _CREEPS * total(off**2)
    return np.asarray(np.where(explained, slope, 0.0)[owner] * place)
