"""Limits that are a share over the baseline of their series."""

from __future__ import annotations

import numpy as np
import pandas as pd

_BASELINE = 28
"""Places whose median is the baseline, at most: of the first half where there are fewer than twice as many."""


def with_baselines(limits: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """`limits` (unique_id, limit, share, side) with a `limit` where only a `share` is known: so much further than the
    baseline on the bad side.

    The baseline of a series is the median of the first four weeks since its last step, or of the first half of what was
    measured since then. `history`: unique_id, ds, y by day, optionally stepped_at.
    """
    own = history[np.isfinite(history["y"].to_numpy(dtype=np.float64))].sort_values(["unique_id", "ds"])
    own = own[own["unique_id"].isin(limits.loc[limits["share"].notna(), "unique_id"])]
    if "stepped_at" in own:
        own = own[own["stepped_at"].isna() | (own["ds"] >= own["stepped_at"])]
    place = own.groupby("unique_id").cumcount()
    count = own.groupby("unique_id")["y"].transform("size")
    first = own[place < np.minimum((count + 1) // 2, _BASELINE)]
    baseline = limits["unique_id"].map(first.groupby("unique_id")["y"].median()).astype(np.float64)
    beyond = baseline + np.where(limits["side"] == "upper", 1.0, -1.0) * limits["share"] * baseline.abs()
    return limits.assign(limit=limits["limit"].where(limits["share"].isna(), beyond))
