"""Planted joint episodes: does the search over a node's metrics find them, and nothing else?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.markdown import mark, met, percent, table
from evaluation.proportions import Check, Estimate, Proportion, share_of
from evaluation.signals import autoregressive
from perf_assets.analysis.joint_anomalies import find_joint_episodes

METRICS = 12
AFFECTED = 5
LENGTH = 10
SHIFT = 2.0
"""In standard deviations of a metric's noise, on each affected metric."""
LEAST_SHARE = 0.9
"""Target of precision and of recall."""
_GUARD = 3 * LENGTH


@dataclass(frozen=True)
class JointOutcome:
    """Of the episodes reported, those that overlap a planted one; of those planted, the found; of the clean tables,
    those with a report.
    """

    precision: Proportion
    recall: Proportion
    clean_with_episode: Proportion


def evaluate_joint_episodes(seeds: Sequence[int], load: float = 0.6, autocorrelation: float = 0.3) -> JointOutcome:
    """One table with planted episodes and one without for each seed.

    `load`: share of each metric's variance that follows the common load, at most; `autocorrelation`: lag-1, of load
    and noise.
    """
    right = reported = found = planted = false_tables = 0
    for seed in seeds:
        table, starts = simulate_metrics(seed, load, autocorrelation)
        truth = [(start, start + LENGTH - 1) for start in starts]
        episodes = list(find_joint_episodes(table)[["start", "end"]].itertuples(index=False, name=None))
        right += sum(any(_overlap(episode, true) for true in truth) for episode in episodes)
        found += sum(any(_overlap(episode, true) for episode in episodes) for true in truth)
        reported += len(episodes)
        planted += len(truth)
        clean, _ = simulate_metrics(seed, load, autocorrelation, shift=0.0)
        false_tables += not find_joint_episodes(clean).empty
    return JointOutcome(Proportion(right, reported), Proportion(found, planted), Proportion(false_tables, len(seeds)))


def outcome_table(outcome: JointOutcome) -> pd.DataFrame:
    """One row a share: what, hits, trials."""
    shares = (("precision", outcome.precision), ("recall", outcome.recall), ("clean", outcome.clean_with_episode))
    return pd.DataFrame([(what, one.hits, one.trials) for what, one in shares], columns=["what", "hits", "trials"])


def checks(results: pd.DataFrame) -> list[Check]:
    return [
        Check(f"{what} of joint episodes", _share(results, what), "at least", LEAST_SHARE)
        for what in ("precision", "recall")
    ]


def chapter(results: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results)
    trials = results.set_index("what")["trials"]
    names = {
        "precision": "episodes reported that overlap a planted one",
        "recall": "planted episodes that were found",
        "clean": "tables without any that had a report",
    }
    rows = [
        [names[check.what.split()[0]], f"at least {100 * check.target:.0f}", percent(check.figure) + mark(check)]
        for check in judged
    ]
    rows.append([names["clean"], "", percent(_share(results, "clean"))])
    return [
        "## Metrics that are odd together",
        "",
        f"{trials['clean']:,} tables of {METRICS} metrics and 500 to 2,000 rows (seeds from {seed}) with 1 to 3 "
        "planted "
        f"episodes each: {AFFECTED} metrics shifted by {SHIFT:.0f} sigma either way over {LENGTH} rows, "
        f"{trials['recall']:,} "
        "in all; the same tables without them. Metrics share a common load of up to 60 % of their variance, "
        "autocorrelation .3. Per cent, 95 % Wilson intervals.",
        "",
        *table(["", "target", "perf_assets"], rows),
        met(judged),
        "",
    ]


def _share(results: pd.DataFrame, what: str) -> Estimate:
    row = results[results["what"] == what].iloc[0]
    return share_of(int(row["hits"]), int(row["trials"]))


def simulate_metrics(
    seed: int, load: float, autocorrelation: float, shift: float = SHIFT
) -> tuple[pd.DataFrame, list[int]]:
    """A table of 500 to 2,000 rows and 12 metrics of unit variance, and the first rows of its 1 to 3 episodes, in each
    of which 5 metrics are shifted either way by `shift`.
    """
    random = np.random.default_rng([seed, 12])
    rows, count = int(random.integers(500, 2001)), int(random.integers(1, 4))
    shares = random.uniform(0.0, load, METRICS)
    common = autoregressive(random.standard_normal((1, rows)), autocorrelation).T
    own = autoregressive(random.standard_normal((METRICS, rows)), autocorrelation).T
    values = np.sqrt(shares) * common + np.sqrt(1.0 - shares) * own
    starts = _starts(random, rows, count)
    for start in starts:
        affected = random.choice(METRICS, AFFECTED, replace=False)
        values[start : start + LENGTH, affected] += shift * random.choice([-1.0, 1.0], AFFECTED)
    return pd.DataFrame(values, columns=[f"metric_{number}" for number in range(METRICS)]), starts


def _starts(random: np.random.Generator, rows: int, count: int) -> list[int]:
    while True:
        starts = np.sort(random.integers(0, rows - LENGTH, count))
        if count == 1 or np.diff(starts).min() > _GUARD:
            return [int(start) for start in starts]


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
