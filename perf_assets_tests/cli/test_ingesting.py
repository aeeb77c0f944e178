"""`ingest`, `quarantine` and `epochs` from outside."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from perf_assets_tests.cli.site import Site
from perf_assets_tests.defs.building import small_table

JUNIT = (
    b'<testsuite name="s"><testcase classname="c" name="a" time="0.5"/>'
    b'<testcase name="b"><failure/></testcase></testsuite>'
)
BAD = '{"timestamp": "2026-09-01T00:00:00Z", "metric_name": "render_latency", "metric_value": 5, "unit": "MB"}\n'
METRICS = """[render_latency]
unit = "UNIT"
direction = "lower_is_better"
category = "test_execution"
importance = "high"
description = "Time to paint."
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    (folder / "deep").mkdir(parents=True)
    (folder / "junit.xml").write_bytes(JUNIT)
    (folder / "deep" / "table.csv").write_bytes(small_table(1, 1))
    (folder / "notes.txt").write_text("nothing to read")
    return folder


def test_a_mixed_folder_is_told_file_by_file_and_ends_well(site: Site, results: Path) -> None:
    result = site.call("ingest", results)
    assert result.exit_code == 0, result.output
    assert "junit" in result.stdout
    assert "long-table-csv" in result.stdout
    assert "3 files:" in result.stdout
    assert "without a value: 1 failed" in result.stdout
    assert "1 in quarantine" in result.stdout
    assert site.call("ingest", results, "--strict").exit_code == 1


def test_the_same_as_json(site: Site, results: Path) -> None:
    files = {file["file"]: file for file in site.json("ingest", results)["files"]}
    assert files["results/junit.xml"] | {"content_hash": ""} == {
        "file": "results/junit.xml",
        "content_hash": "",
        "format": "junit",
        "measurements": 1,
        "new_measurements": 1,
        "new_series": 1,
        "known_series": 0,
        "quarantined": 0,
        "without_value": {"failed": 1},
        "loaded_before": False,
    }
    assert files["results/notes.txt"]["format"] is None
    again = {file["file"]: file for file in site.json("ingest", results)["files"]}
    assert all(file["loaded_before"] for file in again.values())
    assert {file["new_measurements"] + file["new_series"] for file in again.values()} == {0}


