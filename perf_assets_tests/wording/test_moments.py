"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.wording.moments import day, days, every, hour, length, minute, moment, second, span


def test_times():
    assert moment(pd.Timestamp("2026-09-10 14:06:59")) == "2026-09-10 14:06 UTC"
    assert moment(pd.Timestamp("2026-09-10 16:06", tz="Europe/Berlin")) == "2026-09-10 14:06 UTC"
    assert (moment(pd.NaT), day(None)) == ("unknown", "unknown")
    assert day("2026-09-10 14:06") == day(pd.Timestamp("2026-09-10").to_datetime64()) == "2026-09-10"


def test_parts_of_times():
    assert minute("2026-09-10 14:06:59") == "2026-09-10 14:06"
    assert second(pd.Timestamp("2026-09-10 14:06:59")) == "2026-09-10 14:06:59 UTC"
    assert hour(9) == "09:00"
    assert span("2026-09-10", None) == "2026-09-10 00:00 UTC to unknown"


def test_lengths():
    assert (length(timedelta(hours=47)), length(timedelta(hours=48))) == ("47 hours", "2 days")
    assert (days(9.4), days(0.5), days(float("nan"))) == ("9 days", "12 hours", "unknown")
    assert (every(timedelta(hours=1)), every(timedelta(minutes=90))) == ("every hour", "every 90 minutes")


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 - naive bounds
def test_times_of_any_zone_are_written_in_utc(time):
    written = datetime.strptime(moment(time), "%Y-%m-%d %H:%M %Z").replace(tzinfo=UTC)
    assert written == time.astimezone(UTC).replace(second=0, microsecond=0)
