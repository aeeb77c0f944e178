"""Levels of many series at once: cuts are proposed freely, then those go that the likelihood does not bear.

What a cut must prove: that a step explains the values around it better than one level, a line or a line with a bend,
each with its own autocorrelation and variance, by more than the freedom to choose its place is worth. Two neighbouring
cuts must prove it together as well, or a few high values of a skewed noise would pass for a level. Input is finite
values only; gaps, scale and seasons are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from perf_assets.analysis.noise import (
    Noise,
    PresentFit,
    Residuals,
    noises,
    provisional_noise,
    without_outliers,
)
from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import (
    Block,
    BoolArray,
    IndexArray,
    bent_line_left,
    cut_out,
    in_blocks,
    levels_left,
    lines_left,
    pack,
    step_on_line_left,
    totals,
)

SHORTEST = 4
"""Fewest values a level can have."""

# Penalties on 2 log likelihood. A step's is about the 99 % point of the largest gain over all places in noise of 200
# values; the line's, how much less that is, keeps 95 of 100 drifts of 1.5 standard deviations from being cut.
STEP = 13.6
LINE = 6.3
BENT_LINE = 18.0
STEP_ON_LINE = 21.4
TWO_LINES = 29.4
TWO_STEPS = 27.0
_PROPOSED = 9.0
"""Gain from which a cut is proposed: more than enough are, the penalties above decide."""
_PLACES = 2.0
"""Penalty for each e-fold that a stretch is shorter than the series: there are as many more of them to choose from."""
_WINDOWS = ((4, 4), (8, 8), (16, 16), (32, 32), (64, 64), (5, 20), (20, 5), (10, 40), (40, 10))
"""Values before and after a cut that are looked at alone, so that a short level in a long stretch is not missed."""
_MOST_MOVES = 3
LEAST_NOISE = 1e-6
"""Standard deviation, as a share of the range, below which differences are taken for rounding."""

Fit = tuple[Residuals, float]
"""How to fit, and what its parameters cost."""


def segment(series: Sequence[FloatArray], rivals: Sequence[Fit]) -> list[IndexArray]:
    """First indices of new levels of each series, ascending; `rivals` are the fits that a step must beat.

    Each series holds finite values of magnitude about 1 around 0, at least 2 * SHORTEST of them and not all equal.
    """
    block = pack(list(series))
    least = (LEAST_NOISE * np.array([np.ptp(values) for values in series])) ** 2
    values = without_outliers(block)
    column, cut = _proposed(block, values, least)
    found: list[IndexArray] = [np.empty(0, dtype=np.intp) for _ in series]
    concerned = np.unique(column)
    if not concerned.size:
        return found
    part = Block(block.values[:, concerned], block.inside[:, concerned], block.sizes[concerned])
    column = np.searchsorted(concerned, column)
    residuals = level_residuals(part, values[:, concerned], column, cut)
    for columns, noise in noises(part, values[:, concerned], residuals, least[concerned]):
        mine = np.isin(column, columns)
        kept_column, kept = _borne_out(noise, np.searchsorted(columns, column[mine]), cut[mine], rivals)
        for position in np.unique(kept_column):
            found[concerned[columns[position]]] = kept[kept_column == position]
    return found


ONE_LEVEL: Sequence[Fit] = ((levels_left, 0.0),)
LEVEL_OR_DRIFT: Sequence[Fit] = (*ONE_LEVEL, (lines_left, LINE), (bent_line_left, BENT_LINE))


# Proposals


def _proposed(block: Block, values: FloatArray, least: FloatArray) -> tuple[IndexArray, IndexArray]:
    """(column, index) of proposed cuts, sorted: binary segmentation, windows beside whole stretches."""
    sd, autocorrelation = provisional_noise(block, values)
    variance = sd**2 * (1.0 - autocorrelation**2) + least
    column = np.arange(block.sizes.size)
    start, end = np.zeros_like(block.sizes), block.sizes
    columns, cuts = [], []
    while column.size:
        cut, excess = np.zeros_like(start), np.zeros(start.size)
        for chosen in in_blocks(end - start):
            owner = column[chosen]
            part = cut_out(values, owner, start[chosen], end[chosen])
            place, excess[chosen] = _best_place(part, autocorrelation[owner], variance[owner], block.sizes[owner])
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
    gains, _ = step_gains(part, autocorrelation)
    excess = gains / variance - _PROPOSED - _PLACES * np.log(series_sizes / part.sizes)
    white = _whitened(part, part.values, autocorrelation, np.zeros_like(autocorrelation))
    running = np.zeros((white.shape[0] + 1, white.shape[1]))
    np.cumsum(white, axis=0, out=running[1:])
    for before, after in _WINDOWS:
        places = white.shape[0] - before - after + 1
        if places > 0:
            gain = _window_gains(white, running, autocorrelation, before, after) / variance
            gain -= _PROPOSED + _PLACES * np.log(series_sizes / (before + after))
            reaches = np.arange(before, before + places)[:, None] + after <= part.sizes
            at = slice(before, before + places)
            excess[at] = np.where(reaches, np.maximum(excess[at], gain), excess[at])
    place = excess.argmax(axis=0)
    return place, excess[place, np.arange(place.size)]


def _whitened(block: Block, values: FloatArray, autocorrelation: FloatArray, first: FloatArray) -> FloatArray:
    """Innovations of AR(1) values; the first value is multiplied by `first`."""
    white = values.copy()
    white[1:] -= autocorrelation * values[:-1]
    white[0] *= first
    return block.masked(white)


def step_gains(block: Block, autocorrelation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fall of the residual sum of squares by a step at each row, (from one level, from one line); shape of the block.

    Generalised least squares for AR(1) noise of the given autocorrelation, shape (k,), in closed form: the whitened
    step is 1 at its row and 1 - autocorrelation after it. 0 where a level would be shorter than SHORTEST. The bounds
    on where a line tells nothing apart from a step are those of rounding.
    """
    size = block.sizes
    first, rest = np.sqrt(1.0 - autocorrelation**2), 1.0 - autocorrelation
    level = block.masked(np.broadcast_to(rest, block.values.shape).copy())
    level[0] = first
    norm = first**2 + rest**2 * (size - 1)
    line = block.masked((block.rows - (size - 1) / 2.0) / size)
    line = _whitened(block, line, autocorrelation, first)
    line -= totals(line * level) / norm * level
    line /= np.sqrt(np.maximum(totals(line**2), 1e-300))
    values = _whitened(block, block.values, autocorrelation, first)
    values -= totals(values * level) / norm * level

    def along_step(white: FloatArray) -> FloatArray:
        running = np.cumsum(white, axis=0)
        return np.asarray(white + rest * (running[-1] - running))

    after = np.maximum(size - 1 - block.rows, 0)
    of_values, of_line = along_step(values), along_step(line)
    length = 1.0 + rest**2 * after - (rest + rest**2 * after) ** 2 / norm
    beside_line = length - of_line**2
    can = possible(block)
    from_level = np.where(can, of_values**2 / np.where(can, length, 1.0), 0.0)
    distinct = can & (beside_line > 1e-6 * length)
    left = of_values - totals(values * line) * of_line
    return from_level, np.where(distinct, left**2 / np.where(distinct, beside_line, 1.0), 0.0)


