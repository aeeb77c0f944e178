from __future__ import annotations

import math
import runpy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.histories import CONFIRMED, DETECT, LISTED, Finder, chapter, checks, evaluate_histories, scores
from evaluation.history_files import MarkedSeries, agreed_steps, find_histories, read_histories
from evaluation.methods import ours
from evaluation.signals import IndexArray

NOTHING = np.empty(0, dtype=np.intp)


def marked(history: str, levels: Sequence[float], marks: tuple[int, ...] = ()) -> MarkedSeries:
    """Levels of 30 values each, whose steps both annotators marked, and marks of other kinds."""
    values = np.repeat(levels, 30).astype(float) + 0.1 * np.sin(np.arange(30.0 * len(levels)) ** 2)
    steps = tuple(range(30, values.size, 30))
    return MarkedSeries(
        history[0], history, "time", f"of {history}", "s", False, np.arange(values.size), values, (steps, steps),
        tuple(sorted((*steps, *steps, *marks))),
    )  # fmt: skip


LAKE, RIVER = marked("lake", [100, 200, 202]), marked("river", [100, 80, 100])


def at(*places: int) -> Finder:
    return lambda series: [np.array(places, dtype=np.intp) for _ in series]


def all_knowing(series: Sequence[MarkedSeries]) -> list[IndexArray]:
    return [np.array(agreed_steps(one), dtype=np.intp) for one in series]


def only(finder: Finder, *series: MarkedSeries) -> pd.DataFrame:
    return evaluate_histories(series, {DETECT: finder, LISTED: finder, CONFIRMED: finder})["outcomes"]


def test_the_truth_scores_one_in_every_history() -> None:
    by_history = scores(only(all_knowing, LAKE, RIVER))
    assert (by_history[["recall", "precision", "f1", "large"]] == 1.0).all(axis=None)
    assert (by_history["false"] == 0.0).all()


def test_a_finding_counts_within_the_margin_and_is_false_beyond_two() -> None:
    # Steps at 30 and 60, margin 3: 33 is found, 67 is not and is false, 66 is neither.
    found = scores(only(at(33, 67), RIVER)).loc[(DETECT, "river")]
    assert (found["recall"], found["precision"], found["f1"]) == (0.5, 0.5, 0.5)
    assert found["false"] == pytest.approx(1_000.0 / 90.0)
    near = scores(only(at(33, 66), RIVER)).loc[(DETECT, "river")]
    assert (near["recall"], near["precision"]) == (0.5, 1.0)


def test_a_finding_near_a_mark_of_any_kind_is_not_false_and_finds_nothing() -> None:
    drifting = marked("river", [100, 80, 100], marks=(10,))
    found = scores(only(at(10), drifting)).loc[(DETECT, "river")]
    assert (found["recall"], found["precision"], found["f1"]) == (0.0, 1.0, 0.0)


def test_steps_are_counted_by_size_and_small_ones_are_not_asked_of_the_report() -> None:
    # 100 to 200 and 200 to 202; 100 to 80 and 80 to 100.
    sums = only(at(30), LAKE, RIVER).groupby("way")[[
        "steps over 50 %", "found over 50 %", "steps 10 to 50 %", "found 10 to 50 %", "steps under 10 %",
        "found under 10 %", "steps of large", "found of large",
    ]].sum().loc[LISTED]  # fmt: skip
    assert sums.tolist() == [1, 1, 2, 1, 1, 0, 3, 2]
    assert scores(only(at(30), LAKE)).loc[(LISTED, "lake"), "large"] == 1.0


def test_a_way_that_finds_nothing_has_no_precision_and_no_f1() -> None:
    silent = scores(only(at(), RIVER)).loc[(DETECT, "river")]
    assert math.isnan(silent["precision"])
    assert (silent["recall"], silent["f1"], silent["false"]) == (0.0, 0.0, 0.0)


