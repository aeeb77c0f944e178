"""Whether the newest part of a series repeats another pattern than the part before it: a job that moved or grew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from perf_assets.analysis.ragged import IndexArray, by_width, medians, offsets_of, runs
from perf_assets.analysis.seasonality import BoolArray, Means, Profiles, excess_variance, independent_share
from perf_assets.analysis.statistics import FloatArray

LARGEST_P_VALUE = 0.05
_FEWEST_OF_DAYS, _FEWEST_OF_LONGER = 7, 4
"""Cycles on each side of a change: a weekend is no new pattern of the day."""
_PATTERN = 0.01
"""p-value of a half's pattern from which on its change is of interest."""
_FURTHEST = 4.0
"""Standard deviations from the usual amount of the pattern that one cycle counts for, at most."""
_LEAST_CHANGE = 0.25
"""Root mean square of the change as a share of that of the larger pattern; less is of no use to know."""


@dataclass(frozen=True)
class Changes:
    """Where the pattern of k series changed most: arrays of shape (k,), and of the series with a change.

    `p_value`: of no change anywhere, NaN where there are too few cycles; `at`: the first value of the new pattern, in
    days; `before` and `after`, shape (k, slots): the median profiles on both sides around 0, NaN where there is no
    change; `changed`: a p-value of at most .05, and a change of a quarter of the larger pattern or more.
    """

    p_value: FloatArray
    at: FloatArray
    before: FloatArray
    after: FloatArray
    changed: BoolArray


