"""What was received and measured, as loading writes it."""

from __future__ import annotations

from perf_assets.tables.schema import table

RAW_RESULTS = table(
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

LOADING_RULES = table(
    "loading_rules",
    "Under which settings and catalogue all files were loaded.",
    "fingerprint",
    """
    fingerprint VARCHAR hash of what decides which series and run a result belongs to, and its unit
    """,
)

BATCHES = table(
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

SERIES = table(
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

RUNS = table(
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

MEASUREMENTS = table(
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

MEASUREMENT_DETAILS = table(
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
    context VARCHAR JSON object, where it differs from that of the run; empty where nothing is known
    location VARCHAR place in the file
    """,
)

QUARANTINED_RESULTS = table(
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
    kept_hash VARCHAR of a value that was replaced by another one: the file of that one
    """,
)

PERFORMANCE_METRICS = table(
    "performance_metrics",
    "Measurements as one wide table: a view over series, runs, measurements and measurement_details.",
    "id",
    """
    id UBIGINT hash of series and run
    timestamp TIMESTAMP when the value was measured, in UTC
    metric_name VARCHAR metric
    metric_value DOUBLE value, in the unit of its series
    test_name VARCHAR test, scenario or benchmark
    test_type VARCHAR type of the test
    node_id VARCHAR node
    node_type VARCHAR type of the node
    test_run_id VARCHAR key of the run
    ci_job_id VARCHAR job of the CI server
    context_data JSON tags and what else is known of the run
    """,
)
