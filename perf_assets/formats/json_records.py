"""JSON as records: the many like objects of a document one by one, with the few that describe them.

A document that is small is read whole; a large one is read piece by piece, twice: first what describes the records,
then the records. Both give the same. A document may break off or be damaged: what is whole is read, and where it stops
being JSON is told.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perf_assets.formats.measurement import FormatError, Problem, Rejection, fragment_of, rejection, storable
from perf_assets.formats.text import Text

EACH = "[]"
ANY = "*"
LARGEST_RECORD = 1 << 26
"""Characters. A larger value that is not read record by record is taken for damage."""
DEEPEST = 200
"""Lists and objects within one another. A value that goes deeper is taken for damage: writing it would fail."""
_WHOLE = 1 << 23

# Old JMH writes line ends into texts.
_DECODER = json.JSONDecoder(strict=False)
_OPENING_OR_CLOSING = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_TOKENS_OF_PATTERN = re.compile(r"\[\]|[^.\[\]]+")
_NOTHING = object()
_BREAK = Problem("truncated", "damaged, or breaks off")
_DEPTH = Problem("unsafe", f"lists and objects within one another deeper than {DEEPEST}")


@dataclass(frozen=True)
class Record:
    """One value at the pattern's end. `keys` are the names and numbers that lead to it, `path` the same as text.

    `parents` are the containers on the way, outermost first: their other members, empty for a list.
    """

    path: str
    keys: tuple[str | int, ...]
    parents: tuple[dict[str, Any], ...]
    value: Any


@dataclass(frozen=True)
class Document:
    """One JSON document. `root` is what it holds beside the records; its `records` come before the next one.

    `records` gives a Rejection for what has no place on the pattern, and where the document is `damaged`.
    """

    place: str
    root: Any
    damaged: bool
    records: Iterator[Record | Rejection]


def read_json(text: str) -> Any:
    """The JSON value that `text` is; ValueError where it is none, or goes deeper than DEEPEST."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _is_too_deep(value):
        raise ValueError("nested too deep")
    return value


def read_documents(file: Path, name: str, *patterns: str, before: re.Pattern[str] | None = None) -> Iterator[Document]:
    """The JSON documents that follow one another in `file`, with their records.

    A pattern is a path like `entries.*[].benches[]`: a key, `*` for any key, `[]` for every element of a list. The
    empty pattern takes each document as one record. Of several patterns the first counts that a document can have,
    being a list or an object. `name` is what the file is called in messages. `before` matches what stands before the
    one document of a script, and what follows it is left alone. Raises FormatError where it does not match.
    """
    choices = [tuple(_TOKENS_OF_PATTERN.findall(pattern)) for pattern in patterns]
    with file.open("rb") as source:
        text = Text(source)
        if before is not None:
            _pass_over(text, name, before)
        number = 0
        _skip(text)
        while text.position < len(text.window):
            place = f"document {number + 1}, " if number else ""
            text.let_go()
            is_list = text.window[text.position] == "["
            steps = next((steps for steps in choices if not steps or (steps[0] == EACH) == is_list), choices[0])
            reader = _Reader(text, name, place)
            whole = reader.whole()
            if whole is not _NOTHING:
                yield Document(place, _root(whole, steps), False, _walk(whole, steps, place, (), (), ""))
            else:
                document = reader.in_pieces(steps)
                yield document
                # What is left of its records lies before the next document.
                deque(document.records, maxlen=0)
                if reader.damaged:
                    return
            if before is not None:
                return
            number += 1
            _skip(text)


