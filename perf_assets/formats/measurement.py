"""What every format turns its bytes into: measurements, and rejections for what could not be one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa

from perf_assets.catalog import Catalog, Direction

TimeSource = Literal["result", "commit", "receipt"]

Reason = Literal[
    "unknown_format",
    "unreadable",
    "truncated",
    "wrong_type",
    "missing_identity",
    "missing_value",
    "missing_time",
    "bad_time",
    "not_finite",
    "impossible_value",
    "unit_conflict",
    "time_out_of_range",
    "duplicate_with_different_value",
]
"""Why a row went to quarantine."""


class FormatError(ValueError):
    """A file of which nothing can be read; `reason` is the code its quarantine row gets."""

    def __init__(self, reason: Reason, message: str, location: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.location = location


@dataclass(frozen=True)
class Measurement:
    """One value of one metric in one run, as a format read it. Identity is worked out where it is stored.

    `location` is the place inside the file. `ts` is naive UTC. `value` is in `unit` (canonical); `raw_value` and
    `raw_unit` are as written. `run_key` and `attempt` identify the run within `project`. `tags` and `context` are
    JSON objects as text: tags may become identity, context explains.
    """

    location: str
    ts: datetime
    time_source: TimeSource
    project: str
    metric: str
    unit: str
    value: float
    raw_value: float
    raw_unit: str
    run_key: str
    attempt: int = 1
    test_name: str | None = None
    test_type: str | None = None
    benchmark_version: str | None = None
    node_id: str | None = None
    node_type: str | None = None
    branch: str | None = None
    commit_id: str | None = None
    ci_job_id: str | None = None
    run_url: str | None = None
    direction: Direction | None = None
    spread: float | None = None
    replicates: tuple[float, ...] | None = None
    tags: str | None = None
    context: str | None = None


MEASUREMENTS = pa.schema(
    [
        ("location", pa.string()),
        ("ts", pa.timestamp("us")),
        ("time_source", pa.string()),
        ("project", pa.string()),
        ("metric", pa.string()),
        ("unit", pa.string()),
        ("value", pa.float64()),
        ("raw_value", pa.float64()),
        ("raw_unit", pa.string()),
        ("run_key", pa.string()),
        ("attempt", pa.int32()),
        ("test_name", pa.string()),
        ("test_type", pa.string()),
        ("benchmark_version", pa.string()),
        ("node_id", pa.string()),
        ("node_type", pa.string()),
        ("branch", pa.string()),
        ("commit_id", pa.string()),
        ("ci_job_id", pa.string()),
        ("run_url", pa.string()),
        ("direction", pa.string()),
        ("spread", pa.float64()),
        ("replicates", pa.list_(pa.float64())),
        ("tags", pa.string()),
        ("context", pa.string()),
    ]
)
"""The columns of Measurement, as an Arrow table."""


@dataclass(frozen=True)
class Rejection:
    """A place in a file that gave no measurement: where, which field, why (code and sentence with remedy), and what."""

    location: str
    field: str
    reason: Reason
    message: str
    fragment: str


@dataclass(frozen=True)
class Chunk:
    """A part of a file, read: an Arrow table of schema MEASUREMENTS, and what was rejected beside it."""

    measurements: pa.Table
    rejections: tuple[Rejection, ...] = ()


@dataclass(frozen=True)
class Input:
    """A file to read. `received_at` (naive UTC) is the time of measurements that carry none."""

    path: Path
    name: str
    received_at: datetime
    catalog: Catalog


@dataclass(frozen=True)
class Format:
    """A result format. `recognises(head, name)` sees the first 64 KiB and the file's name."""

    name: str
    recognises: Callable[[bytes, str], bool]
    read: Callable[[Input], Iterator[Chunk]]


def as_chunk(measurements: Iterable[Measurement], rejections: Iterable[Rejection] = ()) -> Chunk:
    """A Chunk from single measurements, for formats that are read object by object."""
    rows = list(measurements)
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(Measurement)}
    return Chunk(pa.table({name: columns[name] for name in MEASUREMENTS.names}, schema=MEASUREMENTS), tuple(rejections))


class Problem(NamedTuple):
    """What is wrong with a field: the code, and what was expected there."""

    reason: Reason
    expectation: str


def rejection(location: str, field: str, problem: Problem, value: object) -> Rejection:
    """A Rejection for the object at `location`, with a sentence that names place, field and remedy."""
    place = f"{location}.{field}" if field else location
    message = f"{place}: {problem.expectation}; correct it and send it again"
    return Rejection(storable(location), field, problem.reason, storable(message), fragment_of(value))


def fragment_of(value: object) -> str:
    """The first 500 characters of what was rejected."""
    return storable((value if isinstance(value, str) else repr(value))[:500])


def storable(text: str) -> str:
    """`text` with a replacement character for what UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()


def read_text(value: object) -> str | None:
    """`value` if it is text that UTF-8 can hold and is not blank, else None."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value if storable(value) == value else None


def read_number(value: object) -> float | Problem:
    """`value` as a finite number; text and truth values are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Problem("wrong_type", "expected a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return number if math.isfinite(number) else Problem("not_finite", "expected a finite number")


def read_attempt(value: object) -> int | Problem:
    """An attempt counted from 1; None is the first."""
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        return Problem("wrong_type", "expected an attempt as a whole number from 1")
    return value


def as_json(members: dict[str, object]) -> str:
    """`members` as a JSON object; NaN and infinities, which JSON lacks, become text."""
    try:
        text = json.dumps(members, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except ValueError:
        named = json.loads(json.dumps(members), parse_constant=str)
        text = json.dumps(named, sort_keys=True, ensure_ascii=False)
    return storable(text)


def parse_time(value: object) -> datetime | None:
    """Naive UTC time from ISO 8601 text (naive is UTC), or from epoch seconds or milliseconds; None if it is neither.

    Numbers of at least 1e11 are milliseconds (as seconds they would lie after the year 5000).
    """
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            seconds = value / 1000 if abs(value) >= 1e11 else value
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value.strip())
            return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed
    except (ValueError, OverflowError, OSError):
        return None
    return None
