"""What all formats give: chunks of a bounded size, and the beginning of what was rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given

from perf_assets.formats.measurement import Measurement, Problem, chunked, fragment_of, rejection, storable
from perf_assets_tests.formats.json_values import json_values

ROW = Measurement("a", "m", 1.0, "s")


@given(json_values)
def test_a_fragment_is_the_beginning_of_what_python_writes(value: Any) -> None:
    whole = value if isinstance(value, str) else repr(value)
    assert fragment_of(value) == storable(whole[:500])


def test_a_fragment_has_500_characters() -> None:
    assert fragment_of({"a": "x" * 1_000, "b": 1}) == "{'a': '" + "x" * 493
    assert fragment_of([{"ab": 1}] * 1_000) == repr([{"ab": 1}] * 1_000)[:500]


def test_rows_with_much_text_come_in_smaller_chunks() -> None:
    described = replace(ROW, context="x" * (1 << 20))
    chunks = list(chunked([described] * 100))
    assert [chunk.measurements.num_rows for chunk in chunks] == [32, 32, 32, 4]
    refused = rejection("x" * (1 << 20), "a", Problem("wrong_type", "expected a number"), 1)
    assert [len(chunk.rejections) for chunk in chunked([refused] * 40)] == [16, 16, 8]
    assert [chunk.measurements.num_rows for chunk in chunked([ROW] * 30_000)] == [20_000, 10_000]
