"""Scenario runs as the scale-test dashboard answers them: a list of runs, or `{"results": [...]}`; several answers
(pages) may follow one another.

Series: the scenario and one of five metrics. Value and unit: `overmindDurationMs` in ms, the others are counts. The
producer writes 0 for missing: 0 in duration, nodes or edges is no measurement. Time: the run's own where it carries
one, else the time of receipt. Run: `runId` and attempt, else a hash of the run's fields and an ordinal among equals,
so that the same answer read twice is the same runs. Repetitions: none; equal runs stay apart. All other fields are kept
as context. The format tells no failed runs; a run without scenario, or whose time is none, is rejected, and so is a
field that is no number, the others being read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from perf_assets.formats.head import Head
from perf_assets.formats.json_records import Record, read_documents
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    Input,
    Measurement,
    Problem,
    Rejection,
    as_json,
    chunked,
    digest_of,
    parse_time,
    read_attempt,
    read_name,
    read_number,
    read_text,
    rejection,
)

PROJECT = "scenario-runs"


class _Field(NamedTuple):
    name: str
    metric: str
    unit: str
    zero_is_missing: bool


_FIELDS = (
    _Field("overmindDurationMs", "scenario_duration", "ms", True),
    _Field("blastRadiusNodes", "blast_radius_nodes", "{node}", True),
    _Field("blastRadiusEdges", "blast_radius_edges", "{edge}", True),
    _Field("observations", "observations", "{observation}", False),
    _Field("riskCount", "risk_count", "{risk}", False),
)
_TIME_FIELDS = ("timestamp", "startedAt", "started_at", "createdAt", "created_at", "completedAt", "time", "date")
_ATTEMPT_FIELDS = ("attempt", "runAttempt", "run_attempt")
_NO_RUNS = re.compile(r'\[\s*\]\s*$|\{\s*"results"\s*:\s*\[\s*\]')


def _recognises(head: Head) -> bool:
    if any(head.has(f"{place}scenario") for place in ("results[].", "[].")):
        return any(head.has(place + field.name) for place in ("results[].", "[].") for field in _FIELDS)
    return _NO_RUNS.match(head.text) is not None


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Measurement | Rejection]:
    seen: Counter[str] = Counter()
    for document in read_documents(source.path, source.name, "[]", "results[]"):
        for record in document.records:
            if isinstance(record, Rejection):
                yield record
            else:
                yield from _run(source, record, seen)


def _run(source: Input, record: Record, seen: Counter[str]) -> Iterator[Measurement | Rejection]:
    fields = record.value
    if not isinstance(fields, dict):
        yield rejection(record.path, "", Problem("wrong_type", "expected an object"), fields)
        return
    scenario = read_name(fields.get("scenario"))
    if isinstance(scenario, Problem):
        yield rejection(record.path, "scenario", scenario, fields)
        return
    own_time = next((fields[name] for name in _TIME_FIELDS if fields.get(name) not in (None, "", 0)), None)
    ts = None if own_time is None else parse_time(own_time, source.zone)
    if own_time is not None and ts is None:
        yield rejection(record.path, "timestamp", Problem("bad_time", "expected ISO 8601 or epoch time"), fields)
        return
    attempt_field = next((name for name in _ATTEMPT_FIELDS if fields.get(name) is not None), _ATTEMPT_FIELDS[0])
    attempt = read_attempt(fields.get(attempt_field))
    if isinstance(attempt, Problem):
        yield rejection(record.path, attempt_field, attempt, fields)
        return
    measured = {field.name for field in _FIELDS}
    context = as_json({key: value for key, value in fields.items() if key not in measured})
    run_key = _run_key(fields, seen)
    for field in _FIELDS:
        number = _value(fields, field)
        if isinstance(number, Problem):
            yield rejection(record.path, field.name, number, fields)
        elif number is not None:
            yield Measurement(
                location=f"{record.path}.{field.name}",
                metric=field.metric,
                raw_value=number,
                raw_unit=field.unit,
                ts=ts,
                project=PROJECT,
                run_key=run_key,
                attempt=attempt,
                test_name=scenario,
                test_type="scenario",
                run_url=read_text(fields.get("workflowRunUrl")),
                context=context,
            )


def _value(fields: dict[str, object], field: _Field) -> float | Problem | None:
    """The number in a field; None where nothing was measured."""
    value = fields.get(field.name)
    if value is None:
        return None
    number = read_number(value)
    if isinstance(number, Problem):
        return number
    if number < 0:
        return Problem("impossible_value", "a count or duration cannot be negative")
    return None if number == 0 and field.zero_is_missing else number


def _run_key(fields: dict[str, object], seen: Counter[str]) -> str:
    own = fields.get("runId")
    run_id = read_text(str(own)) if isinstance(own, str | int) and not isinstance(own, bool) else None
    if run_id is not None:
        return run_id
    digest = digest_of(fields)
    seen[digest] += 1
    return f"{digest}#{seen[digest]}"


FORMAT = Format("scenario-runs", _recognises, _read)
