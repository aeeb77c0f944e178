"""GitLab: the pipelines of a project that changed on a day, each with its jobs, those included that were retried.

A pipeline that is retried changes on a later day and is then fetched again, so a day is by the last change.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import SecretStr

from perf_assets.plugins import Words, from_environment, revealed
from perf_assets.sources.addresses import address, shown_url, with_query
from perf_assets.sources.answers import Answer
from perf_assets.sources.errors import NotFoundError, SettingsError, ShapeError
from perf_assets.sources.http import Client, Service, secret_header
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen, moment_of
from perf_assets.sources.source import HttpSource

_PAGE = 100
_ENDED = frozenset({"success", "failed", "canceled", "skipped", "manual"})
"""Statuses in which nothing goes on by itself."""
_URL_REMEDY = "sources.gitlab.url is not usable; write it as https://gitlab.com, without a query."


class GitLab(HttpSource):
    """Which projects, where, and who asks; public ones are seen without a token."""

    section: ClassVar[str] = "gitlab"
    origin: ClassVar[str] = "gitlab"
    kinds: ClassVar[frozenset[str]] = frozenset({"python", "api", "gitlab"})
    description: ClassVar[str] = "Pipelines of GitLab that changed on a day, and their jobs."
    remedy: ClassVar[str] = "Set sources.gitlab.projects, and GITLAB_TOKEN in the environment."

    projects: tuple[Words, ...] = ()
    """As `group/name`."""
    url: str = "https://gitlab.com"
    token: SecretStr | None = from_environment("GITLAB_TOKEN")

    @property
    def configured(self) -> bool:
        return bool(self.projects)

    def service(self) -> Service:
        token = revealed(self.token)
        return Service(
            "GitLab",
            secret_header("PRIVATE-TOKEN", token, "GITLAB_TOKEN") if token else {},
            token,
            if_refused="Set GITLAB_TOKEN to one that is valid and has the scope read_api.",
            if_missing="Check the name of the project, and that GITLAB_TOKEN may see it.",
        )

    def scopes(self, client: Client, now: datetime) -> dict[str, PullDay]:
        """Raises SettingsError."""
        for project in self.projects:
            if not project.strip("/") or "://" in project:
                raise SettingsError(f"sources.gitlab.projects: {project!r} is not a project path; write group/name.")
        urls = {name: address(self.url, f"/api/v4/projects/{quote(name.strip('/'), safe='')}", _URL_REMEDY)
                for name in self.projects}  # fmt: skip
        return {url: partial(_pipelines_of_day, client, name, url) for name, url in urls.items()}


def _pipelines_of_day(client: Client, project: str, url: str, day: Day, seen: Seen) -> Iterator[Found]:
    asked = with_query(
        f"{url}/pipelines",
        updated_after=f"{day.start - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}",
        updated_before=f"{day.end:%Y-%m-%dT%H:%M:%SZ}",
        order_by="updated_at",
        per_page=_PAGE,
    )
    for answer in client.pages(asked, get=client.get_if_changed):
        for pipeline in _listed(client, answer):
            number, changed_at = str(pipeline["id"]), pipeline.get("updated_at")
            ended = str(pipeline.get("status")).casefold() in _ENDED
            if ended and day.has(moment_of(changed_at)) and seen.get(number) != changed_at:
                yield Found(_files(client, project, f"{url}/pipelines/{number}", number), {number: changed_at})


def _listed(client: Client, answer: Answer) -> list[dict[str, Any]]:
    content = client.json(answer)
    if not isinstance(content, list):
        raise ShapeError(f"{shown_url(answer.url)}: no list of pipelines. {_URL_REMEDY}")
    return [pipeline for pipeline in content if isinstance(pipeline, dict) and isinstance(pipeline.get("id"), int)]


def _files(client: Client, project: str, url: str, number: str) -> tuple[Delivery, ...]:
    """The pipeline and its jobs, the pages of these in one file: which attempt a job is takes all of them to tell."""
    name = f"{project} pipeline {number}"
    try:
        pipeline = client.whole(client.get(url))
        asked = with_query(f"{url}/jobs", include_retried="true", per_page=_PAGE)
        jobs = [client.whole(page) for page in client.pages(asked)]
    except NotFoundError:
        # Deleted meanwhile: there is nothing to ask for again.
        return ()
    return (
        Delivery(f"{name}.json", pipeline.body),
        Delivery(f"{name} jobs.json", b"\n".join(page.body for page in jobs)),
    )
