"""Charts as metadata that the Dagster UI shows."""

from __future__ import annotations

import base64

import dagster as dg

from perf_assets.report.charts import Chart, png


def picture(chart: Chart | None) -> dg.MarkdownMetadataValue:
    if chart is None:
        return dg.MetadataValue.md("Nothing to draw yet.")
    encoded = base64.b64encode(png(chart)).decode()
    return dg.MetadataValue.md(f"![chart](data:image/png;base64,{encoded})")
