"""Steps that are clear against the noise of the levels on both sides of them, whatever the rest of the series does.

Noise belongs to a level: a benchmark that takes 40 s scatters by seconds, and after the change that made it take half a
second by milliseconds. A likelihood with one variance for the whole series then sees nothing but the noisy part. Here
a step is held only against its neighbours, and must be so large and so sharp that neither autocorrelation nor a few
outliers nor a second mode look like it; what is less clear is left to the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray, robust_scale
from perf_assets.analysis.stretches import (
    Block,
    BoolArray,
    IndexArray,
    cut_out,
    in_blocks,
    lowest,
    neighbours,
    quantiles,
    running,
    sorted_down,
)

_BORROWED = 4.0
"""Values' worth of the variance of the noisier side that both sides are given: a few values that happen to lie close
together say little about the noise of their level."""
_FAR = 3.5
"""Standard deviations of the noisier side that a step must measure."""
_EVIDENCE = 20.0
"""2 log likelihood ratio that it must bring, with the noise of both sides unknown."""
_LEAST_EVIDENCE = 12.0
"""The least that a step must bring with each level's own noise, if the likelihood with one noise bears it."""
_WANDERS, _OF_WANDERING = 2.0, 1.2
"""From how many times the scatter of neighbouring values a level is one that wanders, and how many times as far as it
wanders a step must then go: what is smaller is another turn of the same path."""
_FEWEST_WORTH = 3.0
"""Independent values that a level is worth, however it wanders."""
NEWEST, _BEFORE_NEWEST, _FAR_AT_END, _BULK_AT_END = 3, 8, 5.5, 5.0
"""Values that are a new level at the end of a series; values before them; standard deviations between the two as
measured, so that nearly every step of eight is seen; and those beyond which a value before counts as an outlier."""
_BESIDE_STEP = 30
"""Values on either side of a step by which its noise is known as well as by those of the whole levels."""
_NEXT_TO_STEP = 15
"""Values on either side that show the level there, where the whole one holds more than a level."""
QUIETER = 0.5
"""Share of another standard deviation from which that of these values is a noise of its own."""
_STRAY = 0.1
"""Share of the values of either side that may lie among those of the other."""
_WINDOW = 15
BESIDE = 3
"""Values by which the place of a clear step may be off."""
_ORDERED = 0.95
"""Share of the pairs of a value before and one after, up to `_WINDOW` values away, that must lie in order."""
_SHORT, _ALTERNATING_SHORT = 10, 4
_AROUND, _ALTERNATING, _CLOSER, _BEYOND = 40, 6, 0.5, 2.0
"""Values to either side of a step, and how often they may go from one of its levels to the other before these are two
modes rather than levels; from their middle, the half distances between which a value belongs to one of them."""
_UNEVEN_SIZE, _UNEVEN_EVIDENCE = 12, 30.0
_FAR_FROM_QUIET, _FAR_FROM_NOISY = 8.0, 1.5
"""Where one side is far quieter than the other: values a side, evidence, and standard deviations of either side."""


