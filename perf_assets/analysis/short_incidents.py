"""Incidents that no change of level tells: values far from usual for some hours, in whatever shape they come and go.

A queue that fills for eight hours and is emptied again has no level that a step leads to. Its values are odd by the
past of the series, one after the other, and by much more than chance makes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.regressions import (
    DIRECTED,
    INCIDENT,
    LARGEST_SHARE,
    MEMBER_COLUMNS,
    REGRESSION_COLUMNS,
    RegressionRules,
    id_of,
    no_findings,
)

_FEWEST = 4
"""Odd values in a row: fewer are outliers."""
_LEAST_SCORE = 25.0 / 26.0
"""Score of an episode that goes five times as far as the record that an alarm must break, see `anomalies.score`."""
_LONGEST = pd.Timedelta(hours=24)
"""What lasts longer is a level, and told as one."""
_WIDEST = 8 * 3600.0
"""Seconds between values, at most: the series has several a day."""


def find_short_incidents(
    episodes: pd.DataFrame, changes: pd.DataFrame, members: pd.DataFrame, series: pd.DataFrame, rules: RegressionRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(findings, members) with REGRESSION_COLUMNS (runs and commits still empty) and MEMBER_COLUMNS.

    An episode of anomalies is an incident where it is for the worse, has at least four values and lasts a day at most,
    goes five times as far as an alarm needs, is as large as the rules ask, and no change of level tells it. It stands
    while its newest value is the newest of the series, and has recovered with the value after it. `before` is what was
    expected, `after` the value furthest from it.

    `episodes`: rows of anomalies; `changes`: rows of change_points; `members`: rows of regression_members, what is told
    already; `series`: rows of metric_series.
    """
    known = series[series["direction"].isin(DIRECTED) & (series["bucket_seconds"] <= _WIDEST)].drop(columns="buckets")
    table = episodes.rename(columns={"value": "after", "expected": "before"}).merge(known, on="series_id")
    worse = (table["side"] == "high") == (table["direction"] == "lower_is_better")
    lasting = (table["buckets"] >= _FEWEST) & (table["episode_end"] - table["episode_start"] <= _LONGEST)
    table = table[worse & lasting & (table["score"] >= _LEAST_SCORE)]
    size, level = table["after"] - table["before"], table["before"].abs()
    table = table.assign(change=size / level.where(level * LARGEST_SHARE >= size.abs()))
    thresholds = table["metric"].map(rules.threshold_of).astype(float)
    table = table[table["change"].abs().fillna(np.inf) >= thresholds].reset_index(drop=True)
    if table.empty:
        return no_findings()
    told = [changes.loc[changes["q_value"] <= rules.false_discovery_rate, ["series_id", "changed_at"]], members]
    table = table[~_told(table, pd.concat([each[["series_id", "changed_at"]] for each in told]))]
    return _findings(table.reset_index(drop=True))


def _told(episodes: pd.DataFrame, changes: pd.DataFrame) -> pd.Series:
    """Which episodes a change of the same series begins or ends, or lies beside."""
    times = episodes[["series_id", "episode_start", "episode_end"]].reset_index(names="row")
    pairs = times.merge(changes, on="series_id")
    beside = (pairs["changed_at"] >= pairs["episode_start"] - _LONGEST) & (
        pairs["changed_at"] <= pairs["episode_end"] + _LONGEST
    )
    return pd.Series(episodes.index.isin(pairs.loc[beside, "row"]), index=episodes.index)


def _findings(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = list(table.itertuples(index=False))
    next_value = table["episode_end"] + pd.to_timedelta(table["bucket_seconds"], unit="s")
    table = table.assign(
        regression_id=[id_of(f"{row.series_id}/{INCIDENT}/{row.episode_start.isoformat()}") for row in rows],
        shape=INCIDENT, scope="series", scope_name=table["title"], cause="unknown", kind="regression",
        state="confirmed", part_of_day=ALL_DAY, first_bad_at=table["episode_start"], members=1, suspicious=False,
        recovered_at=next_value.where(next_value <= table["last_seen"]),
        explanation=[_explanation(row) for row in rows],
    )  # fmt: skip
    own = table.assign(changed_at=table["episode_start"])
    return table.reindex(columns=list(REGRESSION_COLUMNS)), own[list(MEMBER_COLUMNS)]


def _explanation(row: Any) -> str:
    return (
        f"{row.buckets:,} values one after the other went further from what is usual than any values before them, and "
        "no level shows it."
    )
