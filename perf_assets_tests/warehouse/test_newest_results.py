"""When each project and each source last had a result, and how long each source was silent before."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from perf_assets.advice.silence import overdue
from perf_assets.warehouse.loading import record_files
from perf_assets.warehouse.readings import newest_results
from perf_assets_tests.warehouse.building import START, Site, row


def found(site: Site) -> pd.DataFrame:
    record_files(site.warehouse, site.landing.files(), site.landing.days())
    with site.warehouse.reading() as con:
        return newest_results(con)


def rows(project: str, *hours: int) -> list[dict[str, object]]:
    return [row(1.0, run=f"{project}-{hour}", hour=hour, project=project) for hour in hours]


def test_each_project_and_each_source_has_a_row(site: Site) -> None:
    site.load(rows("a", 0, 5, 30), origin="jenkins")
    site.load(rows("b", 40), origin="gitlab")
    site.load(rows("a", 31), origin="push")
    table = found(site)
    projects = table[table["project"].notna()].set_index("project")["newest"]
    assert projects.to_dict() == {"a": START + timedelta(hours=31), "b": START + timedelta(hours=40)}
    sources = table[table["origin"].notna()].set_index("origin")
    assert sources.loc["jenkins", "newest"] == START + timedelta(hours=30)
    assert sources.loc["jenkins", "longest_gap"] == timedelta(hours=25)
    assert sources.loc[["gitlab", "push"], "longest_gap"].isna().all()


def test_gaps_of_more_than_four_weeks_ago_are_past(site: Site) -> None:
    day = 24
    site.load(rows("a", -60 * day, -40 * day, 0, 2 * day, 5 * day), origin="jenkins")
    [gap] = found(site).query("origin.notna()")["longest_gap"]
    assert gap == timedelta(days=3)


def test_results_of_several_series_at_once_are_no_gap_of_zero(site: Site) -> None:
    site.load([row(1.0, run=f"r{hour}", hour=hour, test_name=name) for hour in (0, 6) for name in "abc"], origin="push")
    assert found(site).query("origin.notna()")["longest_gap"].tolist() == [timedelta(hours=6)]


def test_the_bundled_sample_is_no_result(site: Site) -> None:
    site.load(rows("a", 0), origin="sample")
    table = found(site)
    assert table.empty
    assert overdue(table, START, {None: timedelta(hours=1)}, ("jenkins",)) == [
        "No results have come yet; expected every hour."
    ]


def test_results_on_branches_without_series_are_results(site: Site) -> None:
    site.load([row(1.0, hour=7, branch="feature")])
    assert found(site)["newest"].max() == START + timedelta(hours=7)
