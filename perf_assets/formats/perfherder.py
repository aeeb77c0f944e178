"""Perfherder, Mozilla's performance data: `PERFHERDER_DATA:` lines of a log, and the same as JSON.

Series: suite, or `suite::subtest`, with the suite's extraOptions in alphabetical order, framework (as suite),
application (as runtime) and operating system. A suite that has a value is a measurement of its own beside its
subtests. Metric and unit: by its `unit` benchmark_time, benchmark_memory and the like; benchmark_value where it has
none or another. A subtest does not inherit the suite's unit. Direction: lower is better unless `lowerIsBetter` says
otherwise. Repetitions: `replicates` of a subtest; of one series that is there several times the median is taken.
Data that a log has twice, as harness and script both print it, are there once. Time: that which the log writes before
the line (`[task 2026-09-01T08:00:00.000Z]`, or at its beginning), else `pushTimestamp`, else none. Run: the file.

What decides on alerts (shouldAlert, alertThreshold), tags and versions are context. A suite or subtest without name
or finite value is rejected, the others are read; a suite whose value is null has none. A line that breaks off is
rejected.

Limits: lines of more than 1,048,576 characters break off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from perf_assets.formats.benchmark_rows import not_negative, repetitions_merged
from perf_assets.formats.ci_runs import BrokenFieldError, guarded, name_in
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import read_documents
from perf_assets.formats.measurement import (
    Chunk,
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
    numbers_in,
    parse_time,
    read_name,
    read_number,
    read_text,
    rejection,
)
from perf_assets.formats.recognition import head_of
from perf_assets.formats.text import read_lines

_PATTERNS = ("suites[]", "[].suites[]")
_MARK = "PERFHERDER_DATA:"
_LINE = re.compile(rf".*?\b{_MARK}\s*(?=\{{)")
_CLOCK = re.compile(r"(?:\[(?:\w+ )?|^)(?P<time>\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)[\] ]")
_JSON = re.compile(r"\s*[{\[]\s*(?:[\"{}\[\]]|\Z)")
"""How it begins; a line of a log may begin with a bracket, too."""
_DECODER = json.JSONDecoder()


def _recognises(head: Head) -> bool:
    if _is_log(head):
        return True
    return any(
        head.has(f"{before}suites[].name", f"{before}suites[].subtests")
        or head.has(f"{before}framework.name", f"{before}suites")
        for before in ("", "[].")
    )


def _is_log(head: Head) -> bool:
    return _MARK in head.text or head.text.startswith("[taskcluster ")


def _read(source: Input) -> Iterator[Chunk]:
    head = head_of(source.path, source.name)
    is_json = not _is_log(head) and _JSON.match(head.text) is not None
    return chunked(repetitions_merged(_listed(source) if is_json else _logged(source)))


def _logged(source: Input) -> Iterator[Result]:
    told: set[bytes] = set()
    for number, line in read_lines(source.path):
        found = _LINE.match(line) if _MARK in line else None
        if found is None:
            continue
        location = f"line {number}"
        try:
            data, end = _DECODER.raw_decode(line, found.end())
        except (ValueError, RecursionError):
            yield rejection(
                location, "", Problem("truncated", "the JSON is damaged or breaks off"), line[found.end() :]
            )
            continue
        digest = sha256(line[found.end() : end].encode("utf-8", "surrogatepass")).digest()
        if digest in told:
            continue
        told.add(digest)
        clock = _CLOCK.search(line[: found.end()])
        common = _common(source, data, parse_time(clock["time"], source.zone) if clock else None)
        suites = data.get("suites")
        if isinstance(suites, list):
            for place, suite in enumerate(suites):
                yield from _suite(common, f"{location}, suites[{place}]", suite)
        else:
            yield rejection(location, "suites", Problem("wrong_type", "expected a list"), data)


def _listed(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, *_PATTERNS):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
                continue
            data = record.parents[-2]
            if document.damaged and "framework" not in data:
                problem = Problem("missing_identity", "its framework lies behind the break of the file")
                yield rejection(record.path, "", problem, record.value)
            else:
                yield from _suite(_common(source, data, None), record.path, record.value)


def _common(source: Input, data: dict[str, Any], clock: datetime | None) -> Measurement:
    """What suites that were written together share."""
    pushed = parse_time(data.get("pushTimestamp"), source.zone)
    application, system = as_object(data.get("application")), as_object(data.get("os"))
    framework = as_object(data.get("framework"))
    return Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="",
        ts=clock or pushed,
        time_source="commit" if clock is None and pushed is not None else "result",
        test_type="benchmark",
        tags=described(
            {
                "suite": read_text(framework.get("name")),
                "runtime": read_text(application.get("name")),
                "os": read_text(system.get("name")),
            }
        ),
        context=described(
            {
                "application_version": read_text(application.get("version")),
                "os_version": read_text(system.get("platform_version")),
            }
        ),
    )


def _suite(common: Measurement, path: str, suite: object) -> Iterator[Result]:
    if not isinstance(suite, dict):
        yield rejection(path, "", Problem("wrong_type", "expected an object with `name` and `subtests`"), suite)
        return
    yield from guarded(path, suite, _values_of(common, path, suite))


def _values_of(common: Measurement, path: str, suite: dict[str, Any]) -> Iterator[Result]:
    name, options = name_in(suite, "name"), _options(suite)
    if suite.get("value") is not None:
        yield from guarded(path, suite, _measurement(common, path, f"{name}{options}", suite, suite))
    subtests = suite.get("subtests")
    if subtests is not None and not isinstance(subtests, list):
        raise BrokenFieldError("subtests", Problem("wrong_type", "expected a list"))
    for place, subtest in enumerate(subtests or []):
        inner = f"{path}.subtests[{place}]"
        if isinstance(subtest, dict):
            yield from guarded(inner, subtest, _subtest(common, inner, name, options, suite, subtest))
        else:
            problem = Problem("wrong_type", "expected an object with `name` and `value`")
            yield rejection(inner, "", problem, subtest)


def _options(suite: dict[str, Any]) -> str:
    """What else a suite is known by."""
    options = suite.get("extraOptions") or []
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise BrokenFieldError("extraOptions", Problem("wrong_type", "expected a list of texts"))
    return f"[{','.join(sorted(options))}]" if options else ""


def _subtest(
    common: Measurement, path: str, suite_name: str, options: str, suite: dict[str, Any], subtest: dict[str, Any]
) -> Iterator[Result]:
    name = subtest.get("name")
    # A comparison of two pages has a single subtest, which is called nothing.
    full_name = suite_name if name == "" else f"{suite_name}::{name_in(subtest, 'name')}"
    yield from _measurement(common, path, f"{full_name}{options}", suite, subtest)


def _measurement(
    common: Measurement, path: str, name: str, suite: dict[str, Any], fields: dict[str, Any]
) -> Iterator[Measurement]:
    test_name = read_name(name)
    if isinstance(test_name, Problem):
        raise BrokenFieldError("name", test_name)
    unit = read_text(fields.get("unit")) or ""
    metric = benchmark_metric(unit)
    value = read_number(fields.get("value"))
    if metric in ("benchmark_time", "benchmark_memory"):
        value = not_negative(value, "a duration or size")
    if isinstance(value, Problem):
        raise BrokenFieldError("value", value)
    alerting = {
        "should_alert": fields.get("shouldAlert"),
        "alert_threshold": fields.get("alertThreshold"),
        "labels": suite.get("tags"),
        "type": suite.get("type"),
    }
    yield replace(
        common,
        location=f"{path}.value",
        metric=metric,
        raw_value=value,
        raw_unit=unit,
        test_name=test_name,
        direction="higher_is_better" if fields.get("lowerIsBetter") is False else "lower_is_better",
        raw_replicates=numbers_in(fields.get("replicates")),
        context=described({**json.loads(common.context or "{}"), **alerting}),
    )


FORMAT = Format("perfherder", _recognises, _read, mark=re.compile(_MARK.encode()))
