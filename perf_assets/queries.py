"""Questions of programs to the newest results: trends of a metric, and which metrics move together.

    import perf_assets

    perf_assets.analyze_performance_trend("test_execution_time", time_window_days=30)
    perf_assets.analyze_metric_correlations(["cpu_usage", "queue_wait_time"], time_window_days=30)

Both read the newest snapshot and compute with the methods of the tables metric_trends and metric_correlations, on the
measurements of the window alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from perf_assets.errors import UserError
from perf_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DIRECTIONS = {"better": "improving", "worse": "degrading", "rising": "rising", "falling": "falling"}
_TREND_COLUMNS = [
    "series_id", "project", "title", "unit", "trend_direction", "is_significant", "change_rate_percent", "confidence",
    "p_value", "q_value", "slope_per_day", "slope_low", "slope_high", "level", "points", "since",
]  # fmt: skip


def analyze_performance_trend(
    metric_name: str, time_window_days: int = 30, settings: Settings | None = None
) -> pd.DataFrame:
    """The trend of each series of a metric within the last days before the newest results of its project.

    One row a series, the strongest evidence first: series_id, project, title, unit, trend_direction (improving,
    degrading, rising or falling where the metric has no direction, else none), is_significant, change_rate_percent (of
    the level, a week), confidence (1 - p), p_value, q_value (false-discovery rate over these series), slope_per_day,
    slope_low, slope_high and level (in the unit), points, since. Where a step lies in the window, the trend is that
    after it.

    Raises UserError for a metric without series and for a window below one day, NoSnapshotError before the first run.
    """
    from perf_assets.analysis.trends import fit_trends, judge_trends
    from perf_assets.warehouse import open_snapshot
    from perf_assets.warehouse.readings import recent_averages, steps_shown

    _check_window(time_window_days)
    with open_snapshot((settings or load_settings()).snapshots) as con:
        series = _series_of(con, [metric_name])
        buckets = con.execute(
            """SELECT b.series_id, b.ts, b.value FROM series_buckets b JOIN metric_series s USING (series_id)
            WHERE s.metric = ? AND b.ts > s.as_of - to_days(?) ORDER BY b.series_id, b.ts""",
            [metric_name, time_window_days],
        ).df()
        steps, averages = con.execute(steps_shown(con)).df(), recent_averages(con)
    table = judge_trends(fit_trends(buckets, steps), series, averages)
    table = table.merge(series[["series_id", "project", "title", "unit"]], on="series_id")
    table = table.assign(
        trend_direction=table["verdict"].map(_DIRECTIONS).fillna("none"),
        is_significant=table["verdict"].isin(list(_DIRECTIONS)),
        change_rate_percent=100.0 * table["change_per_week"],
        confidence=1.0 - table["p_value"],
    )
    return table.sort_values(["q_value", "p_value", "series_id"], ignore_index=True)[_TREND_COLUMNS]


def analyze_metric_correlations(
    metric_names: Sequence[str], time_window_days: int = 30, settings: Settings | None = None
) -> pd.DataFrame:
    """Correlations of all pairs of some metrics, from daily values of the last days before the newest results.

    One row a pair and place (a node, or the whole project), the strongest evidence first: the columns of the table
    metric_correlations, and unit_a and unit_b; a lag is in days. A metric needs 20 days with a value.

    Raises UserError for fewer than two metrics, for one without series and for a window below one day, NoSnapshotError
    before the first run.
    """
    from perf_assets.analysis.correlations import correlate_places
    from perf_assets.warehouse import open_snapshot
    from perf_assets.warehouse.readings import daily_metric_values

    _check_window(time_window_days)
    names = [metric_names] if isinstance(metric_names, str) else list(dict.fromkeys(metric_names))
    if len(names) < 2:
        raise UserError(f"a correlation needs two metrics, not {', '.join(names) or 'none'}; name at least two")
    with open_snapshot((settings or load_settings()).snapshots) as con:
        series = _series_of(con, names)
        values = daily_metric_values(con)
    newest = pd.to_datetime(series.groupby("project")["as_of"].max())
    values = values[values["metric"].isin(names) & values["project"].isin(newest.index)]
    begins = values["project"].map(newest) - pd.Timedelta(days=time_window_days)
    table = correlate_places(values[pd.to_datetime(values["day"]) > begins])
    units = series.groupby("metric")["unit"].agg(lambda of_metric: of_metric.mode().iloc[0])
    table = table.assign(unit_a=table["metric_a"].map(units), unit_b=table["metric_b"].map(units))
    return table.sort_values(["q_value", "p_value", "project", "node_id"], ignore_index=True)


def _check_window(days: int) -> None:
    if days < 1:
        raise UserError(f"time_window_days is {days}; give at least 1")


def _series_of(con: DuckDBPyConnection, metrics: Sequence[str]) -> pd.DataFrame:
    series = con.execute(
        "SELECT * FROM metric_series WHERE list_contains(?, metric) ORDER BY series_id", [metrics]
    ).df()
    missing = sorted(set(metrics) - set(series["metric"]))
    if missing:
        raise UserError(
            f"no series of {', '.join(missing)}; `perf-assets trends --all` lists the metrics that are known"
        )
    return series
