"""Regressions with their members and causes, and findings that were withdrawn."""

from __future__ import annotations

from perf_assets.tables.schema import table

REGRESSIONS = table(
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

REGRESSION_MEMBERS = table(
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

REGRESSION_CAUSES = table(
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

DIFFERENCE_PARTS = table(
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

WITHDRAWN_FINDINGS = table(
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
