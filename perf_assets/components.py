"""The component by which another Dagster project mounts sources, or the whole pipeline, from a file `defs.yaml`."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field


class PerfSource(dg.Component, dg.Model, dg.Resolvable):
    """Results of test runs and benchmarks: sources that are pulled, and the assets that load and analyse what came."""

    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="What perf-assets.toml has, `sources` among it. A relative `home` is below the project. Secrets "
        "come from the environment.",
    )
    pipeline: bool = Field(
        True, description="Whether results are loaded and analysed, too; without it they only come into landing."
    )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        from perf_assets.defs.building import definitions_for, pulling_for
        from perf_assets.settings import settings_from

        settings = settings_from(self.settings, context.path / "defs.yaml", folder=context.project_root)
        return definitions_for(settings, {}) if self.pipeline else pulling_for(settings)
