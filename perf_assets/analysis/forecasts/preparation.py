"""Histories made ready for a forecast: gaps filled, what lies before a step moved onto the present level, bounds.

Belongs here: what is done to values before any method sees them. Does not belong here: rectangles (grids), methods.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.statistics import FloatArray


def borne_out_bounds(history: pd.DataFrame) -> pd.DataFrame | None:
    """lowest and highest by unique_id, as far as the values bear them out."""
    given = [name for name in ("lowest", "highest") if name in history]
    if not given:
        return None
    own = history.groupby("unique_id").agg(
        smallest=("y", "min"), largest=("y", "max"), **{name: (name, "first") for name in given}
    )
    own = own.reindex(columns=["smallest", "largest", "lowest", "highest"]).astype(np.float64)
    return pd.DataFrame(
        {
            "lowest": own["lowest"].where(own["smallest"] >= own["lowest"], -np.inf),
            "highest": own["highest"].where(own["largest"] <= own["highest"], np.inf),
        }
    )


def without_gaps(values: FloatArray, cycle: int) -> FloatArray:
    """`values`, shape (s, t), with NaN replaced by the value a cycle before, else a cycle later, else the nearest."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    filled = values.copy()
    columns = np.flatnonzero(gaps.any(axis=0))
    for shift, order in ((-cycle, columns), (cycle, columns[::-1])):
        for column in order:
            if 0 <= column + shift < values.shape[1]:
                rows = np.isnan(filled[:, column])
                filled[rows, column] = filled[rows, column + shift]
    if np.isnan(filled).any():
        filled = pd.DataFrame(filled.T).ffill().bfill().to_numpy(dtype=np.float64).T
    return filled


def on_one_level(values: FloatArray, level_from: npt.NDArray[np.int64], cycle: int) -> tuple[FloatArray, FloatArray]:
    """`values`, shape (s, t), with what lies before the present level moved onto it, and by how many half widths of an
    interval the new level itself is in doubt, shape (s,).
    """
    doubt = np.zeros(len(values))
    if not level_from.any():
        return values, doubt
    moved = values.copy()
    for row in np.flatnonzero(level_from):
        begin = int(level_from[row])
        after, before = values[row, begin:], values[row, max(begin - max(4 * cycle, 14), 0) : begin]
        # The same places of the cycle on both sides, where the new level does not hold whole ones.
        if after.size < cycle and before.size >= cycle:
            alike = (np.arange(-before.size, 0) % cycle)[:, None] == (np.arange(after.size) % cycle)[None, :]
            before = before[alike.any(axis=1)]
        new, old = float(np.median(after)), float(np.median(before))
        past = values[row, :begin]
        # What grows with its level is multiplied, what can be 0 or negative is shifted.
        if past.min() > 0 and new > 0 and old > 0:
            moved[row, :begin] = past * (new / old)
        else:
            moved[row, :begin] = past + (new - old)
        doubt[row] = 1.0 / np.sqrt(after.size)
    return moved, doubt
