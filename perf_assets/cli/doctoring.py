"""`doctor`: what is configured, reachable and missing."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Literal

import click

from perf_assets.cli.listing import frame_as_json
from perf_assets.landing import Landing
from perf_assets.settings import CONFIG_FILE, Settings
from perf_assets.warehouse import NoSnapshotError, open_snapshot
from perf_assets.warehouse.branches import other_branches
from perf_assets.wording.findings import branches_without_series
from perf_assets.wording.quantities import counted, number, quantity

State = Literal["ok", "missing", "failed"]
_MARK = {"ok": "ok     ", "missing": "not set", "failed": "FAILED "}


@dataclass(frozen=True)
class Finding:
    """One line of the examination; `missing` is a choice not made, `failed` something that should work and does not."""

    subject: str
    state: State
    detail: str


def examine(settings: Settings, as_json: bool) -> bool:
    """Print the examination; False if anything that is configured does not work."""
    findings = list(_findings(settings))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            click.echo(f"{_MARK[finding.state]}  {finding.subject:<16} {finding.detail}")
    return all(finding.state != "failed" for finding in findings)


def show_checksums(settings: Settings, as_json: bool) -> None:
    """A checksum of each table of the newest snapshot."""
    from perf_assets.warehouse.checksums import checksums

    with open_snapshot(settings.snapshots) as con:
        table = checksums(con)
    click.echo(frame_as_json(table) if as_json else table.to_string(index=False))


def _findings(settings: Settings) -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()}")
    config = Path(os.environ.get("PERF_ASSETS_CONFIG") or CONFIG_FILE)
    yield Finding("configuration", "ok" if config.exists() else "missing", f"{config.absolute()}" + (
        "" if config.exists() else " is not there; defaults apply"))  # fmt: skip
    yield _home(settings)
    yield _catalogue(settings)
    files = Landing(settings.landing).files()
    yield Finding(
        "landing", "ok" if files else "missing", f"{counted(len(files), 'file')} received, {settings.landing}"
    )
    yield from _warehouse(settings)
    yield _state(settings)
    yield _slack(settings)
    yield _dashboard(settings)
    yield _sources(settings)


def _home(settings: Settings) -> Finding:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / ".doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding("home", "failed", f"{settings.home} cannot be written: {error.strerror}; set PERF_ASSETS_HOME")
    return Finding("home", "ok", str(settings.home))


def _catalogue(settings: Settings) -> Finding:
    from perf_assets.catalog import CatalogError, load_catalog

    try:
        catalog = load_catalog(settings.metrics_file)
    except CatalogError as error:
        return Finding("catalogue", "failed", str(error))
    own = f", with {settings.metrics_file}" if settings.metrics_file else ""
    return Finding("catalogue", "ok", f"{counted(len(catalog), 'metric')}{own}")


def _warehouse(settings: Settings) -> Iterator[Finding]:
    try:
        with open_snapshot(settings.snapshots) as con:
            row = con.execute(
                """SELECT (SELECT count(*) FROM measurements SEMI JOIN analysed_series USING (series_id)),
                (SELECT count(*) FROM metric_series),
                (SELECT count(*) FROM quarantined_results)"""
            ).fetchone()
            others = other_branches(con)
            unknown = con.execute(
                "SELECT DISTINCT metric FROM metric_series WHERE NOT in_catalogue AND direction = 'neutral' ORDER BY 1"
            ).fetchall()
    except NoSnapshotError as error:
        yield Finding("snapshot", "missing", str(error))
        return
    except OSError as error:
        yield Finding("snapshot", "failed", f"{error.filename} cannot be read: {error.strerror}")
        return
    measurements, series, quarantined = row or (0, 0, 0)
    age = datetime.now(UTC) - datetime.fromtimestamp((settings.snapshots / "current.duckdb").stat().st_mtime, UTC)
    yield Finding(
        "snapshot", "ok", f"{counted(measurements, 'measurement')}, {counted(series, 'series')} under analysis, "
        f"{counted(quarantined, 'row')} in quarantine, {quantity(age.total_seconds(), 's')} old",
    )  # fmt: skip
    if others.measurements:
        yield Finding("branches", "ok", f"{branches_without_series(others)}; [identity] names those that do")
    if unknown:
        names = ", ".join(name for (name,) in unknown[:10])
        yield Finding(
            "metrics",
            "missing",
            f"{number(len(unknown))} without direction, for they are not in the catalogue: {names}",
        )


def _state(settings: Settings) -> Finding:
    from perf_assets.state import StateError, open_state

    try:
        with open_state(settings.state) as state:
            known = len(state.acknowledgements())
    except StateError as error:
        return Finding("state", "failed", str(error))
    return Finding("state", "ok", f"{counted(known, 'acknowledgement')}")


def _slack(settings: Settings) -> Finding:
    if settings.slack_token is None:
        return Finding("slack", "missing", f"SLACK_BOT_TOKEN is not set; alerts go to {settings.outbox}")
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError, SlackClientError

    from perf_assets.alerts.channels import SLACK_URL

    client = WebClient(
        settings.slack_token.get_secret_value(), base_url=settings.slack.base_url or SLACK_URL, timeout=10
    )
    try:
        answer = client.auth_test()
    except SlackApiError as error:
        return Finding("slack", "failed", f"Slack refuses the token: {error.response.get('error')}")
    except (SlackClientError, OSError, HTTPException, AttributeError) as error:
        return Finding("slack", "failed", f"Slack cannot be reached at {client.base_url}: {error}")
    except ValueError:
        # Its message may show the token: a header cannot hold a line break, which a pasted token may end with.
        return Finding("slack", "failed", "SLACK_BOT_TOKEN holds a character no token has, such as a line break")
    return Finding("slack", "ok", f"team {answer.get('team')}, channel {settings.slack.channel}")


def _dashboard(settings: Settings) -> Finding:
    if not settings.dashboard_url or settings.dashboard_token is None:
        return Finding("dashboard", "missing", "SCALE_DASHBOARD_URL and SCALE_DASHBOARD_API_KEY are not both set")
    from perf_assets.sources.dashboard import SourceError, probe

    try:
        return Finding("dashboard", "ok", probe(settings.dashboard_url, settings.dashboard_token.get_secret_value()))
    except SourceError as error:
        return Finding("dashboard", "failed", str(error))


_TOKENS = {
    "github_actions": ("GITHUB_TOKEN", "github_token"),
    "gitlab": ("GITLAB_TOKEN", "gitlab_token"),
    "jenkins": ("JENKINS_TOKEN", "jenkins_token"),
    "circleci": ("CIRCLE_TOKEN", "circle_token"),
}


def _sources(settings: Settings) -> Finding:
    """What is pulled, and which tokens are not there; `perf-assets pull` shows whether the servers answer."""
    configured = settings.sources.configured
    if not configured:
        return Finding(
            "sources", "missing", "none is configured; docs/sources.md says how to watch CI servers and folders"
        )
    without = [
        variable
        for source, (variable, field) in _TOKENS.items()
        if source in configured and getattr(settings, field) is None
    ]
    unset = f"; {', '.join(without)} not set" if without else ""
    return Finding("sources", "missing" if without else "ok", f"{', '.join(configured)}{unset}")
