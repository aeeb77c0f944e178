"""Units as results write them, and the canonical UCUM unit each is converted to."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNKNOWN_UNIT = ""
"""The unit of a value whose source names none and whose metric is not in the catalogue."""


@dataclass(frozen=True)
class CanonicalUnit:
    """`value in raw unit * factor` is the value in `unit` (UCUM)."""

    unit: str
    factor: float


_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SECOND_NAMES = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "msec": "ms", "millisecond": "ms", "milliseconds": "ms", "millis": "ms",
    "µs": "us", "μs": "us", "usec": "us", "microsecond": "us", "microseconds": "us",
    "nsec": "ns", "nanosecond": "ns", "nanoseconds": "ns", "nanos": "ns",
    "minute": "min", "minutes": "min", "hour": "h", "hours": "h", "hr": "h", "day": "d", "days": "d",
}  # fmt: skip
_BYTES = {
    "By": 1.0, "B": 1.0,
    "kBy": 1e3, "kB": 1e3, "KB": 1e3, "MBy": 1e6, "MB": 1e6, "GBy": 1e9, "GB": 1e9, "TBy": 1e12, "TB": 1e12,
    "KiBy": 2.0**10, "KiB": 2.0**10, "MiBy": 2.0**20, "MiB": 2.0**20, "GiBy": 2.0**30, "GiB": 2.0**30,
    "TiBy": 2.0**40, "TiB": 2.0**40,
}  # fmt: skip
_WORDS = {
    name + ending: unit
    for name, unit in {
        "byte": "By", "kilobyte": "kBy", "megabyte": "MBy", "gigabyte": "GBy", "terabyte": "TBy",
        "kibibyte": "KiBy", "mebibyte": "MiBy", "gibibyte": "GiBy", "tebibyte": "TiBy", "percent": "%", "ratio": "1",
    }.items()
    for ending in ("", "s")
}  # fmt: skip
"""Units in full, in upper or lower case."""
_RATIOS = {"1": 1.0, "%": 0.01}
_FREQUENCIES = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}
_WITHOUT_ZERO = {"Cel", "[degF]", "[degRe]", "[pH]", "dB", "B", "Np", "deg", UNKNOWN_UNIT}
"""Temperatures, logarithms and angles may be negative, and of an unknown unit nobody knows."""
_LONGEST = 100
_PER_ITERATION = re.compile(r"^(?P<unit>.+?)\s*/\s*(iter|iteration|op|ops|run|call|request|req)$", re.IGNORECASE)
_OPERATIONS_PER_TIME = re.compile(
    r"^(ops?|operations?|iter|iterations?|req|requests?|runs?|calls?)\s*(/|per)\s*(?P<time>.+)$", re.IGNORECASE
)


def canonical_unit(raw: str) -> CanonicalUnit:
    """The canonical unit of a unit as written in a result, such as `ns/iter`, `ops/sec`, `MB/s` or `%`.

    A unit that is not known, or is longer than any known one, stays as it is, with factor 1: it may be UCUM already.
    """
    text = raw.strip()
    if len(text) > _LONGEST:
        return CanonicalUnit(text, 1.0)
    while not _OPERATIONS_PER_TIME.match(text) and (found := _PER_ITERATION.match(text)):
        text = found["unit"].strip()
    if found := _OPERATIONS_PER_TIME.match(text):
        seconds = _seconds(found["time"])
        return CanonicalUnit("1/s", 1.0 / seconds) if seconds else CanonicalUnit(text, 1.0)
    if seconds := _seconds(text):
        return CanonicalUnit("s", seconds)
    text = _in_short(text)
    if text in _BYTES:
        return CanonicalUnit("By", _BYTES[text])
    if text in _RATIOS:
        return CanonicalUnit("1", _RATIOS[text])
    if text in _FREQUENCIES:
        return CanonicalUnit("Hz", _FREQUENCIES[text])
    head, slash, tail = text.partition("/")
    head = _in_short(head)
    if slash and head in _BYTES and (seconds := _seconds(tail)):
        return CanonicalUnit("By/s", _BYTES[head] / seconds)
    return CanonicalUnit(text, 1.0)


def has_natural_zero(unit: str) -> bool:
    """Whether nothing measured in a canonical unit can be below zero, unless it is a difference of two values.

    True of times, sizes, counts, rates and ratios; not of temperatures, levels in decibel and unknown units.
    """
    return unit not in _WITHOUT_ZERO and not unit.startswith(("B[", "dB["))


def _in_short(text: str) -> str:
    return _WORDS.get(text.strip().lower(), text)


def _seconds(text: str) -> float | None:
    text = text.strip()
    return _SECONDS.get(_SECOND_NAMES.get(text, _SECOND_NAMES.get(text.lower(), text)))
