"""Resources: the settings, the warehouse, landing and the sources that assets, checks and sensors are given.

Dagster's UI shows how each is configured. Secrets are no part of a configuration: they stay in the settings from which
the resource is made, and are put back when it is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import create_model

from perf_assets.landing import Landing, utc_now
from perf_assets.plugins import Plugin
from perf_assets.progress import Progress
from perf_assets.settings import Settings, masked_files
from perf_assets.sources.http import Patience
from perf_assets.sources.source import configured_sources
from perf_assets.warehouse import Warehouse
from perf_assets.workers import Workers


class LandingResource(dg.ConfigurableResource[Landing]):
    """Files as they were received."""

    folder: str

    def create_resource(self, context: dg.InitResourceContext) -> Landing:
        return Landing(Path(self.folder))


class WorkersResource(dg.ConfigurableResource[Workers]):
    """Where batches are computed."""

    processes: int

    def create_resource(self, context: dg.InitResourceContext) -> Workers:
        return Workers(self.processes)


class PatienceResource(dg.ConfigurableResource[Patience]):
    """How long a pull tries and waits, in seconds."""

    timeout: float = Patience.timeout
    retries: int = Patience.retries
    backoff: float = Patience.backoff
    longest_rest: float = Patience.longest_rest

    def create_resource(self, context: dg.InitResourceContext) -> Patience:
        return Patience(self.timeout, self.retries, self.backoff, self.longest_rest)


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """The warehouse, published when the run ends."""

    engine: DuckDBResource
    database: str
    snapshots: str
    umask: int

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Warehouse]:
        with masked_files(self.umask), self.engine.get_connection() as engine:
            opened = Warehouse(Path(self.database), Path(self.snapshots), engine)
            yield opened
            opened.publish()


def resources_for(settings: Settings) -> dict[str, object]:
    """All resources by name: those that every run has, and the configured sources by the names of their sections."""
    duckdb = DuckDBResource(database=":memory:")
    return {
        "settings": _settings_resource(settings),
        "clock": _hardcoded(utc_now, "What time it is: for noticing that no results come, never for an analysis."),
        "progress": _hardcoded(Progress(), "Who hears how far long work has come."),
        "landing": LandingResource(folder=str(settings.landing)),
        "workers": WorkersResource(processes=settings.workers),
        "patience": PatienceResource(longest_rest=settings.sources.longest_wait),
        "duckdb": duckdb,
        "warehouse": WarehouseResource(
            engine=duckdb, database=str(settings.database), snapshots=str(settings.snapshots), umask=settings.umask
        ),
        **{source.section: _plugin_resource(source) for source in configured_sources(settings.sources.sections)},
    }


def _hardcoded(value: object, description: str) -> dg.ResourceDefinition:
    return dg.ResourceDefinition.hardcoded_resource(value, description)


def _settings_resource(settings: Settings) -> dg.ConfigurableResource[Settings]:
    class Resource(dg.ConfigurableResource[Settings]):
        def create_resource(self, context: dg.InitResourceContext) -> Settings:
            return settings.with_choices(_values(self))

    return _shown("Settings", Resource, "Choices and places.", settings.choices())


def _plugin_resource(plugin: Plugin) -> dg.ConfigurableResource[Plugin] | dg.ResourceDefinition:
    if not plugin.choices():
        return _hardcoded(plugin, plugin.description)

    class Resource(dg.ConfigurableResource[Plugin]):
        def create_resource(self, context: dg.InitResourceContext) -> Plugin:
            return plugin.with_choices(_values(self))

    return _shown(type(plugin).__name__, Resource, plugin.description, plugin.choices())


def _shown(name: str, base: type[Any], description: str, choices: dict[str, Any]) -> dg.ConfigurableResource[Any]:
    """A resource with a field for each choice, of the type that it has as JSON."""
    fields: dict[str, Any] = {field: (_type_of(value), ...) for field, value in choices.items()}
    shown: dg.ConfigurableResource[Any] = create_model(name, __base__=base, __doc__=description, **fields)(**choices)
    return shown


def _type_of(value: object) -> Any:
    match value:
        case list():
            return list[Any]
        case dict():
            return dict[str, Any]
        case _:
            return type(value)


def _values(resource: dg.ConfigurableResource[Any]) -> dict[str, Any]:
    return {name: getattr(resource, name) for name in type(resource).model_fields}
