"""CSV and JSON Lines row by row, each with the line it begins on, and the lines that are no row.

Belongs here: where a row begins and ends. Does not belong here: what its fields mean.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from perf_assets.formats.json_records import read_json
from perf_assets.formats.measurement import FormatError, Reason, as_json, fragment_of, storable
from perf_assets.formats.text import read_lines
from perf_assets.wording.quantities import counted

MOST_COLUMNS = 1_000
"""What a query over a table costs grows with the square of their number."""
_DELIMITERS = ",;\t|"
_LINES_IN_A_RECORD = 200
"""More are a quotation mark that is never closed."""


@dataclass(frozen=True)
class BrokenLine:
    """A line (counted from 1) that is no row, and why."""

    line: int
    reason: Reason
    problem: str
    fragment: str


@dataclass(frozen=True)
class Header:
    """The header of a CSV table: unique names, the sign between fields, the line it stands on."""

    names: tuple[str, ...]
    delimiter: str
    line: int


class Row(NamedTuple):
    """A row of a table: the line it begins on, and its fields."""

    line: int
    fields: Sequence[str | None]


def read_header(file: Path, name: str) -> Header:
    """The first line that is not blank; between its fields stands the comma, semicolon, tab or bar that it has most of.

    Raises FormatError where it cannot be read.
    """
    number, line = next(((number, line) for number, line in read_lines(file) if line.strip()), (1, ""))
    delimiter = max(_DELIMITERS, key=line.count)
    try:
        header = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise FormatError("unreadable", f"{name}, line {number}: no header of a CSV table ({error})") from error
    check_width(name, len(header))
    return Header(_unique(header), delimiter, number)


def as_meant(written: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    """Those of `names` that are there in another case only, by how they are written; none that is there twice."""
    present = set(written)
    known = {name: name for name in names if name not in present}
    found = [(key, known[key.strip().lower()]) for key in present.difference(names) if key.strip().lower() in known]
    counts = Counter(name for _, name in found)
    return {key: name for key, name in found if counts[name] == 1}


def check_width(name: str, columns: int) -> None:
    """Raises FormatError for a table of more than MOST_COLUMNS."""
    if columns > MOST_COLUMNS:
        most = counted(MOST_COLUMNS, "column")
        raise FormatError("unreadable", f"{name}: {counted(columns, 'column')}, more than {most}; leave some out")


def read_csv(file: Path, header: Header) -> Iterator[Row | BrokenLine]:
    """The rows below the header; blank lines are left out.

    After a damaged record reading goes on with the line behind its first one: a quotation mark that is never closed
    would otherwise take the good lines behind it along.
    """
    lines = _Lines(file, header.line)
    width = len(header.names)
    while True:
        reader = csv.reader(lines, delimiter=header.delimiter, strict=True)
        try:
            for fields in reader:
                begins, record = lines.taken()
                if len(fields) == width:
                    yield _storable_row(begins, fields, record)
                elif any(field.strip() for field in fields):
                    problem = f"{len(fields)} columns where the header has {width}"
                    yield BrokenLine(begins, "wrong_type", problem, fragment_of(record[0]))
                    if len(record) > 1:
                        lines.give_back(begins, record)
                        break
            else:
                return
        except csv.Error as error:
            begins, record = lines.taken()
            yield BrokenLine(begins, "unreadable", f"no CSV ({error})", fragment_of(record[0]))
            lines.give_back(begins, record)


def _storable_row(line: int, fields: list[str], record: Sequence[str]) -> Row | BrokenLine:
    text = "".join(fields)
    if text.isascii() or storable(text) == text:
        return Row(line, fields)
    return BrokenLine(line, "unreadable", "not UTF-8 text", fragment_of(record[0]))


class _Lines:
    """Lines of a file as csv.reader wants them: those of a record are kept, so that they can be read again."""

    def __init__(self, file: Path, after: int) -> None:
        self._source = ((number, line) for number, line in read_lines(file) if number > after)
        self._waiting: deque[tuple[int, str]] = deque()
        self._record: list[str] = []
        self._begins = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self._record) >= _LINES_IN_A_RECORD:
            raise StopIteration
        number, line = self._waiting.popleft() if self._waiting else next(self._source)
        if not self._record:
            self._begins = number
        self._record.append(line)
        return line + "\n"

    def taken(self) -> tuple[int, list[str]]:
        """Number of the first line of the record just read, and its lines."""
        record, self._record = self._record, []
        return self._begins, record

    def give_back(self, begins: int, record: Sequence[str]) -> None:
        """Read the lines of a record again, all but the first."""
        self._waiting.extendleft(reversed([(begins + place, line) for place, line in enumerate(record)][1:]))


def read_json_lines(file: Path, names: Sequence[str]) -> Iterator[Row | BrokenLine]:
    """One object a line: its members `names` as text (values that are no text become JSON), all others as one JSON
    object behind them.
    """
    known = set(names)
    for number, line in read_lines(file):
        if not line.strip():
            continue
        found = _object(line)
        if isinstance(found, dict):
            meant = as_meant(found, names)
            found = {meant.get(key, key): value for key, value in found.items()}
            others = {key: value for key, value in found.items() if key not in known}
            yield Row(number, [*(_as_text(found.get(name)) for name in names), as_json(others) if others else None])
        else:
            yield BrokenLine(number, *found, fragment_of(line))


def _object(line: str) -> dict[str, object] | tuple[Reason, str]:
    try:
        found = read_json(line)
    except ValueError:
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
