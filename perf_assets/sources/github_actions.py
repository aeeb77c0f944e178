"""GitHub Actions: the runs of a repository that were created on a day, and the jobs of each attempt at them.

A run is new when it has completed, and again when it was rerun (a further attempt) or changed. Lists are asked for with
their ETag, so a look at a day without news costs a request that does not count against GitHub's limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from pydantic import SecretStr

from perf_assets.plugins import Words, from_environment, revealed
from perf_assets.sources.addresses import address, shown_url, with_query
from perf_assets.sources.answers import Answer
from perf_assets.sources.errors import NotFoundError, SettingsError, ShapeError
from perf_assets.sources.http import Client, Service, secret_header
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen
from perf_assets.sources.source import HttpSource

MOST_LISTED = 1_000
"""GitHub lists no more runs than this of one question; of a day with more, shorter times are asked for."""

_SHORTEST = timedelta(minutes=1)
_PAGE = 100
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_BASE_URL_REMEDY = "sources.github_actions.base_url is not usable; write it as https://api.github.com, without a query."


class GitHubActions(HttpSource):
    """Which repositories, where, and who asks; public ones need no token for 60 questions an hour."""

    section: ClassVar[str] = "github_actions"
    origin: ClassVar[str] = "github-actions"
    kinds: ClassVar[frozenset[str]] = frozenset({"python", "api", "github"})
    description: ClassVar[str] = (
        "Workflow runs of GitHub Actions that were created on a day, and the jobs and steps of each attempt."
    )
    remedy: ClassVar[str] = "Set sources.github_actions.repositories, and GITHUB_TOKEN in the environment."

    repositories: tuple[Words, ...] = ()
    """As `owner/name`."""
    base_url: str = "https://api.github.com"
    """Of GitHub Enterprise: https://host/api/v3."""
    token: SecretStr | None = from_environment("GITHUB_TOKEN")

    @property
    def configured(self) -> bool:
        return bool(self.repositories)

    def service(self) -> Service:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        token = revealed(self.token)
        return Service(
            "GitHub",
            headers | (secret_header("Authorization", token, "GITHUB_TOKEN", "Bearer") if token else {}),
            token,
            if_refused="Set GITHUB_TOKEN to one that is valid and may read Actions of this repository.",
            if_missing="Check the name of the repository, and that GITHUB_TOKEN may see it.",
        )

    def scopes(self, client: Client, now: datetime) -> dict[str, PullDay]:
        """Raises SettingsError."""
        return {url: partial(_runs_of_day, client, url) for url in map(self._url, self.repositories)}

    def _url(self, repository: str) -> str:
        if not _NAME.fullmatch(repository):
            raise SettingsError(
                f"sources.github_actions.repositories: {repository!r} is no repository; write owner/name."
            )
        return address(self.base_url, f"/repos/{repository}", _BASE_URL_REMEDY)


def _runs_of_day(client: Client, repository: str, day: Day, seen: Seen) -> Iterator[Found]:
    for answer, runs in _pages(client, f"{repository}/actions/runs", day.start, day.end):
        new = [(run, attempts) for run in runs if (attempts := _new_attempts(run, seen))]
        if not new:
            continue
        yield Found((Delivery(f"{_name(repository)} runs of {day}.json", answer.body),), {})
        for run, attempts in new:
            for attempt in attempts:
                yield _attempt(client, repository, run, attempt)


def _pages(client: Client, url: str, start: datetime, end: datetime) -> Iterator[tuple[Answer, list[dict[str, Any]]]]:
    """Pages of the runs created from `start` to just before `end`, with the runs on each."""
    last = end - timedelta(seconds=1)
    times = f"{start:%Y-%m-%dT%H:%M:%SZ}..{last:%Y-%m-%dT%H:%M:%SZ}"
    first = with_query(url, created=times, per_page=_PAGE, exclude_pull_requests="true")
    for number, answer in enumerate(client.pages(first, get=client.get_if_changed)):
        content = client.json(answer)
        runs = content.get("workflow_runs") if isinstance(content, dict) else None
        if not isinstance(runs, list):
            raise ShapeError(f"{shown_url(answer.url)}: no list `workflow_runs`. {_BASE_URL_REMEDY}")
        total = content.get("total_count")
        if number == 0 and isinstance(total, int) and total > MOST_LISTED and end - start > _SHORTEST:
            middle = start + (end - start) // 2
            middle = middle.replace(microsecond=0)
            yield from _pages(client, url, start, middle)
            yield from _pages(client, url, middle, end)
            return
        yield answer, [run for run in runs if isinstance(run, dict) and isinstance(run.get("id"), int)]


def _new_attempts(run: dict[str, Any], seen: Seen) -> list[int]:
    """The attempts at a run that are complete and have not been landed as they are now."""
    known, changed_at = seen.get(str(run["id"]), (0, None))
    last = run.get("run_attempt")
    last = last if isinstance(last, int) and last > 0 else 1
    if str(run.get("status")).casefold() != "completed":
        # It was started again: only the attempts before are complete.
        return list(range(known + 1, last))
    if known == last and changed_at != run.get("updated_at"):
        return [last]
    return list(range(known + 1, last + 1))


def _attempt(client: Client, repository: str, run: dict[str, Any], attempt: int) -> Found:
    """The jobs of an attempt; of one before the last the run itself too, which no list has any more."""
    url = f"{repository}/actions/runs/{run['id']}/attempts/{attempt}"
    name = f"{_name(repository)} run {run['id']} attempt {attempt}"
    is_last = attempt == run.get("run_attempt", 1)
    try:
        files = [Delivery(f"{name}.json", client.whole(client.get(url)).body)] if not is_last else []
        pages = map(client.whole, client.pages(with_query(f"{url}/jobs", per_page=_PAGE)))
        files += [Delivery(f"{name} jobs, page {number}.json", page.body) for number, page in enumerate(pages, 1)]
    except NotFoundError:
        # Deleted, or older than the repository keeps: there is nothing to ask for again.
        files = []
    return Found(tuple(files), {str(run["id"]): [attempt, run.get("updated_at") if is_last else None]})


def _name(repository: str) -> str:
    return "/".join(repository.rsplit("/", 2)[1:])
