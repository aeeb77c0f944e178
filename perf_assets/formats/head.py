"""The beginning of a file, as far as telling its format needs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

HEAD_BYTES = 1 << 16
FAR_BYTES = 1 << 26
"""How far the keys of a JSON file are looked for whose head tells nothing: writers that sort them, or put every sample
first, have the telling ones late.
"""

# A text that is not closed is one token to the end: looked for again from each sign in it, it would take forever.
_JSON_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"\s*(:?)|\\?\Z)|[\[\]{},]', re.DOTALL)
_DEEPEST = 8
_MOST_PATHS = 5_000
"""On each level, so that many keys deep down hide none above them."""
_LONGEST_KEY = 200
_LINE_END = re.compile(r"\r\n|\r|\n")
_XML_ROOT = re.compile(r"<(?![?!])(?:[\w.-]+:)?(?P<name>[\w.-]+)")


@dataclass(frozen=True)
class Head:
    """The first HEAD_BYTES of a file, and its name; `far_paths` are its JSON paths as far as FAR_BYTES."""

    content: bytes
    name: str = ""
    far_paths: frozenset[str] | None = None

    @cached_property
    def text(self) -> str:
        """As text, without byte order mark and leading space; what is not UTF-8 or marked UTF-16 is replaced."""
        if self.content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return self.content.decode("utf-16", errors="replace").lstrip()
        return self.content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").lstrip()

    @cached_property
    def lines(self) -> list[str]:
        """As every reader takes them: other signs that Unicode has for the end of a line may stand in a name."""
        return _LINE_END.split(self.text.removesuffix("\n")) if self.text else []

    @property
    def first_line(self) -> str:
        return self.lines[0] if self.lines else ""

    @cached_property
    def xml_root(self) -> str:
        """Name of the root element without its prefix, empty for what is no XML."""
        if self.text[:1] != "<":
            return ""
        found = _XML_ROOT.search(self.text)
        return found["name"] if found else ""

    @cached_property
    def json_paths(self) -> frozenset[str]:
        """Where the JSON of a file has keys: `results[].command`; `[]` stands for any element. Empty for no JSON."""
        if self.far_paths is not None:
            return self.far_paths
        return frozenset(_paths(self.text)) if self.is_json else frozenset()

    @property
    def is_json(self) -> bool:
        return self.text[:1] in ("{", "[")

    def looking_far(self, content: bytes) -> Head:
        """This head with the JSON paths of `content`, the first FAR_BYTES of the file."""
        return Head(self.content, self.name, Head(content).json_paths)

    def has(self, *paths: str) -> bool:
        """Whether all these are among the JSON paths."""
        return all(path in self.json_paths for path in paths)


def _paths(text: str) -> set[str]:
    found: list[set[str]] = [set() for _ in range(_DEEPEST + 1)]
    stack: list[str] = []
    place = ""
    for token in _JSON_TOKEN.finditer(text):
        sign = token[0]
        if token[2]:
            # Places deeper down are of no use, and all of them would be longer than memory.
            if len(stack) <= _DEEPEST:
                key = token[1][:_LONGEST_KEY]
                place = f"{stack[-1]}.{key}".removeprefix(".") if stack else key
                on_level = found[len(stack)]
                if len(on_level) < _MOST_PATHS:
                    on_level.add(place)
        elif sign == "{":
            stack.append(place)
        elif sign == "[":
            if len(stack) <= _DEEPEST:
                place = f"{place}[]"
            stack.append(place)
        elif sign in "}]" and stack:
            stack.pop()
            place = stack[-1] if stack else ""
        elif sign == "," and stack:
            place = stack[-1]
    return set().union(*found)
