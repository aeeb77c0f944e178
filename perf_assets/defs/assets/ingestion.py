"""Group `ingestion`: from sources to landing, and from landing to facts."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from perf_assets.defs.asset_spec import OWNERS, POOL, RECEIVED_DAY, outcome, table_schema, table_spec
from perf_assets.ingestion import load_received, record_received
from perf_assets.landing import Landing, utc_now
from perf_assets.progress import Progress
from perf_assets.settings import Settings
from perf_assets.sources.files import collect_drop_folder
from perf_assets.tables import MEASUREMENTS, PERFORMANCE_METRICS, QUARANTINED_RESULTS, RAW_RESULTS
from perf_assets.warehouse import Warehouse

_LATE = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36), warn_window=timedelta(hours=26))


class LoadConfig(dg.Config):
    replay: list[str] = Field([], description="Content hashes of files to read again, their quarantine included.")


@dg.multi_asset(
    specs=[
        table_spec(
            RAW_RESULTS,
            "ingestion",
            [],
            {"file"},
            "The bytes lie in landing, immutable; what waits in the drop folder is taken in with the day's partition.",
            partitions_def=RECEIVED_DAY,
            freshness_policy=_LATE,
        )
    ],
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=POOL,
)
def raw_results(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    landing: dg.ResourceParam[Landing],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[None]:
    collect_drop_folder(landing, settings.drop_folder, utc_now())
    days = _days(context, landing)
    record_received(warehouse, landing, days)
    recorded = warehouse.query("SELECT * FROM raw_results ORDER BY received_at DESC LIMIT 10")
    sums = warehouse.query(
        """SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM raw_results
        WHERE list_contains(? :: DATE[], received_day)""",
        [sorted(days)],
    ).iloc[0]
    return dg.MaterializeResult(
        metadata=outcome(recorded, {"dagster/row_count": int(sums["files"]), "bytes": int(sums["bytes"])})
    )


@dg.multi_asset(
    specs=[
        table_spec(
            QUARANTINED_RESULTS,
            "ingestion",
            ["raw_results"],
            set(),
            "Good rows beside a bad one are loaded all the same.",
            partitions_def=RECEIVED_DAY,
        ),
        dg.AssetSpec(
            "performance_metrics",
            deps=["raw_results"],
            group_name="series",
            kinds={"duckdb", "arrow"},
            owners=OWNERS,
            description="Measurements: one value of one metric in one run, each known once. Readable as the view "
            "performance_metrics; stored as series, runs, measurements and measurement_details.",
            partitions_def=RECEIVED_DAY,
            freshness_policy=_LATE,
            metadata={
                "dagster/column_schema": table_schema(PERFORMANCE_METRICS),
                "key": ", ".join(MEASUREMENTS.key),
            },
        ),
    ],
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool=POOL,
    name="load_results",
)
def load_results(
    context: dg.AssetExecutionContext,
    config: LoadConfig,
    settings: dg.ResourceParam[Settings],
    landing: dg.ResourceParam[Landing],
    warehouse: dg.ResourceParam[Warehouse],
    progress: dg.ResourceParam[Progress],
) -> tuple[dg.MaterializeResult[None], dg.MaterializeResult[None]]:
    days = _days(context, landing)
    loaded = load_received(warehouse, landing, settings, progress, config.replay)
    if loaded.anew:
        context.log.warning("Identity or quality settings changed: all files were loaded again.")
    quarantined = warehouse.query(
        """SELECT name, location, field, reason, message FROM quarantined_results
        ORDER BY received_day DESC, name, location LIMIT 10"""
    )
    measured = warehouse.query("SELECT * EXCLUDE (context_data) FROM performance_metrics LIMIT 10")
    counts = warehouse.query(
        """SELECT (SELECT count(*) FROM quarantined_results) AS quarantined,
          (SELECT count(*) FROM measurements) AS measured"""
    ).iloc[0]
    return (
        dg.MaterializeResult(
            asset_key="quarantined_results",
            metadata=outcome(quarantined, {"dagster/row_count": int(counts["quarantined"])}),
        ),
        dg.MaterializeResult(
            asset_key="performance_metrics",
            metadata=outcome(
                measured,
                {
                    "dagster/row_count": int(counts["measured"]),
                    "files": len(landing.files(days)),
                    "files_loaded": loaded.files,
                    "new_measurements": loaded.new_measurements,
                    "new_series": loaded.new_series,
                    "results_without_a_value": loaded.results_without_a_value,
                    "loaded_anew": loaded.anew,
                },
            ),
        ),
    )


def _days(context: dg.AssetExecutionContext, landing: Landing) -> set[str]:
    """The partitions asked for in which anything was received."""
    return set(landing.days()) & set(context.partition_keys)
