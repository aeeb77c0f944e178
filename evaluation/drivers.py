"""What `key_insights` says of the duration of scenario runs, held against data sets whose cause is known.

The truth of a model is its R² on new runs of the same process: runs of the same scenarios, or of scenarios that were
not among those it was fitted to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.markdown import mark, met, percent, table
from evaluation.proportions import Check, Estimate, share_of
from evaluation.signals import FloatArray
from perf_assets.advice.insights import about_scenarios
from perf_assets.analysis.duration_models import judge_projects, judged_tables
from perf_assets.analysis.durations import FEATURES, WELL_EXPLAINED, fit_duration_model, scenario_efficiency

RUNS, NEW_RUNS = 50, 4_000
SCENARIOS, NEW_SCENARIOS = 6, 40
TOLERANCE = 0.05
MOST_OVERCLAIMS, MOST_WRONGLY_MISSING, LEAST_COVERAGE = 0.05, 0.05, 0.90
KINDS = ("log of edges, heavy tail", "risks", "scenario", "noise", "one run of large leverage", "collinear features")
_CAUSES = {
    "log of edges, heavy tail": "edges", "risks": "risks", "scenario": "scenario", "collinear features": "observations",
}  # fmt: skip
_LEAST = re.compile(r"explains at least (\d+) %")
_NEW_SCENARIO = re.compile(r"For a scenario that it has not seen R² is \S+ \(95 % interval (\S+) to")


@dataclass(frozen=True)
class DataSet:
    """`runs` to judge; `later` ones of the same scenarios and `unseen` ones of others; `explainable` is the R² of one
    who knows the cause."""

    runs: pd.DataFrame
    later: pd.DataFrame
    unseen: pd.DataFrame
    explainable: float


def data_sets(kind: str, count: int, seed: int) -> Iterator[DataSet]:
    for number in range(count):
        random = np.random.default_rng([seed, KINDS.index(kind), number])
        effects = random.normal(0.0, 300.0, SCENARIOS + NEW_SCENARIOS)
        runs, _ = _drawn(kind, RUNS, np.arange(SCENARIOS), effects, random)
        later, cause = _drawn(kind, NEW_RUNS, np.arange(SCENARIOS), effects, random)
        unseen, _ = _drawn(kind, NEW_RUNS, np.arange(SCENARIOS, effects.size), effects, random)
        if kind == "one run of large leverage":
            # A run of ten times the edges that took five times as long makes a good fit of itself alone.
            runs.loc[int(random.integers(RUNS)), ["edges", "duration"]] = 30_000.0, 6_000.0
        yield DataSet(runs, later, unseen, float(np.var(cause) / later["duration"].var(ddof=0)))


def _drawn(
    kind: str, count: int, scenarios: np.ndarray, effects: FloatArray, random: np.random.Generator
) -> tuple[pd.DataFrame, FloatArray]:
    """Runs, one an hour, and what their cause adds to each duration, in s."""
    scenario = random.choice(scenarios, count)
    nodes, observations = random.uniform(100.0, 900.0, count), random.uniform(50.0, 300.0, count)
    edges, risks = random.uniform(300.0, 3_000.0, count), random.integers(0, 4, count).astype(np.float64)
    cause, noise = np.zeros(count), 200.0
    if kind == "log of edges, heavy tail":
        edges = np.exp(random.normal(6.0, 1.5, count))
        cause, noise = 300.0 * np.log(edges), 250.0
    elif kind == "risks":
        cause = 300.0 * risks
    elif kind == "scenario":
        cause = effects[scenario]
    elif kind == "collinear features":
        nodes = 3.0 * observations + random.normal(0.0, 10.0, count)
        cause = 4.0 * observations
    runs = pd.DataFrame(
        {
            "project": "own", "run_id": range(count), "scenario": [f"scenario-{number}" for number in scenario],
            "ts": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(count), "h"),
            "duration": 1_200.0 + cause + noise * random.standard_normal(count),
            "nodes": nodes, "edges": edges, "observations": observations, "risks": risks,
        }
    )  # fmt: skip
    return runs, cause


def r_squared(expected: FloatArray, duration: FloatArray) -> float:
    return 1.0 - float(((duration - expected) ** 2).sum() / ((duration - duration.mean()) ** 2).sum())


@dataclass(frozen=True)
class Outcome:
    """Of one data set. `claims_more`: the insight's levels or lower ends are above the truth by more than TOLERANCE;
    `covered`: the interval of R² of runs left out holds it; `cause_first`: the largest share is that of the cause, None
    without shares. `peer_...`: today's linear model of three features, leaving each run out."""

    claims_more: bool
    said_missing: bool
    explainable: float
    covered: bool
    explained: bool
    cause_first: bool | None
    peer_claims_more: bool
    peer_end_claims_more: bool


