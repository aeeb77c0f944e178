"""Resources: the settings, the warehouse, landing and the sources that assets, checks and sensors are given."""

from collections.abc import Generator

import dagster as dg
from dagster_duckdb import DuckDBResource
from pydantic import SecretStr

from perf_assets.landing import Landing, utc_now
from perf_assets.progress import Progress
from perf_assets.settings import Settings, protected_files
from perf_assets.sources.circleci import CircleCI
from perf_assets.sources.dagster_log import DagsterLog
from perf_assets.sources.folders import Folder, Folders
from perf_assets.sources.github_actions import GitHubActions
from perf_assets.sources.gitlab import GitLab
from perf_assets.sources.http import Patience
from perf_assets.sources.jenkins import Jenkins
from perf_assets.sources.prometheus import Prometheus
from perf_assets.warehouse import Warehouse
from perf_assets.workers import Workers


@dg.resource(required_resource_keys={"duckdb", "settings"}, description="The warehouse, published when the run ends.")
def warehouse(context: dg.InitResourceContext) -> Generator[Warehouse, None, None]:
    settings: Settings = context.resources.settings
    duckdb: DuckDBResource = context.resources.duckdb
    with protected_files(settings), duckdb.get_connection() as engine:
        opened = Warehouse(settings.database, settings.snapshots, engine)
        yield opened
        opened.publish()


def resources_for(settings: Settings) -> dict[str, object]:
    hardcoded = {
        "settings": (settings, "Choices, places and secrets."),
        "clock": (utc_now, "What time it is: for noticing that no results come, never for an analysis."),
        "landing": (Landing(settings.landing), "Files as they were received."),
        "progress": (Progress(), "Who hears how far long work has come."),
        "workers": (Workers(settings.workers), "Where batches are computed."),
        "patience": (Patience(longest_rest=settings.sources.longest_wait), "How long a pull tries and waits."),
        **_sources(settings),
    }
    return {
        **{name: dg.ResourceDefinition.hardcoded_resource(value, told) for name, (value, told) in hardcoded.items()},
        "duckdb": DuckDBResource(database=":memory:"),
        "warehouse": warehouse,
    }


def _sources(settings: Settings) -> dict[str, tuple[object, str]]:
    """What is pulled from where, by the names that the settings have for it."""
    sources = settings.sources
    github, gitlab, circleci = sources.github_actions, sources.gitlab, sources.circleci
    jenkins, prometheus = sources.jenkins, sources.prometheus
    return {
        "github_actions": (
            GitHubActions(github.repositories, github.base_url, _shown(settings.github_token)),
            "Repositories whose workflow runs are pulled.",
        ),
        "jenkins": (
            Jenkins(jenkins.url, jenkins.jobs, settings.jenkins_user or "", _shown(settings.jenkins_token)),
            "Jobs whose builds are pulled.",
        ),
        "gitlab": (
            GitLab(gitlab.projects, gitlab.url, _shown(settings.gitlab_token)),
            "Projects whose pipelines are pulled.",
        ),
        "circleci": (
            CircleCI(circleci.projects, circleci.base_url, _shown(settings.circle_token)),
            "Projects whose pipelines are pulled.",
        ),
        "prometheus": (
            Prometheus(prometheus.url, prometheus.queries, prometheus.step, _shown(settings.prometheus_token)),
            "Expressions whose samples are pulled.",
        ),
        "folders": (
            Folders(tuple(Folder(folder.url, folder.options) for folder in sources.folders)),
            "Folders whose files are pulled.",
        ),
        "dagster": (DagsterLog(sources.dagster.enabled), "Whether the platform's own runs are pulled."),
    }


def _shown(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
