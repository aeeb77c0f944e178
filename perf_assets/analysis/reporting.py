"""Which series have stopped reporting although others of the same kind of run go on.

A series that reported in a share p of the hours with runs of its kind is silent for m of them with probability
(1 - p)^m if nothing has changed (geometric distribution; hours are independent only roughly, so a silence must also be
several times the longest one before). A test or a group of tests that ended as a whole was removed, which is news of
another kind.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from perf_assets.tables import STOPPED_REPORTING

FEWEST_REPORTS = 10
"""Hours with a report before a habit can be spoken of."""
LARGEST_PROBABILITY = 1e-4
LONGER_THAN_BEFORE = 3
"""A silence counts from this many times the longest one before."""

COLUMNS = STOPPED_REPORTING.names

_GROUP = r"^(?P<group>.+?)(?:::|/|\.)[^:/.]+$"


def stopped_reporting(series: pd.DataFrame) -> pd.DataFrame:
    """The series that stopped, with the columns COLUMNS.

    `series`: one row a series with series_id, project, title, test_name, node_id, last_seen, simulated; reports (hours
    in which it reported), lifetime_hours (hours with runs of its kind from its first to its last report), silent_hours
    (such hours since), longest_gap_hours (the longest run of them without a report before that).
    """
    if series.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    table = series.reset_index(drop=True).copy()
    share = np.clip(table["reports"] / table["lifetime_hours"].clip(lower=1), 0.0, 1.0 - 1e-9)
    table["expected_share"] = share
    table["probability"] = np.exp(table["silent_hours"] * np.log1p(-share))
    silent = (
        (table["reports"] >= FEWEST_REPORTS)
        & (table["probability"] < LARGEST_PROBABILITY)
        & (table["silent_hours"] >= LONGER_THAN_BEFORE * (1 + table["longest_gap_hours"]))
    )
    table = _scoped(table.assign(silent=silent))
    stopped = table[table["silent"]]
    return stopped[list(COLUMNS)].sort_values(["project", "last_seen", "series_id"], ignore_index=True)


def _scoped(table: pd.DataFrame) -> pd.DataFrame:
    """With verdict, scope, scope_name and members: the widest thing that ended as a whole."""
    group = table["test_name"].str.extract(_GROUP, expand=False)
    table = table.assign(verdict="stopped_reporting", scope="series", scope_name=table["title"], members=1, group=group)
    # From the narrowest to the widest: what is wider has the last word.
    for scope, column, verdict in (
        ("node", "node_id", "stopped_reporting"),
        ("test", "test_name", "removed"),
        ("group", "group", "removed"),
    ):
        whole = table.groupby(["project", column])["silent"].agg(["all", "size"])
        ended = whole[whole["all"] & (whole["size"] > 1)]
        keys = pd.MultiIndex.from_frame(table[["project", column]])
        inside = keys.isin(ended.index)
        members = whole["size"].reindex(keys).to_numpy()
        table.loc[inside, "verdict"] = verdict
        table.loc[inside, "scope"] = scope
        table.loc[inside, "scope_name"] = table.loc[inside, column]
        table.loc[inside, "members"] = members[inside]
    return table
