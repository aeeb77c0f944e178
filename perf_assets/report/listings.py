"""The tables that the commands which list findings print, one function for each.

Belongs here: rich tables of rows, which are named tuples of the table that the docstring names. Does not belong here:
reading them (cli); the report in the terminal (terminal). Nothing here loads pandas, which takes longer than a listing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from perf_assets.wording import findings
from perf_assets.wording.findings import breach_dates, crossing, metric_words, recovery
from perf_assets.wording.moments import day, days, minute, moment
from perf_assets.wording.quantities import (
    ROUGH,
    chance,
    change,
    coefficient,
    counted,
    interval,
    missing,
    number,
    odds,
    q_value,
    quantity,
    share,
)

_COLOURS = {"worse": "red", "better": "green", "regression": "red", "improvement": "green"}


def regressions(rows: Iterable[Any]) -> Table:
    """Rows of `regressions`."""
    # Names of tests and nodes are long: the details of a change are below them, not next to them.
    table = _table("Since (UTC)", "What changed")
    table.columns[0].no_wrap = True
    for row in rows:
        words = (metric_words(row.metric), findings.place(row), findings.part_of_day(row))
        text = Text(", ".join(filter(None, words)))
        text.append(f"{_plain_label(row.simulated)}\n", style="dim")
        text.append(findings.change_of(row), style=_COLOURS[str(row.kind)])
        if findings.has_change(row):
            limits = "" if missing(row.change_low) else f" ({interval(row.change_low, row.change_high)})"
            text.append(f"{limits}, {findings.levels_of_members(row)}")
        text.append("\n")
        text.append(f"{findings.confidence(row)}; {row.state}{recovery(row)}\n")
        runs = findings.commits(row) or findings.runs(row)
        text.append(f"{runs}, id {row.regression_id}\n", style="dim")
        table.add_row(minute(row.first_bad_at), text)
    return table


def causes(rows: Iterable[Any]) -> Table:
    """Rows of `regression_causes` with metric, test_name, node_id and first_bad_at of their regression."""
    table = _table("Regression of", "Since", "Goes along with", "Consistent")
    for row in rows:
        place = " · ".join(str(part) for part in (row.test_name, row.node_id) if not missing(part) and part)
        table.add_row(
            f"{metric_words(row.metric)} {escape(place)}".strip(),
            moment(row.first_bad_at),
            escape(findings.consistency(row)),
            "yes" if row.consistent else "no",
        )
    return table


def trends(rows: Iterable[Any]) -> Table:
    """Rows of `metric_trends` with title, unit and simulated of their series (metric_series)."""
    table = _table("Series", "Verdict", "A week", "Level", "q", "Since", numbers=("A week", "Level", "q"))
    for row in rows:
        table.add_row(
            _series(row),
            Text(str(row.verdict), style=_COLOURS.get(str(row.verdict), "")),
            _share(row.change_per_week),
            quantity(row.level, row.unit),
            chance(row.q_value),
            day(row.since),
        )
    return table


def forecast(rows: Iterable[Any]) -> Table:
    """Rows of `breach_outlook` with title, unit and simulated of their series."""
    level, single = "Level within 7, 30 days", "A value within 1, 7, 30 days"
    table = _table("Series", "Now", "Limit", "Passes it", "95 % interval", level, single, numbers=("Now", "Limit"))
    for row in rows:
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


def stopped(rows: Iterable[Any]) -> Table:
    """Rows of `stopped_reporting`."""
    missed, before = "Hours with runs missed", "Most missed before"
    table = _table("Series", "Verdict", "Last seen (UTC)", "Silent", missed, before, numbers=("Silent", missed, before))
    for row in rows:
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


def anomalies(rows: Iterable[Any]) -> Table:
    """Rows of `anomalies` with the columns of their series, and of `joint_anomalies`, which have `metrics`."""
    table = _table("Since (UTC)", "What was unusual")
    table.columns[0].no_wrap = True
    for row in rows:
        together = not missing(row.metrics)
        text = Text(f"node {row.node_id}" if together else str(row.title))
        text.append(f"{_plain_label(row.simulated)}\n", style="dim")
        if together:
            how_long = findings.lasting(row.episode_start, row.episode_end)
            text.append(f"{metric_words(row.metrics)} together, {how_long} ({q_value(row.q_value)})")
        else:
            text.append(f"{findings.episode(row)} (score {coefficient(row.score)})")
        table.add_row(minute(row.episode_start), text)
    return table


def patterns(rows: Iterable[Any]) -> Table:
    """Rows of `seasonal_patterns` with title and simulated of their series, and changed_at and sentence of a change."""
    table = _table("Repeats", "Explains", "Series, and when it is highest and lowest (UTC)", numbers=("Explains",))
    for row in rows:
        text = _series(row)
        if words := findings.pattern(row):
            text.append(f"\n{words}")
        if not missing(row.changed_at):
            text.append(f"\nchanged {day(row.changed_at)}: {row.sentence}", style="red")
        table.add_row(str(row.period), "" if missing(row.strength) else share(row.strength, ROUGH), text)
    return table


def correlations(rows: Iterable[Any]) -> Table:
    """Rows of `metric_correlations`."""
    table = _table("Metrics", "Where", "ρ", "95 % interval", "Strength", "q", "Points", numbers=("ρ", "q", "Points"))
    for row in rows:
        table.add_row(
            Text(findings.pair(row)),
            Text(f"{row.project}, {row.node_id}"),
            _figure(row.rho),
            f"{_figure(row.rho_low)} to {_figure(row.rho_high)}",
            Text("" if missing(row.strength) else str(row.strength)),
            chance(row.q_value),
            number(row.effective_n),
        )
    return table


def insights(rows: Iterable[Any]) -> Table:
    """Rows of `key_insights`."""
    table = _table("Insight", "In words", "Project")
    for row in rows:
        title = Text(str(row.title), style="bold")
        title.append(_plain_label(row.simulated), style="dim")
        table.add_row(title, Text(str(row.text)), Text(str(row.project)))
    return table


def nodes(rows: Iterable[Any]) -> Table:
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
    for row in rows:
        fit = Text("yes") if row.healthy else Text(f"no: {row.reason}", style="red")
        table.add_row(
            str(row.rank),
            Text(str(row.node_id)),
            Text("" if missing(row.node_type) else str(row.node_type)),
            number(row.score, ROUGH),
            f"{number(row.score_low, ROUGH)} to {number(row.score_high, ROUGH)}",
            _share(row.slowdown),
            str(row.tests),
            fit,
        )
    return table


def recommendations(rows: Iterable[Any]) -> Table:
    """Rows of `recommendations`."""
    table = _table("", "What", "Do", "Expected effect", "State")
    for row in rows:
        title = Text(str(row.title), style="bold")
        title.append(_plain_label(row.simulated), style="dim")
        effect = "" if missing(row.expected_effect) else str(row.expected_effect)
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
    return "" if missing(ratio) else change(ratio)


def _figure(value: float) -> str:
    return "" if missing(value) else coefficient(value)
