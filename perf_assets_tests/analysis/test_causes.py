"""What changes go along with: by comparison of series that share and lack it, never more than the levels bear out."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from perf_assets.analysis.causes import (
    CAUSE_COLUMNS,
    LOAD_METRICS,
    OTHERS,
    PART_COLUMNS,
    WHOLE,
    fields_that_changed,
    regression_causes,
)
from perf_assets.catalog import load_catalog

NODES, TESTS = [f"n{number}" for number in range(6)], [f"t{number}" for number in range(5)]
AT = pd.Timestamp("2026-06-01")


def regression(**more: object) -> pd.DataFrame:
    known = {
        "regression_id": 1, "metric": "test_execution_time", "unit": "s", "last_good_commit": None,
        "first_bad_commit": None, "last_good_at": AT - pd.Timedelta(hours=1), "first_bad_at": AT,
    }  # fmt: skip
    return pd.DataFrame([known | more])


def fleet(seed: int = 0) -> pd.DataFrame:
    """Levels of each test on each node that changed by 1 % of noise."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame(list(product(TESTS, NODES)), columns=["test_name", "node_id"])
    before = random.uniform(5.0, 50.0, len(table))
    return table.assign(
        regression_id=1, series_id=np.arange(len(table)), metric="test_execution_time", unit="s", test_type="ui",
        node_type=np.where(table["node_id"] < "n3", "small", "large"), before=before,
        after=before * np.exp(0.01 * random.standard_normal(len(table))),
    )  # fmt: skip


def slower(levels: pd.DataFrame, chosen: pd.Series, factor: float = 1.3) -> pd.DataFrame:
    return levels.assign(after=np.where(chosen, factor * levels["after"], levels["after"]))


NO_FIELDS = pd.DataFrame(columns=["regression_id", "series_id", "field", "setting"])


@pytest.mark.parametrize(("column", "setting"), [("node_id", "n4"), ("test_name", "t2"), ("node_type", "large")])
def test_what_the_changed_series_share_comes_first(column: str, setting: str) -> None:
    levels = fleet()
    found = regression_causes(regression(), slower(levels, levels[column] == setting), NO_FIELDS).ranked
    best = found.iloc[0]
    assert tuple(found.columns) == tuple(CAUSE_COLUMNS)
    assert (best["factor"], best["setting"], best["rank"]) == (column, setting, 1)
    assert best["share"] > 0.95 and best["consistent"]
    assert best["change_sharing"] == pytest.approx(0.3, abs=0.02)
    assert best["change_lacking"] == pytest.approx(0.0, abs=0.01)
    assert best["sharing"] + best["lacking"] == len(levels)
    assert not found["consistent"].iloc[1:].any()


def test_one_test_on_one_node_is_neither_the_tests_nor_the_nodes() -> None:
    levels = fleet()
    one = (levels["node_id"] == "n4") & (levels["test_name"] == "t2")
    assert not regression_causes(regression(), slower(levels, one), NO_FIELDS).ranked["consistent"].any()


def test_what_all_share_is_consistent_with_the_commit() -> None:
    levels = fleet()
    all_of_them = slower(levels, levels["series_id"] >= 0)
    known = regression(last_good_commit="a", first_bad_commit="b")
    best = regression_causes(known, all_of_them, NO_FIELDS).ranked.iloc[0]
    assert (best["factor"], best["setting"], best["lacking"]) == ("commit", "b", 0)
    assert best["consistent"] and np.isnan(best["change_lacking"])
    # Of one commit there is no other, and where nodes differ the commit explains little.
    same = regression(last_good_commit="b", first_bad_commit="b")
    assert "commit" not in set(regression_causes(same, all_of_them, NO_FIELDS).ranked["factor"])
    of_node = slower(levels, levels["node_id"] == "n4")
    ranked = regression_causes(known, of_node, NO_FIELDS).ranked
    assert ranked.loc[ranked["consistent"], ["factor", "setting"]].to_numpy().tolist() == [["node_id", "n4"]]


def test_a_field_that_went_over_is_held_against_the_series_that_kept_it() -> None:
    levels = fleet()
    moved = levels["node_id"].isin(["n1", "n5"])
    fields = pd.DataFrame(
        {"regression_id": 1, "series_id": levels.loc[moved, "series_id"], "field": "kernel", "setting": "6.8"}
    )
    best = regression_causes(regression(), slower(levels, moved), fields).ranked.iloc[0]
    assert (best["factor"], best["setting"], best["sharing"]) == ("kernel", "6.8", 10)
    assert best["consistent"]
    # It went over elsewhere as well, and nothing followed there.
    wider = pd.DataFrame({"regression_id": 1, "series_id": levels["series_id"], "field": "kernel", "setting": "6.8"})
    ranked = regression_causes(regression(), slower(levels, moved), wider).ranked
    assert not ranked.loc[ranked["factor"] == "kernel", "consistent"].any()


