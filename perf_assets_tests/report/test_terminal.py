"""The report in the terminal and the tables of the command."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from perf_assets.report import terminal
from perf_assets_tests.report.snapshots import measured, snapshot

EVIL = "[bold]not markup[/bold]"


def printed(*renderables: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    for renderable in renderables:
        console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def report(home: Path, table: pd.DataFrame | None, regressions: int = 1) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    with snapshot(home, table, regressions) as con:
        terminal.print_report(con, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_the_report_says_what_where_since_when_and_how_sure(tmp_path: Path) -> None:
    table = pd.concat([measured("test_execution_time", EVIL), measured("memory_usage", "", "node-1", level=0.6)])
    text = " ".join(" ".join(report(tmp_path, table)).split())
    for part in (
        "1 regression, 1 improvement, 1 limit crossed or about to be", EVIL, "since 2026-10-10 00:00 UTC",
        "12 s to 15 s; practically certain (q < .0001)", "0123456789..fedcba9876", "limit 90 %",
        "will cross it about 2026-11-04", "Look at the change.",
    ):  # fmt: skip
        assert part in text


def test_many_regressions_fit_the_screen(tmp_path: Path) -> None:
    table = pd.concat(measured("test_execution_time", f"benchmark-{number}") for number in range(5))
    lines = report(tmp_path, table, regressions=60)
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert any("and 52 more: perf-assets regressions" in line for line in lines)


def test_an_empty_warehouse_says_what_to_do(tmp_path: Path) -> None:
    assert "There are no results yet" in report(tmp_path, None)[0]


@pytest.mark.parametrize(
    ("name", "sql", "parts"),
    [
        ("regressions", "SELECT * FROM regressions", ["2026-10-10 00:00", "+25 %", "12 s to 15 s"]),
        (
            "trends",
            "SELECT s.title, s.unit, s.simulated, t.* FROM metric_trends t JOIN metric_series s USING (series_id)",
            ["worse", "+3 %", "2026-09-01"],
        ),
        (
            "forecast",
            """SELECT s.title, s.unit, s.simulated, b.*, 'linear_trend' AS model
            FROM breach_outlook b JOIN metric_series s USING (series_id)""",
            ["90 %", "2026-11-04", "linear trend"],
        ),
        ("nodes", "SELECT * FROM node_scores", ["node-1", "70", "yes"]),
        ("recommendations", "SELECT * FROM recommendations", ["proposed", "back to 12 s"]),
    ],
)
def test_tables(tmp_path: Path, name: str, sql: str, parts: list[str]) -> None:
    table = pd.concat([measured("test_execution_time", "login"), measured("memory_usage", "", "node-1", level=0.6)])
    with snapshot(tmp_path, table) as con:
        rows = con.execute(sql).df()
    draw = getattr(terminal, f"{name}_table")
    text = printed(draw(rows))
    for part in parts:
        assert part in text
    assert len(printed(draw(rows.head(0))).splitlines()) == 1


def test_correlations_and_insights() -> None:
    pairs = pd.DataFrame(
        {"project": ["p"], "node_id": "whole project", "metric_a": "cpu_usage", "metric_b": "load_average", "rho": 0.81,
         "rho_low": 0.7, "rho_high": 0.9, "strength": "strong", "q_value": 0.001, "points": 60}
    )  # fmt: skip
    text = printed(terminal.correlations_table(pairs))
    assert "cpu usage, load average" in text
    assert "0.70 to 0.90" in text
    insight = pd.DataFrame({"title": [EVIL], "text": "because", "project": "p", "simulated": True})
    text = printed(terminal.insights_table(insight))
    assert EVIL in " ".join(text.split())
    assert "(simulated)" in " ".join(text.split())
