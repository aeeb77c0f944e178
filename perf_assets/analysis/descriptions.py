"""What a change point is like: where it may lie, how large it is, how sure it is, and of what kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from perf_assets.analysis import segmentation
from perf_assets.analysis.fits import Lines, Sums, bent_line, levels, lines, step_on_line
from perf_assets.analysis.local_steps import QUIETER, LocalStep
from perf_assets.analysis.long_run import long_run_excess
from perf_assets.analysis.noise import (
    Noise,
    PresentFit,
    autocorrelation_from,
    noises,
    rounding_variance,
    without_outliers,
)
from perf_assets.analysis.outnumbering import evidence_of_numbers
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray
from perf_assets.analysis.steps import SHORTEST, step_gains_beside_line
from perf_assets.analysis.stretches import (
    Block,
    BoolArray,
    IndexArray,
    cut_out,
    in_blocks,
    neighbours,
    pack,
    quantiles,
    sorted_down,
    totals,
)

COLUMNS = (
    "series", "index", "low", "high", "before", "after", "size", "size_low", "size_high", "noise", "p_value",
    "confirmed", "sharp", "points_after", "settles_after", "kind",
)  # fmt: skip
_LOCATION_DROP = 7.35
"""Fall of 2 log likelihood that bounds the 95 % interval of a location. Source: Hansen (2000), Econometrica 68."""
_LEAST_GAIN = 2.0
ALL_LOOKS, _SHORT_HISTORY = 19.0, 20.0
_USUAL_SIZE = 200.0
"""Values for which the penalties of `segmentation` hold; in a longer series as many more windows are searched."""
_SHARP = 20.0
"""2 log likelihood by which a step is better than a line; a drift of 2 standard deviations seldom comes near that."""
_FEW = 20
"""Values of a level below which their number must bear the step as well as their distance."""
_SEEN_ONCE, _SEEN = 1, 0.02
"""Values of the longer level, and their share of it, that may lie beyond the middle of the two by chance."""
_PLACES_OF_STEP = 20.0
"""As many independent places as a step of one length is looked for at."""
_BEYOND_DOUBT = 1e-5
"""Chance of a step by its levels alone, below which it is confirmed: as rare as `ALL_LOOKS` is in a long history."""
_SETTLED, _SETTLED_IF_REPEATED, _REPEATED = 12, 16, 3.0
"""Values of a new level that settle that there is one, if the step is significant; the same where three or more values
are worth one independent one."""
_SPREAD_AT = 3.3
_BURST_SHARE = 0.2
_FAR = 3.5


def describe_levels(series: Sequence[FloatArray], cuts: Sequence[IndexArray]) -> pd.DataFrame:
    """One row a cut with the COLUMNS, in order of series and index.

    `series`: finite values around 0 of magnitude about 1, at least one each; `cuts`: inner indices, ascending. `series`
    in the table is the position in the sequence; levels and sizes are in the unit of the values, sizes with 95 %
    intervals; `noise` is the standard deviation of one value of the level before; `p_value` is of no change, for the
    best of all places; `confirmed`: the evidence is more than a month of hourly looks at an unchanged series brings up
    in 98 of 100 series; `sharp`: a line explains the values so much worse that no drift looks like this;
    `settles_after`: values of the new level after which it is known to last; `kind` is `step`; or `drift` where a line
    explains the values better, `spread` where only their scatter changed, `outlier_burst` where only outliers did.
    """
    raw = pack(list(series))
    block = Block(without_outliers(raw), raw.inside, raw.sizes)
    column = np.repeat(np.arange(len(series)), [c.size for c in cuts])
    cut = np.concatenate([np.asarray(c, dtype=np.intp) for c in cuts])
    residuals = segmentation.level_residuals(block, block.values, column, cut)
    excess = long_run_excess(residuals, block.sizes)
    least = np.maximum(rounding_variance(raw, block.values), 1e-300)
    start, end = neighbours(column, cut, block.sizes)
    parts = []
    for columns, noise in noises(block, block.values, residuals, least):
        mine = np.flatnonzero(np.isin(column, columns))
        if mine.size:
            present = PresentFit.of(residuals[:, columns], np.arange(columns.size))
            stretches = _Stretches(np.searchsorted(columns, column[mine]), start[mine], cut[mine], end[mine])
            values = raw.values[:, columns], block.values[:, columns]
            tables = _described(*values, noise, present, excess[columns], stretches)
            parts += [table.assign(series=columns[table["series"].to_numpy()]) for table in tables]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(parts, ignore_index=True).sort_values(["series", "index"], ignore_index=True)
    own = _cleaned_by_level(series, cuts, raw)
    local = LocalStep.of(own, raw.sizes, np.maximum(rounding_variance(raw, own), 1e-300), column, cut)
    return _with_local(table, local, raw.sizes[column], start, cut, end)[list(COLUMNS)]


def _cleaned_by_level(series: Sequence[FloatArray], cuts: Sequence[IndexArray], raw: Block) -> FloatArray:
    """Values without outliers, shape of the block; how far off an outlier is depends on the noise of its level."""
    levels_of = [np.split(values, inner) for values, inner in zip(series, cuts, strict=True)]
    every = pack([level for levels_ in levels_of for level in levels_])
    cleaned = without_outliers(every)
    own, number = np.zeros(raw.values.shape), 0
    for position, levels_ in enumerate(levels_of):
        sizes = every.sizes[number : number + len(levels_)]
        own[: raw.sizes[position], position] = np.concatenate(
            [cleaned[:size, number + k] for k, size in enumerate(sizes)]
        )
        number += len(levels_)
    return own


def _with_local(
    table: pd.DataFrame, local: LocalStep, sizes: IndexArray, start: IndexArray, cut: IndexArray, end: IndexArray
) -> pd.DataFrame:
    """The table, its rows in the order of the other arguments, with what the levels beside each step say by themselves;
    steps on a drift stay as they are.

    Of two tests of one step the smaller p-value counts, each for the best of all places. Where the longer level has
    values of the shorter one as well, these must bear the step by their number.
    """
    plain = ~table["drifting"].to_numpy(dtype=bool)
    places = _places_of_level(start, cut, end, sizes) * np.maximum(sizes / _USUAL_SIZE, 1.0)
    numbers = table["numbers"].to_numpy() / local.repeated - 2.0 * np.log(places)
    of_numbers = np.where(table["seen_before"], _p_value(numbers, end - start), 0.0)
    p_value = np.where(plain, np.clip(_PLACES_OF_STEP * places * local.p_value, of_numbers, 1.0), 1.0)
    size = local.after - local.before
    found = {
        "before": local.before, "after": local.after, "size": size, "size_low": size - local.margin,
        "size_high": size + local.margin,
    }  # fmt: skip
    scattered = (table["kind"] == "spread").to_numpy() & (p_value <= _BEYOND_DOUBT)
    return table.assign(
        **{name: np.where(plain, values, table[name]) for name, values in found.items()},
        # Beside a drift, what it leaves; unless the values next to the step say that most of that lies far away.
        noise=np.where(plain | (local.noise < QUIETER * table["noise"]), local.noise, table["noise"]),
        p_value=np.minimum(p_value, table["p_value"]),
        confirmed=table["confirmed"].to_numpy(dtype=bool) | (p_value <= _BEYOND_DOUBT),
        settles_after=np.where(local.repeated >= _REPEATED, _SETTLED_IF_REPEATED, _SETTLED),
        kind=np.where(scattered, "step", table["kind"]),
    )


@dataclass(frozen=True)
class _Stretches:
    """Columns, and the values [start, end) around each cut; each of shape (k,)."""

    column: IndexArray
    start: IndexArray
    cut: IndexArray
    end: IndexArray


def _described(
    raw: FloatArray,
    clean: FloatArray,
    noise: Noise,
    present: PresentFit,
    excess: FloatArray,
    all_of_them: _Stretches,
) -> Iterator[pd.DataFrame]:
    for chosen in in_blocks(all_of_them.end - all_of_them.start):
        s = _Stretches(*(getattr(all_of_them, name)[chosen] for name in ("column", "start", "cut", "end")))
        block = cut_out(clean, s.column, s.start, s.end)
        row = s.cut - s.start
        sums = Sums(block)
        ways = _Ways.of(sums, row)
        rest = ways.plain.residuals(block, block.values)
        size_of_series = noise.sizes[s.column].astype(np.float64)
        fits = _Costs.of(noise, present, s)
        variance_of_one, r = _noise_beside(sums, ways, fits, present, s.column, size_of_series)
        variance = variance_of_one * (1.0 + r) / (1.0 - r)
        count_before, count_after = row, block.sizes - row
        low, high = _places(sums, row, r, variance_of_one * (1.0 - r**2), fits.drifting)
        before, after, values_worth = _levels_beside(row, ways, fits)
        size = after - before
        degrees = np.maximum((count_before + count_after) * (1.0 - r) / (1.0 + r) - 2.0, 1.0)
        margin = special.stdtrit(degrees, 0.975) * np.sqrt(variance / values_worth)
        evidence = fits.evidence / np.where(fits.drifting, _excess_beside_drift(sums, ways, fits), excess[s.column])
        places = _places_of_level(s.start, s.cut, s.end, noise.sizes[s.column])
        # A few values of a heavy tail side by side look like a level, however far off they are.
        few = (places > 1) | (np.minimum(count_before, count_after) < _FEW)
        # The values as they came: in a cluster of outliers the others look like outliers.
        as_came = cut_out(raw, s.column, s.start, s.end)
        middle = (before + after) / 2.0
        numbers = evidence_of_numbers(as_came, row, middle)
        evidence = np.where(few, np.minimum(evidence, numbers * (1.0 - r) / (1.0 + r)), evidence)
        evidence -= 2.0 * np.log(places * np.maximum(size_of_series / _USUAL_SIZE, 1.0))
        yield pd.DataFrame(
            {
                "series": s.column,
                "index": s.cut,
                "low": s.start + low,
                "high": s.start + high,
                "before": before,
                "after": after,
                "size": size,
                "size_low": size - margin,
                "size_high": size + margin,
                "noise": np.sqrt(variance_of_one),
                "p_value": _p_value(evidence, block.sizes),
                "confirmed": evidence >= bar_of_all_looks(block.sizes),
                "sharp": fits.sharp,
                "points_after": count_after,
                "kind": _kind(raw, block, s, rest, r, fits),
                "drifting": fits.drifting,
                "seen_before": _seen_before(as_came, row, middle),
                "numbers": numbers,
            }
        )


def bar_of_all_looks(sizes: IndexArray | FloatArray) -> FloatArray:
    """2 log likelihood ratio that 98 of 100 unchanged series never reach in a month of looks, one every hour."""
    return np.asarray(ALL_LOOKS * (1.0 + _SHORT_HISTORY / sizes))


@dataclass(frozen=True)
class _Ways:
    """What changes at the cut: levels, a line raised by a step, or one line for another."""

    plain: Lines
    on_line: Lines
    two_lines: Lines

    @classmethod
    def of(cls, sums: Sums, row: IndexArray) -> _Ways:
        return cls(levels(row)(sums), step_on_line(row)(sums), lines(row)(sums))


def _noise_beside(
    sums: Sums, ways: _Ways, fits: _Costs, present: PresentFit, column: IndexArray, size: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(variance of one value, its autocorrelation), each of shape (k,): in the whole series, of what the levels leave;
    beside a step on a drift, of what both leave there.
    """
    count = np.where(fits.drifting, sums.block.sizes, size)
    ways_left = (
        (present.squares[-1, column], present.products[-1, column]),
        *(way.left_over(sums) for way in (ways.on_line, ways.two_lines)),
    )
    squares, products = (fits.chosen(*each) for each in zip(*ways_left, strict=True))
    r = autocorrelation_from(squares, products)
    return squares / np.maximum(count - 1.0, 1.0), np.clip(r + (1.0 + 3.0 * r) / count, 0.0, 0.95)


