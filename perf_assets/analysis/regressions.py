"""Regressions and improvements: changes that are significant and large enough, with what moved together taken as one.

A slow node shifts every series of the node; reporting each would bury the message. So changes are explained from the
top: the runner image or another part of the environment, the node type, node, test or commit most of whose series
changed at one time takes its members, and only what is left is judged series by series, in a family of its own for the
false-discovery control, so that a hundred members of one cause do not make a hundred-and-first, false one easier to
believe (Benjamini & Bogomolov 2014, Selective inference on multiple families of hypotheses).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.cost_shifts import moved_costs
from perf_assets.analysis.endings import Endings, endings
from perf_assets.analysis.environments import ENVIRONMENT_COLUMNS, RUNNER_IMAGE_NAMES, Shift, shifts_of, went_over
from perf_assets.analysis.explanations import COMMIT, ENVIRONMENT, RUNNER_IMAGE, Beside, cause_of, explanation_of
from perf_assets.analysis.extents import attributes, part, reach, subsets
from perf_assets.analysis.level_changes import ALL_DAY
from perf_assets.analysis.ragged import IndexArray
from perf_assets.analysis.statistics import FloatArray, benjamini_hochberg
from perf_assets.analysis.withdrawals import withdrawn_findings
from perf_assets.tables import REGRESSION_MEMBERS, REGRESSIONS

TimeArray = npt.NDArray[np.datetime64]
BoolArray = npt.NDArray[np.bool_]

PLACES = (("node_type", "node_type"), ("node", "node_id"), ("test", "test_name"))
"""Scopes that are columns of a series, the wider before the narrower."""
DIRECTED = ("lower_is_better", "higher_is_better")
_LARGEST_GAP, _GAP_OF_RUNS = np.timedelta64(36, "h"), 3
"""Changes of one cause are found at most this far apart, from one series to the next, or this many measurements."""
_LARGEST_GAP_OF_IMAGES = np.timedelta64(7, "D")
"""The same for a runner image or another part of the environment, which may come to one node after another."""
_NO_GAP = np.timedelta64(36_500, "D")
_LEAST_SHARE = 0.5
_FEWEST_MEMBERS = 3
_AS_WELL = 0.8
"""An environment is the reason for what a place shows if it moved at least this much of the place's share of series."""
_KEPT_FROM = 0.5
"""Share of the least size from which a change that was confirmed is still told: its size varies as runs come in."""
LARGEST_SHARE = 100.0
"""Change, as a share of the old level, beyond which that level is as good as 0 and the share says nothing, as it is
where it lies within the noise of one measurement."""

REGRESSION_COLUMNS = REGRESSIONS.names_without("restores")
ANCHOR_COLUMNS = (
    "series_id", "first_bad_run", "part_of_day", "kind", "regression_id", "low_ts", "high_ts", "confirmed_at",
)  # fmt: skip
MEMBER_COLUMNS = REGRESSION_MEMBERS.names


STEP, INCIDENT, DRIFT = "step", "incident", "drift"
"""Shapes of a finding: a new level, one that was left again within a day, and no step at all. Anchors of drifts have
that for the part of the day."""
_OVER = "nothing: it was over within a day"
_SHARES = ["change", "change_low", "change_high"]
_FEWEST_FOR_ORDER = 6
"""Values between whose extremes their median lies with 95 %."""


