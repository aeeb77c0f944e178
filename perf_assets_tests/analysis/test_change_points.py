from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.change_points import describe, describe_many, detect, detect_many, find_many
from perf_assets_tests.analysis.signals import FloatArray, autoregressive, levels, step, white

SEEDS = range(60)
few = limits(max_examples=15, deadline=None)


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


def test_all_constructed_cases_of_other_tools_are_found_exactly(shared_data: Path) -> None:
    cases = json.loads((shared_data / "changepoints" / "cases.json").read_text())
    constructed = [case for case in cases if case["kind"] == "constructed"]
    assert len(constructed) == 17
    for case in constructed:
        cuts = detect(case["values"])
        assert len(cuts) == len(case["expected"]), case["name"]
        assert all(abs(a - b) <= case["tol"] for a, b in zip(cuts, case["expected"], strict=True)), case["name"]


def together(series: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(values, offsets) of a ragged batch."""
    return np.concatenate([*series, []]), np.cumsum([0, *map(len, series)])


def of_many_kinds(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    bimodal = white(200, seed) + 3 * (rng.uniform(size=200) < 0.3)
    gaps = step(white(150, seed), 80, 3.0)
    gaps[rng.integers(0, 150, 20)] = np.nan
    return [
        step(white(200, seed), 60, 1.5), step(autoregressive(120, 0.6, seed), 70, 3.0), step(bimodal, 90, 2.0),
        step(np.exp(0.6 * white(300, seed)), 150, 2.0), np.round(step(white(90, seed), 40, 3.0)), gaps,
        white(40, seed) + np.linspace(0, 5, 40), np.full(30, 7.0), np.array([]), np.array([1.0, np.nan]),
        step(white(210, seed), 100, 2.5) + 1.5 * np.sin(2 * np.pi * np.arange(210) / 7),
    ]  # fmt: skip


@few
@given(st.integers(0, 1_000), st.randoms(use_true_random=False))
def test_a_batch_gives_each_series_what_it_gets_alone_in_any_order(seed: int, order: random.Random) -> None:
    series = of_many_kinds(seed)
    order.shuffle(series)
    batch = detect_many(*together(series))
    assert [cuts.tolist() for cuts in batch] == [detect(values).tolist() for values in series]
    doubled = detect_many(*together(series + series))
    assert [cuts.tolist() for cuts in doubled] == 2 * [cuts.tolist() for cuts in batch]


@few
@given(st.integers(0, 1_000))
def test_descriptions_of_a_batch_are_those_of_its_series(seed: int) -> None:
    series = of_many_kinds(seed)
    values, offsets = together(series)
    cuts = detect_many(values, offsets)
    table = describe_many(values, offsets, cuts)
    alone = [describe(one, own).assign(series=i) for i, (one, own) in enumerate(zip(series, cuts, strict=True))]
    expected = pd.concat([one for one in alone if len(one)], ignore_index=True)[table.columns.tolist()]
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


@pytest.mark.parametrize("offsets", [[], [0], [0, 3], [1, 4], [0, 3, 2, 4]])
def test_offsets_that_do_not_fit_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets must ascend from 0 to 4"):
        detect_many(white(4, 0), offsets)


def test_a_change_point_that_is_no_observed_value_is_refused() -> None:
    values = white(50, 0)
    values[20] = np.nan
    for index in (0, 20, 50):
        with pytest.raises(ValueError, match="not all observed values after the first"):
            describe(values, [index])


def test_what_is_no_step_is_called_what_it_is() -> None:
    rng = np.random.default_rng(0)
    noise = white(200, 4)
    wider, burst = noise.copy(), noise.copy()
    wider[100:] *= 3
    burst[100:] += 15 * (rng.uniform(size=100) < 0.3)
    kinds = {
        name: describe(values, [100]).iloc[0]["kind"]
        for name, values in {
            "step": step(noise, 100, 2.0), "drift": noise + np.linspace(0, 4, 200), "spread": wider,
            "outlier_burst": burst,
        }.items()
    }  # fmt: skip
    assert kinds == {name: name for name in kinds}
    for values in (noise + np.linspace(0, 4, 200), wider, burst):
        assert detect(values).size == 0


@pytest.mark.parametrize(
    "noise",
    [
        lambda rng: rng.standard_normal(200) + 3 * (rng.uniform(size=200) < 0.3),
        lambda rng: np.exp(0.6 * rng.standard_normal(200)) / 0.79,
        lambda rng: np.round(rng.standard_normal(200)),
        lambda rng: rng.standard_normal(200) + 1.5 * np.sin(2 * np.pi * np.arange(200) / 7),
        lambda rng: rng.standard_normal(200) + rng.uniform(5, 15, 200) * (rng.uniform(size=200) < 0.05),
    ],
    ids=["two modes", "lognormal", "quantised", "cycle of 7", "spikes"],
)
def test_noise_of_every_kind_is_silent_and_hides_no_step(noise) -> None:
    clean = [noise(np.random.default_rng(seed)) for seed in range(100)]
    assert sum(cuts.size > 0 for cuts in detect_many(*together(clean))) <= 5
    found = detect_many(*together([step(values, 110, 2.0) for values in clean]))
    assert sum(any(abs(cuts - 110) <= 5) for cuts in found) >= 80


def test_a_p_value_is_small_by_chance_no_more_often_than_it_says() -> None:
    series = [autoregressive(200, 0.3, seed) for seed in range(400)]
    values, offsets = together(series)
    table = describe_many(values, offsets, detect_many(values, offsets))
    pd.testing.assert_frame_equal(find_many(values, offsets), table)
    smallest = table.groupby("series")["p_value"].min()
    assert (smallest < 0.01).sum() <= 10
    assert (smallest < 0.001).sum() <= 4


def test_a_step_is_sharp_and_a_drift_is_not() -> None:
    stepped, drifting = step(white(200, 4), 90, 3.0), white(200, 4) + np.linspace(0.0, 3.0, 200)
    assert describe(stepped, [90])["sharp"].all()
    assert not describe(drifting, [100])["sharp"].any()


@pytest.mark.parametrize("newest", [6, 30])
def test_a_level_that_triples_with_its_noise_is_soon_beyond_doubt(newest: int) -> None:
    for seed in range(10):
        values = 20.0 + autoregressive(200, 0.3, seed)
        values[-newest:] *= 3.0
        table = find_many(values, [0, 200])
        beside = table[(table["index"] - (200 - newest)).abs() <= 1]
        assert beside["confirmed"].any()


def test_a_few_outliers_among_the_newest_values_are_no_level() -> None:
    confirmed = 0
    for seed in range(40):
        values = np.where(np.random.default_rng(seed).random(300) < 0.05, 9.0, 0.0) + white(300, seed)
        values[[-5, -3, -1]] += 9.0
        confirmed += bool(find_many(values, [0, 300])["confirmed"].any())
    assert confirmed <= 1


def test_descriptions_of_noise_of_two_modes_are_the_same_alone_and_beside_others() -> None:
    random = np.random.default_rng(8)
    series = [step(white(200, seed) + 4.0 * (random.random(200) < 0.3), 120, 4.0) for seed in range(12)]
    values, offsets = together(series)
    beside = find_many(values, offsets)
    alone = [find_many(one, [0, one.size]).assign(series=number) for number, one in enumerate(series)]
    pd.testing.assert_frame_equal(beside, pd.concat(alone, ignore_index=True), check_exact=True)


@pytest.mark.parametrize("glitch", [1e6, 1.7e9, 1e12])
def test_a_glitch_of_any_size_blinds_no_series(glitch: float) -> None:
    values = step(10.0 + 0.1 * white(300, 1), 150, 10.0)
    values[60] = glitch
    assert detect(values).tolist() == [150]
    assert describe(values, [150])["confirmed"].all()


@pytest.mark.parametrize(("drift", "size"), [(5.0, 3.0), (-5.0, 3.0), (5.0, -3.0), (0.0, 3.0)])
def test_a_step_on_a_drift_has_its_own_height(drift: float, size: float) -> None:
    values = step(20 + white(900, 4) + np.linspace(0, drift, 900), 350, size)
    row = describe(values, detect(values)).iloc[0]
    assert abs(row["index"] - 350) <= 2
    assert row["size"] == pytest.approx(size, abs=0.4)
    assert row["size_high"] - row["size_low"] < 1.5
    assert row["after"] - row["before"] == pytest.approx(row["size"])
    assert row["before"] == pytest.approx(20 + drift * 350 / 900, abs=0.5)
    assert 0.9 < row["noise"] < 1.1
    assert (row["kind"], row["confirmed"], row["sharp"]) == ("step", True, True)


def test_a_step_that_a_drift_hides_is_judged_by_itself() -> None:
    """Falling by as much as the step rises: the means before and after are the same."""
    values = step(20 + white(400, 6) + np.linspace(0, -6, 400), 200, 3.0)
    row = describe(values, [200]).iloc[0]
    assert row["size"] == pytest.approx(3.0, abs=0.6)
    assert row["p_value"] < 1e-6
    drift_alone = describe(20 + white(400, 6) + np.linspace(0, -6, 400), [200]).iloc[0]
    assert drift_alone["kind"] == "drift"


@limits(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=20), st.integers(-100, 100))
def test_what_repeats_exactly_has_no_step(cycle: list[int], level: int) -> None:
    assert detect(level + np.resize(np.array(cycle, dtype=float), 200)).size == 0


def test_a_short_level_that_has_just_gone_back_is_no_steep_drift() -> None:
    sizes = []
    for seed in range(30):
        values = 100 + 5 * white(72, seed)
        values[60:68] += 20
        sizes += describe(values, detect(values))["size"].abs().tolist()
    assert len(sizes) >= 20
    assert np.mean(np.array(sizes) > 27) <= 0.05


def drifting_levels(seed: int) -> FloatArray:
    """Three levels with a drift of their own each, in little noise."""
    rows = np.arange(40)
    return np.concatenate((5.0 + 0.02 * rows, 9.0 - 0.03 * rows, 4.0 + 0.04 * rows)) + 0.1 * white(120, seed)


def quiet_and_noisy_levels(seed: int) -> FloatArray:
    return levels(seed, (30, 1.0, 0.02), (30, 4.0, 0.5), (30, 1.4, 0.02), (30, 3.0, 0.3), (30, 1.8, 0.05))


@pytest.mark.parametrize(
    ("draw", "places"),
    [(drifting_levels, (40, 80)), (quiet_and_noisy_levels, (30, 60, 90, 120))],
    ids=["drift", "noise"],
)
def test_levels_with_a_drift_or_noise_of_their_own_are_found(draw, places: tuple[int, ...]) -> None:
    found = [detect(draw(seed)) for seed in range(40)]
    near = [min(abs(cuts - place), default=99) <= 2 for cuts in found for place in places]
    assert np.mean(near) >= 0.97
    assert sum(map(len, found)) <= 1.25 * len(near)
