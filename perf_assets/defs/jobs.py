"""Jobs: the whole chain, and ingestion alone."""

import dagster as dg

MAIN_JOB = dg.define_asset_job(
    "perf_assets_job",
    selection=dg.AssetSelection.all(),
    description="From received files to findings and advice: everything.",
)

INGESTION_JOB = dg.define_asset_job(
    "ingestion_job",
    selection=dg.AssetSelection.assets(
        "dashboard_results", "raw_results", "quarantined_results", "performance_metrics"
    ),
    description="Pull sources, take in what waits in the drop folder, load it.",
)
