"""How far a finding reaches, in words: on which nodes, in which suites, with which versions a test changed.

Only what was told of the series is named: where no result names a node, nothing happened on nodes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

_NAMED = 4
"""So many are named; of more only the number is told."""
_NOUNS = {
    "node_id": ("on", "node", "nodes"),
    "suite": ("in", "suite", "suites"),
    "runtime": ("on", "runtime", "runtimes"),
    "os": ("on", "operating system", "operating systems"),
    "arch": ("on", "architecture", "architectures"),
    "test_type": ("in", "kind of test", "kinds of test"),
    "benchmark_version": ("in", "benchmark version", "benchmark versions"),
    "metric": ("in", "metric", "metrics"),
    "test_name": ("with", "parameter", "parameters"),
}
"""What series may differ in, by column or tag: preposition, singular and plural, what matters most first."""
_SUBSETS = ("benchmark", "suite", "runtime", "os", "arch", "test_type", "metric")
"""What may be all that the series have in common that one commit changed, besides a test or a node."""


def attributes(series: pd.DataFrame) -> pd.DataFrame:
    """`series` (rows of metric_series, with `tags` as JSON text where results have any) with one column a tag, and
    `benchmark`: the name of a test before its parameters (`sort[n=10]`), where it has any."""
    names = series["test_name"].astype(object)
    parametrised = names.notna() & names.astype(str).str.contains("[", regex=False)
    benchmark = names.astype(str).str.split("[", n=1).str[0].where(parametrised)
    told = [json.loads(tags) if isinstance(tags, str) else {} for tags in series.get("tags", [None] * len(series))]
    tags = sorted({str(name) for each in told for name in each} - {*series.columns, "benchmark"})
    return series.assign(benchmark=benchmark, **{name: [each.get(name) for each in told] for name in tags})


def reach(members: pd.DataFrame) -> str:
    """`on 6 nodes`, `in 4 suites (a, b, c, d)`, `on 2 nodes (n1, n2) in 3 metrics (...)`: what tells the members apart.

    `members`: one row a series, as `attributes` gives them. Nothing where one column of those that have a word does.
    """
    words: list[str] = []
    apart = pd.Series(0, index=members.index)
    for column, (preposition, _, plural) in {**_NOUNS, **_other_tags(members)}.items():
        if column not in members or members[column].nunique() < 2:
            continue
        finer = members.groupby([apart, members[column].fillna("")]).ngroup()
        if finer.nunique() > apart.nunique():
            apart = finer
            words.append(_counted(preposition, plural, sorted(members[column].dropna().astype(str).unique())))
    return " ".join(words)


def subsets(series: pd.DataFrame) -> list[str]:
    """Columns of series, as `attributes` gives them, by which a project has parts."""
    known = [name for name in _SUBSETS if name in series]
    return [*known, *(name for name in _tags_of(series) if name not in _SUBSETS)]


def part(column: str, value: str) -> str:
    """`suite a`, `metric peak_memory`: the part of a project whose series have this value in common."""
    return f"{_NOUNS[column][1] if column in _NOUNS else column} {value}"


def _other_tags(members: pd.DataFrame) -> Mapping[str, tuple[str, str, str]]:
    """Words for tags that are part of the identity by configuration."""
    return {str(tag): ("with", str(tag), f"values of {tag}") for tag in _tags_of(members) if str(tag) not in _NOUNS}


def _tags_of(members: pd.DataFrame) -> list[str]:
    tags: Iterator[dict[str, Any]] = (json.loads(each) for each in members.get("tags", []) if isinstance(each, str))
    return sorted({str(name) for each in tags for name in each})


def _counted(preposition: str, plural: str, values: list[str]) -> str:
    """Runtimes that differ in one version are called that: `on 2 Python versions (3.11, 3.12)`."""
    if plural == "runtimes":
        values = _without_common_parts(values)
        things = {value.rpartition(" ")[0] for value in values}
        if len(things) == 1 and "" not in things:
            (thing,) = things
            plural = f"{'Python' if thing == 'python' else thing} versions"
            values = sorted((value.rpartition(" ")[2] for value in values), key=_in_natural_order)
    if plural == "parameters":
        values = sorted((value.partition("[")[2].removesuffix("]") for value in values), key=_in_natural_order)
    named = f" ({', '.join(values)})" if len(values) <= _NAMED else ""
    return f"{preposition} {len(values)} {plural}{named}"


def _in_natural_order(value: str) -> list[tuple[int, str]]:
    """2 before 10."""
    return [(len(piece) if piece.isdecimal() else 0, piece) for piece in re.split(r"(\d+)", value)]


def _without_common_parts(values: list[str]) -> list[str]:
    """`python 3.11` and `python 3.12` of `python 3.11, numpy` and `python 3.12, numpy`."""
    parts = [value.split(", ") for value in values]
    common = set.intersection(*(set(each) for each in parts))
    rest = [", ".join(name for name in each if name not in common) for each in parts]
    return rest if all(rest) else values