@dataclass(frozen=True)
class Sides:
    """The values on both sides of k steps, before and after: number, mean, variance and mean square of the differences
    from one value to the next, each of shape (2, k).
    """

    count: FloatArray
    mean: FloatArray
    variance: FloatArray
    differences: FloatArray

    @classmethod
    def of(cls, values: FloatArray, column: IndexArray, start: IndexArray, cut: IndexArray, end: IndexArray) -> Sides:
        """Of the stretches [start, cut) and [cut, end) of the columns of `values`, shape (n, s); others (k,)."""
        count = np.stack((cut - start, end - cut)).astype(np.float64)
        degrees = np.maximum(count - 1.0, 1.0)
        mean, squares = (_between(running(power), column, start, cut, end) / count for power in (values, values**2))
        jumps = running(np.diff(values, axis=0, prepend=values[:1]) ** 2)
        differences = np.stack(
            (jumps[cut, column] - jumps[start + 1, column], jumps[end, column] - jumps[cut + 1, column])
        )
        return cls(count, mean, np.maximum(squares - mean**2, 0.0) * count / degrees, differences / degrees)

    @classmethod
    def on_line(
        cls, values: FloatArray, column: IndexArray, start: IndexArray, cut: IndexArray, end: IndexArray
    ) -> Sides:
        """As `of`, of what a line of one slope on both sides leaves; the levels are those where it meets the cut.

        The slope has to be told from the step, which costs three of four values.
        """
        plain = cls.of(values, column, start, cut, end)
        rows = np.arange(values.shape[0], dtype=np.float64)[:, None]
        moment = _between(running(values * rows), column, start, cut, end)
        middle = (np.stack((start, cut)) + np.stack((cut, end)) - 1.0) / 2.0
        along = moment - middle * plain.count * plain.mean
        spread = plain.count * (plain.count**2 - 1.0) / 12.0
        slope = along.sum(axis=0) / spread.sum(axis=0)
        degrees = np.maximum(plain.count - 1.0, 1.0)
        rise = np.stack(
            (values[cut - 1, column] - values[start, column], values[end - 1, column] - values[cut, column])
        )
        return cls(
            count=plain.count / 4.0,
            mean=plain.mean + slope * (cut - 0.5 - middle),
            variance=np.maximum(plain.variance - (2.0 * slope * along - slope**2 * spread) / degrees, 0.0),
            differences=np.maximum(plain.differences - (2.0 * slope * rise) / degrees + slope**2, 0.0),
        )

    @property
    def size(self) -> FloatArray:
        """Of the step, unsigned, shape (k,)."""
        return np.asarray(np.abs(self.mean[1] - self.mean[0]))

    def noise(self, least: FloatArray) -> FloatArray:
        """Variance of a value of either side, shape (2, k), each drawn towards that of the noisier side; `least`, (k,),
        is what rounding leaves.
        """
        degrees = np.maximum(self.count - 1.0, 0.0)
        borrowed = _BORROWED * self.variance.max(axis=0)
        return np.asarray((degrees * self.variance + borrowed) / (degrees + _BORROWED) + least)

    def wandering(self, least: FloatArray) -> FloatArray:
        """By how much a level scatters more than values one after the other do, at least 1, shape (k,): 1 for
        independent values, more where it wanders.

        Source: von Neumann (1941), Distribution of the ratio of the mean square successive difference to the variance.
        """
        degrees = np.maximum(self.count - 1.0, 0.0)
        scatter, differences = ((degrees * each).sum(axis=0) for each in (self.variance, self.differences))
        return np.asarray(np.sqrt(np.maximum(2.0 * (scatter + least) / (differences + 2.0 * least), 1.0)))

    def evidence(self, noise: FloatArray) -> FloatArray:
        """2 log likelihood ratio of two levels against one, shape (k,), with unknown and different variances.

        Source: Welch (1947), The generalization of Student's problem when several different population variances are
        involved; the ratio is that of Student's t with his degrees of freedom.
        """
        error = noise / self.count
        degrees = error.sum(axis=0) ** 2 / (error**2 / (np.maximum(self.count - 1.0, 0.0) + _BORROWED)).sum(axis=0)
        return np.asarray((degrees + 1.0) * np.log1p(self.size**2 / error.sum(axis=0) / degrees))


