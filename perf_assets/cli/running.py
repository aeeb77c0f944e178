"""`run` and `ingest`: land, start the Dagster job, show what came out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from perf_assets.cli.launch import INGESTION_JOB, MAIN_JOB, RunResult, StepEnded, run_job
from perf_assets.landing import LandedFile, Landing, utc_now
from perf_assets.settings import Settings
from perf_assets.sources.dashboard import shown_url
from perf_assets.sources.files import collect_drop_folder, land_paths, land_sample

if TYPE_CHECKING:
    import pandas as pd


def analyse(settings: Settings, inputs: Sequence[Path]) -> int | None:
    """Run the whole chain and print the report; the number of confirmed regressions that stand, None if it failed."""
    console = Console()
    started = time.monotonic()
    landing = Landing(settings.landing)
    _land(settings, landing, inputs, console)
    result = _run(MAIN_JOB, settings, landing.days(), console)
    if not result.succeeded:
        return None
    from perf_assets.alerts.dispatch import channel_of, send_new_alerts
    from perf_assets.report.page import write_report
    from perf_assets.report.reading import Handling
    from perf_assets.report.terminal import print_report
    from perf_assets.state import open_state
    from perf_assets.warehouse import open_snapshot

    delivery = send_new_alerts(settings, utc_now())
    with open_state(settings.state) as state:
        handling = Handling(frozenset(state.acknowledgements()["finding_id"]), _alerts_sent(state.deliveries()))
    with open_snapshot(settings.snapshots) as con:
        write_report(con, settings.report, handling)
        print_report(con, console)
        confirmed = con.execute(
            """SELECT count(*) FROM regressions
            WHERE kind = 'regression' AND state = 'confirmed' AND recovered_at IS NULL"""
        ).fetchone()
    where = channel_of(settings).name if settings.slack_token else settings.outbox
    console.print(
        f"Alerts: {len(delivery.sent)} new, {len(delivery.already_sent)} sent before ({escape(str(where))})",
        soft_wrap=True,
    )
    for alert_id, reason in delivery.failed:
        console.print(f"[red]Alert {alert_id} was not sent:[/] {escape(reason)}", soft_wrap=True)
    seconds = time.monotonic() - started
    console.print(f"Report: {settings.report}   ({seconds:.0f} s)", soft_wrap=True, markup=False)
    return int(confirmed[0]) if confirmed else 0


def ingest_files(settings: Settings, paths: Sequence[Path]) -> int | None:
    """Land and load files; prints a line a file; the number of quarantined rows, None if the run failed."""
    console = Console()
    landing = Landing(settings.landing)
    files = land_paths(landing, paths, utc_now())
    known = _loaded_hashes(settings)
    result = _run(INGESTION_JOB, settings, landing.days(), console)
    if not result.succeeded:
        return None
    return _print_loaded(settings, files, known, console)


def _land(settings: Settings, landing: Landing, inputs: Sequence[Path], console: Console) -> None:
    now = utc_now()
    if inputs:
        files = land_paths(landing, inputs, now)
        console.print(f"{len(files)} files taken in")
        return
    dropped = collect_drop_folder(landing, settings.drop_folder, now)
    if dropped:
        console.print(f"{len(dropped)} files taken in from {settings.drop_folder}", soft_wrap=True, markup=False)
    if settings.dashboard_url and settings.dashboard_token is not None:
        console.print(f"Pulling {shown_url(settings.dashboard_url)}", soft_wrap=True, markup=False)
        return
    if any(file.origin != "sample" for file in landing.files()):
        console.print("Analysing the results that came in before (the bundled sample is left out)")
        return
    console.print("No results of your own yet: analysing the bundled sample (14 real scenario runs, a simulated fleet)")
    land_sample(landing, settings.home / "samples", now)


def _run(job: str, settings: Settings, days: Sequence[str], console: Console) -> RunResult:
    today = f"{utc_now():%Y-%m-%d}"
    with console.status("Loading Dagster") as status:

        def tell(step: StepEnded) -> None:
            if step.error:
                console.print(f"[red]{step.name} failed:[/] {escape(step.error)}", soft_wrap=True)
            elif step.seconds >= 1 or console.is_terminal:
                console.print(f"  [dim]{step.name} {step.seconds:.1f} s[/]")
            status.update(f"{step.name} done")

        result = run_job(job, settings, sorted({*days, today}), tell)
    if not result.succeeded:
        console.print(f"[red]The run failed[/] (id {result.run_id}); `make ui` shows it step by step")
    return result


def _loaded_hashes(settings: Settings) -> set[str]:
    """Content hashes of the files that have been loaded so far."""
    from perf_assets.warehouse import NoSnapshotError, open_snapshot

    try:
        with open_snapshot(settings.snapshots) as con:
            return {content_hash for (content_hash,) in con.execute("SELECT content_hash FROM batches").fetchall()}
    except NoSnapshotError:
        return set()  # before the first run


def _print_loaded(settings: Settings, files: Sequence[LandedFile], known: set[str], console: Console) -> int:
    from perf_assets.warehouse import open_snapshot

    table = Table("file", "format", "measurements", "new", "quarantined", box=None)
    with open_snapshot(settings.snapshots) as con:
        rows = con.execute(
            """SELECT content_hash, coalesce(format, 'unknown'), measurements, new_measurements, quarantined
            FROM batches"""
        ).fetchall()
        reasons = con.execute("SELECT content_hash, message FROM quarantined_results ORDER BY location").fetchall()
    loaded = {row[0]: row[1:] for row in rows}
    hashes = {file.content_hash for file in files}
    for file in files:
        format_name, measurements, new, quarantined = loaded[file.content_hash]
        new = "loaded before" if file.content_hash in known else str(new)
        table.add_row(escape(file.name), format_name, str(measurements), new, str(quarantined))
    console.print(table)
    messages = [message for content_hash, message in reasons if content_hash in hashes]
    for message in messages[:10]:
        console.print(f"[yellow]quarantined[/] {escape(message)}", soft_wrap=True)
    if len(messages) > 10:
        console.print(f"... and {len(messages) - 10} more in quarantined_results")
    return len(messages)


def _alerts_sent(deliveries: pd.DataFrame) -> dict[str, str]:
    """Where and when each regression was alerted, by its id."""
    sent = deliveries[deliveries["status"] == "sent"]
    return {
        row.alert_id.removeprefix("regression-"): f"sent to {row.channel} {row.sent_at:%Y-%m-%d %H:%M} UTC"
        + (f": {row.receipt}" if row.channel == "outbox" else "")
        for row in sent.itertuples()
    }
