"""Change points in series made like real histories: alarms on clean ones, steps found, and points that are no step."""

from __future__ import annotations

from itertools import islice

import pandas as pd

from evaluation.history_signals import (
    CLEAN_KINDS,
    EXCURSION,
    FEWEST,
    HISTORY_KINDS,
    MODES_APART,
    MOST,
    NEWEST_VALUES,
    NOISY_TIMES,
    NOISY_VALUES,
    QUIET_STEP,
    RELATIVE_NOISE,
    RELATIVE_STEP,
    SEGMENT,
    SHORT_STEP,
    SIZES,
    STEPPED_KINDS,
    WANDER_STEP,
    History,
    histories,
)
from evaluation.labelled import matched
from evaluation.markdown import met, number, percent, table
from evaluation.methods import METHODS, OURS, Method
from evaluation.proportions import Check, rate_of, share_of
from evaluation.signals import POINTS, IndexArray

NEAR = 3
"""Points between a step and what is said of it, at most, for it to count as found."""
_PEERS = {"Otava": 200, "KernelCPD rbf": 500}
"""Peers beside the product, and the most series of a kind that they are given."""
REAL_METHODS = tuple(
    Method(method.name, _PEERS.get(method.name, method.most_series), method.find)
    for method in METHODS
    if method.name in (OURS, *_PEERS)
)
MOST_ALARMS = {"AR .9": 0.069, "random walk": 0.029, "two modes, each kept 5 values": 0.225}
"""Shares of clean series with an alarm, at most, in kinds where slow change looks like levels."""
COLUMNS = ("kind", "method", "series", "values", "alarms", "steps", "found", "false")


def evaluate_real_kinds(series: int, seed: int, methods: tuple[Method, ...] = REAL_METHODS) -> pd.DataFrame:
    """One row a kind and method with the columns COLUMNS, all counts.

    `alarms`: series with any change point; `found`: steps with a change point of their own within NEAR points;
    `false`: change points that are of no step.
    """
    drawn = {kind: histories(kind, series, seed) for kind in HISTORY_KINDS}
    rows = []
    for method in methods:
        print(f"  real kinds: {method.name}", flush=True)
        chosen = {kind: several[: method.most_series] for kind, several in drawn.items()}
        # All kinds in one question: a peer takes longer to start than to answer.
        answers = iter(method.find([one.values for several in chosen.values() for one in several]))
        for kind, several in chosen.items():
            rows.append((kind, method.name, *_counts(several, list(islice(answers, len(several))))))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _counts(drawn: list[History], answers: list[IndexArray]) -> tuple[int, ...]:
    found = sum(len(matched(set(one.places.tolist()), set(cuts.tolist()), NEAR))
                for one, cuts in zip(drawn, answers, strict=True))  # fmt: skip
    values, steps = sum(one.values.size for one in drawn), sum(one.places.size for one in drawn)
    given = sum(cuts.size for cuts in answers)
    return len(drawn), values, sum(cuts.size > 0 for cuts in answers), steps, found, given - found


def checks(results: pd.DataFrame) -> list[Check]:
    ours = results[results["method"] == OURS].set_index("kind")
    shares = ((kind, share_of(int(ours.loc[kind, "alarms"]), int(ours.loc[kind, "series"]))) for kind in MOST_ALARMS)
    return [Check(f"alarms on {kind}", share, "at most", MOST_ALARMS[kind]) for kind, share in shares]


def chapter(results: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results)
    methods = list(results["method"].unique())
    counts = results.groupby("method", sort=False)["series"].max()
    by_kind = results.set_index(["kind", "method"])
    clean_rows = [
        [
            kind,
            f"{100 * MOST_ALARMS[kind]:.1f}" if kind in MOST_ALARMS else "",
            *(percent(share_of(int(row["alarms"]), int(row["series"]))) for row in _rows(by_kind, kind, methods)),
        ]
        for kind in CLEAN_KINDS
    ]
    found_rows = [
        [kind, *(percent(share_of(int(row["found"]), int(row["steps"]))) for row in _rows(by_kind, kind, methods))]
        for kind in STEPPED_KINDS
    ]
    false_rows = [
        [kind, *(number(rate_of(int(row["false"]), row["values"] / 1_000.0)) for row in _rows(by_kind, kind, methods))]
        for kind in STEPPED_KINDS
    ]
    return [
        "## Change points in series like real histories",
        "",
        f"What histories of benchmarks show over years, drawn at random: {_described()} Series a kind: "
        f"{', '.join(f'{name} {count:,}' for name, count in counts.items())}; seed {seed}. Methods as under Change "
        "points. Figures have 95 % intervals, Wilson of shares and Poisson of rates.",
        "",
        "Clean series with an alarm, per cent:",
        "",
        *table(["series", "target at most", *methods], clean_rows),
        f"Steps found within {NEAR} points, per cent:",
        "",
        *table(["series", *methods], found_rows),
        "Change points that are of no step, on 1,000 values of the same series:",
        "",
        *table(["series", *methods], false_rows),
        met(judged),
        "",
    ]


def _rows(by_kind: pd.DataFrame, kind: str, methods: list[str]) -> list[pd.Series]:
    return [by_kind.loc[(kind, method)] for method in methods]


def _described() -> str:
    return (
        f"{POINTS} values unless said, noise of standard deviation 1. AR .9 is slow wander. Two modes lie "
        f"{MODES_APART:.0f} apart, and each is kept for a number of values that is geometric with the mean given. A "
        f"noisy beginning has {NOISY_TIMES:.0f} times the noise over {NOISY_VALUES} values, and the step after it "
        f"{QUIET_STEP:.0f} standard deviations of the quiet values. Odd values are single ones of any size among equal "
        f"ones. Short histories have {FEWEST} to {MOST} values and a step of {SHORT_STEP:.0f}, {NEWEST_VALUES} values "
        f"before the end at the latest. Levels a thousandfold apart have noise of {100 * RELATIVE_NOISE:.0f} % and, "
        f"within one of them, a step of {100 * RELATIVE_STEP:.0f} %. Among equal values {EXCURSION} in the middle or "
        f"the last {NEWEST_VALUES} lie at another level, of any size. Several steps are of {SIZES[0]:.0f} to "
        f"{SIZES[1]:.0f} with {SEGMENT[0]} to {SEGMENT[1]} values between them. A second mode {MODES_APART:.0f} higher "
        f"appears with 30 to 70 % of the values. The step over AR .9 is of {WANDER_STEP:.0f}."
    )
