"""Charts of findings, drawn with Altair; one declarative chart gives the SVG of the page and the PNG of the Dagster UI.

Belongs here: what each chart shows, from finished tables, one module a subject. Does not belong here: colours and
rendering (theme), figures that are not in the tables.
"""

from perf_assets.report.charts.behaviour import episode_chart, pattern_chart
from perf_assets.report.charts.changes import change_chart, member_strip
from perf_assets.report.charts.correlations import correlation_heatmap
from perf_assets.report.charts.fleet import node_ranking, schedule
from perf_assets.report.charts.forecasts import (
    breach_panels,
    breaches,
    forecast_panels,
    headline_forecasts,
    model_choice,
)
from perf_assets.report.charts.layout import MOST_PANELS
from perf_assets.report.charts.scenarios import driver_scatter, efficiency, residuals, run_heatmap
from perf_assets.report.charts.trends import clearest_trends, strongest_trends, trend_panels
from perf_assets.report.theme import Chart, png, svg

__all__ = [
    "MOST_PANELS", "Chart", "breach_panels", "breaches", "change_chart", "clearest_trends", "correlation_heatmap",
    "driver_scatter", "efficiency", "episode_chart", "forecast_panels", "headline_forecasts", "member_strip",
    "model_choice", "node_ranking", "pattern_chart", "png", "residuals", "run_heatmap", "schedule",
    "strongest_trends", "svg", "trend_panels",
]  # fmt: skip
