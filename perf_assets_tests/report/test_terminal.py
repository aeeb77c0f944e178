"""The report in the terminal and the tables of the command."""

from __future__ import annotations

import collections
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from duckdb import DuckDBPyConnection
from rich.console import Console

from perf_assets.cli.listing import LISTINGS
from perf_assets.report import listings, reading, terminal
from perf_assets.settings import Incident
from perf_assets.tables import REGRESSIONS
from perf_assets.wording import findings
from perf_assets_tests.report.snapshots import START, measured, real_history, regression, rows, snapshot

EVIL = "[bold]not markup[/bold]"
SERIES = pd.Series(
    {"series_id": 1, "title": "test_execution_time · login", "project": "p", "metric": "test_execution_time",
     "unit": "s", "test_name": "login"}
)  # fmt: skip


def printed(*renderables: object) -> str:
    console = Console(file=io.StringIO(), width=80)
    for renderable in renderables:
        console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def report(
    home: Path,
    table: pd.DataFrame | None,
    regressions: int = 1,
    incidents: Sequence[Incident] = (),
    then: Callable[[DuckDBPyConnection], None] = lambda con: None,
) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    with snapshot(home, table, regressions, incidents, then) as con:
        terminal.print_report(con, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_the_report_says_what_where_since_when_and_how_sure(tmp_path: Path) -> None:
    table = pd.concat([measured("test_execution_time", EVIL), measured("memory_usage", "", "node-1", level=0.6)])
    text = " ".join(" ".join(report(tmp_path, table)).split())
    for part in (
        "1 regression, 1 improvement, 1 limit crossed or about to be", EVIL, "since 2026-10-10 00:00 UTC",
        "12 s to 15 s; practically certain (q < .0001)", "0123456789ab..fedcba987654", "limit 90 %",
        "will pass it about 2026-11-04", "Look at the change.",
    ):  # fmt: skip
        assert part in text


def test_what_was_left_out_is_told_with_the_reason(tmp_path: Path) -> None:
    incidents = [
        Incident.model_validate({"from": "2026-09-10", "to": "2026-09-13", "reason": EVIL, "node_id": "node-1"}),
        *(Incident.model_validate({"from": f"2026-09-2{day}", "to": f"2026-09-2{day + 1}", "reason": "disk full"})
          for day in range(4)),
    ]  # fmt: skip
    lines = report(tmp_path, measured("test_execution_time", "login", "node-1"), incidents=incidents)
    start = next(number for number, line in enumerate(lines) if line.startswith("Left out"))
    told = " ".join(" ".join(lines[start:]).split())
    assert told.startswith(
        "Left out: 7 measurements inside 5 incidents that you declared 3 of node node-1, 2026-09-10 "
    )
    assert f"2026-09-10 00:00 UTC to 2026-09-13 00:00 UTC: {EVIL} 1 of all series" in told
    assert "and 2 more" in told
    assert not any(line.startswith("Left out") for line in report(tmp_path / "other", measured("test_x", "login")))


def test_many_regressions_fit_the_screen(tmp_path: Path) -> None:
    table = pd.concat(measured("test_execution_time", f"benchmark-{number}") for number in range(5))
    lines = report(tmp_path, table, regressions=60)
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert any("and 52 more: perf-assets regressions" in line for line in lines)


def test_an_empty_warehouse_says_what_to_do(tmp_path: Path) -> None:
    assert "There is nothing to analyse yet" in report(tmp_path, None)[0]


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
            ["90 %", "2026-11-04", "99 %"],
        ),
        ("nodes", "SELECT * FROM node_scores", ["node-1", "70 ("]),
        ("recommendations", "SELECT * FROM recommendations", ["Proposed.", "back to 12 s"]),
    ],
)
def test_tables(tmp_path: Path, name: str, sql: str, parts: list[str]) -> None:
    table = pd.concat([measured("test_execution_time", "login"), measured("memory_usage", "", "node-1", level=0.6)])
    with snapshot(tmp_path, table) as con:
        table = con.execute(sql).df()
    draw = getattr(listings, name)
    text = printed(draw(table.itertuples()))
    for part in parts:
        assert part in text
    assert len(printed(draw(table.head(0).itertuples())).splitlines()) == 1


