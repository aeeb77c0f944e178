"""Putting together what Dagster loads: what is found in this folder, and what follows from the settings.

Belongs here: which definitions there are for some settings. Does not belong here: any one definition.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from perf_assets import defs as folder
from perf_assets.defs.assets.sources import source_definitions
from perf_assets.defs.resources import resources_for
from perf_assets.settings import Settings
from perf_assets.sources.source import Source, asset_name, configured_sources


def definitions_for(settings: Settings, resource_overrides: Mapping[str, object]) -> dg.Definitions:
    """Everything that is found in this folder, and the configured sources, with resources from the settings unless
    overridden.
    """
    sources = configured_sources(settings.sources.sections)
    found = _found()
    assets = [asset for asset in found.assets or () if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)]
    return dg.Definitions.merge(
        dg.Definitions(
            assets=dg.map_asset_specs(lambda spec: _after(spec, sources), assets),
            asset_checks=found.asset_checks,
            jobs=found.jobs,
            schedules=found.schedules,
            sensors=found.sensors,
            resources={**(found.resources or {}), **resources_for(settings), **resource_overrides},
        ),
        source_definitions(sources),
    )


def pulling_for(settings: Settings) -> dg.Definitions:
    """The configured sources alone: their files come into landing, and nothing is loaded."""
    sources = configured_sources(settings.sources.sections)
    shared = ("settings", "landing", "patience", "progress")
    resources = resources_for(settings)
    needed = {name: resources[name] for name in (*shared, *(source.section for source in sources))}
    return dg.Definitions.merge(source_definitions(sources), dg.Definitions(resources=needed))


def _found() -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors at the level of a module, and components."""
    tree = dg.ComponentTree.from_module(defs_module=folder, project_root=Path(__file__).parents[2])
    with warnings.catch_warnings():
        # Loading a folder is Dagster's own way; of the functions by which it does so it says that they may change.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return tree.build_defs()


def _after(spec: dg.AssetSpec, sources: list[Source]) -> dg.AssetSpec:
    """The spec with sources upstream. Their results are in landing on the day they came, whatever their own day is."""
    if spec.key != dg.AssetKey("raw_results"):
        return spec
    pulled = [
        dg.AssetDep(asset_name(source.section), partition_mapping=dg.LastPartitionMapping())
        for source in sources
        if source.by_day
    ]
    return spec.replace_attributes(deps=[*spec.deps, *pulled])
