"""What formats must bear: files cut anywhere, values of any kind in any place, and one thing many times."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import strategies as st

from perf_assets.formats.measurement import Format, FormatError
from perf_assets_tests.formats.reading import NAME, assert_helpful, read

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("2026-02-30T25:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def assert_every_prefix_gives_a_prefix(content: bytes, using: Format) -> None:
    """A file cut anywhere gives its first rows and says that it was cut, or is refused by name."""
    whole = read(content, using).rows
    counts = set()
    for end in range(len(content)):
        try:
            reading = read(content[:end], using)
        except FormatError as error:
            assert NAME in str(error)
            continue
        assert reading.rows == whole[: len(reading.rows)]
        if reading.rows != whole:
            assert end == 0 or [rejection.reason for rejection in reading.rejections][-1:] == ["truncated"]
        counts.add(len(reading.rows))
    assert len(counts) > 1


def assert_broken_anywhere_is_borne(content: bytes, using: Format, place: int, value: Any) -> None:
    """With any value in any place the rows are finite numbers with names, and all else is told with a remedy."""
    document = json.loads(content)
    parents = list(_places(document))
    parent, key = parents[place % len(parents)]
    parent[key] = value
    try:
        reading = read(json.dumps(document).encode(), using)
    except FormatError as error:
        assert NAME in str(error)
        return
    for row in reading.rows:
        assert row["value"] == row["value"]
        assert row["metric"]
    for rejection in reading.rejections:
        assert_helpful(rejection)


_SUMMED, _MOST_UNITS = 10_000_000, 20.0


def assert_read_quickly(content: bytes, using: Format) -> None:
    """Time is in proportion to size: what grows with its square takes many times longer for some 50,000 bytes.

    The bound is a multiple of the time of a plain sum, since machines differ and are busy.
    """
    started = time.process_time()
    assert sum(range(_SUMMED)) > 0
    unit = time.process_time() - started
    started = time.process_time()
    read(content, using)
    assert time.process_time() - started < _MOST_UNITS * unit


def _places(value: Any) -> Any:
    """Every container with each key or number of it."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(inner)
