"""CircleCI: the pipelines of a project that were created on a day, each with its workflows and their jobs as one file.

A job does not name its workflow, nor a workflow its branch, so what belongs to a pipeline is put together: the answers
as they came, within one object. Of the pipeline itself only what identifies it is kept, for its parameters may be
secret. A rerun is a further workflow of the same pipeline, which no list shows: pipelines that have ended are looked at
once a day for a week.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, ClassVar

from pydantic import SecretStr

from perf_assets.plugins import Words, from_environment, revealed
from perf_assets.sources.addresses import address, shown_url, with_query
from perf_assets.sources.answers import Answer
from perf_assets.sources.errors import SettingsError, ShapeError
from perf_assets.sources.http import Client, Service, secret_header
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen, moment_of
from perf_assets.sources.source import HttpSource

LOOKED_AT_AGAIN_AFTER = timedelta(hours=20)
"""Once a day, also where pulls are not at the same minute."""

_ENDED = frozenset({"success", "failed", "error", "canceled", "not_run", "unauthorized"})
_SLUG = re.compile(r"[\w.-]+/[\w.-]+/[\w.-]+", re.ASCII)
_IDENTITY = ("id", "number", "project_slug", "created_at")
_VCS = ("branch", "tag", "revision")
_BASE_URL_REMEDY = "sources.circleci.base_url is not usable; write it as https://circleci.com, without a query."


class CircleCI(HttpSource):
    """Which projects, where, and who asks."""

    section: ClassVar[str] = "circleci"
    origin: ClassVar[str] = "circleci"
    description: ClassVar[str] = "Pipelines of CircleCI that were created on a day, with their workflows and jobs."
    remedy: ClassVar[str] = "Set sources.circleci.projects, and CIRCLE_TOKEN in the environment."

    projects: tuple[Words, ...] = ()
    """Slugs, as `gh/owner/name`."""
    base_url: str = "https://circleci.com"
    token: SecretStr | None = from_environment("CIRCLE_TOKEN")

    @property
    def configured(self) -> bool:
        return bool(self.projects)

    def service(self) -> Service:
        token = revealed(self.token)
        return Service(
            "CircleCI",
            secret_header("Circle-Token", token, "CIRCLE_TOKEN") if token else {},
            token,
            if_refused="Set CIRCLE_TOKEN to a personal API token that is valid and may see this project.",
            if_missing="Check the slug of the project (gh/owner/name), and that CIRCLE_TOKEN may see it.",
        )

    def scopes(self, client: Client, now: datetime) -> dict[str, PullDay]:
        """Raises SettingsError."""
        for slug in self.projects:
            if not _SLUG.fullmatch(slug):
                raise SettingsError(f"sources.circleci.projects: {slug!r} is not a slug; write it like gh/owner/name.")
        api = address(self.base_url, "/api/v2", _BASE_URL_REMEDY)
        return {f"{api}/project/{slug}": _pull_of(client, api, slug, now) for slug in self.projects}


def _pull_of(client: Client, api: str, slug: str, now: datetime) -> PullDay:
    """A page of pipelines is asked for once a pull, whatever number of days is asked for."""
    page = cache(partial(_items, client, f"{api}/project/{slug}/pipeline"))
    return partial(_pipelines_of_day, client, api, now, page)


def _pipelines_of_day(
    client: Client,
    api: str,
    now: datetime,
    page: Callable[[str], tuple[list[dict[str, Any]], str | None]],
    day: Day,
    seen: Seen,
) -> Iterator[Found]:
    token: str | None = ""
    while token is not None:
        pipelines, token = page(token)
        for pipeline in pipelines:
            if day.has(moment_of(pipeline.get("created_at"))):
                yield from _pipeline(client, api, pipeline, now, seen)
        moments = (moment_of(pipeline.get("created_at")) for pipeline in pipelines)
        if any(moment < day.start for moment in moments if moment is not None):
            return


def _pipeline(client: Client, api: str, pipeline: dict[str, Any], now: datetime, seen: Seen) -> Iterator[Found]:
    """What is new of a pipeline, if it is time to look."""
    number = str(pipeline["id"])
    known = seen.get(number, {"workflows": {}, "ended": False, "looked_at": None})
    if known["ended"] and now < datetime.fromisoformat(known["looked_at"]) + LOOKED_AT_AGAIN_AFTER:
        return
    answers, workflows = _all_items(client, f"{api}/pipeline/{number}/workflow")
    ended = {item["id"]: status for item in workflows if (status := _status(item)) in _ENDED}
    files: tuple[Delivery, ...] = ()
    if ended and ended != known["workflows"]:
        jobs = {workflow: _all_items(client, f"{api}/workflow/{workflow}/job")[0] for workflow in ended}
        name = f"{pipeline.get('project_slug')} pipeline {pipeline.get('number')}.json"
        files = (Delivery(name, _put_together(pipeline, answers, jobs)),)
    # A pipeline whose configuration is in error has no workflows, and gets none.
    all_ended = len(ended) == len(workflows) and (bool(workflows) or pipeline.get("state") == "errored")
    yield Found(files, {number: {"workflows": ended, "ended": all_ended, "looked_at": now.isoformat()}})


def _put_together(pipeline: dict[str, Any], workflows: list[Answer], jobs: dict[str, list[Answer]]) -> bytes:
    vcs = pipeline.get("vcs")
    identity = {key: pipeline.get(key) for key in _IDENTITY}
    identity["vcs"] = {key: vcs.get(key) for key in _VCS} if isinstance(vcs, dict) else {}
    of_each = b", ".join(json.dumps(workflow).encode() + b": " + _as_list(pages) for workflow, pages in jobs.items())
    return b"".join((
        b'{"circleci_pipeline": ', json.dumps(identity).encode(), b',\n"workflows": ', _as_list(workflows),
        b',\n"jobs": {', of_each, b"}}\n",
    ))  # fmt: skip


def _as_list(answers: list[Answer]) -> bytes:
    return b"[" + b",\n".join(answer.body.strip() for answer in answers) + b"]"


def _all_items(client: Client, url: str) -> tuple[list[Answer], list[dict[str, Any]]]:
    """The pages of a list, and what is on them."""
    answers = list(client.pages(url, lambda answer: _following(client, url, answer)))
    return answers, [item for answer in answers for item in _items_of(client, answer)]


def _items(client: Client, url: str, token: str) -> tuple[list[dict[str, Any]], str | None]:
    answer = client.get(_page(url, token) if token else url)
    return _items_of(client, answer), _next_token(client, answer)


def _following(client: Client, url: str, answer: Answer) -> str | None:
    token = _next_token(client, answer)
    return _page(url, token) if token else None


def _page(url: str, token: str) -> str:
    return with_query(url, **{"page-token": token})


def _next_token(client: Client, answer: Answer) -> str | None:
    content = client.json(answer)
    token = content.get("next_page_token") if isinstance(content, dict) else None
    return token if isinstance(token, str) and token else None


def _items_of(client: Client, answer: Answer) -> list[dict[str, Any]]:
    content = client.json(answer)
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise ShapeError(f"{shown_url(answer.url)}: no list `items`. {_BASE_URL_REMEDY}")
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]


def _status(fields: dict[str, Any]) -> str:
    return str(fields.get("status")).casefold()
