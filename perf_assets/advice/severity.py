"""How bad a change is beside others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_UNKNOWN_SIZE = float(np.log(2.0))
"""What a change from nothing counts for among the others: as much as a doubling."""


def badness(changes: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Of rows of regressions, shape (rows,): the ratio of the levels, on the scale of logarithms, so that half counts
    as much as double, times the root of the number of series that moved.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.abs(np.log1p(changes["change"].to_numpy(dtype=np.float64)))
    known = np.where(np.isfinite(size), size, _UNKNOWN_SIZE)
    return np.asarray(known * np.sqrt(changes["members"].to_numpy(dtype=np.float64)))
