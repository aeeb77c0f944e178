from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.analysis.extents import attributes, reach


def members(*rows: dict[str, object], **common: object) -> pd.DataFrame:
    """Series with these columns and, in `tags`, these tags."""
    columns = {"test_name": "sort", "node_id": None, "metric": "benchmark_time", "test_type": None}
    filled = [{**columns, **common, **row} for row in rows]
    return attributes(
        pd.DataFrame([{**row, "tags": json.dumps(row["tags"]) if row.get("tags") else None} for row in filled])
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{}], ""),
        ([{"node_id": f"n{n}"} for n in range(6)], "on 6 nodes"),
        ([{"node_id": f"n{n}"} for n in range(2)], "on 2 nodes (n0, n1)"),
        ([{"tags": {"suite": name}} for name in "dacb"], "in 4 suites (a, b, c, d)"),
        ([{"tags": {"runtime": f"python 3.{n}"}} for n in (11, 12)], "on 2 Python versions (3.11, 3.12)"),
        ([{"tags": {"runtime": f"python 3.{n}, numpy 2.1"}} for n in (11, 12)], "on 2 Python versions (3.11, 3.12)"),
        ([{"tags": {"runtime": f"python 3.12, numpy {v}"}} for v in ("1.26", "2.1")],
         "on 2 numpy versions (1.26, 2.1)"),
        ([{"tags": {"runtime": name}} for name in ("V8", "Hermes")], "on 2 runtimes (Hermes, V8)"),
        ([{"tags": {"runtime": name}} for name in ("python 3.12", "python 3.12, numpy")],
         "on 2 runtimes (python 3.12, python 3.12, numpy)"),
        ([{"tags": {"os": name}} for name in ("linux", "macos")], "on 2 operating systems (linux, macos)"),
        ([{"tags": {"region": name}} for name in ("eu", "us")], "with 2 values of region (eu, us)"),
        ([{"metric": name} for name in ("cpu", "memory")], "in 2 metrics (cpu, memory)"),
        ([{"test_name": f"sort[n={n}]"} for n in (10, 9, 100)], "with 3 parameters (n=9, n=10, n=100)"),
        ([{"node_id": n, "tags": {"suite": s}} for n in ("n0", "n1") for s in "ab"],
         "on 2 nodes (n0, n1) in 2 suites (a, b)"),
        ([{"node_id": n, "tags": {"suite": n}} for n in ("n0", "n1")], "on 2 nodes (n0, n1)"),
    ],
)  # fmt: skip
def test_members_are_told_apart_by_what_they_differ_in(rows: list[dict[str, object]], expected: str) -> None:
    assert reach(members(*rows)) == expected


@given(
    st.lists(
        st.fixed_dictionaries(
            {"node_id": st.sampled_from(["n0", "n1", None])},
            optional={"tags": st.fixed_dictionaries({}, optional={"suite": st.sampled_from("ab"), "os": st.just("x")})},
        ),
        min_size=1,
        max_size=8,
    )
)
def test_nodes_are_named_only_where_there_are_several(rows: list[dict[str, object]]) -> None:
    nodes = {row["node_id"] for row in rows} - {None}
    words = reach(members(*rows))
    assert ("node" in words) is (len(nodes) >= 2)
    assert not words or words.startswith(("on ", "in "))
