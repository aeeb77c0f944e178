"""What is left of a series when its levels are taken out: outliers, autocorrelation, skewness, two modes.

Change points are judged by how likely the residuals of two fits are. This module holds the first cleaning of the values
and the likelihoods: of autocorrelated normal noise, of skewed noise made symmetric, and of noise that jumps between two
modes (two kinds of runner, a cache that is hit or missed).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perf_assets.analysis.fits import Fit, Lines, Sums, levels
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray
from perf_assets.analysis.stretches import (
    Block,
    BoolArray,
    IndexArray,
    by_columns,
    cut_out,
    quantiles,
    ranges,
    sorted_down,
    totals,
)

_OUTLYING = 5.0
"""Standard deviations from the median of the neighbours, beyond which a value is an outlier."""
_ASIDE = 4
"""Neighbours to either side of a value whose median it is held against."""
_MOST_OUTLIERS = 0.1
"""Share of the values that are outliers at most: where a tenth lies that far off, so does the noise."""
_MOST_AUTOCORRELATED = 0.95
_PARAMETERS = 4.0
"""Degrees of freedom that two levels, the variance and the autocorrelation cost."""
LEAST_NOISE = 1e-6
"""Standard deviation, as a share of the range, below which differences are taken for rounding."""
_DIGITS = 1e-14
"""The same as a share of the range with outliers, by the digits that a number has."""
_FEWEST_FOR_SHAPE = 100
"""Values from which skewness and modes can be told."""

_SKEWED = 0.2
_SHAPE_KNOWN = 0.8
"""Share of the evidence that counts where the shape of the noise is itself estimated."""
_LINEAR_FROM = 0.3
_MODES_GAIN = 12.0
_MODES_OVER_SKEW = 14.0
_FEWEST_IN_MODE = 0.05
_APART = 2.0
_BINS, _BIN_SPAN = 96, 4.0
_FIT_ROUNDS, _FIRST_ROUNDS = 40, 10
_PROMISING = 4.0
"""Gain after the first rounds from which the modes are fitted in full."""
_REFIT_ROUNDS = 3
_AUTOCORRELATED_MODES = 0.15


def without_outliers(block: Block) -> FloatArray:
    """Values with outliers replaced by the median of their 9 neighbours, shape of the block.

    Runs of up to four values are outliers, longer ones a level: the median then follows. Source: Hampel (1974), as
    filter in Davies & Gather (1993).
    """
    cleaned = np.empty(block.values.shape)
    for columns, part, _ in by_columns(block):
        mirrored = _mirrored(part)
        median, own = _median_of_nine(mirrored), mirrored[_ASIDE:-_ASIDE]
        distance = np.abs(own - median)
        cleaned[:, columns] = part.masked(np.where(distance > _bulk(distance, part), median, own))
    return cleaned


def _mirrored(block: Block) -> FloatArray:
    """The values of each stretch, mirrored at both of its ends by `_ASIDE` values at least, shape (w + 2 _ASIDE, k)."""
    height = block.values.shape[0]
    if height > _ASIDE and block.inside.all():
        return np.pad(block.values, ((_ASIDE, _ASIDE), (0, 0)), mode="reflect")
    rows, last = np.abs(np.arange(-_ASIDE, height + _ASIDE))[:, None], block.sizes - 1
    return np.take_along_axis(block.values, np.where(rows <= last, rows, np.maximum(2 * last - rows, 0)), axis=0)


def _median_of_nine(values: FloatArray) -> FloatArray:
    """Median of each value and its four neighbours to either side, shape (n - 8, k).

    Nine values are three triples, which neighbouring medians share. Source: Smith (1996), Implementing median filters.
    """
    first, second, third = values[:-2], values[1:-1], values[2:]
    lower, upper = np.minimum(first, second), np.maximum(first, second)
    lowest, highest = np.minimum(lower, third), np.maximum(upper, third)
    middle = np.maximum(lower, np.minimum(upper, third))
    of_lowest = np.maximum(np.maximum(lowest[:-6], lowest[3:-3]), lowest[6:])
    of_highest = np.minimum(np.minimum(highest[:-6], highest[3:-3]), highest[6:])
    return _median_of_three(of_lowest, _median_of_three(middle[:-6], middle[3:-3], middle[6:]), of_highest)


def _median_of_three(one: FloatArray, two: FloatArray, three: FloatArray) -> FloatArray:
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))


def _bulk(distance: FloatArray, block: Block, widths: float = _OUTLYING) -> FloatArray:
    """Distance, shape (k,), up to which values are no outliers."""
    ascending = sorted_down(distance, block.inside)
    usual = MAD_TO_SD * quantiles(ascending, block.sizes, 0.5)
    return np.maximum(widths * usual, quantiles(ascending, block.sizes, 1.0 - _MOST_OUTLIERS))


def provisional_noise(block: Block, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(standard deviation, autocorrelation at lag 1) of the noise, each of shape (k,), from differences of the values.

    Differences do not see the levels but where they change, and there they are bounded. For AR(1) noise the variances
    at lag 2 and lag 1 stand as 1 + autocorrelation to 1.
    """
    first, second = np.empty(block.sizes.size), np.empty(block.sizes.size)
    for columns, part, (own,) in by_columns(block, values):
        first[columns], second[columns] = (_difference_variance(part, own, lag) for lag in (1, 2))
    known = first > 0
    ratio = np.where(known, second / np.where(known, first, 1.0) - 1.0, 0.0)
    autocorrelation = np.clip(ratio, 0.0, 0.9) * block.sizes / (block.sizes + 20.0)
    return np.sqrt(first / 2.0 / (1.0 - autocorrelation)), autocorrelation


