"""From results to findings: what changed together, and why, through the warehouse and the assets of group trends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from perf_assets.catalog import load_catalog
from perf_assets.defs.assets import trends
from perf_assets.defs.resources import resources_for
from perf_assets.landing import Landing
from perf_assets.warehouse.loading import Rules, load_files
from perf_assets.warehouse.series import build_series
from perf_assets_tests.defs.building import QUIET, START, settings_for, warehouse_of

RUNS, AT = 60, 40
RECEIVED = datetime.fromisoformat("2027-01-01")
"""After the last measurement of every history."""
Find = Callable[..., pd.DataFrame]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """The table of regressions of these files, by content or path."""

    def found(*files: bytes | Path) -> pd.DataFrame:
        settings = settings_for(tmp_path)
        landing, warehouse = Landing(settings.landing), warehouse_of(settings)
        landed = [
            landing.land(
                file if isinstance(file, bytes) else file.read_bytes(),
                name=f"{number}.csv" if isinstance(file, bytes) else file.name,
                received_at=RECEIVED, origin="file",
            )
            for number, file in enumerate(files)
        ]  # fmt: skip
        rules = Rules(load_catalog(), settings.identity, settings.quality)
        list(load_files(warehouse, landed, rules, settings.scratch))
        with warehouse.transaction() as con:
            build_series(con, load_catalog())
        with dg.DagsterInstance.ephemeral() as instance:
            assets = [trends.change_points, trends.regressions]
            assert dg.materialize(
                assets, instance=instance, resources=resources_for(settings), run_config=QUIET
            ).success
        return warehouse.query("SELECT * FROM regressions ORDER BY first_bad_at, scope_name")

    return found


def results(
    tests: int, changed: Iterable[int], context: Callable[[int], dict[str, Any]] = lambda _: {}, repeated: int = 1
) -> bytes:
    """A long table of benchmarks without nodes, `repeated` runs a commit; `changed` take 20 % longer from run AT on."""
    noise = np.random.default_rng(3)
    rows = []
    for test in range(tests):
        values = 100.0 * np.exp(noise.normal(0, 0.01, RUNS))
        values[AT:] *= 1.2 if test in set(changed) else 1.0
        rows += [
            {
                "timestamp": (START + timedelta(hours=12 * run)).isoformat(), "metric_name": "benchmark_time",
                "unit": "ms", "metric_value": value, "test_name": f"test-{test}", "test_run_id": f"r{run}",
                "commit_id": f"c{run // repeated:02}", "direction": "lower_is_better",
                "context_data": json.dumps(context(run)),
            }
            for run, value in enumerate(values)
        ]  # fmt: skip
    return pd.DataFrame(rows).to_csv(index=False).encode()


def test_a_commit_of_a_project_without_nodes_is_one_finding(find: Find) -> None:
    (row,) = find(results(6, range(6))).itertuples()
    assert (row.scope, row.scope_name, row.cause, row.members) == ("commit", "c40", "code", 6)
    assert (row.last_good_commit, row.first_bad_commit) == ("c39", "c40")


def test_another_machine_is_the_environment_and_a_new_address_is_not(find: Find) -> None:
    def context(run: int) -> dict[str, Any]:
        return {"machine": {"cpu": "new" if run >= AT else "old"}, "url": f"https://ci/{run}", "build": run}

    (row,) = find(results(3, [1], context)).itertuples()
    assert (row.scope, row.cause) == ("series", "environment")
    assert row.explanation == "Only this series changed. machine.cpu changed from old to new."


def test_an_address_of_each_commit_explains_nothing(find: Find) -> None:
    (row,) = find(results(3, [1], lambda run: {"url": f"https://ci/{run // 10}"}, repeated=10)).itertuples()
    assert (row.cause, row.last_good_commit, row.first_bad_commit) == ("unknown", "c03", "c04")
    assert row.explanation == "Only this series changed."


def test_a_change_among_the_many_runs_of_a_commit_is_the_environment(find: Find) -> None:
    (row,) = find(results(3, [1], repeated=30)).itertuples()
    assert (row.last_good_commit, row.first_bad_commit, row.cause) == ("c01", "c01", "environment")
    assert row.explanation.startswith("Both runs are of commit c01: the code did not change, its environment did.")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("one-commit-many-findings", ("commit", "code", 12, "c0039", "c0040")),
        ("codspeed-520-cpu-in-context", ("series", "environment", 1, "c0029", "c0030")),
        ("treeherder-2284-retriggers", ("series", "unknown", 1, "rev07", "rev08")),
    ],
)
def test_histories_from_the_field(find: Find, shared_data: Path, case: str, expected: tuple[Any, ...]) -> None:
    file = shared_data / "field" / "cases" / case / "input.csv"
    if not file.exists():
        pytest.skip(f"this history is absent ({file})")
    (row,) = find(file).itertuples()
    assert (row.scope, row.cause, row.members, row.last_good_commit, row.first_bad_commit) == expected


def test_four_suites_are_no_nodes(find: Find, shared_data: Path) -> None:
    files = sorted((shared_data / "field" / "cases" / "suites-called-nodes").glob("input/*/data.js"))
    if not files:
        pytest.skip(f"this history is absent ({shared_data})")
    (row,) = find(*files).itertuples()
    assert (row.scope, row.scope_name, row.members) == ("test", "rand_read_small", 4)
    assert row.reach.startswith("in 4 suites (")
    assert "node" not in row.explanation
