"""BenchmarkDotNet's JSON: `*-report-full.json`, `*-report-brief.json` and their compressed forms, versions 0.9 to
0.15.

Series: `FullName`, which has the parameters, else namespace, type and method with `Parameters`; runtime (that of the
job, else the host's, to its minor version), operating system and architecture. What else a job sets apart
(`RunStrategy=ColdStart`, another toolchain) is a parameter behind the name, but not how often and how long it
measures; before 0.10 it is told by `Properties`. Metrics: `Statistics` are benchmark_time in ns, the median, else the
mean; the standard deviation is the spread, the `OriginalValues` are the replicates. `Memory` is benchmark_memory, in
bytes for each operation, and Gen0Collects, Gen1Collects and Gen2Collects for a thousand operations, as
BenchmarkDotNet prints them; other diagnosers' `Metrics` are metrics of their `Id`. Direction: that of the descriptor,
lower for collections, else the catalogue's. Time: that in `Title`, in the zone of the source. Run: title and host
where the title has a time, else the file.

A benchmark without statistics failed and is counted as such. Allocations that are not known (null) are left out. A
number that is not finite, or a negative time, is rejected, the others are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any

from perf_assets.formats.benchmark_rows import not_negative, records_with
from perf_assets.formats.ci_runs import BrokenFieldError, guarded
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
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
    digest_of,
    number_or_none,
    numbers_in,
    parse_time,
    read_name,
    read_number,
    read_text,
    rejection,
    with_parameters,
)

_PATTERN = "Benchmarks[]"
_TIME = re.compile(r"-(?P<date>\d{4}-?\d\d-?\d\d)-(?P<hour>\d\d)-?(?P<minute>\d\d)-?(?P<second>\d\d)$", re.ASCII)
_DESCRIPTION = re.compile(r"[^:']*\.'.*?': ", re.DOTALL)
_JOB = re.compile(r"[^(\[]*\((?P<settings>.*)", re.DOTALL)
_LONGEST_MATCHED = 2_000
"""Characters: on longer text these patterns would take their time."""
_MINOR = re.compile(r"(?P<version>.*?\d+\.\d+)", re.DOTALL)
_MONIKER = re.compile(r"net(coreapp|standard)?\d[\d.]*", re.IGNORECASE)
_HOW_OFTEN = {
    "IterationCount", "LaunchCount", "WarmupCount", "MinIterationCount", "MaxIterationCount", "IterationTime",
    "MinWarmupIterationCount", "MaxWarmupIterationCount", "InvocationCount", "UnrollFactor", "MaxRelativeError",
    "MaxAbsoluteError", "MinIterationTime", "MinInvokeCount", "PowerPlanMode", "TargetCount",
}  # fmt: skip
_SYSTEMS = {
    "windows": "Windows", "macos": "macOS", "osx": "macOS", "darwin": "macOS", "linux": "Linux", "ubuntu": "Linux",
    "debian": "Linux", "alpine": "Linux", "fedora": "Linux", "centos": "Linux", "freebsd": "FreeBSD",
}  # fmt: skip
_AS_ALWAYS = ("Auto", "Host", "HostPlatform", "HostJit", "HostFramework", "HostRuntime", "Throughput")
"""What properties say where a job sets nothing."""
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_OF_MEMORY = ("Allocated Memory", "Gen0Collects", "Gen1Collects", "Gen2Collects")
_EXPLAINING = ("BenchmarkDotNetVersion", "OsVersion", "RuntimeVersion", "Configuration", "DotNetCliVersion")


def _recognises(head: Head) -> bool:
    return head.has("HostEnvironmentInfo", "Benchmarks") or head.has("Title", "Benchmarks[].Statistics")


def _results(source: Input) -> Iterator[Result]:
    for document in read_documents(source.path, source.name, _PATTERN):
        for record in records_with(document, "HostEnvironmentInfo"):
            if isinstance(record, Rejection):
                yield record
            elif isinstance(record.value, dict):
                root = as_object(document.root)
                yield from guarded(record.path, record.value, _benchmark(root, record, source.zone))
            else:
                problem = Problem("wrong_type", "expected an object with `FullName` and `Statistics`")
                yield rejection(record.path, "", problem, record.value)


def _benchmark(root: dict[str, Any], record: Record, zone: tzinfo) -> Iterator[Result]:
    fields = record.value
    if fields.get("Statistics") is None:
        yield Omission("failed")
        return
    common = _common(root, record, zone)
    yield from guarded(record.path, fields, _time_of(common, as_object(fields["Statistics"])))
    yield from _memory(common, as_object(fields.get("Memory")))
    metrics = fields.get("Metrics")
    for place, metric in enumerate(metrics if isinstance(metrics, list) else []):
        yield from _metric(replace(common, location=f"{record.path}.Metrics[{place}]"), as_object(metric))


def _common(root: dict[str, Any], record: Record, zone: tzinfo) -> Measurement:
    """What all measurements of a benchmark share."""
    title, told = read_text(root.get("Title")), as_object(root.get("HostEnvironmentInfo"))
    ts = _time(title, zone)
    job = _job(record.value)
    # Some versions write what they work out late as an object with the value in it.
    host = {name: as_object(value).get("Value", value) for name, value in told.items()}
    tags = {
        "runtime": job.get("Runtime") or _runtime(host),
        "os": _system(read_text(host.get("OsVersion"))),
        "arch": read_text(host.get("Architecture")),
    }
    return Measurement(
        location=record.path,
        metric="benchmark_time",
        raw_value=0.0,
        raw_unit="ns",
        ts=ts,
        run_key=None if ts is None else digest_of(title, told),
        test_name=_test_name(record.value, job),
        test_type="benchmark",
        tags=described(tags),
        context=described({"processor": host.get("ProcessorName"), **{name: host.get(name) for name in _EXPLAINING}}),
    )


def _time(title: str | None, zone: tzinfo) -> datetime | None:
    found = _TIME.search(title or "")
    if found is None:
        return None
    date, *clock = found.groups()
    return parse_time(f"{date.replace('-', '')}T{''.join(clock)}", zone)


def _job(fields: dict[str, Any]) -> dict[str, str]:
    """What the job of a benchmark sets: `Type.Method: Job-ABC(Runtime=.NET 8.0, Server=True) [N=1]`."""
    written = read_text(fields.get("DisplayInfo"))
    if written is None:
        properties = as_object(fields.get("Properties"))
        return {name: value for name, value in properties.items() if read_text(value) and value not in _AS_ALWAYS}
    found = _JOB.match(_behind_method(written[:_LONGEST_MATCHED], read_text(fields.get("MethodTitle")) or ""))
    settings = (setting.partition("=") for setting in _closed(found["settings"]).split(", ")) if found else ()
    return {name: value for name, equals, value in settings if equals}


def _behind_method(written: str, method: str) -> str:
    """What follows `Type.Method: `. The method may be a description, with colons and brackets of its own, in quotes."""
    title = method.strip("'")
    if title and title in written:
        return written.partition(title)[2].partition(": ")[2]
    quoted = _DESCRIPTION.match(written)
    return written[quoted.end() :] if quoted else written.partition(": ")[2]


def _closed(text: str) -> str:
    """`text` as far as the bracket that closes one before it."""
    depth = 1
    for place, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if not depth:
            return text[:place]
    return text


def _test_name(fields: dict[str, Any], job: dict[str, str]) -> str:
    name = read_text(fields.get("FullName"))
    if name is None:
        parts = [part for key in ("Namespace", "Type", "Method") if (part := read_text(fields.get(key)))]
        parameters = read_text(fields.get("Parameters"))
        name = ".".join(parts) + (f"[{parameters.replace('&', ',')}]" if parts and parameters else "")
    others = {key: job[key] for key in job if key not in _HOW_OFTEN and key != "Runtime"}
    if _MONIKER.fullmatch(others.get("Toolchain", "")):
        del others["Toolchain"]
    full_name = read_name(with_parameters(name, others) if name else name)
    if isinstance(full_name, Problem):
        raise BrokenFieldError("FullName", full_name)
    return full_name


def _runtime(host: dict[str, Any]) -> str | None:
    """Name and minor version of the host's runtime."""
    written = read_text(host.get("RuntimeVersion")) or read_text(host.get("ClrVersion"))
    found = _MINOR.match((written or "")[:_LONGEST_MATCHED])
    return found["version"] if found else written


