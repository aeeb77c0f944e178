"""Models of single measurements: what they learn, how sure they are, and that they survive as JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.predictive import PLACES, PredictiveModel, fit

START = pd.Timestamp("2026-06-01")
NIGHT = range(6)


def measured(seed: int = 0, days: int = 40, noise: float = 0.05, at_night: float = 1.5) -> pd.DataFrame:
    """Hourly times of two tests on two nodes, in turn: test b takes ten times as long, node 2 a fifth longer, and all
    take `at_night` times as long from 00:00 to 06:00."""
    random = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    place = random.integers(0, 4, hours.size)
    value = np.where(place % 2, 100.0, 10.0) * np.where(place // 2, 1.2, 1.0)
    value *= np.where(hours % 24 < len(NIGHT), at_night, 1.0) * np.exp(noise * random.standard_normal(hours.size))
    return pd.DataFrame(
        {
            "timestamp": START + pd.to_timedelta(hours, unit="h"), "value": value, "project": "p",
            "test_name": np.where(place % 2, "b", "a"), "test_type": None,
            "node_id": np.where(place // 2, "n2", "n1"), "node_type": "linux",
        }
    )  # fmt: skip


def at(hour: int, **places: object) -> pd.DataFrame:
    moment = START + pd.Timedelta(days=50, hours=hour)
    known = {"project": "p", "test_type": None, "node_type": "linux"} | places
    return pd.DataFrame([{"timestamp": moment, **known}])


@pytest.fixture(scope="module")
def model() -> PredictiveModel:
    return fit("test_execution_time", "s", measured())


@pytest.mark.parametrize(("test", "level"), [("a", 10.0), ("b", 100.0)])
@pytest.mark.parametrize(("hour", "factor"), [(3, 1.5), (15, 1.0)])
def test_time_and_place_decide(model: PredictiveModel, test: str, level: float, hour: int, factor: float) -> None:
    for node, own in (("n1", 1.0), ("n2", 1.2)):
        row = model.predict(at(hour, test_name=test, node_id=node)).iloc[0]
        assert row["predicted"] == pytest.approx(level * factor * own, rel=0.05)
        assert row["lo-95"] < row["lo-80"] < row["predicted"] < row["hi-80"] < row["hi-95"]
        assert row["level_of"] == ", ".join(PLACES)


def test_intervals_hold_what_they_say(model: PredictiveModel) -> None:
    later = measured(seed=1)
    ahead = model.predict(later)
    for level in (80, 95):
        inside = later["value"].between(ahead[f"lo-{level}"], ahead[f"hi-{level}"])
        assert inside.mean() == pytest.approx(level / 100, abs=0.05)


def test_what_was_never_seen_has_the_level_of_what_is_alike(model: PredictiveModel) -> None:
    new_node = model.predict(at(15, test_name="b", node_id="n9")).iloc[0]
    assert new_node["predicted"] == pytest.approx(110.0, rel=0.15)
    assert new_node["level_of"] == "test_name, node_type"
    assert model.predict(at(15, test_name="b", node_type=None)).iloc[0]["level_of"] == "test_name"
    assert model.predict(at(15, test_name="z", node_id="n1")).iloc[0]["level_of"] == "node_id"
    nothing = model.predict(pd.DataFrame({"timestamp": [START]}))
    assert nothing["level_of"].tolist() == ["all"]
    assert np.isfinite(nothing["predicted"]).all()


def test_the_newest_level_counts() -> None:
    rows = measured()
    rows.loc[rows["timestamp"] >= START + pd.Timedelta(days=30), "value"] *= 2.0
    row = fit("m", "s", rows).predict(at(15, test_name="a", node_id="n1")).iloc[0]
    assert row["predicted"] == pytest.approx(20.0, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_where_time_says_nothing_the_level_is_predicted(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = measured(seed).assign(value=random.lognormal(0.0, 1.0, 40 * 24))
    model = fit("m", "s", rows)
    assert model.error > 0.97 * model.error_of_level
    if not model.better_than_level:
        # The hour makes no difference then.
        found = {model.predict(at(hour, test_name="a", node_id="n1"))["predicted"].iloc[0] for hour in range(24)}
        assert len(found) == 1


def test_a_model_survives_as_json(model: PredictiveModel) -> None:
    text = model.to_json()
    again = PredictiveModel.from_json(text)
    rows = measured(seed=2)
    pd.testing.assert_frame_equal(again.predict(rows), model.predict(rows))
    assert again == model
    assert json.loads(text)["fingerprint"] == model.fingerprint
    for broken in ("[]", "{}", text.replace('"format": 1', '"format": 2')):
        with pytest.raises(ValueError, match="not a predictive model of format 1"):
            PredictiveModel.from_json(broken)


def test_trees_say_what_scikit_learn_says() -> None:
    from sklearn.ensemble import GradientBoostingRegressor

    from perf_assets.analysis.predictive import _tree

    random = np.random.default_rng(0)
    x, y = random.integers(0, 9, (400, 4)).astype(float), random.standard_normal(400)
    boosted = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(x, y)
    own = sum(_tree(tree.tree_, boosted.learning_rate).predict(x) for tree in boosted.estimators_[:, 0])
    assert np.allclose(own + boosted.init_.constant_.ravel()[0], boosted.predict(x))


def test_values_that_are_not_positive_are_shifted_not_multiplied() -> None:
    rows = measured().assign(value=lambda t: t["value"] - 15.0)
    model = fit("m", "s", rows)
    assert not model.logarithms
    assert model.predict(at(15, test_name="a", node_id="n1"))["predicted"].iloc[0] == pytest.approx(-5.0, abs=1.0)


def test_the_fingerprint_is_of_the_rows() -> None:
    rows = measured(days=5)
    shuffled = rows.sample(frac=1.0, random_state=0)
    assert fit("m", "s", rows).fingerprint == fit("m", "s", shuffled).fingerprint
    assert fit("m", "s", rows).fingerprint != fit("m", "s", rows.assign(value=rows["value"] + 1e-9)).fingerprint


def test_too_few_measurements_are_an_error() -> None:
    with pytest.raises(ValueError, match="m has 39 measurements; a model needs at least 40"):
        fit("m", "s", measured().assign(value=lambda t: t["value"].where(t.index < 39)))
    with pytest.raises(ValueError, match="lack the column 'timestamp'"):
        fit("m", "s", measured()).predict(pd.DataFrame({"test_name": ["a"]}))


@limits(max_examples=8, deadline=None)
@given(st.integers(0, 100), st.sampled_from([2.0**-10, 2.0**7]))
def test_the_unit_changes_nothing_but_the_size(seed: int, factor: float) -> None:
    rows = measured(seed, days=5)
    one, other = fit("m", "s", rows), fit("m", "s", rows.assign(value=rows["value"] * factor))
    ours, theirs = (found.predict(rows)["predicted"] for found in (one, other))
    assert np.allclose(theirs / factor, ours, rtol=0.02)


@limits(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9), min_size=40, max_size=60), st.lists(st.sampled_from(["", "a", None]), min_size=60)
)
def test_any_values_and_names_give_ordered_intervals(values: list[float], names: list[str | None]) -> None:
    count = len(values)
    rows = pd.DataFrame(
        {
            "timestamp": START + pd.to_timedelta(np.arange(count), unit="h"), "value": values, "project": "p",
            "test_name": names[:count], "test_type": None, "node_id": names[-count:], "node_type": "x",
        }
    )  # fmt: skip
    model = fit("m", "s", rows)
    ahead = model.predict(rows)
    assert (np.diff(ahead[["lo-95", "lo-80", "hi-80", "hi-95"]].to_numpy(), axis=1) >= 0).all()
    assert PredictiveModel.from_json(model.to_json()) == model