def no_findings() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Empty tables with REGRESSION_COLUMNS and MEMBER_COLUMNS."""
    return pd.DataFrame(columns=list(REGRESSION_COLUMNS)), pd.DataFrame(columns=list(MEMBER_COLUMNS))


@dataclass(frozen=True)
class RegressionRules:
    """When a change counts: relative size by metric (else `threshold`), and at least the noise of one measurement;
    false-discovery rate; measurements to confirm.
    """

    threshold: float = 0.10
    thresholds: Mapping[str, float] | None = None
    false_discovery_rate: float = 0.05
    confirm_after: int = 3

    def threshold_of(self, metric: str) -> float:
        return (self.thresholds or {}).get(metric, self.threshold)


@dataclass(frozen=True)
class Regressions:
    """`table` has REGRESSION_COLUMNS, newest first bad run first; `members` has MEMBER_COLUMNS; `anchors` has
    ANCHOR_COLUMNS, one row a member of each confirmed one, to be given to later analyses; `withdrawn` is as
    `withdrawals.withdrawn_findings` gives it."""

    table: pd.DataFrame
    members: pd.DataFrame
    anchors: pd.DataFrame
    withdrawn: pd.DataFrame


def find_regressions(
    changes: pd.DataFrame,
    series: pd.DataFrame,
    runs: pd.DataFrame,
    limits: pd.DataFrame,
    rules: RegressionRules,
    anchors: pd.DataFrame | None = None,
    image_changes: pd.DataFrame | None = None,
    environments: pd.DataFrame | None = None,
    measured: pd.DataFrame | None = None,
) -> Regressions:
    """Decide which change points matter.

    A change is a regression or an improvement if its false-discovery rate over the whole fleet is low enough
    (Benjamini & Hochberg 1995; what one cause explains is judged first and leaves the family), if it is as large as the
    rules ask, and at least as large as the noise of one measurement. It is `suspected` until as many runs followed as
    the rules ask and the evidence is beyond what repeated looks bring up by chance, or its new level is settled or was
    followed by another one; then `confirmed`, which it stays until it is less than half as large as the rules ask.
    Improvements by half or more are `suspicious`: a test that has stopped doing its work is faster, too. A level that
    was left again within a day is an `incident`.

    `changes`: rows of change_points; `series`: rows of metric_series (all series tested, changed or not), with `tags`
    (JSON text) where results have any; `runs`: run_id, run_key, commit_id of the runs that changes name; `limits`:
    series_id and smallest_detectable; `anchors`: series_id and regression_id (text), part_of_day, kind, first_bad_run,
    low_ts, high_ts of regressions confirmed earlier, whose ids are kept where the times overlap; `image_changes`:
    series_id, runner_image, since: the first measurement of each series on another runner image than the one before
    (none: images explain nothing); `environments`: ENVIRONMENT_COLUMNS, what results say of their environment (none: it
    explains nothing); `measured`: series_id, since, until: stretches in which a series was measured without a long
    pause (none: from its first to its last measurement).
    Changes of neutral series are no regressions, nor are costs that only moved between the parts of a job (see
    `moved_costs`). From a level of 0, one within the noise, or a hundredth of the change,
    every threshold is passed and the noise alone decides; `change` and its interval are NaN then.
    """
    if anchors is not None:
        anchors = anchors[anchors["part_of_day"] != DRIFT]
    changes = _beginnings(_over_zeros(changes, series), runs)
    # What led to a level of 0 that was left again ended nothing.
    lasting = changes[~changes["into_gap"]]
    candidates = _without_ends_of_incidents(_candidates(changes, series, rules, anchors), lasting, rules)
    columns = _columns(candidates, series)
    around = _Around.of(series, measured)
    if environments is None:
        environments = pd.DataFrame(columns=list(ENVIRONMENT_COLUMNS))
    shifts = shifts_of(candidates, environments)
    groups = _explain(candidates, columns, _claims(candidates, series, around, shifts, image_changes, environments))
    grouped = candidates.index.isin(_all_rows(groups))
    family = len(series) - candidates.loc[grouped, "series_id"].nunique()
    groups += _singles(candidates[~grouped], family, rules)
    table = _table(groups, candidates, columns, lasting, rules)
    table = table.assign(reach=_reaches(groups, candidates, series))
    table = table.assign(alone=table["project"].map(series.groupby("project").size()).eq(1))
    table = _explained(table, groups, shifts, changes.merge(series[["series_id", "project"]], on="series_id"))
    detectable = limits.set_index("series_id")["smallest_detectable"]
    table["smallest_detectable"] = detectable.reindex(table["series_id"]).to_numpy()
    table["regression_id"] = _regression_ids(table, groups, candidates, anchors)
    if anchors is not None:
        before = table["regression_id"].isin(anchors["regression_id"].astype("int64"))
        table.loc[before, ["state", "waits_for"]] = ["confirmed", None]
    withdrawn = withdrawn_findings(anchors, table["regression_id"], candidates, series)
    members = _members(groups, candidates, table)
    fixed = _anchors(members, table, series)
    table = table[list(REGRESSION_COLUMNS)].sort_values(
        ["first_bad_at", "members"], ascending=False, ignore_index=True, kind="stable"
    )
    return Regressions(table, members[list(MEMBER_COLUMNS)], fixed, withdrawn)


@dataclass(frozen=True)
class _Group:
    """What one cause explains: rows of the candidates; `part` of a project is all of it if it has no name, and `peers`
    are the series that could have moved."""

    scope: str
    name: str
    rows: IndexArray
    q_value: float
    part: str = ""
    peers: int = 1


def _all_rows(groups: Sequence[_Group]) -> IndexArray:
    return np.concatenate([np.empty(0, dtype=np.intp), *(group.rows for group in groups)])


def _candidates(
    changes: pd.DataFrame, series: pd.DataFrame, rules: RegressionRules, anchors: pd.DataFrame | None
) -> pd.DataFrame:
    names = [
        "series_id", "project", "metric", "unit", "direction", "test_name", "node_id", "node_type", "title",
        "simulated",
    ]  # fmt: skip
    table = changes.merge(series[names], on="series_id")
    table = table[table["direction"].isin(DIRECTED)].reset_index(drop=True)
    rises = table["size"] > 0
    table["kind"] = np.where(rises == (table["direction"] == "lower_is_better"), "regression", "improvement")
    # What was confirmed before stays, though later values may make it harder to see.
    before = table.index.isin(_anchored(table, anchors)["row"])
    table = table[before | (table["q_value"] <= rules.false_discovery_rate).to_numpy()].reset_index(drop=True)
    table["known"] = table.index.isin(_anchored(table, anchors)["row"])
    table = table[table["known"] | ~moved_costs(table)].reset_index(drop=True)
    level = table["before"].abs()
    level = level.where((level >= table["noise"]) & (LARGEST_SHARE * level >= table["size"].abs()))
    table["change"] = table["size"] / level
    table["change_low"] = table["size_low"] / level
    table["change_high"] = table["size_high"] / level
    thresholds = _thresholds(table, rules)
    of_threshold = table["change"].abs().fillna(np.inf).to_numpy(dtype=np.float64) / thresholds
    of_noise = (table["size"].abs() / table["noise"].clip(lower=1e-300)).to_numpy(dtype=np.float64)
    least = np.where(table["known"], _KEPT_FROM, 1.0)
    table["large"] = (of_threshold >= least) & (of_noise >= least)
    # What groups say goes by this, so that the same measurements again are the same groups.
    table["telling"] = (of_threshold >= 1.0) & (of_noise >= 1.0)
    return table


def _thresholds(rows: pd.DataFrame, rules: RegressionRules) -> FloatArray:
    return np.asarray(rows["metric"].map(rules.threshold_of).to_numpy(dtype=np.float64))


def _over_zeros(changes: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    """`changes` with what comes after a level of exactly 0 held against the level before it, in series that are not
    mostly 0: nothing was measured then, and a level is no news for having been 0 in between. `into_gap` marks the
    changes to such a level.
    """
    mostly = changes["series_id"].map(series.set_index("series_id")["level"]) if "level" in series else None
    if mostly is None or changes.empty:
        return changes.assign(into_gap=False)
    earlier = changes.sort_values("position").groupby(["series_id", "part_of_day"])["before"].shift()
    gap = (changes["before"] == 0) & (mostly != 0) & earlier.notna() & (earlier != 0)
    moved = (earlier - changes["before"]).where(gap, 0.0)
    sizes = {name: changes[name] - moved for name in ("size", "size_low", "size_high")}
    followed = gap.loc[earlier.index].groupby([changes["series_id"], changes["part_of_day"]]).shift(-1)
    return changes.assign(
        before=changes["before"] + moved, into_gap=followed.fillna(False).astype(bool).reindex(changes.index), **sizes
    )


def _without_ends_of_incidents(candidates: pd.DataFrame, changes: pd.DataFrame, rules: RegressionRules) -> pd.DataFrame:
    """That an incident is over is no improvement."""
    ended = endings(candidates, changes, _thresholds(candidates, rules), rules.confirm_after)
    over = candidates[["series_id", "part_of_day"]].assign(changed_at=ended.recovered_at)[ended.incident]
    keys = ["series_id", "part_of_day", "changed_at"]
    known = pd.MultiIndex.from_frame(over.astype({"changed_at": candidates["changed_at"].dtype}))
    ends = pd.MultiIndex.from_frame(candidates[keys]).isin(known)
    return candidates[~ends].reset_index(drop=True)


def _beginnings(changes: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """`changes` with the names of the runs and commits on both sides, and `begins`: the commit of the new level's first
    run, or that run where commits are unknown."""
    known = runs.set_index("run_id")[["run_key", "commit_id"]]
    good, bad = (known.reindex(changes[name]) for name in ("previous_run_id", "index_run_id"))
    begins = bad["commit_id"].fillna(bad["run_key"]).fillna("")
    return changes.assign(
        last_good_run=good["run_key"].to_numpy(),
        first_bad_run=bad["run_key"].to_numpy(),
        last_good_commit=good["commit_id"].to_numpy(),
        first_bad_commit=bad["commit_id"].to_numpy(),
        begins=begins.to_numpy(),
    )


def _anchored(candidates: pd.DataFrame, anchors: pd.DataFrame | None) -> pd.DataFrame:
    """`row` of the candidates that were told before, one for each `regression_id` that they had then, and whether they
    began with the `same_run`. Of several whose uncertain times reach into that of one told before, it is that one, or
    the nearest."""
    if anchors is None or anchors.empty:
        return pd.DataFrame(columns=["row", "regression_id", "same_run"])
    rows = candidates.rename_axis("row").reset_index().astype({"series_id": str})
    known = rows.merge(anchors, on=["series_id", "part_of_day", "kind"], suffixes=("", "_then"))
    low, high = (pd.to_datetime(known[name]) for name in ("low_ts", "high_ts"))
    together = (low <= known["changed_at_high"]) & (high >= known["changed_at_low"])
    known = known.assign(
        same_run=known["first_bad_run"] == known["first_bad_run_then"],
        off=(pd.to_datetime(known["changed_at"]) - (low + (high - low) / 2)).abs(),
    )
    known = known[together].sort_values(["same_run", "off", "row"], ascending=[False, True, True])
    return known.drop_duplicates(["series_id", "regression_id"])[["row", "regression_id", "same_run"]]


# What moved together


@dataclass(frozen=True)
class _Columns:
    """Columns of the candidates as arrays, all of shape (rows,); `series` numbers all series in order of their ids."""

    series: IndexArray
    at: TimeArray
    low: TimeArray
    high: TimeArray
    telling: BoolArray
    p_value: FloatArray
    change: FloatArray


def _columns(candidates: pd.DataFrame, series: pd.DataFrame) -> _Columns:
    at, low, high = (
        candidates[name].to_numpy(dtype="datetime64[us]")
        for name in ("changed_at", "changed_at_low", "changed_at_high")
    )
    return _Columns(
        series=_numbers(candidates["series_id"], series),
        at=at,
        low=low,
        high=high,
        telling=candidates["telling"].to_numpy(dtype=bool),
        p_value=candidates["p_value"].to_numpy(dtype=np.float64),
        change=candidates["change"].to_numpy(dtype=np.float64),
    )


def _numbers(ids: pd.Series, series: pd.DataFrame) -> IndexArray:
    """The place of each of the ids in the ordered ids of all series."""
    return np.asarray(np.searchsorted(np.sort(series["series_id"].to_numpy()), ids.to_numpy()), dtype=np.intp)


@dataclass(frozen=True)
class _Around:
    """Stretches in which series were measured, shape (stretches,): number of the series, first and last moment."""

    series: IndexArray
    since: TimeArray
    until: TimeArray
    ids: npt.NDArray[np.int64]
    """All series in order."""

    @classmethod
    def of(cls, series: pd.DataFrame, measured: pd.DataFrame | None) -> _Around:
        if measured is None:
            measured = series.rename(columns={"first_seen": "since", "last_seen": "until"})
        known = measured[measured["series_id"].isin(series["series_id"])]
        since, until = (known[name].to_numpy(dtype="datetime64[us]") for name in ("since", "until"))
        return cls(_numbers(known["series_id"], series), since, until, np.sort(series["series_id"].to_numpy()))

    def only(self, peers: IndexArray) -> _Around:
        """The stretches of these series."""
        own = np.isin(self.series, peers)
        return _Around(self.series[own], self.since[own], self.until[own], self.ids)

    @cached_property
    def _ordered(self) -> tuple[TimeArray, TimeArray]:
        return np.sort(self.since), np.sort(self.until)

    def at_least(self, times: TimeArray) -> int:
        """How many series were measured before and after the middle of `times` without any pause: known at once, and
        most of what `measured` counts."""
        moment, (since, until) = _middle(times), self._ordered
        return int(np.searchsorted(since, moment) - np.searchsorted(until, moment, side="right"))

    def measured(self, gap: np.timedelta64, times: TimeArray) -> BoolArray:
        """Which series, shape (series,), were measured before and after the middle of `times` (in order), without a
        pause there that is longer than is usual of them and than `gap`."""
        moment = _middle(times)
        found = np.zeros(self.ids.size, dtype=bool)
        found[self.series[(self.since < moment) & (self.until > moment)]] = True
        before, after = np.zeros(self.ids.size, dtype=bool), np.zeros(self.ids.size, dtype=bool)
        before[self.series[(self.until <= moment) & (self.until >= moment - gap)]] = True
        after[self.series[(self.since >= moment) & (self.since <= moment + gap)]] = True
        return found | (before & after)


def _middle(times: TimeArray) -> np.datetime64:
    below, above = times[(times.size - 1) // 2], times[times.size // 2]
    return np.datetime64(below + (above - below) // 2)


@dataclass(frozen=True)
class _Claim:
    """Changes of one kind that one place, commit or environment could explain.

    `rows` are in order of time, with at most `gap` between those that belong together, of which at least `fewest` are
    needed; `exact` marks those whose own interval of time fits, which alone count as evidence; `peers(times)` says
    which series, by number, could have moved with changes at those times, and `at_least(times)` how many did without
    looking at each. `part` is what of a project has the series, and `at_commit` says that `name` is a commit.
    """

    scope: str
    name: str
    rows: IndexArray
    exact: BoolArray
    peers: Callable[[TimeArray], BoolArray]
    gap: np.timedelta64
    fewest: int
    part: str = ""
    at_commit: bool = False
    at_least: Callable[[TimeArray], int] = lambda times: 0


@dataclass(frozen=True)
class _Moved:
    """Rows of a claim that changed together, one a series, the series that could have, and the share that did."""

    rows: IndexArray
    peers: BoolArray
    share: float


def _claims(
    candidates: pd.DataFrame,
    series: pd.DataFrame,
    around: _Around,
    shifts: Mapping[int, Sequence[Shift]],
    image_changes: pd.DataFrame | None,
    environments: pd.DataFrame,
) -> list[_Claim]:
    """In order of rank: of two that explain as many changes the first is taken."""
    directed = attributes(series[series["direction"].isin(DIRECTED)])
    directed = directed.assign(number=_numbers(directed["series_id"], series))
    changed = candidates[candidates["part_of_day"] == ALL_DAY].sort_values("changed_at", kind="stable")
    gaps = _Gaps.of(changed)
    claims = [
        claim for scope, column in PLACES for claim in _place_claims(scope, column, changed, directed, around, gaps)
    ]
    if image_changes is not None and len(image_changes) and len(changed):
        images = image_changes.merge(directed[["series_id", "project", "number"]], on="series_id")
        claims += _image_claims(changed, images, around.ids.size)
    if shifts and len(changed):
        moved = went_over(environments[~environments["field"].isin(RUNNER_IMAGE_NAMES)])
        moved = moved.merge(directed[["series_id", "project", "number"]], on="series_id")
        claims += _environment_claims(changed, moved, shifts, around.ids.size, gaps)
    claims += _commit_claims(changed, directed, around, gaps)
    return claims


@dataclass(frozen=True)
class _Gaps:
    """Between the measurements beside each change: `rows` of the candidates in order, `between` in us, both (rows,)."""

    rows: IndexArray
    between: npt.NDArray[np.int64]

    @classmethod
    def of(cls, changed: pd.DataFrame) -> _Gaps:
        between = (changed["changed_at"] - changed["previous_at"]).sort_index()
        return cls(np.sort(changed.index.to_numpy()), between.to_numpy(dtype="timedelta64[us]").astype(np.int64))

    def usual(self, rows: IndexArray) -> np.timedelta64:
        """How far apart changes of one cause may be, by the usual distance of the measurements beside these."""
        return _gap_of(self._distance(rows))

    def at_commit(self, rows: IndexArray, usual: np.timedelta64) -> np.timedelta64:
        """How far apart the last and first measurements of series may be around the commit at which these changed."""
        return max(usual, np.timedelta64(int(self._distance(rows)), "us"))

    def _distance(self, rows: IndexArray) -> float:
        return float(np.median(self.between[np.searchsorted(self.rows, rows)]))


def _gap_of(microseconds: float) -> np.timedelta64:
    return max(_LARGEST_GAP, _GAP_OF_RUNS * np.timedelta64(int(microseconds), "us"))


def _place_claims(
    scope: str, column: str, changed: pd.DataFrame, directed: pd.DataFrame, around: _Around, gaps: _Gaps
) -> Iterator[_Claim]:
    own = directed.groupby(["project", column]).indices
    parts = directed["test_name" if scope == "node" else "node_id"].to_numpy()
    numbers = directed["number"].to_numpy()
    for (project, _, name), rows in _by_kind(changed, column):
        peers = own[project, name]
        # Of a test on two nodes, or a node with two tests, two are all.
        fewest = 2 if peers.size == 2 and len(set(parts[peers])) == 2 else _FEWEST_MEMBERS
        if rows.size >= fewest:
            gap = gaps.usual(rows)
            own_around = around.only(numbers[peers])
            yield _Claim(
                scope, str(name), rows, np.ones(rows.size, dtype=bool), partial(own_around.measured, gap), gap, fewest,
                at_least=own_around.at_least,
            )  # fmt: skip


def _image_claims(changed: pd.DataFrame, image_changes: pd.DataFrame, size: int) -> Iterator[_Claim]:
    own = image_changes.groupby(["project", "runner_image"]).indices
    near = _nearest_images(changed, image_changes)
    for (project, _, name), rows in _by_kind(near, "runner_image"):
        if rows.size >= _FEWEST_MEMBERS:
            reached = partial(_gone_over, image_changes.iloc[own[project, name]], size)
            exact = near.loc[rows, "exact"].to_numpy(dtype=bool)
            yield _Claim(RUNNER_IMAGE, str(name), rows, exact, reached, _LARGEST_GAP_OF_IMAGES, _FEWEST_MEMBERS)


def _environment_claims(
    changed: pd.DataFrame, moved: pd.DataFrame, shifts: Mapping[int, Sequence[Shift]], size: int, gaps: _Gaps
) -> Iterator[_Claim]:
    """By field and new setting: the changes that it explains."""
    own = moved.groupby(["project", "field", "setting"]).indices
    settings = pd.DataFrame(
        [(row, shift.field, shift.after) for row in changed.index for shift in shifts.get(row, [])],
        columns=["row", "field", "setting"],
    ).set_index("row")
    explained = changed[["project", "kind"]].join(settings, how="inner")
    places = {row: place for place, row in enumerate(changed.index)}
    for (project, _, field, setting), own_rows in explained.groupby(
        ["project", "kind", "field", "setting"]
    ).groups.items():
        rows = np.array(sorted(own_rows, key=places.__getitem__), dtype=np.intp)
        if field not in RUNNER_IMAGE_NAMES and rows.size >= _FEWEST_MEMBERS:
            reached = partial(_gone_over, moved.iloc[own.get((project, field, setting), [])], size)
            gap = max(_LARGEST_GAP_OF_IMAGES, gaps.usual(rows))
            exact = np.ones(rows.size, dtype=bool)
            yield _Claim(ENVIRONMENT, f"{field} {setting}", rows, exact, reached, gap, _FEWEST_MEMBERS)


def _commit_claims(changed: pd.DataFrame, directed: pd.DataFrame, around: _Around, gaps: _Gaps) -> list[_Claim]:
    """By commit: the changes that may have begun there, of the project and of its parts; those that most did first."""
    ranked: list[tuple[int, int, _Claim]] = []
    low, high, at, before = (
        changed[name].to_numpy(dtype="datetime64[us]")
        for name in ("changed_at_low", "changed_at_high", "changed_at", "previous_at")
    )
    # A series that was not measured at a commit shows its change at the next one.
    low = np.minimum(low, before + np.timedelta64(1, "us"))
    index, begins = changed.index.to_numpy(), changed["begins"].to_numpy()
    series = np.searchsorted(around.ids, changed["series_id"].to_numpy())
    known = changed["first_bad_commit"].notna().to_numpy()
    for (project, _), own in sorted(changed.groupby(["project", "kind"]).indices.items()):
        if own.size < _FEWEST_MEMBERS:
            continue
        gap = gaps.usual(index[own])
        parts = list(_parts(directed[directed["project"] == project], around))
        for name, exact in pd.Series(own).groupby(begins[own]):
            for begun in _split(exact.to_numpy(), at, gap):
                may = own[(low[own] <= at[begun[-1]]) & (high[own] >= at[begun[0]])]
                pause, at_commit = gaps.at_commit(index[begun], gap), bool(known[begun].any())
                for part_of, inside, stretches in parts:
                    rows = index[may[inside[series[may]]]]
                    if rows.size >= _FEWEST_MEMBERS:
                        claim = _Claim(
                            COMMIT, str(name), rows, np.ones(rows.size, dtype=bool), partial(stretches.measured, pause),
                            _NO_GAP, _FEWEST_MEMBERS, part_of, at_commit, stretches.at_least,
                        )  # fmt: skip
                        ranked.append((-begun.size, len(ranked), claim))
    return [claim for *_, claim in sorted(ranked, key=lambda each: each[:2])]


def _split(places: IndexArray, at: TimeArray, gap: np.timedelta64) -> list[IndexArray]:
    """Places whose times are at most `gap` apart from one to the next: one commit may be run again much later."""
    return np.split(places, np.flatnonzero(np.diff(at[places]) > gap) + 1)


def _parts(peers: pd.DataFrame, around: _Around) -> Iterator[tuple[str, BoolArray, _Around]]:
    """Parts of a project by what their series have in common, and the whole, which has no name: which of all series
    they have, and when these were measured."""
    parts = [
        (part(column, str(value)), own["number"].to_numpy())
        for column in subsets(peers)
        if peers[column].nunique(dropna=False) > 1
        for value, own in peers.groupby(column, sort=True)
        if len(own) >= _FEWEST_MEMBERS
    ]
    for name, numbers in [*parts, ("", peers["number"].to_numpy())]:
        inside = np.zeros(around.ids.size, dtype=bool)
        inside[numbers] = True
        yield name, inside, around.only(numbers)


def _by_kind(changed: pd.DataFrame, column: str) -> Iterator[tuple[tuple[str, str, str], IndexArray]]:
    """Project, kind and name with the rows of the candidates that have them, where there are several."""
    rows = changed.index.to_numpy()
    for keys, positions in sorted(changed.groupby(["project", "kind", column]).indices.items()):
        if positions.size >= 2:
            yield keys, rows[positions]


def _nearest_images(changed: pd.DataFrame, image_changes: pd.DataFrame) -> pd.DataFrame:
    """Changed rows whose series went over to another runner image at about that time: `runner_image` is the new one,
    `exact` where it did within the interval of the change's time.
    """
    images = image_changes[["series_id", "runner_image", "since"]].astype({"since": changed["changed_at"].dtype})
    near = pd.merge_asof(
        changed.reset_index(),
        images.sort_values(["since", "series_id", "runner_image"]),
        left_on="changed_at",
        right_on="since",
        by="series_id",
        direction="nearest",
    ).set_index("index")
    low, high = near["changed_at_low"], near["changed_at_high"]
    near["exact"] = (low <= near["since"]) & (near["since"] <= high)
    margin = 2 * _LARGEST_GAP
    return near[(low - margin <= near["since"]) & (near["since"] <= high + margin)]


def _gone_over(moved: pd.DataFrame, size: int, times: TimeArray) -> BoolArray:
    """Series, of `size`, that went over while `times`, which are in order, lasted, or shortly before or after."""
    since = moved["since"].to_numpy(dtype="datetime64[us]")
    around = (since >= times[0] - _LARGEST_GAP) & (since <= times[-1] + _LARGEST_GAP)
    found = np.zeros(size, dtype=bool)
    found[moved["number"].to_numpy(dtype=np.intp)[around]] = True
    return found


def _explain(candidates: pd.DataFrame, columns: _Columns, claims: Sequence[_Claim]) -> list[_Group]:
    """Groups from the largest down; a change belongs to one group only."""
    left = np.ones(len(candidates), dtype=bool)
    q_values = candidates["q_value"].to_numpy(dtype=np.float64)
    of_row = _numbers_by_row(claims, len(candidates))
    moved: dict[int, _Moved] = {}
    stale = set(range(len(claims)))
    groups: list[_Group] = []
    while True:
        for number in stale:
            found = _moved_together(claims[number], columns, left)
            moved.pop(number, None)
            if found is not None:
                moved[number] = found
        if not moved:
            return groups
        number = _best(claims, moved, columns)
        claim, rows = claims[number], moved[number].rows
        all_rows = _with_stragglers(claim, rows, columns, left)
        peers = max(int(np.count_nonzero(moved[number].peers)), np.unique(columns.series[all_rows]).size)
        groups.append(_Group(claim.scope, claim.name, all_rows, float(q_values[rows].min()), claim.part, peers))
        left[all_rows] = False
        stale = {number for row in all_rows for number in of_row[row]}


def _numbers_by_row(claims: Sequence[_Claim], rows: int) -> list[list[int]]:
    numbers: list[list[int]] = [[] for _ in range(rows)]
    for number, claim in enumerate(claims):
        for row in claim.rows:
            numbers[row].append(number)
    return numbers


def _best(claims: Sequence[_Claim], moved: Mapping[int, _Moved], columns: _Columns) -> int:
    """The claim that explains most, of equal ones that with the fewest series that did not move; a commit only where it
    explains what no place and no environment does.
    """
    by_size = sorted(moved, key=lambda number: (-moved[number].rows.size, -moved[number].share, number))
    commit = next((number for number in by_size if claims[number].scope == COMMIT), None)
    others = [number for number in by_size if claims[number].scope != COMMIT]
    if commit is None:
        return _environment_or_place(claims, moved, others, columns)
    nearer = _nearer(commit, others, claims, moved, columns)
    return _environment_or_place(claims, moved, nearer, columns) if nearer else commit


def _environment_or_place(
    claims: Sequence[_Claim], moved: Mapping[int, _Moved], numbers: Sequence[int], columns: _Columns
) -> int:
    """The one that explains most of `numbers`, the largest first; an environment before the place where it was put in,
    as it is the reason, and a type of node only where it explains what no node does."""
    environments = [number for number in numbers if claims[number].scope in (RUNNER_IMAGE, ENVIRONMENT)]
    places = [number for number in numbers if claims[number].scope not in (RUNNER_IMAGE, ENVIRONMENT)]
    if not places:
        return environments[0]
    place = places[0]
    if claims[place].scope == "node_type":
        nodes = [number for number in places if claims[number].scope == "node"]
        place = next(iter(_nearer(place, nodes, claims, moved, columns)), place)
    if not environments:
        return place
    environment = environments[0]
    as_many = moved[environment].rows.size >= moved[place].rows.size
    return environment if as_many and moved[environment].share >= _AS_WELL * moved[place].share else place


def _nearer(
    wide: int, others: Sequence[int], claims: Sequence[_Claim], moved: Mapping[int, _Moved], columns: _Columns
) -> list[int]:
    """Those of the other claims that explain what the wide one does: most of what they do not reach did not change."""
    return [
        number
        for number in others
        if np.intersect1d(moved[number].rows, moved[wide].rows).size
        and not _goes_beyond(claims[wide], moved[wide], claims[number], moved[number], columns)
    ]


def _goes_beyond(wide: _Claim, of_wide: _Moved, other: _Claim, of_other: _Moved, columns: _Columns) -> bool:
    """Did most series change with the wide claim that the other one does not reach?

    Where that reaches all, it is the better explanation; but of a node without others to compare it with nothing is
    known, so that a commit is, if there is one.
    """
    if of_wide.rows.size < of_other.rows.size:
        return False
    beyond = of_wide.peers & ~of_other.peers
    if not beyond.any():
        return wide.at_commit and other.scope in ("node", "node_type")
    changed = np.unique(columns.series[of_wide.rows])
    return bool(np.count_nonzero(beyond[changed]) >= _LEAST_SHARE * np.count_nonzero(beyond))


def _moved_together(claim: _Claim, columns: _Columns, left: BoolArray) -> _Moved | None:
    """The most changes that happened together, if they are enough of the series that could have changed."""
    still = left[claim.rows]
    rows, exact = claim.rows[still], claim.exact[still]
    ends = np.flatnonzero(np.diff(columns.at[rows]) > claim.gap) + 1
    best: _Moved | None = None
    for start, end in zip([0, *ends], [*ends, rows.size], strict=True):
        if end - start < max(claim.fewest, best.rows.size + 1 if best else 0):
            continue
        together, fits = rows[start:end], exact[start:end]
        if end - start < _LEAST_SHARE * claim.at_least(columns.at[together]):
            continue
        firsts = np.unique(columns.series[together], return_index=True)[1]
        evidence = np.unique(columns.series[together[fits]]).size
        telling = np.unique(columns.series[together[columns.telling[together]]]).size
        if min(evidence, telling) < claim.fewest or (best is not None and firsts.size <= best.rows.size):
            continue
        peers = claim.peers(columns.at[together])
        # What changed then was there, whatever is known of its measurements and its environment.
        peers[columns.series[together[fits]]] = True
        count = int(np.count_nonzero(peers))
        if evidence >= _LEAST_SHARE * count:
            best = _Moved(together[firsts], peers, evidence / max(count, 1))
    return best


def _with_stragglers(claim: _Claim, found: IndexArray, columns: _Columns, left: BoolArray) -> IndexArray:
    """Add changes whose uncertain time reaches into the group's, and those of the claim's other series a little off."""
    low, high = columns.at[found].min() - claim.gap, columns.at[found].max() + claim.gap
    rows = claim.rows[left[claim.rows]]
    other = ~np.isin(columns.series[rows], columns.series[found])
    margin = other.astype(np.int64) * (2 * claim.gap)
    near = (columns.low[rows] - margin <= high) & (columns.high[rows] + margin >= low)
    return np.union1d(found, rows[near])


def _singles(rows: pd.DataFrame, family: int, rules: RegressionRules) -> list[_Group]:
    """What no group explains, judged among the series that are left."""
    p_values = rows["p_value"].to_numpy(dtype=np.float64)
    quiet = max(family - rows["series_id"].nunique(), 0)
    q_values = benjamini_hochberg(np.concatenate((p_values, np.ones(quiet))))[: p_values.size]
    return [
        _Group("series", str(title), np.array([index], dtype=np.intp), float(q))
        for index, title, large, known, q in zip(
            rows.index, rows["title"], rows["large"], rows["known"], q_values, strict=True
        )
        if large and (known or q <= rules.false_discovery_rate)
    ]


# The table


def _table(
    groups: Sequence[_Group],
    candidates: pd.DataFrame,
    columns: _Columns,
    changes: pd.DataFrame,
    rules: RegressionRules,
) -> pd.DataFrame:
    """One row a group, in their order, with what the changes themselves say of REGRESSION_COLUMNS."""
    telling = [_telling(group.rows, columns) for group in groups]
    begins = candidates["begins"].to_numpy()
    best = np.array(
        [_clearest(_at_its_commit(group, rows, begins), columns) for group, rows in zip(groups, telling, strict=True)],
        dtype=np.intp,
    )
    table = candidates.iloc[best].rename_axis("row").reset_index()
    table = table.rename(columns={"previous_at": "last_good_at", "changed_at": "first_bad_at"})
    for number, rows in enumerate(telling):
        rows = rows[np.isfinite(columns.change[rows])]
        if rows.size >= _FEWEST_FOR_ORDER:
            shares = columns.change[rows]
            table.loc[number, _SHARES] = (np.median(shares), *_median_interval(shares))
        elif rows.size > 1:
            # So few say nothing of how far their median is off, but each says how far it is.
            own = candidates[_SHARES].iloc[rows].to_numpy(dtype=np.float64)
            table.loc[number, _SHARES] = (np.median(own[:, 0]), own[:, 1].min(), own[:, 2].max())
    table["q_value"] = np.array([group.q_value for group in groups], dtype=np.float64)
    table["members"] = np.array([np.unique(columns.series[group.rows]).size for group in groups], dtype=np.int64)
    ended = endings(candidates.iloc[best], changes, _thresholds(table, rules), rules.confirm_after)
    table = _with_states(table, groups, ended, rules)
    table["shape"] = np.where(ended.incident, INCIDENT, STEP)
    table["suspicious"] = _suspicious(table)
    table["recovered_at"] = ended.recovered_at
    table["scope"] = [group.scope for group in groups]
    table["scope_name"] = [group.name for group in groups]
    return table


def _telling(rows: IndexArray, columns: _Columns) -> IndexArray:
    """Those of the rows that are large enough to matter, whatever was told before, or all where none is."""
    telling = rows[columns.telling[rows]]
    return telling if telling.size else rows


def _at_its_commit(group: _Group, rows: IndexArray, begins: npt.NDArray[np.object_]) -> IndexArray:
    """Those of the rows that were found at the commit of the group, or all where it has none or none was."""
    found = rows[begins[rows] == group.name] if group.scope == COMMIT else rows
    return found if found.size else rows


def _clearest(rows: IndexArray, columns: _Columns) -> int:
    """The change nearest to the middle one; of several at one time the one with the strongest evidence."""
    middle = np.sort(columns.at[rows])[rows.size // 2]
    distance = np.abs(columns.at[rows] - middle)
    return int(rows[np.lexsort((columns.series[rows], columns.p_value[rows], distance))[0]])


def _with_states(table: pd.DataFrame, groups: Sequence[_Group], ended: Endings, rules: RegressionRules) -> pd.DataFrame:
    """With state, and waits_for: of those that are not confirmed, what stands in the way."""
    # Changes of several series of one place at one time bear each other out: chance does not bring them up together.
    many = np.array([group.rows.size >= _FEWEST_MEMBERS for group in groups], dtype=bool)
    clear = table["confirmed"].to_numpy(dtype=bool)
    points, settled = (table[name].to_numpy(dtype=np.int64) for name in ("points_after", "settles_after"))
    settled = np.maximum(settled, rules.confirm_after)
    confirmed = ((many | clear) & (points >= rules.confirm_after)) | (points >= settled)
    confirmed |= ended.followed & ~ended.incident
    waits = [
        None if sure else _OVER if over else more_measurements(int(missing))
        for sure, over, missing in zip(confirmed, ended.incident, settled - points, strict=True)
    ]
    return table.assign(state=np.where(confirmed, "confirmed", "suspected"), waits_for=waits)


def more_measurements(missing: int) -> str:
    """What a suspected finding waits for."""
    return f"{missing} more {'measurement' if missing == 1 else 'measurements'} at the new level"


def _suspicious(table: pd.DataFrame) -> pd.Series:
    """Improvements too good to be taken on trust: half the cost, or twice the yield."""
    lower = table["direction"] == "lower_is_better"
    incredible = (lower & (table["change"] <= -0.5)) | (~lower & (table["change"] >= 1.0))
    return incredible & (table["kind"] == "improvement")


def _reaches(groups: Sequence[_Group], candidates: pd.DataFrame, series: pd.DataFrame) -> list[str]:
    """How far each group goes, in words: where its test changed, or of which part of the project its series are."""
    known = attributes(series).set_index("series_id")
    reaches = []
    for group in groups:
        words = f"of {group.part}" if group.part else ""
        if group.scope == "test" or group.part.startswith("benchmark "):
            words = f"{words} {reach(known.loc[candidates['series_id'].iloc[group.rows].unique()])}".strip()
        reaches.append(words)
    return reaches


def _explained(
    table: pd.DataFrame, groups: Sequence[_Group], shifts: Mapping[int, Sequence[Shift]], changes: pd.DataFrame
) -> pd.DataFrame:
    """Add cause and explanation, by what is known of the runs and commits on both sides; `changes` with project."""
    table = table.assign(
        peers=[group.peers for group in groups],
        shifted=[_shifted(int(row), group.rows, shifts) for row, group in zip(table["row"], groups, strict=True)],
        same_commit=(table["last_good_commit"] == table["first_bad_commit"]).fillna(False).astype(bool),
        beside=_beside(table, changes),
        # Findings that begin at one place of the history may have one reason, though no node or test in common.
        findings=table.groupby(["project", "begins"])["series_id"].transform("size") - 1,
    )
    rows = list(table.itertuples())
    return table.assign(
        cause=[cause_of(row) for row in rows],
        explanation=[explanation_of(row) for row in rows],
    )


def _shifted(row: int, rows: IndexArray, shifts: Mapping[int, Sequence[Shift]]) -> list[str]:
    """What changed in the environment of most of the rows, in the words of the one that shows it best."""
    return [
        shift.words
        for shift in shifts.get(row, [])
        if 2 * sum(any(other.field == shift.field for other in shifts.get(int(each), [])) for each in rows) >= rows.size
    ]


def _beside(table: pd.DataFrame, changes: pd.DataFrame) -> list[Beside]:
    """Of each finding, by all change points, whether they matter or not; counted for single series alone."""
    changed_at = changes["changed_at"].to_numpy(dtype="datetime64[us]")
    series, begins = changes["series_id"].to_numpy(), changes["begins"].to_numpy()
    projects = changes.groupby("project").indices
    found = []
    for row in table.itertuples():
        if row.scope != "series":
            found.append(Beside(0, True))
            continue
        places = projects[row.project]
        at = np.datetime64(row.first_bad_at, "us")
        gap = _gap_of((row.first_bad_at - row.last_good_at) / pd.Timedelta(microseconds=1))
        same = begins[places] == row.begins
        together = (series[places] != row.series_id) & (same | (np.abs(changed_at[places] - at) <= gap))
        others = np.unique(series[places[together]])
        found.append(Beside(others.size, np.unique(series[places[together & same]]).size == others.size))
    return found


def _median_interval(values: FloatArray) -> tuple[float, float]:
    """95 % interval of the median by order statistics (David & Nagaraja 2003, Order Statistics)."""
    ordered = np.sort(values)
    n = ordered.size
    reach = 0.98 * np.sqrt(n)
    low, high = max(int(np.floor(n / 2 - reach)), 0), min(int(np.ceil(n / 2 + reach)), n - 1)
    return float(ordered[low]), float(ordered[high])


# Ids


def _regression_ids(
    table: pd.DataFrame, groups: Sequence[_Group], candidates: pd.DataFrame, anchors: pd.DataFrame | None
) -> list[int]:
    """The id given when it was first confirmed, by most of its members; else a hash of series and first bad run."""
    elected = _elected(groups, candidates, anchors)
    ids: list[int] = []
    # A finding that was given the id of one of its members once may have lost that member to another.
    used: set[int] = set()
    keys = zip(table["series_id"], table["part_of_day"], table["first_bad_run"], strict=True)
    for number, (series_id, part_of_day, run) in enumerate(keys):
        own = f"{series_id}/{part_of_day}/{run}"
        hashes = (id_of(f"{own}/{again}" if again else own) for again in itertools.count())
        ids.append(next(known for known in itertools.chain(elected.get(number, []), hashes) if known not in used))
        used.add(ids[-1])
    return ids


def id_of(text: str) -> int:
    """The id of a finding with this key: 64 bits of its hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _elected(groups: Sequence[_Group], candidates: pd.DataFrame, anchors: pd.DataFrame | None) -> dict[int, list[int]]:
    """By number of the group: ids that its members were given before, the one of most members first; of equally many
    one that began with the same run, as intervals of neighbouring changes may overlap."""
    grouped = _rows_of_groups(groups, candidates)[["series_id", "group"]]
    known = _anchored(candidates, anchors).merge(grouped, left_on="row", right_index=True)
    votes = known.groupby(["group", "regression_id"]).agg(votes=("series_id", "nunique"), same_run=("same_run", "any"))
    order = ["group", "votes", "same_run", "regression_id"]
    votes = votes.reset_index().sort_values(order, ascending=[True, False, False, True])
    return {int(number): [int(known) for known in ids] for number, ids in votes.groupby("group")["regression_id"]}