def possible(block: Block) -> BoolArray:
    """Rows at which a cut leaves levels long enough on both sides."""
    return (block.rows >= SHORTEST) & (block.rows <= block.sizes - SHORTEST)


def _window_gains(
    white: FloatArray, running: FloatArray, autocorrelation: FloatArray, before: int, after: int
) -> FloatArray:
    """As `step_gains` from one level, of windows of `before` and `after` values around rows before .. w - after."""
    rest = 1.0 - autocorrelation
    first, last = before, white.shape[0] - after + 1
    lower = running[first:last] - running[1 : last - before + 1]
    at = white[first:last]
    upper = running[first + after : last + after] - running[first + 1 : last + 1]
    norm = rest**2 * (before + after - 1)
    together = rest + rest**2 * (after - 1)
    along = at + rest * upper - together / norm * rest * (lower + at + upper)
    return np.asarray(along**2 / (1.0 + rest**2 * (after - 1) - together**2 / norm))


# Which of them the likelihood bears


def _borne_out(
    noise: Noise, column: IndexArray, cut: IndexArray, rivals: Sequence[Fit]
) -> tuple[IndexArray, IndexArray]:
    """The cuts that stand, each moved to its best place: backward elimination, the weakest of each series first."""
    sizes = noise.sizes
    inside = np.arange(noise.values.shape[0])[:, None] < sizes
    residuals = level_residuals(Block(noise.values, inside, sizes), noise.values, column, cut)
    moves = np.zeros(sizes.size, dtype=np.intp)
    active = np.ones(sizes.size, dtype=bool)
    while active[column].any():
        present = PresentFit.of(residuals)
        start, end = neighbours(column, cut, sizes)
        single = np.flatnonzero(active[column])
        surplus, place = _judged(noise, present, column[single], start[single], end[single], None, rivals)
        pair = single[:-1][(column[single[:-1]] == column[single[1:]])]
        pair_surplus, _ = _judged(
            noise, present, column[pair], start[pair], end[pair + 1], np.stack((cut[pair], cut[pair + 1])), rivals
        )
        weakest = single[_lowest(column[single], surplus)]
        weakest_pair = pair[_lowest(column[pair], pair_surplus)]
        lowest, lowest_pair = np.full(sizes.size, np.inf), np.full(sizes.size, np.inf)
        np.minimum.at(lowest, column[single], surplus)
        np.minimum.at(lowest_pair, column[pair], pair_surplus)
        pair_goes = weakest_pair[(lowest_pair < np.minimum(lowest, 0.0))[column[weakest_pair]]]
        goes = weakest[((lowest < 0.0) & (lowest <= lowest_pair))[column[weakest]]]
        stands = active & (np.minimum(lowest, lowest_pair) >= 0.0)

        can_move = stands[column[single]] & (place != cut[single]) & (moves[column[single]] < _MOST_MOVES)
        moved = np.flatnonzero(can_move)
        moved = moved[np.unique(column[single[moved]], return_index=True)[1]]
        goes_to, moved = place[moved], single[moved]

        _replace(residuals, noise, present, column[goes], start[goes], end[goes], rivals)
        _replace(residuals, noise, present, column[pair_goes], start[pair_goes], end[pair_goes + 1], rivals)
        _replace(residuals, noise, present, column[moved], start[moved], end[moved], rivals, goes_to)
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


