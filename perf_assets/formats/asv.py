"""airspeed velocity (asv): the result files of a results folder, `MACHINE/COMMIT-ENVIRONMENT.json`, versions 1 and 2.

Series: benchmark with its parameters (`sort.time_quick[n=10]`), its version, and the environment as asv tells graphs
apart: machine, processor (as type of node), operating system, architecture, and as runtime Python, requirements and
environment variables. Value and unit: `result` in the unit that benchmarks.json beside the machine's folder names, else
by asv's own rule: seconds for `time_` and `timeraw_`, bytes for `mem_` and `peakmem_`, none for `track_`. The spread is
half the confidence interval of 99 %, else half the distance of the quartiles. Repetitions: `samples` are the
replicates. Time: `date`, which is the commit's. Run: commit and environment, so that a file that grew adds what is new.

Results stand in the order of the product of the parameters, the last varying fastest. null is a benchmark that failed,
NaN one that was skipped, both are counted. A result that is no number, infinite, or negative where it is a time or
size, is rejected, the others are read. A result of another version than the benchmark has now is a series of its own. A
file whose machine is not that of machine.json beside it is rejected, as asv ignores it: whose results it holds is not
known. benchmarks.json and machine.json only describe and hold no results. Start and duration of runs are no values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple, TypeGuard

from perf_assets.catalog import canonical_unit
from perf_assets.formats.benchmark_rows import not_negative, read_companion, records_with
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
    benchmark_metric,
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
    storable,
    with_parameters,
)

_PATTERN = "results.*"
_OF_MACHINE = frozenset({"machine", "version", "arch", "cpu", "num_cpu", "os", "ram"})
_UNIT_BY_NAME = (
    (re.compile(r"(Time|Timeraw)[A-Z_]|time(raw)?_"), "seconds"),
    (re.compile(r"(Mem|PeakMem)[A-Z_]|(peak)?mem_"), "bytes"),
)


class _Run(NamedTuple):
    """A commit on a machine in an environment."""

    ts: datetime | None
    run_key: str
    commit_id: str | None
    node_id: str | None
    node_type: str | None
    tags: str | None
    context: str | None


class _Benchmark(NamedTuple):
    """A benchmark's results by the columns of version 2, each a list with one element for each case."""

    location: str
    name: str
    version: str | None
    unit: str
    param_names: list[str]
    columns: dict[str, Any]


def _recognises(head: Head) -> bool:
    if head.has("commit_hash", "results") and (head.has("requirements") or head.has("params.machine")):
        return True
    return _is_description(head)


def _is_description(head: Head) -> bool:
    """benchmarks.json or machine.json."""
    if head.has("machine", "version") and head.json_paths <= _OF_MACHINE:
        return True
    return all(any(path.endswith(end) for path in head.json_paths) for end in (".code", ".param_names", ".type"))


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Result]:
    benchmarks, machine = (as_object(read_companion(source, role)) for role in ("benchmarks", "machine"))
    for document in read_documents(source.path, source.name, _PATTERN):
        root = as_object(document.root)
        if "commit_hash" not in root:
            yield from (record for record in document.records if _is_damage(record))
            continue
        own_machine, expected = as_object(root.get("params")).get("machine"), machine.get("machine")
        if expected is not None and own_machine != expected:
            problem = Problem("missing_identity", f"expected {expected!r}, as in machine.json beside it")
            yield rejection("params", "machine", problem, own_machine)
            continue
        run = _run(source, root)
        for record in records_with(document, "date"):
            if isinstance(record, Rejection):
                yield record
            else:
                yield from _benchmark(run, root, as_object(benchmarks.get(str(record.keys[-1]))), record)


def _is_damage(record: Record | Rejection) -> TypeGuard[Rejection]:
    return isinstance(record, Rejection) and record.reason == "truncated"


def _run(source: Input, root: dict[str, Any]) -> _Run:
    machine = as_object(root.get("params"))
    commit = read_text(root.get("commit_hash"))
    runtime = _runtime(root)
    node = {name: read_text(machine.get(name)) for name in ("machine", "cpu", "os", "arch")}
    return _Run(
        ts=parse_time(root.get("date"), source.zone),
        run_key=digest_of("asv", commit, node, runtime),
        commit_id=commit,
        node_id=node["machine"],
        node_type=node["cpu"],
        tags=described({"os": node["os"], "arch": node["arch"], "runtime": runtime}),
        context=described(
            {"env_name": root.get("env_name"), "ram": machine.get("ram"), "num_cpu": machine.get("num_cpu")}
        ),
    )


def _runtime(root: dict[str, Any]) -> str:
    """Python, requirements and environment variables as text; a requirement without version is of any version."""
    requirements = {f"{name} {version or ''}".strip() for name, version in as_object(root.get("requirements")).items()}
    variables = {f"{name}={value}" for name, value in as_object(root.get("env_vars")).items()}
    python = read_text(str(root.get("python") or ""))
    return storable(", ".join([f"python {python}"] * bool(python) + sorted(requirements) + sorted(variables)))


