"""Dates, times and spans; all times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from perf_assets.wording.quantities import counted, missing

_UNITS = (("day", 1440), ("hour", 60), ("minute", 1))


def moment(time: Any) -> str:
    """A time to the minute: `2026-09-10 14:06 UTC`."""
    return "unknown" if missing(time) else f"{minute(time)} UTC"


def minute(time: Any) -> str:
    """`2026-09-10 14:06`, for a column whose heading names the time zone."""
    return "unknown" if missing(time) else f"{_utc(time):%Y-%m-%d %H:%M}"


def second(time: Any) -> str:
    """`2026-09-10 14:06:59 UTC`, for times that are soon."""
    return f"{_utc(time):%Y-%m-%d %H:%M:%S} UTC"


def day(time: Any) -> str:
    """`2026-09-10`."""
    return "unknown" if missing(time) else f"{_utc(time):%Y-%m-%d}"


def hour(of_day: int) -> str:
    """`09:00`."""
    return f"{of_day:02d}:00"


def span(start: Any, end: Any) -> str:
    """`2026-09-10 14:06 UTC to 2026-09-11 08:00 UTC`."""
    return f"{moment(start)} to {moment(end)}"


def days(count: float) -> str:
    """A number of days as `length` writes it."""
    return "unknown" if missing(count) else length(timedelta(days=count))


def length(span: timedelta) -> str:
    """`9 days`, `30 hours`: in whole units, the largest of which there are at least two."""
    minutes = int(span.total_seconds() // 60)
    name, size = next((unit for unit in _UNITS if minutes >= 2 * unit[1]), _UNITS[-1])
    return counted(minutes // size, name)


def every(interval: timedelta) -> str:
    """`every hour`, `every 90 minutes`: in the largest unit that it is a multiple of."""
    minutes = int(interval.total_seconds() // 60)
    name, size = next(unit for unit in _UNITS if minutes % unit[1] == 0)
    return f"every {name}" if minutes == size else f"every {counted(minutes // size, name)}"


def _utc(time: Any) -> datetime:
    at = time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
    return at if at.tzinfo is None else at.astimezone(UTC)
