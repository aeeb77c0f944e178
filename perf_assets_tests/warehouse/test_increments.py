"""An analysis of what changed gives the tables of an analysis of everything."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from perf_assets.analysis.anomalies import EPISODE_COLUMNS, find_anomalies
from perf_assets.catalog import load_catalog
from perf_assets.tables import ANOMALIES
from perf_assets.warehouse.increments import complete, increment_of, joined, kept_rows
from perf_assets.warehouse.series import build_series
from perf_assets_tests.warehouse.building import Site, row

LATER = datetime.fromisoformat("2027-12-31")


def results(test: str, hours: range, spike_at: int | None = None) -> list[dict[str, object]]:
    noise = np.random.default_rng(len(test)).normal(10, 1, 1_000)
    return [
        row(noise[hour] + (40 if hour == spike_at else 0), run=f"{test}-{hour}", hour=hour, test_name=test)
        for hour in hours
    ]


def analyse(site: Site) -> tuple[int, pd.DataFrame]:
    """Bring the table anomalies up to date; returns how many series were looked at, and the table."""
    with site.warehouse.transaction() as con:
        build_series(con, load_catalog())
    increment = increment_of(site.warehouse, "anomalies")
    buckets = site.warehouse.query(
        """SELECT series_id, ts, value FROM series_buckets
        WHERE series_id IN (SELECT unnest(? :: BIGINT[])) ORDER BY ALL""",
        [increment.ids],
    )
    kept = kept_rows(site.warehouse, increment, ANOMALIES)
    complete(site.warehouse, increment, (ANOMALIES, joined([kept, find_anomalies(buckets)], EPISODE_COLUMNS)))
    return len(increment.ids), site.warehouse.query("SELECT * FROM anomalies ORDER BY ALL")


def test_only_series_with_new_data_are_looked_at_and_nothing_else_changes(site: Site, other_site: Site) -> None:
    site.load(results("login", range(300), spike_at=250) + results("search", range(300)), received_at=LATER)
    looked, first = analyse(site)
    assert looked == 2
    assert len(first) >= 1
    looked, again = analyse(site)
    assert looked == 0
    pd.testing.assert_frame_equal(first, again)
    site.load(results("search", range(300, 400), spike_at=390), received_at=LATER)
    looked, extended = analyse(site)
    assert looked == 1

    whole = results("login", range(300), spike_at=250) + results("search", range(400), spike_at=390)
    other_site.load(whole, received_at=LATER)
    _, at_once = analyse(other_site)
    pd.testing.assert_frame_equal(extended, at_once)


def test_rows_of_a_series_that_is_gone_go_with_it(site: Site) -> None:
    site.load(results("login", range(300), spike_at=250), received_at=LATER)
    analyse(site)
    with site.warehouse.transaction() as con:
        con.execute("DELETE FROM measurements")
        con.execute("DELETE FROM series")
    looked, table = analyse(site)
    assert looked == 0
    assert table.empty
    assert site.warehouse.query("SELECT * FROM analysed_contents").empty
