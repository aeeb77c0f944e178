"""`doctor`: what is configured, reachable and missing."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
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
    yield from _channels(settings)
    yield from _sources(settings)
    yield from _plugins()


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
            known = state.counts()["acknowledgements"]
    except StateError as error:
        return Finding("state", "failed", str(error))
    return Finding("state", "ok", f"{counted(known, 'acknowledgement')}")


def _channels(settings: Settings) -> Iterator[Finding]:
    from perf_assets.alerts.channels import ChannelPlugin, DeliveryError

    for name, channel in settings.channels.items():
        if not channel.configured:
            yield Finding(name, "missing", f"{channel.remedy} Until a channel is set, alerts go to {settings.outbox}")
        elif isinstance(channel, ChannelPlugin):
            try:
                yield Finding(name, "ok", channel.probe() or str(channel))
            except DeliveryError as error:
                yield Finding(name, "failed", str(error))


def _sources(settings: Settings) -> Iterator[Finding]:
    """What is pulled, and what is not set; `perf-assets pull` shows whether the servers answer."""
    from perf_assets.sources.errors import SourceError
    from perf_assets.sources.source import Source

    for name, source in settings.sources.sections.items():
        unset = f"{', '.join(source.unset())} not set"
        if not source.configured:
            yield Finding(name, "missing", source.remedy)
        elif source.unset():
            yield Finding(name, "missing", f"pulled; {unset}")
        elif isinstance(source, Source):
            try:
                yield Finding(name, "ok", source.probe() or "pulled")
            except SourceError as error:
                yield Finding(name, "failed", str(error))


def _plugins() -> Iterator[Finding]:
    """Formats, sources and channels of other packages that cannot be loaded."""
    from perf_assets.formats import broken_formats
    from perf_assets.plugins import CHANNELS, SOURCES, Plugin, discovered

    broken = [*broken_formats(), *(text for group in (SOURCES, CHANNELS) for text in discovered(group, Plugin).broken)]
    for sentence in broken:
        yield Finding("plugin", "failed", sentence)
