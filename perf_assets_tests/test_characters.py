"""What can be shown is the same to Python and to SQL, and is what XML can hold."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.characters import REPLACEMENT, in_one_line, showable, showable_json_sql, showable_sql

SURROGATES = range(0xD800, 0xE000)
EVERY = [chr(code) for code in range(0x110000) if code not in SURROGATES]
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n\r"]
NOT_SHOWN = {*CONTROLS, "\ufffe", "\uffff"}


def test_exactly_control_characters_and_what_xml_forbids_are_replaced() -> None:
    assert {sign for sign in EVERY if showable(sign) != sign} == NOT_SHOWN
    assert {showable(sign) for sign in NOT_SHOWN} == {REPLACEMENT}
    assert showable("a\ud800b") == f"a{REPLACEMENT}b"


def test_xml_holds_every_character_that_is_left() -> None:
    left = "".join(map(showable, EVERY)).replace("&", "").replace("<", "").replace("]]>", "")
    read = ET.fromstring(f"<a>{left}</a>").text  # noqa: S314 - our own text
    assert read is not None
    assert len(read) == len(left)


def test_sql_replaces_the_same() -> None:
    written = pa.table({"sign": EVERY})
    with duckdb.connect() as con:
        con.register("written", written)
        rows = con.execute(f"SELECT {showable_sql('sign')} FROM written").fetchall()  # noqa: S608 - the expression tested
    assert [shown for (shown,) in rows] == [showable(sign) for sign in EVERY]


signs = st.characters(codec="utf-8") | st.sampled_from([*CONTROLS, "\\", '"', "u", "0", "1", "b"])


@given(st.text(signs), st.booleans())
def test_json_is_replaced_inside_its_strings(text: str, ascii_only: bool) -> None:
    written = json.dumps({"key": text}, ensure_ascii=ascii_only)
    with duckdb.connect() as con:
        [(shown,)] = con.execute(f"SELECT {showable_json_sql('$written')}", {"written": written}).fetchall()
    assert json.loads(shown) == {"key": showable(text)}


@pytest.mark.parametrize("text", ["", "plain", "naïve – 日本語", "a\tb\nc"])
def test_text_that_can_be_shown_stays(text: str) -> None:
    assert showable(text) is text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("checkout [n=1]", "checkout [n=1]"),
        ("a\x1b[31mb", f"a{REPLACEMENT}[31mb"),
        ("a\nb\r\nc\td", "a b c d"),
        ("gpj\u202efdp", f"gpj{REPLACEMENT}fdp"),
        ("\u2067a\u2069\u200f", f"{REPLACEMENT}a{REPLACEMENT}{REPLACEMENT}"),
        ("naïve 日本", "naïve 日本"),
    ],
)
def test_a_cell_of_a_terminal_is_one_line_that_steers_nothing(text: str, shown: str) -> None:
    assert in_one_line(text) == shown


@given(st.text())
def test_any_text_is_one_printable_line(text: str) -> None:
    line = in_one_line(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", line)
    assert in_one_line(line) == line
