from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perf_assets.analysis.joint_anomalies import (
    JOINT_ANOMALY_COLUMNS,
    JOINT_EPISODE_COLUMNS,
    find_joint_anomalies,
    find_joint_episodes,
)
from perf_assets_tests.analysis.signals import hourly

AFFECTED = [1, 4, 6, 8, 11]


def test_metrics_that_are_odd_together_are_an_episode_with_its_extent_and_its_metrics() -> None:
    values = node_metrics(800, 1)
    values.iloc[300:310, AFFECTED] += [2, -2, 2, 2, -2]
    (episode,) = find_joint_episodes(values).itertuples()
    assert abs(episode.start - values.index[300]) <= pd.Timedelta(hours=2)
    assert abs(episode.end - values.index[309]) <= pd.Timedelta(hours=2)
    assert set(episode.metrics.split(", ")) == {f"m{number}" for number in AFFECTED}
    assert episode.p_value < 0.001
    assert episode.score > 2


def test_clean_metrics_have_no_episode() -> None:
    assert sum(len(find_joint_episodes(node_metrics(700, seed))) for seed in range(20)) == 0


def test_following_the_load_is_not_odd() -> None:
    surge = np.zeros(900)
    surge[500:520] = 4.0
    assert find_joint_episodes(node_metrics(900, 2, surge)).empty


def test_one_metric_alone_is_no_joint_episode() -> None:
    values = node_metrics(800, 3)
    values.iloc[400:410, 5] += 6
    values.iloc[600, 2] += 40
    assert find_joint_episodes(values).empty


def test_gaps_and_constant_metrics_do_not_hide_an_episode() -> None:
    values = node_metrics(800, 4)
    values.iloc[300:310, AFFECTED] += 2.5
    values.iloc[::17, 3] = np.nan
    values["constant"] = 7.0
    values["empty"] = np.nan
    episodes = find_joint_episodes(values)
    assert len(episodes) == 1
    assert "constant" not in episodes["metrics"][0]


def test_too_little_to_judge_has_no_episode() -> None:
    assert find_joint_episodes(node_metrics(60, 5)).empty
    assert find_joint_episodes(node_metrics(800, 5).iloc[:, :2]).empty
    assert list(find_joint_episodes(pd.DataFrame()).columns) == list(JOINT_EPISODE_COLUMNS)


@limits(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.floats(0.01, 100), st.floats(-1e3, 1e3), st.permutations(range(12)))
def test_units_signs_and_the_order_of_metrics_do_not_matter(
    seed: int, scale: float, shift: float, order: list[int]
) -> None:
    values = node_metrics(500, seed)
    values.iloc[200:210, AFFECTED] += 2.5
    rescaled = values.iloc[:, order] * scale + shift
    rescaled["m3"] = -rescaled["m3"]
    expected, found = find_joint_episodes(values), find_joint_episodes(rescaled)
    assert found[["start", "end"]].equals(expected[["start", "end"]])
    assert np.allclose(found["score"].astype(float), expected["score"].astype(float), rtol=1e-6)


@limits(max_examples=30, deadline=None)
@given(arrays(np.float64, (120, 4), elements=st.floats(-1e6, 1e6, width=32) | st.just(float("nan")) | st.just(1.0)))
def test_whatever_the_values_p_values_are_probabilities(values: np.ndarray) -> None:
    episodes = find_joint_episodes(pd.DataFrame(values))
    assert episodes["p_value"].between(0, 1).all()
    assert (episodes["start"] <= episodes["end"]).all()


def test_the_odd_node_of_a_fleet_is_named_whatever_time_of_day_it_is() -> None:
    nodes = {f"node-{number}": node_metrics(600, number) for number in range(8)}
    nodes["node-5"].iloc[300:310, AFFECTED] += 2.5
    for values in nodes.values():
        values["m2"] += 5.0 * np.sin(2 * np.pi * np.arange(600) / 24)
    (episode,) = find_joint_anomalies(fleet_readings(nodes)).itertuples()
    assert (episode.project, episode.node_id) == ("p", "node-5")
    assert abs(episode.episode_start - nodes["node-5"].index[300]) <= pd.Timedelta(hours=2)
    assert episode.q_value <= 0.05
    assert "m4" in episode.metrics


def test_a_fleet_without_readings_has_no_joint_anomalies() -> None:
    assert list(find_joint_anomalies(fleet_readings({})).columns) == list(JOINT_ANOMALY_COLUMNS)


def fleet_readings(nodes: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows as find_joint_anomalies takes them."""
    parts = [
        pd.DataFrame({"project": "p", "node_id": node, "series_id": i * 100 + k, "metric": name,
                      "ts": values.index, "value": values[name].to_numpy()})
        for i, (node, values) in enumerate(sorted(nodes.items()))
        for k, name in enumerate(values.columns)
    ]  # fmt: skip
    columns = ["project", "node_id", "series_id", "metric", "ts", "value"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def node_metrics(rows: int, seed: int, surge: np.ndarray | None = None) -> pd.DataFrame:
    """12 metrics of unit variance, 0 to 0.6 of which follows a common load; `surge` is added to the load."""
    random = np.random.default_rng(seed)
    shares = random.uniform(0.0, 0.6, 12)
    load = random.standard_normal(rows) + (0.0 if surge is None else surge)
    values = np.sqrt(shares) * load[:, None] + np.sqrt(1.0 - shares) * random.standard_normal((rows, 12))
    return pd.DataFrame(values, index=pd.DatetimeIndex(hourly(rows)), columns=[f"m{number}" for number in range(12)])


def test_copies_of_a_metric_are_no_second_metric() -> None:
    tables = [node_metrics(500, seed) for seed in range(12)]
    for values in tables:
        for copy in range(5):
            values[f"copy{copy}"] = values["m0"]
    assert sum(not find_joint_episodes(values).empty for values in tables) <= 1
