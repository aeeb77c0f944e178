"""Bends: where a drift begins or ends, between the changes of level that `change_points.detect` gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.change_points import detect
from perf_assets.analysis.cycles import without_cycles
from perf_assets.analysis.fits import Lines, Sums, bent_line, lines
from perf_assets.analysis.noise import autocorrelation_from, innovations_from, rounding_variance, without_outliers
from perf_assets.analysis.statistics import FloatArray
from perf_assets.analysis.stretches import Block, IndexArray, normalised, pack

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
    found = [start + bend for start, end in pairwise(edges) for bend in bends_of_level(observed[start:end])]
    return np.asarray(places[np.array(found, dtype=np.intp)], dtype=np.intp)


def bends_of_level(values: FloatArray) -> list[int]:
    """Indices of the bends of finite values, ascending, whatever steps there are among them."""
    if values.size < _FEWEST:
        return []
    waiting, found = [(0, values.size)], []
    while waiting:
        start, end = waiting.pop()
        bend = _bend(values[start:end]) if end - start >= _FEWEST else 0
        if bend:
            found.append(start + bend)
            waiting += [(start, start + bend), (start + bend, end)]
    edges = [0, *sorted(found), values.size]
    # With a second bend still inside, the first one lies between the two.
    again = [start + _bend(values[start:end]) for start, end in zip(edges, edges[2:], strict=False)]
    return sorted(set(again) - set(edges[:-2]))


def _bend(values: FloatArray) -> int:
    """Index of the bend of a stretch, 0 for none."""
    raw = pack([values])
    clean = without_outliers(raw)
    block = Block(clean, raw.inside, raw.sizes)
    sums, least = Sums(block), float(rounding_variance(raw, clean)[0])
    straight, bent = lines()(sums), bent_line(sums)
    bend = int(bent.edges[1, 0])
    if not _SHORTEST <= bend <= values.size - _SHORTEST:
        return 0
    before, after = (_innovations(fit, sums, least) for fit in (straight, bent))
    evidence = (values.size - 3.0) * np.log(before / max(after, 1e-300)) if before > 0 else 0.0
    away = float(np.abs(bent.fitted(block) - straight.fitted(block)).max())
    spread = float(np.sqrt(bent.squares(sums)[0] / values.size + least))
    return bend if evidence >= _EVIDENCE and away >= _AWAY * spread else 0


def _innovations(fit: Lines, sums: Sums, least: float) -> float:
    """Variance of what neither the fit nor the value before foretells, times the number of values."""
    squares = fit.squares(sums) + least * sums.block.sizes
    products = fit.products(sums)
    return float(innovations_from(squares, products, autocorrelation_from(squares, products))[0])