def _difference_variance(block: Block, values: FloatArray, lag: int) -> FloatArray:
    inside = block.inside[lag:]
    part = Block(np.where(inside, values[lag:] - values[:-lag], 0.0), inside, np.maximum(block.sizes - lag, 1))
    distance = np.abs(part.values)
    bounded = np.minimum(distance, _bulk(distance, part, 3.0))
    return totals(part.masked(bounded**2)) / part.sizes


@dataclass(frozen=True)
class Stretches:
    """k stretches of series: columns and first rows, each of shape (k,), with the sums of their values."""

    column: IndexArray
    start: IndexArray
    sums: Sums


@dataclass(frozen=True)
class PresentFit:
    """How well the series are explained now: running sums over the residuals of some of them, shape (n + 1, c).

    `position`, shape (s,): where a series stands among those.
    """

    position: IndexArray
    squares: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, residuals: FloatArray, columns: IndexArray) -> PresentFit:
        """`residuals`: of all series, shape (n, s); `columns`: the series that will be asked for, shape (c,)."""
        position = np.zeros(residuals.shape[1], dtype=np.intp)
        position[columns] = np.arange(columns.size)
        concerned = residuals[:, columns]
        sums = Sums(Block(concerned, np.broadcast_to(True, concerned.shape), np.full(columns.size, len(concerned))))
        return cls(position, sums.squares, sums.products)

    def autocorrelation(self, column: IndexArray) -> FloatArray:
        """At lag 1, of each of the columns."""
        at = self.position[column]
        return autocorrelation_from(self.squares[-1, at], self.products[-1, at])

    def outside(self, stretches: Stretches) -> tuple[FloatArray, FloatArray]:
        """Sums of squares and of products side by side, of what lies outside each stretch."""
        at, start = self.position[stretches.column], stretches.start
        end = start + stretches.sums.block.sizes
        squares = self.squares[-1, at] - (self.squares[end, at] - self.squares[start, at])
        products = self.products[-1, at] - (self.products[end, at] - self.products[start + 1, at])
        return np.maximum(squares, 0.0), products


