"""Where the values of a series can lie: a duration is never negative, a share never above 1.

Belongs here: what bounds do to figures. Does not belong here: which metric has which bounds (catalog).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perf_assets.analysis.statistics import FloatArray


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest possible value, in the unit of the series; infinite where there is none."""

    lowest: float = -math.inf
    highest: float = math.inf

    def __post_init__(self) -> None:
        if not self.lowest <= self.highest:
            raise ValueError(f"the lowest value {self.lowest} is not at most the highest {self.highest}")

    def borne_out_by(self, values: npt.ArrayLike) -> Bounds:
        """These bounds without those that any of `values` lies beyond: a signed difference in seconds has none."""
        known = np.asarray(values, dtype=np.float64)
        known = known[np.isfinite(known)]
        return Bounds(
            self.lowest if (known >= self.lowest).all() else -math.inf,
            self.highest if (known <= self.highest).all() else math.inf,
        )

    def within(self, values: npt.ArrayLike) -> FloatArray:
        """Each of `values` itself, or the bound that it lies beyond; NaN stays."""
        return np.clip(np.asarray(values, dtype=np.float64), self.lowest, self.highest)