@pytest.mark.parametrize("name", LISTINGS)
def test_tables_fit_a_terminal_of_80_columns_however_long_names_are(name: str) -> None:
    long = "a_test_with_a_name_as_long_as_people_make_them/of_a_module/and_a_parameter[1024-True]"
    row = collections.defaultdict(
        lambda: long, simulated=True, healthy=False, consistent=False, already_breached=False, members=12, scope="test",
        score=91.5, score_low=88.0, score_high=93.1, slowdown=1.234, rank=1_000, tests=12_345, rho=-0.812, rho_low=-0.9,
        rho_high=-0.7, lag=-6, q_value=0.012, effective_n=1_234, strength=0.75, period="daily", changed_at=START,
        change=12.5, change_low=11.0, change_high=13.0, before=1.5, after=3.25, unit="By", state="confirmed",
        kind="regression", shape="step", first_bad_at=START, last_seen=START, episode_start=START, episode_end=START,
        recovered_at=START, breach_date=START, earliest=START, latest=START, since=START, silent_days=12.5,
        silent_hours=300, longest_gap_hours=12, last_value=88.2, limit_value=90.0, change_per_week=-0.12, level=1e6,
        value=2.0, expected=1.0, share=0.7, sharing=1_140, lacking=420, change_sharing=0.3, change_lacking=0.01,
        verdict="worse", metrics=None, second_mode=None, part_of_day="night 00-06 UTC",
        **{f"{kind}_by_{days}": 0.5 for kind in ("level", "value") for days in (1, 7, 30)},
    )  # fmt: skip

    class Row:
        def __getattr__(self, column: str) -> object:
            return row[column]

    table = getattr(listings, name)([Row()])
    lines = printed(table).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(str(column.header) in lines[0] for column in table.columns)
    text = " ".join(" ".join(lines).split())
    figures = {"regressions": "2026-09-01 00:00", "nodes": "92 (88 to 93)", "trends": "1 MB", "correlations": "-0.81"}
    assert figures.get(name, "2026-09-01" if "(UTC)" in text else "") in text


def test_a_change_of_a_runner_image_says_where_it_is() -> None:
    (row,) = reading.rows_of(rows(REGRESSIONS, regression(SERIES, 1, scope="runner_image", scope_name="2026.10.2")))
    assert findings.place(row) == "series that went over to runner image 2026.10.2"
    assert findings.group(row) == "runner image 2026.10.2"


def test_a_place_has_what_tells_series_of_one_test_apart() -> None:
    change = regression(SERIES, 1, scope_name=f"{SERIES['title']} · suite-b")
    (row,) = reading.rows_of(rows(REGRESSIONS, change))
    assert findings.place(row) == "test login, suite-b"


@pytest.mark.parametrize(
    ("scope", "place", "subject"),
    [
        ("environment", "series that went over to x", "x"),
        (
            "commit",
            "3 series in 3 suites (a, b, c) at commit x of project",
            "3 series in 3 suites (a, b, c) at commit x",
        ),
        ("test", "test x, in 3 suites (a, b, c)", "login"),
    ],
)
def test_a_place_is_named_as_what_it_is(scope: str, place: str, subject: str) -> None:
    change = regression(SERIES, 1, scope=scope, scope_name="x", reach="in 3 suites (a, b, c)", members=3)
    (row,) = reading.rows_of(rows(REGRESSIONS, change | {"first_bad_commit": "x", "last_good_commit": "x"}))
    assert findings.place(row).startswith(place)
    assert findings.group(row) == subject
    assert findings.commits(row) == "x"


