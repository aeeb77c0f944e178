"""Characters that no picture, page or terminal can show, and what stands in their place.

Belongs here: the one rule, for Python and for SQL. Does not belong here: what else makes a name a good one.

XML 1.0 (2.2), and so SVG, has no control characters but tab, line feed and carriage return, no surrogates, and neither
U+FFFE nor U+FFFF. It allows DEL and U+0080 to U+009F, which show nothing and which terminals obey as they do ESC.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# A class that both Python and RE2 read; they write the last two differently, so they stand for themselves.
_NOT_SHOWN = "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\ufffe\uffff"
_IN_TEXT = re.compile(f"[{_NOT_SHOWN}\ud800-\udfff]")
# U+200E, U+200F, U+061C, U+202A to U+202E and U+2066 to U+2069 (Unicode Standard Annex 9).
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_IN_JSON = r"(?i)\\(u00(0[0-8bcef]|1[0-9a-f]|7f|[89][0-9a-f])|ufff[ef]|[bf])"


def showable(text: str) -> str:
    """`text` with a replacement character for each that cannot be shown."""
    return text if text.isprintable() else _IN_TEXT.sub(REPLACEMENT, text)


def in_one_line(text: str) -> str:
    """`text` as a cell of a terminal: showable, without line breaks, and without the controls by which Unicode turns
    the direction of what follows, so that no name can pretend to be another."""
    return text if text.isprintable() else _TURNS.sub(REPLACEMENT, " ".join(showable(text).split()))


def showable_sql(text: str) -> str:
    """SQL of the same, for an expression of type VARCHAR, which has no surrogates."""
    return f"regexp_replace({text}, '[{_NOT_SHOWN}]', '{REPLACEMENT}', 'g')"


def showable_json_sql(text: str) -> str:
    """SQL of the same, for whole JSON: its strings may have such characters written as escapes as well."""
    # Control characters stand in no JSON as they are: one of them keeps the place of backslashes that escape nothing
    # but themselves.
    apart = f"replace({showable_sql(text)}, '\\\\', chr(1))"
    return f"replace(regexp_replace({apart}, '{_IN_JSON}', '{REPLACEMENT}', 'g'), chr(1), '\\\\')"
