from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perf_assets.analysis.environments import ENVIRONMENT_COLUMNS, Shift, shifts_of, went_over
from perf_assets_tests.analysis.signals import MONDAY, FloatArray, hourly

SIZE = 10.0


def told(settings: Sequence[str | None], values: FloatArray, field: str = "cpu", series_id: int = 1) -> pd.DataFrame:
    """Stretches of one setting, as the warehouse gives them; None says nothing."""
    known = [(place, setting) for place, setting in enumerate(settings) if setting is not None]
    rows = []
    for setting, group in itertools.groupby(known, key=lambda each: each[1]):
        places = [place for place, _ in group]
        first, last = np.median(values[places[:10]]), np.median(values[places[-10:]])
        at = hourly(len(settings))[places[0]]
        rows.append((series_id, field, setting, at, places[0], places[-1] + 1, first, last))
    return pd.DataFrame(rows, columns=list(ENVIRONMENT_COLUMNS))


def change(at: int, size: float = SIZE, astray: int = 0, series_id: int = 1) -> pd.DataFrame:
    """One change at this place, found `astray` measurements off, its interval reaching as far."""
    low, high = (MONDAY + pd.Timedelta(hours=at + off) for off in (-abs(astray), abs(astray)))
    return pd.DataFrame(
        {"series_id": [series_id], "position": [at + astray], "changed_at_low": [low], "changed_at_high": [high],
         "size": [size]}
    )  # fmt: skip


def level(n: int, at: int, back: int | None = None) -> FloatArray:
    values = np.full(n, 100.0)
    values[at:back] += SIZE
    return values


OLD_NEW = [Shift("cpu", "old", "new")]


@pytest.mark.parametrize("after", [2, 5, 40])
@pytest.mark.parametrize("before", [3, 8, 40])
@pytest.mark.parametrize("astray", [-3, 0, 3])
def test_a_field_that_changes_with_the_level_explains_it(before: int, after: int, astray: int) -> None:
    if not 0 < before + astray < before + after:
        return
    settings = ["old"] * before + ["new"] * after
    found = shifts_of(change(before, astray=astray), told(settings, level(before + after, before)))
    assert found == {0: OLD_NEW}


@pytest.mark.parametrize("away", [-11, 11, 25])
def test_a_field_that_changes_at_another_time_does_not(away: int) -> None:
    settings = ["old"] * (40 + away) + ["new"] * (40 - away)
    assert shifts_of(change(40), told(settings, level(80, 40))) == {}


@pytest.mark.parametrize(("astray", "explained"), [(1, True), (2, True), (4, False), (5, False)])
def test_most_runs_are_enough_and_half_of_them_are_not(astray: int, explained: bool) -> None:
    after = [("old" if place % 10 < astray else "new") for place in range(1, 31)]
    settings = ["old"] * 40 + after
    assert bool(shifts_of(change(40), told(settings, level(70, 40)))) is explained


def test_a_field_that_is_mixed_before_explains_nothing() -> None:
    settings = ["old", "new"] * 20 + ["new"] * 40
    assert shifts_of(change(40), told(settings, level(80, 40))) == {}


MIXED = ["old", "old", "new", "old", "old", "new", "old", "old", "old", "new"] * 4
MIXED_AFTER = ["new", "new", "old", "new", "new", "new", "old", "new", "new", "old"] * 4


def test_another_mixture_of_machines_explains_a_level_that_depends_on_them() -> None:
    settings = MIXED + MIXED_AFTER
    by_machine = np.where(np.array(settings) == "new", 100.0 + SIZE, 100.0)
    assert shifts_of(change(40), told(settings, by_machine)) == {0: OLD_NEW}
    assert shifts_of(change(40), told(settings, level(80, 40))) == {}
    assert shifts_of(change(40, -SIZE), told(settings, by_machine)) == {}
    assert shifts_of(change(20), told(MIXED * 2, by_machine)) == {}


def test_where_the_field_goes_back_the_level_must_too() -> None:
    settings = ["old"] * 40 + ["new"] * 40 + ["old"] * 40
    assert shifts_of(change(40), told(settings, level(120, 40, 80))) == {0: OLD_NEW}
    assert shifts_of(change(40), told(settings, level(120, 40))) == {}
    earlier = ["old"] * 20 + ["new"] * 20 + ["old"] * 20 + ["new"] * 20
    assert shifts_of(change(60), told(earlier, level(80, 60))) == {}
    assert shifts_of(change(60, -SIZE), told(earlier, -level(80, 60))) == {}


def test_what_is_not_told_before_explains_nothing() -> None:
    assert shifts_of(change(40), told([None] * 40 + ["new"] * 40, level(80, 40))) == {}
    assert shifts_of(change(40), told(["old"] * 40 + [None] * 40, level(80, 40))) == {}


def test_several_fields_and_series_are_kept_apart() -> None:
    settings = ["old"] * 40 + ["new"] * 40
    fields = [told(settings, level(80, 40), field, series_id) for series_id in (1, 2) for field in ("cpu", "kernel")]
    changes = pd.concat([change(40), change(20, series_id=2), change(40, series_id=2), change(40, series_id=3)])
    found = shifts_of(changes.reset_index(drop=True), pd.concat(fields))
    assert {row: [shift.field for shift in shifts] for row, shifts in found.items()} == {
        0: ["cpu", "kernel"],
        2: ["cpu", "kernel"],
    }


def test_a_series_goes_over_where_a_setting_lasts() -> None:
    settings = ["a"] * 5 + ["b"] + ["a"] * 5 + ["c"] * 5 + ["a"] * 2
    (row,) = went_over(told(settings, np.zeros(18))).itertuples()
    assert (row.field, row.setting, row.since) == ("cpu", "c", hourly(18)[11])


def between_equal(settings: list[str | None]) -> list[str | None]:
    """Settings with those that are unknown inside a stretch of one setting, which counts from its first to its last."""
    known = pd.Series(settings, dtype=object)
    before, after = known.ffill(), known.bfill()
    return [one if one == other else None for one, other in zip(before, after, strict=True)]


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60), st.data())
@example(["c", "c", "c", "b", None, "b", "a"], None)
def test_old_and_new_are_what_most_runs_on_each_side_say(
    settings: list[str | None], data: st.DataObject | None
) -> None:
    at = data.draw(st.integers(1, max(len(settings) - 1, 1))) if data else 4
    for shifts in shifts_of(change(at), told(settings, level(len(settings), at))).values():
        (shift,) = shifts
        stretches = between_equal(settings)
        before = [each for each in stretches[max(at - 10, 0) : at] if each is not None]
        after = [each for each in stretches[at : at + 10] if each is not None]
        assert shift.before != shift.after
        assert before.count(shift.before) > len(before) / 2
        assert after.count(shift.after) > len(after) / 2
