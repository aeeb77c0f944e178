"""What `perf-assets run` reports of histories: the product as a user has it, in a home of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.history_files import MarkedSeries
from evaluation.signals import IndexArray
from perf_assets.warehouse import open_snapshot

_CONFIG = "[forecast]\nhorizon = 3\nmax_headline = 0\n"
"""Forecasts, the slowest part, say nothing about what has changed."""
_INSTALLATION = ("PERF_ASSETS_", "DAGSTER_", "SLACK_", "SCALE_DASHBOARD_")
"""Beginnings of variables by which a user's own installation is configured."""
_MEMBERS = """SELECT s.test_name AS series, m.changed_at, r.state = 'confirmed' AS confirmed
    FROM regressions r JOIN regression_members m USING (regression_id)
    JOIN metric_series s ON s.series_id = m.series_id"""


@dataclass(frozen=True)
class Reported:
    """Indices of the first value of each reported new level, ascending: all, and the confirmed ones."""

    listed: IndexArray
    confirmed: IndexArray


def report(series: Sequence[MarkedSeries]) -> list[Reported]:
    """Regressions and improvements that one run over all the series reports, at each member of each.

    Raises RuntimeError with the end of the output where the run fails.
    """
    with tempfile.TemporaryDirectory(prefix="perf-assets-histories-") as folder:
        members = _run(long_table(series), Path(folder))
    by_series = dict(iter(members.groupby("series")))
    none = members.iloc[:0]
    return [_reported(one, by_series.get(one.name, none)) for one in series]


def long_table(series: Sequence[MarkedSeries]) -> pd.DataFrame:
    """A row a value, the series' name as test and its history as project; a run and a commit for each moment of a
    history, as its series were measured together.
    """
    tables = []
    for one in series:
        moments = pd.Series(one.times)
        again = moments.groupby(moments).cumcount().astype(str)
        run = one.history + "-" + moments.astype(str) + "-" + again
        tables.append(
            pd.DataFrame(
                {
                    "timestamp": pd.to_datetime(moments, unit="s", utc=True),
                    "metric_name": one.metric,
                    "metric_value": one.values,
                    "unit": one.unit,
                    "direction": "higher_is_better" if one.higher_is_better else "lower_is_better",
                    "project": one.history,
                    "test_name": one.name,
                    "test_run_id": run,
                    "commit_id": [
                        hashlib.sha256(f"{one.history} {time}".encode()).hexdigest()[:10] for time in moments
                    ],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _run(measurements: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """series, changed_at (naive UTC), confirmed: a row a member of what is reported."""
    data, config, home = folder / "histories.parquet", folder / "perf-assets.toml", folder / "home"
    measurements.to_parquet(data, index=False)
    config.write_text(_CONFIG, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_INSTALLATION)}
    environment |= {"PERF_ASSETS_HOME": str(home), "PERF_ASSETS_CONFIG": str(config), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "perf_assets.cli.main", "run", str(data)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the run ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    with open_snapshot(home / "snapshots") as con:
        return con.execute(_MEMBERS).df()


def _reported(one: MarkedSeries, members: pd.DataFrame) -> Reported:
    moments = pd.to_datetime(pd.Series(one.times), unit="s").to_numpy()
    places = np.searchsorted(moments, members["changed_at"].to_numpy(dtype=moments.dtype))
    return Reported(np.unique(places), np.unique(places[members["confirmed"].to_numpy(dtype=bool)]))
