"""Epochs: what lies before one is kept and compared with nothing."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from perf_assets.catalog import load_catalog
from perf_assets.settings import Epoch
from perf_assets.warehouse.epochs import declare_epochs, epoch_id
from perf_assets.warehouse.series import build_series
from perf_assets_tests.warehouse.building import START, Site, row

NOBODY = pd.DataFrame()


def epoch(hour: int, **about: str) -> Epoch:
    return Epoch.model_validate({"at": START + timedelta(hours=hour), "reason": "new compiler"} | about)


def filled(site: Site) -> None:
    site.load([row(float(hour), run=f"{test}{hour}", hour=hour, test_name=test) for test in "ab" for hour in range(10)])


def analysed(site: Site) -> dict[str, int]:
    """Measurements under analysis, by test."""
    found = site.warehouse.query(
        "SELECT test_name, count(*) AS n FROM analysed_measurements JOIN series USING (series_id) GROUP BY ALL"
    )
    return dict(zip(found["test_name"], found["n"], strict=True))


def declare(site: Site, *epochs: Epoch, people: pd.DataFrame = NOBODY) -> None:
    with site.warehouse.transaction() as con:
        declare_epochs(con, epochs, people)


def test_history_is_cut_at_the_epoch_and_comes_back_without_it(site: Site) -> None:
    filled(site)
    declare(site, epoch(4))
    assert analysed(site) == {"a": 6, "b": 6}
    assert len(site.values()) == 20
    [told] = site.warehouse.query("SELECT * FROM epochs").to_dict("records")
    assert (told["left_out"], told["declared_by"], told["reason"]) == (8, "perf-assets.toml", "new compiler")
    declare(site)
    assert analysed(site) == {"a": 10, "b": 10}


def test_an_epoch_that_is_declared_in_two_places_is_one(site: Site) -> None:
    filled(site)
    twice = epoch(4)
    people = pd.DataFrame([twice.model_dump() | {"epoch_id": str(epoch_id(twice)), "declared_by": "Ada"}])
    declare(site, twice, people=people)
    [told] = site.warehouse.query("SELECT * FROM epochs").to_dict("records")
    assert (told["epoch_id"], told["left_out"]) == (epoch_id(twice), 8)


def test_an_epoch_is_about_what_it_names(site: Site) -> None:
    filled(site)
    declare(site, epoch(4, test_name="a"), epoch(7, test_name="a", metric="test_execution_time"), epoch(2, node_id="x"))
    assert analysed(site) == {"a": 3, "b": 10}


def test_an_epoch_that_no_result_has_reached_changes_nothing_yet(site: Site) -> None:
    filled(site)
    declare(site, epoch(10))
    assert analysed(site) == {"a": 10, "b": 10}
    site.load([row(1.0, run="new", hour=10, test_name="a")])
    declare(site, epoch(10))
    assert analysed(site) == {"a": 1, "b": 10}


def test_people_declare_as_settings_do(site: Site) -> None:
    filled(site)
    said = pd.DataFrame(
        {
            "epoch_id": ["-7"], "starts_at": [START + timedelta(hours=9)], "reason": ["moved"], "declared_by": ["Ada"],
            "test_name": ["b"],
        }
    )  # fmt: skip
    declare(site, epoch(1), people=said)
    assert analysed(site) == {"a": 9, "b": 1}
    assert site.warehouse.query("SELECT * FROM epochs")["epoch_id"].is_unique


def test_a_step_at_an_epoch_is_in_no_series_that_is_analysed(site: Site) -> None:
    site.load([row(10.0 if hour < 20 else 20.0, run=str(hour), hour=hour) for hour in range(40)])
    declare(site, epoch(20))
    with site.warehouse.transaction() as con:
        build_series(con, load_catalog())
    series = site.warehouse.query("SELECT level, measurements, first_seen FROM metric_series").iloc[0]
    assert (series["level"], series["measurements"]) == (20.0, 20)
    assert series["first_seen"] == START + timedelta(hours=20)
