"""Findings of one home as results come in: anchors from the state, drifts, shifts of groups, what is withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from perf_assets.catalog import load_catalog
from perf_assets.defs.assets import trends
from perf_assets.defs.resources import resources_for
from perf_assets.landing import Landing
from perf_assets.state import open_state
from perf_assets.warehouse.loading import Rules, load_files
from perf_assets.warehouse.series import build_series
from perf_assets_tests.analysis.signals import FloatArray, levels, white
from perf_assets_tests.cli.site import Site
from perf_assets_tests.defs.building import QUIET, START, settings_for, warehouse_of

RECEIVED = datetime.fromisoformat("2027-07-01")
"""After the last measurement of every history."""


class Home:
    """One home; each call of `come` adds a file of further results and brings the findings up to date."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_for(folder)
        self.warehouse = warehouse_of(self.settings)
        self.come_so_far: dict[str, int] = {}

    def come(self, new: Mapping[str, FloatArray], hours: int = 53) -> pd.DataFrame:
        """The table of regressions after further values of these tests, so many hours apart."""
        landing = Landing(self.settings.landing)
        number = sum(self.come_so_far.values())
        file = landing.land(self._table(new, hours), name=f"{number}.csv", received_at=RECEIVED, origin="file")
        rules = Rules(load_catalog(), self.settings.identity, self.settings.quality)
        list(load_files(self.warehouse, [file], rules, self.settings.scratch))
        with self.warehouse.transaction() as con:
            build_series(con, load_catalog())
        with dg.DagsterInstance.ephemeral() as instance:
            resources = resources_for(self.settings)
            assets = [trends.change_points, trends.regressions]
            assert dg.materialize(assets, instance=instance, resources=resources, run_config=QUIET).success
        return self.warehouse.query("SELECT * FROM regressions ORDER BY first_bad_at, scope_name")

    def _table(self, new: Mapping[str, FloatArray], hours: int) -> bytes:
        rows = []
        for test, values in new.items():
            first = self.come_so_far.get(test, 0)
            self.come_so_far[test] = first + values.size
            rows += [
                {"timestamp": (START + timedelta(hours=hours * run)).isoformat(), "metric_name": "benchmark_time",
                 "unit": "ms", "metric_value": value, "test_name": test, "test_run_id": f"r{run}",
                 "commit_id": f"c{run:02}", "direction": "lower_is_better"}
                for run, value in enumerate(values, first)
            ]  # fmt: skip
        return pd.DataFrame(rows).to_csv(index=False).encode()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_confirmed_change_stays_while_another_one_begins(home: Home) -> None:
    history = levels(4, (13, 100.0, 0.5), (8, 115.0, 0.5), (3, 225.0, 0.5))
    [first] = home.come({"login": history[:21]}).itertuples()
    assert (first.first_bad_run, first.state) == ("r13", "confirmed")
    for number in (21, 22, 23):
        found = home.come({"login": history[number : number + 1]}).set_index("regression_id")
        assert found.loc[first.regression_id, ["first_bad_run", "state"]].tolist() == ["r13", "confirmed"]
        assert home.warehouse.query("SELECT * FROM withdrawn_findings").empty


def test_a_change_that_the_state_knows_stays_though_it_would_not_be_found(home: Home) -> None:
    history = levels(0, (40, 50.0, 1.0), (40, 50.65, 1.0))
    assert home.come({"login": history}).empty
    assert home.warehouse.query("SELECT * FROM change_points").empty
    [series_id] = home.warehouse.query("SELECT series_id FROM metric_series")["series_id"]
    at = START + timedelta(hours=53 * 40)
    anchor = {
        "series_id": str(series_id), "first_bad_run": "r40", "part_of_day": "all day", "kind": "regression",
        "regression_id": "7", "low_ts": at, "high_ts": at, "confirmed_at": at,
    }  # fmt: skip
    with open_state(home.settings.state) as state:
        state.add_anchors(pd.DataFrame([anchor]))
    table = home.come({"login": 50.65 + white(1, 9)})
    assert home.warehouse.query("SELECT position FROM change_points")["position"].tolist() == [40]
    # It is a change still, but far from half as large as what counts.
    assert table.empty
    [gone] = home.warehouse.query("SELECT * FROM withdrawn_findings").itertuples()
    assert (gone.regression_id, gone.series_id, gone.first_bad_run) == (7, series_id, "r40")
    assert gone.reason.endswith("less than half of the smallest that is reported.")


def test_a_staircase_is_a_drift_that_begins_with_the_first_run(home: Home) -> None:
    stairs = 100.0 * 1.04 ** np.repeat(np.arange(7), 10) * (1.0 + 0.01 * white(70, 1))
    flat = np.concatenate((100.0 + white(35, 2), 130.0 + white(35, 3)))
    table = home.come({"creeping": stairs, "stepping": flat, "quiet": 100.0 + white(70, 4)}, hours=24)
    told = table.set_index("test_name")
    assert told["shape"].to_dict() == {"creeping": "drift", "stepping": "step"}
    row = told.loc["creeping"]
    assert row[["kind", "state", "first_bad_run", "first_bad_commit"]].tolist() == [
        "regression", "confirmed", "r0", "c00"
    ]  # fmt: skip
    assert row["change"] == pytest.approx(0.29, abs=0.05)
    members = home.warehouse.query("SELECT regression_id, series_id FROM regression_members")
    assert set(members["regression_id"]) == set(table["regression_id"])
    assert (row["regression_id"], row["series_id"]) in set(members.itertuples(index=False, name=None))


def test_short_histories_that_moved_together_are_a_group(home: Home) -> None:
    def scenarios(share: float, seed: int, size: int) -> dict[str, FloatArray]:
        return {f"s{n}": share * 600.0 * np.exp(0.15 * white(size, seed + n)) for n in range(7)}

    assert home.come(scenarios(1.0, 0, 5)).empty
    [row] = home.come(scenarios(1.5, 100, 2)).itertuples()
    assert (row.shape, row.scope, row.members, row.kind) == ("group", "project", 7, "regression")
    assert row.first_bad_run in ("r4", "r5")
    members = home.warehouse.query("SELECT * FROM regression_members")
    assert members["regression_id"].tolist() == [row.regression_id] * 7


def test_a_rise_that_was_alerted_is_not_unreported_by_the_next(shared_data: Path, tmp_path: Path) -> None:
    case = shared_data / "field" / "cases" / "second-step-unreports-first"
    if not (case / "day29" / "input.csv").exists():
        pytest.skip(f"this history is absent ({case})")
    site, seen = Site(tmp_path), []
    for file in (case / "day29" / "input.csv", case / "input.csv"):
        result = site.call("run", file)
        assert result.exit_code == 0, result.output
        seen.append(dict(site.query("SELECT regression_id, (first_bad_run, state) FROM regressions")))
        assert site.query("SELECT * FROM withdrawn_findings") == []
    [(first, told)] = seen[0].items()
    assert told == ("run-19", "confirmed")
    assert seen[1][first] == told
    sent = [entry["alert_id"] for entry in site.json("alerts")["deliveries"]]
    assert len(sent) == len(set(sent))
    assert any(str(first) in alert_id for alert_id in sent)