@dataclass(frozen=True)
class NormalNoise:
    """AR(1) noise of normal values: shapes (n, s), (s,), and the variance below which differences are rounding, (s,).

    Every hypothesis has an autocorrelation and a variance of its own: a step must not pass for autocorrelation, nor
    autocorrelation for a step.
    """

    values: FloatArray
    sizes: IndexArray
    least: FloatArray

    @property
    def observed(self) -> FloatArray:
        """The values as they came, (n, s): what they leave shows how autocorrelated the noise is."""
        return self.values

    def stretches(self, column: IndexArray, start: IndexArray, end: IndexArray) -> Stretches:
        """Values of k stretches, ready for fits that are linear in them."""
        return Stretches(column, start, Sums(cut_out(self.values, column, start, end)))

    def fitted(self, stretches: Stretches, fit: Fit) -> Lines:
        """The likeliest fit of this form."""
        return fit(stretches.sums)

    def residuals(self, stretches: Stretches, lines: Lines) -> FloatArray:
        """What a fit leaves, shape of the block."""
        block = stretches.sums.block
        return lines.residuals(block, block.values)

    def deviance(self, stretches: Stretches, lines: Lines, present: PresentFit) -> FloatArray:
        """-2 log likelihood of each series, shape (k,), with this fit in the stretch and the present one elsewhere.

        Constants are left out: only differences mean something.
        """
        sizes = self.sizes[stretches.column].astype(np.float64)
        outside, (squares, products) = present.outside(stretches), lines.left_over(stretches.sums)
        squares = outside[0] + squares + self.least[stretches.column] * sizes
        products = outside[1] + products
        r = autocorrelation_from(squares, products)
        innovations = innovations_from(squares, products, r)
        return np.asarray((sizes - _PARAMETERS) * np.log(innovations) - np.log(1.0 - r**2))

    def relocated(self, stretches: Stretches, cut: IndexArray, places: BoolArray) -> IndexArray:
        """Row of the step at which the values are likeliest, given that it is at `cut` as far as normal noise tells."""
        return cut


@dataclass(frozen=True)
class SkewedNoise(NormalNoise):
    """Noise that is normal after Tukey's g transform, undone about the median of each stretch; g and scale: (s,).

    Source: Hoaglin (1985), Summarizing shape numerically: the g-and-h distributions.
    """

    g: FloatArray
    scale: FloatArray

    def stretches(self, column: IndexArray, start: IndexArray, end: IndexArray) -> Stretches:
        block = cut_out(self.values, column, start, end)
        median = quantiles(sorted_down(block.values, block.inside), block.sizes, 0.5)
        scale = self.scale[column]
        straight = _straightened((block.values - median) / scale, self.g[column]) * scale
        return Stretches(column, start, Sums(Block(block.masked(straight), block.inside, block.sizes)))

    def deviance(self, stretches: Stretches, lines: Lines, present: PresentFit) -> FloatArray:
        return _SHAPE_KNOWN * super().deviance(stretches, lines, present)


@dataclass(frozen=True)
class TwoModes:
    """Normal noise about one of two modes; each parameter of shape (s,), the modes relative to the level."""

    share_upper: FloatArray
    lower: FloatArray
    upper: FloatArray
    sd: FloatArray

    def of(self, columns: IndexArray) -> TwoModes:
        return TwoModes(self.share_upper[columns], self.lower[columns], self.upper[columns], self.sd[columns])

    def chance_upper(self, residuals: FloatArray) -> FloatArray:
        return 0.5 + 0.5 * self._lean(residuals)

    def expected(self, residuals: FloatArray) -> FloatArray:
        """Mode that each residual belongs to, on average."""
        return (self.lower + self.upper) / 2.0 + (self.upper - self.lower) / 2.0 * self._lean(residuals)

    def _lean(self, residuals: FloatArray) -> FloatArray:
        """From -1, surely the lower mode, to 1, surely the upper one.

        The odds of two normal densities of equal variance are log-linear: the logistic function, as a tangent.
        """
        slope = (self.upper - self.lower) / self.sd**2
        odds = np.log(self.share_upper / (1.0 - self.share_upper)) - slope * (self.upper + self.lower) / 2.0
        return np.tanh(slope / 2.0 * residuals + odds / 2.0)

    def log_density(self, residuals: FloatArray) -> FloatArray:
        lower = np.log1p(-self.share_upper) - 0.5 * ((residuals - self.lower) / self.sd) ** 2
        upper = np.log(self.share_upper) - 0.5 * ((residuals - self.upper) / self.sd) ** 2
        # As logaddexp, which numpy computes one value at a time.
        together = np.maximum(lower, upper) + np.log1p(np.exp(-np.abs(upper - lower)))
        return np.asarray(together - np.log(self.sd))


