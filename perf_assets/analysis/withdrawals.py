"""Findings that were confirmed earlier and no longer hold, each with the reason: none disappears silently."""

from __future__ import annotations

from typing import Any

import pandas as pd

from perf_assets.tables import WITHDRAWN_FINDINGS
from perf_assets.wording.quantities import ROUGH, change

WITHDRAWN_COLUMNS = WITHDRAWN_FINDINGS.names
_NO_LONGER_COMPARED = (
    "The measurements before it are no longer analysed: an epoch or an incident was declared, or results were removed."
)
_SMALLER = "With the newer measurements the change is {size}, less than half of the smallest that is reported."
_GONE = "With the newer measurements the levels before and after no longer differ."


def withdrawn_findings(
    anchors: pd.DataFrame | None, regression_ids: pd.Series, candidates: pd.DataFrame, series: pd.DataFrame
) -> pd.DataFrame:
    """One row a finding whose anchors (as `find_regressions` takes them) are not among `regression_ids`, of a series
    that is still there; columns WITHDRAWN_COLUMNS, ids as integers.

    `candidates`: changes of directed series with `change` and whether they are `large` enough; `series`: rows of
    metric_series. A finding is known by its clearest series, the first of its anchors.
    """
    if anchors is None or anchors.empty:
        return pd.DataFrame(columns=list(WITHDRAWN_COLUMNS))
    own = anchors.astype({"series_id": "int64", "regression_id": "int64"})
    own = own[~own["regression_id"].isin(regression_ids)]
    own = own.sort_values(["regression_id", "confirmed_at", "series_id"]).drop_duplicates("regression_id")
    own = own.merge(series[["series_id", "project", "metric", "title", "first_seen"]], on="series_id")
    own["reason"] = [_reason(row, candidates) for row in own.itertuples(index=False)]
    return own[list(WITHDRAWN_COLUMNS)].reset_index(drop=True)


def _reason(row: Any, candidates: pd.DataFrame) -> str:
    if pd.Timestamp(row.low_ts) <= row.first_seen:
        return _NO_LONGER_COMPARED
    same = candidates[(candidates["series_id"] == row.series_id) & (candidates["kind"] == row.kind)]
    near = same[(same["changed_at_low"] <= row.high_ts) & (same["changed_at_high"] >= row.low_ts)]
    # What is large enough is a finding of its own, whose interval reaches here.
    small = near.loc[~near["large"].astype(bool), "change"].dropna()
    if len(small):
        return _SMALLER.format(size=change(small.iloc[0], ROUGH))
    return _GONE
