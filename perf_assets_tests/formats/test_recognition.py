"""Any bytes: a known format, or a sentence that says what is wrong."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats import format_named, formats
from perf_assets.formats.head import HEAD_BYTES, Head
from perf_assets.formats.measurement import MEASUREMENTS, FormatError
from perf_assets_tests.formats.reading import NAME, read
from perf_assets_tests.formats.whole_files import whole_files

WHOLE = whole_files()


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
    assert reading.rows
    assert reading.rejections == []
    assert format_named(reading.format).name == reading.format
    head = Head(content)
    assert [candidate.name for candidate in formats() if candidate.recognises(head)] == [reading.format]


def test_every_format_has_a_whole_file_here() -> None:
    read_here = {read(content).format for content in WHOLE.values()}
    # Answers of one server in several shapes, of which one is enough here.
    families = {name.split("-")[0] for name in read_here}
    assert {candidate.name.split("-")[0] for candidate in formats()} <= families


def with_samples_first(document: Any) -> bytes:
    """A document whose other keys come after what fills the head of a file."""
    samples = {"AAA": [0] * HEAD_BYTES}
    if isinstance(document, list):
        return json.dumps([samples | document[0], *document[1:]]).encode()
    return json.dumps(samples | document).encode()


JSON = {
    name: json.loads(content)
    for name, content in WHOLE.items()
    # A benchmark or a row whose own first field were as large would be no like one.
    if content[:1] in (b"{", b"[") and name not in ("bencher", "criterion", "long-table-jsonl")
}


@pytest.mark.parametrize("document", list(JSON.values()), ids=list(JSON))
def test_keys_may_lie_far_behind(document: Any) -> None:
    far, near = read(with_samples_first(document)), read(json.dumps(document).encode())
    assert far.format == near.format
    assert far.column("metric", "test_name", "value") == near.column("metric", "test_name", "value")


TRACES = b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "GET /"}]}]}]}\n'
LINES = b"=== RUN   TestSomething\n    some_test.go:17: prints\n--- PASS: TestSomething (0.00s)\n"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("go_bench", LINES),
        ("criterion", b"test tests::one ... ignored\n"),
        ("criterion", b"test tests::one ... ignored\n" + b"\x1b[32m" * 10),
        ("perfherder", b"[task 2026-09-10T06:00:00Z] compiles\n"),
        ("otlp", TRACES),
    ],
)
def test_other_lines_may_come_before(name: str, line: bytes) -> None:
    content = WHOLE[name]
    if name == "perfherder":
        content = b"PERFHERDER_DATA: " + content
    near, far = read(content), read(line * (2 * HEAD_BYTES // len(line)) + content)
    assert far.format == near.format
    assert far.column("metric", "test_name", "value") == near.column("metric", "test_name", "value")
    assert far.rejections == []


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_called_empty(content: bytes) -> None:
    with pytest.raises(FormatError, match=f"{NAME}: the file is empty") as caught:
        read(content)
    assert caught.value.reason == "unknown_format"


@pytest.mark.parametrize("content", [b"hello", b"{}", b"<xml/>", b"\xff\xfe\x00", b"a,b,c\n1,2,3\n"])
def test_an_unknown_format_says_where_the_known_are_told(content: bytes) -> None:
    with pytest.raises(
        FormatError, match=f"{NAME}: .*none of the {len(formats())} known formats; docs/formats.md"
    ) as caught:
        read(content)
    assert caught.value.reason == "unknown_format"


def test_json_that_is_damaged_before_it_tells_its_format_is_told_where() -> None:
    with pytest.raises(FormatError, match=r"as JSON it is damaged at line 2, column 1; docs/formats.md"):
        read(b'{"results": [\n}')
    for whole in (b'{"a": 1}', b'{"a": 1}\n{"a": 2}', b'{"a": %s}' % (b"1" * 5_000), b"[" * 5_000):
        with pytest.raises(FormatError, match=r"known formats; docs/formats.md"):
            read(whole)


def test_a_list_of_rows_is_told_how_to_be_written() -> None:
    with pytest.raises(FormatError, match="one object a line"):
        read(b'[{"timestamp": 1, "metric_name": "a", "metric_value": 1}]')


def test_a_text_that_is_never_closed_ends_the_paths_of_a_head() -> None:
    started = time.process_time()
    assert Head(b'{"a": {"b": "' + b'\\"' * 30_000).json_paths == {"a", "a.b"}
    assert Head(b'{"a": "{[\\').json_paths == {"a"}
    assert time.process_time() - started < 2


@pytest.mark.parametrize("content", [b"[" * 30_000, b'{"' + b"k" * 30_000 + b'": {' + b'"a%d": 0,' * 5_000])
def test_the_paths_of_a_head_take_little_memory(content: bytes) -> None:
    numbered = content % tuple(range(content.count(b"%d")))
    tracemalloc.start()
    assert Head(numbered).json_paths is not None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


@given(st.binary(max_size=200))
def test_any_bytes_are_recognised_or_refused(content: bytes) -> None:
    with refusal_allowed():
        read(content)


@pytest.mark.parametrize("name", [candidate.name for candidate in formats()])
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
    found = format_named(read(content).format)
    for position, removed, inserted in changes:
        place = position * len(content) // 250
        content = content[:place] + inserted + content[place + removed :]
    with refusal_allowed():
        for row in read(content, found).rows:
            assert row["value"] is not None
            assert set(row) >= set(MEASUREMENTS.names)


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
