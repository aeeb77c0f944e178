"""Group `forecasts`: what each series will be, and when limits will be crossed."""

import dagster as dg

from perf_assets.analysis.breach import breach_outlook as find_breaches
from perf_assets.analysis.forecasts import forecast_fleet
from perf_assets.catalog import load_catalog
from perf_assets.defs.asset_spec import POOL, outcome, table_spec
from perf_assets.defs.pictures import picture
from perf_assets.report import charts
from perf_assets.settings import Settings
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.readings import forecast_history, forecast_selection, metric_limits, with_bounds
from perf_assets.warehouse.tables import BREACH_OUTLOOK, FORECAST_MODELS, METRIC_FORECASTS


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
    rules = settings.forecast
    catalog = load_catalog(settings.metrics_file)
    limits = metric_limits(catalog, rules.limits)
    with warehouse.reading() as con:
        selection = forecast_selection(con, limits, rules.headline, rules.max_headline)
        history = with_bounds(forecast_history(con, selection.series), catalog)
    found = forecast_fleet(history, rules.horizon, selection.headline)
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
            BREACH_OUTLOOK,
            "forecasts",
            ["metric_forecasts", "metric_series", "change_points", "regressions"],
            {"scipy"},
            "Limits are the catalogue's or your own.",
        )
    ],
    pool=POOL,
)
def breach_outlook(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[None]:
    rules = settings.forecast
    limits = metric_limits(load_catalog(settings.metrics_file), rules.limits)
    with warehouse.reading() as con:
        selection = forecast_selection(con, limits, rules.headline, rules.max_headline)
        limited = selection.limits["unique_id"].tolist()
        history = forecast_history(con, limited)
        forecasts = con.execute(
            "SELECT * FROM metric_forecasts WHERE list_contains(?, unique_id) ORDER BY unique_id, ds", [limited]
        ).df()
    found = find_breaches(forecasts, selection.limits.rename(columns={"limit_value": "limit"}), history)
    table = found.rename(columns={"limit": "limit_value"}).assign(series_id=found["unique_id"].astype("int64"))
    warehouse.replace((BREACH_OUTLOOK, table))
    likely = table.sort_values("probability", ascending=False)
    return dg.MaterializeResult(
        metadata=outcome(
            likely, {"nearest": picture(charts.breaches(likely.head(3), history, forecasts, selection.titles))}
        )
    )
