"""Group `correlations`: what moves together, and what drives the duration of scenario runs."""

import dagster as dg
import pandas as pd

from perf_assets.analysis import durations
from perf_assets.analysis.correlations import correlate_places
from perf_assets.analysis.duration_models import drivers_and_models
from perf_assets.analysis.factors import factor_shares
from perf_assets.defs.asset_spec import POOL, outcome, table_spec
from perf_assets.defs.pictures import picture
from perf_assets.report import charts
from perf_assets.tables import (
    DURATION_DRIVERS,
    DURATION_MODELS,
    METRIC_CORRELATIONS,
    METRIC_FACTORS,
    RUN_OUTLIERS,
    SCENARIO_EFFICIENCY,
)
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.readings import daily_metric_values, factor_cells, scenario_runs


@dg.multi_asset(
    specs=[
        table_spec(
            METRIC_CORRELATIONS,
            "correlations",
            ["metric_rollups", "metric_series"],
            {"scipy"},
            "What the days of a metric have beyond its own past, over the whole project and within each node.",
        )
    ],
    pool=POOL,
)
def metric_correlations(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        values = daily_metric_values(con)
    table = correlate_places(values)
    warehouse.replace((METRIC_CORRELATIONS, table))
    return dg.MaterializeResult(
        metadata=outcome(
            table.sort_values("q_value"),
            {
                "significant_pairs": int((table["q_value"] <= 0.05).sum()),
                "whole_project": picture(charts.correlation_heatmap(table)),
            },
        )
    )


@dg.multi_asset(
    specs=[
        table_spec(
            METRIC_FACTORS,
            "correlations",
            ["metric_series"],
            {"scipy"},
            "Of the median of each series over the newest 14 days; factors that determine each other are named.",
        )
    ],
    pool=POOL,
)
def metric_factors(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        cells = factor_cells(con)
    table = factor_shares(cells)
    warehouse.replace((METRIC_FACTORS, table))
    significant = {"significant_factors": int((table["q_value"] <= 0.05).sum())}
    return dg.MaterializeResult(metadata=outcome(table.sort_values("q_value"), significant))


@dg.multi_asset(
    specs=[
        table_spec(
            DURATION_DRIVERS,
            "correlations",
            ["performance_metrics", "metric_series"],
            {"numpy"},
            "R² is given in sample and leaving each run out; shares are of the model in duration_models.",
        ),
        table_spec(
            DURATION_MODELS,
            "correlations",
            ["performance_metrics", "metric_series"],
            {"scikit-learn"},
            "Candidates are judged by later runs, by scenarios left out, and without a run of overwhelming leverage.",
        ),
    ],
    pool=POOL,
)
def judge_durations(
    warehouse: dg.ResourceParam[Warehouse],
) -> tuple[dg.MaterializeResult[None], dg.MaterializeResult[None]]:
    runs = _runs(warehouse)
    drivers, models = drivers_and_models(runs)
    warehouse.replace((DURATION_DRIVERS, drivers), (DURATION_MODELS, models))
    scatter = {"scatter": picture(charts.driver_scatter(runs))}
    return (
        dg.MaterializeResult(asset_key="duration_drivers", metadata=outcome(drivers, scatter)),
        dg.MaterializeResult(asset_key="duration_models", metadata=outcome(models)),
    )


@dg.multi_asset(
    specs=[table_spec(RUN_OUTLIERS, "correlations", ["performance_metrics", "duration_drivers"], {"numpy"}, "")],
    pool=POOL,
)
def run_outliers(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    table = durations.run_outliers(_runs(warehouse))
    warehouse.replace((RUN_OUTLIERS, table))
    return dg.MaterializeResult(metadata=outcome(table, {"residuals": picture(charts.residuals(table))}))


@dg.multi_asset(
    specs=[table_spec(SCENARIO_EFFICIENCY, "correlations", ["performance_metrics", "metric_series"], {"pandas"}, "")],
    pool=POOL,
)
def scenario_efficiency(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    table = durations.scenario_efficiency(_runs(warehouse))
    warehouse.replace((SCENARIO_EFFICIENCY, table))
    return dg.MaterializeResult(metadata=outcome(table, {"efficiency": picture(charts.efficiency(table))}))


def _runs(warehouse: Warehouse) -> pd.DataFrame:
    with warehouse.reading() as con:
        return scenario_runs(con)
