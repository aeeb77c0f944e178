"""What formats of CI servers share: complete or not, from when to when, which attempt, and names told apart.

Does not belong here: what the fields of any one server are called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Input,
    Omission,
    Outcome,
    Problem,
    Rejection,
    Result,
    as_object,
    parse_time,
    read_name,
    read_number,
    read_text,
    rejection,
)

PATH = " / "
"""Between the names of a workflow, a job and a step."""


class BrokenFieldError(Exception):
    """A field that a result cannot do without, and what is wrong with it."""

    def __init__(self, field: str, problem: Problem) -> None:
        super().__init__(f"{field}: {problem.expectation}")
        self.field = field
        self.problem = problem


class Span(NamedTuple):
    """From when on, naive UTC, and for how many seconds."""

    started: datetime
    seconds: float


def results_of(source: Input, patterns: Iterable[str], read: Callable[[Record], Iterator[Result]]) -> Iterator[Result]:
    """What `read` makes of each object that the patterns lead to; a rejection for what is none."""
    for document in read_documents(source.path, source.name, *patterns):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
                continue
            # A whole document among several has a path that leads on to nothing.
            path = record.path.removesuffix(", ")
            if isinstance(record.value, dict):
                yield from guarded(path, record.value, read(replace(record, path=path)))
            else:
                yield rejection(path, "", Problem("wrong_type", "expected an object"), record.value)


def guarded(path: str, value: object, results: Iterator[Result]) -> Iterator[Result]:
    """The results up to a broken field, which becomes a rejection of the object at `path`."""
    try:
        yield from results
    except BrokenFieldError as broken:
        yield rejection(path, broken.field, broken.problem, value)


def place_in(path: str, field: str) -> str:
    """The place of a field of the object at `path`, which is empty for a whole file."""
    return f"{path}.{field}" if path else field


def name_in(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that is not empty, as a name."""
    field = next((name for name in names if fields.get(name) not in (None, "")), names[0])
    name = read_name(fields.get(field))
    if isinstance(name, Problem):
        raise BrokenFieldError(field, name)
    return name


def path_of(field: str, *names: str) -> str:
    """The names of what lies within one another, as one; `field` is the one to blame where it becomes too long."""
    name = read_name(PATH.join(names))
    if isinstance(name, Problem):
        raise BrokenFieldError(field, name)
    return name


def identifier_in(fields: Mapping[str, Any], field: str) -> str:
    """An identifier: a whole number or text."""
    value = fields.get(field)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return name_in(fields, field)


def time_in(fields: Mapping[str, Any], field: str, zone: tzinfo) -> datetime:
    value = fields.get(field)
    if value is None:
        raise BrokenFieldError(field, Problem("missing_time", "no time"))
    moment = parse_time(value, zone)
    if moment is None:
        raise BrokenFieldError(field, Problem("bad_time", "expected a time in ISO 8601"))
    return moment


def span_in(fields: Mapping[str, Any], start: str, end: str, zone: tzinfo) -> Span:
    """From the time in one field to that in another."""
    started, ended = time_in(fields, start, zone), time_in(fields, end, zone)
    if ended < started:
        raise BrokenFieldError(end, Problem("impossible_value", f"lies before {start}, which no duration can"))
    return Span(started, (ended - started).total_seconds())


def duration_in(fields: Mapping[str, Any], field: str) -> float:
    """A duration that the server has worked out itself."""
    number = read_number(fields.get(field))
    if isinstance(number, Problem):
        raise BrokenFieldError(field, number)
    if number < 0:
        raise BrokenFieldError(field, Problem("impossible_value", "a duration cannot be negative"))
    return number


def word_in(fields: Mapping[str, Any], field: str) -> str:
    """A status or the like, in small letters; empty if there is none."""
    return (read_text(fields.get(field)) or "").strip().casefold()


def omission_of(status: str, outcomes: Mapping[str, Outcome]) -> Iterator[Omission]:
    """What did not succeed counts once it has ended: for a status that the server's `outcomes` know."""
    outcome = outcomes.get(status)
    if outcome is not None:
        yield Omission(outcome)


def texts_in(fields: Mapping[str, Any], field: str) -> list[str]:
    """The texts of a list."""
    value = fields.get(field)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def objects_in(fields: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """The elements of a list, empty objects for those that are none, so that their places stay."""
    value = fields.get(field)
    return [as_object(element) for element in value] if isinstance(value, list) else []


def told_apart(names: Counter[tuple[object, ...]], name: str, *within: object) -> str:
    """`name`, or `name (2)` and so on where it comes again within the same."""
    names[(name, *within)] += 1
    count = names[(name, *within)]
    return name if count == 1 else f"{name} ({count})"
