"""Incidents that no change of level tells: values far from usual for some hours, in whatever shape they come and go.

A queue that fills for eight hours and is emptied again has no level that a step leads to. Its values are odd by the
past of the series, one after the other, and by much more than chance makes them; or they are odd in most of the series
of a node, of a test or of the project at one time; or a regression was confirmed while they lasted.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from perf_assets.wording.quantities import counted

_FEWEST = 4
"""Odd values in a row: fewer are outliers, unless other series are odd at that time."""
_SCOPES = (("project", "project"), ("node", "node_id"), ("test", "test_name"))
"""What series that are odd at one time have in common, the widest first."""
_FEWEST_TOGETHER, _FEWEST_SERIES, _LEAST_SHARE = 2, 3, 0.5
"""Odd values in a row of each; series; share of those that are measured then."""
_LEAST_SCORE = 25.0 / 26.0
"""Score of an episode that goes five times as far as the record that an alarm must break, see `anomalies.score`."""
_LONGEST = pd.Timedelta(hours=24)
"""What lasts longer is a level, and told as one."""
_WIDEST = 8 * 3600.0
"""Seconds between values, at most: the series has several a day."""


def find_short_incidents(
    episodes: pd.DataFrame,
    changes: pd.DataFrame,
    members: pd.DataFrame,
    series: pd.DataFrame,
    rules: RegressionRules,
    anchors: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(findings, members) with REGRESSION_COLUMNS (runs and commits still empty) and MEMBER_COLUMNS.

    An episode of anomalies is an incident where it is for the worse, has at least four values and lasts a day at most,
    goes five times as far as an alarm needs, is as large as the rules ask, and no change of level tells it. Of two
    values and less far it is one where at least three series of a node, a test or a project have one at that time, and
    half of those that are measured; these are one finding, `change` being their median. Where a regression was
    confirmed while it lasted, it is that one, with its id, however short it was. It stands while its newest value is
    the newest of the series, and has recovered with the value after it. `before` is what was expected, `after` the
    value furthest from it.

    `episodes`: rows of anomalies; `changes`: rows of change_points; `members`: rows of regression_members, what is told
    already; `series`: rows of metric_series; `anchors`: as `find_regressions` takes them.
    """
    known = series[series["direction"].isin(DIRECTED) & (series["bucket_seconds"] <= _WIDEST)].drop(columns="buckets")
    table = episodes.rename(columns={"value": "after", "expected": "before"}).merge(known, on="series_id")
    worse = (table["side"] == "high") == (table["direction"] == "lower_is_better")
    table = table[worse & (table["episode_end"] - table["episode_start"] <= _LONGEST)]
    size, level = table["after"] - table["before"], table["before"].abs()
    table = table.assign(change=size / level.where(level * LARGEST_SHARE >= size.abs()))
    thresholds = table["metric"].map(rules.threshold_of).astype(float)
    table = table[table["change"].abs().fillna(np.inf) >= thresholds].reset_index(drop=True)
    if table.empty:
        return no_findings()
    told = [changes.loc[changes["q_value"] <= rules.false_discovery_rate, ["series_id", "changed_at"]], members]
    table = table[~_told(table, pd.concat([each[["series_id", "changed_at"]] for each in told]))]
    table = table.assign(anchor=_anchored(table, anchors)).reset_index(drop=True)
    groups = list(_groups(table, known))
    if not groups:
        return no_findings()
    return _findings(groups)


def _anchored(episodes: pd.DataFrame, anchors: pd.DataFrame | None) -> pd.Series:
    """Of each episode, the regression that was confirmed of its series while it lasted; missing where there is none."""
    none = pd.Series(pd.NA, index=episodes.index, dtype="Int64")
    if anchors is None or anchors.empty:
        return none
    confirmed = anchors.loc[anchors["kind"] == "regression", ["series_id", "regression_id", "low_ts", "high_ts"]]
    pairs = episodes.reset_index(names="row").merge(confirmed.astype({"series_id": "int64"}), on="series_id")
    width = pd.to_timedelta(pairs["bucket_seconds"], unit="s")
    begins = (pd.to_datetime(pairs["low_ts"]) <= pairs["episode_end"]) & (
        pd.to_datetime(pairs["high_ts"]) >= pairs["episode_start"] - width
    )
    first = pairs[begins].drop_duplicates("row").set_index("row")["regression_id"]
    none.loc[first.index] = first.astype("int64")
    return none


Group = tuple[str, str, pd.DataFrame]
"""Scope, name, and the episodes of one incident, the clearest first, one for each series."""