def _system(written: str | None) -> str | None:
    """The family of an operating system; its version explains."""
    words = (written or "").lower()
    return next((family for word, family in _SYSTEMS.items() if word in words), written)


def _time_of(common: Measurement, statistics: dict[str, Any]) -> Iterator[Measurement]:
    name = "Median" if statistics.get("Median") is not None else "Mean"
    yield replace(
        common,
        location=f"{common.location}.Statistics.{name}",
        raw_value=_number(statistics, "Statistics", name),
        raw_spread=number_or_none(statistics.get("StandardDeviation")),
        raw_replicates=numbers_in(statistics.get("OriginalValues")),
    )


def _number(fields: dict[str, Any], place: str, name: str) -> float:
    value = fields.get(name)
    # What JSON cannot hold is text.
    number = Problem("not_finite", "expected a finite number") if value in _NOT_FINITE else read_number(value)
    number = not_negative(number, "a time, size or count")
    if isinstance(number, Problem):
        raise BrokenFieldError(f"{place}.{name}", number)
    return number


def _memory(common: Measurement, memory: dict[str, Any]) -> Iterator[Result]:
    place = f"{common.location}.Memory"
    if memory.get("BytesAllocatedPerOperation") is not None:
        allocated = replace(common, location=place, metric="benchmark_memory", raw_unit="By")
        yield from guarded(common.location, memory, _counted(allocated, memory, "BytesAllocatedPerOperation", 1.0))
    operations = number_or_none(memory.get("TotalOperations"))
    for generation in range(3):
        name = f"Gen{generation}Collections"
        if operations and memory.get(name) is not None:
            metric = f"Gen{generation}Collects"
            collected = replace(common, location=place, metric=metric, raw_unit="", direction="lower_is_better")
            yield from guarded(common.location, memory, _counted(collected, memory, name, 1000 / operations))


def _counted(common: Measurement, memory: dict[str, Any], name: str, factor: float) -> Iterator[Measurement]:
    value = _number(memory, "Memory", name) * factor
    yield replace(common, location=f"{common.location}.{name}", raw_value=value)


def _metric(common: Measurement, metric: dict[str, Any]) -> Iterator[Result]:
    """What another diagnoser measured."""
    descriptor = as_object(metric.get("Descriptor"))
    name, value = read_name(descriptor.get("Id")), read_number(metric.get("Value"))
    if name in _OF_MEMORY:
        return
    greater = descriptor.get("TheGreaterTheBetter")
    if isinstance(name, Problem):
        yield rejection(common.location, "Descriptor.Id", name, metric)
    elif isinstance(value, Problem):
        yield rejection(common.location, "Value", value, metric)
    else:
        yield replace(
            common,
            metric=name,
            raw_value=value,
            raw_unit=read_text(descriptor.get("Unit")) or "",
            direction="higher_is_better" if greater is True else "lower_is_better" if greater is False else None,
        )


FORMAT = Format("benchmark-dotnet", _recognises, lambda source: chunked(_results(source)))
