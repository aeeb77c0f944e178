"""The report in the terminal, and the tables of the command.

Belongs here: rich renderables of finished tables. Does not belong here: reading them (reading, cli), decisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perf_assets.analysis.regressions import DRIFT
from perf_assets.report import reading
from perf_assets.report.reading import Handling, Report, read_report, rows_of
from perf_assets.report.theme import short
from perf_assets.settings import CONFIG_FILE
from perf_assets.wording import findings
from perf_assets.wording.findings import breach, breach_dates, crossing, metric_words, recovery
from perf_assets.wording.moments import day, days, minute, moment, span
from perf_assets.wording.quantities import (
    ROUGH,
    chance,
    change,
    coefficient,
    counted,
    interval,
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
        text = line.lstrip(" ")
        console.print(Padding(Text.from_markup(text), (0, 0, 0, len(line) - len(text)), expand=False))


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
        runs = findings.commits(row) or _runs(row)
        yield (
            f"    [dim]{escape(_levels(row))}; {escape(findings.confidence(row))}"
            f"{recovery(row)}; {counted(row.members, 'series')}; {escape(runs)}[/]"
        )
        if row.shape == DRIFT:
            yield f"    [dim]{escape(_first_sentence(str(row.explanation)))}[/]"
        elif row.cause == "environment":
            yield f"    [dim]{escape(str(row.explanation))}[/]"
    yield from _rest(len(changes) - most, "regressions")


def _runs(row: Any) -> str:
    """The runs on both sides of a change; what crept or rose for some hours has no last good one."""
    first = short(row.first_bad_run, 28)
    return f"from run {first}" if pd.isna(row.last_good_run) else f"{short(row.last_good_run, 28)} to {first}"


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
        since = f"{row.kind} since run {row.first_bad_run}, confirmed {day(row.confirmed_at)}"
        yield f"  {escape(f'{row.title}: {since}')}: [dim]{escape(str(row.reason))}[/]"
    yield from _more_on_page(len(report.withdrawn) - MOST_WITHDRAWN)


def _near(report: Report) -> Iterator[str]:
    if report.near.empty:
        return
    yield "\n[bold]Looks changed, not certain[/]"
    for row in rows_of(report.near.head(MOST_NEAR)):
        yield f"  {escape(reading.near_title(row))}{_label(row.simulated)}: [dim]{escape(str(row.reason))}[/]"
    yield from _more_on_page(len(report.near) - MOST_NEAR)


def _more_on_page(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  [dim]and {number(count)} more on the report page[/]"


def _levels(row: Any) -> str:
    """Levels are those of one series; where many moved, it is said that this is the clearest."""
    return findings.levels(row) + (" in the clearest series" if row.members > 1 else "")


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


# Tables of the command


def regressions_table(rows: pd.DataFrame) -> Table:
    """Rows of `regressions`."""
    # Names of tests and nodes are long: the details of a change are below them, not next to them.
    table = _table("Since (UTC)", "What changed")
    table.columns[0].no_wrap = True
    for row in rows_of(rows):
        words = (metric_words(row.metric), findings.place(row), findings.part_of_day(row))
        text = Text(", ".join(filter(None, words)))
        text.append(f"{_plain_label(row.simulated)}\n", style="dim")
        text.append(findings.change_of(row), style=_COLOURS[str(row.kind)])
        if findings.has_change(row):
            limits = "" if pd.isna(row.change_low) else f" ({interval(row.change_low, row.change_high)})"
            text.append(f"{limits}, {_levels(row)}")
        text.append("\n")
        text.append(f"{findings.confidence(row)}; {row.state}{recovery(row)}\n")
        runs = findings.commits(row) or _runs(row)
        text.append(f"{runs}, id {row.regression_id}\n", style="dim")
        table.add_row(minute(row.first_bad_at), text)
    return table


def causes_table(rows: pd.DataFrame) -> Table:
    """Rows of `regression_causes` with metric, test_name, node_id and first_bad_at of their regression."""
    table = _table("Regression of", "Since", "Goes along with", "Consistent")
    for row in rows_of(rows):
        place = " · ".join(str(part) for part in (row.test_name, row.node_id) if not pd.isna(part) and part)
        table.add_row(
            f"{metric_words(row.metric)} {escape(place)}".strip(),
            moment(row.first_bad_at),
            escape(findings.consistency(row)),
            "yes" if row.consistent else "no",
        )
    return table


def trends_table(rows: pd.DataFrame) -> Table:
    """Rows of `metric_trends` with title, unit and simulated of their series (metric_series)."""
    table = _table("Series", "Verdict", "A week", "Level", "q", "Since", numbers=("A week", "Level", "q"))
    for row in rows_of(rows):
        table.add_row(
            _series(row),
            Text(str(row.verdict), style=_COLOURS.get(str(row.verdict), "")),
            _share(row.change_per_week),
            quantity(row.level, row.unit),
            chance(row.q_value),
            day(row.since),
        )
    return table


def forecast_table(rows: pd.DataFrame) -> Table:
    """Rows of `breach_outlook` with title, unit and simulated of their series."""
    level, single = "Level within 7, 30 days", "A value within 1, 7, 30 days"
    table = _table("Series", "Now", "Limit", "Passes it", "95 % interval", level, single, numbers=("Now", "Limit"))
    for row in rows_of(rows):
        when = crossing(row)
        table.add_row(
            _series(row),
            quantity(row.last_value, row.unit),
            quantity(row.limit_value, row.unit),
            Text(when, style="" if when == "not foreseen" else "red"),
            breach_dates(row),
            ", ".join(odds(likely) for likely in (row.level_by_7, row.level_by_30)),
            ", ".join(odds(likely) for likely in (row.value_by_1, row.value_by_7, row.value_by_30)),
        )
    return table


def stopped_table(rows: pd.DataFrame) -> Table:
    """Rows of `stopped_reporting`."""
    missed, before = "Hours with runs missed", "Most missed before"
    table = _table("Series", "Verdict", "Last seen (UTC)", "Silent", missed, before, numbers=("Silent", missed, before))
    for row in rows_of(rows):
        verdict = "removed" if row.verdict == "removed" else "stopped"
        together = "" if row.scope == "series" else f", {row.scope} {row.scope_name} ({counted(row.members, 'series')})"
        table.add_row(
            f"{row.title}{_plain_label(row.simulated)}",
            f"{verdict}{together}",
            minute(row.last_seen),
            days(row.silent_days),
            number(row.silent_hours),
            number(row.longest_gap_hours),
        )
    return table


def correlations_table(rows: pd.DataFrame) -> Table:
    """Rows of `metric_correlations`."""
    table = _table("Metrics", "Where", "ρ", "95 % interval", "Strength", "q", "Points", numbers=("ρ", "q", "Points"))
    for row in rows_of(rows):
        table.add_row(
            Text(reading.pair(row)),
            Text(f"{row.project}, {row.node_id}"),
            _figure(row.rho),
            f"{_figure(row.rho_low)} to {_figure(row.rho_high)}",
            Text("" if pd.isna(row.strength) else str(row.strength)),
            chance(row.q_value),
            number(row.effective_n),
        )
    return table


def insights_table(rows: pd.DataFrame) -> Table:
    """Rows of `key_insights`."""
    table = _table("Insight", "In words", "Project")
    for row in rows_of(rows):
        title = Text(str(row.title), style="bold")
        title.append(_plain_label(row.simulated), style="dim")
        table.add_row(title, Text(str(row.text)), Text(str(row.project)))
    return table


def nodes_table(rows: pd.DataFrame) -> Table:
    """Rows of `node_scores`."""
    columns = (
        "Rank",
        "Node",
        "Type",
        "Score",
        "95 % interval",
        "Time on the same tests",
        "Tests",
        "Fit for scheduling",
    )
    table = _table(*columns, numbers=("Rank", "Score", "Time on the same tests", "Tests"))
    for row in rows_of(rows):
        fit = Text("yes") if row.healthy else Text(f"no: {row.reason}", style="red")
        table.add_row(
            str(row.rank),
            Text(str(row.node_id)),
            Text("" if pd.isna(row.node_type) else str(row.node_type)),
            number(row.score, ROUGH),
            f"{number(row.score_low, ROUGH)} to {number(row.score_high, ROUGH)}",
            _share(row.slowdown),
            str(row.tests),
            fit,
        )
    return table


def recommendations_table(rows: pd.DataFrame) -> Table:
    """Rows of `recommendations`."""
    table = _table("", "What", "Do", "Expected effect", "State")
    for row in rows_of(rows):
        title = Text(str(row.title), style="bold")
        title.append(_plain_label(row.simulated), style="dim")
        effect = "" if pd.isna(row.expected_effect) else str(row.expected_effect)
        table.add_row(str(row.rank), title, Text(str(row.action)), Text(effect), Text(str(row.state)))
    return table


def _table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def _series(row: Any) -> Text:
    text = Text(str(row.title))
    text.append(_plain_label(row.simulated), style="dim")
    return text


def _plain_label(simulated: object) -> str:
    return " (simulated)" if simulated else ""


def _share(ratio: float) -> str:
    return "" if pd.isna(ratio) else change(ratio)


def _figure(value: float) -> str:
    return "" if pd.isna(value) else coefficient(value)
