from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.factors import FACTOR_COLUMNS, FACTORS, TOGETHER, factor_shares

NODES, TESTS, NOISE = 12, 8, 0.1


def fleet(node: float = 0.0, test: float = 0.0, node_type: float = 0.0, seed: int = 1, nodes: int = NODES,
          tests: int = TESTS) -> pd.DataFrame:  # fmt: skip
    """Every test on every node, log-normal; the effects are standard deviations of logarithms."""
    random = np.random.default_rng(seed)
    place = np.arange(nodes * tests)
    on, of = place // tests, place % tests
    levels = (
        node * random.standard_normal(nodes)[on]
        + test * random.standard_normal(tests)[of]
        + node_type * np.array([-1.0, 0.0, 1.0])[on % 3]
        + NOISE * random.standard_normal(place.size)
    )
    return pd.DataFrame(
        {
            "project": "web",
            "metric": "test_execution_time",
            "test_name": [f"test-{number}" for number in of],
            "test_type": [f"kind-{number % 2}" for number in of],
            "node_id": [f"node-{number}" for number in on],
            "node_type": [f"type-{number % 3}" for number in on],
            "value": 20.0 * np.exp(levels),
        }
    )


def shares(cells: pd.DataFrame) -> pd.DataFrame:
    return factor_shares(cells).set_index("factor")


def significant(cells: pd.DataFrame) -> list[str]:
    table = factor_shares(cells)
    return table.loc[table["q_value"] <= 0.05, "factor"].tolist()


def test_a_node_effect_is_found_with_its_share() -> None:
    found = [shares(fleet(node=0.2, seed=seed)) for seed in range(40)]
    assert all(table.loc["node", "q_value"] < 0.01 for table in found)
    assert np.mean([table.loc["node", "share"] for table in found]) == pytest.approx(0.8, abs=0.08)
    assert np.mean([table.loc["test", "q_value"] <= 0.05 for table in found]) <= 0.1
    assert np.mean([table.loc["node type", "q_value"] <= 0.05 for table in found]) <= 0.15


def test_a_type_has_only_the_share_that_its_nodes_do_not_have_by_chance() -> None:
    without = [shares(fleet(node=0.2, seed=seed)).loc["node type"] for seed in range(100)]
    assert np.mean([row["p_value"] <= 0.05 for row in without]) <= 0.1
    assert np.median([row["share"] for row in without]) <= 0.01
    row = shares(fleet(node_type=0.2)).loc["node type"]
    assert row["share"] == pytest.approx(0.7, abs=0.1)
    assert row["p_value"] < 1e-3
    assert np.isnan(row["unique_share"])
    assert (row["confounded_with"], row["highest"], row["lowest"]) == ("node", "type-2", "type-0")


def test_test_effects_and_both() -> None:
    assert significant(fleet(test=0.2)) == ["test"]
    cells = fleet(node=0.2, test=0.2)
    table = shares(cells)
    assert significant(cells) == ["test", "node"]
    logs = np.log(cells.set_index(["node_id", "test_name"])["value"]).unstack().to_numpy()
    explained = logs.mean(axis=1).var() / logs.var()
    adjusted = 1.0 - (1.0 - explained) * (logs.size - 1) / (logs.size - NODES)
    assert table.loc["node", "share"] == pytest.approx(adjusted, rel=1e-9)
    assert table.loc["test type", "confounded_with"] == "test"
    assert pd.isna(table.loc["node", "confounded_with"])


def test_uneven_cells_have_the_shares_and_p_values_of_statsmodels() -> None:
    import statsmodels.formula.api as smf

    cells = fleet(node=0.1, test=0.1, seed=4).sample(60, random_state=1)
    logs = cells.assign(y=np.log(cells["value"]))
    models = ("node_id", "test_name + node_type", "test_name + node_id")
    alone, others, full = (smf.ols(f"y ~ {columns}", logs).fit() for columns in models)
    row = shares(cells).loc["node"]
    assert row["share"] == pytest.approx(alone.rsquared_adj, rel=1e-9)
    assert row["unique_share"] == pytest.approx(full.rsquared_adj - others.rsquared_adj, rel=1e-9)
    assert row["p_value"] == pytest.approx(full.compare_f_test(others)[1], rel=1e-6)


def test_what_a_factor_adds_is_no_more_than_all_explain_together() -> None:
    import statsmodels.formula.api as smf

    cells = fleet(test=0.4, nodes=3, tests=4)
    logs = cells.assign(y=np.log(cells["value"]))
    assert smf.ols("y ~ node_id", logs).fit().rsquared_adj < 0.0
    together = smf.ols("y ~ node_id + test_name", logs).fit().rsquared_adj
    assert shares(cells).loc["test", "unique_share"] == pytest.approx(together, rel=1e-9)


def test_no_effect_has_no_share() -> None:
    found = [factor_shares(fleet(seed=seed)) for seed in range(100)]
    assert np.mean([(table["q_value"] <= 0.05).any() for table in found]) <= 0.1
    assert np.mean([table["share"].max() for table in found]) <= 0.06


def test_the_settings_furthest_from_the_rest_are_named_with_their_ratio() -> None:
    cells = fleet()
    cells["value"] = 20.0 * np.exp(0.001 * np.log(cells["value"] / 20.0))
    cells.loc[cells["node_id"] == "node-7", "value"] *= 3.0
    cells.loc[cells["node_id"] == "node-2", "value"] *= 0.5
    row = shares(cells).loc["node"]
    assert (row["highest"], row["lowest"]) == ("node-7", "node-2")
    assert row["highest_ratio"] == pytest.approx(3.0, rel=0.01)
    assert row["lowest_ratio"] == pytest.approx(0.5, rel=0.01)


