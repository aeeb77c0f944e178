"""Loading: nothing twice, nothing lost, and the same content whatever the order."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from datetime import timedelta
from itertools import groupby, permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.catalog import load_catalog
from perf_assets.formats import long_table
from perf_assets.formats.measurement import Measurement, as_json
from perf_assets.landing import Given, LandedFile, Origin
from perf_assets.settings import IdentitySettings, QualitySettings
from perf_assets.warehouse.checksums import checksums
from perf_assets.warehouse.loading import Rules, forget_files, load, load_files, not_loaded, record_files, registration
from perf_assets.warehouse.loading.stage import Stage
from perf_assets_tests.warehouse.building import RECEIVED_AT, Site, assert_same_content, json_lines, row

JUNIT = b'<testsuite name="s"><testcase classname="c" name="a" time="0.5"/></testsuite>'


def scenario(**fields: Any) -> dict[str, Any]:
    return {"scenario": "combined_all", "overmindDurationMs": 1000, "observations": 3} | fields


def test_a_file_is_loaded_once(site: Site) -> None:
    first = site.load([row(1.0), row(2.0, run="r2", hour=1)])
    assert (first.format, first.measurements, first.new_measurements, first.new_series) == ("long-table-jsonl", 2, 2, 1)
    before = site.warehouse.query("SELECT * FROM batches")
    again = site.load([row(1.0), row(2.0, run="r2", hour=1)])
    assert again.skipped
    assert (again.measurements, again.new_measurements) == (0, 0)
    assert site.values() == [1.0, 2.0]
    assert site.warehouse.query("SELECT * FROM batches").equals(before)


def test_known_rows_in_another_file_add_nothing(site: Site) -> None:
    site.load([row(1.0), row(2.0, run="r2", hour=1)])
    content = site.content()
    loaded = site.load([row(2.0, run="r2", hour=1), row(1.0)])
    assert (loaded.measurements, loaded.new_measurements, loaded.new_series, loaded.quarantined) == (2, 0, 0, 0)
    assert all(site.content()[name].equals(table) for name, table in content.items())


def test_a_run_sent_again_with_another_time_is_not_there_twice(site: Site) -> None:
    site.load([row(1.0, hour=0)])
    site.load([row(1.0, hour=500)])
    assert site.values() == [1.0]


fields_of_runs = st.fixed_dictionaries(
    {},
    optional={
        "node_id": st.sampled_from(["n1", "GitHub Actions 7"]),
        "branch": st.sampled_from(["main", "topic"]),
        "commit_id": st.sampled_from(["a", "b"]),
        "direction": st.sampled_from(["lower_is_better", "neutral"]),
        "context_data": st.sampled_from([{"image": "1"}, {"image": "2"}, {}]),
    },
)
distinct_rows = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from(["login", "logout"]), st.sampled_from(["cpu_usage", "own"]), fields_of_runs,
        st.floats(0, 9),
    ),
    unique_by=lambda drawn: drawn[:3],
    min_size=1,
    max_size=7,
).map(
    lambda drawn: [
        row(value, run=f"r{run}", hour=run, test_name=test, metric_name=metric, **fields)
        for run, test, metric, fields, value in drawn
    ]
)  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(rows=distinct_rows, data=st.data())
def test_order_split_and_repetition_do_not_matter(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    repeated = data.draw(st.lists(st.sampled_from(rows), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = Site(Path(folder) / "whole"), Site(Path(folder) / "parts")
        whole.load(rows)
        for part in (shuffled[:cut] + repeated, shuffled[cut:] + repeated, rows[:1]):
            if part:
                parts.load(part)
        assert_same_content(whole, parts)


def test_of_different_values_the_same_wins_whatever_the_order(tmp_path: Path) -> None:
    files = [[row(value), row(9.0, run=f"own-{value}", hour=2)] for value in (1.0, 2.0, 3.0)]
    sites = [Site(tmp_path / str(number)) for number in range(6)]
    for at, order in zip(sites, permutations(files), strict=True):
        for content in order:
            at.load(content)
    losers = sites[0].quarantine()
    assert list(losers["reason"]) == ["duplicate_with_different_value"] * 2
    for message in losers["message"]:
        assert "results.jsonl" in message
        assert "value" in message
        assert "attempt" in message
    for at in sites:
        assert_same_content(sites[0], at)
        assert len(at.values()) == 4
        assert set(at.quarantine()["quarantine_id"]) == set(losers["quarantine_id"])
        assert set(at.quarantine()["content_hash"]) == set(losers["content_hash"])


def test_a_value_that_gave_way_has_one_id_however_it_came(site: Site, other_site: Site) -> None:
    contents = [json_lines([row(value)]) for value in (1.0, 2.0, 3.0)]
    for content in contents:
        site.load(content)
    at_once = [
        other_site.landing.land(content, name="results.jsonl", received_at=RECEIVED_AT, origin="file")
        for content in reversed(contents)
    ]
    other_site.load_landed(*at_once)
    assert len(site.quarantine()) == 2
    assert set(site.quarantine()["quarantine_id"]) == set(other_site.quarantine()["quarantine_id"])


def test_an_equal_value_in_between_does_not_change_the_winner(site: Site, other_site: Site) -> None:
    files = [[row(1.0)], [row(1.0), row(1.0, run="x")], [row(2.0)]]
    for order, at in (([0, 1, 2], site), ([2, 1, 0], other_site)):
        for position in order:
            at.load(files[position])
    assert list(site.content()["measurements"]["value"]) == list(other_site.content()["measurements"]["value"])


def test_of_two_values_in_one_file_one_stays_and_the_other_is_reported(site: Site, other_site: Site) -> None:
    loaded = site.load([row(2.0), row(1.0), row(3.0, run="r2")])
    other_site.load([row(1.0)])
    other_site.load([row(3.0, run="r2"), row(2.0)])
    assert site.values() == other_site.values()
    assert len(site.values()) == 2
    assert loaded.quarantined == 1
    found = site.quarantine().iloc[0]
    assert found["reason"] == "duplicate_with_different_value"
    assert {found["location"], found["message"].rpartition(" at ")[2].partition(";")[0]} == {"line 1", "line 2"}


def test_what_no_format_can_know_is_quarantined(site: Site) -> None:
    site.load(
        [
            row(1.0),
            row(-1.0, run="r2"),
            row(1.0, run="r3", unit="By"),
            row(1.0, run="r4", timestamp="1970-01-01"),
            row(1.0, run="r5", timestamp="2026-10-03"),
            row(1e308, run="r6", unit="d"),
        ]
    )
    assert site.values() == [1.0]
    found = site.quarantine()
    assert list(zip(found["location"], found["field"], found["reason"], strict=True)) == [
        ("line 2", "value", "impossible_value"),
        ("line 3", "unit", "unit_conflict"),
        ("line 4", "timestamp", "time_out_of_range"),
        ("line 5", "timestamp", "time_out_of_range"),
        ("line 6", "value", "not_finite"),
    ]
    for location, message in zip(found["location"], found["message"], strict=True):
        assert f"results.jsonl, {location}" in message
        assert "correct" in message or "check" in message or "convert" in message
    assert found["quarantine_id"].is_unique


def test_a_file_of_no_known_format_is_quarantined_whole(site: Site) -> None:
    loaded = site.load(b"no results")
    assert (loaded.format, loaded.measurements, loaded.quarantined) == (None, 0, 1)
    assert list(site.quarantine()["reason"]) == ["unknown_format"]
    assert site.load(b"no results").skipped


def test_good_rows_beside_bad_ones_are_loaded(site: Site) -> None:
    loaded = site.load(json_lines([row(1.0)]) + b"{broken\n" + json_lines([row(2.0, run="r2")]))
    assert (loaded.new_measurements, loaded.quarantined) == (2, 1)
    assert list(site.quarantine()["location"]) == ["line 2"]


def test_both_attempts_are_kept_and_the_last_is_analysed(site: Site) -> None:
    site.load([row(1.0), row(2.0, attempt=2)])
    assert site.values() == [1.0, 2.0]
    assert site.values("analysed_measurements") == [2.0]
    site.load([row(3.0, attempt=3)])
    assert site.values() == [1.0, 2.0, 3.0]
    assert site.values("analysed_measurements") == [3.0]


def test_results_of_short_lived_branches_are_kept_beside_the_main_series(site: Site) -> None:
    site.load([row(1.0, branch="main"), row(2.0, run="r2", branch="topic")])
    assert site.values() == [1.0, 2.0]
    assert site.values("analysed_measurements") == [1.0]
    assert len(site.content()["series"]) == 1


def test_branches_are_long_lived_by_configuration(site: Site) -> None:
    site.load([row(1.0, branch="main"), row(2.0, run="r2", branch="topic")], branches=("main", "topic"))
    assert site.values("analysed_measurements") == [1.0, 2.0]
    assert set(site.content()["series"]["branch"]) == {"main", "topic"}


def test_ephemeral_runners_form_no_series_and_keep_their_name(site: Site) -> None:
    names = [
        "GitHub Actions 12", "fv-az12-345", "runner-0123456789ab-x7k2p", "GitHub Actions 13", "runnervmf2e7y",
        "Mac-1735012345678.local", "runner-zxwgkjap-project-278964-concurrent-0", "maven-x7k2p-zd94q",
    ]  # fmt: skip
    site.load([row(1.0, run=f"r{number}", node_id=name) for number, name in enumerate(names)])
    assert len(site.content()["series"]) == 1
    assert set(site.warehouse.query("SELECT node_id FROM performance_metrics")["node_id"]) == set(names)
    site.load([row(1.0, run="lasting", node_id="linux-large-01")])
    assert len(site.content()["series"]) == 2


def test_sample_data_is_left_out_once_own_data_is_there(site: Site) -> None:
    site.load([row(1.0)], origin="sample")
    assert site.values("analysed_measurements") == [1.0]
    site.load([row(2.0, test_name="own")])
    assert site.values() == [1.0, 2.0]
    assert site.values("analysed_measurements") == [2.0]


def test_a_series_of_the_sample_becomes_own_with_the_first_own_result(site: Site, other_site: Site) -> None:
    files: list[tuple[list[dict[str, Any]], Origin]] = [([row(1.0)], "sample"), ([row(2.0, run="r2")], "file")]
    for at, order in ((site, (0, 1)), (other_site, (1, 0))):
        for position in order:
            content, origin = files[position]
            at.load(content, origin=origin)
    assert_same_content(site, other_site)
    assert list(site.content()["series"]["sample"]) == [False]


def test_a_poll_that_brings_the_same_runs_adds_nothing_and_keeps_the_first_time(site: Site, other_site: Site) -> None:
    answers = [
        (json.dumps({"results": [scenario(), scenario()], "page": page}).encode(), RECEIVED_AT + timedelta(hours=page))
        for page in range(3)
    ]
    for content, received_at in answers:
        site.load(content, received_at=received_at)
    for content, received_at in reversed(answers):
        other_site.load(content, received_at=received_at)
    for at in (site, other_site):
        measurements = at.content()["measurements"]
        assert len(measurements) == 4
        assert set(measurements["ts"]) == {RECEIVED_AT}
    assert_same_content(site, other_site)


def test_ids_are_the_same_in_two_fresh_warehouses(site: Site, other_site: Site) -> None:
    for at in (site, other_site):
        at.load([row(1.0, node_id="n1", context_data={"image": "1"}), row(2.0, run=None, hour=1)])
    assert_same_content(site, other_site)
    with site.warehouse.reading() as one, other_site.warehouse.reading() as other:
        assert checksums(one).equals(checksums(other))


def test_the_series_of_a_metric_lie_together(site: Site) -> None:
    metrics = ("test_execution_time", "queue_wait_time", "cpu_usage")
    site.load([row(0.5, metric_name=metric, test_name=f"t{number}") for metric in metrics for number in range(20)])
    with site.warehouse.reading() as con:
        metric_of = dict(con.execute("SELECT series_id, metric FROM series").fetchall())
        stored = con.execute("SELECT series_id FROM measurements ORDER BY rowid").fetchall()
    assert len(metric_of) == 60
    assert [metric for metric, _ in groupby(metric_of[series] for (series,) in stored)] == sorted(
        metrics, key=lambda metric: min(series for series in metric_of if metric_of[series] == metric)
    )


def test_a_crash_inside_the_transaction_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.load([row(1.0)])
    content = site.content()
    run = Stage.run

    def interrupted(stage: Stage, step: str) -> list[tuple[Any, ...]]:
        return (
            stage.con.execute("SELECT error('power cut')").fetchall() if step == "store_batches" else run(stage, step)
        )

    with monkeypatch.context() as patched:
        patched.setattr(Stage, "run", interrupted)
        with pytest.raises(Exception, match="power cut"):
            site.load([row(2.0, run="r2"), row(-1.0, run="r3")])
    assert all(site.content()[name].equals(table) for name, table in content.items())
    assert site.quarantine().empty
    loaded = site.load([row(2.0, run="r2"), row(-1.0, run="r3")])
    assert (loaded.skipped, loaded.new_measurements, loaded.quarantined) == (False, 1, 1)
    assert site.values() == [1.0, 2.0]


def test_a_file_that_another_process_loads_meanwhile_is_loaded_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    identify = load.identify

    def meanwhile(stage: Stage) -> None:
        monkeypatch.setattr(load, "identify", identify)
        site.load_landed(stage.parts[0].file)
        identify(stage)

    monkeypatch.setattr(load, "identify", meanwhile)
    assert site.load([row(1.0)]).skipped
    assert site.values() == [1.0]


def test_deleting_the_warehouse_and_loading_landing_again_gives_the_same_checksums(site: Site) -> None:
    site.load([row(1.0, context_data={"image": "1"}), row(0.2, metric_name="cpu_usage", context_data={"image": "2"})])
    site.load(
        json_lines([row(5.0), row(3.0, run="r2", hour=5)]) + b"broken", received_at=RECEIVED_AT + timedelta(days=1)
    )
    site.load(json.dumps([scenario(), scenario()]).encode(), received_at=RECEIVED_AT + timedelta(days=2))
    record_files(site.warehouse, site.landing.files(), site.landing.days())
    with site.warehouse.reading() as con:
        before = checksums(con)
    site.warehouse.database.unlink()
    for file in site.landing.files():
        site.load_landed(file)
    record_files(site.warehouse, site.landing.files(), site.landing.days())
    with site.warehouse.reading() as con:
        assert checksums(con).equals(before)
    rows = dict(zip(before["table"], before["rows"], strict=True))
    assert (rows["raw_results"], rows["batches"], rows["quarantined_results"]) == (3, 3, 2)


def test_recording_files_replaces_the_days_it_is_given(site: Site) -> None:
    files = [
        site.landing.land(name, name="x", received_at=RECEIVED_AT + timedelta(days=day), origin="file")
        for day, name in enumerate([b"a", json_lines([row()])])
    ]
    for _ in range(2):
        assert record_files(site.warehouse, site.landing.files(), site.landing.days()) == 2
    found = site.warehouse.query("SELECT * FROM raw_results ORDER BY received_day")
    assert list(found["content_hash"]) == [file.content_hash for file in files]
    assert list(found["receipts"]) == [1, 1]
    assert record_files(site.warehouse, site.landing.files([]), [files[0].day]) == 0
    assert len(site.warehouse.query("SELECT * FROM raw_results")) == 1


def test_recording_files_follows_what_has_changed(site: Site) -> None:
    def land(content: bytes, name: str, day: int) -> None:
        site.landing.land(content, name=name, received_at=RECEIVED_AT + timedelta(days=day), origin="file")

    land(b"a", "late", 2)
    land(b"b", "alone", 2)
    record_files(site.warehouse, site.landing.files(), site.landing.days())
    # The same bytes are found to have come earlier, under another name; of another day there is one more.
    land(b"a", "early", 0)
    land(b"c", "third", 1)
    assert record_files(site.warehouse, site.landing.files(), site.landing.days()) == 3
    found = site.warehouse.query("SELECT name, receipts FROM raw_results ORDER BY received_at")
    assert list(found.itertuples(index=False, name=None)) == [("early", 2), ("third", 1), ("alone", 1)]
    # A day that landing no longer has is forgotten; the others stay.
    shutil.rmtree(site.landing.folder / f"{RECEIVED_AT + timedelta(days=1):%Y-%m-%d}")
    record_files(site.warehouse, site.landing.files(), [f"{RECEIVED_AT + timedelta(days=1):%Y-%m-%d}"])
    found = site.warehouse.query("SELECT name FROM raw_results ORDER BY received_at")
    assert list(found["name"]) == ["early", "alone"]


def test_files_that_are_in_the_books_are_left_out_unread(site: Site) -> None:
    site.load([row(1.0)])
    second = site.landing.land(json_lines([row(2.0, run="r2")]), name="2", received_at=RECEIVED_AT, origin="file")
    assert list(not_loaded(site.warehouse, site.landing.files())) == [second]
    assert second in site.landing.files()
    site.load_landed(second)
    assert list(not_loaded(site.warehouse, site.landing.files())) == []


def test_the_specifications_query_is_answered(site: Site) -> None:
    rows = [row(float(hour), run=f"r{hour}", hour=hour, test_type="unit_test", ci_job_id="j") for hour in (2, 0, 1)]
    site.load([*rows, row(9.0, run="e", test_type="e2e")])
    found = site.warehouse.query(
        """SELECT timestamp, metric_value FROM performance_metrics
        WHERE metric_name = ? AND test_type = ? AND timestamp > CURRENT_TIMESTAMP - INTERVAL 50 YEARS
        ORDER BY timestamp ASC""",
        ["test_execution_time", "unit_test"],
    )
    assert list(found["metric_value"]) == [0.0, 1.0, 2.0]
    everything = site.warehouse.query("SELECT * FROM performance_metrics")
    assert list(everything.columns) == [
        "id", "timestamp", "metric_name", "metric_value", "test_name", "test_type", "node_id", "node_type",
        "test_run_id", "ci_job_id", "context_data",
    ]  # fmt: skip
    assert everything["id"].is_unique


def test_what_came_with_a_file_fills_what_it_leaves_open(site: Site) -> None:
    told = Given(
        project="shop", branch="main", commit_id="c1", run_key="ci-7", attempt=2, ts="2026-09-01T05:00:00+02:00"
    )
    site.load(JUNIT, given=told)
    [run] = site.warehouse.query("SELECT project, run_key, attempt, branch, commit_id FROM runs").to_dict("records")
    assert run == {"project": "shop", "run_key": "ci-7", "attempt": 2, "branch": "main", "commit_id": "c1"}
    measured = site.warehouse.query("SELECT ts, time_source FROM measurements JOIN measurement_details USING (run_id)")
    assert (str(measured["ts"][0]), measured["time_source"][0]) == ("2026-09-01 03:00:00", "run")


def test_what_a_file_says_itself_goes_before_what_came_with_it(site: Site) -> None:
    site.load(
        [row(1.0, run="own", branch="own", project="own")], given=Given(project="shop", branch="b", run_key="ci-7")
    )
    [run] = site.warehouse.query("SELECT project, run_key, branch FROM runs").to_dict("records")
    # A project is somebody's word for all files of a delivery.
    assert run == {"project": "shop", "run_key": "own", "branch": "own"}


def test_the_same_bytes_given_as_two_runs_are_two(site: Site) -> None:
    for number in (1, 2):
        site.load(JUNIT, given=Given(run_key=f"ci-{number}"))
    assert site.values() == [0.5, 0.5]
    assert site.load(JUNIT, given=Given(run_key="ci-2")).skipped


def test_times_without_a_zone_are_in_the_zone_that_is_set_or_came_with_the_file(site: Site) -> None:
    naive = row(1.0, run="r1", timestamp="2026-09-01T12:00:00")
    site.load([naive], quality=QualitySettings(timezone="Europe/Berlin"))
    site.load([naive | {"test_run_id": "r2"}], given=Given(timezone="America/New_York"))
    found = site.warehouse.query("SELECT run_key, ts FROM measurements JOIN runs USING (run_id) ORDER BY run_key")
    assert [str(ts) for ts in found["ts"]] == ["2026-09-01 10:00:00", "2026-09-01 16:00:00"]


def test_the_time_that_came_with_a_file_is_in_the_zone_that_came_with_it(site: Site) -> None:
    site.load(JUNIT, given=Given(run_key="r", ts="2026-09-01T12:00:00", timezone="Europe/Berlin"))
    assert str(site.warehouse.query("SELECT ts FROM measurements")["ts"][0]) == "2026-09-01 10:00:00"


def test_the_files_of_an_archive_are_loaded_as_one_delivery(site: Site) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("junit.xml", JUNIT)
        archive.writestr("results.jsonl", json_lines([row(1.0), row(-1.0, run="r2")]))
        archive.writestr("notes.txt", "nothing to read")
    loaded = site.load(target.getvalue())
    assert (loaded.format, loaded.new_measurements, loaded.quarantined) == ("junit, long-table-jsonl", 2, 2)
    assert set(site.quarantine()["name"]) == {"results.jsonl/results.jsonl", "results.jsonl/notes.txt"}
    assert list(site.warehouse.query("SELECT measurements FROM batches")["measurements"]) == [2]


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}/junit.xml", content)
    return target.getvalue()


def test_an_archive_is_what_its_files_are(site: Site, other_site: Site) -> None:
    files = {"n1": JUNIT, "n2": JUNIT.replace(b"0.5", b"0.75")}
    assert site.load(zipped(**files)).quarantined == 0
    for content in files.values():
        other_site.load(content)
    assert_same_content(site, other_site)
    assert other_site.load(zipped(**files)).new_measurements == 0


def test_the_sample_is_measured_until_there_are_results_of_ones_own(site: Site) -> None:
    measured = "SELECT metric_value FROM performance_metrics"
    site.load([row(1.0)], origin="sample")
    assert list(site.warehouse.query(measured)["metric_value"]) == [1.0]
    site.load([row(2.0, test_name="own")])
    assert list(site.warehouse.query(measured)["metric_value"]) == [2.0]


def test_series_of_an_archive_are_counted_once(site: Site) -> None:
    files = {f"n{number}": JUNIT.replace(b"0.5", b"0.%d" % number) for number in range(1, 4)}
    loaded = site.load(zipped(**files))
    assert (loaded.measurements, loaded.series, loaded.new_series) == (3, 1, 1)


def test_rows_that_another_file_has_as_well_are_counted_and_not_new(site: Site, other_site: Site) -> None:
    contents = [json_lines([row(1.0), row(2.0, run=run)]) for run in ("r2", "r3", "r2")]
    contents[2] += b" "

    def landed(at: Site) -> list[LandedFile]:
        return [at.landing.land(c, name="x", received_at=RECEIVED_AT, origin="file") for c in contents]

    together = site.load_all(*landed(site))
    one_by_one = [other_site.load_landed(file) for file in landed(other_site)]
    for loaded in (together, one_by_one):
        assert [one.measurements for one in loaded] == [2, 2, 2]
        assert sum(one.new_measurements for one in loaded) == 3
        assert [one.series for one in loaded] == [1, 1, 1]
        assert sum(one.new_series for one in loaded) == 1
    assert_same_content(site, other_site)


def test_like_places_of_an_archive_are_told_apart(site: Site) -> None:
    bad = [JUNIT.replace(b"0.5", b"-0.%d" % number) for number in range(1, 4)]
    assert site.load(zipped(a=bad[0], b=bad[1], c=bad[2])).quarantined == 3
    found = site.quarantine()
    assert len(found) == found["quarantine_id"].nunique() == 3


def test_a_value_that_gives_way_several_times_in_a_file_is_told_once(site: Site) -> None:
    loaded = site.load([row(value) for value in (3.4, 9.9, 3.4, 9.9, 5.5)])
    found = site.quarantine()
    [kept] = site.values()
    assert len(found) == found["quarantine_id"].nunique() == loaded.quarantined == 2
    assert set(found["kept_hash"]) == set(found["content_hash"])
    told = {float(fragment.split(", ")[1]) for fragment in found["fragment"]}
    assert told == {3.4, 9.9, 5.5} - {kept}


def test_equal_members_of_an_archive_are_told_apart(site: Site) -> None:
    bad = JUNIT.replace(b"0.5", b"-0.5")
    assert site.load(zipped(a=bad, b=bad)).quarantined == 2
    found = site.quarantine()
    assert len(found) == found["quarantine_id"].nunique() == 2


def landed(site: Site, *contents: bytes) -> list[LandedFile]:
    """Archives: unlike tables they are loaded in one go."""
    return [
        site.landing.land(content, name=f"{number}", received_at=RECEIVED_AT, origin="file")
        for number, content in enumerate(contents)
    ]


def archive(*rows: dict[str, Any]) -> bytes:
    return zipped(x=json_lines(list(rows)))


def test_reading_the_files_of_a_conflict_again_keeps_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "FILES_IN_A_GROUP", 1)
    files = landed(site, archive(row(2.0)), archive(row(1.0)))
    record_files(site.warehouse, site.landing.files(), site.landing.days())
    for order in (files, files[::-1], files):
        forget_files(site.warehouse, [file.content_hash for file in files])
        site.load_all(*order)
        [found] = site.quarantine().to_dict("records")
        assert (found["content_hash"], found["kept_hash"]) == (files[0].content_hash, files[1].content_hash)
        assert site.values() == [1.0]
        assert "2.0 here and 1.0 in 1" in found["message"] or "another value at 1" in found["message"]


def test_a_value_that_is_kept_after_all_is_not_in_quarantine(site: Site) -> None:
    # Within its file the second value may go before the first, which another file has as well.
    for other in range(3, 12):
        contents = archive(row(2.0, hour=1)), archive(row(2.0), row(float(other)))
        together, apart = (Site(site.scratch.parent / f"{how}-{other}") for how in ("together", "apart"))
        together.load_all(*landed(together, *contents))
        for file in landed(apart, *contents):
            apart.load_all(file)
        assert set(apart.quarantine()["quarantine_id"]) == set(together.quarantine()["quarantine_id"])
        assert apart.values() == together.values()


def test_a_value_that_replaces_another_is_counted_where_that_stands(site: Site) -> None:
    for values in ((1.0, 2.0), (2.0, 1.0)):
        at = Site(site.scratch.parent / f"{values}")
        for value in values:
            at.load([row(value)])
        entries = at.warehouse.query(
            """SELECT b.quarantined = count(q.quarantine_id) AS is_true FROM batches b
            LEFT JOIN quarantined_results q USING (content_hash) GROUP BY b.content_hash, b.quarantined"""
        )
        assert list(entries["is_true"]) == [True, True]


def test_conflicts_beyond_the_most_are_counted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "most_listed", 2)
    rows = [row(1.0, run=f"r{number}") for number in range(5)]
    others = [fields | {"metric_value": 2.0} for fields in rows]
    together = site.load(rows + others)
    assert together.quarantined == 5
    assert sorted(site.quarantine()["location"])[:1] == ["3 other places"]
    at = Site(site.scratch.parent / "apart")
    at.load(rows)
    at.load(others)
    found = at.quarantine()
    assert len(found) == 3
    assert "3 other places" in set(found["location"])


@pytest.mark.parametrize("files_in_a_group", [1, 2, 10])
def test_too_many_series_are_those_that_a_file_begins(
    site: Site, monkeypatch: pytest.MonkeyPatch, files_in_a_group: int
) -> None:
    monkeypatch.setattr(registration, "FILES_IN_A_GROUP", files_in_a_group)

    def tests(count: int, run: str) -> bytes:
        return archive(*(row(1.0, run=run, test_name=f"t{number}") for number in range(count)))

    few = QualitySettings(max_new_series=3)
    files = landed(site, tests(2, "r1"), tests(8, "r2"), tests(4, "r3"), tests(6, "r4"))
    loaded = site.load_all(*files, quality=few)
    assert [one.new_series for one in loaded] == [2, 0, 2, 2]
    assert [one.new_measurements for one in loaded] == [2, 2, 4, 6]
    assert [one.quarantined > 0 for one in loaded] == [False, True, False, False]


def test_a_run_id_that_branches_share_is_a_run_on_each(site: Site, other_site: Site) -> None:
    rows = [row(float(number), branch=branch) for number, branch in enumerate(["main", "PR-1", "PR-2"])]
    site.load(rows)
    for one in reversed(rows):
        other_site.load([one])
    assert_same_content(site, other_site)
    assert list(site.warehouse.query("SELECT branch FROM runs ORDER BY branch")["branch"]) == ["PR-1", "PR-2", "main"]
    assert site.values("series_measurements") == [0.0]


def test_what_names_no_branch_is_on_that_of_its_run(site: Site) -> None:
    site.load([row(1.0, test_name="a"), row(2.0, test_name="b", branch="PR-1"), row(3.0, test_name="b", run="r2")])
    assert site.values("series_measurements") == [3.0]


def test_an_attempt_on_another_branch_supersedes_none(site: Site) -> None:
    site.load([row(1.0, branch="main"), row(2.0, branch="PR-1", attempt=2)])
    assert site.values("series_measurements") == [1.0]


def test_results_without_a_value_are_counted_and_are_not_in_quarantine(site: Site) -> None:
    content = JUNIT.replace(b"/></testsuite>", b'/><testcase name="b" time="1"><failure/></testcase></testsuite>')
    loaded = site.load(content)
    assert (loaded.measurements, loaded.quarantined, loaded.omitted) == (1, 0, (("failed", 1),))
    assert site.warehouse.query("SELECT omitted FROM batches")["omitted"][0] == '{"failed": 1}'


def test_a_file_that_is_refused_is_kept_with_its_beginning(site: Site) -> None:
    site.load(b"some notes \x1b[31m of somebody")
    site.load(b"\x89PNG\r\n\x1a\n\x00\x00")
    assert sorted(site.quarantine()["fragment"]) == ["", "some notes \x1b[31m of somebody"]


def test_damage_that_is_met_while_storing_takes_no_other_file_along(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Some damage shows in one statement and not in another.
    monkeypatch.setattr(long_table, "_READ_ALL", "SELECT 1")
    target = io.BytesIO()
    rows = [row(float(number), run=f"r{number}", hour=number) for number in range(5_000)]
    pq.write_table(pa.Table.from_pylist(rows), target, compression="gzip")
    content = bytearray(target.getvalue())
    content[1_000:1_100] = bytes(100)
    damaged = site.load(bytes(content))
    assert (damaged.measurements, damaged.quarantined) == (0, 1)
    assert list(site.quarantine()["reason"]) == ["unreadable"]
    assert site.load([row(1.0)]).new_measurements == 1


def test_many_files_are_stored_together_and_told_one_by_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "FILES_IN_A_GROUP", 3)
    files = [
        site.landing.land(
            json_lines([row(1.0, run=f"r{n}", hour=n)]), name=f"{n}", received_at=RECEIVED_AT, origin="file"
        )
        for n in range(7)
    ]
    told: list[str] = []
    rules = Rules(load_catalog(), IdentitySettings(), QualitySettings())
    loaded = list(load_files(site.warehouse, files, rules, site.scratch, lambda file: told.append(file.name)))
    assert sorted(told) == sorted(file.name for file in files)
    assert [one.new_measurements for one in loaded] == [1] * 7
    assert sum(one.new_series for one in loaded) == 1
    assert len(site.values()) == 7
    assert not any(site.scratch.iterdir())


def test_what_was_stored_before_an_interruption_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "FILES_IN_A_GROUP", 1)
    files = [
        site.landing.land(JUNIT.replace(b"0.5", b"0.%d" % n), name=str(n), received_at=RECEIVED_AT, origin="file")
        for n in range(1, 4)
    ]
    rules = Rules(load_catalog(), IdentitySettings(), QualitySettings())
    begun = load_files(site.warehouse, files, rules, site.scratch)
    next(begun)
    begun.close()
    assert len(site.values()) == 1
    assert [one.skipped for one in load_files(site.warehouse, files, rules, site.scratch)].count(True) == 1
    assert site.values() == [0.1, 0.2, 0.3]
    assert not any(site.scratch.iterdir())


def test_a_file_that_begins_too_many_series_brings_only_the_known(site: Site) -> None:
    few = QualitySettings(max_new_series=2)
    site.load([row(1.0)], quality=few)
    loaded = site.load([row(2.0, run="r2"), *(row(1.0, run="r2", test_name=f"t{n}") for n in range(3))], quality=few)
    assert (loaded.new_measurements, loaded.new_series, loaded.quarantined) == (1, 0, 3)
    found = site.quarantine().iloc[0]
    assert (found["reason"], found["location"]) == ("too_many_new_series", "whole file")
    assert "begins 3 new series, more than 2" in found["message"]
    assert len(site.content()["series"]) == 1


def test_of_many_like_rejections_the_first_are_told_and_the_others_counted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stage, "most_listed", 2)
    broken = b"{broken\n" * 5
    negative = json_lines([row(-1.0, run=f"r{n}", hour=n) for n in range(4)])
    loaded = site.load(json_lines([row(1.0)]) + broken + negative)
    assert (loaded.new_measurements, loaded.quarantined) == (1, 9)
    told = site.quarantine()
    assert sorted(told["location"]) == ["2 other places", "3 other places", "line 2", "line 3", "line 7", "line 8"]


def test_shares_above_one_are_impossible_and_percent_are_converted(site: Site) -> None:
    site.load([row(50.0, metric_name="memory_usage"), row(50.0, run="r2", metric_name="memory_usage", unit="%")])
    assert site.values() == [0.5]
    [found] = site.quarantine().to_dict("records")
    assert found["reason"] == "impossible_value"
    assert "memory_usage is 50.0, and cannot be above 1.0" in found["message"]
    assert "write % where percent are meant" in found["message"]


def test_names_have_up_to_a_thousand_characters_of_any_script(site: Site) -> None:
    site.load([row(1.0, test_name="試" * 1000), row(2.0, run="r2", test_name="x" * 1001)])
    assert site.values() == [1.0]
    assert list(site.quarantine()["reason"]) == ["missing_identity"]


def test_old_results_of_a_limited_origin_are_mistakes(site: Site) -> None:
    old = row(1.0, timestamp="2026-01-01T00:00:00")
    limited = QualitySettings(limited_origins=("drop",), days_back=30)
    site.load([old], quality=limited)
    site.load([old | {"test_run_id": "r2"}], quality=limited, origin="drop")
    assert len(site.values()) == 1
    assert "before 2026-09-01" in site.quarantine()["message"][0]


def test_tags_that_are_no_identity_explain(site: Site) -> None:
    tags = as_json({"os": "linux", "gpu": "none"})
    site.store(Measurement("here", "own", 1.0, "s", run_key="r1", tags=tags, context='{"a": 1}'))
    assert list(site.warehouse.query("SELECT tags FROM series")["tags"]) == ['{"os":"linux"}']
    [context] = site.warehouse.query("SELECT context FROM runs")["context"]
    assert json.loads(context) == {"a": 1, "gpu": "none"}


def test_what_could_not_be_read_is_read_again_after_a_correction(site: Site) -> None:
    strange = QualitySettings(max_new_series=1)
    rows = [row(1.0), row(2.0, test_name="b"), row(-1.0, run="r2")]
    site.load(rows, quality=strange)
    assert (site.values(), len(site.quarantine())) == ([], 2)
    [file] = site.landing.files()
    assert forget_files(site.warehouse, [file.content_hash]) == 1
    replayed = site.load_landed(file)
    fresh = Site(site.scratch.parent / "fresh")
    fresh.load(rows)
    assert (replayed.new_measurements, replayed.quarantined) == (2, 1)
    assert_same_content(site, fresh)
    assert list(site.quarantine()["quarantine_id"]) == list(fresh.quarantine()["quarantine_id"])
    # Again, and nothing is there twice.
    forget_files(site.warehouse, [file.content_hash])
    assert site.load_landed(file).new_measurements == 0
    assert_same_content(site, fresh)


def test_quarantine_tells_since_when_and_how_often(site: Site) -> None:
    for day in range(3):
        site.load([row(-1.0)], received_at=RECEIVED_AT + timedelta(days=day))
    record_files(site.warehouse, site.landing.files(), site.landing.days())
    [found] = site.quarantine().to_dict("records")
    assert (found["first_seen"], found["times_seen"]) == (RECEIVED_AT, 3)
