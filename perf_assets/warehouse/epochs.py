"""Declared epochs: from their moment on, values are not comparable with those before.

Measurements before the epoch a series is in stay in the warehouse and take no part in any analysis; which those are is
said once, in the view analysed_measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perf_assets.advice.identifiers import advice_id
from perf_assets.settings import CONFIG_FILE, Epoch
from perf_assets.tables import EPOCHS
from perf_assets.warehouse.database import replace_rows
from perf_assets.warehouse.views import fits

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection


def epoch_id(epoch: Epoch) -> int:
    """The same for the same declaration, wherever it is made."""
    told = epoch.model_dump(exclude={"starts_at", "reason"})
    return advice_id(epoch.starts_at.isoformat(), epoch.reason, *(told[name] or "" for name in sorted(told)))


def declare_epochs(con: DuckDBPyConnection, settings: Sequence[Epoch], people: pd.DataFrame) -> None:
    """Replace the declared epochs by those of the settings and of people (epoch_id, starts_at, reason, declared_by and
    what narrows them), and see which series are in which.

    An epoch that no measurement of a series has reached yet does not count for it: its values are compared as before.
    """
    import pandas as pd

    columns = [column.name for column in EPOCHS.columns]
    rows = [epoch.model_dump() | {"epoch_id": epoch_id(epoch), "declared_by": CONFIG_FILE} for epoch in settings]
    rows += people.astype(object).where(people.notna(), None).to_dict("records")
    declared = pd.DataFrame(rows).reindex(columns=columns).assign(left_out=0).astype({"epoch_id": "int64"})
    replace_rows(con, (EPOCHS, declared.drop_duplicates("epoch_id")))
    con.execute("DELETE FROM series_epochs")
    con.execute(_PLACE)
    con.execute(_COUNT)


_PLACE = f"""
INSERT INTO series_epochs
WITH about AS (
  SELECT s.series_id, e.epoch_id, e.starts_at FROM epochs e JOIN analysed_series s ON {fits("e", "s")}
), newest AS (
  SELECT series_id, max(ts) AS last_seen FROM series_measurements SEMI JOIN about USING (series_id) GROUP BY series_id
)
SELECT series_id, arg_max(epoch_id, (starts_at, epoch_id)), max(starts_at)
FROM about JOIN newest USING (series_id) WHERE starts_at <= last_seen GROUP BY series_id ORDER BY series_id
"""  # noqa: S608 - an expression of this room
_COUNT = """
UPDATE epochs SET left_out = counted.measurements FROM (
  SELECT e.epoch_id, count(*) AS measurements FROM series_measurements m JOIN series_epochs e USING (series_id)
  WHERE m.ts < e.starts_at GROUP BY e.epoch_id) counted
WHERE counted.epoch_id = epochs.epoch_id
"""
