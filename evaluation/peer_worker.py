"""Runs in the environment of the peers, with numpy and them only: change points of the series on standard input.

Input: JSON with `peer` and `series`, null for a gap. Output: JSON with `version`, `cpu_seconds` and `change_points`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import pairwise

import numpy as np

Series = Sequence[float]
Finder = Callable[[Series], list[int]]


def otava() -> Finder:
    """As `otava analyze` does it without options: window 50, p at most 0.001, any magnitude."""
    from otava.analysis import compute_change_points
    from otava.series import AnalysisOptions

    options = AnalysisOptions()

    def find(values: Series) -> list[int]:
        found, _ = compute_change_points(
            list(values),
            window_len=options.window_len,
            max_pvalue=options.max_pvalue,
            min_magnitude=options.min_magnitude,
        )
        return [int(point.index) for point in found]

    return find


def kernel_rbf() -> Finder:
    """KernelCPD, Gaussian kernel of median bandwidth, penalty ln n."""
    from ruptures import KernelCPD

    def find(values: Series) -> list[int]:
        column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
        return [int(end) for end in KernelCPD(kernel="rbf").fit(column).predict(pen=np.log(len(values)))[:-1]]

    return find


def pelt_l2() -> Finder:
    """PELT with squared errors and the BIC penalty 2 s^2 ln n, s from the median absolute difference.

    The linear kernel has the same cost, hence the same minimum, as Pelt(model="l2", jump=1), in C instead of Python.
    """
    from ruptures import KernelCPD

    def find(values: Series) -> list[int]:
        array = np.asarray(values, dtype=np.float64)
        differences = np.diff(array)
        scale = 1.4826 * np.median(np.abs(differences - np.median(differences))) / np.sqrt(2.0) or np.std(array)
        if not scale > 0:
            return []
        column = (array - array.mean()).reshape(-1, 1) / scale
        return [int(end) for end in KernelCPD(kernel="linear").fit(column).predict(pen=2.0 * np.log(array.size))[:-1]]

    return find


def asv() -> Finder:
    """The steps that `asv publish` draws: absolute errors, 4 ln(n) / n a step, noise that may be correlated."""
    from asv.step_detect import detect_steps

    def find(values: Series) -> list[int]:
        return [int(first) for first, *_ in detect_steps(list(values))[1:]]

    return find


PEERS = {
    "otava": ("apache-otava", otava),
    "rbf": ("ruptures", kernel_rbf),
    "pelt": ("ruptures", pelt_l2),
    "asv": ("asv", asv),
}
FEWEST_VALUES = 4
"""Shorter series are not given to the peers; some raise."""


def filled(values: Sequence[float | None]) -> list[float]:
    """Gaps take the value before, those at the beginning the first value: no peer knows gaps."""
    known = [place for place, value in enumerate(values) if value is not None]
    if not known:
        return []
    edges = [0, *known[1:], len(values)]
    return [float(values[place]) for place, (a, b) in zip(known, pairwise(edges), strict=True) for _ in range(a, b)]  # type: ignore[arg-type]


def main() -> None:
    question = json.load(sys.stdin)
    package, make = PEERS[question["peer"]]
    find = make()
    series = [filled(values) for values in question["series"]]
    find(list(np.linspace(0.0, 1.0, 50)))  # imports on first use are not the method's cost
    started = time.process_time()
    found = [find(values) if len(values) >= FEWEST_VALUES else [] for values in series]
    seconds = time.process_time() - started
    json.dump({"version": version(package), "cpu_seconds": seconds, "change_points": found}, sys.stdout)


if __name__ == "__main__":
    main()
