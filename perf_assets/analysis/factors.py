"""Factors: whether the level of a metric goes with the test, the type of test, the node or the type of node.

Shares are of the variance between cells, one cell being the level of one series. Adjusted R² (Wherry 1931) is taken and
not omega squared, since the same formula holds where cells are unequal in number and for what one factor adds to
others, and since it is 0 on average where there is no effect, whatever the number of settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg
from perf_assets.tables import METRIC_FACTORS

CodeArray = npt.NDArray[np.intp]

FACTORS = {"test": "test_name", "test type": "test_type", "node": "node_id", "node type": "node_type"}
"""Factors and their columns."""
FACTOR_COLUMNS = METRIC_FACTORS.names
TOGETHER = "the others together"
_KNOWN = 0.5
"""Share of the cells of a metric for which a factor must be known."""
_EQUAL = 1e-9
"""Logarithms, and values as a share of the largest, that differ by less are equal."""


def factor_shares(cells: pd.DataFrame) -> pd.DataFrame:
    """Which factor goes with which metric, and with what share: FACTOR_COLUMNS, one row a project, metric and factor.

    `cells`: project, metric, value (the level of one series, any unit, NaN where there is none), test_name, test_type,
    node_id, node_type (missing where a series has none). A factor is judged where at least half of the cells of a
    metric have it and it has two settings; cells without one of these factors are left out. Logarithms are taken where
    all values are above 0.

    `share` is the adjusted R² of the factor alone and `unique_share` what it adds to that of all others together, where
    one below 0 counts as 0; both are NaN where no cells are left to tell an effect from noise. `p_value` is of the F
    test of what it adds to the others. `confounded_with` names the factors that determine this one, as a node
    determines its type, or says that the others do so together; there is no unique share then. Cells of one node are
    no independent evidence about its type, so a type is tested on the effects of its nodes (nested analysis of
    variance; Scheffé 1959), and its share is what it explains of these effects, times the share of the nodes. Where
    several factors determine one, that by which there is least counts; where two determine each other, the F test of
    one leaves the other out. `q_value` is the false-discovery rate over all rows.

    `highest` and `lowest` are the settings with the largest and the smallest effect, others held equal where the cells
    allow it; the ratios are to the median setting, NaN where no logarithms were taken.
    """
    columns = list(FACTORS.values())
    finite = cells[np.isfinite(cells["value"].to_numpy(dtype=np.float64, na_value=np.nan))]
    # Sums in one order have the same digits in whatever order the rows come.
    ordered = finite.sort_values(["project", "metric", *columns, "value"], kind="stable")
    rows = [
        {"project": project, "metric": metric, **row}
        for (project, metric), own in ordered.groupby(["project", "metric"], sort=True)
        for row in _rows(own)
    ]
    table = pd.DataFrame(rows, columns=list(FACTOR_COLUMNS))
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64))
    return table


def _rows(cells: pd.DataFrame) -> Iterator[dict[str, object]]:
    known = [column for column in FACTORS.values() if cells[column].notna().mean() >= _KNOWN]
    complete = cells.dropna(subset=known)
    names: dict[str, npt.NDArray[np.object_]] = {}
    codes: dict[str, CodeArray] = {}
    for factor, column in FACTORS.items():
        if column in known and complete[column].nunique() > 1:
            codes[factor], settings = pd.factorize(complete[column].astype(object), sort=True)
            names[factor] = np.asarray(settings, dtype=object)
    values = complete["value"].to_numpy(dtype=np.float64)
    logarithms = bool((values > 0).all())
    if not codes:
        return
    scaled = np.log(values) if logarithms else values / max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    design = _Design(scaled - scaled.mean(), codes)
    for factor, settings in names.items():
        effects = np.round(design.effects(factor), 9)
        highest, lowest = int(effects.argmax()), int(effects.argmin())
        ratios = np.exp(effects - np.median(effects)) if logarithms else np.full(effects.size, np.nan)
        apart = highest != lowest
        yield {
            "factor": factor,
            "settings": settings.size,
            "cells": values.size,
            "share": design.share(factor),
            "unique_share": design.unique_share(factor),
            "p_value": design.p_value(factor),
            "highest": settings[highest] if apart else None,
            "highest_ratio": ratios[highest] if apart else np.nan,
            "lowest": settings[lowest] if apart else None,
            "lowest_ratio": ratios[lowest] if apart else np.nan,
            "confounded_with": design.confounded_with(factor),
        }


@dataclass(frozen=True)
class _Fit:
    """Least squares on indicators: squares left, dimensions of the model, and effects of the settings of each factor
    that no other one of the model determines."""

    squares: float
    rank: int
    effects: dict[str, FloatArray]


@dataclass(frozen=True)
class _Design:
    """`values` of mean 0, shape (n,), and the number of each one's setting of every factor."""

    values: FloatArray
    codes: dict[str, CodeArray]

    @cached_property
    def _fits(self) -> dict[tuple[str, ...], _Fit]:
        return {}

    @cached_property
    def _determining(self) -> dict[str, tuple[str, ...]]:
        """Of each factor, the others of which every setting comes with only one of its settings."""
        return {
            factor: tuple(
                other
                for other, others in self.codes.items()
                if other != factor and np.unique(others * (own.max() + 1) + own).size == others.max() + 1
            )
            for factor, own in self.codes.items()
        }

    def others(self, factor: str) -> tuple[str, ...]:
        return tuple(other for other in self.codes if other != factor)

    def confounded_with(self, factor: str) -> str | None:
        named = ", ".join(self._determining[factor])
        added = self.fit(tuple(self.codes)).rank - self.fit(self.others(factor)).rank
        return named or (None if added else TOGETHER)

    def fit(self, factors: tuple[str, ...]) -> _Fit:
        # What another factor of the model determines adds nothing, and would make the matrices larger.
        kept = tuple(
            factor
            for place, factor in enumerate(factors)
            if not any(
                other in self._determining[factor]
                and (factor not in self._determining[other] or factors.index(other) < place)
                for other in factors
            )
        )
        if kept not in self._fits:
            self._fits[kept] = _least_squares(self.values, {factor: self.codes[factor] for factor in kept})
        return self._fits[kept]

    def share(self, factor: str) -> float:
        """Adjusted R² of the factor alone."""
        finer = self._finer(factor)
        if not finer:
            return self._adjusted((factor,))
        # NaN where one of them has no more settings than the factor.
        return float(
            np.min([self._adjusted((other,)) * self._nested(factor, other)._adjusted((factor,)) for other in finer])
        )

    def unique_share(self, factor: str) -> float:
        everything, others = tuple(self.codes), self.others(factor)
        if self.fit(everything).rank == self.fit(others).rank:
            return float("nan")
        return float(np.maximum(self._adjusted(everything) - self._adjusted(others), 0.0))

    def _adjusted(self, factors: tuple[str, ...]) -> float:
        """Adjusted R² of a model, at least 0; NaN where nothing varies and where no values are left to tell noise."""
        total, model = self.fit(()), self.fit(factors)
        freedom = self.values.size - model.rank
        if freedom <= 0 or total.squares == 0.0:
            return float("nan")
        return float(max(1.0 - model.squares / freedom / (total.squares / (self.values.size - 1)), 0.0))

    def p_value(self, factor: str) -> float:
        finer = self._finer(factor)
        if finer:
            return float(np.max([self._nested(factor, other)._added((), (factor,)) for other in finer]))
        apart = tuple(other for other in self.codes if other not in self._determining[factor])
        return self._added(tuple(other for other in apart if other != factor), apart)

    def _added(self, smaller: tuple[str, ...], larger: tuple[str, ...]) -> float:
        """p-value of the F test of what the larger model explains beyond the smaller; NaN where nothing can be."""
        from scipy.special import fdtrc

        small, large = self.fit(smaller), self.fit(larger)
        added, freedom = large.rank - small.rank, self.values.size - large.rank
        if added <= 0 or freedom <= 0 or small.squares == 0.0:
            return float("nan")
        if large.squares == 0.0:
            return 0.0
        gained = max(small.squares - large.squares, 0.0)
        return float(fdtrc(added, freedom, gained / added / (large.squares / freedom)))

    def _finer(self, factor: str) -> tuple[str, ...]:
        """Factors that determine this one and are not determined by it."""
        return tuple(other for other in self._determining[factor] if factor not in self._determining[other])

    def _nested(self, factor: str, finer: str) -> _Design:
        """The effects of the settings of `finer` as values, each with its setting of `factor`."""
        effects = self.effects(finer)
        codes = np.zeros(effects.size, dtype=np.intp)
        codes[self.codes[finer]] = self.codes[factor]
        return _Design(effects - effects.mean(), {factor: codes})

    def effects(self, factor: str) -> FloatArray:
        """Mean of each setting, unrelated factors held equal where every setting can be compared with every other."""
        unrelated = tuple(
            other
            for other in self.others(factor)
            if other not in self._determining[factor] and factor not in self._determining[other]
        )
        both = self.fit((factor, *unrelated))
        comparable = both.rank == self.codes[factor].max() + self.fit(unrelated).rank
        return (both if comparable else self.fit((factor,))).effects[factor]


