"""Group `forecasts`: what each series will be, and when limits will be crossed."""

import dagster as dg
from duckdb import DuckDBPyConnection

from perf_assets.analysis.breach import breach_outlook as find_breaches
from perf_assets.analysis.breach import with_baselines
from perf_assets.analysis.forecasts import forecast, forecast_fleet
from perf_assets.catalog import Catalog, load_catalog
from perf_assets.defs.asset_spec import POOL, outcome, table_spec
from perf_assets.defs.pictures import picture
from perf_assets.report import charts
from perf_assets.settings import ForecastSettings, Settings
from perf_assets.special_days import load_special_days
from perf_assets.tables import (
    BREACH_COURSES,
    BREACH_OUTLOOK,
    FORECAST_ACCURACY,
    FORECAST_MODELS,
    METRIC_FORECASTS,
    WITHIN_DAY_FORECASTS,
)
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.forecast_readings import (
    ForecastSelection,
    forecast_history,
    forecast_selection,
    with_bounds,
    with_extremes,
    within_day_history,
)
from perf_assets.warehouse.forecast_record import record_forecasts
from perf_assets.warehouse.increments import joined
from perf_assets.warehouse.limits import metric_limits

_DAY_SECONDS = 86_400


@dg.multi_asset(
    specs=[
        table_spec(
            FORECAST_MODELS,
            "forecasts",
            ["metric_series", "change_points", "regressions"],
            {"scikitlearn"},
            "A pool of methods, weighted for each series by a rolling-origin backtest.",
        ),
        table_spec(
            METRIC_FORECASTS,
            "forecasts",
            ["metric_series", "change_points", "regressions"],
            {"scikitlearn"},
            "With 80 and 95 % intervals calibrated on held-out values.",
        ),
    ],
    pool=POOL,
    name="forecast_metrics",
)
def forecast_metrics(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> tuple[dg.MaterializeResult[None], dg.MaterializeResult[None]]:
    rules, catalog = settings.forecast, load_catalog(settings.metrics_file)
    with warehouse.reading() as con:
        selection = _selected(con, catalog, rules)
        history = with_bounds(forecast_history(con, selection.series), catalog)
    found = forecast_fleet(
        history, rules.horizon, selection.headline, load_special_days(rules.days), selection.properties
    )
    models = found.scores.assign(series_id=found.scores["unique_id"].astype("int64"))
    ahead = found.table.assign(step=found.table.groupby("unique_id").cumcount() + 1)
    warehouse.replace((FORECAST_MODELS, models), (METRIC_FORECASTS, ahead))
    counts = {"series_forecast": ahead["unique_id"].nunique(), "series_alive": len(selection.series)}
    return (
        dg.MaterializeResult(
            asset_key="forecast_models",
            metadata=outcome(
                models[models["chosen"].astype(bool)],
                {"dagster/row_count": len(models), "models": picture(charts.model_choice(models)), **counts},
            ),
        ),
        dg.MaterializeResult(
            asset_key="metric_forecasts",
            metadata=outcome(
                ahead, {"headline": picture(charts.headline_forecasts(history, ahead, selection.titles)), **counts}
            ),
        ),
    )


@dg.multi_asset(
    specs=[
        table_spec(
            WITHIN_DAY_FORECASTS,
            "forecasts",
            ["metric_series", "change_points", "regressions"],
            set(),
            "With 80 and 95 % intervals calibrated on held-out values.",
        )
    ],
    pool=POOL,
)
def within_day_forecasts(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[None]:
    catalog = load_catalog(settings.metrics_file)
    with warehouse.reading() as con:
        selection = _selected(con, catalog, settings.forecast)
        history = with_bounds(within_day_history(con, selection.series), catalog)
    # A day is as many steps ahead as it has buckets.
    parts = [forecast(own, _DAY_SECONDS // int(seconds)) for seconds, own in history.groupby("bucket_seconds")]
    table = joined(parts, [column.name for column in WITHIN_DAY_FORECASTS.columns])
    warehouse.replace((WITHIN_DAY_FORECASTS, table))
    return dg.MaterializeResult(metadata=outcome(table, {"series_forecast": table["unique_id"].nunique()}))


@dg.multi_asset(
    specs=[
        table_spec(
            FORECAST_ACCURACY,
            "forecasts",
            ["metric_forecasts", "metric_series"],
            set(),
            "Forecasts are kept (table forecasts_made) until the days that they are of are over.",
        )
    ],
    pool=POOL,
)
def forecast_accuracy(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.transaction() as con:
        scored, waiting = record_forecasts(con)
    table = warehouse.query("SELECT * FROM forecast_accuracy ORDER BY week DESC, project, metric")
    return dg.MaterializeResult(metadata=outcome(table, {"scored": scored, "waiting": waiting}))


@dg.multi_asset(
    specs=[
        table_spec(
            BREACH_OUTLOOK,
            "forecasts",
            ["metric_series", "metric_rollups", "change_points", "regressions"],
            {"scipy"},
            "Limits are the catalogue's or your own. Table breach_courses has where such series may go.",
        )
    ],
    pool=POOL,
)
def breach_outlook(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[None]:
    catalog = load_catalog(settings.metrics_file)
    with warehouse.reading() as con:
        selection = _selected(con, catalog, settings.forecast)
        history = forecast_history(con, selection.limits["unique_id"].tolist())
        history = with_bounds(with_extremes(con, history), catalog)
    own = with_baselines(selection.limits.rename(columns={"limit_value": "limit"}), history)
    found = find_breaches(history, own)
    table = found.table.rename(columns={"limit": "limit_value"})
    table = table.assign(series_id=table["unique_id"].astype("int64"))
    warehouse.replace((BREACH_OUTLOOK, table), (BREACH_COURSES, found.courses))
    likely = table.sort_values("level_by_30", ascending=False)
    nearest = charts.breaches(likely.head(3), history, found.courses, selection.titles)
    return dg.MaterializeResult(metadata=outcome(likely, {"nearest": picture(nearest)}))


def _selected(con: DuckDBPyConnection, catalog: Catalog, rules: ForecastSettings) -> ForecastSelection:
    limits = metric_limits(catalog, rules.limits, rules.limits_over_baseline)
    return forecast_selection(con, limits, rules.headline, rules.max_headline)
