"""XML as events: bounded, nothing from outside, and up to the break."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.measurement import FormatError
from perf_assets.formats.xml_events import DEEPEST, LONGEST_TEXT, Event, XmlDamage, read_events

NAME = "x.xml"


def events(folder: Path, content: bytes) -> list[Event | XmlDamage]:
    file = folder / "content.xml"
    file.write_bytes(content)
    return list(read_events(file, NAME))


def test_elements_come_with_attributes_text_and_line(tmp_path: Path) -> None:
    found = events(tmp_path, b'<a x="1">\n<b>te<c/>xt</b></a>')
    assert found == [
        Event("start", "a", {"x": "1"}, "", 1),
        Event("start", "b", {}, "", 2),
        Event("start", "c", {}, "", 2),
        Event("end", "c", {}, "", 2),
        Event("end", "b", {}, "text", 2),
        Event("end", "a", {}, "\n", 2),
    ]


def test_namespaces_are_left_out(tmp_path: Path) -> None:
    start, _ = events(tmp_path, b'<n:a xmlns:n="urn:n" n:x="1" y="2"/>')
    assert isinstance(start, Event)
    assert (start.name, start.attributes) == ("a", {"x": "1", "y": "2"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    content = f'<?xml version="1.0" encoding="{declared}"?><a>größe</a>'.encode(encoding)
    assert events(tmp_path, content)[1] == Event("end", "a", {}, "größe", 1)


@pytest.mark.parametrize("encoding", ["utf-4", "hex", "shift_jis", "utf-7"])
def test_an_encoding_that_cannot_be_read_is_damage(tmp_path: Path, encoding: str) -> None:
    [damage] = events(tmp_path, f'<?xml version="1.0" encoding="{encoding}"?><a>text</a>'.encode())
    assert isinstance(damage, XmlDamage)
    assert (damage.line, "encoding" in damage.problem) == (1, True)


def test_the_control_characters_in_the_output_of_tests_break_nothing(tmp_path: Path) -> None:
    assert events(tmp_path, b"<a>\x1b[31mred\x00</a>")[1] == Event("end", "a", {}, " [31mred ", 1)


@settings(max_examples=50, deadline=None)
@given(end=st.integers(0, 60))
def test_what_comes_before_a_break_is_given(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    folder = tmp_path_factory.mktemp("cut")
    content = b'<a x="1">\n<b>text</b>\n<b>more</b>\n</a>'
    whole = events(folder, content)
    *before, last = events(folder, content[:end])
    if end < len(content):
        assert isinstance(last, XmlDamage)
        assert before == whole[: len(before)]
        assert last.line <= 4
    else:
        assert [*before, last] == whole


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]><a>&y;</a>"""
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
PARAMETER = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><a/>'


@pytest.mark.parametrize("content", [BOMB, OUTSIDE, PARAMETER], ids=["bomb", "outside", "parameter"])
def test_declared_entities_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FormatError, match=f"{NAME}, line 1: .*entities") as caught:
        events(tmp_path, content)
    assert caught.value.reason == "unsafe"


def test_documents_that_follow_one_another_are_read_with_their_lines(tmp_path: Path) -> None:
    found = events(tmp_path, b'<?xml version="1.0"?>\n<a/>\n<?xml version="1.0"?>\n<b/><c/>\n')
    assert [(event.name, event.line) for event in found if isinstance(event, Event) and event.kind == "start"] == [
        ("a", 2), ("b", 4), ("c", 4),
    ]  # fmt: skip
    assert not any(isinstance(event, XmlDamage) for event in found)


@pytest.mark.parametrize("rest", [b"text", b"</a>", b"<?xml ?>", b"<b>"])
def test_what_follows_a_document_and_is_none_is_damage(tmp_path: Path, rest: bytes) -> None:
    found = events(tmp_path, b"<a/>\n" + rest)
    assert isinstance(found[-1], XmlDamage)
    assert found[-1].line == 2


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    assert len(events(tmp_path, b"<a>" * DEEPEST + b"</a>" * DEEPEST)) == 2 * DEEPEST
    with pytest.raises(FormatError, match="nested deeper") as caught:
        events(tmp_path, b"<a>" * (DEEPEST + 1))
    assert caught.value.reason == "unsafe"


def test_a_large_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.xml"
    with file.open("w") as target:
        target.write("<suite>")
        for _ in range(50_000):
            target.write(f"<case name='a'><out>{'x' * 1000}</out></case>")
        target.write(f"<out>{'y' * (20 << 20)}</out></suite>")
    tracemalloc.start()
    longest = max(len(event.text) for event in read_events(file, NAME) if isinstance(event, Event))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert longest == LONGEST_TEXT
    assert peak < 24 << 20
