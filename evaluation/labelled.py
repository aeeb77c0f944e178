"""Labelled change-point benchmarks in their published layouts, wherever they lie below a folder.

The Turing Change Point Dataset: datasets/<name>/<name>.json and annotations.json, scored as in van den Burg & Williams
(2020), An Evaluation of Change Point Detection Algorithms. A list of cases: cases.json, an array of name, values,
expected, tol and kind.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.markdown import mark, met, number, table
from evaluation.methods import METHODS, OURS, Method, ours
from evaluation.proportions import Check, exactly
from evaluation.signals import FloatArray, IndexArray
from perf_assets.analysis.bends import find_bends

MARGIN = 5
LEAST_F1, LEAST_COVER = 0.76, 0.70
MOST_EXTRA = 20
"""Change points beside those that the tool reported, over all its series."""
_QUALITY_CONTROL = "quality_control"
"""Series that test annotators, not methods: the publication leaves them out."""
_GOLDEN = "treeherder/"
"""Series of the cases whose expected points are what one tool reported: to be found, among others."""


@dataclass(frozen=True)
class Annotated:
    """A univariate series, NaN where it has gaps, and the change points of each annotator."""

    name: str
    values: FloatArray
    annotations: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class LabelledCase:
    """`expected`: indices of the first value of each new level, each right to within `tolerance` points."""

    name: str
    values: FloatArray
    expected: tuple[int, ...]
    tolerance: int
    kind: str


def find_turing(data: Path) -> Path | None:
    """The folder with annotations.json and datasets, at any depth."""
    return next((path.parent for path in sorted(data.rglob("annotations.json")) if (path.parent / "datasets").is_dir()),
                None)  # fmt: skip


def read_turing(folder: Path) -> list[Annotated]:
    """Annotated univariate series that are there, by name; some are published as instructions for a download only."""
    annotations = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    found = []
    for name in sorted(annotations):
        path = folder / "datasets" / name / f"{name}.json"
        if name.startswith(_QUALITY_CONTROL) or not path.exists():
            continue
        series = json.loads(path.read_text(encoding="utf-8"))["series"]
        if len(series) == 1:
            values = np.array([np.nan if value is None else value for value in series[0]["raw"]], dtype=np.float64)
            marked = tuple(tuple(int(place) for place in places) for places in annotations[name].values())
            found.append(Annotated(name, values, marked))
    return found


def f1(annotations: Sequence[Sequence[int]], predictions: Sequence[int], margin: int = MARGIN) -> float:
    """Harmonic mean of precision against all annotators together and of the mean recall over annotators.

    Index 0 counts as a change point of everybody; a prediction within `margin` points is right once.
    """
    truths = [{0, *places} for places in annotations]
    predicted = {0, *predictions}
    precision = len(matched(set().union(*truths), predicted, margin)) / len(predicted)
    recall = float(np.mean([len(matched(truth, predicted, margin)) / len(truth) for truth in truths]))
    return 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0


def matched(truth: set[int], predicted: set[int], margin: int) -> list[int]:
    """Change points that have a prediction of their own nearby, each taking the nearest that is left."""
    left = set(predicted)
    found = []
    for place in sorted(truth):
        near = [(abs(place - one), one) for one in left if abs(place - one) <= margin]
        if near:
            left.remove(min(near)[1])
            found.append(place)
    return found


def cover(annotations: Sequence[Sequence[int]], predictions: Sequence[int], length: int) -> float:
    """Mean over annotators of the size-weighted best overlap (Jaccard) of each true segment with a predicted one."""
    predicted = _segments(predictions, length)
    return float(np.mean([_cover(_segments(places, length), predicted, length) for places in annotations]))


def _cover(truth: list[range], predicted: list[range], length: int) -> float:
    return sum(len(segment) * max(_jaccard(segment, other) for other in predicted) for segment in truth) / length


def _jaccard(one: range, other: range) -> float:
    common = max(0, min(one.stop, other.stop) - max(one.start, other.start))
    return common / (len(one) + len(other) - common)


def _segments(places: Sequence[int], length: int) -> list[range]:
    edges = sorted({0, *(place for place in places if 0 < place < length), length})
    return [range(start, stop) for start, stop in pairwise(edges)]


def find_cases(data: Path) -> Path | None:
    """cases.json at any depth, if it is a list of such cases."""
    return next(iter(sorted(data.rglob("cases.json"))), None)


def read_cases(path: Path) -> list[LabelledCase]:
    return [
        LabelledCase(
            case["name"],
            np.array([np.nan if value is None else value for value in case["values"]], dtype=np.float64),
            tuple(case["expected"]),
            int(case["tol"]),
            case["kind"],
        )
        for case in json.loads(path.read_text(encoding="utf-8"))
    ]


def case_outcome(case: LabelledCase, predictions: Sequence[int]) -> tuple[int, int]:
    """Expected change points found, each by a prediction of its own, and predictions that are none of them."""
    found = len(matched(set(case.expected), set(predictions), case.tolerance))
    return found, len(set(predictions)) - found


def with_bends(series: Sequence[FloatArray]) -> list[IndexArray]:
    """Change points and bends: annotators mark changes of slope, too."""
    return [np.union1d(cuts, find_bends(values)) for cuts, values in zip(ours(series), series, strict=True)]


TURING_METHODS = (METHODS[0], Method(f"{OURS}, and bends", METHODS[0].most_series, with_bends), *METHODS[1:])


def evaluate_turing(series: Sequence[Annotated], methods: tuple[Method, ...] = TURING_METHODS) -> pd.DataFrame:
    """One row a method and series: method, name, f1, cover."""
    rows = []
    for method in methods:
        print(f"  Turing Change Point Dataset: {method.name}", flush=True)
        answers = method.find([one.values for one in series])
        for one, found in zip(series, answers, strict=True):
            places = [int(place) for place in found]
            rows.append(
                (method.name, one.name, f1(one.annotations, places), cover(one.annotations, places, one.values.size))
            )
    return pd.DataFrame(rows, columns=["method", "name", "f1", "cover"])


def evaluate_cases(cases: Sequence[LabelledCase], methods: tuple[Method, ...] = METHODS) -> pd.DataFrame:
    """One row a method and case: method, name, kind, expected, found, extra (counts of change points)."""
    rows = []
    for method in methods:
        print(f"  cases: {method.name}", flush=True)
        answers = method.find([case.values for case in cases])
        for case, places in zip(cases, answers, strict=True):
            found, extra = case_outcome(case, [int(place) for place in places])
            rows.append((method.name, case.name, case.kind, len(case.expected), found, extra))
    return pd.DataFrame(rows, columns=["method", "name", "kind", "expected", "found", "extra"])


def turing_checks(results: pd.DataFrame) -> list[Check]:
    if results.empty:
        return []
    means = results[results["method"] == OURS][["f1", "cover"]].mean()
    return [
        Check("Turing F1", exactly(float(means["f1"])), "at least", LEAST_F1),
        Check("Turing cover", exactly(float(means["cover"])), "at least", LEAST_COVER),
    ]


def case_checks(results: pd.DataFrame) -> list[Check]:
    if results.empty:
        return []
    summary = _case_summary(results).loc[OURS]
    return [
        Check("constructed cases exact", exactly(float(summary["exact"])), "at least", float(summary["constructed"])),
        Check(
            "points that the tool reported", exactly(float(summary["found"])), "at least", float(summary["expected"])
        ),
        Check("others on the tool's series", exactly(float(summary["extra"])), "at most", MOST_EXTRA),
    ]


def chapter(turing: pd.DataFrame, cases: pd.DataFrame) -> list[str]:
    lines = ["## Labelled change points", "", *_turing_lines(turing), *_case_lines(cases)]
    judged = [*turing_checks(turing), *case_checks(cases)]
    return [*lines, met(judged), ""] if judged else lines


def _turing_lines(results: pd.DataFrame) -> list[str]:
    if results.empty:
        return [
            "Turing Change Point Dataset: absent below the folder that was named, if any (`make evaluate DATA=...`).",
            "",
        ]
    by_what = {check.what: check for check in turing_checks(results)}
    means = results.groupby("method", sort=False)[["f1", "cover"]].mean()
    rows = [["target at least", f"{LEAST_F1:.2f}", f"{LEAST_COVER:.2f}"]]
    for method, row in means.iterrows():
        own = method == OURS
        rows.append(
            [
                str(method),
                number(exactly(row["f1"]), 3) + (mark(by_what["Turing F1"]) if own else ""),
                number(exactly(row["cover"]), 3) + (mark(by_what["Turing cover"]) if own else ""),
            ]
        )
    return [
        f"Turing Change Point Dataset: {results['name'].nunique()} univariate series, means; F1 with a margin of "
        f"{MARGIN} "
        "points and cover as van den Burg & Williams (2020) define them. Peers, which know no gaps, are given the "
        "value "
        "before a gap.",
        "",
        *table(["", "F1", "cover"], rows),
    ]


def _case_lines(results: pd.DataFrame) -> list[str]:
    if results.empty:
        return ["cases.json: absent below the folder that was named, if any (`make evaluate DATA=...`).", ""]
    judged = case_checks(results)
    summary = _case_summary(results)
    first = summary.iloc[0]
    rows = [["target", str(first["constructed"]), str(first["expected"]), f"at most {MOST_EXTRA}", ""]]
    for method, row in summary.iterrows():
        cells = [
            str(row["exact"]),
            str(row["found"]),
            str(row["extra"]),
            f"{row['other_found']}, {row['other_extra']} more",
        ]
        if method == OURS:
            cells = [cell + mark(check) for cell, check in zip(cells, [*judged, None], strict=True)]
        rows.append([str(method), *cells])
    inexact = results[(results["method"] == OURS) & (results["kind"] == "constructed")]
    inexact = inexact[(inexact["found"] < inexact["expected"]) | (inexact["extra"] > 0)]
    lines = [
        f"Cases from other tools' tests: {first['constructed']} constructed ones, exact when all change points and no "
        f"others are found; series of Treeherder, where {first['expected']} points that its own rule reported must be "
        f"found among others; {first['other_expected']} points that another tool reported.",
        "",
        *table(["", "constructed, exact", "Treeherder's points found", "others there", "another tool's points"], rows),
    ]
    if not inexact.empty:
        told = ", ".join(
            f"{r.name} ({r.found} of {r.expected}, {r.extra} more)" for r in inexact.itertuples(index=False)
        )
        lines += [f"Not exact: {told}.", ""]
    return lines


def _case_summary(results: pd.DataFrame) -> pd.DataFrame:
    """One row a method: constructed, exact, expected, found, extra of Treeherder's, and other_ of other tools'."""
    rows = []
    for method, group in results.groupby("method", sort=False):
        constructed = group[group["kind"] == "constructed"]
        exact = (constructed["found"] == constructed["expected"]) & (constructed["extra"] == 0)
        reported = group[group["kind"] != "constructed"]
        golden = reported["name"].str.startswith(_GOLDEN)
        sums = [int(part[column].sum()) for part in (reported[golden], reported[~golden])
                for column in ("expected", "found", "extra")]  # fmt: skip
        rows.append((method, len(constructed), int(exact.sum()), *sums))
    columns = ["method", "constructed", "exact", "expected", "found", "extra",
               "other_expected", "other_found", "other_extra"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).set_index("method")
