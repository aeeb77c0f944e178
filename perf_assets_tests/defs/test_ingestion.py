"""Group `ingestion` as a Dagster job: partitions, and what an interruption leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from perf_assets import ingestion
from perf_assets.definitions import build_definitions
from perf_assets_tests.defs.building import RECEIVED, errors_of, land, run_job, settings_for, small_table, warehouse_of


def test_what_an_interrupted_reload_has_left_comes_with_the_next_run_of_any_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path)
    days = [
        land(settings, small_table(1, 1 + number), f"{number}.csv", RECEIVED + timedelta(days=9 * number))
        for number in range(2)
    ]

    def measured() -> int:
        return len(warehouse_of(settings).query("SELECT 1 FROM measurements"))

    assert run_job(settings, (days[0], days[-1]), "ingestion_job").success
    before = measured()
    changed = settings.model_copy(update={"quality": settings.quality.model_copy(update={"minutes_ahead": 11})})
    with monkeypatch.context() as patched:

        def interrupted(*_: object) -> None:
            raise RuntimeError("the machine went down")

        patched.setattr(ingestion, "load_files", interrupted)
        failed = run_job(changed, (days[0], days[-1]), "ingestion_job")
    assert "the machine went down" in errors_of(failed)["load_results"]
    assert run_job(changed, (days[-1], days[-1]), "ingestion_job").success
    assert measured() == before > 0


def test_automation_asks_once_for_all_that_is_derived_however_often_results_were_loaded(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    day = land(settings, small_table(1, 1), "small.csv")
    definitions = build_definitions({"settings": settings})
    graph = definitions.resolve_asset_graph()
    derived = [key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def is None]
    with dg.DagsterInstance.ephemeral() as instance:
        looked = dg.evaluate_automation_conditions(definitions, instance)
        assert looked.total_requested == 0
        for loadings in (1, 0, 3, 0):
            for _ in range(loadings):
                assert run_job(settings, (day, day), "ingestion_job", instance).success
            looked = dg.evaluate_automation_conditions(definitions, instance, cursor=looked.cursor)
            assert looked.total_requested == (len(derived) if loadings else 0)