@dataclass(frozen=True)
class LocalStep:
    """What k steps are like by the values of the levels beside them alone, each of shape (k,): levels, standard
    deviation of a value of the level before (of its last thirty, if that is less than half: it may have been noisier
    long ago), half width of the 95 % interval of the size, the chance of such a
    difference between values of one level, were the place given; and how many values are worth one independent one.
    """

    before: FloatArray
    after: FloatArray
    noise: FloatArray
    margin: FloatArray
    p_value: FloatArray
    repeated: FloatArray

    @classmethod
    def of(
        cls, values: FloatArray, sizes: IndexArray, least: FloatArray, column: IndexArray, cut: IndexArray
    ) -> LocalStep:
        """Arguments as for `clear_steps`, the values without what is an outlier in its own level.

        Values of a level that wanders are worth as many independent ones as those of AR(1) noise with such differences
        (Bayley & Hammersley 1946). They are worth three at least, if there are nine: the variance of a level holds what
        it wanders, so that wandering may hide a step of its own size, but none ten times as large.
        """
        start, end = _near(values, column, *neighbours(column, cut, sizes), cut)
        sides = Sides.of(values, column, start, cut, end)
        noise = sides.noise(least[column])
        repeated = 2.0 * sides.wandering(least[column]) ** 2 - 1.0
        near = Sides.of(values, column, np.maximum(start, cut - _BESIDE_STEP), cut, np.minimum(end, cut + _BESIDE_STEP))
        beside = near.noise(least[column])[0]
        worth = np.maximum(sides.count / repeated, np.minimum(sides.count / _FEWEST_WORTH, _FEWEST_WORTH))
        error = noise / worth
        degrees = error.sum(axis=0) ** 2 / (error**2 / np.maximum(worth - 1.0 + _BORROWED, 1.0)).sum(axis=0)
        of_size = np.sqrt(error.sum(axis=0))
        return cls(
            before=sides.mean[0],
            after=sides.mean[1],
            noise=np.sqrt(np.where(beside < QUIETER**2 * noise[0], beside, noise[0])),
            margin=special.stdtrit(degrees, 0.975) * of_size,
            p_value=2.0 * special.stdtr(degrees, -sides.size / of_size),
            repeated=repeated,
        )


def _between(sums: FloatArray, column: IndexArray, start: IndexArray, cut: IndexArray, end: IndexArray) -> FloatArray:
    at_cut = sums[cut, column]
    return np.stack((at_cut - sums[start, column], sums[end, column] - at_cut))


