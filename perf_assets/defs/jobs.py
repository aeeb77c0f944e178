"""Jobs: the whole chain, and ingestion alone. The one that pulls sources comes with their assets."""

import dagster as dg

MAIN_JOB = dg.define_asset_job(
    "perf_assets_job",
    # Sources are partitioned by another day than receipt: one job cannot have both.
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups("sources"),
    executor_def=dg.in_process_executor,
    description="From received files to findings and advice: everything.",
)

INGESTION_JOB = dg.define_asset_job(
    "ingestion_job",
    selection=dg.AssetSelection.groups("ingestion") | dg.AssetSelection.assets("performance_metrics"),
    executor_def=dg.in_process_executor,
    description="Pull sources that have no days, take in what waits in the drop folder, load it.",
)
