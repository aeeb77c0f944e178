"""Metrics that go together, and what goes along with the duration of runs."""

from __future__ import annotations

from perf_assets.tables.schema import table

METRIC_CORRELATIONS = table(
    "metric_correlations",
    "Metrics that rise and fall together, cycles, levels, lines and what their own past predicts removed.",
    "project node_id metric_a metric_b",
    """
    project VARCHAR project
    node_id VARCHAR node, or the whole project
    metric_a VARCHAR first metric
    metric_b VARCHAR second metric
    rho DOUBLE correlation of normal scores at the lag with the most evidence
    rho_low DOUBLE lower end of its 95 % interval
    rho_high DOUBLE upper end of it
    lag BIGINT days by which the second metric follows the first; below 0, the first the second
    width BIGINT days that means were taken of, 1 for none
    strength VARCHAR strong, moderate or weak
    effective_n DOUBLE pairs of unpredictable values
    p_value DOUBLE of no correlation at any lag
    q_value DOUBLE false-discovery rate over all pairs tested
    """,
)

METRIC_FACTORS = table(
    "metric_factors",
    "With which factor the level of a metric goes: the test, the type of test, the node or the type of node.",
    "project metric factor",
    """
    project VARCHAR project
    metric VARCHAR metric
    factor VARCHAR test, test type, node or node type
    settings BIGINT number of its settings, such as nodes
    cells BIGINT series whose level is known
    share DOUBLE of the variance between the cells that the factor alone explains, corrected for its settings
    unique_share DOUBLE what it adds to all other factors together; null where they determine it
    p_value DOUBLE of no effect beyond the other factors; of a type, beyond the differences of its nodes or tests
    q_value DOUBLE false-discovery rate over all rows
    highest VARCHAR setting with the largest effect
    highest_ratio DOUBLE its level as a multiple of that of the median setting; null where a value is not above 0
    lowest VARCHAR setting with the smallest effect
    lowest_ratio DOUBLE its level as a multiple of that of the median setting
    confounded_with VARCHAR factors that determine this one, so that its effect may be theirs
    """,
)

DURATION_DRIVERS = table(
    "duration_drivers",
    "What goes along with the duration of scenario runs, how well a linear model of it predicts, and what the model "
    "that new runs bear out best rests on.",
    "project driver",
    """
    project VARCHAR project
    driver VARCHAR metric
    correlation DOUBLE Pearson's correlation with duration
    strength VARCHAR strong, moderate or weak
    in_model BOOLEAN a feature of the linear model
    coefficient DOUBLE seconds per unit of the driver
    standardised_coefficient DOUBLE seconds per standard deviation of the driver
    importance DOUBLE share of the absolute standardised coefficients
    intercept DOUBLE intercept of the model, in s
    r_squared DOUBLE of the model in sample
    r_squared_cross_validated DOUBLE leave-one-out, 1 - PRESS / SST
    r_squared_low DOUBLE lower end of its 95 % interval
    r_squared_high DOUBLE upper end of it
    runs BIGINT runs the model was fitted to
    vif DOUBLE variance inflation factor among the numeric columns, infinite where the others determine it
    permuted_together VARCHAR drivers that share half of their variance or more, and hence one share
    share DOUBLE of what the chosen model explains of held-out runs, by permutation; null where that may be nothing
    share_low DOUBLE lower end of its 95 % interval
    share_high DOUBLE upper end of it
    """,
)

DURATION_MODELS = table(
    "duration_models",
    "Models of the duration of scenario runs, judged by runs that they were not fitted to.",
    "project model",
    """
    project VARCHAR project
    model VARCHAR three features, all columns, logarithms or gradient boosting
    chosen BOOLEAN the simplest whose error is within a standard error of the smallest
    runs BIGINT newest complete runs, at most 1,000
    columns VARCHAR what the model is given
    borne_out DOUBLE lower end of R² of runs left out, with and without without_run, at most that of later runs
    r_squared_time_ordered DOUBLE of later runs by models of the runs before; null where runs have no times
    r_squared_time_ordered_low DOUBLE lower end of its 95 % interval
    r_squared_time_ordered_high DOUBLE upper end of it
    r_squared_left_out DOUBLE of runs left out in any order
    r_squared_left_out_low DOUBLE lower end of its 95 % interval
    r_squared_left_out_high DOUBLE upper end of it
    r_squared_grouped DOUBLE of whole scenarios by models of the others
    r_squared_grouped_low DOUBLE lower end of its 95 % interval
    r_squared_grouped_high DOUBLE upper end of it
    without_run BIGINT the run of overwhelming leverage, if there is one
    r_squared_without_run DOUBLE of runs left out in any order where it is not there
    r_squared_without_run_low DOUBLE lower end of its 95 % interval
    r_squared_without_run_high DOUBLE upper end of it
    """,
)

RUN_OUTLIERS = table(
    "run_outliers",
    "Scenario runs beside what the duration model expects of them.",
    "project run_id",
    """
    project VARCHAR project
    run_id BIGINT run
    scenario VARCHAR scenario
    duration DOUBLE in s
    expected DOUBLE in s
    residual DOUBLE in s
    residual_share DOUBLE residual as a share of what was expected
    leave_one_out_expected DOUBLE expected by a model that has not seen the run, in s
    verdict VARCHAR slower (over 20 %), faster (under -20 %) or as expected
    nodes DOUBLE blast radius
    edges DOUBLE edges
    observations DOUBLE observations
    risks DOUBLE risk count
    beyond_model BOOLEAN the only run of its scenario, so that what is expected of it comes from others
    """,
)

SCENARIO_EFFICIENCY = table(
    "scenario_efficiency",
    "Scenarios compared fairly: time per node, edge and observation.",
    "project scenario",
    """
    project VARCHAR project
    scenario VARCHAR scenario
    runs BIGINT runs
    duration_mean DOUBLE in s
    duration_sd DOUBLE sample standard deviation in s, null for one run
    nodes_mean DOUBLE blast radius
    edges_mean DOUBLE edges
    observations_mean DOUBLE observations
    seconds_per_node DOUBLE in s
    seconds_per_1k_edges DOUBLE in s
    seconds_per_observation DOUBLE in s
    """,
)
