"""The state store on real databases, alone and shared by several processes."""

from __future__ import annotations

import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest

from perf_assets.state import StateError, open_state

NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)
LEASE = timedelta(minutes=10)


@pytest.fixture
def state(place: str):
    with open_state(place) as store:
        yield store


def anchor_table(**changes: object) -> pd.DataFrame:
    row = {
        "series_id": "-42",
        "first_bad_run": "run-7",
        "regression_id": "900",
        "part_of_day": None,
        "kind": "regression",
        "low_ts": pd.Timestamp("2026-09-01"),
        "high_ts": pd.Timestamp("2026-09-02"),
        "confirmed_at": pd.Timestamp("2026-09-03"),
    }
    return pd.DataFrame([row | changes])


def test_latest_acknowledgement_wins(state):
    state.acknowledge("9007199254740993", "ada", NOON, "looking")
    state.acknowledge("9007199254740993", "bob", NOON + timedelta(hours=1), "known: 日本")
    state.acknowledge("9007199254740993", "late", NOON - timedelta(hours=1), "arrived late")
    rows = state.acknowledgements()
    assert rows.to_dict("records") == [
        {
            "finding_id": "9007199254740993",
            "acknowledged_by": "bob",
            "acknowledged_at": pd.Timestamp("2026-09-10 13:00"),
            "note": "known: 日本",
        }
    ]


def test_acknowledgement_can_be_withdrawn(state):
    state.acknowledge("1", "ada", NOON)
    assert state.withdraw_acknowledgement("1")
    assert not state.withdraw_acknowledgement("1")
    assert state.acknowledgements().empty


def test_times_of_any_zone_are_kept_as_naive_utc(state):
    state.acknowledge("1", "ada", datetime(2026, 9, 10, 14, tzinfo=timezone(timedelta(hours=2))))
    state.acknowledge("2", "ada", datetime(2026, 9, 10, 12))  # noqa: DTZ001 - naive on purpose
    assert list(state.acknowledgements()["acknowledged_at"]) == [pd.Timestamp("2026-09-10 12:00")] * 2


def test_empty_and_full_tables_have_the_same_types(state):
    for read, write in (
        (state.acknowledgements, lambda: state.acknowledge("1", "ada", NOON)),
        (state.deliveries, lambda: state.claim_deliveries(["a"], "outbox", NOON, LEASE)),
        (state.anchors, lambda: state.add_anchors(anchor_table())),
    ):
        before = read().dtypes
        write()
        pd.testing.assert_series_equal(before, read().dtypes)


def test_state_survives_closing(tmp_path):
    with open_state(tmp_path / "state.db") as store:
        store.acknowledge("1", "ada", NOON)
    with open_state(f"sqlite:///{tmp_path / 'state.db'}") as store:
        assert len(store.acknowledgements()) == 1