def _excess_beside_drift(sums: Sums, ways: _Ways, fits: _Costs) -> FloatArray:
    """Of what a step and the drift with it leave around the cut, shape (k,)."""
    block = sums.block
    on_line, two_lines = (way.residuals(block, block.values) for way in (ways.on_line, ways.two_lines))
    return long_run_excess(np.where(fits.bending, two_lines, on_line), block.sizes)


def _levels_beside(row: IndexArray, ways: _Ways, fits: _Costs) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(level before, level after, independent values that would tell their difference as well), each of shape (k,).

    The means on both sides; of a step on a drift where the drift comes to the cut, and where it goes on.
    """
    first, size = row.astype(np.float64), ways.plain.edges[-1].astype(np.float64)
    last = size - first
    every = (ways.plain, ways.on_line, ways.two_lines)
    before, after = ([way.origin[side] + way.slope[side] * (first - 0.5) for way in every] for side in (0, 1))
    plain = first * last / size
    # A line goes along with a step in part; where each side has a line of its own, its end tells little.
    beside_line = plain * (1.0 - 3.0 * first * last / np.maximum(size**2 - 1.0, 1.0))
    worth = fits.chosen(plain, np.maximum(beside_line, 1e-3), plain / 4.0)
    return fits.chosen(*before), fits.chosen(*after), worth


def _places(
    sums: Sums, row: IndexArray, autocorrelation: FloatArray, variance: FloatArray, drifting: BoolArray
) -> tuple[IndexArray, IndexArray]:
    """First and last row at which the step (where `drifting`, on a line) is nearly as likely as at `row`.

    A level of fewer values than a level has elsewhere is known to begin where it does.
    """
    from_level, beside_line = step_gains_beside_line(sums, autocorrelation)
    gains = np.where(drifting, beside_line, from_level)
    own = gains[row, np.arange(row.size)]
    likely = (gains >= own - _LOCATION_DROP * variance) & (gains > 0) & (own > 0)
    likely[row, np.arange(row.size)] = True
    return likely.argmax(axis=0), likely.shape[0] - 1 - likely[::-1].argmax(axis=0)


@dataclass(frozen=True)
class _Costs:
    """-2 log likelihood of the stretch by its fit, shape (k,)."""

    level: FloatArray
    line: FloatArray
    bent: FloatArray
    step: FloatArray
    step_on_line: FloatArray
    two_lines: FloatArray
    shorter: IndexArray
    """Values on the shorter side of the cut."""

    @classmethod
    def of(cls, noise: Noise, present: PresentFit, s: _Stretches) -> _Costs:
        stretches, row = noise.stretches(s.column, s.start, s.end), s.cut - s.start
        level, line, bent, step, on_line, two_lines = (
            noise.deviance(stretches, noise.fitted(stretches, fit), present)
            for fit in (levels(), lines(), bent_line, levels(row), step_on_line(row), lines(row))
        )
        shorter = np.minimum(row, stretches.sums.block.sizes - row)
        return cls(level, line, bent, step, on_line, two_lines, shorter)

    @property
    def cut(self) -> FloatArray:
        """With the penalty, of the best that changes at the cut."""
        on_drift = np.minimum(self.step_on_line + segmentation.STEP_ON_LINE, self.two_lines + segmentation.TWO_LINES)
        return np.asarray(np.minimum(self.step + segmentation.STEP, on_drift))

    @property
    def smooth(self) -> FloatArray:
        """With the penalty, of the best drift."""
        return np.minimum(self.line + segmentation.LINE, self.bent + segmentation.BENT_LINE)

    @property
    def drifting(self) -> BoolArray:
        """Is the step one on a drift? A few values do not tell a drift from the end of a level."""
        better = (self.cut < self.step + segmentation.STEP) & (self.cut < self.smooth)
        return np.asarray(better & (self.shorter >= _FEW))

    @property
    def bending(self) -> BoolArray:
        """Has the drift another slope after the step?"""
        return self.two_lines + segmentation.TWO_LINES < self.step_on_line + segmentation.STEP_ON_LINE

    def chosen(self, plain: FloatArray, on_line: FloatArray, two_lines: FloatArray) -> FloatArray:
        """Of each stretch what belongs to its way, each of shape (k,)."""
        return np.where(self.drifting, np.where(self.bending, two_lines, on_line), plain)

    @property
    def evidence(self) -> FloatArray:
        """By which a step is better than the same without it."""
        on_drift = np.where(self.bending, self.bent - self.two_lines, self.line - self.step_on_line)
        return np.asarray(np.where(self.drifting, on_drift, self.level - self.step))

    @property
    def sharp(self) -> BoolArray:
        """Does no drift look like this?"""
        on_drift = self.bent - np.minimum(self.step_on_line, self.two_lines)
        return np.asarray((self.line - self.step >= _SHARP) | (self.drifting & (on_drift >= _SHARP)))


def _p_value(gain: FloatArray, size: IndexArray) -> FloatArray:
    """Of the largest gain over all places of a step, if there is none.

    Source: Miller & Siegmund (1982), Maximally selected chi square statistics.
    """
    b = np.sqrt(np.maximum(gain, _LEAST_GAIN))
    inner = SHORTEST / np.maximum(size, 2 * SHORTEST + 1)
    places = 2.0 * np.log((1.0 - inner) / inner)
    density = np.exp(-(b**2) / 2.0) / np.sqrt(2.0 * np.pi)
    return np.where(gain > _LEAST_GAIN, np.minimum(b * density * ((1.0 - b**-2) * places + 4.0 * b**-2), 1.0), 1.0)


def _seen_before(as_came: Block, row: IndexArray, middle: FloatArray) -> BoolArray:
    """Has the longer level more than a stray value beyond the middle of the two, where the shorter one has few?"""
    first, upper = as_came.rows < row, as_came.values > middle
    across = []
    for side in (first & as_came.inside, ~first & as_came.inside):
        above = np.count_nonzero(upper & side, axis=0)
        across.append(np.minimum(above, np.count_nonzero(side, axis=0) - above))
    count = np.stack((row, as_came.sizes - row))
    longer = np.where(count[0] > count[1], *across)
    return np.asarray((count.min(axis=0) < _FEW) & (longer > np.maximum(_SEEN_ONCE, _SEEN * count.max(axis=0))))


def _places_of_level(start: IndexArray, cut: IndexArray, end: IndexArray, sizes: IndexArray) -> FloatArray:
    """How many places a level as short as the shorter one beside the cut could have had in series of these sizes.

    A level that lies between two cuts was found among all levels of its length; one that the series begins or ends with
    has its place.
    """
    before = np.where(start > 0, cut - start, sizes)
    after = np.where(end < sizes, end - cut, sizes)
    return np.asarray(sizes / np.minimum(before, after))


def _kind(
    raw: FloatArray, block: Block, s: _Stretches, rest: FloatArray, autocorrelation: FloatArray, fits: _Costs
) -> np.ndarray:
    is_step, is_drift = fits.cut <= fits.level, (fits.smooth < fits.cut) & (fits.smooth < fits.level)
    first = block.rows < s.cut - s.start
    spread = np.abs(_spread_change(block, rest, first, autocorrelation)) > _SPREAD_AT
    burst = _outliers_differ(cut_out(raw, s.column, s.start, s.end), block, first)
    return np.select([is_drift, is_step, burst, spread], ["drift", "step", "outlier_burst", "spread"], "step")


def _spread_change(block: Block, rest: FloatArray, first: np.ndarray, autocorrelation: FloatArray) -> FloatArray:
    """Change of the log variance in standard errors, with fewer values where they are autocorrelated."""
    logs, errors = [], []
    for part in (first & block.inside, ~first & block.inside):
        count = np.maximum(np.count_nonzero(part, axis=0), 2)
        logs.append(np.log(np.maximum(totals(np.where(part, rest**2, 0.0)) / (count - 1), 1e-300)))
        errors.append(2.0 / (count - 1) * (1.0 + autocorrelation**2) / (1.0 - autocorrelation**2))
    return np.asarray((logs[1] - logs[0]) / np.sqrt(errors[0] + errors[1]))


def _outliers_differ(raw: Block, block: Block, first: np.ndarray) -> np.ndarray:
    """Is a fifth of the values far off on one side of the cut only?"""
    median = quantiles(sorted_down(block.values, block.inside), block.sizes, 0.5)
    distance = np.abs(raw.values - median)
    sd = MAD_TO_SD * quantiles(sorted_down(distance, block.inside), block.sizes, 0.5)
    far = (distance > _FAR * sd) & block.inside
    shares = [
        np.count_nonzero(far & part, axis=0) / np.maximum(np.count_nonzero(part & block.inside, axis=0), 1)
        for part in (first, ~first)
    ]
    return np.asarray((np.maximum(*shares) >= _BURST_SHARE) & (np.minimum(*shares) < _BURST_SHARE / 4.0))