def outcome(kind: str, data: DataSet) -> Outcome:
    judged = judge_projects(data.runs)
    drivers, models = judged_tables(data.runs, judged)
    said = next(
        insight for insight in about_scenarios(data.runs, drivers, models, scenario_efficiency(data.runs))
        if insight["kind"] == "prediction_accuracy"
    )  # fmt: skip
    title, text = str(said["title"]), str(said["text"])
    (found,) = judged.values()
    truth, truth_unseen = (
        r_squared(found.expect(new)["expected"].to_numpy(), new["duration"].to_numpy())
        for new in (data.later, data.unseen)
    )
    chosen = models[models["chosen"]].iloc[0]
    shares = drivers.dropna(subset=["share"])
    cause = _CAUSES.get(kind)
    first = set(shares.loc[shares["share"] == shares["share"].max(), "driver"])
    linear = fit_duration_model(data.runs)
    assert linear is not None
    by_hand = linear.intercept + data.later[list(FEATURES)].to_numpy(dtype=np.float64) @ linear.coefficients
    linear_truth = r_squared(by_hand, data.later["duration"].to_numpy())
    return Outcome(
        claims_more=_claimed(title, text) > truth + TOLERANCE or _claimed_unseen(text) > truth_unseen + TOLERANCE,
        said_missing="has not been recorded" in text,
        explainable=data.explainable,
        covered=bool(chosen["r_squared_left_out_low"] <= truth <= chosen["r_squared_left_out_high"]),
        explained="explained by" in title and "not explained" not in title,
        cause_first=None if shares.empty or cause is None else cause in first,
        peer_claims_more=linear.r_squared_cross_validated > max(linear_truth, 0.0) + TOLERANCE,
        peer_end_claims_more=linear.r_squared_interval[0] > max(linear_truth, 0.0) + TOLERANCE,
    )


def _claimed(title: str, text: str) -> float:
    """The R² for later runs that the sentences say at least; nothing said claims nothing."""
    levels = {"well explained": WELL_EXPLAINED, "partly explained": WELL_EXPLAINED / 2}
    least = _LEAST.search(text)
    stated = [level for words, level in levels.items() if words in title]
    return max([-np.inf, *stated, *([int(least[1]) / 100.0] if least else [])])


def _claimed_unseen(text: str) -> float:
    stated = _NEW_SCENARIO.search(text)
    return float(stated[1]) if stated else -np.inf


def evaluate_drivers(count: int, seed: int) -> pd.DataFrame:
    """One row a data set: kind and the fields of Outcome."""
    rows = []
    for kind in KINDS:
        print(f"  drivers: {kind}", flush=True)
        rows += [{"kind": kind, **vars(outcome(kind, data))} for data in data_sets(kind, count, seed)]
    return pd.DataFrame(rows)


def checks(results: pd.DataFrame) -> list[Check]:
    judged = []
    for kind, own in results.groupby("kind", sort=False):
        judged.append(Check(f"claims more: {kind}", _share(own["claims_more"]), "at most", MOST_OVERCLAIMS))
        if kind in _CAUSES:
            wrongly = _share(own["said_missing"] & (own["explainable"] > WELL_EXPLAINED / 2))
            judged.append(Check(f"wrongly not recorded: {kind}", wrongly, "at most", MOST_WRONGLY_MISSING))
        judged.append(Check(f"coverage: {kind}", _share(own["covered"]), "at least", LEAST_COVERAGE))
    return judged


def _share(flags: pd.Series) -> Estimate:
    return share_of(int(flags.sum()), len(flags))


def chapter(results: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results)
    marks = {check.what: mark(check) for check in judged}
    rows = []
    for kind, own in results.groupby("kind", sort=False):
        shares = own["cause_first"].dropna().astype(bool)
        rows.append(
            [
                str(kind),
                percent(_share(own["claims_more"])) + marks[f"claims more: {kind}"],
                percent(_share(own["peer_claims_more"])),
                percent(_share(own["peer_end_claims_more"])),
                percent(_share(own["said_missing"])) + marks.get(f"wrongly not recorded: {kind}", ""),
                percent(_share(own["covered"])) + marks[f"coverage: {kind}"],
                percent(_share(own["explained"])),
                f"{int(shares.sum())} of {len(shares)}" if kind in _CAUSES else "no cause",
            ]
        )
    return [
        "## Drivers of duration",
        "",
        f"What `key_insights` says of {results['kind'].value_counts().max()} simulated data sets a kind, of {RUNS} "
        f"runs of {SCENARIOS} scenarios, an hour apart; seed {seed}. Per cent of data sets, 95 % Wilson intervals. The "
        f"truth is the R² of the chosen model on {NEW_RUNS:,} new runs of the same scenarios, and of others for what "
        f"is said of scenarios not seen. Claims more: a level of the title (R² {WELL_EXPLAINED} or "
        f"{WELL_EXPLAINED / 2}) or a lower end in the text is above the truth by more than {TOLERANCE}; target at most "
        f"{100 * MOST_OVERCLAIMS:.0f}. Linear, leave-one-out: R² of the three features by least squares, leaving each "
        "run out, and the lower end of its bootstrap interval, above the truth of that model or 0 by as much. Said not "
        f"to be recorded: target at most {100 * MOST_WRONGLY_MISSING:.0f} where the cause is recorded. Coverage of the "
        f"95 % interval of R² of runs left out: target at least {100 * LEAST_COVERAGE:.0f}. Explained: the title says "
        "well or partly. Cause first: data sets with shares in which the cause has the largest.",
        "",
        *table(
            ["data sets", "claims more", "linear, leave-one-out", "its lower end", "said not recorded", "coverage",
             "explained", "cause first"],
            rows,
        ),
        f"{met(judged)}",
        "",
    ]  # fmt: skip
