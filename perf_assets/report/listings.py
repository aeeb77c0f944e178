"""The tables that the commands which list findings print, one function for each.

Belongs here: rich tables of rows, which are named tuples of the table that the docstring names. Does not belong here:
reading them (cli); the report in the terminal (terminal). Nothing here loads pandas, which takes longer than a listing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from perf_assets.wording import findings
from perf_assets.wording.findings import crossing, metric_words, recovery
from perf_assets.wording.moments import day, days, minute
from perf_assets.wording.quantities import (
    ROUGH,
    chance,
    change,
    coefficient,
    counted,
    interval,
    missing,
    number,
    q_value,
    quantity,
    share,
)

_COLOURS = {"worse": "red", "better": "green", "regression": "red", "improvement": "green"}


def regressions(rows: Iterable[Any]) -> Table:
    """Rows of `regressions`."""
    # Names of tests and nodes are long: the details of a change are below them, not next to them.
    table = _table("Since (UTC)", "What changed")
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
    table = _table("Since (UTC)", "Regression, and what it goes along with")
    for row in rows:
        place = " · ".join(str(part) for part in (row.test_name, row.node_id) if not missing(part) and part)
        text = Text(f"{metric_words(row.metric)} {place}".strip())
        text.append(f"\n{findings.consistency(row)}")
        text.append("\nconsistent with the regression" if row.consistent else "\nnot consistent", style="dim")
        table.add_row(minute(row.first_bad_at), text)
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
    table = _table("Passes its limit", "Series")
    for row in rows:
        when = crossing(row)
        text = _series(row)
        text.append(f"\nnow {quantity(row.last_value, row.unit)}, limit {quantity(row.limit_value, row.unit)}; ")
        text.append(findings.breach_odds(row))
        table.add_row(Text(when, style="" if when == "not foreseen" else "red"), text)
    return table


def stopped(rows: Iterable[Any]) -> Table:
    """Rows of `stopped_reporting`."""
    table = _table("Last seen (UTC)", "Series")
    for row in rows:
        verdict = "removed" if row.verdict == "removed" else "stopped"
        together = "" if row.scope == "series" else f", {row.scope} {row.scope_name} ({counted(row.members, 'series')})"
        text = _series(row)
        text.append(f"\n{verdict}{together}: silent for {days(row.silent_days)}, ")
        text.append(f"missed {counted(row.silent_hours, 'hour')} with runs, ")
        text.append(f"before at most {number(row.longest_gap_hours)}")
        table.add_row(minute(row.last_seen), text)
    return table


def anomalies(rows: Iterable[Any]) -> Table:
    """Rows of `anomalies` with the columns of their series, and of `joint_anomalies`, which have `metrics`."""
    table = _table("Since (UTC)", "What was unusual")
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
    table = _table("Repeats", "Explains", "Series, when highest and lowest in UTC", numbers=("Explains",))
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
    table = _table("ρ", "Metrics", numbers=("ρ",))
    for row in rows:
        text = Text(findings.pair(row))
        limits = f"95 % interval {_figure(row.rho_low)} to {_figure(row.rho_high)}"
        strength = "" if missing(row.strength) else f"{row.strength}, "
        text.append(f"\n{strength}{limits}, {q_value(row.q_value)}, {counted(row.effective_n, 'point')}")
        text.append(f"\n{row.project}, {row.node_id}", style="dim")
        table.add_row(_figure(row.rho), text)
    return table


def insights(rows: Iterable[Any]) -> Table:
    """Rows of `key_insights`."""
    table = _table("Insights")
    for row in rows:
        text = Text(str(row.title), style="bold")
        text.append(_plain_label(row.simulated), style="not bold dim")
        text.append(f"\n{row.text}", style="not bold")
        text.append(f"\n{row.project}", style="not bold dim")
        table.add_row(text)
    return table


def nodes(rows: Iterable[Any]) -> Table:
    """Rows of `node_scores`."""
    columns = ("Rank", "Node", "Score (95 % interval)", "Same tests take", "Tests")
    table = _table(*columns, numbers=("Rank", "Score (95 % interval)", "Same tests take", "Tests"))
    for row in rows:
        text = Text(str(row.node_id))
        if not missing(row.node_type):
            text.append(f" ({row.node_type})", style="dim")
        if not row.healthy:
            text.append(f"\nnot fit for scheduling: {row.reason}", style="red")
        score = f"{number(row.score, ROUGH)} ({number(row.score_low, ROUGH)} to {number(row.score_high, ROUGH)})"
        table.add_row(str(row.rank), text, score, _share(row.slowdown), str(row.tests))
    return table


def recommendations(rows: Iterable[Any]) -> Table:
    """Rows of `recommendations`."""
    table = _table("", "What to do")
    for row in rows:
        text = Text(str(row.title), style="bold")
        text.append(_plain_label(row.simulated), style="not bold dim")
        text.append(f"\n{row.action}", style="not bold")
        effect = "" if missing(row.expected_effect) else f"Expected: {str(row.expected_effect).rstrip('.')}. "
        text.append(f"\n{effect}{str(row.state).capitalize()}.", style="not bold dim")
        table.add_row(str(row.rank), text)
    return table


def _table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """A table for 80 columns: what is long is below its heading line, in one column, and figures stay whole."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        number_or_time = name in numbers or name.endswith("(UTC)")
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold", no_wrap=number_or_time)
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
