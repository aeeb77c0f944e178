"""Skia Perf's ingestion format, version 1, as Skia, Chrome, Fuchsia, Android and others write it.

Series: the trace of Skia Perf, which is all its keys. `test` names the test (else `benchmark` does, else all keys
do), `os` and `arch` are tags, `branch` is the branch, `unit` or `units` the unit; all other keys, with the one that a
list of measurements adds, are parameters of the test in alphabetical order: `draw_a_circle[config=8888,stat=median]`.
Metric and unit: by its unit benchmark_time, benchmark_memory and the like, benchmark_value where there is none; a
list that is called by a unit (`"ms": [{"value": "min"}]`) has that one. Direction: that of `improvement_direction`
(up or down) or of a unit such as `ms_smallerIsBetter`, else the catalogue's. In a list with a mean, a median or the
plain value its error is their spread and its count is context, and neither is a measurement. Repetitions: none. Time:
none in this format. Run: the file, at the commit `git_hash`; a try job is on the branch `cl/<issue>/<patchset>`. The
first link is that of the run. A measurement that is no finite number is rejected, the others are read.

Limits: Go's own writer leaves out a single measurement of zero; such a result is rejected as missing. The format of
before version 1 (nanobench, with `gitHash`) is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from perf_assets.catalog import Direction
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
    benchmark_metric,
    chunked,
    described,
    number_or_none,
    read_name,
    read_number,
    read_text,
    rejection,
    with_parameters,
)

_TESTS = ("test", "benchmark")
_UNITS = ("unit", "units")
_BETTER = "improvement_direction"
_NO_PARAMETERS = ("os", "arch", "branch", _BETTER, *_UNITS)
_DIRECTIONS: dict[str, Direction] = {
    "up": "higher_is_better",
    "down": "lower_is_better",
    "bigger": "higher_is_better",
    "smaller": "lower_is_better",
}
_UNIT = re.compile(r"(?P<unit>.*?)(_(?P<better>bigger|smaller)IsBetter)?", re.DOTALL)
_CHROMES_UNITS = {"sizeInBytes": "By", "n%": "1", "msBestFitFormat": "ms", "tsMs": "ms", "unitless": ""}
_ERRORS = ("error", "err", "stddev", "stdev", "std_dev", "std")
_COUNTS = ("count", "samples")
_TYPICAL = ("value", "mean", "avg", "average", "median")


def _recognises(head: Head) -> bool:
    measured = head.has("results[].measurement") or head.has("results[].measurements")
    return head.has("git_hash") and (measured or head.has("version", "key", "results"))


def _results(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, "results[]"):
        root = as_object(document.root)
        lost = document.damaged and not {"git_hash", "key"} <= root.keys()
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
            elif lost:
                problem = Problem("missing_identity", "commit or keys of the file may lie behind its break")
                yield rejection(record.path, "", problem, record.value)
            else:
                yield from guarded(record.path, record.value, _result(root, record))


def _result(root: dict[str, Any], record: Record) -> Iterator[Result]:
    fields = record.value
    if not isinstance(fields, dict):
        raise BrokenFieldError("", Problem("wrong_type", "expected an object with `key` and measurements"))
    common = _common(root)
    keys = {**_keys(root), **_keys(fields)}
    lists = fields.get("measurements") or {}
    if not isinstance(lists, dict):
        raise BrokenFieldError("measurements", Problem("wrong_type", "expected an object of lists"))
    if not lists:
        yield from guarded(record.path, fields, _measurement(common, f"{record.path}.measurement", keys, "", fields))
    for key, measurements in lists.items():
        path = f"{record.path}.measurements.{key}"
        if isinstance(measurements, list):
            yield from _listed(common, path, keys, key, measurements)
        else:
            yield rejection(path, "", Problem("wrong_type", "expected a list"), measurements)


def _common(root: dict[str, Any]) -> Measurement:
    links = (read_text(link) for link in as_object(root.get("links")).values())
    return Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="",
        test_type="benchmark",
        branch=_try_branch(root),
        commit_id=read_text(root.get("git_hash")),
        run_url=next((link for link in links if link), None),
    )


def _try_branch(root: dict[str, Any]) -> str | None:
    """The branch of a change that is tried out."""
    numbers = [root.get(name) for name in ("issue", "patchset")]
    known = [str(number) for number in numbers if isinstance(number, str | int) and number]
    return "/".join(["cl", *known]) if known and known[0] == str(numbers[0]) else None


def _keys(fields: dict[str, Any]) -> dict[str, str]:
    keys = fields.get("key") or {}
    if not isinstance(keys, dict) or not all(isinstance(value, str) for value in keys.values()):
        raise BrokenFieldError("key", Problem("wrong_type", "expected an object of texts"))
    return keys


def _listed(
    common: Measurement, path: str, keys: dict[str, str], key: str, measurements: list[Any]
) -> Iterator[Result]:
    """The measurements of a list, without those that only describe another one."""
    by_value = {str(as_object(each).get("value")): as_object(each).get("measurement") for each in measurements}
    is_statistics = not by_value.keys().isdisjoint(_TYPICAL)
    spread = next((number_or_none(by_value[name]) for name in _ERRORS if name in by_value), None)
    count = next((by_value[name] for name in _COUNTS if name in by_value), None)
    for place, each in enumerate(measurements):
        value = as_object(each).get("value")
        inner = f"{path}[{place}]"
        if not isinstance(value, str):
            problem = Problem("wrong_type", "expected an object with `value` as text and `measurement`")
            yield rejection(inner, "", problem, each)
        elif not is_statistics:
            yield from guarded(inner, each, _measurement(common, inner, {**keys, key: value}, key, each))
        elif value not in _ERRORS and value not in _COUNTS:
            known = replace(
                common, raw_spread=spread if value in _TYPICAL else None, context=described({"samples": count})
            )
            yield from guarded(inner, each, _measurement(known, inner, {**keys, key: value}, key, each))


def _measurement(
    common: Measurement, path: str, keys: dict[str, str], listed_by: str, fields: dict[str, Any]
) -> Iterator[Measurement]:
    name = read_name(_name(keys))
    if isinstance(name, Problem):
        raise BrokenFieldError("key", name)
    unit, direction = _unit(keys, listed_by)
    metric = benchmark_metric(unit)
    number = read_number(fields.get("measurement"))
    if metric in ("benchmark_time", "benchmark_memory"):
        number = not_negative(number, "a duration or size")
    if isinstance(number, Problem):
        raise BrokenFieldError("measurement", number)
    yield replace(
        common,
        location=path,
        metric=metric,
        raw_value=number,
        raw_unit=unit,
        test_name=name,
        branch=common.branch or read_text(keys.get("branch")),
        direction=direction,
        tags=described({tag: keys.get(tag) for tag in ("os", "arch")}),
    )


def _name(keys: dict[str, str]) -> str:
    test = next((key for key in _TESTS if read_text(keys.get(key))), None)
    parameters = {key: keys[key] for key in sorted(keys) if key != test and key not in _NO_PARAMETERS}
    if test is not None:
        return with_parameters(keys[test], parameters)
    return ",".join(f"{key}={value}" for key, value in parameters.items())


def _unit(keys: dict[str, str], listed_by: str) -> tuple[str, Direction | None]:
    """The unit of a measurement, and the direction where it or a key tells one."""
    written = next((keys[key].strip() for key in _UNITS if key in keys), None)
    if written is None:
        written = listed_by if benchmark_metric(listed_by) != "benchmark_value" else ""
    found = _UNIT.fullmatch(written)
    unit, better = (found["unit"], found["better"]) if found else (written, None)
    return _CHROMES_UNITS.get(unit, unit), _DIRECTIONS.get(keys.get(_BETTER) or better or "")


FORMAT = Format("skia-perf", _recognises, lambda source: chunked(_results(source)))
