"""What the settings and the state of an installation say beside the findings of a report.

Belongs here: reading them, for the page and the terminal alike. Does not belong here: what is shown of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.advice.silence import overdue
from perf_assets.analysis.regressions import RegressionRules
from perf_assets.report.reading import Handling
from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.warehouse.readings import newest_results
from perf_assets.wording.moments import moment


@dataclass(frozen=True)
class Circumstances:
    """What has been done about regressions, sentences about results that have not come, and the rules of the search."""

    handling: Handling
    overdue: Sequence[str]
    rules: RegressionRules


def circumstances(con: DuckDBPyConnection, settings: Settings, now: datetime) -> Circumstances:
    """Those at `now` (naive UTC) of the findings that `con` reads."""
    own = settings.regressions
    with open_state(settings.state) as state:
        handling = Handling(frozenset(state.acknowledgements()["finding_id"]), _alerts_sent(state.deliveries()))
    return Circumstances(
        handling,
        overdue(newest_results(con), now, settings.collection.intervals, settings.pulled),
        RegressionRules(own.threshold, own.thresholds, own.false_discovery_rate, own.confirm_after),
    )


def _alerts_sent(deliveries: pd.DataFrame) -> dict[str, str]:
    """Where and when each regression was alerted, by its id."""
    sent = deliveries[deliveries["status"] == "sent"]
    return {
        row.alert_id.removeprefix("regression-"): f"sent to {row.channel} {moment(row.sent_at)}"
        + (f": {row.receipt}" if row.channel == "outbox" else "")
        for row in sent.itertuples()
    }
