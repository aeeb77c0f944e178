"""The page on real snapshots."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.duration_models import drivers_and_models
from perf_assets.analysis.durations import run_outliers
from perf_assets.report.page import MOST_PICTURES, _href, render_report, write_report
from perf_assets.report.reading import Handling, counts, read_report, rows_of, worst_first
from perf_assets.settings import Incident
from perf_assets.tables import DURATION_DRIVERS, DURATION_MODELS, METRIC_FACTORS, RUN_OUTLIERS
from perf_assets.warehouse.database import replace_rows
from perf_assets.warehouse.readings import scenario_runs
from perf_assets.wording import quantities
from perf_assets_tests.report.snapshots import START, measured, real_history, rows, snapshot

EVIL = "<script>alert(1)</script>"


class _Page(HTMLParser):
    """Tags that are open or were seen, attributes that load something, links, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "xlink:href", "poster", "data", "action") or (name == "href" and tag != "a"):
                self.loads.append(str(value))
            if name == "href" and tag == "a":
                self.links.append(str(value))

    def handle_data(self, data: str) -> None:
        self.text += f" {data.strip()}"


def fleet() -> pd.DataFrame:
    return pd.concat(
        [
            measured("test_execution_time", "login"),
            measured("memory_usage", "", "node-1", level=0.6),
            measured("my_metric", "login"),
            measured("test_execution_time", "search", "node-2"),
        ]
    )


def test_the_findings_stand_in_order(tmp_path: Path) -> None:
    incident = Incident.model_validate(
        {"from": "2026-09-10", "to": "2026-09-12", "reason": EVIL, "metric": "my_metric"}
    )
    with snapshot(tmp_path, fleet(), incidents=[incident]) as con:
        source = render_report(con)
    page = _Page(source)
    parts = (
        "1 regression, 1 improvement, 1 limit crossed or about to be", "Worse now", "+25 %", "practically certain",
        "run-39", "0123456789ab..fedcba987654", "Limits crossed or about to be", "2026-11-04", "Improved", "What to do",
        "Look at the change. Then act.", "Node ranking", "node-2", "Forecasts", "What moves together", "Scenario runs",
        "Data quality", "Left out: declared incidents", f"metric my_metric {EVIL} 2", "my_metric", "Trends",
    )  # fmt: skip
    places = [page.text.find(part) for part in parts]
    assert -1 not in places, dict(zip(parts, places, strict=True))
    headings = [re.sub(r"\s*<.*", "", heading) for heading in re.findall(r"<h2>(.*?)</h2>", source)]
    assert headings == [
        "Worse now", "Limits crossed or about to be", "Improved", "What to do", "Node ranking", "Forecasts",
        "What moves together", "Scenario runs", "Data quality", "Trends",
    ]  # fmt: skip
    assert page.tags.count("svg") >= 4


def factor(name: str, share: float, unique: float | None, **more: object) -> dict[str, object]:
    return {
        "project": "default", "metric": "cpu_usage", "factor": name, "settings": 12, "cells": 96, "share": share,
        "unique_share": unique, "p_value": 1e-6, "q_value": 1e-5, "highest": f"{name}-7", "highest_ratio": 1.312,
        "lowest": f"{name}-2", "lowest_ratio": 0.5, **more,
    }  # fmt: skip


def test_factors_stand_with_their_shares_and_furthest_settings(tmp_path: Path) -> None:
    found = rows(
        METRIC_FACTORS,
        factor("node", 0.6, 0.31, highest=EVIL),
        factor("node type", 0.42, None, confounded_with="node"),
        factor("test", 0.8, 0.04),
        factor("test type", 0.9, 0.9, q_value=0.06),
    )
    with snapshot(tmp_path, fleet(), then=lambda con: replace_rows(con, (METRIC_FACTORS, found))) as con:
        assert read_report(con).telling_factors["factor"].tolist() == ["node type", "node"]
        source = render_report(con)
    text = " ".join(_Page(source).text.split())
    assert EVIL not in source
    assert "cpu usage default node type 12 42 % – node type-7 (1.31 times the middle) node type-2 (0.5 times" in text
    assert f"cpu usage default node 12 60 % 31 % {EVIL} (1.31 times the middle)" in text


