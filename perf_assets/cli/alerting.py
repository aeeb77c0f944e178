"""`alerts`: what was sent, acknowledging, sending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from perf_assets.characters import in_one_line
from perf_assets.cli.listing import as_json_text
from perf_assets.landing import utc_now
from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.warehouse import open_snapshot


def show_alerts(settings: Settings, as_json: bool) -> None:
    with open_state(settings.state) as state:
        deliveries, known = state.rows("deliveries"), state.rows("acknowledgements")
    if as_json:
        click.echo(f'{{"deliveries": {as_json_text(*deliveries)},\n"acknowledgements": {as_json_text(*known)}}}')
        return
    _print("Sent", *deliveries, ["alert_id", "channel", "status", "attempts", "sent_at", "error"])
    _print("Acknowledged", *known, ["finding_id", "acknowledged_by", "acknowledged_at", "note"])


def acknowledge_regression(settings: Settings, regression_id: str, by: str, note: str) -> bool:
    """Acknowledge a regression of the newest snapshot, by its id or its alert's; False if none has this id."""
    regression_id = regression_id.removeprefix("regression-")
    with open_snapshot(settings.snapshots) as con:
        found = con.execute("SELECT 1 FROM regressions WHERE regression_id :: VARCHAR = ?", [regression_id]).fetchall()
    if not found:
        return False
    with open_state(settings.state) as state:
        state.acknowledge(regression_id, by, utc_now(), note)
    click.echo(f"{regression_id} acknowledged by {by}")
    return True


def send_now(settings: Settings) -> bool:
    """Deliver what is new; False if something could not be sent."""
    from perf_assets.alerts.dispatch import send_new_alerts

    report = send_new_alerts(settings, utc_now())
    click.echo(f"{len(report.sent)} sent, {len(report.already_sent)} sent before, {len(report.failed)} failed")
    for alert_id, reason in report.failed:
        click.echo(f"{alert_id}: {reason}", err=True)
    return not report.failed


def _print(title: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], shown: Sequence[str]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from perf_assets.cli.console import wide_console

    console = wide_console()
    if not rows:
        console.print(f"{title}: none")
        return
    table = Table(*shown, title=title, title_justify="left", box=None)
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        table.add_row(*("" if values[name] is None else escape(in_one_line(str(values[name]))) for name in shown))
    console.print(table)
