from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.change_points import describe, detect
from perf_assets_tests.analysis.signals import autoregressive, step, white

SEEDS = range(60)


@pytest.mark.parametrize(
    ("noise", "most_alarms"),
    [(lambda seed: white(200, seed), 1), (lambda seed: autoregressive(200, 0.3, seed), 1),
     (lambda seed: autoregressive(200, 0.6, seed), 2)],
    ids=["white", "AR .3", "AR .6"],
)  # fmt: skip
def test_clean_series_stay_silent(noise, most_alarms: int) -> None:
    assert sum(detect(noise(seed)).size > 0 for seed in SEEDS) <= most_alarms


def test_steps_of_two_standard_deviations_are_found_where_they_are() -> None:
    places = [60 + seed for seed in SEEDS]
    found = [detect(step(white(200, seed), place, 2.0)) for seed, place in zip(SEEDS, places, strict=True)]
    hits = [any(abs(cut - place) <= 3 for cut in cuts) for cuts, place in zip(found, places, strict=True)]
    assert sum(hits) >= 54


def test_outliers_are_no_change_and_hide_none() -> None:
    silent, found = 0, 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        values = white(200, seed)
        values[rng.choice(200, 10, replace=False)] += rng.choice([-1, 1], 10) * rng.uniform(8, 12, 10)
        silent += detect(values).size == 0
        found += any(abs(cut - 120) <= 5 for cut in detect(step(values, 120, 2.0)))
    assert silent >= 58
    assert found >= 52


def test_a_steady_drift_over_hours_is_no_row_of_steps() -> None:
    rising = np.clip(np.linspace(-1.5, 3, 1_440), 0, None)
    assert sum(detect(autoregressive(1_440, 0.3, seed) + rising).size > 0 for seed in range(20)) <= 1


def test_a_change_is_described_with_intervals_that_hold_the_truth() -> None:
    inside = 0
    for seed in SEEDS:
        values = step(white(200, seed), 100, 3.0)
        table = describe(values, [100])
        row = table.iloc[0]
        assert row["low"] <= row["index"] == 100 <= row["high"]
        assert row["points_after"] == 100
        assert row["p_value"] < 1e-6
        inside += row["size_low"] <= 3.0 <= row["size_high"]
    assert inside >= 54


@given(arrays(np.float64, st.integers(0, 60), elements=st.floats(allow_nan=True, allow_infinity=False)))
def test_any_numbers_give_ascending_indices_of_observed_values(values: np.ndarray) -> None:
    cuts = detect(values)
    assert (np.diff(cuts) > 0).all()
    assert np.isfinite(values[cuts]).all()
    assert len(describe(values, cuts)) == cuts.size


@given(st.integers(0, 50), st.floats(0.001, 1_000), st.floats(-1_000, 1_000))
def test_unit_and_level_do_not_matter(seed: int, factor: float, shift: float) -> None:
    values = step(autoregressive(120, 0.3, seed), 70, 2.5)
    assert np.array_equal(detect(values * factor + shift), detect(values))


@given(st.integers(0, 50))
def test_an_upset_series_changes_at_the_same_places(seed: int) -> None:
    values = step(autoregressive(120, 0.3, seed), 70, 2.5)
    assert np.array_equal(detect(-values), detect(values))


@given(st.integers(0, 50), st.integers(1, 10))
def test_leading_gaps_only_move_the_index(seed: int, gaps: int) -> None:
    values = step(white(120, seed), 70, 2.5)
    assert np.array_equal(detect(np.concatenate((np.full(gaps, np.nan), values))), detect(values) + gaps)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan] * 5, [3.0] * 100, [1.0, 2.0] * 3])
def test_short_constant_and_missing_series_have_no_change(values: list[float]) -> None:
    assert detect(values).size == 0


def test_constructed_cases_of_other_tools(shared_data: Path) -> None:
    """Cases with one clear step are found exactly; those with several are known to be beyond binary segmentation."""
    cases = json.loads((shared_data / "changepoints" / "cases.json").read_text())
    clear = {"otava/single_series", "mongo/simple", "mongo/ahead", "mongo/behind", "mongo/outlier_then_step",
             "mongo/none", "catapult/simple", "catapult/spikes", "catapult/slope"}  # fmt: skip
    for case in cases:
        if case["name"] in clear:
            cuts = detect(case["values"])
            assert len(cuts) == len(case["expected"]), case["name"]
            assert all(abs(a - b) <= case["tol"] for a, b in zip(cuts, case["expected"], strict=True)), case["name"]
