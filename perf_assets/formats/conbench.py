"""Conbench: results as benchadapt makes and posts them and as the API gives them (one, a list, one a line, or
`{"data": [...]}`), the same flattened into CSV (`stats.mean`, `tags.name`), and the CSV that its pages give for
download, which is the history of one benchmark.

Series: repository as project, `tags.name` with the other tags in alphabetical order (without their `id`), machine or
cluster as node, operating system and architecture, and the language of the context as runtime. Metric and unit: by
`stats.unit` benchmark_time, benchmark_throughput (`i/s`) or benchmark_data_rate (`B/s`). Value: `mean`, Conbench's
own summary, else the mean of `data`; the spread is `stdev`. Repetitions: `data`; results of one benchmark that are
several times in a run are one measurement, the median of all. Time: `timestamp`, else that of the commit. Run:
`run_id`. Commit and branch: `github` or `commit`; a pull request without branch is `pull/<number>`. Run reason, run
tags, batch, info, context and iterations are context.

A result with an `error`, without data, or with an iteration that has none (null) errored; one whose validation did
not succeed failed. One without name, or whose mean is no finite number, is rejected, the others are read.

A history has the value `svs` at `commit_time`, the commit's, the run `result_id` and the hash of the hardware as
node. Limits: it tells no unit, so that its metric is benchmark_value, and no repository; its rows form other series
than the results do.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from perf_assets.formats.benchmark_rows import not_negative, repetitions_merged
from perf_assets.formats.ci_runs import BrokenFieldError, guarded, results_of
from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_json
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    FormatError,
    Input,
    Measurement,
    Omission,
    Problem,
    Result,
    as_object,
    benchmark_metric,
    chunked,
    described,
    number_or_none,
    numbers_in,
    parse_time,
    read_name,
    read_number_or_text,
    read_number_text,
    read_text,
    rejection,
    with_parameters,
)
from perf_assets.formats.recognition import telling_head
from perf_assets.formats.text import read_lines
from perf_assets.formats.text_tables import BrokenLine, Header, Row, read_csv, read_header

_UNITS = {"i/s": "1/s", "items_per_second": "1/s", "b/s": "B/s", "bytes_per_second": "B/s"}
_REPOSITORY = re.compile(r"(?:\w+://[^/]+/)?(?P<name>[^/]+/[^/]+?)(?:\.git)?/?")
_HISTORY = ["commit_time", "result_id", "commit_hash", "svs"]
_SAID = re.compile(r"# (?P<name>[\w ()]+): (?P<value>.*)")


def _recognises(head: Head) -> bool:
    return _is_history(head) or _is_flat(head) or any(_has_results(head, before) for before in ("", "[].", "data[]."))


def _has_results(head: Head, before: str) -> bool:
    told = any(head.has(f"{before}{name}") for name in ("stats.data", "stats.mean", "error"))
    # In the first versions the run was part of the statistics.
    run = any(head.has(f"{before}{place}timestamp", f"{before}{place}batch_id") for place in ("", "stats."))
    return told and run and head.has(f"{before}tags.name")


def _is_history(head: Head) -> bool:
    table = next((line for line in head.lines if not line.startswith("#")), "")
    return "conbench" in head.text[:2_000] and table.split(",")[:4] == _HISTORY


def _is_flat(head: Head) -> bool:
    names = next(csv.reader([head.first_line]), []) if "tags.name" in head.first_line else []
    return {"tags.name", "run_id"} <= set(names) and any(name.startswith("stats.") for name in names)


def _read(source: Input) -> Iterator[Chunk]:
    head = telling_head(source.path, source.name, _recognises)
    if _is_history(head):
        return chunked(_history(source))
    if _is_flat(head):
        return chunked(repetitions_merged(_flat(source)))
    patterns = ["data[]", "[]"] if _has_results(head, "data[].") else ["[]", ""]
    return chunked(repetitions_merged(results_of(source, patterns, lambda record: _listed(source, record))))


def _listed(source: Input, record: Record) -> Iterator[Result]:
    return _result(source, record.path or "whole file", record.value)


def _flat(source: Input) -> Iterator[Result]:
    header = read_header(source.path, source.name)
    for row in read_csv(source.path, header):
        if isinstance(row, BrokenLine):
            yield rejection(f"line {row.line}", "", Problem(row.reason, row.problem), row.fragment)
        else:
            fields = _nested(header, row)
            yield from guarded(f"line {row.line}", fields, _result(source, f"line {row.line}", fields))


def _nested(header: Header, row: Row) -> dict[str, Any]:
    """A row as the result that it was made of: a column `stats.mean` is a field of `stats`."""
    fields: dict[str, Any] = {}
    for column, text in zip(header.names, row.fields, strict=True):
        *outer, name = column.split(".", 1)
        place = fields.setdefault(outer[0], {}) if outer else fields
        if isinstance(place, dict) and text:
            place[name] = _plain(text) if outer and outer[0] in ("stats", "error", "validation") else text
    return fields


def _plain(text: str) -> object:
    """What a field was before it became text."""
    try:
        return read_json(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def _result(source: Input, path: str, fields: dict[str, Any]) -> Iterator[Result]:
    stats, validation = as_object(fields.get("stats")), as_object(fields.get("validation"))
    if fields.get("error") or _is_incomplete(stats) or ("stats" in fields and not stats):
        yield Omission("errored")
    elif validation.get("success") is False:
        yield Omission("failed")
    else:
        yield _measurement(source, path, fields, stats)


def _is_incomplete(stats: dict[str, Any]) -> bool:
    """Whether there are no data, or an iteration without any, which Conbench takes for an error."""
    data = stats.get("data")
    if not isinstance(data, list):
        return False
    return any(each is None or each != each for each in data) or (not data and stats.get("mean") is None)


def _measurement(source: Input, path: str, fields: dict[str, Any], stats: dict[str, Any]) -> Measurement:
    unit = read_text(stats.get("unit"))
    if unit is None:
        raise BrokenFieldError("stats.unit", Problem("wrong_type", "expected a unit as text"))
    unit = _UNITS.get(unit, unit)
    machine = as_object(fields.get("machine_info") or fields.get("cluster_info") or fields.get("hardware"))
    commit = as_object(fields.get("github") or fields.get("commit"))
    context = as_object(fields.get("context"))
    fields = {name: stats[name] for name in ("timestamp", "run_id", "batch_id") if name in stats} | fields
    own, committed = (parse_time(each.get("timestamp"), source.zone) for each in (fields, commit))
    return Measurement(
        location=path,
        metric=benchmark_metric(unit),
        raw_value=_value(stats),
        raw_unit=unit,
        ts=own or committed,
        time_source="commit" if own is None and committed is not None else "result",
        project=_repository(commit.get("repository") or fields.get("commit_repo_url")),
        run_key=read_text(fields.get("run_id")),
        test_name=_test_name(as_object(fields.get("tags"))),
        test_type="benchmark",
        node_id=read_text(machine.get("name")),
        branch=_branch(commit),
        commit_id=read_text(commit.get("commit")) or read_text(commit.get("sha")) or read_text(commit.get("hash")),
        raw_spread=number_or_none(read_number_or_text(stats.get("stdev"))),
        raw_replicates=_replicates(stats.get("data")),
        tags=described(
            {
                "os": read_text(machine.get("os_name")),
                "arch": read_text(machine.get("architecture_name")),
                "runtime": read_text(context.get("benchmark_language")),
            }
        ),
        context=described(
            {
                **{name: fields.get(name) for name in ("run_name", "run_reason", "run_tags", "batch_id", "info")},
                "context": context,
                "iterations": stats.get("iterations"),
            }
        ),
    )


def _value(stats: dict[str, Any]) -> float:
    """The mean; Conbench works it out where it is not told."""
    field, mean = "stats.mean", read_number_or_text(stats.get("mean"))
    if stats.get("mean") is None and isinstance(stats.get("data"), list):
        numbers = [read_number_or_text(each) for each in stats["data"]]
        broken = next((number for number in numbers if isinstance(number, Problem)), None)
        field, mean = "stats.data", broken or _mean([number for number in numbers if isinstance(number, float)])
    mean = not_negative(mean, "a duration or rate")
    if isinstance(mean, Problem):
        raise BrokenFieldError(field, mean)
    return mean


def _mean(numbers: list[float]) -> float | Problem:
    try:
        return fmean(numbers)
    except OverflowError:
        return Problem("not_finite", "their sum is too large a number")


def _replicates(data: object) -> tuple[float, ...] | None:
    return numbers_in([read_number_or_text(each) for each in data]) if isinstance(data, list) else None


def _test_name(tags: dict[str, Any]) -> str:
    name = read_name(tags.get("name"))
    if isinstance(name, Problem):
        raise BrokenFieldError("tags.name", name)
    others = {key: tags[key] for key in sorted(tags) if key not in ("name", "id") and tags[key] is not None}
    texts = {key: each if isinstance(each, str) else json.dumps(each, sort_keys=True) for key, each in others.items()}
    full_name = read_name(with_parameters(name, texts))
    if isinstance(full_name, Problem):
        raise BrokenFieldError("tags", full_name)
    return full_name


def _repository(written: object) -> str | None:
    text = read_text(written)
    found = _REPOSITORY.fullmatch(text.strip()) if text else None
    return found["name"] if found else text


def _branch(commit: dict[str, Any]) -> str | None:
    """The branch, which may have its owner before it."""
    written = read_text(commit.get("branch"))
    if written is not None:
        return written.rpartition(":")[2] or None
    number = commit.get("pr_number")
    return f"pull/{number}" if isinstance(number, int | str) and number else None


def _history(source: Input) -> Iterator[Result]:
    said: dict[str, str] = {}
    for number, line in read_lines(source.path):
        found = _SAID.fullmatch(line)
        if found:
            said[found["name"]] = found["value"].strip()
        elif not line.startswith("#"):
            yield from _rows_of_history(source, said, Header(tuple(line.split(",")), ",", number))
            return


def _rows_of_history(source: Input, said: dict[str, str], header: Header) -> Iterator[Result]:
    name, case = read_name(said.get("benchmark name")), said.get("case permutation", "")
    if isinstance(name, Problem):
        raise FormatError("missing_identity", f"{source.name}: no line `# benchmark name:`; download the file again")
    test_name = f"{name}[{','.join(sorted(case.split(', ')))}]" if "=" in case else name
    for row in read_csv(source.path, header):
        place = f"line {row.line}"
        if isinstance(row, BrokenLine):
            yield rejection(place, "", Problem(row.reason, row.problem), row.fragment)
            continue
        fields = dict(zip(header.names, row.fields, strict=True))
        ts = parse_time(fields.get("commit_time"), source.zone)
        if ts is None:
            problem = Problem("bad_time", "expected the time of the commit in ISO 8601")
            yield rejection(place, "commit_time", problem, fields)
            continue
        value = read_number_text(fields.get("svs"))
        if isinstance(value, Problem):
            yield rejection(place, "svs", value, fields)
            continue
        yield Measurement(
            location=f"{place}, svs",
            metric="benchmark_value",
            raw_value=value,
            raw_unit="",
            ts=ts,
            time_source="commit",
            run_key=read_text(fields.get("result_id")),
            test_name=test_name,
            test_type="benchmark",
            node_id=read_text(said.get("hardware hash")),
            commit_id=read_text(fields.get("commit_hash")),
            context=described({"min": fields.get("min"), "timeseries": said.get("timeseries fingerprint")}),
        )


FORMAT = Format("conbench", _recognises, _read)
