from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.correlations import (
    CORRELATION_COLUMNS,
    PAIR_COLUMNS,
    WHOLE_PROJECT,
    correlate,
    correlate_places,
    strength_of,
)
from perf_assets.analysis.statistics import FloatArray
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, white

POINTS, SERIES = 200, 30
TIME = np.arange(POINTS)


def panel(*columns: FloatArray) -> pd.DataFrame:
    return pd.DataFrame({f"m{place:02d}": values for place, values in enumerate(columns)})


def linked(correlation: float, lag: int, seed: int, others: int = 8) -> pd.DataFrame:
    """Two series of AR noise whose shocks have a half in common, the second `lag` steps later, and others."""
    random = np.random.default_rng(seed)
    shocks = random.standard_normal((2 + others, POINTS + 320))
    shared = random.standard_normal(POINTS + 360)
    for place, shift in ((0, 20), (1, 20 - lag)):
        shocks[place] = (shocks[place] + shared[shift : shift + shocks.shape[1]]) / np.sqrt(2.0)
    values = np.zeros_like(shocks)
    for place in range(1, shocks.shape[1]):
        values[:, place] = correlation * values[:, place - 1] + shocks[:, place]
    return panel(*values[:, -POINTS:])


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
@pytest.mark.parametrize("lag", [0, 1, 4, -6])
def test_a_link_is_found_with_its_lag_whatever_persists(correlation: float, lag: int) -> None:
    found = [correlate(linked(correlation, lag, seed)).iloc[0] for seed in range(20)]
    assert np.mean([row["q_value"] < 0.05 for row in found]) >= 0.95
    assert np.mean([row["lag"] == lag for row in found]) >= 0.95
    assert np.mean([row["rho"] for row in found]) == pytest.approx(0.5, abs=0.06)


