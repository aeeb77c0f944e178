"""Jenkins: a build, or a job with its `builds` or `allBuilds` (remote access API); the stages of a pipeline (wfapi).

Series: the job's full name as project and test; `build_time` of a build (test type `build`), on the node `builtOn`;
`job / stage` for `step_duration` (test type `step`), on `execNode`. `queue_wait_time` is that of the Metrics plugin for
builds (test type `build`) and that of wfapi for pipelines (test type `pipeline`), which measure it differently. Value:
in ms as Jenkins has it; of a stage without its pauses, in which it waits for somebody. Time: `timestamp` or
`startTimeMillis`, by Jenkins' clock. Run: the job and the number of the build; each run is its first attempt, for
Jenkins gives a rerun a number of its own.

What is still being built has duration 0 and is left out; a build that has ended with duration 0 is rejected. Failed and
unstable results are counted as failed, aborted and not executed ones as skipped. Of several stages of one name in a
build the second is called `name (2)`, and so on. Branch and commit are those of the Git plugin, where there is one
commit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from perf_assets.formats.ci_runs import (
    BrokenFieldError,
    duration_in,
    guarded,
    identifier_in,
    name_in,
    objects_in,
    omission_of,
    path_of,
    place_in,
    results_of,
    time_in,
    told_apart,
    word_in,
)
from perf_assets.formats.head import Head
from perf_assets.formats.measurement import (
    Format,
    Input,
    Measurement,
    Omission,
    Outcome,
    Problem,
    Result,
    as_object,
    chunked,
    described,
    number_or_none,
    read_name,
    read_text,
)
from perf_assets.formats.recognition import telling_head

_FOLDERS = re.compile(r"/job/([^/]+)")
_REMOTE = re.compile(r"^(refs/)?(remotes/|heads/)?(origin/)?")
_NO_BRANCH = "detached"
_OUTCOMES: dict[str, Outcome] = {
    "failure": "failed",
    "failed": "failed",
    "unstable": "failed",
    "aborted": "skipped",
    "not_built": "skipped",
    "not_executed": "skipped",
}
_LISTS = ("allBuilds", "builds")


def _is_builds(head: Head) -> bool:
    places = ("", *(f"{name}[]." for name in _LISTS))
    fields = (("building", "result", "timestamp"), ("number", "result", "timestamp", "duration"))
    return any(head.has(*(place + field for field in some)) for place in places for some in fields)


def _is_stages(head: Head) -> bool:
    return any(
        head.has(*(place + field for field in ("_links.self.href", "startTimeMillis", "stages", "status")))
        for place in ("", "[].")
    )


def _builds(source: Input) -> Iterator[Result]:
    return results_of(source, [_pattern(source)], lambda record: _build(source, record.path, record.value))


def _pattern(source: Input) -> str:
    head = telling_head(source.path, source.name, _is_builds)
    return next((f"{name}[]" for name in _LISTS if name in head.json_paths), "")


def _stages(source: Input) -> Iterator[Result]:
    return results_of(source, ["[]", ""], lambda record: _pipeline(source, record.path, record.value))


def _build(source: Input, path: str, build: Mapping[str, Any]) -> Iterator[Result]:
    # Where only some fields were asked for, a result tells that the build has ended.
    if build.get("building", False) is not False or word_in(build, "result") == "":
        return
    outcome = _OUTCOMES.get(word_in(build, "result"))
    if outcome is not None:
        yield Omission(outcome)
        return
    job = _job_of(read_text(build.get("url")), "url")
    branch, commit_id = built_from(build)
    measured = Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="ms",
        ts=time_in(build, "timestamp", source.zone),
        project=job,
        run_key=f"{job}#{identifier_in(build, 'number')}",
        test_name=job,
        test_type="build",
        node_id=read_text(build.get("builtOn")),
        branch=branch,
        commit_id=commit_id,
        run_url=read_text(build.get("url")),
    )
    duration = duration_in(build, "duration")
    if duration == 0:
        raise BrokenFieldError("duration", Problem("missing_value", "0, which is that of a build that still runs"))
    yield replace(measured, location=place_in(path, "duration"), metric="build_time", raw_value=duration)
    for number, action in enumerate(objects_in(build, "actions")):
        if action.get("queuingDurationMillis") is not None:
            place = place_in(path, f"actions[{number}]")
            yield from guarded(place, action, _wait(place, action, "queuingDurationMillis", measured))


def _pipeline(source: Input, path: str, run: Mapping[str, Any]) -> Iterator[Result]:
    href = read_text(as_object(as_object(run.get("_links")).get("self")).get("href"))
    job = _job_of(href, "_links.self.href")
    measured = Measurement(
        location="",
        metric="",
        raw_value=0.0,
        raw_unit="ms",
        project=job,
        run_key=f"{job}#{identifier_in(run, 'id')}",
        test_name=job,
        test_type="pipeline",
    )
    if word_in(run, "status") == "success" and run.get("queueDurationMillis") is not None:
        yield from guarded(path, run, _pipeline_wait(source, path, run, measured))
    names: Counter[tuple[object, ...]] = Counter()
    for number, stage in enumerate(objects_in(run, "stages")):
        place = place_in(path, f"stages[{number}]")
        yield from guarded(place, stage, _stage(source, place, stage, measured, names))


def _pipeline_wait(source: Input, path: str, run: Mapping[str, Any], measured: Measurement) -> Iterator[Result]:
    measured = replace(measured, ts=time_in(run, "startTimeMillis", source.zone))
    yield from _wait(path, run, "queueDurationMillis", measured)


def _wait(path: str, fields: Mapping[str, Any], field: str, measured: Measurement) -> Iterator[Result]:
    waited = duration_in(fields, field)
    yield replace(measured, location=place_in(path, field), metric="queue_wait_time", raw_value=waited)


def _stage(
    source: Input, path: str, stage: Mapping[str, Any], measured: Measurement, names: Counter[tuple[object, ...]]
) -> Iterator[Result]:
    name = told_apart(names, name_in(stage, "name"))
    yield from omission_of(word_in(stage, "status"), _OUTCOMES)
    if word_in(stage, "status") != "success":
        return
    paused = number_or_none(stage.get("pauseDurationMillis")) or 0.0
    duration = duration_in(stage, "durationMillis") - paused
    if duration < 0:
        raise BrokenFieldError("pauseDurationMillis", Problem("impossible_value", "is longer than the stage"))
    yield replace(
        measured,
        location=f"{path}.durationMillis",
        metric="step_duration",
        raw_value=duration,
        ts=time_in(stage, "startTimeMillis", source.zone),
        test_name=path_of("name", measured.test_name or "", name),
        test_type="step",
        node_id=read_text(stage.get("execNode")),
        context=described({"paused_ms": paused or None}),
    )


def _job_of(address: str | None, field: str) -> str:
    """The full name of the job, folders included, that an address leads to."""
    try:
        path = urlsplit(address or "").path
    except ValueError:
        path = ""
    name = read_name("/".join(unquote(part) for part in _FOLDERS.findall(path)))
    if isinstance(name, Problem):
        raise BrokenFieldError(field, Problem("missing_identity", "expected an address of a job, as /job/name/1/"))
    return name


def built_from(build: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Branch and commit that the Git plugin names; None where it names none or several. Raises BrokenFieldError."""
    commit = _commit(build)
    return _branch(commit), read_text(commit.get("SHA1"))


def _commit(build: Mapping[str, Any]) -> dict[str, Any]:
    """What the Git plugin says was built, where all its actions say the same."""
    found = [as_object(action.get("lastBuiltRevision")) for action in objects_in(build, "actions")]
    commits = [commit for commit in found if commit]
    return commits[0] if commits and all(commit == commits[0] for commit in commits) else {}


def _branch(commit: Mapping[str, Any]) -> str | None:
    names = [read_text(branch.get("name")) for branch in objects_in(commit, "branch")]
    if len(names) != 1 or names[0] is None or names[0] == _NO_BRANCH:
        return None
    return _REMOTE.sub("", names[0]) or None


BUILDS = Format("jenkins-builds", _is_builds, lambda source: chunked(_builds(source)))
STAGES = Format("jenkins-stages", _is_stages, lambda source: chunked(_stages(source)))