def test_a_slow_test_that_runs_on_one_node_more_often_is_not_the_fault_of_the_node() -> None:
    cells = fleet(test=1.0, seed=3)
    slow = cells.groupby("test_name")["value"].mean().idxmax()
    uneven = cells[(cells["test_name"] != slow) | (cells["node_id"].isin(["node-0", "node-1"]))]
    assert "node" not in significant(uneven)
    assert shares(uneven).loc["node", "highest_ratio"] < 1.2


def test_one_test_a_node_cannot_be_told_from_the_node() -> None:
    random = np.random.default_rng(5)
    number = np.repeat(np.arange(6), 5)
    cells = fleet().head(number.size).assign(
        node_id=[f"node-{n}" for n in number], test_name=[f"test-{n}" for n in number], node_type=None, test_type=None,
        value=np.exp(number + 0.1 * random.standard_normal(number.size)),
    )  # fmt: skip
    table = shares(cells)
    assert table.index.tolist() == ["test", "node"]
    assert table["confounded_with"].tolist() == ["node", "test"]
    assert table["unique_share"].isna().all()
    assert (table["share"] > 0.99).all()
    assert (table["p_value"] < 1e-6).all()
    # With one cell each there is no noise that an effect could be held against.
    single = shares(cells.drop_duplicates("node_id"))
    assert single[["share", "unique_share", "p_value"]].isna().all(axis=None)


def test_two_others_may_determine_a_factor_together() -> None:
    cells = fleet().query("node_id == 'node-0' or (node_id == 'node-1' and test_name == 'test-0')")
    types = np.where(cells["test_name"] == "test-0", cells["node_id"], "rest")
    row = shares(pd.concat([cells.assign(node_type=types, test_type=None)] * 3)).loc["node type"]
    assert row["confounded_with"] == TOGETHER
    assert np.isnan(row["unique_share"])


def test_one_node_alone_is_no_factor() -> None:
    cells = fleet(test=0.2)
    assert shares(cells[cells["node_id"] == "node-0"]).index.tolist() == ["test", "test type"]
    assert factor_shares(cells.head(1)).empty


def test_values_that_may_be_zero_are_taken_as_they_are() -> None:
    cells = fleet()
    cells["value"] = (
        np.where(cells["node_id"] == "node-3", 5.0, 0.0) + np.random.default_rng(1).random(len(cells)) - 0.5
    )
    row = shares(cells).loc["node"]
    assert (row["highest"], row["q_value"] < 1e-6) == ("node-3", True)
    assert np.isnan(row["highest_ratio"])


def test_equal_values_have_no_share() -> None:
    table = factor_shares(fleet().assign(value=0.3))
    assert table[["share", "unique_share", "p_value", "highest_ratio"]].isna().all(axis=None)
    assert table["highest"].isna().all()


def test_what_has_no_value_or_not_the_factor_is_left_out() -> None:
    cells = fleet(node=0.2)
    missing = cells.assign(value=cells["value"].where(cells.index % 10 != 0))
    missing.loc[missing.index % 10 == 1, "node_id"] = None
    complete = missing["value"].notna() & missing["node_id"].notna()
    assert factor_shares(missing)["cells"].unique().tolist() == [int(complete.sum())]
    without = factor_shares(cells.assign(node_id=None, node_type=None))
    assert without["factor"].tolist() == ["test", "test type"]


def test_a_large_fleet_takes_little_more_than_its_size_says() -> None:
    def seconds(nodes: int) -> tuple[float, pd.DataFrame]:
        cells = fleet(node=0.1, test=0.2, nodes=nodes, tests=200)
        started = time.process_time()
        table = shares(cells)
        return time.process_time() - started, table

    seconds(10)
    few, _ = seconds(100)
    many, table = seconds(1_000)
    assert many < 30.0 * few
    assert table.loc["test", "share"] > table.loc["node", "share"] > 0.1


@st.composite
def few_cells(draw: st.DrawFn) -> pd.DataFrame:
    size = draw(st.integers(0, 25))
    names = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=size, max_size=size)
    values = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, np.nan, np.inf])
    metrics = st.lists(st.sampled_from(["one", "two"]), min_size=size, max_size=size)
    columns = {column: pd.Series(draw(names), dtype=object) for column in FACTORS.values()}
    return pd.DataFrame(
        {"project": "p", "metric": draw(metrics), **columns, "value": np.array(
            draw(st.lists(values, min_size=size, max_size=size)), dtype=np.float64)}
    )  # fmt: skip


@limits(max_examples=60, deadline=None)
@given(few_cells(), st.randoms(use_true_random=False))
def test_any_cells_give_shares_within_0_and_1_in_any_order(cells: pd.DataFrame, random: object) -> None:
    table = factor_shares(cells)
    assert table.columns.tolist() == list(FACTOR_COLUMNS)
    for name in ("share", "unique_share", "p_value", "q_value"):
        assert table[name].dropna().between(0.0, 1.0).all()
    assert (table["settings"] >= 2).all()
    order = list(range(len(cells)))
    random.shuffle(order)  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(factor_shares(cells.iloc[order]), table)


@limits(max_examples=30, deadline=None)
@given(st.floats(1e-6, 1e6), st.integers(0, 100))
def test_the_unit_changes_nothing_where_logarithms_are_taken(factor: float, seed: int) -> None:
    cells = fleet(node=0.1, seed=seed, nodes=6, tests=3)
    scaled = factor_shares(cells.assign(value=cells["value"] * factor))
    pd.testing.assert_frame_equal(scaled, factor_shares(cells), rtol=1e-6, atol=1e-9)
