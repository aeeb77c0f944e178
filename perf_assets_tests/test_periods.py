from __future__ import annotations

import pytest

from perf_assets.periods import seconds_of


@pytest.mark.parametrize(("period", "hours"), [("3h", 3), ("12h", 12), ("30d", 720), ("2w", 336), ("366d", 8_784)])
def test_hours_days_and_weeks_are_understood(period: str, hours: int) -> None:
    assert seconds_of(period) == 3_600 * hours


@pytest.mark.parametrize(
    ("period", "remedy"),
    [
        ("month", "like 12h, 30d or 2w"), ("1.5d", "like 12h, 30d or 2w"), ("-2d", "like 12h, 30d or 2w"),
        ("0d", "like 12h, 30d or 2w"), ("", "like 12h, 30d or 2w"), ("2h", "at least 3h"), ("53w", "at most 366d"),
        ("24h", "of the day are sought in any case"), ("1d", "of the day"), ("7d", "of the week"),
    ],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_a_remedy(period: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        seconds_of(period)
