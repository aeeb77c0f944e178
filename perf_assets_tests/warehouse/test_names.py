"""Names that change with every run are told from names that only have numbers in them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from perf_assets.warehouse.names import UnstableName, unstable_names
from perf_assets_tests.warehouse.building import Site, row


def found(site: Site, rows: list[dict[str, Any]]) -> pd.DataFrame:
    site.load(rows)
    with site.warehouse.reading() as con:
        return pd.DataFrame(unstable_names(con), columns=UnstableName._fields)


def test_a_commit_in_a_name_is_told_at_once(site: Site) -> None:
    names = found(site, [row(1.0, test_name="login at 0a1b2c3d", commit_id="0a1b2c3d4e5f")])
    assert list(names["column"]) == ["test_name"]
    assert "default: 1 test name like login at 0a1b2c3d has its commit, job or run in it" in names["message"][0]


def test_a_build_number_is_told_when_five_runs_had_one_each(site: Site) -> None:
    rows = [row(1.0, run=f"r{n}", hour=n, test_name=f"build 10{n} login") for n in range(5)]
    assert found(site, rows[:4]).empty
    names = found(site, rows)
    assert (names["pattern"][0], names["names"][0]) == ("#uil# # login", 5) or names["names"][0] == 5
    assert "take what changes out of the name" in names["message"][0]


def test_parameters_are_no_build_numbers(site: Site) -> None:
    cases = [row(1.0, run="r1", test_name=f"sort[n={10**n}]") for n in range(6)]
    assert found(site, cases).empty
    again = [row(1.0, run=f"r{run}", hour=run, test_name=f"sort[n={n}]") for run in range(9) for n in range(6)]
    assert found(site, again).empty
