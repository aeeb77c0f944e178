from __future__ import annotations

from evaluation.planted_events import EventOutcome, SeedOutcome, chapter, checks, outcome_tables

OUTCOMES = [
    SeedOutcome(
        102, 1_100, 5_000, 3,
        (EventOutcome(102, "slow_node", "node-1", True, 1.0, True),
         EventOutcome(102, "memory_leak", "node-2", True, 0.5, None)),
        ("something else",),
    ),
    SeedOutcome(
        101, 1_000, 5_000, 2,
        (EventOutcome(101, "slow_node", "node-3", False, None, None),
         EventOutcome(101, "memory_leak", "node-4", True, 1.5, None)),
        (),
    ),
]  # fmt: skip


def test_fleets_are_told_in_the_order_of_their_seeds() -> None:
    text = "\n".join(chapter(*outcome_tables(OUTCOMES)))
    assert "2 fleets (seeds 101 to 102) of 1,000 to 1,100 series" in text
    assert "| slow node | missed | 1 | 1 of 2 |" in text
    assert "| memory leak | 1.5 d | 0.5 d | 2 of 2 |" in text
    assert "| not planted | 0 | 1 | 0.5 a fleet |" in text
    assert "All seven events named: 1 of 2 fleets. False alarms: 0.10" in text
    assert "- something else" in text


def test_only_named_events_with_a_cause_are_judged_for_it() -> None:
    cause, false = checks(*outcome_tables(OUTCOMES))
    assert cause.figure.value == 1.0
    assert false.figure.value == 1 / 5