@dataclass(frozen=True)
class BimodalNoise:
    """Noise of two modes: `raw` values, and `values` with the rarer mode brought onto the other; both (n, s).

    Fits by expectation and maximisation (Dempster, Laird & Rubin 1977), the modes themselves held fixed.
    """

    raw: FloatArray
    values: FloatArray
    sizes: IndexArray
    modes: TwoModes

    @property
    def observed(self) -> FloatArray:
        """The values in the mode that they came in: modes that last are autocorrelated."""
        return self.raw

    def stretches(self, column: IndexArray, start: IndexArray, end: IndexArray) -> Stretches:
        return Stretches(column, start, Sums(cut_out(self.values, column, start, end)))

    def fitted(self, stretches: Stretches, fit: Fit) -> Lines:
        raw, modes, block = self._raw(stretches), self.modes.of(stretches.column), stretches.sums.block
        lines = fit(stretches.sums)
        for _ in range(_REFIT_ROUNDS):
            single = block.masked(raw - modes.expected(raw - lines.fitted(block)))
            lines = fit(Sums(Block(single, block.inside, block.sizes)))
        return lines

    def residuals(self, stretches: Stretches, lines: Lines) -> FloatArray:
        return lines.residuals(stretches.sums.block, self._raw(stretches))

    def deviance(self, stretches: Stretches, lines: Lines, present: PresentFit) -> FloatArray:
        density = self.modes.of(stretches.column).log_density(self.residuals(stretches, lines))
        r = present.autocorrelation(stretches.column)
        r = np.where(r < _AUTOCORRELATED_MODES, 0.0, r)
        return np.asarray(-2.0 * totals(stretches.sums.block.masked(density)) * (1.0 - r) / (1.0 + r))

    def relocated(self, stretches: Stretches, cut: IndexArray, places: BoolArray) -> IndexArray:
        raw, modes, block = self._raw(stretches), self.modes.of(stretches.column), stretches.sums.block
        for _ in range(2):
            before, after = self.fitted(stretches, levels(cut)).origin
            gain = block.masked(modes.log_density(raw - after) - modes.log_density(raw - before))
            from_here_on = totals(gain) - np.cumsum(gain, axis=0) + gain
            cut = np.where(places, from_here_on, -np.inf).argmax(axis=0)
        return cut

    def _raw(self, stretches: Stretches) -> FloatArray:
        start = stretches.start
        return cut_out(self.raw, stretches.column, start, start + stretches.sums.block.sizes).values


Noise = NormalNoise | BimodalNoise


def noises(
    block: Block, values: FloatArray, residuals: FloatArray, least: FloatArray
) -> list[tuple[IndexArray, Noise]]:
    """Columns of a block and the kind of noise that explains their residuals best; every column once.

    `values`: without outliers; `residuals`: of a provisional fit; both of the block's shape. Skewness or a second mode
    must be clear, or the noise is taken for normal.
    """
    told = np.flatnonzero(block.sizes >= _FEWEST_FOR_SHAPE)
    shapes = _shapes(block, values, residuals, least, told) if told.size else []
    normal = np.setdiff1d(np.arange(block.sizes.size), np.concatenate([told[:0], *(columns for columns, _ in shapes)]))
    if normal.size:
        shapes.append((normal, NormalNoise(values[:, normal], block.sizes[normal], least[normal])))
    return shapes