def _near(
    values: FloatArray, column: IndexArray, start: IndexArray, end: IndexArray, cut: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """Where the levels beside the cuts begin and end: next to the cut where the whole level scatters more than twice as
    much as the values there do, which means that it holds more than one.
    """
    close = np.maximum(start, cut - _NEXT_TO_STEP), np.minimum(end, cut + _NEXT_TO_STEP)
    whole, near = (Sides.of(values, column, first, cut, last).variance for first, last in ((start, end), close))
    quieter = near < QUIETER**2 * whole
    return np.where(quieter[0], close[0], start), np.where(quieter[1], close[1], end)


def clear_steps(
    values: FloatArray, sizes: IndexArray, least: FloatArray, column: IndexArray, cut: IndexArray
) -> BoolArray:
    """Which of the proposed cuts are beyond doubt, shape (k,).

    `values`, shape (n, s), without outliers, with the `sizes` of the series and the variance that rounding leaves them,
    `least`, each of shape (s,); the cuts, by column and row, in that order.
    """
    start, end = neighbours(column, cut, sizes)
    sides = Sides.of(values, column, start, cut, end)
    noise = sides.noise(least[column])
    evidence = sides.evidence(noise)
    size = sides.size / sides.wandering(least[column])
    far = size >= _FAR * np.sqrt(noise.max(axis=0))
    far &= evidence >= _EVIDENCE
    own = np.sqrt(sides.variance + least[column])
    uneven = (size >= _FAR_FROM_QUIET * own.min(axis=0)) & (size >= _FAR_FROM_NOISY * own.max(axis=0))
    uneven &= (evidence >= _UNEVEN_EVIDENCE) & (sides.count.min(axis=0) >= _UNEVEN_SIZE)
    clear = np.flatnonzero(far | uneven)
    stands = np.zeros(cut.size, dtype=bool)
    if clear.size:
        clear = clear[_separated(values, column[clear], start[clear], cut[clear], end[clear])]
    if clear.size:
        clear = clear[
            ~_alternating(
                values, sizes, column[clear], cut[clear], sides.mean[:, clear], sides.count[:, clear].min(axis=0)
            )
        ]
        stands[clear] = _in_order(values, sizes, column[clear], cut[clear])
    return stands


def unsupported(
    values: FloatArray, sizes: IndexArray, least: FloatArray, column: IndexArray, cut: IndexArray
) -> BoolArray:
    """Which cuts, shape (k,), the values of the levels beside them do not bear, each with a noise of its own.

    Arguments as for `clear_steps`.
    """
    start, end = neighbours(column, cut, sizes)
    ways = (way(values, column, start, cut, end) for way in (Sides.of, Sides.on_line))
    return np.asarray(np.logical_and.reduce([_unsupported(sides, least[column]) for sides in ways]))


def _unsupported(sides: Sides, least: FloatArray) -> BoolArray:
    noise, wandering = sides.noise(least), sides.wandering(least)
    a_turn = (wandering > _WANDERS) & (sides.size < _OF_WANDERING * wandering * np.sqrt(noise.max(axis=0)))
    return np.asarray(a_turn | (sides.evidence(noise) < _LEAST_EVIDENCE * wandering**2))


def relocated(values: FloatArray, sizes: IndexArray, column: IndexArray, cut: IndexArray) -> IndexArray:
    """The cuts, shape (k,), each moved by up to BESIDE to where the values next to it change sides: each belongs to the
    level before or after, whichever it is closer to. Only levels that are far apart are told from each other so.

    `values`, shape (n, s), as they came, with the `sizes` of the series; cuts in order of column and row.
    """
    if not cut.size:
        return cut
    start, end = neighbours(column, cut, sizes)
    # Two neighbours share the room between them.
    back = (cut - start - NEWEST) // np.where(start > 0, 2, 1)
    forth = (end - cut - NEWEST) // np.where(end < sizes[column], 2, 1)
    before = cut_out(values, column, np.maximum(start, cut - _WINDOW), cut)
    after = cut_out(values, column, cut, np.minimum(end, cut + _WINDOW))
    (old, old_scale), (new, new_scale) = _centre_and_scale(before), _centre_and_scale(after)
    far = np.flatnonzero(np.abs(new - old) >= _FAR * np.maximum(old_scale, new_scale))
    if not far.size:
        return cut
    steps = np.arange(-BESIDE, BESIDE + 1)[:, None]
    near = values[np.clip(cut[far] + steps[:-1], 0, values.shape[0] - 1), column[far]]
    # What each value says for being still of the old level.
    belongs = np.abs(near - new[far]) - np.abs(near - old[far])
    gains = np.concatenate((np.zeros((1, far.size)), np.cumsum(belongs, axis=0)))
    gains[(steps < -back[far]) | (steps > forth[far])] = -np.inf
    moved = cut.copy()
    better = gains.max(axis=0) > gains[BESIDE]
    moved[far[better]] += gains.argmax(axis=0)[better] - BESIDE
    return moved


def _centre_and_scale(block: Block) -> tuple[FloatArray, FloatArray]:
    """Median of each stretch, and the standard deviation of its bulk by the median distance from it, each (k,)."""
    centre = quantiles(sorted_down(block.values, block.inside), block.sizes, 0.5)
    distance = np.abs(block.values - centre)
    return centre, MAD_TO_SD * quantiles(sorted_down(distance, block.inside), block.sizes, 0.5)


def ends_in_step(level: FloatArray) -> bool:
    """Are the newest three values, too few for a level elsewhere, a new one at the end of the newest level, shape (n,)?

    They are where they lie close together, far from the values before, and beyond all of those.
    """
    if level.size < _BEFORE_NEWEST + NEWEST:
        return False
    before, newest = level[:-NEWEST], level[-NEWEST:]
    # The values just before rule most levels out, and numbers of Python compare a few values faster.
    near, lowest, highest = before[-_BEFORE_NEWEST:].tolist(), min(newest.tolist()), max(newest.tolist())
    if not (lowest > max(near) or highest < min(near)) or not (lowest > before.max() or highest < before.min()):
        return False
    centre = float(np.median(before))
    size, bound = abs(float(np.median(newest)) - centre), _BULK_AT_END * robust_scale(before)
    # The standard deviation of a few values is known better than what the median distance tells of it.
    scale = float(np.std(np.clip(before, centre - bound, centre + bound), ddof=1))
    return bool(size >= _FAR_AT_END * scale and np.ptp(newest) <= size / 2.0)


def _separated(
    values: FloatArray, column: IndexArray, start: IndexArray, cut: IndexArray, end: IndexArray
) -> BoolArray:
    """Do the values before and after lie apart but for a few strays?"""
    apart = np.zeros(cut.size, dtype=bool)
    for chosen in in_blocks(end - start):
        before = _inner_and_outer(cut_out(values, column[chosen], start[chosen], cut[chosen]))
        after = _inner_and_outer(cut_out(values, column[chosen], cut[chosen], end[chosen]))
        apart[chosen] = (after[0] > before[1]) | (after[1] < before[0])
    return apart


def _inner_and_outer(block: Block) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value of each stretch but for its strays."""
    ascending, column = sorted_down(block.values, block.inside), np.arange(block.sizes.size)
    strays = (_STRAY * block.sizes).astype(np.intp)
    return ascending[strays, column], ascending[block.sizes - 1 - strays, column]


def _alternating(
    values: FloatArray, sizes: IndexArray, column: IndexArray, cut: IndexArray, mean: FloatArray, shorter: FloatArray
) -> BoolArray:
    """Do the values around each cut go to and fro between its two levels, of shape (2, k), as those of two modes do?"""
    start, end = np.maximum(cut - _AROUND, 0), np.minimum(cut + _AROUND, sizes[column])
    around = cut_out(values, column, start, end)
    middle, half = mean.mean(axis=0), np.abs(mean[1] - mean[0]) / 2.0
    # What lies between the two levels, or far beyond one of them, changes nothing.
    distance = np.abs(around.values - middle)
    belongs = around.inside & (distance > _CLOSER * half) & (distance < _BEYOND * half)
    last = np.maximum.accumulate(np.where(belongs, around.rows, 0), axis=0)
    upper = np.take_along_axis(around.values > middle, last, axis=0)
    most = np.where(shorter < _SHORT, _ALTERNATING_SHORT, _ALTERNATING)
    return np.asarray(np.count_nonzero(upper[1:] != upper[:-1], axis=0) >= most)


def _in_order(values: FloatArray, sizes: IndexArray, column: IndexArray, cut: IndexArray) -> BoolArray:
    """Which cuts have the values next to them in the order of their levels; the least ordered of a series goes first,
    so that its neighbours are judged without it.
    """
    stands = np.ones(cut.size, dtype=bool)
    while stands.any():
        at = np.flatnonzero(stands)
        start, end = neighbours(column[at], cut[at], sizes)
        order = _order(
            values, column[at], np.maximum(start, cut[at] - _WINDOW), cut[at], np.minimum(end, cut[at] + _WINDOW)
        )
        weakest = lowest(column[at], order)
        falls = at[weakest[order[weakest] < _ORDERED]]
        if not falls.size:
            break
        stands[falls] = False
    return stands


def _order(values: FloatArray, column: IndexArray, start: IndexArray, cut: IndexArray, end: IndexArray) -> FloatArray:
    """Share of the pairs of a value before and one after that lie in the order of most, equal ones half; shape (k,).

    Source: Mann & Whitney (1947), On a test of whether one of two random variables is stochastically larger.
    """
    before, after = cut_out(values, column, start, cut), cut_out(values, column, cut, end)
    both = before.inside[:, None] & after.inside[None, :]
    less = before.values[:, None] < after.values[None, :]
    equal = before.values[:, None] == after.values[None, :]
    pairs = np.count_nonzero(less & both, axis=(0, 1)) + np.count_nonzero(equal & both, axis=(0, 1)) / 2.0
    share = pairs / (before.sizes * after.sizes)
    return np.asarray(np.maximum(share, 1.0 - share))
