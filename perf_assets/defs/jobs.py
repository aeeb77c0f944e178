"""Jobs: the whole chain, ingestion alone, and pulling from sources alone."""

import dagster as dg

from perf_assets.defs.assets.sources import SOURCE_ASSETS

_SOURCES = dg.AssetSelection.assets(*(asset.key for asset in SOURCE_ASSETS))

MAIN_JOB = dg.define_asset_job(
    "perf_assets_job",
    # Sources are partitioned by another day than receipt: one job cannot have both.
    selection=dg.AssetSelection.all() - _SOURCES,
    description="From received files to findings and advice: everything.",
)

INGESTION_JOB = dg.define_asset_job(
    "ingestion_job",
    selection=dg.AssetSelection.assets(
        "dashboard_results", "raw_results", "quarantined_results", "performance_metrics"
    ),
    description="Pull the dashboard, take in what waits in the drop folder, load it.",
)

SOURCES_JOB = dg.define_asset_job(
    "sources_job",
    selection=_SOURCES,
    description="Pull CI servers, Prometheus and folders into landing.",
)
