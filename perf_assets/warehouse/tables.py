"""Every table of the warehouse: its key, its columns, their types, units and meaning.

Types and statements are limited to what a DuckLake catalog can hold: no keys, sequences or indexes. `key` is what makes
a row unique, for readers and for tests. Times are naive UTC. Ratios are fractions: 0.12 is 12 %.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def ddl(self) -> str:
        columns = ", ".join(f'"{column.name}" {column.type}' for column in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns})"


def _table(name: str, meaning: str, key: str, columns: str) -> Table:
    """A Table from lines `name TYPE meaning`."""
    parsed = [line.split(maxsplit=2) for line in columns.strip().splitlines()]
    return Table(name, meaning, tuple(key.split()), tuple(Column(*parts) for parts in parsed))


RAW_RESULTS = _table(
    "raw_results",
    "Files as they were received.",
    "content_hash",
    """
    content_hash VARCHAR SHA-256 of the bytes, and the file's name in landing
    name VARCHAR name under which the file came
    received_at TIMESTAMP time of receipt
    received_day DATE day of receipt, the partition
    bytes BIGINT size
    origin VARCHAR sample, file, drop, or the source it was pulled from
    simulated BOOLEAN made by the fleet simulator
    receipts BIGINT how often it came
    """,
)

LOADING_RULES = _table(
    "loading_rules",
    "Under which settings and catalogue all files were loaded.",
    "fingerprint",
    """
    fingerprint VARCHAR hash of what decides which series and run a result belongs to, and its unit
    """,
)

BATCHES = _table(
    "batches",
    "Files whose rows have been loaded; written in one transaction with them.",
    "batch_id",
    """
    batch_id BIGINT hash of the content hash
    content_hash VARCHAR file it came from
    received_day DATE day of receipt
    received_at TIMESTAMP time of receipt
    name VARCHAR name under which the file came
    format VARCHAR format it was read as, those of its members for an archive; null where none was recognised
    sample BOOLEAN bundled sample data, left out of the analysis once there are results of one's own
    simulated BOOLEAN made by the fleet simulator
    measurements BIGINT measurements read
    new_measurements BIGINT measurements that were not known before
    series BIGINT series they belong to
    new_series BIGINT series that were not known before
    quarantined BIGINT rows sent to quarantine
    omitted VARCHAR JSON object: results that are no performance values, by outcome (failed, errored, skipped, idle)
    """,
)

SERIES = _table(
    "series",
    "What is measured: one row a series.",
    "series_id",
    """
    series_id BIGINT hash of the canonical key, the first 10 bits that of the metric alone
    project VARCHAR project
    branch VARCHAR long-lived branch, null where results name none
    metric VARCHAR metric name
    unit VARCHAR canonical UCUM unit
    test_name VARCHAR test, scenario or benchmark
    test_type VARCHAR kind of test
    benchmark_version VARCHAR version of the benchmark's code, where it has one
    node_id VARCHAR node, where nodes last
    node_type VARCHAR type of node
    tags VARCHAR JSON object of the tags that are part of the identity
    declared_direction VARCHAR direction the format declares, null if none
    sample BOOLEAN from bundled sample data
    simulated BOOLEAN from the fleet simulator
    """,
)

RUNS = _table(
    "runs",
    "Runs that produced measurements.",
    "run_id",
    """
    run_id BIGINT hash of project, run key and attempt, and of the branch where it forms no series
    project VARCHAR project
    run_key VARCHAR the source's own id of the run
    attempt INTEGER attempt, from 1
    branch VARCHAR branch, null where results name none
    on_series_branch BOOLEAN false for results of a branch that forms no series
    commit_id VARCHAR commit
    ci_job_id VARCHAR job in the CI system
    run_url VARCHAR where to look at the run
    context VARCHAR JSON object that may explain a shift, such as the runner image
    """,
)

MEASUREMENTS = _table(
    "measurements",
    "The facts, sorted by series and time.",
    "series_id run_id",
    """
    series_id BIGINT series
    run_id BIGINT run
    batch_id BIGINT file the value came from
    ts TIMESTAMP time of measurement
    value DOUBLE value in the series' unit
    """,
)

MEASUREMENT_DETAILS = _table(
    "measurement_details",
    "What only some measurements have.",
    "series_id run_id",
    """
    series_id BIGINT series
    run_id BIGINT run
    batch_id BIGINT file the value came from
    raw_value DOUBLE value as written
    raw_unit VARCHAR unit as written
    time_source VARCHAR result, commit or receipt
    spread DOUBLE spread the format reports, in the series' unit
    replicates DOUBLE[] single repetitions, in the series' unit
    node_name VARCHAR name of a node that does not last
    context VARCHAR JSON object, where it is not that of the run; empty where there is none
    location VARCHAR place in the file
    """,
)

QUARANTINED_RESULTS = _table(
    "quarantined_results",
    "What could not be read: where, why, and what to do.",
    "quarantine_id",
    """
    quarantine_id BIGINT hash of file, member of an archive, location, field and reason
    content_hash VARCHAR file it stands in
    name VARCHAR name under which the file came
    received_day DATE day of receipt
    location VARCHAR place in the file
    field VARCHAR field
    reason VARCHAR reason code
    message VARCHAR what is wrong and how to mend it
    fragment VARCHAR the first characters of what was rejected
    first_seen TIMESTAMP when the file first came
    times_seen BIGINT how often the file came
    kept_hash VARCHAR of a value that gave way to another one: the file that one stands in
    """,
)

INCIDENTS = _table(
    "incidents",
    "Incidents declared in the settings: measurements inside take no part in any analysis.",
    "incident_id",
    """
    incident_id BIGINT place in the settings, from 1
    starts_at TIMESTAMP first moment of it
    ends_at TIMESTAMP first moment after it
    reason VARCHAR why
    project VARCHAR only series of this project, null for all
    node_id VARCHAR only series of this node, null for all
    node_type VARCHAR only series of this type of node, null for all
    test_name VARCHAR only series of this test, null for all
    metric VARCHAR only series of this metric, null for all
    left_out BIGINT measurements that it leaves out, those of several incidents counted at the first
    """,
)

EPOCHS = _table(
    "epochs",
    "Declared epochs: from its moment on, values are not comparable with those before.",
    "epoch_id",
    """
    epoch_id BIGINT hash of its content
    starts_at TIMESTAMP first moment of the epoch
    reason VARCHAR why
    declared_by VARCHAR the settings, or who declared it on the command line
    project VARCHAR only series of this project, null for all
    node_id VARCHAR only series of this node, null for all
    node_type VARCHAR only series of this type of node, null for all
    test_name VARCHAR only series of this test, null for all
    metric VARCHAR only series of this metric, null for all
    left_out BIGINT measurements before it that analyses leave out
    """,
)

SERIES_EPOCHS = _table(
    "series_epochs",
    "The epoch each series is in, of those that a declared epoch is about and that have measurements in it.",
    "series_id",
    """
    series_id BIGINT series
    epoch_id BIGINT the last epoch that has begun for it
    starts_at TIMESTAMP when it began: earlier measurements take no part in any analysis
    """,
)

STOPPED_REPORTING = _table(
    "stopped_reporting",
    "Series without new measurements although others of the same kind of run go on.",
    "series_id",
    """
    series_id BIGINT series
    project VARCHAR project
    title VARCHAR name of the series for people
    verdict VARCHAR stopped_reporting, or removed where a test or a group of tests ended as a whole
    scope VARCHAR series, node, test or group: what ended together
    scope_name VARCHAR its name
    members BIGINT series that ended with it
    last_seen TIMESTAMP last measurement
    reports BIGINT hours in which it reported
    expected_share DOUBLE share of the hours with runs of its kind in which it reported while it did
    silent_hours BIGINT hours with runs of its kind since its last measurement
    longest_gap_hours BIGINT the longest silence before that, in the same hours
    probability DOUBLE of such a silence by chance
    simulated BOOLEAN from the fleet simulator
    """,
)

METRIC_SERIES = _table(
    "metric_series",
    "Series with their length, span, gaps, level and noise.",
    "series_id",
    """
    series_id BIGINT series
    project VARCHAR project
    metric VARCHAR metric
    unit VARCHAR unit
    direction VARCHAR which way is better
    category VARCHAR category in the catalogue
    importance VARCHAR importance in the catalogue
    in_catalogue BOOLEAN false for a metric the catalogue does not know
    test_name VARCHAR test
    test_type VARCHAR kind of test
    node_id VARCHAR node
    node_type VARCHAR type of node
    title VARCHAR name of the series for people: metric, test, node, and what else tells it from others of that name
    simulated BOOLEAN from the fleet simulator
    measurements BIGINT number of measurements
    first_seen TIMESTAMP first measurement
    last_seen TIMESTAMP last measurement
    span_days DOUBLE days between the two
    bucket_seconds BIGINT width of a bucket of the regular series
    buckets BIGINT buckets between first and last
    observed_buckets BIGINT buckets with a value
    missing_share DOUBLE share of buckets without one
    level DOUBLE median, in the unit
    noise DOUBLE standard deviation of point-to-point noise, in the unit
    noise_share DOUBLE noise as a share of the level
    as_of TIMESTAMP newest measurement of the project, incidents included
    content UBIGINT hash of its measurements and width: while it stays, no analysis of this series alone is repeated
    predecessor_id BIGINT series of the same name that ended before this began: an older version or another unit
    """,
)

SERIES_BUCKETS = _table(
    "series_buckets",
    "The regular series: the median of each bucket; gaps have no row.",
    "series_id ts",
    """
    series_id BIGINT series
    ts TIMESTAMP start of the bucket
    value DOUBLE median of its measurements, in the unit
    measurements BIGINT number of its measurements
    """,
)

METRIC_ROLLUPS = _table(
    "metric_rollups",
    "Series by day, for drawing.",
    "series_id day",
    """
    series_id BIGINT series
    day TIMESTAMP day
    low DOUBLE smallest value
    high DOUBLE largest value
    mean DOUBLE mean
    median DOUBLE median
    measurements BIGINT measurements of the day
    average_7d DOUBLE mean of the daily means of 7 days up to this one
    average_30d DOUBLE mean of the daily means of 30 days up to this one
    """,
)

METRIC_TRENDS = _table(
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

SEASONAL_PATTERNS = _table(
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

SEASONAL_PROFILES = _table(
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

PATTERN_CHANGES = _table(
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

CHANGE_POINTS = _table(
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

ANALYSED_CONTENTS = _table(
    "analysed_contents",
    "Measurements that an analysis has seen, so that it looks at changed series only.",
    "analysis series_id",
    """
    analysis VARCHAR name of the analysis, with the hash of its code
    series_id BIGINT series
    content UBIGINT hash of its measurements then, as in metric_series
    """,
)

DETECTION_LIMITS = _table(
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

ANOMALIES = _table(
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

JOINT_ANOMALIES = _table(
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

REGRESSIONS = _table(
    "regressions",
    "Changes that are significant and large enough to matter, series that moved together taken as one.",
    "regression_id",
    """
    regression_id BIGINT hash of series, part of day and first bad run, fixed when first confirmed
    series_id BIGINT series that shows it best
    shape VARCHAR step, incident (back within a day), drift (without a step), limit (crossed) or group (of many series)
    scope VARCHAR series, test, node, node_type, runner_image, environment (another field of it) or commit (or run)
    scope_name VARCHAR which one; of environment the field and its new setting
    reach VARCHAR how far it goes, in words: where a test changed, or of which part of the project its series are
    cause VARCHAR code, environment or unknown
    kind VARCHAR regression or improvement
    state VARCHAR suspected or confirmed
    waits_for VARCHAR of a suspected one, what stands in the way of confirming it
    part_of_day VARCHAR all day, or the hours (UTC) in which alone the level changed
    project VARCHAR project
    metric VARCHAR metric of the series that shows it best
    unit VARCHAR its unit
    test_name VARCHAR its test
    node_id VARCHAR its node
    node_type VARCHAR its type of node
    before DOUBLE old level, in the unit
    after DOUBLE new level, in the unit
    second_mode DOUBLE level of the mode that appeared or became more frequent, null where all values moved
    mode_before DOUBLE share of the values before that lie in it
    mode_after DOUBLE share of those at the new level
    change DOUBLE relative change, median over the members, null from a level of 0
    change_low DOUBLE lower end of the 95 % interval
    change_high DOUBLE upper end of it
    p_value DOUBLE smallest of the members
    q_value DOUBLE false-discovery rate of that member
    last_good_run VARCHAR last run of the old level
    first_bad_run VARCHAR first run of the new level
    last_good_at TIMESTAMP time of the last good run
    first_bad_at TIMESTAMP time of the first bad run
    last_good_commit VARCHAR commit of the last good run
    first_bad_commit VARCHAR commit of the first bad run
    recovered_at TIMESTAMP when a later change brought the level before back, null while the change stands
    restores BOOLEAN it only ends a short level or a regression, and brings back the level before that
    members BIGINT series that moved together
    suspicious BOOLEAN an improvement by half or more, too good to be taken on trust
    smallest_detectable DOUBLE smallest relative change that this series can show, see detection_limits
    explanation VARCHAR one or two sentences for people
    simulated BOOLEAN from the fleet simulator
    """,
)

REGRESSION_MEMBERS = _table(
    "regression_members",
    "The series a regression is made of.",
    "regression_id series_id",
    """
    regression_id BIGINT regression
    series_id BIGINT series
    changed_at TIMESTAMP time of the first measurement of its new level
    before DOUBLE old level, in the unit
    after DOUBLE new level, in the unit
    change DOUBLE relative change, null from a level of 0
    """,
)

REGRESSION_CAUSES = _table(
    "regression_causes",
    "What regressions that stand go along with, by comparison of the series that share or lack it: no proof.",
    "regression_id rank",
    """
    regression_id BIGINT regression
    rank BIGINT the best first
    factor VARCHAR test_name, test_type, node_id, node_type, commit, a field of the context, or a metric of load
    setting VARCHAR which one, or the setting that series went over to
    share DOUBLE of the squared changes of all series of the metric that it leaves nothing unsaid of, 0 to 1
    sharing BIGINT series that share it, or nodes compared
    change_sharing DOUBLE their mean relative change; of a metric of load its own
    lacking BIGINT series that lack it
    change_lacking DOUBLE their mean relative change
    consistent BOOLEAN share of a half or more, and what lacks it moved at most a quarter as far
    """,
)

DIFFERENCE_PARTS = _table(
    "difference_parts",
    "Which tests, nodes and metrics make up the difference of a regression whose unit adds up.",
    "regression_id dimension part",
    """
    regression_id BIGINT regression
    dimension VARCHAR test_name, node_id, or metric (of one category)
    part VARCHAR which one; others for all but the ten largest, whole for their sum
    before DOUBLE sum of the levels before, in the unit
    after DOUBLE sum of the levels after
    difference DOUBLE after less before
    share DOUBLE of the difference of the whole; null where that is 0
    """,
)

WITHDRAWN_FINDINGS = _table(
    "withdrawn_findings",
    "Findings that were confirmed once and are findings no more.",
    "regression_id",
    """
    regression_id BIGINT id it was confirmed with
    series_id BIGINT series
    project VARCHAR project
    metric VARCHAR metric of the series
    title VARCHAR name of the series for people
    kind VARCHAR regression or improvement
    first_bad_run VARCHAR first run of the new level, when it was confirmed
    confirmed_at TIMESTAMP newest measurement when it was confirmed
    reason VARCHAR why it is withdrawn, in one sentence
    """,
)

METRIC_CORRELATIONS = _table(
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

METRIC_FACTORS = _table(
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

DURATION_DRIVERS = _table(
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

DURATION_MODELS = _table(
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

RUN_OUTLIERS = _table(
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

SCENARIO_EFFICIENCY = _table(
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

KEY_INSIGHTS = _table(
    "key_insights",
    "What to read first, in words, with the figures it rests on.",
    "insight_id",
    """
    insight_id BIGINT hash of kind and subject
    rank BIGINT order of reading
    project VARCHAR project
    kind VARCHAR what sort of insight
    title VARCHAR one line
    text VARCHAR a few sentences
    evidence VARCHAR JSON object: table and key it rests on
    simulated BOOLEAN rests on simulated data
    """,
)

FORECAST_MODELS = _table(
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

METRIC_FORECASTS = _table(
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

WITHIN_DAY_FORECASTS = _table(
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

FORECASTS_MADE = _table(
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

FORECAST_ACCURACY = _table(
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

BREACH_OUTLOOK = _table(
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

BREACH_COURSES = _table(
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

NODE_SCORES = _table(
    "node_scores",
    "Nodes compared on the same tests.",
    "project node_id",
    """
    project VARCHAR project
    node_id VARCHAR node
    node_type VARCHAR type of node
    score DOUBLE 0 to 100; 50 is the middle of the fleet
    score_low DOUBLE lower end of the 95 % interval
    score_high DOUBLE upper end of it
    rank BIGINT 1 is best
    slowdown DOUBLE median time relative to the fleet on the same tests; 0.1 is 10 % slower
    tests BIGINT tests compared
    healthy BOOLEAN fit for scheduling
    reason VARCHAR why not
    """,
)

RECOMMENDATIONS = _table(
    "recommendations",
    "What to do, on what evidence, and what it should bring.",
    "recommendation_id",
    """
    recommendation_id BIGINT hash of kind and subject
    rank BIGINT order of importance
    kind VARCHAR rule that made it
    subject VARCHAR node, test, queue or series it is about
    title VARCHAR one line
    action VARCHAR what to do
    expected_effect VARCHAR what it should bring
    evidence VARCHAR JSON list of table and key of the rows it rests on
    state VARCHAR proposed
    project VARCHAR project
    as_of TIMESTAMP newest measurement it rests on
    simulated BOOLEAN rests on simulated data
    """,
)

SCHEDULE_PLAN = _table(
    "schedule_plan",
    "Which test to run on which node, balanced by predicted duration.",
    "project test_name",
    """
    project VARCHAR project
    node_id VARCHAR node
    position BIGINT order on the node
    test_name VARCHAR test
    predicted_duration DOUBLE in s
    starts_after DOUBLE in s from the start of the plan
    """,
)

FACT_TABLES = (
    RAW_RESULTS,
    LOADING_RULES,
    BATCHES,
    SERIES,
    RUNS,
    MEASUREMENTS,
    MEASUREMENT_DETAILS,
    QUARANTINED_RESULTS,
)
DERIVED_TABLES = (
    INCIDENTS,
    EPOCHS,
    SERIES_EPOCHS,
    METRIC_SERIES,
    SERIES_BUCKETS,
    METRIC_ROLLUPS,
    METRIC_TRENDS,
    SEASONAL_PATTERNS,
    SEASONAL_PROFILES,
    PATTERN_CHANGES,
    CHANGE_POINTS,
    DETECTION_LIMITS,
    ANALYSED_CONTENTS,
    ANOMALIES,
    JOINT_ANOMALIES,
    STOPPED_REPORTING,
    REGRESSIONS,
    REGRESSION_MEMBERS,
    WITHDRAWN_FINDINGS,
    REGRESSION_CAUSES,
    DIFFERENCE_PARTS,
    METRIC_CORRELATIONS,
    METRIC_FACTORS,
    DURATION_DRIVERS,
    DURATION_MODELS,
    RUN_OUTLIERS,
    SCENARIO_EFFICIENCY,
    KEY_INSIGHTS,
    FORECAST_MODELS,
    METRIC_FORECASTS,
    WITHIN_DAY_FORECASTS,
    FORECASTS_MADE,
    FORECAST_ACCURACY,
    BREACH_OUTLOOK,
    BREACH_COURSES,
    NODE_SCORES,
    RECOMMENDATIONS,
    SCHEDULE_PLAN,
)
TABLES = FACT_TABLES + DERIVED_TABLES


def fits(declared: str, series: str) -> str:
    """SQL that says whether a row of `declared` (an incident, an epoch) is about a row of `series`."""
    narrowing = ("project", "node_id", "node_type", "test_name", "metric")
    return " AND ".join(
        f"coalesce({declared}.{name} = {series}.{name}, {declared}.{name} IS NULL)" for name in narrowing
    )


VIEWS = (
    # Sample data is for the first look only: once there are results of one's own, it is left out.
    """CREATE OR REPLACE VIEW analysed_series AS
    SELECT * FROM series WHERE NOT sample OR NOT EXISTS (SELECT 1 FROM series WHERE NOT sample)""",
    # Results of short-lived branches form no series, nor do those that name no branch of a run that is there on such
    # a one.
    """CREATE OR REPLACE VIEW series_runs AS
    SELECT r.* FROM runs r WHERE r.on_series_branch AND (r.branch IS NOT NULL OR NOT EXISTS (
      SELECT 1 FROM runs o WHERE NOT o.on_series_branch AND o.project = r.project AND o.run_key = r.run_key
        AND o.attempt = r.attempt))""",
    # Of several attempts at a run the last one counts. Few runs are repeated, so that only their measurements are
    # compared.
    """CREATE OR REPLACE VIEW series_measurements AS
    WITH repeated AS (
      SELECT run_id, project, run_key, attempt FROM series_runs
      QUALIFY count(*) OVER (PARTITION BY project, run_key) > 1
    ), superseded AS (
      SELECT m.series_id, m.run_id FROM measurements m JOIN repeated r USING (run_id)
      QUALIFY r.attempt < max(r.attempt) OVER (PARTITION BY m.series_id, r.project, r.run_key)
    )
    SELECT m.series_id, m.run_id, m.ts, m.value FROM measurements m
    SEMI JOIN analysed_series s ON s.series_id = m.series_id
    SEMI JOIN series_runs r ON r.run_id = m.run_id
    ANTI JOIN superseded d ON d.series_id = m.series_id AND d.run_id = m.run_id""",
    f"""CREATE OR REPLACE VIEW incident_series AS
    SELECT s.series_id, i.incident_id, i.starts_at, i.ends_at FROM incidents i JOIN analysed_series s
    ON {fits("i", "s")}""",  # noqa: S608 - an expression of this module
    # What a declared incident explains is a gap: neither a finding nor part of what is usual. What lies before an
    # epoch is history that nothing is compared with.
    """CREATE OR REPLACE VIEW analysed_measurements AS
    SELECT m.series_id, m.run_id, m.ts, m.value FROM series_measurements m ANTI JOIN incident_series i
    ON i.series_id = m.series_id AND m.ts >= i.starts_at AND m.ts < i.ends_at
    ANTI JOIN series_epochs e ON e.series_id = m.series_id AND m.ts < e.starts_at""",
    """CREATE OR REPLACE VIEW performance_metrics AS
    SELECT md5_number_lower(concat_ws('/', m.series_id, m.run_id)) AS id, m.ts AS timestamp,
      s.metric AS metric_name, m.value AS metric_value, s.test_name, s.test_type, coalesce(s.node_id, d.node_name)
      AS node_id, s.node_type, r.run_key AS test_run_id, r.ci_job_id,
      nullif(coalesce(d.context, r.context), '{}') :: JSON AS context_data
    FROM measurements m JOIN analysed_series s USING (series_id) JOIN runs r USING (run_id)
    LEFT JOIN measurement_details d ON d.series_id = m.series_id AND d.run_id = m.run_id""",
)