def test_anomalies_of_series_and_nodes_and_patterns() -> None:
    at = pd.Timestamp("2026-10-05 14:00")
    episodes = pd.DataFrame(
        {
            "title": ["cpu", None], "simulated": [True, False], "node_id": ["n", "n"], "episode_start": at,
            "episode_end": [at + pd.Timedelta(hours=6), at], "value": [0.767, None], "expected": [0.662, None],
            "unit": ["1", None], "score": [0.79, None], "metrics": [None, "cpu_usage, load_average"],
            "q_value": [None, 0.012],
        }
    )  # fmt: skip
    text = " ".join(printed(listings.anomalies(episodes.itertuples())).split())
    assert "2026-10-05 14:00 cpu (simulated) 76.7 % where 66.2 % was expected, for 6 hours (score 0.79)" in text
    assert "node n cpu usage, load average together, once (q = .012)" in text
    patterns = pd.DataFrame(
        {
            "title": ["cpu", EVIL], "simulated": False, "period": "daily", "strength": [0.747, None],
            "peak": ["12:00 to 20:00, 16 % above the median", None], "trough": None, "changed_at": [at, pd.NaT],
            "sentence": ["It moved.", None],
        }
    )  # fmt: skip
    text = " ".join(printed(listings.patterns(patterns.itertuples())).split())
    assert "daily 75 % cpu highest 12:00 to 20:00, 16 % above the median changed 2026-10-05: It moved." in text
    assert EVIL in text


def test_correlations_and_insights() -> None:
    pairs = pd.DataFrame(
        {"project": ["p"], "node_id": "whole project", "metric_a": "cpu_usage", "metric_b": "load_average", "rho": 0.81,
         "rho_low": 0.7, "rho_high": 0.9, "strength": "strong", "q_value": 0.001, "effective_n": 60, "lag": [0]}
    )  # fmt: skip
    text = printed(listings.correlations(pairs.itertuples()))
    assert "cpu usage, load average" in text
    assert findings.pair(pairs.assign(lag=2).iloc[0]) == "cpu usage, 2 days later load average"
    assert findings.pair(pairs.assign(lag=-1).iloc[0]) == "load average, 1 day later cpu usage"
    assert "0.70 to 0.90" in text
    insight = pd.DataFrame({"title": [EVIL], "text": "because", "project": "p", "simulated": True})
    text = printed(listings.insights(insight.itertuples()))
    assert EVIL in " ".join(text.split())
    assert "(simulated)" in " ".join(text.split())


def test_the_first_lines_say_up_to_when_there_are_results_and_what_is_overdue(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=100)
    late = f"No results since 2026-10-30 00:00 UTC (9 days); expected every hour. {EVIL}"
    with snapshot(tmp_path, measured("test_execution_time", "login")) as con:
        terminal.print_report(con, console, [late])
    first, second, *_ = [line.strip() for line in console.file.getvalue().splitlines() if line.strip()]  # type: ignore[attr-defined]
    assert first.endswith(", results up to 2026-10-30 00:00 UTC")
    assert second == late
    console = Console(file=io.StringIO(), width=100)
    with snapshot(tmp_path / "empty") as con:
        terminal.print_report(con, console, [late])
    assert late in console.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_bad_now_comes_first(tmp_path: Path) -> None:
    table = pd.concat(measured("test_execution_time", f"benchmark-{number}") for number in range(4))
    lines = report(tmp_path, table, 6, then=real_history)
    headings = [line.split(":")[0].strip() for line in lines if line and not line.startswith(" ")]
    assert headings[headings.index("Worse now") :][:6] == [
        "Worse now", "Suspected", "Drifting for the worse", "Improved", "Recovered", "Looks changed, not certain",
    ]  # fmt: skip
    text = " ".join(" ".join(lines).split())
    assert (
        "2 regressions, 1 suspected, 1 regression little by little, 1 improvement, no limit in danger, 1 recovered, "
        "1 incident over, results up"
    ) in text
    assert text.index("80 times the old level since") < text.index("+25 % since")
    assert "confirming it takes 5 more values" in text
    assert "Recovered: 1 regression and 1 incident, the last on 2026-10-20 (perf-assets regressions)" in text
    near = "too little evidence: of such changes 40 % are chance, of findings at most 5 %; 5 values at the new level"
    assert f"test_execution_time · benchmark-3: +20 % since 2026-10-30: {near}" in text
    assert max(map(len, lines)) <= 100


