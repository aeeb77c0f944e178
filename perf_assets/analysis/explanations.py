"""Findings in words: what moved, with what, and whether code or environment is the cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from perf_assets.wording.findings import short_commit
from perf_assets.wording.quantities import counted, number

RUNNER_IMAGE = "runner_image"
"""The scope of series that went over to a new runner image, and moved when they did."""
ENVIRONMENT = "environment"
"""The same for another field of what results say of their environment; the name has the field and its new setting."""
COMMIT = "commit"
"""The scope of series of a project that changed at one commit, or at one run where commits are unknown."""
_TOO_GOOD = " Too good to be taken on trust: does the test still do its work?"


@dataclass(frozen=True)
class Beside:
    """Series of the project that changed when a finding did, besides its own: how many, and whether all of them at its
    commit or run."""

    series: int
    at_once: bool


def cause_of(row: Any) -> str:
    """`code`, `environment` or `unknown`, for a row as `explanation_of` takes it."""
    if row.same_commit or row.scope in (RUNNER_IMAGE, ENVIRONMENT, "node", "node_type"):
        return "environment"
    if row.scope == "test":
        return "code"
    if row.shifted:
        return "environment"
    known = not (pd.isna(row.last_good_commit) or pd.isna(row.first_bad_commit))
    return "code" if row.scope == COMMIT and known else "unknown"


def _others(row: Any) -> str:
    place = "run" if pd.isna(row.first_bad_commit) else "commit"
    if row.alone:
        return "No other series of its project is measured."
    if not row.beside.series:
        return "Only this series changed."
    when = f"at the same {place}" if row.beside.at_once else "at about the same time"
    begin = "finding begins" if row.findings == 1 else "findings begin"
    findings = f"; {number(row.findings)} other {begin} at that {place}" if row.findings else ""
    return f"{counted(row.beside.series, 'other series')} changed {when}{findings}."


def explanation_of(row: Any) -> str:
    """One or two sentences about a finding.

    `row`: a row of regressions with `peers` (series that could have moved), `shifted` (what changed in the environment,
    in words), `same_commit`, `alone` (its project has one series), `beside` (a Beside), `findings` (others that begin
    at its commit or run) and `suspicious`.
    """
    return _explanation(row) + (_TOO_GOOD if row.suspicious else "")


def _explanation(row: Any) -> str:
    same = (
        f"Both runs are of commit {short_commit(row.first_bad_commit)}: the code did not change, its environment did."
    )
    changed = ", ".join(row.shifted)
    details = f"; {changed}" if changed else ""
    together = counted(row.members, "series")
    if row.scope in (RUNNER_IMAGE, ENVIRONMENT):
        what = "runner image " if row.scope == RUNNER_IMAGE else ""
        return (
            f"{together} went over to {what}{row.scope_name} and moved together: the environment changed, "
            f"not one test{details}."
        )
    if row.scope == "node_type":
        return (
            f"{together} of node type {row.scope_name} moved together: the environment changed, not one test{details}."
        )
    if row.scope == "node":
        return f"{together} of node {row.scope_name} moved together and other nodes did not: the node changed{details}."
    if row.scope == "test":
        began = f"{row.scope_name} changed {row.reach} at one time".replace("  ", " ")
        nodes = ", not a node" if row.reach.startswith("on ") and " node" in row.reach else ""
        return f"{began}. {same}" if row.same_commit else f"{began}: its code changed{nodes}{details}."
    if row.scope == COMMIT:
        return _of_commit(row, same, details)
    sentences = [same if row.same_commit else "", _others(row), f"{changed}." if changed else ""]
    return " ".join(sentence for sentence in sentences if sentence)


def _of_commit(row: Any, same: str, details: str) -> str:
    part_of = f" {row.reach}" if row.reach else ""
    began = f"{number(row.members)} of {counted(row.peers, 'series')}{part_of} changed"
    if row.same_commit:
        return f"{began} at one time{details}. {same}"
    if pd.isna(row.first_bad_commit):
        return f"{began} at one time, about run {row.scope_name}{details}."
    reason = "the environment changed, not the code" if row.shifted else "the code changed, not one test"
    return f"{began} at commit {short_commit(row.scope_name)}: {reason}{details}."
