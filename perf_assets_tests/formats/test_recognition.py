"""Any bytes: a known format, or a sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats import FORMATS, format_named
from perf_assets.formats.measurement import MEASUREMENTS, FormatError
from perf_assets_tests.formats.reading import NAME, read

WHOLE = {
    "github-action-benchmark": b"window.BENCHMARK_DATA = "
    b'{"entries": {"s": [{"commit": {"id": "c"}, "date": 1700000000000,'
    b'"tool": "cargo", "benches": [{"name": "a", "value": 1.5, "unit": "ns", "range": "1"}]}]}}',
    "scenario-runs": b'{"results": [{"scenario": "a", "overmindDurationMs": 5, "riskCount": 0, "runId": "x"}]}',
    "long-table-csv": b'timestamp,metric_name,metric_value,context_data\n1700000000,a,1.5,"{""b"": 1}"\n2,a,1,\n',
    "long-table-jsonl": b'{"timestamp": 1700000000, "metric_name": "a", "metric_value": "1",'
    b' "context_data": {"b": [1]}}\n',
}


@contextmanager
def refusal_allowed() -> Iterator[None]:
    """A FormatError that names the file may leave the block; anything else fails the test."""
    try:
        yield
    except FormatError as error:
        assert NAME in str(error)


damage = st.lists(
    st.tuples(
        st.integers(0, 250),
        st.integers(0, 6),
        st.binary(max_size=3)
        | st.sampled_from([b'"', b"{", b"]", b",", b"\n", b"\x00", b"\\ud800", b"NaN", b"1e999", b"9" * 25, b"-"]),
    ),
    max_size=4,
)


@pytest.mark.parametrize("content", list(WHOLE.values()), ids=list(WHOLE))
def test_each_format_is_told_from_its_content(content: bytes) -> None:
    reading = read(content)
    assert WHOLE[reading.format] == content
    assert reading.rows
    assert reading.rejections == []
    assert format_named(reading.format).name == reading.format


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_called_empty(content: bytes) -> None:
    with pytest.raises(FormatError, match=f"{NAME}: the file is empty") as caught:
        read(content)
    assert caught.value.reason == "unknown_format"


@pytest.mark.parametrize("content", [b"hello", b"{}", b"<xml/>", b"\xff\xfe\x00", b"a,b,c\n1,2,3\n"])
def test_an_unknown_format_lists_the_known(content: bytes) -> None:
    with pytest.raises(FormatError, match=f"{NAME}: .*no known format.*long-table-csv") as caught:
        read(content)
    assert caught.value.reason == "unknown_format"


@given(st.binary(max_size=200))
def test_any_bytes_are_recognised_or_refused(content: bytes) -> None:
    with refusal_allowed():
        read(content)


@pytest.mark.parametrize("name", [candidate.name for candidate in FORMATS])
@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_read_as_any_format_give_rows_rejections_or_a_format_error(name: str, content: bytes) -> None:
    with refusal_allowed():
        read(content, format_named(name))


@pytest.mark.parametrize("name", list(WHOLE))
@settings(max_examples=30, deadline=None)
@given(changes=damage)
def test_damage_anywhere_gives_rows_rejections_or_a_format_error(
    name: str, changes: list[tuple[int, int, bytes]]
) -> None:
    content = WHOLE[name]
    for position, removed, inserted in changes:
        content = content[:position] + inserted + content[position + removed :]
    with refusal_allowed():
        for row in read(content, format_named(name)).rows:
            assert row["value"] is not None
            assert row["ts"] is not None
            assert set(row) == set(MEASUREMENTS.names)


@settings(max_examples=30, deadline=None)
@given(changes=damage)
def test_damaged_parquet_gives_rows_rejections_or_a_format_error(changes: list[tuple[int, int, bytes]]) -> None:
    from perf_assets_tests.formats.test_long_table import parquet

    content = parquet(context_data=['{"a": 1}'])
    for position, removed, inserted in changes:
        place = position * len(content) // 250
        content = content[:place] + inserted + content[place + removed :]
    with refusal_allowed():
        read(content, format_named("long-table-parquet"))
