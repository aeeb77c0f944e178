"""What Dagster loads."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from perf_assets.defs.building import definitions_for
from perf_assets.settings import Settings, load_settings


def build_definitions(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All definitions, with resources from the settings unless overridden. Where the settings are overridden, all else
    follows from those.
    """
    overrides = resource_overrides or {}
    given = overrides.get("settings")
    settings = given if isinstance(given, Settings) else load_settings()
    own = dg.Definitions(executor=dg.in_process_executor)
    return dg.Definitions.merge(definitions_for(settings, overrides), own)


defs = build_definitions()
