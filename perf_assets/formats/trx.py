"""TRX, the test results of Visual Studio: `mstest`, `vstest.console` and `dotnet test --logger trx`, schema of 2010.

Series: the test, named `Class::Method` (the class from the test's definition, without its assembly), or as the result
has it where that begins with the class, as xUnit's does. Value and unit: `duration` of a test that passed, in seconds.
Time: `startTime` of the result, else the run's `start` or `creation`. Node: `computerName`. Run: the id of the TestRun.

Repetitions: results of the same name in a file (on one node) are one measurement, the median of all. The rows of a
data-driven test (`InnerResults`) are tests of their own, the result around them is their sum and no measurement.
Outcomes: Passed, PassedButRunAborted, Warning and Completed passed; Failed failed; Error, Timeout, Aborted,
Disconnected, any other and none at all (the schema leaves out its default, Error) errored; NotExecuted, NotRunnable,
Inconclusive, InProgress and Pending were skipped. A test without `duration` measured nothing and is counted as idle.

Of a file that breaks off the results before the break are read. Where that lost their definitions, a result that does
not name its class is rejected: it would be another series.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import NamedTuple

from perf_assets.formats.benchmark_rows import not_negative, repetitions_merged
from perf_assets.formats.head import Head
from perf_assets.formats.junit import damage, name_in_class
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Omission,
    Outcome,
    Problem,
    Result,
    chunked,
    parse_time,
    read_name,
    read_text,
    rejection,
)
from perf_assets.formats.xml_events import Event, XmlDamage, read_events

_RESULTS = ("UnitTestResult", "TestResult", "GenericTestResult", "ManualTestResult", "WebTestResult", "LoadTestResult",
            "TestResultAggregation")  # fmt: skip
_OUTCOMES: dict[str, Outcome | None] = {
    "passed": None, "passedbutrunaborted": None, "warning": None, "completed": None,
    "failed": "failed",
    "notexecuted": "skipped", "notrunnable": "skipped", "inconclusive": "skipped", "inprogress": "skipped",
    "pending": "skipped",
}  # fmt: skip
_DURATION = re.compile(
    r"\s*(?P<sign>-?)((?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d\d):(?P<seconds>\d\d(\.\d+)?)\s*", re.ASCII
)
_QUALIFIED = re.compile(r"[^\s.(]+\.[^\s(]")
# .NET writes a time that was never set as the first day of its calendar.
_EARLIEST = datetime.fromisoformat("1980-01-01")


class _Run(NamedTuple):
    """What is found by a first reading: definitions stand behind the results, or before them."""

    run_id: str | None
    ts: datetime | None
    classes: dict[str, str]
    damaged: bool


def _recognises(head: Head) -> bool:
    return head.xml_root == "TestRun" and ("TeamTest" in head.text or "<UnitTestResult" in head.text)


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(repetitions_merged(_results(source)))


def _results(source: Input) -> Iterator[Result]:
    run = _run(source)
    around: list[Event] = []
    sums: set[int] = set()
    results = 0
    for event in read_events(source.path, source.name):
        if isinstance(event, XmlDamage):
            yield damage(source, event)
        elif event.kind == "start":
            results += event.name in _RESULTS
            around.append(event)
        else:
            begun = around.pop()
            if begun.name == "InnerResults":
                sums.add(len(around) - 1)
            elif begun.name in _RESULTS and len(around) in sums:
                sums.remove(len(around))
            elif begun.name in _RESULTS:
                yield _result(source, run, begun.attributes, f"result {results}, line {event.line}")


def _run(source: Input) -> _Run:
    run_id: str | None = None
    ts: datetime | None = None
    classes: dict[str, str] = {}
    test_id = ""
    damaged = False
    for event in read_events(source.path, source.name):
        if isinstance(event, XmlDamage):
            damaged = True
        elif event.kind == "end":
            continue
        elif event.name == "TestRun":
            run_id = read_text(event.attributes.get("id"))
        elif event.name == "Times":
            clocks = (_time(event.attributes.get(name), source.zone) for name in ("start", "creation"))
            ts = next((clock for clock in clocks if clock is not None), None)
        elif event.name == "UnitTest":
            test_id = event.attributes.get("id", "")
        elif event.name == "TestMethod":
            classes[test_id] = event.attributes.get("className", "").partition(",")[0].strip()
    return _Run(run_id, ts, classes, damaged)


def _result(source: Input, run: _Run, attributes: dict[str, str], location: str) -> Result:
    outcome = _OUTCOMES.get(attributes.get("outcome", "").strip().lower(), "errored")
    if outcome is not None:
        return Omission(outcome)
    if "duration" not in attributes:
        return Omission("idle")
    name = _test_name(run, attributes)
    if isinstance(name, Problem):
        return rejection(location, "testName", name, attributes)
    seconds = _seconds(attributes["duration"])
    if isinstance(seconds, Problem):
        return rejection(location, "duration", seconds, attributes)
    return Measurement(
        location=location,
        metric="test_execution_time",
        raw_value=seconds,
        raw_unit="s",
        ts=_time(attributes.get("startTime"), source.zone) or run.ts,
        run_key=run.run_id,
        test_name=name,
        test_type="test",
        node_id=read_text(attributes.get("computerName")),
    )


def _test_name(run: _Run, attributes: dict[str, str]) -> str | Problem:
    name = read_name(attributes.get("testName"))
    if isinstance(name, Problem):
        return name
    class_name = run.classes.get(attributes.get("testId", ""))
    if class_name:
        return read_name(name_in_class(name, class_name))
    if run.damaged and not _QUALIFIED.match(name):
        return Problem("missing_identity", "the definition that names its class lies behind the break of the file")
    return name


def _seconds(text: str) -> float | Problem:
    """A .NET time span: `[days.]hours:minutes:seconds[.fraction]`."""
    if not text.strip():
        return Problem("missing_value", "no value")
    found = _DURATION.fullmatch(text)
    if found is None:
        return Problem("wrong_type", "expected a duration as hours:minutes:seconds")
    minutes = (int(found["days"] or 0) * 24 + int(found["hours"])) * 60 + int(found["minutes"])
    seconds = minutes * 60 + float(found["seconds"])
    return not_negative(-seconds if found["sign"] else seconds)


def _time(text: str | None, zone: tzinfo) -> datetime | None:
    found = parse_time(text, zone)
    return found if found is not None and found >= _EARLIEST else None


FORMAT = Format("trx", _recognises, _read)
