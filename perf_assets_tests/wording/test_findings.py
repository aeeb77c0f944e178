"""Findings as people read them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from perf_assets.analysis import causes, level_changes, regressions
from perf_assets.wording import findings
from perf_assets.wording.findings import change_of, levels, metric_words
from perf_assets.wording.quantities import level_pair


def test_a_change_from_nothing_is_written_with_its_levels():
    row = pd.Series({"change": 0.25, "before": 4.0, "after": 5.0, "unit": "s"})
    assert (change_of(row), levels(row)) == ("+25 %", "4 s to 5 s")
    from_nothing = pd.Series({"change": math.nan, "before": 0.0, "after": 0.04, "unit": "1"})
    assert change_of(from_nothing) == "0 % to 4 %"
    eighty = pd.Series({"change": 79.0, "before": 1.0, "after": 80.0, "unit": "s"})
    assert change_of(eighty) == "80 times the old level"
    gone = pd.Series({"change": -0.999, "before": 1.0, "after": 0.001, "unit": "s"})
    assert change_of(gone) == "1/1,000 of the old level"


def test_what_rounding_has_left_of_a_level_is_zero():
    row = pd.Series({"change": math.nan, "before": -4.33e-8, "after": 53e6, "unit": "By"})
    assert levels(row) == change_of(row) == "0 B to 53 MB"
    assert level_pair(2e9, -1.8e-5, "By") == ("2 GB", "0 B")
    assert levels(pd.Series({"before": 0.0, "after": 0.0, "unit": "s"})) == "0 s to 0 s"
    assert levels(pd.Series({"before": 1e-5, "after": 1.0, "unit": "s"})) == "10 µs to 1 s"


def test_a_second_mode_is_written_with_its_place_and_how_often():
    row = pd.Series({"before": 0.05, "after": 0.066, "unit": "s", "second_mode": 0.095, "mode_before": 0.0,
                     "mode_after": 0.36})  # fmt: skip
    assert levels(row) == "50 ms to 66 ms on average, with 36 % of the values about 95 ms (before 0 %)"
    assert levels(row.replace({0.095: None})) == "50 ms to 66 ms"


def cause(**more: object) -> object:
    known = {
        "factor": "node_id", "setting": "n1", "share": 0.92, "sharing": 12, "change_sharing": 0.18, "lacking": 180,
        "change_lacking": 0.003,
    }  # fmt: skip
    return SimpleNamespace(**(known | more))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (cause(), "node id n1: its 12 series +18 %, the 180 others +0.3 %; 92 % of what changed"),
        (cause(sharing=1, lacking=1), "node id n1: its series +18 %, the other one +0.3 %; 92 % of what changed"),
        (
            cause(factor="commit", setting="0123456789abcdef", lacking=0),
            "commit 0123456789ab: all 12 series +18 %, none without it to compare; 92 % of what changed",
        ),
        (
            cause(factor="load_average", setting="by node"),
            "load average: +18 % on 12 nodes; 92 % of what changed by node",
        ),
    ],
)
def test_what_a_change_goes_along_with(row: object, words: str) -> None:
    assert findings.consistency(row) == words


def test_names():
    assert metric_words("queue_wait_time") == "queue wait time"


def test_words_of_tables_are_those_of_the_analysis():
    assert findings._ALL_DAY == level_changes.ALL_DAY
    assert findings._INCIDENT == regressions.INCIDENT
    assert findings._BY_NODE == causes.BY_NODE


def test_a_run_that_has_only_a_hash_is_named_by_its_beginning():
    digits = "0123456789abcdef" * 4
    assert findings.run_name(digits) == "0123456789ab"
    row = pd.Series({"last_good_run": digits, "first_bad_run": "ci-1042"})
    assert findings.runs(row) == "0123456789ab to ci-1042"
    assert findings.run_name("nightly/2026-10-01") == "nightly/2026-10-01"
    assert findings.run_name(digits[:40]) == digits[:40]
