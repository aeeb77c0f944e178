"""Group `advice`: the report page, written by every run, whoever started it."""

from collections.abc import Callable
from datetime import datetime

import dagster as dg

from perf_assets.defs.asset_spec import OWNERS, POOL
from perf_assets.report import reading
from perf_assets.report.circumstances import circumstances
from perf_assets.report.page import write_report
from perf_assets.settings import Settings, protected_files
from perf_assets.warehouse import Warehouse


@dg.asset(
    group_name="advice",
    deps=[
        "anomalies",
        "breach_outlook",
        "key_insights",
        "metric_correlations",
        "metric_factors",
        "metric_trends",
        "recommendations",
        "regression_causes",
        "schedule_plan",
        "seasonal_patterns",
        "within_day_forecasts",
    ],
    kinds={"html", "vegalite"},
    owners=OWNERS,
    description="Everything that was found as one page, with pictures: a file that needs no network.",
    pool=POOL,
)
def performance_report(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    clock: dg.ResourceParam[Callable[[], datetime]],
) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con, protected_files(settings):
        about = circumstances(con, settings, clock())
        report = reading.read_report(con, about.handling, about.overdue, about.rules)
        write_report(con, settings.report, report)
    words = "Nothing to analyse yet." if report.empty else reading.counts(report)[0].words
    return dg.MaterializeResult(
        metadata={
            "found": words[0].upper() + words[1:],
            "report": dg.MetadataValue.path(settings.report),
            "open": dg.MetadataValue.url(settings.report.resolve().as_uri()),
        }
    )
