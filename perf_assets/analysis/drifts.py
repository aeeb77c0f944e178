"""Creeping change: a series that gets worse or better little by little, with no single step that is large enough.

A staircase of small steps and a steady slope are the same to whoever pays for them, so a drift is judged over all that
was measured between the steps that are findings by themselves; where it began or ended in between, from there or to
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from perf_assets.analysis.bends import bends_of_levels
from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.noise import without_outliers
from perf_assets.analysis.ragged import runs
from perf_assets.analysis.regressions import (
    ANCHOR_COLUMNS,
    DIRECTED,
    DRIFT,
    MEMBER_COLUMNS,
    REGRESSION_COLUMNS,
    RegressionRules,
    id_of,
    no_findings,
)
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg
from perf_assets.analysis.stretches import BoolArray, IndexArray, in_blocks, pack
from perf_assets.analysis.trends import SETTLING_BUCKETS, fit_trends
from perf_assets.analysis.withdrawals import WITHDRAWN_COLUMNS
from perf_assets.wording.moments import day
from perf_assets.wording.quantities import ROUGH, change, counted

_TOGETHER = ["project", "metric", "test_name", "kind"]
"""Drifts that agree in these are one finding."""
_DAYS = np.timedelta64(1, "D") / np.timedelta64(1, "us")
_NEWEST = 7
"""Values of which the median says whether a drift that has ended still shows."""
_STEP_NOW = "With the newer measurements it is reported as a step."
_NO_SLOPE = "With the newer measurements there is no slope beyond chance, or the values have come back."
_NO_STEPS = pd.DataFrame({"series_id": pd.Series(dtype="int64"), "changed_at": pd.Series(dtype="datetime64[us]")})


def find_drifts(
    buckets: pd.DataFrame,
    steps: pd.DataFrame,
    series: pd.DataFrame,
    limits: pd.DataFrame,
    rules: RegressionRules,
    anchors: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(findings, members) with REGRESSION_COLUMNS (runs and commits still empty) and MEMBER_COLUMNS.

    A drift is a finding where its slope is significant over the whole fleet (Benjamini & Hochberg 1995), in noise with
    its own autocorrelation (`trends.fit_slopes`), and what it comes to over its span is as large as the rules ask of a
    step, and as the noise of one measurement. Its span goes from one step or bend to another or the end, and over bends
    where the slope goes on the same way; else it is all that lies between two steps. The newest one of a series counts,
    as long as the newest values have not come back. `before` and `after` are where its line begins and ends; the
    interval of `change` is that of the slopes.

    `buckets`: series_id, ts, value of the series that may drift, sorted; `steps`: series_id, changed_at of steps that
    are findings; `series`: rows of metric_series, all that were watched; `limits`: series_id, smallest_detectable;
    `anchors`: those of drifts confirmed earlier, whose ids are kept where the spans overlap.
    """
    known = series[series["series_id"].isin(buckets["series_id"]) & series["direction"].isin(DIRECTED)]
    own = buckets[buckets["series_id"].isin(known["series_id"])]
    parts = _Parts.of(own, steps)
    if not parts.stretch.size:
        return no_findings()
    table = parts.values
    fits = fit_trends(table.assign(series_id=table["part"]), _NO_STEPS).rename(columns={"series_id": "part"})
    fits = fits.assign(stretch=parts.stretch[fits["part"]], whole=parts.whole[fits["part"]])
    fits = fits.merge(table[["part", "series_id"]].drop_duplicates("part"), on="part")
    fits = fits.merge(_middles(table), on="part").merge(_newest(own), on="series_id")
    fits = fits.merge(known.drop(columns="level"), on="series_id")
    drifting = _newest_drifts(_large(_joined(_judged(fits, len(series), rules)), rules), rules)
    detectable = limits.set_index("series_id")["smallest_detectable"]
    drifting["smallest_detectable"] = detectable.reindex(drifting["series_id"]).to_numpy()
    return _findings(drifting, anchors)


