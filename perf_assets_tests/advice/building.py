"""Rows of finding tables for tests of advice: a row says what matters, the rest has a default."""

from __future__ import annotations

from typing import Any

import pandas as pd

from perf_assets.advice.recommendations import Findings
from perf_assets.tables import BREACH_OUTLOOK, METRIC_SERIES, METRIC_TRENDS, NODE_SCORES, REGRESSIONS, Table

AS_OF = pd.Timestamp("2026-09-10")
SERIES = {
    "series_id": 2**60 + 1, "project": "fleet", "metric": "test_execution_time", "unit": "s", "in_catalogue": True,
    "test_name": "login", "node_id": "node-1", "node_type": "linux", "title": "test_execution_time · login · node-1",
    "simulated": False, "measurements": 100, "span_days": 50.0, "as_of": AS_OF, "level": 10.0,
}  # fmt: skip
REGRESSION = {
    "regression_id": 2**61 + 1, "series_id": SERIES["series_id"], "scope": "series",
    "scope_name": SERIES["title"], "reach": "", "cause": "unknown", "kind": "regression", "state": "confirmed",
    "part_of_day": "all day", "project": "fleet", "metric": "test_execution_time", "unit": "s", "test_name": "login",
    "node_id": "node-1", "node_type": "linux", "before": 10.0, "after": 14.0, "change": 0.4, "change_low": 0.38,
    "change_high": 0.42, "last_good_run": "run-24", "first_bad_run": "run-25", "last_good_at": AS_OF,
    "first_bad_at": AS_OF, "recovered_at": pd.NaT, "members": 1, "explanation": "Only this series changed.",
    "restores": False, "simulated": False,
}  # fmt: skip
BREACH = {
    "series_id": SERIES["series_id"], "limit_value": 0.9, "side": "upper", "last_value": 0.8,
    "already_breached": False, "breach_date": pd.Timestamp("2026-09-20"), "earliest": pd.Timestamp("2026-09-15"),
    "latest": pd.NaT, "level_by_1": 0.0, "level_by_7": 0.1,
    "level_by_30": 0.8, "value_by_1": 0.01, "value_by_7": 0.3, "value_by_30": 0.995,
    "horizon_end": pd.Timestamp("2026-09-24"),
}  # fmt: skip
TREND = {"series_id": SERIES["series_id"], "as_of": AS_OF, "verdict": "worse", "average_7d": 0.02}


def table(schema: Table, *rows: dict[str, Any]) -> pd.DataFrame:
    columns = [column.name for column in schema.columns]
    frame = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=columns)
    texts = {column.name: "str" for column in schema.columns if column.type == "VARCHAR"}
    times = {column.name: "datetime64[us]" for column in schema.columns if column.type == "TIMESTAMP"}
    return frame.astype(texts | times)


def findings(
    series: list[dict[str, Any]] | None = None,
    regressions: list[dict[str, Any]] | None = None,
    breaches: list[dict[str, Any]] | None = None,
    trends: list[dict[str, Any]] | None = None,
) -> Findings:
    """Findings of these rows, each on top of the default row of its table; without `series` the default one."""
    return Findings(
        series=table(METRIC_SERIES, *(SERIES | row for row in ([{}] if series is None else series))),
        regressions=table(REGRESSIONS, *(REGRESSION | row for row in regressions or [])),
        breaches=table(BREACH_OUTLOOK, *(BREACH | row for row in breaches or [])),
        trends=table(METRIC_TRENDS, *(TREND | row for row in trends or [])),
        node_scores=table(NODE_SCORES),
    )
