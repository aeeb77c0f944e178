"""`run`: land, start the Dagster job, show what came out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from perf_assets.cli.launch import MAIN_JOB
from perf_assets.cli.showing import land_shown, pulling_steps, run_shown
from perf_assets.cli.turns import turn
from perf_assets.disk import full_disk, is_full
from perf_assets.landing import Given, Landing, utc_now
from perf_assets.settings import Settings
from perf_assets.sources.files import collect_drop_folder, land_sample
from perf_assets.wording.quantities import counted, quantity


@dataclass(frozen=True)
class Outcome:
    """How many confirmed regressions have not recovered, and whether all sources were pulled and alerts delivered."""

    regressions: int
    complete: bool


def analyse(settings: Settings, inputs: Sequence[Path]) -> Outcome | None:
    """Run the whole chain and print the report, once no other process does so; None if a step of it failed."""
    console = Console()
    with turn(settings.home / "run.lock", console):
        return _analyse(settings, inputs, console)


def _analyse(settings: Settings, inputs: Sequence[Path], console: Console) -> Outcome | None:
    started = time.monotonic()
    landing = Landing(settings.landing)
    _land(settings, landing, inputs, console)
    result = run_shown(MAIN_JOB, settings, landing.days(), console)
    pulling = pulling_steps(settings)
    not_pulled = {source: result.errors[step] for step, source in pulling.items() if step in result.errors}
    if not result.succeeded and (not {*result.errors} <= {*pulling} or not landing.days()):
        _say_not_pulled(console, not_pulled)
        if any(is_full(message, settings.home) for message in result.errors.values()):
            raise full_disk([settings.home, Path(tempfile.gettempdir())], [settings.database])
        return None
    from perf_assets.alerts.dispatch import channels_of, send_new_alerts
    from perf_assets.report.circumstances import circumstances
    from perf_assets.report.page import write_report
    from perf_assets.report.reading import read_report
    from perf_assets.report.terminal import print_report
    from perf_assets.warehouse import open_snapshot

    delivery = send_new_alerts(settings, utc_now())
    with open_snapshot(settings.snapshots) as con:
        about = circumstances(con, settings, utc_now())
        if delivery.sent:
            # The run has written the page; where an alert was sent it is since then.
            write_report(con, settings.report, read_report(con, about.handling, about.overdue, about.rules))
        print_report(con, console, about.overdue, about.rules, about.handling)
        confirmed = con.execute(
            """SELECT count(*) FROM regressions
            WHERE kind = 'regression' AND state = 'confirmed' AND recovered_at IS NULL AND NOT restores"""
        ).fetchone()
    where = ", ".join(str(channel) for channel in channels_of(settings))
    console.print(
        f"Alerts: {len(delivery.sent)} new, {len(delivery.already_sent)} sent before ({escape(where)})",
        soft_wrap=True,
    )
    for alert_id, reason in delivery.failed:
        console.print(f"[red]Alert {alert_id} was not sent:[/] {escape(reason)}", soft_wrap=True)
    seconds = time.monotonic() - started
    console.print(f"Report: {settings.report}   ({quantity(seconds, 's')})", soft_wrap=True, markup=False)
    _say_not_pulled(console, not_pulled)
    return Outcome(int(confirmed[0]) if confirmed else 0, complete=not delivery.failed and not not_pulled)


def _say_not_pulled(console: Console, not_pulled: Mapping[str, str]) -> None:
    for source, reason in not_pulled.items():
        console.print(f"[red]The source {source} was not pulled:[/] {escape(reason)}", soft_wrap=True)


def _land(settings: Settings, landing: Landing, inputs: Sequence[Path], console: Console) -> None:
    now = utc_now()
    if inputs:
        received = land_shown(landing, inputs, Given(), console)
        console.print(f"{counted(len(received.names) + received.copies, 'file')} taken in")
        return
    dropped = collect_drop_folder(landing, settings.drop_folder, now)
    if dropped:
        taken = f"{counted(len(dropped), 'file')} taken in from {settings.drop_folder}"
        console.print(taken, soft_wrap=True, markup=False)
    pulling = pulling_steps(settings)
    if pulling:
        console.print(f"Pulling {', '.join(pulling.values())}", soft_wrap=True, markup=False)
        return
    if any(file.origin != "sample" for file in landing.files()):
        console.print("Analysing the results that were received before (the bundled sample is left out)")
        return
    console.print("No results of your own yet: analysing the bundled sample (14 real scenario runs, a simulated fleet)")
    land_sample(landing, settings.home / "samples", now)
