"""Pulling from a local CircleCI: pipelines with their workflows and jobs, and reruns that no list shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from perf_assets.sources.circleci import CircleCI
from perf_assets.sources.errors import SettingsError
from perf_assets_tests.formats.reading import read_file
from perf_assets_tests.formats.test_circleci import job, workflow
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.pull import NOON, Site, errors_of
from perf_assets_tests.sources.service import SECRET, Request, Service, as_json, serving

API = "/api/v2"
PIPELINES = f"{API}/project/gh/org/shop/pipeline"


@dataclass
class Server:
    """Pipelines by id, and the workflows of each; every workflow has one job."""

    service: Service
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    workflows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    page: int = 2

    def add(self, number: str, created: str = "2026-09-10T06:00:00Z") -> None:
        self.pipelines[number] = {
            "id": number, "number": len(self.pipelines), "project_slug": "gh/org/shop", "state": "created",
            "created_at": created, "updated_at": created, "trigger_parameters": {"password": "hunter2"},
            "vcs": {"branch": "main", "revision": "c0ffee", "origin_repository_url": "https://x:hunter2@github.com/x"},
        }  # fmt: skip

    def run(self, number: str, **more: Any) -> None:
        known = self.workflows.setdefault(number, [])
        known.append(workflow(f"{number}-w{len(known)}", **more))

    def answer(self, request: Request) -> Answer:
        if request.headers.get("circle-token") != SECRET:
            return as_json({"message": "You must log in first."}, 401)
        if request.path == PIPELINES:
            newest_first = sorted(self.pipelines.values(), key=lambda one: one["created_at"], reverse=True)
            return self.listed(request, newest_first)
        found = re.fullmatch(rf"{API}/pipeline/(\w+)/workflow", request.path)
        if found:
            return self.listed(request, self.workflows.get(found[1], []))
        found = re.fullmatch(rf"{API}/workflow/([\w-]+)/job", request.path)
        return self.listed(request, [job(), job("lint")]) if found else as_json({"message": "Not found"}, 404)

    def listed(self, request: Request, elements: list[Any]) -> Answer:
        start = int(request.query.get("page-token", "t0").removeprefix("t"))
        following = f"t{start + self.page}" if len(elements) > start + self.page else None
        return as_json({"items": elements[start : start + self.page], "next_page_token": following})

    def source(self, **more: Any) -> CircleCI:
        return CircleCI(**{"projects": ["gh/org/shop"], "base_url": self.service.url, "token": SECRET} | more)


@pytest.fixture
def circleci() -> Iterator[Server]:
    with serving(lambda request: Answer(status=500)) as service:
        server = Server(service)
        service.answer = server.answer
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, "circleci")


def test_a_pipeline_is_one_file_with_its_workflows_and_jobs(circleci, site):
    circleci.page = 1
    circleci.add("p1")
    circleci.run("p1")
    circleci.run("p1", name="nightly", status="failed")
    pulled, _ = site.pull(circleci.source(), days=1)
    assert (errors_of(pulled), site.names()) == ([], ["gh/org/shop pipeline 0.json"])
    reading = read_file(site.files()[0].path)
    assert (reading.format, reading.rejections, reading.omitted) == ("circleci", [], {"failed": 1})
    assert reading.column("test_name", "branch")[:3] == [
        ("build-and-test", "main"), ("build-and-test / unit", "main"), ("build-and-test / lint", "main"),
    ]  # fmt: skip
    kept = site.everything_kept()
    assert SECRET.encode() not in kept
    assert b"hunter2" not in kept


def test_only_the_pipelines_of_the_days_are_asked_for(circleci, site):
    for day in range(1, 11):
        circleci.add(f"p{day}", f"2026-09-{day:02}T06:00:00Z")
        circleci.run(f"p{day}")
    pulled, _ = site.pull(circleci.source(), days=3)
    assert (errors_of(pulled), pulled.new_files) == ([], 3)
    asked = [path for path in circleci.service.paths if path.endswith("/workflow")]
    assert sorted(asked) == [f"{API}/pipeline/{number}/workflow" for number in ("p10", "p8", "p9")]
    assert circleci.service.paths.count(PIPELINES) == 2


def test_what_goes_on_is_looked_at_again_and_what_ended_once_a_day(circleci, site):
    circleci.add("p1", "2026-09-08T06:00:00Z")
    circleci.run("p1", status="running", stopped_at=None)
    assert site.pull(circleci.source())[0].files == 0
    circleci.workflows["p1"][0] |= {"status": "success", "stopped_at": "2026-09-10T06:05:00Z"}
    assert site.later(hours=1).pull(circleci.source())[0].new_files == 1
    circleci.run("p1", created_at="2026-09-10T13:30:00Z", stopped_at="2026-09-10T13:31:00Z")
    before = len(circleci.service.requests)
    assert site.later(hours=2).pull(circleci.source())[0].files == 0
    assert circleci.service.asked_since(before) == [PIPELINES]
    assert site.later(hours=24).pull(circleci.source())[0].new_files == 1
    rows = [row for file in site.files() for row in read_file(file.path).rows if row["metric"] == "pipeline_duration"]
    assert {(row["run_key"], row["attempt"], row["value"]) for row in rows} == {("p1", 1, 300.0), ("p1", 2, 60.0)}
    before = len(circleci.service.requests)
    assert site.later(hours=25).pull(circleci.source())[0].files == 0
    assert circleci.service.asked_since(before) == [PIPELINES]


def test_a_pipeline_without_workflows_is_waited_for_unless_its_configuration_is_in_error(circleci, site):
    circleci.add("p1")
    circleci.add("p2")
    circleci.pipelines["p2"]["state"] = "errored"
    site.pull(circleci.source(), days=1)
    before = len(circleci.service.requests)
    assert site.pull(circleci.source(), days=1)[0].files == 0
    assert circleci.service.asked_since(before) == [PIPELINES, f"{API}/pipeline/p1/workflow"]


def test_limits_and_troubles(circleci, site):
    circleci.add("p1")
    circleci.run("p1")
    circleci.service.troubles = [("/workflow", as_json({}, 429, Retry_After="1")), ("/job", Answer(b"", 500))]
    assert errors_of(site.pull(circleci.source(), days=1)[0]) == []
    told = errors_of(site.pull(circleci.source(token="hunter3-is-wrong"), days=1)[0])[0]
    assert "(You must log in first.). Set CIRCLE_TOKEN" in told
    assert "hunter3" not in told
    circleci.service.troubles = [("", as_json([1]))]
    assert "sources.circleci.base_url is not usable" in errors_of(site.pull(circleci.source(), days=1)[0])[0]


def test_what_is_landed_is_the_answers_as_they_came(circleci, site):
    circleci.add("p1")
    circleci.run("p1")
    circleci.service.troubles = [("/job", Answer(b' {"items" :[ ],"next_page_token":null} \n'))]
    site.pull(circleci.source(), days=1)
    (body,) = site.bodies().values()
    assert b'{"p1-w0": [{"items" :[ ],"next_page_token":null}]}' in body
    assert json.loads(body)["circleci_pipeline"]["vcs"] == {"branch": "main", "tag": None, "revision": "c0ffee"}


@pytest.mark.parametrize("slug", ["org/shop", "gh/org/shop/x", "gh/org/ shop"])
def test_names_that_are_no_slug(circleci, slug):
    with pytest.raises(SettingsError, match="write it like gh/owner/name"):
        circleci.source(projects=(slug,)).scopes(None, NOON)