def test_a_regression_that_crept_is_no_headline_of_none(tmp_path: Path) -> None:
    def crept(con: DuckDBPyConnection) -> None:
        con.execute("ALTER TABLE regressions ADD COLUMN IF NOT EXISTS shape VARCHAR")
        con.execute("UPDATE regressions SET shape = 'drift'")

    text = " ".join(" ".join(report(tmp_path, measured("test_x", "login"), then=crept)).split())
    assert "1 regression little by little, 1 improvement" in text
    assert "No regressions" not in text


def test_an_improvement_that_did_not_last_is_no_improvement(tmp_path: Path) -> None:
    def lost(con: DuckDBPyConnection) -> None:
        con.execute("UPDATE regressions SET recovered_at = TIMESTAMP '2026-10-20' WHERE kind = 'improvement'")

    text = " ".join(" ".join(report(tmp_path, measured("test_x", "login"), then=lost)).split())
    assert "1 regression, no improvements" in text
    assert "Improved for a while: 1 improvement, none of which lasted (perf-assets regressions)" in text


def test_an_improvement_that_only_ends_a_regression_is_none(tmp_path: Path) -> None:
    def over(con: DuckDBPyConnection) -> None:
        con.execute("UPDATE regressions SET recovered_at = TIMESTAMP '2026-10-20' WHERE kind = 'regression'")
        con.execute("UPDATE regressions SET restores = true WHERE kind = 'improvement'")

    text = " ".join(" ".join(report(tmp_path, measured("test_x", "login"), then=over)).split())
    assert "No regressions, no improvements, no limit in danger, 1 recovered" in text


def test_the_end_of_an_incident_in_any_of_its_series_is_told_with_it(tmp_path: Path) -> None:
    def incident(con: DuckDBPyConnection) -> None:
        con.execute("ALTER TABLE regressions ADD COLUMN IF NOT EXISTS shape VARCHAR")
        con.execute(
            """UPDATE regressions SET shape = 'incident', recovered_at = first_bad_at + INTERVAL 9 HOURS
            WHERE kind = 'regression'"""
        )
        con.execute(
            """INSERT INTO regression_members (regression_id, series_id, changed_at)
            SELECT r.regression_id, s.series_id, r.first_bad_at FROM regressions r, metric_series s
            WHERE r.kind = 'regression' AND s.series_id <> r.series_id"""
        )
        con.execute(
            """INSERT INTO change_points (series_id, part_of_day, position, changed_at, changed_at_low, changed_at_high,
              before, after, size, noise, p_value, q_value, points_after)
            SELECT m.series_id, 'all day', 45, moment, moment, moment, 15, 12, -3, 1, .2, .4, 15
            FROM regression_members m JOIN regressions r USING (regression_id),
              LATERAL (SELECT r.first_bad_at + to_hours(hours) AS moment FROM range(10, 100, 89) AS ends (hours))
            WHERE r.shape = 'incident'"""
        )

    table = pd.concat(measured("test_execution_time", f"benchmark-{number}") for number in range(2))
    lines = report(tmp_path, table, 1, then=incident)
    listed = [line for line in lines if ": -20 % since" in line and "too little evidence" in line]
    assert [line.split(":")[1].strip() for line in listed] == ["-20 % since 2026-10-14"] * 2