def _least_squares(values: FloatArray, codes: dict[str, CodeArray]) -> _Fit:
    """Least squares of `values` on indicators of all settings, exactly.

    The indicators of one factor have a diagonal matrix of products. So the factor with most settings is eliminated
    first (Schur complement), and what is left is as small as the other factors have settings.
    """
    if not codes:
        return _Fit(_squares(values), 1, {})
    sizes = {factor: int(own.max()) + 1 for factor, own in codes.items()}
    first = max(sizes, key=lambda factor: sizes[factor])
    rest = [factor for factor in codes if factor != first]
    starts = dict(zip(rest, np.cumsum([0, *(sizes[factor] for factor in rest)]), strict=False))
    count = np.bincount(codes[first], minlength=sizes[first])
    means = _sums(values, codes[first], sizes[first]) / count
    width = sum(sizes[factor] for factor in rest)
    beside, within, target = np.zeros((sizes[first], width)), np.zeros((width, width)), np.zeros(width)
    for one in rest:
        columns = slice(starts[one], starts[one] + sizes[one])
        beside[:, columns] = _table(codes[first], codes[one], sizes[first], sizes[one])
        target[columns] = _sums(values, codes[one], sizes[one])
        for other in rest:
            within[columns, starts[other] : starts[other] + sizes[other]] = _table(
                codes[one], codes[other], sizes[one], sizes[other]
            )
    shares = beside / count[:, None]
    strengths, directions = np.linalg.eigh(within - beside.T @ shares)
    kept = strengths > 1e-9 * max(float(within.max(initial=0.0)), 1.0)
    projected = directions[:, kept].T @ (target - beside.T @ means)
    weights = directions[:, kept] @ (projected / strengths[kept])
    effects = {first: means - shares @ weights}
    effects |= {factor: weights[starts[factor] : starts[factor] + sizes[factor]] for factor in rest}
    fitted = sum((effects[factor][own] for factor, own in codes.items()), np.zeros(values.size))
    return _Fit(_squares(values - fitted), sizes[first] + int(kept.sum()), effects)


def _squares(values: FloatArray) -> float:
    """Sum of squares, 0 where the values are equal to 0 but for rounding."""
    squares = float(values @ values)
    return squares if squares > values.size * _EQUAL**2 else 0.0


def _sums(values: FloatArray, codes: CodeArray, size: int) -> FloatArray:
    return np.asarray(np.bincount(codes, weights=values, minlength=size), dtype=np.float64)


def _table(rows: CodeArray, columns: CodeArray, height: int, width: int) -> FloatArray:
    """How often each pair of settings occurs, shape (height, width)."""
    counts = np.bincount(rows * width + columns, minlength=height * width)
    return counts.reshape(height, width).astype(np.float64)
