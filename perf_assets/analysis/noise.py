"""What is left of a series when its levels are taken out: outliers, autocorrelation, skewness, two modes.

Change points are judged by how likely the residuals of two fits are. This module holds the first cleaning of the values
and the likelihoods: of autocorrelated normal noise, of skewed noise made symmetric, and of noise that jumps between two
modes (two kinds of runner, a cache that is hit or missed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import median_filter

from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray
from perf_assets.analysis.stretches import (
    Block,
    BoolArray,
    IndexArray,
    cut_out,
    levels_around,
    quantiles,
    sorted_down,
    totals,
)

Residuals = Callable[[Block, FloatArray], FloatArray]
"""Of a fit that is linear in the values: (block, values of its shape) -> residuals."""

_NEIGHBOURS = 9
_OUTLYING = 5.0
"""Standard deviations from the median of the neighbours, beyond which a value is an outlier."""
_MOST_OUTLIERS = 0.1
"""Share of the values that are outliers at most: where a tenth lies that far off, so does the noise."""
_MOST_AUTOCORRELATED = 0.95
_PARAMETERS = 4.0
"""Degrees of freedom that two levels, the variance and the autocorrelation cost."""
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
_FIT_ROUNDS = 40
_REFIT_ROUNDS = 5
_AUTOCORRELATED_MODES = 0.15


def without_outliers(block: Block) -> FloatArray:
    """Values with outliers replaced by the median of their 9 neighbours, shape of the block.

    Runs of up to four values are outliers, longer ones a level: the median then follows. Source: Hampel (1974), as
    filter in Davies & Gather (1993).
    """
    rows, last = block.rows, block.sizes - 1
    mirrored = np.take_along_axis(block.values, np.where(rows <= last, rows, np.maximum(2 * last - rows, 0)), axis=0)
    median = median_filter(mirrored, size=(_NEIGHBOURS, 1), mode="mirror")
    distance = np.abs(mirrored - median)
    return np.where(block.inside, np.where(distance > _bulk(distance, block), median, mirrored), 0.0)


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
    first, second = (_difference_variance(block, values, lag) for lag in (1, 2))
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
class PresentFit:
    """Residuals of all series, shape (n, s), with sums that say how likely they are, shape (s,)."""

    residuals: FloatArray
    squares: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, residuals: FloatArray) -> PresentFit:
        return cls(residuals, totals(residuals**2), totals(residuals[1:] * residuals[:-1]))

    @property
    def autocorrelation(self) -> FloatArray:
        return _autocorrelation(self.squares, self.products)


@dataclass(frozen=True)
class NormalNoise:
    """AR(1) noise of normal values: shapes (n, s), (s,), and the variance below which differences are rounding, (s,).

    Every hypothesis has an autocorrelation and a variance of its own: a step must not pass for autocorrelation, nor
    autocorrelation for a step.
    """

    values: FloatArray
    sizes: IndexArray
    least: FloatArray

    def stretch(self, column: IndexArray, start: IndexArray, end: IndexArray) -> Block:
        """Values of k stretches, ready for fits that are linear in them."""
        return cut_out(self.values, column, start, end)

    def fitted(self, block: Block, column: IndexArray, start: IndexArray, fit: Residuals) -> FloatArray:
        """Residuals of the likeliest fit of this form."""
        return fit(block, block.values)

    def deviance(
        self, block: Block, column: IndexArray, start: IndexArray, residuals: FloatArray, present: PresentFit
    ) -> FloatArray:
        """-2 log likelihood of each series, shape (k,), with these residuals in the stretch and the present elsewhere.

        Constants are left out: only differences mean something.
        """
        replaced = cut_out(present.residuals, column, start, start + block.sizes).values
        sizes = self.sizes[column].astype(np.float64)
        squares = np.maximum(present.squares[column] - totals(replaced**2), 0.0) + totals(residuals**2)
        squares += self.least[column] * sizes
        products = present.products[column] - totals(replaced[1:] * replaced[:-1])
        products += totals(residuals[1:] * residuals[:-1])
        r = _autocorrelation(squares, products)
        innovations = squares - 2.0 * r * products + r**2 * squares
        return np.asarray((sizes - _PARAMETERS) * np.log(innovations) - np.log(1.0 - r**2))

    def relocated(
        self, block: Block, column: IndexArray, start: IndexArray, cut: IndexArray, places: BoolArray
    ) -> IndexArray:
        """Row of the step at which the values are likeliest, given that it is at `cut` as far as normal noise tells."""
        return cut


@dataclass(frozen=True)
class SkewedNoise(NormalNoise):
    """Noise that is normal after Tukey's g transform, undone about the median of each stretch; g and scale: (s,).

    Source: Hoaglin (1985), Summarizing shape numerically: the g-and-h distributions.
    """

    g: FloatArray
    scale: FloatArray

    def stretch(self, column: IndexArray, start: IndexArray, end: IndexArray) -> Block:
        block = cut_out(self.values, column, start, end)
        median = quantiles(sorted_down(block.values, block.inside), block.sizes, 0.5)
        scale = self.scale[column]
        straight = _straightened((block.values - median) / scale, self.g[column]) * scale
        return Block(block.masked(straight), block.inside, block.sizes)

    def deviance(
        self, block: Block, column: IndexArray, start: IndexArray, residuals: FloatArray, present: PresentFit
    ) -> FloatArray:
        return _SHAPE_KNOWN * super().deviance(block, column, start, residuals, present)


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
        odds = np.log(self.share_upper / (1.0 - self.share_upper))
        odds = odds + ((residuals - self.lower) ** 2 - (residuals - self.upper) ** 2) / (2.0 * self.sd**2)
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0))))

    def expected(self, residuals: FloatArray) -> FloatArray:
        """Mode that each residual belongs to, on average."""
        return np.asarray(self.lower + (self.upper - self.lower) * self.chance_upper(residuals))

    def log_density(self, residuals: FloatArray) -> FloatArray:
        lower = np.log1p(-self.share_upper) - 0.5 * ((residuals - self.lower) / self.sd) ** 2
        upper = np.log(self.share_upper) - 0.5 * ((residuals - self.upper) / self.sd) ** 2
        return np.asarray(np.logaddexp(lower, upper) - np.log(self.sd))


@dataclass(frozen=True)
class BimodalNoise:
    """Noise of two modes: `raw` values, and `values` with the rarer mode brought onto the other; both (n, s).

    Fits by expectation and maximisation (Dempster, Laird & Rubin 1977), the modes themselves held fixed.
    """

    raw: FloatArray
    values: FloatArray
    sizes: IndexArray
    modes: TwoModes

    def stretch(self, column: IndexArray, start: IndexArray, end: IndexArray) -> Block:
        return cut_out(self.values, column, start, end)

    def fitted(self, block: Block, column: IndexArray, start: IndexArray, fit: Residuals) -> FloatArray:
        raw = cut_out(self.raw, column, start, start + block.sizes).values
        modes, single = self.modes.of(column), block.values
        for _ in range(_REFIT_ROUNDS):
            level = single - fit(block, single)
            single = block.masked(raw - modes.expected(raw - level))
        return block.masked(raw - single + fit(block, single))

    def deviance(
        self, block: Block, column: IndexArray, start: IndexArray, residuals: FloatArray, present: PresentFit
    ) -> FloatArray:
        log_likelihood = totals(block.masked(self.modes.of(column).log_density(residuals)))
        r = present.autocorrelation[column]
        r = np.where(r < _AUTOCORRELATED_MODES, 0.0, r)
        return np.asarray(-2.0 * log_likelihood * (1.0 - r) / (1.0 + r))

    def relocated(
        self, block: Block, column: IndexArray, start: IndexArray, cut: IndexArray, places: BoolArray
    ) -> IndexArray:
        raw = cut_out(self.raw, column, start, start + block.sizes).values
        modes, columns = self.modes.of(column), np.arange(cut.size)
        for _ in range(2):
            fit = raw - self.fitted(block, column, start, partial(levels_around, cut))
            before, after = fit[0], fit[block.sizes - 1, columns]
            gain = block.masked(modes.log_density(raw - after) - modes.log_density(raw - before))
            from_here_on = totals(gain) - np.cumsum(gain, axis=0) + gain
            cut = np.where(places, from_here_on, -np.inf).argmax(axis=0)
        return cut


Noise = NormalNoise | BimodalNoise


def noises(
    block: Block, values: FloatArray, residuals: FloatArray, least: FloatArray
) -> list[tuple[IndexArray, Noise]]:
    """Columns of a block and the kind of noise that explains their residuals best; every column once.

    `values`: without outliers; `residuals`: of a provisional fit; both of the block's shape. Skewness or a second mode
    must be clear, or the noise is taken for normal.
    """
    modes, gain = _two_modes(block, residuals)
    g, scale, skew_gain = _skewness(block, residuals)
    enough = block.sizes >= _FEWEST_FOR_SHAPE
    rarer = np.minimum(modes.share_upper, 1.0 - modes.share_upper)
    apart = (modes.upper - modes.lower) / np.where(modes.sd > 0, modes.sd, np.inf)
    two = (gain > _MODES_GAIN) & (gain > skew_gain + _MODES_OVER_SKEW) & (rarer > _FEWEST_IN_MODE) & (apart > _APART)
    two &= enough
    skewed = (np.abs(g) > _SKEWED) & enough & ~two
    found: list[tuple[IndexArray, Noise]] = []
    normal = np.flatnonzero(~two & ~skewed)
    if normal.size:
        found.append((normal, NormalNoise(values[:, normal], block.sizes[normal], least[normal])))
    columns = np.flatnonzero(skewed)
    if columns.size:
        chosen = values[:, columns], block.sizes[columns], least[columns], g[columns], scale[columns]
        found.append((columns, SkewedNoise(*chosen)))
    columns = np.flatnonzero(two)
    if columns.size:
        raw, of_these = values[:, columns], modes.of(columns)
        upper = of_these.chance_upper(residuals[:, columns])
        gap = of_these.upper - of_these.lower
        single = np.where(of_these.share_upper > 0.5, raw + gap * (1.0 - upper), raw - gap * upper)
        single = np.where(block.inside[:, columns], single, 0.0)
        found.append((columns, BimodalNoise(raw, single, block.sizes[columns], of_these)))
    return found


def _autocorrelation(squares: FloatArray, products: FloatArray) -> FloatArray:
    return np.clip(products / np.where(squares > 0, squares, 1.0), 0.0, _MOST_AUTOCORRELATED)


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
    curved = g * (high - median) / np.expm1(np.where(clear, g, 1.0) * 1.2816)
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
    centres = np.linspace(-_BIN_SPAN, _BIN_SPAN, _BINS)[:, None]
    best, best_likelihood = None, np.full(count, -np.inf)
    for share, lower, upper in ((0.7, -1.2, 0.7), (0.3, -0.7, 1.2)):
        modes = TwoModes(*(np.full(count, start) for start in (share, lower, upper, 0.6)))
        for _ in range(_FIT_ROUNDS):
            modes = _maximised(modes, counts, centres, sizes)
        likelihood = totals(counts * modes.log_density(centres))
        better = likelihood > best_likelihood
        best_likelihood = np.where(better, likelihood, best_likelihood)
        best = modes if best is None else _chosen(better, modes, best)
    assert best is not None
    return TwoModes(best.share_upper, best.lower * sd, best.upper * sd, best.sd * sd), 2.0 * best_likelihood + sizes


def _maximised(modes: TwoModes, counts: FloatArray, centres: FloatArray, sizes: IndexArray) -> TwoModes:
    upper = counts * modes.chance_upper(centres)
    lower = counts - upper
    of_upper, of_lower = np.maximum(totals(upper), 1e-9), np.maximum(totals(lower), 1e-9)
    high, low = totals(upper * centres) / of_upper, totals(lower * centres) / of_lower
    variance = totals(upper * (centres - high) ** 2 + lower * (centres - low) ** 2) / sizes
    return TwoModes(np.clip(of_upper / sizes, 0.02, 0.98), low, high, np.maximum(np.sqrt(variance), 0.15))


def _chosen(first: BoolArray, one: TwoModes, other: TwoModes) -> TwoModes:
    return TwoModes(
        np.where(first, one.share_upper, other.share_upper),
        np.where(first, one.lower, other.lower),
        np.where(first, one.upper, other.upper),
        np.where(first, one.sd, other.sd),
    )