def test_at_most_twenty_factors_are_shown_and_none_have_no_heading(tmp_path: Path) -> None:
    found = rows(METRIC_FACTORS, *(factor("node", 0.5, 0.5, metric=f"metric_{number}") for number in range(30)))
    with snapshot(tmp_path / "many", fleet(), then=lambda con: replace_rows(con, (METRIC_FACTORS, found))) as con:
        assert len(read_report(con).telling_factors) == 20
    with snapshot(tmp_path / "none", fleet()) as con:
        assert "Which factor goes with which metric" not in render_report(con)


def test_factors_of_which_none_is_significant_have_no_heading(tmp_path: Path) -> None:
    found = rows(METRIC_FACTORS, factor("node", 0.5, 0.5, q_value=0.2), factor("test", 0.5, 0.5, q_value=None))
    with snapshot(tmp_path, fleet(), then=lambda con: replace_rows(con, (METRIC_FACTORS, found))) as con:
        assert read_report(con).telling_factors.empty
        assert "Which factor goes with which metric" not in render_report(con)


def scenario_results() -> pd.DataFrame:
    """A long table of 60 scenario runs, a day apart, whose duration follows their risks; one scenario has one run."""
    random = np.random.default_rng(1)
    days = np.arange(60)
    risks = days % 4
    values = {
        "scenario_duration": 900.0 + 300.0 * risks + 50.0 * random.standard_normal(60),
        "blast_radius_nodes": random.uniform(100, 900, 60), "blast_radius_edges": random.uniform(300, 3_000, 60),
        "observations": random.uniform(50, 300, 60), "risk_count": risks,
    }  # fmt: skip
    scenario = np.where(days == 7, "once", np.where(days % 2, "one", "two"))
    return pd.concat(
        measured(metric, "").assign(metric_value=own, test_name=scenario) for metric, own in values.items()
    )


def find_drivers(con: DuckDBPyConnection) -> None:
    runs = scenario_runs(con)
    drivers, models = drivers_and_models(runs)
    replace_rows(con, (DURATION_DRIVERS, drivers), (DURATION_MODELS, models), (RUN_OUTLIERS, run_outliers(runs)))


def test_models_of_duration_stand_beside_their_drivers(tmp_path: Path) -> None:
    with snapshot(tmp_path, scenario_results(), then=find_drivers) as con:
        page = _Page(render_report(con))
        (model, r_squared, low, high), *others = con.execute(
            """SELECT model, r_squared_time_ordered, r_squared_time_ordered_low, r_squared_time_ordered_high
            FROM duration_models ORDER BY chosen DESC"""
        ).fetchall()
        ((share,),) = con.execute("SELECT share FROM duration_drivers WHERE driver = 'risks'").fetchall()
    assert f"{model} (chosen) {r_squared:.2f} [{low:.2f}, {high:.2f}] " in page.text
    assert len(others) == 3
    assert page.text.count("(chosen)") == 1
    assert f" {quantities.share(share, quantities.ROUGH)} [" in page.text
    assert "the only run of its scenario, so beyond the model" in page.text


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    with snapshot(tmp_path, fleet()) as con:
        source = render_report(con)
    page = _Page(source)
    assert page.loads == []
    assert "script" not in page.tags
    assert not re.search(r"""\bon\w+\s*=\s*["']""", source)
    assert "default-src &#39;none&#39;" in source or "default-src 'none'" in source
    assert not re.search(r"@import|url\((?!#|['\"]?#)", source)
    assert not [link for link in page.links if not link.startswith("#")]
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"|http-equiv', "", source)


