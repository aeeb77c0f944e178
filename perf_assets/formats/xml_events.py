"""XML as events: elements as they begin and end, in bounded memory, and nothing that reaches outside the file.

Entities that a file declares are refused (they are how a small file becomes a huge one, or reads another); nothing is
ever fetched. Of a file that breaks off everything before the break is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from xml.parsers import expat

from perf_assets.formats.measurement import FormatError

DEEPEST = 200
LONGEST_TEXT = 4_096
"""Characters of text kept of an element: the output of tests can be longer than memory."""
LONGEST_ATTRIBUTE = 65_536

_PIECE = 1 << 20
# XML allows no control characters; the colours in the output of tests have them. They are spaces then.
_CONTROL = bytes(32 if code < 32 and code not in (9, 10, 13) else code for code in range(256))

_MORE_FOLLOWS = {
    expat.errors.codes[message]
    for message in (expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT, expat.errors.XML_ERROR_MISPLACED_XML_PI)
}


class Event(NamedTuple):
    """An element begins or ends, at a line (from 1). Names are without prefix; `text` is that of an element's end."""

    kind: Literal["start", "end"]
    name: str
    attributes: dict[str, str]
    text: str
    line: int


class XmlDamage(NamedTuple):
    """Where and why a file stops being XML."""

    line: int
    problem: str


def read_events(file: Path, name: str) -> Iterator[Event | XmlDamage]:
    """The elements of `file`; an XmlDamage is the last one where the file is damaged or breaks off. A document that
    follows another one in the file is read as well.

    Raises FormatError (reason `unsafe`) for declared entities and for elements nested deeper than DEEPEST.
    """
    reader = _Events(name)
    with file.open("rb") as source:
        piece = source.read(_PIECE)
        wide = piece[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in piece[:4]
        while True:
            following = source.read(_PIECE)
            try:
                reader.parse(piece if wide else piece.translate(_CONTROL), not following)
            except expat.ExpatError as error:
                yield from reader.taken()
                rest = b"" if wide else reader.behind_the_document(error, piece)
                if rest:
                    reader, piece = _Events(name, reader.line - 1), rest + following
                    continue
                yield XmlDamage(reader.line, expat.errors.messages[error.code])
                return
            except FormatError:
                raise
            except (LookupError, ValueError) as error:
                # An encoding that Python does not know, or that expat cannot read through it.
                yield from reader.taken()
                yield XmlDamage(reader.line, f"its encoding, {error}: write it in UTF-8")
                return
            yield from reader.taken()
            if not following:
                return
            piece = following


class _Events:
    def __init__(self, name: str, lines_before: int = 0) -> None:
        self._lines_before = lines_before
        self._bytes_before = 0
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._entity
        self._name = name
        self._events: list[Event] = []
        self._texts: list[str] = []
        self._has_begun = False

    @property
    def line(self) -> int:
        return self._lines_before + self.parser.CurrentLineNumber

    def parse(self, piece: bytes, is_last: bool) -> None:
        self.parser.Parse(piece, is_last)
        self._bytes_before += len(piece)

    def behind_the_document(self, error: expat.ExpatError, piece: bytes) -> bytes:
        """What is left of the piece where another document begins behind a whole one; else nothing."""
        if self._texts or not self._has_begun or error.code not in _MORE_FOLLOWS:
            return b""
        rest = piece[self.parser.ErrorByteIndex - self._bytes_before :]
        return rest if rest.startswith(b"<") else b""

    def taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._texts) >= DEEPEST:
            raise FormatError(
                "unsafe",
                f"{self._name}, line {self.line}: elements are nested deeper than {DEEPEST}; write a flatter file",
            )
        self._has_begun = True
        self._texts.append("")
        plain = {_local(key): value[:LONGEST_ATTRIBUTE] for key, value in attributes.items()}
        self._events.append(Event("start", _local(name), plain, "", self.line))

    def _end(self, name: str) -> None:
        self._events.append(Event("end", _local(name), {}, self._texts.pop(), self.line))

    def _characters(self, text: str) -> None:
        if self._texts and len(self._texts[-1]) < LONGEST_TEXT:
            self._texts[-1] = (self._texts[-1] + text)[:LONGEST_TEXT]

    def _entity(self, *_: object) -> None:
        raise FormatError(
            "unsafe",
            f"{self._name}, line {self.line}: the file declares entities, which are not read; write it without a DTD",
        )


def _local(name: str) -> str:
    return name.rpartition("}")[2]