def _root(value: Any, steps: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return []
    if not isinstance(value, dict) or not steps:
        return None
    return {} if steps[0] == EACH else _without(value, steps)


def _pass_over(text: Text, name: str, before: re.Pattern[str]) -> None:
    text.grow()
    found = before.match(text.window)
    if found is None:
        raise FormatError("unreadable", f"{name}: no JSON object where one was expected; fetch the file again")
    text.position = found.end()


def _without(members: dict[str, Any], steps: tuple[str, ...]) -> dict[str, Any]:
    """The members of an object in which no records lie."""
    return {key: member for key, member in members.items() if not _leads_on(steps, key, member)}


def _leads_on(steps: tuple[str, ...], key: str, member: Any) -> bool:
    if not steps or steps[0] not in (ANY, key):
        return False
    return len(steps) == 1 or isinstance(member, list if steps[1] == EACH else dict)


def _walk(
    value: Any,
    steps: tuple[str, ...],
    place: str,
    keys: tuple[str | int, ...],
    parents: tuple[dict[str, Any], ...],
    path: str,
) -> Iterator[Record | Rejection]:
    if not steps:
        yield Record(place + path, keys, parents, value)
    elif isinstance(value, dict) and steps[0] != EACH:
        others = _without(value, steps)
        inner = (*parents, others)
        for key, member in value.items():
            if _leads_on(steps, key, member):
                yield from _walk(member, steps[1:], place, (*keys, key), inner, _joined(path, key))
            elif steps[0] in (ANY, key):
                yield _stray(place, _joined(path, key), steps[1:], member)
        if steps[0] != ANY and steps[0] not in value:
            yield _stray(place, path, steps, value)
    elif isinstance(value, list) and steps[0] == EACH:
        for index, element in enumerate(value):
            yield from _walk(element, steps[1:], place, (*keys, index), (*parents, {}), f"{path}[{index}]")
    else:
        yield _stray(place, path, steps, value)


def _stray(place: str, path: str, steps: tuple[str, ...], value: Any) -> Rejection:
    """What was found where the pattern goes on otherwise."""
    if steps[0] == EACH:
        expectation = "expected a list"
    elif steps[0] == ANY:
        expectation = "expected an object"
    else:
        what = "a list" if steps[1:2] == (EACH,) else "an object" if len(steps) > 1 else "a value"
        expectation = f"expected an object with {what} `{steps[0]}`"
    field = steps[0] if steps[0] not in (EACH, ANY) and isinstance(value, dict) else ""
    return rejection(f"{place}{path}".rstrip(", ") or "whole file", field, Problem("wrong_type", expectation), value)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


class _DamageError(Exception):
    """The text stops being JSON, at this path."""

    def __init__(self, path: str, problem: Problem = _BREAK) -> None:
        super().__init__(path)
        self.path = path
        self.problem = problem


class _Reader:
    """Reads one document at the text's position."""

    def __init__(self, text: Text, name: str, place: str) -> None:
        self.text = text
        self.name = name
        self.place = place
        self.damaged = False
        self._parents: dict[str, dict[str, Any]] = {}
        self._on_the_way: dict[str, dict[str, Any]] = {}

    def whole(self) -> Any:
        """The document, if it is small and whole; else nothing, the text where it was."""
        text = self.text
        while len(text.window) - text.position < _WHOLE and text.grow():
            pass
        value, end = _decode(text.window, text.position)
        is_container = isinstance(value, dict | list)
        if value is _NOTHING or (end >= len(text.window) and not text.ended and not is_container):
            return _NOTHING
        if not is_container and not _ends_there(text.window, end):
            return _NOTHING
        text.position = end
        text.let_go()
        return value

    def in_pieces(self, steps: tuple[str, ...]) -> Document:
        text = self.text
        mark = text.mark()
        opening = text.window[text.position : text.position + 1]
        try:
            for _ in self._descend(steps, (), (), ""):
                pass
        except _DamageError:
            self.damaged = True
        self._parents, self._on_the_way = self._on_the_way, {}
        text.resume(mark)
        beside: Any = self._parents.get("", {}) if steps and opening == "{" else [] if opening == "[" else None
        return Document(self.place, beside, self.damaged, self._records(steps))

    def _records(self, steps: tuple[str, ...]) -> Iterator[Record | Rejection]:
        try:
            yield from self._descend(steps, (), (), "")
        except _DamageError as damage:
            yield self._rejection(damage)

    def _rejection(self, damage: _DamageError) -> Rejection:
        text = self.text
        at = text.before + text.position
        location = f"{self.place}{damage.path}" or f"character {at}"
        reason, what = damage.problem
        remedy = "fetch the file again" if damage.problem is _BREAK else "write it flatter"
        message = f"{self.name}, {location}: {what}, at character {at}; {remedy}"
        fragment = fragment_of(text.window[max(0, text.position - 80) : text.position + 80])
        return Rejection(storable(location), "", reason, storable(message), fragment)

    def _descend(
        self, steps: tuple[str, ...], keys: tuple[str | int, ...], parents: tuple[dict[str, Any], ...], path: str
    ) -> Iterator[Record | Rejection]:
        text = self.text
        text.let_go()
        opening = text.window[text.position : text.position + 1]
        if not steps:
            # An object that breaks off would be another one, so it is damage as a whole.
            yield Record(self.place + path, keys, parents, self._member(path) if path else self._alone())
        elif opening == "{" and steps[0] != EACH:
            own: dict[str, Any] = {}
            self._on_the_way[path] = own
            outer = (*parents, self._parents.get(path, {}))
            found = False
            for key in self._members(path):
                inner = _joined(path, key)
                wanted = steps[0] in (ANY, key)
                found = found or wanted
                if wanted and self._leads_on(steps):
                    yield from self._descend(steps[1:], (*keys, key), outer, inner)
                    continue
                own[key] = self._member(inner)
                if wanted:
                    yield _stray(self.place, inner, steps[1:], own[key])
            if not found and steps[0] != ANY:
                yield _stray(self.place, path, steps, own)
        elif opening == "[" and steps[0] == EACH:
            outer = (*parents, {})
            for index in self._elements(path):
                yield from self._descend(steps[1:], (*keys, index), outer, f"{path}[{index}]")
        else:
            yield _stray(self.place, path, steps, self._value(path) if path else self._alone())

    def _leads_on(self, steps: tuple[str, ...]) -> bool:
        opening = self.text.window[self.text.position : self.text.position + 1]
        return len(steps) == 1 or opening == ("[" if steps[1] == EACH else "{")

    def _members(self, path: str) -> Iterator[str]:
        """The keys of the object at the position, each when its value comes next."""
        text = self.text
        text.position += 1
        self._skip()
        if self._takes("}"):
            return
        while True:
            key = self._value(path)
            self._skip()
            if not isinstance(key, str) or not self._takes(":"):
                raise _DamageError(path)
            self._skip()
            yield key
            self._skip()
            if self._takes("}"):
                return
            if not self._takes(","):
                raise _DamageError(_joined(path, key))
            self._skip()

    def _elements(self, path: str) -> Iterator[int]:
        text = self.text
        text.position += 1
        self._skip()
        if self._takes("]"):
            return
        index = 0
        while True:
            yield index
            self._skip()
            if self._takes("]"):
                return
            index += 1
            if not self._takes(","):
                raise _DamageError(f"{path}[{index}]")
            self._skip()

    def _member(self, path: str) -> Any:
        """A value inside another one. A number is whole only when what ends it follows."""
        value = self._value(path)
        self._skip()
        following = self.text.window[self.text.position : self.text.position + 1]
        if not isinstance(value, dict | list | str) and following not in (",", "]", "}"):
            raise _DamageError(path)
        return value

    def _alone(self) -> Any:
        """A value that is a document. Text and numbers, unlike lists and objects, need a space before the next one."""
        value = self._value("")
        if not isinstance(value, dict | list):
            if _at_end(self.text):
                self.text.grow()
            if not _ends_there(self.text.window, self.text.position):
                raise _DamageError("")
        return value

    def _value(self, path: str) -> Any:
        text = self.text
        while True:
            value, end = _decode(text.window, text.position)
            # At the end of the window a number may go on: .5, e+5.
            open_end = end + 3 > len(text.window) and not isinstance(value, dict | list | str)
            if value is not _NOTHING and (text.ended or not open_end):
                text.position = end
                return value
            if len(text.window) - text.position > LARGEST_RECORD or not text.grow():
                if value is not _NOTHING and text.ended:
                    continue
                raise _DamageError(path, _DEPTH if _goes_too_deep(text.window, text.position) else _BREAK)

    def _skip(self) -> None:
        _skip(self.text)

    def _takes(self, sign: str) -> bool:
        if self.text.window[self.text.position : self.text.position + 1] != sign:
            return False
        self.text.position += 1
        return True


def _skip(text: Text) -> None:
    """Go on to the next character that is no space; there is one in the window unless the file ends."""
    while True:
        found = _SPACE.match(text.window, text.position)
        text.position = found.end() if found else text.position
        if text.position < len(text.window) or not text.grow():
            return


def _ends_there(window: str, position: int) -> bool:
    return window[position : position + 1] in ("", " ", "\t", "\r", "\n")


def _at_end(text: Text) -> bool:
    return text.position >= len(text.window)


def _decode(window: str, position: int) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(window, position)
    except (ValueError, RecursionError):
        return _NOTHING, position
    brackets = window.count("[", position, end) + window.count("{", position, end)
    return (_NOTHING, position) if brackets > DEEPEST and _is_too_deep(value) else (value, end)


def _goes_too_deep(window: str, position: int) -> bool:
    """Whether a value that cannot be read goes deeper than DEEPEST before anything else can be wrong with it."""
    depth = 0
    for token in _OPENING_OR_CLOSING.finditer(window, position):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > DEEPEST:
            return True
        if depth <= 0:
            return False
    return False


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [each for outer in level for each in _inside(outer) if isinstance(each, dict | list)]
        if not level:
            return False
    return True
