from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.labelled import (
    LabelledCase,
    case_checks,
    case_outcome,
    chapter,
    cover,
    evaluate_cases,
    evaluate_turing,
    f1,
    find_cases,
    find_turing,
    read_cases,
    read_turing,
    turing_checks,
    with_bends,
)
from evaluation.methods import OURS, Method

# F1


def test_the_truth_of_all_annotators_scores_one() -> None:
    assert f1([[10, 50], [10, 50]], [10, 50]) == 1.0


def test_finding_nothing_where_nothing_is_scores_one_as_index_0_counts() -> None:
    assert f1([[]], []) == 1.0


def test_a_false_alarm_halves_the_precision_of_an_unchanged_series() -> None:
    # Right: index 0. Precision 1 of 2, recall 1.
    assert f1([[]], [50]) == pytest.approx(2 / 3)


def test_precision_is_against_all_annotators_together_and_recall_the_mean_over_them() -> None:
    # Precision: 0 and 20 of {0, 20} are in {0, 20, 60}. Recall: 2 of 2 and 1 of 2.
    assert f1([[20], [60]], [20]) == pytest.approx(2 * 1.0 * 0.75 / 1.75)


def test_the_margin_is_five_points_and_inclusive() -> None:
    assert f1([[50]], [55]) == 1.0
    assert f1([[50]], [56]) == pytest.approx(0.5)


def test_a_prediction_is_right_once() -> None:
    # Two true change points, one prediction near both: matched 0 and one of them.
    assert f1([[50, 53]], [51]) == pytest.approx(2 * 1.0 * (2 / 3) / (1.0 + 2 / 3))


# Cover


def test_the_true_segments_are_covered_wholly() -> None:
    assert cover([[40]], [40], 100) == 1.0


def test_one_segment_covers_two_halves_by_half() -> None:
    assert cover([[50]], [], 100) == pytest.approx(0.5)


def test_cover_weighs_segments_by_length_and_annotators_alike() -> None:
    # Against [0, 30) [30, 100): predicted [0, 50) [50, 100) overlap best by 30/50 and 50/70.
    first = 0.3 * 30 / 50 + 0.7 * 50 / 70
    assert cover([[30]], [50], 100) == pytest.approx(first)
    assert cover([[30], [50]], [50], 100) == pytest.approx((first + 1.0) / 2)


def test_predictions_at_the_ends_cut_nothing() -> None:
    assert cover([[]], [0, 100], 100) == 1.0


# Cases


def case(expected: tuple[int, ...], tolerance: int = 0) -> LabelledCase:
    return LabelledCase("case", np.zeros(30), expected, tolerance, "constructed")


def test_found_and_extra_are_counted_one_to_one() -> None:
    assert case_outcome(case((10, 20)), [10, 21]) == (1, 1)
    assert case_outcome(case((10, 20), tolerance=1), [10, 21]) == (2, 0)
    assert case_outcome(case((10,), tolerance=3), [9, 11]) == (1, 1)
    assert case_outcome(case(()), []) == (0, 0)


# Layouts


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Both benchmarks, a few folders down."""
    turing = tmp_path / "some" / "TCPD"
    annotations = {
        "river": {"6": [3], "7": []},
        "pair": {"6": [1]},
        "to_download": {"6": [1]},
        "quality_control_1": {"6": [2]},
    }
    raws = {"river": [[1, None, 3, 9, 9, 9]], "pair": [[1, 2], [3, 4]], "quality_control_1": [[0, 0, 1, 1]]}
    for name, series in raws.items():
        folder = turing / "datasets" / name
        folder.mkdir(parents=True)
        record = {"name": name, "n_dim": len(series), "series": [{"label": "V", "raw": raw} for raw in series]}
        (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
    (turing / "annotations.json").write_text(json.dumps(annotations), encoding="utf-8")
    listed = [
        {"name": "own/step", "values": [0] * 4 + [9] * 4, "expected": [4], "tol": 0, "kind": "constructed"},
        {"name": "treeherder/a", "values": [0, None, 5, 5], "expected": [2], "tol": 5, "kind": "tool-golden"},
    ]
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "cases.json").write_text(json.dumps(listed), encoding="utf-8")
    return tmp_path


def at_four(name: str = OURS) -> Method:
    return Method(name, 10, lambda series: [np.array([4]) for _ in series])


def test_the_turing_layout_is_read_univariate_series_only(data: Path) -> None:
    folder = find_turing(data)
    assert folder is not None
    (river,) = read_turing(folder)
    assert (river.name, river.annotations) == ("river", ((3,), ()))
    assert np.isnan(river.values[1])
    assert river.values[-1] == 9


def test_cases_are_read(data: Path) -> None:
    path = find_cases(data)
    assert path is not None
    step, golden = read_cases(path)
    assert (step.expected, step.tolerance, step.values.size) == ((4,), 0, 8)
    assert np.isnan(golden.values[1])


def test_a_folder_without_benchmarks_has_none(tmp_path: Path) -> None:
    assert (find_turing(tmp_path), find_cases(tmp_path)) == (None, None)


def test_the_chapter_tells_figures_and_what_is_missed(data: Path) -> None:
    folder, path = find_turing(data), find_cases(data)
    assert folder is not None
    assert path is not None
    methods = (at_four(), at_four("other"))
    turing = evaluate_turing(read_turing(folder), methods)
    cases = evaluate_cases(read_cases(path), methods)
    assert {check.what: check.figure.value for check in case_checks(cases)} == {
        "constructed cases exact": 1.0, "points that the tool reported": 1.0, "others on the tool's series": 0.0,
    }  # fmt: skip
    # Annotators say {0, 3} and {0}: precision 2 of 2, recall 1.
    assert turing_checks(turing)[0].figure.value == 1.0
    text = "\n".join(chapter(turing, cases))
    assert "1 univariate series" in text
    assert "| other | 1.000 |" in text


def test_absent_benchmarks_are_said_to_be_absent() -> None:
    import pandas as pd

    text = "\n".join(chapter(pd.DataFrame(), pd.DataFrame()))
    assert text.count("absent") == 2
    assert "targets" not in text


def test_bends_are_given_beside_change_points() -> None:
    rows = np.arange(200.0)
    noise = np.random.default_rng(3).standard_normal(200)
    (found,) = with_bends([noise + 12.0 * (rows >= 60) + 0.2 * np.maximum(rows - 130.0, 0.0)])
    assert len(found) == 2
    assert np.abs(found - [60, 130]).max() <= 6
