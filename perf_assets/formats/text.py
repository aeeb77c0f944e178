"""Text read piece by piece: a file of any size in bounded memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PIECE = 1 << 20
LONGEST_LINE = 1 << 20
"""Characters; a longer line is cut off there."""
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class Text:
    """The text of a file as a window that grows at its end and is let go at its beginning.

    A byte order mark is left out, UTF-16 is read where a mark says so; other bytes that are not UTF-8 become lone
    surrogates. `position` counts characters from the beginning of the window.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.read(3)
        self._encoding, mark = next(
            ((name, len(bom)) for bom, name in _MARKS.items() if start.startswith(bom)), ("utf-8", 0)
        )
        self.window = ""
        self.ended = False
        self.position = 0
        self.before = 0
        """Characters of the file before the window."""
        self._read_from(mark)

    def grow(self) -> bool:
        """Add a piece; False at the end of the file. A larger window takes larger pieces, so that all grow alike."""
        if self.ended:
            return False
        piece = self._file.read(max(_PIECE, len(self.window) - self.position))
        self.ended = not piece
        self.window += self._decoder.decode(piece, final=self.ended)
        return not self.ended

    def let_go(self) -> None:
        """Forget what lies well before the position."""
        if self.position > _PIECE:
            self.before += self.position
            self.window = self.window[self.position :]
            self.position = 0

    def mark(self) -> tuple[str, int, int, int]:
        """A place to come back to, for a second reading."""
        pending, _ = self._decoder.getstate()
        return self.window, self.position, self.before, self._file.tell() - len(pending)

    def resume(self, mark: tuple[str, int, int, int]) -> None:
        """Go back to a mark."""
        self.window, self.position, self.before, offset = mark
        self._read_from(offset)

    def _read_from(self, offset: int) -> None:
        self._file.seek(offset)
        errors = "surrogateescape" if self._encoding == "utf-8" else "replace"
        self._decoder = codecs.getincrementaldecoder(self._encoding)(errors=errors)
        self.ended = False


def read_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, without its end; a line longer than LONGEST_LINE is cut off."""
    with file.open("rb") as source:
        text = Text(source)
        ends = io.IncrementalNewlineDecoder(None, translate=True)
        number, rest, cut = 1, "", False
        while True:
            more = text.grow()
            piece = ends.decode(text.window, final=not more)
            text.window = ""
            *lines, rest = (rest + piece).split("\n")
            for line in lines:
                if not cut:
                    yield number, line[:LONGEST_LINE]
                cut = False
                number += 1
            if len(rest) > LONGEST_LINE:
                if not cut:
                    yield number, rest[:LONGEST_LINE]
                rest, cut = "", True
            if not more:
                if rest and not cut:
                    yield number, rest
                return
