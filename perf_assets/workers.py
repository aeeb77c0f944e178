"""Where batches of analysis are computed: in this process, or in several. A cluster engine can take this place."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

Batch = TypeVar("Batch")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Workers:
    """`processes` at most, started only where there is more than one batch."""

    processes: int = 1

    def map(self, function: Callable[[Batch], Result], batches: Iterable[Batch]) -> Sequence[Result]:
        """function(batch) of every batch, in their order; an exception of any ends the rest and is raised."""
        work = list(batches)
        if self.processes == 1 or len(work) < 2:
            return [function(batch) for batch in work]
        # Spawned, never forked: DuckDB has started threads by now, and a fork would copy their locks.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self.processes, len(work)), mp_context=context) as pool:
            return list(pool.map(function, work))


_ROWS = 1_000_000
"""Rows of a batch: large enough that starting a process pays."""


def split_by_series(rows: pd.DataFrame, most: int = _ROWS) -> list[pd.DataFrame]:
    """`rows`, sorted by series_id, in parts of about `most` rows, no series in two of them."""
    ids = rows["series_id"].to_numpy()
    first = np.flatnonzero(ids[1:] != ids[:-1]) + 1
    first = np.insert(first, 0, 0)[: ids.size]
    begins = first[np.flatnonzero(np.diff(first // most, prepend=-1))]
    ends = np.append(begins[1:], ids.size)[: begins.size]
    return [rows.iloc[begin:end] for begin, end in zip(begins, ends, strict=True)]
