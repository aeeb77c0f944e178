"""Pulling from a local Jenkins: builds, stages, and what is still being built."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from perf_assets.sources import jenkins as jenkins_module
from perf_assets.sources.errors import SettingsError
from perf_assets.sources.jenkins import Jenkins
from perf_assets_tests.formats.reading import read_file
from perf_assets_tests.formats.test_jenkins import AT, build, pipeline, stage
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.pull import NOON, Site, errors_of
from perf_assets_tests.sources.service import SECRET, Request, Service, as_json, serving

JOB = "/jenkins/job/team/job/shop%20front"
DAY = 86_400_000
PIPELINE = "org.jenkinsci.plugins.workflow.job.WorkflowRun"
AUTHORIZATION = "Basic " + b64encode(f"ada:{SECRET}".encode()).decode()


@dataclass
class Server:
    service: Service
    builds: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, number: int, began: int = AT, **more: Any) -> None:
        self.builds[number] = build(number, timestamp=began) | more

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != AUTHORIZATION:
            return Answer(b"<html>401</html>", 401)
        if request.path == f"{JOB}/api/json":
            assert "parameters" not in request.query["tree"]
            first, last = map(int, re.search(r"\{(\d+),(\d+)\}$", request.query["tree"]).groups())
            newest_first = [self.builds[number] for number in sorted(self.builds, reverse=True)]
            return as_json({"fullName": "team/shop front", "allBuilds": newest_first[first:last]})
        asked = re.fullmatch(rf"{JOB}/(\d+)/wfapi/describe", request.path)
        if not asked:
            return Answer(b"<html>404</html>", 404)
        href = f"{JOB}/{asked[1]}/wfapi/describe"
        return as_json(pipeline(stage(), id=asked[1], _links={"self": {"href": href}}))

    def source(self, **more: Any) -> Jenkins:
        return Jenkins(
            **{"url": f"{self.service.url}/jenkins", "jobs": ["team/shop front"], "user": "ada", "token": SECRET} | more
        )


@pytest.fixture
def jenkins(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(jenkins_module, "_PAGE", 3)
    with serving(lambda request: Answer(status=500)) as service:
        server = Server(service)
        service.answer = server.answer
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, "jenkins")


def test_a_day_is_the_builds_that_began_on_it_and_their_stages(jenkins, site):
    for number in range(1, 8):
        jenkins.add(number, AT - (7 - number) * DAY // 2)
    jenkins.builds[7]["_class"] = PIPELINE
    pulled, client = site.pull(jenkins.source(), days=2)
    assert errors_of(pulled) == []
    # One page holds the builds of both days.
    assert site.names() == ["team/shop front build 7 stages.json", "team/shop front builds.json"]
    assert {read_file(file.path).format for file in site.files()} == {"jenkins-builds", "jenkins-stages"}
    assert jenkins.service.paths.count(f"{JOB}/api/json") == 2
    assert client.requests == 3
    assert SECRET.encode() not in site.everything_kept()


def test_stages_are_on_the_branch_of_their_build(jenkins, site):
    revision = {"SHA1": "c0ffee", "branch": [{"name": "origin/feature/x"}]}
    jenkins.add(1, _class=PIPELINE, result="FAILURE", actions=[{"lastBuiltRevision": revision}])
    jenkins.add(2, _class=PIPELINE, actions=5)
    site.pull(jenkins.source())
    given = {file.name: (file.given.branch, file.given.commit_id) for file in site.files() if "stages" in file.name}
    assert given == {
        "team/shop front build 1 stages.json": ("feature/x", "c0ffee"),
        "team/shop front build 2 stages.json": (None, None),
    }


def test_builds_still_running_come_when_they_have_ended(jenkins, site):
    jenkins.add(1, AT - 3 * DAY, building=True, result=None, duration=0, _class=PIPELINE)
    pulled, _ = site.pull(jenkins.source())
    assert pulled.files == 0
    jenkins.add(1, AT - 3 * DAY, _class=PIPELINE)
    before = len(jenkins.service.requests)
    pulled, _ = site.pull(jenkins.source())
    assert (errors_of(pulled), pulled.new_files) == ([], 2)
    assert jenkins.service.asked_since(before) == [f"{JOB}/api/json", f"{JOB}/1/wfapi/describe"]
    before = len(jenkins.service.requests)
    assert site.pull(jenkins.source())[0].files == 0
    assert jenkins.service.asked_since(before) == [f"{JOB}/api/json"]
    assert site.seen("2026-09-07")[f"{jenkins.service.url}{JOB}"]["seen"] == {"1": "SUCCESS"}


def test_pages_are_walked_back_to_the_day_once(jenkins, site):
    for number in range(1, 20):
        jenkins.add(number, AT - (19 - number) * DAY)
    pulled, client = site.pull(jenkins.source())
    assert (errors_of(pulled), client.requests) == ([], 3)
    rows = {row["run_key"] for file in site.files() for row in read_file(file.path).rows}
    assert {f"team/shop front#{number}" for number in range(12, 20)} <= rows


def test_a_pipeline_without_the_plugin_has_no_stages(jenkins, site):
    jenkins.add(1, _class=PIPELINE)
    jenkins.service.troubles = [("wfapi", Answer(b"<html>404</html>", 404))]
    pulled, _ = site.pull(jenkins.source(), days=1)
    assert (errors_of(pulled), pulled.files) == ([], 1)
    before = len(jenkins.service.requests)
    site.pull(jenkins.source(), days=1)
    assert jenkins.service.asked_since(before) == [f"{JOB}/api/json"]


def test_troubles_are_told(jenkins, site):
    told = errors_of(site.pull(jenkins.source(token="hunter3-is-wrong"), days=1)[0])[0]
    assert "Set JENKINS_USER and JENKINS_TOKEN" in told
    assert "hunter3" not in told
    told = errors_of(site.pull(jenkins.source(jobs=("nothing",)), days=1)[0])[0]
    assert "Check the name of the job" in told
    jenkins.service.troubles = [("", as_json({"jobs": []}))]
    assert "Check that this is a job" in errors_of(site.pull(jenkins.source(), days=1)[0])[0]


def test_settings_that_cannot_be_used(jenkins):
    with pytest.raises(SettingsError, match="belong together") as caught:
        jenkins.source(user="").service()
    assert SECRET not in str(caught.value)
    with pytest.raises(SettingsError, match="is no job"):
        jenkins.source(jobs=("/",)).scopes(None, NOON)
    with pytest.raises(SettingsError, match=r"sources.jenkins.url is not usable"):
        jenkins.source(url="ci.example.org").scopes(None, NOON)
    assert jenkins.source(user="", token="").service().headers == {}
