"""Files of all formats mixed: whatever the order, the split and the repetition, the warehouse has the same content."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.landing import Given, LandedFile
from perf_assets_tests.formats.whole_files import whole_files
from perf_assets_tests.warehouse.building import RECEIVED_AT, Site, assert_same_content, json_lines, row

FILES = whole_files()
RUN = Given(run_key="ci-7", ts="2026-09-01T05:00:00", project="shop")
"""Without these a file is a run of its own, and its parts are as many runs."""
LISTS: dict[str, tuple[str, ...]] = {
    "jmh": (),
    "conbench": (),
    "bencher": (),
    "google_benchmark": ("benchmarks",),
    "pytest_benchmark": ("benchmarks",),
    "hyperfine": ("results",),
    "skia_perf": ("results",),
    "benchmark_dotnet": ("Benchmarks",),
    "asv": ("results",),
    "k6": ("metrics",),
}
"""Where a JSON file has what it can be split by: a list, or an object of named results."""
REPEATED = {
    "junit": rb"<testcase .*?</testcase>",
    "trx": rb"<UnitTestResult .*?</UnitTestResult>",
    "go_bench": rb"(?m)^Benchmark.*\n",
    "criterion": rb"(?m)^\S.*\n(?: .*\n)?",
    "locust": rb"(?m)^(?!Type).*\r\n",
    "otava_csv": rb"(?m)^2024.*\n",
    "long-table-csv": rb"(?m)^\d+,.*\n",
}
"""What a text can be split by."""


def parts(name: str, content: bytes) -> list[bytes]:
    """As many files as the file has results, one each."""
    if name in LISTS:
        return [json.dumps(part).encode() for part in _of_json(json.loads(content), LISTS[name])]
    if name in REPEATED:
        found = re.findall(REPEATED[name], content, re.DOTALL if name in ("junit", "trx") else 0)
        begin, end = content.index(found[0]), content.index(found[-1]) + len(found[-1])
        return [content[:begin] + one + content[end:] for one in found]
    return [content]


def _of_json(document: object, path: tuple[str, ...]) -> Iterator[object]:
    if path:
        assert isinstance(document, dict)
        for part in _of_json(document[path[0]], path[1:]):
            yield document | {path[0]: part}
    elif isinstance(document, dict):
        for name, value in document.items():
            yield {name: value}
    else:
        assert isinstance(document, list)
        for value in document:
            yield [value]


@pytest.mark.parametrize("name", sorted({*LISTS, *REPEATED}))
def test_the_parts_of_a_file_are_what_the_whole_is(name: str, site: Site, other_site: Site) -> None:
    pieces = parts(name, FILES[name])
    assert len(pieces) > 1
    site.load(FILES[name], given=RUN)
    for piece in reversed(pieces):
        other_site.load(piece, given=RUN)
    assert_same_content(site, other_site)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_order_split_and_repetition_of_all_formats_do_not_matter(data: st.DataObject) -> None:
    split = data.draw(st.sets(st.sampled_from(sorted({*LISTS, *REPEATED}))), label="split")
    pieces = [
        piece for name, content in FILES.items() for piece in (parts(name, content) if name in split else [content])
    ]
    repeated = data.draw(st.lists(st.sampled_from(pieces), max_size=5), label="repeated")
    shuffled = data.draw(st.permutations(pieces + repeated), label="order")
    at_once = data.draw(st.integers(1, len(shuffled)), label="at once")
    with tempfile.TemporaryDirectory() as folder:
        whole, mixed = Site(Path(folder) / "whole"), Site(Path(folder) / "mixed")
        whole.load_landed(*(landed(whole, content) for content in FILES.values()))
        for begin in range(0, len(shuffled), at_once):
            mixed.load_landed(*(landed(mixed, content) for content in shuffled[begin : begin + at_once]))
        assert len(whole.values()) > 80
        assert_same_content(whole, mixed)


def landed(at: Site, content: bytes, given: Given = RUN) -> LandedFile:
    return at.landing.land(content, name="results", received_at=RECEIVED_AT, origin="file", given=given)


def of_place(value: float, number: int = 0, **fields: Any) -> dict[str, Any]:
    """A row without run, of one time and place."""
    return row(value, run=None, context_data={"number": number}, **fields)


PLACED = st.builds(
    of_place,
    st.integers(1, 4).map(float),
    st.integers(0, 2),
    hour=st.integers(0, 1),
    node_id=st.sampled_from(["n1", "n2"]),
    metric_name=st.sampled_from(["test_execution_time", "cpu_usage_seconds"]),
    unit=st.just("s"),
)


def told(fields: dict[str, Any]) -> object:
    """What tells one row without run from another."""
    return tuple(fields[name] for name in ("timestamp", "node_id", "metric_name", "metric_value"))


@settings(max_examples=20, deadline=None)
@given(data=st.data(), rows=st.lists(PLACED, min_size=1, max_size=10, unique_by=told))
def test_rows_without_run_are_the_same_however_they_are_spread(data: st.DataObject, rows: list[dict[str, Any]]) -> None:
    shuffled = data.draw(st.permutations(rows), label="order")
    ends = sorted(data.draw(st.sets(st.integers(1, len(rows)), max_size=3), label="ends") | {len(rows)})
    begins = [0, *ends[:-1]]
    files = [shuffled[begin:end] for begin, end in zip(begins, ends, strict=True)]
    again = data.draw(st.lists(st.sampled_from(files), max_size=2), label="repeated")
    at_once = data.draw(st.integers(1, len(files)), label="at once")
    with tempfile.TemporaryDirectory() as folder:
        whole, spread = Site(Path(folder) / "whole"), Site(Path(folder) / "spread")
        whole.load(rows)
        for begin in range(0, len(files), at_once):
            spread.load_landed(*(landed(spread, json_lines(file), Given()) for file in files[begin : begin + at_once]))
        for file in again:
            # Bytes that are new, rows that are not.
            spread.load([*file, file[0] | {"metric_value": None}])
        assert len(whole.values()) == len(rows)
        assert whole.quarantine().empty
        assert_same_content(whole, spread)


def test_equal_rows_without_run_are_as_many(site: Site) -> None:
    site.load([of_place(3.0), of_place(3.0), of_place(4.0)])
    site.load([of_place(3.0), of_place(4.0), of_place(3.0), of_place(2.0)])
    assert site.values() == [2.0, 3.0, 3.0, 4.0]
    assert site.quarantine().empty


def test_rows_without_run_belong_to_the_run_they_came_with(site: Site) -> None:
    for run in ("ci-1", "ci-2", "ci-1"):
        site.load([of_place(3.0), of_place(3.0, metric_name="setup_time")], given=Given(run_key=run))
    found = site.warehouse.query("SELECT run_id, run_key FROM runs ORDER BY run_key")
    assert [key.partition("@")[0] for key in found["run_key"]] == ["ci-1", "ci-2"]
    assert len(site.values()) == 4


def test_repetitions_with_and_without_run_are_settled_in_one_file(site: Site) -> None:
    site.load([of_place(3.0), of_place(3.0), row(1.0), row(2.0)])
    assert len(site.values()) == 3
    assert list(site.quarantine()["reason"]) == ["duplicate_with_different_value"]
