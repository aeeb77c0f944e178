"""Criterion.rs: the folder `target/criterion`, the lines of `cargo criterion --message-format=json`, and the text that
`cargo bench` prints, also with `--output-format bencher`. Versions 0.2 to 0.7.

Series: the benchmark's full id (`group/function/value`), the same in all three. Value and unit: what Criterion itself
takes for typical, the slope of the regression, else the mean, in nanoseconds or the unit that is written; the spread
is half its confidence interval (95 % by default). Repetitions: the time of an iteration in each sample, in the folder
(`sample.json`, before 0.3.4 two lists) and the messages. Time: none in this format. Run: the file.

Of the folder `new/estimates.json` is the result; `benchmark.json` beside it names the benchmark, without it the
folders do. What lies in `base` and `change` or under the name of another baseline are results of before, and no
measurements. Throughput is the size of an iteration over its time and so no measurement of its own: the size is
context. Changes that Criterion reports are left out. An estimate that is no finite number, or negative, is rejected,
and so is a line that breaks off.

Limits: measurements other than time have no unit in the folder and would be read as nanoseconds; leave them out, or
use the messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from perf_assets.catalog import canonical_unit
from perf_assets.formats.benchmark_rows import not_negative, read_companion
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import read_documents, read_json
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Problem,
    Rejection,
    as_object,
    benchmark_metric,
    chunked,
    described,
    number_or_none,
    numbers_in,
    read_name,
    read_number,
    read_number_text,
    read_text,
    rejection,
)
from perf_assets.formats.recognition import head_of
from perf_assets.formats.text import read_lines

_FILES = ("estimates.json", "benchmark.json", "sample.json", "tukey.json", "raw.csv")
_MESSAGE = "benchmark-complete"
_ONE = r"(?P<{0}>\S+) (?P<{0}_unit>[^\s\]]+)"
_LINE = re.compile(r"(?P<name>.*?)\btime:\s+\[(?P<estimate>.*)", re.DOTALL)
_INTERVAL = re.compile(" ".join(_ONE.format(name) for name in ("low", "typical", "high")) + r"\]\s*")
_BENCHER = re.compile(
    r"test (?P<name>.+?) \.\.\. bench:\s+(?P<value>[\d,.]+) (?P<unit>\S+) \(\+/- (?P<spread>[\d,.]+)\).*", re.DOTALL
)
_TEXT = re.compile(
    r"^.*\btime:\s+\[\S+ \S+ \S+ \S+ \S+ \S+\]\s*$|^test .+\.\.\. bench:\s+[\d,.]+ \S+ \(\+/- [\d,.]+\)", re.MULTILINE
)
_MARK = re.compile(
    rb"\btime:\s+\[(\x1b\[[\d;]*m)*[\d.]+ \S+ "
    rb"|\.\.\. bench:\s+[\d,.]+ \S+ \(\+/- "
    rb'|\{"reason":\s*"benchmark-complete"'
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STATUS = re.compile(r"Benchmarking (?P<name>.+): Analyzing")


class _Estimate(NamedTuple):
    """A value as it was read, with half its confidence interval."""

    value: float | Problem
    unit: str
    spread: float | None


def _recognises(head: Head) -> bool:
    if _is_estimates(head) or _TEXT.search(_COLOURS.sub("", head.text)) is not None:
        return True
    return any(_is_message(line) and _MESSAGE in line for line in head.lines)


def _is_estimates(head: Head) -> bool:
    # Those of a change have no deviation.
    return head.has("mean.point_estimate", "std_dev") or head.has("Mean.point_estimate", "StdDev")


def _is_message(line: str) -> bool:
    return line.lstrip().startswith("{") and '"reason"' in line


def is_part(path: Path) -> bool:
    """Whether a file of Criterion's folder holds no result of its own."""
    if path.suffix in (".html", ".svg"):
        return "report" in path.parent.parts
    if path.name not in _FILES or path.parent.name not in ("new", "base", "change"):
        return path.name == "estimates.json" and path.parent.name != "new" and "criterion" in path.parts
    return path.name != "estimates.json" or path.parent.name != "new"


def _read(source: Input) -> Iterator[Chunk]:
    is_estimates = _is_estimates(head_of(source.path, source.name))
    return chunked(_estimates(source) if is_estimates else _lines(source))


def _estimates(source: Input) -> Iterator[Measurement | Rejection]:
    benchmark, sample = as_object(read_companion(source, "benchmark")), read_companion(source, "sample")
    for document in read_documents(source.path, source.name, ""):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
                continue
            location = record.path or "whole file"
            fields = {key.lower(): value for key, value in as_object(record.value).items()}
            typical = "slope" if as_object(fields.get("slope")) else "mean"
            yield _measurement(
                location,
                typical,
                benchmark.get("full_id") or _folder_name(source.name),
                _estimate(as_object(fields.get(typical))),
                replicates=_sampled(sample),
                throughput=benchmark.get("throughput"),
            )


def _sampled(sample: object) -> tuple[float, ...] | None:
    if isinstance(sample, list):
        iterations, times = sample if len(sample) == 2 else (None, None)
        return _times(times, iterations)
    return _times(as_object(sample).get("times"), as_object(sample).get("iters"))


