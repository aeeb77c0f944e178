"""Group `ingestion`: what is pulled from CI servers, Prometheus and folders into landing, by the source's own day."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Protocol

import dagster as dg

from perf_assets.defs.asset_spec import OWNERS
from perf_assets.landing import Landing, Origin, utc_now
from perf_assets.progress import Progress
from perf_assets.settings import Settings, protected_files
from perf_assets.sources.dagster_log import DagsterLog
from perf_assets.sources.errors import SourceError
from perf_assets.sources.folders import Folders
from perf_assets.sources.http import Client, Service
from perf_assets.sources.pulling import PullDay, Pulled, pull

SOURCE_DAY = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1, timezone="UTC")
"""The day (UTC) by the source's own clock, today included."""

_TROUBLES_TOLD = 10

Pull = Callable[[dg.AssetExecutionContext, Origin], tuple[Pulled, dict[str, int]]]
"""Pulls the partitions asked for; what came of it, and what it counted on the way."""


class HttpSource(Protocol):
    """What a source that is called over HTTP says of itself."""

    def service(self) -> Service: ...
    def scopes(self, client: Client, now: datetime) -> Mapping[str, PullDay]: ...


def _over_http(context: dg.AssetExecutionContext, origin: Origin) -> tuple[Pulled, dict[str, int]]:
    source: HttpSource = _source_of(context)
    settings: Settings = context.resources.settings
    now = utc_now()
    with Client(source.service(), context.resources.patience, settings.kept_answers) as client:
        pulled = _pull(context, origin, source.scopes(client, now))
    return pulled, {"requests": client.requests, "not_modified": client.not_modified}


def _from_folders(context: dg.AssetExecutionContext, origin: Origin) -> tuple[Pulled, dict[str, int]]:
    folders: Folders = _source_of(context)
    return _pull(context, origin, folders.scopes(utc_now())), {}


def _from_the_instance(context: dg.AssetExecutionContext, origin: Origin) -> tuple[Pulled, dict[str, int]]:
    log: DagsterLog = _source_of(context)
    return _pull(context, origin, log.scopes(context.instance)), {}


def _source_of(context: dg.AssetExecutionContext) -> Any:
    return getattr(context.resources, context.asset_key.to_user_string().removesuffix("_results"))


def _pull(context: dg.AssetExecutionContext, origin: Origin, scopes: Mapping[str, PullDay]) -> Pulled:
    settings: Settings = context.resources.settings
    landing: Landing = context.resources.landing
    days = [date.fromisoformat(day) for day in context.partition_keys]
    progress: Progress = context.resources.progress
    with progress.of(f"days pulled from {origin}", len(days) * len(scopes)) as tell:
        return pull(origin, scopes, days, settings.seen_by_sources / origin, landing, utc_now(), tell)


def _result(pulled: Pulled, counted: Mapping[str, int]) -> dg.MaterializeResult[None]:
    """What a pull tells of itself; raises dg.Failure if anything went wrong."""
    metadata = {
        **counted,
        "files": pulled.files,
        "new_files": pulled.new_files,
        "bytes": pulled.bytes,
        "complete_days": pulled.complete,
    }
    if not pulled.troubles:
        return dg.MaterializeResult(metadata=metadata)
    told = [str(trouble) for trouble in pulled.troubles[:_TROUBLES_TOLD]]
    more = [f"... and {len(pulled.troubles) - len(told)} more"] if len(pulled.troubles) > len(told) else []
    troubles = "\n".join([*told, *more])
    # A wrong token or address is as wrong in half a minute, and a rate limit lasts longer.
    raise dg.Failure(troubles, {**metadata, "troubles": troubles}, allow_retries=pulled.may_pass)


def _source_asset(
    source: str, origin: Origin, kinds: set[str], how: Pull, description: str, remedy: str
) -> dg.AssetsDefinition:
    """The asset `<source>_results`; `source` is also the name of its resource and of its section in the settings."""

    @dg.asset(
        name=f"{source}_results",
        group_name="ingestion",
        kinds=kinds,
        owners=OWNERS,
        description=f"{description} {remedy}",
        partitions_def=SOURCE_DAY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30),
        required_resource_keys={source, "settings", "landing", "patience", "progress"},
    )
    def results(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        if not getattr(context.resources, source).configured:
            return dg.MaterializeResult(metadata={"state": f"not configured. {remedy}"})
        try:
            with protected_files(context.resources.settings):
                pulled, counted = how(context, origin)
        except SourceError as error:
            raise dg.Failure(str(error), {"troubles": str(error)}, allow_retries=False) from error
        return _result(pulled, counted)

    return results


SOURCE_ASSETS = [
    _source_asset(
        "github_actions",
        "github-actions",
        {"python", "api", "github"},
        _over_http,
        "Workflow runs of GitHub Actions that were created on a day, and the jobs and steps of each attempt.",
        "Set sources.github_actions.repositories, and GITHUB_TOKEN in the environment.",
    ),
    _source_asset(
        "jenkins",
        "jenkins",
        {"python", "api", "jenkins"},
        _over_http,
        "Builds of Jenkins jobs that began on a day, and the stages of pipelines.",
        "Set sources.jenkins.url and jobs, and JENKINS_USER and JENKINS_TOKEN in the environment.",
    ),
    _source_asset(
        "gitlab",
        "gitlab",
        {"python", "api", "gitlab"},
        _over_http,
        "Pipelines of GitLab that changed on a day, and their jobs.",
        "Set sources.gitlab.projects, and GITLAB_TOKEN in the environment.",
    ),
    _source_asset(
        "circleci",
        "circleci",
        {"python", "api"},
        _over_http,
        "Pipelines of CircleCI that were created on a day, with their workflows and jobs.",
        "Set sources.circleci.projects, and CIRCLE_TOKEN in the environment.",
    ),
    _source_asset(
        "prometheus",
        "prometheus",
        {"python", "api", "prometheus"},
        _over_http,
        "Samples that Prometheus gives for the expressions in the settings.",
        "Set sources.prometheus.url and queries, and PROMETHEUS_TOKEN in the environment where one is needed.",
    ),
    _source_asset(
        "folders",
        "folder",
        {"python", "file"},
        _from_folders,
        "Files that changed on a day in folders of any store: local ones, S3, Google Cloud Storage and others.",
        "Set sources.folders.",
    ),
    _source_asset(
        "dagster",
        "dagster",
        {"python", "dagster"},
        _from_the_instance,
        "Runs of this Dagster instance that ended on a day, with their steps.",
        "Set sources.dagster.enabled.",
    ),
]
