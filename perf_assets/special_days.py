"""Days on which something else than usual is known to go on: holidays, releases. A file has one a line."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np

from perf_assets.errors import UserError

_KIND = "holiday"
_MOST_KINDS = 100


class SpecialDaysError(UserError):
    """A file that cannot be used; the message names file, line and remedy."""


def load_special_days(file: Path | None) -> Mapping[np.datetime64, str]:
    """Kind by day (UTC) from lines such as `2026-12-25,holiday`; without a kind it is `holiday`. Empty lines and those
    that begin with # say nothing. Raises SpecialDaysError for all other lines, a day that is named twice, and more than
    100 kinds.
    """
    if file is None:
        return {}
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecialDaysError(f"{file} cannot be read ({error}); name a text file of days in forecast.days") from error
    days: dict[np.datetime64, str] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        try:
            day = np.datetime64(date.fromisoformat(cells[0]))
        except ValueError as error:
            raise SpecialDaysError(
                f"{file}, line {number}: {cells[0]!r} is no day; write it like 2026-12-25,holiday"
            ) from error
        if day in days:
            raise SpecialDaysError(f"{file}, line {number}: {cells[0]} is named before; remove one of the two")
        days[day] = next((cell for cell in cells[1:] if cell), _KIND)
    if len(set(days.values())) > _MOST_KINDS:
        raise SpecialDaysError(f"{file} names more than {_MOST_KINDS} kinds of days; use fewer words")
    return days
