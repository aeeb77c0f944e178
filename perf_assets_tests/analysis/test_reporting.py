"""Series that stopped reporting, told from those that were removed and from those that are rare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.reporting import COLUMNS, FEWEST_REPORTS, stopped_reporting

LAST_SEEN = pd.Timestamp("2026-09-01")


def habits(*rows: dict[str, Any]) -> pd.DataFrame:
    """Series that report every hour and are silent for none, unless a row says otherwise."""
    default = {
        "project": "shop",
        "test_name": None,
        "node_id": None,
        "last_seen": LAST_SEEN,
        "simulated": False,
        "reports": 100,
        "lifetime_hours": 100,
        "silent_hours": 0,
        "longest_gap_hours": 0,
    }
    return pd.DataFrame(
        [default | {"series_id": number, "title": f"series {number}"} | row for number, row in enumerate(rows)]
    ).astype({"test_name": "str", "node_id": "str"} | {"series_id": "int64"}).assign(
        test_name=lambda t: t["test_name"].where(t["test_name"] != "None"),
        node_id=lambda t: t["node_id"].where(t["node_id"] != "None"),
    )  # fmt: skip


def verdicts(*rows: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = stopped_reporting(habits(*rows))
    return [(row.verdict, row.scope, row.scope_name) for row in found.itertuples()]


SILENT = {"silent_hours": 20}


def test_a_series_that_went_silent_while_others_go_on_has_stopped() -> None:
    assert verdicts({}, SILENT | {"title": "login"}, {}) == [("stopped_reporting", "series", "login")]


def test_one_metric_of_a_test_may_stop() -> None:
    found = verdicts({"test_name": "login"}, SILENT | {"test_name": "login", "title": "memory"})
    assert found == [("stopped_reporting", "series", "memory")]


def test_a_node_that_went_silent_is_told_as_one() -> None:
    found = verdicts(
        SILENT | {"node_id": "n7", "test_name": "a"}, SILENT | {"node_id": "n7", "test_name": "b"},
        {"node_id": "n8", "test_name": "a"}, {"node_id": "n8", "test_name": "b"},
    )  # fmt: skip
    assert found == [("stopped_reporting", "node", "n7")] * 2


def test_a_test_that_ended_on_all_nodes_was_removed() -> None:
    found = verdicts(
        SILENT | {"test_name": "a", "node_id": "n7"}, SILENT | {"test_name": "a", "node_id": "n8"},
        {"test_name": "b", "node_id": "n7"}, {"test_name": "b", "node_id": "n8"},
    )  # fmt: skip
    assert found == [("removed", "test", "a")] * 2


def test_a_group_of_tests_that_ended_as_a_whole_was_removed() -> None:
    names = ["shop/cart::test_add", "shop/cart::test_remove", "shop/pay::test_card"]
    found = verdicts(*(({} if "pay" in name else SILENT) | {"test_name": name} for name in names))
    assert found == [("removed", "group", "shop/cart")] * 2


def test_projects_do_not_mix() -> None:
    found = verdicts(
        SILENT | {"test_name": "a", "project": "one"}, {"test_name": "a", "project": "two", "node_id": "n"},
        {"test_name": "b", "project": "one"},
    )  # fmt: skip
    assert found == [("stopped_reporting", "series", "series 0")]


def test_rare_and_irregular_series_may_be_silent() -> None:
    assert verdicts({"reports": 5, "lifetime_hours": 100, "silent_hours": 40}) == []  # too few to know a habit
    assert verdicts({"reports": 20, "lifetime_hours": 2000, "silent_hours": 400}) == []  # once in a hundred hours
    assert verdicts({"reports": 50, "lifetime_hours": 200, "silent_hours": 100, "longest_gap_hours": 60}) == []


whole = st.integers(0, 500)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "reports": st.integers(1, 300),
            "lifetime_hours": st.integers(1, 500),
            "silent_hours": whole,
            "longest_gap_hours": whole,
            "test_name": st.sampled_from([None, "a", "a::b", "a::c"]),
            "node_id": st.sampled_from([None, "n1", "n2"]),
            "project": st.sampled_from(["p", "q"]),
        }
    ),
    max_size=8,
)


@given(rows)
def test_any_habits_give_a_table(drawn: list[dict[str, Any]]) -> None:
    table = habits(*drawn) if drawn else pd.DataFrame()
    found = stopped_reporting(table)
    assert list(found.columns) == list(COLUMNS)
    assert set(found["verdict"]) <= {"stopped_reporting", "removed"}
    if len(found):
        assert found["probability"].between(0, 1).all()
        assert found["expected_share"].between(0, 1).all()
        assert (found["reports"] >= FEWEST_REPORTS).all()
        assert (found["members"] >= 1).all()
        assert np.isin(found["series_id"], table["series_id"]).all()


@given(rows, st.integers(0, 7))
def test_a_longer_silence_never_clears_a_series(drawn: list[dict[str, Any]], place: int) -> None:
    if not drawn:
        return
    longer = [
        row | ({"silent_hours": row["silent_hours"] + 100} if n == place % len(drawn) else {})
        for n, row in enumerate(drawn)
    ]
    before, after = (set(stopped_reporting(habits(*some))["series_id"]) for some in (drawn, longer))
    assert before <= after
