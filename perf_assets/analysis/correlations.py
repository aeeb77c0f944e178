"""Correlations: which metrics rise and fall together once seasons, trends, levels and their own persistence are out.

Two series that wander go along with each other by chance for long. So each is made unpredictable from its own past
first (prewhitening; Box & Jenkins 1970), and what is left is compared at every lag of a window. As that hides slow
parts that two series share, it is done a second time with means of six values.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.change_points import detect_many
from perf_assets.analysis.cycles import without_cycles
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg
from perf_assets.tables import METRIC_CORRELATIONS

BoolArray = npt.NDArray[np.bool_]

WHOLE_PROJECT = "whole project"
PAIR_COLUMNS = METRIC_CORRELATIONS.names_without("project", "node_id")
CORRELATION_COLUMNS = METRIC_CORRELATIONS.names
LAGS = 6
"""Steps by which one series may follow the other."""
WIDE = 6
"""Values that the second look takes the mean of. Means are compared at the same time alone: a slow part that comes a
few values later is in the same means for the most part, and each lag costs evidence."""
_FEWEST, _MOST_ALIKE = 20, 0.75
"""Values that a column needs, and the share of one value from which it has no correlation."""
_CLEAR_LINE = 2.5
"""Standard deviations of a rank correlation with time from which a column has a line."""
_LONGEST_ORDER, _LONGEST_WIDE_ORDER = 12, 4
"""Values of its own past that a series is predicted from."""
_ROOT = 10.0
"""A series of n values is differenced if its autocorrelation at lag 1 is within this, divided by n, of 1; that of a
random walk is so on average by half of it (Dickey & Fuller 1979)."""


def strength_of(correlation: float) -> str:
    """strong above 0.7, moderate above 0.4, else weak, by absolute value."""
    return str(_strengths(np.array([correlation]))[0])


def _strengths(rho: FloatArray) -> npt.NDArray[np.object_]:
    return np.array(["weak", "moderate", "strong"], dtype=object)[np.searchsorted([0.4, 0.7], np.abs(rho))]


def correlate(panel: pd.DataFrame, lags: int = LAGS, given: str | None = None) -> pd.DataFrame:
    """Correlations of all pairs of columns of `panel`, with the columns PAIR_COLUMNS.

    `panel`: one column a metric, one row for each of equally distant times, NaN for gaps; a column needs 20 values.
    A column of which three quarters are one value has no correlation. Cycles, steps and, where there is one, a line are
    taken out of each, it is differenced where a unit root is likely, predicted from its own past (autoregression; the
    order by BIC), and what is left becomes normal scores, so that no single value decides.
    `rho` is the correlation at the lag with the most evidence, `lag` in steps (positive: metric_b follows metric_a),
    `width` 1, or WIDE where means of so many values show more, `effective_n` the pairs of unpredictable values; the
    interval is Fisher's. `p_value` is of no correlation at any lag or width (Sidak 1967), `q_value` the false-discovery
    rate over all pairs. With `given`, what this column explains at any of the lags is taken out of the others first.

    Raises ValueError for a negative number of lags and for a `given` that is no column.
    """
    if lags < 0:
        raise ValueError(f"lags must be at least 0, not {lags}")
    if given is not None and given not in panel:
        raise ValueError(f"{given!r} is no column of the panel, which has {sorted(map(str, panel.columns))}")
    return _with_q_values(_pairs(panel, lags, given))


def correlate_places(values: pd.DataFrame) -> pd.DataFrame:
    """Correlations of the metrics of each place, the false-discovery rate over all places; CORRELATION_COLUMNS.

    `values`: project, node_id, metric, day (datetime64), value: one value a day, place and metric.
    """
    found = []
    for (project, node_id), place in values.groupby(["project", "node_id"], sort=True):
        panel = place.pivot_table(index="day", columns="metric", values="value").asfreq("D")
        found.append(_pairs(panel, LAGS, None).assign(project=project, node_id=node_id))
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(CORRELATION_COLUMNS))
    return _with_q_values(table).reindex(columns=list(CORRELATION_COLUMNS))


def _with_q_values(table: pd.DataFrame) -> pd.DataFrame:
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64))
    return table


def _pairs(panel: pd.DataFrame, lags: int, given: str | None) -> pd.DataFrame:
    finite = panel.replace([np.inf, -np.inf], np.nan)
    usable = finite.loc[:, (finite.notna().sum() >= _FEWEST) & (_most_alike(finite) < _MOST_ALIKE)]
    names = [str(name) for name in usable.columns]
    if len(names) < 2:
        return pd.DataFrame(columns=list(PAIR_COLUMNS))
    plain = _without_levels(usable.to_numpy(dtype=np.float64).T)
    place = names.index(str(given)) if str(given) in names else None
    lags = min(lags, panel.shape[0] - 2)
    looks = [_look(plain, 1, _LONGEST_ORDER, lags, place)]
    if plain.shape[1] >= WIDE * _FEWEST:
        looks.append(_look(_means(plain), WIDE, _LONGEST_WIDE_ORDER, 0, place))
    first, second = np.triu_indices(len(names), 1)
    p_values = np.stack([look.p_value[first, second] for look in looks])
    best = p_values.argmin(axis=0)
    rho, lag, count, width = (
        np.stack([np.broadcast_to(getattr(look, name), look.rho.shape)[first, second] for look in looks])[
            best, np.arange(first.size)
        ]
        for name in ("rho", "lag", "count", "width")
    )
    margin = 1.96 / np.sqrt(np.maximum(count - 3.0, 1.0))
    score = np.arctanh(np.clip(rho, -0.999999, 0.999999))
    ends = np.tanh(score - margin), np.tanh(score + margin)
    table = pd.DataFrame(
        {
            "metric_a": np.array(names, dtype=object)[first],
            "metric_b": np.array(names, dtype=object)[second],
            "rho": rho,
            "rho_low": np.minimum(ends[0], rho),
            "rho_high": np.maximum(ends[1], rho),
            "lag": lag.astype(np.int64),
            "width": width.astype(np.int64),
            "effective_n": count,
            "p_value": -np.expm1(len(looks) * np.log1p(-np.minimum(p_values.min(axis=0), 1.0 - 1e-16))),
            "q_value": np.nan,
            "strength": _strengths(rho),
        }
    )
    kept = (table["effective_n"] >= _FEWEST / 2) & ~table[["metric_a", "metric_b"]].eq(str(given)).any(axis=1)
    return table[kept].reset_index(drop=True)


def _most_alike(panel: pd.DataFrame) -> FloatArray:
    """Share of the known values of each column that its most frequent one makes up; 0 where none is known."""
    values = np.sort(panel.to_numpy(dtype=np.float64), axis=0)
    known = np.isfinite(values).sum(axis=0)
    most, run = np.minimum(known, 1), np.ones(values.shape[1], dtype=np.intp)
    for place in range(1, len(values)):
        run = np.where(values[place] == values[place - 1], run + 1, 1)
        most = np.maximum(most, np.where(place < known, run, 0))
    return np.asarray(most / np.maximum(known, 1))


def _without_levels(values: FloatArray) -> FloatArray:
    """`values`, shape (s, t), without cycles, and with the median of each level taken out."""
    plain = np.array(without_cycles(list(values)))
    offsets = np.arange(len(plain) + 1) * plain.shape[1]
    for row, places in zip(plain, detect_many(plain.ravel(), offsets), strict=True):
        for begin, end in pairwise([0, *(int(place) for place in places), row.size]):
            part = row[begin:end]
            if np.isfinite(part).any():
                part -= np.nanmedian(part)
    return plain


def _means(values: FloatArray) -> FloatArray:
    """Means of WIDE values, counted from the end, of which half must be known; shape (s, t / WIDE)."""
    size = values.shape[1] // WIDE * WIDE
    parts = values[:, values.shape[1] - size :].reshape(len(values), -1, WIDE)
    known = np.isfinite(parts)
    count = known.sum(axis=2)
    return np.where(count >= WIDE / 2, np.where(known, parts, 0.0).sum(axis=2) / np.maximum(count, 1), np.nan)


@dataclass(frozen=True)
class _Look:
    """Of all pairs, shape (s, s): correlation at the lag with the most evidence, that lag, pairs of values, and
    p-value; `width`: values that means were taken of."""

    rho: FloatArray
    lag: FloatArray
    count: FloatArray
    p_value: FloatArray
    width: int


def _look(values: FloatArray, width: int, order: int, lags: int, given: int | None) -> _Look:
    scores, known = _scores(*_unpredictable(*_centred(values), order))
    if given is not None:
        scores, known = _scores(_given(scores, known, given, lags), known)
    evidence = np.full((len(values), len(values)), -1.0)
    rho, best, count = np.zeros_like(evidence), np.zeros_like(evidence), np.zeros_like(evidence)
    numbers, squares = known.astype(np.float64), scores**2
    for lag in range(lags + 1):
        (early, late), (early_known, late_known) = _shifted(scores, lag), _shifted(numbers, lag)
        early_power, late_power = _shifted(squares, lag)
        pairs = early_known @ late_known.T
        # Of the values that make up the pairs of this lag alone; where all are known, the sums are those of the rows.
        if known.all():
            power = early_power.sum(axis=1)[:, None] * late_power.sum(axis=1)
        else:
            power = (early_power @ late_known.T) * (early_known @ late_power.T)
        at_lag = np.divide(early @ late.T, np.sqrt(power), out=np.zeros_like(power), where=power > 0)
        # Of few means the coefficients of the autoregression take a part that counts.
        freedom = np.maximum(pairs - 3.0 - (order if width > 1 else 0), 0.0)
        score = np.abs(np.arctanh(np.clip(at_lag, -0.9999, 0.9999))) * np.sqrt(freedom)
        better = score > evidence
        for target, source in ((evidence, score), (rho, at_lag), (count, pairs)):
            np.copyto(target, source, where=better)
        best[better] = lag
    # A lag below 0 is the same one above it of the pair the other way round.
    back = evidence < evidence.T
    rho, count, best = np.where(back, rho.T, rho), np.where(back, count.T, count), np.where(back, -best.T, best)
    evidence = np.maximum(evidence, evidence.T)
    p_value = _two_sided(evidence)
    return _Look(rho, best, count, -np.expm1((2 * lags + 1) * np.log1p(-np.minimum(p_value, 1.0 - 1e-16))), width)


def _two_sided(score: FloatArray) -> FloatArray:
    from scipy.special import erfc

    return np.asarray(erfc(score / np.sqrt(2.0)))


def _shifted(values: FloatArray, lag: int) -> tuple[FloatArray, FloatArray]:
    """What comes `lag` steps before the other: both of the same shape."""
    size = values.shape[1] - abs(lag)
    early, late = (values[:, :size], values[:, values.shape[1] - size :])
    return (early, late) if lag >= 0 else (late, early)


def _centred(values: FloatArray) -> tuple[FloatArray, BoolArray]:
    """`values` without a line, differenced where a unit root is likely, 0 where nothing is known; and what is known."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)

    def without_mean(each: FloatArray) -> FloatArray:
        plain = np.where(known, each, 0.0)
        return np.where(known, plain - plain.sum(axis=1, keepdims=True) / count, 0.0)

    time, plain = without_mean(np.arange(values.shape[1], dtype=np.float64)), without_mean(values)
    squares = (time**2).sum(axis=1, keepdims=True)
    ranks = without_mean(_ranks(plain, known))
    power = squares * (ranks**2).sum(axis=1, keepdims=True)
    rising = np.divide(
        (time * ranks).sum(axis=1, keepdims=True), np.sqrt(power), out=np.zeros_like(power), where=power > 0
    )
    # Where there is no line, taking one out would tell equal values apart by their time.
    slope = np.where(np.abs(rising) * np.sqrt(count) > _CLEAR_LINE, (time * plain).sum(axis=1, keepdims=True), 0.0)
    plain -= np.divide(slope, squares, out=np.zeros_like(squares), where=squares > 0) * time
    power = (plain**2).sum(axis=1)
    together = (plain[:, 1:] * plain[:, :-1]).sum(axis=1)
    root = np.divide(together, power, out=np.zeros_like(power), where=power > 0) > 1.0 - _ROOT / count[:, 0]
    both = known[:, 1:] & known[:, :-1]
    steps = np.where(both, np.diff(plain, axis=1), 0.0)
    plain[root, 1:], plain[root, 0] = steps[root], 0.0
    known[root, 1:], known[root, 0] = both[root], False
    mean = plain.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    return np.where(known, plain - mean, 0.0), known


