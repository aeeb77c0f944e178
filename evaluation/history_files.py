"""Real histories on which two annotators marked where behaviour changed: the file, and what the marks say.

histories.json is an array of `id, history, metric, test, unit, direction, time` (seconds since 1970), `value`, and
`labels`: for each of two annotators the 0-based indices of the first value of the new behaviour, by kind: `step`
(obvious and lasting), `minor` (debatable), `bend` (a drift begins or ends), `spread` (noise or modes change).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from evaluation.signals import FloatArray, IndexArray

_LEAST_MARGIN, _MARGIN_SHARE = 3, 0.01
_LEAST_LEVEL = 1e-12


@dataclass(frozen=True)
class MarkedSeries:
    """`times` in seconds since 1970, ascending, and `values`, shape (n,); `steps` of the first and the second
    annotator, `marks` of any kind by either.
    """

    name: str
    history: str
    metric: str
    test: str
    unit: str
    higher_is_better: bool
    times: IndexArray
    values: FloatArray
    steps: tuple[tuple[int, ...], tuple[int, ...]]
    marks: tuple[int, ...]

    @property
    def margin(self) -> int:
        """Values by which two marks of one step may differ: 1 % of the series, at least 3."""
        return max(_LEAST_MARGIN, round(_MARGIN_SHARE * self.values.size))


def find_histories(data: Path) -> Path | None:
    """histories.json at any depth."""
    return next(iter(sorted(data.rglob("histories.json"))), None)


def read_histories(path: Path) -> list[MarkedSeries]:
    """All series in the order of the file; ValueError where one was not marked by two annotators."""
    return [_series(record) for record in json.loads(path.read_text(encoding="utf-8"))]


def _series(record: dict) -> MarkedSeries:
    labels = record["labels"]
    if len(labels) != 2:
        raise ValueError(f"{record['id']}: marked by {len(labels)} annotators, not by two")
    first, second = (tuple(sorted(marked["step"])) for marked in labels)
    return MarkedSeries(
        record["id"],
        record["history"],
        record["metric"],
        record["test"],
        record["unit"] or "",
        record["direction"] == "higher_is_better",
        np.array(record["time"], dtype=np.intp),
        np.array(record["value"], dtype=np.float64),
        (first, second),
        tuple(sorted(place for marked in labels for places in marked.values() for place in places)),
    )


def agreed_steps(series: MarkedSeries) -> list[int]:
    """Steps that both annotators marked within the margin, midway between the marks, ascending."""
    first, second = series.steps
    left, agreed = list(second), []
    for place in first:
        near = [(abs(place - other), other) for other in left if abs(place - other) <= series.margin]
        if near:
            other = min(near)[1]
            left.remove(other)
            agreed.append((place + other) // 2)
    return agreed


def step_sizes(series: MarkedSeries) -> list[float]:
    """Relative change at each agreed step, between the medians of the values up to the next one."""
    edges = [0, *agreed_steps(series), series.values.size]
    levels = [float(np.median(series.values[start:end])) for start, end in pairwise(edges)]
    return [abs(after - before) / max(abs(before), _LEAST_LEVEL) for before, after in pairwise(levels)]