def may_change(means: Means, found: Profiles) -> BoolArray:
    """Whether the first or the second half of the values of each series has a pattern, shape (k,).

    What has none has none that changes. A pattern that moved need not be one of the whole series.
    """
    count, slots = found.table.shape
    edges = runs(means.owner)
    half = np.arange(means.owner.size) >= (edges[:-1] + np.diff(edges) // 2)[means.owner]
    cell = (2 * means.owner + half) * slots + means.slot
    values = means.pattern + means.left
    number = np.bincount(cell, minlength=2 * count * slots).reshape(2 * count, slots)
    total = np.bincount(cell, values, minlength=2 * count * slots).reshape(2 * count, slots)
    squares = np.bincount(2 * means.owner + half, values**2, minlength=2 * count)
    size, seen = number.sum(axis=1), np.count_nonzero(number, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.nansum(total**2 / number, axis=1) - total.sum(axis=1) ** 2 / size
        rest = squares - total.sum(axis=1) ** 2 / size - explained
        ratio = explained / (seen - 1) / (rest / (size - size / seen - seen + 1))
    chance = special.fdtrc(np.maximum(seen - 1, 1), np.maximum(size - size / seen - seen + 1, 1), ratio)
    return np.asarray((chance.reshape(count, 2) <= _PATTERN).any(axis=1) & found.usable)


def pattern_changes(means: Means, found: Profiles, daily: bool) -> Changes:
    """The clearest change of pattern of each series, shape (k,), whose profiles are `found` from `means`.

    At each place between two cycles the slots' mean deviations from the profile after it are held against those before
    it, in two ways: whether they differ at all (an analysis of variance of the slots' differences, by the degrees of
    freedom that are independent in autocorrelated noise; Box 1954), and whether the profile grew or shrank as a whole
    (the one contrast along it). Outliers are drawn in. The p-value of the clearest place is multiplied by the number of
    places and of ways (Bonferroni). The level of each cycle is taken out before, so that a step is no change.
    """
    begins = runs(means.owner, means.cycle)[:-1]
    cycles = np.bincount(means.owner[begins], minlength=found.usable.size)
    first_cycle, edges = offsets_of(cycles), runs(means.owner)
    # The number of each mean's cycle within its series.
    number = np.zeros(means.owner.size, dtype=np.intp)
    number[begins] = 1
    number = np.cumsum(number) - 1 - first_cycle[means.owner]
    slots = found.table.shape[1]
    unknown, no_profiles = np.full(cycles.size, np.nan), np.full((cycles.size, slots), np.nan)
    result = Changes(unknown, unknown.copy(), no_profiles, no_profiles.copy(), np.zeros(cycles.size, dtype=bool))
    fewest = _FEWEST_OF_DAYS if daily else _FEWEST_OF_LONGER
    for rows, width in by_width(np.where(cycles >= 2 * fewest, cycles, 0)):
        place = np.full(cycles.size, -1)
        place[rows] = np.arange(rows.size)
        inside = np.flatnonzero(place[means.owner] >= 0)
        # Series of wide buckets have values in few slots.
        seen, column = np.unique(means.slot[inside], return_inverse=True)
        grid = np.full((rows.size, width, seen.size), np.nan)
        grid[place[means.owner[inside]], number[inside], column] = means.left[inside]
        p_value, split = _clearest(grid, np.nan_to_num(found.table[rows][:, seen]), cycles[rows], fewest)
        result.p_value[rows] = p_value
        result.at[rows] = means.time[begins[first_cycle[rows] + split]]
        for row, at in zip(rows[p_value <= LARGEST_P_VALUE], split[p_value <= LARGEST_P_VALUE], strict=True):
            own = slice(edges[row], edges[row + 1])
            later, values = number[own] >= at, means.pattern[own] + means.off[own]
            sides = [_profile(values[side], means.slot[own][side], slots) for side in (~later, later)]
            if _root_mean_square(sides[1] - sides[0]) >= _LEAST_CHANGE * max(map(_root_mean_square, sides)):
                result.before[row], result.after[row] = sides
                result.changed[row] = True
    return result


def _clearest(
    grid: FloatArray, patterns: FloatArray, cycles: IndexArray, fewest: int
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """p-value of no change, and the number of cycles before the clearest one, both of shape (k,).

    `grid`: deviations from the profile, shape (k, cycles, slots), NaN where there is no value; `patterns`: the profile,
    shape (k, slots).
    """
    known = ~np.isnan(grid)
    size = known.sum(axis=2, keepdims=True)
    values = np.where(known, grid, 0.0)
    values = np.where(known, values - values.sum(axis=2, keepdims=True) / np.maximum(size, 1), 0.0)
    count_before, sum_before = np.cumsum(known, axis=1), np.cumsum(values, axis=1)
    count_after, sum_after = count_before[:, -1:] - count_before, sum_before[:, -1:] - sum_before
    mean_before, mean_after = sum_before / np.maximum(count_before, 1), sum_after / np.maximum(count_after, 1)
    weight = count_before * count_after / np.maximum(count_before[:, -1:], 1)
    change = np.where(weight > 0, mean_after - mean_before, 0.0)
    change -= (weight * change).sum(axis=2, keepdims=True) / np.maximum(weight.sum(axis=2, keepdims=True), 1e-300)
    explained = (weight * change**2).sum(axis=2)
    around = np.where(known, values - sum_before[:, -1:] / np.maximum(count_before[:, -1:], 1), 0.0)
    rest = np.maximum((around**2).sum(axis=(1, 2))[:, None] - explained, 0.0)
    compared = np.count_nonzero(weight, axis=2)
    freedom = compared - 1.0
    left = (known.sum(axis=(1, 2)) - cycles)[:, None] - compared - freedom
    split = np.arange(1, grid.shape[1] + 1)
    tried = (split >= fewest) & (split <= (cycles - fewest)[:, None]) & (freedom >= 1) & (left >= 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = rest / left
        ratio = np.where(tried, np.nan_to_num(explained / freedom / variance), 0.0)
    best = ratio.argmax(axis=1)
    every = np.arange(cycles.size)
    later = (split > best[:, None] + 1)[:, :, None]
    off = np.where(
        known, values - np.where(later, mean_after[every, best][:, None], mean_before[every, best][:, None]), 0.0
    )
    squares = (off**2).sum(axis=(1, 2))
    products = (off[:, :, 1:] * off[:, :, :-1]).sum(axis=(1, 2))
    alike = np.divide(products, squares, out=np.zeros(squares.size), where=squares > 0)
    independent = independent_share(alike, known.any(axis=1).sum(axis=1))
    at_all = special.fdtrc(
        independent * np.maximum(freedom[every, best], 1.0),
        independent * np.maximum(left[every, best], 1.0),
        ratio[every, best],
    )
    of_size = variance[every, best] * excess_variance(alike, patterns)
    growth = np.where(tried, _growth(values, known, patterns, of_size), 0.0)
    grown = growth.argmax(axis=1)
    in_size = special.fdtrc(1.0, independent * np.maximum(left[every, grown], 1.0), growth[every, grown])
    chance = 2.0 * np.maximum(tried.sum(axis=1), 1) * np.minimum(at_all, in_size)
    return np.asarray(np.minimum(chance, 1.0)), np.where(in_size < at_all, grown, best) + 1


def _growth(values: FloatArray, known: BoolArray, patterns: FloatArray, variance: FloatArray) -> FloatArray:
    """Squared difference of how much there is of the pattern after and before each place between cycles, as a multiple
    of its variance, shape (k, cycles).

    `values`: deviations from the pattern, shape (k, cycles, slots), 0 where none is known; `variance` of one along the
    pattern, shape (k,). A single cycle counts as far as chance may take it: a step within a day looks like its pattern.
    """
    power = (known * patterns[:, None] ** 2).sum(axis=2)
    amount = (values * patterns[:, None]).sum(axis=2)
    deviation = np.sqrt(power * np.nan_to_num(variance)[:, None])
    usual = np.median(np.divide(amount, power, out=np.zeros_like(amount), where=power > 0), axis=1, keepdims=True)
    amount = np.clip(amount, usual * power - _FURTHEST * deviation, usual * power + _FURTHEST * deviation)
    power_before, before = power.cumsum(axis=1), amount.cumsum(axis=1)
    power_after, after = power_before[:, -1:] - power_before, before[:, -1:] - before
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = (after / power_after - before / power_before) ** 2
        return np.asarray(np.nan_to_num(apart / (1.0 / power_after + 1.0 / power_before) / variance[:, None]))


def _profile(values: FloatArray, slot: npt.NDArray[np.int64], slots: int) -> FloatArray:
    """Median of each slot around their mean, shape (slots,); NaN where a slot has no value."""
    order = np.argsort(slot, kind="stable")
    profile = medians(values[order], offsets_of(np.bincount(slot, minlength=slots)))
    return np.asarray(profile - np.nanmean(profile))


def _root_mean_square(values: FloatArray) -> float:
    return float(np.sqrt(np.nanmean(values**2)))