def test_results_of_branches_without_series_are_told_and_not_taken_for_findings(site: Site, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_bytes(JUNIT)
    result = site.call("ingest", tmp_path / "junit.xml", "--branch", "PR-7", "--run", "ci-1")
    assert "1 measurement on branches that form no series (PR-7)" in result.stdout
    analysed = site.call("run")
    assert "There is nothing to analyse yet" in analysed.stdout
    assert "branches that form no series (PR-7)" in " ".join(analysed.stdout.split())
    assert "PR-7" in (site.home / "report.html").read_text()
    assert "branches that form no series (PR-7)" in site.call("doctor").stdout


def test_a_replay_that_cannot_begin_leaves_the_quarantine_as_it_is(site: Site, tmp_path: Path) -> None:
    with_metrics(site, "s")
    (tmp_path / "bad.jsonl").write_text(BAD)
    site.call("ingest", tmp_path / "bad.jsonl")
    before = site.json("quarantine", "list")
    with_metrics(site, "ms")  # not one to which values are converted
    assert site.call("quarantine", "replay").exit_code == 2
    with_metrics(site, "s")
    assert site.json("quarantine", "list") == before != []


def test_what_a_terminal_would_obey_is_shown_as_text(site: Site, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"some notes \x1b[31m of somebody")
    assert site.call("ingest", tmp_path / "notes.txt").exit_code == 0
    [entry] = site.json("quarantine", "list")
    shown = site.call("quarantine", "show", entry["quarantine_id"]).stdout
    assert "some notes \\x1b[31m of somebody" in shown


def test_a_copy_of_a_file_is_told_to_be_one(site: Site, results: Path) -> None:
    (results / "copy.xml").write_bytes(JUNIT)
    result = site.call("ingest", results)
    assert "3 files:" in result.stdout
    assert "1 duplicate file skipped" in result.stdout


def test_a_file_is_called_as_it_was_named_now(site: Site, results: Path) -> None:
    site.call("ingest", results / "junit.xml")
    (results / "junit.xml").rename(results / "again.xml")
    [file] = site.json("ingest", results / "again.xml")["files"]
    assert (file["file"], file["loaded_before"]) == ("again.xml", True)


def test_what_is_said_and_blank_is_not_said(site: Site, results: Path) -> None:
    site.call("ingest", results / "junit.xml")
    [file] = site.json("ingest", results / "junit.xml", "--project=", "--commit", " ", "--time=", "--timezone=")[
        "files"
    ]
    assert file["loaded_before"]


def test_a_value_that_replaces_that_of_another_file_is_told(site: Site, tmp_path: Path) -> None:
    files = []
    for value in (1, 2):
        files.append(tmp_path / f"{value}.jsonl")
        files[-1].write_text(BAD.replace("5", str(value)).replace("MB", "ms").replace("}", ', "test_run_id": "r1"}'))
    told = [" ".join(site.call("ingest", file).stdout.split()) for file in files]
    assert "0 in quarantine" in told[0]
    # Which of the two stays is settled by their content, and whichever that is, the second one tells of it.
    assert "1 in quarantine" in told[1]
    assert "quarantined" in told[1]
    assert any(f"{files[loser].name}, " in told[1].split("1 in quarantine")[1] for loser in (0, 1))
    assert site.call("ingest", files[1], "--strict").exit_code == 1


def test_places_of_a_file_are_told_in_their_order(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text(BAD + BAD.replace("5", '"fast"') * 11)
    told = site.call("ingest", tmp_path / "bad.jsonl").stdout
    assert [int(line) for line in re.findall(r"bad.jsonl, line (\d+)", told)] == [*range(2, 12)]
    assert "11 results in all went to quarantine" in told
    listed = site.call("quarantine", "list").stdout
    assert [int(line) for line in re.findall(r"bad.jsonl, line (\d+)", listed)] == [*range(2, 13)]


def test_the_quarantine_of_an_archive_is_found_by_its_name(site: Site, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("deep/log.txt", "nothing to read")
    site.call("ingest", tmp_path / "logs.zip")
    for name in ("logs.zip", "*.zip", "log.txt", "logs.zip/deep/log.txt"):
        assert len(site.json("quarantine", "list", "--file", name)) == 1, name
    assert site.json("quarantine", "list", "--file", "log") == []


def test_what_limits_let_in_before_goes_when_they_change(site: Site, tmp_path: Path) -> None:
    site.variables()
    (tmp_path / "later.jsonl").write_text(
        '{"timestamp": "2126-09-01T00:00:00Z", "metric_name": "cpu_usage", "metric_value": 0.5}\n'
        '{"timestamp": "2026-09-01T00:00:00Z", "metric_name": "cpu_usage", "metric_value": 0.4}\n'
    )
    before = site.config.read_text()
    site.config.write_text(before + "[quality]\nminutes_ahead = 100000000\n")
    site.call("ingest", tmp_path / "later.jsonl")
    assert site.query("SELECT value FROM measurements ORDER BY value") == [(0.4,), (0.5,)]
    site.config.write_text(before)
    site.call("ingest", tmp_path / "later.jsonl")
    assert site.query("SELECT value FROM measurements") == [(0.4,)]
    assert [entry["reason"] for entry in site.json("quarantine", "list")] == ["time_out_of_range"]


def test_what_is_said_of_files_is_kept_with_them(site: Site, results: Path) -> None:
    told = ("--project", "shop", "--run", "ci-7", "--attempt", "2", "--commit", "abc", "--time", "2026-09-01T06:00:00Z")
    assert site.call("ingest", results / "junit.xml", *told).exit_code == 0
    [run] = site.query("SELECT project, run_key, attempt, commit_id, ts FROM runs JOIN measurements USING (run_id)")
    assert [str(value) for value in run] == ["shop", "ci-7", "2", "abc", "2026-09-01 06:00:00"]


@pytest.mark.parametrize(
    ("option", "value", "remedy"), [("--time", "soon", "ISO 8601"), ("--timezone", "Mars/Olympus", "Europe/Berlin")]
)
def test_what_cannot_be_said_is_refused_before_anything_is_landed(
    site: Site, results: Path, option: str, value: str, remedy: str
) -> None:
    result = site.call("ingest", results, option, value)
    assert result.exit_code == 2
    assert f"{option} {value}" in result.stderr
    assert remedy in result.stderr
    assert not (site.home / "landing").exists()


@pytest.mark.parametrize("command", ["run", "ingest"])
def test_an_empty_folder_is_an_error(site: Site, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()
    result = site.call(command, tmp_path / "empty")
    assert result.exit_code == 2
    assert f"{tmp_path / 'empty'}: no result files" in result.stderr


def with_metrics(site: Site, unit: str) -> None:
    site.variables()
    metrics = site.folder / "metrics.toml"
    metrics.write_text(METRICS.replace("UNIT", unit))
    site.config.write_text(f'metrics_file = "{metrics}"\n')


def test_quarantine_is_listed_shown_and_after_a_fix_replayed(site: Site, tmp_path: Path) -> None:
    assert site.call("quarantine", "list").exit_code == 3  # nothing was ever read
    with_metrics(site, "s")
    (tmp_path / "bad.jsonl").write_text(BAD)
    assert site.call("ingest", tmp_path / "bad.jsonl").exit_code == 0
    [entry] = site.json("quarantine", "list")
    assert (entry["reason"], entry["name"], entry["location"], entry["times_seen"]) == (
        "unit_conflict",
        "bad.jsonl",
        "line 1",
        1,
    )
    assert site.json("quarantine", "list", "--reason", "truncated") == []
    assert len(site.json("quarantine", "list", "--file", "*.jsonl")) == 1
    listed = site.call("quarantine", "list").stdout
    assert entry["quarantine_id"] in listed
    assert "bad.jsonl, line 1: render_latency is measured in s, and MB does not convert to that" in listed
    shown = site.json("quarantine", "show", entry["quarantine_id"])
    assert Path(shown["landed"]).read_text() == BAD
    assert "5" in shown["fragment"]

    with_metrics(site, "By")
    replayed = site.call("quarantine", "replay", entry["quarantine_id"])
    assert replayed.exit_code == 0, replayed.output
    assert "Reading 1 file again" in replayed.stdout
    assert site.query("SELECT value FROM measurements") == [(5e6,)]
    assert site.json("quarantine", "list") == []
    assert "Nothing is in quarantine" in site.call("quarantine", "replay").stdout


def test_an_unknown_entry_is_refused(site: Site, results: Path) -> None:
    site.call("ingest", results / "junit.xml")
    for command in ("show", "replay"):
        result = site.call("quarantine", command, "-42")
        assert result.exit_code == 2
        assert "nothing in quarantine has the id -42" in result.stderr
    for command in ("list", "replay"):
        result = site.call("quarantine", command, "--reason", "nosuch")
        assert result.exit_code == 2
        assert "Unknown reason 'nosuch'; use one of" in result.stderr


def test_an_epoch_is_declared_once_listed_and_withdrawn(site: Site) -> None:
    assert "No epoch is declared" in site.call("epochs").stdout
    declared = (
        "epochs",
        "declare",
        "--at",
        "2026-09-01",
        "--reason",
        "new compiler",
        "--project",
        "shop",
        "--by",
        "Ada",
    )
    for _ in range(2):
        result = site.call(*declared)
        assert result.exit_code == 0, result.output
    [epoch] = site.json("epochs")
    assert (epoch["reason"], epoch["project"], epoch["declared_by"]) == ("new compiler", "shop", "Ada")
    assert epoch["starts_at"] == "2026-09-01T00:00:00"
    assert "new compiler" in site.call("epochs").stdout
    assert site.call("epochs", "withdraw", epoch["epoch_id"]).exit_code == 0
    assert site.json("epochs") == []
    assert site.call("epochs", "withdraw", epoch["epoch_id"]).exit_code == 2


def test_an_epoch_that_a_step_declares_each_time_it_runs_is_one(site: Site) -> None:
    declared = ("epochs", "declare", "--reason", "new compiler", "--project", "shop")
    assert "UTC for project shop: new compiler" in site.call(*declared).stdout
    assert "was declared before" in site.call(*declared).stdout
    assert len(site.json("epochs")) == 1
    assert site.call("epochs", "declare", "--reason", "new compiler").exit_code == 0
    assert len(site.json("epochs")) == 2


def test_an_epoch_needs_a_time_that_is_one(site: Site) -> None:
    result = site.call("epochs", "declare", "--at", "soon", "--reason", "x")
    assert result.exit_code == 2
    assert "--at: " in result.stderr
    assert "2026-09-10T06:00:00Z" in result.stderr


def test_a_declared_epoch_counts_from_the_next_run_on(analysed: Site) -> None:
    before = {row["test_name"] for row in analysed.json("regressions") if row["kind"] == "regression"}
    assert before
    newest = max(row["first_bad_at"] for row in analysed.json("regressions"))
    assert analysed.call("epochs", "declare", "--at", newest, "--reason", "moved to new machines").exit_code == 0
    done = analysed.call("run")
    assert done.exit_code == 0, done.output
    assert "moved to new machines" in done.stdout
    assert [row for row in analysed.json("regressions") if row["kind"] == "regression"] == []
    assert json.loads(analysed.call("stopped", "--json").stdout) == []


def test_what_was_loaded_follows_a_change_of_branches_and_of_units(site: Site, tmp_path: Path) -> None:
    site.variables()
    rows = [
        {
            "timestamp": f"2026-09-0{day}T06:00:00Z",
            "metric_name": "render_latency",
            "metric_value": 90,
            "branch": "next",
        }
        for day in range(1, 4)
    ]
    (tmp_path / "old.jsonl").write_text(
        "".join(json.dumps(row | {"test_run_id": f"r{n}"}) + "\n" for n, row in enumerate(rows[:2]))
    )
    (tmp_path / "new.jsonl").write_text(
        "".join(json.dumps(row | {"test_run_id": f"r{n}"}) + "\n" for n, row in enumerate(rows))
    )
    site.call("ingest", tmp_path / "old.jsonl")
    assert site.query("SELECT count(*) FROM series_measurements") == [(0,)]
    with_metrics(site, "s")
    site.config.write_text(site.config.read_text() + '[identity]\nbranches = ["main", "next"]\n')
    site.call("ingest", tmp_path / "new.jsonl")
    assert site.query("SELECT count(*), count(DISTINCT series_id) FROM series_measurements") == [(3, 1)]
    assert site.query("SELECT count(*) FROM measurements") == [(3,)]
    assert site.query("SELECT DISTINCT unit FROM series") == [("s",)]