def test_a_history_without_steps_has_no_recall_and_is_left_out_of_its_mean() -> None:
    still = marked("pond", [100])
    by_history = scores(only(at(30), LAKE, still))
    assert math.isnan(by_history.loc[(DETECT, "pond"), "recall"])
    assert by_history.loc[(DETECT, "pond"), "false"] == pytest.approx(1_000.0 / 30.0)
    assert by_history.groupby("way")["recall"].mean()[DETECT] == 0.5


def test_every_target_is_judged_and_a_silent_product_misses_those_of_finding() -> None:
    # A step of 1 %, as the second of the lake, is right and yet without support.
    assert not any(check.missed for check in checks(only(all_knowing, marked("lake", [100, 200]), RIVER)))
    missed = {check.what for check in checks(only(at(), LAKE, RIVER)) if check.missed}
    assert {"F1 of detect", "steps from 10 % reported", "steps from 10 % confirmed", "obvious steps reported"} <= missed
    assert "false points of detect" not in missed
    noisy = {check.what for check in checks(only(at(10, 20, 30, 45, 60, 75), LAKE, RIVER)) if check.missed}
    assert {"false points of detect", "precision of what is reported", "reported without support"} <= noisy


def test_the_chapter_names_histories_and_what_was_missed() -> None:
    tables = evaluate_histories([LAKE, RIVER], {DETECT: all_knowing, LISTED: at(30), CONFIRMED: at()})
    text = "\n".join(chapter(tables["outcomes"], tables["steps"]))
    assert "2 series of 2 public histories (lake, river)" in text
    assert "of them, none are used in development" in text
    assert "it is by those that the product is judged" in text
    assert "| river | time of river | 60 of 90 | 25 % | yes | no | no |" in text
    # Of 1 %: not to be reported, and detected.
    assert "60 of 90 | 1 %" not in text
    assert "targets are met" in text


def test_histories_of_development_are_said_to_flatter() -> None:
    tables = evaluate_histories([marked("hyper", [100, 200])], {DETECT: at(30), LISTED: at(30), CONFIRMED: at(30)})
    text = "\n".join(chapter(tables["outcomes"], tables["steps"]))
    assert "all of them are used in development, so that the figures flatter" in text
    assert "missed, or of at least 10 %" not in text


def test_absent_histories_are_said_to_be_absent() -> None:
    text = "\n".join(chapter(pd.DataFrame(), pd.DataFrame()))
    assert "histories.json: absent" in text
    assert checks(pd.DataFrame()) == []


def test_scores_agree_with_their_definition_on_real_histories(shared_data: Path) -> None:
    path = find_histories(shared_data)
    if path is None or not path.with_name("score.py").exists():
        pytest.skip(f"the histories and their score are absent ({shared_data})")
    series = read_histories(path)
    found = ours([one.values for one in series])
    finder: Finder = lambda _: found  # noqa: E731
    outcomes = only(finder, *series)
    definition = runpy.run_path(str(path.with_name("score.py")))
    places = {one.name: cuts.tolist() for one, cuts in zip(series, found, strict=True)}
    means = scores(outcomes).groupby("way").mean().loc[DETECT]
    for least, recall in ((0.0, "recall"), (0.1, "large")):
        wanted = definition["macro"](definition["load"](path), places, least)
        assert means[recall] == pytest.approx(wanted["recall"], abs=5e-4)
    wanted = definition["macro"](definition["load"](path), places)
    assert means["f1"] == pytest.approx(wanted["f1"], abs=5e-4)
    assert means["precision"] == pytest.approx(wanted["precision"], abs=5e-4)
    assert means["false"] == pytest.approx(wanted["per_1000"], abs=5e-4)
    sums = outcomes[outcomes["way"] == DETECT].sum(numeric_only=True)
    assert {name: f"{sums[f'found {name}']} of {sums[f'steps {name}']}" for name in wanted["by size, all series"]} == (
        wanted["by size, all series"]
    )
