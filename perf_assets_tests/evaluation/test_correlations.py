from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.correlations import (
    DAYS,
    LINK,
    LINKS,
    METHODS,
    SERIES,
    SLOW_DAYS,
    Sample,
    chapter,
    checks,
    evaluate_cost,
    evaluate_links,
    samples,
)


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Sample]]:
    by_kind: dict[str, list[Sample]] = {}
    for sample in samples(8, 7):
        by_kind.setdefault(sample.kind, []).append(sample)
    return by_kind


def test_a_set_has_the_series_and_links_that_it_is_said_to_have(drawn: dict[str, list[Sample]]) -> None:
    assert {len(sets) for sets in drawn.values()} == {8}
    for kind, sets in drawn.items():
        days = SLOW_DAYS if kind.startswith("slow") else DAYS
        assert {sample.values.shape for sample in sets} == {(SERIES, days)}
        assert {len(sample.lags) for sample in sets} == {LINKS if "lag" in kind or kind.startswith("slow") else 0}


def test_linked_series_follow_each_other_by_their_lag(drawn: dict[str, list[Sample]]) -> None:
    at_lag = []
    for sample in drawn["AR .6, lag 2 to 6"]:
        assert sorted(set(sample.lags)) == [2, 3, 4, 5, 6]
        for place, lag in enumerate(sample.lags):
            early, late = sample.values[2 * place], sample.values[2 * place + 1]
            at_lag.append(np.corrcoef(early[:-lag], late[lag:])[0, 1])
    # Both are filtered alike, so that the correlation of the shocks is that of the series.
    assert np.mean(at_lag) == pytest.approx(LINK, abs=0.04)


def test_steps_come_to_all_series_on_one_day(drawn: dict[str, list[Sample]]) -> None:
    values = drawn["steps on one day"][0].values
    assert (np.abs(values[:, :120].mean(axis=1) - values[:, 120:].mean(axis=1)) > 3.0).all()


def test_the_peers_have_the_p_values_of_scipy() -> None:
    values = np.random.default_rng(1).standard_normal((SERIES, 30)).cumsum(axis=1)
    for name, one in (("Pearson", stats.pearsonr), ("Spearman", stats.spearmanr)):
        p_values = [one(values[a], values[b]).pvalue for a, b in zip(*np.triu_indices(SERIES, 1), strict=True)]
        q_values, lags = METHODS[name](values)
        np.testing.assert_allclose(q_values, stats.false_discovery_control(p_values), rtol=1e-6, atol=1e-300)
        assert not lags.any()


def test_every_kind_is_measured_judged_and_written(drawn: dict[str, list[Sample]]) -> None:
    links = evaluate_links(1, 7)
    assert len(links) == len(drawn) * len(METHODS)
    assert (links["found"] >= links["lag_right"]).all()
    assert (links["links"] + links["pairs"] == 990).all()
    cost = pd.DataFrame({"seconds": [1.0, 1.2, 9.0], "corrcoef_seconds": [0.01, 0.01, 0.01]})
    judged = checks(links, cost)
    unlinked = sum(not sets[0].lags for sets in drawn.values())
    assert [check.limit for check in judged].count("at most") == unlinked + 1
    # Links have one target for being found and one for their lag, a slow part only the first.
    assert len(judged) == unlinked + 2 * (len(drawn) - unlinked) - 1 + 1
    text = "\n".join(chapter(links, cost, 7))
    assert "| AR .6, lag 1 | at least 95 | 100.0 " in text
    assert "take 1.20 s of CPU" in text
    assert "120 times that of one numpy `corrcoef`" in text


def test_the_cost_is_measured_beside_that_of_numpy() -> None:
    cost = evaluate_cost(7, series=40)
    assert (cost["seconds"] > 0.0).all()
    assert (cost["corrcoef_seconds"] >= 0.0).all()