def test_load_by_node_is_compared_with_the_change_by_node() -> None:
    levels = fleet()
    more = {node: 1.0 + 0.2 * number for number, node in enumerate(NODES)}
    busy = levels.assign(after=levels["after"] * levels["node_id"].map(more))
    load = pd.DataFrame(
        {
            "regression_id": 1, "series_id": np.arange(100, 106), "metric": "load_average", "unit": "1",
            "test_name": None, "test_type": None, "node_id": NODES, "node_type": "small", "before": 1.0,
            "after": [more[node] ** 2 for node in NODES],
        }
    )  # fmt: skip
    # What series share comes first: what slows a node down makes it busier as well.
    best = regression_causes(regression(), pd.concat([busy, load]), NO_FIELDS).ranked.iloc[-1]
    assert (best["factor"], best["setting"], best["sharing"]) == ("load_average", "by node", 6)
    assert best["share"] > 0.95 and best["consistent"]
    less = load.assign(after=1.0 / load["after"])
    ranked = regression_causes(regression(), pd.concat([busy, less]), NO_FIELDS).ranked
    assert not ranked.loc[ranked["factor"] == "load_average", "consistent"].any()


def test_metrics_of_load_are_known_to_the_catalogue() -> None:
    assert set(LOAD_METRICS) <= set(load_catalog().metrics)


def test_the_parts_of_a_difference_make_up_the_whole() -> None:
    levels = fleet()
    found = regression_causes(regression(), slower(levels, levels["test_name"] == "t2"), NO_FIELDS).parts
    assert tuple(found.columns) == tuple(PART_COLUMNS)
    assert set(found["dimension"]) == {"test_name", "node_id"}
    for _, own in found.groupby("dimension"):
        parts, whole = own[own["part"] != WHOLE], own[own["part"] == WHOLE].iloc[0]
        assert parts["difference"].sum() == pytest.approx(whole["difference"])
        assert parts["share"].sum() == pytest.approx(1.0)
        assert whole["difference"] == pytest.approx(whole["after"] - whole["before"])
    first = found[found["dimension"] == "test_name"].iloc[0]
    assert first["part"] == "t2" and first["share"] > 0.9
    assert regression_causes(regression(unit="1"), levels, NO_FIELDS).parts.empty


def test_more_than_ten_parts_are_summed() -> None:
    levels = fleet().assign(node_id=[f"m{number:02}" for number in range(30)], test_name="t")
    found = regression_causes(regression(), levels, NO_FIELDS).parts
    assert found["part"].tolist()[-2:] == [OTHERS, WHOLE]
    assert len(found) == 12


def test_phases_are_parts_of_their_category() -> None:
    levels = fleet()
    setup = levels.assign(metric="test_setup_time", after=levels["before"], series_id=levels["series_id"] + 100)
    found = regression_causes(regression(), pd.concat([slower(levels, levels["series_id"] >= 0), setup]), NO_FIELDS)
    by_metric = found.parts[found.parts["dimension"] == "metric"].set_index("part")
    assert by_metric.loc["test_setup_time", "difference"] == 0.0
    assert by_metric.loc["test_execution_time", "share"] == pytest.approx(1.0)


def test_fields_are_those_that_changed_at_the_time() -> None:
    since = [AT, AT + pd.Timedelta(hours=23), AT + pd.Timedelta(hours=25), AT - pd.Timedelta(hours=1), AT]
    environments = pd.DataFrame(
        {"series_id": [1, 2, 3, 4, 5], "field": "kernel", "setting": "6.8", "since": since, "position": [5, 5, 5, 5, 0]}
    )
    found = fields_that_changed(regression(), environments)
    assert found["series_id"].tolist() == [1, 2]
    assert fields_that_changed(regression().head(0), environments).empty


def test_nothing_is_said_of_nothing() -> None:
    empty = regression_causes(regression(), fleet().head(0), NO_FIELDS)
    assert empty.ranked.empty and empty.parts.empty
    some = regression_causes(regression(), slower(fleet(), fleet()["node_id"] == "n1"), NO_FIELDS)
    assert len(some.ranked) and len(some.parts)
    assert (empty.ranked.dtypes == some.ranked.dtypes).all() and (empty.parts.dtypes == some.parts.dtypes).all()
    assert regression_causes(regression(), fleet().assign(before=0.0, unit="1"), NO_FIELDS).ranked.empty


@limits(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.lists(st.booleans(), min_size=30, max_size=30), st.sampled_from([2.0**-9, 2.0**5]))
def test_shares_are_shares_and_do_not_depend_on_the_unit(seed: int, chosen: list[bool], factor: float) -> None:
    levels = slower(fleet(seed), pd.Series(chosen))
    one = regression_causes(regression(), levels, NO_FIELDS)
    scaled = levels.assign(before=levels["before"] * factor, after=levels["after"] * factor)
    other = regression_causes(regression(), scaled.sample(frac=1.0, random_state=seed), NO_FIELDS)
    assert one.ranked["share"].between(0.0, 1.0 + 1e-9).all()
    assert one.ranked["share"].is_monotonic_decreasing  # no load among them
    assert np.allclose(one.ranked["share"], other.ranked["share"])
    for _, own in one.parts.groupby("dimension"):
        parts = own[own["part"] != WHOLE]
        assert parts["difference"].sum() == pytest.approx(own.loc[own["part"] == WHOLE, "difference"].iloc[0])