def _judged(
    noise: Noise,
    present: PresentFit,
    column: IndexArray,
    start: IndexArray,
    end: IndexArray,
    cuts: IndexArray | None,
    rivals: Sequence[Fit],
) -> tuple[FloatArray, IndexArray]:
    """(surplus of likelihood over penalty, best index) of one cut in each stretch, or surplus of the two given ones."""
    surplus, place = np.zeros(column.size), np.zeros(column.size, dtype=np.intp)
    for chosen in in_blocks(end - start):
        owner, origin = column[chosen], start[chosen]
        block = noise.stretch(owner, origin, end[chosen])
        search = _PLACES * np.log(noise.sizes[owner] / block.sizes)
        none, _ = _cheapest(noise, present, block, owner, origin, rivals)
        if cuts is None:
            step, on_line = _best_cuts(noise, present, block, owner, origin)
            fits = _cut_once(step, on_line)
            costs = np.stack([_cheapest(noise, present, block, owner, origin, [fit])[0] for fit in fits])
            place[chosen] = origin + np.where(costs.argmin(axis=0) == 0, step, on_line)
            some = costs.min(axis=0)
        else:
            some, _ = _cheapest(noise, present, block, owner, origin, _cut_twice(*(cuts[:, chosen] - origin)))
        surplus[chosen] = none - some - search
    return surplus, place


