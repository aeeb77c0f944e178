"""Change points in hindsight: alarms on series without one, and steps found where they are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.markdown import MISSED, mark, met, number, percent, table
from evaluation.methods import DESCRIPTION, METHODS, OURS, Method
from evaluation.proportions import Check, Estimate, mean_of, share_of
from evaluation.signals import KINDS, POINTS, FloatArray, IndexArray, clean, with_steps

SIZES = (1.0, 2.0)
"""Of steps, in standard deviations of the noise."""
NEAR = 5
"""Points between a step and what is said of it, at most, for it to count as found."""
MOST_ALARMS = dict.fromkeys(KINDS, 0.01) | {"AR .6": 0.03, "drift": 0.05}
LEAST_FOUND = {
    ("white", 1.0): 0.70, ("white", 2.0): 0.97, ("outliers", 2.0): 0.97, ("spikes", 2.0): 0.97,
    ("seasonal", 2.0): 0.97, ("lognormal", 2.0): 0.97, ("AR .3", 2.0): 0.90, ("AR .6", 2.0): 0.75,
    ("bimodal", 2.0): 0.88, ("drift", 2.0): 0.90,
}  # fmt: skip
MOST_OFF = 0.65
"""Points between a 2-sigma step in white noise and where it is found, on average."""
COLUMNS = ("kind", "size", "method", "series", "hits", "off_mean", "off_low", "off_high")


def evaluate_change_points(series: int, seed: int, methods: tuple[Method, ...] = METHODS) -> pd.DataFrame:
    """One row a kind, size and method with the columns COLUMNS.

    `size` 0: series without a step, `hits` have an alarm; else `hits` are the steps found within NEAR points, and
    `off_` is the mean distance of those, in points, with its 95 % interval.
    """
    rows: list[tuple[object, ...]] = []
    for kind in KINDS:
        print(f"  change points: {kind}", flush=True)
        noise = clean(kind, series, seed)
        # Steps are put into other noise than the alarms are counted on.
        stepped = [with_steps(clean(kind, series, seed + block), size, seed) for block, size in enumerate(SIZES, 1)]
        for method in methods:
            count = min(series, method.most_series)
            inputs = [row for values in (noise, *(values for values, _ in stepped)) for row in values[:count]]
            answers = method.find(inputs)
            alarms = sum(found.size > 0 for found in answers[:count])
            rows.append((kind, 0.0, method.name, count, alarms, *[float("nan")] * 3))
            for block, (size, (_, places)) in enumerate(zip(SIZES, stepped, strict=True), 1):
                off = distances(answers[block * count : (block + 1) * count], places[:count])
                near = off[off <= NEAR]
                mean = mean_of(near)
                rows.append((kind, size, method.name, count, near.size, mean.value, mean.low, mean.high))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def distances(found: list[IndexArray], places: IndexArray) -> FloatArray:
    """Points from each step to the nearest change point found, infinite where there is none."""
    return np.array(
        [np.min(np.abs(cuts - float(place)), initial=np.inf) for cuts, place in zip(found, places, strict=True)]
    )


def checks(results: pd.DataFrame) -> list[Check]:
    ours = results[results["method"] == OURS].set_index(["kind", "size"])
    listed = []
    for kind, most in MOST_ALARMS.items():
        row = ours.loc[(kind, 0.0)]
        listed.append(Check(f"alarms on clean {kind}", share_of(int(row["hits"]), int(row["series"])), "at most", most))
    for (kind, size), least in LEAST_FOUND.items():
        row = ours.loc[(kind, size)]
        listed.append(
            Check(f"{size:.0f} sigma in {kind}", share_of(int(row["hits"]), int(row["series"])), "at least", least)
        )
    white = ours.loc[("white", 2.0)]
    listed.append(Check("location of steps in white noise", _off(white), "at most", MOST_OFF))
    return listed


def chapter(results: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results)
    by_name = {check.what: check for check in judged}
    methods = list(results["method"].unique())
    counts = results.groupby("method", sort=False)["series"].max()
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    lines = [
        "## Change points",
        "",
        f"Series of {POINTS} points; noise of standard deviation 1 before outliers (5 % of points moved by 8 to 12 "
        "either way), spikes (5 % moved up by 5 to 15), a season (sine of period 7, amplitude 1.5), a second mode "
        "(30 % of points 3 higher) or a drift (1.5 over the series) are added; lognormal is the exponential of 0.6 "
        "normal, standardised; quantised is rounded to 1. All lie at a level of 20, as methods need that go by per "
        f"cent. Series a kind: {told}; seed {seed}. Figures are per cent with 95 % Wilson intervals; {MISSED} marks a "
        "target that the interval excludes.",
        "",
        DESCRIPTION,
        "",
        "Clean series with an alarm:",
        "",
    ]
    rows = []
    for kind in KINDS:
        cells = [percent(_share(results, kind, 0.0, method)) for method in methods]
        cells[0] += mark(by_name[f"alarms on clean {kind}"])
        rows.append([kind, f"{100 * MOST_ALARMS[kind]:.0f}", *cells])
    lines += table(["noise", "target at most", *methods], rows)
    lines += [
        f"Steps found within {NEAR} points, between 15 and 85 % of the series. A method that often raises alarms on "
        "clean series also finds steps by chance:",
        "",
    ]
    rows = []
    for size in SIZES:
        for kind in KINDS:
            least = LEAST_FOUND.get((kind, size))
            cells = [percent(_share(results, kind, size, method)) for method in methods]
            cells[0] += mark(by_name.get(f"{size:.0f} sigma in {kind}"))
            rows.append([f"{size:.0f} sigma, {kind}", f"{100 * least:.0f}" if least else "", *cells])
    lines += table(["step", "target at least", *methods], rows)
    lines += ["Points between a found 2-sigma step and the truth, on average:", ""]
    rows = []
    for kind in KINDS:
        chosen = results[(results["kind"] == kind) & (results["size"] == 2.0)].set_index("method")
        cells = [number(_off(chosen.loc[method])) for method in methods]
        if kind == "white":
            cells[0] += mark(by_name["location of steps in white noise"])
        rows.append([kind, f"{MOST_OFF}" if kind == "white" else "", *cells])
    lines += table(["noise", "target at most", *methods], rows)
    return [*lines, f"{met(judged)} {_in_words(results)}", ""]


def _in_words(results: pd.DataFrame) -> str:
    """What the tables come to, in one sentence."""
    clean_rows = results[results["size"] == 0.0]
    worst = (clean_rows["hits"] / clean_rows["series"]).groupby(clean_rows["method"], sort=False).max()
    others = worst.drop(OURS)
    best = others.idxmin()
    return (
        f"In whatever noise, at most {100 * worst[OURS]:.1f} % of unchanged series raise an alarm; of the others, "
        f"{best} comes closest with {100 * others[best]:.0f} % in its worst noise, and Otava reaches "
        f"{100 * others['Otava']:.0f} %."
    )


def _share(results: pd.DataFrame, kind: str, size: float, method: str) -> Estimate:
    row = results[(results["kind"] == kind) & (results["size"] == size) & (results["method"] == method)].iloc[0]
    return share_of(int(row["hits"]), int(row["series"]))


def _off(row: pd.Series) -> Estimate:
    return Estimate(float(row["off_mean"]), float(row["off_low"]), float(row["off_high"]))
