"""Bencher Metric Format (BMF): what `bencher run --adapter json` takes, versions 0 and 1.

Series: benchmark, with its parameters in version 1 (in alphabetical order, `16.0` written as `16`), and measure. A
name that ends in `-bencher-ignore` is the same without it. Bencher's own measures have the names and units that they
have there: `latency` is benchmark_time in ns, `throughput` benchmark_throughput in operations a second, `build-time`
build_time in s and `file-size` artifact_size in bytes; any other measure is a metric of its own name, in bytes where
Bencher counts it in bytes, else without unit, since BMF names none. Direction: the catalogue's.

Value: `value`; the spread is half of what lies between `lower_value` and `upper_value`, where the value lies between
them. Other numbers of a measure are metrics with their name behind it (`benchmark_time.p99`). Entries of version 1
with the same parameters are one, and of a number that is there twice the later one counts. Repetitions: none. Time:
none in this format. Run: the file. A number that is not finite is rejected, the others are read.

Limits: a measure whose unit was changed in a project of Bencher's is read in Bencher's own. BMF has no keys of its
own: a file is told by its first benchmarks, at least one of which must be as the format wants it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from perf_assets.formats.benchmark_rows import not_negative
from perf_assets.formats.ci_runs import BrokenFieldError, guarded
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Format,
    Input,
    Measurement,
    Problem,
    Rejection,
    Result,
    as_object,
    chunked,
    number_or_none,
    read_name,
    read_number,
    rejection,
    with_parameters,
)

_OWN = {
    "latency": ("benchmark_time", "ns"),
    "throughput": ("benchmark_throughput", "ops/s"),
    "build-time": ("build_time", "s"),
    "file-size": ("artifact_size", "By"),
}
_IN_BYTES = ("allocated", "total-bytes", "at-t-gmax-bytes", "at-t-end-bytes", "reads-bytes", "writes-bytes")
_IGNORED = "-bencher-ignore"
_VALUES = {"value", "lower_value", "upper_value"}
_BETWEEN = re.compile(r"[\s,:]*")
_DECODER = json.JSONDecoder()


class _Measure(NamedTuple):
    """A measure of one case of a benchmark, and the numbers that it has."""

    path: str
    test_name: str
    name: str
    numbers: dict[str, Any]


def _recognises(head: Head) -> bool:
    benchmarks = list(_benchmarks_at(head.text))
    return all(isinstance(each, dict | list) for each in benchmarks) and any(map(_is_benchmark, benchmarks))


def _benchmarks_at(text: str) -> Iterator[object]:
    """What the names in an object lead to, as far as it is whole."""
    position = 1 if text[:1] == "{" else len(text)
    try:
        while True:
            for _ in ("name", "benchmark"):
                between = _BETWEEN.match(text, position)
                found, position = _DECODER.raw_decode(text, between.end() if between else position)
            yield found
    except (ValueError, RecursionError):
        return


def _is_benchmark(found: object) -> bool:
    if isinstance(found, list):
        measures = [entry.get("measures") for entry in found if isinstance(entry, dict)]
        return bool(measures) and all(
            isinstance(each, dict) and all(map(_are_numbers, each.values())) for each in measures
        )
    return (
        isinstance(found, dict)
        and bool(found)
        and all(
            _are_numbers(numbers) and "value" in numbers and numbers.keys() <= _VALUES for numbers in found.values()
        )
    )


def _are_numbers(found: object) -> bool:
    return isinstance(found, dict) and bool(found) and all(isinstance(each, int | float) for each in found.values())


def _results(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, "*"):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
            else:
                yield from guarded(record.path, record.value, _benchmark(source, record))


def _benchmark(source: Input, record: Record) -> Iterator[Result]:
    name = _name(record.keys[-1])
    for found in _measures(record, name.removesuffix(_IGNORED) or name):
        if isinstance(found, Rejection):
            yield found
        else:
            yield from guarded(found.path, found.numbers, _measurements(source, found))


def _measures(record: Record, name: str) -> Iterator[_Measure | Rejection]:
    if isinstance(record.value, dict):
        for measure, numbers in record.value.items():
            yield _Measure(f"{record.path}.{measure}", name, measure, numbers)
    elif isinstance(record.value, list):
        yield from _measures_of_cases(record, name)
    else:
        raise BrokenFieldError("", Problem("wrong_type", "expected an object or a list of measures"))


def _measures_of_cases(record: Record, name: str) -> Iterator[_Measure | Rejection]:
    """The measures of a list of cases; what is said of one case twice is one measure."""
    found: dict[tuple[str, str], _Measure] = {}
    for number, case in enumerate(record.value):
        path = f"{record.path}[{number}]"
        measures, parameters = as_object(case).get("measures"), as_object(case).get("parameters") or {}
        if not isinstance(measures, dict) or not isinstance(parameters, dict):
            problem = Problem("wrong_type", "expected an object with `measures` and perhaps `parameters`")
            yield rejection(path, "", problem, case)
            continue
        test_name = with_parameters(name, {key: _as_written(parameters[key]) for key in sorted(parameters)})
        for measure, numbers in measures.items():
            before = found.get((test_name, measure))
            together = before.numbers | numbers if before and _are_named(before.numbers, numbers) else numbers
            found[test_name, measure] = _Measure(f"{path}.measures.{measure}", test_name, measure, together)
    yield from found.values()


def _are_named(*numbers: object) -> bool:
    return all(isinstance(each, dict) for each in numbers)


def _as_written(parameter: object) -> str:
    """A parameter in the one way in which it is written here."""
    if isinstance(parameter, float) and parameter.is_integer():
        return str(int(parameter))
    return parameter if isinstance(parameter, str) else json.dumps(parameter, sort_keys=True)


def _measurements(source: Input, measure: _Measure) -> Iterator[Result]:
    name, test_name = _name(measure.name), _name(measure.test_name)
    numbers = measure.numbers
    if not isinstance(numbers, dict):
        raise BrokenFieldError("", Problem("wrong_type", "expected an object with `value`"))
    slug = "-".join(name.lower().split())
    metric, unit = _OWN.get(slug, (name, "By" if slug in _IN_BYTES else ""))
    common = Measurement(measure.path, metric, 0.0, unit, test_name=test_name, test_type="benchmark")
    others = [other for other in numbers if other not in _VALUES]
    if "value" in numbers or not others:
        yield _measurement(replace(common, raw_spread=_spread(numbers)), "value", numbers)
    direction = source.catalog[metric].direction if metric in source.catalog else None
    for other in others:
        yield _measurement(replace(common, metric=f"{metric}.{other}", direction=direction), other, numbers)


def _name(written: object) -> str:
    name = read_name(written)
    if isinstance(name, Problem):
        raise BrokenFieldError("", name)
    return name


def _measurement(common: Measurement, field: str, numbers: dict[str, Any]) -> Measurement | Rejection:
    number = read_number(numbers.get(field))
    if common.raw_unit:
        number = not_negative(number, "a duration, rate or size")
    metric = read_name(common.metric)
    if isinstance(metric, Problem):
        return rejection(common.location, field, metric, numbers)
    if isinstance(number, Problem):
        return rejection(common.location, field, number, numbers)
    return replace(common, location=f"{common.location}.{field}", metric=metric, raw_value=number)


def _spread(numbers: dict[str, Any]) -> float | None:
    low, value, high = (number_or_none(numbers.get(name)) for name in ("lower_value", "value", "upper_value"))
    if low is None or value is None or high is None or not low <= value <= high:
        return None
    return (high - low) / 2


FORMAT = Format("bencher", _recognises, lambda source: chunked(_results(source)))
