"""JSON record by record: whole or in pieces the same, and what breaks off is told."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats import json_records
from perf_assets.formats.json_records import DEEPEST, Record, read_documents, read_json
from perf_assets.formats.measurement import Rejection

PATTERNS = ("", "[]", "a", "a[]", "a.b", "*", "a.*[]", "[].a[]", "*[].a")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "é"]), inner, max_size=4),
    max_leaves=12,
)


def documents(content: bytes, *patterns: str) -> list[tuple[Any, list[Record | Rejection]]]:
    """Root and records of each document."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "content.json"
        file.write_bytes(content)
        return [(found.root, list(found.records)) for found in read_documents(file, "x.json", *patterns)]


def records(content: bytes, pattern: str) -> list[Record | Rejection]:
    return [record for _, found in documents(content, pattern) for record in found]


def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every document is read as a large one, a few characters at a time."""
    monkeypatch.setattr(json_records._Reader, "whole", lambda self: json_records._NOTHING)
    monkeypatch.setattr("perf_assets.formats.text._PIECE", 3)


@settings(deadline=None)
@given(value=json_values, pattern=st.sampled_from(PATTERNS), space=st.text(alphabet=" \n\t", max_size=3))
def test_in_pieces_gives_the_same_as_whole(value: Any, pattern: str, space: str) -> None:
    content = (space + json.dumps(value, ensure_ascii=False) + space).encode()
    whole = documents(content, pattern)
    with pytest.MonkeyPatch.context() as patched:
        in_pieces(patched)
        assert documents(content, pattern) == whole


def test_a_document_whose_records_are_left_alone_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces(monkeypatch)
    file = tmp_path / "two.json"
    file.write_bytes(b'{"a": [1, 2]} {"a": [3], "b": 4}')
    assert [found.root for found in read_documents(file, file.name, "a[]")] == [{}, {"b": 4}]


def nested(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


@pytest.mark.parametrize("depth", [DEEPEST + 1, 980, 990, 100_000])
def test_what_is_nested_too_deep_is_refused(depth: int) -> None:
    found = records(f'{{"a": [1, {nested(depth)}, 2]}}'.encode(), "a[]")
    assert [record.path if isinstance(record, Record) else record.reason for record in found] == ["a[0]", "unsafe"]
    with pytest.raises(ValueError, match="nested too deep"):
        read_json(nested(depth))


def test_what_is_nested_less_deep_is_read() -> None:
    [(_, [first, _])] = documents(f'{{"a": [{nested(DEEPEST - 2)}, {{}}], "b": {nested(DEEPEST - 1)}}}'.encode(), "a[]")
    assert isinstance(first, Record)
    assert json.dumps(first.value) == nested(DEEPEST - 2)


def test_records_come_with_what_leads_to_them() -> None:
    content = b'{"repo": "r", "runs": {"x": [{"id": 1}, {"id": 2}], "y": [{"id": 3}]}, "last": 9}'
    [(root, found)] = documents(content, "runs.*[]")
    assert root == {"repo": "r", "last": 9}
    assert found[1] == Record("runs.x[1]", ("runs", "x", 1), ({"repo": "r", "last": 9}, {}, {}), {"id": 2})
    assert [record.value["id"] for record in found if isinstance(record, Record)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "pattern", "place", "expectation"),
    [
        (b'{"a": 5}', "a[]", "a", "expected a list"),
        (b'{"b": []}', "a[]", "whole file", "expected an object with a list `a`"),
        (b"[1]", "a[]", "whole file", "expected an object with a list `a`"),
        (b'{"a": [1, {"b": [2]}]}', "a[].b[]", "a[0]", "expected an object with a list `b`"),
        (b'{"x": 1, "y": [2]}', "*[]", "x", "expected a list"),
    ],
)
def test_what_is_not_as_expected_is_told_and_the_rest_is_read(
    content: bytes, pattern: str, place: str, expectation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        found = records(content, pattern)
        told = [record for record in found if isinstance(record, Rejection)]
        assert [(record.location, record.reason) for record in told] == [(place, "wrong_type")]
        assert expectation in told[0].message
        in_pieces(monkeypatch)


@settings(deadline=None)
@given(st.lists(json_values, max_size=5), st.data())
def test_of_a_list_cut_anywhere_the_whole_elements_are_kept(values: list[Any], data: st.DataObject) -> None:
    text = json.dumps(values)
    *kept, damage = records(text[: data.draw(st.integers(1, len(text) - 1))].encode(), "[]")
    assert isinstance(damage, Rejection)
    assert damage.reason == "truncated"
    assert [record.value for record in kept if isinstance(record, Record)] == values[: len(kept)]


@pytest.mark.parametrize(
    ("content", "values", "place"),
    [
        (b'{"a": 1', [], "a"),
        (b'{"a": [1, 2', [1], "a[1]"),
        (b'{"a": [1, 2.', [1], "a[1]"),
        (b'{"a": ["x" "y"]}', ["x"], "a[1]"),
        (b'{"a": [true, nul', [True], "a[1]"),
        (b'{"a": [1], "b"', [1], "character 14"),
        (b'{"a": [' + b"[" * 5000, [], "a[0]"),
        (b'{"a": [1, ' + b"9" * 5000 + b"]}", [1], "a[1]"),
    ],
)
def test_the_damage_has_a_place(content: bytes, values: list[Any], place: str) -> None:
    found = records(content, "a[]")
    assert [record.value for record in found if isinstance(record, Record)] == values
    assert [record.location for record in found if isinstance(record, Rejection)] == [place]


def test_documents_may_follow_one_another_and_be_of_two_kinds() -> None:
    found = documents(b'{"results": [1]}\n[2, 3]\n{"results": [4', "[]", "results[]")
    assert [[record.value for record in some if isinstance(record, Record)] for _, some in found] == [[1], [2, 3], []]
    assert [record.location for record in found[2][1] if isinstance(record, Rejection)] == ["document 3, results[0]"]


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"[1][2]{}", [[1], [2], {}]),
        (b'"a" 1\n2', ["a", 1, 2]),
        (b"000", []),
        (b'"a""b"', []),
        (b"[1]true[2]", [[1]]),
        (b"nullnull", []),
    ],
)
def test_texts_and_numbers_that_follow_one_another_have_a_space_between(
    content: bytes, values: list[Any], pieces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pieces:
        in_pieces(monkeypatch)
    found = records(content, "")
    assert [record.value for record in found if isinstance(record, Record)] == values
    damaged = [record.reason for record in found if isinstance(record, Rejection)]
    assert damaged == ([] if len(values) > 1 else ["truncated"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_marked_encodings_are_read(encoding: str) -> None:
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    [record] = records((mark + '["größe"]').encode(encoding), "[]")
    assert isinstance(record, Record)
    assert record.value == "größe"


def test_a_large_document_is_read_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("w") as target:
        target.write('{"results": [0')
        for number in range(100):
            target.write("," + ",".join(f'{{"number": {number}, "text": "{"x" * 1000}"}}' for _ in range(1000)))
        target.write('], "version": 3}')
    tracemalloc.start()
    counts = []
    for document in read_documents(file, file.name, "results[]"):
        assert document.root == {"version": 3}
        counts.append(sum(1 for _ in document.records))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (file.stat().st_size > 95 << 20, counts) == (True, [100_001])
    assert peak < 64 << 20