def _shapes(
    block: Block, values: FloatArray, residuals: FloatArray, least: FloatArray, told: IndexArray
) -> list[tuple[IndexArray, Noise]]:
    """Those of the columns `told` whose noise is skewed or has two modes, with that noise."""
    part, rest = Block(block.values[:, told], block.inside[:, told], block.sizes[told]), residuals[:, told]
    modes, gain = _two_modes(part, rest)
    g, scale, skew_gain = _skewness(part, rest)
    rarer = np.minimum(modes.share_upper, 1.0 - modes.share_upper)
    apart = (modes.upper - modes.lower) / np.where(modes.sd > 0, modes.sd, np.inf)
    two = (gain > _MODES_GAIN) & (gain > skew_gain + _MODES_OVER_SKEW) & (rarer > _FEWEST_IN_MODE) & (apart > _APART)
    skewed = (np.abs(g) > _SKEWED) & ~two
    found: list[tuple[IndexArray, Noise]] = []
    columns = told[skewed]
    if columns.size:
        chosen = values[:, columns], block.sizes[columns], least[columns], g[skewed], scale[skewed]
        found.append((columns, SkewedNoise(*chosen)))
    columns = told[two]
    if columns.size:
        raw, of_these = values[:, columns], modes.of(np.flatnonzero(two))
        upper = of_these.chance_upper(residuals[:, columns])
        gap = of_these.upper - of_these.lower
        single = np.where(of_these.share_upper > 0.5, raw + gap * (1.0 - upper), raw - gap * upper)
        single = np.where(block.inside[:, columns], single, 0.0)
        found.append((columns, BimodalNoise(raw, single, block.sizes[columns], of_these)))
    return found


def rounding_variance(block: Block, clean: FloatArray) -> FloatArray:
    """Variance, shape (k,), below which differences of the clean values are taken for rounding.

    By their range, as a glitch of a million times their size says nothing of it; what it does to the digits counts.
    """
    digits = _DIGITS * ranges(block.values, block.inside)
    return np.asarray(np.maximum(LEAST_NOISE * ranges(clean, block.inside), digits) ** 2)


def autocorrelation_of(residuals: FloatArray) -> FloatArray:
    """At lag 1, down the rows, shape (k,); what lies outside a stretch is 0."""
    return autocorrelation_from(totals(residuals**2), totals(residuals[1:] * residuals[:-1]))


def autocorrelation_from(squares: FloatArray, products: FloatArray) -> FloatArray:
    """At lag 1, of sums of squares and of products side by side."""
    return np.clip(products / np.where(squares > 0, squares, 1.0), 0.0, _MOST_AUTOCORRELATED)


def innovations_from(squares: FloatArray, products: FloatArray, autocorrelation: FloatArray) -> FloatArray:
    """Sum of squares of what the value before does not foretell, of the same sums and the autocorrelation."""
    left = squares - 2.0 * autocorrelation * products + autocorrelation**2 * squares
    # Rounding may leave less than nothing of values that repeat exactly.
    return np.maximum(left, 1e-12 * squares)


def _straightened(values: FloatArray, g: FloatArray) -> FloatArray:
    """Standardised values of skewness `g` made symmetric; below the range of the transform, linear."""
    g = np.where(np.abs(g) < 1e-3, 1e-3, g)
    u = 1.0 + g * values
    lowest = np.log(_LINEAR_FROM) + (u - _LINEAR_FROM) / _LINEAR_FROM
    return np.asarray(np.where(u > _LINEAR_FROM, np.log(np.maximum(u, _LINEAR_FROM)), lowest) / g)


