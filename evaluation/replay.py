"""Thirty days replayed hour by hour: what would have been reported, when, and how much of it is false."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation import hourly_fleets
from evaluation.change_points import NEAR
from evaluation.hourly_fleets import (
    CYCLE_SHARE,
    DAY,
    DRIFT_SHARE,
    HOUR,
    LARGEST,
    LEAST_NOISE,
    MOST_NOISE,
    SETTLED,
    SMALLEST,
    START,
    Fleet,
    Plan,
    simulate,
)
from evaluation.markdown import mark, met, number, percent, table
from evaluation.methods import BASELINE, NEWEST, OURS, first_of_runs, percent_above
from evaluation.peers import ask, peer_version
from evaluation.proportions import Check, Estimate, median_of, rate_of, share_of
from evaluation.results import FOLDER, Measured, Origin, Tables, current_origin, keep, recall, same_measurement
from evaluation.signals import AMPLITUDE, DRIFT, FloatArray, IndexArray
from perf_assets.analysis.level_changes import analyse_levels
from perf_assets.analysis.regressions import RegressionRules, Regressions, find_regressions

LOOK_EVERY, PEER_LOOKS_EVERY = 1, DAY
"""Runs from one look to the next. What is told for fewer runs than that may pass unseen."""
RATES = (0.001, 0.01, 0.05, 0.2)
PERCENTS = (5.0, 10.0, 20.0, 30.0)
LEAST_CHANGES = (0.0, 0.1)
"""Settings: false-discovery rate of the product; threshold of the naive method, per cent; and least change told of
Otava's change points, a share.
"""
WITHIN, PEERS_WITHIN = 3, DAY
"""Runs that a planted step may lie off the finding, where the finding's own interval is not wider."""
MOST_FALSE = 0.05
NAIVE, OTAVA = "mean ± per cent", "Otava"
SETTINGS = {
    OURS: tuple(f"{rate:g}" for rate in RATES),
    NAIVE: tuple(f"{most:g} %" for most in PERCENTS),
    OTAVA: tuple(f"{100 * least:g} %" for least in LEAST_CHANGES),
}
"""Settings by method, as they are written."""
USUAL = f"{RegressionRules().false_discovery_rate:g}"
_SETTING = {OURS: "false-discovery rate", NAIVE: "threshold", OTAVA: "least change"}
_ABOUT = {
    OURS: "perf_assets, by false-discovery rate:",
    NAIVE: f"The specification's way: the mean of {NEWEST} values leaves that of the {BASELINE} before by more than a "
    "threshold, in any series, looked at with every run. A row of such values is one alarm, and true when a planted "
    f"step lies among the {NEWEST + BASELINE} values:",
    OTAVA: f"apache-otava {peer_version('apache-otava')} with its defaults, asked every {PEER_LOOKS_EVERY} runs: "
    f"change points for the worse that were not there before, true within {PEERS_WITHIN} runs of a planted step; all, "
    f"and those of at least {100 * LEAST_CHANGES[-1]:.0f} %:",
}
_FLEET = "replay-fleet"
_TOLD = ["setting", "finding", "told_at", "worse", "scope", "last_scope", "stands", "series_id", "low", "high"]
"""A row a member of each finding. `told_at`: values known when it was told first; `low`, `high`: index between which
the change began, allowance included; `scope` then, and `last_scope` at the last look, as a group takes the id of its
first member; `stands`: at the last look it `stands`, is `renamed` (told with another id), or `vanished`; both empty
where a method takes nothing back.
"""


