"""Forecasts, how they turned out, and limits that series will pass."""

from __future__ import annotations

from perf_assets.tables.schema import table

FORECAST_MODELS = table(
    "forecast_models",
    "How each series is forecast, and how that did on held-out data.",
    "series_id model",
    """
    series_id BIGINT series
    model VARCHAR method with the most weight in the pool, or one that competes with it; none without a forecast
    origins BIGINT origins at which forecasts were tried
    mae DOUBLE mean absolute error of what was held out, in the unit
    mase DOUBLE the same as a share of the error of the naive forecast
    coverage_80 DOUBLE share of held-out values inside the 80 % interval
    coverage_95 DOUBLE share inside the 95 % interval
    chosen BOOLEAN used for the forecast
    note VARCHAR its weight in the pool, or why there is no forecast
    """,
)

METRIC_FORECASTS = table(
    "metric_forecasts",
    "What each series will be, with intervals.",
    "unique_id ds",
    """
    unique_id VARCHAR series_id as text
    ds TIMESTAMP time
    step BIGINT steps ahead
    model VARCHAR model
    mean DOUBLE forecast, in the unit
    lo-80 DOUBLE lower end of the 80 % interval
    hi-80 DOUBLE upper end of it
    lo-95 DOUBLE lower end of the 95 % interval
    hi-95 DOUBLE upper end of it
    """,
)

WITHIN_DAY_FORECASTS = table(
    "within_day_forecasts",
    "What each series that is measured several times a day will be within the next day.",
    "unique_id ds",
    """
    unique_id VARCHAR series_id as text
    ds TIMESTAMP start of the bucket
    model VARCHAR method with the most weight
    mean DOUBLE forecast, in the unit
    lo-80 DOUBLE lower end of the 80 % interval
    hi-80 DOUBLE upper end of it
    lo-95 DOUBLE lower end of the 95 % interval
    hi-95 DOUBLE upper end of it
    """,
)

FORECASTS_MADE = table(
    "forecasts_made",
    "Forecasts whose truth has not arrived yet.",
    "series_id made_at ds",
    """
    series_id BIGINT series
    made_at TIMESTAMP newest day that the forecast knew
    ds TIMESTAMP day forecast
    mean DOUBLE forecast, in the unit
    lo-80 DOUBLE lower end of the 80 % interval
    hi-80 DOUBLE upper end of it
    lo-95 DOUBLE lower end of the 95 % interval
    hi-95 DOUBLE upper end of it
    naive DOUBLE value of the same day of the week before, or the newest one
    """,
)

FORECAST_ACCURACY = table(
    "forecast_accuracy",
    "How forecasts turned out, by metric and week.",
    "project metric week",
    """
    project VARCHAR project
    metric VARCHAR metric
    week TIMESTAMP Monday of the week of the days forecast
    forecasts BIGINT forecasts whose truth arrived
    coverage_80 DOUBLE share of the values inside the 80 % interval
    coverage_95 DOUBLE share inside the 95 % interval
    relative_error DOUBLE sum of absolute errors over that of the naive forecast, in half widths of the 80 % interval
    inside_80 BIGINT values inside the 80 % interval
    inside_95 BIGINT values inside the 95 % interval
    error DOUBLE sum of absolute errors, in those half widths
    naive_error DOUBLE the same of the naive forecast
    """,
)

BREACH_OUTLOOK = table(
    "breach_outlook",
    "Series with a limit: when they will pass it, and how likely that is.",
    "series_id",
    """
    series_id BIGINT series
    limit_value DOUBLE limit, in the unit
    side VARCHAR upper or lower: the bad side
    last_value DOUBLE median of the last points, in the unit
    already_breached BOOLEAN beyond the limit now
    breach_date TIMESTAMP by when the level passes it with a probability of 50 %, null if not within 30 days
    earliest TIMESTAMP the same for 2.5 %
    latest TIMESTAMP the same for 97.5 %
    level_by_1 DOUBLE probability that the level, the median of seven days, passes it within a day
    level_by_7 DOUBLE the same within 7 days
    level_by_30 DOUBLE the same within 30 days
    value_by_1 DOUBLE probability that a single value lies beyond it within a day
    value_by_7 DOUBLE the same within 7 days
    value_by_30 DOUBLE the same within 30 days
    horizon_end TIMESTAMP the last day looked at
    """,
)

BREACH_COURSES = table(
    "breach_courses",
    "Courses that lead towards a limit: of 500 drawn of each series whose level may pass it.",
    "unique_id ds",
    """
    unique_id VARCHAR series
    ds TIMESTAMP day
    mean DOUBLE median of the courses, in the unit
    lo-80 DOUBLE lower end of the central 80 %
    hi-80 DOUBLE upper end of it
    lo-95 DOUBLE lower end of the central 95 %
    hi-95 DOUBLE upper end of it
    """,
)
