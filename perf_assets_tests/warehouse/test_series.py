"""Regular series from irregular measurements: buckets, gaps, widths, moving averages, and when the sample gives way."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.catalog import load_catalog
from perf_assets.formats.measurement import Measurement
from perf_assets.warehouse.forecast_readings import forecast_history, forecast_selection
from perf_assets.warehouse.limits import metric_limits
from perf_assets.warehouse.readings import (
    daily_metric_values,
    factor_cells,
    node_readings,
    recent_averages,
    recent_durations,
    reporting,
    scenario_runs,
)
from perf_assets.warehouse.series import build_rollups, build_series
from perf_assets_tests.warehouse.building import START, Site, row

HOUR, DAY, WEEK = 3600, 86400, 604800
LATER = datetime.fromisoformat("2027-12-31")
"""After the last of the measurements."""


def build(site: Site, values: dict[int, float] | list[dict[str, object]]) -> tuple[pd.Series, pd.DataFrame]:
    """The one row of metric_series and its buckets, of values by hour."""
    rows = (
        [row(value, run=f"r{hour}", hour=hour) for hour, value in values.items()]
        if isinstance(values, dict)
        else values
    )
    site.load(rows, received_at=LATER)
    return rebuild(site)


def rebuild(site: Site) -> tuple[pd.Series, pd.DataFrame]:
    with site.warehouse.transaction() as con:
        build_series(con, load_catalog())
        build_rollups(con)
    series = site.warehouse.query("SELECT * FROM metric_series ORDER BY test_name")
    return series.iloc[0], site.warehouse.query("SELECT * FROM series_buckets ORDER BY series_id, ts")


def test_a_bucket_is_the_median_and_a_gap_has_no_row(site):
    hours = [0.25, 0.5, *range(10), *range(16, 24)]
    rows = [row({0: 9.0, 0.25: 2.0}.get(hour, 1.0), run=f"r{hour}", hour=hour) for hour in hours]
    series, buckets = build(site, rows)
    assert series["bucket_seconds"] == HOUR
    first = buckets.iloc[0]
    assert (first["ts"], first["value"], first["measurements"]) == (pd.Timestamp(START), 2.0, 3)
    assert buckets["ts"].diff().max() == pd.Timedelta(hours=7)
    assert (series["buckets"], series["observed_buckets"], len(buckets)) == (24, 18, 18)
    assert series["missing_share"] == pytest.approx(6 / 24)
    assert series["level"] == 1.0


@pytest.mark.parametrize(
    ("distance_hours", "width"),
    [(0.5, HOUR), (1, HOUR), (1.25, HOUR), (1.3, 2 * HOUR), (3, 3 * HOUR), (6, 6 * HOUR), (8, DAY), (24, DAY),
     (30, DAY), (31, WEEK), (168, WEEK), (1000, WEEK)],
)  # fmt: skip
def test_the_width_follows_the_mean_distance(site, distance_hours, width):
    rows = [row(1.0, run=f"r{n}", hour=n * distance_hours) for n in range(6)]
    assert build(site, rows)[0]["bucket_seconds"] == width


def test_weeks_begin_on_monday(site):
    _, buckets = build(site, dict.fromkeys(range(0, 24 * 60, 24 * 6), 1.0) | {2400: 1.0})
    assert buckets["ts"].dt.day_name().unique().tolist() == ["Monday"]
    assert buckets["ts"].iloc[0] == pd.Timestamp("2026-08-31")


def test_one_measurement_is_a_series(site):
    series, buckets = build(site, {5: 3.0})
    assert (series["measurements"], series["buckets"], series["observed_buckets"]) == (1, 1, 1)
    assert (series["span_days"], series["missing_share"], series["level"]) == (0.0, 0.0, 3.0)
    assert pd.isna(series["noise"])
    assert buckets["value"].tolist() == [3.0]


def test_measurements_all_at_one_time_are_one_bucket(site):
    series, buckets = build(site, [row(value, run=f"r{value}") for value in (1.0, 2.0, 9.0)])
    assert (series["measurements"], series["buckets"]) == (3, 1)
    assert buckets["value"].tolist() == [2.0]


def test_a_level_of_zero_has_no_share_of_noise(site):
    series, _ = build(site, dict.fromkeys(range(10), 0.0))
    assert series["noise"] == 0.0
    assert pd.isna(series["noise_share"])


def test_noise_is_that_from_one_measurement_to_the_next(site):
    random = np.random.default_rng(1)
    # A drift and a step are no noise.
    drifting = 10 + 0.01 * np.arange(200) + 5.0 * (np.arange(200) > 100)
    series, _ = build(site, dict(enumerate(drifting + 0.5 * random.normal(size=200))))
    assert series["noise"] == pytest.approx(0.5, rel=0.2)


def test_the_catalogue_says_what_is_better(site):
    site.load([row(1.0), row(1.0, metric_name="made_up", test_name="zoo")])
    rebuild(site)
    table = site.warehouse.query("SELECT metric, direction, in_catalogue, category FROM metric_series ORDER BY metric")
    assert table.values.tolist() == [
        ["made_up", "neutral", False, "not in the catalogue"],
        ["test_execution_time", "lower_is_better", True, load_catalog()["test_execution_time"].category],
    ]


def test_moving_averages_are_of_days_not_of_rows(site):
    # Days 0 and 1 with two values each, then nothing until day 7 and day 40.
    build(site, {0: 1.0, 1: 3.0, 24: 4.0, 25: 6.0, 24 * 7: 8.0, 24 * 40: 10.0})
    rollups = site.warehouse.query("SELECT * FROM metric_rollups ORDER BY day")
    assert rollups["mean"].tolist() == [2.0, 5.0, 8.0, 10.0]
    assert rollups[["low", "high", "median"]].iloc[0].tolist() == [1.0, 3.0, 2.0]
    assert rollups["average_7d"].tolist() == [2.0, 3.5, 6.5, 10.0]
    assert rollups["average_30d"].tolist() == [2.0, 3.5, 5.0, 10.0]


def test_the_sample_gives_way_to_results_of_ones_own(site):
    site.load([row(1.0, test_name="bundled")], origin="sample")
    assert rebuild(site)[0]["test_name"] == "bundled"
    site.load([row(2.0, test_name="own")])
    series, buckets = rebuild(site)
    assert series["test_name"] == "own"
    assert buckets["value"].tolist() == [2.0]
    with site.warehouse.reading() as con:
        assert recent_durations(con).empty  # neither names a node


def test_a_second_build_is_the_same(site):
    build(site, {hour: float(hour % 7) for hour in range(100)})
    before = site.warehouse.query("SELECT * FROM metric_series")
    rebuild(site)
    pd.testing.assert_frame_equal(site.warehouse.query("SELECT * FROM metric_series"), before)


def test_an_empty_warehouse_has_no_series(site):
    with site.warehouse.transaction() as con:
        build_series(con, load_catalog())
        build_rollups(con)
        assert scenario_runs(con).empty
        assert daily_metric_values(con).empty
        assert factor_cells(con).empty
        selection = forecast_selection(con, metric_limits(load_catalog(), {}), [], 0)
        assert selection.series == ()
        assert forecast_history(con, selection.series).empty


def test_recent_durations_are_medians_of_two_weeks_a_test_and_node(site):
    rows = [row(float(day), run=f"r{day}", hour=24 * day, node_id="n", node_type="linux") for day in range(40)]
    site.load(
        [*rows, row(5.0, run="other", node_id="m", node_type="linux", metric_name="cpu_usage", unit="1")],
        received_at=LATER,
    )
    rebuild(site)
    with site.warehouse.reading() as con:
        table = recent_durations(con)
    assert table[["test_name", "node_id", "node_type", "duration"]].values.tolist() == [["login", "n", "linux", 32.5]]


def test_days_are_shares_of_each_series_level(site):
    rows = [
        row(10.0 * 2**test, run=f"r{day}", hour=24 * day, test_name=f"t{test}") for test in range(3) for day in (0, 1)
    ]
    site.load(rows)
    rebuild(site)
    with site.warehouse.reading() as con:
        values = daily_metric_values(con)
    assert values["value"].tolist() == [1.0, 1.0]
    assert set(values["node_id"]) == {"whole project"}


def test_cells_are_medians_of_two_weeks_before_the_newest_of_the_project(site):
    days = [(day, float(day)) for day in range(40)]
    new = [row(value, run=f"r{day}", hour=24 * day, node_id="n", node_type="linux") for day, value in days]
    old = [row(1.0, run=f"r{day}", hour=24 * day, test_name="retired") for day in range(20)]
    site.load([*new, *old], received_at=LATER)
    rebuild(site)
    with site.warehouse.reading() as con:
        cells = factor_cells(con)
    columns = ["metric", "test_name", "node_id", "node_type", "value"]
    assert cells[columns].values.tolist() == [["test_execution_time", "login", "n", "linux", 32.5]]


def test_headline_and_limited_series_are_forecast_first(site):
    days = range(20)
    metrics = {"test_execution_time": "s", "memory_usage": "1", "tests_per_hour": "{test}/h"}
    for metric in metrics:
        site.load([row(0.5, run=f"r{day}", hour=24 * day, metric_name=metric, test_name=metric) for day in days])
    for test, days in (("ended", range(-90, -60)), ("rests", range(-90, 3))):
        site.load(
            [row(0.5, run=f"{test}{day}", hour=24 * day, metric_name="memory_usage", test_name=test) for day in days]
        )
    rebuild(site)
    limits = metric_limits(load_catalog(), {"test_execution_time": 7.0})
    with site.warehouse.reading() as con:
        selection = forecast_selection(con, limits, ["tests_per_hour"], 1)
        history = forecast_history(con, selection.series)
    titles = [selection.titles[key].split(" · ") for key in selection.series]
    # What rests for less than a quarter of its life is alive, what ended is not.
    assert [metric for metric, *_ in titles] == [
        "tests_per_hour", "test_execution_time", "memory_usage", "memory_usage",
    ]  # fmt: skip
    assert sorted(test for _, test, *_ in titles[2:]) == ["memory_usage", "rests"]
    assert selection.headline == selection.series[:1]
    assert len(selection.limits) == 3
    assert sorted(history.groupby("unique_id").size()) == [20, 20, 20, 93]
    history = history[history["ds"] >= pd.Timestamp(datetime.fromisoformat("2026-09-01"))]
    assert history["ds"].min() == pd.Timestamp(datetime.fromisoformat("2026-09-01"))


def test_own_limits_come_before_the_catalogues():
    limits = metric_limits(load_catalog(), {"memory_usage": 0.5, "tests_per_hour": 100.0}).set_index("metric")
    assert limits.loc["memory_usage", ["limit_value", "side"]].tolist() == [0.5, "upper"]
    assert limits.loc["tests_per_hour", ["limit_value", "side"]].tolist() == [100.0, "lower"]


def test_readings_of_a_node_stand_on_one_grid_and_the_rare_ones_are_left_out(site):
    node = {"test_name": None, "node_id": "n1", "metric_name": "cpu_usage"}
    hourly = [row(0.2 + hour / 100, run=f"c{hour}", hour=hour, **node) for hour in range(48)]
    four_hourly = [
        row(0.3, run=f"{name}{hour}", hour=hour, **(node | {"metric_name": name}))
        for name in ("disk_usage", "swap_usage", "load_average")
        for hour in range(0, 48, 4)
    ]
    daily = [row(0.0, run=f"r{day}", hour=24 * day, **(node | {"metric_name": "node_restarts"})) for day in range(14)]
    site.load([*hourly, *four_hourly, *daily, row(5.0, run="t", node_id="n1")], received_at=LATER)
    rebuild(site)
    with site.warehouse.reading() as con:
        readings = node_readings(con)
    assert set(readings["metric"]) == {"cpu_usage", "disk_usage", "swap_usage", "load_average"}
    assert set(readings.groupby("metric").size()) == {12}
    cpu = readings[readings["metric"] == "cpu_usage"]
    assert cpu["value"].iloc[0] == pytest.approx(0.2 + (0 + 1 + 2 + 3) / 4 / 100)


def test_recent_averages_are_of_the_last_days(site):
    site.load([row(float(day), run=f"r{day}", hour=24 * day) for day in range(60)], received_at=LATER)
    site.load([row(5.0, run=f"r{day}", hour=24 * day, test_name="rare") for day in range(40)], received_at=LATER)
    site.load([row(7.0, run=f"r{day}", hour=24 * day, test_name="gone") for day in range(20)], received_at=LATER)
    rebuild(site)
    with site.warehouse.reading() as con:
        averages = recent_averages(con).merge(con.execute("SELECT series_id, test_name FROM metric_series").df())
    found = averages.set_index("test_name")[["average_7d", "average_30d"]]
    assert found.loc["login"].tolist() == [np.mean(np.arange(53, 60)), np.mean(np.arange(30, 60))]
    assert np.isnan(found.loc["rare", "average_7d"])
    assert found.loc["rare", "average_30d"] == 5.0
    assert set(found.index) == {"login", "rare"}


def predecessors(site: Site) -> dict[str, str | None]:
    """The benchmark version or unit of each series, and that of the one before it."""
    rebuild(site)
    found = site.warehouse.query(
        """SELECT own.series_id, s.benchmark_version || ' ' || s.unit AS own_kind,
          before.benchmark_version || ' ' || before.unit AS before_kind
        FROM metric_series own JOIN series s USING (series_id)
        LEFT JOIN series before ON before.series_id = own.predecessor_id"""
    )
    before = found["before_kind"].astype(object)
    return dict(zip(found["own_kind"], before.where(before.notna(), None), strict=True))


def versions(*versions: tuple[str, str, range]) -> list[dict[str, object]]:
    return [
        row(1.0, run=f"{version}{unit}{hour}", hour=hour, metric_name="own", benchmark_version=version, unit=unit)
        for version, unit, hours in versions
        for hour in hours
    ]


def test_a_new_version_or_unit_is_a_series_that_knows_the_one_before(site):
    site.load(versions(("1", "s", range(3)), ("2", "s", range(3, 6)), ("2", "By", range(6, 9))))
    assert predecessors(site) == {"1 s": None, "2 s": "1 s", "2 By": "2 s"}


def test_series_that_are_measured_side_by_side_follow_none_another(site):
    site.load(versions(("1", "s", range(5)), ("1", "By", range(5))))
    assert predecessors(site) == {"1 s": None, "1 By": None}


def test_how_regularly_series_report_is_counted_in_hours_with_runs_of_their_kind(site):
    kinds = {"e2e": range(30), "unit": range(0, 30, 3)}
    rows = [
        row(1.0, run=f"{kind}{name}{hour}", hour=hour, test_name=name, test_type=kind)
        for kind, hours in kinds.items()
        for name in ("stays", "stops")
        for hour in hours
        if name == "stays" or (hour < 18 and hour not in (6, 7, 8))
    ]
    build(site, rows)
    with site.warehouse.reading() as con:
        habits = reporting(con).set_index("test_name")
    assert list(habits.columns[-4:]) == ["reports", "lifetime_hours", "silent_hours", "longest_gap_hours"]
    by_kind = [tuple(row) for row in habits.loc["stops"].iloc[:, -4:].to_numpy().tolist()]
    assert sorted(by_kind) == [(5, 6, 4, 1), (15, 18, 12, 3)]
    assert habits.loc["stays", "silent_hours"].tolist() == [0, 0]


def titles(site: Site, *results: dict[str, Any]) -> list[str]:
    site.store(
        *(
            Measurement(f"line {n}", "benchmark_time", 1.0, "s", ts=START, run_key="r", test_name="sum", **fields)
            for n, fields in enumerate(results)
        )
    )
    with site.warehouse.transaction() as con:
        build_series(con, load_catalog())
    return list(site.warehouse.query("SELECT title FROM metric_series ORDER BY title")["title"])


def tagged(**tags: str) -> dict[str, str]:
    return {"tags": json.dumps(tags)}


SUM = "benchmark_time · sum"


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([tagged(suite="a", runtime="py3")], [SUM]),
        ([tagged(suite=s, runtime="py3") for s in "ab"], [f"{SUM} · a", f"{SUM} · b"]),
        ([tagged(suite=s, runtime=r) for s in "ab" for r in ("py3.11", "py3.12")],
         [f"{SUM} · {r} · {s}" for r in ("py3.11", "py3.12") for s in "ab"]),
        ([{}, tagged(suite="a")], [SUM, f"{SUM} · a"]),
        ([{"project": p} for p in "pq"], [f"{SUM} · p", f"{SUM} · q"]),
        ([{"node_id": n} for n in "mn"], [f"{SUM} · m", f"{SUM} · n"]),
        ([{"test_type": t} for t in ("load", "unit")], [f"{SUM} · load", f"{SUM} · unit"]),
        ([{"node_type": t} for t in ("arm", "x86")], [f"{SUM} · arm", f"{SUM} · x86"]),
        ([{"branch": b} for b in ("main", "master")], [f"{SUM} · main", f"{SUM} · master"]),
        ([{"benchmark_version": v * 16} for v in "ab"], [f"{SUM} · version aaaaaaaa", f"{SUM} · version bbbbbbbb"]),
        ([{"benchmark_version": f"1.0.0-alpha.{n}"} for n in (1, 2)],
         [f"{SUM} · version 1.0.0-alpha.{n}" for n in (1, 2)]),
    ],
)  # fmt: skip
def test_a_title_has_what_tells_series_of_one_name_apart_and_no_more(site, results, expected):
    assert titles(site, *results) == expected


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "project": st.sampled_from("pq"),
                "test_type": st.sampled_from(["load", "unit"]),
                "node_id": st.sampled_from("mn"),
                "tags": st.sampled_from([json.dumps({"suite": "a"}), json.dumps({"suite": "b", "os": "linux"})]),
                "benchmark_version": st.sampled_from(["1", "2"]),
            },
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda fields: tuple(sorted(fields.items())),
    )
)
@limits(max_examples=15)
def test_no_two_series_have_one_title(results):
    with tempfile.TemporaryDirectory() as folder:
        found = titles(Site(Path(folder)), *results)
    assert len(found) == len(results)
    assert len(set(found)) == len(found)


def test_a_limit_over_the_baseline_takes_the_place_of_the_catalogues() -> None:
    limits = metric_limits(load_catalog(), {}, {"memory_usage": 0.2, "tests_per_hour": 0.1}).set_index("metric")
    assert limits.loc["memory_usage", ["share", "side"]].tolist() == [0.2, "upper"]
    assert limits.loc["tests_per_hour", ["share", "side"]].tolist() == [0.1, "lower"]
    assert limits.loc[["memory_usage", "tests_per_hour"], "limit_value"].isna().all()
    assert limits.drop(["memory_usage", "tests_per_hour"])["share"].isna().all()
