"""The simulated fleet: one seed, the same bytes; the whole catalogue; seven events and their truth."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from perf_assets.catalog import load_catalog
from perf_assets.simulation import PROJECT, Fleet, simulate_fleet, write_fleet
from perf_assets.simulation.fleet import DAYS, START
from perf_assets.simulation.noise import autoregressive, cycles

KINDS = [
    "code_regression", "slow_node", "memory_leak", "queue_saturation_at_night", "runner_image_change", "improvement",
    "flaky_test",
]  # fmt: skip


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return simulate_fleet(3)


def test_one_seed_gives_the_same_bytes_and_another_gives_others(fleet: Fleet, tmp_path: Path) -> None:
    def digests(name: str, made: Fleet) -> list[str]:
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in write_fleet(made, tmp_path / name)]

    first = digests("first", fleet)
    assert digests("again", simulate_fleet(3)) == first
    assert all(one != other for one, other in zip(digests("other", simulate_fleet(4)), first, strict=True))


def test_the_fleet_has_over_a_thousand_series_of_the_whole_catalogue(fleet: Fleet) -> None:
    series = fleet.table.group_by(["metric_name", "test_name", "node_id"]).aggregate([])
    assert series.num_rows == fleet.series >= 1000
    expected = {
        name
        for name, metric in load_catalog().metrics.items()
        if metric.category not in ("scenario_run", "benchmark", "ci")
    }
    assert set(pc.unique(fleet.table["metric_name"]).to_pylist()) == expected
    assert len(pc.unique(fleet.table["node_type"]).drop_null()) >= 3


def test_the_fleet_lasts_60_days_with_gaps(fleet: Fleet) -> None:
    times = fleet.table["timestamp"]
    assert pc.min(times).as_py() >= START
    assert timedelta(days=59) < pc.max(times).as_py() - pc.min(times).as_py() <= timedelta(days=DAYS)
    hourly = pc.sum(
        pc.and_(pc.equal(fleet.table["metric_name"], "cpu_usage"), pc.equal(fleet.table["node_id"], "mac-mini-01"))
    )
    assert 0.7 * DAYS * 24 < hourly.as_py() < DAYS * 24


def test_values_are_finite_and_shares_stay_shares(fleet: Fleet) -> None:
    assert pc.all(pc.is_finite(fleet.table["metric_value"])).as_py()
    units = {name: metric.unit for name, metric in load_catalog().metrics.items()}
    bounds = (
        fleet.table.group_by("metric_name").aggregate([("metric_value", "min"), ("metric_value", "max")]).to_pylist()
    )
    for row in bounds:
        assert row["metric_value_min"] >= 0
        if units[row["metric_name"]] == "1" and row["metric_name"] != "load_average":
            assert row["metric_value_max"] <= 1


def test_seven_events_of_at_most_three_standard_deviations_are_planted(fleet: Fleet) -> None:
    assert [event.kind for event in fleet.events] == KINDS
    for event in fleet.events:
        assert 0 < event.size <= 3
        assert START < event.started_at < START + timedelta(days=DAYS)
    leak = fleet.events[2]
    assert leak.breach_at is not None
    assert START + timedelta(days=DAYS) < leak.breach_at < START + timedelta(days=DAYS + 14)
    assert leak.limit == load_catalog()["memory_usage"].limit


def test_a_planted_event_is_in_the_data(fleet: Fleet) -> None:
    event = fleet.events[0]
    of_test = fleet.table.filter(
        pc.and_(
            pc.equal(fleet.table["metric_name"], event.metric), pc.equal(fleet.table["test_name"], event.subject)
        )
    )  # fmt: skip
    changes = []
    for node in pc.unique(of_test["node_id"]).to_pylist():
        series = of_test.filter(pc.equal(of_test["node_id"], node))
        values, after = (
            series["metric_value"].to_numpy(),
            series["timestamp"].to_numpy() >= np.datetime64(event.started_at),
        )
        changes.append(np.median(values[after]) / np.median(values[~after]) - 1)
    assert np.median(changes) == pytest.approx(event.size * 0.05, abs=0.03)


def test_linked_metrics_move_together_from_day_to_day_and_others_do_not(fleet: Fleet) -> None:
    table = fleet.table.select(["timestamp", "metric_name", "metric_value", "node_id", "test_name"]).to_pandas()
    table["day"] = table["timestamp"].dt.floor("D")
    table["of"] = table["node_id"].fillna(table["test_name"])
    days = table.groupby(["metric_name", "of", "day"])["metric_value"].mean().unstack("day")
    # Without levels and the week of each series; over all of them the load of the day is left.
    shares = days.div(days.mean(axis=1), axis=0)
    week = shares.T.groupby(shares.columns.day_of_week).transform("median").T
    together = (shares - week).groupby("metric_name").mean().T.corr(method="spearman")
    linked = together.loc[list(fleet.linked), list(fleet.linked)].to_numpy()
    assert len(fleet.linked) == 9
    assert linked[np.triu_indices(9, 1)].min() > 0.4
    rest = ["code_coverage", "test_count", "build_time", "artifact_size"]  # no event moves these
    assert np.abs(together.loc[rest, list(fleet.linked)].to_numpy()).max() < 0.45


def test_what_is_simulated_says_so(fleet: Fleet, tmp_path: Path) -> None:
    projects = {json.loads(context)["project"] for context in pc.unique(fleet.table["context_data"]).to_pylist()}
    assert projects == {PROJECT} == {"simulated-fleet"}
    data, truth = write_fleet(fleet, tmp_path)
    assert (data.name, truth.name) == ("fleet-seed-3.parquet", "fleet-seed-3.truth.json")
    told = json.loads(truth.read_text())
    assert (told["simulated"], told["seed"]) == (True, 3)
    assert [event["kind"] for event in told["events"]] == KINDS
    assert datetime.fromisoformat(told["events"][0]["started_at"]) == fleet.events[0].started_at


def test_noise_has_unit_variance_and_the_autocorrelation_asked_for() -> None:
    noise = autoregressive(np.random.default_rng(0), (400, 400), 0.5)
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1] == pytest.approx(0.5, abs=0.02)


def test_cycles_peak_at_two_in_the_afternoon_and_rest_at_the_weekend() -> None:
    hours = np.arange(0.0, 7 * 24)
    daily, weekly = cycles(hours, 1.0, 0.0), cycles(hours, 0.0, 1.0)
    assert set(hours[daily > 0.999] % 24) == {14.0}
    assert set(hours[weekly < 0] // 24) == {5.0, 6.0}