def _benchmark(run: _Run, root: dict[str, Any], description: dict[str, Any], record: Record) -> Iterator[Result]:
    location = storable(record.path)
    name = read_name(record.keys[-1])
    if isinstance(name, Problem):
        yield rejection(location, "name", name, record.value)
        return
    names = root.get("result_columns")
    if isinstance(names, list) and isinstance(record.value, list):
        columns = dict(zip(map(str, names), record.value, strict=False))
        version = read_text(columns.get("version"))
    else:
        columns = _columns(record.value)
        version = read_text(as_object(root.get("benchmark_version")).get(name))
    if columns.get("result") is None:
        yield Omission("failed")
        return
    yield from _cases(
        run,
        _Benchmark(location, name, version, _unit(name, description), _param_names(description), columns),
    )


def _columns(value: Any) -> dict[str, Any]:
    """A result of version 1 by the columns of version 2."""
    columns: dict[str, Any] = dict(value) if isinstance(value, dict) else {"result": value}
    if not isinstance(columns.get("result"), list | None):
        columns["result"] = [columns["result"]]
    stats = columns.pop("stats", None)
    each = [as_object(found) for found in stats] if isinstance(stats, list) else []
    return columns | {
        "stats_ci_99_a": [_at(found.get("ci_99"), 0) for found in each],
        "stats_ci_99_b": [_at(found.get("ci_99"), 1) for found in each],
        "stats_q_25": [found.get("q_25") for found in each],
        "stats_q_75": [found.get("q_75") for found in each],
    }


def _unit(name: str, description: dict[str, Any]) -> str:
    told = read_text(description.get("unit"))
    if told is not None:
        # What asv calls a number whose unit nobody named.
        return "" if told == "unit" else told
    function = name.rpartition(".")[2]
    return next((unit for pattern, unit in _UNIT_BY_NAME if pattern.match(function)), "")


def _param_names(description: dict[str, Any]) -> list[str]:
    names = description.get("param_names")
    return [str(name) for name in names] if isinstance(names, list) else []


def _cases(run: _Run, benchmark: _Benchmark) -> Iterator[Result]:
    results, params = benchmark.columns["result"], benchmark.columns.get("params") or []
    if not isinstance(results, list) or not (
        isinstance(params, list) and all(isinstance(each, list) for each in params)
    ):
        problem = Problem("wrong_type", "expected a list of results, and a list of values for each parameter")
        yield rejection(benchmark.location, "result", problem, benchmark.columns)
        return
    if len(results) != math.prod(len(values) for values in params):
        problem = Problem("wrong_type", "expected one result for each combination of the parameters")
        yield rejection(benchmark.location, "result", problem, benchmark.columns)
        return
    # asv's own names for parameters without one.
    given = benchmark.param_names
    names = given if len(given) == len(params) else [f"param{number}" for number in range(1, len(params) + 1)]
    for index, values in enumerate(product(*params)):
        yield _case(run, benchmark, index, dict(zip(names, values, strict=True)))


def _case(run: _Run, benchmark: _Benchmark, index: int, parameters: dict[str, object]) -> Result:
    location = f"{benchmark.location}[{index}]" if parameters else benchmark.location
    result = benchmark.columns["result"][index]
    if result is None:
        return Omission("failed")
    if isinstance(result, float) and math.isnan(result):
        return Omission("skipped")
    name = read_name(with_parameters(benchmark.name, parameters))
    if isinstance(name, Problem):
        return rejection(location, "params", name, parameters)
    value = read_number(result)
    if canonical_unit(benchmark.unit).unit in ("s", "By"):
        value = not_negative(value, "a duration or size")
    if isinstance(value, Problem):
        return rejection(location, "result", value, result)
    return Measurement(
        location=location,
        metric=benchmark_metric(benchmark.unit),
        raw_value=value,
        raw_unit=benchmark.unit,
        ts=run.ts,
        time_source="commit",
        run_key=run.run_key,
        test_name=name,
        test_type="benchmark",
        benchmark_version=benchmark.version,
        node_id=run.node_id,
        node_type=run.node_type,
        commit_id=run.commit_id,
        raw_spread=_spread(benchmark.columns, index),
        raw_replicates=numbers_in(_at(benchmark.columns.get("samples"), index)),
        tags=run.tags,
        context=run.context,
    )


def _spread(columns: dict[str, Any], index: int) -> float | None:
    for low_column, high_column in (("stats_ci_99_a", "stats_ci_99_b"), ("stats_q_25", "stats_q_75")):
        low, high = (number_or_none(_at(columns.get(column), index)) for column in (low_column, high_column))
        if low is not None and high is not None:
            return abs(high - low) / 2
    return None


def _at(values: object, index: int) -> Any:
    return values[index] if isinstance(values, list) and index < len(values) else None


FORMAT = Format(
    "asv",
    _recognises,
    _read,
    companions={"benchmarks": "../benchmarks.json", "machine": "machine.json"},
)
