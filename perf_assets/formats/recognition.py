"""Which format a file has, told from its content.

Formats are found through the entry points of the group `perf_assets.formats`, each the Format itself: a package of
one's own that declares one is asked as well, before those of the product, so that it may know a file better.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from perf_assets.formats.head import FAR_BYTES, HEAD_BYTES, Head
from perf_assets.formats.measurement import Format, FormatError, Input
from perf_assets.plugins import discovered

GROUP = "perf_assets.formats"
_PIECE = 1 << 20
_LONGEST_MARKED = 1 << 12


def formats() -> tuple[Format, ...]:
    """All formats, in the order in which they are asked. One that cannot be loaded is logged as a warning."""
    return discovered(GROUP, Format).loaded


def broken_formats() -> tuple[str, ...]:
    """A sentence for each installed format that cannot be loaded."""
    return discovered(GROUP, Format).broken


def head_of(file: Path, name: str) -> Head:
    with file.open("rb") as source:
        return Head(source.read(HEAD_BYTES), name)


def telling_head(file: Path, name: str, recognises: Callable[[Head], bool]) -> Head:
    """The head of a file by which `recognises` knows it: with keys that lie far behind if only they tell."""
    head = head_of(file, name)
    return head if recognises(head) else _far_head(file, head)


def _far_head(file: Path, head: Head) -> Head:
    if not head.is_json or len(head.content) < HEAD_BYTES:
        return head
    with file.open("rb") as source:
        return head.looking_far(source.read(FAR_BYTES))


def recognise(source: Input) -> Format:
    """The format of `source`; FormatError (reason `unknown_format`) if none of them knows it."""
    head = head_of(source.path, source.name)
    if not head.text:
        raise FormatError("unknown_format", f"{source.name}: the file is empty; send it again")
    found = _recognised(head)
    if found is None:
        far = _far_head(source.path, head)
        found = _recognised(far) if far is not head else None
    if found is None and len(head.content) >= HEAD_BYTES:
        found = _marked(source.path)
    if found is not None:
        return found
    raise FormatError("unknown_format", f"{source.name}: {_unknown(head)}")


def _recognised(head: Head) -> Format | None:
    return next((candidate for candidate in formats() if candidate.recognises(head)), None)


def _marked(file: Path) -> Format | None:
    """The format whose mark a file has somewhere, of which the beginning says nothing."""
    marks = [(candidate, candidate.mark) for candidate in formats() if candidate.mark is not None]
    with file.open("rb") as source:
        before = b""
        while piece := source.read(_PIECE):
            text = before + piece
            for candidate, mark in marks:
                if mark.search(text):
                    return candidate
            # What a piece breaks off is looked at again with the next one, from the beginning of its line.
            before = text[max(text.rfind(b"\n") + 1, len(text) - _LONGEST_MARKED) :]
    return None


def _unknown(head: Head) -> str:
    if head.text.lstrip()[:1] == "[" and '"metric_name"' in head.text:
        return "a JSON list of rows; write one object a line (JSON Lines), without the list around them"
    return (
        f"the content is of none of the {len(formats())} known formats{_damage(head)}; docs/formats.md has what is "
        "read, and how to add a format"
    )


def _damage(head: Head) -> str:
    """Where JSON that is here whole is none: what would tell its format may lie behind that."""
    if not head.is_json or len(head.content) >= HEAD_BYTES:
        return ""
    try:
        json.loads(head.text)
    except json.JSONDecodeError as error:
        # Several documents, or lines of them, are no damage.
        is_whole = error.msg == "Extra data"
        return "" if is_whole else f", and as JSON it is damaged at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        # Numbers of thousands of digits, and what is nested as deep, Python leaves unread.
        return ""
    return ""


def format_named(name: str) -> Format:
    """The format called `name`; KeyError if there is none."""
    return {candidate.name: candidate for candidate in formats()}[name]
