"""What Dagster loads."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from perf_assets.defs.assets import advice, correlations, forecasts, ingestion, series, sources, trends
from perf_assets.defs.checks import CHECKS
from perf_assets.defs.jobs import INGESTION_JOB, MAIN_JOB, SOURCES_JOB
from perf_assets.defs.resources import resources_for
from perf_assets.defs.schedules import daily_analysis, hourly_ingestion, hourly_sources
from perf_assets.defs.sensors import SENSORS
from perf_assets.settings import load_settings


def build_definitions(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors, with resources from the settings unless overridden."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([sources, ingestion, series, trends, correlations, forecasts, advice]),
        asset_checks=CHECKS,
        jobs=[MAIN_JOB, INGESTION_JOB, SOURCES_JOB],
        schedules=[daily_analysis, hourly_ingestion, hourly_sources],
        sensors=SENSORS,
        resources={**resources_for(load_settings()), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
