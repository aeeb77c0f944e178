from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.correlations import WHOLE_PROJECT, correlate, strength_of
from perf_assets_tests.analysis.signals import MONDAY, autoregressive, white

NO_CHANGES = pd.DataFrame(columns=["project", "node_id", "metric", "changed_at"])


def place(metrics: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"project": "p", "node_id": WHOLE_PROJECT, "metric": name,
                      "day": pd.date_range(MONDAY, periods=values.size), "value": values})
        for name, values in metrics.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_metrics_that_move_together_are_found_with_their_sign() -> None:
    base = white(80, 1)
    table = correlate(place({"a": base, "b": -base + 0.3 * white(80, 2), "c": white(80, 3)}), NO_CHANGES)
    pairs = table.set_index(["metric_a", "metric_b"])
    assert pairs.loc[("a", "b"), "rho"] < -0.8
    assert pairs.loc[("a", "b"), "strength"] == "strong"
    assert pairs.loc[("a", "b"), "q_value"] < 0.001
    assert pairs.loc[("a", "c"), "q_value"] > 0.05


def test_two_slow_waves_are_worth_few_points() -> None:
    waves = {"a": autoregressive(80, 0.9, 4), "b": autoregressive(80, 0.9, 5)}
    assert correlate(place(waves), NO_CHANGES)["effective_points"].iloc[0] < 30


def test_two_steps_on_one_day_are_no_correlation_of_the_days() -> None:
    stepped = {name: white(80, seed) + 10 * (np.arange(80) >= 40) for name, seed in (("a", 6), ("b", 7))}
    changes = pd.DataFrame({"project": "p", "node_id": WHOLE_PROJECT, "metric": ["a", "b"],
                            "changed_at": MONDAY + pd.Timedelta(days=40)})  # fmt: skip
    assert correlate(place(stepped), NO_CHANGES)["rho"].iloc[0] > 0.6
    assert abs(correlate(place(stepped), changes)["rho"].iloc[0]) < 0.3


def test_the_words_of_strength() -> None:
    assert [strength_of(r) for r in (0.71, -0.71, 0.7, 0.41, -0.4, 0.0)] == [
        "strong", "strong", "moderate", "moderate", "weak", "weak",
    ]  # fmt: skip


@limits(max_examples=30)
@given(st.integers(0, 500), st.floats(0.1, 10), st.floats(-5, 5))
def test_rank_correlation_does_not_see_units(seed: int, factor: float, shift: float) -> None:
    a, b = white(40, seed), white(40, seed + 1)
    first = correlate(place({"a": a, "b": b}), NO_CHANGES)
    second = correlate(place({"a": a * factor + shift, "b": b}), NO_CHANGES)
    assert np.allclose(first["rho"], second["rho"])
    assert ((first["rho_low"] <= first["rho"]) & (first["rho"] <= first["rho_high"])).all()