def drift_anchors(table: pd.DataFrame, members: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    """ANCHOR_COLUMNS, one row a member of each drift among the findings `table` and `members`, with their runs."""
    drifts = table.loc[table["shape"] == DRIFT, ["regression_id", "first_bad_run", "kind"]]
    own = members.merge(drifts, on="regression_id").merge(series[["series_id", "last_seen", "as_of"]], on="series_id")
    return own.assign(
        series_id=own["series_id"].astype(str),
        regression_id=own["regression_id"].astype(str),
        first_bad_run=own["first_bad_run"].astype(str),
        part_of_day=DRIFT,
        low_ts=own["changed_at"],
        high_ts=own["last_seen"],
        confirmed_at=own["as_of"],
    )[list(ANCHOR_COLUMNS)]


def withdrawn_drifts(
    anchors: pd.DataFrame, table: pd.DataFrame, members: pd.DataFrame, series: pd.DataFrame
) -> pd.DataFrame:
    """WITHDRAWN_COLUMNS, one row a drift that was confirmed and is among the findings `table` no more, of a series that
    is still there; `members` are those of all findings."""
    own = anchors[anchors["part_of_day"] == DRIFT].astype({"series_id": "int64", "regression_id": "int64"})
    own = own[~own["regression_id"].isin(table["regression_id"])].sort_values(["regression_id", "series_id"])
    own = own.drop_duplicates("regression_id").merge(
        series[["series_id", "project", "metric", "title"]], on="series_id"
    )
    told = members.merge(table[["regression_id", "kind"]], on="regression_id")
    reasons = []
    for row in own.itertuples(index=False):
        same = told[(told["series_id"] == row.series_id) & (told["kind"] == row.kind)]
        reasons.append(_STEP_NOW if (same["changed_at"] >= row.low_ts).any() else _NO_SLOPE)
    return own.assign(reason=reasons)[list(WITHDRAWN_COLUMNS)]


@dataclass(frozen=True)
class _Parts:
    """Stretches between two steps and, where these have bends, their parts between those: all in order of time.

    `values`: their buckets without outliers, with the number of the `part`; of each part the number of its `stretch`,
    counted from the end of its series, and whether it is all of it (`whole`), each of shape (k,).
    """

    values: pd.DataFrame
    stretch: IndexArray
    whole: BoolArray

    @classmethod
    def of(cls, buckets: pd.DataFrame, steps: pd.DataFrame) -> _Parts:
        """`buckets`: sorted by series and time."""
        spans = _stretches(buckets, steps)
        values = _without_outliers(buckets["value"].to_numpy(dtype=np.float64), spans)
        bends = bends_of_levels([values[start:end] for _, start, end in spans])
        parts = []
        for (number, start, end), within in zip(spans, bends, strict=True):
            parts.append((number, True, start, end))
            edges = [start, *(start + bend for bend in within), end] if within else []
            parts += [(number, False, one, other) for one, other in pairwise(edges)]
        rows = [np.arange(start, end) for *_, start, end in parts]
        table = buckets.assign(value=values).iloc[np.concatenate(rows) if rows else []]
        owner = np.repeat(np.arange(len(parts)), [end - start for *_, start, end in parts])
        stretch, whole = (np.array([part[k] for part in parts], dtype=kind) for k, kind in ((0, np.intp), (1, bool)))
        return cls(table.assign(part=owner), stretch, whole)


def _stretches(buckets: pd.DataFrame, steps: pd.DataFrame) -> list[tuple[int, int, int]]:
    """(number counted from the end of the series, first row, last row and one) of what lies between two steps."""
    at = steps.groupby("series_id")["changed_at"].apply(lambda moments: np.sort(moments.to_numpy()))
    ids, ts = buckets["series_id"].to_numpy(), buckets["ts"].to_numpy(dtype="datetime64[us]")
    found = []
    for begin, over in pairwise(runs(ids)):
        own, series_id = ts[begin:over], ids[begin]
        moments = at[series_id].astype("datetime64[us]") if series_id in at.index else own[:0]
        cuts = np.searchsorted(own, moments[moments >= own[0]])
        edges = np.unique([0, *cuts, own.size])
        for number, (start, end) in enumerate(list(pairwise(edges.tolist()))[::-1]):
            # A step may take some values to settle.
            settled = start + (SETTLING_BUCKETS if start in cuts else 0)
            if end - settled >= 2:
                found.append((number, begin + settled, begin + end))
    return found


def _without_outliers(values: FloatArray, spans: Sequence[tuple[int, int, int]]) -> FloatArray:
    """`values` with the outliers of each stretch drawn in: more of them at one end would be a slope."""
    cleaned = values.copy()
    for chosen in in_blocks(np.array([end - start for _, start, end in spans], dtype=np.intp)):
        own = [spans[k] for k in chosen]
        block = without_outliers(pack([values[start:end] for _, start, end in own]))
        for column, (_, start, end) in enumerate(own):
            cleaned[start:end] = block[: end - start, column]
    return cleaned


def _middles(parts: pd.DataFrame) -> pd.DataFrame:
    """part, middle_at, middle (means) and ends_at of the stretches that were fitted."""
    middles = parts.groupby("part").agg(middle_at=("ts", "mean"), middle=("value", "mean"), ends_at=("ts", "max"))
    return middles.reset_index()


def _newest(buckets: pd.DataFrame) -> pd.DataFrame:
    """series_id, `now` (median of the newest values) and `now_at`."""
    newest = buckets.groupby("series_id").tail(_NEWEST).groupby("series_id")
    return newest.agg(now=("value", "median"), now_at=("ts", "max")).reset_index()


def _judged(fits: pd.DataFrame, watched: int, rules: RegressionRules) -> pd.DataFrame:
    """Those with a significant slope, with before, after, change and its interval."""
    p_values = fits["p_value"].to_numpy(dtype=np.float64)
    quiet = np.ones(max(watched - fits["series_id"].nunique(), 0))
    fits = fits.assign(q_value=benjamini_hochberg(np.concatenate((p_values, quiet)))[: len(fits)])
    table = fits[fits["q_value"] <= rules.false_discovery_rate].reset_index(drop=True)
    at = {name: table[name].to_numpy(dtype="datetime64[us]") for name in ("since", "middle_at", "ends_at")}
    span = (at["ends_at"] - at["since"]).astype(np.float64) / _DAYS
    early = (at["middle_at"] - at["since"]).astype(np.float64) / _DAYS
    slope = table["slope_per_day"].to_numpy(dtype=np.float64)
    before = table["middle"].to_numpy(dtype=np.float64) - slope * early
    level = np.where(np.abs(before) > 0, np.abs(before), np.nan)
    shares = {
        name: table[of].to_numpy(dtype=np.float64) * span / level
        for name, of in (("change", "slope_per_day"), ("change_low", "slope_low"), ("change_high", "slope_high"))
    }
    worse = (slope > 0) == (table["direction"] == "lower_is_better").to_numpy()
    kind = np.where(worse, "regression", "improvement")
    return table.assign(before=before, after=before + slope * span, span=span, kind=kind, **shares)


def _large(table: pd.DataFrame, rules: RegressionRules) -> pd.DataFrame:
    thresholds = table["metric"].map(rules.threshold_of).to_numpy(dtype=np.float64)
    large = table["change"].abs().to_numpy(dtype=np.float64) >= thresholds
    # A line that would begin beyond 0 says nothing of where the series was.
    sound = np.sign(table["before"]) == np.sign(table["level"])
    noisy = (table["after"] - table["before"]).abs() < table["noise"].fillna(0.0)
    return table[large & sound & ~noisy].reset_index(drop=True)


def _joined(parts: pd.DataFrame) -> pd.DataFrame:
    """Parts of one stretch that follow each other and go the same way are one drift, faster here than there."""
    parts = parts.sort_values("part", ignore_index=True)
    same = (
        parts[["series_id", "stretch", "kind", "whole"]]
        .eq(parts[["series_id", "stretch", "kind", "whole"]].shift())
        .all(axis=1)
    )
    follows = same & ~parts["whole"] & (parts["part"].diff() == 1)
    run = (~follows).cumsum()
    first, last = parts.groupby(run).first(), parts.groupby(run).last()
    level = first["before"].abs().where(first["before"] != 0)
    scaled = parts[["change_low", "change_high"]].mul(parts["before"].abs(), axis=0).groupby(run).sum()
    several = parts.groupby(run).size() > 1
    joined = first.assign(after=last["after"], ends_at=last["ends_at"], p_value=parts.groupby(run)["p_value"].min())
    joined["q_value"] = parts.groupby(run)["q_value"].min()
    joined["span"] = (joined["ends_at"] - joined["since"]) / pd.Timedelta(days=1)
    for name in ("change_low", "change_high"):
        joined[name] = joined[name].where(~several, scaled[name] / level)
    joined["change"] = joined["change"].where(~several, (joined["after"] - joined["before"]) / level)
    return joined.reset_index(drop=True)


def _newest_drifts(table: pd.DataFrame, rules: RegressionRules) -> pd.DataFrame:
    """One drift a series, the newest one; all of a stretch only where it has no part that is one. None where the newest
    values have come back."""
    rise = np.sign(table["after"] - table["before"])
    near = table["metric"].map(rules.threshold_of).astype(float) * table["before"].abs()
    back = (table["now"] - table["before"]) * rise < near
    ended = table["ends_at"] < table["now_at"]
    ordered = table.sort_values(["stretch", "whole", "part"], ascending=[True, True, False])
    first = ordered.drop_duplicates("series_id").index
    return table[table.index.isin(first) & ~(ended & back)].reset_index(drop=True)


def _findings(drifting: pd.DataFrame, anchors: pd.DataFrame | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = drifting[_TOGETHER].fillna("")
    # Series without a test have nothing in common.
    keys["alone"] = drifting["series_id"].where(drifting["test_name"].isna() | (drifting["test_name"] == ""), -1)
    drifting = drifting.assign(group=keys.groupby(list(keys.columns), sort=True).ngroup())
    clearest = drifting.sort_values(["p_value", "series_id"]).drop_duplicates("group").sort_values("group")
    counts = drifting.groupby("group")["series_id"].size().to_numpy()
    table = clearest.reset_index(drop=True).assign(members=counts)
    many = table["members"] > 1
    table = table.assign(
        regression_id=_ids(table, anchors),
        shape=DRIFT, scope=np.where(many, "test", "series"), part_of_day=ALL_DAY, cause="unknown", state="confirmed",
        scope_name=np.where(many, table["test_name"], table["title"]), first_bad_at=table["since"],
        recovered_at=pd.NaT, suspicious=False,
        explanation=[_explanation(row) for row in table.itertuples(index=False)],
    )  # fmt: skip
    members = drifting.merge(table[["group", "regression_id"]], on="group").assign(
        changed_at=lambda rows: rows["since"]
    )
    return table.reindex(columns=list(REGRESSION_COLUMNS)), members[list(MEMBER_COLUMNS)]


def _ids(table: pd.DataFrame, anchors: pd.DataFrame | None) -> list[int]:
    """The id given when it was first confirmed to a drift of the series whose span overlaps; else a hash."""
    ids: list[int] = []
    known = anchors[anchors["part_of_day"] == DRIFT] if anchors is not None else None
    for row in table.itertuples(index=False):
        before: list[int] = []
        if known is not None and len(known):
            same = known[(known["series_id"] == str(row.series_id)) & (known["kind"] == row.kind)]
            same = same[(same["low_ts"] <= row.ends_at) & (same["high_ts"] >= row.since)].sort_values("confirmed_at")
            before = [int(each) for each in same["regression_id"] if int(each) not in ids]
        ids.append(before[0] if before else id_of(f"{row.series_id}/{DRIFT}/{row.since.isoformat()}"))
    return ids


def _explanation(row: Any) -> str:
    weekly, weeks = 7.0 * row.change / row.span, row.span / 7.0
    together = f" On {counted(row.members, 'series')} alike." if row.members > 1 else ""
    ended = "" if row.ends_at >= row.now_at else f" until {day(row.ends_at)}"
    if weeks >= 2.0:
        speed = f"by {change(weekly, ROUGH)} a week for {counted(weeks, 'week')}"
    else:
        speed = f"in {counted(row.span, 'day')}"
    return f"It has changed little by little, {speed}{ended}, with no step that counts by itself.{together}"
