"""What formats of tests and benchmarks share: repetitions as one measurement, and the run that properties tell of.

Does not belong here: what the fields of any one format mean.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from math import hypot, sqrt
from statistics import median
from typing import Any, NamedTuple

from perf_assets.formats.json_records import Document, Record, read_documents
from perf_assets.formats.measurement import (
    Input,
    Measurement,
    Problem,
    Rejection,
    Result,
    as_object,
    read_attempt,
    read_text,
    rejection,
)

MOST_HELD = 50_000
"""Values held while repetitions of them may follow; in a larger file distant repetitions stay apart."""
MOST_PROPERTIES = 20
"""Java's system properties are hundreds a suite."""


def repetitions_merged(results: Iterable[Result], most_held: int = MOST_HELD) -> Iterator[Result]:
    """One measurement for all of one series and run: their median, all of them (or their replicates) as replicates, and
    the root mean square of their spreads.

    Measurements come in the order in which each was seen first.
    """
    held: OrderedDict[object, list[Measurement]] = OrderedDict()
    count = 0
    for result in results:
        if not isinstance(result, Measurement):
            yield result
            continue
        held.setdefault(_series_and_run(result), []).append(result)
        count += 1
        while count > most_held:
            _, repetitions = held.popitem(last=False)
            count -= len(repetitions)
            yield _one(repetitions)
    yield from map(_one, held.values())


def _series_and_run(row: Measurement) -> object:
    run = (row.project, row.run_key, row.attempt, row.branch)
    test = (row.test_name, row.test_type, row.benchmark_version)
    return (run, test, row.metric, row.raw_unit, row.node_id, row.node_type, row.tags)


def _one(repetitions: list[Measurement]) -> Measurement:
    first = repetitions[0]
    if len(repetitions) == 1:
        return first
    spreads = [one.raw_spread for one in repetitions if one.raw_spread is not None]
    return replace(
        first,
        raw_value=median(one.raw_value for one in repetitions),
        raw_replicates=tuple(chain.from_iterable(one.raw_replicates or (one.raw_value,) for one in repetitions)),
        raw_spread=hypot(*spreads) / sqrt(len(spreads)) if spreads else None,
    )


def not_negative(number: float | Problem, what: str = "a duration") -> float | Problem:
    """`number`, or the problem that `what` cannot be negative."""
    if isinstance(number, float) and number < 0:
        return Problem("impossible_value", f"{what} cannot be negative")
    return number


class RunProperties(NamedTuple):
    """What properties say of the run, and the first MOST_PROPERTIES of the others."""

    run_key: str | None
    attempt: int
    branch: str | None
    commit_id: str | None
    ci_job_id: str | None
    run_url: str | None
    others: dict[str, str]


_MEANING = {
    "run_key": (
        "run_id", "ci_run_id", "cicd_pipeline_run_id", "github_run_id", "ci_pipeline_id", "build_tag", "build_buildid",
        "buildkite_build_id", "circle_workflow_id", "travis_build_id",
    ),
    "attempt": ("github_run_attempt",),
    "branch": (
        "branch", "branch_name", "git_branch", "vcs_branch", "vcs_ref_head_name", "github_ref_name", "github_ref",
        "ci_commit_branch", "ci_commit_ref_name", "build_sourcebranch", "build_sourcebranchname", "buildkite_branch",
        "circle_branch", "travis_branch", "bitbucket_branch",
    ),
    "commit_id": (
        "commit", "commit_id", "commit_hash", "commit_sha", "git_commit", "git_commit_id", "git_commit_sha", "git_hash",
        "git_sha", "vcs_ref", "vcs_commit", "vcs_commit_id", "vcs_revision", "vcs_ref_head_revision", "github_sha",
        "ci_commit_sha", "build_sourceversion", "build_vcs_number", "buildkite_commit", "circle_sha1", "travis_commit",
        "bitbucket_commit",
    ),
    "ci_job_id": ("ci_job_id", "github_job", "buildkite_job_id", "circle_workflow_job_id", "travis_job_id"),
    "run_url": (
        "run_url", "build_url", "cicd_pipeline_run_url_full", "ci_pipeline_url", "buildkite_build_url",
        "circle_build_url", "travis_build_web_url",
    ),
}  # fmt: skip
_FIELD = {name: field for field, names in _MEANING.items() for name in names}
_BETWEEN_WORDS = re.compile(r"[.\-_ ]+")
_BEFORE_BRANCH = re.compile(r"^(refs/heads/|origin/)+")


def run_properties(properties: Mapping[str, str]) -> RunProperties:
    """What the names that CI servers and build tools give to commit, branch and run mean, however they are written."""
    return _run_properties(tuple(properties.items()))


# The tests of a suite have its properties in common.
@lru_cache(maxsize=16)
def _run_properties(properties: tuple[tuple[str, str], ...]) -> RunProperties:
    known: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, value in properties:
        field = _FIELD.get(_BETWEEN_WORDS.sub("_", name.lower()))
        text = read_text(value)
        if text is not None and field is not None:
            known.setdefault(field, text.strip())
        elif text is not None and len(others) < MOST_PROPERTIES:
            others[name] = text
    number = known.get("attempt", "")
    attempt = read_attempt(int(number)) if number.isascii() and number.isdecimal() and len(number) < 10 else 1
    return RunProperties(
        run_key=known.get("run_key"),
        attempt=1 if isinstance(attempt, Problem) else attempt,
        branch=_BEFORE_BRANCH.sub("", known.get("branch", "")) or None,
        commit_id=known.get("commit_id"),
        ci_job_id=known.get("ci_job_id"),
        run_url=known.get("run_url"),
        others=others,
    )


def records_with(document: Document, needed: str) -> Iterator[Record | Rejection]:
    """The records of `document`; all are rejected where it breaks off before the member `needed`, which stands beside
    them and tells their run.
    """
    lost = document.damaged and needed not in as_object(document.root)
    problem = Problem("missing_time", f"`{needed}`, which tells the run, lies behind the break of the file")
    for record in document.records:
        if lost and isinstance(record, Record):
            yield rejection(record.path, needed, problem, record.value)
        else:
            yield record


def read_companion(source: Input, role: str) -> Any:
    """The JSON of a file that describes `source`; None where there is none that can be read."""
    file = source.companions.get(role)
    if file is None:
        return None
    documents = read_documents(file, f"{role} of {source.name}", "")
    values = (record.value for document in documents for record in document.records if isinstance(record, Record))
    return next(values, None)