def test_only_web_addresses_become_links() -> None:
    assert _href("https://ci.example/run/1") == "https://ci.example/run/1"
    assert [_href(other) for other in ("javascript:alert(1)", "data:text/html,x", None, "")] == ["", "", "", ""]


def test_names_with_markup_are_text(tmp_path: Path) -> None:
    with snapshot(tmp_path, pd.concat([measured("test_execution_time", EVIL), measured(EVIL, "a", EVIL)])) as con:
        source = render_report(con)
    assert EVIL not in source
    assert "script" not in _Page(source).tags
    assert EVIL in _Page(source).text


def test_many_regressions_have_few_pictures_and_one_table(tmp_path: Path) -> None:
    table = pd.concat(measured("test_execution_time", f"benchmark-{number}") for number in range(5))
    with snapshot(tmp_path, table, regressions=60) as con:
        source = render_report(con)
    page = _Page(source)
    assert page.text.count(" Worse now ") >= 1
    assert source.count('<article class="card">') == MOST_PICTURES
    assert "All 60, by test or benchmark, worst first" in page.text
    rows = re.findall(r"<td class=\"number worse\">", source)
    assert len(rows) == 60
    assert page.tags.count("th") > 5
    assert "benchmark-4 " in page.text


def test_acknowledged_regressions_come_last_and_are_not_counted(tmp_path: Path) -> None:
    with snapshot(tmp_path, fleet(), regressions=2) as con:
        page = _Page(render_report(con, Handling(frozenset({"1"}), {"2": "sent to outbox 2026-06-12 09:00 UTC"})))
    assert "1 regression and 1 acknowledged" in page.text
    assert "acknowledged" in page.text.split("Worse now", 2)[2]
    assert page.text.count("sent to outbox 2026-06-12 09:00 UTC") == 1


def test_an_empty_warehouse_says_what_to_do(tmp_path: Path) -> None:
    with snapshot(tmp_path) as con:
        write_report(con, tmp_path / "out" / "report.html", read_report(con))
    text = _Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).text
    assert "There is nothing to analyse yet." in text
    assert "make run" in text
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "report.html"]


def test_one_series_too_short_for_anything_is_a_page(tmp_path: Path) -> None:
    with snapshot(tmp_path, measured("my_metric", "a").head(3), regressions=0) as con:
        text = _Page(render_report(con)).text
    assert "my_metric" in text
    assert "Nothing got worse. 1 series was watched, up to 2026-09-03; none has enough values" in text


def test_a_hundred_series_stay_small(tmp_path: Path) -> None:
    table = pd.concat(measured("test_execution_time", f"test-{n}", f"node-{n % 50}") for n in range(100))
    with snapshot(tmp_path, table, regressions=100) as con:
        size = len(render_report(con).encode())
    assert size < 1_500_000


def test_up_to_when_there_are_results_and_what_is_overdue(tmp_path: Path) -> None:
    late = f"No results since 2026-10-30 00:00 UTC (9 days); expected every hour. {EVIL}"
    with snapshot(tmp_path, fleet()) as con:
        source = render_report(con, overdue=[late])
        assert "expected every" not in render_report(con)
    page = _Page(source)
    assert "Performance report, results up to 2026-10-30 00:00 UTC" in page.text
    assert late in page.text
    assert page.text.index(late) < page.text.index("Worse now")
    with snapshot(tmp_path / "empty") as con:
        assert late in _Page(render_report(con, overdue=[late])).text