def test_file_is_in_wal_mode(tmp_path):
    open_state(tmp_path / "state.db").close()
    connection = sqlite3.connect(tmp_path / "state.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_claim_is_exclusive_until_it_fails_or_its_lease_ends(state):
    assert state.claim_deliveries(["a", "b"], "slack", NOON, LEASE) == {"a", "b"}
    assert state.claim_deliveries(["a", "b", "c"], "slack", NOON, LEASE) == {"c"}
    assert state.claim_deliveries(["a"], "outbox", NOON, LEASE) == {"a"}
    state.record_failure(["a"], "slack", NOON, "no route")
    assert state.claim_deliveries(["a", "b"], "slack", NOON + timedelta(minutes=9), LEASE) == {"a"}
    assert state.claim_deliveries(["a", "b"], "slack", NOON + timedelta(minutes=10), LEASE) == {"b"}
    rows = state.deliveries().set_index(["alert_id", "channel"])
    assert rows.loc[("a", "slack"), "attempts"] == 2
    assert rows.loc[("a", "slack"), "first_tried_at"] == pd.Timestamp("2026-09-10 12:00")


def test_sent_is_final(state):
    state.claim_deliveries(["a"], "slack", NOON, LEASE)
    state.record_sent(["a"], "slack", NOON, "C1/1.5")
    state.record_failure(["a"], "slack", NOON, "too late")
    assert state.claim_deliveries(["a"], "slack", NOON + timedelta(days=9), LEASE) == frozenset()
    row = state.deliveries().iloc[0]
    assert (row["status"], row["receipt"]) == ("sent", "C1/1.5")
    assert pd.isna(row["error"])


def test_failure_of_a_lost_claim_does_not_free_the_new_one(state):
    state.claim_deliveries(["a"], "slack", NOON, LEASE)
    later = NOON + timedelta(minutes=11)
    assert state.claim_deliveries(["a"], "slack", later, LEASE) == {"a"}
    state.record_failure(["a"], "slack", NOON, "time-out of the first holder")
    assert state.deliveries()["status"].tolist() == ["sending"]


def test_digest_once_given_is_kept(state):
    state.claim_deliveries(["a"], "slack", NOON, LEASE, digest_id="digest-1")
    state.record_failure(["a"], "slack", NOON, "x\0y")
    state.claim_deliveries(["a"], "slack", NOON, LEASE, digest_id="digest-2")
    row = state.deliveries().iloc[0]
    assert (row["digest_id"], row["error"]) == ("digest-1", "x�y")


def test_thousands_of_alerts_in_one_claim(state):
    ids = [f"alert-{number}" for number in range(12_000)]
    assert len(state.claim_deliveries(ids, "slack", NOON, LEASE, "digest-1")) == len(ids)
    state.record_sent(ids, "slack", NOON, "1")
    assert set(state.deliveries()["status"]) == {"sent"}


def test_first_anchor_of_a_change_stays(state):
    state.add_anchors(anchor_table())
    state.add_anchors(anchor_table(regression_id="901"))
    state.add_anchors(anchor_table(regression_id=902, part_of_day="night 00-06 UTC"))
    anchors = state.anchors()
    assert anchors["regression_id"].tolist() == ["900", "902"]
    assert anchors["part_of_day"].isna().tolist() == [True, False]
    assert anchors["low_ts"].iloc[0] == pd.Timestamp("2026-09-01")


def test_bad_anchors_are_refused_with_the_column(state):
    with pytest.raises(ValueError, match="low_ts"):
        state.add_anchors(anchor_table().drop(columns="low_ts"))
    with pytest.raises(ValueError, match="regression_id"):
        state.add_anchors(anchor_table(regression_id=None))
    state.add_anchors(anchor_table().iloc[:0])
    assert state.anchors().empty


def test_unusable_places_are_named(tmp_path):
    (tmp_path / "notes.db").write_text("this is no database, " * 100)
    with pytest.raises(StateError, match=r"notes\.db.*file is not a database"):
        open_state(tmp_path / "notes.db")
    with pytest.raises(StateError, match="not on mysql"):
        open_state("mysql://host/name")
    with pytest.raises(StateError) as caught:
        open_state("post gres://user:hunter2@host/name")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StateError) as caught:
        open_state("postgresql://user:hunter2@127.0.0.1:1/name")
    assert "hunter2" not in str(caught.value)


def _claim_all(path: Path, start, results) -> None:
    start.wait()
    with open_state(path) as store:
        taken = [n for n in range(60) if store.claim_deliveries([f"alert-{n}"], "slack", NOON, LEASE)]
    results.put(taken)


def test_processes_that_start_together_share_the_claims(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, results = context.Event(), context.Queue()
    workers = [context.Process(target=_claim_all, args=(tmp_path / "state.db", start, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    start.set()
    taken = sorted(number for _ in workers for number in results.get(timeout=60))
    for worker in workers:
        worker.join(timeout=60)
    assert taken == list(range(60))