def independent(kind: str, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    noise = random.standard_normal((SERIES, POINTS))
    if kind == "random walks":
        noise = noise.cumsum(axis=1)
    elif kind == "own trends":
        noise += TIME * random.standard_normal((SERIES, 1)) * 0.05
    elif kind == "arma":
        noise = np.stack([autoregressive(POINTS, 0.8, 100 * seed + place) for place in range(SERIES)])
        noise[:, 1:] += 0.5 * random.standard_normal((SERIES, POINTS - 1))
    elif kind == "days":
        noise += 3.0 * np.sin(2 * np.pi * (TIME + random.integers(24, size=(SERIES, 1))) / 24)
    elif kind == "steps at one time":
        noise += random.uniform(4, 9, (SERIES, 1)) * (TIME >= 120)
    elif kind == "heavy tails":
        noise = random.standard_cauchy((SERIES, POINTS))
    elif kind == "counts":
        noise = random.poisson(random.choice([0.4, 1.0, 5.0], (SERIES, 1)), (SERIES, POINTS)).astype(float)
    elif kind == "log-normal":
        noise = np.exp(2.0 * noise)
    return panel(*noise)


@pytest.mark.parametrize(
    "kind",
    ["random walks", "own trends", "arma", "days", "steps at one time", "heavy tails", "counts", "log-normal"],
)
def test_what_is_independent_is_not_linked(kind: str) -> None:
    significant = [int((correlate(independent(kind, seed))["q_value"] < 0.05).sum()) for seed in range(12)]
    assert sum(significant) <= 3
    assert significant.count(0) >= 10


def test_a_slow_part_in_common_is_found_by_means_of_six() -> None:
    found = []
    for seed in range(20):
        columns = [white(400, 10 * seed + place) for place in range(6)]
        slow = autoregressive(700, 0.95, seed)[300:]
        columns[0], columns[1] = columns[0] + slow, columns[1] + slow
        found.append(correlate(panel(*columns)).iloc[0])
    assert np.mean([row["q_value"] < 0.05 for row in found]) >= 0.75
    assert np.mean([row["width"] == 6 for row in found if row["q_value"] < 0.05]) > 0.5


def test_opposite_moves_have_a_negative_sign_and_words_for_their_strength() -> None:
    base = white(80, 1)
    (row,) = correlate(panel(base, 0.3 * white(80, 2) - base)).itertuples()
    assert row.rho < -0.8
    assert row.rho_low < row.rho < row.rho_high < -0.6
    assert (row.strength, row.lag, row.width, row.effective_n) == ("strong", 0, 1, 80)
    assert [strength_of(r) for r in (0.71, -0.71, 0.7, 0.41, -0.4, 0.0)] == [
        "strong", "strong", "moderate", "moderate", "weak", "weak",
    ]  # fmt: skip


def test_two_that_follow_a_third_are_not_linked_given_it() -> None:
    load = white(300, 3)
    table = panel(load, load + 0.7 * white(300, 4), np.roll(load, 1) + 0.7 * white(300, 5))
    assert (correlate(table)["q_value"] < 1e-6).all()
    (row,) = correlate(table, given="m00").itertuples()
    assert (row.metric_a, row.metric_b) == ("m01", "m02")
    assert row.p_value > 0.05


def test_gaps_are_no_values() -> None:
    table = linked(0.3, 1, 7)
    gappy = table.mask(np.random.default_rng(8).random(table.shape) < 0.1)
    row = correlate(gappy).iloc[0]
    assert (row["q_value"] < 0.05, row["lag"]) == (True, 1)
    assert row["effective_n"] < 175


def test_what_is_nearly_always_the_same_has_no_correlation() -> None:
    rare = (np.random.default_rng(9).random((6, 300)) < 0.05).astype(float)
    assert correlate(panel(*rare)).empty


def test_no_correlation_is_above_one() -> None:
    walks = np.random.default_rng(20).standard_normal((12, 20)).cumsum(axis=1)
    table = correlate(panel(*walks), lags=40)
    assert table["rho"].abs().max() <= 1.0
    assert ((table["rho_low"] <= table["rho"]) & (table["rho"] <= table["rho_high"])).all()


def test_errors_and_too_little() -> None:
    with pytest.raises(ValueError, match="lags must be at least 0, not -1"):
        correlate(panel(white(40, 1)), lags=-1)
    with pytest.raises(ValueError, match=r"'load' is no column of the panel, which has \['m00'\]"):
        correlate(panel(white(40, 1)), given="load")
    short = panel(white(19, 1), white(19, 2))
    assert correlate(short).columns.tolist() == list(PAIR_COLUMNS)
    assert correlate(short).empty
    assert correlate(panel(white(40, 1), np.full(40, 3.0))).empty


def test_places_are_apart_and_judged_together() -> None:
    rows = []
    for node, seed in (("n1", 1), ("n2", 4), (WHOLE_PROJECT, 7)):
        for metric, values in (("cpu", white(60, seed)), ("load", white(60, seed) + 0.2 * white(60, seed + 1))):
            days = pd.date_range(MONDAY, periods=60)
            rows.append(pd.DataFrame({"project": "p", "node_id": node, "metric": metric, "day": days, "value": values}))
    table = correlate_places(pd.concat(rows).drop(index=30))
    assert table.columns.tolist() == list(CORRELATION_COLUMNS)
    assert table["node_id"].tolist() == ["n1", "n2", WHOLE_PROJECT]
    assert (table["q_value"] >= table["p_value"]).all()
    assert (table["q_value"] < 1e-6).all()
    assert correlate_places(rows[0].head(0)).columns.tolist() == list(CORRELATION_COLUMNS)


@limits(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.floats(0.1, 10), st.floats(-5, 5))
def test_units_do_not_matter(seed: int, factor: float, shift: float) -> None:
    a, b = autoregressive(60, 0.5, seed), white(60, seed + 1)
    first, second = correlate(panel(a, b)), correlate(panel(a * factor + shift, b))
    np.testing.assert_allclose(first["rho"], second["rho"], atol=1e-6)
    assert ((first["rho_low"] <= first["rho"]) & (first["rho"] <= first["rho_high"])).all()


@limits(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.floats(-1e9, 1e9), st.just(float("nan"))), min_size=30, max_size=30),
        min_size=2, max_size=4,
    )
)  # fmt: skip
def test_any_numbers_give_correlations_between_their_ends(columns: list[list[float]]) -> None:
    table = correlate(panel(*(np.array(one) for one in columns)))
    assert table["rho"].abs().le(1.0 + 1e-9).all()
    assert table["p_value"].between(0.0, 1.0).all()
    assert table["lag"].abs().le(6).all()
