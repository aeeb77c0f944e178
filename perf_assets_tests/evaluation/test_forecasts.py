"""Panels are cut where the truth is known, and the words follow the figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation import forecast_panels, forecasts
from evaluation.methods import OURS

FEW, MANY = 20, 120


def tables(
    ours: float, peer: float, inside: float, name: str = "public, hourly (200, 24)", count: int = MANY
) -> dict[str, pd.DataFrame]:
    """Outcomes of one panel: errors of about so much, and the share of values inside both intervals."""
    random = np.random.default_rng(1)
    methods = {OURS: ours, "member profile": peer, **dict.fromkeys(forecasts.PEERS, peer)}
    outcomes = [
        pd.DataFrame(
            {"panel": name, "place": range(count), "source": [f"s{place // 2}" for place in range(count)],
             "method": method, "mase": error * np.exp(0.05 * random.standard_normal(count)), "milliseconds": 1.0}
        )
        for method, error in methods.items()
    ]  # fmt: skip
    coverage = [
        pd.DataFrame(
            {"panel": name, "place": range(count), "source": "s", "level": level, "inside": inside * level / 80}
        )
        for level in (80, 95)
    ]
    return {"outcomes": pd.concat(outcomes), "coverage": pd.concat(coverage)}


@pytest.mark.parametrize(("ours", "missed"), [(0.8, 0), (1.0, 1), (1.2, 2)])
def test_a_large_hourly_panel_is_held_against_members_and_peers(ours: float, missed: int) -> None:
    checks = [check for check in forecasts.checks(tables(ours, 1.0, 0.8)) if "intervals" not in check.what]
    assert len(checks) == 2
    assert sum(check.missed for check in checks) >= missed


def test_a_small_panel_is_held_against_the_best_peer() -> None:
    for ours, missed in ((1.0, False), (1.1, True)):
        check, *_ = forecasts.checks(tables(ours, 1.0, 0.8, count=FEW))
        assert "share of the best peer" in check.what
        assert check.missed == missed


@pytest.mark.parametrize(("inside", "missed"), [(0.8, False), (0.79, False), (0.7, True), (0.84, True)])
def test_intervals_may_be_two_points_off(inside: float, missed: bool) -> None:
    found = [check for check in forecasts.checks(tables(0.8, 1.0, inside)) if "80 % intervals" in check.what]
    assert [check.missed for check in found] == [missed]


def test_the_chapter_names_panels_methods_and_misses() -> None:
    text = "\n".join(forecasts.chapter(tables(0.8, 1.0, 0.7), 8101))
    assert "| public, hourly (200, 24); 120 of 60 sources | 0.80 | 0.99 (profile) | 1.00 (0.20 [0." in text
    assert "70.0 ✗" in text
    assert "missed: public, hourly (200, 24): 80 % intervals" in text


def test_panels_are_cut_where_all_is_known() -> None:
    values = np.arange(60.0)
    values[[3, 40]] = np.nan
    panel = forecast_panels._cut("p", {"a": values}, 20, 5, lambda size, first: [25, 30, 60], (7, 30))
    assert (panel.known.shape, panel.truth.shape, panel.cycles) == ((3, 20), (3, 5), (7,))
    assert panel.truth[:, 0].tolist() == [20.0, 25.0, 55.0]
    # The end of what is known must be, and so must the truth.
    gaps = forecast_panels._cut("p", {"a": values}, 20, 5, lambda size, first: [45, 41, 46], (7,))
    assert gaps.known.size == 0


def test_generated_series_are_of_all_kinds() -> None:
    made = forecast_panels._generated(np.random.default_rng(1), 12, 100)
    assert {name.split()[0] for name in made} == {"plain", "burst", "step", "count", "share", "drift"}
    assert all(np.isfinite(values).all() for values in made.values())
    assert all(made[name].min() > 0 and made[name].max() < 1 for name in made if name.startswith("share"))
