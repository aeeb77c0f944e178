"""Results that have stopped coming: a fleet that is silent as a whole is missed by nothing that compares its parts.

Belongs here: what is overdue, in words. Does not belong here: reading the clock (callers do, and no analysis).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

import pandas as pd

from perf_assets.wording.moments import every, length, moment

MISSED_IN_A_ROW = 3
"""Expected results that may be late: one is a failed run, two a failed run and a slow one."""
LATE = timedelta(days=1)
"""How much longer than the longest gap before a pulled source may be silent: pipelines and pulls take their time."""


def overdue(
    results: pd.DataFrame, now: datetime, intervals: Mapping[str | None, timedelta], pulled: Collection[str]
) -> list[str]:
    """A sentence for each fleet whose newest result is older than expected at `now` (naive UTC).

    `results` is of newest_results. `intervals` is how often results are expected, by project, None being all of them
    together: three times that is too long. A source in `pulled` has no interval of its own: the longest gap of the
    four weeks before its newest result and a day more is too long for it, and one that never brought anything is not
    missed.
    """
    return [*_late_by_setting(results, now, intervals), *_late_by_habit(results, now, pulled)]


def _late_by_setting(results: pd.DataFrame, now: datetime, intervals: Mapping[str | None, timedelta]) -> Iterator[str]:
    of_projects = results[results["project"].notna()]
    for project, interval in intervals.items():
        own = of_projects if project is None else of_projects[of_projects["project"] == project]
        whose = "" if project is None else f" of project {project}"
        newest = own["newest"].max()
        if pd.isna(newest):
            yield f"No results{whose} have come yet; expected {every(interval)}."
        elif now - newest > MISSED_IN_A_ROW * interval:
            yield f"No results{whose} since {_since(newest, now)}; expected {every(interval)}."


def _late_by_habit(results: pd.DataFrame, now: datetime, pulled: Collection[str]) -> Iterator[str]:
    sources = results[results["origin"].isin(list(pulled)) & results["longest_gap"].notna()]
    for row in sources.sort_values("origin").itertuples():
        if now - row.newest > row.longest_gap + LATE:
            yield (
                f"No results from {row.origin} since {_since(row.newest, now)}; the longest gap in the four weeks "
                f"before was {length(row.longest_gap)}."
            )


def _since(newest: pd.Timestamp, now: datetime) -> str:
    return f"{moment(newest)} ({length(now - newest)})"
