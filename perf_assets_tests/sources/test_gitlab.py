"""Pulling from a local GitLab: pipelines by the day of their last change, with retries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from perf_assets.sources.errors import SettingsError
from perf_assets.sources.gitlab import GitLab
from perf_assets_tests.formats.reading import read_file
from perf_assets_tests.formats.test_gitlab_ci import job, pipeline
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.pull import NOON, Site, errors_of
from perf_assets_tests.sources.service import SECRET, Request, Service, as_json, paged, serving, with_etag

PROJECT = "/api/v4/projects/org%2Fshop"


@dataclass
class Server:
    """Pipelines by id, and the jobs of each."""

    service: Service
    pipelines: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    page: int = 100

    def add(self, number: int, updated: str = "2026-09-10T06:11:00.000Z", **more: Any) -> None:
        self.pipelines[number] = pipeline(id=number, updated_at=updated) | more
        known = self.jobs.setdefault(number, [])
        known.append(job(id=10 * number + len(known), pipeline=job()["pipeline"] | {"id": number}))

    def answer(self, request: Request) -> Answer:
        if request.headers.get("private-token") != SECRET:
            return as_json({"message": "401 Unauthorized"}, 401)
        if request.path == f"{PROJECT}/pipelines":
            after, before = request.query["updated_after"], request.query["updated_before"]
            found = [one for one in self.pipelines.values() if after < one["updated_at"] < before]
            lasting = [{key: one[key] for key in one if "duration" not in key} for one in found]
            shown, link = paged(self.service.url, request, lasting, self.page)
            return with_etag(as_json(shown, **link))
        asked = re.fullmatch(rf"{PROJECT}/pipelines/(\d+)(/jobs)?", request.path)
        if not asked or int(asked[1]) not in self.pipelines:
            return as_json({"message": "404 Not found"}, 404)
        if not asked[2]:
            return as_json(self.pipelines[int(asked[1])])
        assert request.query["include_retried"] == "true"
        newest_first = self.jobs[int(asked[1])][::-1]
        shown, link = paged(self.service.url, request, newest_first, self.page)
        return as_json(shown, **link)

    def source(self, **more: Any) -> GitLab:
        return GitLab(**{"projects": ["org/shop"], "url": self.service.url, "token": SECRET} | more)


@pytest.fixture
def gitlab() -> Iterator[Server]:
    with serving(lambda request: Answer(status=500)) as service:
        server = Server(service)
        service.answer = server.answer
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, "gitlab")


def test_a_day_is_the_pipelines_that_changed_and_their_jobs(gitlab, site):
    gitlab.add(1)
    gitlab.add(2, "2026-09-10T00:00:00.000Z")
    gitlab.add(3, "2026-09-09T23:59:59.999Z")
    gitlab.add(4, status="running")
    pulled, _ = site.pull(gitlab.source(), days=1)
    assert (errors_of(pulled), pulled.new_files) == ([], 4)
    assert site.names() == [
        "org/shop pipeline 1 jobs.json", "org/shop pipeline 1.json", "org/shop pipeline 2 jobs.json",
        "org/shop pipeline 2.json",
    ]  # fmt: skip
    assert {read_file(file.path).format for file in site.files()} == {"gitlab-jobs", "gitlab-pipelines"}
    assert SECRET.encode() not in site.everything_kept()


def test_a_second_pull_asks_only_for_what_changed(gitlab, site):
    gitlab.add(1)
    gitlab.add(2, "2026-09-07T06:00:00.000Z")
    site.pull(gitlab.source())
    before = len(gitlab.service.requests)
    gitlab.add(3, "2026-09-07T08:00:00.000Z")
    pulled, client = site.pull(gitlab.source())
    assert pulled.new_files == 2
    assert client.not_modified == 7
    one = f"{PROJECT}/pipelines/3"
    assert sorted(gitlab.service.asked_since(before)) == sorted([f"{PROJECT}/pipelines"] * 8 + [one, f"{one}/jobs"])


def test_a_retry_is_found_on_the_day_of_its_change_and_is_a_further_attempt(gitlab, site):
    gitlab.page = 1
    gitlab.add(1, "2026-09-08T06:00:00.000Z")
    site.pull(gitlab.source())
    gitlab.add(1, "2026-09-10T07:00:00.000Z")
    pulled, _ = site.pull(gitlab.source())
    assert (errors_of(pulled), pulled.files) == ([], 2)
    attempts = {
        (row["ci_job_id"], row["attempt"]) for file in site.files() for row in read_file(file.path).rows
        if row["metric"] == "job_duration"
    }  # fmt: skip
    assert attempts == {("10", 1), ("11", 2)}


def test_a_pipeline_that_was_deleted_meanwhile_is_not_asked_for_again(gitlab, site):
    gitlab.add(1)
    gitlab.service.troubles = [("/1/jobs", as_json({}, 404))]
    assert errors_of(site.pull(gitlab.source())[0]) == []
    before = len(gitlab.service.requests)
    site.pull(gitlab.source())
    assert len(gitlab.service.asked_since(before)) == 8


def test_limits_and_troubles(gitlab, site):
    gitlab.add(1)
    gitlab.service.troubles = [("", as_json({}, 429, Retry_After="1")), ("", Answer(b"[", announced=9))]
    assert errors_of(site.pull(gitlab.source(), days=1)[0]) == []
    told = errors_of(site.pull(gitlab.source(token="hunter3-is-wrong"), days=1)[0])[0]
    assert "(401 Unauthorized). Set GITLAB_TOKEN" in told
    assert "hunter3" not in told
    gitlab.service.troubles = [("", Answer(b'{"message": "moved"}'))]
    assert "sources.gitlab.url is not usable" in errors_of(site.later(days=1).pull(gitlab.source(), days=1)[0])[0]
    assert site.later(days=1).now > NOON


@pytest.mark.parametrize("project", ["/", "https://gitlab.com/org/shop"])
def test_names_that_are_no_project(gitlab, project):
    with pytest.raises(SettingsError, match="write group/name"):
        gitlab.source(projects=(project,)).scopes(None, NOON)
