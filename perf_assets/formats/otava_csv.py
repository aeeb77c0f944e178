"""Tables for Apache Otava: CSV with one row a run, the time in the first column, and a column for each metric.

The first column is called time, timestamp, date or datetime. Of the others, `test` (or test_name, benchmark),
`commit` (commit_id, commit_hash, sha, revision), `branch` and `host` (hostname, node, machine) are what they are
called. A column in which the first rows have nothing but numbers is a metric, unless it is called like an identifier
(id, run, build, version and the like); all others are attributes.

Series: test, metric and node; attributes are context and tell no series apart, as in Otava. Metric: the name of the
column, without a unit in brackets behind it: `latency (ms)`. Unit: that one, else the catalogue's, else none.
Direction: the catalogue's. Repetitions: rows that differ in metrics only are one measurement, the median of all.
Time: in ISO 8601, like `2024.01.01 3:00:00 +0100`, or epoch seconds or finer; in the zone of the source where it
names none. Run: time, commit, branch and attributes. An empty field measured nothing and is counted as idle; one that
is no finite number is rejected, as is a row of another width or without a time, and the others are read.

Limits: Otava's own configuration, which says what the columns are, is not read: where it names other columns, rename
them. Between fields stands a comma, semicolon, tab or bar, and texts are quoted by quotation marks, not by
apostrophes. Dates that begin with the day or the month are not read. A metric that is empty in the first 64 KiB is
taken for an attribute. A number that was cut off at the end of a file is a number still.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from perf_assets.catalog import canonical_unit
from perf_assets.formats.benchmark_rows import repetitions_merged
from perf_assets.formats.head import HEAD_BYTES, Head
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    FormatError,
    Input,
    Measurement,
    Omission,
    Problem,
    Result,
    chunked,
    described,
    digest_of,
    parse_time,
    read_name,
    read_number_text,
    read_text,
    rejection,
)
from perf_assets.formats.recognition import head_of
from perf_assets.formats.text_tables import BrokenLine, Header, Row, read_csv, read_header

_TIMES = ("time", "timestamp", "date", "datetime")
_OF_OTHERS = ({"metric_name", "metric_value"}, {"metric", "value"}, {"User Count", "Type", "Name"})
"""Long tables and the history of Locust have a time as well."""
_KNOWN = {
    "test": "test", "test_name": "test", "benchmark": "test",
    "commit": "commit", "commit_id": "commit", "commit_hash": "commit", "sha": "commit", "revision": "commit",
    "branch": "branch",
    "host": "node", "hostname": "node", "node": "node", "machine": "node",
}  # fmt: skip
_IDENTIFIERS = {
    "id", "run", "run_id", "build", "build_id", "build_number", "job", "job_id", "version", "pr", "issue", "attempt",
    "iteration", "index", "seed",
}  # fmt: skip
_DELIMITERS = ",;\t|"
_WITH_UNIT = re.compile(r"(?P<name>.*\S)\s*[\[(](?P<unit>[^\[\]()]*[^\W\d][^\[\]()]*|%)[\])]")
_UNITS = ("s", "By", "1", "Hz", "1/s", "By/s")
_DATE = re.compile(
    r"(?P<year>\d{4})[./-](?P<month>\d{1,2})[./-](?P<day>\d{1,2})"
    r"([ T]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(:(?P<second>\d\d(\.\d+)?))?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_EPOCH = re.compile(r"\d{9,19}(\.\d+)?", re.ASCII)


class _Column(NamedTuple):
    """What a column is (time, test, commit, branch, node, metric or attribute), and the unit that its name tells."""

    role: str
    name: str
    unit: str | None = None


def _recognises(head: Head) -> bool:
    return _columns(head) is not None


def _columns(head: Head) -> list[_Column] | None:
    """The columns of a table; None for what is none for Otava."""
    rows = _first_rows(head)
    header = rows[0] if rows else []
    if len(rows) < 2 or not _is_time(header[0]) or any(set(header) >= names for names in _OF_OTHERS):
        return None
    complete = [row for row in rows[1:] if len(row) == len(header)]
    if not complete or _moment(complete[0][0], UTC) is None:
        return None
    columns: list[_Column] = [_Column("time", header[0])]
    for place, name in enumerate(header[1:], 1):
        columns.append(_column(name.strip(), [row[place] for row in complete], {column.role for column in columns}))
    return columns if any(column.role == "metric" for column in columns) else None


def _first_rows(head: Head) -> list[list[str]]:
    lines = head.lines[:-1] if len(head.content) >= HEAD_BYTES else head.lines
    lines = [line for line in lines if line.strip()]
    if not lines:
        return []
    try:
        return list(csv.reader(lines, delimiter=max(_DELIMITERS, key=lines[0].count)))
    except csv.Error:
        return []


def _is_time(name: str) -> bool:
    # JMeter's samples begin with `timeStamp`.
    return name.strip().lower() in _TIMES and name.strip() != "timeStamp"


def _column(name: str, values: Sequence[str], taken: set[str]) -> _Column:
    known = _KNOWN.get(name.lower())
    if known is not None and known not in taken:
        return _Column(known, name)
    written = [value for value in values if value.strip()]
    if name.lower() in _IDENTIFIERS or known or not written or not all(map(_is_number, written)):
        return _Column("attribute", name)
    found = _WITH_UNIT.fullmatch(name)
    if found and canonical_unit(found["unit"]).unit in _UNITS:
        return _Column("metric", found["name"], found["unit"])
    return _Column("metric", name)


def _is_number(text: str) -> bool:
    number = read_number_text(text)
    return not isinstance(number, Problem) or number.reason == "not_finite"


def _moment(text: str | None, zone: tzinfo) -> datetime | None:
    written = (text or "").strip()
    if _EPOCH.fullmatch(written):
        return parse_time(float(written))
    found = _DATE.fullmatch(written)
    if found is None:
        return parse_time(written, zone)
    date = f"{found['year']}-{found['month']:0>2}-{found['day']:0>2}"
    clock = f"{found['hour'] or 0:0>2}:{found['minute'] or '00'}:{found['second'] or '00'}"
    offset = "+00:00" if found["zone"] in ("Z", "UTC", "GMT") else found["zone"] or ""
    return parse_time(f"{date}T{clock}{offset}", zone)


def _read(source: Input) -> Iterator[Chunk]:
    columns = _columns(head_of(source.path, source.name))
    if columns is None:
        raise FormatError("unreadable", f"{source.name}: no table with a time and a metric; name its columns so")
    return chunked(repetitions_merged(_results(source, columns)))


def _results(source: Input, columns: list[_Column]) -> Iterator[Result]:
    header = read_header(source.path, source.name)
    for row in read_csv(source.path, header):
        if isinstance(row, BrokenLine):
            yield rejection(f"line {row.line}", "", Problem(row.reason, row.problem), row.fragment)
        else:
            yield from _row(source, columns, header, row)


def _row(source: Input, columns: list[_Column], header: Header, row: Row) -> Iterator[Result]:
    place = f"line {row.line}"
    fields = [(field or "").strip() for field in row.fields]
    ts = _moment(fields[0], source.zone)
    if ts is None:
        problem = Problem("bad_time", "expected a time such as 2024-01-01T03:00:00+01:00")
        yield rejection(place, columns[0].name, problem, dict(zip(header.names, fields, strict=True)))
        return
    told = {column.role: read_text(field) for column, field in zip(columns, fields, strict=True)}
    attributes = {
        column.name: field for column, field in zip(columns, fields, strict=True) if column.role == "attribute"
    }
    common = Measurement(
        location=place,
        metric="",
        raw_value=0.0,
        raw_unit="",
        ts=ts,
        run_key=digest_of("otava-csv", ts, told.get("commit"), told.get("branch"), attributes),
        test_name=told.get("test"),
        test_type="benchmark",
        node_id=told.get("node"),
        branch=told.get("branch"),
        commit_id=told.get("commit"),
        context=described(attributes),
    )
    for column, field in zip(columns, fields, strict=True):
        if column.role == "metric":
            yield _measurement(source, common, column, field)


def _measurement(source: Input, common: Measurement, column: _Column, field: str) -> Result:
    if not field:
        return Omission("idle")
    metric, value = read_name(column.name), read_number_text(field)
    if isinstance(metric, Problem):
        return rejection(common.location, column.name, metric, field)
    if isinstance(value, Problem):
        return rejection(common.location, column.name, value, field)
    unit = column.unit if column.unit is not None else source.catalog[metric].unit
    location = f"{common.location}, {metric}"
    return replace(common, location=location, metric=metric, raw_value=value, raw_unit=unit)


FORMAT = Format("otava-csv", _recognises, _read)