def evaluate_replay(seeds: Sequence[int], folder: Path = FOLDER, plan: Plan = Plan()) -> Tables:  # noqa: B008 - frozen
    """fleets: fleet, series, runs, known (regressions confirmed by the look before the replay, not counted).

    findings: fleet, method, setting, finding, told_at, worse, scope, members; series_id, noise, low and high of the
    clearest member; stands, and true (a planted step explains it). events: a row an event, method and setting, with the
    columns of `Fleet.events`, and delay (runs with the step until it was told, infinite for never) and grouped (at the
    last look told as a whole).

    Fleets are kept in `folder` until all are measured, so that what was interrupted goes on; two at a time.
    """
    origin = _origin(plan)
    missing = [seed for seed in seeds if not _known(seed, origin, folder)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        pending = {pool.submit(replay_fleet, seed, plan): seed for seed in missing}
        for done in as_completed(pending):
            keep(Measured(_FLEET, pending[done], origin, 0.0, done.result()), folder)
            print(f"  replay: fleet {pending[done]} done", flush=True)
    kept = [measured.tables for seed in seeds if (measured := recall(_FLEET, seed, folder)) is not None]
    for seed in seeds:
        (folder / f"{_FLEET}-{seed}.json").unlink()
    return {name: pd.concat([tables[name] for tables in kept], ignore_index=True) for name in kept[0]}


def _origin(plan: Plan) -> Origin:
    own = b"".join(Path(str(module)).read_bytes() for module in (__file__, hourly_fleets.__file__))
    origin = current_origin(None, plan.series * plan.points)
    return replace(origin, code=f"{origin.code} {hashlib.sha256(own).hexdigest()[:12]}")


def _known(seed: int, origin: Origin, folder: Path) -> bool:
    measured = recall(_FLEET, seed, folder)
    return measured is not None and same_measurement(measured.origin, origin)


def replay_fleet(seed: int, plan: Plan) -> Tables:
    """Tables of one fleet, as `evaluate_replay` gives them for all."""
    fleet = simulate(seed, plan)
    others = {NAIVE: naive(fleet), OTAVA: otava(fleet)}  # before what takes long, should the peers be absent
    told, known = ours(fleet, seed)
    methods = {OURS: told, **others}
    judged = {name: judge(fleet, each, SETTINGS[name]) for name, each in methods.items()}
    findings = [one.assign(fleet=seed, method=name) for name, (one, _) in judged.items()]
    events = [one.assign(fleet=seed, method=name) for name, (_, one) in judged.items()]
    counts = {"fleet": [seed], "series": [plan.series], "runs": [plan.replayed], "known": [known]}
    return {
        "fleets": pd.DataFrame(counts),
        "findings": pd.concat(findings, ignore_index=True),
        "events": pd.concat(events, ignore_index=True),
    }


# What each method tells


@dataclass
class _Watch:
    """One setting of the product from look to look: anchors as the state store keeps them, and what was confirmed."""

    rules: RegressionRules
    anchors: pd.DataFrame | None = None
    told: dict[str, pd.DataFrame] = field(default_factory=dict)

    def look(
        self, changes: pd.DataFrame, series: pd.DataFrame, runs: pd.DataFrame, limits: pd.DataFrame, end: int
    ) -> Regressions:
        found = find_regressions(changes, series, runs, limits, self.rules, self.anchors)
        scopes = found.table.set_index(found.table["regression_id"].astype(str))["scope"]
        for name, rows in found.anchors.groupby("regression_id"):
            if name not in self.told:  # an id is told once, as an alert is
                self.told[name] = _members(rows, found.members).assign(told_at=end, finding=name, scope=scopes[name])
        if len(found.anchors):
            both = found.anchors if self.anchors is None else pd.concat((self.anchors, found.anchors))
            key = ["series_id", "first_bad_run", "part_of_day", "kind"]
            self.anchors = both.drop_duplicates(key, ignore_index=True)
        return found


def _members(anchors: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """series_id, worse, low, high of the members of one confirmed regression; members of it only are looked up."""
    own = members[members["regression_id"].astype(str).isin(anchors["regression_id"])]
    at = _place(own.set_index("series_id")["changed_at"])
    ids = anchors["series_id"].astype("int64").to_numpy()
    place = at.loc[ids].to_numpy()
    return pd.DataFrame(
        {
            "series_id": ids,
            "worse": (anchors["kind"] == "regression").to_numpy(),
            "low": np.minimum(_place(anchors["low_ts"]), place - WITHIN),
            "high": np.maximum(_place(anchors["high_ts"]), place + WITHIN),
        }
    )


def _place(times: pd.Series) -> pd.Series:
    return (times - START) // HOUR


def ours(fleet: Fleet, seed: int, rates: Sequence[float] = RATES) -> tuple[pd.DataFrame, int]:
    """(what each of the rates confirms first, with the columns _TOLD; how many the usual one had before the replay).

    Each look analyses what is known by then, as the pipeline does: change points and limits of every series, and
    regressions with the anchors of the looks before.
    """
    plan, watches = fleet.plan, {rate: _Watch(RegressionRules(false_discovery_rate=rate)) for rate in rates}
    names = [f"run-{place}" for place in range(plan.points)]
    runs = pd.DataFrame({"run_id": np.arange(plan.points), "run_key": names, "commit_id": names, "context": "{}"})
    for end in range(plan.history, plan.points + 1, LOOK_EVERY):
        changes, limits = analyse_levels(_measurements(fleet, end))
        newest = START + (end - 1) * HOUR
        series = fleet.series.assign(last_seen=newest, as_of=newest)
        found = {rate: watch.look(changes, series, runs, limits, end) for rate, watch in watches.items()}
        if (end - plan.history) % (5 * DAY) == 0:
            print(f"  replay: fleet {seed}, day {(end - plan.history) // DAY}", flush=True)
    told = [
        _standing(rows, found[rate]).assign(setting=f"{rate:g}")
        for rate, watch in watches.items()
        for rows in watch.told.values()
    ]
    everything = _table(told)
    earlier = everything["told_at"] == plan.history
    counted = everything[earlier & (everything["setting"] == USUAL) & everything["worse"].astype(bool)]
    return everything[~earlier], int(counted["finding"].nunique())


def _measurements(fleet: Fleet, end: int) -> pd.DataFrame:
    known = fleet.values[:, :end]
    return pd.DataFrame(
        {
            "series_id": np.repeat(fleet.series["series_id"].to_numpy(), end),
            "run_id": np.tile(np.arange(end), len(known)),
            "ts": np.tile(START + np.arange(end) * HOUR, len(known)),
            "value": known.ravel(),
        }
    )


def _standing(told: pd.DataFrame, last: Regressions) -> pd.DataFrame:
    """`told` with `last_scope` and `stands`."""
    scopes = dict(zip(last.table["regression_id"].astype(str), last.table["scope"], strict=True))
    name = told["finding"].iloc[0]
    told = told.assign(last_scope=scopes.get(name, ""))
    if name in scopes:
        return told.assign(stands="stands")
    final = last.members.merge(last.table[["regression_id", "kind"]], on="regression_id")
    final = final.assign(worse=final["kind"] == "regression", place=_place(final["changed_at"]))
    both = told.merge(final[["series_id", "worse", "place"]], on=["series_id", "worse"])
    again = ((both["place"] >= both["low"]) & (both["place"] <= both["high"])).any()
    return told.assign(stands="renamed" if again else "vanished")


def naive(fleet: Fleet) -> pd.DataFrame:
    """The specification's moving averages at each of PERCENTS: told where they begin to be so far apart."""
    rows = []
    for member, values in zip(fleet.series.itertuples(), fleet.values, strict=True):
        excess = percent_above(pd.Series(values)) * (1.0 if member.direction == "lower_is_better" else -1.0)
        for most in PERCENTS:
            for worse, flags in ((True, excess > most), (False, excess < -most)):
                for place in first_of_runs(flags[fleet.plan.history :]) + fleet.plan.history:
                    name = f"{member.series_id}/{place}/{worse}"
                    began = place - (NEWEST + BASELINE - 1)
                    rows.append(
                        (f"{most:g} %", name, place + 1, worse, "series", "", "", member.series_id, began, place)
                    )
    return pd.DataFrame(rows, columns=_TOLD)


def otava(fleet: Fleet) -> pd.DataFrame:
    """Change points that were not there before, of Otava asked every PEER_LOOKS_EVERY runs for what is known by then;
    for each of LEAST_CHANGES.
    """
    plan = fleet.plan
    ends = range(plan.history, plan.points + 1, PEER_LOOKS_EVERY)
    answers = iter(ask("otava", [values[:end] for values in fleet.values for end in ends]).change_points)
    told = []
    for member, values in zip(fleet.series.itertuples(), fleet.values, strict=True):
        found = [_steps(values[:end], next(answers), member.direction) for end in ends]
        for least in LEAST_CHANGES:
            large = [looked[looked["change"].abs() >= least] for looked in found]
            setting = f"{100 * least:g} %"
            told += [one.assign(setting=setting, series_id=member.series_id) for one in newly_told(large, ends)]
    names = [f"{series}/{place}" for one in told for series, place in zip(one["series_id"], one["place"], strict=True)]
    return _table(told).assign(finding=names, scope="series", last_scope="")[_TOLD]


def _steps(values: FloatArray, cuts: IndexArray, direction: str) -> pd.DataFrame:
    """place, worse and change (share of the level before) of each cut."""
    means = np.array([part.mean() for part in np.split(values, cuts)])
    change = np.diff(means) / np.abs(means[:-1])
    return pd.DataFrame({"place": cuts, "worse": (change > 0) == (direction == "lower_is_better"), "change": change})


def newly_told(looks: Sequence[pd.DataFrame], ends: Sequence[int]) -> Iterator[pd.DataFrame]:
    """Of one series, look by look: what no look before told within NEAR of it. What the first look has is known."""
    known = looks[0]
    for look, end in zip(looks[1:], ends[1:], strict=True):
        new = look[~_near(look, known)]
        known = pd.concat((known, new))
        if len(new):
            yield new.assign(
                told_at=end, low=new["place"] - PEERS_WITHIN, high=new["place"] + PEERS_WITHIN,
                stands=np.where(_near(new, looks[-1]), "stands", "vanished"),
            )  # fmt: skip


def _near(steps: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    apart = np.abs(np.subtract.outer(steps["place"].to_numpy(), others["place"].to_numpy()))
    alike = np.equal.outer(steps["worse"].to_numpy(), others["worse"].to_numpy())
    return np.asarray(((apart <= NEAR) & alike).any(axis=1))


def _table(told: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(told, ignore_index=True) if told else pd.DataFrame(columns=_TOLD)


# What is true of it


def judge(fleet: Fleet, told: pd.DataFrame, settings: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(findings, events) of one method, as `evaluate_replay` has them. A finding is true when one of its series has a
    planted step of its direction between `low` and `high`.
    """
    truth = fleet.moved[["event", "series_id", "start", "worse"]].merge(
        fleet.events[["event", "scope"]].rename(columns={"scope": "planted"}), on="event"
    )
    both = told.merge(truth, on=["series_id", "worse"])
    both = both[(both["low"] <= both["start"]) & (both["start"] <= both["high"])]
    findings = told.groupby(["setting", "finding"], sort=False).agg(
        told_at=("told_at", "first"), worse=("worse", "first"), scope=("scope", "first"),
        members=("series_id", "size"), series_id=("series_id", "first"), low=("low", "first"), high=("high", "first"),
        stands=("stands", "first"),
    )  # fmt: skip
    noise = fleet.series.set_index("series_id")["noise"].reindex(findings["series_id"]).to_numpy()
    explained = findings.index.isin(pd.MultiIndex.from_frame(both[["setting", "finding"]]))
    events = [_delays(fleet.events, both[both["setting"] == setting]).assign(setting=setting) for setting in settings]
    return findings.assign(noise=noise, true=explained).reset_index(), pd.concat(events, ignore_index=True)


def _delays(events: pd.DataFrame, named: pd.DataFrame) -> pd.DataFrame:
    first = named.groupby("event")["told_at"].min().reindex(events["event"]).to_numpy(dtype=np.float64)
    as_one = events["event"].isin(named.loc[named["last_scope"] == named["planted"], "event"])
    return events.assign(delay=np.nan_to_num(first - events["start"], nan=np.inf), grouped=as_one)


def checks(tables: Tables) -> list[Check]:
    worse, better = (_of(tables["findings"], OURS, USUAL, worse) for worse in (True, False))
    return [
        Check("confirmed regressions that are false", _share_false(worse), "at most", MOST_FALSE),
        Check(
            "confirmed regressions and improvements that are false",
            _share_false(pd.concat((worse, better))), "at most", MOST_FALSE,
        ),
    ]  # fmt: skip


def _of(rows: pd.DataFrame, method: str, setting: str, worse: bool = True) -> pd.DataFrame:
    """What is worse (or better) of one method's setting."""
    return rows[(rows["method"] == method) & (rows["setting"] == setting) & (rows["worse"] == worse)]


def _share_false(told: pd.DataFrame) -> Estimate:
    return share_of(int((~told["true"].astype(bool)).sum()), len(told))


def chapter(tables: Tables, seed: int) -> list[str]:
    fleets, (check, both) = tables["fleets"], checks(tables)
    judged = _of(tables["events"], OURS, USUAL)
    lines = [
        "## Thirty days replayed hour by hour",
        "",
        f"{len(fleets)} fleets (seeds {seed} to {seed + len(fleets) - 1}) of {fleets['series'].iloc[0]} series each: "
        "tests on nodes with three metrics, measured every hour, so a run brings one value of each series. Noise of "
        "all kinds above in turn, "
        f"{100 * LEAST_NOISE:.0f} to {100 * MOST_NOISE:.0f} % of the level; {_share(CYCLE_SHARE)} of the series have a "
        f"daily cycle as well (amplitude {AMPLITUDE} sd), {_share(DRIFT_SHARE)} a drift (of {DRIFT} sd from first to "
        f"last value). After 20 days of history, {fleets['runs'].iloc[0]} runs are replayed. Planted in them, "
        f"{SMALLEST} to {LARGEST:.0f} sd large and at least {SETTLED // DAY} days before the end: one test worse on "
        "all nodes, one node worse on all tests, and steps for the worse and the better in other single series. At "
        "each look the product's functions analyse what is known by then, with the anchors of the looks before; "
        f"looks are {_runs(LOOK_EVERY)} apart. A regression counts when it is first confirmed. It is false when none "
        f"of its series has a planted step for the worse within {WITHIN} runs of it or within its interval. Recall is "
        "over the planted steps for the worse that matter by the rules (10 % and the noise; of a test or node, in "
        f"three series): {int(judged['matters'].sum())} of {len(judged)}. Delay: runs from the step to the first "
        "regression that names a series of it, median over the same steps, those never told counting as the longest. "
        "Shares in per cent, with 95 % Wilson intervals.",
        "",
    ]
    for method, settings in SETTINGS.items():
        lines += [_ABOUT[method], "", *_curve(tables, method, settings, check)]
    return [*lines, *_told_of_ours(tables, both), met([check, both]), ""]


def _share(share: float) -> str:
    return f"{100 * share:.0f} %"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _curve(tables: Tables, method: str, settings: Sequence[str], check: Check) -> list[str]:
    thousands = float(tables["fleets"]["runs"].sum()) / 1_000.0
    rows = []
    for setting in settings:
        told, events = _of(tables["findings"], method, setting), _of(tables["events"], method, setting)
        delays = events.loc[events["matters"], "delay"]
        true, false = int(told["true"].sum()), len(told) - int(told["true"].sum())
        standing = share_of(int((told["stands"] != "vanished").sum()), len(told))
        usual = method == OURS and setting == USUAL
        rows.append(
            [
                setting, f"{len(told):,}", f"{false:,}",
                percent(share_of(true, len(told))) + (mark(check) if usual else ""),
                percent(share_of(int(np.isfinite(delays).sum()), len(delays))), number(median_of(delays), 0),
                number(rate_of(false, thousands)), "–" if method == NAIVE else percent(standing),
            ]
        )  # fmt: skip
    header = [
        _SETTING[method], "told", "false", "precision, %", "recall, %", "delay, runs",
        "false alarms per 1,000 runs", "still told at the end, %",
    ]  # fmt: skip
    return table(header, rows)


def _told_of_ours(tables: Tables, both: Check) -> list[str]:
    """What the curve does not show of the usual setting."""
    told, better = (_of(tables["findings"], OURS, USUAL, worse) for worse in (True, False))
    events = _of(tables["events"], OURS, USUAL)
    groups = events[(events["scope"] != "series") & events["matters"]]
    stands = told["stands"].value_counts()
    lines = [
        f"At the rate {USUAL}: {percent(_share_false(told))} % of the confirmed regressions are false (at most "
        f"{100 * MOST_FALSE:.0f} %). Of {len(told)}, {stands.get('stands', 0)} are told at the last look with the "
        f"same id, {stands.get('renamed', 0)} with another, {stands.get('vanished', 0)} have vanished "
        f"({int((~told.loc[told['stands'] == 'vanished', 'true'].astype(bool)).sum())} of these false). "
        f"{int(groups['grouped'].sum())} of {len(groups)} tests and nodes that got worse are told as such at the last "
        "look. "
        f"Improvements: {len(better)} confirmed, {int((~better['true'].astype(bool)).sum())} of them false; of both "
        f"together {percent(both.figure)} %{mark(both)} are false (at most {100 * MOST_FALSE:.0f} %). Confirmed "
        f"by the look before the replay and not counted: {int(tables['fleets']['known'].sum())} regressions.",
        "",
    ]
    false = pd.concat((told[~told["true"].astype(bool)], better[~better["true"].astype(bool)]))
    if len(false):
        listed = [
            f"- fleet {row.fleet}, {'regression' if row.worse else 'improvement'} of {row.scope} {row.series_id} "
            f"({row.noise}) from {row.low} to {row.high}, told with value {row.told_at}, {row.stands} at the end"
            for row in false.itertuples()
        ]
        lines += ["False ones:", "", *listed, ""]
    return lines
