"""Group `ingestion`: from sources to landing, and from landing to facts."""

from collections.abc import Iterable
from datetime import timedelta

import dagster as dg
from pydantic import Field

from perf_assets.catalog import load_catalog
from perf_assets.defs.asset_spec import OWNERS, POOL, RECEIVED_DAY, outcome, table_spec
from perf_assets.landing import Landing, utc_now
from perf_assets.progress import Progress
from perf_assets.settings import Settings, SourcesSettings
from perf_assets.sources.dashboard import SourceError, StatusError, TruncatedError, UnreachableError, fetch_results
from perf_assets.sources.files import collect_drop_folder
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.loading import Loaded, follow_rules, forget_files, load_files, not_loaded, record_files
from perf_assets.warehouse.staging import Rules
from perf_assets.warehouse.tables import MEASUREMENTS, QUARANTINED_RESULTS, RAW_RESULTS

_PASSING_TROUBLES = (UnreachableError, StatusError, TruncatedError)
_LATE = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36), warn_window=timedelta(hours=26))


# What was pulled lies in landing on the day it came, whatever its own day is.
_PULLED = tuple(f"{name}_results" for name in SourcesSettings.model_fields if name != "longest_wait")


class LoadConfig(dg.Config):
    replay: list[str] = Field([], description="Content hashes of files to read again, their quarantine included.")


@dg.asset(
    group_name="ingestion",
    kinds={"python", "api"},
    owners=OWNERS,
    description="Scenario runs pulled from the scale-test dashboard into landing, as it answered. "
    "Configured by SCALE_DASHBOARD_URL and SCALE_DASHBOARD_API_KEY; without them nothing is pulled.",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=30),
)
def dashboard_results(
    settings: dg.ResourceParam[Settings], landing: dg.ResourceParam[Landing]
) -> dg.MaterializeResult[None]:
    if not settings.dashboard_url or settings.dashboard_token is None:
        return dg.MaterializeResult(metadata={"state": "not configured: set SCALE_DASHBOARD_URL and its API key"})
    try:
        pages = list(fetch_results(settings.dashboard_url, settings.dashboard_token.get_secret_value()))
    except _PASSING_TROUBLES:
        raise
    except SourceError as error:
        # A wrong token or address is as wrong in half a minute.
        raise dg.Failure(str(error), allow_retries=False) from error
    landed = landing.land(b"\n".join(pages), name="dashboard-results.json", received_at=utc_now(), origin="dashboard")
    return dg.MaterializeResult(metadata={"pages": len(pages), "bytes": landed.size, "file": str(landed.path)})


@dg.multi_asset(
    specs=[
        table_spec(
            RAW_RESULTS,
            "ingestion",
            [
                "dashboard_results",
                *(dg.AssetDep(name, partition_mapping=dg.LastPartitionMapping()) for name in _PULLED),
            ],
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
    files = landing.files(days)
    record_files(warehouse, files, days)
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
            metadata={"key": ", ".join(MEASUREMENTS.key)},
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
    rules = Rules(load_catalog(settings.metrics_file), settings.identity, settings.quality)
    anew = follow_rules(warehouse, rules)
    if anew:
        context.log.warning(
            "What results belong to, or whether they can be, is set otherwise: all files are loaded anew."
        )
    days = _days(context, landing)
    files = landing.files(days)
    forget_files(warehouse, config.replay)
    # Of all days, so that what an interrupted run has left is not left for good.
    new = not_loaded(warehouse, landing.files())
    before = len(files) - sum(received_at.date().isoformat() in days for _, received_at, _ in new.known())
    with progress.of("files loaded", len(new)) as tell:
        became = _summed(load_files(warehouse, new, rules, settings.scratch, lambda _: tell()))
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
                    "files": len(files),
                    "loaded_anew": anew,
                    **became,
                    "files_loaded_before": before,
                },
            ),
        ),
    )


def _days(context: dg.AssetExecutionContext, landing: Landing) -> set[str]:
    """The partitions asked for in which anything was received."""
    return set(landing.days()) & set(context.partition_keys)


def _summed(loaded: Iterable[Loaded]) -> dict[str, int]:
    """What became of all files; there may be hundreds of thousands."""
    sums = dict.fromkeys(("new_measurements", "new_series", "results_without_a_value"), 0)
    for file in loaded:
        sums["new_measurements"] += file.new_measurements
        sums["new_series"] += file.new_series
        sums["results_without_a_value"] += sum(number for _, number in file.omitted)
    return sums
