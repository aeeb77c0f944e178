"""Times as people read them."""

from __future__ import annotations

import pandas as pd

from perf_assets.wording.moments import day, moment


def test_times():
    assert moment(pd.Timestamp("2026-09-10 14:06:59")) == "2026-09-10 14:06 UTC"
    assert moment(pd.Timestamp("2026-09-10 16:06", tz="Europe/Berlin")) == "2026-09-10 14:06 UTC"
    assert (moment(pd.NaT), day(None)) == ("unknown", "unknown")
    assert day("2026-09-10 14:06") == day(pd.Timestamp("2026-09-10").to_datetime64()) == "2026-09-10"
