"""Limits that are crossed: most values lie beyond, after nearly all lay within.

A limit is worth a finding of its own where no step and no drift tells that the series got there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.regressions import (
    DIRECTED,
    MEMBER_COLUMNS,
    REGRESSION_COLUMNS,
    RegressionRules,
    id_of,
    no_findings,
)
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg
from perf_assets.wording.quantities import EXACT, counted, number, quantity

LIMIT = "limit"
"""Shape of a finding that is beyond a declared limit."""
_WITHIN, _BEFORE = 0.9, 100
"""Share of the values before the crossing that lay within the limit, and of how many of them."""
_LARGEST_P_VALUE = 0.01
"""Of half of the values lying beyond the limit from the crossing on; seven that all do are enough."""


def find_limit_crossings(
    buckets: pd.DataFrame, limits: pd.DataFrame, standing: pd.DataFrame, series: pd.DataFrame, rules: RegressionRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(findings, members) with REGRESSION_COLUMNS (runs and commits still empty) and MEMBER_COLUMNS.

    The crossing is where the majority of values beyond the limit, of all from there on, is largest. It is a finding
    where at least nine of ten values before it lay within the limit, and the majority is no chance (sign test,
    false-discovery rate over all series with a limit; Benjamini & Hochberg 1995). `before` and `after` are medians.
    Series that were beyond their limit from the first value on crossed nothing.

    `buckets`: series_id, ts, value of series with a limit, sorted; `limits`: series_id, limit_value, side ("upper" or
    "lower": on which side it is bad); `standing`: series_id of series with a regression that has not recovered, which
    tells it already; `series`: rows of metric_series.
    """
    known = series[series["direction"].isin(DIRECTED) & ~series["series_id"].isin(standing["series_id"])]
    about = limits.merge(known, on="series_id").set_index("series_id")
    found = []
    for series_id, own in buckets[buckets["series_id"].isin(about.index)].groupby("series_id", sort=True):
        crossing = _crossing(own, about.loc[series_id])
        if crossing is not None:
            found.append({"series_id": series_id, **crossing})
    table = pd.DataFrame(found, columns=["series_id", *_CROSSING])
    if table.empty:
        return no_findings()
    quiet = np.ones(len(about) - len(table))
    p_values = np.concatenate((table["p_value"].to_numpy(dtype=np.float64), quiet))
    table["q_value"] = benjamini_hochberg(p_values)[: len(table)]
    return _findings(table[table["q_value"] <= rules.false_discovery_rate].merge(about, on="series_id"))


_CROSSING = ("first_bad_at", "last_good_at", "before", "after", "p_value", "beyond", "values")


def _crossing(own: pd.DataFrame, about: Any) -> dict[str, object] | None:
    """What _CROSSING names, of the values of one series."""
    values: FloatArray = own["value"].to_numpy(dtype=np.float64)
    beyond = values > about.limit_value if about.side == "upper" else values < about.limit_value
    majority = np.cumsum(np.where(beyond, 1, -1)[::-1])[::-1]
    place = int(majority.argmax())
    count, lying = values.size - place, int(np.count_nonzero(beyond[place:]))
    before = beyond[:place][-_BEFORE:]
    p_value = float(special.bdtrc(lying - 1, count, 0.5))
    if not before.size or majority[place] <= 0 or 1.0 - before.mean() < _WITHIN or p_value > _LARGEST_P_VALUE:
        return None
    return {
        "first_bad_at": own["ts"].iloc[place], "last_good_at": own["ts"].iloc[place - 1],
        "before": float(np.median(values[:place][-_BEFORE:])), "after": float(np.median(values[place:])),
        "p_value": p_value, "beyond": lying, "values": count,
    }  # fmt: skip


def _findings(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = list(table.itertuples(index=False))
    level = table["before"].abs()
    table = table.assign(
        regression_id=[id_of(f"{row.series_id}/{LIMIT}/{row.first_bad_at.isoformat()}") for row in rows],
        shape=LIMIT, scope="series", scope_name=table["title"], cause="unknown", kind="regression",
        state="confirmed", part_of_day=ALL_DAY, members=1, suspicious=False, recovered_at=pd.NaT,
        change=(table["after"] - table["before"]) / level.where(level > 0),
        explanation=[
            f"{number(row.beyond)} of the newest {counted(row.values, 'value')} are beyond its limit of "
            f"{quantity(row.limit_value, row.unit, digits=EXACT)}, and nearly none did before."
            for row in rows
        ],
    )  # fmt: skip
    own = table.assign(changed_at=table["first_bad_at"])
    return table.reindex(columns=list(REGRESSION_COLUMNS)), own[list(MEMBER_COLUMNS)]
