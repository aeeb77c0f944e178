"""What every format turns its bytes into: measurements, and rejections for what could not be one."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa

from perf_assets.catalog import Catalog, Direction, canonical_unit
from perf_assets.formats.head import Head
from perf_assets.wording.quantities import counted, number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TimeSource = Literal["result", "commit", "run", "receipt"]

Reason = Literal[
    "unknown_format",
    "unreadable",
    "truncated",
    "unsafe",
    "wrong_type",
    "missing_identity",
    "missing_value",
    "missing_time",
    "bad_time",
    "not_finite",
    "impossible_value",
    "unit_conflict",
    "time_out_of_range",
    "too_many_new_series",
    "duplicate_with_different_value",
]
"""Why a row went to quarantine."""

Outcome = Literal["failed", "errored", "skipped", "idle"]
"""What became of a result that was read and is no performance value: it is counted, and is not in quarantine."""


class FormatError(ValueError):
    """A file of which nothing can be read; `reason` is the code its quarantine row gets."""

    def __init__(self, reason: Reason, message: str, location: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.location = location


def unreadable(name: str, error: Exception) -> FormatError:
    """What is said of a file that a library cannot read: what it says itself, and what to do."""
    return FormatError(
        "unreadable", f"{name}: not a whole file ({str(error).partition(chr(10))[0]}); write or fetch it again"
    )


@dataclass(frozen=True)
class Measurement:
    """One value of one metric in one run, as a format read it. Identity is worked out where it is stored.

    `location` is the place inside the file. `raw_value`, `raw_spread` (standard deviation, or the half width that the
    format reports) and `raw_replicates` (single repetitions) are in `raw_unit`, as written; they are converted later.
    `ts` is naive UTC, from the clock that `time_source` names. `run_key` and `attempt` identify the run within
    `project`. None is what the file does not say: what came with the file fills it, then a default (project `default`,
    the file itself as run, the time of receipt). `tags` and `context` are JSON objects as text: tags may become
    identity, context explains.
    """

    location: str
    metric: str
    raw_value: float
    raw_unit: str
    ts: datetime | None = None
    time_source: TimeSource = "result"
    project: str | None = None
    run_key: str | None = None
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
    raw_spread: float | None = None
    raw_replicates: tuple[float, ...] | None = None
    tags: str | None = None
    context: str | None = None


PLACE_RUN = "place@"
"""How the `run_key` of a run begins that is only a time and a place: values of one metric in it are repetitions."""

MEASUREMENTS = pa.schema(
    [
        ("location", pa.string()),
        ("metric", pa.string()),
        ("raw_value", pa.float64()),
        ("raw_unit", pa.string()),
        ("ts", pa.timestamp("us")),
        ("time_source", pa.string()),
        ("project", pa.string()),
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
        ("raw_spread", pa.float64()),
        ("raw_replicates", pa.list_(pa.float64())),
        ("tags", pa.string()),
        ("context", pa.string()),
    ]
)
"""The columns of a chunk: those of Measurement. A null `raw_unit` is that of the metric in the catalogue."""


@dataclass(frozen=True)
class Rejection:
    """A place in a file that gave no measurement: where, which field, why (code and sentence with remedy), and what."""

    location: str
    field: str
    reason: Reason
    message: str
    fragment: str


class Omission(NamedTuple):
    """A result that is whole and measured no performance, such as a failed test."""

    outcome: Outcome


Result = Measurement | Rejection | Omission


@dataclass(frozen=True)
class Chunk:
    """A part of a file, read: an Arrow table of schema MEASUREMENTS, what was rejected beside it, and how many results
    are no performance values, by outcome.
    """

    measurements: pa.Table
    rejections: tuple[Rejection, ...] = ()
    omitted: Mapping[Outcome, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    """A file to read. `received_at` (naive UTC) is the time of measurements that carry none, `zone` that of times that
    name none. `companions` are the files that describe this one, under the names its format gives them.
    """

    path: Path
    name: str
    received_at: datetime
    catalog: Catalog
    zone: tzinfo = UTC
    companions: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Scan:
    """A file that is a table already, as SQL of one DuckDB connection: nothing of it passes through Python.

    `rows` is what stands behind FROM and gives the raw rows, each with its number in the column `row`. `accepted` is a
    SELECT of `row`, the columns of MEASUREMENTS and `info_key`, a hash of what describes their runs, of all rows but
    those of which nothing can be made, which `rejections` reads. `typed` is the same of some raw rows that were
    accepted. `broken` are places in the file that are no row at all. Where the file is damaged the SQL raises
    duckdb.Error.
    """

    rows: str
    accepted: str
    typed: Callable[[str], str]
    broken: tuple[Rejection, ...]
    rejections: Callable[[], Iterator[Rejection]]


@dataclass(frozen=True)
class Format:
    """A result format. `recognises` sees the beginning of a file, `read` gives all of it.

    `companions` are paths of files that describe one of this format, relative to its folder, by the name under which
    `read` finds them. `is_part` tells the files of a folder that only describe others and hold no results of their own.
    `scan` is a faster way to read the same, which may keep files in the folder it is given. `mark` is what a line of
    a file has somewhere in it if it is of this format, though its beginning, as that of a log, says nothing.
    """

    name: str
    recognises: Callable[[Head], bool]
    read: Callable[[Input], Iterator[Chunk]]
    companions: Mapping[str, str] = field(default_factory=dict)
    is_part: Callable[[Path], bool] = lambda _: False
    scan: Callable[[DuckDBPyConnection, Input, Path], Scan] | None = None
    mark: re.Pattern[bytes] | None = None


_ROWS_IN_A_CHUNK = 20_000
_TEXT_IN_A_CHUNK = 1 << 25
"""Characters: what describes a run is written with each of its rows."""


def chunked(results: Iterable[Result]) -> Iterator[Chunk]:
    """Chunks of single results, for formats that are read object by object; at least one."""
    measurements: list[Measurement] = []
    rejections: list[Rejection] = []
    omitted: Counter[Outcome] = Counter()
    text = 0
    for result in map(_sound, results):
        text += _length_of(result)
        if isinstance(result, Measurement):
            measurements.append(result)
        elif isinstance(result, Rejection):
            rejections.append(result)
        else:
            omitted[result.outcome] += 1
        if len(measurements) + len(rejections) >= _ROWS_IN_A_CHUNK or text >= _TEXT_IN_A_CHUNK:
            yield Chunk(as_table(measurements), tuple(rejections), dict(omitted))
            measurements, rejections, omitted, text = [], [], Counter(), 0
    yield Chunk(as_table(measurements), tuple(rejections), dict(omitted))


def _sound(result: Result) -> Result:
    """A measurement as it is, or why it is none: sums and medians of numbers near the largest one are infinite."""
    if not isinstance(result, Measurement):
        return result
    if not math.isfinite(result.raw_value):
        return rejection(result.location, "", Problem("not_finite", "too large a number"), str(result.raw_value))
    if result.raw_spread is not None and not math.isfinite(result.raw_spread):
        return replace(result, raw_spread=None)
    return result


def _length_of(result: Result) -> int:
    if isinstance(result, Measurement):
        return len(result.location) + len(result.tags or "") + len(result.context or "")
    return len(result.location) + len(result.message) if isinstance(result, Rejection) else 0


def as_table(measurements: Sequence[Measurement]) -> pa.Table:
    """An Arrow table of schema MEASUREMENTS."""
    columns = {name: [getattr(row, name) for row in measurements] for name in MEASUREMENTS.names}
    for column in MEASUREMENTS:
        if column.type == pa.string():
            columns[column.name] = [text if text is None else storable(text) for text in columns[column.name]]
    return pa.table(columns, schema=MEASUREMENTS)


class Problem(NamedTuple):
    """What is wrong with a field: the code, and what was expected there."""

    reason: Reason
    expectation: str


def rejection(location: str, field: str, problem: Problem, value: object) -> Rejection:
    """A Rejection for the object at `location`, with a sentence that names place, field and remedy."""
    place = f"{location}.{field}" if field and location else location or field
    message = f"{place}: {problem.expectation}; correct it and send it again"
    return Rejection(storable(location), storable(field), problem.reason, storable(message), fragment_of(value))


_LONGEST_FRAGMENT = 500


def fragment_of(value: object) -> str:
    """The first 500 characters of what was rejected."""
    if isinstance(value, str):
        return storable(value[:_LONGEST_FRAGMENT])
    # A large object can be rejected for each of its members, so no more of it is written than is kept.
    fragment = ""
    for piece in _written(value):
        fragment += piece
        if len(fragment) >= _LONGEST_FRAGMENT:
            break
    return storable(fragment[:_LONGEST_FRAGMENT])


def _written(value: object) -> Iterator[str]:
    """`repr(value)` in pieces."""
    if isinstance(value, dict):
        yield "{"
        for number, (key, member) in enumerate(value.items()):
            yield f"{', ' if number else ''}{key!r}: "
            yield from _written(member)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, element in enumerate(value):
            yield ", " if number else ""
            yield from _written(element)
        yield "]"
    else:
        yield repr(value[:_LONGEST_FRAGMENT] if isinstance(value, str) else value)


def storable(text: str) -> str:
    """`text` with a replacement character for what UTF-8 cannot hold."""
    return text if text.isascii() else text.encode(errors="replace").decode()


LONGEST_NAME = 1_000


def read_text(value: object) -> str | None:
    """`value` if it is text that UTF-8 can hold and is not blank, else None."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value if value.isascii() or storable(value) == value else None