def _rows_of_groups(groups: Sequence[_Group], candidates: pd.DataFrame) -> pd.DataFrame:
    """The candidates in groups, with the number of their group."""
    sizes = [group.rows.size for group in groups]
    return candidates.iloc[_all_rows(groups)].assign(group=np.repeat(np.arange(len(groups)), sizes))


def _members(groups: Sequence[_Group], candidates: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """One row a group and series, the change with the strongest evidence; `group` numbers the rows of `table`."""
    rows = _rows_of_groups(groups, candidates).sort_values(["group", "p_value"], kind="stable")
    own = rows.drop_duplicates(["group", "series_id"]).reset_index(drop=True)
    return own.assign(regression_id=table["regression_id"].to_numpy()[own["group"]])


def _anchors(members: pd.DataFrame, table: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    """ANCHOR_COLUMNS of the confirmed ones."""
    shown = table[["series_id", "first_bad_run", "state"]].iloc[members["group"]].reset_index(drop=True)
    as_of = series.set_index("series_id")["as_of"].reindex(shown["series_id"]).to_numpy()
    anchors = members.assign(
        series_id=members["series_id"].astype(str),
        first_bad_run=shown["first_bad_run"].astype(str),
        regression_id=members["regression_id"].astype(str),
        low_ts=members["changed_at_low"],
        high_ts=members["changed_at_high"],
        confirmed_at=as_of,
    )
    return anchors.loc[shown["state"] == "confirmed", list(ANCHOR_COLUMNS)].reset_index(drop=True)
