"""Pulling from a local GitHub: paging, ETags, attempts, limits, what is late, and what a crash leaves."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from perf_assets.landing import Landing, utc_now
from perf_assets.sources.errors import RateLimitedError, SettingsError
from perf_assets.sources.github_actions import GitHubActions
from perf_assets_tests.formats.reading import read_file
from perf_assets_tests.formats.test_github_actions import job, run, step
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.pull import NOON, Site, errors_of
from perf_assets_tests.sources.service import SECRET, Request, Service, as_json, paged, serving, with_etag

RUNS = "/repos/org/shop/actions/runs"


@dataclass
class GitHub:
    """Runs by id, each with its attempts; `page` is how many there are on a page."""

    service: Service
    runs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    page: int = 100

    def add(self, number: int, created: str = "2026-09-10T06:00:00Z", **more: Any) -> None:
        """A further attempt at a run, or the first."""
        attempts = self.runs.setdefault(number, [])
        attempts.append(
            run(id=number, created_at=created, run_started_at=created, run_attempt=len(attempts) + 1) | more
        )

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return as_json({"message": "Bad credentials"}, 401)
        if request.path == RUNS:
            return self.listed(request)
        found = re.fullmatch(rf"{RUNS}/(\d+)/attempts/(\d+)(/jobs)?", request.path)
        if not found or int(found[1]) not in self.runs:
            return as_json({"message": "Not Found"}, 404)
        attempt = self.runs[int(found[1])][int(found[2]) - 1]
        if not found[3]:
            return as_json(attempt)
        jobs = [
            job(step(), id=10 * attempt["id"] + number, name=f"job {number}", run_id=attempt["id"],
                run_attempt=attempt["run_attempt"])
            for number in range(3)
        ]  # fmt: skip
        shown, link = paged(self.service.url, request, jobs, self.page)
        return as_json({"total_count": 3, "jobs": shown}, **link)

    def listed(self, request: Request) -> Answer:
        first, last = request.query["created"].split("..")
        found = [attempts[-1] for attempts in self.runs.values() if first <= attempts[-1]["created_at"] <= last]
        found.sort(key=lambda run: run["created_at"], reverse=True)
        shown, link = paged(self.service.url, request, found[:1000], self.page)
        return with_etag(as_json({"total_count": len(found), "workflow_runs": shown}, **link))

    def source(self, **more: Any) -> GitHubActions:
        return GitHubActions(**{"repositories": ["org/shop"], "base_url": self.service.url, "token": SECRET} | more)


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving(lambda request: Answer(status=500)) as service:
        service_of = GitHub(service)
        service.answer = service_of.answer
        yield service_of


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_day_is_its_runs_and_the_jobs_of_each(github, site):
    github.add(1)
    github.add(2, "2026-09-09T23:59:59Z")
    pulled, client = site.pull(github.source())
    assert errors_of(pulled) == []
    assert site.names() == [
        "org/shop run 1 attempt 1 jobs, page 1.json", "org/shop run 2 attempt 1 jobs, page 1.json",
        "org/shop runs of 2026-09-09.json", "org/shop runs of 2026-09-10.json",
    ]  # fmt: skip
    assert (pulled.files, pulled.new_files, client.requests, client.not_modified) == (4, 4, 10, 0)
    assert pulled.bytes == sum(file.size for file in site.files())
    assert {file.origin for file in site.files()} == {"github-actions"}
    assert {read_file(file.path).format for file in site.files()} == {"github-actions-runs", "github-actions-jobs"}


def test_pages_are_followed_and_each_is_a_file(github, site):
    github.page = 2
    for number in range(5):
        github.add(number + 1, f"2026-09-10T0{number}:00:00Z")
    pulled, _ = site.pull(github.source(), days=1)
    assert errors_of(pulled) == []
    assert sum("runs of" in name for name in site.names()) == 3
    assert sum("jobs, page 2" in name for name in site.names()) == 5
    assert [request.query.get("page") for request in github.service.requests if request.path == RUNS] == [
        None,
        "2",
        "3",
    ]


def test_a_second_pull_asks_only_for_what_changed(github, site):
    for number in range(1, 6):
        github.add(number)
    site.pull(github.source())
    before = len(github.service.requests)
    pulled, client = site.later(hours=1).pull(github.source())
    assert github.service.asked_since(before) == [RUNS] * 8
    assert (pulled.files, client.not_modified, github.service.not_modified) == (0, 8, 8)
    before = len(github.service.requests)
    github.add(6, "2026-09-10T11:00:00Z")
    pulled, client = site.later(hours=2).pull(github.source())
    assert sorted(github.service.asked_since(before)) == [RUNS] * 8 + [f"{RUNS}/6/attempts/1/jobs"]
    assert (pulled.new_files, client.not_modified) == (2, 7)


def test_answers_that_were_kept_may_be_deleted_or_damaged(github, site):
    github.add(1)
    site.pull(github.source())
    kept = sorted((site.home / "cache" / "http").iterdir())
    kept[0].unlink()
    kept[1].write_bytes(kept[1].read_bytes()[:-1])
    kept[2].write_bytes(b"\xff")
    pulled, client = site.pull(github.source())
    assert (errors_of(pulled), pulled.files, client.not_modified) == ([], 0, 5)


@pytest.mark.parametrize("body", [b"<html>Maintenance</html>", b'{"total_count": 3, "jobs": [{"id": 1', b""])
def test_an_answer_that_is_not_whole_is_a_trouble_and_asked_for_again(github, site, body):
    github.add(1)
    whole = github.service.answer
    github.service.answer = lambda request: Answer(body) if request.path.endswith("/jobs") else whole(request)
    [error] = errors_of(site.pull(github.source())[0])
    assert "is not JSON" in str(error)
    assert site.names() == ["org/shop runs of 2026-09-10.json"]
    github.service.answer = whole
    assert errors_of(site.pull(github.source())[0]) == []
    assert "org/shop run 1 attempt 1 jobs, page 1.json" in site.names()


def test_a_run_that_is_late_is_picked_up(github, site):
    github.add(1, "2026-09-07T06:00:00Z", status="in_progress", conclusion=None)
    site.pull(github.source())
    assert site.names() == []
    github.runs[1] = [run(id=1, created_at="2026-09-07T06:00:00Z")]
    github.add(2, "2026-09-04T06:00:00Z")
    pulled, _ = site.later(hours=1).pull(github.source())
    assert pulled.new_files == 4
    assert [name for name in site.names() if "runs of" in name] == [
        "org/shop runs of 2026-09-04.json", "org/shop runs of 2026-09-07.json",
    ]  # fmt: skip


def test_a_rerun_gives_a_second_attempt(github, site):
    github.add(1)
    site.pull(github.source())
    github.add(1, status="in_progress", conclusion=None)
    pulled, _ = site.later(hours=1).pull(github.source())
    assert pulled.new_files == 0
    github.runs[1][1] |= {"status": "completed", "conclusion": "success", "updated_at": "2026-09-10T09:00:00Z"}
    before = len(github.service.requests)
    site.later(hours=2).pull(github.source(), days=1)
    assert github.service.asked_since(before) == [RUNS, f"{RUNS}/1/attempts/2/jobs"]
    rows = [row for file in site.files() for row in read_file(file.path).rows if row["metric"] == "pipeline_duration"]
    assert sorted((row["run_key"], row["attempt"], row["value"]) for row in rows) == [
        ("1", 1, 600.0),
        ("1", 2, 10800.0),
    ]


def test_attempts_before_the_last_are_asked_for_one_by_one(github, site):
    github.add(1)
    github.add(1)
    github.add(1, status="queued", conclusion=None)
    site.pull(github.source(), days=1)
    assert github.service.paths == [
        RUNS, f"{RUNS}/1/attempts/1", f"{RUNS}/1/attempts/1/jobs", f"{RUNS}/1/attempts/2", f"{RUNS}/1/attempts/2/jobs",
    ]  # fmt: skip
    assert {read_file(file.path).format for file in site.files()} >= {"github-actions-run", "github-actions-jobs"}
    assert site.seen("2026-09-10")[f"{github.service.url}/repos/org/shop"]["seen"] == {"1": [2, None]}


def test_a_run_that_changed_after_its_end_is_fetched_again(github, site):
    github.add(1)
    site.pull(github.source(), days=1)
    github.runs[1][0] |= {"updated_at": "2026-09-10T07:00:00Z"}
    before = len(github.service.requests)
    pulled, _ = site.pull(github.source(), days=1)
    assert github.service.asked_since(before) == [RUNS, f"{RUNS}/1/attempts/1/jobs"]
    assert (pulled.files, pulled.new_files) == (2, 1)


def test_statuses_in_any_case(github, site):
    github.add(1, status="COMPLETED", conclusion="Success")
    site.pull(github.source(), days=1)
    assert len(site.files()) == 2


def test_a_run_that_was_deleted_meanwhile_is_not_asked_for_again(github, site):
    github.add(1)
    github.service.troubles = [("/jobs", as_json({"message": "Not Found"}, 404))]
    pulled, _ = site.pull(github.source(), days=1)
    assert errors_of(pulled) == []
    before = len(github.service.requests)
    site.pull(github.source(), days=1)
    assert github.service.asked_since(before) == [RUNS]


def test_a_day_with_more_runs_than_github_lists_is_asked_for_in_parts(github, site):
    github.page = 500
    for number in range(1, 1202):
        moment = datetime.fromisoformat("2026-09-10") + timedelta(minutes=number)
        github.add(number, f"{moment:%Y-%m-%dT%H:%M:%SZ}", status="queued", conclusion=None)
    github.runs[1][0] |= {"status": "completed", "conclusion": "success"}
    pulled, _ = site.pull(github.source(), days=1)
    assert errors_of(pulled) == []
    listed = [request.query["created"] for request in github.service.requests if request.path == RUNS]
    assert listed[0] == "2026-09-10T00:00:00Z..2026-09-10T23:59:59Z"
    assert set(listed[1:]) == {
        "2026-09-10T00:00:00Z..2026-09-10T11:59:59Z", "2026-09-10T12:00:00Z..2026-09-10T23:59:59Z",
    }  # fmt: skip
    assert len(site.files()) == 2


def test_a_day_is_complete_a_week_after_its_end(github, site):
    github.add(1, "2026-09-02T06:00:00Z")
    site.pull(github.source(), days=9)
    before = len(github.service.requests)
    pulled, _ = site.pull(github.source(), days=9)
    assert len(github.service.asked_since(before)) == 8
    assert pulled.complete == 1
    assert site.seen("2026-09-02")[f"{github.service.url}/repos/org/shop"]["complete"] is True
    assert site.seen("2026-09-03")[f"{github.service.url}/repos/org/shop"]["complete"] is False


def test_a_crash_between_landing_and_remembering_loses_nothing(github, site, monkeypatch):
    github.add(1)
    github.add(2)
    land_many, landings = Landing.land_many, []

    def dying(self, arrivals, **more):
        landed = list(land_many(self, arrivals, **more))
        landings.append(landed)
        if len(landings) == 2:
            raise KeyboardInterrupt
        return iter(landed)

    monkeypatch.setattr(Landing, "land_many", dying)
    with pytest.raises(KeyboardInterrupt):
        site.pull(github.source(), days=1)
    assert len(site.files()) == 2
    monkeypatch.undo()
    pulled, _ = site.pull(github.source(), days=1)
    assert (pulled.files, pulled.new_files) == (3, 1)
    assert len(site.files()) == 3
    assert set(site.seen("2026-09-10")[f"{github.service.url}/repos/org/shop"]["seen"]) == {"1", "2"}


def test_a_state_that_is_lost_repeats_work(github, site):
    github.add(1)
    site.pull(github.source(), days=1)
    (site.state / "2026-09-10.json").write_bytes(b'{"x": ')
    pulled, _ = site.pull(github.source(), days=1)
    assert (pulled.files, pulled.new_files) == (2, 0)


def limited(seconds: float, **more: str) -> Answer:
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time() + seconds))}
    return as_json({"message": "API rate limit exceeded for user ID 1."}, 403, **(reset | more))


def test_the_primary_limit_is_waited_for_where_it_resets_soon(github, site):
    github.add(1)
    github.service.troubles = [("/jobs", limited(1))]
    began = time.monotonic()
    pulled, _ = site.pull(github.source(), days=1)
    assert errors_of(pulled) == []
    assert time.monotonic() - began >= 1
    assert len(site.files()) == 2


@pytest.mark.parametrize("status", [403, 429])
def test_the_secondary_limit_is_waited_for(github, site, status):
    github.add(1)
    answer = as_json({"message": "You have exceeded a secondary rate limit"}, status, Retry_After="1")
    github.service.troubles = [("/jobs", answer)]
    began = time.monotonic()
    pulled, _ = site.pull(github.source(), days=1)
    assert (errors_of(pulled), time.monotonic() - began >= 1) == ([], True)


def test_a_limit_that_resets_late_ends_the_pull_and_keeps_what_came(github, site):
    github.add(1)
    github.add(2, "2026-09-10T05:00:00Z")
    github.service.troubles = [("/2/", limited(3600))]
    began = time.monotonic()
    pulled, _ = site.pull(github.source())
    assert time.monotonic() - began < 5
    (trouble,) = pulled.troubles
    assert isinstance(trouble.error, RateLimitedError)
    until = trouble.error.until
    assert f"GitHub allows no more requests until {until:%Y-%m-%d %H:%M:%S} UTC" in str(trouble)
    assert 3500 < (until - utc_now()).total_seconds() < 3700
    assert len(site.files()) == 2
    before = len(github.service.requests)
    pulled, _ = site.pull(github.source())
    assert errors_of(pulled) == []
    assert f"{RUNS}/1/attempts/1/jobs" not in github.service.asked_since(before)
    assert len(site.files()) == 3


def test_a_limit_without_a_time_is_a_minute(github, site):
    github.service.troubles = [("", as_json({"message": "You have exceeded a secondary rate limit."}, 403))]
    pulled, _ = site.pull(github.source(), days=1)
    (trouble,) = pulled.troubles
    assert isinstance(trouble.error, RateLimitedError)


def test_a_limit_that_does_not_end_is_told_after_some_waiting(github, site):
    github.service.troubles = [("", as_json({}, 429, Retry_After="0"))] * 9
    pulled, client = site.pull(github.source(), days=1)
    (trouble,) = pulled.troubles
    assert isinstance(trouble.error, RateLimitedError)
    assert client.requests == 3


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(b"oops", 500),
        Answer(b'{"total_count": 0', announced=1000),
        Answer(b'{"total_count": 0}', silence=1.0),
        Answer(b" " * 10_000, drip=0.02),
    ],
    ids=["500", "truncated", "silent", "slow drip"],
)
def test_passing_troubles_are_overcome(github, site, trouble):
    github.add(1)
    github.service.troubles = [("", trouble)]
    patient = replace(site, patience=replace(site.patience, timeout=0.1))
    pulled, client = patient.pull(github.source(), days=1)
    assert (errors_of(pulled), client.requests) == ([], 3)
    assert len(site.files()) == 2


def test_lasting_troubles_are_told_and_may_pass(github, site):
    github.service.troubles = [("", Answer(b"oops", 500))] * 3
    pulled, client = site.pull(github.source(), days=1)
    assert client.requests == 3
    assert pulled.may_pass
    assert "Look into GitHub's log" in errors_of(pulled)[0]


def test_a_wrong_token_is_asked_with_once_and_never_shown(github, site):
    wrong = github.source(token="hunter3-is-wrong")
    pulled, client = site.pull(wrong)
    assert client.requests == 1
    (told,) = errors_of(pulled)
    assert "(Bad credentials). Set GITHUB_TOKEN to one that is valid" in told
    assert not pulled.may_pass
    assert "hunter3" not in told + repr(wrong) + repr(client.service)
    assert b"hunter3" not in site.everything_kept()


def test_the_token_is_in_no_file(github, site):
    github.add(1)
    site.pull(github.source())
    assert SECRET.encode() not in site.everything_kept()


def test_an_answer_that_shows_the_token_is_not_landed(github, site):
    github.add(1, name=f"uses {SECRET}")
    pulled, _ = site.pull(github.source(), days=1)
    assert "the answer shows the token" in errors_of(pulled)[0]
    assert SECRET not in errors_of(pulled)[0]
    assert SECRET.encode() not in site.everything_kept()


def test_a_repository_that_is_not_there_leaves_the_others_alone(github, site):
    github.add(1)
    pulled, _ = site.pull(github.source(repositories=("org/none", "org/shop")))
    (told,) = errors_of(pulled)
    assert "/repos/org/none" in told
    assert "Check the name of the repository, and that GITHUB_TOKEN may see it" in told
    assert len(site.files()) == 2
    assert github.service.paths.count("/repos/org/none/actions/runs") == 1


@pytest.mark.parametrize("body", [b"<html>login</html>", b'{"runs": []}', b"[]"])
def test_another_service_is_told(github, site, body):
    github.service.troubles = [("", Answer(body))]
    pulled, _ = site.pull(github.source(), days=1)
    assert re.search("login page|base_url", errors_of(pulled)[0])


def test_without_a_token_none_is_sent(github, site):
    site.pull(github.source(token=""), days=1)
    assert "authorization" not in github.service.requests[0].headers


@pytest.mark.parametrize("repository", ["shop", "org/shop/x", "org/..%2fx y", "org/shop?x"])
def test_names_that_are_no_repository(github, repository):
    with pytest.raises(SettingsError, match="write owner/name"):
        github.source(repositories=(repository,)).scopes(None, NOON)


@pytest.mark.parametrize("url", ["api.github.com", "ftp://x", "https://api.github.com?x=1"])
def test_addresses_that_cannot_be_called(github, url):
    with pytest.raises(SettingsError, match="base_url is not usable"):
        github.source(base_url=url).scopes(None, NOON)
