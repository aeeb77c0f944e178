"""Repetitions and the names of properties, as several formats share them."""

from __future__ import annotations

from typing import Any

import pytest

from perf_assets.formats.benchmark_rows import repetitions_merged, run_properties
from perf_assets.formats.measurement import Measurement, Omission, chunked


def row(name: str, value: float, **fields: Any) -> Measurement:
    return Measurement(location=f"{name} {value}", metric="m", raw_value=value, raw_unit="s", test_name=name, **fields)


def test_repetitions_are_one_measurement_where_the_first_stood() -> None:
    merged = list(repetitions_merged([row("a", 3.0), row("b", 7.0), row("a", 1.0), Omission("failed"), row("a", 8.0)]))
    assert merged[0] == Omission("failed")
    first, second = merged[1:]
    assert isinstance(first, Measurement)
    assert (first.location, first.raw_value, first.raw_replicates) == ("a 3.0", 3.0, (3.0, 1.0, 8.0))
    assert second == row("b", 7.0)


def test_replicates_and_spreads_of_repetitions_are_kept() -> None:
    rows = [row("a", 1.0, raw_replicates=(0.5, 1.5), raw_spread=3.0), row("a", 2.0, raw_spread=4.0), row("a", 6.0)]
    [merged] = repetitions_merged(rows)
    assert isinstance(merged, Measurement)
    assert (merged.raw_value, merged.raw_replicates) == (2.0, (0.5, 1.5, 2.0, 6.0))
    assert merged.raw_spread == pytest.approx((12.5) ** 0.5)


def test_what_becomes_infinite_is_no_measurement() -> None:
    rows = [row("a", 1.5e308, raw_spread=1e308), row("a", 1.7e308), row("b", 1.0)]
    [chunk] = chunked(repetitions_merged(rows))
    assert chunk.measurements["test_name"].to_pylist() == ["b"]
    assert [rejected.reason for rejected in chunk.rejections] == ["not_finite"]


@pytest.mark.parametrize("field", ["node_id", "tags", "branch", "run_key", "benchmark_version", "project"])
def test_results_of_different_series_or_runs_stay_apart(field: str) -> None:
    rows = [row("a", 1.0, **{field: "x"}), row("a", 2.0, **{field: "y"})]
    assert list(repetitions_merged(rows)) == rows


def test_no_more_values_are_held_than_told_and_none_is_lost() -> None:
    rows = [row(name, value) for value in (1.0, 2.0, 3.0) for name in "abc"]
    waiting = iter(rows)
    merged = repetitions_merged(waiting, 4)
    first = next(merged)
    assert len(list(waiting)) == 4
    found = list(repetitions_merged(rows, 4))
    assert found[0] == first
    values = [value for row in found for value in row.raw_replicates or (row.raw_value,)]
    assert sorted(values) == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    "name", ["git.commit", "GIT_COMMIT", "vcs.ref", "CI_COMMIT_SHA", "GITHUB_SHA", "git-commit-id"]
)
def test_a_commit_has_many_names(name: str) -> None:
    assert run_properties({name: " abc "}).commit_id == "abc"


@pytest.mark.parametrize(
    ("name", "value", "branch"),
    [
        ("GITHUB_REF", "refs/heads/feature/x", "feature/x"),
        ("GIT_BRANCH", "origin/main", "main"),
        ("CI_COMMIT_BRANCH", "main", "main"),
        ("GITHUB_REF", "refs/pull/5/merge", "refs/pull/5/merge"),
        ("branch", "refs/heads/", None),
    ],
)
def test_a_branch_is_named_without_its_place(name: str, value: str, branch: str | None) -> None:
    assert run_properties({name: value}).branch == branch


@pytest.mark.parametrize(
    ("written", "attempt"), [("3", 3), ("0", 1), ("x", 1), ("", 1), ("9" * 12, 1), ("9" * 9, 999_999_999), ("٣", 1)]
)
def test_an_attempt_that_cannot_be_is_the_first(written: str, attempt: int) -> None:
    assert run_properties({"GITHUB_RUN_ATTEMPT": written}).attempt == attempt


def test_run_job_and_address_are_known_and_the_first_twenty_others_are_kept() -> None:
    others = {f"java.property.{number}": "x" for number in range(30)}
    found = run_properties(
        {"GITHUB_RUN_ID": "17", "GITHUB_JOB": "build", "BUILD_URL": "https://ci/1", "e": " "} | others
    )
    assert (found.run_key, found.ci_job_id, found.run_url) == ("17", "build", "https://ci/1")
    assert list(found.others) == list(others)[:20]
