"""hyperfine's JSON (`--export-json`), versions 1.0 to 1.20.

Series: the command with its parameters (before 1.11 one, without its name), and metric. Values and units:
benchmark_time is the median of the `times` (the `median` where there are none), in seconds, with `stddev` as spread;
benchmark_cpu_time is `user` and `system` together, the mean of all runs; benchmark_memory the median of
`memory_usage_byte`. Repetitions: the runs are the replicates. Time: none in this format. Run: the file.

Runs with another exit code than 0 (`--ignore-failure`) are left out: the median is that of the others, without spread
and without the processor time, which is not kept for single runs; a command whose every run failed is counted as
failed, one without runs as idle. A command without name, or a time that is no finite number or negative, is rejected,
the others are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

from perf_assets.formats.benchmark_rows import not_negative
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Omission,
    Problem,
    Rejection,
    Result,
    as_object,
    chunked,
    described,
    number_or_none,
    read_name,
    read_number,
    rejection,
    with_parameters,
)


class _Command(NamedTuple):
    """A command, and for each of its runs whether it ended well, where exit codes are kept."""

    location: str
    name: str
    fields: dict[str, Any]
    ended_well: list[bool]


def _recognises(head: Head) -> bool:
    return head.has("results[].command") and (head.has("results[].times") or head.has("results[].median"))


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, "results[]"):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
            else:
                yield from _result(record)


def _result(record: Record) -> Iterator[Result]:
    fields = record.value
    if not isinstance(fields, dict):
        problem = Problem("wrong_type", "expected an object with `command` and `times`")
        yield rejection(record.path, "", problem, fields)
        return
    name = read_name(fields.get("command"))
    if isinstance(name, str):
        one = {"parameter": fields["parameter"]} if fields.get("parameter") is not None else {}
        name = read_name(with_parameters(name, as_object(fields.get("parameters")) or one))
    if isinstance(name, Problem):
        yield rejection(record.path, "command", name, fields)
        return
    codes = fields.get("exit_codes")
    # A run that was killed has no code.
    ended_well = [code == 0 for code in codes] if isinstance(codes, list) else []
    if ended_well and not any(ended_well):
        yield Omission("failed")
    elif fields.get("times") == []:
        yield Omission("idle")
    else:
        yield from _measurements(_Command(record.path, name, fields, ended_well))


def _measurements(command: _Command) -> Iterator[Measurement | Rejection]:
    fields = command.fields
    whole = all(command.ended_well)
    deviation = number_or_none(fields.get("stddev")) if whole else None
    if whole and fields.get("times") is None:
        yield _measurement(command, "benchmark_time", "s", "median", [fields.get("median")], deviation)
    else:
        yield _measurement(command, "benchmark_time", "s", "times", fields.get("times"), deviation)
    if whole and "user" in fields and "system" in fields:
        parts = (fields["user"], fields["system"])
        broken = [part for part in parts if number_or_none(part) is None]
        yield _measurement(command, "benchmark_cpu_time", "s", "user", broken[:1] or [sum(parts)], None)
    if isinstance(fields.get("memory_usage_byte"), list):
        yield _measurement(command, "benchmark_memory", "By", "memory_usage_byte", fields["memory_usage_byte"], None)


def _measurement(
    command: _Command, metric: str, unit: str, field: str, runs: object, spread: float | None
) -> Measurement | Rejection:
    """The median of a list with one element a run, or one for all."""
    good = _of_good_runs(runs, command.ended_well)
    if isinstance(good, Problem):
        return rejection(command.location, field, good, command.fields)
    return Measurement(
        location=f"{command.location}.{field}",
        metric=metric,
        raw_value=median(good),
        raw_unit=unit,
        test_name=command.name,
        test_type="benchmark",
        raw_spread=spread,
        raw_replicates=tuple(good) if len(good) > 1 else None,
        context=described({"failed_runs": command.ended_well.count(False) or None}),
    )


def _of_good_runs(runs: object, ended_well: list[bool]) -> list[float] | Problem:
    if not isinstance(runs, list) or not runs:
        return Problem("missing_value", "expected a list with a number for each run")
    whole = all(ended_well)
    if not whole and len(runs) != len(ended_well):
        return Problem("wrong_type", "expected as many runs as exit codes, as some failed")
    numbers: list[float] = []
    for run, good in zip(runs, [True] * len(runs) if whole else ended_well, strict=True):
        if good:
            number = not_negative(read_number(run), "a duration or size")
            if isinstance(number, Problem):
                return number
            numbers.append(number)
    return numbers


FORMAT = Format("hyperfine", _recognises, _read)
