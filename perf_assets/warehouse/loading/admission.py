"""Which facts of a group may enter the warehouse, in its transaction: files that another process has loaded
meanwhile, and new series of files that begin too many, may not."""

from __future__ import annotations

from perf_assets.warehouse.loading.stage import Stage


def admit(stage: Stage) -> None:
    """Delete the facts that may not enter; tables `part_series` and `new_series` are about the others."""
    stage.run("loaded_meanwhile")
    if stage.count("SELECT count(*) FROM loaded_meanwhile"):
        stage.run("without_loaded")
        stage.run("without_facts")
    stage.run("new_series")
    if stage.count("SELECT count(*) FROM new_series") > stage.rules.quality.max_new_series:
        # One file after the other, as if each were loaded alone.
        while stage.run("too_many_series") != [(0,)]:
            pass
        stage.run("without_facts")
