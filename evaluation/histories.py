"""Real histories of benchmarks: what the product and its peers find of what two annotators marked, and of what no
reader would miss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from evaluation.history_files import MarkedSeries, agreed_steps, step_sizes
from evaluation.labelled import matched
from evaluation.markdown import mark, met, number, table
from evaluation.methods import OURS, doubled, ours
from evaluation.obvious import obvious_steps, support
from evaluation.peers import ask, peer_version
from evaluation.proportions import Check, Proportion, exactly
from evaluation.reported import report
from evaluation.signals import IndexArray

Finder = Callable[[Sequence[MarkedSeries]], list[IndexArray]]

DETECT, LISTED, CONFIRMED = f"{OURS}, detect", f"{OURS}, reported", f"{OURS}, confirmed"
LEAST_F1, MOST_FALSE = 0.88, 1.0
LEAST_LISTED, LEAST_CONFIRMED, LEAST_PRECISION = 0.85, 0.75, 0.93
LEAST_OBVIOUS, MOST_UNSUPPORTED = 0.95, 0.08
"""Targets: of `detect`, F1 and false points on 1,000 values; of what is reported, shares of the agreed steps of LARGE,
listed and confirmed, and precision; shares of obvious steps reported and of what is reported without support.
"""
LARGE = 0.10
"""Smallest relative change that is reported by default."""
CLASSES = {"over 50 %": (0.5, np.inf), "10 to 50 %": (0.1, 0.5), "under 10 %": (-np.inf, 0.1)}
"""Relative changes by which agreed steps are counted, over the first and up to the second."""
NEAR = 3
"""Values between an obvious step and a finding, at most, for it to count as found."""
IN_DEVELOPMENT = ("conda_asv", "hyper", "ig", "mountpoint_long", "tiger")
"""Histories that the methods were developed with."""
MOST_MISSED = 20
"""Rows of the table of what was missed."""
_NOT_MARKED = 2
"""Margins around a finding within which somebody marked something, or it is false."""
_MANIFOLD = 10.0


def evaluate_histories(
    series: Sequence[MarkedSeries], finders: dict[str, Finder] | None = None
) -> dict[str, pd.DataFrame]:
    """`outcomes`: a row a way of finding and series, all counts (see `_outcome`). `steps`: a row an agreed step:
    history, test, place, values, size (relative), and for each way whether it was found.
    """
    found = _answers(series) if finders is None else {way: find(series) for way, find in finders.items()}
    outcomes, steps = [], []
    for position, one in enumerate(series):
        agreed, sizes = agreed_steps(one), step_sizes(one)
        hits = {way: _found(one, agreed, answers[position]) for way, answers in found.items()}
        for way, answers in found.items():
            outcomes.append({"way": way, **_outcome(one, agreed, sizes, hits[way], answers[position])})
        for place, size in zip(agreed, sizes, strict=True):
            told = {way: place in hit for way, hit in hits.items()}
            title = f"{one.metric} {one.test}"
            steps.append({"history": one.history, "series": title, "place": place, "values": one.values.size,
                          "size": size, **told})  # fmt: skip
    return {"outcomes": pd.DataFrame(outcomes), "steps": pd.DataFrame(steps)}


def _answers(series: Sequence[MarkedSeries]) -> dict[str, list[IndexArray]]:
    values = [one.values for one in series]
    print("  histories: perf-assets run", flush=True)
    reported = report(series)
    print("  histories: methods", flush=True)
    return {
        DETECT: ours(values),
        LISTED: [one.listed for one in reported],
        CONFIRMED: [one.confirmed for one in reported],
        "Otava": ask("otava", values).change_points,
        "KernelCPD rbf": ask("rbf", values).change_points,
        "asv": ask("asv", values).change_points,
        "github-action-benchmark": doubled(values, [one.higher_is_better for one in series]),
    }


def _found(series: MarkedSeries, agreed: Sequence[int], cuts: IndexArray) -> set[int]:
    return set(matched(set(agreed), set(cuts.tolist()), series.margin))


def _outcome(
    series: MarkedSeries, agreed: Sequence[int], sizes: Sequence[float], hits: set[int], cuts: IndexArray
) -> dict[str, object]:
    """history, series (1), values; right and false (findings near a mark or not); steps and found, of each class of
    size and of LARGE; obvious, obvious_found; unsupported.
    """
    near = [any(abs(cut - place) <= _NOT_MARKED * series.margin for place in series.marks) for cut in cuts.tolist()]
    obvious = obvious_steps(series.values)
    counts: dict[str, object] = {
        "history": series.history,
        "series": 1,
        "values": series.values.size,
        "right": sum(near),
        "false": len(near) - sum(near),
        "obvious": len(obvious),
        "obvious_found": sum(bool((np.abs(cuts - place) <= NEAR).any()) for place in obvious),
        "unsupported": sum(support(series.values, cut) == "unsupported" for cut in cuts.tolist()),
    }
    large = [place for place, size in zip(agreed, sizes, strict=True) if size >= LARGE]
    counts |= {"steps of large": len(large), "found of large": len(_found(series, large, cuts))}
    for name, (over, most) in CLASSES.items():
        of_class = [place for place, size in zip(agreed, sizes, strict=True) if over < size <= most]
        counts |= {f"steps {name}": len(of_class), f"found {name}": len(hits & set(of_class))}
    return counts


def scores(outcomes: pd.DataFrame) -> pd.DataFrame:
    """recall, precision, f1, false (findings on 1,000 values) and large (recall from 10 % up) by way and history.

    NaN where there is nothing to divide by: a history without agreed steps, or a way that finds nothing.
    """
    sums = outcomes.groupby(["way", "history"], sort=False).sum()
    steps, found = (sum(sums[f"{what} {name}"] for name in CLASSES) for what in ("steps", "found"))
    recall, precision = found / steps, sums["right"] / (sums["right"] + sums["false"])
    # A way that finds none of the steps has no harmonic mean, whatever its precision.
    f1 = (2.0 * recall * precision / (recall + precision)).where(recall != 0.0, 0.0)
    return pd.DataFrame(
        {
            "recall": recall,
            "precision": precision,
            "f1": f1,
            "false": 1_000.0 * sums["false"] / sums["values"],
            "large": sums["found of large"] / sums["steps of large"],
        }
    )


def checks(outcomes: pd.DataFrame) -> list[Check]:
    if outcomes.empty:
        return []
    means = scores(outcomes).groupby("way").mean()
    sums = outcomes[outcomes["way"] == LISTED].drop(columns=["way", "history"]).sum()
    obvious = Proportion(sums["obvious_found"], sums["obvious"]).share
    unsupported = Proportion(sums["unsupported"], sums["right"] + sums["false"]).share
    return [
        Check("F1 of detect", exactly(means.loc[DETECT, "f1"]), "at least", LEAST_F1),
        Check("false points of detect", exactly(means.loc[DETECT, "false"]), "at most", MOST_FALSE),
        Check("steps from 10 % reported", exactly(means.loc[LISTED, "large"]), "at least", LEAST_LISTED),
        Check("steps from 10 % confirmed", exactly(means.loc[CONFIRMED, "large"]), "at least", LEAST_CONFIRMED),
        Check("precision of what is reported", exactly(means.loc[LISTED, "precision"]), "at least", LEAST_PRECISION),
        Check("obvious steps reported", exactly(obvious), "at least", LEAST_OBVIOUS),
        Check("reported without support", exactly(unsupported), "at most", MOST_UNSUPPORTED),
    ]


def chapter(outcomes: pd.DataFrame, steps: pd.DataFrame) -> list[str]:
    lines = ["## Real histories", ""]
    if outcomes.empty:
        return [
            *lines,
            "histories.json: absent below the folder that was named, if any (`make evaluate DATA=...`).",
            "",
        ]
    judged = {check.what: check for check in checks(outcomes)}
    by_history = scores(outcomes)
    ways = list(outcomes["way"].unique())
    return [
        *lines,
        _measured(outcomes[outcomes["way"] == ways[0]]),
        "",
        _definitions(),
        "",
        "Means over the histories; steps by size are counted over all series:",
        "",
        *_means(outcomes, by_history, ways, judged),
        "By history: F1, recall, precision, and false findings on 1,000 values.",
        "",
        *_by_history(by_history, ways),
        f"By a mechanical rule: a step is obvious when its levels differ by 10 %, the 8 values on either side hardly "
        "overlap and their medians are 4 robust standard deviations apart, and found when a finding lies within "
        f"{NEAR} values. A finding is without support when up to 15 values on either side differ by less than 4 % or "
        "overlap much:",
        "",
        *_mechanical(outcomes, ways, judged),
        *_missed(steps),
        met(list(judged.values())),
        "",
    ]


def _measured(outcomes: pd.DataFrame) -> str:
    """Which histories they are, and how far their figures can be trusted."""
    names = list(outcomes["history"].unique())
    known = [name for name in names if name in IN_DEVELOPMENT]
    if len(known) == len(names):
        told = "all of them are used in development, so that the figures flatter"
    else:
        told = f"of them, {', '.join(known) or 'none'} are used in development, so that the figures of those flatter"
    return (
        f"Measured: {len(outcomes)} series of {len(names)} public histories ({', '.join(names)}), "
        f"{outcomes['values'].sum():,} values; {told}. The targets are stated for histories that are kept apart from "
        "development, and it is by those that the product is judged."
    )


def _definitions() -> str:
    return (
        "Two annotators marked the series independently, without seeing what any tool found. A step is agreed when "
        "both marked one within 1 % of the series, at least 3 values, and found when a finding of its own lies within "
        f"that margin; a finding is false when nobody marked anything within twice the margin. {DETECT}: "
        f"`analysis.change_points.detect_many`. {LISTED}: regressions and improvements of `perf-assets run`, at each "
        "series that takes part; confirmed: those of that state. They are from 10 % up. Otava and KernelCPD rbf as "
        f"under Change points. asv: `asv.step_detect.detect_steps` of asv {peer_version('asv')}. "
        "github-action-benchmark: a value worse than 200 % of the one before, its default."
    )


def _means(outcomes: pd.DataFrame, by_history: pd.DataFrame, ways: list[str], judged: dict[str, Check]) -> list[str]:
    columns = ("f1", "recall", "large", "precision", "false")
    means = by_history.groupby("way", sort=False).mean()
    judging = {
        (DETECT, "f1"): "F1 of detect",
        (DETECT, "false"): "false points of detect",
        (LISTED, "large"): "steps from 10 % reported",
        (CONFIRMED, "large"): "steps from 10 % confirmed",
        (LISTED, "precision"): "precision of what is reported",
    }
    rows = []
    for way in ways:
        cells = [number(exactly(means.loc[way, column])) + _against(judged.get(judging.get((way, column), "")))
                 for column in columns]  # fmt: skip
        sums = outcomes[outcomes["way"] == way].drop(columns=["way", "history"]).sum()
        rows.append([way, *cells, *(f"{sums[f'found {name}']} of {sums[f'steps {name}']}" for name in CLASSES)])
    return table(["", "F1", "recall", "recall from 10 %", "precision", "false on 1,000", *CLASSES], rows)


def _against(check: Check | None) -> str:
    """The target behind a figure that has one."""
    return f" ({check.limit} {check.target:g}){mark(check)}" if check else ""


def _by_history(by_history: pd.DataFrame, ways: list[str]) -> list[str]:
    rows = []
    for name in by_history.index.get_level_values("history").unique():
        cells = [by_history.loc[(way, name), ["f1", "recall", "precision", "false"]] for way in ways]
        rows.append([name, *(", ".join(number(exactly(figure)) for figure in figures) for figures in cells)])
    return table(["", *ways], rows)


def _mechanical(outcomes: pd.DataFrame, ways: list[str], judged: dict[str, Check]) -> list[str]:
    sums = outcomes.drop(columns="history").groupby("way").sum()
    rows = []
    for way in ways:
        row = sums.loc[way]
        findings = row["right"] + row["false"]
        cells = [f"{row['obvious_found']} of {row['obvious']}", f"{row['unsupported']} of {findings}"]
        if way == LISTED:
            of_way = judged["obvious steps reported"], judged["reported without support"]
            cells = [f"{cell}, {100 * check.figure.value:.0f} % ({check.limit} {100 * check.target:.0f} %){mark(check)}"
                     for cell, check in zip(cells, of_way, strict=True)]  # fmt: skip
        rows.append([way, *cells])
    return table(["", "obvious steps found", "findings without support"], rows)


def _missed(steps: pd.DataFrame) -> list[str]:
    """Agreed steps that `detect` did not find, or that are large enough to be reported and were not."""
    unseen = steps[~steps[DETECT] | (~steps[LISTED] & (steps["size"] >= LARGE))]
    if unseen.empty:
        return []
    shown = unseen.sort_values("size", ascending=False).head(MOST_MISSED)
    rows = [
        [row["history"], row["series"], f"{row['place']} of {row['values']}", _percent(row["size"]),
         *("yes" if row[way] else "no" for way in (DETECT, LISTED, CONFIRMED))]
        for row in shown.to_dict("records")
    ]  # fmt: skip
    return [
        f"Agreed steps that `detect` missed, or of at least 10 % and not reported: {len(unseen)} of {len(steps)}"
        + (f", the {MOST_MISSED} largest are:" if len(unseen) > MOST_MISSED else ":"),
        "",
        *table(["history", "series", "place", "size", "detected", "reported", "confirmed"], rows),
    ]


def _percent(size: float) -> str:
    """From a level near 0 a change has no percentage that says anything."""
    return f"{100 * size:.0f} %" if size < _MANIFOLD else f"over {100 * _MANIFOLD:,.0f} %"
