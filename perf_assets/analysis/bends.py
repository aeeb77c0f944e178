"""Bends: where a drift begins or ends, between the changes of level that `change_points.detect` gives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.change_points import detect
from perf_assets.analysis.cycles import without_cycles
from perf_assets.analysis.fits import Lines, Sums, bent_line, lines
from perf_assets.analysis.noise import autocorrelation_from, innovations_from, rounding_variance, without_outliers
from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import Block, IndexArray, in_blocks, normalised, pack

_FEWEST = 20
"""Values of a stretch in which a bend is looked for."""
_SHORTEST = 8
"""Values before and after a bend, at least."""
_EVIDENCE = 18.0
"""By how much a bend must raise 2 log likelihood over a straight line: about the 99.9 % point of the best of all places
in noise of 200 values."""
_AWAY = 1.0
"""Standard deviations of a value by which the bent line must leave the straight one somewhere."""


def find_bends(values: npt.ArrayLike) -> IndexArray:
    """0-based indices at which the slope of a series changes while its level does not jump, ascending.

    `values`: shape (n,), in time order and evenly spaced; NaN and infinities are gaps. Within each level that `detect`
    finds, a line with one bend must be likelier than a straight one, each with its own variance and autocorrelation,
    and leave it by the noise of a value at least; then each side is looked at again, and at last each bend between its
    neighbours.

    Source: Baranowski, Chen & Fryzlewicz (2019), Narrowest-over-threshold detection of multiple change points and
    change-point-like features, for continuous piecewise-linear means; here by binary segmentation.
    """
    series = np.asarray(values, dtype=np.float64)
    if np.count_nonzero(np.isfinite(series)) < _FEWEST:
        return np.empty(0, dtype=np.intp)
    shares, _, _ = normalised([series])
    level = without_cycles(shares)[0]
    places = np.flatnonzero(np.isfinite(level))
    observed = level[places]
    edges = np.searchsorted(places, [0, *detect(series), series.size])
    levels = [observed[start:end] for start, end in pairwise(edges)]
    found = [start + bend for start, bends in zip(edges, bends_of_levels(levels), strict=False) for bend in bends]
    return np.asarray(places[np.array(found, dtype=np.intp)], dtype=np.intp)


def bends_of_levels(levels: Sequence[FloatArray]) -> list[list[int]]:
    """Of each level, finite values, the indices of its bends, ascending, whatever steps there are among the values."""
    found: list[list[int]] = [[] for _ in levels]
    waiting = [(owner, 0, values.size) for owner, values in enumerate(levels)]
    while waiting:
        divided = []
        for (owner, start, end), bend in zip(waiting, _bends(levels, waiting), strict=True):
            if bend:
                found[owner].append(start + bend)
                divided += [(owner, start, start + bend), (owner, start + bend, end)]
        waiting = divided
    edges = [[0, *sorted(bends), values.size] for bends, values in zip(found, levels, strict=True)]
    # With a second bend still inside, the first one lies between the two.
    around = [(owner, start, end) for owner, of in enumerate(edges) for start, end in zip(of, of[2:], strict=False)]
    again: list[set[int]] = [set() for _ in levels]
    for (owner, start, _), bend in zip(around, _bends(levels, around), strict=True):
        again[owner].add(start + bend)
    return [sorted(bends - set(of[:-2])) for bends, of in zip(again, edges, strict=True)]


def _bends(levels: Sequence[FloatArray], stretches: Sequence[tuple[int, int, int]]) -> list[int]:
    """Index of the bend within each stretch (number of the level, start, end), 0 for none."""
    found = np.zeros(len(stretches), dtype=np.intp)
    sizes = np.array([end - start for _, start, end in stretches], dtype=np.intp)
    enough = np.flatnonzero(sizes >= _FEWEST)
    for chosen in in_blocks(sizes[enough]):
        own = enough[chosen]
        found[own] = _of_block(pack([levels[owner][start:end] for owner, start, end in (stretches[k] for k in own)]))
    return found.tolist()


def _of_block(raw: Block) -> IndexArray:
    """The same for the columns of a block, shape (k,)."""
    clean = without_outliers(raw)
    block = Block(clean, raw.inside, raw.sizes)
    sums, least = Sums(block), rounding_variance(raw, clean)
    straight, bent = lines()(sums), bent_line(sums)
    bend = bent.edges[1]
    before, after = (_innovations(fit, sums, least) for fit in (straight, bent))
    gain = np.log(np.where(before > 0, before, 1.0) / np.where(before > 0, np.maximum(after, 1e-300), 1.0))
    away = np.abs(block.masked(bent.fitted(block) - straight.fitted(block))).max(axis=0)
    spread = np.sqrt(bent.left_over(sums)[0] / raw.sizes + least)
    stands = (bend >= _SHORTEST) & (bend <= raw.sizes - _SHORTEST)
    stands &= ((raw.sizes - 3.0) * gain >= _EVIDENCE) & (away >= _AWAY * spread)
    return np.where(stands, bend, 0)


def _innovations(fit: Lines, sums: Sums, least: FloatArray) -> FloatArray:
    """Variance of what neither the fit nor the value before foretells, times the number of values, shape (k,)."""
    squares, products = fit.left_over(sums)
    squares = squares + least * sums.block.sizes
    return innovations_from(squares, products, autocorrelation_from(squares, products))
