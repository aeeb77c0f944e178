"""Group `forecasts`: what each series will be, and when limits will be crossed."""

import dagster as dg

from perf_assets.analysis.breach import breach_outlook as find_breaches
from perf_assets.analysis.forecasting import forecast_series
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
            ["metric_rollups", "change_points", "regressions"],
            {"scikitlearn"},
            "Chosen by rolling-origin backtest, for each series by itself.",
        ),
        table_spec(
            METRIC_FORECASTS,
            "forecasts",
            ["metric_rollups", "change_points", "regressions"],
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
        selection = forecast_selection(con, limits, rules.headline, rules.max_headline, rules.max_series)
        history = with_bounds(forecast_history(con, selection), catalog)
    found = forecast_series(history, horizon=rules.horizon, headline=selection.headline)
    models = found.models.assign(series_id=found.models["unique_id"].astype("int64"))
    warehouse.replace((FORECAST_MODELS, models), (METRIC_FORECASTS, found.forecasts))
    counts = {"series_forecast": len(selection.series), "series_in_all": selection.available}
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
                found.forecasts,
                {"headline": picture(charts.headline_forecasts(history, found.forecasts, selection.titles)), **counts},
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
        selection = forecast_selection(con, limits, rules.headline, rules.max_headline, rules.max_series)
        history = forecast_history(con, selection)
        forecasts = con.execute("SELECT * FROM metric_forecasts ORDER BY unique_id, ds").df()
    found = find_breaches(forecasts, selection.limits.rename(columns={"limit_value": "limit"}), history)
    table = found.rename(columns={"limit": "limit_value"}).assign(series_id=found["unique_id"].astype("int64"))
    warehouse.replace((BREACH_OUTLOOK, table))
    likely = table.sort_values("probability", ascending=False)
    return dg.MaterializeResult(
        metadata=outcome(
            likely, {"nearest": picture(charts.breaches(likely.head(3), history, forecasts, selection.titles))}
        )
    )