def read_name(value: object) -> str | Problem:
    """A name that identifies something: text of at most LONGEST_NAME characters of any script."""
    name = read_text(value)
    if name is None:
        return Problem("missing_identity", "expected a name as text in UTF-8")
    if len(name) > LONGEST_NAME:
        return Problem(
            "missing_identity", f"a name has at most {counted(LONGEST_NAME, 'character')}, this one {number(len(name))}"
        )
    return name.strip()


def read_number(value: object) -> float | Problem:
    """`value` as a finite number; text and truth values are none."""
    if value is None:
        return Problem("missing_value", "no value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Problem("wrong_type", "expected a number")
    return _finite(value)


def read_number_or_text(value: object) -> float | Problem:
    """A finite number, which may be written as text."""
    return read_number_text(value) if isinstance(value, str) else read_number(value)


def read_number_text(value: str | None) -> float | Problem:
    """A number written as text, with a point for decimals; blank text is a missing value."""
    if value is None or not value.strip():
        return Problem("missing_value", "no value")
    try:
        return _finite(float(value))
    except ValueError:
        return Problem("wrong_type", "expected a number")


def _finite(value: float) -> float | Problem:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return number if math.isfinite(number) else Problem("not_finite", "expected a finite number")


def numbers_in(value: object) -> tuple[float, ...] | None:
    """A list of finite numbers, of at least two; None for anything else."""
    if not isinstance(value, list) or len(value) < 2:
        return None
    numbers = [read_number(element) for element in value]
    return tuple(n for n in numbers if isinstance(n, float)) if all(isinstance(n, float) for n in numbers) else None


def number_or_none(value: object) -> float | None:
    """`value` where it is a finite number; for what is kept beside the value, such as its spread."""
    number = read_number(value)
    return None if isinstance(number, Problem) else number


def read_attempt(value: object) -> int | Problem:
    """An attempt counted from 1; None is the first."""
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        return Problem("wrong_type", "expected an attempt as a whole number from 1")
    return value


def as_object(value: object) -> dict[str, Any]:
    """`value` if it is a JSON object, else an empty one; for descriptions that may be left out."""
    return value if isinstance(value, dict) else {}


_ENCODER = json.JSONEncoder(sort_keys=True, allow_nan=False, ensure_ascii=False)
"""Made once: json.dumps makes one a call, and a file may have a million objects."""


def as_json(members: Mapping[str, object]) -> str:
    """`members` as a JSON object; NaN and infinities, which JSON lacks, become text."""
    try:
        text = _ENCODER.encode(members)
    except ValueError:
        named = json.loads(json.dumps(members), parse_constant=str)
        text = json.dumps(named, sort_keys=True, ensure_ascii=False)
    return storable(text)


def described(members: Mapping[str, object]) -> str | None:
    """The members that have a value, as a JSON object; None without any."""
    told = {name: value for name, value in members.items() if value not in (None, "", [], {})}
    return as_json(told) if told else None


def with_parameters(name: str, parameters: Mapping[str, object]) -> str:
    """The name of one case of a benchmark: `sort[n=10,kind=quick]`, in the order the file has."""
    if not parameters:
        return name
    return f"{name}[{','.join(f'{key}={value}' for key, value in parameters.items())}]"


def digest_of(*parts: object) -> str:
    """A run key for a format without one: a hash of what makes the run."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


_METRIC_OF_UNIT = {
    "s": "benchmark_time",
    "1/s": "benchmark_throughput",
    "By": "benchmark_memory",
    "By/s": "benchmark_data_rate",
}


def benchmark_metric(raw_unit: str) -> str:
    """The metric of a benchmark that names only a unit: time, throughput, memory, data rate or value."""
    return _METRIC_OF_UNIT.get(canonical_unit(raw_unit).unit, "benchmark_value")


def parse_time(value: object, zone: tzinfo = UTC) -> datetime | None:
    """Naive UTC time from ISO 8601 or RFC 2822 text (in `zone` where it names none), or from epoch seconds,
    milliseconds, microseconds or nanoseconds; None if it is neither.

    Numbers of at least 1e11 are milliseconds (as seconds they would lie after the year 5000), from 1e14 on
    microseconds, from 1e17 on nanoseconds.
    """
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            size = abs(value)
            unit = 1 if size < 1e11 else 1e3 if size < 1e14 else 1e6 if size < 1e17 else 1e9
            return datetime.fromtimestamp(value / unit, UTC).replace(tzinfo=None)
        if isinstance(value, str):
            parsed = _parse_text(value.strip())
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _parse_text(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)
