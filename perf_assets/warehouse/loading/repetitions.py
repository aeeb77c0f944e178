"""Of several reports of one measurement in a group of files one stays; a different value goes to quarantine."""

from __future__ import annotations

from perf_assets.warehouse.loading.stage import Stage


def settle_repetitions(stage: Stage) -> None:
    """Leave one fact of each measurement, by a rule that depends neither on order nor on the split into files."""
    stage.run("places")
    if stage.count("SELECT count(*) FROM further_values"):
        stage.run("further_values")
    # Hashes that are all different are those of different measurements; most files have no others.
    if stage.count("SELECT count(*) - count(DISTINCT hash(series_id, run_id)) FROM facts"):
        stage.run("repetitions")
