"""Costs that moved: what one phase or test of a job takes more, others of the same run take less, and the sum stays.

A test that was split, a set-up that went from one phase to another: nothing became slower, and no one has to look.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_ADDITIVE = ("s", "By")
"""Units of which the parts of a job make up a sum."""
_SIBLINGS = ["project", "metric", "unit", "node_id", "part_of_day", "index_run_id"]
"""Changes that agree in these belong to one job and began with the same run."""
_LARGEST_REST = 0.1
"""Share of what moved that the sum may have changed by, if the intervals allow it."""


def moved_costs(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which of k changes, each significant by itself, only moved a cost to or from a sibling; shape (k,).

    `rows`: changes with project, metric, unit, direction, node_id, part_of_day, index_run_id, size, size_low,
    size_high. Costs have moved where changes that began with one run in series of one metric, unit and node go both
    ways, their sum is 0 within its 95 % interval, and it is at most a tenth of what moved.
    """
    costs = rows[rows["unit"].isin(_ADDITIVE) & (rows["direction"] == "lower_is_better")]
    half = (costs["size_high"] - costs["size_low"]) / 2.0
    keys = costs[_SIBLINGS].astype({"node_id": object}).fillna("")
    groups = costs.assign(squares=half**2, more=costs["size"].clip(lower=0.0)).groupby(
        [keys[name] for name in _SIBLINGS], sort=False
    )
    total, margin = groups["size"].transform("sum").abs(), np.sqrt(groups["squares"].transform("sum"))
    both = (groups["size"].transform("max") > 0) & (groups["size"].transform("min") < 0)
    stays = both & (total <= margin) & (total <= _LARGEST_REST * groups["more"].transform("sum"))
    return np.asarray(rows.index.isin(costs.index[stays]))
