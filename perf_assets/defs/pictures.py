"""Charts as metadata that the Dagster UI shows."""

from __future__ import annotations

import base64

import dagster as dg

from perf_assets.report.charts import Chart, png
from perf_assets.report.drawing import Undrawn, rendered


def picture(chart: Chart | Undrawn | None) -> dg.MarkdownMetadataValue:
    """The chart as a PNG inside the metadata, or why there is none."""
    drawn = rendered(png, chart)
    if drawn is None:
        return dg.MetadataValue.md("Nothing to draw yet.")
    if isinstance(drawn, Undrawn):
        return dg.MetadataValue.md(drawn.sentence)
    encoded = base64.b64encode(drawn).decode()
    return dg.MetadataValue.md(f"![chart](data:image/png;base64,{encoded})")