def _unpredictable(values: FloatArray, known: BoolArray, longest: int) -> tuple[FloatArray, BoolArray]:
    """What a series' own past does not predict: autoregression by the Durbin-Levinson recursion, its order by BIC."""
    size = values.shape[1]
    longest = min(longest, size // 4)
    covariance = _lagged_sums(values, longest) / np.maximum(_lagged_sums(known.astype(np.float64), longest), 1.0)
    count = known.sum(axis=1).astype(np.float64)
    tiny = np.finfo(np.float64).tiny
    variance = np.maximum(covariance[:, 0], tiny)
    least = count * np.log(variance)
    current, chosen = np.zeros((len(values), longest)), np.zeros((len(values), longest))
    for order in range(1, longest + 1):
        earlier = current[:, : order - 1]
        rest = covariance[:, order] - (earlier * covariance[:, order - 1 : 0 : -1]).sum(axis=1)
        reflection = np.clip(rest / variance, -0.999, 0.999)
        current = current.copy()
        current[:, : order - 1] = earlier - reflection[:, None] * earlier[:, ::-1]
        current[:, order - 1] = reflection
        variance = np.maximum(variance * (1.0 - reflection**2), tiny)
        criterion = count * np.log(variance) + order * np.log(np.maximum(count, 2.0))
        better = criterion < least
        least[better], chosen[better] = criterion[better], current[better]
    left, usable = values.copy(), known.copy()
    for lag in range(1, longest + 1):
        weight = chosen[:, lag - 1 : lag]
        left[:, lag:] -= weight * values[:, : size - lag]
        needed = np.flatnonzero(weight[:, 0])
        usable[needed, lag:] &= known[needed, : size - lag]
        usable[needed, :lag] = False
    return np.where(usable, left, 0.0), usable


def _lagged_sums(values: FloatArray, longest: int) -> FloatArray:
    """Sums of products of values up to `longest` places apart, shape (s, longest + 1)."""
    size = values.shape[1]
    return np.stack([(values[:, lag:] * values[:, : size - lag]).sum(axis=1) for lag in range(longest + 1)], axis=1)


def _scores(values: FloatArray, known: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Normal scores of what is known, of mean 0, else 0. Values that differ in the tenth digit are equal."""
    from scipy.special import ndtri

    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    scores = np.where(known, ndtri(np.clip((_ranks(values, known) - 0.5) / count, 1e-9, 1.0 - 1e-9)), 0.0)
    return scores - np.where(known, scores.sum(axis=1, keepdims=True) / count, 0.0), known


def _ranks(values: FloatArray, known: BoolArray) -> FloatArray:
    largest = np.where(known, np.abs(values), 0.0).max(axis=1, keepdims=True)
    shares = np.round(np.divide(values, largest, out=np.zeros_like(values), where=known & (largest > 0)), 9)
    by_series = pd.DataFrame(np.where(known, shares, np.inf).T)
    return np.asarray(by_series.rank().to_numpy(dtype=np.float64).T)


def _given(scores: FloatArray, known: BoolArray, given: int, lags: int) -> FloatArray:
    """`scores` without what those of series `given` explain, at any lag of the window, by least squares."""
    size = scores.shape[1]
    drivers = np.zeros((2 * lags + 1, size))
    for place, lag in enumerate(range(-lags, lags + 1)):
        early, late = slice(0, size - abs(lag)), slice(abs(lag), size)
        target, source = (late, early) if lag >= 0 else (early, late)
        drivers[place, target] = scores[given, source]
    left = scores.copy()
    for row in range(len(scores)):
        if row != given:
            own = drivers[:, known[row]].T
            weight, *_ = np.linalg.lstsq(own, scores[row, known[row]], rcond=None)
            left[row, known[row]] -= own @ weight
    return left
