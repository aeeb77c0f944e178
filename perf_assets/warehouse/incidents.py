"""Declared incidents: times whose measurements stay in the warehouse and take no part in any analysis.

Which measurements those are is said once, in the view analysed_measurements that every analysis reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.settings import Incident
from perf_assets.tables import INCIDENTS
from perf_assets.warehouse.database import replace_rows


def declare_incidents(con: DuckDBPyConnection, incidents: Sequence[Incident]) -> None:
    """Replace the declared incidents by these, and count what each leaves out."""
    declared = [
        {**incident.model_dump(), "incident_id": place, "left_out": 0} for place, incident in enumerate(incidents, 1)
    ]
    replace_rows(con, (INCIDENTS, pd.DataFrame(declared, columns=[column.name for column in INCIDENTS.columns])))
    con.execute(_COUNT)


_COUNT = """
UPDATE incidents SET left_out = counted.measurements FROM (
  SELECT incident_id, count(*) AS measurements FROM (
    SELECT min(i.incident_id) AS incident_id FROM series_measurements m JOIN incident_series i
      ON i.series_id = m.series_id AND m.ts >= i.starts_at AND m.ts < i.ends_at
    GROUP BY m.series_id, m.run_id)
  GROUP BY incident_id) counted
WHERE counted.incident_id = incidents.incident_id
"""
