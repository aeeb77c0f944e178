"""What to do: insights, scores of nodes, recommendations and the schedule."""

from __future__ import annotations

from perf_assets.tables.schema import table

KEY_INSIGHTS = table(
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

NODE_SCORES = table(
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

RECOMMENDATIONS = table(
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

SCHEDULE_PLAN = table(
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
