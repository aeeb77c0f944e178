from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.history_files import MarkedSeries, agreed_steps, find_histories, read_histories, step_sizes


def marked(first: tuple[int, ...], second: tuple[int, ...], values: np.ndarray | None = None) -> MarkedSeries:
    given = np.ones(100) if values is None else values
    times = np.arange(given.size)
    return MarkedSeries("s", "h", "m", "t", "s", False, times, given, (first, second), (*first, *second))


def test_a_step_is_agreed_within_three_values_and_lies_midway() -> None:
    assert agreed_steps(marked((50,), (53,))) == [51]
    assert agreed_steps(marked((50,), (54,))) == []
    assert agreed_steps(marked((50,), ())) == []


def test_the_margin_grows_with_the_series() -> None:
    assert marked((), (), np.ones(349)).margin == 3
    assert marked((), (), np.ones(651)).margin == 7
    assert agreed_steps(marked((50,), (57,), np.ones(651))) == [53]


def test_a_mark_agrees_with_one_other_the_nearest() -> None:
    assert agreed_steps(marked((50, 52), (52,))) == [51]
    assert agreed_steps(marked((50,), (48, 51))) == [50]


def test_sizes_are_relative_changes_of_the_medians_between_steps() -> None:
    values = np.repeat([100.0, 150.0, 75.0], [40, 30, 30])
    values[10] = 9_000.0
    assert step_sizes(marked((40, 70), (40, 70), values)) == pytest.approx([0.5, 0.5])
    assert step_sizes(marked((), (), values)) == []


def record(labels: list[dict]) -> dict:
    return {"id": "s1", "history": "river", "metric": "time", "test": "sort", "unit": None,
            "direction": "higher_is_better", "time": [10, 20, 30], "value": [1, 2.5, 3], "labels": labels}  # fmt: skip


def test_histories_are_found_at_any_depth_and_read_with_all_marks(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "field"
    folder.mkdir(parents=True)
    labels = [{"step": [2, 1], "minor": [0], "bend": [], "spread": []}, {"step": [1], "bend": [2]}]
    (folder / "histories.json").write_text(json.dumps([record(labels)]), encoding="utf-8")
    path = find_histories(tmp_path)
    assert path is not None
    (one,) = read_histories(path)
    assert (one.name, one.history, one.unit, one.higher_is_better) == ("s1", "river", "", True)
    assert (one.times.tolist(), one.values.tolist()) == ([10, 20, 30], [1.0, 2.5, 3.0])
    assert (one.steps, one.marks) == (((1, 2), (1,)), (0, 1, 1, 2, 2))


def test_a_folder_without_histories_has_none(tmp_path: Path) -> None:
    assert find_histories(tmp_path) is None


def test_a_series_that_one_annotator_marked_is_named(tmp_path: Path) -> None:
    path = tmp_path / "histories.json"
    path.write_text(json.dumps([record([{"step": []}])]), encoding="utf-8")
    with pytest.raises(ValueError, match="s1: marked by 1 annotators, not by two"):
        read_histories(path)
