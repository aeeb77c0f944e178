"""Putting together what Dagster loads: what is found in this folder, and what follows from the settings.

Belongs here: which definitions there are for some settings. Does not belong here: any one definition.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import dagster as dg

from perf_assets import defs as folder
from perf_assets.defs.assets.sources import source_definitions
from perf_assets.defs.resources import resources_for
from perf_assets.settings import Settings
from perf_assets.sources.source import Source, asset_name, configured_sources
from perf_assets.warehouse.increments import method_version

_LOOKS_EVERY_SECONDS = 60


def definitions_for(settings: Settings, resource_overrides: Mapping[str, object]) -> dg.Definitions:
    """Everything that is found in this folder, and the configured sources, with resources from the settings unless
    overridden.
    """
    sources = configured_sources(settings.sources.sections)
    found = _found()
    whole = [asset for asset in found.assets or () if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)]
    version = method_version()

    def complete(spec: dg.AssetSpec) -> dg.AssetSpec:
        return _brought_up_to_date(_after(spec, sources)).replace_attributes(code_version=version)

    assets = _linked_to_code(dg.map_asset_specs(complete, whole))
    return dg.Definitions.merge(
        dg.Definitions(
            assets=assets,
            asset_checks=found.asset_checks,
            jobs=found.jobs,
            schedules=found.schedules,
            sensors=[*(found.sensors or ()), _analysis_after_ingestion(assets)],
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


def _linked_to_code(assets: Iterable[dg.AssetsDefinition | dg.AssetSpec]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    with warnings.catch_warnings():
        # What is said of it is that it may change in a minor version; constraints.txt holds the version.
        warnings.simplefilter("ignore", dg.BetaWarning)
        linked = dg.with_source_code_references(list(assets))
    return [asset for asset in linked if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)]


def _found() -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors at the level of a module, and components."""
    tree = dg.ComponentTree.from_module(defs_module=folder, project_root=Path(__file__).parents[2])
    with warnings.catch_warnings():
        # Loading a folder is Dagster's own way; of the functions by which it does so it says that they may change.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return tree.build_defs()


def _brought_up_to_date(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The spec with a condition for Dagster's automation, if it is a table that is derived from others as a whole.

    Days on which nothing was received have no partition, so that upstream partitions are missing says nothing.
    """
    if spec.partitions_def is not None or not spec.deps:
        return spec
    condition = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
    return spec.replace_attributes(automation_condition=condition)


def _analysis_after_ingestion(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec],
) -> dg.AutomationConditionSensorDefinition:
    """Off from the start, since the daily analysis is enough for most. However many files were loaded between two looks
    or during a run, they are one run.
    """
    keys = [key for asset in assets for key in (asset.keys if isinstance(asset, dg.AssetsDefinition) else [asset.key])]
    return dg.AutomationConditionSensorDefinition(
        "analysis_after_ingestion",
        # Not all assets: those of a project in which these are mounted are its own business.
        target=dg.AssetSelection.assets(*keys),
        minimum_interval_seconds=_LOOKS_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Brings all findings up to date after results were loaded, in one run.",
    )


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