def test_what_changed_in_the_environment_is_said_with_the_change(tmp_path: Path) -> None:
    def environment(con: DuckDBPyConnection) -> None:
        con.execute("UPDATE regressions SET cause = 'environment', explanation = 'cpu_model changed from a to b.'")

    text = " ".join(" ".join(report(tmp_path, measured("test_x", "login"), then=environment)).split())
    assert text.index("Worse now") < text.index("cpu_model changed from a to b.")


def test_where_nothing_is_worse_it_is_said_what_that_is_worth(tmp_path: Path) -> None:
    def limit(con: DuckDBPyConnection) -> None:
        con.execute("INSERT INTO detection_limits (series_id, smallest_detectable) SELECT series_id, .05 FROM series")

    text = " ".join(" ".join(report(tmp_path, measured("test_x", "login"), 0, then=limit)).split())
    worth = "1 series was watched, up to 2026-10-30; a change of 5 % would have been seen."
    assert f"Nothing got worse. {worth}" in text

    def over(con: DuckDBPyConnection) -> None:
        limit(con)
        con.execute("UPDATE regressions SET recovered_at = TIMESTAMP '2026-10-20'")

    text = " ".join(" ".join(report(tmp_path / "over", measured("test_x", "login"), then=over)).split())
    assert f"Nothing is worse now: all regressions have recovered. {worth}" in text
    assert "Worse now" not in text

    def doubt(con: DuckDBPyConnection) -> None:
        limit(con)
        con.execute("UPDATE regressions SET state = 'suspected'")

    text = " ".join(" ".join(report(tmp_path / "doubt", measured("test_x", "login"), then=doubt)).split())
    assert f"Nothing is certainly worse now. {worth}" in text


def test_a_level_that_only_ends_a_short_improvement_is_not_worse_now(tmp_path: Path) -> None:
    def improved_for_a_while(con: DuckDBPyConnection) -> None:
        con.execute("UPDATE regressions SET restores = true WHERE kind = 'regression'")

    text = " ".join(" ".join(report(tmp_path, measured("test_x", "login"), then=improved_for_a_while)).split())
    assert "Back after a short improvement: 1 regression (perf-assets regressions)" in text
    assert "Worse now" not in text
    assert "Nothing is worse now: all regressions have recovered" in text


def test_only_so_many_uncertain_changes_are_listed(tmp_path: Path) -> None:
    table = pd.concat(measured("test_execution_time", f"benchmark-{number}") for number in range(12))
    lines = report(tmp_path, table, 6, then=real_history)
    start = lines.index(next(line for line in lines if line.startswith("Looks changed")))
    assert lines[start + 1].strip().startswith("test_execution_time")
    assert "and 6 more on the report page" in " ".join(lines[start:])


def test_what_somebody_has_taken_on_comes_last_and_is_not_counted(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=100)
    table = pd.concat(measured("test_execution_time", name) for name in ("login", "search"))

    def sized(con: DuckDBPyConnection) -> None:
        con.execute("UPDATE regressions SET change = regression_id WHERE kind = 'regression'")

    with snapshot(tmp_path, table, 2, then=sized) as con:
        terminal.print_report(con, console, handling=reading.Handling(frozenset({"2"})))
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert text.startswith("1 regression and 1 acknowledged, ")
    assert text.index("+100 % since") < text.index("+200 % since")
    assert text.count("(acknowledged)") == 1
    assert text.index("+200 % since") < text.index("(acknowledged)")


def test_what_was_withdrawn_is_listed_with_the_reason(tmp_path: Path) -> None:
    def withdraw(con: DuckDBPyConnection) -> None:
        con.execute(
            """INSERT INTO withdrawn_findings SELECT 99, series_id, project, metric, title, 'regression', 'ci-7',
              TIMESTAMP '2026-10-20', 'The levels no longer differ.' FROM metric_series LIMIT 1"""
        )

    lines = report(tmp_path, measured("test_execution_time", "checkout"), 1, then=withdraw)
    text = " ".join(" ".join(lines).split())
    assert "Withdrawn" in text
    assert "regression since run ci-7, confirmed 2026-10-20: The levels no longer differ." in text
