"""Levels of many series at once: cuts are proposed freely, then those go that the likelihood does not bear.

What a cut must prove: that a step explains the values around it better than one level, a line or a line with a bend,
each with its own autocorrelation and variance, by more than the freedom to choose its place is worth. Two neighbouring
cuts must prove it together as well, or a few high values of a skewed noise would pass for a level. Input is finite
values only; gaps, scale and seasons are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from perf_assets.analysis.fits import Fit, Sums, bent_line, levels, lines, step_on_line
from perf_assets.analysis.local_steps import NEWEST, clear_steps, ends_in_step, relocated, unsupported
from perf_assets.analysis.modes import between_modes
from perf_assets.analysis.noise import (
    Noise,
    PresentFit,
    Stretches,
    noises,
    provisional_noise,
    rounding_variance,
    without_outliers,
)
from perf_assets.analysis.noise_changes import noise_changes
from perf_assets.analysis.outnumbering import evidence_of_numbers
from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.steps import SHORTEST, excess_of_windows, possible, step_gains, step_gains_beside_line
from perf_assets.analysis.stretches import (
    Block,
    BoolArray,
    IndexArray,
    cut_out,
    in_blocks,
    lowest,
    neighbours,
    pack,
    running,
)

# Penalties on 2 log likelihood. A step's is about the 99 % point of the largest gain over all places in noise of 200
# values; the line's, how much less that is, keeps 95 of 100 drifts of 1.5 standard deviations from being cut.
STEP = 13.9
LINE = 6.3
BENT_LINE = 18.0
STEP_ON_LINE = 21.7
TWO_LINES = 29.7
TWO_STEPS = 27.6
_PROPOSED = 9.0
"""Gain from which a cut is proposed: more are than stand, the penalties above decide."""
_PLACES = 2.0
"""Penalty for each e-fold that a stretch is shorter than the series: there are as many more of them to choose from."""
_WINDOWS = np.array([(4, 4), (8, 8), (16, 16), (32, 32), (64, 64), (5, 20), (20, 5), (10, 40), (40, 10)])
"""Values before and after a cut that are looked at alone, so that a short level in a long stretch is not missed."""
_MOST_MOVES = 3
_AT_ONCE = 12
"""Values between a clear step and a change of noise, below which they are one and the step says where."""
_QUIETER = 1.5
"""By how many of its standard errors (a share of 1 / sqrt(n), about) the noise of a part must be lower than that by
which it was judged, to be judged by its own.
"""
_SHORT, _IN_NUMBER = 10, 11.0
"""Values of a level below which their number must tell it from outliers, by about what four values of eight can."""

Rival = tuple[Fit, float]
"""How to fit, and what its parameters cost."""


def segment(series: Sequence[FloatArray], rivals: Sequence[Rival]) -> list[IndexArray]:
    """First indices of new levels of each series, ascending; `rivals` are the fits that a step must beat.

    Each series holds finite values of magnitude about 1 around 0, at least 2 * SHORTEST of them and not all equal.
    Noise belongs to a level, so each level that is found is judged once more as a series of its own.
    """
    found: list[list[int]] = [[] for _ in series]
    doubtful: list[list[int]] = [[] for _ in series]
    parts = [_Part(owner, 0, values, np.inf) for owner, values in enumerate(series)]
    while parts:
        divided = []
        for part, split in zip(parts, _split(parts, rivals), strict=True):
            if split.cuts.size or split.noise_change:
                found[part.owner] += (part.start + split.cuts).tolist()
                doubtful[part.owner] += [part.start + split.noise_change] * (split.noise_change > 0)
                divided += part.divided(split)
        parts = [part for part in divided if part.divisible]
    for owner, places in enumerate(doubtful):
        if places:
            found[owner] += _levels_differ(series[owner], found[owner], places)
    return _relocated(series, [_lasting(values, cuts) for values, cuts in zip(series, found, strict=True)])


def _lasting(values: FloatArray, found: list[int]) -> IndexArray:
    """The cuts of a whole series, sorted: without those between modes, and with that of its newest values."""
    cuts = np.array(sorted(found), dtype=np.intp)
    if cuts.size:
        cuts = cuts[~between_modes(values, cuts)]
    newest = [values.size - NEWEST] if ends_in_step(values[cuts[-1] if cuts.size else 0 :]) else []
    return np.append(cuts, newest).astype(np.intp)


def _relocated(series: Sequence[FloatArray], found: list[IndexArray]) -> list[IndexArray]:
    """The cuts of each series where the values next to them change sides."""
    changed = [position for position, cuts in enumerate(found) if cuts.size]
    for chosen in in_blocks(np.array([series[position].size for position in changed], dtype=np.intp)):
        own = [changed[k] for k in chosen]
        block = pack([series[position] for position in own])
        counts = [found[position].size for position in own]
        cut = np.concatenate([found[position] for position in own])
        moved = relocated(block.values, block.sizes, np.repeat(np.arange(len(own)), counts), cut)
        for position, cuts in zip(own, np.split(moved, np.cumsum(counts)[:-1]), strict=True):
            found[position] = cuts
    return found


@dataclass(frozen=True)
class _Split:
    """Cuts of a part; the standard deviation of the noise by which they were judged, infinite where each was judged by
    that of its levels; and where the noise changes, 0 for nowhere.
    """

    cuts: IndexArray
    judged_by: float = np.inf
    noise_change: int = 0


_WHOLE = _Split(np.empty(0, dtype=np.intp))


@dataclass(frozen=True)
class _Part:
    """Values of one level, with the position of its series, the index of its first value there, and the standard
    deviation of the noise by which it was judged, infinite where it was not.
    """

    owner: int
    start: int
    values: FloatArray
    judged_by: float

    @property
    def divisible(self) -> bool:
        return self.values.size >= 2 * SHORTEST and bool(np.ptp(self.values) > 0)

    def divided(self, split: _Split) -> list[_Part]:
        inner = split.cuts.tolist() or [split.noise_change]
        return [
            _Part(
                self.owner,
                self.start + start,
                self.values[start:end] - self.values[start:end].mean(),
                split.judged_by,
            )
            for start, end in pairwise([0, *inner, self.values.size])
        ]


def _split(parts: Sequence[_Part], rivals: Sequence[Rival]) -> list[_Split]:
    """Of each part the steps that are clear against the levels beside them; where there are none, the place where its
    noise changes; where there is none either, the steps that the likelihood bears with one noise for the whole part.
    """
    block = pack([part.values for part in parts])
    values = without_outliers(block)
    sd, autocorrelation = provisional_noise(block, values)
    splits = [_WHOLE] * len(parts)
    share = 1.0 - _QUIETER / np.sqrt(block.sizes)
    left = np.flatnonzero(sd < share * np.array([part.judged_by for part in parts]))
    if not left.size:
        return splits
    block, values, sd, autocorrelation = block.of(left), values[:, left], sd[left], autocorrelation[left]
    least = rounding_variance(block, values)
    column, cut = _proposed(values, block.sizes, autocorrelation, sd**2 * (1.0 - autocorrelation**2) + least)
    clear = clear_steps(values, block.sizes, least, column, cut)
    changes = noise_changes(block)
    changes[column[clear & (np.abs(cut - changes[column]) < _AT_ONCE)]] = 0
    clear &= changes[column] == 0
    for position, cuts in enumerate(_by_column(column[clear], cut[clear], left.size)):
        splits[left[position]] = _Split(cuts, noise_change=int(changes[position]))
    judged = (changes[column] == 0) & ~np.isin(column, column[clear])
    column, cut = column[judged], cut[judged]
    concerned = np.unique(column)
    if concerned.size:
        part, values, least = block.of(concerned), values[:, concerned], least[concerned]
        cuts_of = _likely_steps(part, values, least, np.searchsorted(concerned, column), cut, rivals)
        for position, cuts in zip(concerned, cuts_of, strict=True):
            splits[left[position]] = _Split(cuts, float(sd[position]))
    return splits


def _likely_steps(
    block: Block, values: FloatArray, least: FloatArray, column: IndexArray, cut: IndexArray, rivals: Sequence[Rival]
) -> list[IndexArray]:
    """Of the proposed cuts of each column those that the likelihood bears with one noise for the whole column."""
    found = [np.empty(0, dtype=np.intp) for _ in block.sizes]
    residuals = level_residuals(block, values, column, cut)
    for columns, noise in noises(block, values, residuals, least):
        mine = np.isin(column, columns)
        kept_column, kept = _borne_out(noise, np.searchsorted(columns, column[mine]), cut[mine], rivals)
        raw, clean = block.values[:, columns], values[:, columns]
        stays = _in_number(raw, clean, noise.sizes, kept_column, kept)
        stays &= ~unsupported(clean, noise.sizes, least[columns], kept_column, kept)
        for position, cuts in zip(columns, _by_column(kept_column[stays], kept[stays], columns.size), strict=True):
            found[position] = cuts
    return found


def _levels_differ(series: FloatArray, cuts: Sequence[int], doubtful: Sequence[int]) -> list[int]:
    """Those of the places where the noise changes at which the level changes, too."""
    edges = [0, *sorted({*cuts, *doubtful}), series.size]
    found = []
    for start, cut, end in zip(edges, edges[1:], edges[2:], strict=False):
        if cut in doubtful:
            # What is an outlier depends on the noise, so each side is cleaned by itself.
            sides = pack([series[start:cut], series[cut:end]])
            clean, least = without_outliers(sides), rounding_variance(sides, sides.values)
            values = np.concatenate((clean[: cut - start, 0], clean[: end - cut, 1]))[:, None]
            place, size = np.array([cut - start]), np.array([end - start])
            if not unsupported(values, size, least[:1], np.zeros(1, dtype=np.intp), place)[0]:
                found.append(cut)
    return found


def _by_column(column: IndexArray, cut: IndexArray, count: int) -> list[IndexArray]:
    """The cuts of each of `count` columns; both arrays in order of the column."""
    return np.split(cut, np.searchsorted(column, np.arange(1, count)))


ONE_LEVEL: Sequence[Rival] = ((levels(), 0.0),)
LEVEL_OR_DRIFT: Sequence[Rival] = (*ONE_LEVEL, (lines(), LINE), (bent_line, BENT_LINE))


# Proposals


def _proposed(
    values: FloatArray, sizes: IndexArray, autocorrelation: FloatArray, variance: FloatArray
) -> tuple[IndexArray, IndexArray]:
    """(column, index) of proposed cuts, sorted: binary segmentation, windows beside whole stretches."""
    column = np.arange(sizes.size)
    start, end = np.zeros_like(sizes), sizes
    columns, cuts = [], []
    while column.size:
        cut, excess = np.zeros_like(start), np.zeros(start.size)
        for chosen in in_blocks(end - start):
            owner = column[chosen]
            part = cut_out(values, owner, start[chosen], end[chosen])
            place, excess[chosen] = _best_place(part, autocorrelation[owner], variance[owner], sizes[owner])
            cut[chosen] = start[chosen] + place
        split = excess > 0
        column, start, cut, end = column[split], start[split], cut[split], end[split]
        columns.append(column)
        cuts.append(cut)
        column, start, end = np.tile(column, 2), np.concatenate((start, cut)), np.concatenate((cut, end))
        divisible = end - start >= 2 * SHORTEST
        column, start, end = column[divisible], start[divisible], end[divisible]
    column, cut = np.concatenate(columns), np.concatenate(cuts)
    order = np.lexsort((cut, column))
    return column[order], cut[order]


def _best_place(
    part: Block, autocorrelation: FloatArray, variance: FloatArray, series_sizes: IndexArray
) -> tuple[IndexArray, FloatArray]:
    """Row of the best cut of each stretch, and by how much its gain exceeds what a proposal needs."""
    sums = Sums(part)
    excess = step_gains(sums, autocorrelation) / variance - _PROPOSED - _PLACES * np.log(series_sizes / part.sizes)
    least = _PROPOSED + _PLACES * np.log(series_sizes / _WINDOWS.sum(axis=1)[:, None])
    np.maximum(excess, excess_of_windows(sums, autocorrelation, variance, _WINDOWS, least), out=excess)
    place = excess.argmax(axis=0)
    return place, excess[place, np.arange(place.size)]


# Which of them the likelihood bears


def _borne_out(
    noise: Noise, column: IndexArray, cut: IndexArray, rivals: Sequence[Rival]
) -> tuple[IndexArray, IndexArray]:
    """The cuts that stand, each moved to its best place: backward elimination, the weakest of each series first."""
    sizes = noise.sizes
    inside = np.arange(noise.values.shape[0])[:, None] < sizes
    residuals = level_residuals(Block(noise.observed, inside, sizes), noise.observed, column, cut)
    moves = np.zeros(sizes.size, dtype=np.intp)
    active = np.ones(sizes.size, dtype=bool)
    while active[column].any():
        start, end = neighbours(column, cut, sizes)
        single = np.flatnonzero(active[column])
        present = PresentFit.of(residuals, np.unique(column[single]))
        surplus, place, rival = _judged(noise, present, column[single], start[single], end[single], None, rivals)
        pair = single[:-1][(column[single[:-1]] == column[single[1:]])]
        pair_surplus, _, pair_rival = _judged(
            noise, present, column[pair], start[pair], end[pair + 1], np.stack((cut[pair], cut[pair + 1])), rivals
        )
        lowest_single, lowest_of_pairs = lowest(column[single], surplus), lowest(column[pair], pair_surplus)
        weakest, weakest_pair = single[lowest_single], pair[lowest_of_pairs]
        least, least_of_pairs = np.full(sizes.size, np.inf), np.full(sizes.size, np.inf)
        np.minimum.at(least, column[single], surplus)
        np.minimum.at(least_of_pairs, column[pair], pair_surplus)
        pair_falls = (least_of_pairs < np.minimum(least, 0.0))[column[weakest_pair]]
        falls = ((least < 0.0) & (least <= least_of_pairs))[column[weakest]]
        pair_goes, goes = weakest_pair[pair_falls], weakest[falls]
        pair_rival, rival = pair_rival[lowest_of_pairs[pair_falls]], rival[lowest_single[falls]]
        stands = active & (np.minimum(least, least_of_pairs) >= 0.0)

        can_move = stands[column[single]] & (place != cut[single]) & (moves[column[single]] < _MOST_MOVES)
        moved = np.flatnonzero(can_move)
        moved = moved[np.unique(column[single[moved]], return_index=True)[1]]
        goes_to, moved = place[moved], single[moved]

        _replace(residuals, noise, column[goes], start[goes], end[goes], rivals, rival)
        _replace(residuals, noise, column[pair_goes], start[pair_goes], end[pair_goes + 1], rivals, pair_rival)
        _replace_by_cut(residuals, noise, present, column[moved], start[moved], end[moved], goes_to)
        cut = cut.copy()
        cut[moved] = goes_to
        moves[column[moved]] += 1
        active = np.zeros_like(active)
        active[column[moved]] = active[column[goes]] = active[column[pair_goes]] = True
        moves[column[goes]] = moves[column[pair_goes]] = 0
        stays = np.ones(cut.size, dtype=bool)
        stays[np.concatenate((goes, pair_goes, pair_goes + 1))] = False
        column, cut = column[stays], cut[stays]
    return column, cut


def _in_number(raw: FloatArray, clean: FloatArray, sizes: IndexArray, column: IndexArray, cut: IndexArray) -> BoolArray:
    """Which of the cuts beside a short level its values bear by their number, too; others stand as they are."""
    start, end = neighbours(column, cut, sizes)
    stands = np.ones(cut.size, dtype=bool)
    short = np.flatnonzero(np.minimum(cut - start, end - cut) < _SHORT)
    for chosen in in_blocks((end - start)[short]):
        at = short[chosen]
        row = cut[at] - start[at]
        middle = levels(row)(Sums(cut_out(clean, column[at], start[at], end[at]))).origin.mean(axis=0)
        block = cut_out(raw, column[at], start[at], end[at])
        stands[at] = evidence_of_numbers(block, row, middle) >= _IN_NUMBER
    return stands


def _judged(
    noise: Noise,
    present: PresentFit,
    column: IndexArray,
    start: IndexArray,
    end: IndexArray,
    cuts: IndexArray | None,
    rivals: Sequence[Rival],
) -> tuple[FloatArray, IndexArray, IndexArray]:
    """(surplus of likelihood over penalty, best index, likeliest rival) of one cut in each stretch, or of the two given
    ones, without index.
    """
    surplus, place = np.zeros(column.size), np.zeros(column.size, dtype=np.intp)
    rival = np.zeros_like(place)
    for chosen in in_blocks(end - start):
        stretches = noise.stretches(column[chosen], start[chosen], end[chosen])
        sizes = stretches.sums.block.sizes
        search = _PLACES * np.log(noise.sizes[stretches.column] / sizes)
        if cuts is None:
            step, on_line = _best_cuts(noise, present, stretches)
            costs = _costs(noise, present, stretches, _cut_once(step, on_line))
            place[chosen] = stretches.start + np.where(costs.argmin(axis=0) == 0, step, on_line)
        else:
            costs = _costs(noise, present, stretches, _cut_twice(*(cuts[:, chosen] - stretches.start)))
        without = _costs(noise, present, stretches, rivals)
        surplus[chosen] = without.min(axis=0) - costs.min(axis=0) - search
        rival[chosen] = without.argmin(axis=0)
    return surplus, place, rival


def _cut_once(step: IndexArray, on_line: IndexArray) -> Sequence[Rival]:
    return (levels(step), STEP), (step_on_line(on_line), STEP_ON_LINE), (lines(on_line), TWO_LINES)


def _cut_twice(first: IndexArray, second: IndexArray) -> Sequence[Rival]:
    return (levels(first, second), TWO_STEPS), (lines(first, second), TWO_STEPS + 3.0 * LINE)


def _costs(noise: Noise, present: PresentFit, stretches: Stretches, fits: Sequence[Rival]) -> FloatArray:
    """Deviance and penalty of each of the fits, shape (fits, k)."""
    return np.stack(
        [noise.deviance(stretches, noise.fitted(stretches, fit), present) + penalty for fit, penalty in fits]
    )


def _best_cuts(noise: Noise, present: PresentFit, stretches: Stretches) -> tuple[IndexArray, IndexArray]:
    """Rows of the best step from level to level, and of the best step on a line."""
    gains, gains_on_line = step_gains_beside_line(stretches.sums, present.autocorrelation(stretches.column))
    step, on_line = gains.argmax(axis=0), gains_on_line.argmax(axis=0)
    on_line = np.where(gains_on_line.max(axis=0) > 0, on_line, step)
    return noise.relocated(stretches, step, possible(stretches.sums.block)), on_line


def _replace(
    residuals: FloatArray,
    noise: Noise,
    column: IndexArray,
    start: IndexArray,
    end: IndexArray,
    fits: Sequence[Rival],
    which: IndexArray,
) -> None:
    """Write what fit number `which`, shape (k,), leaves of each stretch into `residuals`."""
    for chosen in in_blocks(end - start):
        stretches = noise.stretches(column[chosen], start[chosen], end[chosen])
        _write(residuals, noise, stretches, fits, which[chosen])


def _replace_by_cut(
    residuals: FloatArray,
    noise: Noise,
    present: PresentFit,
    column: IndexArray,
    start: IndexArray,
    end: IndexArray,
    cut: IndexArray,
) -> None:
    """The same for the likeliest fit with a cut at `cut`, shape (k,)."""
    for chosen in in_blocks(end - start):
        stretches = noise.stretches(column[chosen], start[chosen], end[chosen])
        row = cut[chosen] - stretches.start
        fits = _cut_once(row, row)
        _write(residuals, noise, stretches, fits, _costs(noise, present, stretches, fits).argmin(axis=0))


def _write(residuals: FloatArray, noise: Noise, stretches: Stretches, fits: Sequence[Rival], which: IndexArray) -> None:
    block = stretches.sums.block
    kept = np.zeros(block.values.shape)
    for position, (fit, _) in enumerate(fits):
        if (which == position).any():
            left = noise.residuals(stretches, noise.fitted(stretches, fit))
            kept = np.where(which == position, left, kept)
    where = np.nonzero(block.inside)
    residuals[(stretches.start + block.rows)[where], stretches.column[where[1]]] = kept[where]


def level_residuals(block: Block, values: FloatArray, column: IndexArray, cut: IndexArray) -> FloatArray:
    """Residuals of the levels between the cuts of each column, shape of the block."""
    firsts = np.concatenate((np.zeros(block.sizes.size, dtype=np.intp), cut))
    owners = np.concatenate((np.arange(block.sizes.size), column))
    order = np.lexsort((firsts, owners))
    firsts, owners = firsts[order], owners[order]
    ends = np.where(np.append(owners[1:] != owners[:-1], True), block.sizes[owners], np.append(firsts[1:], 0))
    sums = running(values)
    means = (sums[ends, owners] - sums[firsts, owners]) / (ends - firsts)
    jumps = np.zeros(values.shape)
    jumps[firsts, owners] = np.where(firsts == 0, means, means - np.append(0.0, means[:-1]))
    return block.masked(values - np.cumsum(jumps, axis=0))
