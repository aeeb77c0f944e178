"""Lines of any length and end, in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.formats import text
from perf_assets.formats.text import LONGEST_LINE, read_lines


def lines(folder: Path, content: bytes) -> list[tuple[int, str]]:
    file = folder / "lines.txt"
    file.write_bytes(content)
    return list(read_lines(file))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_are_numbered_whatever_ends_them(tmp_path: Path, end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        assert lines(tmp_path, end.join([b"a", b"", b"b"])) == [(1, "a"), (2, ""), (3, "b")]
        assert lines(tmp_path, b"a" + end) == [(1, "a")]
        monkeypatch.setattr(text, "_PIECE", 1)


def test_other_separators_end_no_line(tmp_path: Path) -> None:
    content = "a\u2028b\x0bc\x85d"
    assert lines(tmp_path, content.encode()) == [(1, content)]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30))
def test_nothing_is_lost(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    found = lines(tmp_path_factory.mktemp("lines"), content.encode())
    expected = content.removeprefix("\ufeff").split("\n")
    assert [line for _, line in found] == (expected if expected[-1] else expected[:-1])


def test_a_line_that_is_too_long_is_cut_and_the_next_is_whole(tmp_path: Path) -> None:
    tracemalloc.start()
    found = lines(tmp_path, b"x" * (8 << 20) + b"\nshort\n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(number, len(line)) for number, line in found] == [(1, LONGEST_LINE), (2, 5)]
    assert peak < 32 << 20
