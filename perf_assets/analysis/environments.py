"""Environments: which field of what results say about their surroundings changed with a level.

No list of names decides what is environment, behaviour does: a field explains a change if it had one value (nearly) all
the time before and another most of the time after, went over where the level may have changed if it did so once, and if
the level followed it elsewhere as well; or if both values are there before and after, in another proportion, and the
level depends on them on either side. A field that is new at nearly every run, such as a build number, explains nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.ragged import IndexArray
from perf_assets.analysis.statistics import FloatArray

RUNNER_IMAGE_NAMES = ("runner_image", "worker_image", "node_image", "os_image", "vm_image", "image")
"""Names under which results may give the runner image; the first that is there counts."""
ENVIRONMENT_COLUMNS = ("series_id", "field", "setting", "since", "position", "stop", "first", "last")
BESIDE = 10
"""Measurements looked at on either side of a change."""
_FEWEST_BEFORE, _FEWEST_AFTER = 3, 2
_NEARLY_ALL, _MOST = 0.7, 0.5
_LEAST_DIFFERENCE = 0.6
"""By how much the share of the old setting must fall."""
_LEAST_OF_A_MIXTURE, _AROUND = 0.3, 30
"""The same where both settings are there before and after, and those among so many measurements have levels as far
apart as the change."""
_LASTING = 3
"""Measurements from which a setting lasts, and its change says what it does to the level."""


@dataclass(frozen=True)
class Shift:
    """A field that went over from one setting to another with a level."""

    field: str
    before: str
    after: str

    @property
    def words(self) -> str:
        return f"{self.field} changed from {self.before} to {self.after}"


@dataclass(frozen=True)
class _Settings:
    """Stretches of one setting of one field in one series, in order; all of shape (k,). `start` and `stop` count its
    measurements, `first` and `last` are medians of the first and last BESIDE values."""

    setting: npt.NDArray[np.object_]
    since: npt.NDArray[np.datetime64]
    start: IndexArray
    stop: IndexArray
    first: FloatArray
    last: FloatArray


def shifts_of(changes: pd.DataFrame, environments: pd.DataFrame) -> dict[int, list[Shift]]:
    """By index of `changes`: the fields that changed with it, by name; changes without any are left out.

    `changes`: series_id, position, changed_at_low, changed_at_high, size; `environments`: ENVIRONMENT_COLUMNS, one row
    a stretch of measurements of a series in which a field has one setting, in order of place.
    """
    known = environments[environments["series_id"].isin(changes["series_id"])]
    fields: dict[object, list[tuple[str, _Settings]]] = {}
    for (series_id, field), own in known.groupby(["series_id", "field"], sort=True):
        fields.setdefault(series_id, []).append((str(field), _settings(own)))
    found: dict[int, list[Shift]] = {}
    columns = ["series_id", "position", "changed_at_low", "changed_at_high", "size"]
    for row, series_id, position, low, high, size in changes[columns].itertuples():
        shifts = [
            Shift(field, *shift)
            for field, settings in fields.get(series_id, [])
            if (shift := _shift(settings, int(position), np.datetime64(low), np.datetime64(high), float(size)))
        ]
        if shifts:
            found[int(row)] = shifts
    return found


def went_over(environments: pd.DataFrame) -> pd.DataFrame:
    """series_id, field, setting, since: where a field of a series went over to another setting that lasts."""
    lasting = environments[environments["stop"] - environments["position"] >= _LASTING]
    before = lasting.groupby(["series_id", "field"])["setting"].shift()
    moved = before.notna() & (before != lasting["setting"])
    return lasting.loc[moved, ["series_id", "field", "setting", "since"]].reset_index(drop=True)


def _settings(own: pd.DataFrame) -> _Settings:
    return _Settings(
        own["setting"].to_numpy(dtype=object),
        own["since"].to_numpy(dtype="datetime64[us]"),
        *(own[name].to_numpy(dtype=np.intp) for name in ("position", "stop")),
        *(own[name].to_numpy(dtype=np.float64) for name in ("first", "last")),
    )


def _shift(
    settings: _Settings, position: int, low: np.datetime64, high: np.datetime64, size: float
) -> tuple[str, str] | None:
    """Old and new setting around a change, whose place may be anywhere in its interval."""
    inside = settings.start[(settings.since >= low) & (settings.since <= high)]
    for place in (position, *(int(start) for start in inside)):
        before = _shares(settings, place - BESIDE, place, _FEWEST_BEFORE)
        after = _shares(settings, place, place + BESIDE, _FEWEST_AFTER)
        if not before or not after:
            continue
        old, new = (max(sorted(shares), key=shares.__getitem__) for shares in (before, after))
        fell = before[old] - after.get(old, 0.0)
        if old == new or min(before[old], after[new]) <= _MOST:
            continue
        if before[old] >= _NEARLY_ALL and fell >= _LEAST_DIFFERENCE:
            if not _at_once(settings, place, {position, *inside.tolist()}):
                continue
            return (old, new) if _followed(settings, place, old, new, size) else None
        if fell >= _LEAST_OF_A_MIXTURE and _decides(settings, place, old, new, size):
            return old, new
    return None


def _at_once(settings: _Settings, place: int, possible: set[int]) -> bool:
    """Where the setting changes once around `place`, is that where the level may have changed? What changed before or
    after it is no reason; a setting that goes to and fro has no one place.
    """
    changes = settings.start[(settings.start > place - BESIDE) & (settings.start < place + BESIDE)]
    return changes.size != 1 or int(changes[0]) in possible


def _shares(settings: _Settings, start: int, stop: int, fewest: int) -> Mapping[str, float]:
    """Share of each setting among the measurements from `start` to `stop`; nothing of fewer than `fewest`."""
    inside = np.minimum(settings.stop, stop) - np.maximum(settings.start, start)
    counts: dict[str, float] = {}
    for place in np.flatnonzero(inside > 0):
        counts[str(settings.setting[place])] = counts.get(str(settings.setting[place]), 0.0) + float(inside[place])
    total = sum(counts.values())
    return {setting: count / total for setting, count in counts.items()} if total >= fewest else {}


def _decides(settings: _Settings, place: int, old: str, new: str, size: float) -> bool:
    """Do measurements on the same side of the change differ by the setting as they do by the side?"""
    moves = [
        _between(settings, start, stop, old, new)
        for start, stop in ((place - _AROUND, place), (place, place + _AROUND))
    ]
    known = [move for move in moves if move is not None]
    return bool(known) and all(move * size >= size**2 / 2 for move in known)


def _between(settings: _Settings, start: int, stop: int, old: str, new: str) -> float | None:
    """How far stretches of the new setting lie above those of the old one; None with fewer than two of either."""
    inside = (settings.start >= start) & (settings.stop <= stop)
    one, other = (settings.first[inside & (settings.setting == setting)] for setting in (old, new))
    return float(np.median(other) - np.median(one)) if min(one.size, other.size) >= 2 else None


def _followed(settings: _Settings, place: int, old: str, new: str, size: float) -> bool:
    """Did the level follow where the field went from one of the two settings to the other elsewhere?

    As often as not is not enough; the change itself counts for one time.
    """
    moves = [1 if move * size >= size**2 / 2 else -1 for move in _moves(settings, place, old, new)]
    return 1 + sum(moves) > 0


def _moves(settings: _Settings, place: int, old: str, new: str) -> Iterator[float]:
    """How far the level went up where the field went from `old` to `new` elsewhere, or down where it went back."""
    lasting = np.flatnonzero(settings.stop - settings.start >= _LASTING)
    for one, next_one in pairwise(lasting):
        pair = (settings.setting[one], settings.setting[next_one])
        if pair in ((old, new), (new, old)) and abs(int(settings.start[next_one]) - place) > BESIDE:
            move = float(settings.first[next_one] - settings.last[one])
            yield move if pair == (old, new) else -move
