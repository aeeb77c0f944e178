"""The sections of docs/accuracy.md: how each is measured, judged and written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evaluation import (
    anomalies,
    breach,
    change_points,
    correlations,
    drivers,
    forecasts,
    histories,
    history_files,
    joint_episodes,
    labelled,
    planted_events,
    real_kinds,
    replay,
    seasons,
    sequential,
    trends,
)
from evaluation.proportions import Check
from evaluation.results import FOLDER, Tables

_ABSENT = pd.DataFrame()


@dataclass(frozen=True)
class Section:
    """`size`: series a kind, tables or fleets; `measure(seed, size, data)`; fresh seeds are 101 and above."""

    name: str
    seed: int
    size: int
    measure: Callable[[int, int, Path | None], Tables]
    checks: Callable[[Tables], list[Check]]
    chapter: Callable[[Tables, int], list[str]]


def _measure_change_points(seed: int, size: int, data: Path | None) -> Tables:
    return {"results": change_points.evaluate_change_points(size, seed)}


def _measure_real_kinds(seed: int, size: int, data: Path | None) -> Tables:
    return {"results": real_kinds.evaluate_real_kinds(size, seed)}


def _measure_sequential(seed: int, size: int, data: Path | None) -> Tables:
    return {"results": sequential.evaluate_sequential(size, seed)}


def _measure_labelled(seed: int, size: int, data: Path | None) -> Tables:
    turing, cases = (labelled.find_turing(data), labelled.find_cases(data)) if data else (None, None)
    return {
        "turing": labelled.evaluate_turing(labelled.read_turing(turing)) if turing else _ABSENT,
        "cases": labelled.evaluate_cases(labelled.read_cases(cases)) if cases else _ABSENT,
    }


def _measure_histories(seed: int, size: int, data: Path | None) -> Tables:
    path = history_files.find_histories(data) if data else None
    if path is None:
        return {"outcomes": _ABSENT, "steps": _ABSENT}
    return histories.evaluate_histories(history_files.read_histories(path))


def _measure_anomalies(seed: int, size: int, data: Path | None) -> Tables:
    numenta = anomalies.find_numenta(data) if data else None
    return {
        "clean": anomalies.evaluate_clean(size, seed),
        "numenta": anomalies.evaluate_numenta(numenta) if numenta else _ABSENT,
    }


def _measure_joint_episodes(seed: int, size: int, data: Path | None) -> Tables:
    outcome = joint_episodes.evaluate_joint_episodes(range(seed, seed + size))
    return {"results": joint_episodes.outcome_table(outcome)}


def _measure_trends(seed: int, size: int, data: Path | None) -> Tables:
    return {"results": trends.evaluate_trends(size, seed)}


def _measure_drivers(seed: int, size: int, data: Path | None) -> Tables:
    return {"results": drivers.evaluate_drivers(size, seed)}


def _measure_seasons(seed: int, size: int, data: Path | None) -> Tables:
    return {"patterns": seasons.evaluate_patterns(size, seed), "changes": seasons.evaluate_changes(size, seed)}


def _measure_correlations(seed: int, size: int, data: Path | None) -> Tables:
    return {"links": correlations.evaluate_links(size, seed), "cost": correlations.evaluate_cost(seed)}


def _measure_forecasts(seed: int, size: int, data: Path | None) -> Tables:
    return forecasts.evaluate_forecasts(data, seed, size)


def _measure_breach(seed: int, size: int, data: Path | None) -> Tables:
    return {"results": breach.evaluate_breach(size, seed)}


def _measure_fleets(seed: int, size: int, data: Path | None) -> Tables:
    started = time.monotonic()
    outcomes: list[planted_events.SeedOutcome] = []
    for outcome in planted_events.evaluate_fleets(range(seed, seed + size), FOLDER):
        outcomes.append(outcome)
        named = sum(event.named for event in outcome.events)
        print(
            f"  fleet {outcome.seed}: {named} of {len(outcome.events)} events named, {len(outcome.unplanted)} not "
            "planted "
            f"({len(outcomes)}/{size}, {time.monotonic() - started:.0f} s)",
            flush=True,
        )
    fleets, events, unplanted = planted_events.outcome_tables(outcomes)
    return {"fleets": fleets, "events": events, "unplanted": unplanted}


def _measure_replay(seed: int, size: int, data: Path | None) -> Tables:
    return replay.evaluate_replay(range(seed, seed + size))


SECTIONS = (
    Section(
        "change-points", 1101, 2_000, _measure_change_points,
        lambda tables: change_points.checks(tables["results"]),
        lambda tables, seed: change_points.chapter(tables["results"], seed),
    ),
    Section(
        "real-kinds", 7101, 1_000, _measure_real_kinds,
        lambda tables: real_kinds.checks(tables["results"]),
        lambda tables, seed: real_kinds.chapter(tables["results"], seed),
    ),
    Section(
        "sequential", 2101, 2_000, _measure_sequential,
        lambda tables: sequential.checks(tables["results"]),
        lambda tables, seed: sequential.chapter(tables["results"], seed),
    ),
    Section(
        "labelled", 0, 0, _measure_labelled,
        lambda tables: [*labelled.turing_checks(tables["turing"]), *labelled.case_checks(tables["cases"])],
        lambda tables, seed: labelled.chapter(tables["turing"], tables["cases"]),
    ),
    Section(
        "histories", 0, 0, _measure_histories,
        lambda tables: histories.checks(tables["outcomes"]),
        lambda tables, seed: histories.chapter(tables["outcomes"], tables["steps"]),
    ),
    Section(
        "trends", 3101, 1_000, _measure_trends,
        lambda tables: trends.checks(tables["results"]),
        lambda tables, seed: trends.chapter(tables["results"], seed),
    ),
    Section(
        "seasons", 9101, 200, _measure_seasons,
        lambda tables: seasons.checks(tables["patterns"], tables["changes"]),
        lambda tables, seed: seasons.chapter(tables["patterns"], tables["changes"], seed),
    ),
    Section(
        "anomalies", 4101, 2_000, _measure_anomalies,
        lambda tables: anomalies.checks(tables["clean"], tables["numenta"]),
        lambda tables, seed: anomalies.chapter(tables["clean"], tables["numenta"], seed),
    ),
    Section(
        "joint-episodes", 5401, 200, _measure_joint_episodes,
        lambda tables: joint_episodes.checks(tables["results"]),
        lambda tables, seed: joint_episodes.chapter(tables["results"], seed),
    ),
    Section(
        "correlations", 9201, 80, _measure_correlations,
        lambda tables: correlations.checks(tables["links"], tables["cost"]),
        lambda tables, seed: correlations.chapter(tables["links"], tables["cost"], seed),
    ),
    Section(
        "drivers", 9101, 50, _measure_drivers,
        lambda tables: drivers.checks(tables["results"]),
        lambda tables, seed: drivers.chapter(tables["results"], seed),
    ),
    Section("forecasts", 8101, 6, _measure_forecasts, forecasts.checks, forecasts.chapter),
    Section(
        "breach", 9101, 400, _measure_breach,
        lambda tables: breach.checks(tables["results"]),
        lambda tables, seed: breach.chapter(tables["results"], seed),
    ),
    Section(
        "fleets", 111, 10, _measure_fleets,
        lambda tables: planted_events.checks(tables["fleets"], tables["events"], tables["unplanted"]),
        lambda tables, seed: planted_events.chapter(tables["fleets"], tables["events"], tables["unplanted"]),
    ),
    Section("replay", 6011, 4, _measure_replay, replay.checks, replay.chapter),
)  # fmt: skip
