"""Slopes, seasons, levels and anomalies of series."""

from __future__ import annotations

from perf_assets.tables.schema import table

METRIC_TRENDS = table(
    "metric_trends",
    "Slope of each series with the evidence for it.",
    "series_id as_of",
    """
    series_id BIGINT series
    as_of TIMESTAMP newest measurement of the project, incidents included
    verdict VARCHAR better, worse, rising, falling, no trend or not enough data
    slope_per_day DOUBLE change of the level a day, in the unit
    slope_low DOUBLE lower end of the 95 % interval
    slope_high DOUBLE upper end of the 95 % interval
    robust_slope_per_day DOUBLE the same by the median slope of pairs of points, which outliers do not move, in the unit
    change_per_week DOUBLE change a week as a share of the level
    level DOUBLE median of the stretch, in the unit
    p_value DOUBLE of no slope, in autocorrelated noise
    q_value DOUBLE false-discovery rate over all series tested
    points BIGINT buckets used
    effective_points DOUBLE independent points they are worth
    autocorrelation DOUBLE lag-1 autocorrelation of the residuals
    since TIMESTAMP start of the stretch the slope is taken over
    average_7d DOUBLE mean of the last 7 days, in the unit
    average_30d DOUBLE mean of the last 30 days, in the unit
    """,
)

SEASONAL_PATTERNS = table(
    "seasonal_patterns",
    "Whether and how strongly a series repeats each day, week, month and period of the settings.",
    "series_id period",
    """
    series_id BIGINT series
    period VARCHAR daily, weekly, monthly (calendar months) or a period of the settings, such as 30d
    significant BOOLEAN a pattern, not chance; of day and week it is what the detection of changes takes out
    p_value DOUBLE of no pattern, in autocorrelated noise, with the degrees of freedom of the profile counted
    q_value DOUBLE false-discovery rate over all series and periods tested
    strength DOUBLE share of the detrended variance the pattern explains, 0 to 1
    amplitude DOUBLE highest minus lowest point of the pattern, in the unit
    peak VARCHAR when it is highest (UTC) and how far from the median of the series; null where not significant
    trough VARCHAR the same of when it is lowest
    cycles DOUBLE cycles in the data
    """,
)

SEASONAL_PROFILES = table(
    "seasonal_profiles",
    "The shape of each significant pattern.",
    "series_id period slot",
    """
    series_id BIGINT series
    period VARCHAR as in seasonal_patterns
    slot BIGINT hour of the day, weekday from Monday, day of the month, or part of the period, from 0
    label VARCHAR what the slot is called, such as 09:00 (UTC), Monday, day 5 or day 5 of 30
    level DOUBLE median deviation of the slot's values from the level of their cycle, in the unit
    low DOUBLE lower end of its 95 % interval
    high DOUBLE upper end of it
    count BIGINT values in the slot
    """,
)

PATTERN_CHANGES = table(
    "pattern_changes",
    "Patterns that moved, grew or shrank.",
    "series_id period",
    """
    series_id BIGINT series
    period VARCHAR as in seasonal_patterns
    changed_at TIMESTAMP first value of the first cycle with the new pattern
    p_value DOUBLE of no change, in autocorrelated noise, corrected for the search over cycles; at most .05
    q_value DOUBLE false-discovery rate over all patterns looked at
    before VARCHAR peak before in words, or the trough where the peak is the same
    after VARCHAR the same since then
    sentence VARCHAR the change in one sentence
    """,
)

CHANGE_POINTS = table(
    "change_points",
    "First measurements of new levels.",
    "series_id index_run_id part_of_day",
    """
    series_id BIGINT series
    index_run_id BIGINT run of the first measurement of the new level
    part_of_day VARCHAR all day, or the hours (UTC) in which alone the level changed
    position BIGINT 0-based index of that measurement in its series
    changed_at TIMESTAMP its time
    changed_at_low TIMESTAMP start of the 95 % interval of the time
    changed_at_high TIMESTAMP end of it
    previous_run_id BIGINT last run of the old level
    previous_at TIMESTAMP its time
    before DOUBLE old level, in the unit; of a step on a drift, where the drift comes to it
    after DOUBLE new level, in the unit; of a step on a drift, where the drift goes on
    size DOUBLE difference, in the unit
    size_low DOUBLE lower end of its 95 % interval
    size_high DOUBLE upper end of it
    noise DOUBLE standard deviation of one measurement around the old level, in the unit
    p_value DOUBLE of no change, corrected for the search over positions
    q_value DOUBLE false-discovery rate over all series tested
    confirmed BOOLEAN evidence beyond what a month of hourly looks brings up in 98 of 100 unchanged series
    sharp BOOLEAN a line explains the values so much worse that no drift looks like this
    points_after BIGINT measurements at the new level
    settles_after BIGINT measurements at the new level after which it is known to last
    kind VARCHAR step
    second_mode DOUBLE level of the mode that appeared or became more frequent, null where all values moved
    mode_before DOUBLE share of the values before that lie in it
    mode_after DOUBLE share of those at the new level
    """,
)

DETECTION_LIMITS = table(
    "detection_limits",
    "How small a change each series can show at the noise of its present level.",
    "series_id",
    """
    series_id BIGINT series
    level DOUBLE median since the last change point, in the unit
    noise DOUBLE standard deviation of one measurement, in the unit
    autocorrelation DOUBLE of neighbouring measurements
    points BIGINT measurements since the last change point
    smallest_detectable DOUBLE relative change that is confirmed in four of five cases; null below 8 measurements
    runs_needed DOUBLE further measurements that this takes
    """,
)

ANOMALIES = table(
    "anomalies",
    "Episodes in which a series left what its past made likely.",
    "series_id episode_start",
    """
    series_id BIGINT series
    episode_start TIMESTAMP first anomalous bucket
    episode_end TIMESTAMP last anomalous bucket
    buckets BIGINT anomalous buckets
    score DOUBLE highest score, 0 to 1; alarm from 0.5
    value DOUBLE value at the highest score, in the unit
    expected DOUBLE what was expected there, in the unit
    side VARCHAR high or low
    """,
)

JOINT_ANOMALIES = table(
    "joint_anomalies",
    "Episodes in which the metrics of one node were odd together, though perhaps no single one was.",
    "project node_id episode_start",
    """
    project VARCHAR project of the node
    node_id VARCHAR node
    episode_start TIMESTAMP first bucket of the episode
    episode_end TIMESTAMP last bucket of the episode
    buckets BIGINT buckets from first to last
    score DOUBLE size over all metrics, about 1 when nothing is odd
    p_value DOUBLE chance of such an episode on a node without
    q_value DOUBLE the same with all nodes looked at (false-discovery rate)
    metrics VARCHAR those that took part, strongest first
    """,
)