def test_what_is_bad_now_comes_first_and_what_is_over_last_and_folded(tmp_path: Path) -> None:
    with snapshot(tmp_path, fleet(), regressions=6, then=real_history) as con:
        source = render_report(con)
    page = _Page(source)
    words = (
        "2 regressions, 1 suspected, 1 regression little by little, 1 improvement, 1 limit crossed or about to be, "
        "1 recovered, 1 incident over"
    )
    assert words in page.text
    headings = [re.sub(r"\s*<.*", "", heading) for heading in re.findall(r"<h2>(.*?)</h2>", source)]
    assert headings[:6] == [
        "Worse now", "Suspected", "Drifting for the worse", "Limits crossed or about to be", "Improved",
        "Looks changed, not certain",
    ]  # fmt: skip
    worse, suspected = (
        source.split(f'<section id="{name}">')[1].split("</section>")[0] for name in ("worse", "suspected")
    )
    assert worse.index("80 times the old level") < worse.index("+25 %")
    assert "confirming it takes 5 more values" in suspected
    assert "Recovered: 1 regression and 1 incident, the last on 2026-10-20" in re.findall(
        r"<details><summary>(.*?)</summary>", source
    )
    assert (
        "too little evidence: of such changes 40 % are chance, of findings at most 5 %; 5 values"
        in page.text.replace("\N{NO-BREAK SPACE}", " ")
    )


def test_a_snapshot_without_shapes_is_reported_too(tmp_path: Path) -> None:
    def without(con: DuckDBPyConnection) -> None:
        real_history(con)
        con.execute("ALTER TABLE regressions DROP COLUMN shape")
        con.execute("ALTER TABLE regressions DROP COLUMN waits_for")
        con.execute("ALTER TABLE regressions DROP COLUMN restores")

    with snapshot(tmp_path, fleet(), regressions=6, then=without) as con:
        text = _Page(render_report(con)).text
    assert "3 regressions, 1 suspected, 1 improvement" in text
    assert "not confirmed yet" in text


def test_what_nothing_got_worse_is_worth(tmp_path: Path) -> None:
    def limits(con: DuckDBPyConnection) -> None:
        con.execute(
            """INSERT INTO detection_limits (series_id, smallest_detectable)
            SELECT series_id, CASE metric WHEN 'my_metric' THEN NULL WHEN 'memory_usage' THEN .12 ELSE .04 END
            FROM metric_series"""
        )

    with snapshot(tmp_path, fleet(), regressions=0, then=limits) as con:
        text = _Page(render_report(con)).text
    assert (
        "Nothing got worse. 4 series were watched, up to 2026-10-30; in half of the 3 with enough values a change of "
        "4 % would have been seen, in nine of ten one of 10 %." in text
    )


def test_changes_of_pattern_have_a_heading_where_there_are_some(tmp_path: Path) -> None:
    def changed(con: DuckDBPyConnection) -> None:
        con.execute(
            """INSERT INTO key_insights (insight_id, rank, kind, title, text, evidence, simulated)
            VALUES ('1', 1, 'pattern_changed', 'cpu: daily pattern changed on 2026-10-01', 'It moved.', '{}', false)"""
        )

    for then, expected in ((changed, True), (None, False)):
        folder = tmp_path / str(expected)
        with snapshot(folder, fleet(), then=then) if then else snapshot(folder, fleet()) as con:
            text = _Page(render_report(con)).text
        assert ("Changes of pattern" in text) == expected
        assert ("cpu: daily pattern changed on 2026-10-01" in text) == expected
        assert ("It moved." in text) == expected


