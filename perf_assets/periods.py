"""Periods as people write them: `12h`, `30d`, `2w`."""

from __future__ import annotations

import re

_SECONDS = {"h": 3_600, "d": 86_400, "w": 604_800}
_LEAST, _MOST = 3 * _SECONDS["h"], 366 * _SECONDS["d"]
_ALWAYS = {_SECONDS["d"]: "day", _SECONDS["w"]: "week"}


def seconds_of(period: str) -> int:
    """Length of a period of whole hours, days or weeks.

    Raises ValueError with the remedy for what is not written so, for less than 3 hours or more than 366 days, and for
    the day and the week, in which patterns are sought in any case.
    """
    written = re.fullmatch(r"([1-9]\d{0,5})([hdw])", period)
    if not written:
        raise ValueError("not a period, write hours, days or weeks like 12h, 30d or 2w")
    seconds = int(written[1]) * _SECONDS[written[2]]
    if not _LEAST <= seconds <= _MOST:
        raise ValueError("a period must be at least 3h and at most 366d long, write another one")
    if seconds in _ALWAYS:
        raise ValueError(f"patterns of the {_ALWAYS[seconds]} are sought in any case, remove this period")
    return seconds
