from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluation.obvious import obvious_steps, separation, support
from evaluation.signals import FloatArray


def stepped(place: int, size: float, points: int = 60, noise: float = 1.0) -> FloatArray:
    """A level of 100 with a step; noise of standard deviation 1 that the seed keeps apart from any other step."""
    return 100.0 + size * (np.arange(points) >= place) + noise * np.random.default_rng(3).standard_normal(points)


def test_a_large_step_is_obvious_from_its_first_value_on() -> None:
    assert obvious_steps(stepped(30, 30.0)) == [30]
    assert obvious_steps(stepped(30, -30.0)) == [30]


def test_a_step_needs_eight_values_before_it_and_five_after_it() -> None:
    assert obvious_steps(stepped(8, 30.0)) == [8]
    assert obvious_steps(stepped(7, 30.0)) == []
    assert obvious_steps(stepped(55, 30.0)) == [55]
    assert obvious_steps(stepped(56, 30.0)) == []


def test_a_step_of_less_than_a_tenth_is_not_obvious_however_clear() -> None:
    assert obvious_steps(stepped(30, 9.0, noise=0.01)) == []
    assert obvious_steps(stepped(30, 11.0, noise=0.01)) == [30]


def test_a_step_of_few_deviations_is_not_obvious_however_large() -> None:
    assert obvious_steps(stepped(30, 60.0, noise=20.0)) == []


def test_a_single_value_is_no_step_and_neither_is_nothing() -> None:
    values = stepped(60, 0.0)
    values[30] = 500.0
    assert obvious_steps(values) == obvious_steps(np.full(60, 7.0)) == obvious_steps(np.empty(0)) == []


def test_a_step_from_exact_zero_is_obvious() -> None:
    assert obvious_steps(np.repeat([0.0, 4.0, 0.0], 20)) == [20, 40]


def test_of_steps_within_five_values_the_clearest_stands() -> None:
    assert obvious_steps(stepped(30, 30.0) + stepped(34, 200.0)) in ([30], [34])


def test_a_finding_at_a_step_is_supported_and_one_in_noise_is_not() -> None:
    values = stepped(30, 30.0)
    assert support(values, 30) == "supported"
    assert support(values, 50) == "unsupported"


def test_a_clear_change_of_a_twentieth_is_weak() -> None:
    assert support(stepped(30, 5.5, noise=0.01), 30) == "weak"


def test_a_finding_at_the_last_value_has_too_few_values_to_be_judged() -> None:
    values = stepped(30, 30.0)
    assert support(values, 59) == support(values, 1) == "short"


def test_any_change_from_a_level_of_zero_is_large_enough() -> None:
    assert support(np.repeat([0.0, 0.001], 20), 20) == "supported"


finite = st.floats(-1e6, 1e6)


@given(arrays(np.float64, st.integers(1, 20), elements=finite), arrays(np.float64, st.integers(1, 20), elements=finite))
def test_separation_is_the_same_from_either_side(before: FloatArray, after: FloatArray) -> None:
    assert 0.5 <= separation(before, after) <= 1.0
    assert separation(before, after) == pytest.approx(separation(after, before))
    assert separation(before, before) == 0.5


def test_the_rule_agrees_with_its_definition_on_real_histories(shared_data: Path) -> None:
    folder = shared_data / "field"
    if not (folder / "obvious.py").exists():
        pytest.skip(f"the rule's definition is absent ({folder})")
    rule = runpy.run_path(str(folder / "obvious.py"))
    words = {"supported": "yes", "unsupported": "no", "weak": "weak", "short": "short"}
    for record in json.loads((folder / "histories.json").read_text(encoding="utf-8")):
        values = np.array(record["value"])
        assert obvious_steps(values) == [place for place, *_ in rule["obvious"](values)]
        for place in range(0, values.size, 7):
            assert words[support(values, place)] == rule["supported"](values, place)
