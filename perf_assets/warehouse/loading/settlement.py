"""Of a measurement that is stored already and a report of it in the group one stays, as within a group."""

from __future__ import annotations

from perf_assets.warehouse.loading.stage import Stage


def settle_with_stored(stage: Stage) -> None:
    """Table `stays`: measurements that are stored already and stay. Those that are replaced are deleted."""
    stage.run("stored_places")
    if stage.count("SELECT count(*) FROM apart_from_stored"):
        stage.run("stored_apart")
        stage.run("further_values")
    stage.run("described_runs")
    several = stage.count("SELECT count(*) - count(DISTINCT run_id) FROM described_runs")
    stage.run("merged_runs" if several else "single_runs")
    stage.run("known_runs")
    if stage.count("SELECT count(*) FROM known_runs"):
        stage.run("met")
    if stage.count("SELECT count(*) FROM met WHERE differs"):
        stage.run("settled")