def _skewness(block: Block, residuals: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(g, scale, gain of 2 log likelihood over a normal distribution), each of shape (k,), from letter values."""
    ascending = sorted_down(residuals, block.inside)
    low, median, high = (quantiles(ascending, block.sizes, share) for share in (0.1, 0.5, 0.9))
    tails = []
    for share, width in ((0.1, 1.2816), (0.05, 1.6449)):
        below = median - quantiles(ascending, block.sizes, share)
        above = quantiles(ascending, block.sizes, 1.0 - share) - median
        both = (below > 0) & (above > 0)
        tails.append(np.where(both, np.log(np.where(both, above, 1.0) / np.where(both, below, 1.0)) / width, 0.0))
    g = np.clip((tails[0] + tails[1]) / 2.0, -1.0, 1.0)
    clear = np.abs(g) > 1e-3
    curved = g * (high - low) / (2.0 * np.sinh(np.where(clear, g, 1.0) * 1.2816))
    scale = np.where(clear, curved, (high - low) / 2.5631)
    scale = np.where(scale > 0, scale, 1.0)
    standard = (residuals - median) / scale
    straight = _straightened(standard, g)
    stretching = totals(block.masked(np.log(np.maximum(1.0 + g * standard, _LINEAR_FROM))))
    variance = totals(block.masked(straight**2)) * scale**2
    ratio = variance / np.maximum(totals(residuals**2), 1e-300)
    return g, scale, -block.sizes * np.log(np.maximum(ratio, 1e-300)) - 2.0 * stretching


def _two_modes(block: Block, residuals: FloatArray) -> tuple[TwoModes, FloatArray]:
    """(likeliest modes, gain of 2 log likelihood over a normal distribution), on residuals counted into bins."""
    sizes, count = block.sizes, block.sizes.size
    sd = np.sqrt(totals(residuals**2) / sizes)
    standard = residuals / np.where(sd > 0, sd, 1.0)
    place = np.clip(np.rint((standard + _BIN_SPAN) * (_BINS - 1) / (2.0 * _BIN_SPAN)), 0, _BINS - 1).astype(np.intp)
    flat = (place * count + np.arange(count))[block.inside]
    counts = np.bincount(flat, minlength=_BINS * count).reshape(_BINS, count).astype(np.float64)
    modes, gain = _likeliest(counts, sizes, _FIRST_ROUNDS)
    promising = np.flatnonzero(gain > _PROMISING)
    if promising.size:
        further, further_gain = _likeliest(counts[:, promising], sizes[promising], _FIT_ROUNDS)
        gain[promising] = further_gain
        for name in ("share_upper", "lower", "upper", "sd"):
            getattr(modes, name)[promising] = getattr(further, name)
    return TwoModes(modes.share_upper, modes.lower * sd, modes.upper * sd, modes.sd * sd), gain


def _likeliest(counts: FloatArray, sizes: IndexArray, rounds: int) -> tuple[TwoModes, FloatArray]:
    """(modes, gain) after as many rounds of expectation and maximisation, the better of two starts."""
    centres = np.linspace(-_BIN_SPAN, _BIN_SPAN, _BINS)[:, None]
    of_all = totals(counts), totals(counts * centres), totals(counts * centres**2)
    found = []
    for share, lower, upper in ((0.7, -1.2, 0.7), (0.3, -0.7, 1.2)):
        modes = TwoModes(*(np.full(sizes.size, start) for start in (share, lower, upper, 0.6)))
        for _ in range(rounds):
            modes = _maximised(modes, counts, centres, of_all)
        found.append((modes, 2.0 * totals(counts * modes.log_density(centres)) + sizes))
    (one, gain), (other, other_gain) = found
    better = other_gain > gain
    return _chosen(better, other, one), np.where(better, other_gain, gain)


def _maximised(
    modes: TwoModes, counts: FloatArray, centres: FloatArray, of_all: tuple[FloatArray, FloatArray, FloatArray]
) -> TwoModes:
    """The next modes; `of_all`: number, sum and sum of squares of all values, each of shape (k,)."""
    size, total, squares = of_all
    upper = counts * modes.chance_upper(centres)
    in_upper, of_upper = totals(upper), totals(upper * centres)
    of_one, of_other = np.maximum(in_upper, 1e-9), np.maximum(size - in_upper, 1e-9)
    high, low = of_upper / of_one, (total - of_upper) / of_other
    variance = np.maximum(squares - of_one * high**2 - of_other * low**2, 0.0) / size
    return TwoModes(np.clip(of_one / size, 0.02, 0.98), low, high, np.maximum(np.sqrt(variance), 0.15))


def _chosen(first: BoolArray, one: TwoModes, other: TwoModes) -> TwoModes:
    return TwoModes(
        np.where(first, one.share_upper, other.share_upper),
        np.where(first, one.lower, other.lower),
        np.where(first, one.upper, other.upper),
        np.where(first, one.sd, other.sd),
    )
