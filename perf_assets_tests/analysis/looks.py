"""A few series looked at again and again as results come in, with the anchors of each look given to the next."""

from __future__ import annotations

import numpy as np
import pandas as pd

from perf_assets.analysis.level_changes import ALL_DAY, analyse_levels
from perf_assets.analysis.regressions import ANCHOR_COLUMNS, RegressionRules, Regressions, find_regressions
from perf_assets_tests.analysis.signals import MONDAY, FloatArray

_CHANGE = ["series_id", "first_bad_run", "part_of_day", "kind"]
EVERY_TWO_DAYS = "53h"
"""Of no weekday and no hour, so that no profile is taken out."""


class Looks:
    """Anchors are kept as the state keeps them: the first one of a change counts."""

    def __init__(
        self, direction: str = "lower_is_better", every: str = EVERY_TWO_DAYS, commits: bool = True,
        rules: RegressionRules | None = None,
    ) -> None:  # fmt: skip
        self.direction, self.every, self.commits, self.rules = direction, every, commits, rules or RegressionRules()
        self.anchors = pd.DataFrame(columns=list(ANCHOR_COLUMNS), dtype=object)
        self.changes = pd.DataFrame()

    def at(self, place: int) -> pd.Timestamp:
        """The moment of a measurement."""
        return pd.Timestamp(self._moments(place + 1)[place])

    def look(self, *series: FloatArray) -> Regressions:
        """What is found of all that was measured so far; runs are numbered from 0."""
        longest = max(values.size for values in series)
        measured = pd.concat([self._measured(number, values) for number, values in enumerate(series, 1)])
        self.changes, limits = analyse_levels(measured)
        about = pd.DataFrame([self._about(number, values, longest) for number, values in enumerate(series, 1)])
        runs = pd.DataFrame(
            {"run_id": np.arange(longest), "run_key": [f"run-{n}" for n in range(longest)],
             "commit_id": [f"c{n}" if self.commits else None for n in range(longest)]}
        )  # fmt: skip
        found = find_regressions(self.changes, about, runs, limits, self.rules, self.anchors)
        together = pd.concat([self.anchors, found.anchors], ignore_index=True) if len(self.anchors) else found.anchors
        self.anchors = together.drop_duplicates(_CHANGE)
        return found

    def _moments(self, count: int) -> np.ndarray:
        return pd.date_range(MONDAY, periods=count, freq=self.every).to_numpy()

    def _measured(self, number: int, values: FloatArray) -> pd.DataFrame:
        own = self.anchors[(self.anchors["series_id"] == str(number)) & (self.anchors["part_of_day"] == ALL_DAY)]
        known = {int(run.removeprefix("run-")) for run in own["first_bad_run"]}
        places = np.arange(values.size)
        return pd.DataFrame(
            {"series_id": number, "run_id": places, "ts": self._moments(values.size), "value": values,
             "known": np.isin(places, list(known))}
        )  # fmt: skip

    def _about(self, number: int, values: FloatArray, longest: int) -> dict[str, object]:
        moments = self._moments(longest)
        return {
            "series_id": number, "project": "p", "metric": "benchmark_time", "unit": "s", "direction": self.direction,
            "test_name": f"test-{number}", "node_id": None, "node_type": None, "title": f"test-{number}",
            "simulated": False, "level": float(np.nanmedian(values)), "first_seen": moments[0],
            "last_seen": moments[values.size - 1], "as_of": moments[-1],
        }  # fmt: skip
