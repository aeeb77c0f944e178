"""JUnit XML, as pytest, Maven surefire, Gradle, jest, mocha, gotestsum, googletest, Bazel, Node and many others write
it.

Series: the test case, named `classname::name`; the name alone where it begins or ends with the class, and the path of
suite names before it where there is no class (or one called `test`, as Node calls all). Value and unit: `time` of a
case that passed, in seconds (`1,234.5` is read); the time of a suite is no measurement. Time: the nearest `timestamp`
of case, suites and root; else that of receipt. Node: the nearest `hostname`. Run: the run id among the properties,
else the file. Commit, branch and job come from properties with well-known names, other properties are context, at
most 20.

Repetitions: a test that is there several times in a file (on one node) is one measurement, the median of all. A case
that failed, errored or was skipped is counted and no value, of several results the worst counts; a case without
`time` measured nothing and is counted as idle. A test that failed first and passed on a rerun (`flakyFailure`,
`flakyError`) passed, in the time of the rerun. Of a file that breaks off the cases before the break are read.

Limits: in files of more than 50,000 values, repetitions far from one another stay apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from perf_assets.formats.benchmark_rows import not_negative, repetitions_merged, run_properties
from perf_assets.formats.head import Head
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Omission,
    Outcome,
    Problem,
    Rejection,
    Result,
    chunked,
    described,
    parse_time,
    read_name,
    read_number_text,
    read_text,
    rejection,
)
from perf_assets.formats.xml_events import XmlDamage, read_events

_ROOTS = ("testsuites", "testsuite")
_OUTCOME_OF_ELEMENT: dict[str, Outcome] = {
    "error": "errored", "failure": "failed", "skipped": "skipped", "disabled": "skipped", "ignored": "skipped",
}  # fmt: skip
_OUTCOME_OF_STATUS: dict[str, Outcome] = {
    "error": "errored", "errored": "errored", "fail": "failed", "failed": "failed", "failure": "failed",
    "skipped": "skipped", "disabled": "skipped", "notrun": "skipped", "suppressed": "skipped", "ignored": "skipped",
    "pending": "skipped",
}  # fmt: skip
_WORST_FIRST: tuple[Outcome, ...] = ("errored", "failed", "skipped")
_CLASS_OF_NODE = "test"
_THOUSANDS = re.compile(r"\s*-?[1-9]\d{0,2}(,\d{3})+(\.\d*)?\s*", re.ASCII)


@dataclass
class _Element:
    """An element that has begun, and what the elements inside it said so far."""

    name: str
    attributes: dict[str, str]
    ts: datetime | None = None
    properties: dict[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)


def _recognises(head: Head) -> bool:
    return head.xml_root in _ROOTS


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(repetitions_merged(_results(source)))


def _results(source: Input) -> Iterator[Result]:
    around: list[_Element] = []
    cases = 0
    for event in read_events(source.path, source.name):
        if isinstance(event, XmlDamage):
            yield damage(source, event)
        elif event.kind == "start":
            element = _Element(event.name, event.attributes)
            cases += event.name == "testcase"
            if (clock := event.attributes.get("timestamp", "").strip()) and event.name in ("testcase", *_ROOTS):
                element.ts = read_timestamp(clock, source.zone)
                if element.ts is None:
                    problem = Problem("bad_time", "expected a time in ISO 8601 or RFC 2822")
                    yield rejection(f"{event.name}, line {event.line}", "timestamp", problem, clock)
            around.append(element)
        else:
            element = around.pop()
            if element.name == "testcase":
                yield _case(element, around, f"testcase {cases}, line {event.line}")
            elif around:
                _note(element, around, event.text)


def _note(element: _Element, around: list[_Element], text: str) -> None:
    """What an element says of the one around it."""
    if element.name in _OUTCOME_OF_ELEMENT and around[-1].name == "testcase":
        around[-1].outcomes.append(_OUTCOME_OF_ELEMENT[element.name])
    elif element.name == "property" and len(around) > 1 and around[-1].name == "properties":
        name = read_text(element.attributes.get("name"))
        if name is not None:
            around[-2].properties[name] = element.attributes.get("value", text)


def _case(case: _Element, around: list[_Element], location: str) -> Result:
    attributes = case.attributes
    outcome = _outcome(case)
    if outcome is not None:
        return Omission(outcome)
    if "time" not in attributes:
        return Omission("idle")
    suites = [element for element in around if element.name in _ROOTS]
    name = _test_name(attributes, suites)
    if isinstance(name, Problem):
        return rejection(location, "name", name, attributes)
    seconds = read_seconds(attributes["time"])
    if isinstance(seconds, Problem):
        return rejection(location, "time", seconds, attributes)
    return _measurement(case, suites, location, name, seconds)


def _measurement(case: _Element, suites: list[_Element], location: str, name: str, seconds: float) -> Measurement:
    run = run_properties({key: value for element in (*suites, case) for key, value in element.properties.items()})
    nearest_first = [case, *reversed(suites)]
    hosts = (read_text(element.attributes.get("hostname")) for element in nearest_first)
    return Measurement(
        location=location,
        metric="test_execution_time",
        raw_value=seconds,
        raw_unit="s",
        ts=next((element.ts for element in nearest_first if element.ts is not None), None),
        run_key=run.run_key,
        attempt=run.attempt,
        test_name=name,
        test_type="test",
        node_id=next((host for host in hosts if host is not None), None),
        branch=run.branch,
        commit_id=run.commit_id,
        ci_job_id=run.ci_job_id,
        run_url=run.run_url,
        context=described(run.others),
    )


def _outcome(case: _Element) -> Outcome | None:
    """The worst result of a case; None where it passed."""
    told = (case.attributes.get(name, "").strip().lower() for name in ("status", "result"))
    found = {*case.outcomes, *(_OUTCOME_OF_STATUS[status] for status in told if status in _OUTCOME_OF_STATUS)}
    return next((outcome for outcome in _WORST_FIRST if outcome in found), None)


def _test_name(attributes: dict[str, str], suites: list[_Element]) -> str | Problem:
    name = read_name(attributes.get("name"))
    if isinstance(name, Problem):
        return name
    class_name = read_text(attributes.get("classname")) or read_text(attributes.get("class"))
    if class_name is not None and class_name != _CLASS_OF_NODE:
        return read_name(name_in_class(name, class_name.strip()))
    path = [read_text(suite.attributes.get("name")) for suite in suites if suite.name == "testsuite"]
    return read_name("::".join([*(part.strip() for part in path if part), name]))


def name_in_class(name: str, class_name: str) -> str:
    """`class::name`; the name alone where it begins or ends with the class already."""
    within = re.escape(class_name)
    return name if re.search(rf"^{within}(?!\w)|(?<!\w){within}$", name) else f"{class_name}::{name}"


def read_seconds(text: str) -> float | Problem:
    """A duration in seconds; commas may part its thousands."""
    return not_negative(read_number_text(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text))


def read_timestamp(text: str, zone: tzinfo) -> datetime | None:
    """A time as text, or as the digits of epoch seconds or finer."""
    is_epoch = text.isascii() and text.isdecimal() and 10 <= len(text) <= 19
    return parse_time(int(text) if is_epoch else text, zone)


def damage(source: Input, found: XmlDamage) -> Rejection:
    """Where a file breaks off."""
    location = f"line {found.line}"
    message = f"{source.name}, {location}: damaged, or breaks off ({found.problem}); fetch the file again"
    return Rejection(location, "", "truncated", message, "")


FORMAT = Format("junit", _recognises, _read)
