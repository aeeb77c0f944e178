"""When results are overdue, and how that is said; the time is always given."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.advice.silence import overdue

NEWEST = datetime.fromisoformat("2026-11-20T06:00:00")
HOUR = timedelta(hours=1)


def results(*rows: tuple[str | None, str | None, datetime, timedelta | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["project", "origin", "newest", "longest_gap"])
    return table.astype({"newest": "datetime64[us]", "longest_gap": "timedelta64[us]"})


OWN = results(("shop", None, NEWEST, HOUR), ("nightly", None, NEWEST - timedelta(days=2), HOUR))


@pytest.mark.parametrize(
    ("interval", "silent", "words"),
    [
        (HOUR, timedelta(days=9), "(9 days); expected every hour."),
        (timedelta(minutes=90), timedelta(hours=5), "(5 hours); expected every 90 minutes."),
        (timedelta(minutes=10), timedelta(minutes=31), "(31 minutes); expected every 10 minutes."),
        (timedelta(minutes=1), timedelta(minutes=90), "(90 minutes); expected every minute."),
        (timedelta(days=1), timedelta(days=4), "(4 days); expected every day."),
        (timedelta(days=7), timedelta(days=22), "(22 days); expected every 7 days."),
    ],
)
def test_what_is_said(interval: timedelta, silent: timedelta, words: str) -> None:
    assert overdue(OWN, NEWEST + silent, {None: interval}, ()) == [f"No results since 2026-11-20 06:00 UTC {words}"]


@given(st.integers(1, 10_000), st.integers(-10_000, 100_000))
def test_results_may_be_late_three_times_in_a_row(minutes: int, silent: int) -> None:
    late = overdue(OWN, NEWEST + timedelta(minutes=silent), {None: timedelta(minutes=minutes)}, ())
    assert len(late) == (silent > 3 * minutes)


def test_a_project_is_judged_by_its_own_results() -> None:
    every = {None: timedelta(days=1), "nightly": 12 * HOUR, "shop": HOUR, "never": HOUR}
    assert overdue(OWN, NEWEST + HOUR, every, ()) == [
        "No results of project nightly since 2026-11-18 06:00 UTC (2 days); expected every 12 hours.",
        "No results of project never have come yet; expected every hour.",
    ]


def test_nothing_at_all_is_overdue_at_once() -> None:
    assert overdue(results(), NEWEST, {None: HOUR}, ("jenkins",)) == ["No results have come yet; expected every hour."]


def test_sources_are_those_that_are_configured_and_have_a_past() -> None:
    sources = results(
        (None, "jenkins", NEWEST, timedelta(days=3)),
        (None, "gitlab", NEWEST, None),
        (None, "push", NEWEST, HOUR),
        ("shop", None, NEWEST, HOUR),
    )
    asked = ("jenkins", "gitlab", "circleci")
    assert overdue(sources, NEWEST + timedelta(days=4), {}, asked) == []
    assert overdue(sources, NEWEST + timedelta(days=4, seconds=1), {}, asked) == [
        "No results from jenkins since 2026-11-20 06:00 UTC (4 days); the longest gap in the four weeks before was "
        "3 days."
    ]
