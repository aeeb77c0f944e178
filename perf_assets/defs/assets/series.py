"""Group `series`: from measurements to regular series."""

import dagster as dg

from perf_assets.catalog import load_catalog
from perf_assets.defs.asset_spec import POOL, outcome, table_spec
from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.tables import METRIC_ROLLUPS, METRIC_SERIES
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.epochs import declare_epochs
from perf_assets.warehouse.incidents import declare_incidents
from perf_assets.warehouse.series import build_rollups, build_series


@dg.multi_asset(
    specs=[
        table_spec(
            METRIC_SERIES,
            "series",
            ["performance_metrics"],
            {"sql"},
            "Irregular results become regular buckets (median a bucket, table series_buckets); gaps stay gaps. "
            "Measurements inside declared incidents (table incidents) are left out, and so are those before the "
            "declared epoch that a series is in (table epochs).",
        )
    ],
    pool=POOL,
)
def metric_series(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[None]:
    with open_state(settings.state) as state:
        people = state.epochs()
    with warehouse.transaction() as con:
        declare_incidents(con, settings.incidents)
        declare_epochs(con, settings.epochs, people)
        build_series(con, load_catalog(settings.metrics_file))
    left_out = warehouse.query("SELECT coalesce(sum(left_out), 0) AS n FROM incidents")["n"].iloc[0]
    before = warehouse.query("SELECT coalesce(sum(left_out), 0) AS n FROM epochs")["n"].iloc[0]
    table = warehouse.query("SELECT * FROM metric_series ORDER BY importance, series_id")
    unknown = sorted(table.loc[~table["in_catalogue"].astype(bool), "metric"].unique())
    return dg.MaterializeResult(
        metadata=outcome(
            table.drop(columns="series_id"),
            {
                "measurements": int(table["measurements"].sum()),
                "left_out_by_incidents": int(left_out),
                "left_out_before_epochs": int(before),
                "not_in_the_catalogue": ", ".join(unknown) or "none",
                "mean_missing_share": float(table["missing_share"].mean()) if len(table) else 0.0,
            },
        )
    )


@dg.multi_asset(
    specs=[
        table_spec(
            METRIC_ROLLUPS,
            "series",
            ["performance_metrics", "metric_series"],
            {"sql"},
            "With moving averages over 7 and 30 days.",
        )
    ],
    pool=POOL,
)
def metric_rollups(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.transaction() as con:
        build_rollups(con)
    count = int(warehouse.query("SELECT count(*) AS n FROM metric_rollups")["n"].iloc[0])
    shown = warehouse.query("SELECT * FROM metric_rollups ORDER BY day DESC, series_id LIMIT 10")
    return dg.MaterializeResult(metadata=outcome(shown, {"dagster/row_count": count}))
