"""JSON that may break off or be damaged: what is whole is read, and where it stops being JSON is told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from perf_assets.formats.measurement import Rejection, fragment_of, storable

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_DEEPEST = 100
_NOTHING = object()


@dataclass(frozen=True)
class Damage:
    """Where a text stops being JSON: the path of the value it breaks in, and the position in characters."""

    path: str
    position: int


def read_characters(file: Path) -> str:
    """The text of `file`, a byte order mark left out; bytes that are not UTF-8 become lone surrogates."""
    return file.read_bytes().decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")


def read_json(text: str, start: int = 0) -> tuple[object, int, Damage | None]:
    """The JSON value that starts at `start`, the position after it, and the damage, if there is any.

    Of a damaged list the elements before the damage are kept, and of an object that holds lists the members before it.
    Any other damaged value is left out, or None: half an object would be another one.
    """
    position = _skip(text, start)
    value, end = _decode(text, position)
    if value is not _NOTHING:
        return value, _skip(text, end), None
    value, end, damage = _salvage(text, position, "", 0)
    return (None if value is _NOTHING else value), end, damage


def damage_rejection(name: str, text: str, place: str, damage: Damage) -> Rejection:
    """The quarantine row that tells of `damage` in the file `name`."""
    location = f"{place}{damage.path}" or f"character {damage.position}"
    message = f"{name}, {location}: damaged, or breaks off, at character {damage.position}; fetch the file again"
    fragment = fragment_of(text[max(0, damage.position - 80) : damage.position + 80])
    return Rejection(storable(location), "", "truncated", storable(message), fragment)


def _salvage(text: str, position: int, path: str, depth: int) -> tuple[object, int, Damage]:
    opening = text[position : position + 1]
    if depth < _DEEPEST and opening == "{":
        return _salvage_object(text, position, path, depth)
    if depth < _DEEPEST and opening == "[":
        return _salvage_list(text, position, path, depth)
    return _NOTHING, position, Damage(path, position)


def _salvage_object(text: str, position: int, path: str, depth: int) -> tuple[object, int, Damage]:
    members: dict[str, object] = {}
    while True:
        position = _skip(text, position + 1)
        key, end = _decode(text, position)
        end = _skip(text, end)
        if not isinstance(key, str) or text[end : end + 1] != ":":
            return _kept(members), position, Damage(path, position)
        place, position = f"{path}.{key}" if path else key, _skip(text, end + 1)
        value, end = _decode(text, position)
        if value is _NOTHING:
            value, position, damage = _salvage(text, position, place, depth + 1)
            return _kept(members if value is _NOTHING else members | {key: value}), position, damage
        position = _skip(text, end)
        followed = text[position : position + 1] == ","
        if followed or _has_end(value):
            members[key] = value
        if not followed:
            return _kept(members), position, Damage(place, position)


def _salvage_list(text: str, position: int, path: str, depth: int) -> tuple[list[object], int, Damage]:
    elements: list[object] = []
    while True:
        position = _skip(text, position + 1)
        value, end = _decode(text, position)
        if value is _NOTHING:
            value, position, damage = _salvage(text, position, f"{path}[{len(elements)}]", depth + 1)
            return (elements if value is _NOTHING else [*elements, value]), position, damage
        position = _skip(text, end)
        followed = text[position : position + 1] == ","
        if followed or _has_end(value):
            elements.append(value)
        if not followed:
            return elements, position, Damage(f"{path}[{len(elements)}]", position)


def _has_end(value: object) -> bool:
    """Whether a value shows its end: a number at the break may have lost digits."""
    return isinstance(value, dict | list | str)


def _kept(members: dict[str, object]) -> object:
    return members if _has_list(members) else _NOTHING


def _has_list(value: object) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and any(_has_list(member) for member in value.values()))


def _decode(text: str, position: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError):
        return _NOTHING, position


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