def _groups(episodes: pd.DataFrame, series: pd.DataFrame) -> Iterator[Group]:
    left = episodes
    for scope, column in _SCOPES:
        keys = list(dict.fromkeys(["project", "metric", column]))
        candidates = left[(left["buckets"] >= _FEWEST_TOGETHER) | left["anchor"].notna()]
        measured = series.groupby(keys)
        for key, own in candidates.groupby(keys, sort=True):
            peers = measured.get_group(key)
            for rows in _at_one_time(own):
                if _is_shared(rows, peers):
                    yield scope, str(rows[column].iloc[0]), _clearest_first(rows)
                    left = left.drop(rows.index)
    for _, rows in left[left["anchor"].notna()].groupby("anchor", sort=True):
        clearest = _clearest_first(rows)
        yield "series", str(clearest["title"].iloc[0]), clearest
    alone = left[left["anchor"].isna() & (left["buckets"] >= _FEWEST) & (left["score"] >= _LEAST_SCORE)]
    for row in alone.index:
        yield "series", str(alone.loc[row, "title"]), alone.loc[[row]]


def _clearest_first(rows: pd.DataFrame) -> pd.DataFrame:
    ordered = rows.sort_values(["score", "series_id", "episode_start"], ascending=[False, True, True])
    return ordered.drop_duplicates("series_id")


def _at_one_time(episodes: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The episodes in parts that overlap."""
    ordered = episodes.sort_values(["episode_start", "series_id"])
    before = ordered["episode_end"].cummax().shift()
    yield from (part for _, part in ordered.groupby((ordered["episode_start"] > before).cumsum()))


def _is_shared(rows: pd.DataFrame, peers: pd.DataFrame) -> bool:
    since, until = rows["episode_start"].min(), rows["episode_end"].max()
    measured = (peers["first_seen"] <= since) & (peers["last_seen"] >= rows["episode_start"].max())
    count = rows["series_id"].nunique()
    return bool(count >= _FEWEST_SERIES and count >= _LEAST_SHARE * measured.sum() and until - since <= _LONGEST)


def _told(episodes: pd.DataFrame, changes: pd.DataFrame) -> pd.Series:
    """Which episodes a change of the same series begins or ends, or lies beside."""
    times = episodes[["series_id", "episode_start", "episode_end"]].reset_index(names="row")
    pairs = times.merge(changes, on="series_id")
    beside = (pairs["changed_at"] >= pairs["episode_start"] - _LONGEST) & (
        pairs["changed_at"] <= pairs["episode_end"] + _LONGEST
    )
    return pd.Series(episodes.index.isin(pairs.loc[beside, "row"]), index=episodes.index)


def _findings(groups: list[Group]) -> tuple[pd.DataFrame, pd.DataFrame]:
    clearest = pd.concat([rows.head(1) for _, _, rows in groups], ignore_index=True)
    next_value = clearest["episode_end"] + pd.to_timedelta(clearest["bucket_seconds"], unit="s")
    table = clearest.assign(
        regression_id=[_id(group) for group in groups],
        shape=INCIDENT, scope=[scope for scope, _, _ in groups], scope_name=[name for _, name, _ in groups],
        cause="unknown", kind="regression", state="confirmed", part_of_day=ALL_DAY,
        change=[rows["change"].median() for _, _, rows in groups],
        first_bad_at=[rows["episode_start"].min() for _, _, rows in groups],
        members=[len(rows) for _, _, rows in groups], suspicious=False,
        recovered_at=next_value.where(next_value <= clearest["last_seen"]),
        explanation=[_explanation(*group) for group in groups],
    )  # fmt: skip
    own = [
        rows.assign(regression_id=regression_id, changed_at=rows["episode_start"])
        for regression_id, (_, _, rows) in zip(table["regression_id"], groups, strict=True)
    ]
    return table.reindex(columns=list(REGRESSION_COLUMNS)), pd.concat(own, ignore_index=True)[list(MEMBER_COLUMNS)]


def _id(group: Group) -> int:
    """That of the regression that was confirmed in most of the series, else a hash of what is odd and since when."""
    scope, name, rows = group
    if rows["anchor"].notna().any():
        return int(rows["anchor"].mode().iloc[0])
    began = rows["episode_start"].min().isoformat()
    if scope == "series":
        return id_of(f"{rows['series_id'].iloc[0]}/{INCIDENT}/{began}")
    return id_of(f"{rows['project'].iloc[0]}/{scope}/{name}/{rows['metric'].iloc[0]}/{INCIDENT}/{began}")


def _explanation(scope: str, name: str, rows: pd.DataFrame) -> str:
    if scope != "series":
        return (
            f"{counted(len(rows), 'series')} of {scope} {name} went further from what is usual than before at one time."
        )
    row = rows.iloc[0]
    if len(rows) > 1 or row["buckets"] == 1:
        return "It was over within a day."
    values = counted(row["buckets"], "value")
    return (
        f"{values} one after the other went further from what is usual than any values before them, "
        "and no level shows it."
    )