def _folder_name(name: str) -> str | None:
    """The id of a benchmark whose folder is `criterion/<id>/new`."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if "criterion" not in parts or parts[-2:-1] != ("new",):
        return None
    return "/".join(parts[parts.index("criterion") + 1 : -2])


def _estimate(statistic: dict[str, Any]) -> _Estimate:
    interval = as_object(statistic.get("confidence_interval"))
    value = read_number(statistic.get("point_estimate"))
    return _Estimate(value, "ns", _half(interval.get("lower_bound"), interval.get("upper_bound")))


def _lines(source: Input) -> Iterator[Measurement | Rejection]:
    """Messages, and what is printed."""
    before, messages = "", False
    for number, coloured in read_lines(source.path):
        location = f"line {number}"
        messages = messages or _is_message(coloured)
        if messages and coloured.lstrip().startswith("{"):
            yield from _message(location, coloured)
            continue
        line = _COLOURS.sub("", coloured)
        found, of_bencher = _LINE.match(line), _BENCHER.fullmatch(line)
        if of_bencher is not None:
            yield _of_bencher(location, of_bencher)
        elif found is not None and not _is_change(found["estimate"], before):
            # A name of more than 23 characters stands on the line before.
            name = found["name"].rstrip() or ("" if before[:1].isspace() else before.strip())
            status = _STATUS.fullmatch(name)
            yield _measurement(location, "time", status["name"] if status else name, _interval(found["estimate"]))
        before = line


def _message(location: str, line: str) -> Iterator[Measurement | Rejection]:
    try:
        message = as_object(read_json(line))
    except ValueError:
        yield rejection(location, "", Problem("truncated", "no JSON object, or one that breaks off"), line)
        return
    if message.get("reason") == _MESSAGE:
        yield _completed(location, message)


def _completed(location: str, message: dict[str, Any]) -> Measurement | Rejection:
    typical = as_object(message.get("typical"))
    unit = read_text(typical.get("unit"))
    if unit is None:
        problem = Problem("wrong_type", "expected an estimate with a unit as text")
        return rejection(location, "typical", problem, message)
    spread = _half(typical.get("lower_bound"), typical.get("upper_bound"))
    times = _times(message.get("measured_values"), message.get("iteration_count"))
    return _measurement(
        location,
        "typical",
        message.get("id"),
        _Estimate(read_number(typical.get("estimate")), unit, spread),
        replicates=times if message.get("unit") == unit else None,
        throughput=message.get("throughput"),
    )


def _of_bencher(location: str, found: re.Match[str]) -> Measurement | Rejection:
    value, spread = (read_number_text(found[name].replace(",", "")) for name in ("value", "spread"))
    estimate = _Estimate(value, found["unit"], spread if isinstance(spread, float) else None)
    return _measurement(location, "bench", found["name"].strip(), estimate)


def _is_change(interval: str, before: str) -> bool:
    """Whether an interval is of the change since the last run, in percent."""
    return "%" in interval or before.strip() == "change:"


def _interval(text: str) -> _Estimate:
    """`low typical high]`, each with a unit of its own."""
    found = _INTERVAL.fullmatch(text)
    if found is None:
        return _Estimate(Problem("truncated", "expected `[low typical high]`, each a number and a unit"), "", None)
    unit = canonical_unit(found["typical_unit"])
    bounds = [(read_number_text(found[name]), canonical_unit(found[f"{name}_unit"])) for name in ("low", "high")]
    in_unit = [
        number * bound.factor / unit.factor
        for number, bound in bounds
        if isinstance(number, float) and bound.unit == unit.unit
    ]
    spread = _half(*in_unit) if len(in_unit) == 2 else None
    return _Estimate(read_number_text(found["typical"]), found["typical_unit"], spread)


def _measurement(
    location: str,
    field: str,
    name: object,
    estimate: _Estimate,
    replicates: tuple[float, ...] | None = None,
    throughput: object = None,
) -> Measurement | Rejection:
    test_name = read_name(name)
    if isinstance(test_name, Problem):
        problem = Problem(test_name.reason, f"{test_name.expectation}; `full_id` of benchmark.json beside it is one")
        return rejection(location, "id", problem, name)
    value = not_negative(estimate.value)
    if isinstance(value, Problem):
        return rejection(location, field, value, test_name)
    return Measurement(
        location=location,
        metric=benchmark_metric(estimate.unit),
        raw_value=value,
        raw_unit=estimate.unit,
        test_name=test_name,
        test_type="benchmark",
        raw_spread=estimate.spread,
        raw_replicates=replicates,
        context=described({"throughput": throughput}),
    )


def _half(lower: object, upper: object) -> float | None:
    """Half the way from one bound to the other."""
    low, high = number_or_none(lower), number_or_none(upper)
    return None if low is None or high is None else abs(high - low) / 2


def _times(totals: object, iterations: object) -> tuple[float, ...] | None:
    """The time of one iteration in each sample."""
    totals, counts = numbers_in(totals), numbers_in(iterations)
    if totals is None or counts is None or len(totals) != len(counts) or min(counts) <= 0:
        return None
    return tuple(total / count for total, count in zip(totals, counts, strict=True))


FORMAT = Format(
    "criterion",
    _recognises,
    _read,
    companions={"benchmark": "benchmark.json", "sample": "sample.json"},
    is_part=is_part,
    mark=_MARK,
)
