"""Resources: the settings, the warehouse and landing that assets, checks and sensors are given."""

from collections.abc import Generator

import dagster as dg
from dagster_duckdb import DuckDBResource

from perf_assets.landing import Landing
from perf_assets.settings import Settings
from perf_assets.warehouse import Warehouse
from perf_assets.workers import Workers


@dg.resource(required_resource_keys={"duckdb", "settings"}, description="The warehouse, published when the run ends.")
def warehouse(context: dg.InitResourceContext) -> Generator[Warehouse, None, None]:
    settings: Settings = context.resources.settings
    duckdb: DuckDBResource = context.resources.duckdb
    opened = Warehouse(settings.database, settings.snapshots, lambda _: duckdb.get_connection())
    yield opened
    opened.publish()


def resources_for(settings: Settings) -> dict[str, object]:
    return {
        "settings": dg.ResourceDefinition.hardcoded_resource(settings, "Choices, places and secrets."),
        "landing": dg.ResourceDefinition.hardcoded_resource(Landing(settings.landing), "Files as they were received."),
        "workers": dg.ResourceDefinition.hardcoded_resource(Workers(settings.workers), "Where batches are computed."),
        "duckdb": DuckDBResource(database=str(settings.database)),
        "warehouse": warehouse,
    }
