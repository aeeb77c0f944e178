"""The report in the terminal, and the tables of the command.

Belongs here: rich renderables of finished tables. Does not belong here: reading them (reading, cli), decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from perf_assets.analysis.regressions import DRIFT
from perf_assets.characters import in_one_line
from perf_assets.report import reading
from perf_assets.report.reading import Handling, Report, read_report, rows_of
from perf_assets.settings import CONFIG_FILE
from perf_assets.wording import findings
from perf_assets.wording.findings import breach, recovery
from perf_assets.wording.moments import day, moment, span
from perf_assets.wording.quantities import (
    change,
    counted,
    number,
    odds,
    quantity,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from rich.console import Console

    from perf_assets.analysis.regressions import RegressionRules

MOST_REGRESSIONS, MOST_SUSPECTED, MOST_DRIFTS, MOST_IMPROVEMENTS, MOST_NEAR = 8, 4, 3, 4, 6
MOST_BREACHES, MOST_ACTIONS, MOST_NODES, MOST_INCIDENTS, MOST_SILENT = 4, 5, 3, 3, 4
MOST_REASONS, MOST_WITHDRAWN, MOST_PROJECTS = 2, 4, 8
_COLOURS = {"worse": "red", "better": "green", "regression": "red", "improvement": "green"}


def print_report(
    con: DuckDBPyConnection,
    console: Console,
    overdue: Sequence[str] = (),
    rules: RegressionRules | None = None,
    handling: Handling | None = None,
) -> None:
    """The findings of a snapshot in about 60 lines of 100 columns: what, where, since when, how sure, what to do.

    `overdue` are sentences about results that were expected and have not come; `rules` are those that regressions were
    found by; `handling` is what has been done about them.
    """
    report = read_report(con, handling, overdue, rules)
    if report.empty:
        console.print(
            "[bold]There is nothing to analyse yet.[/] `make run` analyses the bundled sample, "
            "`make run INPUT=<file or folder>` results of your own."
        )
    # Where nothing could be read, only the reasons are shown.
    for line in (*_overdue(report), *_quality(report)) if report.empty else _lines(report):
        apart = line.startswith("\n")
        text = line.lstrip(" \n")
        indent = len(line) - len(text) - apart
        # Names are whatever results contain: no line may hold what a terminal would obey.
        console.print(Padding(Text.from_markup(in_one_line(text)), (int(apart), 0, 0, indent), expand=False))


def _lines(report: Report) -> Iterator[str]:
    total, projects = reading.counts(report)
    yield f"\n[bold]{total.words[0].upper()}{total.words[1:]}[/], results up to {moment(report.as_of)}"
    yield from _overdue(report)
    for project in projects[:MOST_PROJECTS]:
        name = f"{escape(project.project)}{_label(project.simulated)}"
        yield f"  {name}: {counted(project.series, 'series')}, results up to {day(project.as_of)}"
    if len(projects) > MOST_PROJECTS:
        yield f"  [dim]and {counted(len(projects) - MOST_PROJECTS, 'more project')}[/]"
    yield from _changes("Worse now", report.standing, MOST_REGRESSIONS)
    if report.standing.empty:
        yield f"\n{escape(reading.without_news(report))}"
    yield from _changes("Suspected", report.suspected, MOST_SUSPECTED)
    yield from _changes("Drifting for the worse", report.drifts, MOST_DRIFTS)
    yield from _breaches(report)
    yield from _changes("Improved", report.improvements, MOST_IMPROVEMENTS)
    yield from _recovered(report)
    yield from _withdrawn(report)
    yield from _near(report)
    yield from _unusual(report)
    yield from _actions(report)
    yield from _nodes(report)
    yield from _scenarios(report)
    yield from _quality(report)


def _overdue(report: Report) -> Iterator[str]:
    for sentence in report.overdue:
        yield f"  [bold red]{escape(sentence)}[/]"


def _changes(heading: str, changes: pd.DataFrame, most: int) -> Iterator[str]:
    if changes.empty:
        return
    yield f"\n[bold]{heading}[/]"
    for row in rows_of(changes.head(most)):
        colour = _COLOURS[str(row.kind)]
        taken = " [dim](acknowledged)[/]" if row.acknowledged else ""
        yield f"  [{colour}]{escape(findings.title(row))}[/]{_label(row.simulated)}{taken}"
        runs = findings.commits(row) or findings.runs(row)
        yield (
            f"    [dim]{escape(findings.levels_of_members(row))}; {escape(findings.confidence(row))}"
            f"{recovery(row)}; {counted(row.members, 'series')}; {escape(runs)}[/]"
        )
        if row.shape == DRIFT:
            yield f"    [dim]{escape(_first_sentence(str(row.explanation)))}[/]"
        elif row.cause == "environment":
            yield f"    [dim]{escape(str(row.explanation))}[/]"
    yield from _rest(len(changes) - most, "regressions")


def _recovered(report: Report) -> Iterator[str]:
    if len(report.recovered):
        last = day(report.recovered["recovered_at"].max())
        yield (
            f"\n[bold]Recovered[/]: {reading.what_recovered(report)}, the last on {last} "
            "[dim](perf-assets regressions)[/]"
        )
    if len(report.lost):
        count = counted(len(report.lost), "improvement")
        yield f"\n[bold]Improved for a while[/]: {count}, none of which lasted [dim](perf-assets regressions)[/]"
    if len(report.back):
        count = counted(len(report.back), "regression")
        yield f"\n[bold]Back after a short improvement[/]: {count} [dim](perf-assets regressions)[/]"


def _withdrawn(report: Report) -> Iterator[str]:
    if report.withdrawn.empty:
        return
    yield "\n[bold]Withdrawn[/]"
    for row in rows_of(report.withdrawn.head(MOST_WITHDRAWN)):
        since = f"{row.kind} since run {findings.run_name(row.first_bad_run)}, confirmed {day(row.confirmed_at)}"
        yield f"  {escape(f'{row.title}: {since}')}: [dim]{escape(str(row.reason))}[/]"
    yield from _more_on_page(len(report.withdrawn) - MOST_WITHDRAWN)


def _near(report: Report) -> Iterator[str]:
    if report.near.empty:
        return
    yield "\n[bold]Looks changed, not certain[/]"
    for row in rows_of(report.near.head(MOST_NEAR)):
        yield f"  {escape(reading.near_title(row))}{_label(row.simulated)}: [dim]{escape(str(row.reason))}[/]"
    yield from _more_on_page(len(report.near) - MOST_NEAR)


def _unusual(report: Report) -> Iterator[str]:
    parts = [
        counted(report.anomalies["series_id"].nunique(), "series") if len(report.anomalies) else "",
        counted(report.joint_anomalies["node_id"].nunique(), "node") if len(report.joint_anomalies) else "",
    ]
    found = " and ".join(part for part in parts if part)
    if found:
        days = counted(reading.RECENT.days, "day")
        yield f"\n[bold]Unusual for a while[/]: {found} in the last {days} of data [dim](perf-assets anomalies)[/]"


def _more_on_page(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  [dim]and {number(count)} more on the report page[/]"


def _breaches(report: Report) -> Iterator[str]:
    if report.breaches.empty:
        return
    yield "\n[bold]Limits crossed or about to be[/]"
    for row in rows_of(report.breaches.head(MOST_BREACHES)):
        likely = "" if row.already_breached else f" (within 30 days with {odds(row.level_by_30)})"
        yield (
            f"  [red]{escape(str(row.title))}[/]{_label(row.simulated)}: {quantity(row.last_value, row.unit)}, limit "
            f"{quantity(row.limit_value, row.unit)}, {breach(row, 'it')}{likely}"
        )
    yield from _rest(len(report.breaches) - MOST_BREACHES, "forecast")


def _actions(report: Report) -> Iterator[str]:
    if report.recommendations.empty:
        return
    yield "\n[bold]What to do[/]"
    for place, row in enumerate(rows_of(report.recommendations.head(MOST_ACTIONS)), start=1):
        yield f"  {place}. {escape(str(row.title))}{_label(row.simulated)}"
        yield f"     [dim]{escape(_first_sentence(str(row.action)))}[/]"
    yield from _rest(len(report.recommendations) - MOST_ACTIONS, "recommendations")


def _nodes(report: Report) -> Iterator[str]:
    # The middle of the fleet is 50; what the interval reaches is not slow beyond doubt.
    slow = report.node_scores[report.node_scores["score_high"] < 50].sort_values("slowdown", ascending=False)
    if slow.empty:
        return
    worst = [f"{escape(str(row.node_id))} {change(row.slowdown)}" for row in rows_of(slow.head(MOST_NODES))]
    simulated = bool(report.node_scores["project"].isin(report.simulated_projects).any())
    yield f"\n[bold]Slowest nodes[/]{_label(simulated)} (time on the same tests): {', '.join(worst)}"
    for row in rows_of(report.node_scores[~report.node_scores["healthy"].astype(bool)].head(MOST_NODES)):
        yield f"  not fit for scheduling: {escape(str(row.node_id))}, {escape(str(row.reason))}"


def _scenarios(report: Report) -> Iterator[str]:
    if report.scenario_insights.empty:
        return
    yield "\n[bold]Scenario runs[/]"
    for row in rows_of(report.scenario_insights.head(4)):
        if row.kind == "prediction_accuracy":
            yield f"  {escape(str(row.title))}: [dim]{escape(str(row.text))}[/]"
        else:
            yield f"  {escape(str(row.title))}"


def _quality(report: Report) -> Iterator[str]:
    rows = int(report.quarantined["rows"].sum()) if len(report.quarantined) else 0
    unknown = report.unknown_metrics["metric"].nunique()
    parts = [
        f"{counted(rows, 'row')} in quarantine" if rows else "",
        f"{counted(int(unknown), 'metric')} without direction" if unknown else "",
        f"{counted(len(report.gappy), 'regular series')} with gaps or silent" if len(report.gappy) else "",
        f"{number(len(report.silent))} that stopped lately" if len(report.silent) else "",
    ]
    found = ", ".join(part for part in parts if part)
    if found:
        yield f"\n[bold]Data quality[/]: {found}"
    for row in rows_of(report.quarantined.head(MOST_REASONS)):
        yield f"  [yellow]{escape(str(row.reason))}[/] {counted(row.rows, 'time')}: {escape(str(row.example))}"
    if len(report.quarantined) > MOST_REASONS:
        more = counted(len(report.quarantined) - MOST_REASONS, "more reason")
        yield f"  [dim]and {more}: perf-assets quarantine list[/]"
    if report.others.measurements:
        others = escape(findings.branches_without_series(report.others))
        yield f"  [yellow]not analysed[/] {others}: add their branches to `branches` under \\[identity]"
    for row in rows_of(report.silent.head(MOST_SILENT)):
        yield f"  [yellow]silent[/] {escape(str(row.title))}{_label(row.simulated)}"
    if len(report.silent) > MOST_SILENT:
        yield f"  [dim]and {number(len(report.silent) - MOST_SILENT)} more: perf-assets stopped[/]"
    yield from _incidents(report)
    yield from _epochs(report)


def _epochs(report: Report) -> Iterator[str]:
    if report.epochs.empty:
        return
    left_out, declared = int(report.epochs["left_out"].sum()), counted(len(report.epochs), "epoch")
    before = f"{counted(left_out, 'measurement')} from before {declared} that were declared"
    yield f"\n[bold]Excluded by epochs[/]: {before}"
    for row in rows_of(report.epochs.head(MOST_INCIDENTS)):
        about = escape(findings.extent(row))
        yield f"  {number(row.left_out)} of {about}, before {moment(row.starts_at)}: {escape(row.reason)}"
    yield from _rest(len(report.epochs) - MOST_INCIDENTS, "epochs")


def _incidents(report: Report) -> Iterator[str]:
    if report.incidents.empty:
        return
    left_out, declared = int(report.incidents["left_out"].sum()), counted(len(report.incidents), "incident")
    yield f"\n[bold]Left out[/]: {counted(left_out, 'measurement')} inside {declared} that you declared"
    for row in rows_of(report.incidents.head(MOST_INCIDENTS)):
        time = span(row.starts_at, row.ends_at)
        yield f"  {number(row.left_out)} of {escape(findings.extent(row))}, {time}: {escape(row.reason)}"
    if len(report.incidents) > MOST_INCIDENTS:
        yield f"  [dim]and {number(len(report.incidents) - MOST_INCIDENTS)} more: {CONFIG_FILE}[/]"


def _label(simulated: object) -> str:
    return " [dim](simulated)[/]" if simulated else ""


def _rest(more: int, command: str) -> Iterator[str]:
    if more > 0:
        yield f"  [dim]and {number(more)} more: perf-assets {command}[/]"


def _first_sentence(text: str) -> str:
    return text.split(". ", 1)[0].rstrip(".") + "."
