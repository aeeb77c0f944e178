"""Catch2's XML reporter (`-r xml`), versions 2 and 3: benchmarks, and the durations of test cases (`-d yes`).

Series: a benchmark is named by test case, sections and its own name (`sorting::of ints::std::sort`), a test case by
its name; the executable is the suite. Value and unit: `mean` of a benchmark, in ns, is benchmark_time, and the
standard deviation is its spread; `durationInSeconds` of a test case that passed is test_execution_time. Repetitions:
what is there several times (a section that a generator repeats) is one measurement, the median of all. Time: none in
this format. Run: the file.

A benchmark that failed, and a test case that did, is counted as failed; a test case of which any part was skipped is
counted as skipped, and one without a duration as idle. Durations of sections are no measurements, those of a test
case have its benchmarks in them. A mean or duration that is no finite number, or negative, is rejected. Of a file
that breaks off what is whole before the break is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from perf_assets.formats.benchmark_rows import not_negative, repetitions_merged
from perf_assets.formats.head import Head
from perf_assets.formats.junit import damage
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Omission,
    Problem,
    Result,
    chunked,
    described,
    read_name,
    read_number_text,
    read_text,
    rejection,
)
from perf_assets.formats.xml_events import XmlDamage, read_events

_ROOTS = ("Catch2TestRun", "Catch")
_CONTAINERS = ("TestCase", "Section")


@dataclass
class _Element:
    """An element that has begun, and the attributes of those inside it, by their names."""

    name: str
    attributes: dict[str, str]
    inside: dict[str, dict[str, str]] = field(default_factory=dict)


def _recognises(head: Head) -> bool:
    return head.xml_root in _ROOTS


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(repetitions_merged(_results(source)))


def _results(source: Input) -> Iterator[Result]:
    around: list[_Element] = []
    benchmarks = cases = 0
    for event in read_events(source.path, source.name):
        if isinstance(event, XmlDamage):
            yield damage(source, event)
        elif event.kind == "start":
            around.append(_Element(event.name, event.attributes))
            benchmarks += event.name == "BenchmarkResults"
            cases += event.name == "TestCase"
        else:
            element = around.pop()
            if around:
                around[-1].inside[element.name] = element.attributes
            if element.name == "BenchmarkResults":
                yield _benchmark(element, around, f"BenchmarkResults {benchmarks}, line {event.line}")
            elif element.name == "TestCase":
                yield _case(element, around, f"TestCase {cases}, line {event.line}")


def _benchmark(benchmark: _Element, around: list[_Element], location: str) -> Result:
    if "failed" in benchmark.inside:
        return Omission("failed")
    names = [*(element for element in around if element.name in _CONTAINERS), benchmark]
    name = _path(names)
    if isinstance(name, Problem):
        return rejection(location, "name", name, benchmark.attributes)
    mean = not_negative(read_number_text(benchmark.inside.get("mean", {}).get("value")))
    if isinstance(mean, Problem):
        return rejection(location, "mean", mean, benchmark.inside)
    deviation = read_number_text(benchmark.inside.get("standardDeviation", {}).get("value"))
    return Measurement(
        location=location,
        metric="benchmark_time",
        raw_value=mean,
        raw_unit="ns",
        test_name=name,
        test_type="benchmark",
        raw_spread=None if isinstance(deviation, Problem) else deviation,
        tags=_tags(around),
        context=described({name: benchmark.attributes.get(name) for name in ("samples", "iterations")}),
    )


def _path(elements: list[_Element]) -> str | Problem:
    """The names of elements within one another, as one; the innermost must have one."""
    names = [read_text(element.attributes.get("name")) for element in elements]
    return read_name("::".join(name.strip() for name in names if name) if names[-1] else None)


def _case(case: _Element, around: list[_Element], location: str) -> Result:
    overall = case.inside.get("OverallResult")
    if overall is None:
        return rejection(location, "OverallResult", Problem("missing_value", "no result"), case.attributes)
    if overall.get("success", "").strip().lower() != "true":
        return Omission("failed")
    if overall.get("skips", "0").strip() != "0":
        return Omission("skipped")
    if "durationInSeconds" not in overall:
        return Omission("idle")
    name = _path([case])
    if isinstance(name, Problem):
        return rejection(location, "name", name, case.attributes)
    seconds = not_negative(read_number_text(overall["durationInSeconds"]))
    if isinstance(seconds, Problem):
        return rejection(location, "durationInSeconds", seconds, overall)
    return Measurement(
        location=location,
        metric="test_execution_time",
        raw_value=seconds,
        raw_unit="s",
        test_name=name,
        test_type="test",
        tags=_tags(around),
    )


def _tags(around: list[_Element]) -> str | None:
    root = around[0].attributes if around else {}
    return described({"suite": read_text(root.get("name"))})


FORMAT = Format("catch2", _recognises, _read)
