"""Recommendations: what to do about the findings, on what evidence, and what it should bring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from perf_assets.advice.identifiers import advice_id
from perf_assets.advice.severity import badness
from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.tables import RECOMMENDATIONS
from perf_assets.wording.findings import (
    apart,
    breach,
    change_of,
    levels,
    metric_words,
    run_name,
    short_commit,
    subject,
)
from perf_assets.wording.moments import moment
from perf_assets.wording.quantities import counted, odds, quantity, share

_METRICS_NAMED = 3
RECOMMENDATION_COLUMNS = RECOMMENDATIONS.names
_WORTH_NAMING = 60.0
"""Seconds a day from which a saving is named."""
LIKELY = 0.5
"""Probability from which a breach is worth acting on."""
_ORDER = (
    "high_memory_usage", "limit_breach", "runner_image_regression", "environment_regression", "slow_node",
    "high_node_failure_rate", "slow_test_execution", "queue_saturation", "flaky_test", "regression",
    "metric_not_in_catalogue",
)  # fmt: skip


@dataclass(frozen=True)
class Findings:
    """The finding tables that advice rests on, in the schemas of the warehouse; `series` is metric_series."""

    series: pd.DataFrame
    regressions: pd.DataFrame
    breaches: pd.DataFrame
    trends: pd.DataFrame
    node_scores: pd.DataFrame


def recommend(findings: Findings) -> pd.DataFrame:
    """Proposals with the columns RECOMMENDATION_COLUMNS, most urgent first: by kind, then the worst.

    The specification's three (high memory usage, slow test execution, high node failure rate), and those that the
    findings suggest: limits about to be crossed, slow nodes, runner images, queues, flaky tests, unknown metrics.
    """
    proposals = [
        *_about_limits(findings),
        *_about_regressions(findings),
        *_about_failing_nodes(findings),
        *_about_unknown_metrics(findings),
    ]
    as_of = findings.series.groupby("project")["as_of"].max() if len(findings.series) else pd.Series(dtype=object)
    rows = [
        {**proposal, "recommendation_id": advice_id(proposal["project"], proposal["kind"], proposal["subject"]),
         "state": "proposed", "as_of": as_of.get(proposal["project"])}
        for proposal in sorted(proposals, key=lambda p: _ORDER.index(str(p["kind"])))
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(RECOMMENDATION_COLUMNS))
    table = table.drop_duplicates("recommendation_id", ignore_index=True)
    return table.assign(rank=range(1, len(table) + 1))


_AT_LIMIT = {
    "memory_usage": "Find what holds memory on {place} (now {value}); restart it or raise its memory limit {deadline}.",
    "disk_usage": "Free disk space on {place} (now {value}), or add some, {deadline}.",
    "cpu_usage": "Move work away from {place} (now {value}), or add nodes of its type, {deadline}.",
    "cpu_temperature": "Check the cooling of {place} (now {value}) {deadline}; a hot processor runs slower.",
    "node_error_rate": "Look at what the errors on {place} have in common (now {value}), and drain it {deadline}.",
    "node_failure_rate": "Look at why {place} fails (now {value}), and drain it {deadline}.",
    "test_failure_rate": "Look at the newest failures of {place} (now {value}) {deadline}.",
}
"""What to do where a metric of the catalogue reaches its limit."""
_AT_OTHER_LIMITS = "Find what drives {metric} on {place} (now {value}) {deadline}, or correct the limit."


def breaches_ahead(findings: Findings) -> pd.DataFrame:
    """Limits that a level will more likely than not pass within 30 days, or has passed already, the next one first."""
    table = findings.breaches.merge(findings.series, on="series_id")
    return table[table["level_by_30"] >= LIKELY].sort_values(["breach_date", "series_id"])


def _about_limits(findings: Findings) -> Iterator[dict[str, object]]:
    for row in breaches_ahead(findings).itertuples():
        place = _first_known(row.node_id, row.test_name, row.project)
        value, limit = quantity(row.last_value, row.unit), f"its limit of {quantity(row.limit_value, row.unit)}"
        memory = row.metric == "memory_usage"
        deadline = "now" if row.already_breached else "before then"
        likely = f"probability {odds(row.level_by_30)} within 30 days"
        risk = "" if row.already_breached else f"; without it the level passes the limit with {likely}"
        yield {
            "kind": "high_memory_usage" if memory else "limit_breach",
            "subject": place if memory else f"{metric_words(row.metric)} of {place}",
            "project": row.project,
            "title": f"{metric_words(row.metric)} of {place} {breach(row, limit)}",
            "action": _AT_LIMIT.get(row.metric, _AT_OTHER_LIMITS).format(
                metric=metric_words(row.metric), place=place, value=value, deadline=deadline
            ),
            "expected_effect": f"No failures from {metric_words(row.metric)}{risk}.",
            "evidence": json.dumps([{"table": "breach_outlook", "series_id": str(row.series_id)},
                                    {"table": "metric_trends", "series_id": str(row.series_id)}]),
            "simulated": bool(row.simulated),
        }  # fmt: skip


def _about_regressions(findings: Findings) -> Iterator[dict[str, object]]:
    daily = findings.series.set_index("series_id")
    changes = findings.regressions.assign(badness=badness(findings.regressions))
    # What is sure first, and of that the worst.
    for row in changes.sort_values(["state", "badness", "regression_id"], ascending=[True, False, True]).itertuples():
        if row.kind != "regression" or row.restores or not pd.isna(row.recovered_at):
            continue
        rate = daily.loc[row.series_id, "measurements"] / max(float(daily.loc[row.series_id, "span_days"]), 1.0)
        cost = (row.after - row.before) * rate * row.members
        saved = (
            f"{quantity(cost, 's')} less a day over {counted(row.members, 'series')}"
            if row.unit == "s" and cost >= _WORTH_NAMING
            else None
        )
        base = {
            "project": row.project,
            "evidence": json.dumps([{"table": "regressions", "regression_id": str(row.regression_id)}]),
            "simulated": bool(row.simulated),
        }
        yield base | _proposal(row, saved or f"back to {quantity(row.before, row.unit)}")


def node_got_worse(row: Any) -> bool:
    """Has one node as a whole (a row of regressions) got worse, beyond doubt and to this day?"""
    confirmed = row.scope == "node" and row.kind == "regression" and row.state == "confirmed"
    return bool(confirmed and pd.isna(row.recovered_at) and not row.restores)


def _proposal(row: Any, effect: str) -> dict[str, object]:
    """Kind, subject, title, action and effect for one regression (a row of the table)."""
    name, since, size = row.scope_name, moment(row.first_bad_at), change_of(row)
    bracket = _bracket(row)
    words = metric_words(row.metric)
    place = " · ".join(filter(None, (_first_known(row.test_name, row.node_id, row.project), apart(row))))
    look = "Compare the environment" if row.cause == "environment" else "Look at the change"
    if row.shape == "group":
        return {
            "kind": "regression", "subject": name,
            "title": f"{counted(row.members, 'series')} of {name}: {words} {size} since {since}",
            "action": f"{look} {bracket}. {row.explanation}",
            "expected_effect": effect,
        }  # fmt: skip
    if row.shape == "drift":
        return {
            "kind": "regression", "subject": name,
            "title": f"{words} of {place} has crept {size} since {since}",
            "action": f"Look for what has grown {bracket}. {row.explanation}",
            "expected_effect": effect,
        }  # fmt: skip
    if row.scope == "runner_image":
        return {
            "kind": "runner_image_regression", "subject": name,
            "title": f"Runner image {name}: {words} {size} since {since}",
            "action": f"Roll runner image {name} back, or look at what changed in it. {row.explanation}",
            "expected_effect": f"{effect}; no single test needs investigation.",
        }  # fmt: skip
    if row.scope == "node_type":
        return {
            "kind": "runner_image_regression", "subject": name,
            "title": f"All {name} nodes: {words} {size} since {since}",
            "action": f"Compare the runner image {bracket}; roll it back. {row.explanation}",
            "expected_effect": f"{effect}; no single test needs investigation.",
        }  # fmt: skip
    if row.scope == "node":
        left_out = "; the schedule plan already leaves it out" if node_got_worse(row) else ""
        return {
            "kind": "slow_node", "subject": name,
            "title": f"Node {name}: {words} {size} since {since}",
            "action": f"Drain {name} and check its hardware and neighbours{left_out}.",
            "expected_effect": effect,
        }  # fmt: skip
    if row.scope in ("environment", "commit"):
        return {
            "kind": "environment_regression" if row.cause == "environment" else "regression",
            "subject": f"{name} {'' if pd.isna(row.reach) else row.reach}".rstrip(),
            "title": f"{subject(row)}: {words} {size} since {since}",
            "action": f"{look} {bracket}. {row.explanation}",
            "expected_effect": effect,
        }  # fmt: skip
    if row.part_of_day != ALL_DAY and words.startswith("queue"):
        return {
            "kind": "queue_saturation", "subject": place,
            "title": f"{words} of {place} is {size} at {row.part_of_day} since {since}",
            "action": "Move scheduled jobs out of these hours, or add nodes for them.",
            "expected_effect": effect,
        }  # fmt: skip
    if row.metric == "test_failure_rate":
        return {
            "kind": "flaky_test", "subject": place,
            "title": f"{place} fails more often since {since}: {levels(row)}",
            "action": f"Quarantine {place} so that it blocks nobody, and look at its failures {bracket}.",
            "expected_effect": "Fewer reruns, and red builds that mean something.",
        }  # fmt: skip
    if row.scope == "series" and row.cause == "environment":
        return {
            "kind": "environment_regression", "subject": name,
            "title": f"{words} of {place} is {size} since {since}",
            "action": f"Compare the environment {bracket}. {row.explanation}",
            "expected_effect": effect,
        }  # fmt: skip
    if row.metric == "test_execution_time" or (row.scope == "test" and row.unit == "s"):
        test = name if row.scope == "test" else place
        return {
            "kind": "slow_test_execution", "subject": test,
            "title": f"{test} is {size} since {since}",
            "action": f"{look} {bracket}; until then, split the test or run more of it in parallel.",
            "expected_effect": effect,
        }  # fmt: skip
    return {
        "kind": "regression", "subject": name,
        "title": f"{words} of {place} is {size} since {since}",
        "action": f"Look at the change {bracket}.",
        "expected_effect": effect,
    }  # fmt: skip


def _bracket(row: Any) -> str:
    """Between which commits a change (a row of regressions) happened, or between which runs where the commit is unknown
    or the same."""
    commits = [short_commit(c) for c in (row.last_good_commit, row.first_bad_commit) if not pd.isna(c)]
    if len(commits) == 2 and row.last_good_commit != row.first_bad_commit:
        return f"between the commits {commits[0]} and {commits[1]}"
    if pd.isna(row.last_good_run):
        return f"since commit {commits[0]}" if commits else f"since run {run_name(row.first_bad_run)}"
    return f"between the runs {run_name(row.last_good_run)} and {run_name(row.first_bad_run)}"


def _first_known(*names: Any) -> str:
    return str(next(name for name in names if not pd.isna(name)))


def _about_failing_nodes(findings: Findings) -> Iterator[dict[str, object]]:
    """node_failure_rate above 5 %, by the level of the last week."""
    table = findings.trends.merge(findings.series, on="series_id", suffixes=("", "_series"))
    failing = table[(table["metric"] == "node_failure_rate") & (table["average_7d"] > 0.05)]
    for row in failing.sort_values(["average_7d", "series_id"], ascending=[False, True]).itertuples():
        yield {
            "kind": "high_node_failure_rate", "subject": row.node_id, "project": row.project,
            "title": f"{row.node_id} fails {share(row.average_7d)} of its jobs for reasons of its own",
            "action": f"Investigate {row.node_id}; take it out of the pool until the cause is known.",
            "expected_effect": f"{share(row.average_7d)} of its jobs no longer run twice.",
            "evidence": json.dumps([{"table": "metric_trends", "series_id": str(row.series_id)}]),
            "simulated": bool(row.simulated),
        }  # fmt: skip


def _about_unknown_metrics(findings: Findings) -> Iterator[dict[str, object]]:
    """One for all of a project: a format may bring dozens. Where results state the direction it needs no catalogue."""
    unknown = findings.series[
        ~findings.series["in_catalogue"].astype(bool) & (findings.series["direction"] == "neutral")
    ]
    for project, rows in unknown.groupby("project"):
        metrics = sorted(rows["metric"].unique())
        named = ", ".join(metrics[:_METRICS_NAMED]) + (" and others" if len(metrics) > _METRICS_NAMED else "")
        yield {
            "kind": "metric_not_in_catalogue", "subject": "metrics", "project": project,
            "title": f"{named}: not in the catalogue, and no result states the direction",
            "action": f"Add {'it' if len(metrics) == 1 else 'them'} with unit and direction to your metrics file: "
                      f"without a direction no change of {counted(len(rows), 'series')} can be called a regression.",
            "expected_effect": f"{counted(len(rows), 'more series')} watched.",
            "evidence": json.dumps([{"table": "metric_series", "metric": name} for name in metrics[:_METRICS_NAMED]]),
            "simulated": bool(rows["simulated"].any()),
        }  # fmt: skip
