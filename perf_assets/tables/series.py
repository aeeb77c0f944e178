"""Regular series, what is left out of them, and how far they have been analysed."""

from __future__ import annotations

from perf_assets.tables.schema import table

INCIDENTS = table(
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

EPOCHS = table(
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

SERIES_EPOCHS = table(
    "series_epochs",
    "The epoch each series is in, of those that a declared epoch is about and that have measurements in it.",
    "series_id",
    """
    series_id BIGINT series
    epoch_id BIGINT the last epoch that has begun for it
    starts_at TIMESTAMP when it began: earlier measurements take no part in any analysis
    """,
)

METRIC_SERIES = table(
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
    title VARCHAR name of the series for people: metric, test, node, and what distinguishes series of equal names
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

SERIES_BUCKETS = table(
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

METRIC_ROLLUPS = table(
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

ANALYSED_CONTENTS = table(
    "analysed_contents",
    "Measurements that an analysis has seen, so that it looks at changed series only.",
    "analysis series_id",
    """
    analysis VARCHAR name of the analysis, with the hash of its code
    series_id BIGINT series
    content UBIGINT hash of its measurements then, as in metric_series
    """,
)

STOPPED_REPORTING = table(
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