def _cut_once(step: IndexArray, on_line: IndexArray) -> Sequence[Fit]:
    return (
        (lambda block, values: levels_left(block, values, step), STEP),
        (lambda block, values: step_on_line_left(block, values, on_line), STEP_ON_LINE),
        (lambda block, values: lines_left(block, values, on_line), TWO_LINES),
    )


def _cut_twice(first: IndexArray, second: IndexArray) -> Sequence[Fit]:
    return (
        (lambda block, values: levels_left(block, values, first, second), TWO_STEPS),
        (lambda block, values: lines_left(block, values, first, second), TWO_STEPS + 3.0 * LINE),
    )


def _cheapest(
    noise: Noise, present: PresentFit, block: Block, column: IndexArray, start: IndexArray, fits: Sequence[Fit]
) -> tuple[FloatArray, FloatArray]:
    """(deviance and penalty of the best of the fits, its residuals)."""
    best, kept = np.full(column.size, np.inf), np.zeros(block.values.shape)
    for fit, penalty in fits:
        residuals = noise.fitted(block, column, start, fit)
        cost = noise.deviance(block, column, start, residuals, present) + penalty
        kept = np.where(cost < best, residuals, kept)
        best = np.minimum(cost, best)
    return best, kept


def _best_cuts(
    noise: Noise, present: PresentFit, block: Block, column: IndexArray, start: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Rows of the best step from level to level, and of the best step on a line."""
    gains, gains_on_line = step_gains(block, present.autocorrelation[column])
    step, on_line = gains.argmax(axis=0), gains_on_line.argmax(axis=0)
    on_line = np.where(gains_on_line.max(axis=0) > 0, on_line, step)
    return noise.relocated(block, column, start, step, possible(block)), on_line


def _replace(
    residuals: FloatArray,
    noise: Noise,
    present: PresentFit,
    column: IndexArray,
    start: IndexArray,
    end: IndexArray,
    rivals: Sequence[Fit],
    cut: IndexArray | None = None,
) -> None:
    """Write the residuals of stretches fitted anew, without cut or with one at `cut`, into `residuals`."""
    for chosen in in_blocks(end - start):
        owner, origin = column[chosen], start[chosen]
        block = noise.stretch(owner, origin, end[chosen])
        fits = rivals if cut is None else _cut_once(cut[chosen] - origin, cut[chosen] - origin)
        _, fitted = _cheapest(noise, present, block, owner, origin, fits)
        rows = origin + block.rows
        where = np.nonzero(block.inside)
        residuals[rows[where], owner[where[1]]] = fitted[where]


def level_residuals(block: Block, values: FloatArray, column: IndexArray, cut: IndexArray) -> FloatArray:
    """Residuals of the levels between the cuts of each column, shape of the block."""
    firsts = np.concatenate((np.zeros(block.sizes.size, dtype=np.intp), cut))
    owners = np.concatenate((np.arange(block.sizes.size), column))
    order = np.lexsort((firsts, owners))
    firsts, owners = firsts[order], owners[order]
    ends = np.where(np.append(owners[1:] != owners[:-1], True), block.sizes[owners], np.append(firsts[1:], 0))
    running = np.zeros((values.shape[0] + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=running[1:])
    means = (running[ends, owners] - running[firsts, owners]) / (ends - firsts)
    jumps = np.zeros(values.shape)
    jumps[firsts, owners] = np.where(firsts == 0, means, means - np.append(0.0, means[:-1]))
    return block.masked(values - np.cumsum(jumps, axis=0))


def neighbours(column: IndexArray, cut: IndexArray, sizes: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Where the stretch around each cut begins and ends: at the cuts beside it, or with the series."""
    same = column[1:] == column[:-1]
    start, end = np.zeros_like(cut), sizes[column].copy()
    start[1:][same] = cut[:-1][same]
    end[:-1][same] = cut[1:][same]
    return start, end


def _lowest(column: IndexArray, value: FloatArray) -> IndexArray:
    """Positions of the lowest value of each distinct column, the first of equals."""
    order = np.lexsort((value, column))
    return order[np.unique(column[order], return_index=True)[1]]
