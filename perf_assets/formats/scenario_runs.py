"""Scenario runs as the scale-test dashboard answers them: a list of runs, or `{"results": [...]}`; several answers
(pages) may follow one another.

Series: the scenario and one of five metrics. Value and unit: `overmindDurationMs` in ms, the others are counts. The
producer writes 0 for missing: 0 in duration, nodes or edges is no measurement. Time: the run's own where it carries
one, else the time of receipt. Run: `runId` and attempt, else a hash of the run's fields and an ordinal among equals,
so that the same answer read twice is the same runs. All other fields are kept as context.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from perf_assets.formats.json_stream import damage_rejection, read_characters, read_json
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    FormatError,
    Input,
    Measurement,
    Problem,
    Rejection,
    TimeSource,
    as_chunk,
    as_json,
    parse_time,
    read_attempt,
    read_number,
    read_text,
    rejection,
)

PROJECT = "scenario-runs"


class _Field(NamedTuple):
    name: str
    metric: str
    unit: str
    raw_unit: str
    factor: float
    zero_is_missing: bool


_FIELDS = (
    _Field("overmindDurationMs", "scenario_duration", "s", "ms", 1e-3, True),
    _Field("blastRadiusNodes", "blast_radius_nodes", "{node}", "{node}", 1.0, True),
    _Field("blastRadiusEdges", "blast_radius_edges", "{edge}", "{edge}", 1.0, True),
    _Field("observations", "observations", "{observation}", "{observation}", 1.0, False),
    _Field("riskCount", "risk_count", "{risk}", "{risk}", 1.0, False),
)
_TIME_FIELDS = ("timestamp", "startedAt", "started_at", "createdAt", "created_at", "completedAt", "time", "date")
_ATTEMPT_FIELDS = ("attempt", "runAttempt", "run_attempt")


_NO_RUNS = re.compile(rb'\[\s*\]|\{\s*"results"\s*:\s*\[\s*\]')


class _Run(NamedTuple):
    """What the measurements of one run have in common."""

    place: str
    ts: datetime
    time_source: TimeSource
    run_key: str
    attempt: int
    scenario: str
    url: str | None
    context: str


def _recognises(head: bytes, name: str) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] not in (b"[", b"{"):
        return False
    named = b'"scenario"' in head and any(f'"{field.name}"'.encode() in head for field in _FIELDS)
    return named or _NO_RUNS.match(text) is not None


def _read(source: Input) -> Iterator[Chunk]:
    text = read_characters(source.path).rstrip()
    seen: Counter[str] = Counter()
    position, page = 0, 0
    while position < len(text):
        answer, position, damage = read_json(text, position)
        runs = answer.get("results") if isinstance(answer, dict) else answer
        place = ".".join([f"page[{page}]"] * (page > 0) + ["results"] * isinstance(answer, dict))
        if isinstance(runs, list):
            if damage is not None and damage.path.startswith(
                f"{'results' * isinstance(answer, dict)}[{len(runs) - 1}]"
            ):
                runs.pop()  # Half a run would be another run.
            yield _runs(source, place, runs, seen)
        elif damage is None:
            expected = 'expected a list of runs or {"results": [...]}'
            if page == 0:
                raise FormatError("wrong_type", f"{source.name}, {place or 'whole file'}: {expected}", place)
            yield as_chunk([], [rejection(f"page[{page}]", "", Problem("wrong_type", expected), answer)])
        if damage is not None:
            yield as_chunk([], [damage_rejection(source.name, text, f"page[{page}]." if page else "", damage)])
            return
        page += 1


def _runs(source: Input, place: str, runs: list[object], seen: Counter[str]) -> Chunk:
    measurements: list[Measurement] = []
    rejections: list[Rejection] = []
    for index, fields in enumerate(runs):
        where = f"{place}[{index}]"
        if not isinstance(fields, dict):
            rejections.append(rejection(where, "", Problem("wrong_type", "expected an object"), fields))
            continue
        run = _run(source, where, fields, seen)
        if isinstance(run, Rejection):
            rejections.append(run)
            continue
        for result in _results(run, fields):
            if isinstance(result, Measurement):
                measurements.append(result)
            else:
                rejections.append(result)
    return as_chunk(measurements, rejections)


def _run(source: Input, where: str, fields: dict[str, object], seen: Counter[str]) -> _Run | Rejection:
    scenario = read_text(fields.get("scenario"))
    if scenario is None:
        problem = Problem("missing_identity", "a run needs its scenario's name in UTF-8")
        return rejection(where, "scenario", problem, fields)
    own_time = next((fields[name] for name in _TIME_FIELDS if fields.get(name) not in (None, "", 0)), None)
    ts = source.received_at if own_time is None else parse_time(own_time)
    if ts is None:
        return rejection(where, "timestamp", Problem("bad_time", "expected ISO 8601 or epoch time"), fields)
    attempt_field = next((name for name in _ATTEMPT_FIELDS if fields.get(name) is not None), _ATTEMPT_FIELDS[0])
    attempt = read_attempt(fields.get(attempt_field))
    if isinstance(attempt, Problem):
        return rejection(where, attempt_field, attempt, fields)
    measured = {field.name for field in _FIELDS}
    return _Run(
        place=where,
        ts=ts,
        time_source="receipt" if own_time is None else "result",
        run_key=_run_key(fields, seen),
        attempt=attempt,
        scenario=scenario,
        url=read_text(fields.get("workflowRunUrl")),
        context=as_json({key: value for key, value in fields.items() if key not in measured}),
    )


def _results(run: _Run, fields: dict[str, object]) -> Iterator[Measurement | Rejection]:
    for field in _FIELDS:
        value = fields.get(field.name)
        if value is None:
            continue
        number = read_number(value)
        if not isinstance(number, Problem) and number < 0:
            number = Problem("impossible_value", "a count or duration cannot be negative")
        if isinstance(number, Problem):
            yield rejection(run.place, field.name, number, fields)
        elif number != 0 or not field.zero_is_missing:
            yield Measurement(
                location=f"{run.place}.{field.name}",
                ts=run.ts,
                time_source=run.time_source,
                project=PROJECT,
                metric=field.metric,
                unit=field.unit,
                value=number * field.factor,
                raw_value=number,
                raw_unit=field.raw_unit,
                run_key=run.run_key,
                attempt=run.attempt,
                test_name=run.scenario,
                test_type="scenario",
                run_url=run.url,
                context=run.context,
            )


def _run_key(fields: dict[str, object], seen: Counter[str]) -> str:
    own = fields.get("runId")
    run_id = read_text(str(own)) if isinstance(own, str | int) and not isinstance(own, bool) else None
    if run_id is not None:
        return run_id
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:24]
    seen[digest] += 1
    return f"{digest}#{seen[digest]}"


FORMAT = Format("scenario-runs", _recognises, _read)
