"""Commands from outside: exit codes, messages with a remedy, and no secret in any of them."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from perf_assets.landing import Landing
from perf_assets_tests.alerts.slack_server import CHANNEL, TOKEN, slack_server
from perf_assets_tests.cli.site import CONFIG, Site
from perf_assets_tests.defs.building import publish_regressions, regression_row, settings_for, small_table
from perf_assets_tests.sources.dashboard_server import TOKEN as DASHBOARD_TOKEN
from perf_assets_tests.sources.dashboard_server import Answer, dashboard_server

SECRET = "xoxb-hunter2-do-not-print"
SOURCES = (
    "circleci", "dagster", "dashboard", "folders", "github_actions", "gitlab", "jenkins", "prometheus",
)  # fmt: skip


@pytest.fixture
def slack():
    with slack_server() as server:
        yield server


def with_slack(site: Site, slack, token: str = TOKEN) -> Site:
    site.variables()
    site.config.write_text(f'{CONFIG}[slack]\nchannel = "{CHANNEL}"\n')
    return replace(site, environ={"SLACK_BOT_TOKEN": token, "SLACK_API_URL": slack.url})


def published(site: Site, *rows: dict[str, object]) -> Site:
    publish_regressions(settings_for(site.home), *rows)
    return site


@pytest.mark.parametrize("command", ["run", "ingest"])
def test_a_path_that_is_not_there(command, site, tmp_path):
    result = site.call(command, tmp_path / "nowhere")
    assert result.exit_code == 2
    assert f"{tmp_path / 'nowhere'}: no such file or folder; name a result file or a folder" in result.stderr


def test_a_configuration_that_is_not_there(tmp_path):
    missing = tmp_path / "nowhere.toml"
    site = Site(tmp_path / "site", {"PERF_ASSETS_CONFIG": str(missing)})
    done = site.execute("regressions")
    assert done.returncode == 2
    assert (
        done.stderr
        == f"perf-assets: {missing}: cannot read the configuration (No such file or directory); check the path\n"
    )


def test_a_home_that_is_a_file(tmp_path):
    (tmp_path / "home").write_text("")
    (tmp_path / "small.csv").write_bytes(small_table(1, 1))
    site = Site(tmp_path)
    result = site.call("ingest", tmp_path / "small.csv")
    assert result.exit_code == 2
    assert f"perf-assets: {tmp_path / 'home' / 'landing'}: Not a directory; check the path" in result.stderr
    assert "Traceback" not in result.output
    result = site.call("doctor")
    assert result.exit_code == 1
    assert "set PERF_ASSETS_HOME" in result.stdout


def test_a_state_that_cannot_be_opened(site):
    wrong = replace(site, environ={"PERF_ASSETS_STATE_URL": "no-such-database://somewhere"})
    result = wrong.call("alerts")
    assert result.exit_code == 2
    assert result.stderr.startswith("perf-assets: ")
    assert wrong.call("doctor").exit_code == 1


@pytest.mark.parametrize("arguments", [(), ("--nonsense",), ("nonsense",), ("alerts", "acknowledge", "1"), ("ingest",)])
def test_wrong_usage(arguments, site):
    assert site.call(*arguments).exit_code == 2


def test_help_names_the_exit_codes(site):
    done = site.execute("--help")
    assert done.returncode == 0
    assert "4 regressions found" in " ".join(done.stdout.split())


def test_ingest_says_what_became_of_each_file(site, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    table = small_table(1, 1).decode().splitlines()
    other = "\n".join([*table[:4], table[5].replace("2026-06", "2031-06")]).replace("test-0", "other")
    (folder / "good.csv").write_text("\n".join(table[:11]) + "\n")
    (folder / "half [red]good.csv").write_text(other + "\n")
    (folder / "malformed.json").write_text('{"results": [ {"scenario": ')
    (folder / "unknown.bin").write_bytes(b"\x00\x01\x02")
    result = site.call("ingest", folder)
    assert result.exit_code == 0, result.output
    lines = {line.split("  ")[0].strip(): line.split()[-6:] for line in result.stdout.splitlines() if "  " in line}
    assert lines["results/good.csv"] == ["long-table-csv", "10", "10", "1", "0", "0"]
    assert lines["results/half [red]good.csv"] == ["long-table-csv", "3", "3", "1", "0", "1"]
    assert lines["results/unknown.bin"] == ["unknown", "0", "0", "0", "0", "1"]
    assert "quarantined results/half [red]good.csv, line 5: 2031-06" in result.stdout
    assert "lies after the receipt at" in result.stdout
    assert "quarantined results/unknown.bin" in result.stdout
    assert "quarantined results/malformed.json" in result.stdout

    again = site.call("ingest", folder / "good.csv", folder / "unknown.bin", "--strict")
    assert again.exit_code == 1
    assert "loaded before" in again.stdout
    assert site.call("ingest", folder / "good.csv", "--strict").exit_code == 0


def test_a_failing_run_says_which_step_and_why(site, tmp_path):
    site.variables()
    metrics = tmp_path / "metrics.toml"
    metrics.write_text("latency = 5\n")
    site.config.write_text(f'metrics_file = "{metrics}"\n{CONFIG}')
    (tmp_path / "small.csv").write_bytes(small_table(1, 1))
    result = site.call("run", tmp_path / "small.csv")
    assert result.exit_code == 1
    assert "load_results failed" in result.stdout
    wrong = f"{metrics}, metric 'latency': expected a table; write [latency] and its fields below"
    assert wrong in result.stdout
    ingested = site.call("ingest", tmp_path / "small.csv")
    assert ingested.exit_code == 2
    assert wrong in ingested.stderr
    assert "Traceback" not in result.output
    doctor = site.call("doctor")
    assert doctor.exit_code == 1
    assert f"FAILED   catalogue        {metrics}, metric 'latency'" in doctor.stdout


def test_a_wrong_dashboard_token_fails_the_run_and_no_sample_is_shown(site):
    with dashboard_server() as dashboard:
        asking = replace(site, environ={"SCALE_DASHBOARD_URL": dashboard.url, "SCALE_DASHBOARD_API_KEY": SECRET})
        result = asking.call("run")
        assert result.exit_code == 1
        assert "Pulling dashboard" in result.stdout
        assert "Configure a token" in result.stdout
        assert "sample" not in result.stdout
        assert SECRET not in result.output
        assert list(Landing(site.home / "landing").files()) == []
        doctor = asking.call("doctor", "--json")
        assert SECRET not in doctor.output
    states = {line["subject"]: line["state"] for line in json.loads(doctor.stdout)}
    assert (doctor.exit_code, states["dashboard"]) == (1, "failed")


def test_a_dashboard_that_does_not_answer_keeps_no_results_from_being_analysed(tmp_path):
    nowhere = {"SCALE_DASHBOARD_URL": "http://127.0.0.1:1", "SCALE_DASHBOARD_API_KEY": SECRET}
    site = Site(tmp_path / "site", nowhere)
    (tmp_path / "small.csv").write_bytes(small_table(2, 2))
    started = time.monotonic()
    result = site.call("run", tmp_path / "small.csv")
    assert time.monotonic() - started < 100  # not tried again half a minute later
    assert result.exit_code == 1
    last = " ".join(result.stdout.splitlines()[-1:])
    assert last.startswith("The source dashboard was not pulled: ")
    assert "127.0.0.1:1" in last
    assert "The run failed" not in result.stdout
    assert site.query("SELECT count(*) FROM measurements") != [(0,)]
    assert (site.home / "report.html").exists()
    assert SECRET not in result.output


def test_doctor_with_nothing_set(site):
    result = site.call("doctor")
    assert result.exit_code == 0
    states = {line["subject"]: line["state"] for line in site.json("doctor")}
    assert states == {
        "python": "ok", "configuration": "ok", "home": "ok", "catalogue": "ok", "landing": "missing",
        "snapshot": "missing", "state": "ok", "slack": "missing", **dict.fromkeys(SOURCES, "missing"),
    }  # fmt: skip
    assert str(site.config) in result.stdout


def test_doctor_with_a_dashboard_that_answers_and_one_that_does_not(site):
    with dashboard_server() as dashboard:
        dashboard.answers["/api/results"] = Answer(b'{"results": []}')
        asking = replace(
            site, environ={"SCALE_DASHBOARD_URL": dashboard.url, "SCALE_DASHBOARD_API_KEY": DASHBOARD_TOKEN}
        )
        assert asking.call("doctor").exit_code == 0
    result = asking.call("doctor")
    assert result.exit_code == 1
    assert "FAILED   dashboard" in result.stdout
    assert DASHBOARD_TOKEN not in result.output


@pytest.mark.parametrize("token", [SECRET, f"{SECRET}\n"])
def test_doctor_with_a_slack_token_that_is_refused(token, site, slack):
    result = with_slack(site, slack, token).call("doctor")
    assert result.exit_code == 1
    assert "FAILED   slack" in result.stdout
    assert SECRET not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_doctor_and_checksums_after_a_run(analysed_once):
    result = analysed_once.call("doctor")
    assert result.exit_code == 0
    assert "series under analysis" in result.stdout
    rows = analysed_once.json("doctor", "--checksums")
    assert {"regressions", "measurements"} <= {row["table"] for row in rows}
    assert all(len(row["checksum"]) == 16 for row in rows)
    assert analysed_once.json("doctor", "--checksums") == rows
    assert "regressions" in analysed_once.call("doctor", "--checksums").stdout


def test_acknowledging(analysed):
    (row,) = analysed.json("regressions")
    number = row["regression_id"]
    done = analysed.execute("alerts", "acknowledge", "--by", "Ada", "--note", "[/] known", "--", number)
    assert (done.returncode, done.stdout) == (0, f"{number} acknowledged by Ada\n")
    known = analysed.json("alerts")["acknowledgements"]
    assert [(entry["finding_id"], entry["note"]) for entry in known] == [(number, "[/] known")]
    shown = analysed.call("alerts")
    assert shown.exit_code == 0
    assert "[/] known" in shown.stdout
    assert f"regression-{number}" in shown.stdout


def test_acknowledging_what_is_not_there(analysed_once):
    done = analysed_once.execute("alerts", "acknowledge", "12", "--by", "Ada")
    assert done.returncode == 2
    assert done.stderr == "perf-assets: no regression has the id 12; `perf-assets regressions` lists them\n"


def test_alerts_are_sent_once_and_the_rest_stays_here(site, slack):
    told = with_slack(published(site, regression_row(1), regression_row(2), regression_row(3, simulated=True)), slack)
    told.call("alerts", "acknowledge", "2", "--by", "Ada")
    first = told.call("alerts", "send")
    assert (first.exit_code, first.stdout) == (0, "2 sent, 0 sent before, 0 failed\n")
    assert len(slack.messages) == 1
    assert [file.stem for file in (site.home / "outbox").glob("*.json")] == ["regression-3"]
    second = told.execute("alerts", "send")
    assert (second.returncode, second.stdout) == (0, "0 sent, 2 sent before, 0 failed\n")
    channels = {entry["alert_id"]: entry["channel"] for entry in told.json("alerts")["deliveries"]}
    assert channels["regression-1"] == f"slack:{CHANNEL}"
    assert len(slack.messages) == 1


def test_alerts_that_cannot_be_sent(site, slack):
    told = with_slack(published(site, regression_row(1)), slack, SECRET)
    result = told.call("alerts", "send")
    assert result.exit_code == 1
    assert "invalid_auth" in result.stderr
    assert SECRET not in result.output + told.call("alerts").output
    assert with_slack(site, slack).call("alerts", "send").exit_code == 0


def test_alerts_before_the_first_run(site):
    assert site.call("alerts").exit_code == 0
    assert site.call("alerts", "send").exit_code == 3


def test_a_writer_and_a_reader_do_not_get_in_each_others_way(analysed):
    """One process analyses and publishes, for 20 s or once, another reads all the while; neither sees an error."""
    results = analysed.folder / "more.csv"
    results.write_bytes(small_table(2, 2) + b"2026-07-11,test_execution_time,10,test-0,node-0,linux,extra\n")
    current = analysed.home / "snapshots" / "current.duckdb"
    snapshots, read = {current.readlink()}, []
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with analysed.start("run", results) as writer:
            while writer.poll() is None:
                read.append(analysed.call("regressions", "--json"))
                snapshots.add(current.readlink())
                time.sleep(0.3)
            output, errors = writer.communicate()
        assert (writer.returncode, errors, "failed" in output) == (0, "", False)
    assert {(result.exit_code, result.stderr) for result in read} == {(0, "")}
    assert all(len(json.loads(result.stdout)) == 1 for result in read)
    assert len(snapshots) > 1


def test_names_with_control_characters_stop_nothing(site, tmp_path):
    # The drawing library ends the process over any of these; the rest of the fleet is to be seen all the same.
    odd = small_table().replace(b"test-1", b"colour \x1b[31mred").replace(b"test-2", "\ufffe\x00 name".encode())
    (tmp_path / "small.csv").write_bytes(odd.replace(b"node-1", b"node \x0c one"))
    for _ in range(2):
        done = site.execute("run", tmp_path / "small.csv")
        assert done.returncode == 0, done.stderr
    names = {name for (name,) in site.query("SELECT DISTINCT test_name FROM metric_series")}
    assert names == {"test-0", "colour \ufffd[31mred", "\ufffd\ufffd name", "test-3"}
    assert {name for (name,) in site.query("SELECT test_name FROM regressions")} == {"test-0"}
    page = (site.home / "report.html").read_text(encoding="utf-8")
    assert "colour \ufffd[31mred" in page
    assert "test-3" in page
    assert not {"\x00", "\x0c", "\x1b", "\ufffe"} & {*page, *done.stdout}


def test_a_run_says_that_expected_results_have_not_come(analysed):
    analysed.config.write_text(f"{CONFIG}[collection]\nprojects = {{ default = 60 }}\n")
    done = analysed.call("run")
    assert done.exit_code == 0
    late = "No results of project default since 2026-"
    assert late in done.stdout
    assert "expected every hour." in done.stdout
    page = (analysed.home / "report.html").read_text(encoding="utf-8")
    assert page.index(late) < page.index("Worse now")


@pytest.mark.parametrize(("umask", "refused"), [("", 0o077), ('umask = "027"\n', 0o027)])
def test_new_files_are_for_their_owner_only_unless_configured_otherwise(tmp_path, umask, refused):
    site = Site(tmp_path / "site")
    site.variables()
    site.config.write_text(f"{umask}{CONFIG}")
    (tmp_path / "small.csv").write_bytes(small_table(1, 1))
    assert site.execute("ingest", tmp_path / "small.csv").returncode == 0
    assert site.execute("alerts").returncode == 0
    modes = {path: path.stat().st_mode & 0o777 for path in site.home.rglob("*") if not path.is_symlink()}
    assert {path.name for path in modes} >= {"perf_assets.duckdb", "state.sqlite3", "receipts.jsonl"}
    assert {path: oct(mode) for path, mode in modes.items() if mode & refused} == {}


def test_a_mask_that_is_not_octal_is_an_error(tmp_path):
    site = Site(tmp_path)
    site.variables()
    site.config.write_text('umask = "088"\n')
    result = site.call("regressions")
    assert result.exit_code == 2
    assert "umask: Value error, not a file mode mask in octal digits, write it like 027" in result.stderr


def test_a_run_whose_alerts_were_not_delivered_ends_with_1(tmp_path):
    site = Site(tmp_path / "site", {"SLACK_BOT_TOKEN": SECRET, "SLACK_API_URL": "http://127.0.0.1:1/api/"})
    (tmp_path / "step.csv").write_text(
        "timestamp,metric_name,metric_value,test_name\n"
        + "".join(
            f"2026-{9 + day // 30:02}-{1 + day % 30:02}T06:00:00Z,test_execution_time,"
            f"{10 + day % 7 * 0.01 + (5 if day > 40 else 0)},checkout\n"
            for day in range(60)
        )
    )
    result = site.call("run", tmp_path / "step.csv")
    assert "was not sent" in result.stdout
    assert result.exit_code == 1
    assert SECRET not in result.output
