from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.hourly_fleets import DAY, Fleet, Plan, simulate
from evaluation.methods import OURS
from evaluation.peers import PYTHON
from evaluation.replay import (
    NAIVE,
    OTAVA,
    SETTINGS,
    USUAL,
    chapter,
    checks,
    evaluate_replay,
    judge,
    naive,
    newly_told,
    ours,
)
from evaluation.results import Tables

PLAN = Plan(nodes=2, tests=3, history=4 * DAY, replayed=2 * DAY, worse=2, better=1)
TOLD = ["setting", "finding", "told_at", "worse", "scope", "last_scope", "stands", "series_id", "low", "high"]


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return simulate(7, PLAN)


def told_of(fleet: Fleet, rows: list[tuple[str, int, int]]) -> pd.DataFrame:
    """Findings of one member each: name, event whose first series it is about, and how far off."""
    first = fleet.moved.drop_duplicates("event").set_index("event")
    parts = []
    for name, event, off in rows:
        moved = first.loc[event]
        start = int(moved["start"]) + off
        parts.append(
            (
                USUAL,
                name,
                start + 10,
                moved["worse"],
                "series",
                "series",
                "stands",
                moved["series_id"],
                start - 3,
                start + 3,
            )
        )
    return pd.DataFrame(parts, columns=TOLD)


def test_a_finding_is_true_near_a_planted_step_of_its_direction_in_its_series(fleet: Fleet) -> None:
    told = told_of(fleet, [("near", 2, 3), ("far", 2, -4), ("again", 3, 0)])
    wrong_way = told_of(fleet, [("wrong way", 3, 0)]).assign(worse=False)
    findings, _ = judge(fleet, pd.concat((told, wrong_way)), [USUAL])
    assert findings.set_index("finding")["true"].to_dict() == {
        "near": True, "far": False, "again": True, "wrong way": False,
    }  # fmt: skip


def test_an_event_is_told_with_the_first_finding_that_names_it_and_else_never(fleet: Fleet) -> None:
    told = told_of(fleet, [("first", 2, 0), ("second", 2, 2)])
    _, events = judge(fleet, told, [USUAL, "0.2"])
    delay = events.set_index(["setting", "event"])["delay"]
    assert delay[USUAL, 2] == 10
    assert np.isinf(delay.drop((USUAL, 2))).all()


def test_a_group_counts_as_told_when_it_is_told_as_one(fleet: Fleet) -> None:
    single = told_of(fleet, [("node", 1, 0)])
    for scope, grouped in (("series", False), ("node", True)):
        _, events = judge(fleet, single.assign(last_scope=scope), [USUAL])
        assert bool(events.set_index("event").loc[1, "grouped"]) is grouped


def test_the_product_tells_a_step_once_as_values_come_in(fleet: Fleet) -> None:
    values = np.random.default_rng(3).normal(100.0, 4.0, fleet.values.shape)
    place = PLAN.points - 20
    values[0, place:] += 30.0
    told, known = ours(Fleet(PLAN, fleet.series, values, fleet.events, fleet.moved), 7, rates=(0.05,))
    (own,) = told[told["low"] >= place - 3].to_dict("records")
    assert (own["setting"], own["series_id"], own["worse"], own["stands"]) == (USUAL, 0, True, "stands")
    assert own["low"] <= place <= own["high"]
    assert place + 3 <= own["told_at"] <= place + 8
    assert known == 0


def test_the_naive_method_tells_where_the_means_leave_each_other(fleet: Fleet) -> None:
    values = np.full_like(fleet.values, 100.0)
    values[0, PLAN.history + 10 :] = 125.0
    told = naive(Fleet(PLAN, fleet.series, values, fleet.events, fleet.moved))
    assert told["setting"].tolist() == ["5 %", "10 %", "20 %"]
    assert set(told["series_id"]) == {0}
    assert told["worse"].all()
    assert (told["low"] <= PLAN.history + 10).all()
    assert told["told_at"].between(PLAN.history + 11, PLAN.history + 15).all()


def test_what_a_look_before_told_is_not_told_again() -> None:
    def look(*places: int) -> pd.DataFrame:
        return pd.DataFrame({"place": places, "worse": True, "change": 0.2}, columns=["place", "worse", "change"])

    known, first, moved, gone = look(20), look(20, 60), look(22, 63, 90), look(20, 61)
    told = pd.concat(newly_told([known, first, moved, gone], [50, 70, 100, 120]))
    assert told[["place", "told_at", "stands"]].to_numpy().tolist() == [[60, 70, "stands"], [90, 100, "vanished"]]


def tables(false: int) -> Tables:
    """Ten regressions of the usual setting, of which the first ones are false, and an event told and one not."""
    findings = pd.DataFrame(
        {
            "fleet": 6001, "method": OURS, "setting": USUAL, "finding": [str(number) for number in range(10)],
            "told_at": 500, "worse": True, "scope": "series", "series_id": range(10), "members": 1, "noise": "white",
            "low": 490, "high": 496,
            "stands": ["vanished", *["stands"] * 9], "true": [number >= false for number in range(10)],
        }
    )  # fmt: skip
    events = pd.DataFrame(
        {"method": OURS, "setting": USUAL, "worse": True, "matters": [True, True, False], "delay": [7.0, np.inf, 3.0],
         "scope": ["test", "series", "series"], "grouped": [True, False, False]}
    )  # fmt: skip
    fleets = pd.DataFrame({"fleet": [6001], "series": [150], "runs": [720], "known": [2]})
    return {"fleets": fleets, "findings": findings, "events": events}


def test_the_curve_is_written_with_what_is_false() -> None:
    text = "\n".join(chapter(tables(false=1), 6001))
    assert "| 0.05 | 10 | 1 | 90.0 [59.6, 98.2] | 50.0 [9.5, 90.5] | 7 [7, never] | 1.39 [0.04, 7.74] |" in text
    assert (
        "- fleet 6001, regression of series 0 (white) from 490 to 496, told with value 500, vanished at the end" in text
    )
    assert "1 of 1 tests and nodes that got worse are told as such" in text
    assert all(f"| {setting} | " in text for settings in SETTINGS.values() for setting in settings)


def test_false_regressions_are_held_against_the_target() -> None:
    assert not checks(tables(false=0))[0].missed
    assert checks(tables(false=5))[0].missed


@pytest.mark.skipif(not PYTHON.exists(), reason="the peers are not installed")
def test_fleets_are_replayed_and_what_was_kept_on_the_way_is_removed(tmp_path: Path) -> None:
    small = Plan(nodes=2, tests=2, history=3 * DAY, replayed=DAY // 2, worse=1, better=1)
    measured = evaluate_replay([7], tmp_path, small)
    assert set(measured["events"]["method"]) == {OURS, NAIVE, OTAVA}
    assert measured["fleets"].to_numpy().tolist() == [[7, 12, 12, measured["fleets"]["known"].iloc[0]]]
    assert "Thirty days" in chapter(measured, 7)[0]
    assert not list(tmp_path.iterdir())
