"""`perf-assets pull` from outside: what it shows, what it refuses, and no secret in any of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from perf_assets.landing import Landing, utc_now
from perf_assets_tests.cli.site import CONFIG, Site
from perf_assets_tests.defs.building import scenario_page
from perf_assets_tests.sources.dashboard_server import TOKEN, Answer, dashboard_server
from perf_assets_tests.sources.service import SECRET, serving
from perf_assets_tests.sources.test_github_actions import GitHub


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving(lambda request: Answer(status=500)) as service:
        server = GitHub(service)
        service.answer = server.answer
        yield server


def configured(site: Site, *lines: str, **environ: str) -> Site:
    site.variables()
    site.config.write_text(CONFIG + "\n".join(lines) + "\n")
    return replace(site, environ=environ)


def watching(site: Site, github: GitHub, token: str = SECRET) -> Site:
    return configured(
        site,
        "[sources.github_actions]",
        'repositories = ["org/shop"]',
        f'base_url = "{github.service.url}"',
        GITHUB_TOKEN=token,
    )


def row(output: str, source: str) -> list[str]:
    return next(line.split() for line in output.splitlines() if line.strip().startswith(source))


def test_a_pull_shows_what_was_asked_for_and_what_came(github, site):
    yesterday = utc_now().date() - timedelta(days=1)
    github.add(1, f"{yesterday}T06:00:00Z")
    pulling = watching(site, github)
    result = pulling.call("pull")
    assert result.exit_code == 0, result.output
    assert row(result.stdout, "github_actions")[1:5] == ["9", "2", "2", "0"]
    assert len(list(Landing(site.home / "landing").files())) == 2
    result = pulling.call("pull", "github-actions", "--from", yesterday, "--to", yesterday)
    assert row(result.stdout, "github_actions")[1:5] == ["1", "0", "0", "1"]
    assert SECRET not in result.output


def test_what_went_wrong_is_told_and_the_exit_code_says_so(github, site):
    result = watching(site, github, "hunter3-is-wrong").call("pull")
    assert result.exit_code == 1
    assert "github_actions: " in result.stdout
    assert "Set GITHUB_TOKEN to one that is valid" in result.stdout
    assert "hunter3" not in result.output
    assert "Traceback" not in result.output


def test_a_source_that_has_no_days_is_pulled_like_the_others(site):
    with dashboard_server() as dashboard:
        dashboard.answers["/api/results"] = Answer(scenario_page())
        asking = replace(site, environ={"SCALE_DASHBOARD_URL": dashboard.url, "SCALE_DASHBOARD_API_KEY": TOKEN})
        first, second = asking.call("pull"), asking.call("pull", "dashboard")
    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert row(first.stdout, "dashboard")[1:5] == ["1", "1", "1", "0"]
    assert row(second.stdout, "dashboard")[1:5] == ["1", "1", "0", "0"]


def test_two_sources_one_of_which_fails(github, site, tmp_path):
    both = watching(site, github)
    both.config.write_text(both.config.read_text() + f'[[sources.folders]]\nurl = "{tmp_path / "nowhere"}"\n')
    result = both.call("pull")
    assert result.exit_code == 1
    assert row(result.stdout, "github_actions")[1] == "8"
    assert "no such file or folder. Check the address in sources.folders" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no source is configured; docs/sources.md says how"),
        (("nonsense",), "Unknown source 'nonsense'; use one of circleci, dagster, dashboard"),
        (
            ("gitlab",),
            "gitlab is not configured. Set sources.gitlab.projects, and GITLAB_TOKEN",
        ),
    ],
)
def test_sources_that_cannot_be_pulled(site, arguments, message):
    result = site.call("pull", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "days", [("--from", "2026-01-02", "--to", "2026-01-01"), ("--to", "2999-01-01"), ("--from", "2019-12-31")]
)
def test_days_that_cannot_be_pulled(github, site, days):
    result = watching(site, github).call("pull", *days)
    assert result.exit_code == 2
    assert "name days in order, from 2020-01-01 to" in result.stderr
    assert github.service.requests == []