def test_unusual_episodes_and_patterns_have_pictures_and_rows(tmp_path: Path) -> None:
    def found(con: DuckDBPyConnection) -> None:
        con.execute(
            """INSERT INTO anomalies SELECT series_id, as_of - INTERVAL 2 DAY, as_of - INTERVAL 1 DAY, 2, 0.8, 20, 15,
            'high' FROM metric_series WHERE metric = 'test_execution_time'"""
        )
        con.execute(
            """INSERT INTO joint_anomalies SELECT project, 'node-1', as_of - INTERVAL 9 HOUR, as_of, 10, 3.0, 1e-5,
            .001, 'cpu_usage, load_average' FROM metric_series LIMIT 1"""
        )
        con.execute(
            """INSERT INTO seasonal_patterns SELECT series_id, 'weekly', true, 1e-6, 1e-5, .4, 2.0,
            'Mondays, 38 % above the median', 'Sundays, 20 % below the median', 8.0 FROM metric_series"""
        )
        con.execute(
            """INSERT INTO seasonal_profiles SELECT series_id, 'weekly', slot, 'day ' || slot, sin(slot),
            sin(slot) - .1, sin(slot) + .1, 8 FROM metric_series, range(7) r(slot)"""
        )

    with snapshot(tmp_path, fleet(), then=found) as con:
        page = render_report(con)
    text = _Page(page).text
    assert "20 s where 15 s was expected, for 24 hours" in text
    assert "cpu usage, load average" in text
    assert "Mondays, 38 % above the median" in text
    unusual, patterns = (
        page.partition(f'<section id="{name}">')[2].partition("</section>")[0] for name in ("anomalies", "patterns")
    )
    assert "<svg" in unusual
    assert "<svg" in patterns
    with snapshot(tmp_path / "without", fleet()) as con:
        without = render_report(con)
    assert 'id="anomalies"' not in without
    assert 'id="patterns"' not in without


def test_a_history_without_rhythm_has_no_gaps(tmp_path: Path) -> None:
    """A commit every few days, some with several runs, six runs of each of twelve commits, and a nightly test that
    missed a fortnight."""
    nightly = measured("test_execution_time", "nightly").drop(index=range(20, 34))
    commits = measured("test_execution_time", "commits")
    days = np.cumsum([0.0, 0.03, 0.5, 0.04, 3.2, 1.1, 0.2, 7.7, 0.9, 0.4, 0.1, 2.1] * 5)
    commits["timestamp"] = [START + pd.Timedelta(days=float(day)) for day in days]
    again = measured("test_execution_time", "again")
    again["timestamp"] = [START + pd.Timedelta(days=run // 6, minutes=40 * (run % 6)) for run in range(len(again))]
    with snapshot(tmp_path, pd.concat([nightly, commits, again])) as con:
        report = read_report(con)
    [row] = rows_of(report.gappy)
    assert row.test_name == "nightly"
    assert row.missing_share == pytest.approx(14 / 60, abs=0.01)


def test_the_worst_is_what_is_largest_and_widest() -> None:
    changes = pd.DataFrame(
        {
            "regression_id": [1, 2, 3, 4, 5, 6],
            "change": [0.10, 0.10, -0.60, 1.40, np.nan, 9.0],
            "members": [1, 100, 1, 1, 1, 1],
            "first_bad_at": START,
            "acknowledged": [False, False, False, False, False, True],
        }
    )
    # Of 60 % less and 140 % more the latter is less than the reciprocal; of nothing it is not known how much more.
    assert worst_first(changes)["regression_id"].tolist() == [2, 3, 4, 5, 1, 6]


@given(st.permutations(list(range(8))), st.lists(st.floats(-0.99, 100.0), min_size=8, max_size=8))
def test_the_order_of_regressions_is_theirs_alone(order: list[int], sizes: list[float]) -> None:
    changes = pd.DataFrame(
        {
            "regression_id": range(8), "change": sizes, "members": [1, 4] * 4, "first_bad_at": START,
            "acknowledged": [False, False, False, True] * 2,
        }
    )  # fmt: skip
    ranked = worst_first(changes)
    pd.testing.assert_frame_equal(worst_first(changes.iloc[order]), ranked)
    assert ranked["acknowledged"].is_monotonic_increasing
    for _, own in ranked.groupby(["acknowledged", "members"]):
        assert np.abs(np.log1p(own["change"])).is_monotonic_decreasing


def test_each_project_is_told_by_what_there_is(tmp_path: Path) -> None:
    other = measured("test_execution_time", "other").assign(project="quiet")
    with snapshot(tmp_path, pd.concat([fleet(), other]), regressions=1) as con:
        report = read_report(con)
    total, projects = counts(report)
    assert total.words == "1 regression, 1 improvement, 1 limit crossed or about to be"
    assert {count.found for count in projects} == {total.words, "no findings"}
