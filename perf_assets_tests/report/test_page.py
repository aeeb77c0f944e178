"""The page on real snapshots."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from perf_assets.report.page import MOST_PICTURES, _href, render_report, write_report
from perf_assets.report.reading import Handling
from perf_assets.settings import Incident
from perf_assets_tests.report.snapshots import measured, snapshot

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
        "1 regression, 1 improvement, 1 limit crossed or about to be", "Got worse", "+25 %", "practically certain",
        "run-39", "0123456789..fedcba9876", "About to breach a limit", "2026-11-04", "Improved", "What to do",
        "Look at the change. Then act.", "Node ranking", "node-2", "Forecasts", "What moves together", "Scenario runs",
        "Data quality", "Left out: declared incidents", f"metric my_metric {EVIL} 2", "my_metric", "Trends",
    )  # fmt: skip
    places = [page.text.find(part) for part in parts]
    assert -1 not in places, dict(zip(parts, places, strict=True))
    headings = [re.sub(r"\s*<.*", "", heading) for heading in re.findall(r"<h2>(.*?)</h2>", source)]
    assert headings == [
        "Got worse", "About to breach a limit", "Improved", "What to do", "Node ranking", "Forecasts",
        "What moves together", "Scenario runs", "Data quality", "Trends",
    ]  # fmt: skip
    assert page.tags.count("svg") >= 4


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
    assert page.text.count(" Got worse ") >= 1
    assert source.count('<article class="card">') == MOST_PICTURES
    assert "All 60, by test or benchmark, newest first" in page.text
    rows = re.findall(r"<td class=\"number worse\">", source)
    assert len(rows) == 60
    assert page.tags.count("th") > 5
    assert "benchmark-4 " in page.text


def test_acknowledged_regressions_come_last_and_are_not_counted(tmp_path: Path) -> None:
    with snapshot(tmp_path, fleet(), regressions=2) as con:
        page = _Page(render_report(con, Handling(frozenset({"1"}), {"2": "sent to outbox 2026-06-12 09:00 UTC"})))
    assert "1 regression and 1 acknowledged" in page.text
    assert "acknowledged" in page.text.split("Got worse", 2)[2]
    assert page.text.count("sent to outbox 2026-06-12 09:00 UTC") == 1


def test_an_empty_warehouse_says_what_to_do(tmp_path: Path) -> None:
    with snapshot(tmp_path) as con:
        write_report(con, tmp_path / "out" / "report.html")
    text = _Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).text
    assert "There is nothing to analyse yet." in text
    assert "make run" in text
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "report.html"]


def test_one_series_too_short_for_anything_is_a_page(tmp_path: Path) -> None:
    with snapshot(tmp_path, measured("my_metric", "a").head(3), regressions=0) as con:
        text = _Page(render_report(con)).text
    assert "my_metric" in text
    assert "Nothing got worse by as much as the threshold." in text


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
    assert page.text.index(late) < page.text.index("Got worse")
    with snapshot(tmp_path / "empty") as con:
        assert late in _Page(render_report(con, overdue=[late])).text
