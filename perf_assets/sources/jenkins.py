"""Jenkins: the builds of a job that began on a day, and the stages of those that are pipelines.

Only the fields that say how long it took are asked for: parameters and environment of builds, which may hold secrets,
and addresses of repositories never leave Jenkins.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import SecretStr

from perf_assets.landing import Given
from perf_assets.plugins import Words, from_environment, revealed
from perf_assets.sources.addresses import address, shown_url, with_query
from perf_assets.sources.answers import Answer
from perf_assets.sources.errors import NotFoundError, SettingsError, ShapeError
from perf_assets.sources.http import Client, Service, secret_header
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen
from perf_assets.sources.source import HttpSource

_PAGE = 100
_FIELDS = (
    "_class,number,url,result,building,duration,timestamp,builtOn,"
    "actions[_class,queuingDurationMillis,lastBuiltRevision[SHA1,branch[name]]]"
)
_PIPELINE_BUILD = "WorkflowRun"
_URL_REMEDY = "sources.jenkins.url is not usable; write it as https://host or https://host/jenkins, without a query."

_Page = tuple[Answer, list[dict[str, Any]]]


class Jenkins(HttpSource):
    """Which jobs, where, and who asks."""

    section: ClassVar[str] = "jenkins"
    origin: ClassVar[str] = "jenkins"
    kinds: ClassVar[frozenset[str]] = frozenset({"python", "api", "jenkins"})
    description: ClassVar[str] = "Builds of Jenkins jobs that began on a day, and the stages of pipelines."
    remedy: ClassVar[str] = "Set sources.jenkins.url and jobs, and JENKINS_USER and JENKINS_TOKEN in the environment."

    url: str = ""
    jobs: tuple[Words, ...] = ()
    """Full names, with folders: `team/shop/main`."""
    user: str = from_environment("JENKINS_USER", "", optional=True)
    token: SecretStr | None = from_environment("JENKINS_TOKEN")

    @property
    def configured(self) -> bool:
        return bool(self.url and self.jobs)

    def service(self) -> Service:
        token = revealed(self.token)
        if bool(self.user) != bool(token):
            raise SettingsError("JENKINS_USER and JENKINS_TOKEN belong together; set both or neither.")
        pair = b64encode(f"{self.user}:{token.strip()}".encode()).decode()
        return Service(
            "Jenkins",
            secret_header("Authorization", pair, "JENKINS_TOKEN", "Basic") if token else {},
            token,
            if_refused="Set JENKINS_USER and JENKINS_TOKEN to a user that may read this job and their API token.",
            if_missing="Check the name of the job, and that the user may see it.",
        )

    def scopes(self, client: Client, now: datetime) -> dict[str, PullDay]:
        """Raises SettingsError."""
        urls = {job: address(self.url, _path(job), _URL_REMEDY) for job in self.jobs}
        return {url: _pull_of(client, job, url) for job, url in urls.items()}


def _pull_of(client: Client, job: str, url: str) -> PullDay:
    """A page of builds is asked for once a pull, whatever number of days is asked for."""
    return partial(_builds_of_day, client, job, url, cache(partial(_page, client, url)))


def _builds_of_day(
    client: Client, job: str, url: str, page: Callable[[int], _Page], day: Day, seen: Seen
) -> Iterator[Found]:
    number = 0
    while True:
        answer, builds = page(number)
        new = [build for build in builds if _is_new(build, day, seen)]
        if new:
            yield Found((Delivery(f"{job} builds.json", answer.body),), {})
        for build in new:
            yield Found(_stages(client, job, url, build), {str(build["number"]): build["result"]})
        if len(builds) < _PAGE or any(_began(build) < day.start for build in builds):
            return
        number += 1


def _page(client: Client, url: str, number: int) -> _Page:
    """Builds from the newest on; `builds` would be the newest hundred only."""
    tree = f"_class,fullName,url,allBuilds[{_FIELDS}]{{{number * _PAGE},{(number + 1) * _PAGE}}}"
    answer = client.get(with_query(f"{url}/api/json", tree=tree))
    content = client.json(answer)
    builds = content.get("allBuilds") if isinstance(content, dict) else None
    if not isinstance(builds, list):
        raise ShapeError(f"{shown_url(answer.url)}: no list `allBuilds`. Check that this is a job, no folder or view.")
    return answer, [build for build in builds if isinstance(build, dict) and isinstance(build.get("number"), int)]


def _is_new(build: dict[str, Any], day: Day, seen: Seen) -> bool:
    ended = build.get("building") is False and isinstance(build.get("result"), str)
    return ended and day.has(_began(build)) and str(build["number"]) not in seen


def _began(build: dict[str, Any]) -> datetime:
    """When a build began; the distant future where it does not say, which is on no day."""
    value = build.get("timestamp")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1e14:
        return datetime.max  # noqa: DTZ901 - naive UTC
    return datetime.fromtimestamp(value / 1000, UTC).replace(tzinfo=None)


def _stages(client: Client, job: str, url: str, build: dict[str, Any]) -> tuple[Delivery, ...]:
    """The stages of a pipeline; none where the plugin Pipeline: REST API is missing."""
    if _PIPELINE_BUILD not in str(build.get("_class")):
        return ()
    try:
        answer = client.whole(client.get(f"{url}/{build['number']}/wfapi/describe"))
    except NotFoundError:
        return ()
    # Stages do not say what was built.
    return (Delivery(f"{job} build {build['number']} stages.json", answer.body, _given(build)),)


def _given(build: dict[str, Any]) -> Given:
    from perf_assets.formats.ci_runs import BrokenFieldError
    from perf_assets.formats.jenkins import built_from

    try:
        branch, commit_id = built_from(build)
    except BrokenFieldError:
        # The page of builds has the same fields, and what is wrong with them goes to quarantine with it.
        return Given()
    return Given(branch=branch, commit_id=commit_id)


def _path(job: str) -> str:
    parts = [part for part in job.strip("/").split("/") if part]
    if not parts:
        raise SettingsError(f"sources.jenkins.jobs: {job!r} is no job; write its full name, like team/shop/main.")
    return "".join(f"/job/{quote(part, safe='')}" for part in parts)
