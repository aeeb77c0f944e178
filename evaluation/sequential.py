"""Change points as values come in: false alarms over all looks together, delay to confirmation, and what stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.change_points import NEAR
from evaluation.markdown import mark, met, number, percent, table
from evaluation.methods import OURS
from evaluation.peers import ask
from evaluation.proportions import Check, Estimate, median_of, share_of
from evaluation.signals import KINDS, POINTS, FloatArray, IndexArray, clean, with_steps_at
from perf_assets.analysis.monitoring import replay

PLACE = 100
SIZE = 2.0
FIRST_LOOK = 20
"""Values from which a peer is asked again with each new one."""
WANDER = 2
"""Points that a confirmed change point may be off."""
MOST_EVER = {"white": 0.01, "AR .3": 0.01, "AR .6": 0.03}
MOST_DELAY = {"white": 7, "AR .3": 10, "AR .6": 16}
COLUMNS = (
    "kind", "method", "series", "ever", "steps", "confirmed", "near", "kept", "delay", "delay_low", "delay_high",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What a method said first, while it looked at every new value: the change point and the index of the value that
    made it say so; `kept`: at the last look it still said so, to within WANDER points.
    """

    index: int
    confirmed_at: int
    kept: bool


Watcher = Callable[[Sequence[FloatArray], int], list[Seen | None]]
"""Takes series and the index from which what is said counts; gives what was said first of each."""


@dataclass(frozen=True)
class Watch:
    name: str
    most_series: int
    kinds: tuple[str, ...]
    first_seen: Watcher


def ours(series: Sequence[FloatArray], since: int) -> list[Seen | None]:
    """A confirmed change point stays, so it is kept by construction."""
    counted = ([c for c in confirmed if c.confirmed_at >= since] for confirmed in replay(series))
    return [Seen(found[0].index, found[0].confirmed_at, True) if found else None for found in counted]


def otava(series: Sequence[FloatArray], since: int) -> list[Seen | None]:
    """Asked for the whole series again with each new value, from FIRST_LOOK on."""
    looks = [
        (row, end) for row, values in enumerate(series) for end in range(max(FIRST_LOOK, since + 1), values.size + 1)
    ]
    answers = ask("otava", [series[row][:end] for row, end in looks]).change_points
    said: list[list[tuple[int, IndexArray]]] = [[] for _ in series]
    for (row, end), found in zip(looks, answers, strict=True):
        said[row].append((end - 1, found))
    return [_first(looks_of_one, since) for looks_of_one in said]


def _first(looks: list[tuple[int, IndexArray]], since: int) -> Seen | None:
    for at, found in looks:
        if (found >= since - NEAR).any():  # what lies long before was told before
            index = int(found[-1])
            return Seen(index, at, bool((np.abs(looks[-1][1] - index) <= WANDER).any()))
    return None


FEWER = 500
"""Series of the kinds without a target."""
WATCHES = (Watch(OURS, 2_000, tuple(KINDS), ours), Watch("Otava", 20, tuple(MOST_EVER), otava))


def evaluate_sequential(series: int, seed: int, watches: tuple[Watch, ...] = WATCHES) -> pd.DataFrame:
    """One row a kind and method with the columns COLUMNS.

    `ever`: clean series with an alarm at any of the looks; `confirmed` of `steps` series whose step at PLACE was told,
    `near` of them within WANDER points of the truth, `kept` of them still told at the last look; `delay`: values of the
    new level until then, the median with its 95 % interval, infinite for steps never told.
    """
    rows: list[tuple[object, ...]] = []
    for kind in KINDS:
        print(f"  sequential: {kind}", flush=True)
        noise = clean(kind, series, seed)
        random = np.random.default_rng([seed, PLACE])
        stepped = with_steps_at(clean(kind, series, seed + 1), SIZE, np.full(series, PLACE), random)
        for watch in watches:
            if kind not in watch.kinds:
                continue
            count = min(series, watch.most_series if kind in MOST_EVER else FEWER)
            ever = sum(seen is not None for seen in watch.first_seen(list(noise[:count]), 0))
            told = watch.first_seen(list(stepped[:count]), PLACE)
            steps = [seen for seen in told if seen is not None]
            near = sum(abs(seen.index - PLACE) <= WANDER for seen in steps)
            kept = sum(seen.kept for seen in steps)
            delay = median_of([np.inf if seen is None else seen.confirmed_at - PLACE + 1 for seen in told])
            rows.append(
                (kind, watch.name, count, ever, len(told), len(steps), near, kept, delay.value, delay.low, delay.high)
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def checks(results: pd.DataFrame) -> list[Check]:
    ours_by_kind = results[results["method"] == OURS].set_index("kind")
    listed = []
    for kind, most in MOST_EVER.items():
        row = ours_by_kind.loc[kind]
        listed.append(
            Check(f"ever an alarm on {kind}", share_of(int(row["ever"]), int(row["series"])), "at most", most)
        )
    for kind, longest in MOST_DELAY.items():
        listed.append(Check(f"delay in {kind}", _delay(ours_by_kind.loc[kind]), "at most", longest))
    return listed


def chapter(results: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results)
    by_name = {check.what: check for check in judged}
    counts = results[results["kind"].isin(MOST_EVER)].groupby("method", sort=False)["series"].max()
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    fewer = results["series"][~results["kind"].isin(MOST_EVER)].max()
    lines = [
        "## Change points as values come in",
        "",
        f"The same kinds, one value at a time (`Monitor`), over {POINTS} values: how many clean series ever raise an "
        f"alarm, and how many values of the new level it takes to confirm a {SIZE:.0f}-sigma step at point {PLACE} "
        "(median; a step never told counts as the longest; alarms before the step are counted in the first column "
        f"only). Otava is asked again with each new value, from {FIRST_LOOK} on, in three kinds only as that is slow. "
        f"Series a kind: {told}, {fewer} without a target; "
        f"seed {seed}.",
        "",
    ]
    rows = []
    for row in results.itertuples():
        own = row.method == OURS
        ever = percent(share_of(row.ever, row.series)) + (
            mark(by_name.get(f"ever an alarm on {row.kind}")) if own else ""
        )
        delay = _delay(results.loc[row.Index])
        rows.append(
            [
                row.kind, row.method,
                f"{100 * MOST_EVER[row.kind]:.0f}" if row.kind in MOST_EVER and own else "", ever,
                str(MOST_DELAY[row.kind]) if row.kind in MOST_DELAY and own else "",
                number(delay, 0) + (mark(by_name.get(f"delay in {row.kind}")) if own else ""),
                percent(share_of(row.confirmed, row.steps)), percent(share_of(row.near, row.confirmed)),
                percent(share_of(row.kept, row.confirmed)),
            ]
        )  # fmt: skip
    header = ["noise", "method", "at most", "ever an alarm, %", "at most", "delay, values", "steps told, %",
              f"within {WANDER} points of it, %", "still there at the end, %"]  # fmt: skip
    lines += table(header, rows)
    return [*lines, f"{met(judged)} What `Monitor` has confirmed stays as it is by construction.", ""]


def _delay(row: pd.Series) -> Estimate:
    return Estimate(float(row["delay"]), float(row["delay_low"]), float(row["delay_high"]))
