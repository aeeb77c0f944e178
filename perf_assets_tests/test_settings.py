"""Settings: defaults, file, environment, and errors that say what to mend."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from perf_assets.settings import Settings, SettingsError, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "perf-assets.toml"


def load(file: Path, text: str | bytes, **environ: str) -> Settings:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings({"PERF_ASSETS_CONFIG": str(file), **environ})


def test_without_file_and_environment_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert settings.home == tmp_path / "var"
    assert settings.landing == tmp_path / "var" / "landing"
    assert settings.state == f"sqlite:///{tmp_path / 'var' / 'state' / 'state.sqlite3'}"
    assert settings.regressions.threshold_of("cpu_usage") == 0.10
    assert settings.channels.configured == {}


def test_a_file_in_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("perf-assets.toml").write_text("[forecast]\nhorizon = 7\n")
    assert load_settings({}).forecast.horizon == 7


def test_the_file_sets_what_it_names(file: Path) -> None:
    settings = load(
        file,
        """
        metrics_file = "own.toml"
        [identity]
        branches = ["release"]
        [regressions]
        threshold = 0.05
        thresholds = { token_refresh_time = 0.2 }
        """,
    )
    assert settings.metrics_file == Path("own.toml")
    assert settings.identity.branches == ("release",)
    assert (settings.regressions.threshold_of("x"), settings.regressions.threshold_of("token_refresh_time")) == (
        0.05,
        0.2,
    )


def test_sources_are_those_that_name_what_to_pull(file: Path) -> None:
    settings = load(
        file,
        """
        [sources]
        longest_wait = 5
        [sources.github_actions]
        repositories = ["org/shop"]
        [sources.jenkins]
        url = "https://ci.example.org"
        [sources.prometheus]
        url = "http://prometheus:9090"
        queries = { token_refresh_time = "rate(refresh_seconds_sum[5m])" }
        [[sources.folders]]
        url = "s3://bucket/ci"
        options = { endpoint_url = "http://minio:9000" }
        """,
        GITHUB_TOKEN="hunter2",
        JENKINS_USER="ada",
        JENKINS_TOKEN="hunter2",
        GITLAB_TOKEN="hunter2",
        CIRCLE_TOKEN="hunter2",
        PROMETHEUS_TOKEN="hunter2",
    )
    assert settings.sources.configured == ("folders", "github_actions", "prometheus")
    assert settings.sources.longest_wait == 5
    sources = settings.sources.sections
    assert sources["github_actions"].base_url == "https://api.github.com"
    assert sources["folders"].root[0].options == {"endpoint_url": "http://minio:9000"}
    watched = ("github_actions", "jenkins", "gitlab", "circleci", "prometheus")
    assert {sources[name].token.get_secret_value() for name in watched} == {"hunter2"}
    assert sources["jenkins"].user == "ada"
    assert "hunter2" not in repr(settings) + repr(sources) + "".join(map(repr, sources.values()))


def test_nothing_is_pulled_unless_asked_for() -> None:
    assert Settings().sources.configured == ()


def test_the_environment_goes_before_the_file(file: Path, tmp_path: Path) -> None:
    settings = load(
        file,
        'home = "elsewhere"\n[slack]\nchannel = "#perf"\n',
        PERF_ASSETS_HOME=str(tmp_path / "home"),
        PERF_ASSETS_STATE_URL="postgresql://user:hunter2@host/db",
        SLACK_BOT_TOKEN="xoxb-hunter2",
        SLACK_API_URL="http://127.0.0.1:1/",
        SCALE_DASHBOARD_URL="https://host",
        SCALE_DASHBOARD_API_KEY="hunter2",
    )
    assert settings.home == tmp_path / "home"
    assert settings.state == "postgresql://user:hunter2@host/db"
    slack = settings.channels["slack"]
    assert (slack.channel, slack.base_url, slack.configured) == ("#perf", "http://127.0.0.1:1/", True)
    assert slack.token.get_secret_value() == "xoxb-hunter2"
    assert "hunter2" not in repr(slack)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


@pytest.mark.parametrize(
    ("text", "field", "got"),
    [
        ("colour = 1", "colour", "got 1"),
        ("home = 5", "home", "got 5"),
        ("slack = 5", "slack", "got 5"),
        ("[regressions]\nthreshold = 'much'", "regressions.threshold", "got 'much'"),
        ("[regressions]\nthreshold = 0", "regressions.threshold", "got 0"),
        ("[regressions]\nthreshold = nan", "regressions.threshold", "got nan"),
        ("[regressions]\nthresholds = {cpu_usage = -1}", "regressions.thresholds.cpu_usage", "got -1"),
        ("[regressions]\nfalse_discovery_rate = 0.7", "regressions.false_discovery_rate", "got 0.7"),
        ("[regressions]\nconfirm_after = 1", "regressions.confirm_after", "got 1"),
        ("[forecast]\nhorizon = 0", "forecast.horizon", "got 0"),
        ("[forecast]\nlimits = {cpu_usage = inf}", "forecast.limits.cpu_usage", "got inf"),
        ("[forecast]\nlimits_over_baseline = {cpu_usage = -1}", "forecast.limits_over_baseline.cpu_usage", "got -1"),
        ("[forecast]\nlimits = {a = 1}\nlimits_over_baseline = {a = 1}", "forecast", "got "),
        ("[seasonality]\nperiods = ['30d', 'month']", "seasonality.periods.1", "got 'month'"),
        ("[seasonality]\nperiods = ['2h']", "seasonality.periods.0", "got '2h'"),
        ("[seasonality]\nperiods = ['24h']", "seasonality.periods.0", "got '24h'"),
        ("[seasonality]\nperiods = ['2d', '48h']", "seasonality.periods", "got "),
        ("[identity]\nbranches = []", "identity.branches", r"got \[\]"),
        ("[identity]\nbranches = 'main'", "identity.branches", "got 'main'"),
        ("[identity]\nephemeral_nodes = ['(']", "identity.ephemeral_nodes.0", r"got '\('"),
        ("[identity]\nephemeral_nodes = ['(?=x)']", "identity.ephemeral_nodes.0", "got "),
        ("[quality]\nlimited_origins = ['files']", "quality.limited_origins.0", "got 'files'"),
        ("[sources.github_actions]\nrepository = 'x'", "sources.github_actions.repository", "got 'x'"),
        ("[sources.gitlab]\nprojects = 'x'", "sources.gitlab.projects", "got 'x'"),
        ("[sources.prometheus]\nstep = 0", "sources.prometheus.step", "got 0"),
        ("[[sources.folders]]\nurl = ''", "sources.folders.0.url", "got ''"),
        ("[sources]\nlongest_wait = -1", "sources.longest_wait", "got -1"),
    ],
)
def test_an_error_names_file_field_and_what_was_got(file: Path, text: str, field: str, got: str) -> None:
    with pytest.raises(SettingsError, match=rf"perf-assets.toml: {field}: .*\({got}.*; correct or remove it"):
        load(file, text, SLACK_API_URL="http://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("first", "end"),
    [
        ("2026-09-10T06:00:00Z", "2026-09-10T09:30:00Z"), ("2026-09-10 06:00:00", "2026-09-10 09:30:00"),
        ("2026-09-10T08:00:00+02:00", "2026-09-10T04:30:00-05:00"), ("'2026-09-10 06:00'", "'2026-09-10T09:30Z'"),
        ("'2026-09-10T08:00+02:00'", "2026-09-10T09:30:00"),
    ],
)  # fmt: skip
def test_an_incident_is_in_utc_however_it_is_written(file: Path, first: str, end: str) -> None:
    (incident,) = load(file, f"[[incidents]]\nfrom = {first}\nto = {end}\nreason = ' disk full '").incidents
    assert incident.starts_at == datetime.fromisoformat("2026-09-10T06:00")
    assert incident.ends_at == datetime.fromisoformat("2026-09-10T09:30")
    assert (incident.reason, incident.project, incident.node_id) == ("disk full", None, None)


def test_a_day_is_its_first_moment_and_incidents_are_as_many_as_are_declared(file: Path) -> None:
    declared = "[[incidents]]\nfrom = 2026-09-10\nto = '2026-09-11'\nreason = 'x'\n"
    incidents = load(file, declared + "node_id = 'n1'\nmetric = 'cpu_usage'\n" + declared).incidents
    assert [(one.node_id, one.metric) for one in incidents] == [("n1", "cpu_usage"), (None, None)]
    assert (incidents[0].ends_at - incidents[0].starts_at).days == 1


@pytest.mark.parametrize(
    ("changed", "field", "problem"),
    [
        ({"from": None}, "from", "Field required"),
        ({"to": None}, "to", "Field required"),
        ({"reason": None}, "reason", "Field required"),
        ({"reason": "' '"}, "reason", "at least 1 character"),
        ({"reason": "5"}, "reason", "valid string"),
        ({"node": "'n1'"}, "node", "no such setting, did you mean node_id or node_type"),
        ({"node_id": "''"}, "node_id", "at least 1 character"),
        ({"to": "2026-09-09T00:00:00"}, "to", "does not lie after `from`, 2026-09-10 00:00:00 UTC"),
        ({"to": "2026-09-10T00:00:00"}, "to", "does not lie after `from`"),
        ({"from": "'yesterday'"}, "from", "write it like 2026-09-10T06:00:00Z"),
        ({"from": "07:30:00"}, "from", "write it like"),
        ({"from": "20260910"}, "from", "write it like"),
    ],
)
def test_an_incident_that_cannot_be_used_is_named(
    file: Path, changed: dict[str, str | None], field: str, problem: str
) -> None:
    fields = {"from": "2026-09-10T00:00:00Z", "to": "2026-09-11T00:00:00Z", "reason": "'disk full'"} | changed
    text = "\n".join(f"{name} = {value}" for name, value in fields.items() if value is not None)
    with pytest.raises(
        SettingsError, match=rf"perf-assets.toml: incidents.1.{field}: .*{problem}.*; correct or remove"
    ):
        load(file, f"[[incidents]]\nfrom = 2026-01-01\nto = 2026-01-02\nreason = 'x'\n[[incidents]]\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        'slack_token = "hunter2"', 'dashboard_token = "hunter2"', '[slack]\ntoken = "hunter2"',
        '[slack]\nbot_token = "hunter2"',
        '[[incidents]]\nslack_token = "hunter2"',
        '[sources.github_actions]\ntoken = "hunter2"',
        '[[sources.folders]]\nurl = "s3://x"\noptions = {secret = "hunter2"}',
        '[[sources.folders]]\nurl = "x"\noptions = {client_kwargs = {aws_secret_access_key = "hunter2"}}',
        'password = "hunter2"', 'api_key = "hunter2"', '[dashboard]\nApiKey = "hunter2"',
    ],
)  # fmt: skip
def test_a_secret_in_the_file_is_refused_and_not_shown(file: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"perf-assets.toml: \w+: a secret .* set it in the environment") as caught:
        load(file, text)
    assert "hunter2" not in str(caught.value)


def test_a_moment_that_no_calendar_has_is_named(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"incidents.0.from: .*write another year"):
        load(file, "[[incidents]]\nfrom = '0001-01-01T00:00:00+05:00'\nto = 2026-01-02\nreason = 'x'")


@pytest.mark.parametrize("content", ["home = ", b"\xff"])
def test_a_file_that_is_no_toml_is_named(file: Path, content: str | bytes) -> None:
    with pytest.raises(SettingsError, match=r"perf-assets.toml: not a TOML file .*; correct it"):
        load(file, content)


def test_a_file_that_is_named_and_not_there_is_an_error(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"perf-assets.toml: cannot read .*; check the path"):
        load_settings({"PERF_ASSETS_CONFIG": str(file)})


def test_expected_intervals_and_configured_sources_say_what_may_be_missed(file: Path) -> None:
    settings = load(
        file,
        """
        [collection]
        every_minutes = 60
        projects = { nightly = 1440 }
        [sources.github_actions]
        repositories = ["org/shop"]
        [[sources.folders]]
        url = "results"
        """,
        SCALE_DASHBOARD_URL="http://dashboard",
        SCALE_DASHBOARD_API_KEY="key",
    )
    assert settings.collection.intervals == {None: timedelta(hours=1), "nightly": timedelta(days=1)}
    assert settings.pulled == ("dashboard", "folder", "github-actions")
    assert load(file, "").collection.intervals == {}
    with pytest.raises(SettingsError, match="every_minutes"):
        load(file, "[collection]\nevery_minutes = 0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[regresions]\nthreshold = 0.1", "regresions: no such setting, did you mean regressions?"),
        ("[slak]\nchannel = 'x'", "slak: no such setting, did you mean slack?"),
        (
            "[regressions]\ntreshold = 0.1",
            "regressions.treshold: no such setting, did you mean threshold",
        ),
        (
            "[sources.github-actions]\nrepositories = []",
            "sources.github-actions: no such setting, did you mean github_actions",
        ),
        ("[sources]\nlongest_wat = 1", "sources.longest_wat: no such setting, did you mean longest_wait?"),
        ("[sources.gitlab]\nproject = ['x']", "sources.gitlab.project: no such setting, did you mean projects?"),
        ("[slack]\nchanel = 'x'", "slack.chanel: no such setting, did you mean channel?"),
        ("[[incidents]]\nto = 2026-01-01\nform = 2026-01-01\nreason = 'x'", "incidents.0.from: Field required"),
    ],
)
def test_a_name_that_is_not_known_is_named_with_those_it_is_near(file: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(file, text)
    assert message in str(caught.value)
