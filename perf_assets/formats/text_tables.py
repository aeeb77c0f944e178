"""CSV and JSON Lines as columns of text, each row with the line it begins on, and the lines that are no row.

Belongs here: where a row begins and ends. Does not belong here: what its fields mean.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from perf_assets.formats.measurement import FormatError, Reason, as_json, fragment_of, storable

_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class BrokenLine:
    """A line (counted from 1) that is no row, and why."""

    line: int
    reason: Reason
    problem: str
    fragment: str


@dataclass(frozen=True)
class TextTable:
    """`columns` are of type string, `lines` (int64) says where each row begins; names are unique."""

    names: tuple[str, ...]
    columns: tuple[pa.Array, ...]
    lines: pa.Array
    broken: tuple[BrokenLine, ...]


def read_csv(content: bytes, name: str) -> TextTable:
    """A table with a header, its fields between commas, semicolons, tabs or bars, whichever the header has most of.

    Raises FormatError where the header cannot be read.
    """
    lines = _lines(content)
    start = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    delimiter = max(_DELIMITERS, key="".join(lines[start : start + 1]).count)
    try:
        header = next(csv.reader(lines[start : start + 1], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise FormatError("unreadable", f"{name}, line {start + 1}: no header of a CSV table ({error})") from error
    rows: list[list[str]] = []
    row_lines: list[int] = []
    broken: list[BrokenLine] = []
    for number, found in _records(lines, start + 1, delimiter, len(header)):
        if isinstance(found, list):
            rows.append(found)
            row_lines.append(number + 1)
        else:
            broken.append(BrokenLine(number + 1, *found, fragment_of(lines[number].rstrip("\r\n"))))
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    return TextTable(
        _unique(header),
        tuple(pa.array(column, pa.string()) for column in columns),
        pa.array(row_lines, pa.int64()),
        tuple(broken),
    )


def read_json_lines(content: bytes) -> TextTable:
    """One object a line; its keys are the columns, values that are no text become JSON."""
    objects: list[dict[str, object]] = []
    row_lines: list[int] = []
    broken: list[BrokenLine] = []
    for number, line in enumerate(_lines(content), 1):
        if not line.strip():
            continue
        found = _object(line)
        if isinstance(found, dict):
            objects.append(found)
            row_lines.append(number)
        else:
            broken.append(BrokenLine(number, *found, fragment_of(line.rstrip("\r\n"))))
    names = sorted({key for found in objects for key in found})
    return TextTable(
        tuple(names),
        tuple(pa.array([_as_text(found.get(key)) for found in objects], pa.string()) for key in names),
        pa.array(row_lines, pa.int64()),
        tuple(broken),
    )


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    return list(io.StringIO(text, newline=""))


def _records(
    lines: Sequence[str], start: int, delimiter: str, width: int
) -> Iterator[tuple[int, list[str] | tuple[Reason, str]]]:
    """0-based line and fields of each record, or what is wrong with the line; blank lines are left out.

    After a damaged record reading goes on with the line behind its first one: a quotation mark that is never closed
    would otherwise take the good lines behind it along.
    """
    while start < len(lines):
        first = start
        reader = csv.reader((lines[number] for number in range(first, len(lines))), delimiter=delimiter, strict=True)
        try:
            for fields in reader:
                end = first + reader.line_num
                if len(fields) != width and any(field.strip() for field in fields):
                    yield start, ("wrong_type", f"{len(fields)} columns where the header has {width}")
                    if end - start > 1:
                        break
                elif len(fields) == width and not _is_storable("".join(fields)):
                    yield start, ("unreadable", "not UTF-8 text")
                elif len(fields) == width:
                    yield start, fields
                start = end
            else:
                return
        except csv.Error as error:
            yield start, ("unreadable", f"no CSV ({error})")
        start += 1


def _object(line: str) -> dict[str, object] | tuple[Reason, str]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return "unreadable", "not a JSON object, and JSON Lines has one a line"
    if not isinstance(found, dict):
        return "wrong_type", "not a JSON object, and JSON Lines has one a line"
    if not (line.isascii() and "\\u" not in line) and not _is_storable(json.dumps(found, ensure_ascii=False)):
        return "unreadable", "not UTF-8 text"
    return found


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return as_json(value) if isinstance(value, dict) else json.dumps(value)


def _is_storable(text: str) -> bool:
    return text.isascii() or storable(text) == text


def _unique(header: Sequence[str]) -> tuple[str, ...]:
    names: list[str] = []
    for position, written in enumerate(header, 1):
        name = storable(written.strip()) or f"column {position}"
        names.append(name if name not in names else f"{name} ({position})")
    return tuple(names)
