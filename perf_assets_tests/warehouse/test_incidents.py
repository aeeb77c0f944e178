"""Declared incidents: what lies inside stays in the warehouse and out of every analysis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.anomalies import EPISODE_COLUMNS, find_anomalies
from perf_assets.catalog import load_catalog
from perf_assets.settings import Incident
from perf_assets.tables import ANOMALIES
from perf_assets.warehouse.incidents import declare_incidents
from perf_assets.warehouse.increments import complete, increment_of, joined, kept_rows
from perf_assets.warehouse.readings import scenario_runs
from perf_assets.warehouse.series import build_rollups, build_series
from perf_assets_tests.warehouse.building import START, Site, row

LATER = datetime.fromisoformat("2027-12-31")


def incident(first: float, end: float, reason: str = "disk full", **narrowed: str) -> Incident:
    """One from an hour to another."""
    starts_at, ends_at = (START + timedelta(hours=hour) for hour in (first, end))
    return Incident.model_validate({"from": starts_at, "to": ends_at, "reason": reason, **narrowed})


def declare(site: Site, *incidents: Incident) -> None:
    with site.warehouse.transaction() as con:
        declare_incidents(con, incidents)
        build_series(con, load_catalog())
        build_rollups(con)


def hours(site: Site) -> list[float]:
    """Hours of the measurements under analysis."""
    found = site.warehouse.query("SELECT ts FROM analysed_measurements ORDER BY ts")
    return [(ts - START).total_seconds() / 3600 for ts in found["ts"]]


def left_out(site: Site) -> list[int]:
    return site.warehouse.query("SELECT left_out FROM incidents ORDER BY incident_id")["left_out"].tolist()


def results(hours: range, level: float = 10.0, **fields: Any) -> list[dict[str, Any]]:
    noise = np.random.default_rng(len(str(fields))).normal(0, 1, 1_000)
    name = "-".join(str(value) for value in fields.values())
    return [row(level + noise[hour], run=f"{name}-{hour}", hour=hour, **fields) for hour in hours]


def test_the_first_moment_is_inside_and_the_last_is_not(site: Site) -> None:
    site.load(results(range(10)), received_at=LATER)
    declare(site, incident(3, 6))
    assert hours(site) == [0, 1, 2, 6, 7, 8, 9]
    assert left_out(site) == [3]
    assert len(site.values()) == len(site.values("series_measurements")) == 10
    assert len(site.warehouse.query("SELECT * FROM performance_metrics")) == 10
    series = site.warehouse.query("SELECT * FROM metric_series").iloc[0]
    assert (series["measurements"], series["observed_buckets"], series["buckets"]) == (7, 7, 10)
    assert site.warehouse.query("SELECT sum(measurements) AS n FROM metric_rollups")["n"].tolist() == [7]


def test_what_narrows_an_incident_must_all_fit(site: Site) -> None:
    for node, kind in (("n1", "linux"), ("n2", "linux"), ("n3", None)):
        site.load([row(1.0, run=f"r-{node}", node_id=node, node_type=kind)])
    everywhere = ["n1", "n2", "n3"]
    for narrowed, kept in (
        ({}, []), ({"node_id": "n1"}, ["n2", "n3"]), ({"node_type": "linux"}, ["n3"]),
        ({"node_type": "mac"}, everywhere), ({"test_name": "login", "node_id": "n2"}, ["n1", "n3"]),
        ({"project": "default", "node_id": "n2"}, ["n1", "n3"]), ({"test_name": "search"}, everywhere),
        ({"metric": "cpu_usage"}, everywhere), ({"metric": "test_execution_time"}, []),
        ({"project": "other"}, everywhere), ({"node_id": "n1' OR true --"}, everywhere),
    ):  # fmt: skip
        with site.warehouse.transaction() as con:
            declare_incidents(con, [incident(0, 1, **narrowed)])
            analysed = con.execute(
                "SELECT s.node_id FROM analysed_measurements JOIN series s USING (series_id) ORDER BY s.node_id"
            ).fetchall()
        assert [node for (node,) in analysed] == kept, narrowed


def test_of_two_incidents_the_first_counts_what_both_leave_out(site: Site) -> None:
    site.load(results(range(10)), received_at=LATER)
    declare(site, incident(2, 5), incident(4, 8), incident(20, 30), incident(0, 99, project="other"))
    assert hours(site) == [0, 1, 8, 9]
    assert left_out(site) == [3, 3, 0, 0]
    declare(site)
    assert hours(site) == list(range(10))
    assert left_out(site) == []


def test_a_series_that_lies_wholly_inside_is_no_series(site: Site) -> None:
    site.load(results(range(10)) + results(range(5, 8), test_name="search"), received_at=LATER)
    declare(site, incident(5, 8))
    assert site.warehouse.query("SELECT test_name FROM metric_series")["test_name"].tolist() == ["login"]


def test_the_width_of_buckets_is_that_of_what_was_measured(site: Site) -> None:
    site.load(results(range(100)), received_at=LATER)
    declare(site)
    before = site.warehouse.query("SELECT ts, value FROM series_buckets ORDER BY ts")
    declare(site, incident(20, 80))
    after = site.warehouse.query("SELECT ts, value FROM series_buckets ORDER BY ts")
    outside = (before["ts"] < START + timedelta(hours=20)) | (before["ts"] >= START + timedelta(hours=80))
    pd.testing.assert_frame_equal(after, before[outside].reset_index(drop=True))


def test_an_incident_at_the_end_does_not_turn_time_back(site: Site) -> None:
    site.load(results(range(10)), received_at=LATER)
    declare(site, incident(7, 1_000))
    series = site.warehouse.query("SELECT as_of, last_seen FROM metric_series").iloc[0]
    assert series.tolist() == [pd.Timestamp(START + timedelta(hours=hour)) for hour in (9, 6)]


def test_a_run_counts_by_its_last_attempt_inside_or_not(site: Site) -> None:
    site.load([row(1.0, hour=0), row(2.0, hour=5, attempt=2)])
    declare(site, incident(4, 6))
    assert hours(site) == []


def test_scenario_runs_inside_are_left_out(site: Site) -> None:
    site.load([row(60.0, run=f"r{hour}", hour=hour, metric_name="scenario_duration") for hour in range(4)])
    declare(site, incident(1, 3, metric="scenario_duration"))
    with site.warehouse.reading() as con:
        assert len(scenario_runs(con)) == 2


def analyse(site: Site) -> tuple[int, pd.DataFrame]:
    """Bring the table anomalies up to date; returns how many series were looked at, and the table."""
    increment = increment_of(site.warehouse, "anomalies")
    buckets = site.warehouse.query(
        """SELECT series_id, ts, value FROM series_buckets
        WHERE series_id IN (SELECT unnest(? :: BIGINT[])) ORDER BY ALL""",
        [increment.ids],
    )
    kept = kept_rows(site.warehouse, increment, ANOMALIES)
    complete(site.warehouse, increment, (ANOMALIES, joined([kept, find_anomalies(buckets)], EPISODE_COLUMNS)))
    return len(increment.ids), site.warehouse.query("SELECT * FROM anomalies ORDER BY ALL")


def test_only_series_of_the_incident_are_looked_at_again_and_it_hides_what_was_found(site: Site) -> None:
    spike = [row(90.0, run=f"spike-{hour}", hour=hour) for hour in range(250, 253)]
    usual = [one for one in results(range(300)) if one["timestamp"] not in {each["timestamp"] for each in spike}]
    site.load(usual + spike + results(range(300), test_name="search"), received_at=LATER)
    declare(site)
    _, found = analyse(site)
    assert START + timedelta(hours=250) in found["episode_start"].tolist()
    declare(site, incident(250, 253, test_name="login"))
    looked, hidden = analyse(site)
    assert looked == 1
    inside = hidden["episode_end"].between(START + timedelta(hours=250), START + timedelta(hours=252, minutes=59))
    assert not inside.any()
    declare(site)
    looked, again = analyse(site)
    assert looked == 1
    pd.testing.assert_frame_equal(again, found)


def test_new_results_inside_that_narrow_the_buckets_are_seen(site: Site) -> None:
    site.load(results(range(0, 300, 3)), received_at=LATER)
    declare(site, incident(100, 300))
    assert analyse(site)[0] == 1
    site.load([row(10.0, run=f"new-{step}", hour=100 + step / 2) for step in range(1, 400)], received_at=LATER)
    declare(site, incident(100, 300))
    assert site.warehouse.query("SELECT bucket_seconds FROM metric_series")["bucket_seconds"].tolist() == [3600]
    assert analyse(site)[0] == 1


INCIDENTS = st.lists(
    st.builds(
        lambda first, length, narrowed: incident(first, first + length, **narrowed),
        st.floats(0, 400).map(lambda hour: round(hour * 2) / 2),
        st.integers(1, 200),
        st.sampled_from([{}, {"test_name": "login"}, {"test_name": "search"}, {"node_id": "n1"}, {"project": "other"}]),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def sites() -> Iterator[tuple[Site, Site]]:
    with TemporaryDirectory() as folder:
        pair = Site(Path(folder) / "step-by-step"), Site(Path(folder) / "at-once")
        for each in pair:
            each.load(
                results(range(300)) + results(range(0, 400, 3), test_name="search", node_id="n1"), received_at=LATER
            )
        yield pair


@limits(max_examples=4)
@given(incidents=INCIDENTS)
def test_step_by_step_is_as_all_at_once(sites: tuple[Site, Site], incidents: list[Incident]) -> None:
    """One site goes from one example's incidents to the next one's, the other forgets and analyses everything."""
    step_by_step, at_once = sites
    declare(step_by_step, *incidents)
    _, found = analyse(step_by_step)
    with at_once.warehouse.transaction() as con:
        con.execute("DELETE FROM analysed_contents")
    declare(at_once, *incidents)
    _, expected = analyse(at_once)
    pd.testing.assert_frame_equal(found, expected)


@limits(max_examples=5)
@given(incidents=INCIDENTS)
def test_every_measurement_is_analysed_or_counted_as_left_out(
    sites: tuple[Site, Site], incidents: list[Incident]
) -> None:
    site, _ = sites
    declare(site, *incidents)
    assert len(hours(site)) + sum(left_out(site)) == len(site.values())
    for each in incidents:
        if each.test_name is None and each.node_id is None and each.project is None:
            at = [START + timedelta(hours=hour) for hour in hours(site)]
            assert not any(each.starts_at <= moment < each.ends_at for moment in at)
